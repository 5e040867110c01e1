/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Timers: what is due, how late timers fire, the top of the heap as a tree, and
 * the callbacks that own them.
 */
#include <stdio.h>
#include <string.h>

#include "list.h"
#include "panel.h"
#include "state.h"
#include "text.h"

#define TREE_NODES 64
#define TREE_DEPTH 5

/* ---- the table ---- */

static size_t list_timers(const struct view *view, const void **rows, size_t room)
{
	const struct loop *loop = view->loop;
	for (size_t i = 0; loop && i < loop->timer_count && i < room; i++)
		rows[i] = &loop->timers[i];
	return loop ? loop->timer_count : 0;
}

static uint64_t identify(const struct view *view, const void *row)
{
	const struct timer_stat *timer = row;
	return timer->fn ? timer->fn : 1;
}

static void say_none(const struct view *view, char *out, size_t room)
{
	const char *why = view_missing(view->model, PS_PROBE_RUNTIME);
	if (!view->loop)
		snprintf(out, room, "no loop seen yet");
	else if (view->loop->flags & PS_LOOP_RING)
		snprintf(out, room, "no timer was set yet");
	else
		snprintf(out, room, *why ? "n/a  runtime probe: %s" : "no timer seen yet%s", why);
}

static void print_callback(const struct view *view, const void *row, char *out, size_t room)
{
	const struct timer_stat *timer = row;
	if (timer->frame)
		frame_text(timer->frame, out, room);
	else
		snprintf(out, room, timer->fn ? "[unresolved] 0x%llx" : "[unresolved]", (unsigned long long)timer->fn);
}

static uint64_t key_armed(const struct view *view, const void *row)
{
	return ((const struct timer_stat *)row)->armed;
}

static void print_armed(const struct view *view, const void *row, char *out, size_t room)
{
	char text[24];
	snprintf(out, room, "%s", cell_count(text, key_armed(view, row)));
}

static uint64_t key_fired(const struct view *view, const void *row)
{
	return view->loop && loop_tells_fired(view->loop) ? ((const struct timer_stat *)row)->fired : PS_UNKNOWN;
}

static void print_fired(const struct view *view, const void *row, char *out, size_t room)
{
	char text[24];
	snprintf(out, room, "%s", cell_count(text, key_fired(view, row)));
}

static uint64_t key_repeat(const struct view *view, const void *row)
{
	return ((const struct timer_stat *)row)->repeat_ns;
}

static void print_repeat(const struct view *view, const void *row, char *out, size_t room)
{
	char text[24];
	uint64_t repeat = key_repeat(view, row);
	snprintf(out, room, "%s", repeat ? cell_duration(text, repeat, "") : "once");
}

static uint64_t key_late(const struct view *view, const void *row)
{
	const struct timer_stat *timer = row;
	return timer->fired ? timer->late_max_ns : PS_UNKNOWN;
}

static void print_late(const struct view *view, const void *row, char *out, size_t room)
{
	char text[24];
	snprintf(out, room, "%s", cell_duration(text, key_late(view, row), ""));
}

static const struct column columns[] = {
	{ .name = "callback",
	  .alias = "name",
	  .title = "CALLBACK",
	  .least = 16,
	  .note = "the function that the timers call",
	  .print = print_callback },
	{ .name = "armed",
	  .title = "ARMED",
	  .width = 6,
	  .right = 1,
	  .note = "timers with it that are set now",
	  .key = key_armed,
	  .print = print_armed },
	{ .name = "fired",
	  .title = "FIRED",
	  .width = 6,
	  .right = 1,
	  .priority = 1,
	  .note = "how often they fired so far",
	  .key = key_fired,
	  .print = print_fired },
	{ .name = "repeat",
	  .title = "REPEAT",
	  .width = 6,
	  .right = 1,
	  .priority = 2,
	  .unit = DURATION,
	  .note = "their interval; once = they do not repeat",
	  .key = key_repeat,
	  .print = print_repeat },
	{ .name = "late",
	  .title = "LATEST",
	  .width = 6,
	  .right = 1,
	  .priority = 3,
	  .unit = DURATION,
	  .note = "the most that one of them was late",
	  .key = key_late,
	  .print = print_late },
	{ .name = NULL },
};

static const struct sheet sheet = {
	.name = "timers",
	.columns = columns,
	.sort = 1,
	.rows = list_timers,
	.identity = identify,
	.empty = say_none,
};

/* ---- how soon, how late ---- */

static void draw_soon(const struct view *view, struct area area, int y)
{
	static const struct {
		const char *name;
		uint64_t below_ns;
	} bands[] = {
		{ "<10ms", 10000000 },	   { "<100ms", 100000000 }, { "<1s", 1000000000 },
		{ "<1m", 60000000000ull }, { ">1m", UINT64_MAX },
	};
	const struct loop *loop = view->loop;
	uint64_t counts[5] = { 0 }, told = 0;
	for (size_t i = 0; i < loop->heap_count; i++) {
		uint64_t due = loop->heap[i].due_ns, in = due > view->model->now_ns ? due - view->model->now_ns : 0;
		int band = 0;
		if (!due)
			continue;
		while (in >= bands[band].below_ns)
			band++;
		counts[band]++;
		told++;
	}
	if (!told) {
		area_put(view, area, 1, y, STYLE_DIM, "due in    n/a: the timers were not read one by one");
		return;
	}
	char text[CELL_TEXT];
	int used = snprintf(text, sizeof(text), "due in   ");
	for (int i = 0; i < 5; i++)
		used += snprintf(text + used, sizeof(text) - (size_t)used, " %s %llu ", bands[i].name,
				 (unsigned long long)counts[i]);
	area_print(view, area, 1, y, STYLE_NORMAL, "%s of %llu read", text, (unsigned long long)told);
}

/* ---- the heap as a tree ---- */

static void tell_node(struct list *list, const struct loop *loop, size_t at, int depth)
{
	const struct heap_node *node = &loop->heap[at];
	const struct view *view = list->view;
	char due[24], repeat[24], name[CELL_TEXT];
	uint64_t now = view->model->now_ns;
	if (node->frame)
		frame_text(node->frame, name, sizeof(name));
	else
		snprintf(name, sizeof(name), node->fn ? "0x%llx" : "n/a", (unsigned long long)node->fn);
	if (node->due_ns > now)
		cell_duration(due, node->due_ns - now, "");
	else
		snprintf(due, sizeof(due), "overdue");
	list_line(list, node->due_ns > now ? STYLE_NORMAL : STYLE_WARN, "%*s%s%-8s %s%s%s", depth * 3, "",
		  depth ? "+- " : "", due, name, node->repeat_ns ? "  repeat " : "",
		  node->repeat_ns ? cell_duration(repeat, node->repeat_ns, "") : "");
}

static void walk(struct list *list, const struct loop *loop, size_t at, int depth)
{
	if (at >= loop->heap_count || depth >= TREE_DEPTH || list->lines >= TREE_NODES || !loop->heap[at].due_ns)
		return;
	tell_node(list, loop, at, depth);
	for (uint32_t child = 1; child <= loop->heap_arity && loop->heap_arity <= 16; child++)
		walk(list, loop, at * loop->heap_arity + child, depth + 1);
}

static void draw_tree(const struct view *view, struct area area)
{
	const struct loop *loop = view->loop;
	char note[96] = "", depth[24], age[24], armed[24];
	if (loop->heap_ns)
		snprintf(note, sizeof(note), loop->heap_arity ? "min-heap of %s, depth %s, read %s ago"
							      : "%s, depth %s, by due time, read %s ago",
			 cell_count(armed, loop->timers_armed), cell_count(depth, loop->heap_depth),
			 cell_duration(age, view->model->now_ns - loop->heap_ns, ""));
	struct list list = { view, area_head(view, area, "HEAP", note), 0, 0 };
	if (loop->timers_note && *loop->timers_note)
		list_wrap(&list, STYLE_WARN, "", loop->timers_note);
	if (!loop->heap_ns) {
		const char *why = view_missing(view->model, PS_PROBE_SNAPSHOT);
		list_line(&list, STYLE_DIM, "n/a: %s",
			  loop->flags & PS_LOOP_RING ? "this loop tells its timers one by one, its heap is not read"
			  : *why		     ? why
						     : "the heap of this runtime is not read");
	} else if (!loop->heap_count) {
		list_line(&list, STYLE_DIM, "no timer is set");
	} else if (loop->heap_arity) {
		walk(&list, loop, 0, 0);
	} else {
		for (size_t i = 0; i < loop->heap_count && i < TREE_NODES; i++)
			if (loop->heap[i].due_ns)
				tell_node(&list, loop, i, 0);
	}
}

/* ---- the screen ---- */

static void draw(struct view *view, struct tui *tui, struct area area)
{
	const struct loop *loop = view->loop;
	if (!loop) {
		sheet_draw(view, area, &sheet, tui_table(tui));
		return;
	}
	int top = area.rows >= 14 ? 4 : area.rows >= 6 ? 3 : 0;
	if (top) {
		struct area head = area_top(&area, top);
		panel_timers_brief(view, head);
		if (top == 4)
			draw_soon(view, (struct area){ head.x, head.y + 1, head.columns, 3 }, 2);
	}
	if (area.rows >= 12) {
		struct area table = area_top(&area, area.rows / 2);
		sheet_draw(view, area_head(view, table, "BY CALLBACK", ""), &sheet, tui_table(tui));
		draw_tree(view, area);
	} else {
		sheet_draw(view, area, &sheet, tui_table(tui));
	}
}

const struct screen screen_timers = {
	.digit = 5,
	.name = "Timers",
	.brief = "Timer",
	.note = "what is due next, how late timers fire, the callbacks that own them, the heap as a tree",
	.sheet = &sheet,
	.draw = draw,
};

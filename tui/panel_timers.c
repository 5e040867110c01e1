/* SPDX-License-Identifier: BSD-2-Clause */
/* Timers: what is due, how late they fire, and which callbacks own the most. */
#include <stdio.h>
#include <stdlib.h>

#include "line.h"
#include "panel.h"
#include "text.h"

#define TOP_MAX 16
#define NAME_LEAST 42 /* columns of a callback and the word before it: more telling than how often */

static uint64_t weight(const struct timer_stat *timer)
{
	return timer->armed + timer->fired;
}

/* the heaviest callbacks, heaviest first; returns how many */
static size_t find_top(const struct loop *loop, const struct timer_stat **top, size_t room)
{
	size_t count = 0;
	for (size_t i = 0; i < loop->timer_count; i++) {
		const struct timer_stat *timer = &loop->timers[i];
		size_t at = count < room ? count++ : room;
		while (at > 0 && weight(top[at - 1]) < weight(timer)) {
			if (at < room)
				top[at] = top[at - 1];
			at--;
		}
		if (at < room)
			top[at] = timer;
	}
	return count;
}

static void draw_top(const struct view *view, struct area area, int y, const struct timer_stat *timer)
{
	char name[CELL_TEXT], repeat[24], armed[24], fired[24];
	struct line line;

	if (timer->frame)
		frame_text(timer->frame, name, sizeof(name));
	else
		snprintf(name, sizeof(name), timer->fn ? "[unresolved] 0x%llx" : "[unresolved]",
			 (unsigned long long)timer->fn);
	line_begin(&line, 1);
	line_add_long(&line, 0, NAME_LEAST, STYLE_NORMAL, "top   %s", name);
	line_add_right(&line, 2, STYLE_NORMAL, timer->repeat_ns ? "repeat %s" : "once%s",
		       timer->repeat_ns ? cell_duration(repeat, timer->repeat_ns, "") : "");
	line_add_right(&line, 1, STYLE_NORMAL, "x%s", cell_count(armed, timer->armed));
	line_add_right(&line, 3, STYLE_NORMAL, "fired %s ",
		       cell_count(fired, loop_tells_fired(view->loop) ? timer->fired : PS_UNKNOWN));
	line_draw(view, area, 1, y, &line);
}

static void draw_due(const struct view *view, struct area area)
{
	const struct loop *loop = view->loop;
	uint64_t now = view->model->now_ns;
	char due[24], overdue[24];

	if (loop->next_due_ns == PS_UNKNOWN)
		snprintf(due, sizeof(due), "%s", loop->timers_armed ? "n/a" : "-");
	else if (loop->next_due_ns <= now)
		snprintf(due, sizeof(due), "now");
	else
		cell_duration(due, loop->next_due_ns - now, "");
	area_print(view, area, 1, 0, STYLE_NORMAL, "next due %-9s overdue now %s", due,
		   cell_count(overdue, loop->timers_overdue));
}

static void draw_late(const struct view *view, struct area area)
{
	const struct hist *late = &view->loop->timer_late, *base = view->loop_mark ? &view->loop_mark->timer_late : NULL;
	char p50[24], p99[24], max[24];

	area_print(view, area, 1, 1, STYLE_NORMAL, "late  p50 %s  p99 %s  max %s", cell_quantile(p50, late, base, 0.5),
		   cell_quantile(p99, late, base, 0.99), cell_quantile(max, late, base, 1));
}

/* timers that are read from memory show what is armed, not when one fires */
static void draw_fired(const struct view *view, struct area area, int x, int y, const struct recent *recent)
{
	if (!loop_tells_fired(view->loop))
		area_print(view, area, x, y, STYLE_DIM, "fired n/a");
	else if (recent->seconds)
		area_print(view, area, x, y, STYLE_NORMAL, "fired %.1f/s", (double)recent->timers_fired / recent->seconds);
}

void panel_timers_brief(const struct view *view, struct area area)
{
	const struct loop *loop = view->loop;
	char title[64], armed[24];
	struct recent recent;

	snprintf(title, sizeof(title), "armed %s", cell_count(armed, loop->timers_armed));
	area = area_head(view, area, "TIMERS", title);
	if (loop->timers_armed == PS_UNKNOWN && !loop->timers_fired) {
		const char *why = view_missing(view->model, PS_PROBE_RUNTIME);
		area_print(view, area, 1, 0, STYLE_DIM, "n/a%s%s", *why ? ": " : "", why);
		return;
	}
	draw_due(view, area);
	draw_late(view, area);
	view_recent(view, loop, 10, &recent);
	draw_fired(view, area, 44, 0, &recent);
}

void panel_timers(const struct view *view, struct area area)
{
	const struct loop *loop = view->loop;
	const struct timer_stat *top[TOP_MAX];
	char title[64] = "", armed[24], depth[24];
	struct recent recent;

	if (loop)
		snprintf(title, sizeof(title), "armed %s%s%s", cell_count(armed, loop->timers_armed), loop->heap_ns ? ", heap depth " : "",
			 loop->heap_ns ? cell_count(depth, loop->heap_depth) : "");
	area = area_head(view, area, "TIMERS", title);
	if (!loop)
		return;
	if (loop->timers_armed == PS_UNKNOWN && !loop->timers_fired) {
		const char *why = view_missing(view->model, PS_PROBE_RUNTIME);
		area_print(view, area, 1, 0, STYLE_DIM, "n/a%s%s", *why ? ": " : "", why);
		return;
	}
	draw_due(view, area);
	draw_late(view, area);
	view_recent(view, loop, 10, &recent);
	int room = area.rows - 3 > TOP_MAX ? TOP_MAX : area.rows - 3;
	size_t count = room > 0 ? find_top(loop, top, (size_t)room) : 0;
	for (size_t i = 0; i < count; i++)
		draw_top(view, area, 2 + (int)i, top[i]);
	draw_fired(view, area, 1, area.rows - 1, &recent);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The frame around every screen: title, tabs, verdict, trust line, keys.
 * Small terminals lose tabs first, then the key line; verdict and trust stay,
 * because a picture whose loss is not shown is a lie.
 */
#include <stdio.h>
#include <string.h>

#include "keys.h"
#include "line.h"
#include "schema.h"
#include "text.h"

#define WIDE 100          /* columns from which names are written out */
#define CMDLINE_LEAST 24  /* columns of a command line, with its quotes */
#define FULL_ROWS 24      /* rows from which all lines of the frame are drawn */

static void add_target(const struct view *view, struct line *line, int wide)
{
	const struct process *process = view->process;
	if (!process) {
		if (view->loop)
			line_add(line, 0, STYLE_BOLD, "process %u", view->loop->pid);
		else
			line_add(line, 1, STYLE_BOLD, view->status->targets ? "no target chosen yet" : "no target seen yet");
		return;
	}
	line_add(line, 0, STYLE_BOLD, "%.24s[%u]", process->comm, process->pid);
	if (wide && *process->cmdline)
		line_add_long(line, 9, CMDLINE_LEAST, STYLE_NORMAL, "\"%s\"", process->cmdline);
	if (*process->runtime)
		line_add(line, 4, STYLE_NORMAL, "%.16s%s%.16s%s", process->runtime, *process->version ? " " : "",
			 process->version, process->flags & PS_PROCESS_STRIPPED ? " (stripped)" : "");
	if (view->model->loop_count > 1 || wide)
		line_add(line, 5, STYLE_NORMAL, "loop %zu/%zu", view->loop_number, view->model->loop_count);
}

static void draw_title(const struct view *view, struct area area)
{
	struct line line;
	char text[24], clock[16];
	const struct tui_status *status = view->status;
	int wide = area.columns >= WIDE;

	line_begin(&line, wide ? 2 : 1);
	line_add(&line, 7, STYLE_TITLE, "pollscope");
	add_target(view, &line, wide);
	if (view->paused)
		line_add_right(&line, 0, STYLE_WARN, "PAUSED -%s", text_duration(text, view->paused_ns));
	line_add_right(&line, view->paused ? 6 : 1, STYLE_BOLD, "%s",
		       view->process && view->process->exited ? "EXITED" : status->mode ? status->mode : "");
	if (view->mark)
		line_add_right(&line, 2, STYLE_WARN, "since -%s",
			       text_duration(text, view->model->now_ns - view->mark->now_ns));
	line_add_right(&line, 3, STYLE_NORMAL, "%.63s", status->detail);
	view_clock(view->model, view->model->now_ns, clock);
	line_add_right(&line, 8, STYLE_NORMAL, "%s", clock);
	line_draw(view, area, 1, 0, &line);
}

static void draw_tabs(const struct view *view, const struct tui *tui, struct area area)
{
	struct line line;
	int wide = area.columns >= WIDE;

	line_begin(&line, wide ? 2 : 1);
	for (int i = 0; screens[i]; i++) {
		const struct screen *screen = screens[i];
		if ((screen == &screen_picker) != tui->picking)
			continue;
		char badge[16] = "";
		int here = i == tui->screen;
		if (screen->badge)
			screen->badge(view, badge, sizeof(badge));
		line_add(&line, here ? 0 : 1 + i, here ? STYLE_TITLE : STYLE_NORMAL, "%d%c%s%s%s%s", screen->digit,
			 here ? '*' : wide ? ' ' : '.', wide ? screen->name : screen->brief, *badge ? "(" : "", badge,
			 *badge ? ")" : "");
	}
	line_add_right(&line, 2, STYLE_KEY, wide ? "? help" : "?help");
	line_draw(view, area, 1, 0, &line);
}

static void draw_verdict(const struct view *view, const struct tui *tui, struct area area)
{
	enum grid_style style = severity_style(view->verdict);
	struct line line;

	const char *hint = view->finding_count && tui->screen == 0 && !tui->sheets[0].selected &&
			   area.columns - text_width(view->verdict_text) > 25 ? "Enter = evidence" : "";
	line_begin(&line, 2);
	line_add(&line, 0, style, "%s", tui->picking ? "no target was named: choose one of these" : view->verdict_text);
	line_add_right(&line, 1, STYLE_KEY, "%s", hint);
	line_draw(view, area, 1, 0, &line);
}

/* "6/8 (sched: reason; 1 more on 9)" */
static void add_probes(const struct view *view, struct line *line)
{
	unsigned wanted = 0, working = 0, first = PS_PROBE_GROUP_COUNT;
	for (unsigned group = 0; group < PS_PROBE_GROUP_COUNT; group++) {
		const struct probe *probe = &view->model->probes[group];
		if (probe->state == PS_PROBE_STATE_OFF)
			continue;
		wanted++;
		if (!*view_missing(view->model, group))
			working++;
		else if (first == PS_PROBE_GROUP_COUNT)
			first = group;
	}
	if (!wanted) {
		line_add(line, 1, STYLE_DIM, "probes n/a");
		return;
	}
	line_add(line, 1, working < wanted ? STYLE_WARN : STYLE_NORMAL, "probes %u/%u", working, wanted);
	if (first == PS_PROBE_GROUP_COUNT)
		return;
	char more[32] = "", why[CELL_TEXT];
	if (wanted - working > 1)
		snprintf(more, sizeof(more), "; %u more: 9", wanted - working - 1);
	line_add(line, 2, STYLE_WARN, "(%s: %s%s)", probe_group_name(first),
		 cell_text(view, why, 60, view_missing(view->model, first)), more);
}

static void draw_trust(const struct view *view, struct area area)
{
	const struct model *model = view->model;
	struct line line;
	char text[24];
	double cpu = rates_own_cpu(view->rates);

	line_begin(&line, area.columns >= WIDE ? 3 : 2);
	line_add(&line, 0, model->lost_total ? STYLE_CRIT : STYLE_NORMAL, "lost %s", cell_count(text, model->lost_total));
	if (model->malformed)
		line_add(&line, 1, STYLE_CRIT, "malformed %s", cell_count(text, model->malformed));
	add_probes(view, &line);
	if (cpu < 0)
		line_add(&line, 3, STYLE_NORMAL, "own cost n/a");
	else
		line_add(&line, 3, STYLE_NORMAL, "own cost %.1f%% of 1 cpu", cpu * 100);
	if (model->own_rss_bytes != PS_UNKNOWN)
		line_add(&line, 4, STYLE_NORMAL, "%s", cell_bytes(text, model->own_rss_bytes));
	line_add(&line, 5, STYLE_NORMAL, "history %ds, %zu stalls", MODEL_SLOTS, model->stall_count);
	line_draw(view, area, 1, 0, &line);
}

/* does the host take the row's first key for itself? */
static int is_taken(const struct tui_host_key *host, const struct key *row)
{
	for (; host && host->key; host++)
		if (host->first && host->key == row->codes[0])
			return 1;
	return 0;
}

static void add_keys(const struct view *view, const struct tui *tui, struct line *line)
{
	const struct screen *screen = screens[tui->screen];
	const struct tui_host_key *host = view->status->keys;

	for (int i = 0; keys[i].name; i++) {
		const char *brief = keys[i].brief;
		if (keys[i].codes[0] == '\n' && screen->enter_name)
			brief = screen->enter_name;
		if (*brief && !is_taken(host, &keys[i]) && (keys[i].codes[0] != '\n' || screen->enter))
			line_add(line, keys[i].priority, STYLE_KEY, "%s", brief);
	}
	for (; host && host->key; host++) {
		char key[16];
		keys_print(host->key, key);
		if (*host->name)
			line_add(line, 2, STYLE_KEY, "%s %s", key, host->name);
	}
}

/* what was typed or said goes before the keys */
static void draw_keys(const struct view *view, struct tui *tui, struct area area)
{
	const char *filter = tui_table(tui)->filter.text;
	struct line line;

	static const char *const prompts[] = {
		[TYPING_FILTER] = "/%s_   Enter keep   Esc drop   !word: without   dur:>50ms",
		[TYPING_TIME] = "go to: %s_   18:06:31   -12s   Enter go   Esc drop",
		[TYPING_COMMAND] = ":%s_   arrows choose   Enter do it   Esc drop",
	};
	if (tui->typing) {
		char text[CELL_TEXT];
		snprintf(text, sizeof(text), prompts[tui->typing], tui->typing == TYPING_FILTER ? filter : tui->typed);
		area_print(view, area, 1, 0, STYLE_BOLD, "%s", text);
		return;
	}
	line_begin(&line, area.columns >= WIDE ? 2 : 1);
	line_add(&line, 0, STYLE_BOLD, "%s", tui->message);
	if (*filter)
		line_add(&line, 0, STYLE_WARN, "filter \"%s\"", filter);
	add_keys(view, tui, &line);
	line_draw(view, area, 1, 0, &line);
}

/* where in a recording the picture is: what was seen, where it stands, its stalls */
static void draw_bar(const struct view *view, struct area area)
{
	const struct tui_bar *bar = view->status->bar;
	uint64_t length = bar->end_ns > bar->begin_ns ? bar->end_ns - bar->begin_ns : 1, head = bar->head_ns - bar->begin_ns;
	char at[24], whole[24];
	int columns = area.columns - 26;
	cell_duration(at, head, "");
	cell_duration(whole, length, "");
	if (columns < 10) {
		area_print(view, area, 1, 0, STYLE_NORMAL, "%s of %s", at, whole);
		return;
	}
	int here = (int)((double)head / (double)length * (columns - 1) + 0.5);
	area_put(view, area, 1, 0, STYLE_NORMAL, "[");
	for (int x = 0; x < columns; x++)
		grid_fill(view->grid, area.x + 2 + x, area.y, 1, x < here ? '=' : x == here ? '|' : '.', x == here ? STYLE_BOLD : STYLE_DIM);
	for (size_t i = 0; i < bar->stall_count; i++) {
		int x = (int)((double)(bar->stalls[i] - bar->begin_ns) / (double)length * (columns - 1) + 0.5);
		if (x >= 0 && x < columns && x != here)
			grid_fill(view->grid, area.x + 2 + x, area.y, 1, '!', STYLE_CRIT);
	}
	area_print(view, area, 2 + columns, 0, STYLE_NORMAL, "] %s of %s", at, whole);
}

struct area frame_draw(const struct view *view, struct tui *tui)
{
	struct area area = { 0, 0, view->grid->columns, view->grid->rows };
	int full = area.rows >= FULL_ROWS;

	draw_title(view, area_top(&area, 1));
	if (full)
		draw_tabs(view, tui, area_top(&area, 1));
	draw_verdict(view, tui, area_top(&area, 1));
	struct area bottom = area;
	bottom.rows = full ? 3 : 2;
	area.rows -= bottom.rows;
	bottom.y += area.rows;
	if (full && view->status->bar)
		draw_bar(view, (struct area){ area.x, area.y + --area.rows, area.columns, 1 });
	if (full) {
		struct area rule = area_top(&bottom, 1);
		grid_fill(view->grid, rule.x, rule.y, rule.columns, view->glyphs->rule, STYLE_DIM);
	}
	draw_trust(view, area_top(&bottom, 1));
	draw_keys(view, tui, bottom);
	return area;
}

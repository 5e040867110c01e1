/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Overview: everything at a glance. Two columns of panels when there is room,
 * one column of short ones at 80x24, the table of stalls alone below that.
 * The table of stalls is the one that keys act on.
 */
#include <stdio.h>

#include "panel.h"
#include "state.h"
#include "text.h"

#define TWO_COLUMNS 110   /* from this width and TWO_ROWS rows of screen on */
#define TWO_ROWS 28
#define ONE_ROWS 16
#define RIGHT 47          /* columns of the right column at TWO_COLUMNS */

static struct sheet_state *stalls_state(struct tui *tui)
{
	return &tui->sheets[tui->screen];
}

static void draw_stalls(const struct view *view, struct tui *tui, struct area area)
{
	const struct sheet_state *state = stalls_state(tui);
	char title[32], note[64], text[16];

	snprintf(title, sizeof(title), "STALLS >=%s", text_duration(text, view->stall_ns));
	if (state->sort == 0 && state->ascending)
		snprintf(note, sizeof(note), "newest first");
	else
		snprintf(note, sizeof(note), "by %s", stalls_sheet.columns[state->sort].name);
	area = area_head(view, area, title, note);
	sheet_draw(view, area, &stalls_sheet, stalls_state(tui));
}

static void draw_fds(const struct view *view, struct area area)
{
	struct sheet_state state = { 0 };
	char note[64], text[24];
	uint64_t active = PS_UNKNOWN; /* as long as no rate is known */

	if (sheet_collect(view, &fds_sheet, &state)) {
		area_head(view, area, "FDS", "out of memory");
		return;
	}
	for (size_t i = 0; i < state.shown; i++) {
		struct fd_rate rate;
		if (rates_fd(view->rates, state.rows[i].row, &rate) && rate.ready >= 0)
			active = (active == PS_UNKNOWN ? 0 : active) + (rate.ready > 0);
	}
	snprintf(note, sizeof(note), "%zu watched, %s active, by %s", state.shown, cell_count(text, active),
		 state.sorted == fds_sheet.sort ? "callback time" : "events");
	area = area_head(view, area, "FDS", state.shown ? note : "");
	sheet_draw_plain(view, area, &fds_sheet, &state);
	sheet_close(&state);
}

/* the wall between two columns and where it meets the rules */
static void draw_wall(const struct view *view, struct area area, const int *heads, int count)
{
	for (int y = 0; y < area.rows; y++)
		grid_fill(view->grid, area.x, area.y + y, 1, view->glyphs->wall, STYLE_DIM);
	for (int i = 0; i < count; i++)
		grid_fill(view->grid, area.x, area.y + heads[i], 1,
			  i ? view->glyphs->cross : view->glyphs->corner, STYLE_DIM);
}

static void draw_two(const struct view *view, struct tui *tui, struct area area)
{
	struct area loop, stalls, fds, wall;
	int extra = area.rows - 30; /* the mock-up's screen is 30 rows */
	int diagnosis = 4 + (extra > 6 ? extra / 6 : 0);
	int right = RIGHT + (area.columns - 120) / 3;

	struct area bottom = area;
	bottom.y += area.rows - diagnosis;
	bottom.rows = diagnosis;
	area.rows -= diagnosis;
	struct area column = { area.x + area.columns - right, area.y, right, area.rows };
	wall = (struct area){ column.x - 1, area.y, 1, area.rows };
	area.columns -= right + 1;
	loop = area_top(&area, 9);
	stalls = area_top(&area, area.rows * 9 / 17);
	fds = area;
	int heads[] = { 0, loop.rows, loop.rows + stalls.rows };
	draw_wall(view, wall, heads, 3);
	panel_loop(view, loop);
	draw_stalls(view, tui, stalls);
	draw_fds(view, fds);
	panel_phases(view, area_top(&column, loop.rows));
	panel_pool(view, area_top(&column, stalls.rows));
	panel_timers(view, column);
	panel_diagnosis(view, bottom);
}

static void draw_one(const struct view *view, struct tui *tui, struct area area)
{
	panel_loop_brief(view, area_top(&area, 4));
	struct area fds = area;
	fds.rows = (area.rows - 3) * 5 / 11;
	fds.y += area.rows - fds.rows;
	area.rows -= fds.rows;
	struct area brief = area;
	brief.y += area.rows - 3;
	brief.rows = 3;
	area.rows -= 3;
	draw_stalls(view, tui, area);
	panel_pool_timers_brief(view, brief);
	draw_fds(view, fds);
}

static void draw(struct view *view, struct tui *tui, struct area area)
{
	if (area.columns >= TWO_COLUMNS && area.rows >= TWO_ROWS)
		draw_two(view, tui, area);
	else if (area.rows >= ONE_ROWS)
		draw_one(view, tui, area);
	else
		sheet_draw(view, area, &stalls_sheet, stalls_state(tui));
}

/* Until a row is chosen, Enter opens what the verdict speaks of. */
static int enter(const struct view *view, struct tui *tui, const void *row)
{
	const struct stall *stall = row;

	if (!stalls_state(tui)->selected && view->finding_count && tui_show_finding(tui, view, &view->findings[0]))
		return 1;
	if (!stall)
		return 0;
	tui_show_stall(tui, stall->id);
	return 1;
}

const struct screen screen_overview = {
	.digit = 1,
	.name = "Overview",
	.brief = "Ovw",
	.note = "the loop, its stalls, pool, timers, descriptors and findings at a glance",
	.sheet = &stalls_sheet,
	.draw = draw,
	.enter = enter,
	.enter_name = "Enter evidence",
};

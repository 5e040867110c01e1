/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Stalls: the table above, the evidence of the selected stall below; Enter
 * gives the evidence the whole screen, where arrows scroll it.
 */
#include <stdio.h>

#include "evidence.h"
#include "state.h"
#include "text.h"

#define TWO_COLUMNS 110  /* from this width on the stacks stand beside the facts */
#define FACTS 56
#define PANE_ROWS 12     /* least rows of screen worth a pane below the table */

/* Returns the lines there are; draws them from `skip` on. */
static int draw_narrow(const struct view *view, struct area area, int skip, const struct stall *stall)
{
	struct list list = { view, area, skip, 0 };
	evidence_facts(&list, stall);
	list_line(&list, STYLE_NORMAL, " ");
	evidence_stacks(&list, stall);
	return list.lines;
}

static int draw_wide(const struct view *view, struct area area, int skip, const struct stall *stall)
{
	struct area left = { area.x, area.y, FACTS, area.rows };
	struct area right = { area.x + FACTS + 1, area.y, area.columns - FACTS - 1, area.rows };
	struct list facts = { view, left, 0, 0 }, stacks = { view, right, skip, 0 };

	for (int y = 0; y < area.rows; y++)
		grid_fill(view->grid, area.x + FACTS, area.y + y, 1, view->glyphs->wall, STYLE_DIM);
	evidence_facts(&facts, stall);
	evidence_stacks(&stacks, stall);
	return stacks.lines;
}

static void draw_evidence(const struct view *view, struct tui *tui, struct area area, const struct stall *stall)
{
	int wide = area.columns >= TWO_COLUMNS;
	char title[48];

	snprintf(title, sizeof(title), "EVIDENCE of stall %llu", (unsigned long long)stall->id);
	area = area_head(view, area, title, tui->evidence ? "arrows scroll, n N other stalls, Esc back" : "");
	struct area nowhere = { 0, 0, area.columns, 0 };
	int (*draw)(const struct view *, struct area, int, const struct stall *) = wide ? draw_wide : draw_narrow;
	if (tui->evidence) {
		tui->scroll_page = area.rows;
		list_clip(&tui->scroll, draw(view, nowhere, 0, stall), area.rows);
	}
	draw(view, area, tui->evidence ? tui->scroll : 0, stall);
}

static void draw_list(const struct view *view, struct tui *tui, struct area area)
{
	struct sheet_state *state = &tui->sheets[tui->screen];
	char title[32], note[96], text[16];

	snprintf(title, sizeof(title), "STALLS >=%s", text_duration(text, view->stall_ns));
	if (state->shown < state->total)
		snprintf(note, sizeof(note), "%zu of %zu match the filter", state->shown, state->total);
	else
		snprintf(note, sizeof(note), tui->group ? "%zu of one culprit; g: all culprits" : "%zu kept; g: by culprit", state->total);
	area = area_head(view, area, title, note);
	sheet_draw(view, area, &stalls_sheet, state);
}

static void draw_groups(const struct view *view, struct tui *tui, struct area area)
{
	char note[64];
	snprintf(note, sizeof(note), "%zu, worst first; Enter lists the stalls of one", tui->culprits.total);
	area = area_head(view, area, "CULPRITS", tui->culprits.total ? note : "");
	sheet_draw(view, area, &culprits_sheet, &tui->culprits);
}

static void draw(struct view *view, struct tui *tui, struct area area)
{
	if (tui->grouped && !tui->evidence) {
		draw_groups(view, tui, area);
		return;
	}
	const struct stall *stall = sheet_selected(&tui->sheets[tui->screen]);

	if (!stall)
		tui->evidence = 0;
	if (tui->evidence) {
		draw_evidence(view, tui, area, stall);
		return;
	}
	if (area.rows >= PANE_ROWS && stall) {
		int rows = (int)(tui->sheets[tui->screen].shown > 64 ? 64 : tui->sheets[tui->screen].shown) + 2;
		draw_list(view, tui, area_top(&area, rows < area.rows * 2 / 5 ? rows : area.rows * 2 / 5));
		draw_evidence(view, tui, area, stall);
		return;
	}
	if (area.rows >= PANE_ROWS)
		draw_list(view, tui, area);
	else
		sheet_draw(view, area, &stalls_sheet, &tui->sheets[tui->screen]);
}

static void badge(const struct view *view, char *out, size_t room)
{
	char text[16];
	uint64_t stalls = 0;
	for (size_t i = 0; i < view->model->loop_count; i++)
		stalls += view->model->loops[i]->stalls;
	if (stalls)
		snprintf(out, room, "%s", text_count(text, stalls));
}

static int enter(const struct view *view, struct tui *tui, const void *row)
{
	const struct stall *stall = row;
	if (tui->grouped && !tui->evidence) {
		const struct culprit_stat *culprit = row;
		tui->grouped = 0;
		tui->group = culprit_hash(culprit->key);
		tui->sheets[tui->screen].selected = culprit->worst_id;
		return 1;
	}
	if (!tui->evidence)
		tui_show_stall(tui, stall->id);
	return 1;
}

const struct screen screen_stalls = {
	.digit = 2,
	.name = "Stalls",
	.brief = "Stall",
	.note = "each time the loop did not come back to its poller, and the evidence why",
	.sheet = &stalls_sheet,
	.draw = draw,
	.badge = badge,
	.enter = enter,
	.enter_name = "Enter evidence",
};

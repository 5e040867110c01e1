/* SPDX-License-Identifier: BSD-2-Clause */
/* Keys that move: the selection, what is scrolled. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "act.h"

static void move_by(struct press *press, long rows)
{
	struct tui *tui = press->tui;

	if (tui->overlay == OVERLAY_COLUMNS) {
		int last = act_state(press)->count - 1;
		tui->row = rows < -tui->row ? 0 : rows > last - tui->row ? last : tui->row + (int)rows;
		return;
	}
	if (tui->overlay == OVERLAY_NONE && !tui->evidence) {
		if (tui_sheet(press->tui))
			sheet_move(act_state(press), rows);
		return;
	}
	/* the drawing clips the far end, it knows the length */
	if (rows == LONG_MIN)
		tui->scroll = 0;
	else if (rows == LONG_MAX)
		tui->scroll = INT_MAX / 2;
	else
		tui->scroll += (int)rows;
	if (tui->scroll < 0)
		tui->scroll = 0;
}

static long page_of(struct press *press)
{
	struct tui *tui = press->tui;
	long page = tui->overlay != OVERLAY_NONE || tui->evidence ? tui->scroll_page : (long)act_state(press)->page;
	return page > 1 ? page - 1 : 1;
}

void act_move_down(struct press *press)
{
	move_by(press, 1);
}

void act_move_up(struct press *press)
{
	move_by(press, -1);
}

void act_page_down(struct press *press)
{
	move_by(press, page_of(press));
}

void act_page_up(struct press *press)
{
	move_by(press, -page_of(press));
}

/* on Stalls the letter groups; Home is the first row everywhere */
void act_top_or_group(struct press *press)
{
	struct tui *tui = press->tui;
	if (act_screen(press) != &screen_stalls || tui->overlay != OVERLAY_NONE || tui->evidence) {
		act_go_top(press);
		return;
	}
	tui->grouped = !tui->grouped;
	tui->group = 0;
	tui_say(tui, tui->grouped ? "stalls by culprit; Enter lists those of one" : "stalls one by one");
}

void act_go_top(struct press *press)
{
	move_by(press, LONG_MIN);
}

void act_go_bottom(struct press *press)
{
	move_by(press, LONG_MAX);
}

void act_follow(struct press *press)
{
	struct sheet_state *state = act_state(press);
	state->stays = !state->stays;
	tui_say(press->tui,
		state->stays ? "the place stays selected, whatever row comes there" : "the selection follows its row");
}

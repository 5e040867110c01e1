/* SPDX-License-Identifier: BSD-2-Clause */
/* Keys that lead somewhere: screens, overlays, evidence. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "act.h"

struct sheet_state *act_state(struct press *press)
{
	return tui_table(press->tui);
}

const struct screen *act_screen(struct press *press)
{
	return screens[press->tui->screen];
}

static void toggle_overlay(struct press *press, enum overlay overlay)
{
	struct tui *tui = press->tui;
	tui->overlay = tui->overlay == overlay ? OVERLAY_NONE : overlay;
	tui->scroll = 0;
}

void act_show_help(struct press *press)
{
	toggle_overlay(press, OVERLAY_HELP);
}

void act_show_glossary(struct press *press)
{
	toggle_overlay(press, OVERLAY_GLOSSARY);
}

void act_quit(struct press *press)
{
	struct tui *tui = press->tui;
	if (tui->overlay != OVERLAY_NONE)
		tui->overlay = OVERLAY_NONE;
	else
		tui->quit = 1;
}

void act_go_back(struct press *press)
{
	struct tui *tui = press->tui;
	struct sheet_state *state = act_state(press);

	if (tui->overlay != OVERLAY_NONE)
		tui->overlay = OVERLAY_NONE;
	else if (*state->filter.text && !tui->evidence)
		filter_set(&state->filter, tui_sheet(press->tui)->columns, "");
	else if (!tui_back(tui))
		tui_say(tui, "q quits");
}

void act_go_digit(struct press *press)
{
	int screen = tui_find_screen(press->key - '0');
	if (screen < 0)
		tui_say(press->tui, "no screen %c here", press->key);
	else
		tui_go(press->tui, screen);
}

static void step_screen(struct press *press, int step)
{
	int count = 1;
	while (screens[count] && screens[count] != &screen_picker)
		count++;
	tui_go(press->tui, (press->tui->screen + step + count) % count);
}

void act_go_next(struct press *press)
{
	step_screen(press, 1);
}

void act_go_previous(struct press *press)
{
	step_screen(press, -1);
}

void act_drill(struct press *press)
{
	struct tui *tui = press->tui;
	const struct screen *screen = act_screen(press);
	const void *row = tui_sheet(tui) ? sheet_selected(act_state(press)) : NULL;

	if (tui->overlay == OVERLAY_COLUMNS)
		act_toggle_row(press);
	if (tui->overlay != OVERLAY_NONE)
		return;
	if (!screen->enter || (!row && screen != &screen_overview) || !screen->enter(press->view, tui, row))
		tui_say(tui, "nothing to open here");
}

void act_palette(struct press *press)
{
	struct tui *tui = press->tui;
	tui->overlay = OVERLAY_PALETTE;
	tui->row = 0;
	typing_begin(tui, TYPING_COMMAND);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Keys that act on the table of the screen: filter, order, columns, muting. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "act.h"

void act_start_filter(struct press *press)
{
	struct tui *tui = press->tui;

	if (!tui_sheet(press->tui)) {
		tui_say(tui, "nothing to filter on this screen");
		return;
	}
	snprintf(tui->before_typing, sizeof(tui->before_typing), "%s", act_state(press)->filter.text);
	filter_set(&act_state(press)->filter, tui_sheet(press->tui)->columns, "");
	tui->overlay = OVERLAY_NONE;
	typing_begin(tui, TYPING_FILTER);
}

static void sort_by(struct press *press, int step)
{
	struct tui *tui = press->tui;
	if (!tui_sheet(press->tui)) {
		tui_say(tui, "no table to sort on this screen");
		return;
	}
	if (tui->overlay == OVERLAY_COLUMNS)
		tui->row = sheet_move_column(tui_sheet(press->tui), act_state(press), tui->row, step);
	else
		sheet_sort(press->view, tui_sheet(press->tui), act_state(press), step);
	tui_remember(tui);
}

void act_sort_left(struct press *press)
{
	sort_by(press, -1);
}

void act_sort_right(struct press *press)
{
	sort_by(press, 1);
}

void act_sort_reverse(struct press *press)
{
	if (!tui_sheet(press->tui)) {
		tui_say(press->tui, "no table to sort on this screen");
		return;
	}
	act_state(press)->ascending = !act_state(press)->ascending;
	tui_remember(press->tui);
}

/* ---- columns ---- */

void act_columns(struct press *press)
{
	struct tui *tui = press->tui;
	if (!tui_sheet(press->tui)) {
		tui_say(tui, "no table on this screen");
		return;
	}
	tui->overlay = tui->overlay == OVERLAY_COLUMNS ? OVERLAY_NONE : OVERLAY_COLUMNS;
	tui->row = 0;
}

void act_toggle_row(struct press *press)
{
	sheet_toggle_column(tui_sheet(press->tui), act_state(press), press->tui->row);
	tui_remember(press->tui);
}

/* ---- muting ---- */

/* the selected finding on Diagnosis, elsewhere the one of the verdict */
static const struct finding *chosen_finding(struct press *press)
{
	if (act_screen(press) == &screen_diagnosis)
		return sheet_selected(act_state(press));
	return press->view->finding_count ? &press->view->findings[0] : NULL;
}

void act_mute(struct press *press)
{
	struct tui *tui = press->tui;
	const struct finding *finding = chosen_finding(press);
	if (!finding) {
		tui_say(tui, "no finding to mute");
	} else if (!strcmp(finding->id, "PS090")) {
		tui_say(tui, "PS090 cannot be muted: after loss, silence proves nothing");
	} else {
		config_mute(&tui->config, finding->id);
		tui_say(tui,
			config_is_muted(&tui->config, finding->id) ? "%s is muted; screen 8 lists it, M there ends it"
								   : "%s is heard again",
			finding->id);
		tui_remember(tui);
	}
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Phases: where the time of the chosen loop went. */
#include "panel.h"
#include "screen.h"

static void draw(struct view *view, struct tui *tui, struct area area)
{
	panel_phases(view, area);
}

const struct screen screen_phases = {
	.digit = 3,
	.name = "Phases",
	.brief = "Phase",
	.note = "share of wall time by phase, and the tail of each phase",
	.draw = draw,
};

/* SPDX-License-Identifier: BSD-2-Clause */
/* Timers: what is due, how late timers fire, who owns them. */
#include "panel.h"
#include "screen.h"

static void draw(struct view *view, struct tui *tui, struct area area)
{
	panel_timers(view, area);
}

const struct screen screen_timers = {
	.digit = 5,
	.name = "Timers",
	.brief = "Timer",
	.note = "what is due next, how late timers fire, the callbacks that own most",
	.draw = draw,
};

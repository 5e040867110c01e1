/* SPDX-License-Identifier: BSD-2-Clause */
/* Pool: the worker threads, what waits for them and what holds them. */
#include "panel.h"
#include "screen.h"

static void draw(struct view *view, struct tui *tui, struct area area)
{
	panel_pool(view, area);
}

const struct screen screen_pool = {
	.digit = 4,
	.name = "Pool",
	.brief = "Pool",
	.note = "who waits for the pool, how long, and what holds its threads",
	.draw = draw,
};

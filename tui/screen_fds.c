/* SPDX-License-Identifier: BSD-2-Clause */
/* FDs: every descriptor that the chosen loop watches. */
#include <stdio.h>

#include "screen.h"
#include "state.h"

static void draw(struct view *view, struct tui *tui, struct area area)
{
	sheet_draw(view, area, &fds_sheet, &tui->sheets[tui->screen]);
}

const struct screen screen_fds = {
	.digit = 6,
	.name = "FDs",
	.brief = "FD",
	.note = "the descriptors the loop watches: rates of the last second, callback time, lag",
	.sheet = &fds_sheet,
	.draw = draw,
};

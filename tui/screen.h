/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A screen is one file that ends in one const struct screen; screens[] names
 * them all. The digit of a screen is fixed, so fingers may learn it.
 */
#ifndef SCREEN_H
#define SCREEN_H

#include "sheet.h"
#include "view.h"

#define SCREENS_MAX 10

struct tui;

struct screen {
	int digit;                     /* key and number of the tab */
	const char *name, *brief;      /* for wide and narrow tabs */
	const char *note;              /* one sentence for the help */
	const struct sheet *sheet;     /* the table that keys act on; NULL = none */
	/* Draws between verdict and trust line; the table is collected already. */
	void (*draw)(struct view *view, struct tui *tui, struct area area);
	/* "7", "2!": what the tab says in brackets; "" = nothing. NULL = nothing ever. */
	void (*badge)(const struct view *view, char *out, size_t room);
	/* Enter on the selected row: 1 = done. NULL = does nothing. */
	int (*enter)(const struct view *view, struct tui *tui, const void *row);
	const char *enter_name;        /* "evidence": for the key line */
};

extern const struct screen screen_overview, screen_stalls, screen_phases, screen_pool, screen_timers, screen_fds,
	screen_timeline, screen_diagnosis, screen_probes, screen_picker;

extern const struct screen *const screens[];  /* ends with NULL, in order of digits */

/* tables that more than one screen shows */
extern const struct sheet stalls_sheet, fds_sheet, culprits_sheet;
uint64_t fd_identity(const struct fd_stat *fd);

#endif

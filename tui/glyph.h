/* SPDX-License-Identifier: BSD-2-Clause */
/* What lines, bars and marks are made of: one set for UTF-8, one for ASCII. */
#ifndef GLYPH_H
#define GLYPH_H

#include <stdint.h>

#define GLYPH_LEVELS 5

struct glyphs {
	uint32_t rule, wall, corner, cross; /* horizontal, vertical, where the wall begins, where they cross */
	uint32_t bar, bar_empty;
	uint32_t level[GLYPH_LEVELS];      /* of a sparkline, from nothing to the worst */
	const char *ellipsis;              /* one column */
	const char *up, *down;             /* sort marks, one column */
	const char *selected;              /* marker of the row, one column */
};

const struct glyphs *glyphs_of(int ascii);

#endif

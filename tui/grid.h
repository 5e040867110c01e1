/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A grid of character cells: what every screen draws on. Prints as text for
 * golden tests and snapshots; terminal.c puts it on a real screen.
 * Writing outside is clipped, so a 1x1 grid is fine.
 */
#ifndef GRID_H
#define GRID_H

#include <stdint.h>
#include <stdio.h>

#define GRID_MAX 1024       /* columns and rows are clipped to this */

enum grid_style {          /* meaning, not colour: themes decide */
	STYLE_NORMAL, STYLE_DIM, STYLE_BOLD, STYLE_TITLE, STYLE_HEAD, STYLE_SELECTED,
	STYLE_GOOD, STYLE_WARN, STYLE_CRIT, STYLE_KEY, STYLE_COUNT
};

struct cell { uint32_t rune; uint8_t style; uint8_t width; };  /* width 0: right half of a wide rune */

struct grid { int columns, rows; struct cell *cells; };

int grid_open(struct grid *grid, int columns, int rows);   /* 0 or -ENOMEM */
void grid_close(struct grid *grid);
int grid_resize(struct grid *grid, int columns, int rows);
void grid_clear(struct grid *grid);
/* Puts UTF-8 text at (x, y), at most `room` columns (room < 0: to the edge). Returns the columns used. */
int grid_put(struct grid *grid, int x, int y, int room, enum grid_style style, const char *text);
int grid_print(struct grid *grid, int x, int y, int room, enum grid_style style, const char *format, ...)
	__attribute__((format(printf, 6, 7)));
void grid_fill(struct grid *grid, int x, int y, int columns, uint32_t rune, enum grid_style style);
void grid_restyle(struct grid *grid, int x, int y, int columns, enum grid_style style);
void grid_to_ascii(struct grid *grid);                     /* whatever is not ASCII becomes '?' */
int grid_write(const struct grid *grid, FILE *out);        /* plain text, trailing spaces cut */

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The grid: a rectangle of cells and the few verbs that write on it.
 *
 * Invariant: a cell holds one printable rune. Text arrives sanitised by the
 * model, but an escape byte on a terminal is the worst a dashboard can do, so
 * the grid refuses control characters once more and drops what has no width
 * (combining marks, bidi controls). Everything outside is clipped; a wide rune
 * is never cut in half.
 */
#include "grid.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "rune.h"
#include "text.h"

int grid_open(struct grid *grid, int columns, int rows)
{
	memset(grid, 0, sizeof(*grid));
	return grid_resize(grid, columns, rows);
}

void grid_close(struct grid *grid)
{
	if (!grid)
		return;
	free(grid->cells);
	memset(grid, 0, sizeof(*grid));
}

int grid_resize(struct grid *grid, int columns, int rows)
{
	if (columns < 1)
		columns = 1;
	if (rows < 1)
		rows = 1;
	if (columns > GRID_MAX)
		columns = GRID_MAX;
	if (rows > GRID_MAX)
		rows = GRID_MAX;
	struct cell *cells = calloc((size_t)columns * (size_t)rows, sizeof(*cells));
	if (!cells)
		return -ENOMEM;
	free(grid->cells);
	grid->cells = cells;
	grid->columns = columns;
	grid->rows = rows;
	grid_clear(grid);
	return 0;
}

void grid_clear(struct grid *grid)
{
	for (int y = 0; y < grid->rows; y++)
		grid_fill(grid, 0, y, grid->columns, ' ', STYLE_NORMAL);
}

/* The half of a wide rune that is about to be overwritten takes its other half with it. */
static void split_wide(struct grid *grid, int x, int y)
{
	struct cell *cell = &grid->cells[(size_t)y * grid->columns + x];
	if (!cell->width && x > 0) {
		cell[-1].rune = ' ';
		cell[-1].width = 1;
	}
	if (cell->width == 2 && x + 1 < grid->columns) {
		cell[1].rune = ' ';
		cell[1].width = 1;
	}
}

static void set_cell(struct grid *grid, int x, int y, uint32_t rune, int width, enum grid_style style)
{
	if (x < 0 || y < 0 || y >= grid->rows || x + width > grid->columns)
		return;
	struct cell *cell = &grid->cells[(size_t)y * grid->columns + x];
	split_wide(grid, x, y);
	if (width == 2) {
		split_wide(grid, x + 1, y);
		cell[1] = (struct cell){ ' ', (uint8_t)style, 0 };
	}
	*cell = (struct cell){ rune, (uint8_t)style, (uint8_t)width };
}

int grid_put(struct grid *grid, int x, int y, int room, enum grid_style style, const char *text)
{
	int used = 0;

	if (room < 0)
		room = grid->columns > x ? grid->columns - x : 0;
	while (*text) {
		uint32_t rune;
		int bytes = rune_decode(text, &rune);
		int width = rune_width(text, bytes, &rune);
		text += bytes;
		if (!width)
			continue;
		if (used + width > room)
			break;
		set_cell(grid, x + used, y, rune, width, style);
		used += width;
	}
	return used;
}

int grid_print(struct grid *grid, int x, int y, int room, enum grid_style style, const char *format, ...)
{
	char text[GRID_MAX];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	return grid_put(grid, x, y, room, style, text);
}

void grid_fill(struct grid *grid, int x, int y, int columns, uint32_t rune, enum grid_style style)
{
	if (x < 0) {
		columns += x;
		x = 0;
	}
	if (columns > grid->columns - x)
		columns = grid->columns - x;
	for (int i = 0; i < columns; i++)
		set_cell(grid, x + i, y, rune, 1, style);
}

void grid_restyle(struct grid *grid, int x, int y, int columns, enum grid_style style)
{
	if (y < 0 || y >= grid->rows)
		return;
	for (int i = x < 0 ? 0 : x; i < x + columns && i < grid->columns; i++)
		grid->cells[(size_t)y * grid->columns + i].style = (uint8_t)style;
}

void grid_to_ascii(struct grid *grid)
{
	size_t count = (size_t)grid->columns * grid->rows;
	for (size_t i = 0; i < count; i++) {
		struct cell *cell = &grid->cells[i];
		if (cell->rune > 126)
			cell->rune = '?';
		if (!cell->width)
			cell->rune = ' ';
		cell->width = 1;
	}
}

/* one row as text, trailing spaces cut */
static int write_row(const struct cell *cells, int columns, FILE *out)
{
	while (columns > 0 && cells[columns - 1].rune == ' ' && cells[columns - 1].width)
		columns--;
	for (int x = 0; x < columns; x++) {
		char text[RUNE_BYTES + 1];
		if (!cells[x].width)
			continue;
		text[rune_encode(text, cells[x].rune)] = '\0';
		if (fputs(text, out) < 0)
			return -EIO;
	}
	return fputc('\n', out) < 0 ? -EIO : 0;
}

int grid_write(const struct grid *grid, FILE *out)
{
	int err = 0;
	for (int y = 0; y < grid->rows && !err; y++)
		err = write_row(&grid->cells[(size_t)y * grid->columns], grid->columns, out);
	return err;
}

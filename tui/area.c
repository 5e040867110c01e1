/* SPDX-License-Identifier: BSD-2-Clause */
/* Drawing inside a rectangle of the grid: nothing leaves the area, whatever the text. */
#include "view.h"

#include <stdarg.h>
#include <string.h>

#include "text.h"

/* columns from x to the area's right edge, 0 when (x, y) is outside */
static int room_at(struct area area, int x, int y)
{
	if (y < 0 || y >= area.rows || x < 0 || x >= area.columns)
		return 0;
	return area.columns - x;
}

int area_put(const struct view *view, struct area area, int x, int y, enum grid_style style, const char *text)
{
	return grid_put(view->grid, area.x + x, area.y + y, room_at(area, x, y), style, text);
}

int area_print(const struct view *view, struct area area, int x, int y, enum grid_style style, const char *format, ...)
{
	char text[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	return area_fit(view, area, x, y, area.columns - x, style, text);
}

int area_fit(const struct view *view, struct area area, int x, int y, int room, enum grid_style style, const char *text)
{
	if (room > room_at(area, x, y))
		room = room_at(area, x, y);
	if (room < 1)
		return 0;
	if (text_width(text) <= room)
		return grid_put(view->grid, area.x + x, area.y + y, room, style, text);
	int used = grid_put(view->grid, area.x + x, area.y + y, room - 1, style, text);
	return used + grid_put(view->grid, area.x + x + used, area.y + y, 1, style, view->glyphs->ellipsis);
}

struct area area_head(const struct view *view, struct area area, const char *title, const char *note)
{
	struct area left = { area.x, area.y + 1, area.columns, area.rows > 0 ? area.rows - 1 : 0 };
	if (area.rows < 1)
		return left;
	grid_fill(view->grid, area.x, area.y, area.columns, view->glyphs->rule, STYLE_DIM);
	int x = 1;
	x += area_put(view, area, x, 0, STYLE_HEAD, " ");
	x += area_put(view, area, x, 0, STYLE_HEAD, title);
	x += area_put(view, area, x, 0, STYLE_HEAD, " ");
	if (!*note)
		return left;
	x += area_put(view, area, x, 0, STYLE_DIM, " ");
	int room = area.columns - x - 1;
	x += area_fit(view, area, x, 0, room, STYLE_DIM, note);
	if (x < area.columns)
		area_put(view, area, x, 0, STYLE_DIM, " ");
	return left;
}

void area_bar(const struct view *view, struct area area, int x, int y, int columns, double share)
{
	if (columns > room_at(area, x, y))
		columns = room_at(area, x, y);
	int full = (int)(share * columns + 0.5);
	if (share > 0 && !full)
		full = 1;
	if (full > columns)
		full = columns;
	grid_fill(view->grid, area.x + x, area.y + y, full, view->glyphs->bar, STYLE_NORMAL);
	grid_fill(view->grid, area.x + x + full, area.y + y, columns - full, view->glyphs->bar_empty, STYLE_DIM);
}

struct area area_top(struct area *area, int rows)
{
	if (rows > area->rows)
		rows = area->rows;
	if (rows < 0)
		rows = 0;
	struct area top = { area->x, area->y, area->columns, rows };
	area->y += rows;
	area->rows -= rows;
	return top;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines that fit: pieces with priorities. An empty piece is no piece. */
#include "line.h"

#include <stdarg.h>
#include <stdio.h>

#include "text.h"

void line_begin(struct line *line, int gap)
{
	line->count = 0;
	line->gap = gap;
}

static struct piece *add(struct line *line, int priority, enum grid_style style, const char *format, va_list arguments)
{
	struct piece *piece = &line->pieces[line->count];
	if (line->count == LINE_PIECES)
		return NULL;
	vsnprintf(piece->text, sizeof(piece->text), format, arguments);
	if (!*piece->text)
		return NULL;
	piece->priority = priority;
	piece->style = style;
	piece->right = 0;
	piece->least = 0;
	line->count++;
	return piece;
}

void line_add(struct line *line, int priority, enum grid_style style, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	add(line, priority, style, format, arguments);
	va_end(arguments);
}

void line_add_right(struct line *line, int priority, enum grid_style style, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	struct piece *piece = add(line, priority, style, format, arguments);
	va_end(arguments);
	if (piece)
		piece->right = 1;
}

void line_add_long(struct line *line, int priority, int least, enum grid_style style, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	struct piece *piece = add(line, priority, style, format, arguments);
	va_end(arguments);
	if (piece)
		piece->least = least;
}

static int least_of(const struct piece *piece)
{
	int width = text_width(piece->text);
	return piece->least && piece->least < width ? piece->least : width;
}

/* that the pieces need; a long one the least */
static int columns_of(const struct line *line)
{
	int sum = 0;
	for (int i = 0; i < line->count; i++)
		sum += least_of(&line->pieces[i]) + (i ? line->gap : 0);
	return sum;
}

/* 1 when one was left out, 0 when only the indispensable remain */
static int drop_one(struct line *line)
{
	int worst = 0;
	for (int i = 0; i < line->count; i++)
		if (line->pieces[i].priority >= line->pieces[worst].priority)
			worst = i;
	if (!line->count || !line->pieces[worst].priority)
		return 0;
	for (int i = worst; i + 1 < line->count; i++)
		line->pieces[i] = line->pieces[i + 1];
	line->count--;
	return 1;
}

void line_draw(const struct view *view, struct area area, int x, int y, struct line *line)
{
	while (columns_of(line) > area.columns - x && drop_one(line))
		;
	int right = area.columns, spare = area.columns - x - columns_of(line);
	for (int i = line->count - 1; i >= 0; i--) {
		const struct piece *piece = &line->pieces[i];
		if (!piece->right)
			continue;
		right -= text_width(piece->text);
		if (right > x)
			area_put(view, area, right, y, piece->style, piece->text);
		right -= line->gap;
	}
	for (int i = 0; i < line->count; i++) {
		const struct piece *piece = &line->pieces[i];
		if (piece->right || x >= right)
			continue;
		int room = right - x, wanted = text_width(piece->text) - least_of(piece);
		if (wanted > 0 && spare >= 0) {
			wanted = wanted < spare ? wanted : spare;
			room = least_of(piece) + wanted;
			spare -= wanted;
		}
		x += area_fit(view, area, x, y, room, piece->style, piece->text) + line->gap;
	}
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Scrolled lines: help, glossary and evidence. Drawing them on an empty area counts them. */
#include "list.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "text.h"

#define NAME_COLUMNS 10

int list_next(struct list *list)
{
	int y = list->lines++ - list->skip;
	return y < list->area.rows ? y : -1;
}

void list_line(struct list *list, enum grid_style style, const char *format, ...)
{
	char text[512];
	va_list arguments;
	int y = list_next(list);

	if (y < 0)
		return;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	area_fit(list->view, list->area, 1, y, list->area.columns - 1, style, text);
}

#define WRAP_COLUMNS 12

/* bytes of the text that fit in `room` columns, cut at a space where there is one */
static size_t fitting(const char *text, int room)
{
	char part[512];
	size_t best = 0, length = strlen(text);
	if (text_width(text) <= room)
		return length;
	for (size_t at = 1; at < length && at < sizeof(part); at++) {
		if (text[at] != ' ')
			continue;
		snprintf(part, sizeof(part), "%.*s", (int)at, text);
		if (text_width(part) > room)
			break;
		best = at;
	}
	return best ? best : length; /* one long word: cut by the drawing */
}

void list_wrap(struct list *list, enum grid_style style, const char *name, const char *text)
{
	int indent = *name ? WRAP_COLUMNS : 0, room = list->area.columns - 2 - indent;
	for (int first = 1; *text || first; first = 0) {
		size_t bytes = room > 8 ? fitting(text, room) : strlen(text);
		list_line(list, style, "%-*s%.*s", indent, first ? name : "", (int)bytes, text);
		text += bytes;
		text += strspn(text, " ");
	}
}

void list_pair(struct list *list, const char *name, const char *format, ...)
{
	char text[512];
	va_list arguments;
	int y = list_next(list);

	if (y < 0)
		return;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	area_put(list->view, list->area, 1, y, STYLE_DIM, name);
	area_fit(list->view, list->area, 1 + NAME_COLUMNS, y, list->area.columns - 1 - NAME_COLUMNS, STYLE_NORMAL, text);
}

void list_clip(int *scroll, int lines, int rows)
{
	if (*scroll > lines - rows)
		*scroll = lines > rows ? lines - rows : 0;
	if (*scroll < 0)
		*scroll = 0;
}

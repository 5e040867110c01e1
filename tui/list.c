/* SPDX-License-Identifier: BSD-2-Clause */
/* Scrolled lines: help, glossary and evidence. Drawing them on an empty area counts them. */
#include "list.h"

#include <stdarg.h>
#include <stdio.h>

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

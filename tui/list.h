/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines of text that may be more than the area shows: counted all, drawn from the `skip`th on. */
#ifndef LIST_H
#define LIST_H

#include "view.h"

struct list {
	const struct view *view;
	struct area area;
	int skip;      /* lines above the top */
	int lines;     /* all so far */
};

/* Row of the next line, which is then taken; -1 = not visible. */
int list_next(struct list *list);
void list_line(struct list *list, enum grid_style style, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* "name        text", as many lines as the text needs; name may be "". */
void list_wrap(struct list *list, enum grid_style style, const char *name, const char *text);
/* "name      text" */
void list_pair(struct list *list, const char *name, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Keeps *scroll within `lines` lines shown in `rows` rows. */
void list_clip(int *scroll, int lines, int rows);

#endif

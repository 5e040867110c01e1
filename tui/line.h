/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A line of pieces, of which the least wanted are left out when the room is
 * short: what was put first stays where it is. Only a long piece (a name) is cut,
 * to what the others leave it, and ends in an ellipsis then.
 */
#ifndef LINE_H
#define LINE_H

#include "view.h"

#define LINE_PIECES 40

struct piece {
	char text[CELL_TEXT];
	enum grid_style style;
	int priority;          /* 0 = never dropped; the greatest goes first */
	int right;             /* set at the right edge */
	int least;             /* columns from which it may be cut; 0 = it is whole */
};

struct line { struct piece pieces[LINE_PIECES]; int count; int gap; };

void line_begin(struct line *line, int gap);
void line_add(struct line *line, int priority, enum grid_style style, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
void line_add_right(struct line *line, int priority, enum grid_style style, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* One that is cut, to no less than `least` columns, before another one is left out. */
void line_add_long(struct line *line, int priority, int least, enum grid_style style, const char *format, ...)
	__attribute__((format(printf, 5, 6)));
/* Draws from column x of the area's row y to its right edge. */
void line_draw(const struct view *view, struct area area, int x, int y, struct line *line);

#endif

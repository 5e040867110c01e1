/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sheets: tables for people, as data. A sheet is a list of columns and a way to
 * get its rows. One widget sorts, filters, scrolls and draws them all; the
 * glossary and the filter language read the same columns.
 *
 * A selection follows the identity of its row, not its place. Until the user
 * moves it, the first row is selected, whichever that is.
 */
#ifndef SHEET_H
#define SHEET_H

#include "filter.h"
#include "view.h"

struct column {
	const char *name;      /* in filters and the glossary */
	const char *alias;     /* another name for filters; NULL */
	const char *title;
	int width;             /* columns; 0 = takes what the others leave (one per sheet) … */
	int least;             /* … but at least so many */
	int priority;          /* 0 = always shown; the greatest is dropped first when room is short */
	int right;             /* aligned right */
	int ascending;         /* least first is the natural order; texts always are */
	const char *note;      /* for the glossary */
	/* what to sort by, greatest = worst; NULL = by the text. PS_UNKNOWN sorts last */
	uint64_t (*key)(const struct view *view, const void *row);
	void (*print)(const struct view *view, const void *row, char *out, size_t room);
	int (*shown)(const struct view *view); /* NULL = always */
	enum { NUMBER, DURATION, SIZE, PERCENT } unit;  /* of key, for filters; PERCENT: millionths of 1 */
};

#define SHEET_COLUMNS 24

struct sheet {
	const char *name;              /* in the configuration */
	const struct column *columns;  /* ends with name NULL */
	int sort;                      /* column at first … */
	int sort_else;                 /* … or this one, when nothing is known for that; 0 = no other */
	/* Fills at most `room` rows, returns how many there are. */
	size_t (*rows)(const struct view *view, const void **rows, size_t room);
	uint64_t (*identity)(const struct view *view, const void *row);        /* never 0 */
	enum grid_style (*style)(const struct view *view, const void *row); /* NULL = normal */
	void (*empty)(const struct view *view, char *out, size_t room); /* said when there is no row */
};

struct sheet_row { const void *row; uint64_t key, identity; };

struct sheet_state {
	int begun;                     /* sort and direction are set */
	int sort, ascending;
	int order[SHEET_COLUMNS], count; /* columns from left to right: the user may move them … */
	uint32_t hidden;               /* … and hide them: a bit per column */
	int stays;                     /* the place stays selected, not the row */
	int sorted;                    /* column that really sorts: `sort`, or what the sheet wants when nothing is known for that */
	uint64_t selected;             /* identity; 0 = the first row */
	size_t place;                  /* where the selected row was: its successor inherits */
	size_t first;                  /* topmost row shown */
	size_t page;                   /* rows shown at the last draw */
	size_t total, shown;           /* rows before and after the filter */
	struct filter filter;
	struct sheet_row *rows;        /* sorted and filtered, of the last collect */
	size_t room;
};

/* Collects, filters, sorts; finds the selection again. Returns 0 or -ENOMEM (then no rows). */
int sheet_collect(const struct view *view, const struct sheet *sheet, struct sheet_state *state);
/* Header and rows, after sheet_collect(). */
void sheet_draw(const struct view *view, struct area area, const struct sheet *sheet, struct sheet_state *state);
/* The same without a selection, from the top: for a panel that keys do not act on. */
void sheet_draw_plain(const struct view *view, struct area area, const struct sheet *sheet, struct sheet_state *state);
const void *sheet_selected(const struct sheet_state *state);  /* NULL = no row */
void sheet_move(struct sheet_state *state, long rows);        /* clipped; LONG_MIN, LONG_MAX = the ends */
void sheet_select(struct sheet_state *state, uint64_t identity);
void sheet_sort(const struct view *view, const struct sheet *sheet, struct sheet_state *state, int step);
/* The user's choice of columns: shows or hides one; moves the one at `at` of the order by `step`. Returns its place. */
void sheet_toggle_column(const struct sheet *sheet, struct sheet_state *state, int at);
int sheet_move_column(const struct sheet *sheet, struct sheet_state *state, int at, int step);
void sheet_begin(const struct sheet *sheet, struct sheet_state *state); /* order and sort as the sheet wants them */
void sheet_close(struct sheet_state *state);

#endif

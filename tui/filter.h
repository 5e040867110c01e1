/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The filter language of tables, also of --filter. Terms are separated by
 * spaces; a row is shown when all of them hold.
 *   word            a cell contains it (a regular expression, case ignored)
 *   /two words/     the same, with spaces in it
 *   !term           the term does not hold
 *   column:word     that column contains it
 *   column:>10ms    op is one of = != < <= > >=; the value is 10, 50ms, 64K, 5%
 */
#ifndef FILTER_H
#define FILTER_H

#include <regex.h>
#include <stddef.h>
#include <stdint.h>

#define FILTER_TEXT 64
#define FILTER_TERMS 8

struct column;
struct view;

enum filter_op { FILTER_MATCH, FILTER_EQ, FILTER_NE, FILTER_LT, FILTER_LE, FILTER_GT, FILTER_GE };

struct filter_term {
	int inverse;
	int column; /* -1 = any */
	enum filter_op op;
	uint64_t value;
	int compiled; /* `regex` is to be freed */
	char word[FILTER_TEXT]; /* not compiled: matched as it stands */
	regex_t regex;
};

struct filter {
	char text[FILTER_TEXT]; /* as typed */
	struct filter_term terms[FILTER_TERMS];
	int count;
};

/* Understands `text` for these columns; whatever it says, it is a filter ("" shows all). */
void filter_set(struct filter *filter, const struct column *columns, const char *text);
/* 1: each column that the text names with a comparison is among these. */
int filter_fits(const struct column *columns, const char *text);
int filter_shows(const struct filter *filter, const struct view *view, const struct column *columns, const void *row);
void filter_close(struct filter *filter);

#endif

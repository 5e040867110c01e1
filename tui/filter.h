/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The filter language of tables:
 *   word            a cell contains it (a regular expression, case ignored)
 *   !word           no cell contains it
 *   column:word     that column contains it
 *   column:op:value op is one of = != < <= > >=; value 10, 50ms, 64K, 5%
 */
#ifndef FILTER_H
#define FILTER_H

#include <regex.h>
#include <stddef.h>
#include <stdint.h>

#define FILTER_TEXT 64

struct column;
struct view;

enum filter_op { FILTER_MATCH, FILTER_EQ, FILTER_NE, FILTER_LT, FILTER_LE, FILTER_GT, FILTER_GE };

struct filter {
	char text[FILTER_TEXT];        /* as typed */
	int inverse;
	int column;                    /* -1 = any */
	enum filter_op op;
	uint64_t value;
	int compiled;                  /* `regex` is to be freed */
	int literal;                   /* not a valid expression: matched as it stands */
	char word[FILTER_TEXT];
	regex_t regex;
};

/* Understands `text` for these columns; whatever it says, it is a filter ("" shows all). */
void filter_set(struct filter *filter, const struct column *columns, const char *text);
int filter_shows(const struct filter *filter, const struct view *view, const struct column *columns, const void *row);
void filter_close(struct filter *filter);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Filters: typed text to a predicate on rows. While somebody types, most
 * prefixes are no valid expressions; such text is matched as it stands.
 */
#include "filter.h"

#include <stdlib.h>
#include <string.h>

#include "sheet.h"
#include "text.h"

#define MILLIONTHS_PER_PERCENT 10000u

static const struct { const char *text; enum filter_op op; } operators[] = {
	{ "<=", FILTER_LE }, { ">=", FILTER_GE }, { "!=", FILTER_NE },
	{ "=", FILTER_EQ }, { "<", FILTER_LT }, { ">", FILTER_GT },
};

static int find_column(const struct column *columns, const char *name, size_t bytes)
{
	for (int i = 0; columns[i].name; i++)
		if (strlen(columns[i].name) == bytes && !strncasecmp(columns[i].name, name, bytes))
			return i;
	return -1;
}

static int parse_value(const struct column *column, const char *text, uint64_t *value)
{
	char *end;
	if (column->unit == DURATION && !text_parse_duration(text, value))
		return 0;
	if (column->unit == SIZE && !text_parse_size(text, value))
		return 0;
	*value = strtoull(text, &end, 10) * (column->unit == PERCENT ? MILLIONTHS_PER_PERCENT : 1);
	return end == text || (*end && strcmp(end, "%")) ? -1 : 0;
}

/* "op:value" of a numeric column; 0 when understood */
static int parse_comparison(struct filter *filter, const struct column *column, const char *text)
{
	if (!column->key)
		return -1;
	for (size_t i = 0; i < sizeof(operators) / sizeof(*operators); i++) {
		size_t bytes = strlen(operators[i].text);
		if (strncmp(text, operators[i].text, bytes))
			continue;
		text += bytes;
		if (parse_value(column, text + (*text == ':'), &filter->value))
			return -1;
		filter->op = operators[i].op;
		return 0;
	}
	return -1;
}

void filter_set(struct filter *filter, const struct column *columns, const char *text)
{
	filter_close(filter);
	snprintf(filter->text, sizeof(filter->text), "%s", text);
	text = filter->text;
	if (*text == '!') {
		filter->inverse = 1;
		text++;
	}
	const char *colon = strchr(text, ':');
	if (colon)
		filter->column = find_column(columns, text, (size_t)(colon - text));
	if (filter->column >= 0) {
		text = colon + 1;
		if (!parse_comparison(filter, &columns[filter->column], text))
			return;
	}
	snprintf(filter->word, sizeof(filter->word), "%s", text);
	if (!*text)
		return;
	filter->literal = regcomp(&filter->regex, text, REG_EXTENDED | REG_ICASE | REG_NOSUB) != 0;
	filter->compiled = !filter->literal;
}

static int cell_matches(const struct filter *filter, const struct view *view, const struct column *column,
			const void *row)
{
	char text[CELL_TEXT] = "";
	column->print(view, row, text, sizeof(text));
	if (filter->compiled)
		return !regexec(&filter->regex, text, 0, NULL, 0);
	return strcasestr(text, filter->word) != NULL;
}

static int compare(const struct filter *filter, uint64_t key)
{
	if (key == PS_UNKNOWN)
		return 0;
	switch (filter->op) {
	case FILTER_EQ: return key == filter->value;
	case FILTER_NE: return key != filter->value;
	case FILTER_LT: return key < filter->value;
	case FILTER_LE: return key <= filter->value;
	case FILTER_GT: return key > filter->value;
	case FILTER_GE: return key >= filter->value;
	default: return 0;
	}
}

static int matches(const struct filter *filter, const struct view *view, const struct column *columns, const void *row)
{
	if (filter->op != FILTER_MATCH)
		return compare(filter, columns[filter->column].key(view, row));
	if (filter->column >= 0)
		return cell_matches(filter, view, &columns[filter->column], row);
	for (int i = 0; columns[i].name; i++)
		if (cell_matches(filter, view, &columns[i], row))
			return 1;
	return 0;
}

int filter_shows(const struct filter *filter, const struct view *view, const struct column *columns, const void *row)
{
	if (filter->op == FILTER_MATCH && !*filter->word)
		return 1;
	return matches(filter, view, columns, row) != filter->inverse;
}

void filter_close(struct filter *filter)
{
	if (filter->compiled)
		regfree(&filter->regex);
	memset(filter, 0, sizeof(*filter));
	filter->column = -1;
}

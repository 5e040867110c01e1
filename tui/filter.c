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

static const struct {
	const char *text;
	enum filter_op op;
} operators[] = {
	{ "<=", FILTER_LE }, { ">=", FILTER_GE }, { "!=", FILTER_NE },
	{ "=", FILTER_EQ },  { "<", FILTER_LT },  { ">", FILTER_GT },
};
#define OPERATORS (sizeof(operators) / sizeof(*operators))

static int is_called(const struct column *column, const char *name, size_t bytes)
{
	return (strlen(column->name) == bytes && !strncasecmp(column->name, name, bytes)) ||
	       (column->alias && strlen(column->alias) == bytes && !strncasecmp(column->alias, name, bytes));
}

static int find_column(const struct column *columns, const char *name, size_t bytes)
{
	for (int i = 0; columns[i].name; i++)
		if (is_called(&columns[i], name, bytes))
			return i;
	return -1;
}

/* ---- values ---- */

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

static size_t operator_at(const char *text)
{
	for (size_t i = 0; i < OPERATORS; i++)
		if (!strncmp(text, operators[i].text, strlen(operators[i].text)))
			return i;
	return OPERATORS;
}

/* "op value" of a numeric column; 0 when understood */
static int parse_comparison(struct filter_term *term, const struct column *column, const char *text)
{
	size_t at = operator_at(text);
	if (!column->key || at == OPERATORS)
		return -1;
	text += strlen(operators[at].text);
	if (parse_value(column, text + (*text == ':'), &term->value))
		return -1;
	term->op = operators[at].op;
	return 0;
}

/* ---- terms ---- */

static void parse_word(struct filter_term *term, const char *text)
{
	size_t bytes = strlen(text);
	if (bytes > 1 && text[0] == '/' && text[bytes - 1] == '/')
		snprintf(term->word, sizeof(term->word), "%.*s", (int)(bytes - 2), text + 1);
	else
		snprintf(term->word, sizeof(term->word), "%s", text);
	if (*term->word)
		term->compiled = !regcomp(&term->regex, term->word, REG_EXTENDED | REG_ICASE | REG_NOSUB);
}

static void parse_term(struct filter_term *term, const struct column *columns, const char *text)
{
	term->column = -1;
	if (*text == '!') {
		term->inverse = 1;
		text++;
	}
	const char *colon = strchr(text, ':');
	if (colon)
		term->column = find_column(columns, text, (size_t)(colon - text));
	if (term->column >= 0) {
		text = colon + 1;
		if (!parse_comparison(term, &columns[term->column], text))
			return;
	}
	parse_word(term, text);
}

/* Cuts the next term off `*text`; spaces inside slashes are part of it. 0 = there is none. */
static int next_term(const char **text, char out[FILTER_TEXT])
{
	size_t length = 0;
	int inside = 0;
	const char *at = *text;
	while (*at == ' ')
		at++;
	for (; *at && (*at != ' ' || inside); at++) {
		int begins = !inside && (!length || out[length - 1] == ':' || out[length - 1] == '!');
		if (*at == '/' && (inside || begins))
			inside = !inside && strchr(at + 1, '/');
		out[length++] = *at;
	}
	out[length] = '\0';
	*text = at;
	return length > 0;
}

void filter_set(struct filter *filter, const struct column *columns, const char *text)
{
	char term[FILTER_TEXT], copy[FILTER_TEXT];
	const char *rest = copy;
	snprintf(copy, sizeof(copy), "%s", text);
	filter_close(filter);
	memcpy(filter->text, copy, sizeof(copy));
	while (filter->count < FILTER_TERMS && next_term(&rest, term))
		parse_term(&filter->terms[filter->count++], columns, term);
}

int filter_fits(const struct column *columns, const char *text)
{
	char term[FILTER_TEXT];
	char copy[FILTER_TEXT];
	const char *rest = copy;
	snprintf(copy, sizeof(copy), "%s", text);
	while (next_term(&rest, term)) {
		const char *name = term + (*term == '!'), *colon = strchr(name, ':');
		if (!colon || find_column(columns, name, (size_t)(colon - name)) >= 0)
			continue;
		size_t bytes = (size_t)(colon - name);
		if (operator_at(colon + 1) < OPERATORS || strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789") == bytes)
			return 0;
	}
	return 1;
}

/* ---- rows ---- */

static int cell_matches(const struct filter_term *term, const struct view *view, const struct column *column,
			const void *row)
{
	char text[CELL_TEXT] = "";
	column->print(view, row, text, sizeof(text));
	if (term->compiled)
		return !regexec(&term->regex, text, 0, NULL, 0);
	return strcasestr(text, term->word) != NULL;
}

static int compare(const struct filter_term *term, uint64_t key)
{
	if (key == PS_UNKNOWN)
		return 0;
	switch (term->op) {
	case FILTER_EQ:
		return key == term->value;
	case FILTER_NE:
		return key != term->value;
	case FILTER_LT:
		return key < term->value;
	case FILTER_LE:
		return key <= term->value;
	case FILTER_GT:
		return key > term->value;
	case FILTER_GE:
		return key >= term->value;
	default:
		return 0;
	}
}

static int matches(const struct filter_term *term, const struct view *view, const struct column *columns,
		   const void *row)
{
	if (term->op != FILTER_MATCH)
		return compare(term, columns[term->column].key(view, row));
	if (term->column >= 0)
		return cell_matches(term, view, &columns[term->column], row);
	for (int i = 0; columns[i].name; i++)
		if (cell_matches(term, view, &columns[i], row))
			return 1;
	return 0;
}

int filter_shows(const struct filter *filter, const struct view *view, const struct column *columns, const void *row)
{
	for (int i = 0; i < filter->count; i++) {
		const struct filter_term *term = &filter->terms[i];
		if (term->op == FILTER_MATCH && !*term->word)
			continue; /* still being typed */
		if (matches(term, view, columns, row) == term->inverse)
			return 0;
	}
	return 1;
}

void filter_close(struct filter *filter)
{
	for (int i = 0; i < filter->count; i++)
		if (filter->terms[i].compiled)
			regfree(&filter->terms[i].regex);
	memset(filter, 0, sizeof(*filter));
}

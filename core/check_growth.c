/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which function is behind a regression: the one whose time per run grew most.
 * CPU time is compared by the profile of busy time, stalls by their culprits.
 */
#include "check_parts.h"

#include <stdlib.h>
#include <string.h>

#include "text.h"

#define MAX_ROWS 20000u /* more functions than that are not told apart */

static const char *string_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text ? text : "";
}

struct row {
	const char *name, *file;
	uint32_t line;
	double ns;           /* per run: now less before */
};

struct rows { struct row *list; size_t count; };

static void take(struct rows *rows, const json_t *object, double ns)
{
	struct row row = { string_of(object, "name"), string_of(object, "file"),
			   (uint32_t)json_integer_value(json_object_get(object, "line")), ns };
	if ((*row.name || *row.file) && rows->count < MAX_ROWS)
		rows->list[rows->count++] = row;
}

static void take_document(struct rows *rows, const json_t *document, int by_cpu, double share)
{
	const json_t *loop, *item;
	size_t i, k;
	if (by_cpu)
		json_array_foreach(json_object_get(document, "loops"), i, loop)
			json_array_foreach(json_object_get(json_object_get(loop, "profile"), "rows"), k, item)
				take(rows, item, share * json_number_value(json_object_get(item, "ns")));
	else
		json_array_foreach(json_object_get(document, "culprits"), i, item)
			take(rows, item, share * json_number_value(json_object_get(item, "total_ns")));
}

static int by_function(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	int order = strcmp(x->name, y->name);
	return order ? order : strcmp(x->file, y->file);
}

int growth_find(const struct check_runs *runs, const struct check_runs *baseline, int by_cpu, struct fact *fact)
{
	struct rows rows = { .list = malloc(MAX_ROWS * sizeof(*rows.list)) };
	struct row worst = { "", "", 0, 0 };
	if (!rows.list)
		return 0;
	for (size_t i = 0; i < runs->count; i++)
		take_document(&rows, runs->documents[i], by_cpu, 1 / (double)runs->count);
	for (size_t i = 0; i < baseline->count; i++)
		take_document(&rows, baseline->documents[i], by_cpu, -1 / (double)baseline->count);
	if (rows.count)
		qsort(rows.list, rows.count, sizeof(*rows.list), by_function);
	for (size_t i = 0, end; i < rows.count; i = end) {
		struct row sum = rows.list[i];
		for (end = i + 1; end < rows.count && !by_function(&rows.list[i], &rows.list[end]); end++) {
			sum.ns += rows.list[end].ns;
			sum.line = rows.list[end].ns > 0 ? rows.list[end].line : sum.line;
		}
		if (sum.ns > worst.ns)
			worst = sum;
	}
	*fact = (struct fact){ .line = worst.line, .total_ns = worst.ns };
	text_clean(fact->text, sizeof(fact->text), worst.name, strlen(worst.name));
	text_clean(fact->file, sizeof(fact->file), worst.file, strlen(worst.file));
	free(rows.list);
	return worst.ns > 0;
}

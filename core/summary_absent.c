/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What was not measured, for people: each reason once, and under it the fields
 * by the loops that lack them. Twenty loops of one program lack the same.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "summary_line.h"
#include "text.h"

/* The list under `key` of an object, made when it is not there. */
static json_t *list_of(json_t *object, const char *key)
{
	json_t *list = json_object_get(object, key);
	if (!list && !json_object_set_new(object, key, json_array()))
		list = json_object_get(object, key);
	return list;
}

/* "loops.12.timers.depth": its field, and 12. NULL when it is about no loop. */
static const char *field_of_loop(const char *path, long *index)
{
	char *end;
	if (strncmp(path, "loops.", 6) || path[6] < '0' || path[6] > '9')
		return NULL;
	*index = strtol(path + 6, &end, 10);
	return *end == '.' ? end + 1 : NULL;
}

/* "loops.0-3,7" of rising numbers, "loops.*" when there are all of more than one. */
static void name_loops(char *out, size_t room, const json_t *numbers, size_t loops)
{
	size_t count = json_array_size(numbers);
	if (count > 1 && count == loops) {
		snprintf(out, room, "loops.*");
		return;
	}
	snprintf(out, room, "loops.");
	for (size_t i = 0, last; i < count; i = last + 1) {
		json_int_t from = json_integer_value(json_array_get(numbers, i));
		size_t length = strlen(out);
		for (last = i; last + 1 < count; last++)
			if (json_integer_value(json_array_get(numbers, last + 1)) != from + (json_int_t)(last + 1 - i))
				break;
		if (length + 48 > room)
			break;
		length += (size_t)snprintf(out + length, room - length, "%s%lld", i ? "," : "", (long long)from);
		if (last > i)
			snprintf(out + length, room - length, "-%lld", (long long)(from + (json_int_t)(last - i)));
	}
}

/* { field: [loops] } to { "loops.0-3": [fields] }; "" holds what is about no loop */
static json_t *by_loops(const json_t *fields, size_t loops)
{
	json_t *sets = json_object(), *numbers;
	const char *field;
	json_object_foreach((json_t *)(uintptr_t)fields, field, numbers)
	{
		char name[256] = "";
		if (json_array_size(numbers))
			name_loops(name, sizeof(name), numbers, loops);
		json_array_append_new(list_of(sets, name), json_string(field));
	}
	return sets;
}

static json_t *by_reason(json_t *not_measured)
{
	json_t *reasons = json_object(), *reason;
	const char *path;
	json_object_foreach(not_measured, path, reason)
	{
		const char *text = json_string_value(reason), *field;
		long index;
		if (!text || strstr(path, ".*.") || strstr(path, "by_kind") || strstr(path, "own_cost"))
			continue;
		json_t *fields = json_object_get(reasons, text);
		if (!fields && !json_object_set_new(reasons, text, json_object()))
			fields = json_object_get(reasons, text);
		field = field_of_loop(path, &index);
		json_t *numbers = list_of(fields, field ? field : path);
		if (field)
			json_array_append_new(numbers, json_integer(index));
	}
	return reasons;
}

static void print_fields(struct line *line, const char *loops, const json_t *fields)
{
	const json_t *field;
	size_t i;
	char *text = NULL;
	size_t bytes = 0;
	FILE *memory = open_memstream(&text, &bytes);
	if (!memory)
		return;
	fprintf(memory, "%s%s", loops, *loops ? ": " : "");
	json_array_foreach(fields, i, field) fprintf(memory, "%s%s", i ? " " : "", json_string_value(field));
	if (!fclose(memory)) {
		line_say(line, "    ");
		line_wrap(line, text, 6);
	}
	free(text);
}

void summary_print_missing(struct line *line, const json_t *document)
{
	size_t loops = json_array_size(json_object_get(document, "loops"));
	json_t *reasons = by_reason(json_object_get(document, "not_measured")), *fields, *names;
	const char *reason, *name;
	if (json_object_size(reasons)) {
		line_end(line);
		line_say(line, "not measured");
		line_end(line);
	}
	json_object_foreach(reasons, reason, fields)
	{
		json_t *sets = by_loops(fields, loops);
		line_say(line, "  ");
		line_wrap(line, reason, 2);
		json_object_foreach(sets, name, names) print_fields(line, name, names);
		json_decref(sets);
	}
	json_decref(reasons);
}

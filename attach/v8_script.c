/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Scripts: their names, and from a position to line and column.
 *
 * V8 keeps the ends of all lines once it has needed them; else the source is
 * read and its lines are counted. Either way the table is kept for the scripts
 * that were met last. A script does not move, but its place may be taken by
 * another: an entry holds for the same source only.
 */
#include "v8_parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCRIPTS_MAX 32
#define EVALS_MAX 8 /* one evaluated in the other */
#define PLACE_ROOM 64 /* of a name, for what comes behind it */
#define LINES_MAX (1u << 18)
#define SOURCE_MAX (16u << 20)

struct lines {
	uint64_t script, source;
	uint64_t used; /* when last, in uses */
	uint32_t *ends; /* position of each line's end, rising */
	uint32_t count, room;
	uint32_t position; /* while counting: of the next character */
	int after_return; /* while counting: the character before was a carriage return */
};

struct v8_scripts {
	struct lines lines[SCRIPTS_MAX];
	uint64_t uses;
};

int v8_scripts_open(struct v8_scripts **scripts)
{
	*scripts = calloc(1, sizeof(**scripts));
	return *scripts ? 0 : -ENOMEM;
}

void v8_scripts_close(struct v8_scripts *scripts)
{
	if (!scripts)
		return;
	for (size_t i = 0; i < SCRIPTS_MAX; i++)
		free(scripts->lines[i].ends);
	free(scripts);
}

/* The function that evaluated a script; 0 = it was not evaluated. */
static uint64_t evaluated_by(struct v8_reader *reader, uint64_t script)
{
	const struct v8_layout *at = &reader->layout;
	uint64_t shared = v8_type(reader, script) == at->script ? v8_field(reader, script, at->script_eval_from) : 0;

	return v8_type(reader, shared) == at->shared ? shared : 0;
}

int v8_script_is_evaluated(struct v8_reader *reader, uint64_t script)
{
	return evaluated_by(reader, script) != 0;
}

/* Where in that function; until somebody asks for it V8 keeps the place in its bytecode, below zero. */
static int32_t evaluated_at(struct v8_reader *reader, uint64_t script, uint64_t shared)
{
	const struct v8_layout *at = &reader->layout;
	int32_t position;

	if (at->script_eval_position == V8_NONE || v8_smi(reader, script, at->script_eval_position, &position))
		return -1;
	if (position >= 0 || position < -(1 << 24))
		return position >= 0 ? position : -1;
	return v8_interpreted_position(reader, v8_function_bytecode(reader, shared), at->bytecode_data - 1 - position);
}

static int own_name(struct v8_reader *reader, uint64_t script, char *out, size_t room)
{
	const struct v8_layout *at = &reader->layout;
	int bytes = v8_string(reader, v8_field(reader, script, at->script_name), out, room);

	if (bytes <= 0 && at->script_source_url != V8_NONE)
		bytes = v8_string(reader, v8_field(reader, script, at->script_source_url), out, room);
	return bytes;
}

int v8_script_name(struct v8_scripts *scripts, struct v8_reader *reader, uint64_t script, char *out, size_t room)
{
	struct v8_function outer;
	uint64_t shared, last = 0;
	uint32_t line, column;
	int hops = 0, bytes = 0, at = 0;

	out[0] = '\0';
	if (v8_type(reader, script) != reader->layout.script)
		return 0;
	/* from the inside out: "eval at inner (eval at outer (file:line:column))" */
	for (; (bytes = own_name(reader, script, out + at, room - at)) <= 0; script = outer.script) {
		shared = hops < EVALS_MAX ? evaluated_by(reader, script) : 0;
		if (!shared || v8_function_read(reader, shared, &outer))
			break;
		last = script;
		at += snprintf(out + at, room - at, "eval at %s (", *outer.name ? outer.name : "<anonymous>");
		hops++;
		if (at + PLACE_ROOM > (int)room)
			break;
	}
	if (!hops)
		return bytes > 0 ? bytes : 0;
	if (bytes <= 0) {
		out[0] = '\0';
		return 0;
	}
	at += bytes;
	shared = evaluated_by(reader, last);
	if (!v8_line(scripts, reader, script, evaluated_at(reader, last, shared), &line, &column))
		at += snprintf(out + at, room - at, ":%u:%u", line, column);
	while (hops-- && at + 1 < (int)room)
		out[at++] = ')';
	at = at < (int)room ? at : (int)room - 1;
	out[at] = '\0';
	return at;
}

static int add_end(struct lines *lines, uint32_t position)
{
	if (lines->count == lines->room) {
		uint32_t more = lines->room ? lines->room * 2 : 1024;
		uint32_t *grown = more <= LINES_MAX ? realloc(lines->ends, more * sizeof(*grown)) : NULL;

		if (!grown)
			return -ENOMEM;
		lines->ends = grown;
		lines->room = more;
	}
	lines->ends[lines->count++] = position;
	return 0;
}

/* Ends of lines as the language has them: LF, CR, CR LF, U+2028, U+2029. */
static int count_chars(void *arg, const void *chars, size_t count, int two_byte)
{
	struct lines *lines = arg;
	const uint8_t *bytes = chars;
	const uint16_t *units = chars;
	int err = 0;

	for (size_t i = 0; i < count && !err; i++, lines->position++) {
		uint16_t unit = two_byte ? units[i] : bytes[i];

		if (lines->after_return && unit != '\n')
			err = add_end(lines, lines->position - 1);
		lines->after_return = unit == '\r';
		if (!err && (unit == '\n' || unit == 0x2028 || unit == 0x2029))
			err = add_end(lines, lines->position);
	}
	return err;
}

static int count_source(struct lines *lines, struct v8_reader *reader)
{
	int err = v8_string_visit(reader, lines->source, SOURCE_MAX, count_chars, lines);

	return err ? err : add_end(lines, lines->position);
}

/* The table that V8 made: an array of small integers. */
static int copy_ends(struct lines *lines, struct v8_reader *reader)
{
	const struct v8_layout *at = &reader->layout;
	uint64_t array = v8_field(reader, lines->script, at->script_line_ends), words[256];
	int32_t count;

	if (v8_type(reader, array) != at->fixed_array || v8_smi(reader, array, at->array_length, &count))
		return -ENOENT;
	if (count <= 0 || count > (int32_t)LINES_MAX)
		return -ENOENT;
	for (int32_t i = 0; i < count; i++) {
		int32_t part = count - i < 256 ? count - i : 256;

		if (i % 256 == 0 && v8_read(reader, (array & ~3ull) + at->array_data + i * 8ull, words, part * 8))
			return -EFAULT;
		int32_t end = v8_smi_value(reader, words[i % 256]);
		if (!v8_is_smi(words[i % 256]) || end < 0 || (i && (uint32_t)end <= lines->ends[i - 1]))
			return -EINVAL;
		if (add_end(lines, end))
			return -ENOMEM;
	}
	return 0;
}

static struct lines *find_lines(struct v8_scripts *scripts, struct v8_reader *reader, uint64_t script)
{
	uint64_t source = v8_field(reader, script, reader->layout.script_source);
	struct lines *lines = &scripts->lines[0];

	for (size_t i = 0; i < SCRIPTS_MAX; i++) {
		struct lines *seen = &scripts->lines[i];

		if (seen->script == script && seen->source == source)
			return seen;
		if (seen->used < lines->used)
			lines = seen;
	}
	free(lines->ends);
	*lines = (struct lines){ .script = script, .source = source };
	if (!copy_ends(lines, reader))
		return lines;
	lines->count = 0;
	if (!count_source(lines, reader))
		return lines;
	/* what cannot be read now may be readable later */
	lines->script = lines->count = 0;
	return NULL;
}

int v8_line(struct v8_scripts *scripts, struct v8_reader *reader, uint64_t script, int32_t position, uint32_t *line,
	    uint32_t *column)
{
	if (position < 0 || v8_type(reader, script) != reader->layout.script)
		return -ENOENT;
	struct lines *lines = find_lines(scripts, reader, script);
	if (!lines)
		return -ENOENT;
	lines->used = ++scripts->uses;
	uint32_t low = 0, high = lines->count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (lines->ends[middle] < (uint32_t)position)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == lines->count)
		return -ENOENT;
	*line = low + 1;
	*column = position - (low ? lines->ends[low - 1] : (uint32_t)-1);
	return 0;
}

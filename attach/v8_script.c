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
#include <stdlib.h>
#include <string.h>

#define SCRIPTS_MAX 32
#define EVALS_MAX   8  /* one evaluated in the other */
#define LINES_MAX   (1u << 18)
#define SOURCE_MAX  (16u << 20)

struct lines {
	uint64_t script, source;
	uint64_t used;      /* when last, in uses */
	uint32_t *ends;     /* position of each line's end, rising */
	uint32_t count, room;
	uint32_t position;  /* while counting: of the next character */
	int after_return;   /* while counting: the character before was a carriage return */
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

int v8_script_name(struct v8_reader *reader, uint64_t script, char *out, size_t room)
{
	static const char eval[] = "eval in ";
	const struct v8_layout *at = &reader->layout;
	struct v8_function outer;
	size_t before = 0;

	for (int hop = 0; hop < EVALS_MAX && v8_type(reader, script) == at->script; hop++) {
		int bytes = v8_string(reader, v8_field(reader, script, at->script_name), out + before, room - before);

		if (bytes > 0)
			return before + bytes;
		if (v8_function_read(reader, v8_field(reader, script, at->script_eval_from), &outer))
			break;
		script = outer.script;
		if (!before && room > 2 * sizeof(eval)) {
			memcpy(out, eval, sizeof(eval));
			before = sizeof(eval) - 1;
		}
	}
	out[0] = '\0';
	return 0;
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

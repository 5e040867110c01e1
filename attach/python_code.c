/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Code objects and strings of CPython, in a process that runs on.
 *
 * A code object is what has the type of one; its strings are compact ones, as
 * all are that the compiler makes.
 */
#include "python_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "v8_parts.h"

#define CODE_MAX 1024
#define TABLE_MAX (256u << 10)
#define CHARS_MAX 4096

/* the state of a string, the same from 3.8 to 3.13 */
#define STATE_KIND(state) ((state) >> 2 & 7) /* bytes of a character */
#define STATE_COMPACT 0x20
#define STATE_ASCII 0x40

static int read_now(struct python_reader *reader, uint64_t address, void *out, size_t bytes)
{
	if (!address || address + bytes < address)
		return -EFAULT;
	if (deadline_passed(&reader->deadline))
		return -ETIME;
	return reader->read(reader->arg, address, out, bytes);
}

/* A word within an object that was read; 0 when the layout says it is not there. */
static uint64_t word_at(const uint8_t *object, size_t bytes, int32_t offset)
{
	uint64_t word = 0;

	if (offset >= 0 && bytes >= sizeof(word) && (size_t)offset <= bytes - sizeof(word))
		memcpy(&word, object + offset, sizeof(word));
	return word;
}

int python_code_read(struct python_reader *reader, uint64_t address, struct python_code *code)
{
	const struct python_layout *at = &reader->layout;
	uint8_t object[CODE_MAX];

	if (at->code_bytes <= 0 || at->code_bytes > CODE_MAX || read_now(reader, address, object, at->code_bytes))
		return -EINVAL;
	if (word_at(object, at->code_bytes, at->object_type) != reader->code_type)
		return -EINVAL;
	*code = (struct python_code){
		.name = word_at(object, at->code_bytes, at->code_name),
		.filename = word_at(object, at->code_bytes, at->code_filename),
		.lines = word_at(object, at->code_bytes, at->code_lines),
		.first_line = (int32_t)word_at(object, at->code_bytes, at->code_first_line),
	};
	return 0;
}

/* ---- strings ---- */

/* Surrogates and what is no character become U+FFFD. */
static size_t put_utf8(char out[4], uint32_t c)
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 63));
		return 2;
	}
	if (c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		c = 0xfffd;
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 63));
		out[2] = (char)(0x80 | (c & 63));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 63));
	out[2] = (char)(0x80 | (c >> 6 & 63));
	out[3] = (char)(0x80 | (c & 63));
	return 4;
}

static uint32_t char_at(const uint8_t *chars, unsigned width, size_t i)
{
	uint32_t c = 0;

	memcpy(&c, chars + i * width, width);
	return c;
}

/* The room holds the dots and the end of the string, too. */
static size_t put_chars(const uint8_t *chars, unsigned width, size_t count, int is_cut, char *out, size_t room)
{
	static const char dots[] = "…";
	size_t length = 0, i;
	char one[4];

	for (i = 0; i < count; i++) {
		size_t bytes = put_utf8(one, char_at(chars, width, i));
		int is_last = i + 1 == count && !is_cut;

		if (length + bytes + (is_last ? 1 : sizeof(dots)) > room)
			break;
		memcpy(out + length, one, bytes);
		length += bytes;
	}
	if (i < count || is_cut) {
		memcpy(out + length, dots, sizeof(dots) - 1);
		length += sizeof(dots) - 1;
	}
	out[length] = '\0';
	return length;
}

int python_string(struct python_reader *reader, uint64_t string, char *out, size_t room)
{
	const struct python_layout *at = &reader->layout;
	uint8_t chars[CHARS_MAX];
	uint32_t state;
	int64_t length;

	if (room < 8 || read_now(reader, string + at->string_length, &length, sizeof(length)) ||
	    read_now(reader, string + at->string_state, &state, sizeof(state)))
		return -EINVAL;
	unsigned width = STATE_KIND(state);
	if (!(state & STATE_COMPACT) || (width != 1 && width != 2 && width != 4) || length < 0 ||
	    (state & STATE_ASCII && width != 1))
		return -EINVAL;
	size_t most = room < CHARS_MAX / width ? room : CHARS_MAX / width;
	size_t count = (uint64_t)length < most ? (size_t)length : most;
	uint64_t data = string + (state & STATE_ASCII ? at->string_ascii : at->string_wide);
	if (count && read_now(reader, data, chars, count * width))
		return -EINVAL;
	return (int)put_chars(chars, width, count, (uint64_t)length > count, out, room);
}

/* ---- lines ---- */

/* Bytes of an object, malloc'ed; of a long one those before TABLE_MAX. */
static uint8_t *copy_bytes(struct python_reader *reader, uint64_t object, size_t *bytes)
{
	const struct python_layout *at = &reader->layout;
	int64_t size;

	if (read_now(reader, object + at->bytes_size, &size, sizeof(size)) || size <= 0)
		return NULL;
	*bytes = size < (int64_t)TABLE_MAX ? (size_t)size : TABLE_MAX;
	uint8_t *copy = malloc(*bytes);
	if (copy && read_now(reader, object + at->bytes_data, copy, *bytes)) {
		free(copy);
		return NULL;
	}
	return copy;
}

void python_place_of(struct python_reader *reader, const struct python_code *code, int32_t instruction, uint32_t *line,
		     uint32_t *column)
{
	size_t bytes = 0;
	uint8_t *table = instruction < 0 || !code->lines ? NULL : copy_bytes(reader, code->lines, &bytes);
	/* an index of instructions of two bytes */
	int64_t at = reader->layout.lines == PYTHON_LINETABLE ? 2 * (int64_t)instruction : instruction;

	*column = 0;
	*line = code->first_line > 0 ? (uint32_t)code->first_line : 0;
	uint32_t found;
	if (table && at < INT32_MAX &&
	    !python_line(reader->layout.lines, table, bytes, code->first_line, (int32_t)at, &found, column))
		*line = found;
	else
		*column = 0;
	free(table);
}

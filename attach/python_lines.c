/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tables by which CPython finds the line of an instruction; three kinds,
 * by version. Pure: the bytes may be anything, and each step takes at least one
 * of them.
 */
#include "python_parts.h"

#include <errno.h>

struct table {
	const uint8_t *bytes;
	size_t size, at;
};

static uint8_t next(struct table *table)
{
	return table->at < table->size ? table->bytes[table->at++] : 0;
}

/* Up to 3.9: pairs of how far the instruction and the line move on; what is before the next pair has the line so far. */
static int by_lnotab(struct table *table, int32_t line, int32_t at, uint32_t *found)
{
	int64_t address = 0, now = line;

	while (table->at + 1 < table->size) {
		address += next(table);
		if (address > at)
			break;
		now += (int8_t)next(table);
	}
	*found = now > 0 ? (uint32_t)now : 0;
	return now > 0 ? 0 : -ENOENT;
}

/* 3.10: pairs of how many bytes a range of instructions has, and how far its line is from the one before; -128: none. */
static int by_linetable(struct table *table, int32_t line, int32_t at, uint32_t *found)
{
	int64_t end = 0, now = line;

	while (table->at + 1 < table->size) {
		end += next(table);
		int8_t moved = (int8_t)next(table);

		now += moved == -128 ? 0 : moved;
		if (at >= end)
			continue;
		*found = (uint32_t)now;
		return moved == -128 || now <= 0 ? -ENOENT : 0;
	}
	return -ENOENT;
}

/* ---- 3.11 and later: ranges of instructions with lines and columns ---- */

static uint32_t varint(struct table *table)
{
	uint32_t value = 0;
	uint8_t byte;
	int shift = 0;

	do {
		byte = next(table);
		value |= shift < 32 ? (uint32_t)(byte & 63) << shift : 0;
		shift += 6;
	} while (byte & 64);
	return value;
}

static int64_t signed_varint(struct table *table)
{
	uint32_t value = varint(table);

	return value & 1 ? -(int64_t)(value >> 1) : (int64_t)(value >> 1);
}

/* One location: moves the line; `column` from 1, 0 = none. Returns 0 when it has no line. */
static int read_location(struct table *table, unsigned code, int64_t *line, uint32_t *column)
{
	uint8_t first;

	*column = 0;
	switch (code) {
	case 15:
		return 0;
	case 14:
		*line += signed_varint(table);
		varint(table);
		*column = varint(table);
		varint(table);
		return 1;
	case 13:
		*line += signed_varint(table);
		return 1;
	case 12:
	case 11:
	case 10:
		*line += code - 10;
		*column = next(table) + 1u;
		next(table);
		return 1;
	default:
		first = next(table);
		*column = (code << 3 | (first >> 4 & 7)) + 1;
		return 1;
	}
}

static int by_locations(struct table *table, int32_t line, int32_t at, uint32_t *found, uint32_t *column)
{
	int64_t end = 0, now = line;

	while (table->at < table->size) {
		uint8_t head = next(table);
		int has_line = read_location(table, head >> 3 & 15, &now, column);

		end += ((head & 7) + 1) * 2;
		if (at >= end)
			continue;
		*found = (uint32_t)now;
		return has_line && now > 0 && now < INT32_MAX ? 0 : -ENOENT;
	}
	return -ENOENT;
}

int python_line(enum python_lines kind, const uint8_t *bytes, size_t size, int32_t first_line, int32_t at,
		uint32_t *line, uint32_t *column)
{
	struct table table = { bytes, size, 0 };

	*column = 0;
	if (at < 0)
		return -ENOENT;
	if (kind == PYTHON_LNOTAB)
		return by_lnotab(&table, first_line, at, line);
	if (kind == PYTHON_LINETABLE)
		return by_linetable(&table, first_line, at, line);
	return by_locations(&table, first_line, at, line, column);
}

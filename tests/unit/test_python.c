/* SPDX-License-Identifier: BSD-2-Clause */
/* What is read of CPython: tables of lines as its compilers write them, and memory that is odd or hostile. */
#include "test.h"

#include <errno.h>
#include <string.h>

#include "python_parts.h"
#include "target_bytes.h"

enum { CODE = 0x1000, NAME = 0x2000, FILENAME = 0x3000, TABLE = 0x4000, CODE_TYPE = 0x8000 };

static struct python_reader reader;

static void put_code(unsigned minor)
{
	memset(bytes, 0, sizeof(bytes));
	reads = 0;
	reader = (struct python_reader){ .read = read_bytes,
					 .code_type = BASE + CODE_TYPE,
					 .layout = *python_layout_find(minor) };
	const struct python_layout *at = &reader.layout;
	put(CODE + at->object_type, BASE + CODE_TYPE);
	put(CODE + at->code_name, BASE + NAME);
	put(CODE + at->code_filename, BASE + FILENAME);
	put(CODE + at->code_lines, BASE + TABLE);
	put32(CODE + at->code_first_line, 7);
}

static void put_string(uint32_t where, uint64_t length, uint32_t state, const void *chars, size_t count)
{
	const struct python_layout *at = &reader.layout;

	put(where + at->string_length, length);
	put32(where + at->string_state, state);
	memcpy(bytes + where + (state & 0x40 ? at->string_ascii : at->string_wide), chars, count);
}

static void put_table(const uint8_t *table, size_t size)
{
	put(TABLE + reader.layout.bytes_size, size);
	memcpy(bytes + TABLE + reader.layout.bytes_data, table, size);
}

#define STATE(width, is_ascii) ((width) << 2 | 0x20 | ((is_ascii) ? 0x40 : 0))

static int line_of(enum python_lines kind, const uint8_t *table, size_t size, int32_t at)
{
	uint32_t line, column;

	return python_line(kind, table, size, 7, at, &line, &column) ? -1 : (int)line;
}

TEST(up_to_3_9_lines_are_pairs_of_steps)
{
	/* +0 line 7; from 8 on 8; from 20 on 6; from 30 on 6 + 127 + 127 + 46 */
	static const uint8_t table[] = { 8, 1, 12, 0xfe, 10, 127, 0, 127, 0, 46 };

	assert_int_equal(line_of(PYTHON_LNOTAB, table, sizeof(table), 0), 7);
	assert_int_equal(line_of(PYTHON_LNOTAB, table, sizeof(table), 7), 7);
	assert_int_equal(line_of(PYTHON_LNOTAB, table, sizeof(table), 8), 8);
	assert_int_equal(line_of(PYTHON_LNOTAB, table, sizeof(table), 20), 6);
	assert_int_equal(line_of(PYTHON_LNOTAB, table, sizeof(table), 30), 306);
	assert_int_equal(line_of(PYTHON_LNOTAB, table, sizeof(table), 100000), 306);
	assert_int_equal(line_of(PYTHON_LNOTAB, table, sizeof(table), -1), -1);
	assert_int_equal(line_of(PYTHON_LNOTAB, NULL, 0, 4), 7);
}

TEST(of_3_10_lines_are_ranges_some_without_a_line)
{
	static const uint8_t table[] = { 4, 1, 6, 0x80, 2, 0xff };

	assert_int_equal(line_of(PYTHON_LINETABLE, table, sizeof(table), 2), 8);
	assert_int_equal(line_of(PYTHON_LINETABLE, table, sizeof(table), 4), -1);
	assert_int_equal(line_of(PYTHON_LINETABLE, table, sizeof(table), 10), 7);
	assert_int_equal(line_of(PYTHON_LINETABLE, table, sizeof(table), 12), -1);
}

TEST(since_3_11_locations_have_columns_in_five_forms)
{
	static const uint8_t table[] = {
		0x80 | 3 << 3 | 1,  0x42, /* 2 units: line 7, column 8 * 3 + 4 */
		0x80 | 11 << 3 | 0, 9,	      20, /* 1 unit: line 8, column 9 */
		0x80 | 15 << 3 | 0, /* 1 unit: nowhere */
		0x80 | 13 << 3 | 0, 0x40 | 8, 25, /* 1 unit: 804 lines on */
		0x80 | 14 << 3 | 0, 3,	      0,  5, 6, /* 1 unit: a line back, column 4 */
	};
	uint32_t line, column;

	assert_int_equal(python_line(PYTHON_LOCATIONS, table, sizeof(table), 7, 2, &line, &column), 0);
	assert_int_equal(line, 7);
	assert_int_equal(column, 29);
	assert_int_equal(python_line(PYTHON_LOCATIONS, table, sizeof(table), 7, 4, &line, &column), 0);
	assert_int_equal(line, 8);
	assert_int_equal(column, 10);
	assert_int_equal(python_line(PYTHON_LOCATIONS, table, sizeof(table), 7, 6, &line, &column), -ENOENT);
	assert_int_equal(python_line(PYTHON_LOCATIONS, table, sizeof(table), 7, 8, &line, &column), 0);
	assert_int_equal(line, 8 + 804);
	assert_int_equal(column, 0);
	assert_int_equal(python_line(PYTHON_LOCATIONS, table, sizeof(table), 7, 10, &line, &column), 0);
	assert_int_equal(line, 811);
	assert_int_equal(column, 5);
	assert_int_equal(python_line(PYTHON_LOCATIONS, table, sizeof(table), 7, 12, &line, &column), -ENOENT);
}

TEST(tables_that_are_cut_or_nonsense_tell_some_line_or_none)
{
	uint8_t table[64];
	uint32_t line, column;

	for (unsigned seed = 0; seed < 3000; seed++) {
		for (size_t i = 0; i < sizeof(table); i++)
			table[i] = (uint8_t)((seed + 1) * 2654435761u >> (i * 7 % 25)) ^ (uint8_t)(i * seed);
		for (int kind = PYTHON_LNOTAB; kind <= PYTHON_LOCATIONS; kind++)
			for (size_t size = 0; size <= sizeof(table); size += 7)
				if (!python_line(kind, table, size, (int32_t)(seed * 1000003), (int32_t)(seed % 200),
						 &line, &column))
					assert_true(line > 0 && line < INT32_MAX);
	}
}

TEST(a_code_object_tells_its_name_and_where_it_is)
{
	static const uint8_t table[] = { 0x80 | 11 << 3 | 7, 0, 9 };
	struct python_code code;
	uint32_t line, column;
	char text[64];

	for (unsigned minor = 8; minor <= 12; minor++) {
		put_code(minor);
		put_string(NAME, 13, STATE(1, 1), "Shop.checkout", 13);
		put_string(FILENAME, 4, STATE(2, 0), u"größ", 8);
		assert_int_equal(python_code_read(&reader, BASE + CODE, &code), 0);
		assert_int_equal(python_string(&reader, code.name, text, sizeof(text)), 13);
		assert_string_equal(text, "Shop.checkout");
		assert_int_equal(python_string(&reader, code.filename, text, sizeof(text)), 6);
		assert_string_equal(text, "größ");
		/* without a table: where it begins, and no column */
		python_place_of(&reader, &code, 0, &line, &column);
		assert_int_equal(line, 7);
		assert_int_equal(column, 0);
	}
	put_table(table, sizeof(table));
	python_place_of(&reader, &code, 4, &line, &column);
	assert_int_equal(line, 8);
	assert_int_equal(column, 1);
	python_place_of(&reader, &code, -1, &line, &column);
	assert_int_equal(line, 7);
	assert_null(python_layout_find(7));
	assert_null(python_layout_find(14));
}

TEST(what_is_no_code_object_is_not_told)
{
	struct python_code code;

	put_code(11);
	put(CODE + reader.layout.object_type, BASE + CODE_TYPE + 8);
	assert_int_equal(python_code_read(&reader, BASE + CODE, &code), -EINVAL);
	assert_int_equal(python_code_read(&reader, 0, &code), -EINVAL);
	assert_int_equal(python_code_read(&reader, UINT64_MAX - 8, &code), -EINVAL);
	assert_int_equal(python_code_read(&reader, BASE + ROOM - 8, &code), -EINVAL);
}

TEST(strings_of_odd_kinds_and_absurd_lengths_are_bounded)
{
	static uint8_t many[4096];
	static const uint32_t wide[] = { 0x1f40d, 0xd800, 0x110000, 'x' };
	char text[64];

	memset(many, 'a', sizeof(many));
	put_code(12);
	put_string(NAME, 4, STATE(4, 0), wide, sizeof(wide));
	assert_int_equal(python_string(&reader, BASE + NAME, text, sizeof(text)), 11);
	assert_string_equal(text, "\U0001f40d\ufffd\ufffdx");
	put_string(NAME, UINT64_MAX / 2, STATE(1, 1), many, sizeof(many));
	assert_true(python_string(&reader, BASE + NAME, text, sizeof(text)) < (int)sizeof(text));
	assert_string_equal(text + strlen(text) - 3, "…");
	put_string(NAME, UINT64_MAX, STATE(1, 1), many, 1);
	assert_int_equal(python_string(&reader, BASE + NAME, text, sizeof(text)), -EINVAL);
	put_string(NAME, 4, STATE(3, 0), many, 4);
	assert_int_equal(python_string(&reader, BASE + NAME, text, sizeof(text)), -EINVAL);
	put_string(NAME, 4, STATE(2, 1), many, 4);
	assert_int_equal(python_string(&reader, BASE + NAME, text, sizeof(text)), -EINVAL);
	put_string(NAME, 4, 1 << 2, many, 4);
	assert_int_equal(python_string(&reader, BASE + NAME, text, sizeof(text)), -EINVAL);
	put_string(NAME, 0, STATE(1, 1), many, 1);
	assert_int_equal(python_string(&reader, BASE + NAME, text, sizeof(text)), 0);
	assert_int_equal(python_string(&reader, BASE + ROOM - 20, text, sizeof(text)), -EINVAL);
}

TEST(a_table_of_lines_of_absurd_size_is_not_read)
{
	struct python_code code;
	uint32_t line, column;

	put_code(11);
	assert_int_equal(python_code_read(&reader, BASE + CODE, &code), 0);
	put(TABLE + reader.layout.bytes_size, UINT64_MAX / 2);
	python_place_of(&reader, &code, 4, &line, &column);
	assert_int_equal(line, 7);
	put(TABLE + reader.layout.bytes_size, UINT64_MAX);
	python_place_of(&reader, &code, 4, &line, &column);
	assert_int_equal(line, 7);
	put(CODE + reader.layout.code_lines, 0);
	put32(CODE + reader.layout.code_first_line, UINT32_MAX);
	assert_int_equal(python_code_read(&reader, BASE + CODE, &code), 0);
	python_place_of(&reader, &code, 4, &line, &column);
	assert_int_equal(line, 0);
}

TEST(behind_the_deadline_nothing_is_read)
{
	struct python_code code;

	put_code(11);
	reader.deadline.ns = 1;
	assert_int_equal(python_code_read(&reader, BASE + CODE, &code), -EINVAL);
	assert_int_equal(reads, 0);
}

/* Words of _Py_DebugOffsets as 3.13.0 has them. */
static void put_told(uint8_t told[PYTHON_TOLD_BYTES])
{
	static const struct {
		uint8_t word;
		uint32_t value;
	} words[] = { { 1, 0x030d00f0 }, { 5, 632 }, { 9, 7344 }, { 21, 8 },   { 23, 72 },  { 24, 152 }, { 29, 8 },
		      { 31, 56 },	 { 33, 70 }, { 34, 208 }, { 35, 112 }, { 37, 128 }, { 38, 136 }, { 39, 68 },
		      { 43, 200 },	 { 45, 8 },  { 65, 16 },  { 66, 32 },  { 68, 32 },  { 69, 16 },	 { 70, 40 } };

	memset(told, 0, PYTHON_TOLD_BYTES);
	memcpy(told, "xdebugpy", 8);
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		memcpy(told + words[i].word * 8, &words[i].value, 4);
}

TEST(what_3_13_tells_of_itself_is_taken_when_it_makes_sense)
{
	uint8_t told[PYTHON_TOLD_BYTES];
	struct python_layout layout;

	put_told(told);
	assert_int_equal(python_layout_told(&layout, told), 0);
	assert_int_equal(layout.walk.interpreter, 640);
	assert_int_equal(layout.walk.threads, 7344);
	assert_int_equal(layout.walk.frame_bytes, 72);
	assert_int_equal(layout.string_wide, 56);
	told[16] = 1; /* without the global lock */
	assert_int_equal(python_layout_told(&layout, told), -ENOTSUP);
	put_told(told);
	told[10] = 14;
	assert_int_equal(python_layout_told(&layout, told), -ENOTSUP);
	put_told(told);
	told[0] = 'y';
	assert_int_equal(python_layout_told(&layout, told), -ENOTSUP);
	put_told(told);
	told[31 * 8] = 57; /* no word of a frame */
	assert_int_equal(python_layout_told(&layout, told), -ENOTSUP);
	put_told(told);
	told[31 * 8 + 2] = 1;
	assert_int_equal(python_layout_told(&layout, told), -ENOTSUP);
	put_told(told);
	told[37 * 8 + 5] = 1;
	assert_int_equal(python_layout_told(&layout, told), -ENOTSUP);
}

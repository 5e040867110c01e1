/* SPDX-License-Identifier: BSD-2-Clause */
/* The V8 reader over a heap made by hand: sound, odd and hostile. */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "source.h"
#include "v8_own.h"

#define BASE 0x200000ull
#define HEAP_BYTES (1u << 20)

enum {
	MAP_TYPE = 255,
	STRING = 32,
	ONE_BYTE = 40,
	CONS = 33,
	SLICED = 35,
	THIN = 37,
	EXTERNAL = 42,
	SHARED = 262,
	SCRIPT = 167,
	SCOPE_INFO = 261,
	BYTECODE_ARRAY = 191,
	BYTE_ARRAY = 190,
	FIXED_ARRAY = 175,
	CODE = 245,
	STREAM = 252,
	UNCOMPILED = 220,
	TYPES = 300
};

static uint8_t heap[HEAP_BYTES];
static uint64_t top, maps[TYPES];
static struct v8_reader reader;

static int read_heap(void *arg, uint64_t address, void *out, size_t bytes)
{
	if (address < BASE || address - BASE > HEAP_BYTES || bytes > HEAP_BYTES - (address - BASE))
		return -EFAULT;
	memcpy(out, heap + (address - BASE), bytes);
	return 0;
}

static void put_word(uint64_t address, uint64_t word)
{
	memcpy(heap + ((address & ~3ull) - BASE), &word, sizeof(word));
}

static void put_int(uint64_t address, int32_t value)
{
	memcpy(heap + ((address & ~3ull) - BASE), &value, sizeof(value));
}

static uint64_t smi(int32_t value)
{
	return (uint64_t)value << 32;
}

static uint64_t allocate(size_t bytes)
{
	uint64_t address = top;

	top += (bytes + 7) & ~7ull;
	assert_true(top - BASE <= HEAP_BYTES);
	return address + 1;
}

static uint64_t map_of(int type)
{
	if (!maps[type]) {
		maps[type] = allocate(80);
		memcpy(heap + (maps[type] - 1 + 12 - BASE), &(uint16_t){ type }, 2);
		put_word(maps[type], type == MAP_TYPE ? maps[type] : map_of(MAP_TYPE));
	}
	return maps[type];
}

static uint64_t object(int type, size_t bytes)
{
	uint64_t map = map_of(type), address = allocate(bytes);

	put_word(address, map);
	return address;
}

static uint64_t one_byte(const char *text)
{
	size_t length = strlen(text);
	uint64_t string = object(ONE_BYTE, 16 + length);

	put_int(string + 12, length);
	memcpy(heap + (string - 1 + 16 - BASE), text, length);
	return string;
}

static uint64_t two_byte(const uint16_t *units, int32_t length)
{
	uint64_t string = object(STRING, 16 + length * 2);

	put_int(string + 12, length);
	memcpy(heap + (string - 1 + 16 - BASE), units, length * 2);
	return string;
}

static uint64_t cons(uint64_t first, uint64_t second, int32_t length)
{
	uint64_t string = object(CONS, 32);

	put_int(string + 12, length);
	put_word(string + 16, first);
	put_word(string + 24, second);
	return string;
}

static uint64_t sliced(uint64_t parent, int32_t offset, int32_t length)
{
	uint64_t string = object(SLICED, 32);

	put_int(string + 12, length);
	put_word(string + 16, parent);
	put_word(string + 24, smi(offset));
	return string;
}

static uint64_t bytes_object(int type, size_t header, const void *bytes, int32_t length)
{
	uint64_t array = object(type, header + length);

	put_word(array + 8, smi(length));
	memcpy(heap + (array - 1 + header - BASE), bytes, length);
	return array;
}

static uint64_t words_object(const uint64_t *words, int32_t count)
{
	uint64_t array = object(FIXED_ARRAY, 16 + count * 8);

	put_word(array + 8, smi(count));
	for (int32_t i = 0; i < count; i++)
		put_word(array + 16 + i * 8, words[i]);
	return array;
}

static void set_up(void)
{
	memset(heap, 0, sizeof(heap));
	memset(maps, 0, sizeof(maps));
	memset(&reader, 0, sizeof(reader));
	top = BASE + 4096;
	reader.read = read_heap;
	reader.layout = (struct v8_layout){
		.map_type = 12, .function_shared = 24, .shared_data = 8, .shared_lazy_data = 40, .shared_name = 16, .shared_script = 32,
		.uncompiled_start = 16, .uncompiled_name = 8, .script_source = 8, .script_name = 16,
		.script_line_ends = 56, .script_eval_from = 72, .script_eval_position = 80, .script_source_url = 88, .string_length = 12, .one_byte_chars = 16,
		.two_byte_chars = 16, .external_data = 24, .cons_first = 16, .cons_second = 24, .sliced_parent = 16,
		.sliced_offset = 24, .thin_actual = 16, .array_length = 8, .array_data = 16, .bytecode_data = 54,
		.code_deoptimization = 16, .code_bytecode = 16, .code_positions = 24, .code_offset_table = 24,
		.map_of_maps = MAP_TYPE, .bytecode_array = BYTECODE_ARRAY, .byte_array = BYTE_ARRAY,
		.fixed_array = FIXED_ARRAY, .scope_info = SCOPE_INFO, .script = SCRIPT, .shared = SHARED, .code = CODE,
		.instruction_stream = STREAM, .interpreter_data = 159, .debug_info = 153, .first_non_string = 128,
		.first_uncompiled = 220, .last_uncompiled = 223, .representation_mask = 7, .encoding_mask = 8,
		.one_byte = 8, .cons = 1, .external = 2, .sliced = 3, .thin = 5, .kind_mask = 15, .kind_baseline = 11,
		.tagged_bytes = 8, .smi_shift_bits = 32, .deoptimization_literals = 2,
		.deoptimization_shared = 6, .deoptimization_positions = 7, .scope_locals = 2, .scope_first = 3,
		.code_entry = V8_NONE, .code_flags = V8_NONE, .code_bytes = V8_NONE, .stream_header = 16, .context_cell = V8_NONE,
		.trusted_byte_array = 196, .shared_wrapper = 195,
	};
	for (int i = 0; i < V8_BYTECODES; i++) {
		reader.layout.bytecode_bytes[0][i] = i < 4 ? 1 : 2;
		reader.layout.bytecode_bytes[1][i] = 3;
		reader.layout.bytecode_bytes[2][i] = 5;
	}
	v8_turn(&reader, 0);
}

static const char *text_of(uint64_t string)
{
	static char text[256];

	v8_turn(&reader, 0);
	return v8_string(&reader, string, text, sizeof(text)) < 0 ? "not a string" : text;
}

/* ---- tables ---- */

static size_t put_bits(uint8_t *to, uint64_t bits)
{
	size_t count = 0;

	for (; bits > 127; bits >>= 7)
		to[count++] = 128 | (bits & 127);
	to[count++] = bits;
	return count;
}

static size_t put_number(uint8_t *to, int64_t number)
{
	return put_bits(to, (uint64_t)number << 1 ^ (uint64_t)(number >> 63));
}

/* Positions as V8 has them: statement bit, position + 1, inlined call + 1. */
static uint64_t place(int32_t position, int32_t call)
{
	return (uint64_t)(position + 1) << 1 | (uint64_t)(call + 1) << 31;
}

struct pair {
	int32_t offset;
	uint64_t position;
};

/* Flagged: as V8 14 writes it, every second a statement. Else every second an expression. */
static size_t make_table_as(uint8_t *to, const struct pair *pairs, size_t count, int is_flagged)
{
	struct pair before = { -1, 0 };
	size_t bytes = 0;

	for (size_t i = 0; i < count; before = pairs[i++]) {
		int64_t step = pairs[i].offset - before.offset;

		bytes += is_flagged ? put_bits(to + bytes, (uint64_t)step << 2 | 2 | i % 2)
				    : put_number(to + bytes, i % 2 ? -step - 1 : step);
		bytes += put_number(to + bytes, (int64_t)(pairs[i].position - before.position));
	}
	return bytes;
}

static size_t make_table(uint8_t *to, const struct pair *pairs, size_t count)
{
	return make_table_as(to, pairs, count, 0);
}

static const struct pair four[] = { { 0, 10 }, { 5, 400 }, { 9, 300 }, { 300, 1ull << 40 } };

TEST(a_position_is_that_of_the_last_entry_not_behind_the_offset)
{
	static const struct pair asked[] = { { 0, 10 },	 { 4, 10 },    { 5, 400 },	    { 8, 400 },
					     { 9, 300 }, { 299, 300 }, { 300, 1ull << 40 }, { INT32_MAX, 1ull << 40 } };
	uint8_t table[64];
	uint64_t position;

	for (int is_flagged = 0; is_flagged < 2; is_flagged++) {
		size_t bytes = make_table_as(table, four, 4, is_flagged);

		for (size_t i = 0; i < sizeof(asked) / sizeof(*asked); i++) {
			assert_int_equal(v8_position_lookup(table, bytes, is_flagged, asked[i].offset, &position), 0);
			assert_true(position == asked[i].position);
		}
		assert_int_equal(v8_position_lookup(table, bytes, is_flagged, -1, &position), -ENOENT);
		assert_int_equal(v8_position_lookup(table, 0, is_flagged, 5, &position), -ENOENT);
	}
}

TEST(a_table_of_exception_handlers_is_no_position_table)
{
	static const struct pair rising[] = { { -1, 20 }, { 0, 40 }, { 7, 30 }, { 90, 800 } };
	static const int32_t handlers[] = { 50, 198, 24 << 3, 9, 0, 3, 16, 1 };
	uint8_t table[64];

	for (int is_flagged = 0; is_flagged < 2; is_flagged++) {
		size_t bytes = make_table_as(table, rising, 4, is_flagged);

		assert_true(v8_position_table(table, bytes, is_flagged));
		assert_false(v8_position_table(table, bytes - 1, is_flagged));
		assert_false(v8_position_table(table, 0, is_flagged));
		assert_false(v8_position_table((const uint8_t *)handlers, sizeof(handlers), is_flagged));
		assert_false(v8_position_table((const uint8_t *)(handlers + 4), 16, is_flagged));
		/* an inlined call has no place in a table of bytecodes */
		bytes = make_table_as(table, four, 4, is_flagged);
		assert_false(v8_position_table(table, bytes, is_flagged));
	}
}

TEST(a_position_table_that_is_cut_keeps_its_whole_entries)
{
	uint8_t table[64];
	size_t bytes = make_table(table, four, 4);
	uint64_t position;

	for (size_t cut = 0; cut < bytes; cut++) {
		uint8_t *exact = malloc(cut + 1);

		memcpy(exact, table, cut);
		if (!v8_position_lookup(exact, cut, 0, 1000, &position))
			assert_true(position == 10 || position == 400 || position == 300);
		free(exact);
	}
	/* a number that never ends */
	memset(table, 0xff, sizeof(table));
	assert_int_equal(v8_position_lookup(table, sizeof(table), 0, 0, &position), -ENOENT);
}

TEST(machine_code_of_the_baseline_compiler_belongs_to_the_bytecode_it_was_made_of)
{
	/* prologue to 20; then four bytecodes: 10, 300, 5 and 7 bytes of code; the second has wide operands */
	static const uint8_t table[] = { 20, 10, (300 & 127) | 128, 300 >> 7, 5, 7 };
	static const uint8_t bytecodes[] = { 9, 0, 0, 9, 0, 0, 9, 0, 1, 9, 0, 0, 0, 0 };
	int32_t offset;

	set_up();
	const struct {
		uint32_t pc;
		int32_t offset;
	} asked[] = { { 1, -1 },  { 20, -1 }, { 21, 0 },  { 30, 0 },  { 31, 2 },
		      { 330, 2 }, { 331, 6 }, { 335, 6 }, { 336, 8 }, { 342, 8 } };
	for (size_t i = 0; i < sizeof(asked) / sizeof(*asked); i++) {
		assert_int_equal(v8_baseline_lookup(&reader.layout, table, sizeof(table), bytecodes, sizeof(bytecodes),
						    asked[i].pc, &offset),
				 0);
		assert_int_equal(offset, asked[i].offset);
	}
	assert_int_equal(
		v8_baseline_lookup(&reader.layout, table, sizeof(table), bytecodes, sizeof(bytecodes), 343, &offset),
		-ENOENT);
	assert_int_equal(v8_baseline_lookup(&reader.layout, table, sizeof(table), bytecodes, 1, 331, &offset), -ENOENT);
	assert_int_equal(v8_baseline_lookup(&reader.layout, table, 0, bytecodes, 2, 1, &offset), -ENOENT);
}

TEST(the_saved_frame_pointer_is_found_in_the_instructions_that_save_it)
{
	uint8_t code[] = { 0x55, 0x48, 0x89, 0xe5, 0x49, 0x89, 0xad, 0x00, 0x01, 0x00, 0x00,
			   0x90, 0x49, 0x8d, 0x55, 0x80, 0xff, 0xd3, 0x90, 0x90, 0x90 };

	assert_int_equal(v8_find_c_entry_fp(code, sizeof(code)), 0x180);
	assert_int_equal(v8_find_c_entry_fp(code, 12), 0);
	assert_int_equal(v8_find_c_entry_fp(code, 0), 0);
	code[7] = 1;
	assert_int_equal(v8_find_c_entry_fp(code, sizeof(code)), 0);
}

/* ---- strings ---- */

TEST(strings_of_every_form_are_read_as_utf8)
{
	static const uint16_t units[] = { 'a', 0x20ac, 0xd83d, 0xde00, 0xdc00, 0xd800, 'z' };

	set_up();
	uint64_t left = one_byte("caf\xe9"), right = two_byte(units, 7);
	assert_string_equal(text_of(left), "caf\u00e9");
	assert_string_equal(text_of(right), "a\u20ac\U0001f600\ufffd\ufffdz");
	uint64_t both = cons(left, one_byte("-bar"), 8);
	assert_string_equal(text_of(both), "caf\u00e9-bar");
	assert_string_equal(text_of(sliced(both, 2, 4)), "f\u00e9-b");
	uint64_t thin = object(THIN, 24);
	put_int(thin + 12, 8);
	put_word(thin + 16, both);
	assert_string_equal(text_of(thin), "caf\u00e9-bar");
	uint64_t external = object(EXTERNAL, 32);
	put_int(external + 12, 3);
	put_word(external + 24, left - 1 + 16);
	assert_string_equal(text_of(external), "caf");
	put_word(external + 24, 0);
	assert_string_equal(text_of(external), "not a string");
	assert_string_equal(text_of(object(SCRIPT, 64)), "not a string");
	assert_string_equal(text_of(smi(7)), "not a string");
	assert_string_equal(text_of(1), "not a string");
}

TEST(a_string_that_is_too_long_is_cut_at_a_character_and_says_so)
{
	char text[16], long_text[70000];

	set_up();
	memset(long_text, 0xe9, sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	uint64_t string = one_byte(long_text);
	assert_int_equal(v8_string(&reader, string, text, sizeof(text)), 15);
	assert_string_equal(text, "\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u2026");
	put_int(string + 12, -1);
	assert_string_equal(text_of(string), "not a string");
	/* a length that reaches out of the heap */
	put_int(string + 12, INT32_MAX);
	put_word(string, map_of(STRING));
	v8_turn(&reader, 0);
	assert_int_equal(v8_string(&reader, string, text, sizeof(text)) >= 0, 1);
}

TEST(strings_that_contain_themselves_or_double_at_each_level_end)
{
	char text[64];

	set_up();
	uint64_t knot = cons(0, 0, 1 << 20);
	put_word(knot + 16, knot);
	put_word(knot + 24, knot);
	assert_string_equal(text_of(knot), "not a string");
	uint64_t thin = object(THIN, 24);
	put_int(thin + 12, 5);
	put_word(thin + 16, thin);
	assert_string_equal(text_of(thin), "not a string");
	/* all empty: no character ever fills the room */
	uint64_t tree = one_byte("");
	for (int level = 0; level < 40; level++)
		tree = cons(tree, tree, 100);
	v8_turn(&reader, 0);
	assert_true(v8_string(&reader, tree, text, sizeof(text)) < 0);
}

/* ---- functions and scripts ---- */

static uint64_t script_of(const char *name, uint64_t source)
{
	uint64_t script = object(SCRIPT, 120);

	put_word(script + 8, source);
	put_word(script + 16, name ? one_byte(name) : smi(0));
	put_word(script + 72, smi(0));
	return script;
}

static uint64_t shared_of(uint64_t name, uint64_t data, uint64_t script)
{
	uint64_t shared = object(SHARED, 64);

	put_word(shared + 8, data);
	put_word(shared + 16, name);
	put_word(shared + 32, script);
	return shared;
}

/* flags: 2 = a function; then the slots behind the counts */
static uint64_t scope_of(int32_t flags, int32_t locals, const uint64_t *slots, int count)
{
	uint64_t scope = object(SCOPE_INFO, 32 + count * 8);

	put_word(scope + 8, smi(flags));
	put_word(scope + 24, smi(locals));
	for (int i = 0; i < count; i++)
		put_word(scope + 32 + i * 8, slots[i]);
	return scope;
}

static struct v8_function function;

static int read_function(uint64_t shared, struct v8_function *out)
{
	v8_turn(&reader, 0);
	return v8_function_read(&reader, shared, out);
}

TEST(a_function_has_the_name_and_start_that_its_scope_tells)
{
	set_up();
	uint64_t script = script_of("/srv/app.js", one_byte("a\nb\n"));
	const uint64_t named[] = { 0, 0, 0, 0, one_byte("hashPw"), smi(0), smi(17), smi(99) };
	assert_int_equal(read_function(shared_of(scope_of(2 | 1 << 12, 2, named, 8), smi(3), script), &function), 0);
	assert_string_equal(function.name, "hashPw");
	assert_int_equal(function.start, 17);
	assert_true(function.script == script);
	const uint64_t inferred[] = { one_byte(""), smi(0), one_byte("table.row"), smi(5), smi(9) };
	read_function(shared_of(scope_of(2 | 1 << 12 | 1 << 14, 0, inferred, 5), smi(3), script), &function);
	assert_string_equal(function.name, "table.row");
	assert_int_equal(function.start, 5);
	/* a class keeps a variable of its own; more than 74 names of locals are in a table */
	uint64_t many[1 + 75 + 1 + 2 + 2] = { smi(0) };
	many[77] = one_byte("big");
	many[79] = smi(33);
	read_function(shared_of(scope_of(2 | 1 << 10 | 2 << 12, 75, many, 81), smi(3), script), &function);
	assert_string_equal(function.name, "big");
	assert_int_equal(function.start, 33);
	/* not compiled yet: the name is a string, the rest in the data */
	uint64_t data = object(UNCOMPILED, 24);
	put_int(data + 16, 41);
	put_word(data + 8, one_byte("guess"));
	read_function(shared_of(one_byte("lazy"), data, script), &function);
	assert_string_equal(function.name, "lazy");
	assert_int_equal(function.start, 41);
	read_function(shared_of(smi(0), data, smi(0)), &function);
	assert_string_equal(function.name, "guess");
	assert_true(function.script == 0);
	assert_int_equal(read_function(script, &function), -EINVAL);
	assert_int_equal(read_function(0, &function), -EINVAL);
}

TEST(since_v8_13_a_scope_begins_with_bare_flags_and_the_place)
{
	set_up();
	reader.layout.scope_first = 5;
	const uint64_t slots[] = { smi(17), smi(99), one_byte("hashPw"), smi(0) };
	uint64_t scope = scope_of(0, 0, slots, 4), script = script_of("/srv/app.js", one_byte(""));
	put_word(scope + 8, 2 | 1 << 12);
	assert_int_equal(read_function(shared_of(scope, smi(3), script), &function), 0);
	assert_string_equal(function.name, "hashPw");
	assert_int_equal(function.start, 17);
	/* what is not compiled lies in a field of its own */
	uint64_t data = object(UNCOMPILED, 24), shared = shared_of(smi(0), smi(0), script);
	put_int(data + 16, 41);
	put_word(data + 8, one_byte("guess"));
	put_word(shared + 40, data);
	assert_int_equal(read_function(shared, &function), 0);
	assert_string_equal(function.name, "guess");
	assert_int_equal(function.start, 41);
}

static void expect_line(struct v8_scripts *scripts, uint64_t script, int32_t position, uint32_t line, uint32_t column)
{
	uint32_t got_line = 0, got_column = 0;

	v8_turn(&reader, 0);
	assert_int_equal(v8_line(scripts, &reader, script, position, &got_line, &got_column), 0);
	assert_int_equal(got_line, line);
	assert_int_equal(got_column, column);
}

TEST(lines_are_counted_as_the_language_ends_them_or_taken_from_the_script)
{
	static const uint16_t units[] = { 'a', 0x2028, 'b', '\r', '\n', 'c', '\r', 'd', '\n', 'e' };
	struct v8_scripts *scripts;
	uint32_t line, column;

	set_up();
	assert_int_equal(v8_scripts_open(&scripts), 0);
	uint64_t script = script_of("a.js", two_byte(units, 10));
	expect_line(scripts, script, 0, 1, 1);
	expect_line(scripts, script, 1, 1, 2);
	expect_line(scripts, script, 2, 2, 1);
	expect_line(scripts, script, 5, 3, 1);
	expect_line(scripts, script, 7, 4, 1);
	expect_line(scripts, script, 9, 5, 1);
	assert_int_equal(v8_line(scripts, &reader, script, 11, &line, &column), -ENOENT);
	assert_int_equal(v8_line(scripts, &reader, script, -1, &line, &column), -ENOENT);
	/* another script in the same place */
	const uint64_t ends[] = { smi(3), smi(8) };
	put_word(script + 8, one_byte("abc\ndefg"));
	put_word(script + 56, words_object(ends, 2));
	expect_line(scripts, script, 5, 2, 2);
	/* a table that does not rise is not believed: the source is counted */
	const uint64_t falling[] = { smi(8), smi(3) };
	uint64_t other = script_of("b.js", one_byte("x\ny\nz"));
	put_word(other + 56, words_object(falling, 2));
	expect_line(scripts, other, 4, 3, 1);
	assert_int_equal(v8_line(scripts, &reader, script_of("c.js", smi(0)), 0, &line, &column), -ENOENT);
	v8_scripts_close(scripts);
}

TEST(evaluated_code_is_named_by_the_place_that_evaluated_it)
{
	char name[256];
	static const uint8_t bytecodes[16] = { 9 };
	const struct pair pairs[] = { { 0, place(0, -1) }, { 6, place(5, -1) } };
	uint8_t table[16];
	struct v8_scripts *scripts;

	set_up();
	assert_int_equal(v8_scripts_open(&scripts), 0);
	uint64_t outer = script_of("/srv/app.js", one_byte("ab\ncdefg")), inner = script_of(NULL, one_byte(""));
	uint64_t array = bytes_object(BYTECODE_ARRAY, 54, bytecodes, sizeof(bytecodes));
	put_word(array + 32, bytes_object(BYTE_ARRAY, 16, table, make_table(table, pairs, 2)));
	put_word(inner + 72, shared_of(one_byte("f"), array, outer));
	put_word(inner + 80, smi(4));
	assert_int_equal(v8_script_is_evaluated(&reader, outer), 0);
	assert_int_equal(v8_script_is_evaluated(&reader, inner), 1);
	assert_int_equal(v8_script_name(scripts, &reader, outer, name, sizeof(name)), 11);
	assert_int_equal(v8_script_name(scripts, &reader, inner, name, sizeof(name)), 27);
	assert_string_equal(name, "eval at f (/srv/app.js:2:2)");
	/* where it is kept as a place in the bytecode */
	put_word(inner + 80, smi(-6));
	v8_turn(&reader, 0);
	v8_script_name(scripts, &reader, inner, name, sizeof(name));
	assert_string_equal(name, "eval at f (/srv/app.js:2:3)");
	uint64_t innermost = script_of(NULL, one_byte(""));
	put_word(innermost + 72, shared_of(one_byte(""), smi(0), inner));
	v8_turn(&reader, 0);
	v8_script_name(scripts, &reader, innermost, name, sizeof(name));
	assert_string_equal(name, "eval at <anonymous> (eval at f (/srv/app.js:2:3))");
	/* no place: none is told */
	put_word(inner + 80, smi(INT32_MIN));
	v8_turn(&reader, 0);
	v8_script_name(scripts, &reader, inner, name, sizeof(name));
	assert_string_equal(name, "eval at f (/srv/app.js)");
	/* the name that it gave itself */
	put_word(inner + 88, one_byte("webpack:///app.js"));
	v8_turn(&reader, 0);
	v8_script_name(scripts, &reader, innermost, name, sizeof(name));
	assert_string_equal(name, "eval at <anonymous> (webpack:///app.js:1:1)");
	uint64_t knot = script_of(NULL, one_byte(""));
	put_word(knot + 72, shared_of(one_byte("g"), smi(0), knot));
	v8_turn(&reader, 0);
	assert_int_equal(v8_script_name(scripts, &reader, knot, name, sizeof(name)), 0);
	assert_string_equal(name, "");
	v8_scripts_close(scripts);
}

/* ---- generated code ---- */

/* Instructions of `bytes` behind their header, and the Code that describes them. */
static uint64_t code_of(int kind, uint32_t bytes, uint64_t *start)
{
	uint64_t code = object(CODE, 96), stream = object(STREAM, 16 + bytes);

	*start = stream - 1 + 16;
	put_word(stream + 8, code);
	put_word(code + 40, *start);
	put_int(code + 48, 0x1234560 | kind);
	put_int(code + 56, bytes);
	v8_turn(&reader, 0);
	return code;
}

TEST(generated_code_is_found_by_the_header_before_it_and_proves_itself)
{
	uint64_t start, later, object_of;
	struct v8_code code;

	set_up();
	object_of = code_of(13, 9000, &start);
	code_of(11, 64, &later);
	assert_int_equal(v8_code_find(&reader, start, &code), 0);
	assert_true(code.object == object_of && code.start == start && code.bytes == 9000 && code.kind == 13);
	assert_int_equal(v8_code_find(&reader, start + 8999, &code), 0);
	assert_int_equal(v8_code_find(&reader, later + 3, &code), 0);
	assert_true(code.start == later && code.kind == 11);
	/* found once it needs no search, as long as it is there */
	assert_int_equal(v8_code_again(&reader, later + 3, &code), 0);
	assert_int_equal(v8_code_again(&reader, later + 65, &code), -ENOENT);
	put_word(later - 8, object_of);
	v8_turn(&reader, 0);
	assert_int_equal(v8_code_again(&reader, later + 3, &code), -ENOENT);
	put_word(later - 8, code.object);
	v8_turn(&reader, 0);
	/* behind its end there is nothing */
	assert_int_equal(v8_code_find(&reader, later + 65, &code), -ENOENT);
	/* words in the instructions that look like a header are none: the Code does not begin there */
	put_word(start + 800, map_of(STREAM));
	put_word(start + 808, object_of);
	v8_turn(&reader, 0);
	assert_int_equal(v8_code_find(&reader, start + 900, &code), 0);
	assert_true(code.start == start);
	assert_int_equal(v8_code_find(&reader, 7, &code), -ENOENT);
	assert_int_equal(v8_code_find(&reader, UINT64_MAX, &code), -ENOENT);
}

TEST(inlined_functions_are_told_innermost_first_with_the_place_of_each_call)
{
	struct v8_place places[V8_INLINED_MAX];
	struct v8_code code;
	uint8_t table[64];
	uint64_t start;

	set_up();
	uint64_t functions[3];
	for (int i = 0; i < 3; i++)
		functions[i] = shared_of(one_byte("f"), smi(0), smi(0));
	/* call 0: the second function, at 100 of the outermost; call 1: the third, at 200 of the second */
	const struct {
		uint64_t position;
		int32_t function, zero;
	} calls[] = { { place(100, -1), 0, 0 }, { place(200, 0), 1, 0 } };
	const uint64_t literals[] = { functions[1] | 2, functions[2] };
	const struct pair pairs[] = { { 0, place(1, -1) }, { 10, place(300, 1) }, { 20, place(150, 0) } };
	uint64_t data[8] = { 0 };
	data[2] = words_object(literals, 2);
	data[6] = functions[0];
	data[7] = bytes_object(BYTE_ARRAY, 16, calls, sizeof(calls));
	uint64_t object_of = code_of(13, 64, &start);
	put_word(object_of + 16, words_object(data, 8));
	put_word(object_of + 24, bytes_object(BYTE_ARRAY, 16, table, make_table(table, pairs, 3)));
	v8_turn(&reader, 0);
	assert_int_equal(v8_code_find(&reader, start + 12, &code), 0);
	assert_int_equal(v8_optimized_places(&reader, &code, start + 12, 0, places), 3);
	assert_true(places[0].shared == functions[2] && places[0].position == 300);
	assert_true(places[1].shared == functions[1] && places[1].position == 200);
	assert_true(places[2].shared == functions[0] && places[2].position == 100);
	/* a return address belongs to the call before it */
	assert_int_equal(v8_optimized_places(&reader, &code, start + 10, 1, places), 1);
	assert_int_equal(places[0].position, 1);
	assert_int_equal(v8_optimized_places(&reader, &code, start + 20, 0, places), 2);
	/* calls that name each other end, and nothing is claimed of the outermost */
	put_word(data[7] + 16, place(5, 1));
	v8_turn(&reader, 0);
	assert_int_equal(v8_optimized_places(&reader, &code, start + 12, 0, places), V8_INLINED_MAX);
	assert_true(places[V8_INLINED_MAX - 1].shared == functions[0] && places[V8_INLINED_MAX - 1].position == -1);
	put_word(object_of + 16, smi(0));
	v8_turn(&reader, 0);
	assert_int_equal(v8_optimized_places(&reader, &code, start + 12, 0, places), 0);
}

/* ---- code of the middle compiler ---- */

/* Kinds of operations: two frames of functions, two of builtins, the beginning, a value, and "as before". */
enum { FRAME_RESULT, FRAME_PLAIN, BEGIN = 4, VALUE, SHARE, KINDS };

static void set_operations(void)
{
	static const uint8_t operands[KINDS] = { 6, 4, 3, 3, 3, 1, 1 };

	reader.layout.operations = KINDS;
	reader.layout.operation_frame = 0;
	memcpy(reader.layout.operands, operands, sizeof(operands));
}

enum { JS_FUNCTION = 280 };

/* A function whose map describes "length" and "name", the latter with these details; three words behind its header. */
static uint64_t function_with(uint64_t shared, int32_t details)
{
	uint64_t made = object(JS_FUNCTION, 80), map = allocate(80), descriptors = object(FIXED_ARRAY, 24 + 6 * 8);

	put_word(map, map_of(MAP_TYPE));
	put_word(map + 8, 10 | 7 << 8 | (uint64_t)JS_FUNCTION << 32);
	put_word(map + 40, descriptors);
	put_word(descriptors + 8, 2);
	put_word(descriptors + 24, one_byte("length"));
	put_word(descriptors + 32, smi(1));
	put_word(descriptors + 48, one_byte("name"));
	put_word(descriptors + 56, smi(details));
	put_word(made, map);
	put_word(made + 24, shared);
	return made;
}

static void set_properties(void)
{
	struct v8_layout *at = &reader.layout;

	at->map_words = 8;
	at->map_first_property = 9;
	at->map_descriptors = 40;
	at->descriptors_header = 24;
	at->object_properties = 8;
	at->property_kind_mask = 1;
	at->property_location_mask = 32;
	at->property_index_shift = 19;
	at->dictionary_prefix = 3;
	at->dictionary_prefix_words = 2;
	at->dictionary_entry_words = 3;
}

TEST(a_name_of_its_own_is_read_from_where_the_map_says)
{
	set_up();
	uint64_t shared = shared_of(one_byte("source"), smi(0), smi(0)), other = shared_of(one_byte("other"), smi(0), smi(0));
	uint64_t within = function_with(shared, 1 << 19), further = function_with(shared, 4 << 19);
	uint64_t accessor = function_with(shared, 1 | 1 << 19), renamed = function_with(shared, 0), moved = allocate(80);
	const uint64_t words[] = { smi(1), one_byte("second") };
	const uint64_t table[] = { smi(2), smi(0), smi(4), 0, 0, smi(7), smi(7), smi(0), one_byte("name"), one_byte("third"), smi(0) };

	put_word(within + (7 + 1) * 8, one_byte("first"));
	put_word(further + 8, words_object(words, 2));
	put_word(accessor + (7 + 1) * 8, one_byte("none"));
	/* its properties are a table */
	put_word(renamed + 8, words_object(table, 11));
	uint64_t map;
	memcpy(&map, heap + (renamed - 1 - BASE), 8);
	put_word(map + 40, object(FIXED_ARRAY, 24));
	put_word(moved, within - 1);
	v8_turn(&reader, 0);
	assert_int_equal(v8_own_name(&reader, within, shared), 0);
	set_properties();
	for (int round = 0; round < 2; round++) {
		assert_string_equal(text_of(v8_own_name(&reader, within, shared)), "first");
		assert_string_equal(text_of(v8_own_name(&reader, further, shared)), "second");
		assert_string_equal(text_of(v8_own_name(&reader, renamed, shared)), "third");
		assert_string_equal(text_of(v8_own_name(&reader, moved, shared)), "first");
		assert_int_equal(v8_own_name(&reader, accessor, shared), 0);
	}
	/* something else has its place, or no string is there */
	assert_int_equal(v8_own_name(&reader, within, other), 0);
	put_word(within + (7 + 1) * 8, smi(3));
	v8_turn(&reader, 0);
	assert_int_equal(v8_own_name(&reader, within, shared), 0);
	assert_int_equal(v8_own_name(&reader, 7, shared), 0);
	/* it says that it moved to itself */
	put_word(moved, moved - 1);
	v8_turn(&reader, 0);
	assert_int_equal(v8_own_name(&reader, moved, shared), 0);
}

static const uint8_t translations[] = {
	/* 0: two frames: function 0 at bytecode 2, function 1 at 4 */
	BEGIN, 0, 4, 4, FRAME_PLAIN, 4, 0, 0, 0, VALUE, 3, FRAME_PLAIN, 8, 2, 0, 0,
	/* 16: the first two operations of that, then its own: function 2 at 6 */
	BEGIN, 16, 4, 4, KINDS + 2, VALUE, 9, FRAME_RESULT, 12, 4, 0, 0, 0, 0,
	/* 30: its own frame at 3, then two as before */
	BEGIN, 30, 4, 4, FRAME_PLAIN, 6, 0, 0, 0, SHARE, 2,
	/* 41: function 0 at 5, with a builtin that was inlined */
	BEGIN, 0, 4, 4, FRAME_PLAIN, 10, 0, 0, 0, VALUE, 10, VALUE, 12, 2, 1, 0, 0,
};

TEST(a_translation_shares_operations_with_an_earlier_one)
{
	struct v8_interpreted frames[V8_INLINED_MAX];
	const struct v8_layout *layout = &reader.layout;

	set_up();
	assert_int_equal(v8_translation_read(layout, translations, sizeof(translations), 0, frames), 0);
	set_operations();
	assert_int_equal(v8_translation_read(layout, translations, sizeof(translations), 0, frames), 2);
	assert_true(frames[0].bytecode == 2 && frames[0].shared == 0);
	assert_true(frames[1].bytecode == 4 && frames[1].shared == 1);
	assert_int_equal(v8_translation_read(layout, translations, sizeof(translations), 16, frames), 2);
	assert_true(frames[0].bytecode == 2 && frames[0].shared == 0);
	assert_true(frames[1].bytecode == 6 && frames[1].shared == 2);
	assert_int_equal(v8_translation_read(layout, translations, sizeof(translations), 30, frames), 2);
	assert_true(frames[0].bytecode == 3 && frames[0].shared == 0);
	assert_true(frames[1].bytecode == 4 && frames[1].shared == 1);
	assert_int_equal(v8_translation_read(layout, translations, sizeof(translations), 41, frames), 1);
	assert_int_equal(frames[0].bytecode, 5);
	/* the first value is the function itself */
	assert_int_equal(frames[0].function, 5);
	/* cut, begun elsewhere, or with an earlier one before the table */
	assert_int_equal(v8_translation_read(layout, translations, 14, 0, frames), 0);
	assert_int_equal(v8_translation_read(layout, translations, sizeof(translations), 4, frames), 0);
	assert_int_equal(v8_translation_read(layout, translations, sizeof(translations), 1000, frames), 0);
	assert_int_equal(v8_translation_read(layout, translations, sizeof(translations), -1, frames), 0);
	assert_int_equal(v8_translation_read(layout, translations + 16, 14, 0, frames), 0);
}

static uint64_t compiled_function(int32_t first, int32_t step)
{
	static const uint8_t bytecodes[16] = { 9 };
	const struct pair pairs[] = { { 0, place(first, -1) }, { 2, place(first + step, -1) }, { 4, place(first + 2 * step, -1) },
				      { 6, place(first + 3 * step, -1) } };
	uint8_t table[32];
	uint64_t array = bytes_object(BYTECODE_ARRAY, 54, bytecodes, sizeof(bytecodes));

	put_word(array + 32, bytes_object(BYTE_ARRAY, 16, table, make_table(table, pairs, 4)));
	return shared_of(one_byte("f"), array, smi(0));
}

/* 64 bytes of instructions: calls return to 20 and 40, a check at 28 leaves to 50. */
static uint64_t middle_code(uint64_t data, int is_new, uint64_t *start)
{
	static const uint8_t check[] = { 0x0f, 0x84, 16, 0, 0, 0 };
	/* return address, entry and where it was led to, both one more, registers */
	static const uint8_t calls[] = { 20, 2, 0, 0, 40, 3, 61, 0 };
	uint64_t code = code_of(12, 64, start), table = allocate(16 + sizeof(calls));
	const int32_t header[] = { 2, 1 | 1 << 4 | 1 << 7, 0, 0 };

	memcpy(heap + (*start + 28 - BASE), check, sizeof(check));
	put_word(code + 16, data);
	put_word(code + 24, smi(0));
	put_int(table, is_new ? 9 : header[0]);
	put_int(table + 4, is_new ? header[0] : header[1]);
	put_int(table + 8, is_new ? header[1] : 0);
	memcpy(heap + (table - 1 + 16 - BASE), calls, sizeof(calls));
	v8_turn(&reader, 0);
	return code;
}

TEST(code_without_positions_is_where_its_translations_say)
{
	struct v8_place places[V8_INLINED_MAX];
	struct v8_code code;
	uint64_t start;

	set_up();
	set_operations();
	uint64_t functions[] = { compiled_function(10, 1), compiled_function(100, 10) | 2, compiled_function(1000, 100) };
	uint64_t data[20] = { 0 };
	data[0] = bytes_object(BYTE_ARRAY, 16, translations, sizeof(translations));
	data[2] = words_object(functions, 3);
	data[6] = functions[0];
	data[7] = bytes_object(BYTE_ARRAY, 16, "", 0);
	/* a check within function 1, a call from it, a call from function 2 */
	const int32_t numbers[] = { 1, 2, 0, 0, 50, 0, 0, 55, 0, 16, 60 };
	for (int i = 0; i < 11; i++)
		data[9 + i] = smi(numbers[i]);
	uint64_t array = words_object(data, 20);

	for (int is_new = 0; is_new < 2; is_new++) {
		middle_code(array, is_new, &start);
		assert_int_equal(v8_code_find(&reader, start + 30, &code), 0);
		assert_int_equal(v8_optimized_places(&reader, &code, start + 20, 1, places), 2);
		assert_true(places[0].shared == (functions[1] & ~2ull) && places[0].position == 120 && !places[0].is_near);
		assert_true(places[1].shared == functions[0] && places[1].position == 11 && !places[1].is_near);
		assert_int_equal(v8_optimized_places(&reader, &code, start + 40, 1, places), 2);
		assert_true(places[0].shared == functions[2] && places[0].position == 1300);
		/* the call was given up, and returns to its exit */
		assert_int_equal(v8_optimized_places(&reader, &code, start + 60, 1, places), 2);
		assert_true(places[0].shared == functions[2]);
		/* between a call and a check of the same function: in it, not far behind the call */
		assert_int_equal(v8_optimized_places(&reader, &code, start + 25, 0, places), 2);
		assert_true(places[0].shared == (functions[1] & ~2ull) && places[0].position == 120 && places[0].is_near);
		assert_true(places[1].position == 11 && !places[1].is_near);
		/* between two inlined functions: only the outermost is certain */
		assert_int_equal(v8_optimized_places(&reader, &code, start + 35, 0, places), 1);
		assert_true(places[0].shared == functions[0] && places[0].is_near);
		/* what is behind no call is the function's */
		assert_int_equal(v8_optimized_places(&reader, &code, start + 30, 1, places), 1);
		assert_true(places[0].shared == functions[0] && places[0].position == -1);
	}
	/* of another function */
	put_word(array + 16 + 6 * 8, functions[2]);
	v8_turn(&reader, 0);
	assert_int_equal(v8_optimized_places(&reader, &code, start + 20, 1, places), 1);
	assert_true(places[0].shared == functions[2] && places[0].position == -1);
}

TEST(an_interpreted_function_is_where_its_saved_offset_says)
{
	static const uint8_t bytecodes[16] = { 9 };
	const struct pair pairs[] = { { 0, place(7, -1) }, { 6, place(70, -1) } };
	uint8_t table[16];

	set_up();
	uint64_t array = bytes_object(BYTECODE_ARRAY, 54, bytecodes, sizeof(bytecodes));
	put_word(array + 24, bytes_object(BYTE_ARRAY, 16, "\xff", 1)); /* handlers of exceptions */
	put_word(array + 32, bytes_object(BYTE_ARRAY, 16, table, make_table(table, pairs, 2)));
	v8_turn(&reader, 0);
	assert_int_equal(v8_interpreted_position(&reader, array, 53), 7);
	assert_int_equal(v8_interpreted_position(&reader, array, 53 + 6), 70);
	assert_int_equal(v8_interpreted_position(&reader, array, 53 + 16), -1);
	assert_int_equal(v8_interpreted_position(&reader, array, 0), -1);
	assert_int_equal(v8_interpreted_position(&reader, array, INT32_MAX), -1);
	assert_int_equal(v8_interpreted_position(&reader, table[0] | 1, 53), -1);
}

/* ---- hostile ---- */

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

/* Asks everything that can be asked of one word. */
static void ask_all(struct v8_scripts *scripts, uint64_t word)
{
	struct v8_place places[V8_INLINED_MAX];
	struct v8_code code;
	uint32_t line, column;
	char text[64];

	v8_turn(&reader, 0);
	v8_string(&reader, word, text, sizeof(text));
	v8_script_name(scripts, &reader, word, text, sizeof(text));
	v8_line(scripts, &reader, word, 20, &line, &column);
	v8_interpreted_position(&reader, word, 60);
	if (!v8_function_read(&reader, word, &function))
		v8_line(scripts, &reader, function.script, function.start, &line, &column);
	v8_function_bytecode(&reader, word);
	v8_own_name(&reader, word, word);
	if (v8_code_find(&reader, word + 64, &code))
		code = (struct v8_code){ .object = word, .start = word, .bytes = 100, .kind = 13 };
	v8_optimized_places(&reader, &code, code.start + 12, 1, places);
	v8_optimized_places(&reader, &code, code.start + 11, 0, places);
	v8_baseline_position(&reader, &code, code.start + 12);
}

TEST(a_heap_with_random_words_in_random_places_never_harms)
{
	static uint8_t sound[HEAP_BYTES];
	struct v8_scripts *scripts;
	uint32_t random = 11;
	uint64_t start, used, roots[64];
	uint8_t table[64];

	set_up();
	const uint64_t slots[] = { one_byte("name"), smi(0), one_byte("guess"), smi(2), smi(9) };
	const uint64_t ends[] = { smi(3), smi(8) };
	for (int i = 0; i < 16; i++) {
		uint64_t script =
			script_of(i % 3 ? "x.js" : NULL, cons(one_byte("a\nb"), sliced(one_byte("c\n\nd"), 1, 3), 6));
		put_word(script + 56, words_object(ends, 2));
		uint64_t code = code_of(11 + i % 3, 200, &start);
		put_word(code + 24, bytes_object(BYTE_ARRAY, 16, table, make_table(table, four, 4)));
		roots[i * 4] = shared_of(scope_of(2 | 1 << 12 | 1 << 14, 0, slots, 5), code, script);
		roots[i * 4 + 1] = script;
		roots[i * 4 + 2] = start;
		roots[i * 4 + 3] = bytes_object(BYTECODE_ARRAY, 54, table, 20);
		put_word(code + 16, i % 3 ? words_object(roots, 8) : roots[i * 4 + 3]);
		put_word(roots[i * 4 + 3] + 32, bytes_object(BYTE_ARRAY, 16, table, 12));
	}
	used = top - BASE;
	memcpy(sound, heap, sizeof(sound));
	assert_int_equal(v8_scripts_open(&scripts), 0);
	for (int round = 0; round < 600; round++) {
		memcpy(heap, sound, used);
		for (int i = 0; i < 60; i++) {
			uint64_t at = BASE + next_random(&random) % (used - 8);
			uint64_t word = BASE + next_random(&random) % used;

			/* another object, a weak one, a big number, or noise */
			put_word(at & ~7ull, i % 4 == 0	  ? (word & ~7ull) | 1
					     : i % 4 == 1 ? (word & ~7ull) | 3
					     : i % 4 == 2 ? smi((int32_t)(next_random(&random) << 8))
							  : word * 0x9e3779b97f4a7c15ull);
		}
		reader.stream_map = 0;
		reader.layout.code_flags = reader.layout.code_entry = V8_NONE;
		for (int i = 0; i < 64; i++)
			ask_all(scripts, roots[i]);
	}
	v8_scripts_close(scripts);
}

TEST(behind_its_deadline_a_turn_reads_nothing)
{
	char text[8];

	set_up();
	uint64_t string = one_byte("text");
	v8_turn(&reader, 1);
	assert_true(v8_string(&reader, string, text, sizeof(text)) < 0);
	v8_turn(&reader, 0);
	assert_int_equal(v8_string(&reader, string, text, sizeof(text)), 4);
}

/* ---- frames that were read in time, and not ---- */

static struct ps_ev_frame told[64];
static char told_texts[64][256];
static uint64_t late_page;   /* time is over when it is read; 0 = never */
static int late_reads;

static int remember(const struct ps_record *record, void *arg)
{
	if (record->event == PS_EV_FRAME) {
		const struct ps_ev_frame *frame = (const void *)record;
		assert_true(frame->id < 64);
		told[frame->id] = *frame;
	}
	if (record->event == PS_EV_STRING) {
		const struct ps_ev_string *string = (const void *)record;
		assert_true(string->id < 64 && string->len < 256);
		memcpy(told_texts[string->id], string + 1, string->len);
	}
	return 0;
}

static int read_until_late(void *arg, uint64_t address, void *out, size_t bytes)
{
	struct v8 *v8 = arg;

	if (late_page && address == late_page) {
		late_reads++;
		v8->reader.deadline.passed = 1;
		return -ETIME;
	}
	return read_heap(NULL, address, out, bytes);
}

/* One frame of the interpreter, which began to be read in time, or did not. */
static const struct ps_ev_frame *read_frame_of(struct v8 *v8, struct stream *stream, uint64_t shared, uint64_t array, int is_late)
{
	struct v8_frame frame = { .pc = 4096, .shared = shared, .bytecode_array = array, .bytecode_offset = 53, .live_offset = -1 };
	uint32_t ids[4] = { 0 };
	struct v8_out out = { .stream = stream, .ids = ids, .room = 4 };

	v8->pcs[(frame.pc * 0x9e3779b97f4a7c15ull) >> 52] = (struct v8_known_pc){ frame.pc, PC_INTERPRETER };
	v8_turn(&v8->reader, 0);
	/* what was read before is still there */
	assert_int_equal(v8_type(&v8->reader, shared), SHARED);
	v8->reader.deadline.passed = is_late;
	v8_put_frame(v8, &out, &frame);
	stream_flush(stream, remember, NULL);
	assert_true(out.count <= 1);
	return out.count ? &told[ids[0]] : NULL;
}

TEST(what_there_was_no_time_to_read_is_read_again_but_not_for_ever)
{
	static const uint8_t bytecodes[16] = { 9 };
	const struct pair pairs[] = { { 0, place(4, -1) } };
	static struct v8 v8;
	struct stream *stream;
	uint8_t table[16];

	set_up();
	const uint64_t named[] = { one_byte("spin"), smi(0), smi(2), smi(9) };
	uint64_t scope = scope_of(2 | 1 << 12, 0, named, 4);
	uint64_t array = bytes_object(BYTECODE_ARRAY, 54, bytecodes, sizeof(bytecodes));
	put_word(array + 24, bytes_object(BYTE_ARRAY, 16, "\xff", 1));
	put_word(array + 32, bytes_object(BYTE_ARRAY, 16, table, make_table(table, pairs, 1)));
	uint64_t first = shared_of(scope, array, 0), second = shared_of(scope, array, 0);
	top = (top + 2 * V8_PAGE_BYTES) & ~(V8_PAGE_BYTES - 1ull);
	uint64_t script = script_of("/srv/turn.js", one_byte("a\nbcd\n"));
	put_word(first + 32, script);
	put_word(second + 32, script);
	v8.reader = reader;
	v8.reader.read = read_until_late;
	v8.reader.arg = &v8;
	assert_int_equal(stream_open(&stream), 0);
	assert_int_equal(v8_scripts_open(&v8.scripts), 0);
	assert_int_equal(v8_maps_open(&v8.maps, getpid()), 0);

	late_page = script & ~(V8_PAGE_BYTES - 1ull);
	const struct ps_ev_frame *frame = read_frame_of(&v8, stream, first, array, 0);
	assert_non_null(frame);
	assert_string_equal(told_texts[frame->name], "spin");
	assert_int_equal(frame->kind, PS_FRAME_JS); /* not said to have no script */
	assert_true(frame->file == 0);
	late_page = 0;
	frame = read_frame_of(&v8, stream, first, array, 0);
	assert_string_equal(told_texts[frame->file], "/srv/turn.js");
	assert_int_equal(frame->line, 2);
	assert_int_equal(frame->column, 3);
	/* what comes when time is over is no try */
	late_page = script & ~(V8_PAGE_BYTES - 1ull);
	for (int i = 0; i < 2 * V8_TRIES; i++)
		read_frame_of(&v8, stream, second, array, 1);
	late_reads = 0;
	for (int i = 0; i < 3 * V8_TRIES; i++)
		read_frame_of(&v8, stream, second, array, 0);
	assert_int_equal(late_reads, V8_TRIES);

	v8_maps_close(v8.maps);
	v8_scripts_close(v8.scripts);
	stream_close(stream);
}

TEST(the_layout_is_read_from_node_and_refused_from_what_has_no_v8)
{
	static const char *const paths[] = { "/usr/bin/node", "/usr/bin/nodejs" };
	struct v8_layout layout;
	int fd = open("/proc/self/exe", O_RDONLY);

	assert_int_equal(v8_layout_read(&layout, fd), -ENOENT);
	close(fd);
	for (size_t i = 0; i < 2; i++) {
		fd = open(paths[i], O_RDONLY);
		if (fd < 0)
			continue;
		int err = v8_layout_read(&layout, fd);
		close(fd);
		if (err == -ENOENT)
			continue; /* V8 is in a library */
		assert_int_equal(err, 0);
		assert_int_equal(layout.tagged_bytes, 8);
		assert_true(layout.string_length > 0 && layout.script != layout.shared);
		return;
	}
	SKIP("no node with V8 inside is installed");
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where in its source a frame is.
 *
 * A source position table is a run of pairs, each a difference to the pair
 * before: offset in the code, position. Numbers have 7 bits a byte, the lowest
 * first, the sign in the lowest bit. A negative offset -(d+1) marks an
 * expression; since V8 14 the offset has no sign, and two bits below it say
 * whether it is a statement and whether a debugger may stop there. The first
 * offset counts from -1.
 *
 * Optimised code contains functions that were inlined; a position names the one
 * it is in, and that one's entry in the list of inlined calls names the place
 * of the call.
 */
#include "v8_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TABLE_MAX (4u << 20)
#define STEP_FLAGS 2
#define WIDE_MAX  3   /* bytecodes 0..3 are prefixes: operands of two bytes, of four, and both again for the debugger */

static int next_number(const uint8_t *table, size_t bytes, size_t *at, uint64_t *number)
{
	*number = 0;
	for (int shift = 0; *at < bytes && shift < 64; shift += 7) {
		uint8_t byte = table[(*at)++];

		*number |= (uint64_t)(byte & 127) << shift;
		if (!(byte & 128))
			return 0;
	}
	return -ENOENT;
}

static int next_signed(const uint8_t *table, size_t bytes, size_t *at, int64_t *number)
{
	uint64_t bits;

	if (next_number(table, bytes, at, &bits))
		return -ENOENT;
	*number = (int64_t)(bits >> 1) ^ -(int64_t)(bits & 1);
	return 0;
}

/* How far the next pair is behind the one before, and how far its position moved. */
static int next_pair(const uint8_t *table, size_t bytes, int is_flagged, size_t *at, uint64_t *step, int64_t *move)
{
	int64_t either;

	if (is_flagged) {
		if (next_number(table, bytes, at, step))
			return -ENOENT;
		*step >>= STEP_FLAGS;
	} else {
		if (next_signed(table, bytes, at, &either))
			return -ENOENT;
		*step = either < 0 ? -((uint64_t)either + 1) : (uint64_t)either;
	}
	return next_signed(table, bytes, at, move);
}

int v8_position_lookup(const uint8_t *table, size_t bytes, int is_flagged, int32_t offset, uint64_t *position)
{
	uint64_t code = (uint64_t)-1, place = 0, step;
	int64_t move;
	size_t at = 0;
	int err = -ENOENT;

	while (at < bytes && !next_pair(table, bytes, is_flagged, &at, &step, &move)) {
		/* unsigned: a hostile table may run over, which is no harm */
		code += step;
		place += (uint64_t)move;
		if ((int64_t)code > offset)
			break;
		*position = place;
		err = 0;
	}
	return err;
}

static size_t bytecode_length(const struct v8_layout *layout, const uint8_t *bytecodes, size_t bytes, size_t at)
{
	uint8_t code = bytecodes[at];

	if (code > WIDE_MAX)
		return layout->bytecode_bytes[0][code];
	if (at + 1 >= bytes)
		return 0;
	size_t length = layout->bytecode_bytes[code & 1 ? 2 : 1][bytecodes[at + 1]];
	return length ? length + 1 : 0;
}

int v8_baseline_lookup(const struct v8_layout *layout, const uint8_t *table, size_t table_bytes,
		       const uint8_t *bytecodes, size_t bytecode_bytes, uint32_t pc_offset, int32_t *offset)
{
	size_t at = 0, bytecode = 0;
	uint64_t end, more;

	if (next_number(table, table_bytes, &at, &end))
		return -ENOENT;
	*offset = -1;  /* the entry of the function */
	while (end < pc_offset) {
		size_t length = bytecode < bytecode_bytes ? bytecode_length(layout, bytecodes, bytecode_bytes, bytecode) : 0;

		if (!length || next_number(table, table_bytes, &at, &more))
			return -ENOENT;
		end += more;
		*offset = bytecode;
		bytecode += length;
	}
	return 0;
}

static uint8_t *copy_bytecodes(struct v8_reader *reader, uint64_t array, size_t *bytes)
{
	int32_t length;

	if (v8_type(reader, array) != reader->layout.bytecode_array ||
	    v8_smi(reader, array, reader->layout.array_length, &length))
		return NULL;
	return v8_copy(reader, array, reader->layout.bytecode_data, length, bytes);
}

/* Tables of bytecode and of machine code are written alike. */
static int has_flags(const struct v8_reader *reader)
{
	return reader->layout.context_cell != V8_NONE;
}

static int lookup_in(struct v8_reader *reader, uint64_t array, int32_t offset, uint64_t *position)
{
	size_t bytes;
	uint8_t *table = v8_copy_table(reader, array, &bytes);
	int err = table ? v8_position_lookup(table, bytes, has_flags(reader), offset, position) : -ENOENT;

	free(table);
	return err;
}

/* 30 bits of the position, one more than it is; then the number of the inlined call, again one more. */
static int32_t script_position(uint64_t position)
{
	return (int32_t)(position >> 1 & 0x3fffffff) - 1;
}

static int32_t inlined_call(uint64_t position)
{
	return (int32_t)(position >> 31 & 0xffff) - 1;
}

int v8_position_table(const uint8_t *table, size_t bytes, int is_flagged)
{
	uint64_t place = 0, more;
	int64_t move;
	size_t at = 0;
	int first = 1;

	while (at < bytes) {
		if (next_pair(table, bytes, is_flagged, &at, &more, &move))
			return 0;
		place += (uint64_t)move;
		/* the first may be that of the function's entry, which is at -1 */
		if ((!more && !first) || more > TABLE_MAX || script_position(place) < 0 || place >> 31)
			return 0;
		first = 0;
	}
	return bytes > 0;
}

/* Two fields of a BytecodeArray are arrays of bytes: the position table, and that of exception handlers, made of ints. */
static int32_t bytecode_position(struct v8_reader *reader, uint64_t bytecode_array, int32_t offset)
{
	uint64_t position;
	int32_t found = -1;

	for (int32_t at = 16; at <= reader->layout.bytecode_data - 8 && found < 0; at += 8) {
		size_t bytes;
		uint8_t *table = v8_copy_table(reader, v8_field(reader, bytecode_array, at), &bytes);

		if (table && v8_position_table(table, bytes, has_flags(reader)) &&
		    !v8_position_lookup(table, bytes, has_flags(reader), offset < 0 ? 0 : offset, &position))
			found = script_position(position);
		free(table);
	}
	return found;
}

int32_t v8_interpreted_position(struct v8_reader *reader, uint64_t bytecode_array, int32_t offset)
{
	int32_t first = reader->layout.bytecode_data - 1, length;

	if (offset < first || v8_type(reader, bytecode_array) != reader->layout.bytecode_array)
		return -1;
	if (v8_smi(reader, bytecode_array, reader->layout.array_length, &length) || offset - first >= length)
		return -1;
	return bytecode_position(reader, bytecode_array, offset - first);
}

int32_t v8_baseline_position(struct v8_reader *reader, const struct v8_code *code, uint64_t pc)
{
	const struct v8_layout *at = &reader->layout;
	uint64_t array = v8_field(reader, code->object, at->code_bytecode);
	size_t table_bytes, bytecode_bytes;
	int32_t offset, position = -1;

	if (v8_type(reader, array) == at->interpreter_data)
		array = v8_field(reader, array, at->tagged_bytes);
	uint8_t *table = v8_copy_table(reader, v8_field(reader, code->object, at->code_offset_table), &table_bytes);
	uint8_t *bytecodes = copy_bytecodes(reader, array, &bytecode_bytes);

	if (table && bytecodes &&
	    !v8_baseline_lookup(at, table, table_bytes, bytecodes, bytecode_bytes, pc - code->start, &offset))
		position = bytecode_position(reader, array, offset);
	free(table);
	free(bytecodes);
	return position;
}

struct inlined {
	uint64_t position;  /* of the call */
	int32_t function;   /* which literal; -1 = the outermost function */
	int32_t zero;
};

static int read_inlined(struct v8_reader *reader, uint64_t list, int32_t index, struct inlined *inlined)
{
	const struct v8_layout *at = &reader->layout;
	int32_t bytes;

	if (v8_bytes_length(reader, list, &bytes) || bytes < 0 || (uint64_t)index >= bytes / sizeof(*inlined))
		return -ENOENT;
	return v8_read(reader, (list & ~3ull) + at->array_data + index * sizeof(*inlined), inlined, sizeof(*inlined));
}

/* By the position table: inlined functions are told by their calls. */
static size_t table_places(struct v8_reader *reader, const struct v8_code *code, uint64_t data, int32_t offset,
			   struct v8_place places[V8_INLINED_MAX])
{
	const struct v8_layout *at = &reader->layout;
	uint64_t outer = v8_shared_of(reader, v8_element(reader, data, at->deoptimization_shared)), position = 0;
	uint64_t literals = v8_element(reader, data, at->deoptimization_literals);
	uint64_t list = v8_element(reader, data, at->deoptimization_positions);
	struct inlined inlined;
	size_t count = 0;

	int known = !lookup_in(reader, v8_field(reader, code->object, at->code_positions), offset, &position);
	for (int32_t call = known ? inlined_call(position) : -1; call >= 0; call = inlined_call(position)) {
		if (count == V8_INLINED_MAX - 1 || read_inlined(reader, list, call, &inlined))
			break;
		uint64_t literal = v8_element(reader, literals, inlined.function);
		uint64_t shared = inlined.function < 0 ? outer : v8_shared_of(reader, literal);
		if (v8_type(reader, shared) != at->shared)
			break;
		places[count++] = (struct v8_place){ shared, script_position(position), 0, 0 };
		position = inlined.position;
	}
	/* a list that ends too early does not tell where in the outermost function the call was */
	places[count++] = (struct v8_place){ outer, known && inlined_call(position) < 0 ? script_position(position) : -1, 0, 0 };
	return count;
}

static int same_functions(const struct v8_place *a, size_t a_count, const struct v8_place *b, size_t b_count)
{
	for (size_t i = 0; i < a_count && a_count == b_count; i++)
		if (a[i].shared != b[i].shared)
			return 0;
	return a_count == b_count;
}

size_t v8_optimized_places(struct v8_reader *reader, const struct v8_code *code, uint64_t pc, int is_return,
			   struct v8_place places[V8_INLINED_MAX])
{
	const struct v8_layout *at = &reader->layout;
	uint64_t data = v8_field(reader, code->object, at->code_deoptimization);
	uint64_t outer = v8_shared_of(reader, v8_element(reader, data, at->deoptimization_shared));
	struct v8_place translated[V8_INLINED_MAX];
	size_t translated_count = 0, count = 0;
	int is_middle = code->kind == at->kind_baseline + 1;

	if (v8_type(reader, outer) != at->shared)
		return 0;
	if (is_middle || is_return)
		translated_count = v8_translated_places(reader, code, pc, is_return, translated);
	if (!translated_count || !is_return)
		count = table_places(reader, code, data, (int32_t)(pc - code->start) - !!is_return, places);
	/*
	 * Tables of the middle compiler (since V8 14) name the last place that can be gone back to. Which function it is in
	 * is certain; where that was called the translation knows better.
	 */
	if (!count || (translated_count &&
		       (places[0].position < 0 || same_functions(places, count, translated, translated_count)))) {
		memcpy(places, translated, translated_count * sizeof(*places));
		return translated_count;
	}
	for (size_t i = 0; i < count && is_middle; i++)
		places[i].is_near = 1;
	return count;
}

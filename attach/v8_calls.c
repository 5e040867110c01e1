/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where optimised code is in its source, by the calls that it makes.
 *
 * V8 keeps how to go on in the interpreter if the code becomes invalid during a
 * call. Behind the instructions lies a table of calls, by return address; each
 * names an entry of the deoptimization data, and that a translation
 * (v8_translation.c). V8's own stack traces are made of the same, and for code
 * of the middle compiler (Maglev) before V8 14 there is nothing else.
 */
#include "v8_parts.h"

#include <errno.h>
#include <stdlib.h>

#define ENTRIES_MAX (1u << 16)

/*
 * DeoptimizationData: the translations come first; behind the list of inlined
 * calls come three numbers, then the entries, those of checks before those of calls.
 */
#define TRANSLATIONS 0
enum behind_positions { CHECK_COUNT = 2, CALL_COUNT, ENTRIES };
enum entry { ENTRY_BYTECODE, ENTRY_TRANSLATION, ENTRY_PC, ENTRY_WORDS };

/* ---- the table of calls ---- */

struct calls {
	uint32_t count, pc_bytes, index_bytes, entry_bytes;
	uint8_t *entries;
};

static uint32_t little(const uint8_t *from, uint32_t bytes)
{
	uint32_t number = 0;

	for (uint32_t i = 0; i < bytes; i++)
		number |= (uint32_t)from[i] << (8 * i);
	return number;
}

/*
 * How many there are, then a bit that says they have entries, and three sizes of three bits. Those of the middle compiler
 * have a byte more each; TurboFan's other bits are of what follows the table.
 */
static int take_shape(const uint32_t words[2], int is_middle, struct calls *calls)
{
	uint32_t registers = words[1] >> 1 & 7;

	*calls = (struct calls){ .count = words[0], .pc_bytes = words[1] >> 4 & 7, .index_bytes = words[1] >> 7 & 7 };
	calls->entry_bytes = 2 * calls->pc_bytes + calls->index_bytes + registers + is_middle;
	if (!(words[1] & 1) || (is_middle && words[1] >> 10) || !calls->count || calls->count > ENTRIES_MAX)
		return -EINVAL;
	return calls->pc_bytes && calls->pc_bytes <= 4 && calls->index_bytes && calls->index_bytes <= 4 ? 0 : -EINVAL;
}

/* They rise, and none is behind the code. */
static int has_order(const struct calls *calls, const struct v8_code *code)
{
	for (uint32_t i = 0, last = 0; i < calls->count; i++) {
		uint32_t pc = little(calls->entries + i * calls->entry_bytes, calls->pc_bytes);

		if (pc <= last || pc > code->bytes)
			return 0;
		last = pc;
	}
	return 1;
}

/*
 * Its header has four words, TurboFan's the first two of them. Since V8 13 the size of the frame comes first, and is in the
 * place of one of the others where there are four. `entries` is malloc'ed.
 */
static int read_calls(struct v8_reader *reader, const struct v8_code *code, struct calls *calls)
{
	int is_middle = code->kind == reader->layout.kind_baseline + 1;
	uint64_t table = code->start + code->bytes;
	uint32_t words[4];
	size_t bytes;

	if (v8_read(reader, table, words, sizeof(words)))
		return -EFAULT;
	for (int first = 0; first < 2; first++) {
		int32_t header = is_middle ? sizeof(words) : (2 + first) * sizeof(*words);

		if (take_shape(words + first, is_middle, calls))
			continue;
		calls->entries = v8_copy(reader, table, header, calls->count * calls->entry_bytes, &bytes);
		if (calls->entries && has_order(calls, code))
			return 0;
		free(calls->entries);
	}
	return -EINVAL;
}

/* The entry of the call that returns to `pc`, or to the exit that V8 put there when it gave the code up. -1 = none. */
static int32_t find_entry(const struct calls *calls, uint32_t pc)
{
	for (uint32_t i = 0; i < calls->count; i++) {
		const uint8_t *call = calls->entries + i * calls->entry_bytes, *index = call + calls->pc_bytes;

		/* numbers that may be -1 have one added */
		if (little(call, calls->pc_bytes) == pc || little(index + calls->index_bytes, calls->pc_bytes) == pc + 1)
			return (int32_t)little(index, calls->index_bytes) - 1;
	}
	return -1;
}

/* ---- frames ---- */

static int32_t number_at(struct v8_reader *reader, uint64_t data, int32_t index)
{
	uint64_t word = v8_element(reader, data, index);

	return v8_is_smi(word) ? v8_smi_value(reader, word) : -1;
}

static size_t frames_at(struct v8_reader *reader, uint64_t data, int32_t entry, struct v8_interpreted frames[V8_INLINED_MAX])
{
	int32_t behind = reader->layout.deoptimization_positions;
	int64_t checks = number_at(reader, data, behind + CHECK_COUNT), calls = number_at(reader, data, behind + CALL_COUNT);
	size_t bytes, count = 0;

	if (checks < 0 || calls < 0 || entry < 0 || entry >= checks + calls || entry >= (int32_t)ENTRIES_MAX)
		return 0;
	int32_t from = number_at(reader, data, behind + ENTRIES + entry * ENTRY_WORDS + ENTRY_TRANSLATION);
	uint8_t *table = v8_copy_table(reader, v8_element(reader, data, TRANSLATIONS), &bytes);
	if (table)
		count = v8_translation_read(&reader->layout, table, bytes, from, frames);
	free(table);
	return count;
}

/* ---- between two calls ---- */

/*
 * In code of the middle compiler: an address that is not behind a call lies between two places that have
 * entries: calls, and jumps to the exits that failed checks take. What both
 * agree on holds between them: which functions the code was inlined into, and
 * where. Where the innermost is they tell nearly: a check names the last place
 * that can be gone back to, which may be before its own.
 */
#define WINDOW     1024u
#define CHECKS_MAX 8192

struct around {
	uint32_t pc, before, behind;  /* of the nearest */
	int32_t entry_before, entry_behind;
};

static void take_near(struct around *around, uint32_t pc, int32_t entry)
{
	if (pc <= around->pc && pc >= around->before) {
		around->before = pc;
		around->entry_before = entry;
	} else if (pc > around->pc && pc < around->behind) {
		around->behind = pc;
		around->entry_behind = entry;
	}
}

/* Exits of checks lie one behind the other, in the order of their entries. */
static int32_t find_exit(const uint32_t *exits, int32_t count, uint32_t pc)
{
	int32_t low = 0, high = count;

	while (low < high) {
		int32_t middle = low + (high - low) / 2;

		if (exits[middle] < pc)
			low = middle + 1;
		else
			high = middle;
	}
	return low < count && exits[low] == pc ? low : -1;
}

static uint32_t *read_exits(struct v8_reader *reader, uint64_t data, int32_t *count)
{
	const struct v8_layout *at = &reader->layout;
	int32_t behind = at->deoptimization_positions;

	*count = number_at(reader, data, behind + CHECK_COUNT);
	uint32_t *exits = *count > 0 && *count <= CHECKS_MAX ? malloc(*count * sizeof(*exits)) : NULL;
	for (int32_t i = 0; exits && i < *count; i++)
		exits[i] = number_at(reader, data, behind + ENTRIES + i * ENTRY_WORDS + ENTRY_PC);
	return exits;
}

/* Jumps of x86-64 with four bytes of distance; that one leads to an exit is no chance. */
static void take_checks(const uint8_t *bytes, uint32_t length, uint32_t from, const uint32_t *exits, int32_t count,
			struct around *around)
{
	for (uint32_t i = 0; i + 6 <= length; i++) {
		int is_conditional = bytes[i] == 0x0f && (bytes[i + 1] & 0xf0) == 0x80;

		if (!is_conditional && bytes[i] != 0xe9)
			continue;
		uint32_t end = i + 5 + is_conditional;
		int32_t entry = find_exit(exits, count, from + end + little(bytes + end - 4, 4));
		if (entry >= 0)
			take_near(around, from + i, entry);
	}
}

static void find_around(struct v8_reader *reader, const struct v8_code *code, uint64_t data, const struct calls *calls,
			struct around *around)
{
	uint32_t from = around->pc > WINDOW ? around->pc - WINDOW : 0;
	uint32_t length = code->bytes - from < 2 * WINDOW ? code->bytes - from : 2 * WINDOW;
	uint8_t bytes[2 * WINDOW];
	int32_t count;
	uint32_t *exits = read_exits(reader, data, &count);

	*around = (struct around){ around->pc, from, from + length, -1, -1 };
	for (uint32_t i = 0; i < calls->count; i++) {
		const uint8_t *call = calls->entries + i * calls->entry_bytes;
		int32_t entry = (int32_t)little(call + calls->pc_bytes, calls->index_bytes) - 1;

		/* where another call lies between, nothing is known of it */
		take_near(around, little(call, calls->pc_bytes), entry);
	}
	if (exits && !v8_read(reader, code->start + from, bytes, length))
		take_checks(bytes, length, from, exits, count, around);
	free(exits);
}

static size_t frames_around(struct v8_reader *reader, const struct v8_code *code, uint64_t data,
			    const struct calls *calls, uint32_t pc, struct v8_interpreted frames[V8_INLINED_MAX])
{
	struct v8_interpreted others[V8_INLINED_MAX];
	struct around around = { .pc = pc };
	size_t count, other_count, common = 0;

	find_around(reader, code, data, calls, &around);
	count = frames_at(reader, data, around.entry_before, frames);
	other_count = frames_at(reader, data, around.entry_behind, others);
	while (common < count && common < other_count && frames[common].shared == others[common].shared) {
		common++;
		/* not the same call of what was inlined */
		if (frames[common - 1].bytecode != others[common - 1].bytecode)
			break;
	}
	return common;
}

/* ---- places ---- */

static int32_t position_of(struct v8_reader *reader, uint64_t shared, int32_t bytecode)
{
	int32_t first = reader->layout.bytecode_data - 1;

	if (bytecode < 0 || bytecode > 1 << 24)
		return -1;
	return v8_interpreted_position(reader, v8_function_bytecode(reader, shared), first + bytecode);
}

/* What a frame of a translation means; 0 = it is of no function. */
static struct v8_place place_of(struct v8_reader *reader, uint64_t literals, const struct v8_interpreted *frame)
{
	uint64_t shared = v8_shared_of(reader, v8_element(reader, literals, frame->shared));
	struct v8_place place = { .position = -1 };

	if (v8_type(reader, shared) != reader->layout.shared)
		return place;
	place.shared = shared;
	place.position = position_of(reader, shared, frame->bytecode);
	place.name = v8_own_name(reader, v8_element(reader, literals, frame->function), shared);
	return place;
}

size_t v8_translated_places(struct v8_reader *reader, const struct v8_code *code, uint64_t pc, int is_return,
			    struct v8_place places[V8_INLINED_MAX])
{
	const struct v8_layout *at = &reader->layout;
	uint64_t data = v8_field(reader, code->object, at->code_deoptimization);
	uint64_t literals = v8_element(reader, data, at->deoptimization_literals);
	struct v8_interpreted frames[V8_INLINED_MAX];
	struct calls calls;

	if (!at->operations || at->deoptimization_positions == V8_NONE || read_calls(reader, code, &calls))
		return 0;
	size_t count = is_return ? frames_at(reader, data, find_entry(&calls, pc - code->start), frames) :
				   frames_around(reader, code, data, &calls, pc - code->start, frames);
	free(calls.entries);
	for (size_t i = 0; i < count; i++) {
		places[i] = place_of(reader, literals, &frames[count - 1 - i]);
		if (!places[i].shared)
			return 0;
	}
	places[0].is_near = !is_return;
	/* it must be a translation of this very code */
	uint64_t outer = v8_shared_of(reader, v8_element(reader, data, at->deoptimization_shared));
	return count && places[count - 1].shared == outer ? count : 0;
}

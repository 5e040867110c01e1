/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Translations: how V8 makes frames of the interpreter of one of optimised code,
 * outermost first, each with its function and the bytecode it is at.
 *
 * A translation is a run of operations, each a byte and its operands, numbers of
 * 7 bits a byte; how many operands it has, a table of V8 says (v8_constants.c).
 * The first tells the distance to an earlier translation, whose operations it
 * may share: the last kind of operation, or any byte above the kinds, says that
 * the next so many are those in the same places of the earlier one.
 */
#include "v8_parts.h"

#include <errno.h>

#define OPERATIONS_MAX 16384
#define BEGIN_OPERANDS 3

struct translation {
	const struct v8_layout *layout;
	const uint8_t *table;
	size_t bytes;
	size_t at;        /* what comes next */
	size_t earlier;   /* the same in the earlier translation */
	int has_earlier;
	uint32_t shared;  /* so many, this one included, are the earlier one's */
	uint32_t behind;  /* `earlier` is so many operations behind */
};

static int next_number(const struct translation *translation, size_t *at, uint32_t *number)
{
	*number = 0;
	for (int shift = 0; *at < translation->bytes && shift < 35; shift += 7) {
		uint8_t byte = translation->table[(*at)++];

		*number |= (uint32_t)((uint64_t)(byte & 127) << shift);
		if (!(byte & 128))
			return 0;
	}
	return -ENOENT;
}

static int next_operand(struct translation *translation, uint32_t *operand)
{
	return next_number(translation, translation->shared ? &translation->earlier : &translation->at, operand);
}

/* The sign is the lowest bit. */
static int next_signed(struct translation *translation, int32_t *operand)
{
	uint32_t bits;

	if (next_operand(translation, &bits))
		return -ENOENT;
	*operand = bits & 1 ? -(int32_t)(bits >> 1) : (int32_t)(bits >> 1);
	return 0;
}

static int skip_operands(struct translation *translation, uint32_t count)
{
	uint32_t operand;

	while (count--)
		if (next_operand(translation, &operand))
			return -ENOENT;
	return 0;
}

static int earlier_operation(struct translation *translation, uint32_t *operation)
{
	if (translation->earlier >= translation->bytes)
		return -ENOENT;
	*operation = translation->table[translation->earlier++];
	return *operation + 1 < (uint32_t)translation->layout->operations ? 0 : -EINVAL;
}

static int next_operation(struct translation *translation, uint32_t *operation)
{
	uint32_t kinds = translation->layout->operations, skipped, shared;

	if (translation->shared && --translation->shared)
		return earlier_operation(translation, operation);
	if (translation->at >= translation->bytes)
		return -ENOENT;
	*operation = translation->table[translation->at++];
	if (*operation + 1 < kinds) {
		translation->behind++;
		return 0;
	}
	shared = *operation - kinds;
	if (*operation + 1 == kinds && next_number(translation, &translation->at, &shared))
		return -ENOENT;
	if (!shared || shared > OPERATIONS_MAX || !translation->has_earlier)
		return -EINVAL;
	translation->shared = shared;
	for (; translation->behind; translation->behind--)
		if (earlier_operation(translation, &skipped) ||
		    skip_operands(translation, translation->layout->operands[skipped]))
			return -EINVAL;
	return earlier_operation(translation, operation);
}

/* Its first operation: distance to the earlier translation, and how many frames it makes. */
static int begin(struct translation *translation, size_t from, int32_t *functions)
{
	uint32_t operation, distance;
	int32_t frames;

	translation->at = from;
	if (next_operation(translation, &operation) || translation->layout->operands[operation] != BEGIN_OPERANDS)
		return -EINVAL;
	if (next_operand(translation, &distance) || next_signed(translation, &frames) || next_signed(translation, functions))
		return -EINVAL;
	translation->has_earlier = distance > 0;
	if (distance > from)
		return -EINVAL;
	translation->earlier = from - distance;
	return *functions > 0 && *functions <= frames ? 0 : -EINVAL;
}

/* Frames of interpreted functions, outermost first; those of builtins that were inlined are none. Returns how many. */
static size_t read_frames(struct translation *translation, int32_t functions, struct v8_interpreted frames[V8_INLINED_MAX])
{
	const struct v8_layout *at = translation->layout;
	uint32_t operation;
	size_t count = 0, begun = 0;

	for (int i = 0; i < OPERATIONS_MAX && functions; i++) {
		if (next_operation(translation, &operation))
			return 0;
		uint32_t kind = operation - (uint32_t)at->operation_frame, left = at->operands[operation];
		if (kind < 2) {
			if (count == V8_INLINED_MAX || next_signed(translation, &frames[count].bytecode) ||
			    next_signed(translation, &frames[count].shared))
				return 0;
			frames[count++].function = -1;
			left -= 2;
		} else if (begun < count && left == 1) {
			/* the first value of a frame is its function: a literal, where it is always the same */
			if (next_signed(translation, &frames[count - 1].function))
				return 0;
			left = 0;
		}
		begun = kind < 2 ? count - 1 : count;
		functions -= kind < 4;
		if (skip_operands(translation, left))
			return 0;
	}
	return functions ? 0 : count;
}

size_t v8_translation_read(const struct v8_layout *layout, const uint8_t *table, size_t bytes, int32_t from,
			   struct v8_interpreted frames[V8_INLINED_MAX])
{
	struct translation translation = { .layout = layout, .table = table, .bytes = bytes };
	int32_t functions;

	if (!layout->operations || from < 0 || begin(&translation, from, &functions))
		return 0;
	return read_frames(&translation, functions, frames);
}

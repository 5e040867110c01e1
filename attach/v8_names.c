/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Strings and the names of functions.
 *
 * A string may be a tree of others: V8 joins and cuts without copying. The
 * visit hands out flat runs of characters and is bounded in depth and in the
 * number of strings it enters, so that neither a cycle nor a tree that doubles
 * at each level holds it.
 */
#include "v8_parts.h"

#include <errno.h>
#include <string.h>

#define DEPTH_MAX  24
#define HOPS_MAX   4096
#define RUN_BYTES  16384

struct visit {
	v8_chars_fn *chars;
	void *arg;
	uint32_t hops;
};

static int visit_flat(struct v8_reader *reader, const struct visit *visit, uint64_t address, uint32_t count,
		      int two_byte)
{
	uint16_t run[RUN_BYTES / 2];
	size_t width = two_byte ? 2 : 1;

	while (count) {
		uint32_t part = count < RUN_BYTES / width ? count : RUN_BYTES / width;
		int err = v8_read(reader, address, run, part * width);

		if (!err)
			err = visit->chars(visit->arg, run, part, two_byte);
		if (err)
			return err;
		address += part * width;
		count -= part;
	}
	return 0;
}

/* Characters [from, from + count) of a string; the caller has checked that it has so many, or takes what there is. */
static int visit_string(struct v8_reader *reader, struct visit *visit, uint64_t string, uint32_t from, uint32_t count,
			int depth)
{
	const struct v8_layout *at = &reader->layout;
	int type = v8_type(reader, string);
	int32_t length, first, offset;

	if (type < 0 || type >= at->first_non_string || depth > DEPTH_MAX || visit->hops++ > HOPS_MAX)
		return -EINVAL;
	if (v8_int(reader, string, at->string_length, &length) || length < 0)
		return -EINVAL;
	if (from >= (uint32_t)length)
		return 0;
	if (count > (uint32_t)length - from)
		count = (uint32_t)length - from;
	int form = type & at->representation_mask, two_byte = (type & at->encoding_mask) != at->one_byte;
	uint64_t chars = (string & ~3ull) + (two_byte ? at->two_byte_chars : at->one_byte_chars);

	if (form == at->thin)
		return visit_string(reader, visit, v8_field(reader, string, at->thin_actual), from, count, depth + 1);
	if (form == at->sliced) {
		if (v8_smi(reader, string, at->sliced_offset, &offset) || offset < 0)
			return -EINVAL;
		return visit_string(reader, visit, v8_field(reader, string, at->sliced_parent),
				    (uint32_t)offset + from, count, depth + 1);
	}
	if (form == at->cons) {
		uint64_t left = v8_field(reader, string, at->cons_first);
		int err = 0;

		if (v8_type(reader, left) < 0 || v8_int(reader, left, at->string_length, &first) || first < 0)
			return -EINVAL;
		uint32_t here = from < (uint32_t)first ? (uint32_t)first - from : 0;
		if (here)
			err = visit_string(reader, visit, left, from, here < count ? here : count, depth + 1);
		if (err || here >= count)
			return err;
		return visit_string(reader, visit, v8_field(reader, string, at->cons_second),
				    from > (uint32_t)first ? from - first : 0, count - here, depth + 1);
	}
	if (form == at->external)
		chars = v8_field(reader, string, at->external_data);
	else if (form)
		return -EINVAL;
	return chars ? visit_flat(reader, visit, chars + (uint64_t)from * (two_byte ? 2 : 1), count, two_byte) : -EINVAL;
}

int v8_string_visit(struct v8_reader *reader, uint64_t string, uint32_t most, v8_chars_fn *visit, void *arg)
{
	struct visit state = { .chars = visit, .arg = arg };

	return visit_string(reader, &state, string, 0, most, 0);
}

/* ---- to UTF-8 ---- */

struct text {
	char *out;
	size_t room, filled;
	uint32_t high;  /* first half of a surrogate pair */
};

enum { TEXT_FULL = 1 };

static int put_point(struct text *text, uint32_t point)
{
	char bytes[4];
	size_t count = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
	static const uint8_t lead[] = { 0, 0, 0xc0, 0xe0, 0xf0 };

	for (size_t i = count; i-- > 1; point >>= 6)
		bytes[i] = 0x80 | (point & 0x3f);
	bytes[0] = lead[count] | point;
	if (text->filled + count >= text->room)
		return TEXT_FULL;
	memcpy(text->out + text->filled, bytes, count);
	text->filled += count;
	return 0;
}

static int put_unit(struct text *text, uint32_t unit)
{
	uint32_t high = text->high;
	int full = 0;

	text->high = 0;
	if (unit >= 0xdc00 && unit < 0xe000 && high)
		return put_point(text, 0x10000 + ((high - 0xd800) << 10) + (unit - 0xdc00));
	if (high)
		full = put_point(text, 0xfffd);
	if (full)
		return full;
	if (unit >= 0xd800 && unit < 0xdc00) {
		text->high = unit;
		return 0;
	}
	return put_point(text, unit >= 0xdc00 && unit < 0xe000 ? 0xfffd : unit);
}

static int put_chars(void *arg, const void *chars, size_t count, int two_byte)
{
	const uint8_t *bytes = chars;
	const uint16_t *units = chars;
	int full = 0;

	for (size_t i = 0; i < count && !full; i++)
		full = put_unit(arg, two_byte ? units[i] : bytes[i]);
	return full;
}

static void mark_cut(struct text *text)
{
	static const char mark[] = "\u2026";

	if (text->room < sizeof(mark))
		return;
	while (text->filled + sizeof(mark) > text->room) {
		text->filled--;
		while (text->filled && (text->out[text->filled] & 0xc0) == 0x80)
			text->filled--;
	}
	memcpy(text->out + text->filled, mark, sizeof(mark) - 1);
	text->filled += sizeof(mark) - 1;
}

int v8_string(struct v8_reader *reader, uint64_t string, char *out, size_t room)
{
	struct text text = { .out = out, .room = room };
	/* as many characters as could matter: each is a byte or more */
	int err = v8_string_visit(reader, string, room, put_chars, &text);

	if (err == TEXT_FULL)
		mark_cut(&text);
	out[text.filled] = '\0';
	return err < 0 ? err : (int)text.filled;
}

/* ---- functions ---- */

/* Bits of a ScopeInfo's flags: unchanged from V8 9 to 12. */
enum scope_flags {
	SCOPE_KIND = 15,
	SCOPE_SAVED_CLASS = 1 << 10,
	SCOPE_FUNCTION_NAME = 3 << 12,
	SCOPE_INFERRED_NAME = 1 << 14,
};
enum scope_kind { SCOPE_EVAL = 1, SCOPE_MODULE = 3, SCOPE_SCRIPT = 4 };
#define SCOPE_COUNTS        3   /* flags and two counts begin a ScopeInfo */
#define CONTEXT_HEAD        2   /* words of a context before its variables: the scope, and the context around it */
#define SCOPE_INLINE_LOCALS 75  /* more names than that are in a table of their own */

static int read_name(struct v8_reader *reader, uint64_t string, struct v8_function *function)
{
	if (v8_string(reader, string, function->name, sizeof(function->name)) < 0)
		function->name[0] = '\0';
	return function->name[0];
}

static void read_scope(struct v8_reader *reader, uint64_t scope, struct v8_function *function)
{
	const struct v8_layout *at = &reader->layout;
	int32_t locals, start;
	uint64_t word;
	uint32_t flags;
	int32_t slot = at->tagged_bytes;  /* behind the map */

	if (v8_smi(reader, scope, slot + at->scope_locals * at->tagged_bytes, &locals) || locals < 0 || locals > 1 << 16)
		return;
	/* a small integer before V8 13, the bare number since */
	word = v8_field(reader, scope, slot);
	flags = (uint32_t)word ? (uint32_t)word : word >> 32;
	/* since V8 13 the place comes first */
	if (at->scope_first > SCOPE_COUNTS && !v8_smi(reader, scope, slot + SCOPE_COUNTS * at->tagged_bytes, &start) && start >= 0)
		function->start = start;
	slot += at->scope_first * at->tagged_bytes;
	slot += (flags & SCOPE_KIND) == SCOPE_MODULE ? at->tagged_bytes : 0;
	slot += (locals < SCOPE_INLINE_LOCALS ? locals : 1) * at->tagged_bytes;
	slot += locals * at->tagged_bytes;
	slot += flags & SCOPE_SAVED_CLASS ? at->tagged_bytes : 0;
	if (flags & SCOPE_FUNCTION_NAME) {
		read_name(reader, v8_field(reader, scope, slot), function);
		slot += 2 * at->tagged_bytes;
	}
	if (flags & SCOPE_INFERRED_NAME) {
		if (!function->name[0])
			read_name(reader, v8_field(reader, scope, slot), function);
		slot += at->tagged_bytes;
	}
	int kind = flags & SCOPE_KIND;
	if (at->scope_first == SCOPE_COUNTS && kind >= SCOPE_EVAL && kind <= SCOPE_SCRIPT && !v8_smi(reader, scope, slot, &start) && start >= 0)
		function->start = start;
}

int32_t v8_scope_local(struct v8_reader *reader, uint64_t scope, const char *name)
{
	const struct v8_layout *at = &reader->layout;
	int32_t locals, slot = at->tagged_bytes;
	char found[64];

	if (v8_type(reader, scope) != at->scope_info ||
	    v8_smi(reader, scope, slot + at->scope_locals * at->tagged_bytes, &locals) || locals <= 0 ||
	    locals >= SCOPE_INLINE_LOCALS)
		return -1;
	uint64_t word = v8_field(reader, scope, slot);
	uint32_t flags = (uint32_t)word ? (uint32_t)word : word >> 32;
	slot += (at->scope_first + ((flags & SCOPE_KIND) == SCOPE_MODULE)) * at->tagged_bytes;
	for (int32_t i = 0; i < locals; i++)
		if (v8_string(reader, v8_field(reader, scope, slot + i * at->tagged_bytes), found, sizeof(found)) > 0 &&
		    !strcmp(found, name))
			return CONTEXT_HEAD + i;
	return -1;
}

static uint64_t find_script(struct v8_reader *reader, uint64_t shared)
{
	const struct v8_layout *at = &reader->layout;
	uint64_t holder = v8_field(reader, shared, at->shared_script);
	int type = v8_type(reader, holder);

	if (type == at->script)
		return holder;
	if (type != at->debug_info)
		return 0;
	/* a function that is being debugged keeps its script there */
	for (int32_t slot = 1; slot <= 4; slot++) {
		uint64_t script = v8_field(reader, holder, slot * at->tagged_bytes);

		if (v8_type(reader, script) == at->script)
			return script;
	}
	return 0;
}

int v8_function_read(struct v8_reader *reader, uint64_t shared, struct v8_function *function)
{
	const struct v8_layout *at = &reader->layout;

	*function = (struct v8_function){ .start = -1 };
	if (v8_type(reader, shared) != at->shared)
		return -EINVAL;
	uint64_t name = v8_field(reader, shared, at->shared_name);
	uint64_t data = v8_field(reader, shared, at->shared_data);
	int name_type = v8_type(reader, name), data_type = v8_type(reader, data);

	function->script = find_script(reader, shared);
	if (name_type == at->scope_info)
		read_scope(reader, name, function);
	else if (name_type >= 0 && name_type < at->first_non_string)
		read_name(reader, name, function);
	if (data_type < 0) {
		data = v8_field(reader, shared, at->shared_lazy_data);
		data_type = v8_type(reader, data);
	}
	if (data_type < at->first_uncompiled || data_type > at->last_uncompiled)
		return 0;
	if (!function->name[0])
		read_name(reader, v8_field(reader, data, at->uncompiled_name), function);
	if (function->start < 0)
		v8_int(reader, data, at->uncompiled_start, &function->start);
	return 0;
}

uint64_t v8_function_bytecode(struct v8_reader *reader, uint64_t shared)
{
	const struct v8_layout *at = &reader->layout;
	uint64_t data = v8_field(reader, shared, at->shared_data);

	/* machine code of the function, then the interpreter's own data, then the bytecode */
	for (int hop = 0; hop < 3; hop++) {
		int type = v8_type(reader, data);

		if (type == at->bytecode_array)
			return data;
		if (type == at->code)
			data = v8_field(reader, data, at->code_bytecode);
		else if (type == at->interpreter_data)
			data = v8_field(reader, data, at->tagged_bytes);
		else
			return 0;
	}
	return 0;
}

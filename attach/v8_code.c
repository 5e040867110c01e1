/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From an address in generated code to the Code object that describes it.
 *
 * Instructions begin with a header: the map of InstructionStreams, then the
 * Code. Nothing tells where, so the memory before the address is searched
 * backwards, and a find proves itself: the Code says that its instructions
 * begin behind this very header and reach past the address.
 *
 * Where a Code keeps entry, flags and size is among V8's own constants since
 * V8 12 only. Else the entry is the field that has that address; the two others
 * lie behind it.
 */
#include "v8_parts.h"

#include <errno.h>

#define SEARCH_BYTES (512u << 10)
#define CODE_WORDS   12
#define CODE_MAX     (64u << 20)

/* Where flags and size lie, seen from the entry. */
static const struct {
	int32_t flags, bytes;
} shapes[] = {
	{ 8, 16 },  /* V8 11.3 (Node 20) */
	{ 8, 20 },
	{ 16, 24 },
};
enum { SHAPES = sizeof(shapes) / sizeof(*shapes) };

int v8_kind_regexp(const struct v8_layout *layout)
{
	/* V8 14.6 has one more kind before these, for tests; its kinds behind these are as many as those of V8 11 */
	return layout->context_cell != V8_NONE && layout->kind_baseline == 11 ? 4 : 3;
}

static int is_stream_map(struct v8_reader *reader, uint64_t word)
{
	uint16_t type;

	if (reader->stream_map)
		return word == reader->stream_map;
	/* the map of a map is the map of maps */
	if (v8_type(reader, word) != reader->layout.map_of_maps)
		return 0;
	if (v8_read(reader, (word & ~3ull) + reader->layout.map_type, &type, sizeof(type)))
		return 0;
	return type == reader->layout.instruction_stream;
}

static int32_t find_entry(struct v8_reader *reader, uint64_t object, uint64_t start)
{
	int32_t known = reader->layout.code_entry;

	if (known != V8_NONE)
		return v8_field(reader, object, known) == start ? known : V8_NONE;
	for (int32_t offset = 8; offset < CODE_WORDS * 8; offset += 8)
		if (v8_field(reader, object, offset) == start)
			return offset;
	return V8_NONE;
}

static int fits(struct v8_reader *reader, struct v8_code *code, uint64_t pc, int32_t flags_at, int32_t bytes_at)
{
	int32_t flags, bytes;

	if (v8_int(reader, code->object, flags_at, &flags) || v8_int(reader, code->object, bytes_at, &bytes))
		return 0;
	if (bytes <= 0 || (uint32_t)bytes > CODE_MAX || pc - code->start > (uint32_t)bytes)
		return 0;
	code->kind = flags & reader->layout.kind_mask;
	code->bytes = bytes;
	/* the others are wasm and what V8 makes for its own tests */
	int regexp = v8_kind_regexp(&reader->layout);
	return code->kind == regexp || code->kind == regexp - 1 || code->kind >= reader->layout.kind_baseline;
}

/* 0: it is the code at `start` and covers pc. -ENOENT: code, but not this; -EINVAL: no code. */
static int check_code(struct v8_reader *reader, struct v8_code *code, uint64_t object, uint64_t start, uint64_t pc)
{
	struct v8_layout *at = &reader->layout;
	int32_t entry = V8_NONE;

	if (v8_type(reader, object) == at->code)
		entry = find_entry(reader, object, start);
	if (entry == V8_NONE)
		return -EINVAL;
	*code = (struct v8_code){ .object = object, .start = start };
	if (at->code_flags != V8_NONE)
		return fits(reader, code, pc, at->code_flags, at->code_bytes) ? 0 : -ENOENT;
	for (size_t i = 0; i < SHAPES; i++) {
		if (!fits(reader, code, pc, entry + shapes[i].flags, entry + shapes[i].bytes))
			continue;
		at->code_entry = entry;
		at->code_flags = entry + shapes[i].flags;
		at->code_bytes = entry + shapes[i].bytes;
		return 0;
	}
	return -ENOENT;
}

static int is_code_map(struct v8_reader *reader, uint64_t word)
{
	uint16_t type;

	if (reader->stream_map)
		return word == reader->stream_map;
	return v8_type(reader, word) == reader->layout.map_of_maps &&
	       !v8_read(reader, (word & ~3ull) + reader->layout.map_type, &type, sizeof(type)) && type == reader->layout.code;
}

/* Before V8 11: the instructions are the end of the Code. */
static int find_inline(struct v8_reader *reader, uint64_t pc, struct v8_code *code)
{
	const struct v8_layout *at = &reader->layout;
	uint64_t low = pc > SEARCH_BYTES ? pc - SEARCH_BYTES : 8, map;

	if (at->code_flags == V8_NONE || at->code_bytes == V8_NONE || at->kind_mask == V8_NONE ||
	    at->kind_baseline == V8_NONE || pc < low + (uint64_t)at->code_inline)
		return -ENOENT;
	for (uint64_t object = (pc - (uint64_t)at->code_inline) & ~7ull; object >= low; object -= 8) {
		if (v8_read(reader, object, &map, sizeof(map)))
			return -ENOENT;
		if (v8_is_smi(map) || !is_code_map(reader, map))
			continue;
		*code = (struct v8_code){ .object = object + 1, .start = object + (uint64_t)at->code_inline };
		if (!fits(reader, code, pc, at->code_flags, at->code_bytes))
			return -ENOENT;
		reader->stream_map = map;
		return 0;
	}
	return -ENOENT;
}

int v8_code_find(struct v8_reader *reader, uint64_t pc, struct v8_code *code)
{
	uint64_t low = pc > SEARCH_BYTES ? pc - SEARCH_BYTES : 8;
	uint64_t words[2];

	if (reader->layout.instruction_stream == V8_NONE && reader->layout.code_inline != V8_NONE)
		return find_inline(reader, pc, code);
	if (reader->layout.instruction_stream == V8_NONE || reader->layout.code == V8_NONE ||
	    reader->layout.kind_mask == V8_NONE || reader->layout.kind_baseline == V8_NONE ||
	    reader->layout.stream_header < (int32_t)sizeof(words))
		return -ENOENT;
	uint64_t header = reader->layout.stream_header;
	if (pc < header)
		return -ENOENT;
	for (uint64_t at = (pc & ~7ull) - header; at >= low; at -= 8) {
		if (v8_read(reader, at, words, sizeof(words)))
			return -ENOENT;
		if (v8_is_smi(words[0]) || v8_is_smi(words[1]) || !is_stream_map(reader, words[0]))
			continue;
		int err = check_code(reader, code, words[1], at + header, pc);
		if (err == -EINVAL)
			continue;
		if (!err)
			reader->stream_map = words[0];
		return err;
	}
	return -ENOENT;
}

int v8_code_again(struct v8_reader *reader, uint64_t pc, struct v8_code *code)
{
	uint64_t words[2], object = code->object, start = code->start;

	if (!object || !reader->stream_map || reader->layout.stream_header < (int32_t)sizeof(words) ||
	    start < (uint64_t)reader->layout.stream_header || pc < start)
		return -ENOENT;
	if (v8_read(reader, start - reader->layout.stream_header, words, sizeof(words)) || words[0] != reader->stream_map ||
	    words[1] != object)
		return -ENOENT;
	return check_code(reader, code, object, start, pc);
}

/* Between regular expressions and bytecode come functions of WebAssembly and the wrappers around them. */
int v8_code_is_wasm(const struct v8_reader *reader, const struct v8_code *code)
{
	const struct v8_layout *at = &reader->layout;

	return code->object && at->code_flags != V8_NONE && code->kind > v8_kind_regexp(at) && code->kind < at->kind_baseline - 1;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The V8 reader over a heap of any content: the input is the heap, with its
 * first words as the places that are asked about. Type numbers are small here,
 * so that objects of every type come up by chance.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "v8_parts.h"

#define BASE 0x10000ull

static const uint8_t *heap;
static size_t heap_bytes;

static int read_heap(void *arg, uint64_t address, void *out, size_t bytes)
{
	/* pages at the edge are there whole, as in a process */
	if (address < BASE || address - BASE >= heap_bytes || bytes > 1 << 20)
		return -EFAULT;
	size_t there = heap_bytes - (address - BASE);
	if (bytes > there && bytes > V8_PAGE_BYTES)
		return -EFAULT;
	memset(out, 0, bytes);
	memcpy(out, heap + (address - BASE), bytes < there ? bytes : there);
	return 0;
}

static const struct v8_layout layout = {
	.map_type = 12, .shared_data = 8, .shared_lazy_data = 40, .shared_name = 16, .shared_script = 32,
	.uncompiled_start = 16, .uncompiled_name = 8, .script_source = 8, .script_name = 16, .script_line_ends = 56,
	.script_eval_from = 72, .string_length = 12, .one_byte_chars = 16, .two_byte_chars = 16, .external_data = 24,
	.cons_first = 16, .cons_second = 24, .sliced_parent = 16, .sliced_offset = 24, .thin_actual = 16,
	.array_length = 8, .array_data = 16, .bytecode_data = 54, .code_deoptimization = 16, .code_bytecode = 16,
	.code_positions = 24, .code_offset_table = 24, .map_of_maps = 64, .bytecode_array = 65, .byte_array = 66,
	.trusted_byte_array = 67, .fixed_array = 68, .scope_info = 69, .script = 70, .shared = 71, .code = 72,
	.instruction_stream = 73, .interpreter_data = 74, .debug_info = 75, .shared_wrapper = 76, .first_non_string = 64,
	.first_uncompiled = 77, .last_uncompiled = 80, .representation_mask = 7, .encoding_mask = 8, .one_byte = 8,
	.cons = 1, .external = 2, .sliced = 3, .thin = 5, .kind_mask = 15, .kind_baseline = 11, .tagged_bytes = 8,
	.smi_shift_bits = 32, .deoptimization_literals = 2, .deoptimization_shared = 6, .deoptimization_positions = 7,
	.scope_locals = 2, .scope_first = 3, .stream_header = 16, .code_entry = V8_NONE, .code_flags = V8_NONE,
	.code_bytes = V8_NONE,
};

static void ask(struct v8_reader *reader, struct v8_scripts *scripts, uint64_t word)
{
	struct v8_place places[V8_INLINED_MAX];
	struct v8_function function;
	struct v8_code code;
	uint32_t line, column;
	char text[64];

	v8_turn(reader, 0);
	v8_string(reader, word, text, sizeof(text));
	v8_script_name(reader, word, text, sizeof(text));
	v8_line(scripts, reader, word, 20, &line, &column);
	v8_interpreted_position(reader, word, 60);
	v8_function_bytecode(reader, word);
	if (!v8_function_read(reader, word, &function))
		v8_line(scripts, reader, function.script, function.start, &line, &column);
	if (v8_code_find(reader, word, &code))
		code = (struct v8_code){ .object = word, .start = word, .bytes = 100, .kind = 13 };
	v8_optimized_places(reader, &code, code.start + 12, 1, places);
	v8_baseline_position(reader, &code, code.start + 12);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct v8_reader reader;
	struct v8_scripts *scripts;
	uint64_t words[8] = { 0 };
	uint64_t position;
	int32_t offset;

	if (size > 1 << 16 || v8_scripts_open(&scripts))
		return 0;
	heap = data;
	heap_bytes = size;
	uint64_t turn = reader.turn;
	memset(&reader, 0, offsetof(struct v8_reader, pages));
	reader.turn = turn;
	reader.read = read_heap;
	reader.layout = layout;
	memset(reader.layout.bytecode_bytes, 2, sizeof(reader.layout.bytecode_bytes));
	memcpy(words, data, size < sizeof(words) ? size : sizeof(words));
	for (int i = 0; i < 8; i++)
		ask(&reader, scripts, words[i]);
	v8_position_lookup(data, size, 100, &position);
	v8_position_table(data, size);
	v8_baseline_lookup(&layout, data, size / 2, data + size / 2, size - size / 2, 500, &offset);
	v8_find_c_entry_fp(data, size);
	v8_scripts_close(scripts);
	return 0;
}

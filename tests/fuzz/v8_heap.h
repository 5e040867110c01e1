/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A heap of V8 that is made of an input. Type numbers are small here, so that
 * objects of every type come up by chance.
 */
#ifndef V8_HEAP_H
#define V8_HEAP_H

#include <errno.h>
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
	.map_type = 12, .function_shared = 24, .function_context = 32, .object_elements = 16, .number_value = 8,
	.regexp_source = 24, .shared_data = 8, .shared_lazy_data = 40, .shared_name = 16, .shared_script = 32,
	.uncompiled_start = 16, .uncompiled_name = 8, .script_source = 8, .script_name = 16, .script_line_ends = 56,
	.script_eval_from = 72, .script_eval_position = 80, .script_source_url = 88, .string_length = 12, .one_byte_chars = 16, .two_byte_chars = 16, .external_data = 24,
	.cons_first = 16, .cons_second = 24, .sliced_parent = 16, .sliced_offset = 24, .thin_actual = 16,
	.array_length = 8, .array_data = 16, .bytecode_data = 54, .code_deoptimization = 16, .code_bytecode = 16,
	.code_positions = 24, .code_offset_table = 24, .map_of_maps = 64, .bytecode_array = 65, .byte_array = 66,
	.trusted_byte_array = 67, .fixed_array = 68, .scope_info = 69, .script = 70, .shared = 71, .code = 72,
	.instruction_stream = 73, .interpreter_data = 74, .debug_info = 75, .shared_wrapper = 76, .first_non_string = 64,
	.js_function = 81, .js_array = 82, .js_object = 83, .js_regexp = 84,
	.heap_number = 85, .first_uncompiled = 77, .last_uncompiled = 80, .representation_mask = 7, .encoding_mask = 8, .one_byte = 8,
	.cons = 1, .external = 2, .sliced = 3, .thin = 5, .kind_mask = 15, .kind_baseline = 11, .tagged_bytes = 8,
	.smi_shift_bits = 32, .deoptimization_literals = 2, .deoptimization_shared = 6, .deoptimization_positions = 7,
	.scope_locals = 2, .scope_first = 3, .stream_header = 16, .code_entry = V8_NONE, .code_flags = V8_NONE,
	.code_bytes = V8_NONE, .context_cell = V8_NONE, .operations = 12, .operation_frame = 2,
	.map_words = 8, .map_first_property = 9, .map_descriptors = 40, .descriptors_header = 24, .object_properties = 8,
	.property_kind_mask = 1, .property_location_mask = 32, .property_index_shift = 19, .dictionary_prefix = 3,
	.dictionary_prefix_words = 2, .dictionary_entry_words = 3,
	.operands = { 3, 1, 6, 4, 3, 3, 2, 1, 1, 0, 2, 1 },
};

#endif

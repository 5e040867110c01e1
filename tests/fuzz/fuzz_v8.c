/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The V8 reader over a heap of any content: the input is the heap, with its
 * first words as the places that are asked about, and as stacks in which a regular
 * expression is looked for.
 */
#include "v8_heap.h"

#include <stddef.h>

static void ask(struct v8_reader *reader, struct v8_scripts *scripts, uint64_t word)
{
	struct v8_place places[V8_INLINED_MAX];
	struct v8_function function;
	struct v8_code code;
	uint32_t line, column;
	char text[64];

	v8_turn(reader, 0);
	v8_string(reader, word, text, sizeof(text));
	v8_script_name(scripts, reader, word, text, sizeof(text));
	v8_regexp_on_stack(reader, word, text, sizeof(text));
	v8_scope_local(reader, word, "timerListQueue");
	v8_line(scripts, reader, word, 20, &line, &column);
	v8_interpreted_position(reader, word, 60);
	v8_function_bytecode(reader, word);
	v8_own_name(reader, word, v8_field(reader, v8_moved(reader, word), layout.function_shared));
	if (!v8_function_read(reader, word, &function))
		v8_line(scripts, reader, function.script, function.start, &line, &column);
	if (v8_code_find(reader, word, &code))
		code = (struct v8_code){ .object = word, .start = word, .bytes = 100, .kind = 13 };
	v8_optimized_places(reader, &code, code.start + 12, 1, places);
	code.kind = layout.kind_baseline + 1;
	v8_optimized_places(reader, &code, code.start + 12, 1, places);
	v8_optimized_places(reader, &code, code.start + 11, 0, places);
	v8_baseline_position(reader, &code, code.start + 12);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct v8_reader reader;
	struct v8_scripts *scripts;
	uint64_t words[8] = { 0 };
	struct v8_interpreted frames[V8_INLINED_MAX];
	uint64_t position;
	int32_t offset;

	if (size > 1 << 16 || v8_scripts_open(&scripts))
		return 0;
	heap = data;
	heap_bytes = size;
	memset(&reader, 0, sizeof(reader));
	reader.read = read_heap;
	reader.layout = layout;
	memset(reader.layout.bytecode_bytes, 2, sizeof(reader.layout.bytecode_bytes));
	memcpy(words, data, size < sizeof(words) ? size : sizeof(words));
	for (int i = 0; i < 8; i++)
		ask(&reader, scripts, words[i]);
	for (int is_flagged = 0; is_flagged < 2; is_flagged++) {
		v8_position_lookup(data, size, is_flagged, 100, &position);
		v8_position_table(data, size, is_flagged);
	}
	v8_baseline_lookup(&layout, data, size / 2, data + size / 2, size - size / 2, 500, &offset);
	v8_find_c_entry_fp(data, size);
	for (int32_t from = 0; from < 8; from++)
		v8_translation_read(&layout, data, size, from, frames);
	v8_scripts_close(scripts);
	return 0;
}

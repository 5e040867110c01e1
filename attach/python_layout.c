/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the fields of CPython's structs are, by minor version: they do not
 * change within one. The table was printed by a program of offsetof()s, compiled
 * for x86-64 against the headers of each version (Py_BUILD_CORE; 3.8.18, 3.9.18,
 * 3.10.13, 3.11.7, 3.12.1). From 3.13 on Python tells it itself.
 */
#include "python_parts.h"

#include <errno.h>
#include <string.h>

/* PyThreadState, PyFrameObject, PyCodeObject and strings, as they were for long */
#define BEFORE_3_11                                                                                                    \
	.object_type = 8, .code_bytes = 176, .code_filename = 104, .code_name = 112, .code_first_line = 40,            \
	.code_lines = 120, .bytes_size = 16, .bytes_data = 32, .string_length = 16, .string_state = 32,                \
	.string_ascii = 48, .string_wide = 72

#define WALK_BEFORE_3_11(instruction)                                                                                  \
	{                                                                                                              \
		.interpreter = 40, .threads = 8, .thread_previous = 0, .thread_next = 8, .thread_id = 176,             \
		.thread_frame = 24, .current = -1, .frame_bytes = 112, .frame_code = 32, .frame_previous = 24,         \
		.frame_instruction = (instruction), .entry = PS_PYTHON_ENTRY_EACH                                      \
	}

static const struct {
	unsigned minor;
	struct python_layout layout;
} table[] = {
	{ 8, { .walk = WALK_BEFORE_3_11(104), BEFORE_3_11, .lines = PYTHON_LNOTAB } },
	{ 9, { .walk = WALK_BEFORE_3_11(104), BEFORE_3_11, .lines = PYTHON_LNOTAB } },
	{ 10, { .walk = WALK_BEFORE_3_11(96), BEFORE_3_11, .lines = PYTHON_LINETABLE } },
	{ 11,
	  { .walk = { .interpreter = 48,
		      .threads = 16,
		      .thread_previous = 0,
		      .thread_next = 8,
		      .thread_id = 152,
		      .thread_frame = 56,
		      .current = 8,
		      .frame_bytes = 72,
		      .frame_code = 32,
		      .frame_previous = 48,
		      .frame_instruction = 56,
		      .frame_entry = 68,
		      .code_start = 184,
		      .entry = PS_PYTHON_ENTRY_FLAG },
	    .object_type = 8,
	    .code_bytes = 192,
	    .code_filename = 112,
	    .code_name = 128,
	    .code_first_line = 72,
	    .code_lines = 136,
	    .bytes_size = 16,
	    .bytes_data = 32,
	    .string_length = 16,
	    .string_state = 32,
	    .string_ascii = 48,
	    .string_wide = 72,
	    .lines = PYTHON_LOCATIONS } },
	{ 12,
	  { .walk = { .interpreter = 48,
		      .threads = 72,
		      .thread_previous = 0,
		      .thread_next = 8,
		      .thread_id = 136,
		      .thread_frame = 56,
		      .current = 0,
		      .frame_bytes = 72,
		      .frame_code = 0,
		      .frame_previous = 8,
		      .frame_instruction = 56,
		      .frame_entry = 70,
		      .code_start = 192,
		      .entry = PS_PYTHON_ENTRY_SHIM },
	    .object_type = 8,
	    .code_bytes = 200,
	    .code_filename = 112,
	    .code_name = 128,
	    .code_first_line = 68,
	    .code_lines = 136,
	    .bytes_size = 16,
	    .bytes_data = 32,
	    .string_length = 16,
	    .string_state = 32,
	    .string_ascii = 40,
	    .string_wide = 56,
	    .lines = PYTHON_LOCATIONS } },
};

const struct python_layout *python_layout_find(unsigned minor)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
		if (table[i].minor == minor)
			return &table[i].layout;
	return NULL;
}

/* Words of _Py_DebugOffsets in 3.13, by what comes before them. */
enum {
	TOLD_COOKIE,
	TOLD_VERSION,
	TOLD_FREE_THREADED,
	TOLD_INTERPRETERS = 5,
	TOLD_THREADS = 9,
	TOLD_THREAD_PREVIOUS = 20,
	TOLD_THREAD_NEXT,
	TOLD_THREAD_FRAME = 23,
	TOLD_THREAD_ID,
	TOLD_FRAME_PREVIOUS = 29,
	TOLD_FRAME_CODE,
	TOLD_FRAME_INSTRUCTION,
	TOLD_FRAME_OWNER = 33,
	TOLD_CODE_BYTES,
	TOLD_CODE_FILENAME,
	TOLD_CODE_QUALNAME = 37,
	TOLD_CODE_LINES,
	TOLD_CODE_FIRST_LINE,
	TOLD_CODE_START = 43,
	TOLD_OBJECT_TYPE = 45,
	TOLD_BYTES_SIZE = 65,
	TOLD_BYTES_DATA,
	TOLD_STRING_STATE = 68,
	TOLD_STRING_LENGTH,
	TOLD_STRING_ASCII,
	TOLD_WORDS = PYTHON_TOLD_BYTES / 8
};

#define OFFSET_MAX (1u << 20)
#define UTF8_BYTES 16 /* two fields that strings have which are not ASCII */

/* What is read of a frame must be words, and few. */
static int fit_frame(struct ps_python_walk *walk)
{
	const uint32_t words[] = { walk->frame_code, walk->frame_previous, walk->frame_instruction,
				   walk->frame_entry & ~7u };

	walk->frame_bytes = 0;
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (words[i] % 8 || words[i] >= PS_PYTHON_WORDS * 8)
			return -ENOTSUP;
		if (walk->frame_bytes < words[i] + 8)
			walk->frame_bytes = words[i] + 8;
	}
	return 0;
}

int python_layout_told(struct python_layout *layout, const uint8_t told[PYTHON_TOLD_BYTES])
{
	uint64_t words[TOLD_WORDS];

	memcpy(words, told, sizeof(words));
	if (memcmp(told, "xdebugpy", 8) || words[TOLD_VERSION] >> 16 != 0x030d || words[TOLD_FREE_THREADED])
		return -ENOTSUP;
	for (int i = TOLD_INTERPRETERS; i < TOLD_STRING_ASCII; i++)
		if (words[i] >= OFFSET_MAX)
			return -ENOTSUP;
	if (words[TOLD_CODE_BYTES] > 1024)
		return -ENOTSUP;
	*layout = (struct python_layout){
		.walk = {
			/* the main one stands behind the first one */
			.interpreter = words[TOLD_INTERPRETERS] + 8, .threads = words[TOLD_THREADS],
			.thread_previous = words[TOLD_THREAD_PREVIOUS], .thread_next = words[TOLD_THREAD_NEXT],
			.thread_id = words[TOLD_THREAD_ID], .thread_frame = words[TOLD_THREAD_FRAME], .current = -1,
			.frame_code = words[TOLD_FRAME_CODE], .frame_previous = words[TOLD_FRAME_PREVIOUS],
			.frame_instruction = words[TOLD_FRAME_INSTRUCTION], .frame_entry = words[TOLD_FRAME_OWNER],
			.code_start = words[TOLD_CODE_START], .entry = PS_PYTHON_ENTRY_SHIM,
		},
		.object_type = words[TOLD_OBJECT_TYPE], .code_bytes = words[TOLD_CODE_BYTES],
		.code_filename = words[TOLD_CODE_FILENAME], .code_name = words[TOLD_CODE_QUALNAME],
		.code_first_line = words[TOLD_CODE_FIRST_LINE], .code_lines = words[TOLD_CODE_LINES],
		.bytes_size = words[TOLD_BYTES_SIZE], .bytes_data = words[TOLD_BYTES_DATA],
		.string_length = words[TOLD_STRING_LENGTH], .string_state = words[TOLD_STRING_STATE],
		.string_ascii = words[TOLD_STRING_ASCII], .string_wide = words[TOLD_STRING_ASCII] + UTF8_BYTES,
		.lines = PYTHON_LOCATIONS,
	};
	return layout->walk.code_start ? fit_frame(&layout->walk) : -ENOTSUP;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The reader of CPython's objects over a memory of any content: the input is the
 * memory, with a code object of each version at its begin, and tables of lines
 * of each kind.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "python_parts.h"

#define BASE 0x10000ull

static const uint8_t *memory;
static size_t memory_bytes;

static int read_memory(void *arg, uint64_t address, void *out, size_t bytes)
{
	(void)arg;
	if (address < BASE || bytes > memory_bytes || address - BASE > memory_bytes - bytes)
		return -EFAULT;
	memcpy(out, memory + (address - BASE), bytes);
	return 0;
}

static void ask(struct python_reader *reader, uint64_t address)
{
	struct python_code code = { .name = address, .filename = address + 8, .lines = address, .first_line = 1 };
	uint32_t line, column;
	char text[64];

	reader->code_type = 0;
	read_memory(NULL, address + (uint64_t)reader->layout.object_type, &reader->code_type,
		    sizeof(reader->code_type));
	python_code_read(reader, address, &code);
	for (int i = 0; i < 3; i++) {
		/* pointers are bent into the memory */
		uint64_t *object = i == 0 ? &code.name : i == 1 ? &code.filename : &code.lines;
		int length;

		*object = BASE + *object % (memory_bytes + 1);
		length = python_string(reader, *object, text, sizeof(text));
		if (length >= (int)sizeof(text) || (length >= 0 && (size_t)length < strlen(text)))
			abort();
	}
	for (int32_t at = -1; at < 200; at += 3)
		python_place_of(reader, &code, at, &line, &column);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct python_reader reader = { .read = read_memory };
	uint8_t told[PYTHON_TOLD_BYTES] = { 0 };
	uint32_t line, column;

	memory = data;
	memory_bytes = size;
	for (unsigned minor = 8; minor <= 12; minor++) {
		reader.layout = *python_layout_find(minor);
		ask(&reader, BASE);
		ask(&reader, BASE + size / 2);
	}
	for (int kind = PYTHON_LNOTAB; kind <= PYTHON_LOCATIONS; kind++)
		for (int32_t at = 0; at < 4096; at = at * 2 + 1)
			if (!python_line(kind, data, size, (int32_t)size, at, &line, &column) &&
			    (!line || line > INT32_MAX))
				abort();
	memcpy(told, data, size < sizeof(told) ? size : sizeof(told));
	memcpy(told, "xdebugpy", 8);
	memcpy(told + 8, "\xf0\x00\x0d\x03\0\0\0", 8);
	if (!python_layout_told(&reader.layout, told)) {
		if (reader.layout.walk.frame_bytes > PS_PYTHON_WORDS * 8)
			abort();
		ask(&reader, BASE);
	}
	return 0;
}

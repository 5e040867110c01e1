/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mangled names for people, without parameter lists.
 *
 * A hostile name of a few bytes can stand for gigabytes of text. libiberty
 * writes through a callback, so the text is cut at the end of our buffer by
 * leaving the demangler (it keeps its state on the stack, nothing is lost).
 */
#include "symbols_parts.h"

#include <libiberty/demangle.h>
#include <setjmp.h>
#include <string.h>

#define MANGLED_MAX 2048

struct output {
	char *text;
	size_t filled, room;
	jmp_buf full;
};

static void write_part(const char *part, size_t bytes, void *arg)
{
	struct output *output = arg;
	size_t left = output->room - 1 - output->filled;

	memcpy(output->text + output->filled, part, bytes < left ? bytes : left);
	output->filled += bytes < left ? bytes : left;
	if (bytes > left)
		longjmp(output->full, 1);
}

/* A function of its own: its locals do not change between setjmp and longjmp. */
static int run_demangler(const char *mangled, struct output *output)
{
	if (setjmp(output->full))
		return 1;
	if (!strncmp(mangled, "_Z", 2))
		return cplus_demangle_v3_callback(mangled, DMGL_ANSI, write_part, output);
	if (!strncmp(mangled, "_R", 2))
		return rust_demangle_callback(mangled, DMGL_ANSI, write_part, output);
	return 0;
}

int symbols_demangle(const char *mangled, char *out, size_t room)
{
	struct output output = { .text = out, .room = room };

	if (!room || strlen(mangled) > MANGLED_MAX)
		return 0;
	int done = run_demangler(mangled, &output);
	out[output.filled] = '\0';
	return done && output.filled;
}

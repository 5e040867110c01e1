/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names of kernel functions, from /proc/kallsyms.
 *
 * There is one kernel, so there is one table, read when the first kernel frame
 * is met and kept. Where the kernel hides its addresses (all zero) every frame
 * is "[kernel]".
 */
#include "source.h"

#include <stdlib.h>
#include <string.h>

#define NAME_MAX_BYTES 128
#define PADDING "__pfx_" /* in front of each function, never run: half of all names */

/* Packed: there are some 64,000. */
struct __attribute__((packed)) function {
	uint64_t address;
	uint32_t name;     /* offset in names */
};

static struct {
	int loaded;
	struct function *functions;
	size_t count, room;
	char *names;
	size_t filled, names_room;
} kernel;

static int add_function(uint64_t address, const char *name)
{
	size_t bytes = strnlen(name, NAME_MAX_BYTES - 1) + 1;

	if (kernel.count == kernel.room) {
		size_t room = kernel.room ? kernel.room * 2 : 1 << 16;
		struct function *functions = realloc(kernel.functions, room * sizeof(*functions));

		if (!functions)
			return 0;
		kernel.functions = functions;
		kernel.room = room;
	}
	if (kernel.filled + bytes > kernel.names_room) {
		size_t room = kernel.names_room ? kernel.names_room * 2 : 1 << 20;
		char *names = realloc(kernel.names, room);

		if (!names)
			return 0;
		kernel.names = names;
		kernel.names_room = room;
	}
	kernel.functions[kernel.count++] = (struct function){ address, kernel.filled };
	memcpy(kernel.names + kernel.filled, name, bytes - 1);
	kernel.names[kernel.filled + bytes - 1] = '\0';
	kernel.filled += bytes;
	return 1;
}

static int by_address(const void *a, const void *b)
{
	const struct function *x = a, *y = b;

	if (x->address != y->address)
		return x->address < y->address ? -1 : 1;
	return x->name < y->name ? -1 : x->name > y->name;
}

static void load(void)
{
	char line[512], *name;
	unsigned long long address;
	FILE *file = fopen("/proc/kallsyms", "re");

	kernel.loaded = 1;
	if (!file)
		return;
	while (fgets(line, sizeof(line), file)) {
		/* "ffffffff81000000 T name [module]", a hundred thousand times */
		address = strtoull(line, &name, 16);
		if (name == line || name[0] != ' ' || !name[1] || !strchr("tTwW", name[1]) || name[2] != ' ')
			continue;
		name += 3;
		name[strcspn(name, " \t\n")] = '\0';
		/* all addresses are zero when they are hidden: the first one tells */
		if (!address && !kernel.count)
			break;
		if (!strncmp(name, PADDING, sizeof(PADDING) - 1))
			continue;
		if (!add_function(address, name))
			break;
	}
	fclose(file);
	qsort(kernel.functions, kernel.count, sizeof(*kernel.functions), by_address);
}

static const struct function *find_function(uint64_t address)
{
	size_t low = 0, high = kernel.count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (kernel.functions[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? &kernel.functions[low - 1] : NULL;
}

int symbols_kernel_prepare(void)
{
	if (kernel.loaded)
		return 0;
	load();
	return 1;
}

static const struct function *lookup(uint64_t address)
{
	if (!kernel.loaded)
		load();
	return find_function(address);
}

const char *symbols_kernel_name(uint64_t address)
{
	const struct function *function = lookup(address);

	return function ? kernel.names + function->name : "";
}

uint32_t symbols_kernel_frame(struct stream *stream, uint64_t address)
{
	struct ps_ev_frame frame = { .kind = PS_FRAME_KERNEL };
	const struct function *function = lookup(address);
	const char *name = "[kernel]";

	if (function) {
		name = kernel.names + function->name;
		frame.offset = address - function->address;
	}
	frame.name = stream_string(stream, name, strlen(name));
	return stream_frame(stream, &frame);
}

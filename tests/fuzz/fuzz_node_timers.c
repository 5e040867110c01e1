/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The reader of node's timers over a heap that was right once: an image with an
 * Environment, a Realm, the function processTimers, its contexts, the queue and
 * its lists, in which each six bytes of the input change a word. No input: all
 * timers of the image are found.
 */
#include <stdlib.h>

#include "node_timers.h"
#include "v8_heap.h"

#define ROOM (64u << 10)
#define HANDLE 0x3000u
#define SLOT 0x5000u
#define REALM 0x6000u
#define OBJECTS 0x8000u
#define STEP 0x80u
#define DUE_MS 5000u
#define TIMERS 6

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t words[ROOM / 8];

static void put(uint32_t at, uint64_t value)
{
	words[at / 8] = value;
}

static uint64_t tagged(uint32_t at)
{
	return BASE + at + 1;
}

static uint64_t smi(int32_t value)
{
	return (uint64_t)(uint32_t)value << 32;
}

/* The map of a type lies at the place of its number; the type is 12 bytes into it. */
static void type(uint32_t at, uint32_t number)
{
	put(at, tagged(number * 16));
	put(number * 16 + 8, (uint64_t)number << 32);
}

static void string(uint32_t at, const char *text)
{
	type(at, 8);
	put(at + 8, (uint64_t)strlen(text) << 32);
	memcpy(&words[(at + 16) / 8], text, strlen(text));
}

enum object {
	NAME,
	SHARED,
	FUNCTION,
	CONTEXT,
	OUTER,
	SCOPE,
	OUTER_SCOPE,
	VARIABLE,
	QUEUE,
	ARRAY,
	ELEMENTS,
	LISTS,
	TIMEOUTS = LISTS + 2
};

static uint32_t place(uint32_t object)
{
	return OBJECTS + object * STEP;
}

static void function(void)
{
	string(place(NAME), "processTimers");
	type(place(SHARED), (uint32_t)layout.shared);
	put(place(SHARED) + (uint32_t)layout.shared_name, tagged(place(NAME)));
	type(place(FUNCTION), (uint32_t)layout.js_function);
	put(place(FUNCTION) + (uint32_t)layout.function_shared, tagged(place(SHARED)));
	put(place(FUNCTION) + (uint32_t)layout.function_context, tagged(place(CONTEXT)));
	string(place(VARIABLE), "timerListQueue");
	type(place(SCOPE), (uint32_t)layout.scope_info);
	type(place(OUTER_SCOPE), (uint32_t)layout.scope_info);
	put(place(OUTER_SCOPE) + 24, smi(1));
	put(place(OUTER_SCOPE) + 32, tagged(place(VARIABLE)));
	type(place(CONTEXT), (uint32_t)layout.fixed_array);
	put(place(CONTEXT) + 16, tagged(place(SCOPE)));
	put(place(CONTEXT) + 24, tagged(place(OUTER)));
	type(place(OUTER), (uint32_t)layout.fixed_array);
	put(place(OUTER) + 16, tagged(place(OUTER_SCOPE)));
	put(place(OUTER) + 32, tagged(place(QUEUE)));
}

/* Two lists of three timers. */
static void queue(void)
{
	type(place(QUEUE), (uint32_t)layout.js_object);
	put(place(QUEUE) + 32, tagged(place(ARRAY)));
	type(place(ARRAY), (uint32_t)layout.js_array);
	put(place(ARRAY) + (uint32_t)layout.object_elements, tagged(place(ELEMENTS)));
	type(place(ELEMENTS), (uint32_t)layout.fixed_array);
	put(place(ELEMENTS) + 8, smi(3));
	for (uint32_t i = 0; i < 2; i++) {
		uint32_t list = place(LISTS + i), before = list;

		put(place(ELEMENTS) + 24 + i * 8, tagged(list));
		type(list, (uint32_t)layout.js_object);
		put(list + 40, smi(1000));
		put(list + 56, smi(100));
		for (uint32_t k = 0; k < 3; k++) {
			uint32_t timeout = place(TIMEOUTS + i * 3 + k);

			put(before + 32, tagged(timeout));
			type(timeout, (uint32_t)layout.js_object);
			put(timeout + 48, smi(900));
			before = timeout;
		}
		put(before + 32, tagged(list));
	}
}

static void change(const uint8_t *data)
{
	uint32_t at = (data[0] | (uint32_t)data[1] << 8) % (ROOM / 8), value = data[4] | (uint32_t)data[5] << 8;

	/* most of it where something is */
	if (data[2] & 128)
		at = OBJECTS / 8 + at % ((TIMEOUTS + TIMERS) * STEP / 8);
	switch (data[2] % 7) {
	case 0:
		words[at] = tagged(value & ~7u);
		break;
	case 1:
		words[at] = BASE + value;
		break;
	case 2:
		words[at] = smi((int32_t)((int16_t)value * (data[3] + 1)));
		break;
	case 3:
		words[at] = words[value % (ROOM / 8)];
		break;
	case 4:
		words[at] ^= (uint64_t)value << data[3] % 64;
		break;
	case 5:
		type(at * 8, (uint32_t)value % 90);
		break;
	default:
		words[at] = tagged(place(value % (TIMEOUTS + TIMERS)));
		break;
	}
}

static unsigned reads;

static int read_counted(void *arg, uint64_t address, void *out, size_t bytes)
{
	if (++reads > 4000000)
		abort(); /* a walk that does not end */
	return read_heap(arg, address, out, bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint64_t due_ns[64];
	struct node_timers *timers;

	memset(words, 0, sizeof(words));
	function();
	queue();
	put(HANDLE + 0x100, BASE + SLOT);
	put(SLOT, tagged(place(FUNCTION)));
	put(HANDLE + 0x108, BASE + REALM);
	put(REALM + 16, BASE + HANDLE - 64);
	put(REALM + 0x200, BASE + SLOT + 8);
	put(SLOT + 8, tagged(place(FUNCTION)));
	for (size_t i = 0; i + 6 <= size; i += 6)
		change(data + i);
	heap = (const uint8_t *)words;
	heap_bytes = ROOM;
	reads = 0;
	if (node_timers_open_over(&timers, &layout, read_counted, NULL))
		abort();
	memset(due_ns, 0, sizeof(due_ns));
	long count = node_timers_read(timers, BASE + HANDLE, DUE_MS, due_ns, 32);
	if (size < 6 && (count != TIMERS || due_ns[0] != DUE_MS * 1000000ull))
		abort();
	for (size_t i = 32; i < 64; i++)
		if (due_ns[i])
			abort();
	node_timers_read(timers, BASE + HANDLE, DUE_MS, due_ns, 32);
	node_timers_close(timers);
	return 0;
}

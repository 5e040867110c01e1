/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The reader of libuv's memory over a memory of any content: the input is laid
 * out as a process's memory, with a loop at its begin whose queues are made
 * whole, so that the walks get past the first look, and whose pointers are bent
 * into the memory. The code of exported functions is decoded from it as well.
 *
 *   make fuzz        (seeds: tests/data/fuzz/fuzz_uv)
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "libuv.h"
#include "ps_event.h"

#define BASE 0x10000ull
#define ROOM (64u << 10)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static uint8_t memory_bytes[ROOM];
static unsigned reads;

static int read_bytes(void *arg, uint64_t address, void *out, size_t bytes)
{
	(void)arg;
	if (++reads > 4000000)
		abort(); /* a walk that does not end */
	if (address < BASE || bytes > ROOM || address - BASE > ROOM - bytes)
		return -EFAULT;
	memcpy(out, memory_bytes + (address - BASE), bytes);
	return 0;
}

static void put(uint32_t at, uint64_t value)
{
	if (at + sizeof(value) <= ROOM)
		memcpy(memory_bytes + at, &value, sizeof(value));
}

static uint64_t get(uint32_t at)
{
	uint64_t value = 0;
	if (at + sizeof(value) <= ROOM)
		memcpy(&value, memory_bytes + at, sizeof(value));
	return value;
}

/* An aligned place in the memory. */
static uint64_t bend(uint64_t value)
{
	return BASE + value % (ROOM - 512) / 8 * 8;
}

/* The first node of a ring points back, whatever follows. */
static void mend_ring(uint32_t head)
{
	uint64_t next = bend(get(head));
	put(head, next);
	put((uint32_t)(next - BASE) + 8, BASE + head);
}

static void mend_loop(void)
{
	uint64_t root = bend(get(libuv_layout.loop_timers)), node = root;
	put(libuv_layout.loop_timers, root);
	put(libuv_layout.loop_watchers, bend(get(libuv_layout.loop_watchers)));
	put(libuv_layout.loop_internal, bend(get(libuv_layout.loop_internal)));
	/* some timers, each the left child of the one before */
	for (int i = 0; i < 6; i++) {
		uint32_t timer = (uint32_t)(node - BASE) - libuv_layout.timer_node;
		if (timer >= ROOM - 512)
			break;
		put(timer + libuv_layout.handle_loop, BASE);
		node = bend(get(timer + libuv_layout.timer_node) + 0x200);
		put(timer + libuv_layout.timer_node, node);
	}
	mend_ring(libuv_layout.loop_handle_queue);
	mend_ring(libuv_layout.loop_pending);
	mend_ring(libuv_layout.loop_wq);
	/* and the handles of its queue say whose they are */
	uint64_t at = get(libuv_layout.loop_handle_queue);
	for (int i = 0; i < 6; i++) {
		uint32_t handle = (uint32_t)(at - BASE) - libuv_layout.handle_queue;
		if (handle >= ROOM - 512)
			break;
		put(handle + libuv_layout.handle_loop, BASE);
		memory_bytes[handle + libuv_layout.handle_type] %= 20;
		memset(memory_bytes + handle + libuv_layout.handle_type + 1, 0, 3);
		uint64_t next = bend(get(handle + libuv_layout.handle_queue));
		put(handle + libuv_layout.handle_queue, next);
		put((uint32_t)(next - BASE) + 8, at);
		at = next;
	}
}

static void read_it(struct libuv_memory *memory)
{
	static const struct libuv_limits limits = { 3000, 3000, 300 };
	struct libuv_loop loop;
	int32_t fd = (int32_t)get(libuv_layout.loop_backend_fd);
	libuv_is_loop(memory, BASE, fd);
	if (libuv_read(&loop, memory, BASE, 1u << 16 | 46u << 8, &limits))
		return;
	if (loop.timer_count > limits.timers || loop.handle_count > limits.handles ||
	    loop.watcher_count > limits.watchers)
		abort();
	for (size_t i = 0; i < loop.handle_count; i++)
		libuv_type_name(loop.handles[i].type);
	libuv_free(&loop);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct libuv_memory memory = { .read = read_bytes };
	struct libuv_image image = { .text_start = BASE, .text_end = BASE + ROOM };
	struct libuv_pool pool;
	if (!size)
		return 0;
	for (size_t at = 0; at < ROOM; at += size)
		memcpy(memory_bytes + at, bytes, size < ROOM - at ? size : ROOM - at);
	reads = 0;
	read_it(&memory);
	/* the places that are asked for are part of the input */
	for (unsigned i = 0; i < LIBUV_SYMBOL_COUNT; i++)
		image.address[i] = i == LIBUV_uv_queue_work || i == LIBUV_uv_fs_stat || i == LIBUV_uv_random ||
						   i == LIBUV_uv_getaddrinfo
					   ? bend(get(1024 + 8 * i))
					   : 0;
	libuv_decode(&image, &memory);
	for (unsigned i = LIBUV_wq; i <= LIBUV_slow_io_work_running; i++)
		if (!image.address[i])
			image.address[i] = bend(get(2048 + 8 * i));
	libuv_pool_read(&pool, &memory, &image);
	mend_loop();
	reads = 0;
	read_it(&memory);
	return 0;
}

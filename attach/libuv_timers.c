/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libuv's timers, which it keeps in a heap. It is read level by level, many nodes
 * with one call, and kept breadth first: it is a complete tree, so the place of a
 * node follows from that of its parent.
 */
#include "libuv_parts.h"

#include <errno.h>
#include <stdlib.h>

#include "ps_event.h"

static uint32_t depth_of(uint64_t count)
{
	uint32_t depth = 0;
	for (; count; count >>= 1)
		depth++;
	return depth;
}

/* What the nodes of one level are read into. */
struct level {
	uint64_t *nodes, *next; /* addresses of heap nodes; 0 = none */
	uint8_t *copies, *ok;
};

static int take_timer(struct libuv_loop *loop, const uint8_t *copy, uint64_t node, size_t at)
{
	if (libuv_word(copy, libuv_layout.handle_loop) != loop->address)
		return -EINVAL;
	loop->timers[at] = (struct libuv_timer){
		.address = node - libuv_layout.timer_node,
		.due_ms = libuv_word(copy, libuv_layout.timer_timeout),
		.repeat_ms = libuv_word(copy, libuv_layout.timer_repeat),
		.fn = libuv_word(copy, libuv_layout.timer_cb),
	};
	/* a heap: no node is due before its parent */
	return at && loop->timers[at].due_ms < loop->timers[(at - 1) / 2].due_ms ? -EINVAL : 0;
}

/* Reads nodes [first, first + count) of the heap; their children become level->next. */
static int read_level(struct libuv_loop *loop, struct libuv_memory *memory, struct level *level, size_t first,
		      size_t count)
{
	for (size_t done = 0; done < count; done += LIBUV_BATCH) {
		uint64_t addresses[LIBUV_BATCH];
		size_t batch = count - done < LIBUV_BATCH ? count - done : LIBUV_BATCH;
		for (size_t i = 0; i < batch; i++) {
			addresses[i] = level->nodes[done + i] - libuv_layout.timer_node;
			if (!libuv_is_address(addresses[i]))
				return -EINVAL;
		}
		libuv_get_many(memory, addresses, batch, libuv_layout.timer_bytes, level->copies, level->ok);
		for (size_t i = 0; i < batch; i++) {
			const uint8_t *copy = level->copies + i * libuv_layout.timer_bytes;
			if (!level->ok[i])
				return -EFAULT;
			int err = take_timer(loop, copy, level->nodes[done + i], first + done + i);
			if (err)
				return err;
			level->next[2 * (done + i)] = libuv_word(copy, libuv_layout.timer_node);
			level->next[2 * (done + i) + 1] = libuv_word(copy, libuv_layout.timer_node + 8);
		}
	}
	return 0;
}

static int read_heap(struct libuv_loop *loop, struct libuv_memory *memory, struct level *level, uint64_t root,
		     size_t most)
{
	size_t first = 0, width = 1;
	int err = 0;
	level->nodes[0] = root;
	for (; first < most && !err; first += width, width *= 2) {
		size_t count = most - first < width ? most - first : width;
		err = read_level(loop, memory, level, first, count);
		if (err)
			break;
		loop->timer_count = first + count;
		uint64_t *swapped = level->nodes;
		level->nodes = level->next;
		level->next = swapped;
	}
	return err;
}

static int open_level(struct level *level, size_t most)
{
	level->nodes = calloc(2 * most + 2, sizeof(*level->nodes));
	level->next = calloc(2 * most + 2, sizeof(*level->next));
	level->copies = malloc((size_t)LIBUV_BATCH * libuv_layout.timer_bytes);
	level->ok = malloc(LIBUV_BATCH);
	return level->nodes && level->next && level->copies && level->ok ? 0 : -ENOMEM;
}

static void close_level(struct level *level)
{
	free(level->nodes);
	free(level->next);
	free(level->copies);
	free(level->ok);
}

int libuv_read_timers(struct libuv_loop *loop, struct libuv_memory *memory, const struct libuv_limits *limits)
{
	struct level level = { 0 };
	int err = -EAGAIN;
	for (int attempt = 0; attempt < LIBUV_TRIES && err && err != -ENOMEM && !libuv_is_late(memory); attempt++) {
		uint64_t head[2]; /* min, nelts */
		loop->timer_count = 0;
		if (libuv_get(memory, loop->address + libuv_layout.loop_timers, head, sizeof(head)))
			break;
		uint32_t total = (uint32_t)head[1];
		loop->timer_total = total;
		loop->timer_depth = depth_of(total);
		size_t most = total < limits->timers ? total : limits->timers;
		if (!most) {
			close_level(&level);
			return 0;
		}
		free(loop->timers);
		loop->timers = calloc(most, sizeof(*loop->timers));
		close_level(&level);
		level = (struct level){ 0 };
		err = !loop->timers ? -ENOMEM : open_level(&level, most);
		if (!err)
			err = read_heap(loop, memory, &level, head[0], most);
	}
	close_level(&level);
	if (err == -ENOMEM)
		return err;
	if (err)
		libuv_say(loop, "timers",
			  libuv_reason(memory, err == -EFAULT ? "a node of the heap lies where nothing is"
							      : "the heap is no heap, or changed while it was read"));
	else if (loop->timer_count < loop->timer_total)
		libuv_say(loop, "timers", "more than are looked at: the nodes near the root are");
	if (err && loop->timer_total > LIBUV_QUEUE_MAX * 10u)
		loop->timer_total = loop->timer_depth = PS_UNKNOWN32; /* a count that nothing bears out */
	return 0;
}

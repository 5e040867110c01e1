/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A worker of nginx: its timers, which it keeps in a red-black tree by due time,
 * the events that it has put off, and how many of its connections are in use.
 *
 * The structs are those that modules are built with. That they are so in this
 * nginx is seen by what must agree: each event of the tree says of itself that
 * its timer is set, the tree is in order, and the free connections point to
 * events of the array of events.
 */
#include "libuv_parts.h"
#include "server_loop.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "ps_event.h"

enum { TREE, CYCLE, POSTED, NOW }; /* in the order of the symbols below */

#define LEVELS 64u /* a red-black tree of 2^32 nodes has no more */
#define EVENT_BYTES 96u /* ngx_event_t */
#define EVENT_BITS 8u
#define EVENT_TIMER_SET (1u << 11)
#define EVENT_HANDLER 16u
#define EVENT_TIMER 40u /* an ngx_rbtree_node_t: key, left, right */
#define EVENT_READ (EVENT_TIMER + 24u)
#define CYCLE_FREE 120u /* ngx_cycle_t: free_connections, free_connection_n */
#define CYCLE_COUNT 488u /* connection_n, files_n, connections, read_events */
#define CONNECTIONS_MAX (1u << 24)

struct place { /* a node on the way down from the root */
	uint64_t right;
	uint32_t level;
	struct libuv_timer timer;
};

struct walk {
	struct libuv_loop *loop;
	struct libuv_memory *memory;
	uint64_t sentinel, before; /* before: key of the node before, which none may precede */
	size_t most;
	struct place way[LEVELS];
	uint32_t deep; /* places of `way` */
};

/* Goes down to the leftmost node below `at`. */
static int go_left(struct walk *walk, uint64_t at, uint32_t level)
{
	for (; at != walk->sentinel; level++) {
		uint8_t copy[EVENT_READ];
		if (walk->deep == LEVELS || level > LEVELS)
			return -EINVAL;
		if (at < EVENT_TIMER || libuv_get(walk->memory, at - EVENT_TIMER, copy, sizeof(copy)))
			return -EFAULT;
		if (!(libuv_half(copy, EVENT_BITS) & EVENT_TIMER_SET))
			return -EINVAL;
		if (walk->loop->timer_depth < level)
			walk->loop->timer_depth = level;
		walk->way[walk->deep++] = (struct place){
			.right = libuv_word(copy, EVENT_TIMER + 16),
			.level = level,
			.timer = { .address = at - EVENT_TIMER,
				   .due_ms = libuv_word(copy, EVENT_TIMER),
				   .fn = libuv_word(copy, EVENT_HANDLER) },
		};
		at = libuv_word(copy, EVENT_TIMER + 8);
	}
	return 0;
}

static int walk_tree(struct walk *walk, uint64_t root)
{
	int err = go_left(walk, root, 1);
	while (!err && walk->deep) {
		const struct place place = walk->way[--walk->deep];
		if (place.timer.due_ms < walk->before)
			return -EINVAL;
		if (walk->loop->timer_count == walk->most)
			return -E2BIG;
		walk->before = place.timer.due_ms;
		walk->loop->timers[walk->loop->timer_count++] = place.timer;
		err = go_left(walk, place.right, place.level + 1);
	}
	return err;
}

static int read_timers(struct libuv_loop *loop, struct libuv_memory *memory, uint64_t tree, size_t most)
{
	uint64_t head[2]; /* root, sentinel */
	struct walk walk = { .loop = loop, .memory = memory, .most = most };
	if (libuv_get(memory, tree, head, sizeof(head)))
		return -EFAULT;
	walk.sentinel = head[1];
	loop->timers = calloc(most + 1, sizeof(*loop->timers));
	if (!loop->timers)
		return -ENOMEM;
	loop->timer_depth = 0;
	int err = head[0] ? walk_tree(&walk, head[0]) : 0; /* 0: it has not begun to work */
	if (err)
		loop->timer_depth = PS_UNKNOWN32;
	if (err == -E2BIG)
		libuv_say(loop, "timers", "more than are looked at: those due first are");
	else if (err)
		libuv_say(loop, "timers",
			  libuv_reason(memory, err == -EFAULT ? "an event of the tree lies where nothing is"
							      : "the tree is none, or changed while it was read"));
	else
		loop->timer_total = (uint32_t)loop->timer_count;
	return err == -E2BIG ? 0 : err;
}

/* How many connections are in use; of a cycle that is laid out otherwise nothing is believed. */
static void read_connections(struct libuv_loop *loop, struct libuv_memory *memory, uint64_t variable)
{
	uint64_t cycle, unused[2], own[4], first[2];
	if (libuv_get(memory, variable, &cycle, sizeof(cycle)) ||
	    libuv_get(memory, cycle + CYCLE_FREE, unused, sizeof(unused)) ||
	    libuv_get(memory, cycle + CYCLE_COUNT, own, sizeof(own))) {
		libuv_say(loop, "connections", "their cycle lies where nothing is");
		return;
	}
	uint64_t count = own[0], events = own[3];
	if (!own[2] || !events)
		return; /* the master serves nobody */
	int fits = count && count <= CONNECTIONS_MAX && unused[1] <= count;
	/* data, read: the second points into the array of events */
	if (fits && unused[0])
		fits = !libuv_get(memory, unused[0], first, sizeof(first)) && first[1] >= events &&
		       (first[1] - events) / EVENT_BYTES < count && (first[1] - events) % EVENT_BYTES == 0;
	if (!fits) {
		libuv_say(loop, "connections", "this nginx has them laid out otherwise");
		return;
	}
	loop->handle_total = loop->active_handles = (uint32_t)(count - unused[1]);
	char note[64];
	snprintf(note, sizeof(note), "%u of %u are in use", loop->handle_total, (unsigned)count);
	libuv_say(loop, "connections", note); /* if all else went well */
}

static int read_nginx(struct libuv_loop *loop, struct libuv_memory *memory, const struct server_image *image,
		      const struct libuv_limits *limits)
{
	uint64_t now = 0;
	if (!image->address[TREE] || !image->address[NOW]) {
		libuv_say(loop, "timers", "this nginx does not export its tree of timers");
		return -EINVAL;
	}
	if (libuv_get(memory, image->address[NOW], &now, sizeof(now)))
		return -EFAULT;
	/* nginx before 1.13 kept the time of day there */
	if (now > image->now_ms + 60000) {
		libuv_say(loop, "timers", "this nginx keeps them by another clock");
		return -EINVAL;
	}
	loop->address = image->address[TREE];
	loop->backend_fd = image->poller_fd;
	loop->time_ms = now;
	int err = read_timers(loop, memory, image->address[TREE], limits->timers);
	if (!err && image->address[POSTED])
		loop->pending = libuv_queue_length(memory, image->address[POSTED]);
	if (!err && image->address[CYCLE])
		read_connections(loop, memory, image->address[CYCLE]);
	return err;
}

const struct server_kind server_nginx = {
	.name = "nginx",
	.structure = "red-black tree",
	.note = "",
	.symbols = { "ngx_event_timer_rbtree", "ngx_cycle", "ngx_posted_events", "ngx_current_msec" },
	.read = read_nginx,
};

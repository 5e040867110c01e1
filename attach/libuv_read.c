/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One loop: a copy of the struct, then walks over what hangs on it (its timers:
 * libuv_timers.c). The loop changes while it is read: a walk that finds it changed
 * is begun again a few times, then told as incomplete.
 */
#include "libuv_parts.h"

#include <errno.h>
#include <stdlib.h>

#include "ps_event.h"

#define PIECE_MAX 256u
#define VERSION_METRICS (1u << 16 | 45u << 8) /* internal_fields has counters since */
#define METRICS_COUNT 8 /* of iterations, in internal_fields */

/* ---- queues ---- */

static uint32_t closing_length(struct libuv_memory *memory, uint64_t at)
{
	uint32_t length = 0;
	while (at) {
		if (++length > LIBUV_QUEUE_MAX ||
		    libuv_get(memory, at + libuv_layout.handle_next_closing, &at, sizeof(at)))
			return PS_UNKNOWN32;
	}
	return length;
}

/* ---- handles ---- */

static uint32_t io_of(uint32_t type)
{
	switch (libuv_type_kind(type)) {
	case PS_KIND_TCP:
	case PS_KIND_PIPE:
	case PS_KIND_TTY:
	case PS_KIND_STREAM:
		return libuv_layout.stream_io;
	case PS_KIND_UDP:
		return libuv_layout.udp_io;
	case PS_KIND_IO:
		return libuv_layout.poll_io;
	}
	return 0;
}

static void take_own(struct libuv_handle *handle, const uint8_t *copy, size_t bytes)
{
	uint32_t io = io_of(handle->type), own = libuv_layout.handle_own;
	uint32_t kind = libuv_type_kind(handle->type);
	if (io && io + libuv_layout.io_bytes <= bytes) {
		handle->fd = (int32_t)libuv_half(copy, io + libuv_layout.io_fd);
		handle->fn = libuv_word(copy, io + libuv_layout.io_cb);
	}
	/* a stream calls the user's function, not the watcher's */
	if (io == libuv_layout.stream_io && libuv_layout.stream_connection_cb + 8 <= bytes) {
		uint64_t listens = libuv_word(copy, libuv_layout.stream_connection_cb);
		uint64_t reads = libuv_word(copy, libuv_layout.stream_read_cb);
		handle->fn = listens ? listens : reads;
	}
	int is_plain = kind == PS_KIND_WAKE || kind == PS_KIND_CHECK || kind == PS_KIND_IDLE ||
		       kind == PS_KIND_PREPARE || kind == PS_KIND_TIMER || kind == PS_KIND_SIGNAL ||
		       kind == PS_KIND_PROCESS;
	if (is_plain && own + 8 <= bytes)
		handle->fn = libuv_word(copy, own);
}

/* One node of the handle queue; links: its next and previous. */
static int read_handle(struct libuv_loop *loop, struct libuv_memory *memory, uint64_t address, uint64_t links[2])
{
	uint8_t copy[PIECE_MAX];
	size_t bytes = sizeof(copy);
	/* a small handle may end where its page does */
	if (libuv_get(memory, address, copy, bytes)) {
		bytes = libuv_layout.handle_own + 8;
		if (libuv_get(memory, address, copy, bytes))
			return -EFAULT;
	}
	struct libuv_handle handle = {
		.address = address,
		.type = libuv_half(copy, libuv_layout.handle_type),
		.flags = libuv_half(copy, libuv_layout.handle_flags),
		.fd = -1,
	};
	if (libuv_word(copy, libuv_layout.handle_loop) != loop->address || handle.type >= LIBUV_TYPES)
		return -EINVAL;
	take_own(&handle, copy, bytes);
	memcpy(links, copy + libuv_layout.handle_queue, 16);
	loop->handles[loop->handle_count++] = handle;
	return 0;
}

static int walk_handles(struct libuv_loop *loop, struct libuv_memory *memory, size_t most)
{
	uint64_t head = loop->address + libuv_layout.loop_handle_queue, before = head, links[2];
	if (libuv_get(memory, head, links, sizeof(links)))
		return -EFAULT;
	size_t room = 0;
	loop->handle_count = 0;
	while (links[0] != head) {
		uint64_t at = links[0];
		if (loop->handle_count == most)
			return -E2BIG;
		if (loop->handle_count == room) {
			room = room ? room * 2 : 64;
			struct libuv_handle *wider = realloc(loop->handles, room * sizeof(*wider));
			if (!wider)
				return -ENOMEM;
			loop->handles = wider;
		}
		int err = read_handle(loop, memory, at - libuv_layout.handle_queue, links);
		if (err)
			return err;
		if (links[1] != before)
			return -EINVAL;
		before = at;
	}
	return 0;
}

static int read_handles(struct libuv_loop *loop, struct libuv_memory *memory, const struct libuv_limits *limits)
{
	int err = limits->handles ? -EAGAIN : 0;
	for (int attempt = 0; attempt < LIBUV_TRIES && err && err != -ENOMEM && err != -E2BIG && !libuv_is_late(memory);
	     attempt++)
		err = walk_handles(loop, memory, limits->handles);
	if (err == -ENOMEM)
		return err;
	if (err == -E2BIG)
		libuv_say(loop, "handles", "more than are looked at");
	else if (err)
		libuv_say(loop, "handles", libuv_reason(memory, "the queue is no queue, or changed while it was read"));
	else if (limits->handles)
		loop->handle_total = (uint32_t)loop->handle_count;
	return 0;
}

/* ---- watchers ---- */

static int read_watchers(struct libuv_loop *loop, struct libuv_memory *memory, const uint8_t *copy,
			 const struct libuv_limits *limits)
{
	uint64_t array = libuv_word(copy, libuv_layout.loop_watchers);
	uint32_t count = libuv_half(copy, libuv_layout.loop_nwatchers);
	if (!limits->watchers || !count)
		return 0;
	size_t looked = count < limits->watchers * 16 ? count : limits->watchers * 16;
	uint64_t *pointers = malloc(looked * sizeof(*pointers));
	loop->watchers = calloc(limits->watchers, sizeof(*loop->watchers));
	if (!pointers || !loop->watchers) {
		free(pointers);
		return -ENOMEM;
	}
	if (libuv_get(memory, array, pointers, looked * sizeof(*pointers))) {
		libuv_say(loop, "watchers", libuv_reason(memory, "their array lies where nothing is"));
		looked = 0;
	}
	for (size_t i = 0; i < looked && loop->watcher_count < limits->watchers; i++) {
		uint8_t io[PIECE_MAX];
		if (!pointers[i] || libuv_get(memory, pointers[i], io, libuv_layout.io_bytes))
			continue;
		/* its place in the array is its descriptor */
		if (libuv_half(io, libuv_layout.io_fd) != i)
			continue;
		loop->watchers[loop->watcher_count++] = (struct libuv_watcher){
			(int32_t)i,
			libuv_half(io, libuv_layout.io_events),
			libuv_word(io, libuv_layout.io_cb),
		};
	}
	free(pointers);
	return 0;
}

/* ---- the loop ---- */

/* The parts of a ring's head that must agree with each other. */
static int is_ring(struct libuv_memory *memory, uint64_t head, const uint8_t *copy, uint32_t at)
{
	uint64_t next = libuv_word(copy, at), back;
	return !libuv_get(memory, next + 8, &back, sizeof(back)) && back == head + at;
}

static int check_loop(struct libuv_memory *memory, uint64_t address, const uint8_t *copy)
{
	if (address % 8)
		return -EINVAL;
	if (is_ring(memory, address, copy, libuv_layout.loop_handle_queue) &&
	    is_ring(memory, address, copy, libuv_layout.loop_pending) &&
	    is_ring(memory, address, copy, libuv_layout.loop_wq))
		return 0;
	return -EINVAL;
}

int libuv_is_loop(struct libuv_memory *memory, uint64_t address, int32_t backend_fd)
{
	uint8_t copy[libuv_layout.loop_bytes];
	uint32_t fd;
	/* the word that tells most is looked at first: most candidates are none */
	if (address % 8 || libuv_get(memory, address + libuv_layout.loop_backend_fd, &fd, sizeof(fd)) ||
	    (int32_t)fd != backend_fd)
		return 0;
	for (int attempt = 0; attempt < LIBUV_TRIES; attempt++)
		if (!libuv_get(memory, address, copy, sizeof(copy)) && !check_loop(memory, address, copy))
			return 1;
	return 0;
}

static void read_metrics(struct libuv_loop *loop, struct libuv_memory *memory, uint64_t internal, uint32_t version)
{
	uint64_t counts[2]; /* iterations, events */
	loop->iterations = loop->events = PS_UNKNOWN;
	if (version < VERSION_METRICS || version >> 16 != 1)
		return;
	if (libuv_get(memory, internal + METRICS_COUNT, counts, sizeof(counts)))
		return;
	loop->iterations = counts[0];
	loop->events = counts[1];
	loop->counts = internal + METRICS_COUNT;
}

int libuv_read(struct libuv_loop *loop, struct libuv_memory *memory, uint64_t address, uint32_t version,
	       const struct libuv_limits *limits)
{
	uint8_t copy[libuv_layout.loop_bytes];
	memset(loop, 0, sizeof(*loop));
	loop->address = address;
	int err = -EFAULT;
	for (int attempt = 0; attempt < LIBUV_TRIES && err; attempt++) {
		if (libuv_get(memory, address, copy, sizeof(copy)))
			return -EFAULT;
		err = check_loop(memory, address, copy);
	}
	if (err)
		return err;
	loop->backend_fd = (int32_t)libuv_half(copy, libuv_layout.loop_backend_fd);
	loop->time_ms = libuv_word(copy, libuv_layout.loop_time);
	loop->active_handles = libuv_half(copy, libuv_layout.loop_active_handles);
	loop->active_reqs = libuv_half(copy, libuv_layout.loop_active_reqs);
	loop->nfds = libuv_half(copy, libuv_layout.loop_nfds);
	loop->timer_total = loop->timer_depth = loop->handle_total = PS_UNKNOWN32;
	loop->pending = libuv_queue_length(memory, address + libuv_layout.loop_pending);
	loop->done_jobs = libuv_queue_length(memory, address + libuv_layout.loop_wq);
	loop->closing = closing_length(memory, libuv_word(copy, libuv_layout.loop_closing));
	read_metrics(loop, memory, libuv_word(copy, libuv_layout.loop_internal), version);
	err = libuv_read_timers(loop, memory, limits);
	if (!err)
		err = read_handles(loop, memory, limits);
	if (!err)
		err = read_watchers(loop, memory, copy, limits);
	if (err)
		libuv_free(loop);
	return err;
}

void libuv_free(struct libuv_loop *loop)
{
	free(loop->timers);
	free(loop->handles);
	free(loop->watchers);
	memset(loop, 0, sizeof(*loop));
}

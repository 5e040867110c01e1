/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One loop: a copy of the struct, then walks over what hangs on it.
 *
 * The heap is read level by level, many nodes with one call, and kept breadth
 * first: libuv's heap is a complete tree, so the place of a node follows from
 * that of its parent. Queues are rings of two pointers; each node must point
 * back to the one we came from. The loop changes while it is read: a walk that
 * finds it changed is begun again a few times, then told as incomplete.
 */
#include "libuv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>

#include "ps_event.h"
#include "source.h"

#define TRIES 3
#define BATCH 256u /* nodes that one call reads; IOV_MAX is 1024 */
#define QUEUE_MAX 100000u
#define PIECE_MAX 256u
#define ADDRESS_LEAST 0x1000ull
#define ADDRESS_END (1ull << 56)
#define VERSION_METRICS (1u << 16 | 45u << 8) /* internal_fields has counters since */
#define METRICS_COUNT 8 /* of iterations, in internal_fields */

/* ---- memory ---- */

static int read_process(void *arg, uint64_t address, void *out, size_t bytes)
{
	struct iovec here = { out, bytes }, there = { (void *)(uintptr_t)address, bytes };
	return process_vm_readv(*(const pid_t *)arg, &here, 1, &there, 1, 0) == (ssize_t)bytes ? 0 : -EFAULT;
}

/* A piece that cannot be read ends the call: what follows it is asked for anew. */
static void gather_process(void *arg, const uint64_t *addresses, size_t count, size_t bytes, void *out, uint8_t *ok)
{
	for (size_t done = 0; done < count;) {
		struct iovec there[BATCH];
		size_t wanted = count - done < BATCH ? count - done : BATCH;
		struct iovec here = { (char *)out + done * bytes, wanted * bytes };
		for (size_t i = 0; i < wanted; i++)
			there[i] = (struct iovec){ (void *)(uintptr_t)addresses[done + i], bytes };
		ssize_t got = process_vm_readv(*(const pid_t *)arg, &here, 1, there, wanted, 0);
		size_t whole = got > 0 ? (size_t)got / bytes : 0;
		memset(ok + done, 1, whole);
		done += whole;
		if (whole < wanted)
			ok[done++] = 0;
	}
}

void libuv_memory_of(struct libuv_memory *memory, const pid_t *pid)
{
	*memory =
		(struct libuv_memory){ .read = read_process, .gather = gather_process, .arg = (void *)(uintptr_t)pid };
}

uint64_t libuv_clock(void)
{
	struct timespec now;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

static int is_late(const struct libuv_memory *memory)
{
	return memory->deadline_ns && libuv_clock() > memory->deadline_ns;
}

static int is_address(uint64_t address)
{
	return address >= ADDRESS_LEAST && address < ADDRESS_END;
}

int libuv_get(struct libuv_memory *memory, uint64_t address, void *out, size_t bytes)
{
	if (!is_address(address))
		return -EFAULT;
	return is_late(memory) ? -ETIME : memory->read(memory->arg, address, out, bytes);
}

void libuv_get_many(struct libuv_memory *memory, const uint64_t *addresses, size_t count, size_t bytes, void *out,
		    uint8_t *ok)
{
	memset(ok, 0, count);
	if (is_late(memory))
		return;
	if (memory->gather) {
		memory->gather(memory->arg, addresses, count, bytes, out, ok);
		return;
	}
	for (size_t i = 0; i < count; i++)
		ok[i] = !libuv_get(memory, addresses[i], (char *)out + i * bytes, bytes);
}

static uint64_t word(const uint8_t *copy, uint32_t at)
{
	uint64_t value;
	memcpy(&value, copy + at, sizeof(value));
	return value;
}

static uint32_t half(const uint8_t *copy, uint32_t at)
{
	uint32_t value;
	memcpy(&value, copy + at, sizeof(value));
	return value;
}

/* The first thing that went wrong is said, the rest follows from it. */
static void say(struct libuv_loop *loop, const char *what, const char *why)
{
	if (!*loop->note)
		snprintf(loop->note, sizeof(loop->note), "%s: %s", what, why);
}

static const char *reason(const struct libuv_memory *memory, const char *otherwise)
{
	return is_late(memory) ? "it took too long to read" : otherwise;
}

/* ---- timers ---- */

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
	if (word(copy, libuv_layout.handle_loop) != loop->address)
		return -EINVAL;
	loop->timers[at] = (struct libuv_timer){
		.address = node - libuv_layout.timer_node,
		.due_ms = word(copy, libuv_layout.timer_timeout),
		.repeat_ms = word(copy, libuv_layout.timer_repeat),
		.fn = word(copy, libuv_layout.timer_cb),
	};
	/* a heap: no node is due before its parent */
	return at && loop->timers[at].due_ms < loop->timers[(at - 1) / 2].due_ms ? -EINVAL : 0;
}

/* Reads nodes [first, first + count) of the heap; their children become level->next. */
static int read_level(struct libuv_loop *loop, struct libuv_memory *memory, struct level *level, size_t first,
		      size_t count)
{
	for (size_t done = 0; done < count; done += BATCH) {
		uint64_t addresses[BATCH];
		size_t batch = count - done < BATCH ? count - done : BATCH;
		for (size_t i = 0; i < batch; i++) {
			addresses[i] = level->nodes[done + i] - libuv_layout.timer_node;
			if (!is_address(addresses[i]))
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
			level->next[2 * (done + i)] = word(copy, libuv_layout.timer_node);
			level->next[2 * (done + i) + 1] = word(copy, libuv_layout.timer_node + 8);
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
	level->copies = malloc((size_t)BATCH * libuv_layout.timer_bytes);
	level->ok = malloc(BATCH);
	return level->nodes && level->next && level->copies && level->ok ? 0 : -ENOMEM;
}

static void close_level(struct level *level)
{
	free(level->nodes);
	free(level->next);
	free(level->copies);
	free(level->ok);
}

static int read_timers(struct libuv_loop *loop, struct libuv_memory *memory, const struct libuv_limits *limits)
{
	struct level level = { 0 };
	int err = -EAGAIN;
	for (int attempt = 0; attempt < TRIES && err && err != -ENOMEM && !is_late(memory); attempt++) {
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
		say(loop, "timers",
		    reason(memory, err == -EFAULT ? "a node of the heap lies where nothing is"
						  : "the heap is no heap, or changed while it was read"));
	else if (loop->timer_count < loop->timer_total)
		say(loop, "timers", "more than are looked at: the nodes near the root are");
	if (err && loop->timer_total > QUEUE_MAX * 10u)
		loop->timer_total = loop->timer_depth = PS_UNKNOWN32; /* a count that nothing bears out */
	return 0;
}

/* ---- queues ---- */

/* Length of a ring of two pointers; PS_UNKNOWN32 when it is none. */
static uint32_t queue_length(struct libuv_memory *memory, uint64_t head)
{
	uint64_t links[2], before = head, at;
	uint32_t length = 0;
	if (libuv_get(memory, head, links, sizeof(links)))
		return PS_UNKNOWN32;
	for (at = links[0]; at != head; at = links[0]) {
		if (++length > QUEUE_MAX || libuv_get(memory, at, links, sizeof(links)) || links[1] != before)
			return PS_UNKNOWN32;
		before = at;
	}
	return length;
}

static uint32_t closing_length(struct libuv_memory *memory, uint64_t at)
{
	uint32_t length = 0;
	while (at) {
		if (++length > QUEUE_MAX || libuv_get(memory, at + libuv_layout.handle_next_closing, &at, sizeof(at)))
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
		handle->fd = (int32_t)half(copy, io + libuv_layout.io_fd);
		handle->fn = word(copy, io + libuv_layout.io_cb);
	}
	/* a stream calls the user's function, not the watcher's */
	if (io == libuv_layout.stream_io && libuv_layout.stream_connection_cb + 8 <= bytes) {
		uint64_t listens = word(copy, libuv_layout.stream_connection_cb);
		uint64_t reads = word(copy, libuv_layout.stream_read_cb);
		handle->fn = listens ? listens : reads;
	}
	int is_plain = kind == PS_KIND_WAKE || kind == PS_KIND_CHECK || kind == PS_KIND_IDLE ||
		       kind == PS_KIND_PREPARE || kind == PS_KIND_TIMER || kind == PS_KIND_SIGNAL ||
		       kind == PS_KIND_PROCESS;
	if (is_plain && own + 8 <= bytes)
		handle->fn = word(copy, own);
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
		.type = half(copy, libuv_layout.handle_type),
		.flags = half(copy, libuv_layout.handle_flags),
		.fd = -1,
	};
	if (word(copy, libuv_layout.handle_loop) != loop->address || handle.type >= LIBUV_TYPES)
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
	for (int attempt = 0; attempt < TRIES && err && err != -ENOMEM && err != -E2BIG && !is_late(memory); attempt++)
		err = walk_handles(loop, memory, limits->handles);
	if (err == -ENOMEM)
		return err;
	if (err == -E2BIG)
		say(loop, "handles", "more than are looked at");
	else if (err)
		say(loop, "handles", reason(memory, "the queue is no queue, or changed while it was read"));
	else if (limits->handles)
		loop->handle_total = (uint32_t)loop->handle_count;
	return 0;
}

/* ---- watchers ---- */

static int read_watchers(struct libuv_loop *loop, struct libuv_memory *memory, const uint8_t *copy,
			 const struct libuv_limits *limits)
{
	uint64_t array = word(copy, libuv_layout.loop_watchers);
	uint32_t count = half(copy, libuv_layout.loop_nwatchers);
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
		say(loop, "watchers", reason(memory, "their array lies where nothing is"));
		looked = 0;
	}
	for (size_t i = 0; i < looked && loop->watcher_count < limits->watchers; i++) {
		uint8_t io[PIECE_MAX];
		if (!pointers[i] || libuv_get(memory, pointers[i], io, libuv_layout.io_bytes))
			continue;
		/* its place in the array is its descriptor */
		if (half(io, libuv_layout.io_fd) != i)
			continue;
		loop->watchers[loop->watcher_count++] = (struct libuv_watcher){
			(int32_t)i,
			half(io, libuv_layout.io_events),
			word(io, libuv_layout.io_cb),
		};
	}
	free(pointers);
	return 0;
}

/* ---- the loop ---- */

/* The parts of a ring's head that must agree with each other. */
static int is_ring(struct libuv_memory *memory, uint64_t head, const uint8_t *copy, uint32_t at)
{
	uint64_t next = word(copy, at), back;
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
	for (int attempt = 0; attempt < TRIES; attempt++)
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
}

int libuv_read(struct libuv_loop *loop, struct libuv_memory *memory, uint64_t address, uint32_t version,
	       const struct libuv_limits *limits)
{
	uint8_t copy[libuv_layout.loop_bytes];
	memset(loop, 0, sizeof(*loop));
	loop->address = address;
	int err = -EFAULT;
	for (int attempt = 0; attempt < TRIES && err; attempt++) {
		if (libuv_get(memory, address, copy, sizeof(copy)))
			return -EFAULT;
		err = check_loop(memory, address, copy);
	}
	if (err)
		return err;
	loop->backend_fd = (int32_t)half(copy, libuv_layout.loop_backend_fd);
	loop->time_ms = word(copy, libuv_layout.loop_time);
	loop->active_handles = half(copy, libuv_layout.loop_active_handles);
	loop->active_reqs = half(copy, libuv_layout.loop_active_reqs);
	loop->nfds = half(copy, libuv_layout.loop_nfds);
	loop->timer_total = loop->timer_depth = loop->handle_total = PS_UNKNOWN32;
	loop->pending = queue_length(memory, address + libuv_layout.loop_pending);
	loop->done_jobs = queue_length(memory, address + libuv_layout.loop_wq);
	loop->closing = closing_length(memory, word(copy, libuv_layout.loop_closing));
	read_metrics(loop, memory, word(copy, libuv_layout.loop_internal), version);
	err = read_timers(loop, memory, limits);
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

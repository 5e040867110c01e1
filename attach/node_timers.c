/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From node's timer of libuv to the timers of JavaScript.
 *
 * The handle lies inside node's Environment. That, or the Realm that refers to
 * it, holds the function processTimers; the function's contexts hold the
 * variable timerListQueue of lib/internal/timers; the queue's array holds lists,
 * one per duration, each a ring of Timeout objects. Nothing of it has public
 * offsets, so every step is a search that proves itself by the types of what it
 * finds and by names, and what does not fit ends it.
 */
#include "node_timers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "source.h"
#include "v8_parts.h"

#define ENVIRONMENT_BYTES 16384u /* around the handle */
#define REALM_BYTES 4096u
#define REALM_HEAD 32u /* words in which a Realm refers to its Environment */
#define CONTEXTS_MAX 6
#define LISTS_MAX 4096
#define SEARCH_NS 100000000ull
#define READ_NS 20000000ull
#define THREADS_MAX 16

/* fields of node's own objects, in the order in which it sets them, behind the three words of any object */
enum list_field { LIST_NEXT = 24, LIST_PREVIOUS = 32, LIST_EXPIRY = 40, LIST_DURATION = 56 };
enum timeout_field { TIMEOUT_PREVIOUS = 32, TIMEOUT_START = 48 };

struct node_thread {
	uint64_t handle;
	uint64_t slot; /* where a reference to processTimers is; 0 = not found */
	uint64_t tried_ns;
};

struct node_timers {
	pid_t pid;
	struct node_thread threads[THREADS_MAX];
	size_t thread_count;
	struct v8_reader reader;
};

static int read_process(void *arg, uint64_t address, void *out, size_t bytes)
{
	const struct node_timers *timers = arg;
	struct iovec here = { out, bytes }, there = { (void *)address, bytes };

	return process_vm_readv(timers->pid, &here, 1, &there, 1, 0) == (ssize_t)bytes ? 0 : -EFAULT;
}

int node_timers_open_over(struct node_timers **out, const struct v8_layout *at, v8_read_fn *read, void *arg)
{
	struct node_timers *timers;

	*out = NULL;
	if (at->function_context == V8_NONE || at->object_elements == V8_NONE || at->js_array == V8_NONE ||
	    at->js_object == V8_NONE || at->js_function == V8_NONE)
		return -ENOTSUP;
	timers = calloc(1, sizeof(*timers));
	if (!timers)
		return -ENOMEM;
	timers->reader.layout = *at;
	timers->reader.read = read;
	timers->reader.arg = arg;
	*out = timers;
	return 0;
}

int node_timers_open(struct node_timers **out, pid_t pid)
{
	struct v8_layout layout;
	int err = v8_layout_find(&layout, pid);

	*out = NULL;
	if (!err)
		err = node_timers_open_over(out, &layout, read_process, NULL);
	if (err)
		return err;
	(*out)->pid = pid;
	(*out)->reader.arg = *out;
	return 0;
}

void node_timers_close(struct node_timers *timers)
{
	free(timers);
}

/* ---- processTimers ---- */

static int is_function(struct v8_reader *reader, uint64_t object, const char *name)
{
	const struct v8_layout *at = &reader->layout;
	struct v8_function function;

	return (object & 3) == 1 && v8_type(reader, object) == at->js_function &&
	       !v8_function_read(reader, v8_field(reader, object, at->function_shared), &function) &&
	       !strcmp(function.name, name);
}

static int is_pointer(uint64_t word)
{
	return word > 0x10000 && word < 1ull << 47 && !(word & 7);
}

/* The first word in [from, from + bytes) that points to a reference to the function; 0 = none. */
static uint64_t find_slot(struct v8_reader *reader, uint64_t from, size_t bytes)
{
	for (size_t at = 0; at < bytes; at += 8) {
		uint64_t slot, object;

		if (v8_read(reader, from + at, &slot, sizeof(slot)) || !is_pointer(slot))
			continue;
		if (!v8_read(reader, slot, &object, sizeof(object)) && is_function(reader, object, "processTimers"))
			return slot;
	}
	return 0;
}

/* An object that refers to what is near the handle may be the Realm. */
static int may_be_realm(struct v8_reader *reader, uint64_t object, uint64_t handle)
{
	uint64_t word;

	for (size_t i = 0; i < REALM_HEAD; i++)
		if (!v8_read(reader, object + i * 8, &word, sizeof(word)) && word < handle &&
		    handle - word < ENVIRONMENT_BYTES)
			return 1;
	return 0;
}

static uint64_t search(struct v8_reader *reader, uint64_t handle)
{
	uint64_t from = (handle - ENVIRONMENT_BYTES / 4) & ~7ull, object, slot;

	slot = find_slot(reader, from, ENVIRONMENT_BYTES);
	for (size_t at = 0; at < ENVIRONMENT_BYTES && !slot; at += 8) {
		if (v8_read(reader, from + at, &object, sizeof(object)) || !is_pointer(object))
			continue;
		if (may_be_realm(reader, object, handle))
			slot = find_slot(reader, object, REALM_BYTES);
	}
	return slot;
}

static struct node_thread *thread_of(struct node_timers *timers, uint64_t handle)
{
	struct node_thread *thread = timers->threads;

	for (; thread < timers->threads + timers->thread_count; thread++)
		if (thread->handle == handle)
			return thread;
	if (timers->thread_count == THREADS_MAX)
		return NULL;
	timers->thread_count++;
	*thread = (struct node_thread){ .handle = handle };
	return thread;
}

/* The function, by where it was found before, or by searching: seldom, since that takes long. */
static uint64_t find_function(struct node_timers *timers, uint64_t handle)
{
	struct node_thread *thread = thread_of(timers, handle);
	struct v8_reader *reader = &timers->reader;
	uint64_t now = stream_now(), object;

	if (!thread)
		return 0;
	if (thread->slot && !v8_read(reader, thread->slot, &object, sizeof(object)) &&
	    is_function(reader, object, "processTimers"))
		return object;
	if (thread->tried_ns && now - thread->tried_ns < 100 * SEARCH_NS)
		return 0;
	thread->tried_ns = now;
	v8_turn(reader, credit_clock() + SEARCH_NS);
	thread->slot = search(reader, handle);
	v8_turn(reader, credit_clock() + READ_NS);
	return thread->slot && !v8_read(reader, thread->slot, &object, sizeof(object)) ? object : 0;
}

/* ---- its queue ---- */

static uint64_t find_queue(struct v8_reader *reader, uint64_t function)
{
	const struct v8_layout *at = &reader->layout;
	uint64_t context = v8_field(reader, function, at->function_context);

	for (int depth = 0; depth < CONTEXTS_MAX; depth++) {
		uint64_t scope = v8_field(reader, context, at->array_data);
		int32_t slot = v8_scope_local(reader, scope, "timerListQueue");

		if (slot >= 0)
			return v8_field(reader, context, at->array_data + slot * at->tagged_bytes);
		context = v8_field(reader, context, at->array_data + at->tagged_bytes);
	}
	return 0;
}

/* The array that the queue keeps its heap in: the first that it has. */
static uint64_t find_array(struct v8_reader *reader, uint64_t queue)
{
	const struct v8_layout *at = &reader->layout;

	if (v8_type(reader, queue) < 0)
		return 0;
	for (int32_t field = 24; field <= 64; field += 8) {
		uint64_t object = v8_field(reader, queue, field);

		if (v8_type(reader, object) == at->js_array)
			return v8_field(reader, object, at->object_elements);
	}
	return 0;
}

/* A number in a field: small, or a double in an object of its own. */
static int read_number(struct v8_reader *reader, uint64_t object, int32_t field, double *number)
{
	const struct v8_layout *at = &reader->layout;
	uint64_t word = v8_field(reader, object, field);
	int32_t small;

	if (!v8_smi(reader, object, field, &small)) {
		*number = small;
		return 1;
	}
	return at->number_value != V8_NONE && v8_type(reader, word) == at->heap_number &&
	       !v8_read(reader, (word & ~3ull) + (uint64_t)at->number_value, number, sizeof(*number)) && *number >= 0 &&
	       *number < 1e12;
}

struct due {
	uint64_t *ns;
	size_t room, count;
	double base_ms; /* what node counts from */
};

static void add_list(struct v8_reader *reader, uint64_t list, struct due *due)
{
	double duration, start;
	uint64_t timeout = v8_field(reader, list, LIST_PREVIOUS);

	if (!read_number(reader, list, LIST_DURATION, &duration))
		return;
	/* the oldest comes first; the ring ends at the list itself */
	for (size_t steps = 0; timeout && timeout != list && steps < due->room; steps++) {
		if (!read_number(reader, timeout, TIMEOUT_START, &start))
			return;
		double at_ms = due->base_ms + start + duration;
		if (due->count < due->room && at_ms >= 0 && at_ms < 1e13)
			due->ns[due->count] = (uint64_t)(at_ms * 1e6);
		due->count++;
		timeout = v8_field(reader, timeout, TIMEOUT_PREVIOUS);
	}
}

long node_timers_read(struct node_timers *timers, uint64_t handle, uint64_t due_ms, uint64_t *due_ns, size_t room)
{
	struct v8_reader *reader = &timers->reader;
	const struct v8_layout *at = &reader->layout;
	struct due due = { due_ns, room, 0, 0 };
	int32_t length;
	double first;

	v8_turn(reader, credit_clock() + READ_NS);
	uint64_t function = find_function(timers, handle);
	uint64_t array = function ? find_array(reader, find_queue(reader, function)) : 0;
	if (!array || v8_smi(reader, array, at->array_length, &length) || length < 0)
		return -ENOENT;
	for (int32_t i = 1; i < length && i <= LISTS_MAX; i++) {
		uint64_t list = v8_field(reader, array, at->array_data + i * at->tagged_bytes);

		if (v8_type(reader, list) != at->js_object)
			break;
		/* libuv's timer is due when the first list is: that tells what node counts from */
		if (i == 1 && !read_number(reader, list, LIST_EXPIRY, &first))
			return -ENOENT;
		if (i == 1)
			due.base_ms = (double)due_ms - first;
		add_list(reader, list, &due);
	}
	return (long)due.count;
}

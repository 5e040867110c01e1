/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The emitter: one list of listeners in the order they came, whatever their
 * names. A listener that is removed while something is emitted stays on the
 * list, marked, until the outermost emit is over.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ps_loop.h"

struct listener {
	struct listener *next;
	ps_listener_fn *fn;
	void *arg;
	uint64_t number;       /* rises; an emit calls those that were there when it began */
	uint8_t is_once, is_removed;
	char name[];
};

struct ps_emitter {
	struct listener *first, **last;
	uint64_t next_number;
	unsigned depth;        /* emits under way */
	uint8_t has_removed, is_closed;
};

static void sweep(struct ps_emitter *emitter)
{
	emitter->has_removed = 0;
	emitter->last = &emitter->first;
	while (*emitter->last) {
		struct listener *listener = *emitter->last;
		if (listener->is_removed || emitter->is_closed) {
			*emitter->last = listener->next;
			free(listener);
		} else {
			emitter->last = &listener->next;
		}
	}
}

int ps_emitter_open(struct ps_emitter **out)
{
	if (!out)
		return -EINVAL;
	struct ps_emitter *emitter = calloc(1, sizeof(*emitter));
	if (!emitter)
		return -ENOMEM;
	emitter->last = &emitter->first;
	*out = emitter;
	return 0;
}

void ps_emitter_close(struct ps_emitter *emitter)
{
	if (!emitter)
		return;
	emitter->is_closed = 1;
	if (emitter->depth)
		return; /* the outermost emit frees it */
	sweep(emitter);
	free(emitter);
}

static int add(struct ps_emitter *emitter, const char *name, ps_listener_fn *fn, void *arg, int is_once)
{
	if (!emitter || emitter->is_closed || !name || !fn)
		return -EINVAL;
	size_t bytes = strlen(name) + 1;
	struct listener *listener = calloc(1, sizeof(*listener) + bytes);
	if (!listener)
		return -ENOMEM;
	listener->fn = fn;
	listener->arg = arg;
	listener->is_once = (uint8_t)is_once;
	listener->number = emitter->next_number++;
	memcpy(listener->name, name, bytes);
	*emitter->last = listener;
	emitter->last = &listener->next;
	return 0;
}

int ps_emitter_on(struct ps_emitter *emitter, const char *name, ps_listener_fn *fn, void *arg)
{
	return add(emitter, name, fn, arg, 0);
}

int ps_emitter_once(struct ps_emitter *emitter, const char *name, ps_listener_fn *fn, void *arg)
{
	return add(emitter, name, fn, arg, 1);
}

static void remove_listener(struct ps_emitter *emitter, struct listener *listener)
{
	listener->is_removed = 1;
	emitter->has_removed = 1;
}

int ps_emitter_off(struct ps_emitter *emitter, const char *name, ps_listener_fn *fn, void *arg)
{
	struct listener *newest = NULL;

	if (!emitter || emitter->is_closed || !name || !fn)
		return -EINVAL;
	for (struct listener *at = emitter->first; at; at = at->next)
		if (!at->is_removed && at->fn == fn && at->arg == arg && !strcmp(at->name, name))
			newest = at;
	if (!newest)
		return -ENOENT;
	remove_listener(emitter, newest);
	if (!emitter->depth)
		sweep(emitter);
	return 0;
}

int ps_emitter_emit(struct ps_emitter *emitter, const char *name, void *data)
{
	int called = 0;

	if (!emitter || emitter->is_closed || !name)
		return -EINVAL;
	uint64_t end = emitter->next_number;
	emitter->depth++;
	for (struct listener *at = emitter->first; at && at->number < end && !emitter->is_closed; at = at->next) {
		if (at->is_removed || strcmp(at->name, name) != 0)
			continue;
		if (at->is_once)
			remove_listener(emitter, at);
		at->fn(at->name, data, at->arg);
		called++;
	}
	if (--emitter->depth)
		return called;
	if (emitter->is_closed)
		ps_emitter_close(emitter);
	else if (emitter->has_removed)
		sweep(emitter);
	return called;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Handles and the slabs they come from, one per kind and loop.
 *
 * Invariant: a slot that was given out once stays a handle until the loop is
 * closed, so a stale pointer finds state HANDLE_FREE (or a later owner), never
 * foreign memory.
 */
#include "loop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "handles.h"
#include "probe.h"

#define CHUNK_ITEMS 32u
#define CHUNK_BYTES (4u << 20) /* a slab's chunks double up to here: large ones may get huge pages */

/* Items are given out from the front: what was never used is never touched. */
struct chunk {
	struct chunk *next;
	uint32_t used, room;
	_Alignas(16) uint8_t items[];
};

void slabs_init(struct ps_loop *loop)
{
	for (int i = 0; i < SLAB_COUNT; i++)
		loop->slabs[i].size = (handle_sizes[i] + 15) & ~15u;
}

void slabs_close(struct ps_loop *loop)
{
	for (int i = 0; i < SLAB_COUNT; i++) {
		for (struct chunk *chunk = loop->slabs[i].chunks, *next; chunk; chunk = next) {
			next = chunk->next;
			free(chunk);
		}
	}
}

static int grow(struct slab *slab)
{
	uint32_t room = slab->chunks ? ((struct chunk *)slab->chunks)->room * 2 : CHUNK_ITEMS;

	if (room > CHUNK_BYTES / slab->size)
		room = CHUNK_BYTES / slab->size;
	struct chunk *chunk = calloc(1, sizeof(*chunk) + (size_t)room * slab->size);
	if (!chunk)
		return -ENOMEM;
	chunk->room = room;
	chunk->next = slab->chunks;
	slab->chunks = chunk;
	return 0;
}

static struct handle *take_item(struct slab *slab)
{
	struct handle *item = slab->free;
	struct chunk *newest = slab->chunks;

	if (item) {
		slab->free = item->next_closing;
		memset(item, 0, slab->size);
		return item;
	}
	if ((!newest || newest->used == newest->room) && grow(slab))
		return NULL;
	newest = slab->chunks;
	return (void *)(newest->items + (size_t)newest->used++ * slab->size); /* zero already */
}

void *handle_open(struct ps_loop *loop, enum handle_slab which, enum ps_kind kind, void *arg)
{
	struct handle *handle = take_item(&loop->slabs[which]);

	if (!handle)
		return NULL;
	handle->loop = loop;
	handle->arg = arg;
	handle->number = ++loop->next_number;
	handle->kind = (uint8_t)kind;
	handle->slab = (uint8_t)which;
	handle->state = HANDLE_OPEN;
	loop->handles++;
	return handle;
}

void handle_free(struct handle *handle)
{
	struct slab *slab = &handle->loop->slabs[handle->slab];

	handle_deactivate(handle);
	handle->loop->handles--;
	handle->state = HANDLE_FREE;
	handle->next_closing = slab->free;
	slab->free = handle;
}

int handle_close(struct handle *handle)
{
	if (!handle_is_open(handle))
		return -EINVAL;
	struct ps_loop *loop = handle->loop;
	handle_deactivate(handle);
	handle->state = HANDLE_CLOSING;
	handle->next_closing = NULL;
	*loop->closing_last = handle;
	loop->closing_last = &handle->next_closing;
	return 0;
}

static int holds(const struct handle *handle)
{
	return (handle->flags & (HANDLE_ACTIVE | HANDLE_UNREF)) == HANDLE_ACTIVE;
}

static void set_flags(struct handle *handle, uint8_t flags)
{
	int before = holds(handle);

	handle->flags = flags;
	handle->loop->holds += holds(handle) - before;
}

void handle_activate(struct handle *handle)
{
	set_flags(handle, handle->flags | HANDLE_ACTIVE);
}

void handle_deactivate(struct handle *handle)
{
	set_flags(handle, handle->flags & (uint8_t)~HANDLE_ACTIVE);
}

void handle_ref(struct handle *handle)
{
	set_flags(handle, handle->flags & (uint8_t)~HANDLE_UNREF);
}

void handle_unref(struct handle *handle)
{
	set_flags(handle, handle->flags | HANDLE_UNREF);
}

void handles_finish(struct ps_loop *loop)
{
	struct handle *handle = loop->closing_first;

	if (!handle)
		return;
	loop->closing_first = NULL;
	loop->closing_last = &loop->closing_first;
	probe_phase_now(loop, PS_PHASE_CLOSING);
	for (struct handle *next; handle; handle = next) {
		next = handle->next_closing;
		if (handle->finish)
			handle->finish(handle);
		handle_free(handle);
	}
}

static int fd_of(const struct handle *handle)
{
	int has_io = handle->slab == SLAB_IO || handle->slab == SLAB_STREAM || handle->slab == SLAB_LISTENER;

	return has_io ? container_of(handle, const struct ps_io, handle)->fd : -1;
}

void handles_each(struct ps_loop *loop, enum handle_slab which, void (*fn)(struct handle *handle))
{
	const struct slab *slab = &loop->slabs[which];

	for (struct chunk *chunk = slab->chunks; chunk; chunk = chunk->next) {
		for (size_t item = 0; item < chunk->used; item++) {
			struct handle *handle = (void *)(chunk->items + item * slab->size);
			if (handle->state == HANDLE_OPEN)
				fn(handle);
		}
	}
}

int ps_loop_walk(struct ps_loop *loop, ps_walk_fn *fn, void *arg)
{
	if (!loop || !fn)
		return -EINVAL;
	for (int i = 0; i < SLAB_COUNT; i++) {
		for (struct chunk *chunk = loop->slabs[i].chunks; chunk; chunk = chunk->next) {
			for (size_t item = 0; item < chunk->used; item++) {
				struct handle *handle = (void *)(chunk->items + item * loop->slabs[i].size);
				if (handle->state == HANDLE_FREE)
					continue;
				fn(&(struct ps_handle_info){ handle->number, handle->kind, fd_of(handle),
							     handle->flags & HANDLE_ACTIVE ? 1 : 0,
							     handle->state == HANDLE_CLOSING, handle }, arg);
			}
		}
	}
	return 0;
}

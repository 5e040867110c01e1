/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Loops as their memory was read. A snapshot replaces the one before it: its
 * rows follow it and are taken while they fit what it announced. The heap is
 * kept breadth first, as it is drawn; a row that was never told has due_ns 0.
 *
 * The target ran on while it was read, so figures of one snapshot may be a few
 * callbacks apart, and nothing here is exact to the event.
 */
#include "model_own.h"

#include <stdlib.h>
#include <string.h>

const struct loop_snapshot snapshot_unknown = {
	.took_ns = PS_UNKNOWN,
	.time_ns = PS_UNKNOWN,
	.iterations = PS_UNKNOWN,
	.iterations_seen = PS_UNKNOWN,
	.active_handles = PS_UNKNOWN,
	.active_reqs = PS_UNKNOWN,
	.handles = PS_UNKNOWN,
	.pending = PS_UNKNOWN,
	.closing = PS_UNKNOWN,
	.watchers = PS_UNKNOWN,
	.note = "",
};

/* Room for the rows that will follow, all of them empty. */
static void clear_heap(struct model_own *model, struct loop_own *loop, const struct ps_ev_loop_snapshot *told)
{
	size_t rows = least(told->timer_rows, MAX_HEAP);
	loop->pub.heap_count = 0;
	if (rows > loop->heap_room) {
		struct heap_node *heap = realloc(loop->pub.heap, rows * sizeof(*heap));
		if (!heap) {
			model->out_of_memory = 1;
			return;
		}
		loop->pub.heap = heap;
		loop->heap_room = rows;
	}
	if (rows)
		memset(loop->pub.heap, 0, rows * sizeof(*loop->pub.heap));
	loop->pub.heap_count = rows;
	loop->pub.heap_ns = told->h.ts;
}

static void count_iterations(struct loop_own *loop, uint64_t iterations)
{
	struct loop_snapshot *snapshot = &loop->pub.snapshot;
	if (iterations != PS_UNKNOWN && (snapshot->iterations == PS_UNKNOWN || iterations < snapshot->iterations))
		loop->first_iterations = iterations;
	snapshot->iterations = iterations;
	snapshot->iterations_seen = iterations == PS_UNKNOWN ? PS_UNKNOWN : minus(iterations, loop->first_iterations);
}

void on_loop_snapshot(struct model_own *model, const void *record)
{
	const struct ps_ev_loop_snapshot *told = record;
	struct loop_own *loop = loop_find(model, told->h.tid, told->poller_fd);
	if (!loop)
		return;
	struct loop *pub = &loop->pub;
	struct loop_snapshot *snapshot = &pub->snapshot;
	snapshot->ns = told->h.ts;
	snapshot->took_ns = told->took_ns;
	snapshot->address = told->address;
	snapshot->time_ns = told->time_ns;
	snapshot->active_handles = widen(told->active_handles);
	snapshot->active_reqs = widen(told->active_reqs);
	snapshot->pending = widen(told->pending);
	snapshot->closing = widen(told->closing);
	snapshot->watchers = widen(told->watchers);
	snapshot->note = names_string(model->names, told->note);
	count_iterations(loop, told->iterations);
	pub->timers_note = snapshot->note;
	pub->timers_armed = widen(told->timers);
	pub->timers_overdue = widen(told->overdue);
	pub->next_due_ns = told->next_due_ns;
	pub->heap_depth = widen(told->timer_depth);
	pub->heap_arity = told->arity;
	if (told->handles != PS_UNKNOWN32) {
		pub->handles = snapshot->handles = told->handles;
		pub->handle_kind_count = 0;
	}
	for (size_t i = 0; told->timer_rows && i < pub->timer_count; i++)
		pub->timers[i].armed = 0;
	if (told->timer_rows || !told->timers)
		clear_heap(model, loop, told);
}

void on_timer_node(struct model_own *model, const void *record)
{
	const struct ps_ev_timer_node *told = record;
	struct loop_own *loop = loop_find(model, told->h.tid, told->poller_fd);
	if (!loop || told->index >= loop->pub.heap_count)
		return;
	loop->pub.heap[told->index] = (struct heap_node){
		.due_ns = told->due_ns,
		.repeat_ns = told->repeat_ns,
		.fn = told->fn,
		.frame = told->fn ? model_symbol(&model->pub, loop->pub.pid, told->fn) : NULL,
	};
}

void on_timer_group(struct model_own *model, const void *record)
{
	const struct ps_ev_timer_group *told = record;
	struct loop_own *loop = loop_find(model, told->h.tid, told->poller_fd);
	struct timer_stat *row = loop ? timer_of(model, loop, told->fn) : NULL;
	if (!row)
		return;
	row->armed = told->armed;
	row->repeat_ns = told->repeat_ns;
}

void on_handle_kind(struct model_own *model, const void *record)
{
	const struct ps_ev_handle_kind *told = record;
	struct loop_own *loop = loop_find(model, told->h.tid, told->poller_fd);
	if (!loop || told->kind >= PS_KIND_COUNT)
		return;
	struct loop *pub = &loop->pub;
	size_t at = 0;
	while (at < pub->handle_kind_count && pub->handles_by_kind[at].kind != told->kind)
		at++;
	pub->handle_kind_count += at == pub->handle_kind_count;
	pub->handles_by_kind[at] = (struct handle_stat){
		.kind = told->kind,
		.count = told->count,
		.active = told->active,
		.ref = told->ref,
		.closing = told->closing,
	};
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Timers: a 4-ary min-heap of (due, start order) in one array; each timer knows
 * its index. The keys lie in the array, so sifting touches no timer but to tell
 * it where it went.
 *
 * Invariant: a timers phase runs what was armed before it began. A timer armed
 * from a timer callback waits for the next iteration, however short it is, so
 * timers cannot starve I/O.
 */
#include <errno.h>
#include <stdlib.h>

#include "handles.h"
#include "probe.h"

#define WAYS 4u

static int is_before(const struct timer_node *a, const struct timer_node *b)
{
	return a->due_ns != b->due_ns ? a->due_ns < b->due_ns : a->order < b->order;
}

static void put(struct heap *heap, uint32_t index, struct timer_node node)
{
	heap->nodes[index] = node;
	node.timer->index = index;
}

static void sift_up(struct heap *heap, uint32_t index, struct timer_node node)
{
	while (index) {
		uint32_t parent = (index - 1) / WAYS;
		if (!is_before(&node, &heap->nodes[parent]))
			break;
		put(heap, index, heap->nodes[parent]);
		index = parent;
	}
	put(heap, index, node);
}

static void sift_down(struct heap *heap, uint32_t index, struct timer_node node)
{
	for (;;) {
		uint32_t child = index * WAYS + 1, least = child;
		if (child >= heap->count)
			break;
		uint32_t end = heap->count - child < WAYS ? heap->count : child + WAYS;
		for (uint32_t i = child + 1; i < end; i++)
			if (is_before(&heap->nodes[i], &heap->nodes[least]))
				least = i;
		if (!is_before(&heap->nodes[least], &node))
			break;
		put(heap, index, heap->nodes[least]);
		index = least;
	}
	put(heap, index, node);
}

static int reserve(struct heap *heap)
{
	if (heap->count < heap->room)
		return 0;
	uint32_t room = heap->room ? heap->room * 2 : 16;
	struct timer_node *nodes = room > heap->room ? realloc(heap->nodes, room * sizeof(*nodes)) : NULL;
	if (!nodes)
		return -ENOMEM;
	heap->nodes = nodes;
	heap->room = room;
	return 0;
}

/* The node at `index` has a new key. */
static void settle(struct heap *heap, uint32_t index, struct timer_node node)
{
	if (index && is_before(&node, &heap->nodes[(index - 1) / WAYS]))
		sift_up(heap, index, node);
	else
		sift_down(heap, index, node);
}

static void heap_remove(struct heap *heap, struct ps_timer *timer)
{
	uint32_t index = timer->index;
	struct timer_node last = heap->nodes[--heap->count];

	timer->index = TIMER_IDLE;
	if (last.timer != timer)
		settle(heap, index, last);
}

static void arm(struct ps_timer *timer, uint64_t due_ns)
{
	struct ps_loop *loop = timer->handle.loop;
	struct timer_node node = { due_ns, ++loop->timer_order, timer };

	if (timer->index == TIMER_IDLE)
		sift_up(&loop->heap, loop->heap.count++, node);
	else
		settle(&loop->heap, timer->index, node);
	handle_activate(&timer->handle);
	probe_timer_set(loop, &timer->handle, timer->fn, due_ns, timer->repeat_ns);
}

static void disarm(struct ps_timer *timer)
{
	if (timer->index == TIMER_IDLE)
		return;
	heap_remove(&timer->handle.loop->heap, timer);
	handle_deactivate(&timer->handle);
}

static uint64_t add_saturated(uint64_t a, uint64_t b)
{
	return b > UINT64_MAX - a ? UINT64_MAX : a + b;
}

int ps_timer_open(struct ps_loop *loop, struct ps_timer **out, ps_fn *fn, void *arg)
{
	if (!loop || !out || !fn)
		return -EINVAL;
	struct ps_timer *timer = handle_open(loop, SLAB_TIMER, PS_KIND_TIMER, arg);
	if (!timer)
		return -ENOMEM;
	timer->fn = fn;
	timer->index = TIMER_IDLE;
	*out = timer;
	return 0;
}

int ps_timer_start(struct ps_timer *timer, uint64_t after_ns, uint64_t repeat_ns)
{
	if (!timer || !handle_is_open(&timer->handle))
		return -EINVAL;
	struct ps_loop *loop = timer->handle.loop;
	if (timer->index == TIMER_IDLE && reserve(&loop->heap))
		return -ENOMEM;
	timer->repeat_ns = repeat_ns;
	arm(timer, add_saturated(loop->now_ns, after_ns));
	return 0;
}

int ps_timer_stop(struct ps_timer *timer)
{
	if (!timer || !handle_is_open(&timer->handle))
		return -EINVAL;
	if (timer->index == TIMER_IDLE)
		return 0;
	struct ps_loop *loop = timer->handle.loop;
	uint64_t due = loop->heap.nodes[timer->index].due_ns;
	disarm(timer);
	probe_timer_stopped(loop, &timer->handle, timer->fn, due, timer->repeat_ns);
	return 0;
}

int ps_timer_again(struct ps_timer *timer)
{
	if (!timer || !handle_is_open(&timer->handle) || !timer->repeat_ns)
		return -EINVAL;
	return ps_timer_start(timer, timer->repeat_ns, timer->repeat_ns);
}

uint64_t ps_timer_due(const struct ps_timer *timer)
{
	if (!timer || !handle_is_open(&timer->handle) || timer->index == TIMER_IDLE)
		return 0;
	return timer->handle.loop->heap.nodes[timer->index].due_ns;
}

int ps_timer_unref(struct ps_timer *timer)
{
	if (!timer || !handle_is_open(&timer->handle))
		return -EINVAL;
	handle_unref(&timer->handle);
	return 0;
}

int ps_timer_ref(struct ps_timer *timer)
{
	if (!timer || !handle_is_open(&timer->handle))
		return -EINVAL;
	handle_ref(&timer->handle);
	return 0;
}

int ps_timer_close(struct ps_timer *timer)
{
	int err = ps_timer_stop(timer);

	return err ? err : handle_close(&timer->handle);
}

/* A repeat that came late fires once and keeps its grid. */
static uint64_t next_due(uint64_t due_ns, uint64_t repeat_ns, uint64_t now_ns)
{
	uint64_t missed = (now_ns - due_ns) / repeat_ns;

	return add_saturated(due_ns + missed * repeat_ns, repeat_ns);
}

int timers_run(struct ps_loop *loop)
{
	struct heap *heap = &loop->heap;
	uint64_t first_later = loop->timer_order + 1;

	if (!heap->count || heap->nodes[0].due_ns > loop->now_ns)
		return 0;
	probe_phase(loop, PS_PHASE_TIMERS, loop->clock.last_ns);
	while (heap->count && heap->nodes[0].due_ns <= loop->now_ns && heap->nodes[0].order < first_later) {
		struct ps_timer *timer = heap->nodes[0].timer;
		uint64_t due = heap->nodes[0].due_ns;
		if (timer->repeat_ns) {
			struct timer_node node = { next_due(due, timer->repeat_ns, loop->now_ns),
						   ++loop->timer_order, timer };
			sift_down(heap, 0, node);
		} else {
			disarm(timer);
		}
		probe_timer_fired(loop, &timer->handle, timer->fn, due, timer->repeat_ns);
		probe_callback(loop, timer->fn, &timer->handle, -1, 0, loop->clock.last_ns);
		timer->fn(timer->handle.arg);
		callback_end(loop);
	}
	return 1;
}

uint64_t timers_next_due(const struct ps_loop *loop)
{
	return loop->heap.count ? loop->heap.nodes[0].due_ns : PS_UNKNOWN;
}

/* Walks only the part of the heap that is past due. */
static uint32_t count_due(const struct heap *heap, uint32_t index, uint64_t now_ns, uint32_t limit)
{
	uint32_t count = 0;

	if (index >= heap->count || heap->nodes[index].due_ns > now_ns)
		return 0;
	for (uint32_t i = 1; i <= WAYS && count < limit; i++)
		count += count_due(heap, index * WAYS + i, now_ns, limit - count);
	return count + 1;
}

uint32_t timers_overdue(const struct ps_loop *loop)
{
	return count_due(&loop->heap, 0, loop->clock.last_ns, 1024);
}

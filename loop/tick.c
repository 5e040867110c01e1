/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Next ticks and immediates: two queues of plain tasks.
 *
 * Ticks run to exhaustion whenever a callback returns, so a tick that queues a
 * tick runs in the same drain; a drain that does not end is told in slices of
 * SLICE. Immediates run in check, as many as there were when it began.
 */
#include <errno.h>
#include <stdlib.h>

#include "probe.h"

#define SLICE 4096u

static int push(struct tasks *tasks, ps_fn *fn, void *arg)
{
	uint32_t count = tasks_count(tasks), room = tasks->mask ? tasks->mask + 1 : 0;

	if (count == room) {
		if (room >= 1u << 30)
			return -ENOMEM;
		uint32_t grown = room ? room * 2 : 16;
		struct task *ring = malloc(grown * sizeof(*ring));
		if (!ring)
			return -ENOMEM;
		for (uint32_t i = 0; i < count; i++)
			ring[i] = tasks->ring[(tasks->head + i) & tasks->mask];
		free(tasks->ring);
		*tasks = (struct tasks){ .ring = ring, .mask = grown - 1, .tail = count };
	}
	tasks->ring[tasks->tail++ & tasks->mask] = (struct task){ fn, arg };
	return 0;
}

int ps_next_tick(struct ps_loop *loop, ps_fn *fn, void *arg)
{
	return loop && fn ? push(&loop->ticks, fn, arg) : -EINVAL;
}

int ps_immediate(struct ps_loop *loop, ps_fn *fn, void *arg)
{
	return loop && fn ? push(&loop->immediates, fn, arg) : -EINVAL;
}

void ticks_drain(struct ps_loop *loop)
{
	uint64_t since = loop->recorder->slots ? clock_now(&loop->clock) : 0;
	uint32_t count = 0;

	if (loop->draining)
		return;
	loop->draining = 1;
	while (tasks_count(&loop->ticks)) {
		struct task task = loop->ticks.ring[loop->ticks.head++ & loop->ticks.mask];
		probe_task(loop, task.fn, PS_KIND_TICK, count ? clock_now(&loop->clock) : since);
		task.fn(task.arg);
		if (++count == SLICE) {
			probe_ticks(loop, since, count);
			since = loop->clock.last_ns;
			count = 0;
		}
	}
	loop->draining = 0;
	probe_ticks(loop, since, count);
}

void immediates_run(struct ps_loop *loop)
{
	uint32_t count = 0;
	uint64_t since = loop->clock.last_ns;

	for (uint32_t left = tasks_count(&loop->immediates); left; left--) {
		struct task task = loop->immediates.ring[loop->immediates.head++ & loop->immediates.mask];
		probe_task(loop, task.fn, PS_KIND_IMMEDIATE, loop->recorder->slots ? clock_now(&loop->clock) : 0);
		task.fn(task.arg);
		callback_end(loop);
		count++;
	}
	if (count)
		probe_immediates(loop, since, count);
}

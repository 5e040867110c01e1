/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Timers by function, drains of next ticks and immediates, and the gauges of an
 * instrumented loop. One timer is known by its handle, so that arming it again
 * does not count it twice; rows are kept by function and never go.
 */
#include "model_own.h"

int loop_tells_fired(const struct loop *loop)
{
	return loop->flags & PS_LOOP_RING || loop->timers_fired;
}

/* ---- timers ---- */

static uint32_t timer_row(struct model_own *model, struct loop_own *loop, uint64_t fn)
{
	uint64_t at = table_get(&loop->timer_index, fn);
	if (at)
		return (uint32_t)at;
	if (loop->pub.timer_count >= MAX_TIMERS || model->stats >= MAX_STATS) {
		model->pub.dropped++;
		return 0;
	}
	if (array_room(model, &loop->pub.timers, &loop->timer_room, loop->pub.timer_count, sizeof(*loop->pub.timers)))
		return 0;
	if (table_put(&loop->timer_index, fn, loop->pub.timer_count + 1)) {
		model->out_of_memory = 1;
		return 0;
	}
	model->stats++;
	loop->pub.timers[loop->pub.timer_count++] = (struct timer_stat){
		.fn = fn,
		.frame = fn ? model_symbol(&model->pub, loop->pub.pid, fn) : NULL,
	};
	return (uint32_t)loop->pub.timer_count;
}

struct timer_stat *timer_of(struct model_own *model, struct loop_own *loop, uint64_t fn)
{
	uint32_t row = timer_row(model, loop, fn);
	return row ? &loop->pub.timers[row - 1] : NULL;
}

static void set_armed(struct model_own *model, struct loop_own *loop, const struct ps_ev_timer *told, uint32_t row, int armed)
{
	uint64_t at = table_get(&loop->armed_index, told->handle);
	if (!at && !armed)
		return;
	if (!at) {
		if (model->armed >= MAX_ARMED) {
			model->pub.dropped++;
			return;
		}
		if (array_room(model, &loop->armed, &loop->armed_room, loop->armed_count, sizeof(*loop->armed)))
			return;
		at = ++loop->armed_count;
		model->armed++;
		loop->armed[at - 1] = (struct armed_timer){ 0, 0 };
		if (table_put(&loop->armed_index, told->handle, at))
			model->out_of_memory = 1;
	}
	struct armed_timer *timer = &loop->armed[at - 1];
	if (timer->armed && timer->row) {
		struct timer_stat *before = &loop->pub.timers[timer->row - 1];
		before->armed -= before->armed > 0;
	}
	*timer = (struct armed_timer){ row, (uint32_t)armed };
	if (armed)
		loop->pub.timers[row - 1].armed++;
}

static void timer_event(struct model_own *model, const struct ps_ev_timer *told, int armed, int fired)
{
	struct loop_own *loop = loop_of(model, &told->h);
	uint32_t row = loop ? timer_row(model, loop, told->fn) : 0;
	if (!row)
		return;
	set_armed(model, loop, told, row, armed);
	struct timer_stat *stat = &loop->pub.timers[row - 1];
	stat->repeat_ns = told->repeat_ns;
	if (!fired)
		return;
	uint64_t late = minus(told->h.ts, told->due_ns);
	stat->fired++;
	stat->late_max_ns = most(stat->late_max_ns, late);
	loop->pub.timers_fired++;
	hist_add(&loop->pub.timer_late, late);
	struct slot *slot = loop_slot(loop, told->h.ts);
	if (slot)
		slot->timers_fired++;
	held_in_slice(loop, told->due_ns, told->h.ts, &loop->gather.held_timers);
	struct stall *stall = held_by_stall(model, loop, told->due_ns);
	if (stall)
		add_known(&stall->held_timers, 1);
}

void on_timer_set(struct model_own *model, const void *record)
{
	timer_event(model, record, 1, 0);
}

void on_timer_stopped(struct model_own *model, const void *record)
{
	timer_event(model, record, 0, 0);
}

void on_timer_fired(struct model_own *model, const void *record)
{
	const struct ps_ev_timer *told = record;
	timer_event(model, told, told->repeat_ns != 0, 1);
}

/* ---- drains and gauges ---- */

static uint64_t add_drain(struct drain_stat *stat, const struct ps_ev_drain *told)
{
	uint64_t ns = minus(told->h.ts, told->since_ns);
	stat->drains++;
	stat->callbacks += told->count;
	stat->total_ns += ns;
	stat->max_ns = most(stat->max_ns, ns);
	stat->max_count = most(stat->max_count, told->count);
	stat->left = told->left;
	return ns;
}

void on_ticks(struct model_own *model, const void *record)
{
	const struct ps_ev_drain *told = record;
	struct loop_own *loop = loop_of(model, &told->h);
	if (!loop)
		return;
	add_drain(&loop->pub.ticks, told);
	if (loop->pub.state != LOOP_BUSY)
		return;
	loop->gather.dirty = 1;
	loop->gather.tick_ns += minus(told->h.ts, most(told->since_ns, loop->slice_ns));
}

void on_immediates(struct model_own *model, const void *record)
{
	const struct ps_ev_drain *told = record;
	struct loop_own *loop = loop_of(model, &told->h);
	if (loop)
		add_drain(&loop->pub.immediates, told);
}

void on_loop_gauges(struct model_own *model, const void *record)
{
	const struct ps_ev_loop_gauges *told = record;
	struct loop_own *loop = loop_of(model, &told->h);
	if (!loop)
		return;
	loop->pub.next_due_ns = told->next_due_ns;
	loop->pub.buffered_bytes = told->buffered_bytes;
	struct slot *slot = loop_slot(loop, told->h.ts);
	if (slot)
		slot->buffered_bytes = most(slot->buffered_bytes, told->buffered_bytes);
	loop->pub.timers_armed = told->timers;
	loop->pub.timers_overdue = told->overdue;
	loop->pub.handles = told->handles;
	loop->pub.tick_backlog = told->ticks;
	loop->pub.immediate_backlog = told->immediates;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The records of one loop whose memory was read: the loop, its timers one by one and by function, its handles by kind. */
#include "runtime.h"

#include "ps_event.h"

#define NODES_OFTEN 15u
#define GROUPS_MAX 64u
#define MS_MOST (UINT64_MAX / 1000000 - 1)

static uint64_t due_ns(uint64_t ms)
{
	return ms < MS_MOST ? ms * 1000000 : UINT64_MAX - 1;
}

/* PS_UNKNOWN stays so: not every runtime tells how often a timer comes again. */
static uint64_t repeat_ns(uint64_t ms)
{
	return ms == PS_UNKNOWN ? PS_UNKNOWN : due_ns(ms);
}

static void name_function(const struct runtime_ask *ask, uint64_t fn)
{
	if (fn)
		stream_symbol(ask->stream, ask->pid, fn, symbols_frame(ask->symbols, ask->stream, fn, 0));
}

static uint32_t count_overdue(const struct libuv_loop *loop, uint64_t now_ns)
{
	uint32_t count = 0;
	/* a timer is due within the millisecond that it names */
	for (size_t i = 0; i < loop->timer_count; i++)
		count += due_ns(loop->timers[i].due_ms) + 1000000 < now_ns;
	return loop->timer_total == PS_UNKNOWN32 ? PS_UNKNOWN32 : count;
}

static void put_nodes(const struct runtime_ask *ask, const struct libuv_loop *loop, uint64_t ts, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct libuv_timer *timer = &loop->timers[i];
		struct ps_ev_timer_node node = {
			.h = { ts, ask->tid, PS_EV_TIMER_NODE, sizeof(node) },
			.due_ns = due_ns(timer->due_ms),
			.repeat_ns = repeat_ns(timer->repeat_ms),
			.fn = timer->fn,
			.index = (uint32_t)i,
			.poller_fd = ask->poller_fd,
		};
		name_function(ask, timer->fn);
		stream_put(ask->stream, &node.h);
	}
}

static void put_groups(const struct runtime_ask *ask, const struct libuv_loop *loop, uint64_t ts)
{
	struct ps_ev_timer_group groups[GROUPS_MAX];
	size_t count = 0;
	for (size_t i = 0; i < loop->timer_count; i++) {
		const struct libuv_timer *timer = &loop->timers[i];
		size_t at = 0;
		while (at < count && groups[at].fn != timer->fn)
			at++;
		if (at == GROUPS_MAX)
			continue;
		if (at == count)
			groups[count++] = (struct ps_ev_timer_group){
				.h = { ts, ask->tid, PS_EV_TIMER_GROUP, sizeof(*groups) },
				.fn = timer->fn,
				.repeat_ns = repeat_ns(timer->repeat_ms),
				.poller_fd = ask->poller_fd,
			};
		groups[at].armed++;
	}
	for (size_t i = 0; i < count; i++) {
		name_function(ask, groups[i].fn);
		stream_put(ask->stream, &groups[i].h);
	}
}

static void put_handles(const struct runtime_ask *ask, const struct libuv_loop *loop, uint64_t ts)
{
	struct ps_ev_handle_kind kinds[PS_KIND_COUNT] = { 0 };
	for (size_t i = 0; i < loop->handle_count; i++) {
		const struct libuv_handle *handle = &loop->handles[i];
		struct ps_ev_handle_kind *kind = &kinds[libuv_type_kind(handle->type)];
		kind->count++;
		kind->active += (handle->flags & LIBUV_ACTIVE) != 0;
		kind->ref += (handle->flags & LIBUV_REF) != 0;
		kind->closing += (handle->flags & LIBUV_CLOSING) != 0;
	}
	for (uint32_t i = 0; i < PS_KIND_COUNT; i++) {
		if (!kinds[i].count)
			continue;
		kinds[i].h = (struct ps_record){ ts, (uint32_t)ask->tid, PS_EV_HANDLE_KIND, sizeof(*kinds) };
		kinds[i].poller_fd = ask->poller_fd;
		kinds[i].kind = i;
		stream_put(ask->stream, &kinds[i].h);
	}
}

void runtime_put_loop(const struct runtime_ask *ask, const struct libuv_loop *loop, uint64_t took_ns, uint32_t arity,
		      uint32_t note)
{
	/* a small heap is told each time, for it is what people look at */
	int rows = ask->whole || loop->timer_count <= NODES_OFTEN;
	size_t nodes = !rows ? 0 : loop->timer_count < RUNTIME_NODES ? loop->timer_count : RUNTIME_NODES;
	struct ps_ev_loop_snapshot told = {
		.h = { ask->now_ns, ask->tid, PS_EV_LOOP_SNAPSHOT, sizeof(told) },
		.pid = ask->pid,
		.poller_fd = ask->poller_fd,
		.address = loop->address,
		.time_ns = due_ns(loop->time_ms),
		.next_due_ns = loop->timer_count ? due_ns(loop->timers[0].due_ms) : PS_UNKNOWN,
		.iterations = loop->iterations,
		.took_ns = took_ns,
		.active_handles = loop->active_handles,
		.active_reqs = loop->active_reqs,
		.timers = loop->timer_total,
		.timer_depth = loop->timer_depth,
		.timer_rows = (uint32_t)nodes,
		.handles = loop->handle_total,
		.pending = loop->pending,
		.closing = loop->closing,
		.watchers = loop->nfds,
		.overdue = count_overdue(loop, ask->now_ns),
		.arity = arity,
		.note = note,
	};
	stream_put(ask->stream, &told.h);
	put_nodes(ask, loop, ask->now_ns, nodes);
	if (rows)
		put_groups(ask, loop, ask->now_ns);
	if (ask->whole)
		put_handles(ask, loop, ask->now_ns);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a loop serves: callbacks and descriptors.
 *
 * A callback lasts until its end, the next one, the next phase or the next wait
 * of its thread, whichever is told first. A descriptor is (fd, generation): a
 * new generation is a new row, the old one closes. Rows of closed descriptors
 * are dropped after a while, so indexes move, never pointers that views keep
 * longer than one record.
 */
#include "model_own.h"

#include <stdlib.h>
#include <string.h>

#define CLOSED_KEPT_NS (10 * NS_PER_SECOND)
#define AT_ONCE_NS     1000000ull /* a wait this short did not wait: its descriptors were ready before */

/* ---- callbacks ---- */

static struct callback_stat *callback_row(struct model_own *model, struct loop_own *loop, uint64_t fn, uint32_t kind)
{
	uint64_t key = fn * PS_KIND_COUNT + kind, at = table_get(&loop->callback_index, key);
	if (at)
		return &loop->pub.callbacks[at - 1];
	if (loop->pub.callback_count >= MAX_CALLBACKS || model->stats >= MAX_STATS) {
		model->pub.dropped++;
		return NULL;
	}
	if (array_room(model, &loop->pub.callbacks, &loop->callback_room, loop->pub.callback_count,
		       sizeof(*loop->pub.callbacks)))
		return NULL;
	if (table_put(&loop->callback_index, key, loop->pub.callback_count + 1)) {
		model->out_of_memory = 1;
		return NULL;
	}
	model->stats++;
	struct callback_stat *row = &loop->pub.callbacks[loop->pub.callback_count++];
	*row = (struct callback_stat){ .fn = fn, .kind = kind };
	row->frame = fn ? model_symbol(&model->pub, loop->pub.pid, fn) : NULL;
	return row;
}

void callbacks_name(struct model_own *model, uint32_t pid, uint64_t address, const struct frame *frame)
{
	for (size_t i = 0; i < model->pub.loop_count; i++) {
		struct loop *loop = model->pub.loops[i];
		if (loop->pid != pid)
			continue;
		for (size_t k = 0; k < loop->callback_count; k++)
			if (loop->callbacks[k].fn == address)
				loop->callbacks[k].frame = frame;
		for (size_t k = 0; k < loop->timer_count; k++)
			if (loop->timers[k].fn == address)
				loop->timers[k].frame = frame;
		for (size_t k = 0; k < loop->heap_count; k++)
			if (loop->heap[k].fn == address)
				loop->heap[k].frame = frame;
	}
}

struct fd_stat *fd_find(struct loop_own *loop, int32_t fd, uint32_t generation)
{
	uint64_t at = table_get(&loop->fd_index, (uint32_t)fd);
	struct fd_stat *row = at ? &loop->pub.fds[at - 1] : NULL;
	return row && row->generation == generation ? row : NULL;
}

void callback_end(struct model_own *model, struct loop_own *loop, uint64_t ts)
{
	if (!loop->now.running)
		return;
	struct callback_now callback = loop->now;
	loop->now.running = 0;
	uint64_t ns = minus(ts, callback.begin_ns);
	struct callback_stat *row = callback_row(model, loop, callback.fn, callback.kind);
	if (row) {
		row->count++;
		row->total_ns += ns;
		row->max_ns = most(row->max_ns, ns);
		trend_share(&row->share, ts, ns);
	}
	struct fd_stat *fd = callback.fd >= 0 ? fd_find(loop, callback.fd, callback.generation) : NULL;
	if (fd) {
		add_known(&fd->callback_ns, ns);
		trend_share(&fd->share, ts, ns);
	}
	struct slot *slot = loop_slot(loop, ts);
	if (slot)
		slot->callbacks++;
	gather_callback(loop, &callback, minus(ts, most(callback.begin_ns, loop->slice_ns)));
}

/* ---- descriptors ---- */

static void fd_close(struct loop_own *loop, size_t at, uint64_t ts)
{
	struct fd_stat *row = &loop->pub.fds[at];
	if (row->closed)
		return;
	row->closed = 1;
	row->interest = 0;
	loop->fd_waits[at].closed_ns = ts;
	loop->closed_fds++;
}

void fds_close(struct loop_own *loop, uint64_t ts)
{
	for (size_t i = 0; i < loop->pub.fd_count; i++)
		fd_close(loop, i, ts);
}

/* A source that cannot count generations tells a new descriptor under the old one's name. */
static void fd_reopen(struct loop_own *loop, struct fd_stat *row)
{
	if (!row->closed)
		return;
	row->closed = 0;
	row->stale = 0;
	loop->closed_fds--;
}

/* The row of (fd, generation), made when missing; NULL when there is no room. */
struct fd_stat *fd_row(struct model_own *model, struct loop_own *loop, int32_t fd, uint32_t generation, uint64_t ts)
{
	struct fd_stat *row = fd_find(loop, fd, generation);
	if (row || fd < 0)
		return row;
	uint64_t old = table_get(&loop->fd_index, (uint32_t)fd);
	if (old)
		fd_close(loop, old - 1, ts);
	if (loop->pub.fd_count >= model->pub.config.max_fds || model->fds >= model->pub.config.max_fds * 2ull) {
		model->pub.dropped++;
		return NULL;
	}
	size_t room = loop->fd_room;
	if (array_room(model, &loop->fd_waits, &room, loop->pub.fd_count, sizeof(*loop->fd_waits)) ||
	    array_room(model, &loop->pub.fds, &loop->fd_room, loop->pub.fd_count, sizeof(*loop->pub.fds)))
		return NULL;
	if (table_put(&loop->fd_index, (uint32_t)fd, loop->pub.fd_count + 1)) {
		model->out_of_memory = 1;
		return NULL;
	}
	model->fds++;
	loop->fd_waits[loop->pub.fd_count] = (struct fd_wait){ 0 };
	row = &loop->pub.fds[loop->pub.fd_count++];
	/* a loop that tells its callbacks tells all of them */
	uint64_t none = loop->pub.flags & (PS_LOOP_CALLBACKS | PS_LOOP_RING) ? 0 : PS_UNKNOWN;
	*row = (struct fd_stat){ .fd = fd, .generation = generation, .name = "", .ready = none, .dispatched = none,
				 .read_bytes = PS_UNKNOWN, .written_bytes = PS_UNKNOWN, .callback_ns = none,
				 .empty_wakeups = PS_UNKNOWN, .eagain = PS_UNKNOWN, .unread_bytes = PS_UNKNOWN,
				 .backlog = PS_UNKNOWN, .backlog_max = PS_UNKNOWN, .is_ready = -1 };
	/* what was there when we came is not new */
	struct slot *slot = minus(ts, loop->pub.first_ns) > NS_PER_SECOND ? loop_slot(loop, ts) : NULL;
	if (slot)
		slot->new_fds++;
	return row;
}

void fds_sweep(struct model_own *model, struct loop_own *loop, uint64_t now_ns)
{
	for (size_t i = 0; i < loop->pub.fd_count;) {
		struct fd_stat *row = &loop->pub.fds[i];
		if (!row->closed || minus(now_ns, most(loop->fd_waits[i].closed_ns, row->last_ns)) < CLOSED_KEPT_NS) {
			i++;
			continue;
		}
		if (table_get(&loop->fd_index, (uint32_t)row->fd) == i + 1)
			table_remove(&loop->fd_index, (uint32_t)row->fd);
		model->lag_hists -= (row->lag != NULL) + (row->lag_kernel != NULL) + (row->lag_turn != NULL);
		free(row->lag);
		free(row->lag_kernel);
		free(row->lag_turn);
		size_t last = --loop->pub.fd_count;
		model->fds--;
		loop->closed_fds--;
		if (i == last)
			break;
		*row = loop->pub.fds[last];
		loop->pub.fds[last] = (struct fd_stat){ 0 }; /* the histograms are the row's alone */
		loop->fd_waits[i] = loop->fd_waits[last];
		if (table_get(&loop->fd_index, (uint32_t)row->fd) == last + 1)
			table_put(&loop->fd_index, (uint32_t)row->fd, i + 1);
	}
}

struct loop_own *loop_of_fd(struct model_own *model, const struct ps_record *record, int32_t poller_fd)
{
	struct loop_own *loop = loop_find(model, record->tid, poller_fd);
	return loop ? loop : loop_of(model, record);
}

void fd_describe(struct model_own *model, struct fd_stat *row, uint32_t kind, uint32_t name)
{
	if (kind && kind < PS_KIND_COUNT)
		row->kind = kind;
	if (name)
		row->name = names_string(model->names, name);
}

void fd_add_lag(struct model_own *model, struct hist **lag, uint64_t ns)
{
	if (!*lag && model->lag_hists < MAX_LAG_HISTS) {
		*lag = calloc(1, sizeof(**lag));
		model->lag_hists += *lag != NULL;
	}
	if (*lag)
		hist_add(*lag, ns);
}

/*
 * Without the wait for a CPU: that of the busy slice which it became ready in,
 * and the time from readiness to the poll's return when the loop slept in it,
 * for then nothing but the scheduler was between.
 */
void loop_add_lag_own(struct loop_own *loop, uint64_t ready_ns, uint64_t ts)
{
	uint64_t waited = minus(loop->slice_ns, most(ready_ns, loop->before_end_ns));
	if (ready_ns < loop->before_end_ns) {
		if (loop->before_runnable_ns == PS_UNKNOWN)
			return;
		waited += least(loop->before_runnable_ns, loop->before_end_ns - most(ready_ns, loop->before_begin_ns));
	}
	hist_add(&loop->pub.lag_own, minus(minus(ts, ready_ns), waited));
}

/* Something was to be served at `since_ns` and is served now, in this slice. */
void held_in_slice(struct loop_own *loop, uint64_t since_ns, uint64_t ts, uint64_t *held)
{
	uint64_t late = minus(ts, most(since_ns, loop->slice_ns));
	if (loop->pub.state != LOOP_BUSY || late < AT_ONCE_NS)
		return;
	loop->gather.dirty = 1;
	++*held;
	loop->gather.held_ns = most(loop->gather.held_ns, late);
}

/* The last stall of the loop, if the thing was to be served while it lasted; NULL otherwise. */
struct stall *held_by_stall(struct model_own *model, struct loop_own *loop, uint64_t since_ns)
{
	struct stall *stall = loop->last_stall_id && since_ns && since_ns < loop->last_stall_end_ns ?
				      stall_find(model, loop->last_stall_id) : NULL;
	if (!stall || since_ns < stall->start_ns)
		return NULL;
	stall->held_longest_ns = most(known(stall->held_longest_ns), loop->last_stall_end_ns - since_ns);
	return stall;
}

/* The first wait after a stall: what it brought at once had been ready before. One that was not seen says nothing of it. */
void fds_held_up(struct model_own *model, struct loop_own *loop, uint64_t wait_ns, const struct ps_ev_poll_return *told)
{
	int32_t ready = told->ready;
	if (!loop->last_stall_id || loop->last_stall_polls++)
		return;
	struct stall *stall = stall_find(model, loop->last_stall_id);
	if (stall && told->flags & PS_POLL_RAN)
		stall->held_fds = PS_UNKNOWN;
	else if (stall)
		add_known(&stall->held_fds, wait_ns < AT_ONCE_NS && ready > 0 ? (uint64_t)ready : 0);
}

void on_fd_ready(struct model_own *model, const void *record)
{
	const struct ps_ev_fd_ready *told = record;
	struct loop_own *loop = loop_of_fd(model, &told->h, told->poller_fd);
	struct fd_stat *row = loop ? fd_row(model, loop, told->fd, told->generation, told->h.ts) : NULL;
	if (!row)
		return;
	uint64_t ready_ns = told->ready_ns && told->ready_ns <= told->h.ts ? told->ready_ns : 0;
	add_known(&row->ready, 1);
	row->last_ns = told->h.ts;
	row->stale += row->closed && told->h.ts > loop->fd_waits[row - loop->pub.fds].closed_ns;
	struct slot *slot = row->kind == PS_KIND_LISTEN ? loop_slot(loop, told->h.ts) : NULL;
	if (slot)
		slot->listen_ready++;
	/* what the kernel did not time was ready when the poll returned at the latest */
	loop->fd_waits[row - loop->pub.fds].ready_ns = ready_ns ? ready_ns : told->h.ts;
	loop->pub.lag_from_return |= !ready_ns;
	held_by_stall(model, loop, ready_ns);
}

void on_callback_begin(struct model_own *model, const void *record)
{
	const struct ps_ev_callback_begin *told = record;
	struct loop_own *loop = loop_of(model, &told->h);
	if (!loop || loop->pub.state == LOOP_GONE)
		return;
	loop_seen_busy(model, loop, told->h.ts);
	callback_end(model, loop, told->h.ts);
	loop->now = (struct callback_now){ 1, told->fn, told->h.ts, told->kind < PS_KIND_COUNT ? told->kind : 0, told->fd,
					   told->generation };
	struct fd_stat *row = told->fd >= 0 ? fd_find(loop, told->fd, told->generation) : NULL;
	if (!row)
		return;
	struct fd_wait *wait = &loop->fd_waits[row - loop->pub.fds];
	add_known(&row->dispatched, 1);
	row->last_ns = told->h.ts;
	if (wait->ready_ns) {
		hist_add(&loop->pub.lag, minus(told->h.ts, wait->ready_ns));
		fd_add_lag(model, &row->lag, minus(told->h.ts, wait->ready_ns));
		loop_add_lag_own(loop, wait->ready_ns, told->h.ts);
		held_in_slice(loop, wait->ready_ns, told->h.ts, &loop->gather.held_fds);
	}
	wait->ready_ns = 0;
}

void on_callback_end(struct model_own *model, const void *record)
{
	const struct ps_ev_callback_end *told = record;
	struct loop_own *loop = loop_of(model, &told->h);
	if (loop)
		callback_end(model, loop, told->h.ts);
}

void on_fd_interest(struct model_own *model, const void *record)
{
	const struct ps_ev_fd_interest *told = record;
	struct loop_own *loop = loop_of_fd(model, &told->h, told->poller_fd);
	if (!loop)
		return;
	struct fd_stat *row = told->op == PS_INTEREST_REMOVE ? fd_find(loop, told->fd, told->generation) :
							       fd_row(model, loop, told->fd, told->generation, told->h.ts);
	if (!row)
		return;
	if (told->op == PS_INTEREST_ADD)
		fd_reopen(loop, row);
	row->interest = told->op == PS_INTEREST_REMOVE ? 0 : told->events;
	fd_describe(model, row, told->kind, told->name);
}

void on_fd_life(struct model_own *model, const void *record)
{
	const struct ps_ev_fd_life *told = record;
	struct loop_own *loop = loop_of(model, &told->h);
	if (!loop)
		return;
	struct fd_stat *row = told->op == PS_LIFE_CLOSED ? fd_find(loop, told->fd, told->generation) :
							   fd_row(model, loop, told->fd, told->generation, told->h.ts);
	if (!row)
		return;
	if (told->op == PS_LIFE_CLOSED)
		fd_close(loop, (size_t)(row - loop->pub.fds), told->h.ts);
	else if (told->op == PS_LIFE_OPENED)
		fd_reopen(loop, row);
	fd_describe(model, row, told->kind, told->name);
}

void on_fd_io(struct model_own *model, const void *record)
{
	const struct ps_ev_fd_io *told = record;
	struct loop_own *loop = loop_of(model, &told->h);
	struct fd_stat *row = loop ? fd_row(model, loop, told->fd, told->generation, told->h.ts) : NULL;
	if (!row)
		return;
	add_known(&row->read_bytes, told->read_bytes);
	add_known(&row->written_bytes, told->written_bytes);
	row->last_ns = told->h.ts;
}

void on_backpressure(struct model_own *model, const void *record)
{
	const struct ps_ev_backpressure *told = record;
	struct loop_own *loop = loop_of(model, &told->h);
	uint64_t at = loop && told->fd >= 0 ? table_get(&loop->fd_index, (uint32_t)told->fd) : 0;
	if (!at)
		return;
	struct fd_stat *row = &loop->pub.fds[at - 1];
	row->buffered_bytes = told->on ? told->buffered_bytes : 0;
	row->high_water_bytes = told->high_water_bytes;
	row->above_ns = !told->on ? 0 : row->above_ns ? row->above_ns : told->h.ts;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel's poller and what is registered with it, as told from outside:
 * pictures of the poller and its items, turns of descriptors (ready, returned,
 * used) and counts of what was done with them.
 *
 * Pictures are told as changes: an item that is not spoken of is as it was.
 */
#include "model_own.h"

/* What nobody has counted yet is 0 as soon as somebody counts. */
static void begin_counts(struct fd_stat *row, uint32_t flags)
{
	uint64_t *const uses[] = { &row->dispatched, &row->read_bytes, &row->written_bytes, &row->empty_wakeups,
				   &row->eagain };

	if (flags & PS_FD_COUNTED)
		add_known(&row->ready, 0);
	for (size_t i = 0; i < sizeof(uses) / sizeof(*uses) && flags & PS_FD_USE_COUNTED; i++)
		add_known(uses[i], 0);
}

void on_poller(struct model_own *model, const void *record)
{
	const struct ps_ev_poller *told = record;
	struct loop_own *loop = loop_of_fd(model, &told->h, told->poller_fd);

	if (!loop)
		return;
	loop->pub.poller = (struct poller_card){
		.ns = told->h.ts,
		.items = told->items,
		.depth = told->depth,
		.ready = told->ready,
		.waiters = told->waiters,
		.unread_bytes = told->unread_bytes,
		.flags = told->flags,
	};
}

void on_fd_state(struct model_own *model, const void *record)
{
	const struct ps_ev_fd_state *told = record;
	struct loop_own *loop = loop_of_fd(model, &told->h, told->poller_fd);
	struct fd_stat *row = loop ? fd_row(model, loop, told->fd, told->generation, told->h.ts) : NULL;

	if (!row)
		return;
	row->interest = told->events;
	row->unread_bytes = told->unread_bytes;
	row->backlog = told->backlog;
	row->backlog_max = told->backlog_max;
	row->is_ready = told->flags & PS_FD_SEEN ? told->flags & PS_FD_IS_READY : -1;
	fd_describe(model, row, told->kind, told->name);
	begin_counts(row, told->flags);
}

void on_fd_turn(struct model_own *model, const void *record)
{
	const struct ps_ev_fd_turn *told = record;
	struct loop_own *loop = loop_of_fd(model, &told->h, told->poller_fd);
	struct fd_stat *row = loop ? fd_row(model, loop, told->fd, told->generation, told->h.ts) : NULL;

	if (!row || told->returned_ns > told->h.ts)
		return;
	uint64_t turn = told->h.ts - told->returned_ns;
	hist_add(&loop->pub.lag_turn, turn);
	fd_add_lag(model, &row->lag_turn, turn);
	row->last_ns = told->h.ts;
	held_in_slice(loop, told->returned_ns, told->h.ts, &loop->gather.held_fds);
	if (!told->ready_ns || told->ready_ns > told->returned_ns)
		return;
	uint64_t kernel = told->returned_ns - told->ready_ns;
	hist_add(&loop->pub.lag_kernel, kernel);
	hist_add(&loop->pub.lag, kernel + turn);
	loop_add_lag_own(loop, told->ready_ns, told->h.ts);
	fd_add_lag(model, &row->lag_kernel, kernel);
	fd_add_lag(model, &row->lag, kernel + turn);
	held_by_stall(model, loop, told->ready_ns);
}

void on_fd_counts(struct model_own *model, const void *record)
{
	const struct ps_ev_fd_counts *told = record;
	struct loop_own *loop = loop_of_fd(model, &told->h, told->poller_fd);
	struct fd_stat *row = loop ? fd_row(model, loop, told->fd, told->generation, told->h.ts) : NULL;

	if (!row)
		return;
	add_known(&row->ready, told->ready);
	row->last_ns = told->h.ts;
	struct slot *slot = row->kind == PS_KIND_LISTEN ? loop_slot(loop, told->h.ts) : NULL;
	if (slot)
		slot->listen_ready += told->ready;
	if (told->flags & PS_FD_USE_UNSEEN)
		return;
	add_known(&row->dispatched, told->dispatched);
	add_known(&row->empty_wakeups, told->empty_wakeups);
	add_known(&row->eagain, told->eagain);
	add_known(&row->read_bytes, told->read_bytes);
	add_known(&row->written_bytes, told->written_bytes);
}

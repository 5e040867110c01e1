/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Threads that serve one connection each, as they tell it themselves: which
 * descriptor, whether it waits in a read or a write now, and for how long it
 * has waited. Calls that were under way at attach are told by their end. And
 * connections that a loop closed because it could not serve them.
 */
#include "model_own.h"

static struct thread_own *connection_thread(struct model_own *model, const struct ps_record *record, int32_t fd)
{
	struct thread_own *thread = thread_add(model, record->tid, 0);
	if (thread)
		thread->pub.blocked_fd = fd;
	return thread;
}

void on_blocked(struct model_own *model, const void *record)
{
	const struct ps_ev_blocked *told = record;
	struct thread_own *thread = connection_thread(model, &told->h, told->fd);
	if (!thread)
		return;
	thread->pub.blocked_op = told->op;
	thread->pub.blocked_since_ns = told->h.ts;
}

void on_unblocked(struct model_own *model, const void *record)
{
	const struct ps_ev_unblocked *told = record;
	struct thread_own *thread = connection_thread(model, &told->h, told->fd);
	if (!thread)
		return;
	thread->pub.blocked_op = 0;
	thread->pub.blocked_since_ns = 0;
	thread->pub.blocked_ns += minus(told->h.ts, told->since_ns);
	thread->pub.blocked_calls++;
	if (told->since_ns)
		trend_blocked(&thread->pub, told->since_ns, told->h.ts);
}

void on_shed(struct model_own *model, const void *record)
{
	const struct ps_ev_shed *told = record;
	struct loop_own *loop = loop_of(model, &told->h);
	if (!loop)
		return;
	loop->pub.shed++;
	loop->pub.shed_ns = told->h.ts;
	loop->pub.shed_fd = told->fd;
	loop->pub.shed_error = told->error;
}

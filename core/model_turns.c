/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pollers that several threads wait on in turns (Go, tokio, pools of workers
 * on one epoll descriptor). Whoever of them waits serves all: a thread that
 * does something else meanwhile, or sleeps because there is nothing to do,
 * holds nobody up. Such a poller stands still only from the return of the last
 * one that waited until any of them waits again, and that is a stall of the
 * thread that returned last.
 *
 * Invariant: `waiting` is the number of its loops in LOOP_WAITING. A loop is
 * known here from its first wait on; one that no other thread shares is the
 * last that returned whenever it is busy, so it needs no case of its own.
 */
#include "model_own.h"

static struct poller_turns *turns_of(const struct model_own *model, const struct loop_own *loop)
{
	return loop->turns ? &model->turns[loop->turns - 1] : NULL;
}

/* A loop of a library that one thread runs, whoever else looks at its poller. */
static int turns_alone(const struct loop *loop)
{
	return loop->snapshot.ns || loop->flags & PS_LOOP_RING;
}

int loop_in_turns(const struct loop *loop)
{
	return loop->poller_threads > 1 && !turns_alone(loop);
}

static struct poller_turns *find(const struct model_own *model, const struct loop_own *loop)
{
	for (size_t i = 0; i < model->turns_count; i++)
		if (model->turns[i].pid == loop->pub.pid && model->turns[i].poller_fd == loop->pub.poller_fd && model->turns[i].threads)
			return &model->turns[i];
	return NULL;
}

static struct poller_turns *add(struct model_own *model, const struct loop_own *loop)
{
	struct poller_turns *turns = NULL;
	for (size_t i = 0; i < model->turns_count && !turns; i++)
		turns = model->turns[i].threads ? NULL : &model->turns[i]; /* all that shared it have gone */
	if (!turns && !array_room(model, &model->turns, &model->turns_room, model->turns_count, sizeof(*model->turns)))
		turns = &model->turns[model->turns_count++];
	if (turns)
		*turns = (struct poller_turns){ .pid = loop->pub.pid, .poller_fd = loop->pub.poller_fd };
	return turns;
}

/*
 * A thread waits here for the first time. How many have is told by each of them. One that was busy when we came, and has
 * not been seen to wait, was taken for the loop's because somebody had to be: this is the one, and that one is no loop.
 */
static void meet(struct model_own *model, struct loop_own *loop, struct poller_turns *turns, uint64_t ts)
{
	turns->waited++;
	loop->has_waited = 1;
	for (size_t i = 0; i < model->pub.loop_count; i++) {
		struct loop_own *other = loop_own(model->pub.loops[i]);
		if (other->turns != loop->turns)
			continue;
		other->pub.poller_threads = (uint32_t)most(turns->waited, other->pub.poller_threads);
		if (other != loop && other->slice_at_attach && other->pub.state == LOOP_BUSY && !other->has_waited)
			loop_gone(model, other, ts);
	}
}

static void join(struct model_own *model, struct loop_own *loop)
{
	if (loop->turns || !loop->pub.pid || loop->pub.poller_fd < 0 || loop->pub.backend != PS_BACKEND_EPOLL)
		return;
	struct poller_turns *turns = find(model, loop);
	if (!turns)
		turns = add(model, loop);
	if (!turns)
		return;
	loop->turns = (uint32_t)(turns - model->turns) + 1;
	turns->threads++;
	turns->waiting += loop->pub.state == LOOP_WAITING;
}

void turns_leave(struct model_own *model, struct loop_own *loop)
{
	struct poller_turns *turns = turns_of(model, loop);
	if (!turns)
		return;
	turns->threads--;
	turns->waiting -= loop->pub.state == LOOP_WAITING && turns->waiting;
	loop->turns = 0;
	loop->has_waited = 0;
}

/* Somebody waits again: until now the poller stood still, in the slice of the one that returned last. */
static void end_gap(struct model_own *model, struct poller_turns *turns, const struct loop_own *waits, uint64_t ts)
{
	struct loop_own *last = turns->last_tid ? loop_find(model, turns->last_tid, turns->poller_fd) : NULL;
	int is_guess = last && last->slice_at_attach && !last->has_waited;
	if (last && last != waits && last->pub.state == LOOP_BUSY && !is_guess && !turns_alone(&last->pub))
		stall_close(model, last, ts, &sums_unknown);
	turns->last_tid = 0;
}

void turns_change(struct model_own *model, struct loop_own *loop, enum loop_state state, uint64_t ts)
{
	if (state == LOOP_GONE) {
		turns_leave(model, loop);
		return;
	}
	join(model, loop);
	struct poller_turns *turns = turns_of(model, loop);
	if (!turns)
		return;
	if (state == LOOP_WAITING && loop->pub.state != LOOP_WAITING) {
		end_gap(model, turns, loop, ts);
		turns->waiting++;
		if (!loop->has_waited)
			meet(model, loop, turns, ts);
	} else if (state != LOOP_WAITING && loop->pub.state == LOOP_WAITING && turns->waiting) {
		turns->waiting--;
	}
	if (state == LOOP_BUSY)
		turns->last_tid = loop->pub.tid;
}

int turns_served(const struct model_own *model, const struct loop_own *loop)
{
	const struct poller_turns *turns = turns_of(model, loop);
	return turns && !turns_alone(&loop->pub) && (turns->waiting || turns->last_tid != loop->pub.tid);
}

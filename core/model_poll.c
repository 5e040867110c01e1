/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Waits and busy slices: what a loop does with its time.
 *
 * A slice lasts from the return of a wait to the next enter of a wait on the
 * same poller. Both records carry the time of the one before, so one that got
 * lost costs its own slice and no more. A wait on another poller inside a slice
 * is part of the slice, unless that poller was declared to be a loop.
 *
 * Invariant: busy_ns, wait_ns and the seconds are complete up to accounted_ns,
 * which a CLOCK moves too. A record older than that moves time back from the
 * state that was assumed to the one that was true.
 */
#include "model_own.h"

#include <stdlib.h>
#include <string.h>

/* ---- seconds ---- */

struct slot *loop_slot(struct loop_own *loop, uint64_t ts)
{
	uint64_t second = ts / NS_PER_SECOND;
	struct slot *slot = &loop->pub.slots[second % MODEL_SLOTS];
	if (slot->second > second)
		return NULL;
	if (slot->second != second)
		*slot = (struct slot){ .second = second };
	return slot;
}

static void shift(uint64_t *sum, uint64_t ns, int back)
{
	*sum = back ? minus(*sum, ns) : *sum + ns;
}

/* Adds [from, to) to one of the loop's figures, second by second; only the last MODEL_SLOTS seconds count. */
static void spread(struct loop_own *loop, uint64_t from, uint64_t to, size_t figure, int back)
{
	if (to - from > MODEL_SLOTS * NS_PER_SECOND)
		from = to - MODEL_SLOTS * NS_PER_SECOND;
	while (from < to) {
		uint64_t end = least((from / NS_PER_SECOND + 1) * NS_PER_SECOND, to);
		struct slot *slot = loop_slot(loop, from);
		if (slot)
			shift((uint64_t *)(void *)((char *)slot + figure), end - from, back);
		from = end;
	}
}

void loop_account(struct loop_own *loop, uint64_t to_ns)
{
	uint64_t from = loop->accounted_ns, to = to_ns;
	int back = to < from, busy = loop->pub.state == LOOP_BUSY;
	loop->accounted_ns = to_ns;
	if (!busy && loop->pub.state != LOOP_WAITING)
		return;
	if (back) {
		uint64_t later = from;
		from = to > loop->pub.state_since_ns ? to : loop->pub.state_since_ns;
		to = later;
	}
	if (from >= to)
		return;
	shift(busy ? &loop->pub.busy_ns : &loop->pub.wait_ns, to - from, back);
	spread(loop, from, to, busy ? offsetof(struct slot, busy_ns) : offsetof(struct slot, wait_ns), back);
	trend_spread(loop, from, to, busy ? offsetof(struct beat, busy_us) : offsetof(struct beat, wait_us), back);
	struct slot *slot = busy && !back ? loop_slot(loop, to) : NULL;
	if (slot)
		slot->longest_ns = most(slot->longest_ns, minus(to, loop->slice_ns));
}

/* Ends the state that lasted until now, at `ts`, and begins another. */
static void turn(struct model_own *model, struct loop_own *loop, enum loop_state state, uint64_t ts)
{
	loop_account(loop, ts);
	turns_change(model, loop, state, ts);
	loop->left = 0;
	loop->pub.state = state;
	loop->pub.state_since_ns = ts;
	loop->pub.last_ns = most(loop->pub.last_ns, ts);
	if (!loop->pub.first_ns)
		loop->pub.first_ns = ts;
}

/* ---- phases ---- */

static void phase_pause(struct loop_own *loop, uint64_t ts)
{
	if (loop->pub.phase < 0)
		return;
	uint64_t from = most(loop->phase_since_ns, loop->slice_ns);
	uint64_t ns = minus(ts, from);
	loop->phase_ns += ns;
	loop->pub.phases[loop->pub.phase].total_ns += ns;
	loop->gather.phase_ns[loop->pub.phase] += ns;
	loop->gather.dirty = 1;
	loop->phase_since_ns = ts;
	if (!ns)
		return;
	spread(loop, from, ts, offsetof(struct slot, phase_ns) + (size_t)loop->pub.phase * sizeof(uint64_t), 0);
	trend_spread(loop, from, ts, offsetof(struct beat, phase_us) + (size_t)loop->pub.phase * sizeof(uint32_t), 0);
}

static void phase_end(struct loop_own *loop, uint64_t ts)
{
	if (loop->pub.phase < 0)
		return;
	if (loop->pub.state == LOOP_BUSY)
		phase_pause(loop, ts);
	struct phase_stat *stat = &loop->pub.phases[loop->pub.phase];
	stat->count++;
	hist_add(&stat->hist, loop->phase_ns);
	loop->phase_ns = 0;
}

/* ---- slices and iterations ---- */

static void slice_begin(struct model_own *model, struct loop_own *loop, uint64_t ts, int at_attach, int lossy)
{
	turn(model, loop, LOOP_BUSY, ts);
	loop->slice_ns = ts;
	loop->slice_at_attach = at_attach;
	loop->slice_lossy = lossy;
	loop->phase_since_ns = ts;
	gather_begin(loop);
}

/* Ends the slice of so many turns at `ts`; the caller turns the loop to its next state. */
static void slices_end(struct model_own *model, struct loop_own *loop, uint64_t ts, const struct slice_sums *sums,
		       uint64_t turns)
{
	callback_end(model, loop, ts);
	phase_pause(loop, ts);
	uint64_t ns = minus(ts, loop->slice_ns);
	if (sums->on_cpu_ns != PS_UNKNOWN) {
		add_known(&loop->pub.on_cpu_ns, least(sums->on_cpu_ns, ns));
		add_known(&loop->pub.runnable_ns, sums->runnable_ns == PS_UNKNOWN ? 0 : least(sums->runnable_ns, ns));
		add_known(&loop->pub.blocked_ns, sums->blocked_ns == PS_UNKNOWN ? 0 : least(sums->blocked_ns, ns));
	}
	stall_close(model, loop, ts, sums);
	loop->before_begin_ns = loop->slice_ns;
	loop->before_end_ns = ts;
	loop->before_runnable_ns = sums->runnable_ns;
	loop->iteration_cpu_known = sums->on_cpu_ns != PS_UNKNOWN && (loop->iteration_cpu_known || !loop->iteration_begun);
	loop->iteration_cpu_ns += loop->iteration_cpu_known ? least(sums->on_cpu_ns, ns) : 0;
	struct slot *slot = loop_slot(loop, ts);
	if (slot)
		trend_slices(slot, ns / turns, turns);
	loop->turns_told = turns;
	loop->iteration_busy_ns += minus(ts, most(loop->slice_ns, loop->iteration_since_ns));
	loop->iteration_begun = 1;
}

static void slice_end(struct model_own *model, struct loop_own *loop, uint64_t ts, const struct slice_sums *sums)
{
	slices_end(model, loop, ts, sums, 1);
}

/* The slice ended at a time that nobody can tell: a stall that was seen is kept as far as it was seen. */
static void slice_abandon(struct model_own *model, struct loop_own *loop, uint64_t ts)
{
	loop->slice_lossy = 1;
	if (loop->stall)
		stall_close(model, loop, loop->accounted_ns, &sums_unknown);
	loop->pub.state = LOOP_UNKNOWN;
	loop->accounted_ns = ts;
	loop->now.running = 0;
	loop->iteration_busy_ns = loop->iteration_cpu_ns = 0;
	loop->iteration_begun = loop->iteration_cpu_known = 0;
}

/* CPU time is told with the end of a slice, so that of an iteration is that of the slices which ended in it. */
static void iteration_cpu_end(struct loop_own *loop, uint64_t turns)
{
	if (loop->iteration_cpu_known)
		hist_add_many(&loop->pub.iteration_cpu, loop->iteration_cpu_ns / turns, turns);
	loop->iteration_cpu_ns = 0;
	loop->iteration_cpu_known = 0;
}

/* What several took is told of all together: each is taken for as long as the others. */
static void iterations_end(struct loop_own *loop, uint64_t ts, uint64_t turns)
{
	if (loop->iteration_begun)
		hist_add_many(&loop->pub.iteration, loop->iteration_busy_ns / turns, turns);
	iteration_cpu_end(loop, turns);
	loop->iteration_busy_ns = 0;
	loop->iteration_begun = 0;
	loop->empty_held = 0;
	loop->pub.iterations += loop->pub.iterations_exact ? 0 : turns;
	struct slot *slot = loop_slot(loop, ts);
	if (slot)
		slot->iterations += (uint32_t)turns;
}

static void iteration_end(struct loop_own *loop, uint64_t ts)
{
	iterations_end(loop, ts, 1);
}

void loop_seen_busy(struct model_own *model, struct loop_own *loop, uint64_t ts)
{
	if (loop->pub.state == LOOP_UNKNOWN)
		slice_begin(model, loop, ts, 1, 0);
}

void loop_gone(struct model_own *model, struct loop_own *loop, uint64_t ts)
{
	if (loop->pub.state == LOOP_GONE)
		return;
	if (loop->pub.state == LOOP_BUSY)
		slice_end(model, loop, ts, &sums_unknown);
	turn(model, loop, LOOP_GONE, ts);
	loop->pub.phase = -1;
	loop->pub.flags |= PS_LOOP_GONE;
}

void loop_left(struct model_own *model, struct loop_own *loop, uint64_t ts)
{
	if (loop->pub.state == LOOP_GONE)
		return;
	ts = most(ts, loop->accounted_ns);
	loop_account(loop, ts);
	if (loop->pub.state == LOOP_BUSY)
		slice_abandon(model, loop, ts);
	turn(model, loop, LOOP_UNKNOWN, ts);
	loop->pub.phase = -1;
	loop->left = 1;
}

/* ---- which loop a wait is of ---- */

static struct loop_own *busy_other(const struct thread_own *thread, const struct loop_own *than)
{
	for (struct loop_own *loop = thread->loops; loop; loop = loop->next_of_thread)
		if (loop != than && loop->pub.state == LOOP_BUSY)
			return loop;
	return NULL;
}

/*
 * The loop of (tid, poller_fd); NULL when there is no room for it or when the
 * wait is nested: on a poller that is no loop, inside the busy slice of one.
 * `*around` is the loop whose slice the wait falls into, if any.
 */
static struct loop_own *loop_polled(struct model_own *model, uint32_t tid, int32_t poller_fd, uint32_t backend,
				    struct loop_own **around)
{
	struct thread_own *thread = thread_add(model, tid, 0);
	*around = NULL;
	if (!thread)
		return NULL;
	struct loop_own *loop = thread->current;
	if (loop && loop->pub.poller_fd == poller_fd && thread->loop_count == 1)
		return loop;
	loop = loop_find(model, tid, poller_fd);
	*around = busy_other(thread, loop);
	if (*around && (!loop || !loop->declared))
		return NULL;
	if (!loop)
		loop = loop_add(model, thread, poller_fd);
	if (!loop)
		return NULL;
	if (!loop->declared && backend < PS_BACKEND_COUNT)
		loop->pub.backend = backend;
	thread->current = loop;
	return loop;
}

int loop_was_seen(const struct loop *loop)
{
	return loop->polls || loop->iterations || loop->busy_ns + loop->wait_ns || loop->stalls || loop->open_stall ||
	       loop->flags & PS_LOOP_RING;
}

/* ---- handlers ---- */

/* Makes the busy slice that POLL_ENTER ends the right one. Returns 0 when there is none to end. */
static int slice_before_enter(struct model_own *model, struct loop_own *loop, uint64_t since, uint64_t ts)
{
	if (since > ts)
		since = 0;
	if (loop->pub.state == LOOP_BUSY) {
		if (since > loop->slice_ns) { /* an enter and a return were lost */
			slice_abandon(model, loop, since);
			slice_begin(model, loop, since, 0, 1);
		}
		return 1;
	}
	if (!since)
		return 0;
	if (loop->pub.state == LOOP_WAITING) { /* the return was lost */
		loop->pub.polls++;
		hist_add(&loop->pub.poll_wait, minus(since, loop->pub.state_since_ns));
		iteration_end(loop, since);
	} else {
		loop->accounted_ns = since;
	}
	slice_begin(model, loop, since, 0, loop->pub.state == LOOP_WAITING);
	return 1;
}

void on_poll_enter(struct model_own *model, const void *record)
{
	const struct ps_ev_poll_enter *told = record;
	uint64_t ts = told->h.ts;
	struct loop_own *around;
	struct loop_own *loop = loop_polled(model, told->h.tid, told->poller_fd, told->backend, &around);
	if (around)
		gather_nested_enter(around, ts);
	if (!loop)
		return;
	/* told twice, or older than what is known */
	if (loop->pub.state == LOOP_WAITING && told->busy_since_ns <= loop->pub.state_since_ns)
		return;
	if (slice_before_enter(model, loop, told->busy_since_ns, ts)) {
		if (loop->empty_held && told->timeout_ns == 0)
			iteration_end(loop, ts); /* two looks in a row that did not mean to wait: two turns */
		loop->empty_held = 0;
		struct slice_sums sums = { told->on_cpu_ns, told->runnable_ns, told->blocked_ns };
		slices_end(model, loop, ts, &sums, ps_poll_turns(told->timeout_ns));
	} else {
		loop->accounted_ns = ts;
	}
	turn(model, loop, LOOP_WAITING, ts);
	loop->timeout_ns = told->timeout_ns < -1 ? -2 : told->timeout_ns;
}

/* Brings the loop to LOOP_WAITING as the carried time of the enter says. Returns 0 when the return says nothing new. */
static int wait_before_return(struct model_own *model, struct loop_own *loop, uint64_t entered, uint64_t ts)
{
	if (entered > ts)
		entered = 0;
	if (loop->pub.state == LOOP_WAITING)
		return 1;
	if (loop->pub.state == LOOP_BUSY && loop->slice_at_attach && !entered)
		entered = loop->slice_ns; /* nobody saw it enter since */
	if (loop->pub.state == LOOP_BUSY && entered && entered <= loop->slice_ns) {
		if (!loop->slice_at_attach)
			return 0; /* told twice */
		stall_drop(model, loop); /* at attach it was waiting after all */
		loop_account(loop, entered);
		loop->pub.state = LOOP_UNKNOWN;
	} else if (loop->pub.state == LOOP_BUSY && entered) { /* the enter was lost */
		loop->slice_lossy = 1;
		slice_end(model, loop, entered, &sums_unknown);
	} else if (loop->pub.state == LOOP_BUSY) {
		slice_abandon(model, loop, ts);
	}
	if (loop->pub.state != LOOP_BUSY)
		loop->accounted_ns = entered ? entered : ts;
	turn(model, loop, LOOP_WAITING, entered ? entered : ts);
	loop->timeout_ns = -2;
	return 1;
}

static void count_return(struct loop_own *loop, const struct ps_ev_poll_return *told, uint64_t wait_ns)
{
	uint32_t ready = told->ready > 0 ? (uint32_t)told->ready : 0;
	uint64_t turns = loop->turns_told > 1 ? loop->turns_told : 1;
	/* each that found something found one at least */
	uint32_t empty = told->ready >= 0 && ready < turns ? (uint32_t)(turns - ready) : 0;
	loop->turns_told = 1;
	loop->pub.polls += turns;
	loop->pub.ready += ready;
	loop->pub.empty_polls += empty;
	/* of waits that did not sleep, and were not seen, nobody measured how long they were */
	if (!(told->flags & PS_POLL_RAN) || wait_ns)
		hist_add(&loop->pub.poll_wait, wait_ns);
	struct slot *slot = loop_slot(loop, told->h.ts);
	if (slot) {
		slot->polls += (uint32_t)turns;
		slot->ready += ready;
		slot->empty += empty;
	}
	if (loop->pub.iterations_exact)
		return;
	if (loop->timeout_ns == 0 && told->ready == 0)
		loop->empty_held = 1;
	else
		iterations_end(loop, told->h.ts, turns);
}

void on_poll_return(struct model_own *model, const void *record)
{
	const struct ps_ev_poll_return *told = record;
	uint64_t ts = told->h.ts;
	struct loop_own *around;
	struct loop_own *loop = loop_polled(model, told->h.tid, told->poller_fd, told->backend, &around);
	if (around)
		gather_nested_return(around, told->entered_ns, ts);
	if (!loop)
		return;
	if (told->flags & PS_POLL_UNDERWAY) {
		if (loop->pub.state == LOOP_BUSY || (loop->pub.state == LOOP_WAITING && ts <= loop->pub.state_since_ns))
			return;
		slice_begin(model, loop, ts, 1, 0);
		return;
	}
	if (!wait_before_return(model, loop, told->entered_ns, ts))
		return;
	uint64_t wait_ns = minus(ts, loop->pub.state_since_ns);
	count_return(loop, told, wait_ns);
	slice_begin(model, loop, ts, 0, 0);
	loop->returned_ns = ts;
	fds_held_up(model, loop, wait_ns, told);
}

void on_iteration(struct model_own *model, const void *record)
{
	const struct ps_ev_iteration *told = record;
	struct loop_own *loop = loop_of(model, &told->h);
	if (!loop || loop->pub.state == LOOP_GONE)
		return;
	loop_seen_busy(model, loop, told->h.ts);
	uint64_t busy = loop->iteration_busy_ns;
	if (loop->pub.state == LOOP_BUSY)
		busy += minus(told->h.ts, most(loop->slice_ns, loop->iteration_since_ns));
	if (loop->pub.iterations && loop->pub.iterations_exact)
		hist_add(&loop->pub.iteration, busy);
	if (!loop->pub.iterations_exact || !loop->iteration_first)
		loop->pub.iterations = 0;
	loop->pub.iterations_exact = 1;
	if (!loop->pub.iterations)
		loop->iteration_first = most(told->number, 1);
	/* its own number counts those that were lost too */
	loop->pub.iterations = most(loop->pub.iterations + 1, minus(told->number + 1, loop->iteration_first));
	iteration_cpu_end(loop, 1);
	loop->iteration_busy_ns = 0;
	loop->iteration_begun = 0;
	loop->iteration_since_ns = told->h.ts;
	struct slot *slot = loop_slot(loop, told->h.ts);
	if (slot)
		slot->iterations++;
}

void on_phase(struct model_own *model, const void *record)
{
	const struct ps_ev_phase *told = record;
	struct loop_own *loop = loop_of(model, &told->h);
	if (!loop || loop->pub.state == LOOP_GONE)
		return;
	if (told->phase >= PS_PHASE_COUNT) {
		model->pub.malformed++;
		return;
	}
	/* what is told exactly needs no estimate */
	if (!(loop->pub.flags & PS_LOOP_PHASES) && loop->pub.phases_sampled) {
		memset(loop->pub.phases, 0, sizeof(loop->pub.phases));
		loop->pub.phases_sampled = 0;
	}
	loop->pub.flags |= PS_LOOP_PHASES;
	loop_seen_busy(model, loop, told->h.ts);
	callback_end(model, loop, told->h.ts);
	phase_end(loop, told->h.ts);
	loop->pub.phase = (int)told->phase;
	loop->phase_since_ns = told->h.ts;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The source of what a poller holds: looks into each epoll instance that a loop
 * waits on, once a second, or less often when that would take more than half a
 * percent of a core; and, beside it, follows descriptors from ready to
 * dispatched as they go (ready.c). The two share the list of what is
 * registered, so that a descriptor is the same one in the records of both.
 *
 * A look is not an event of the target: nothing runs in it or waits for it.
 * Following is: it stands under a governor.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "governor.h"
#include "poller.h"
#include "proc.h"
#include "ready.h"

#define SECOND_NS 1000000000ull
#define READY_BUDGET_NS 5000000ull /* per second: 0.5 % of a core */
#define READY_REST_NS 1000000ull /* per second, where it is followed in moments: who is that busy is to feel less of it */
#define READY_HITS_LEAST 1000u /* in a second; so few are cheap on any machine that is not emulated */
#define READY_HIT_NS 50u /* the way into a program */
#define REST_LEAST_NS (4 * SECOND_NS)
#define REST_MOST_NS (30 * SECOND_NS)
#define COST_FACTOR 200u /* between two looks passes this many times what one costs */

struct poller_source {
	struct source_context context;
	struct poller_reader *reader;
	struct poller_watch *watches;
	size_t count, room;
	size_t seen; /* loops of the context that were considered */
	uint64_t looks, cost_ns;
	uint64_t told_ns;
	uint64_t drained_ns; /* the last drain; when it ends, the watch ended then */
	int is_closing;
	/* the READY group */
	struct ready_probe *ready; /* NULL: there is none, or it was given up */
	struct governor governor;
	enum ps_probe_state ready_state;
	char ready_reason[160];
	uint64_t ready_hits, ready_lost;
	uint64_t rests_until_ns; /* 0 = it follows */
	int seeds; /* in this drain it goes on: all looks show it what is registered */
	uint64_t spent_before_ns; /* by the governor's account, when it began to follow */
};

/* A thread that was found busy may be seen to wait by now. */
static int poller_of(const struct loop_found *loop)
{
	struct proc_syscall call;
	int poller_fd;
	uint32_t fds;

	if (!loop->is_guess || proc_read_syscall(loop->pid, loop->tid, &call) || call.number < 0 ||
	    proc_poller(&call, &poller_fd, &fds) != PS_BACKEND_EPOLL)
		return loop->poller_fd;
	return poller_fd;
}

static void end_watch(struct poller_source *source, struct poller_watch *watch)
{
	if (source->ready && !watch->tells)
		ready_forget(source->ready, watch->pid, watch->epfd);
	watch->is_gone = 1;
	poller_watch_free(watch);
}

/* A loop has one poller: one that was guessed is not looked at when the real one is known. */
static void drop_guess(struct poller_source *source, pid_t tid)
{
	for (size_t i = 0; i < source->count; i++) {
		struct poller_watch *watch = &source->watches[i];

		if (!watch->is_gone && watch->is_guess && watch->tid == tid)
			end_watch(source, watch);
	}
}

static int is_watched(const struct poller_source *source, const struct loop_found *loop)
{
	for (size_t i = 0; i < source->count; i++) {
		const struct poller_watch *watch = &source->watches[i];

		if (!watch->is_gone && watch->pid == loop->pid && watch->tid == loop->tid &&
		    watch->epfd == loop->poller_fd)
			return 1;
	}
	return 0;
}

static int add_watch(struct poller_source *source, const struct loop_found *loop)
{
	int rings = !(source->context.options->without >> PS_PROBE_RING & 1);

	if ((loop->backend != PS_BACKEND_EPOLL && loop->waits_in != PS_BACKEND_EPOLL) || loop->poller_fd < 0 ||
	    is_watched(source, loop))
		return 0;
	if (source->count == source->room) {
		size_t room = source->room ? source->room * 2 : 8;
		struct poller_watch *watches = realloc(source->watches, room * sizeof(*watches));

		if (!watches)
			return -ENOMEM;
		source->watches = watches;
		source->room = room;
	}
	drop_guess(source, loop->tid);
	source->watches[source->count++] = (struct poller_watch){
		.pid = loop->pid,
		.tid = loop->tid,
		.epfd = poller_of(loop),
		.is_guess = loop->is_guess,
		.tells = rings && loop->has_ring,
	};
	return 0;
}

static int add_loops(struct poller_source *source)
{
	int err = 0;

	for (; source->seen < source->context.loop_count && !err; source->seen++)
		err = add_watch(source, &source->context.loops[source->seen]);
	return err;
}

/* ---- from ready to dispatched ---- */

static struct poller_watch *find_watch(struct poller_source *source, uint32_t pid, int epfd)
{
	for (size_t i = 0; i < source->count; i++) {
		struct poller_watch *watch = &source->watches[i];

		if (!watch->is_gone && (uint32_t)watch->pid == pid && watch->epfd == epfd)
			return watch;
	}
	return NULL;
}

static void put_turn(struct poller_source *source, const struct ps_ready_turn *told)
{
	struct poller_watch *watch = find_watch(source, told->tgid, told->poller_fd);
	struct ps_ev_fd_turn turn = {
		.h = { told->h.ts, told->h.tid, PS_EV_FD_TURN, sizeof(turn) },
		.poller_fd = told->poller_fd,
		.fd = told->fd,
		.events = told->events,
		.ready_ns = told->ready_ns,
		.returned_ns = told->returned_ns,
	};

	if (!watch)
		return;
	turn.generation = poller_watch_generation(watch, told->fd, told->identity);
	stream_put(source->context.stream, &turn.h);
}

static void put_counts(struct poller_source *source, const struct ps_ready_counts *told)
{
	struct poller_watch *watch = find_watch(source, told->tgid, told->poller_fd);
	struct ps_ev_fd_counts counts = {
		.h = { source->is_closing ? source->drained_ns : told->h.ts, told->h.tid, PS_EV_FD_COUNTS,
		       sizeof(counts) },
		.poller_fd = told->poller_fd,
		.fd = told->fd,
		.ready = told->ready,
		.dispatched = told->dispatched,
		.empty_wakeups = told->empty_wakeups,
		.eagain = told->eagain,
		.read_bytes = told->read_bytes,
		.written_bytes = told->written_bytes,
		.flags = told->flags & PS_READY_USE_UNSEEN ? PS_FD_USE_UNSEEN : 0,
	};

	if (!watch)
		return;
	counts.generation = poller_watch_generation(watch, told->fd, told->identity);
	stream_put(source->context.stream, &counts.h);
	if (!(told->flags & PS_READY_CLOSED))
		return;
	const struct ps_ev_fd_life life = {
		.h = { told->h.ts, told->h.tid, PS_EV_FD_LIFE, sizeof(life) },
		.fd = told->fd,
		.generation = counts.generation,
		.op = PS_LIFE_CLOSED,
	};
	stream_put(source->context.stream, &life.h);
}

static void take_ready(void *arg, const struct ps_ready_turn *turn, const struct ps_ready_counts *counts)
{
	struct poller_source *source = arg;

	if (turn)
		put_turn(source, turn);
	else
		put_counts(source, counts);
}

static void tell_ready(const struct poller_source *source)
{
	/* until a first burst was measured, it is assumed and not told */
	uint64_t cost = source->governor.run_per_s == PS_UNKNOWN ? PS_UNKNOWN : source->governor.cost_ns;
	int works = source->ready != NULL;

	stream_probe_governed(source->context.stream, PS_PROBE_READY, source->ready_state, source->ready_reason,
			      works ? source->ready_hits : PS_UNKNOWN, works ? cost : PS_UNKNOWN,
			      works ? source->governor.budget_ns : PS_UNKNOWN);
}

/* Following everything would cost too much: follow for a moment, rest for as long as brings it well below the budget. */
static void rest(struct poller_source *source, uint64_t now)
{
	const struct governor *governor = &source->governor;
	double spent = (double)(governor->cost_ns - source->spent_before_ns);
	double ns = spent / (double)READY_REST_NS * SECOND_NS;
	uint64_t rests = ns > REST_MOST_NS ? REST_MOST_NS : ns < REST_LEAST_NS ? REST_LEAST_NS : (uint64_t)ns;

	/* the kernel counts for nobody then */
	governor_close(&source->governor);
	ready_rest(source->ready);
	source->rests_until_ns = now + rests;
	source->ready_state = PS_PROBE_STATE_FALLBACK;
	snprintf(source->ready_reason, sizeof(source->ready_reason),
		 "descriptors are followed in moments %.1f s apart: all the time would cost %.1f %% of a core, limit %.1f %%. "
		 "Counts and rates are too low, lags a sample",
		 (double)rests / 1e9, (double)governor->cost_per_s / 1e7, (double)governor->budget_ns / 1e7);
	tell_ready(source);
}

static void give_up(struct poller_source *source, int err)
{
	ready_drain(source->ready, 1, take_ready, source);
	ready_close(source->ready);
	source->ready = NULL;
	source->ready_state = PS_PROBE_STATE_DETACHED;
	snprintf(source->ready_reason, sizeof(source->ready_reason),
		 "could not be attached again after a rest: %s; counts are those until then", strerror(-err));
	tell_ready(source);
}

static void follow(struct poller_source *source, uint64_t now)
{
	/* a burst is short: what it costs is judged by the drain */
	governor_restart(&source->governor);
	governor_hasten(&source->governor, now, source->ready_hits);
	source->spent_before_ns = source->governor.cost_ns;
}

static void govern(struct poller_source *source, uint64_t now)
{
	/* what is being measured is worth the next look */
	if (!source->rests_until_ns && governor_drain(&source->governor, now, source->ready_hits) &&
	    source->governor.stats_fd < 0 && source->governor.hits_per_s >= READY_HITS_LEAST)
		rest(source, now);
}

static void drain_ready(struct poller_source *source, uint64_t now, int flush)
{
	struct ready_figures figures;

	if (!source->ready)
		return;
	ready_drain(source->ready, flush, take_ready, source);
	ready_figures(source->ready, &figures);
	source->ready_hits = figures.hits;
	if (figures.lost > source->ready_lost &&
	    !stream_lost(source->context.stream, PS_LOST_BPF, figures.lost - source->ready_lost))
		source->ready_lost = figures.lost;
	govern(source, now);
}

static void open_ready(struct poller_source *source)
{
	const struct attach_options *options = source->context.options;
	size_t fds = 0;

	source->ready_state = PS_PROBE_STATE_OFF;
	for (size_t i = 0; i < source->context.loop_count; i++)
		fds += source->context.loops[i].fds;
	if (options->no_bpf) {
		snprintf(source->ready_reason, sizeof(source->ready_reason), "switched off by --no-bpf");
	} else if (options->without >> PS_PROBE_READY & 1) {
		snprintf(source->ready_reason, sizeof(source->ready_reason), "switched off by --without");
	} else if (!poller_reader_by_bpf(source->reader)) {
		source->ready_state = PS_PROBE_STATE_MISSING;
		snprintf(source->ready_reason, sizeof(source->ready_reason), "needs the poller probe by iterator");
	} else if (!ready_open(&source->ready, poller_socket_f_op(source->reader), fds, &source->ready_state,
			       source->ready_reason)) {
		governor_open(&source->governor, ready_object(source->ready), READY_BUDGET_NS, READY_HIT_NS);
		source->governor.is_mild = 1;
		follow(source, stream_now());
	}
}

/* ---- pictures ---- */

static void tell_probe(const struct poller_source *source)
{
	stream_probe(source->context.stream, PS_PROBE_POLLER,
		     poller_reader_by_bpf(source->reader) ? PS_PROBE_STATE_ON : PS_PROBE_STATE_FALLBACK,
		     poller_reader_reason(source->reader), source->looks, source->cost_ns);
}

/* The thread, of the process that we know by this number. */
static int thread_lives(const struct poller_source *source, const struct poller_watch *watch)
{
	struct proc_stat stat;

	for (size_t i = 0; i < source->context.process_count; i++)
		if (source->context.processes[i].pid == watch->pid && !proc_same(&source->context.processes[i]))
			return 0;
	return !proc_read_stat(watch->pid, watch->tid, &stat);
}

static void look(struct poller_source *source, struct poller_watch *watch)
{
	struct poller_raw raw;
	int err = thread_lives(source, watch) ? 0 : -ESRCH;

	if (!err)
		err = poller_watch_look(watch, source->reader, source->ready, source->seeds, source->context.stream, &raw);
	if (err == -ESRCH || err == -EPERM) {
		end_watch(source, watch);
		return;
	}
	if (err && err != -EAGAIN) {
		watch->next_ns = stream_now() + SECOND_NS;
		return;
	}
	if (source->ready && !watch->tells && !watch->is_followed)
		watch->is_followed = !ready_watch(source->ready, watch->pid, watch->tid, watch->epfd, watch->poller);
	/* the share is of all pollers together: a thousand small ones are looked at more seldom each */
	uint64_t gap = raw.cost_ns * COST_FACTOR * source->count;
	source->looks++;
	source->cost_ns += raw.cost_ns;
	watch->next_ns = err == -EAGAIN ? 0 : raw.ns + (gap > SECOND_NS ? gap : SECOND_NS);
}

static int rest_is_over(const struct poller_source *source, uint64_t now)
{
	return source->ready && source->rests_until_ns && source->rests_until_ns <= now;
}

/*
 * What was registered meanwhile is in a new picture of each poller only: it goes on when all of them are due, or nearly;
 * of many that never are at one time it does not wait for long.
 */
static void go_on(struct poller_source *source, uint64_t now)
{
	int waits = now - source->rests_until_ns < REST_MOST_NS;

	for (size_t i = 0; i < source->count && waits; i++)
		if (!source->watches[i].is_gone && source->watches[i].next_ns > now + SECOND_NS)
			return;
	source->rests_until_ns = 0;
	int err = ready_go_on(source->ready);
	if (err)
		give_up(source, err);
	source->seeds = !err;
}

static void look_and_follow(struct poller_source *source, uint64_t now)
{
	if (rest_is_over(source, now))
		go_on(source, now);
	for (size_t i = 0; i < source->count; i++)
		if (!source->watches[i].is_gone && (source->seeds || source->watches[i].next_ns <= now))
			look(source, &source->watches[i]);
	if (!source->seeds)
		return;
	source->seeds = 0;
	ready_follow(source->ready);
	follow(source, now);
}

static int drain_poller(void *state)
{
	struct poller_source *source = state;
	uint64_t now = stream_now();
	int is_second = now - source->told_ns >= SECOND_NS;

	source->drained_ns = now;
	drain_ready(source, now, is_second);
	look_and_follow(source, now);
	if (is_second) {
		source->told_ns = now;
		tell_probe(source);
		tell_ready(source);
	}
	return 0;
}

static void close_poller(void *state)
{
	struct poller_source *source = state;

	source->is_closing = 1;
	drain_ready(source, stream_now(), 1);
	governor_close(&source->governor);
	ready_close(source->ready);
	for (size_t i = 0; i < source->count; i++)
		poller_watch_free(&source->watches[i]);
	free(source->watches);
	poller_reader_close(source->reader);
	free(source);
}

static int open_poller(void **state, const struct source_context *context)
{
	struct poller_source *source;
	int err;

	if (context->options->without >> PS_PROBE_POLLER & 1) {
		stream_probe(context->stream, PS_PROBE_POLLER, PS_PROBE_STATE_OFF, "switched off by --without",
			     PS_UNKNOWN, PS_UNKNOWN);
		stream_probe(context->stream, PS_PROBE_READY, PS_PROBE_STATE_OFF, "needs the poller probe", PS_UNKNOWN,
			     PS_UNKNOWN);
		return -ENOSYS;
	}
	source = calloc(1, sizeof(*source));
	if (!source)
		return -ENOMEM;
	source->context = *context;
	source->governor.stats_fd = -1;
	err = poller_reader_open(&source->reader, context->options->no_bpf);
	if (!err)
		err = add_loops(source);
	if (err) {
		close_poller(source);
		return err;
	}
	open_ready(source);
	tell_probe(source);
	tell_ready(source);
	*state = source;
	return 0;
}

static int adopt_poller(void *state, const struct source_context *context)
{
	struct poller_source *source = state;

	source->context = *context;
	return add_loops(source);
}

static void meet_poller(void *state, const struct loop_found *loop)
{
	add_watch(state, loop);
}

static void relieve_poller(void *state)
{
	struct poller_source *source = state;

	if (source->ready)
		ready_relieve(source->ready);
}

const struct source source_poller = {
	.name = "poller",
	.groups = 1u << PS_PROBE_POLLER | 1u << PS_PROBE_READY,
	.open = open_poller,
	.adopt = adopt_poller,
	.meet = meet_poller,
	.drain = drain_poller,
	.relieve = relieve_poller,
	.close = close_poller,
};

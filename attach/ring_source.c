/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The source of instrumented loops: the flight recorders of the watched
 * processes, as events. Needs no privileges beyond the owner's.
 *
 * What lies in a ring when it is first read is delivered too: who attaches
 * after a stall still sees it. LOOP and THREAD records of a ring carry the time
 * of its first record, so that they stand before it. New rings (a new loop, a
 * resized pool, a forked child's) are looked for once a second, or more rarely
 * where that is costly; a ring that its process has closed is let go, for its
 * memory is the target's.
 *
 * Owns the open rings; a ring's process is context.processes[ring.process].
 */
#include "source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backlog.h"
#include "proc.h"
#include "ring_find.h"
#include "ring_names.h"
#include "ring_reader.h"

#define SEARCH_NS 1000000000u
#define SEARCH_FACTOR 50        /* a search may take 2 % of the time at most */
#define STALL_NS 50000000u
#define RETELLS 3               /* searches after which a thread's role and name are told again */

struct watched {
	struct ring ring;
	struct backlog backlog; /* of its slots, copied and checked */
	size_t process;
	int is_told;            /* its LOOP and THREAD records are out */
	unsigned retells_left;
	uint64_t lost_told;
	uint64_t busy_since_ns; /* 0 = waits in its poller, or never told */
	int is_unfound;         /* a loop that was not there at attach: nobody else tells its CPU time */
};

struct ring_source {
	struct source_context context;
	struct ring_find *finds;      /* [process_count] */
	struct ring_names **names;    /* [process_count] */
	struct watched *rings;
	size_t count, room;
	void *batch;
	uint64_t stall_ns;
	uint64_t next_search_ns;
	uint64_t records;       /* of rings that are gone as well */
	size_t told_count;      /* of rings, in the last PROBE */
	int is_first_search;
	/* for callbacks */
	size_t process;         /* that is searched */
	struct watched *reading;
};

static int is_loop(const struct watched *watched)
{
	return watched->ring.header.role == PS_ROLE_LOOP;
}

static int was_found(const struct source_context *context, pid_t tid)
{
	for (size_t i = 0; i < context->loop_count; i++)
		if (context->loops[i].tid == tid)
			return 1;
	return 0;
}

/* ---- rings come and go ---- */

static void put_loop(struct ring_source *source, const struct watched *watched, uint64_t ts, uint32_t more_flags)
{
	const struct ps_ring_header *header = &watched->ring.header;
	const struct ps_ev_loop loop = {
		.h = { ts, watched->ring.tid, PS_EV_LOOP, sizeof(loop) },
		.pid = watched->ring.pid,
		.poller_fd = header->poller_fd,
		.backend = (uint16_t)header->backend,
		.generation = (uint16_t)header->generation,
		.flags = PS_LOOP_PHASES | PS_LOOP_CALLBACKS | PS_LOOP_RING | more_flags,
	};
	stream_put(source->context.stream, &loop.h);
}

static void put_thread(struct ring_source *source, const struct watched *watched, uint64_t ts)
{
	const struct ps_ring_header *header = &watched->ring.header;
	struct ps_ev_thread thread = {
		.h = { ts, watched->ring.tid, PS_EV_THREAD, sizeof(thread) },
		.pid = watched->ring.pid,
		.role = (uint16_t)header->role,
		.generation = (uint16_t)header->generation,
	};
	char name[64] = "";
	ssize_t length = (ssize_t)strlen(header->name);
	const char *text = header->name;
	if (!length) {
		length = proc_read((pid_t)watched->ring.pid, (pid_t)watched->ring.tid, "comm", name, sizeof(name));
		length -= length > 0 && name[length - 1] == '\n';
		text = name;
	}
	if (length > 0)
		thread.name = stream_string(source->context.stream, text, (size_t)length);
	stream_put(source->context.stream, &thread.h);
}

static void tell(struct ring_source *source, struct watched *watched, uint64_t ts)
{
	put_thread(source, watched, ts);
	if (is_loop(watched))
		put_loop(source, watched, ts, 0);
	watched->is_told = 1;
	watched->retells_left = RETELLS;
}

/* /proc tells of the same threads, later than their history here, and knows neither role nor name: ours is to stand. */
static void tell_again(struct ring_source *source, int is_searched)
{
	for (size_t i = 0; i < source->count; i++) {
		struct watched *watched = &source->rings[i];
		if (!watched->retells_left || (!is_searched && watched->retells_left < RETELLS))
			continue;
		watched->retells_left--;
		put_thread(source, watched, stream_now());
	}
}

static int put_record(struct ps_record *record, void *arg)
{
	struct ring_source *source = arg;
	struct watched *watched = source->reading;
	if (!watched->is_told)
		tell(source, watched, record->ts);
	if (record->event == PS_EV_POLL_RETURN)
		watched->busy_since_ns = record->ts;
	else if (record->event == PS_EV_POLL_ENTER)
		watched->busy_since_ns = 0;
	ring_names_note(source->names[watched->process], record);
	int err = stream_put(source->context.stream, record);
	if (err == -ENOMEM) { /* a record that found no room will not come again */
		watched->ring.records--;
		watched->ring.lost++;
	}
	return err;
}

/* Without its history a loop that computes now would not be known to be busy. Before its first record is read. */
static void tell_underway(struct ring_source *source, struct watched *watched)
{
	uint64_t now = stream_now();
	struct ps_ring_gauges gauges;
	const struct ps_ev_poll_return record = {
		.h = { now, watched->ring.tid, PS_EV_POLL_RETURN, sizeof(record) },
		.poller_fd = watched->ring.header.poller_fd,
		.backend = watched->ring.header.backend,
		.flags = PS_POLL_UNDERWAY,
	};
	tell(source, watched, now);
	if (!is_loop(watched) || ring_gauges(&watched->ring, &gauges) || !gauges.busy_since_ns)
		return;
	watched->busy_since_ns = now;
	stream_put(source->context.stream, &record.h);
}

static int add_ring(const struct ring *ring, void *arg)
{
	struct ring_source *source = arg;
	if (source->count == source->room) {
		size_t room = source->room ? source->room * 2 : 8;
		struct watched *rings = realloc(source->rings, room * sizeof(*rings));
		if (!rings)
			return -ENOMEM;
		source->rings = rings;
		source->room = room;
	}
	struct watched *watched = &source->rings[source->count++];
	*watched = (struct watched){ .ring = *ring, .process = source->process };
	watched->is_unfound = is_loop(watched) && !was_found(&source->context, (pid_t)ring->tid);
	if (!source->context.options->no_history)
		return 0;
	ring_skip_history(&watched->ring);
	if (watched->ring.since)
		tell_underway(source, watched);
	return 0;
}

static int put_set_aside(void *arg, void *data, size_t bytes)
{
	return put_record(data, arg);
}

static int set_aside(struct ps_record *record, void *arg)
{
	struct watched *watched = arg;
	backlog_put(&watched->backlog, record, PS_RING_SLOT);
	return backlog_has_room(&watched->backlog) ? 0 : -ENOSPC;
}

static void read_ring(struct ring_source *source, struct watched *watched)
{
	source->reading = watched;
	backlog_take(&watched->backlog, put_set_aside, source);
	ring_read(&watched->ring, source->batch, stream_now(), put_record, source);
	if (!watched->is_told)
		tell(source, watched, stream_now());
	stream_lost(source->context.stream, PS_LOST_RING, watched->ring.lost - watched->lost_told);
	watched->lost_told = watched->ring.lost;
}

/* Rings that the process no longer has: their last words, then away with them. */
static void drop_closed(struct ring_source *source)
{
	size_t kept = 0;
	for (size_t i = 0; i < source->count; i++) {
		struct watched *watched = &source->rings[i];
		if (watched->process != source->process || ring_find_has(&source->finds[source->process], &watched->ring)) {
			source->rings[kept++] = *watched;
			continue;
		}
		read_ring(source, watched);
		backlog_free(&watched->backlog);
		if (is_loop(watched))
			put_loop(source, watched, stream_now(), PS_LOOP_GONE);
		source->records += watched->ring.records + watched->ring.history;
		ring_close(&watched->ring);
	}
	source->count = kept;
}

static int search(struct ring_source *source)
{
	uint64_t start = stream_now();
	if (start < source->next_search_ns)
		return 0;
	for (size_t i = 0; i < source->context.process_count; i++) {
		source->process = i;
		if (source->context.processes[i].is_replaced) {
			source->finds[i].seen_count = 0;
			drop_closed(source);
			continue;
		}
		if (!proc_same(&source->context.processes[i]))
			continue; /* the number may be another's by now */
		int err = ring_find(&source->finds[i], !source->is_first_search, add_ring, source);
		if (!err)
			drop_closed(source);
	}
	source->is_first_search = 0;
	uint64_t end = stream_now(), pause = (end - start) * SEARCH_FACTOR;
	source->next_search_ns = end + (pause > SEARCH_NS ? pause : SEARCH_NS);
	return 1;
}

/* ---- what is told besides records ---- */

static void put_loop_gauges(struct ring_source *source, const struct watched *watched,
			    const struct ps_ring_gauges *gauges)
{
	const struct ps_ev_loop_gauges record = {
		.h = { stream_now(), watched->ring.tid, PS_EV_LOOP_GAUGES, sizeof(record) },
		.next_due_ns = gauges->next_due_ns,
		.buffered_bytes = gauges->buffered_bytes,
		.timers = gauges->timers,
		.handles = gauges->handles,
		.ticks = gauges->ticks,
		.immediates = gauges->immediates,
		.fds = gauges->fds,
		.overdue = gauges->timers_overdue,
	};
	stream_put(source->context.stream, &record.h);
}

static void put_pool_gauges(struct ring_source *source, pid_t pid, const struct ps_ring_gauges *gauges)
{
	struct ps_ev_pool_gauges record = {
		.h = { stream_now(), 0, PS_EV_POOL_GAUGES, sizeof(record) },
		.oldest_ns = gauges->pool_oldest_ns,
		.pid = (uint32_t)pid,
		.threads = gauges->pool_threads,
		.busy = gauges->pool_busy,
		.queued = gauges->pool_queued,
	};
	memcpy(record.queued_by_kind, gauges->pool_queued_by_kind, sizeof(record.queued_by_kind));
	memcpy(record.busy_by_kind, gauges->pool_busy_by_kind, sizeof(record.busy_by_kind));
	stream_put(source->context.stream, &record.h);
}

/* The loops' gauges; of those of one process, the newest page speaks for the pool. */
static void put_gauges(struct ring_source *source)
{
	for (size_t process = 0; process < source->context.process_count; process++) {
		struct ps_ring_gauges gauges, newest = { 0 };
		for (size_t i = 0; i < source->count; i++) {
			const struct watched *watched = &source->rings[i];
			if (watched->process != process || !is_loop(watched) || ring_gauges(&watched->ring, &gauges) ||
			    !gauges.now_ns)
				continue;
			put_loop_gauges(source, watched, &gauges);
			if (gauges.now_ns >= newest.now_ns)
				newest = gauges;
		}
		if (newest.pool_threads)
			put_pool_gauges(source, source->context.processes[process].pid, &newest);
	}
}

/* What a loop that has been busy for long does right now, and the CPU time of loops that came later. */
static void look_at_loops(struct ring_source *source)
{
	uint64_t now = stream_now();
	for (size_t i = 0; i < source->count; i++) {
		const struct watched *watched = &source->rings[i];
		pid_t pid = (pid_t)watched->ring.pid, tid = (pid_t)watched->ring.tid;
		struct proc_syscall call;
		if (watched->is_unfound)
			proc_put_cpu_time(source->context.stream, pid, tid);
		if (!watched->busy_since_ns || now - watched->busy_since_ns < source->stall_ns / 2 ||
		    !proc_same(&source->context.processes[watched->process]))
			continue;
		if (proc_read_syscall(pid, tid, &call))
			call.number = PROC_SYSCALL_NONE;
		proc_put_sample(source->context.stream, pid, tid, &call, 0);
	}
}

static void put_probe(struct ring_source *source)
{
	char reason[160];
	size_t refused = 0;
	const char *why = "";
	uint64_t hits = source->records;
	for (size_t i = 0; i < source->context.process_count; i++) {
		refused += source->finds[i].refused;
		why = source->finds[i].refused ? source->finds[i].why : why;
	}
	for (size_t i = 0; i < source->count; i++)
		hits += source->rings[i].ring.records + source->rings[i].ring.history;
	enum ps_probe_state state = source->count ? PS_PROBE_STATE_ON : PS_PROBE_STATE_OFF;
	snprintf(reason, sizeof(reason), source->count ? "%zu flight recorders" : "no flight recorder: not an instrumented loop",
		 source->count);
	if (refused) {
		state = source->count ? PS_PROBE_STATE_FALLBACK : PS_PROBE_STATE_MISSING;
		snprintf(reason, sizeof(reason), "%zu flight recorders, %zu refused: %s", source->count, refused, why);
	}
	stream_probe(source->context.stream, PS_PROBE_RING, state, reason, hits, PS_UNKNOWN);
	source->told_count = source->count;
}

/* ---- the source ---- */

static void close_rings(void *state)
{
	struct ring_source *source = state;
	if (source->batch && source->finds && source->names) {
		for (size_t i = 0; i < source->count; i++)
			read_ring(source, &source->rings[i]);
		put_probe(source);
	}
	for (size_t i = 0; i < source->count; i++) {
		backlog_free(&source->rings[i].backlog);
		ring_close(&source->rings[i].ring);
	}
	for (size_t i = 0; source->names && i < source->context.process_count; i++)
		ring_names_close(source->names[i]);
	free(source->names);
	free(source->finds);
	free(source->rings);
	free(source->batch);
	free(source);
}

static int open_names(struct ring_source *source, size_t from)
{
	int err = 0;
	for (size_t i = from; i < source->context.process_count && !err; i++) {
		source->finds[i].pid = source->context.processes[i].pid;
		err = ring_names_open(&source->names[i], &source->context.processes[i], source->context.symbols[i],
				      source->context.stream);
	}
	return err;
}

static int open_rings(void **state, const struct source_context *context)
{
	struct ring_source *source = calloc(1, sizeof(*source));
	if (!source)
		return -ENOMEM;
	source->context = *context;
	source->stall_ns = context->options->stall_ns ? context->options->stall_ns : STALL_NS;
	source->is_first_search = 1;
	source->finds = calloc(context->process_count + 1, sizeof(*source->finds));
	source->names = calloc(context->process_count + 1, sizeof(*source->names));
	source->batch = malloc((size_t)RING_BATCH * PS_RING_SLOT);
	int err = source->finds && source->names && source->batch ? open_names(source, 0) : -ENOMEM;
	if (err) {
		free(source->batch);
		source->batch = NULL;
		close_rings(source);
		return err;
	}
	search(source);
	put_probe(source);
	*state = source;
	return 0;
}

static int adopt_rings(void *state, const struct source_context *context)
{
	struct ring_source *source = state;
	size_t before = source->context.process_count, more = context->process_count - before;
	struct ring_find *finds = realloc(source->finds, (context->process_count + 1) * sizeof(*finds));
	source->finds = finds ? finds : source->finds;
	struct ring_names **names = realloc(source->names, (context->process_count + 1) * sizeof(*names));
	source->names = names ? names : source->names;
	if (!finds || !names)
		return -ENOMEM;
	memset(finds + before, 0, more * sizeof(*finds));
	memset(names + before, 0, more * sizeof(*names));
	source->context = *context;
	int err = open_names(source, before);
	if (err)
		source->context.process_count = before;
	source->next_search_ns = 0;
	search(source);
	/* cppcheck-suppress memleak ; both are in source */
	return err;
}

static int drain_rings(void *state)
{
	struct ring_source *source = state;
	int is_searched = search(source);
	for (size_t i = 0; i < source->count; i++)
		read_ring(source, &source->rings[i]);
	tell_again(source, is_searched);
	put_gauges(source);
	look_at_loops(source);
	for (size_t i = 0; i < source->context.process_count; i++)
		ring_names_drain(source->names[i]);
	if (source->count != source->told_count)
		put_probe(source);
	return 0;
}

static void relieve_rings(void *state)
{
	struct ring_source *source = state;
	for (size_t i = 0; i < source->count; i++) {
		struct watched *watched = &source->rings[i];
		if (backlog_has_room(&watched->backlog))
			ring_read(&watched->ring, source->batch, stream_now(), set_aside, watched);
	}
}

const struct source source_ring = {
	.name = "ring",
	.groups = 1u << PS_PROBE_RING,
	.open = open_rings,
	.adopt = adopt_rings,
	.drain = drain_rings,
	.relieve = relieve_rings,
	.close = close_rings,
};

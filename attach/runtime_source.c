/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What runtimes know of themselves: state by memory, four times a second, and
 * the jobs of their pools by probes (runtime_pool.c).
 *
 * Snapshots that take long are taken more seldom, so that they cost at most a
 * fiftieth of one CPU of ours and stop nobody. Loops are those found at attach
 * and those that some thread was seen waiting in since.
 */
#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime_source.h"

#define SNAPSHOT_NS 250000000ull
#define WHOLE_NS 1000000000ull /* between snapshots that also read handles */
#define SHARE 50 /* of our time that they may take: one part */
#define THREADS_MAX 512

struct runtime_source {
	struct source_context context;
	struct runtime_process *processes;
	size_t count;
	struct runtime_jobs *jobs;
	uint64_t next_ns, whole_ns;
	enum ps_probe_state state;
	char reason[RUNTIME_REASON];
	uint64_t snapshots, cost_ns;
};

/* ---- processes ---- */

static int is_wanted(const struct runtime_source *source)
{
	return !(source->context.options->without >> PS_PROBE_SNAPSHOT & 1);
}

static uint32_t count_cpus(pid_t pid)
{
	cpu_set_t set;
	return sched_getaffinity(pid, sizeof(set), &set) ? PS_UNKNOWN32 : (uint32_t)CPU_COUNT(&set);
}

static void add_loop(struct runtime_process *process, pid_t tid, int32_t poller_fd)
{
	for (size_t i = 0; i < process->loop_count; i++)
		if (process->loops[i].tid == tid && process->loops[i].poller_fd == poller_fd)
			return;
	if (process->loop_count < RUNTIME_LOOPS)
		process->loops[process->loop_count++] = (struct runtime_loop){ tid, poller_fd };
}

static void open_process(struct runtime_source *source, size_t at)
{
	const struct source_context *context = &source->context;
	struct runtime_process *process = &source->processes[at];
	struct runtime_facts facts = { .pid = context->processes[at].pid };
	struct proc_stat stat;
	char exe[4096];
	process->pid = facts.pid;
	process->symbols = context->symbols[at];
	process->why = process->pool_why = "";
	process->cpus = count_cpus(facts.pid);
	for (size_t i = 0; i < context->loop_count; i++) {
		if (context->loops[i].pid != facts.pid)
			continue;
		facts.has_ring |= context->loops[i].has_ring;
		if (context->loops[i].backend == PS_BACKEND_EPOLL)
			add_loop(process, context->loops[i].tid, context->loops[i].poller_fd);
	}
	if (proc_link(facts.pid, "exe", exe, sizeof(exe)) < 0)
		*exe = '\0';
	if (!proc_read_stat(facts.pid, 0, &stat))
		proc_runtime(facts.pid, stat.comm, exe, &facts.guess);
	if (!facts.has_ring && !libuv_image_find(&process->image, facts.pid))
		facts.libuv = &process->image;
	process->runtime = runtime_of(&facts);
	if (process->runtime->open && process->runtime->open(&process->state, &facts))
		process->why = process->runtime->hidden ? process->runtime->hidden : "out of memory";
}

/* Threads that came later, and wait in a poller now. */
static void look_for_loops(struct runtime_process *process)
{
	pid_t tids[THREADS_MAX];
	int count = proc_tasks(process->pid, tids, THREADS_MAX);
	for (int i = 0; i < count; i++) {
		struct proc_syscall call;
		int poller_fd;
		uint32_t fds;
		if (!proc_read_syscall(process->pid, tids[i], &call) && call.number >= 0 &&
		    proc_poller(&call, &poller_fd, &fds) == PS_BACKEND_EPOLL)
			add_loop(process, tids[i], poller_fd);
	}
}

static int is_gone(const struct runtime_process *process, const struct runtime_loop *loop)
{
	struct proc_stat stat;
	return proc_read_stat(process->pid, loop->tid, &stat) == -ESRCH;
}

/* ---- snapshots ---- */

static void put_pool(struct runtime_source *source, struct runtime_process *process, uint64_t now)
{
	struct libuv_pool pool;
	int submits_only = runtime_jobs_submits_only(source->jobs, process->pid);
	int err = process->runtime->pool(process->state, &pool, &process->pool_why);
	/* a process that has a loop need not use its pool */
	if (!err && !pool.threads)
		return;
	struct ps_ev_pool_limits limits = {
		.h = { now, 0, PS_EV_POOL_LIMITS, sizeof(limits) },
		.pid = process->pid,
		.slow_cap = pool.threads == PS_UNKNOWN32 ? PS_UNKNOWN32 : (pool.threads + 1) / 2,
		.slow_busy = pool.slow_running,
		.slow_queued = pool.slow_queued,
		.cpus = process->cpus,
		.flags = submits_only ? PS_POOL_SUBMITS_ONLY : 0,
	};
	struct ps_ev_pool_gauges gauges = {
		.h = { now, 0, PS_EV_POOL_GAUGES, sizeof(gauges) },
		.oldest_ns = pool.queued ? runtime_jobs_oldest(source->jobs, process->pid) : 0,
		.pid = process->pid,
		.threads = pool.threads,
		.busy = pool.idle <= pool.threads && pool.idle != PS_UNKNOWN32 ? pool.threads - pool.idle
									       : PS_UNKNOWN32,
		.queued = pool.queued,
	};
	for (unsigned kind = 0; kind < PS_WORK_KIND_COUNT; kind++)
		gauges.queued_by_kind[kind] = gauges.busy_by_kind[kind] = PS_UNKNOWN32;
	/* of a stripped file only what was submitted is known, and a pool nobody used needs no row */
	if (!err || submits_only)
		stream_put(source->context.stream, &limits.h);
	if (!err)
		stream_put(source->context.stream, &gauges.h);
}

static int has_ended(pid_t pid)
{
	struct proc_stat stat;
	return proc_read_stat(pid, 0, &stat) || stat.state == 'Z' || stat.state == 'X';
}

static void read_process(struct runtime_source *source, struct runtime_process *process, uint64_t now, int whole)
{
	if (!process->runtime->snapshot || !process->state || has_ended(process->pid))
		return; /* what was read of one that has ended stays true */
	process->read = 0;
	if (whole)
		look_for_loops(process);
	for (size_t i = 0; i < process->loop_count; i++) {
		const struct runtime_loop *loop = &process->loops[i];
		const struct runtime_ask ask = {
			.pid = process->pid,
			.tid = loop->tid,
			.poller_fd = loop->poller_fd,
			.now_ns = stream_now(),
			.whole = whole,
			.symbols = process->symbols,
			.stream = source->context.stream,
			.places = source->context.places,
		};
		const char *why = "";
		if (!process->runtime->snapshot(process->state, &ask, &why))
			process->read = 1;
		else if (!process->read)
			process->why = why;
		if (whole && is_gone(process, loop))
			process->loops[i--] = process->loops[--process->loop_count];
	}
	if (process->runtime->pool)
		put_pool(source, process, now);
}

__attribute__((format(printf, 3, 4))) static void set_state(struct runtime_source *source, enum ps_probe_state state,
							    const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(source->reason, sizeof(source->reason), format, arguments);
	va_end(arguments);
	source->state = state;
}

static void judge(struct runtime_source *source)
{
	const struct runtime_process *best = NULL, *other = NULL;
	char version[16];
	for (size_t i = 0; i < source->count; i++) {
		const struct runtime_process *process = &source->processes[i];
		best = !best && process->read ? process : best;
		other = !other && process->runtime->snapshot ? process : other;
	}
	if (!is_wanted(source)) {
		set_state(source, PS_PROBE_STATE_OFF, "switched off by --without");
	} else if (best && best->runtime->optional) {
		set_state(source, PS_PROBE_STATE_ON, "the loop of %s by memory, four times a second",
			  best->runtime->name);
	} else if (best) {
		libuv_version_text(best->image.version, version);
		if (*best->pool_why)
			set_state(source, PS_PROBE_STATE_FALLBACK, "loops of libuv %s by memory; not the pool: %.90s",
				  version, best->pool_why);
		else
			set_state(source, PS_PROBE_STATE_ON, "libuv %s of %.40s, by memory, four times a second",
				  version, best->image.module);
	} else if (other) {
		set_state(source, other->runtime->optional ? PS_PROBE_STATE_OFF : PS_PROBE_STATE_MISSING, "%s",
			  other->why);
	} else {
		set_state(source, PS_PROBE_STATE_OFF, "%s",
			  source->count && source->processes[0].runtime->hidden ? source->processes[0].runtime->hidden
										: "");
	}
	stream_probe(source->context.stream, PS_PROBE_SNAPSHOT, source->state, source->reason,
		     source->snapshots ? source->snapshots : PS_UNKNOWN, source->snapshots ? 0 : PS_UNKNOWN);
}

static void take_snapshots(struct runtime_source *source)
{
	uint64_t begin = stream_now(), clock = credit_clock();
	int whole = begin >= source->whole_ns;
	if (begin < source->next_ns || !is_wanted(source))
		return;
	for (size_t i = 0; i < source->count; i++)
		if (!source->context.processes[i].is_replaced)
			read_process(source, &source->processes[i], begin, whole);
	source->snapshots++;
	uint64_t took = credit_clock() - clock, rest = took * SHARE;
	source->cost_ns += took;
	source->next_ns = begin + (rest > SNAPSHOT_NS ? rest : SNAPSHOT_NS);
	if (whole) {
		source->whole_ns = begin + (4 * rest > WHOLE_NS ? 4 * rest : WHOLE_NS);
		judge(source);
	}
}

/* ---- the source ---- */

static void close_source(void *arg)
{
	struct runtime_source *source = arg;
	/* how it is at the end */
	source->next_ns = source->whole_ns = 0;
	if (source->jobs)
		take_snapshots(source);
	runtime_jobs_close(source->jobs);
	for (size_t i = 0; i < source->count; i++)
		if (source->processes[i].state)
			source->processes[i].runtime->close(source->processes[i].state);
	free(source->processes);
	free(source);
}

static int open_source(void **state, const struct source_context *context)
{
	struct runtime_source *source = calloc(1, sizeof(*source));
	if (!source)
		return -ENOMEM;
	source->context = *context;
	/* plug-ins keep pointers into the list: it never moves */
	source->processes = calloc(context->process_count + SOURCE_LATER, sizeof(*source->processes));
	if (!source->processes) {
		free(source);
		return -ENOMEM;
	}
	for (size_t i = 0; i < context->process_count; i++, source->count++)
		open_process(source, i);
	int err = runtime_jobs_open(&source->jobs, context, source->processes, source->count);
	int works = 0;
	for (size_t i = 0; !err && i < source->count; i++)
		works |= source->processes[i].state != NULL && is_wanted(source);
	if (!err && works)
		take_snapshots(source);
	else if (!err)
		judge(source);
	if (!err && !works && !runtime_jobs_any(source->jobs))
		err = -ENOENT;
	if (err) {
		close_source(source);
		return err;
	}
	*state = source;
	return 0;
}

static int adopt(void *arg, const struct source_context *context)
{
	struct runtime_source *source = arg;
	source->context = *context;
	for (; source->count < context->process_count; source->count++)
		open_process(source, source->count);
	source->next_ns = source->whole_ns = 0;
	return runtime_jobs_adopt(source->jobs, context, source->count);
}

static int drain(void *arg)
{
	struct runtime_source *source = arg;
	runtime_jobs_drain(source->jobs);
	take_snapshots(source);
	runtime_jobs_tell(source->jobs, stream_now());
	return 0;
}

static void relieve(void *arg)
{
	struct runtime_source *source = arg;
	if (source->jobs)
		runtime_jobs_relieve(source->jobs);
}

static void tell_again(void *state)
{
	struct runtime_source *source = state;
	if (source->jobs)
		runtime_jobs_tell_again(source->jobs);
}

const struct source source_runtime = {
	.name = "runtime",
	.groups = 1u << PS_PROBE_RUNTIME | 1u << PS_PROBE_SNAPSHOT,
	.open = open_source,
	.adopt = adopt,
	.drain = drain,
	.relieve = relieve,
	.tell_again = tell_again,
	.close = close_source,
};

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What any user may see of his own processes, without BPF: that they and
 * their threads come and go, the CPU time of loop threads, and the system call
 * in which a loop thread sits when it does not come back to its poller.
 *
 * Nothing here is a measurement of the loop: polls, latencies and phases are
 * left unknown. Work per drain is bounded: loop threads are read each drain,
 * at most LOOPS_PER_DRAIN of them in turn; the list of threads once a second.
 */
#include "source.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "proc.h"
#include "proc_quota.h"
#include "proc_stopped.h"

#define SECOND_NS 1000000000u
#define LOOPS_PER_DRAIN 64
#define STALL_NS 50000000u

struct loop_thread {
	pid_t pid, tid;
	int has_ring;           /* its ring tells when it is busy */
	int is_gone;
	int is_stopped;         /* its process is, as of the last second */
	struct proc_syscall call; /* at the last look */
	uint64_t same_since_ns; /* it has been in that call since, as far as looking can tell; 0 = in none worth telling */
};

struct known_process {
	pid_t *tids;            /* sorted */
	size_t tid_count;
	pid_t *young;           /* came since the last look: they may be about to name themselves */
	size_t young_count;
	char comm[64];
	int is_gone;
	int was_seen_gone;      /* and how it ended was not to be had yet */
	struct quota quota;
};

struct proc_source {
	struct source_context context;
	struct known_process *processes; /* [process_count] */
	struct loop_thread *loops;
	size_t loop_count, loop_turn;
	uint64_t stall_ns;
	uint64_t next_second_ns;
	uint64_t own_cpu_ns;    /* when we began */
	pid_t *scratch;         /* PROC_TASKS_MAX */
};

/* ---- ourselves ---- */

static uint64_t own_cpu(void)
{
	struct timespec now;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

static void put_own_cost(struct proc_source *source)
{
	char text[128];
	unsigned long long size, resident = 0;
	if (proc_read(getpid(), 0, "statm", text, sizeof(text)) > 0)
		sscanf(text, "%llu %llu", &size, &resident);
	const struct ps_ev_own_cost cost = {
		.h = { stream_now(), 0, PS_EV_OWN_COST, sizeof(cost) },
		.cpu_ns = own_cpu() - source->own_cpu_ns,
		.rss_bytes = resident ? resident * (uint64_t)sysconf(_SC_PAGESIZE) : PS_UNKNOWN,
	};
	stream_put(source->context.stream, &cost.h);
}

/* ---- processes ---- */

/* struct pidfd_info of linux/pidfd.h, which the headers of older systems lack. */
struct ending {
	uint64_t mask, cgroup;
	uint32_t ids[11];
	int32_t exit_code;
};
#define ENDING_GET   _IOWR(0xff, 11, struct ending)
#define ENDING_KNOWN (1ull << 3)

/*
 * 0 for somebody else's child that ended well, once that has waited for it; -1 = not known (kernels before 6.15), or
 * another end: whose child it is may have meant it, as a test that kills its server, so it is no failure of ours to tell.
 */
static int told_by_kernel(const struct proc_id *id)
{
	struct ending ending = { .mask = ENDING_KNOWN };
	if (ioctl(id->pidfd, ENDING_GET, &ending) || !(ending.mask & ENDING_KNOWN) || ending.exit_code)
		return -1;
	return 0;
}

/* The wait status; a child of ours is left for who waits for it. -1 = not known. */
static int exit_status(const struct proc_id *id)
{
	siginfo_t info = { 0 };
	if (id->pidfd < 0)
		return -1;
	if (waitid(P_PIDFD, (id_t)id->pidfd, &info, WEXITED | WNOHANG | WNOWAIT) || !info.si_pid)
		return told_by_kernel(id);
	if (info.si_code == CLD_EXITED)
		return (info.si_status & 0xff) << 8;
	return (info.si_status & 0x7f) | (info.si_code == CLD_DUMPED ? 0x80 : 0);
}

static int has_ended(const struct proc_id *id)
{
	struct pollfd ended = { id->pidfd, POLLIN, 0 };
	if (id->pidfd < 0)
		return !proc_same(id);
	return poll(&ended, 1, 0) > 0;
}

static void check_end(struct proc_source *source, size_t i, int is_last)
{
	const struct proc_id *id = &source->context.processes[i];
	if (source->processes[i].is_gone || !has_ended(id))
		return;
	int status = exit_status(id);
	if (status < 0 && !is_last && !source->processes[i].was_seen_gone++)
		return; /* whose child it is may not have waited for it yet */
	source->processes[i].is_gone = 1;
	for (size_t j = 0; j < source->loop_count; j++)
		source->loops[j].is_gone |= source->loops[j].pid == id->pid;
	const struct ps_ev_process_exit end = {
		.h = { stream_now(), 0, PS_EV_PROCESS_EXIT, sizeof(end) },
		.pid = (uint32_t)id->pid,
		.status = status,
	};
	stream_put(source->context.stream, &end.h);
}

/* A process that called exec is another program in the same skin. */
static void check_program(struct proc_source *source, size_t i)
{
	struct known_process *known = &source->processes[i];
	const struct proc_id *id = &source->context.processes[i];
	struct proc_stat stat;
	if (proc_read_stat(id->pid, 0, &stat) || stat.start_ticks != id->start_ticks)
		return;
	int is_other = *known->comm && strcmp(known->comm, stat.comm);
	memcpy(known->comm, stat.comm, sizeof(known->comm));
	if (is_other)
		proc_describe(id, source->context.stream);
}

/* ---- threads ---- */

static int by_number(const void *a, const void *b)
{
	pid_t left = *(const pid_t *)a, right = *(const pid_t *)b;
	return (left > right) - (left < right);
}

static void put_thread_exit(struct proc_source *source, pid_t pid, pid_t tid)
{
	const struct ps_ev_thread_exit end = {
		.h = { stream_now(), (uint32_t)tid, PS_EV_THREAD_EXIT, sizeof(end) }, .pid = (uint32_t)pid,
	};
	stream_put(source->context.stream, &end.h);
	for (size_t i = 0; i < source->loop_count; i++)
		source->loops[i].is_gone |= source->loops[i].tid == tid;
}

/* Walks the old and the new list side by side. */
static void compare_threads(struct proc_source *source, struct known_process *known, pid_t pid, const pid_t *now,
			    size_t now_count)
{
	size_t old = 0, new = 0;
	known->young_count = 0;
	while (old < known->tid_count || new < now_count) {
		if (new == now_count || (old < known->tid_count && known->tids[old] < now[new])) {
			put_thread_exit(source, pid, known->tids[old++]);
		} else if (old == known->tid_count || now[new] < known->tids[old]) {
			proc_put_thread(source->context.stream, pid, now[new], PS_ROLE_OTHER, 0);
			known->young[known->young_count++] = now[new++];
		} else {
			old++;
			new++;
		}
	}
}

static void check_threads(struct proc_source *source, size_t i)
{
	struct known_process *known = &source->processes[i];
	pid_t pid = source->context.processes[i].pid, *now = source->scratch;
	int count = proc_tasks(pid, now, PROC_TASKS_MAX);
	if (count <= 0)
		return;
	for (size_t j = 0; j < known->young_count; j++)
		proc_put_thread(source->context.stream, pid, known->young[j], PS_ROLE_OTHER, 0);
	pid_t *young = realloc(known->young, (size_t)count * sizeof(*young));
	if (young)
		known->young = young;
	pid_t *tids = young ? malloc((size_t)count * sizeof(*tids)) : NULL;
	if (!tids)
		return;
	qsort(now, (size_t)count, sizeof(*now), by_number);
	compare_threads(source, known, pid, now, (size_t)count);
	memcpy(tids, now, (size_t)count * sizeof(*tids));
	free(known->tids);
	known->tids = tids;
	known->tid_count = (size_t)count;
}

/* The session has described the threads that are there now. */
static int learn_threads(struct proc_source *source, size_t i)
{
	struct known_process *known = &source->processes[i];
	int count = proc_tasks(source->context.processes[i].pid, source->scratch, PROC_TASKS_MAX);
	if (count <= 0)
		return 0; /* it has gone: the first drain tells */
	known->tids = malloc((size_t)count * sizeof(*known->tids));
	if (!known->tids)
		return -ENOMEM;
	memcpy(known->tids, source->scratch, (size_t)count * sizeof(*known->tids));
	known->tid_count = (size_t)count;
	qsort(known->tids, known->tid_count, sizeof(*known->tids), by_number);
	check_program(source, i);
	return 0;
}

/* ---- loop threads ---- */

/*
 * A thread without a ring is looked at each drain. Only a call outside of the
 * poller that is the same at every look for half of the threshold is worth
 * telling. A running thread tells nothing: it may poll between any two looks.
 */
static void look_at_loop(struct proc_source *source, struct loop_thread *loop)
{
	struct proc_syscall call;
	int poller_fd;
	uint32_t fds;
	uint64_t now = stream_now();
	if (loop->has_ring || proc_read_syscall(loop->pid, loop->tid, &call))
		return;
	/* a call that it was stopped in is over, though /proc still shows it */
	int is_away = call.number != PROC_SYSCALL_RUNNING && (loop->is_stopped || !proc_poller(&call, &poller_fd, &fds));
	int is_same = loop->same_since_ns && call.number == loop->call.number &&
		      !memcmp(call.args, loop->call.args, sizeof(call.args));
	if (!is_away || !is_same)
		loop->same_since_ns = is_away ? now : 0;
	else if (now - loop->same_since_ns >= source->stall_ns / 2)
		proc_put_sample(source->context.stream, loop->pid, loop->tid, &call, loop->is_stopped);
	loop->call = call;
}

/* Looked at each second: the groups of a process are files to open. */
static void check_stopped(struct proc_source *source, size_t i)
{
	pid_t pid = source->context.processes[i].pid;
	int is_stopped = proc_is_stopped(pid, 0);
	for (size_t j = 0; j < source->loop_count; j++)
		if (source->loops[j].pid == pid)
			source->loops[j].is_stopped = is_stopped;
}

static void look_at_loops(struct proc_source *source)
{
	size_t turns = source->loop_count < LOOPS_PER_DRAIN ? source->loop_count : LOOPS_PER_DRAIN;
	for (size_t i = 0; i < turns; i++) {
		struct loop_thread *loop = &source->loops[source->loop_turn++ % source->loop_count];
		if (loop->is_gone)
			continue;
		proc_put_cpu_time(source->context.stream, loop->pid, loop->tid);
		look_at_loop(source, loop);
	}
}

static int has_loop(const struct proc_source *source, pid_t tid)
{
	for (size_t i = 0; i < source->loop_count; i++)
		if (source->loops[i].tid == tid)
			return 1;
	return 0;
}

static int learn_loops(struct proc_source *source, size_t from)
{
	const struct source_context *context = &source->context;
	int rings = !(context->options->without & 1u << PS_PROBE_RING);
	struct loop_thread *loops = realloc(source->loops, (context->loop_count + 1) * sizeof(*loops));
	if (!loops)
		return -ENOMEM;
	source->loops = loops;
	for (size_t i = from; i < context->loop_count; i++) {
		const struct loop_found *found = &context->loops[i];
		int has_ring = rings && found->has_ring;
		if (!has_loop(source, found->tid))
			loops[source->loop_count++] = (struct loop_thread){ .pid = found->pid, .tid = found->tid, .has_ring = has_ring };
	}
	return 0;
}

/* ---- CPU quotas ---- */

/* As it was before something may have been throttled, and after. */
static void put_quota(struct proc_source *source, size_t at, int look_again)
{
	struct quota *quota = &source->processes[at].quota;
	uint32_t pid = source->context.processes[at].pid;
	struct quota_sum sum;

	if (look_again)
		quota_find(quota, pid);
	if (!quota_read(quota, &sum))
		return;
	struct ps_ev_throttled told = {
		.h = { stream_now(), 0, PS_EV_THROTTLED, sizeof(told) },
		.throttled_ns = sum.throttled_ns,
		.periods = sum.periods,
		.throttled_periods = sum.throttled_periods,
		.pid = pid,
	};
	stream_put(source->context.stream, &told.h);
}

/* ---- the source ---- */

static void put_probe(struct proc_source *source)
{
	struct proc_syscall call;
	int denied = 0, without = 0;
	for (size_t i = 0; i < source->loop_count; i++) {
		without += !source->loops[i].has_ring;
		denied += !source->loops[i].is_gone &&
			  proc_read_syscall(source->loops[i].pid, source->loops[i].tid, &call) == -EPERM;
	}
	const char *reason = "CPU time, threads, exits";
	if (denied)
		reason = "blocking calls may not be read (kernel.yama.ptrace_scope): try sudo";
	else if (without)
		reason = "CPU time, threads, exits, blocking calls by looking; polls and latencies need BPF or a recorder";
	stream_probe(source->context.stream, PS_PROBE_PROC, denied ? PS_PROBE_STATE_FALLBACK : PS_PROBE_STATE_ON,
		     reason, PS_UNKNOWN, PS_UNKNOWN);
}

static void close_proc(void *state)
{
	struct proc_source *source = state;
	for (size_t i = 0; source->processes && i < source->context.process_count; i++) {
		if (source->scratch && !source->context.processes[i].is_replaced)
			check_end(source, i, 1);
		free(source->processes[i].tids);
		free(source->processes[i].young);
		quota_close(&source->processes[i].quota);
	}
	put_own_cost(source);
	free(source->processes);
	free(source->loops);
	free(source->scratch);
	free(source);
}

static int open_proc(void **state, const struct source_context *context)
{
	struct proc_source *source = calloc(1, sizeof(*source));
	if (!source)
		return -ENOMEM;
	source->context = *context;
	source->stall_ns = context->options->stall_ns ? context->options->stall_ns : STALL_NS;
	source->own_cpu_ns = own_cpu();
	source->next_second_ns = stream_now() + SECOND_NS;
	source->processes = calloc(context->process_count + 1, sizeof(*source->processes));
	source->scratch = malloc(PROC_TASKS_MAX * sizeof(*source->scratch));
	int err = source->processes && source->scratch ? learn_loops(source, 0) : -ENOMEM;
	for (size_t i = 0; i < context->process_count && !err; i++) {
		err = learn_threads(source, i);
		put_quota(source, i, 1);
	}
	if (err) {
		close_proc(source);
		return err;
	}
	for (size_t i = 0; i < context->process_count; i++)
		check_stopped(source, i);
	put_probe(source);
	put_own_cost(source);
	*state = source;
	return 0;
}

static int adopt_proc(void *state, const struct source_context *context)
{
	struct proc_source *source = state;
	size_t before = source->context.process_count, loops = source->context.loop_count;
	struct known_process *processes = realloc(source->processes, (context->process_count + 1) * sizeof(*processes));
	if (!processes)
		return -ENOMEM;
	source->processes = processes;
	memset(processes + before, 0, (context->process_count - before) * sizeof(*processes));
	source->context = *context;
	int err = learn_loops(source, loops);
	for (size_t i = before; i < context->process_count && !err; i++) {
		err = learn_threads(source, i);
		put_quota(source, i, 1);
	}
	put_probe(source);
	return err;
}

static int drain_proc(void *state)
{
	struct proc_source *source = state;
	int is_second = stream_now() >= source->next_second_ns;
	for (size_t i = 0; i < source->context.process_count; i++) {
		if (!source->context.processes[i].is_replaced)
			check_end(source, i, 0);
		if (source->context.processes[i].is_replaced || source->processes[i].is_gone)
			continue;
		put_quota(source, i, is_second);
		if (!is_second)
			continue;
		check_threads(source, i);
		check_program(source, i);
		check_stopped(source, i);
	}
	look_at_loops(source);
	if (is_second) {
		put_own_cost(source);
		source->next_second_ns = stream_now() + SECOND_NS;
	}
	return 0;
}

const struct source source_proc = {
	.name = "proc",
	.groups = 1u << PS_PROBE_PROC,
	.open = open_proc,
	.adopt = adopt_proc,
	.drain = drain_proc,
	.close = close_proc,
};

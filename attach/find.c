/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every loop on the machine, and processes by name.
 *
 * All processes are looked at once; those with threads that were running and
 * pollers that nobody waited on are looked at again together, a millisecond
 * apart. A process that goes meanwhile is silently none. Needs no privileges:
 * what may not be seen is said in `can_see`.
 */
#include "find.h"
#include "libuv.h"
#include "proc.h"
#include "symbols_parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PIDS_MAX 65536
#define FDS_OF_ANY 1024          /* per process, when the whole machine is searched */
#define FDS_OF_ONE (1u << 20)
#define LOOKS 5                  /* at a running thread */
#define LOOK_GAP_NS 1000000

/* loops found so far, and what this user may do */
struct finding_run {
	struct loop_found *loops;
	size_t count, room;
	int may_bpf;
	int is_list;             /* of the whole machine */
	const char *advice;      /* for who sees less than everything */
};

static struct loop_found *add_loop(struct finding_run *run)
{
	if (run->count == run->room) {
		size_t room = run->room ? run->room * 2 : 16;
		struct loop_found *loops = realloc(run->loops, room * sizeof(*loops));
		if (!loops)
			return NULL;
		run->loops = loops;
		run->room = room;
	}
	struct loop_found *loop = &run->loops[run->count++];
	memset(loop, 0, sizeof(*loop));
	return loop;
}

static void say_what_can_be_seen(struct loop_found *loop, const struct finding_run *run,
				 const struct find_process *process, const struct find_thread *thread)
{
	const char *guess = thread->is_guess && !process->is_denied ? " (busy now: poller guessed)" : "";
	char *out = loop->can_see;
	size_t room = sizeof(loop->can_see);
	if (run->may_bpf)
		snprintf(out, room, "everything%s", guess);
	else if (process->has_ring)
		snprintf(out, room, "ring only, no stacks: %s%s", run->advice, guess);
	else if (process->is_denied)
		snprintf(out, room, "descriptors only, poller guessed: %s", run->advice);
	else
		snprintf(out, room, "/proc only, no latencies: %s%s", run->advice, guess);
}

static uint32_t count_fds(const struct find_process *process, const struct find_thread *thread)
{
	if (thread->waits_in != PS_BACKEND_EPOLL)
		return thread->fds;
	int64_t fds = proc_registered(process->pid, thread->poller_fd);
	return fds < 0 ? 0 : (uint32_t)fds;
}

/* What is the same for all loops of a process; the runtime is looked for once. */
static void describe_process(struct loop_found *loop, const struct find_process *process)
{
	struct proc_runtime runtime;
	char exe[4096];
	loop->pid = process->pid;
	snprintf(loop->comm, sizeof(loop->comm), "%.*s", (int)sizeof(loop->comm) - 1, process->comm);
	proc_cmdline(process->pid, loop->cmdline, sizeof(loop->cmdline));
	if (proc_link(process->pid, "exe", exe, sizeof(exe)) < 0)
		*exe = 0;
	proc_runtime(process->pid, process->comm, exe, &runtime);
	/* an instrumented loop is one whatever its program is called */
	snprintf(loop->runtime, sizeof(loop->runtime), "%s", process->has_ring ? "pollscope" : runtime.name);
	loop->has_ring = process->has_ring;
	snprintf(loop->runtime_version, sizeof(loop->runtime_version), "%s", runtime.version);
	if (runtime.stripped >= 0)
		snprintf(loop->symbols, sizeof(loop->symbols), "%s", runtime.stripped ? "exported only" : "all");
}

/* A look into the symbols of its library: for lists. Of Node its own version says which libuv it has. */
static void describe_library(struct loop_found *loop)
{
	struct libuv_image image;
	char version[16];
	int is_libuv = !strcmp(loop->runtime, "libuv");
	if (loop->has_ring || (!is_libuv && strcmp(loop->runtime, "python")))
		return;
	if ((!is_libuv && !maps_has(loop->pid, "/libuv.so")) || libuv_image_find(&image, loop->pid))
		return;
	libuv_version_text(image.version, version);
	snprintf(loop->library, sizeof(loop->library), "libuv%s%s", *version ? " " : "", version);
}

static int report(struct finding_run *run, const struct find_process *process)
{
	struct loop_found first;
	memset(&first, 0, sizeof(first));
	if (process->thread_count)
		describe_process(&first, process);
	if (process->thread_count && run->is_list)
		describe_library(&first);
	for (size_t i = 0; i < process->thread_count; i++) {
		const struct find_thread *thread = &process->threads[i];
		struct loop_found *loop = add_loop(run);
		if (!loop)
			return -ENOMEM;
		*loop = first;
		loop->tid = thread->tid;
		loop->poller_fd = thread->poller_fd;
		loop->backend = thread->backend;
		loop->waits_in = thread->waits_in;
		loop->is_guess = thread->is_guess;
		loop->fds = count_fds(process, thread);
		say_what_can_be_seen(loop, run, process, thread);
	}
	return 0;
}

/* A process of somebody else: nothing is known but its name, so only well-known ones are worth a row. */
static int report_closed(struct finding_run *run, const struct find_process *process)
{
	const char *runtime = proc_runtime_named(process->comm);
	struct loop_found *loop = runtime ? add_loop(run) : NULL;
	if (!loop)
		return runtime ? -ENOMEM : 0;
	loop->pid = process->pid;
	loop->tid = process->pid;
	loop->poller_fd = -1;
	snprintf(loop->comm, sizeof(loop->comm), "%.*s", (int)sizeof(loop->comm) - 1, process->comm);
	proc_cmdline(process->pid, loop->cmdline, sizeof(loop->cmdline));
	snprintf(loop->runtime, sizeof(loop->runtime), "%s", runtime);
	snprintf(loop->can_see, sizeof(loop->can_see), "nothing: not your process, %s", run->advice);
	return 0;
}

static void look_again(struct find_process *processes, size_t count)
{
	const struct timespec gap = { 0, LOOK_GAP_NS };
	for (int look = 1; look < LOOKS; look++) {
		int unsettled = 0;
		for (size_t i = 0; i < count; i++)
			unsettled |= find_look_again(&processes[i]);
		if (!unsettled)
			return;
		nanosleep(&gap, NULL);
	}
}

static int is_loop_candidate(const struct find_process *process)
{
	if (process->poller_count)
		return 1;
	for (size_t i = 0; i < process->thread_count; i++)
		if (process->threads[i].backend || find_may_wait(process, &process->threads[i]))
			return 1;
	return 0;
}

static int search_one(struct finding_run *run, pid_t pid)
{
	struct find_process process;
	int err = find_look(&process, pid, FDS_OF_ONE);
	if (!err) {
		look_again(&process, 1);
		find_settle(&process);
		err = report(run, &process);
	}
	find_free(&process);
	return err == -EACCES ? -EPERM : err;
}

static int search_pids(struct finding_run *run, const pid_t *pids, size_t count, struct find_process *processes)
{
	size_t kept = 0;
	int err = 0;
	for (size_t i = 0; i < count && err != -ENOMEM; i++) {
		struct find_process *process = &processes[kept];
		if (pids[i] == getpid())
			continue;
		err = find_look(process, pids[i], FDS_OF_ANY);
		if (!err && is_loop_candidate(process)) {
			kept++;
			continue;
		}
		if (err == -EACCES)
			err = report_closed(run, process);
		find_free(process);
	}
	look_again(processes, kept);
	err = err == -ENOMEM ? err : 0;
	for (size_t i = 0; i < kept; i++) {
		find_settle(&processes[i]);
		if (!err)
			err = report(run, &processes[i]);
		find_free(&processes[i]);
	}
	return err;
}

static int search_all(struct finding_run *run)
{
	struct find_process *processes = NULL;
	pid_t *pids = malloc(PIDS_MAX * sizeof(*pids));
	int count = pids ? proc_numbers("/proc", pids, PIDS_MAX) : -ENOMEM;
	if (count > 0)
		processes = calloc((size_t)count, sizeof(*processes));
	if (count > 0 && !processes)
		count = -ENOMEM;
	int err = count > 0 ? search_pids(run, pids, (size_t)count, processes) : count;
	free(processes);
	free(pids);
	return err;
}

static int by_pid_and_tid(const void *a, const void *b)
{
	const struct loop_found *left = a, *right = b;
	if (left->pid != right->pid)
		return left->pid < right->pid ? -1 : 1;
	return (left->tid > right->tid) - (left->tid < right->tid);
}

int attach_find_loops(struct loop_found **found, pid_t pid)
{
	struct finding_run run = {
		.may_bpf = proc_may_bpf(),
		.is_list = !pid,
		.advice = geteuid() ? "try sudo" : "see pollscope doctor",
	};
	*found = NULL;
	int err = pid ? search_one(&run, pid) : search_all(&run);
	if (err || !run.count) {
		free(run.loops);
		return err;
	}
	qsort(run.loops, run.count, sizeof(*run.loops), by_pid_and_tid);
	*found = run.loops;
	return (int)run.count;
}

/* By the name its main thread goes by, or, since newer runtimes rename that thread, by its program's file. */
static int is_called(pid_t pid, const struct proc_stat *stat, const char *name)
{
	char exe[4096];
	if (!strcmp(stat->comm, name))
		return 1;
	if (proc_link(pid, "exe", exe, sizeof(exe)) <= 0)
		return 0;
	const char *slash = strrchr(exe, '/');
	return slash && !strcmp(slash + 1, name);
}

int attach_find_command(const char *comm, pid_t *pids, size_t room)
{
	pid_t *all = malloc(PIDS_MAX * sizeof(*all));
	int count = all ? proc_numbers("/proc", all, PIDS_MAX) : -ENOMEM;
	size_t found = 0;
	for (int i = 0; i < count && found < room; i++) {
		struct proc_stat stat;
		if (all[i] == getpid() || proc_read_stat(all[i], 0, &stat) || stat.state == 'Z')
			continue;
		if (!proc_is_kernel_thread(&stat) && is_called(all[i], &stat, comm))
			pids[found++] = all[i];
	}
	free(all);
	return count < 0 ? count : (int)found;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The loops of one process, from /proc alone.
 *
 * A loop is a thread that waits on a poller. The links of /proc/PID/fd say
 * which epoll descriptors there are, /proc/PID/task/TID/syscall says who waits
 * on which. A thread that runs while we look tells nothing; it is looked at
 * again a few times, and what then remains is that of the thread whose stack says
 * so (find_owner.c); else the main thread's when it is neither parked nor waiting
 * elsewhere; where it is parked and nobody waits, it is that of the thread that
 * runs most. Everything found may be gone when the
 * call returns: the caller must expect it.
 */
#include "find.h"
#include "proc.h"
#include "ps_ring.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define POLLERS_MAX 4096

static const char ring_link[] = "/memfd:" PS_RING_NAME " (deleted)";

static int add_poller(struct find_process *process, int fd)
{
	if (process->poller_count == POLLERS_MAX)
		return -ENOSPC;
	if (process->poller_count == process->poller_room) {
		size_t room = process->poller_room ? process->poller_room * 2 : 8;
		int *pollers = realloc(process->pollers, room * sizeof(*pollers));
		if (!pollers)
			return -ENOMEM;
		process->pollers = pollers;
		process->poller_room = room;
	}
	process->pollers[process->poller_count++] = fd;
	return 0;
}

static int look_at_link(struct find_process *process, int dir, const char *name)
{
	char link[64];
	uint64_t inode;
	ssize_t length = readlinkat(dir, name, link, sizeof(link) - 1);
	if (length <= 0)
		return 0; /* closed meanwhile */
	link[length] = 0;
	if (!strcmp(link, ring_link))
		process->has_ring = 1;
	if (proc_link_kind(link, &inode) == PS_KIND_EPOLL)
		return add_poller(process, atoi(name));
	return 0;
}

static int find_pollers(struct find_process *process, size_t max_fds)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/fd", process->pid);
	DIR *dir = opendir(path);
	if (!dir)
		return errno == EACCES || errno == EPERM ? -EACCES : -ESRCH;
	int err = 0;
	const struct dirent *entry;
	while (!err && max_fds && (entry = readdir(dir))) {
		if (!isdigit((unsigned char)*entry->d_name))
			continue;
		max_fds--;
		err = look_at_link(process, dirfd(dir), entry->d_name);
	}
	closedir(dir);
	return err == -ENOSPC ? 0 : err;
}

/* select() is told how far to look, not how many descriptors: those stand in its sets. 0 when they cannot be read. */
static uint32_t count_selected(pid_t pid, const struct proc_syscall *call)
{
	uint64_t sets[3][FD_SETSIZE / 64] = { 0 };
	size_t bytes = (size_t)(call->args[0] < FD_SETSIZE ? call->args[0] + 63 : FD_SETSIZE) / 64 * 8;
	for (int i = 0; i < 3; i++) {
		struct iovec local = { sets[i], bytes };
		struct iovec remote = { (void *)(uintptr_t)call->args[i + 1], bytes };
		if (call->args[i + 1] && process_vm_readv(pid, &local, 1, &remote, 1, 0) != (ssize_t)bytes)
			return 0;
	}
	uint32_t count = 0;
	for (size_t i = 0; i < bytes / 8; i++)
		count += (uint32_t)__builtin_popcountll(sets[0][i] | sets[1][i] | sets[2][i]);
	return count;
}

static void look_at_thread(struct find_process *process, struct find_thread *thread)
{
	struct proc_syscall call;
	int err = proc_read_syscall(process->pid, thread->tid, &call);
	if (err == -EPERM || err == -EACCES)
		process->is_denied = 1;
	thread->call = err ? PROC_SYSCALL_NONE : call.number;
	if (err || call.number < 0)
		return;
	int poller_fd;
	uint32_t fds;
	uint32_t backend = proc_poller(&call, &poller_fd, &fds);
	/* poll(NULL, 0) and the like are a sleep */
	if (!backend || ((backend == PS_BACKEND_POLL || backend == PS_BACKEND_SELECT) && !fds))
		return;
	thread->backend = backend;
	thread->poller_fd = poller_fd;
	thread->fds = backend == PS_BACKEND_SELECT ? count_selected(process->pid, &call) : fds;
}

static int find_threads(struct find_process *process)
{
	pid_t *tids = malloc(PROC_TASKS_MAX * sizeof(*tids));
	int count = tids ? proc_tasks(process->pid, tids, PROC_TASKS_MAX) : -ENOMEM;
	if (count > 0)
		process->threads = calloc((size_t)count, sizeof(*process->threads));
	if (count > 0 && !process->threads)
		count = -ENOMEM;
	for (int i = 0; i < count; i++) {
		struct find_thread *thread = &process->threads[i];
		*thread = (struct find_thread){ .tid = tids[i], .poller_fd = -1 };
		look_at_thread(process, thread);
	}
	if (count > 0)
		process->thread_count = (size_t)count;
	free(tids);
	return count < 0 ? count : 0;
}

int find_look(struct find_process *process, pid_t pid, size_t max_fds)
{
	struct proc_stat stat;
	*process = (struct find_process){ .pid = pid };
	int err = proc_read_stat(pid, 0, &stat);
	if (err)
		return -ESRCH;
	memcpy(process->comm, stat.comm, sizeof(process->comm));
	if (proc_is_kernel_thread(&stat))
		return -ENOTSUP;
	if (stat.state == 'X' || (stat.state == 'Z' && stat.threads <= 1))
		return -ESRCH;
	err = find_pollers(process, max_fds);
	return err ? err : find_threads(process);
}

int find_is_waited_on(const struct find_process *process, int poller_fd)
{
	for (size_t i = 0; i < process->thread_count; i++)
		if (process->threads[i].backend && process->threads[i].poller_fd == poller_fd)
			return 1;
	return 0;
}

static int has_free_poller(const struct find_process *process)
{
	for (size_t i = 0; i < process->poller_count; i++)
		if (!find_is_waited_on(process, process->pollers[i]))
			return 1;
	return 0;
}

int find_may_wait(const struct find_process *process, const struct find_thread *thread)
{
	return !process->poller_count && thread->tid == process->pid && thread->call == PROC_SYSCALL_RUNNING;
}

int find_look_again(struct find_process *process)
{
	int running = 0;
	if (process->poller_count && !has_free_poller(process))
		return 0;
	for (size_t i = 0; i < process->thread_count; i++) {
		struct find_thread *thread = &process->threads[i];
		if (thread->backend || thread->call != PROC_SYSCALL_RUNNING)
			continue;
		look_at_thread(process, thread);
		running |= !thread->backend && thread->call == PROC_SYSCALL_RUNNING &&
			   (process->poller_count || find_may_wait(process, thread));
	}
	return running && (!process->poller_count || has_free_poller(process));
}

/* Calls in which a main thread rests while others run the loops. */
int find_is_parked(int call)
{
	static const int parked[] = {
		SYS_futex, SYS_rt_sigtimedwait, SYS_rt_sigsuspend,
#ifdef SYS_pause
		SYS_pause,
#endif
	};
	for (size_t i = 0; i < sizeof(parked) / sizeof(*parked); i++)
		if (parked[i] == call)
			return 1;
	return 0;
}

/*
 * The free poller with the most descriptors, since a loop that nobody uses has none; the youngest of those that have as
 * many, since what a runtime needs for itself was there first.
 */
static int fullest_free_poller(const struct find_process *process)
{
	int best = -1;
	int64_t most = -1;
	for (size_t i = 0; i < process->poller_count; i++) {
		if (find_is_waited_on(process, process->pollers[i]))
			continue;
		int64_t fds = proc_registered(process->pid, process->pollers[i]);
		if (fds < 0 || fds < most)
			continue;
		most = fds;
		best = process->pollers[i];
	}
	return best;
}

static size_t count_loops(const struct find_process *process)
{
	size_t count = 0;
	for (size_t i = 0; i < process->thread_count; i++)
		count += process->threads[i].backend == PS_BACKEND_EPOLL;
	return count;
}

/* Of the threads that run, the one that ran most so far; NULL = none does. */
static struct find_thread *busiest_thread(struct find_process *process)
{
	struct find_thread *best = NULL;
	uint64_t most = 0;
	for (size_t i = 0; i < process->thread_count; i++) {
		struct find_thread *thread = &process->threads[i];
		struct proc_sched sched;
		if (thread->backend || thread->call != PROC_SYSCALL_RUNNING || proc_read_schedstat(process->pid, thread->tid, &sched))
			continue;
		if (best && sched.on_cpu_ns <= most)
			continue;
		most = sched.on_cpu_ns;
		best = thread;
	}
	return best;
}

/* Nobody waits: the main thread, or where that is parked (as of a JVM) the thread that works most. */
static struct find_thread *guess_thread(struct find_process *process)
{
	struct find_thread *main_thread = NULL;
	for (size_t i = 0; i < process->thread_count; i++)
		if (process->threads[i].tid == process->pid)
			main_thread = &process->threads[i];
	if (!main_thread || !find_is_parked(main_thread->call))
		return main_thread;
	if (count_loops(process))
		return NULL;
	struct find_thread *busiest = busiest_thread(process);
	return busiest ? busiest : main_thread;
}

static void guess_loop(struct find_process *process)
{
	struct find_thread *thread = guess_thread(process);
	int poller_fd = thread && thread->backend != PS_BACKEND_EPOLL ? fullest_free_poller(process) : -1;
	if (poller_fd < 0)
		return;
	thread->backend = PS_BACKEND_EPOLL;
	thread->poller_fd = poller_fd;
	thread->is_guess = 1;
}

void find_settle(struct find_process *process)
{
	if (process->poller_count) {
		find_owners(process);
		guess_loop(process);
	}
	int has_epoll = count_loops(process) > 0;
	size_t kept = 0;
	for (size_t i = 0; i < process->thread_count; i++) {
		const struct find_thread *thread = &process->threads[i];
		/* beside an epoll loop, poll() is a helper's or one blocking call's */
		if (!thread->backend || (has_epoll && thread->backend != PS_BACKEND_EPOLL))
			continue;
		process->threads[kept++] = *thread;
	}
	process->thread_count = kept;
	for (size_t i = 0; i < kept; i++) {
		struct find_thread *thread = &process->threads[i];

		thread->waits_in = thread->backend;
		if (!thread->is_guess && proc_waits_in_kevent(process->pid, thread->tid))
			thread->backend = PS_BACKEND_KEVENT;
	}
}

void find_free(struct find_process *process)
{
	free(process->pollers);
	free(process->threads);
	process->pollers = NULL;
	process->threads = NULL;
}

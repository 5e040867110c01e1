/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whose poller it is that nobody waits on, beside loops that wait: a worker that
 * hung before anybody looked, while the main thread and the other workers go on.
 * Of libuv's loops the stack of the thread tells it. Threads that are parked are
 * left out: a worker that waits for work (Atomics.wait) is no stall that began.
 */
#include "find.h"
#include "libuv.h"
#include "proc.h"

#define OWNED_MAX 16 /* pollers and threads that are tried, each with each */

static int may_own(const struct find_thread *thread)
{
	return !thread->backend &&
	       (thread->call == PROC_SYSCALL_RUNNING || (thread->call >= 0 && !find_is_parked(thread->call)));
}

/* A loop that somebody uses has descriptors. */
static size_t free_pollers(const struct find_process *process, int out[OWNED_MAX])
{
	size_t count = 0;
	for (size_t i = 0; i < process->poller_count && count < OWNED_MAX; i++)
		if (!find_is_waited_on(process, process->pollers[i]) &&
		    proc_registered(process->pid, process->pollers[i]) > 0)
			out[count++] = process->pollers[i];
	return count;
}

static size_t candidates(struct find_process *process, struct find_thread *out[OWNED_MAX])
{
	size_t count = 0;
	for (size_t i = 0; i < process->thread_count && count < OWNED_MAX; i++)
		if (may_own(&process->threads[i]))
			out[count++] = &process->threads[i];
	return count;
}

void find_owners(struct find_process *process)
{
	struct find_thread *threads[OWNED_MAX];
	int pollers[OWNED_MAX];
	struct libuv_memory memory;
	struct libuv_image image;
	size_t thread_count = candidates(process, threads);
	size_t poller_count = thread_count ? free_pollers(process, pollers) : 0;
	if (!poller_count || libuv_image_find(&image, process->pid))
		return;
	libuv_memory_of(&memory, &process->pid);
	for (size_t i = 0; i < thread_count; i++) {
		for (size_t k = 0; k < poller_count && !threads[i]->backend; k++) {
			if (find_is_waited_on(process, pollers[k]) ||
			    !libuv_thread_runs(&memory, &image, process->pid, threads[i]->tid, pollers[k]))
				continue;
			threads[i]->backend = PS_BACKEND_EPOLL;
			threads[i]->poller_fd = pollers[k];
			threads[i]->is_guess = 1;
		}
	}
}

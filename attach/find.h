/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Finding loops in one process: its pollers, its threads, and who waits on
 * which. find.c asks for many processes at once, so a look is cut into steps:
 * look, look again at threads that were running, settle.
 */
#ifndef FIND_H
#define FIND_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct find_thread {
	pid_t tid;
	uint32_t backend;      /* enum ps_backend; 0 = was seen in no poller */
	int poller_fd;
	uint32_t waits_in;     /* enum ps_backend of the call itself: another one below kevent() */
	uint32_t fds;          /* where the call itself tells how many */
	int call;              /* the system call it was last seen in, or PROC_SYSCALL_* */
	int is_guess;          /* nobody was seen waiting on this poller: taken for this thread's */
};

struct find_process {
	pid_t pid;
	char comm[64];
	int has_ring;
	int is_denied;         /* what its threads do may not be read */
	int *pollers;          /* its epoll descriptors, rising */
	size_t poller_count, poller_room;
	struct find_thread *threads;
	size_t thread_count;
};

/*
 * -ESRCH: gone, or no process. -EACCES: its descriptors may not be read (comm is set). -ENOTSUP: a kernel thread.
 * `max_fds`: how many descriptors are looked at.
 */
int find_look(struct find_process *process, pid_t pid, size_t max_fds);
/* 1: it runs now, and may be about to wait in poll() or select(). */
int find_may_wait(const struct find_process *process, const struct find_thread *thread);
/* Looks at the running threads once more. 1: there are still some that might own a poller nobody waits on. */
int find_look_again(struct find_process *process);
/* Gives a poller that nobody waits on to the main thread where that is likely; drops threads that run no loop. */
void find_settle(struct find_process *process);
void find_free(struct find_process *process);

/* 1: some thread was seen waiting on it, or was given it. */
int find_is_waited_on(const struct find_process *process, int poller_fd);
/* 1: a call in which a thread rests while others run the loops. */
int find_is_parked(int call);
/* Gives pollers that nobody waits on to the threads that are known to run their loops (find_owner.c). */
void find_owners(struct find_process *process);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the kernel saw of the loop's waits: this program's epoll_pwait2() stands
 * before libc's, for the epoll backend and for the kqueue shim alike, keeps the
 * timeout and how long the call took, and makes the system call.
 */
#ifndef KERNEL_WAIT_H
#define KERNEL_WAIT_H

#include <signal.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"

static struct {
	uint64_t calls, ns;
	int64_t timeout_ns; /* of the last one that might wait; -1 = for ever */
} kernel_wait;

int epoll_pwait2(int fd, struct epoll_event *events, int room, const struct timespec *timeout, const sigset_t *mask)
{
	int64_t ns = timeout ? timeout->tv_sec * 1000000000 + timeout->tv_nsec : -1;
	uint64_t before = clock_monotonic();
	int n = (int)syscall(SYS_epoll_pwait2, fd, events, room, timeout, mask, 8);

	kernel_wait.calls++;
	kernel_wait.ns += clock_monotonic() - before;
	if (ns)
		kernel_wait.timeout_ns = ns;
	return n;
}

#endif

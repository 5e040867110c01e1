/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An epoll loop with argv[1] eventfds (100,000, or as many as may be open), of
 * which every thousandth is ready but was told of (edge-triggered); a timerfd
 * wakes it ten times a second. Prints how many there are when all of them are
 * registered, and runs until it is killed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <unistd.h>

static int add(int poller, int fd, unsigned events)
{
	struct epoll_event interest = { .events = events, .data.fd = fd };

	return fd < 0 ? -1 : epoll_ctl(poller, EPOLL_CTL_ADD, fd, &interest);
}

int main(int argc, char **argv)
{
	int count = argc > 1 ? atoi(argv[1]) : 100000;
	struct rlimit files = { (rlim_t)count + 64, (rlim_t)count + 64 }, now;
	struct itimerspec every = { { 0, 100000000 }, { 0, 100000000 } };
	int poller = epoll_create1(0), timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);

	if (getrlimit(RLIMIT_NOFILE, &now))
		return 1;
	if (setrlimit(RLIMIT_NOFILE, &files)) {
		files = (struct rlimit){ now.rlim_max, now.rlim_max };
		if (setrlimit(RLIMIT_NOFILE, &files))
			return 1;
		count = (int)now.rlim_max - 64;
	}
	if (poller < 0 || timerfd_settime(timer, 0, &every, NULL) || add(poller, timer, EPOLLIN))
		return 1;
	for (int i = 0; i < count; i++)
		if (add(poller, eventfd(i % 1000 == 999, EFD_NONBLOCK), EPOLLIN | EPOLLET))
			return 1;
	printf("%d\n", count);
	fflush(stdout);
	for (;;) {
		struct epoll_event ready[8];
		unsigned long ticks;

		if (epoll_wait(poller, ready, 8, -1) > 0 && ready[0].data.fd == timer)
			if (read(timer, &ticks, sizeof(ticks)) < 0)
				continue;
	}
}

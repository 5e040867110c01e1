/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Polls an epoll instance at a steady rate: each turn an eventfd is made ready,
 * waited for and read. Prints how many turns there were.
 *
 *   steady_poller TURNS_PER_SECOND SECONDS
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

static double seconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	double rate = atof(argv[1]), end = atof(argv[2]), begin = seconds(), now = 0;
	int poller = epoll_create1(EPOLL_CLOEXEC), fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct epoll_event event = { .events = EPOLLIN };
	unsigned long long turns = 0, value = 1;
	if (poller < 0 || fd < 0 || epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event))
		return 1;
	while ((now = seconds() - begin) < end) {
		if ((double)turns > now * rate)
			continue; /* ahead of the rate */
		if (write(fd, &value, sizeof(value)) < 0 || epoll_wait(poller, &event, 1, -1) != 1 ||
		    read(fd, &value, sizeof(value)) < 0)
			return 1;
		value = 1;
		turns++;
	}
	printf("%llu\n", turns);
	return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program that ends before anybody could have looked at it: sleeps a while,
 * then waits a few times in one epoll.
 *
 *   brief [WAITS [MS [BEFORE_MS]]]    10 waits of 3 ms, at once
 */
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int waits = argc > 1 ? atoi(argv[1]) : 10, ms = argc > 2 ? atoi(argv[2]) : 3;
	struct epoll_event event;

	if (argc > 3)
		usleep(1000 * (useconds_t)atoi(argv[3]));
	int epfd = epoll_create1(EPOLL_CLOEXEC);
	if (epfd < 0)
		return 1;
	for (int i = 0; i < waits; i++)
		epoll_wait(epfd, &event, 1, ms);
	return 0;
}

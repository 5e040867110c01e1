/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A plain epoll loop that nobody prepared, with stalls that are known:
 * a timerfd wakes it every 50 ms; every tenth wake-up it spins 100 ms on the
 * CPU, every tenth (five later) it sleeps 120 ms in nanosleep. Runs argv[1]
 * seconds and prints what it did as JSON. With argv[2] it first waits so many
 * seconds in one wait, after which it spins 100 ms.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

static uint64_t now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

__attribute__((noinline)) static void spin_on_purpose(uint64_t ns)
{
	uint64_t end = now() + ns;
	volatile uint64_t sum = 0;
	while (now() < end)
		for (int i = 0; i < 1000; i++)
			sum += i;
}

__attribute__((noinline)) static void sleep_on_purpose(long ns)
{
	struct timespec t = { 0, ns };
	nanosleep(&t, NULL);
}

int main(int argc, char **argv)
{
	uint64_t end = now() + (argc > 1 ? strtoull(argv[1], NULL, 10) : 5) * 1000000000ull;
	long first = argc > 2 ? atol(argv[2]) : 0;
	struct itimerspec every = { { 0, 50000000 }, { first, first ? 0 : 50000000 } };
	int poller = epoll_create1(0), timer = timerfd_create(CLOCK_MONOTONIC, 0);
	struct epoll_event interest = { .events = EPOLLIN }, ready;
	if (poller < 0 || timer < 0 || timerfd_settime(timer, 0, &every, NULL) ||
	    epoll_ctl(poller, EPOLL_CTL_ADD, timer, &interest))
		return 1;
	uint64_t polls = 0, spins = 0, sleeps = 0, ticks;
	while (now() < end) {
		int n = epoll_wait(poller, &ready, 1, -1);
		polls++;
		if (n != 1 || read(timer, &ticks, sizeof(ticks)) != sizeof(ticks))
			continue;
		if (polls % 10 == 3 || (first && polls == 1)) {
			spin_on_purpose(100000000);
			spins++;
		} else if (polls % 10 == 8) {
			sleep_on_purpose(120000000);
			sleeps++;
		}
	}
	printf("{\"polls\": %lu, \"spins\": %lu, \"sleeps\": %lu}\n", polls, spins, sleeps);
	return 0;
}

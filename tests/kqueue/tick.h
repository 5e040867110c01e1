/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the programs that wait in one backend or another have in common: wait
 * 20 ms in the backend, work 4 ms, and tell after each round what share of the
 * time since the start was work. Whoever watches must see the same.
 */
#ifndef TICK_H
#define TICK_H

#include <stdint.h>
#include <stdio.h>
#include <time.h>

#define WAIT_MS 20
#define WORK_NS 4000000ull

typedef void tick_wait_fn(void *arg); /* waits WAIT_MS, in one call of the backend */

static uint64_t tick_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Never returns. Each line: time, work so far, wait so far (ns). */
static void tick_run(tick_wait_fn *wait, void *arg)
{
	uint64_t work = 0, waited = 0, from = tick_now();

	for (;;) {
		uint64_t entered = tick_now();

		work += entered - from;
		wait(arg);
		from = tick_now();
		waited += from - entered;
		while (tick_now() - from < WORK_NS)
			;
		printf("%llu %llu %llu\n", (unsigned long long)from, (unsigned long long)work,
		       (unsigned long long)waited);
		fflush(stdout);
	}
}

#endif

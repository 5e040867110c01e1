/* SPDX-License-Identifier: BSD-2-Clause */
/* A loop that writes about as many events a second as its argument says (100,000): for measuring who reads them. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ps_loop.h"

#define EVERY_NS 10000000ull
#define EVENTS_PER_FIRE 4 /* fired, set again, callback begin and end */

static void nothing(void *arg)
{
}

int main(int argc, char **argv)
{
	struct ps_loop *loop;
	unsigned wanted = argc > 1 ? (unsigned)atoi(argv[1]) : 100000;
	unsigned timers = wanted / EVENTS_PER_FIRE / 100 + 1;
	alarm(300);
	if (ps_loop_open(&loop, NULL))
		return 1;
	for (unsigned i = 0; i < timers; i++) {
		struct ps_timer *timer;
		if (ps_timer_open(loop, &timer, nothing, NULL) || ps_timer_start(timer, EVERY_NS + i * EVERY_NS / timers, EVERY_NS))
			return 1;
	}
	puts("ready");
	fflush(stdout);
	return ps_loop_run(loop, PS_RUN_DEFAULT) < 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The order of things: next tick, timer, immediate; and a timer that repeats three times. */
#include <stdio.h>

#include <ps_loop.h>

static struct ps_timer *repeating;

static void say(void *arg)
{
	puts(arg);
}

static void repeat(void *arg)
{
	int *left = arg;

	printf("repeat, %d left\n", --*left);
	if (!*left)
		ps_timer_close(repeating);
}

int main(void)
{
	struct ps_loop *loop;
	struct ps_timer *once;
	int left = 3;

	if (ps_loop_open(&loop, NULL) || ps_timer_open(loop, &once, say, "timer") ||
	    ps_timer_open(loop, &repeating, repeat, &left))
		return 1;
	ps_timer_start(once, 0, 0);
	ps_timer_start(repeating, 5000000, 5000000);
	ps_immediate(loop, say, "immediate");
	ps_next_tick(loop, say, "next tick");
	ps_loop_run(loop, PS_RUN_DEFAULT);
	ps_timer_close(once);
	ps_loop_run(loop, PS_RUN_DEFAULT);
	return ps_loop_close(loop) ? 1 : 0;
}

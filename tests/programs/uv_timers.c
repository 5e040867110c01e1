/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A plain libuv program with a thousand timers, for looks from outside. When it
 * waits it prints one line of JSON: its pid, how many timers, when the next is
 * due (ms of CLOCK_MONOTONIC, as libuv keeps them) and how many each function
 * has. A line on stdin ends it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

#define TIMERS 1000

/* each of its own: equal functions must not become one */
static volatile int runs[3];

static void on_heartbeat(uv_timer_t *timer)
{
	runs[0]++;
}

static void on_session_end(uv_timer_t *timer)
{
	runs[1] += 2;
}

static void on_retry(uv_timer_t *timer)
{
	runs[2] += 3;
}

static void on_input(uv_poll_t *input, int status, int events)
{
	_exit(0);
}

int main(void)
{
	static const uv_timer_cb functions[] = { on_heartbeat, on_session_end, on_retry };
	static uv_timer_t timers[TIMERS];
	uv_loop_t *loop = uv_default_loop();
	uv_poll_t input;
	uint64_t next = UINT64_MAX;
	int count[3] = { 0 };
	unsigned random = 1;
	uv_update_time(loop);
	for (int i = 0; i < TIMERS; i++) {
		random = random * 1103515245u + 12345u;
		uint64_t after = 60000 + (random >> 8) % 600000;
		int which = i % 10 < 7 ? 1 : i % 10 < 9 ? 2 : 0;
		uv_timer_init(loop, &timers[i]);
		uv_timer_start(&timers[i], functions[which], after, which ? 0 : 5000);
		count[which]++;
		next = uv_now(loop) + after < next ? uv_now(loop) + after : next;
	}
	uv_poll_init(loop, &input, STDIN_FILENO);
	uv_poll_start(&input, UV_READABLE, on_input);
	printf("{\"pid\": %d, \"timers\": %d, \"next_due_ms\": %llu, \"on_heartbeat\": %d, \"on_session_end\": %d, \"on_retry\": %d}\n",
	       (int)getpid(), TIMERS, (unsigned long long)next, count[0], count[1], count[2]);
	fflush(stdout);
	return uv_run(loop, UV_RUN_DEFAULT);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tick starvation: a next tick that queues the next one. Each is short, but all
 * of them run before the loop may turn, so nothing else is served meanwhile.
 */
#include "demo.h"

#define MS 1000000ull
#define FOR_NS (200 * MS)

static uint64_t until_ns;

static void scenario_tick_starvation(void *loop)
{
	uint64_t end = demo_now_ns() + 20000; /* a bite of work */
	while (demo_now_ns() < end)
		;
	if (end < until_ns)
		ps_next_tick(loop, scenario_tick_starvation, loop);
}

static void begin_ticks(void *loop)
{
	until_ns = demo_now_ns() + FOR_NS;
	ps_next_tick(loop, scenario_tick_starvation, loop);
}

int demo_ticks_start(struct ps_loop *loop)
{
	return demo_ticker_start(loop, begin_ticks, 50 * MS, 800 * MS);
}

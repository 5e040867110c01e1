/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CLOCK_MONOTONIC at the price of one rdtsc.
 *
 * Every flight-recorder record wants the time, and clock_gettime() costs about
 * 24 ns where an unordered rdtsc costs 10. So each thread keeps an anchor (a
 * TSC value and the kernel's time at it) and a rate measured between anchors,
 * and asks the kernel again every CLOCK_ANCHOR_NS: the records stay on the
 * kernel's clock, NTP slew included, and readers need not know the TSC. Where
 * the TSC is not invariant or not the kernel's own clock, each read is
 * clock_gettime(). Readings of one clock never go backwards.
 */
#ifndef CLOCK_H
#define CLOCK_H

#include <stdint.h>
#if defined(__x86_64__)
#include <x86intrin.h>
#endif

#define CLOCK_ANCHOR_NS 20000000ull

struct clock {
	uint64_t anchor_tsc;
	uint64_t anchor_ns;
	uint64_t valid_ticks;  /* how far past the anchor it holds; 0 = ask the source each time */
	uint64_t mult;         /* ns = ticks * mult >> 32; 0 = rate not known */
	uint64_t last_ns;
	uint64_t rate_tsc;     /* where the measurement of the rate began */
	uint64_t rate_ns;
	uint64_t (*source)(void *arg); /* NULL = CLOCK_MONOTONIC; tests put their own time here */
	void *source_arg;
};

uint64_t clock_monotonic(void);        /* ns, from the kernel */
uint64_t clock_ask(struct clock *clock);   /* the slow way; renews the anchor */
void clock_set_source(struct clock *clock, uint64_t (*source)(void *arg), void *arg);
int clock_tsc_usable(void);

static inline uint64_t clock_now(struct clock *clock)
{
#if defined(__x86_64__)
	uint64_t ticks = __rdtsc() - clock->anchor_tsc;

	if (__builtin_expect(ticks < clock->valid_ticks, 1)) {
		uint64_t ns = clock->anchor_ns + (ticks * clock->mult >> 32);

		return clock->last_ns = ns > clock->last_ns ? ns : clock->last_ns;
	}
#endif
	return clock_ask(clock);
}

#endif

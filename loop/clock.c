/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The slow half of the clock: asks the kernel, measures the rate of the TSC
 * against it, and moves the anchor. A clock belongs to one thread.
 *
 * A rate is believed when it was measured over at least RATE_NS and differs
 * from the one before by less than a thousandth: a suspended or migrated
 * machine makes the clock fall back to asking, never to wrong times.
 */
#include "clock.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define RATE_NS 10000000ull
#define PAIR_TICKS 3000 /* a pair of readings further apart than this was interrupted */

uint64_t clock_monotonic(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

#if defined(__x86_64__)
#include <cpuid.h>

static int test_tsc(void)
{
	unsigned a, b, c, d = 0;
	char name[16] = "";

	if (!__get_cpuid(0x80000007, &a, &b, &c, &d) || !(d & (1u << 8)))
		return 0;
	int fd = open("/sys/devices/system/clocksource/clocksource0/current_clocksource", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	ssize_t got = read(fd, name, sizeof(name) - 1);
	close(fd);
	return got > 0 && !strcmp(name, "tsc\n");
}

/* 1: *tsc and *ns were read at the same moment */
static int read_pair(uint64_t *tsc, uint64_t *ns)
{
	uint64_t before = __rdtsc();

	*ns = clock_monotonic();
	*tsc = __rdtsc();
	return *tsc - before < PAIR_TICKS;
}
#else
static int test_tsc(void)
{
	return 0;
}

static int read_pair(uint64_t *tsc, uint64_t *ns)
{
	*tsc = 0;
	*ns = clock_monotonic();
	return 0;
}
#endif

int clock_tsc_usable(void)
{
	static atomic_int known; /* 0 not asked, 1 no, 2 yes */
	int value = atomic_load_explicit(&known, memory_order_relaxed);

	if (!value) {
		value = 1 + test_tsc();
		atomic_store_explicit(&known, value, memory_order_relaxed);
	}
	return value == 2;
}

/* The last good rate of any clock of this process: a new one need not begin by asking. */
static atomic_ullong known_mult;

/* Renews the rate from the interval since the last measurement; returns 1 while the rate is good. */
static int measure_rate(struct clock *clock, uint64_t tsc, uint64_t ns)
{
	uint64_t elapsed = ns - clock->rate_ns, ticks = tsc - clock->rate_tsc;

	if (!clock->rate_tsc) {
		clock->rate_tsc = tsc;
		clock->rate_ns = ns;
		clock->mult = atomic_load_explicit(&known_mult, memory_order_relaxed);
		return clock->mult != 0;
	}
	if (elapsed < RATE_NS)
		return clock->mult != 0;
	uint64_t before = clock->mult;
	uint64_t mult = ticks ? (uint64_t)(((unsigned __int128)elapsed << 32) / ticks) : 0;
	clock->rate_tsc = tsc;
	clock->rate_ns = ns;
	clock->mult = mult;
	uint64_t off = mult > before ? mult - before : before - mult;
	int is_good = mult && (!before || off < before / 1000);
	atomic_store_explicit(&known_mult, is_good ? mult : 0, memory_order_relaxed);
	return is_good;
}

uint64_t clock_ask(struct clock *clock)
{
	uint64_t tsc, ns;

	clock->valid_ticks = 0;
	if (clock->source)
		return clock->last_ns = clock->source(clock->source_arg);
	if (!clock_tsc_usable()) {
		ns = clock_monotonic();
	} else if (read_pair(&tsc, &ns) && measure_rate(clock, tsc, ns)) {
		clock->anchor_tsc = tsc;
		clock->anchor_ns = ns;
		clock->valid_ticks = (CLOCK_ANCHOR_NS << 32) / clock->mult;
	}
	return clock->last_ns = ns > clock->last_ns ? ns : clock->last_ns;
}

void clock_set_source(struct clock *clock, uint64_t (*source)(void *arg), void *arg)
{
	*clock = (struct clock){ .source = source, .source_arg = arg };
}

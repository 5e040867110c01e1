/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A library under comparison. Each function does the whole work and returns
 * operations per second; NULL where the library has no such thing.
 */
#ifndef CONTENDER_H
#define CONTENDER_H

#include <stdint.h>
#include <time.h>

struct contender {
	const char *name;
	double (*timers)(int count);          /* start all, stop half, start again, fire all */
	double (*pool)(int jobs);             /* empty jobs, all submitted at once */
	double (*wakes)(int sends);           /* from another thread, as fast as it can */
	double (*bounces)(int times);         /* a wake-up to another loop and back */
	int (*serve)(int listen_fd, int connections); /* echo until all connections have ended */
};

extern const struct contender contender_ps, contender_ps_quiet, contender_uv, contender_ev, contender_event;

static inline double seconds_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* The same pseudo-random delays for everybody, in ms below `most`. */
static inline unsigned next_delay(unsigned *seed, unsigned most)
{
	*seed = *seed * 1103515245u + 12345u;
	return (*seed >> 8) % most;
}

static inline void wait_ms(unsigned ms)
{
	nanosleep(&(struct timespec){ ms / 1000, (long)(ms % 1000) * 1000000 }, NULL);
}

#define TIMER_SPREAD_MS 40

#endif

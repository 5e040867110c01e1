/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A library under comparison. The first four functions do the whole work and
 * return operations per second; the servers say on which port they are ready and
 * serve until they are killed. NULL where the library has no such thing. Each is
 * called in a process of its own.
 */
#ifndef CONTENDER_H
#define CONTENDER_H

#include <stdint.h>
#include <time.h>

struct contender {
	const char *name;
	double (*timers)(int count); /* start all, stop half, start again, fire all */
	double (*pool)(int jobs); /* empty jobs, all submitted at once */
	double (*wakes)(int sends); /* from another thread, as fast as it can */
	double (*bounces)(int times); /* a wake-up to another loop and back */
	void (*echo)(const char *path, void (*ready)(int port)); /* path: a Unix socket; NULL: TCP, any port */
	void (*http)(void (*ready)(int port)); /* "hello\n" to every request, kept alive */
};

extern const struct contender contender_ps, contender_ps_quiet, contender_uv, contender_ev, contender_event,
	contender_threads;

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

/* for libraries that listen on a descriptor of ours; not blocking */
int listen_on(const char *path, int *port);

#define TIMER_SPREAD_MS 40

#endif

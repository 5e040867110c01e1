/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * "What if the pool had more threads?": the jobs that were seen, submitted at
 * the same times, run again by another number of threads. Pure arithmetic.
 *
 * A job is its CPU time, for which the jobs that run share the CPUs fairly, and
 * then the time it was blocked, which no thread speeds up. Jobs whose CPU time
 * is not known count as blocked all the time they ran. How much of the CPUs was
 * to be had follows from how long the jobs had to wait for one; it is taken to
 * be the same for any number of threads, as it is where processes are scheduled
 * in groups. Arrivals are those observed: a program that would submit sooner if
 * it were served sooner is not modelled.
 */
#ifndef POOL_REPLAY_H
#define POOL_REPLAY_H

#include <stddef.h>
#include <stdint.h>

#include "hist.h"

struct pool_job {
	uint64_t work;
	uint64_t submitted_ns, started_ns, finished_ns; /* rising, none is 0 */
	uint64_t cpu_ns, runnable_ns; /* PS_UNKNOWN */
	uint32_t slow; /* counts against slow_cap */
};

struct pool_size {
	uint32_t threads;
	uint32_t slow_cap; /* slow jobs that run at once */
	uint32_t cpus;
	double capacity; /* of the CPUs, what the jobs get: `cpus` when nothing else wants one */
};

#define POOL_REPLAY_THREADS 256u

/* What these jobs got of so many CPUs; all of them when that is not known. */
double pool_replay_capacity(const struct pool_job *jobs, size_t count, uint32_t cpus);
/* Adds the wait of each job to `wait`. `jobs` in any order. -EINVAL: no jobs, no or too many threads, -ENOMEM. */
int pool_replay(struct hist *wait, const struct pool_job *jobs, size_t count, const struct pool_size *size);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The replay: from event to event (a job comes, a job has had its CPU time, a
 * job ends), at each of which the shares of the CPUs change. Times are doubles
 * in ns from the first submit: hostile figures make wrong waits, never a long
 * run, for there are at most three events per job.
 */
#include "pool_replay.h"

#include <errno.h>
#include <float.h>
#include <stdlib.h>

#include "ps_event.h"

struct active {
	double cpu, blocked; /* what is left of it */
	int slow;
};

struct queue { /* indexes of jobs that wait, oldest first */
	size_t *at;
	size_t begin, end;
};

struct replay {
	const struct pool_job **jobs; /* by submit */
	size_t count, arrived;
	struct queue fast, slow;
	struct active active[POOL_REPLAY_THREADS];
	size_t active_count, slow_count;
	double now;
	struct hist *wait;
};

static int by_submit(const void *a, const void *b)
{
	const struct pool_job *x = *(const struct pool_job *const *)a, *y = *(const struct pool_job *const *)b;
	if (x->submitted_ns != y->submitted_ns)
		return x->submitted_ns < y->submitted_ns ? -1 : 1;
	if (x->started_ns != y->started_ns)
		return x->started_ns < y->started_ns ? -1 : 1;
	return (x > y) - (x < y);
}

static double arrival(const struct replay *replay, size_t at)
{
	return (double)(replay->jobs[at]->submitted_ns - replay->jobs[0]->submitted_ns);
}

static void start_job(struct replay *replay, size_t at)
{
	const struct pool_job *job = replay->jobs[at];
	uint64_t run = job->finished_ns - job->started_ns;
	int known = job->cpu_ns != PS_UNKNOWN;
	uint64_t cpu = !known ? 0 : job->cpu_ns < run ? job->cpu_ns : run;
	uint64_t ready = !known || job->runnable_ns == PS_UNKNOWN ? 0 : job->runnable_ns;
	uint64_t blocked = run - cpu > ready ? run - cpu - ready : 0;
	double waited = replay->now - arrival(replay, at);
	replay->active[replay->active_count++] = (struct active){ (double)cpu, (double)blocked, job->slow != 0 };
	replay->slow_count += job->slow != 0;
	hist_add(replay->wait, waited > 0 ? (uint64_t)waited : 0);
}

/* Free threads take who came first; slow jobs at their cap let others pass. */
static void start_jobs(struct replay *replay, const struct pool_size *size)
{
	while (replay->active_count < size->threads) {
		struct queue *fast = &replay->fast, *slow = &replay->slow;
		int may_fast = fast->begin < fast->end;
		int may_slow = slow->begin < slow->end && replay->slow_count < size->slow_cap;
		if (!may_fast && !may_slow)
			return;
		int take_slow = may_slow && (!may_fast || slow->at[slow->begin] < fast->at[fast->begin]);
		struct queue *from = take_slow ? slow : fast;
		start_job(replay, from->at[from->begin++]);
	}
}

static void take_arrivals(struct replay *replay)
{
	while (replay->arrived < replay->count && arrival(replay, replay->arrived) <= replay->now) {
		struct queue *queue = replay->jobs[replay->arrived]->slow ? &replay->slow : &replay->fast;
		queue->at[queue->end++] = replay->arrived++;
	}
}

/* Of a CPU, for each job that wants one. */
static double cpu_share(const struct replay *replay, const struct pool_size *size)
{
	size_t wanting = 0;
	for (size_t i = 0; i < replay->active_count; i++)
		wanting += replay->active[i].cpu > 0;
	double among = wanting > size->cpus ? (double)wanting : (double)size->cpus;
	return size->capacity < among ? size->capacity / among : 1;
}

/* To the next event: an arrival, or the end of some job's part. */
static double next_step(const struct replay *replay, double share)
{
	double step = DBL_MAX;
	if (replay->arrived < replay->count)
		step = arrival(replay, replay->arrived) - replay->now;
	for (size_t i = 0; i < replay->active_count; i++) {
		const struct active *job = &replay->active[i];
		double left = job->cpu > 0 ? job->cpu / share : job->blocked;
		if (left < step)
			step = left;
	}
	return step > 0 ? step : 0;
}

static void pass_time(struct replay *replay, double step, double share)
{
	size_t kept = 0;
	replay->now += step;
	for (size_t i = 0; i < replay->active_count; i++) {
		struct active job = replay->active[i];
		/* half a nanosecond is rounding: what is that close has ended */
		if (job.cpu > 0)
			job.cpu = job.cpu - step * share < 0.5 ? 0 : job.cpu - step * share;
		else
			job.blocked = job.blocked - step < 0.5 ? 0 : job.blocked - step;
		if (job.cpu > 0 || job.blocked > 0)
			replay->active[kept++] = job;
		else
			replay->slow_count -= (size_t)job.slow;
	}
	replay->active_count = kept;
}

static void run(struct replay *replay, const struct pool_size *size)
{
	/* each step ends a part of a job or lets one in */
	for (size_t steps = 0; steps <= 4 * replay->count + 4; steps++) {
		take_arrivals(replay);
		start_jobs(replay, size);
		if (!replay->active_count && replay->arrived == replay->count)
			return;
		double share = cpu_share(replay, size);
		pass_time(replay, next_step(replay, share), share);
	}
}

struct edge {
	uint64_t ns;
	int step; /* a job began: 1, ended: -1 */
};

static int by_time(const void *a, const void *b)
{
	const struct edge *x = a, *y = b;
	if (x->ns != y->ns)
		return x->ns < y->ns ? -1 : 1;
	return x->step - y->step;
}

/* How many jobs ran at once, on average as a job sees it. */
static double crowd(struct edge *edges, size_t count)
{
	double seen = 0, time = 0, running = 0;
	qsort(edges, count, sizeof(*edges), by_time);
	for (size_t i = 0; i + 1 < count; i++) {
		running += edges[i].step;
		double passed = (double)(edges[i + 1].ns - edges[i].ns);
		seen += running * running * passed;
		time += running * passed;
	}
	return time > 0 ? seen / time : 0;
}

double pool_replay_capacity(const struct pool_job *jobs, size_t count, uint32_t cpus)
{
	struct edge *edges = malloc((2 * count + 1) * sizeof(*edges));
	double cpu = 0, wanted = 0, capacity = cpus;
	size_t filled = 0;
	for (size_t i = 0; edges && i < count; i++) {
		const struct pool_job *job = &jobs[i];
		if (job->cpu_ns == PS_UNKNOWN || job->runnable_ns == PS_UNKNOWN)
			continue;
		cpu += (double)job->cpu_ns;
		wanted += (double)job->cpu_ns + (double)job->runnable_ns;
		edges[filled++] = (struct edge){ job->started_ns, 1 };
		edges[filled++] = (struct edge){ job->finished_ns, -1 };
	}
	if (filled && cpu > 0) {
		/* the part of the time that a job had a CPU, while it wanted one among so many */
		double among = crowd(edges, filled);
		capacity = cpu / wanted * (among > cpus ? among : cpus);
	}
	free(edges);
	return capacity > 0.01 && capacity < cpus ? capacity : cpus;
}

int pool_replay(struct hist *wait, const struct pool_job *jobs, size_t count, const struct pool_size *size)
{
	if (!count || !size->threads || size->threads > POOL_REPLAY_THREADS || !size->slow_cap || !size->cpus ||
	    !(size->capacity > 0))
		return -EINVAL;
	struct replay replay = { .count = count, .wait = wait };
	size_t *places = malloc(2 * count * sizeof(*places));
	replay.jobs = malloc(count * sizeof(*replay.jobs));
	int err = places && replay.jobs ? 0 : -ENOMEM;
	if (!err) {
		replay.fast.at = places;
		replay.slow.at = places + count;
		for (size_t i = 0; i < count; i++)
			replay.jobs[i] = &jobs[i];
		qsort(replay.jobs, count, sizeof(*replay.jobs), by_submit);
		run(&replay, size);
	}
	free(places);
	free(replay.jobs);
	return err;
}

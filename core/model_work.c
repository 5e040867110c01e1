/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Finished jobs: by class, by who held the threads, and kept for the question
 * what another number of threads would have done (pool_replay.c). The newest
 * MAX_JOBS are kept; of jobs whose source tells no cost only times are known.
 */
#include "model_own.h"

#include <stdlib.h>
#include <string.h>

#define JOBS_LEAST 8 /* fewer say nothing about a quantile */
#define LOOK_BACK 256u /* jobs, for the one that a cost is about */

/* ---- kept for the replay ---- */

void pool_job_add(struct model_own *model, struct pool_own *pool, uint64_t work, uint64_t submitted_ns,
		  uint64_t started_ns, uint64_t finished_ns)
{
	if (!submitted_ns || started_ns < submitted_ns || finished_ns < started_ns)
		return;
	if (!pool->jobs)
		pool->jobs = malloc(MAX_JOBS * sizeof(*pool->jobs));
	if (!pool->jobs) {
		model->out_of_memory = 1;
		return;
	}
	pool->jobs[pool->job_count++ % MAX_JOBS] = (struct pool_job){
		.work = work,
		.submitted_ns = submitted_ns,
		.started_ns = started_ns,
		.finished_ns = finished_ns,
		.cpu_ns = PS_UNKNOWN,
		.runnable_ns = PS_UNKNOWN,
	};
}

static struct pool_job *find_job(struct pool_own *pool, const struct ps_ev_work_cost *told)
{
	uint64_t back = least(least(pool->job_count, MAX_JOBS), LOOK_BACK);
	for (uint64_t i = 1; i <= back; i++) {
		struct pool_job *job = &pool->jobs[(pool->job_count - i) % MAX_JOBS];
		if (job->work == told->work && job->started_ns == told->started_ns)
			return job;
	}
	return NULL;
}

static void fill_size(const struct pool *pool, uint32_t threads, struct pool_size *size)
{
	uint64_t own = pool->threads;
	size->threads = threads;
	/* of the pool as it is the cap is known; of another, libuv's rule */
	size->slow_cap = threads == own && pool->slow_cap != PS_UNKNOWN ? (uint32_t)least(pool->slow_cap, threads)
									: (threads + 1) / 2;
}

size_t model_pool_estimate(const struct pool *pub, struct pool_estimate out[POOL_ESTIMATES])
{
	const struct pool_own *pool = (const struct pool_own *)pub;
	uint64_t count = least(pool->job_count, MAX_JOBS), own = pub->threads;
	size_t filled = 0;
	if (count < JOBS_LEAST || own == PS_UNKNOWN || !own || own > POOL_REPLAY_THREADS)
		return 0;
	uint64_t threads = own > 1 ? own / 2 : 1;
	int known = pub->cpus != PS_UNKNOWN && pub->cpus;
	struct pool_size size = { .cpus = known ? (uint32_t)least(pub->cpus, UINT32_MAX) : POOL_REPLAY_THREADS };
	size.capacity = known ? pool_replay_capacity(pool->jobs, count, size.cpus) : size.cpus;
	while (filled < POOL_ESTIMATES && threads <= POOL_REPLAY_THREADS) {
		struct hist wait = { 0 };
		fill_size(pub, (uint32_t)threads, &size);
		if (pool_replay(&wait, pool->jobs, count, &size))
			break;
		out[filled++] =
			(struct pool_estimate){ size.threads, hist_quantile(&wait, 0.5), hist_quantile(&wait, 0.99) };
		threads = threads < own ? own : threads * 2;
	}
	return filled;
}

void pool_estimate_renew(struct pool_own *pool)
{
	if (pool->estimated_count == pool->job_count)
		return;
	pool->estimated_count = pool->job_count;
	pool->pub.estimate_count = (uint32_t)model_pool_estimate(&pool->pub, pool->pub.estimate);
}

/* ---- by class ---- */

static struct pool_class *class_of(struct model_own *model, struct pool_own *pool, const char *name, uint32_t kind)
{
	struct pool *pub = &pool->pub;
	for (size_t i = 0; i < pub->class_count; i++)
		if (pub->classes[i].kind == kind && !strcmp(pub->classes[i].name, name))
			return &pub->classes[i];
	if (pub->class_count == MAX_CLASSES)
		return &pub->classes[MAX_CLASSES - 1];
	if (!pub->classes)
		pub->classes = calloc(MAX_CLASSES, sizeof(*pub->classes));
	if (!pub->classes) {
		model->out_of_memory = 1;
		return NULL;
	}
	struct pool_class *class = &pub->classes[pub->class_count++];
	int is_last = pub->class_count == MAX_CLASSES;
	class->name = is_last ? "other classes" : name;
	class->kind = is_last ? PS_WORK_OTHER : kind;
	class->cpu_ns = PS_UNKNOWN;
	return class;
}

static void name_holder(struct pool *pool)
{
	const struct pool_class *most_held = NULL;
	for (size_t i = 0; i < pool->class_count; i++) {
		const struct pool_class *class = &pool->classes[i];
		if (class->kind == pool->holder && (!most_held || class->held_ns > most_held->held_ns))
			most_held = class;
	}
	pool->holder_class = most_held;
}

void pool_hold(struct pool_own *pool, unsigned kind, uint64_t ns)
{
	struct pool *pub = &pool->pub;
	pub->kinds[kind].held_ns += ns;
	if (pub->holder < PS_WORK_KIND_COUNT && pub->kinds[pub->holder].held_ns >= pub->kinds[kind].held_ns)
		return;
	pub->holder = kind;
	name_holder(pub);
}

void on_work_cost(struct model_own *model, const void *record)
{
	const struct ps_ev_work_cost *told = record;
	struct pool_own *pool = pool_of(model, told->pid, told->h.ts);
	if (!pool)
		return;
	struct pool_job *job = pool->jobs ? find_job(pool, told) : NULL;
	if (job) {
		job->cpu_ns = told->cpu_ns;
		job->runnable_ns = told->runnable_ns;
		job->slow = (told->flags & PS_WORK_SLOW) != 0;
	}
	uint32_t kind = told->kind < PS_WORK_KIND_COUNT ? told->kind : PS_WORK_OTHER;
	const char *name = names_string(model->names, told->class_name);
	struct pool_class *class = *name ? class_of(model, pool, name, kind) : NULL;
	if (!class)
		return;
	class->jobs++;
	if (told->cpu_ns != PS_UNKNOWN)
		add_known(&class->cpu_ns, told->cpu_ns);
	if (told->submitted_ns && told->started_ns)
		hist_add(&class->wait, minus(told->started_ns, told->submitted_ns));
	if (told->started_ns) {
		class->held_ns += minus(told->h.ts, told->started_ns);
		hist_add(&class->run, minus(told->h.ts, told->started_ns));
	}
	if (kind == pool->pub.holder)
		name_holder(&pool->pub);
}

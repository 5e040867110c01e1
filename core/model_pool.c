/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The thread pool of a process: jobs by kind, what each worker holds, and how
 * long it was saturated. A job's record carries the time of its state before,
 * so no table of jobs is needed and one lost record spoils one figure only.
 *
 * Depth and busy threads come from POOL_GAUGES; until one was told they are
 * counted from the jobs seen, which knows nothing of jobs older than the stream.
 */
#include "model_own.h"

#include <stdlib.h>

struct pool_own *pool_of(struct model_own *model, uint32_t pid, uint64_t ts)
{
	struct process_own *process = process_add(model, pid);
	if (!process || process->pool)
		return process ? process->pool : NULL;
	if (model->pub.pool_count >= MAX_POOLS) {
		model->pub.dropped++;
		return NULL;
	}
	struct pool_own *pool = array_room(model, &model->pub.pools, &model->pool_room, model->pub.pool_count,
					   sizeof(*model->pub.pools)) ? NULL : calloc(1, sizeof(*pool));
	if (!pool) {
		model->out_of_memory = 1;
		return NULL;
	}
	pool->pub.pid = pid;
	pool->pub.threads = pool->pub.busy = pool->pub.queued = pool->pub.oldest_ns = PS_UNKNOWN;
	pool->pub.slow_cap = pool->pub.slow_busy = pool->pub.slow_queued = pool->pub.cpus = PS_UNKNOWN;
	pool->pub.holder = PS_WORK_KIND_COUNT;
	pool->accounted_ns = ts;
	model->pub.pools[model->pub.pool_count++] = &pool->pub;
	process->pool = pool;
	return pool;
}

/* Which jobs are under way is not known any more. */
static void unfollow(struct model_own *model, struct pool_own *pool)
{
	pool->pub.unfollowed = 1;
	for (unsigned kind = 0; kind < PS_WORK_KIND_COUNT; kind++)
		pool->pub.kinds[kind].queued = pool->pub.kinds[kind].busy = 0;
	for (size_t k = 0; k < model->pub.thread_count; k++) {
		struct thread *thread = model->pub.threads[k];
		if (thread->pid != pool->pub.pid || !thread->work)
			continue;
		thread->work = thread->work_since_ns = thread->work_fn = 0;
		thread->work_name = "";
	}
}

void pool_unfollow(struct model_own *model)
{
	for (size_t i = 0; i < model->pub.pool_count; i++) {
		struct pool_own *pool = (struct pool_own *)model->pub.pools[i];
		if (pool->gauged != GAUGED_ALL) /* else it tells of itself */
			unfollow(model, pool);
	}
}

void pool_left(struct model_own *model, struct pool_own *pool, uint64_t ts)
{
	pool_account(pool, ts);
	unfollow(model, pool);
	pool->left = 1;
}

/* It is told of again. */
static void find_again(struct pool_own *pool, uint64_t ts)
{
	pool->left = 0;
	pool->pub.unfollowed = 0;
	pool->pub.busy = pool->pub.queued = PS_UNKNOWN;
	pool->accounted_ns = ts;
}

void pool_free(struct pool_own *pool)
{
	free(pool->pub.classes);
	free(pool->jobs);
	free(pool);
}

void pool_account(struct pool_own *pool, uint64_t to_ns)
{
	struct pool *pub = &pool->pub;
	if (pool->left)
		find_again(pool, to_ns);
	if (to_ns <= pool->accounted_ns)
		return;
	int known = pub->threads != PS_UNKNOWN && pub->busy != PS_UNKNOWN && pub->queued != PS_UNKNOWN;
	if (known && pub->threads && pub->busy >= pub->threads && pub->queued) {
		pub->saturated_ns += to_ns - pool->accounted_ns;
		pub->saturated_last_ns = to_ns;
	}
	pool->accounted_ns = to_ns;
}

/* Without gauges: what the jobs seen so far add up to. */
static void count_jobs(struct model_own *model, struct pool_own *pool)
{
	if (pool->gauged != GAUGED_NOT || pool->pub.submits_only)
		return;
	pool->pub.busy = pool->pub.queued = 0;
	for (unsigned kind = 0; kind < PS_WORK_KIND_COUNT; kind++) {
		pool->pub.busy += pool->pub.kinds[kind].busy;
		pool->pub.queued += pool->pub.kinds[kind].queued;
	}
	pool->pub.max_queued = most(pool->pub.max_queued, pool->pub.queued);
}

/* A job came, began or went between two gauges of the totals. */
static void move_totals(struct pool_own *pool, int queued, int busy)
{
	if (pool->gauged != GAUGED_TOTALS)
		return;
	if (pool->pub.queued != PS_UNKNOWN && (queued > 0 || pool->pub.queued))
		pool->pub.queued += (uint64_t)(int64_t)queued;
	if (pool->pub.busy != PS_UNKNOWN && (busy > 0 ? pool->pub.busy < pool->pub.threads : pool->pub.busy > 0))
		pool->pub.busy += (uint64_t)(int64_t)busy;
	if (pool->pub.queued != PS_UNKNOWN)
		pool->pub.max_queued = most(pool->pub.max_queued, pool->pub.queued);
}

static struct pool_own *pool_at(struct model_own *model, const struct ps_ev_work *told, struct pool_kind **kind)
{
	struct pool_own *pool = pool_of(model, told->pid, told->h.ts);
	if (!pool)
		return NULL;
	pool_account(pool, told->h.ts);
	*kind = &pool->pub.kinds[told->kind < PS_WORK_KIND_COUNT ? told->kind : PS_WORK_OTHER];
	return pool;
}

void on_work_submitted(struct model_own *model, const void *record)
{
	struct pool_kind *kind;
	struct pool_own *pool = pool_at(model, record, &kind);
	if (!pool)
		return;
	kind->submitted++;
	if (pool->gauged != GAUGED_ALL && !pool->pub.submits_only)
		kind->queued++;
	move_totals(pool, 1, 0);
	count_jobs(model, pool);
}

void on_work_started(struct model_own *model, const void *record)
{
	const struct ps_ev_work *told = record;
	struct pool_kind *kind;
	struct pool_own *pool = pool_at(model, told, &kind);
	struct thread_own *thread = thread_add(model, told->h.tid, told->pid);
	if (thread) {
		thread->pub.work = told->work;
		thread->pub.work_since_ns = told->h.ts;
		thread->pub.work_kind = told->kind < PS_WORK_KIND_COUNT ? told->kind : PS_WORK_OTHER;
		thread->pub.work_name = names_string(model->names, told->name);
		thread->pub.work_fn = told->fn;
		thread->work_submitted_ns = told->since_ns;
		if (thread->pub.role == PS_ROLE_OTHER)
			thread->pub.role = PS_ROLE_WORKER;
	}
	if (!pool)
		return;
	kind->started++;
	if (told->since_ns) {
		hist_add(&kind->wait, minus(told->h.ts, told->since_ns));
		hist_add(&pool->pub.wait, minus(told->h.ts, told->since_ns));
	}
	if (pool->gauged != GAUGED_ALL) {
		kind->queued -= kind->queued > 0;
		kind->busy++;
	}
	move_totals(pool, -1, 1);
	count_jobs(model, pool);
}

void on_work_finished(struct model_own *model, const void *record)
{
	const struct ps_ev_work *told = record;
	struct pool_kind *kind;
	struct pool_own *pool = pool_at(model, told, &kind);
	struct thread_own *thread = thread_find(model, told->h.tid);
	if (pool && thread && thread->pub.work == told->work && told->since_ns)
		pool_job_add(model, pool, told->work, thread->work_submitted_ns, told->since_ns, told->h.ts);
	if (thread) {
		uint64_t from = told->since_ns ? told->since_ns : thread->pub.work ? thread->pub.work_since_ns : 0;
		if (from)
			trend_job(&thread->pub, from, told->h.ts, told->kind < PS_WORK_KIND_COUNT ? told->kind : PS_WORK_OTHER,
				  names_string(model->names, told->name));
		thread->pub.work = 0;
		thread->pub.work_since_ns = told->h.ts;
		thread->pub.work_name = "";
		thread->pub.work_fn = 0;
	}
	if (!pool)
		return;
	kind->finished++;
	if (told->since_ns) {
		hist_add(&kind->run, minus(told->h.ts, told->since_ns));
		hist_add(&pool->pub.run, minus(told->h.ts, told->since_ns));
		pool_hold(pool, (unsigned)(kind - pool->pub.kinds), minus(told->h.ts, told->since_ns));
	}
	if (pool->gauged != GAUGED_ALL)
		kind->busy -= kind->busy > 0;
	move_totals(pool, 0, -1);
	count_jobs(model, pool);
}

void on_work_delivered(struct model_own *model, const void *record)
{
	const struct ps_ev_work *told = record;
	struct pool_kind *kind;
	if (!pool_at(model, told, &kind))
		return;
	kind->delivered++;
	if (told->since_ns)
		hist_add(&kind->delivery, minus(told->h.ts, told->since_ns));
}

void on_work_cancelled(struct model_own *model, const void *record)
{
	struct pool_kind *kind;
	struct pool_own *pool = pool_at(model, record, &kind);
	if (!pool)
		return;
	kind->cancelled++;
	if (pool->gauged != GAUGED_ALL)
		kind->queued -= kind->queued > 0;
	move_totals(pool, -1, 0);
	count_jobs(model, pool);
}

void on_pool_limits(struct model_own *model, const void *record)
{
	const struct ps_ev_pool_limits *told = record;
	struct pool_own *pool = pool_of(model, told->pid, told->h.ts);
	if (!pool)
		return;
	pool->pub.slow_cap = widen(told->slow_cap);
	pool->pub.slow_busy = widen(told->slow_busy);
	pool->pub.slow_queued = widen(told->slow_queued);
	pool->pub.cpus = widen(told->cpus);
	pool->pub.submits_only = (told->flags & PS_POOL_SUBMITS_ONLY) != 0;
	if (pool->pub.submits_only && !pool->gauged)
		pool->pub.busy = pool->pub.queued = PS_UNKNOWN;
}

void on_pool_gauges(struct model_own *model, const void *record)
{
	const struct ps_ev_pool_gauges *told = record;
	struct pool_own *pool = pool_of(model, told->pid, told->h.ts);
	if (!pool)
		return;
	pool_account(pool, told->h.ts);
	pool->gauged = told->queued_by_kind[0] == PS_UNKNOWN32 ? GAUGED_TOTALS : GAUGED_ALL;
	pool->pub.threads = widen(told->threads);
	pool->pub.busy = widen(told->busy);
	pool->pub.queued = widen(told->queued);
	pool->pub.oldest_ns = told->oldest_ns;
	if (told->queued != PS_UNKNOWN32)
		pool->pub.max_queued = most(pool->pub.max_queued, told->queued);
	for (unsigned kind = 0; kind < PS_WORK_KIND_COUNT; kind++) {
		struct pool_kind *row = &pool->pub.kinds[kind];
		/* jobs whose end was lost do not stay for ever */
		if (pool->gauged == GAUGED_ALL || !told->queued)
			row->queued = pool->gauged == GAUGED_ALL ? told->queued_by_kind[kind] : 0;
		if (pool->gauged == GAUGED_ALL || !told->busy)
			row->busy = pool->gauged == GAUGED_ALL ? told->busy_by_kind[kind] : 0;
	}
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The part of the summary about thread pools: kinds of jobs and what each worker holds. */
#include "summary_parts.h"

#include <stdlib.h>
#include <string.h>

#include "schema.h"

static json_t *kind_of(struct summary_run *run, const struct pool *pool, const struct pool_kind *kind, const char *path,
		       unsigned number)
{
	char own[96];
	snprintf(own, sizeof(own), "%sby_kind.%s.", path, work_kind_name(number));
	json_t *object = json_object();
	summary_put(object, "submitted", summary_number(kind->submitted));
	summary_put(object, "finished", summary_number(kind->finished));
	summary_put(object, "cancelled", summary_number(kind->cancelled));
	summary_told(run, object, own, "queued", summary_number(pool->unfollowed ? PS_UNKNOWN : kind->queued),
		     PS_PROBE_RUNTIME);
	summary_told(run, object, own, "busy", summary_number(pool->unfollowed ? PS_UNKNOWN : kind->busy),
		     PS_PROBE_RUNTIME);
	summary_told(run, object, own, "wait_ns", summary_hist(&kind->wait), PS_PROBE_RUNTIME);
	summary_told(run, object, own, "run_ns", summary_hist(&kind->run), PS_PROBE_RUNTIME);
	summary_told(run, object, own, "delivery_ns", summary_hist(&kind->delivery), PS_PROBE_RUNTIME);
	return object;
}

static json_t *kinds(struct summary_run *run, const struct pool *pool, const char *path)
{
	json_t *object = json_object();
	for (unsigned i = 0; i < PS_WORK_KIND_COUNT; i++) {
		const struct pool_kind *kind = &pool->kinds[i];
		if (kind->submitted + kind->started + kind->finished + kind->cancelled + kind->queued + kind->busy)
			summary_put(object, work_kind_name(i), kind_of(run, pool, kind, path, i));
	}
	return object;
}

static json_t *workers(const struct model *model, const struct pool *pool)
{
	json_t *list = json_array();
	for (size_t i = 0; i < model->thread_count; i++) {
		const struct thread *thread = model->threads[i];
		if (thread->pid != pool->pid || thread->role != PS_ROLE_WORKER || thread->exited)
			continue;
		uint64_t since = pool->unfollowed ? 0 : thread->work_since_ns;
		uint64_t age = since && model->now_ns > since ? model->now_ns - since : since ? 0 : PS_UNKNOWN;
		const char *item = !thread->work ? "" : *thread->work_name ? thread->work_name : work_kind_name(thread->work_kind);
		const char *state = thread->work ? "busy" : pool->unfollowed ? NULL : "idle";
		json_array_append_new(list,
				      json_pack("{s:I, s:s?, s:o, s:o}", "tid", (json_int_t)thread->tid, "state", state,
						"item", summary_text(item), "age_ns", summary_number(age)));
	}
	return list;
}

static int by_held(const void *a, const void *b)
{
	const struct pool_class *x = *(const struct pool_class *const *)a, *y = *(const struct pool_class *const *)b;
	if (x->held_ns != y->held_ns)
		return x->held_ns > y->held_ns ? -1 : 1;
	return strcmp(x->name, y->name);
}

/* Those that held threads longest first. */
static json_t *classes(const struct pool *pool)
{
	json_t *list = json_array();
	const struct pool_class **sorted = pool->class_count ? malloc(pool->class_count * sizeof(*sorted)) : NULL;
	if (!sorted)
		return list;
	for (size_t i = 0; i < pool->class_count; i++)
		sorted[i] = &pool->classes[i];
	qsort(sorted, pool->class_count, sizeof(*sorted), by_held);
	for (size_t i = 0; i < pool->class_count; i++)
		json_array_append_new(list, json_pack("{s:o, s:s, s:o, s:o, s:o, s:o, s:o}", "name", summary_text(sorted[i]->name),
						      "kind", work_kind_name(sorted[i]->kind), "jobs",
						      summary_number(sorted[i]->jobs), "held_ns", summary_number(sorted[i]->held_ns),
						      "cpu_ns", summary_number(sorted[i]->cpu_ns), "wait_ns",
						      summary_hist(&sorted[i]->wait) ?: json_null(), "run_ns",
						      summary_hist(&sorted[i]->run) ?: json_null()));
	free(sorted);
	return list;
}

/* Who had the threads; null = nothing has run. */
static json_t *holder(const struct pool *pool)
{
	uint64_t all = 0;
	if (pool->holder >= PS_WORK_KIND_COUNT)
		return json_null();
	for (unsigned i = 0; i < PS_WORK_KIND_COUNT; i++)
		all += pool->kinds[i].held_ns;
	return json_pack("{s:s, s:o, s:o, s:o}", "kind", work_kind_name(pool->holder), "class",
			 pool->holder_class ? summary_text(pool->holder_class->name) : json_null(), "held_ns",
			 summary_number(pool->kinds[pool->holder].held_ns), "share",
			 all ? json_real((double)pool->kinds[pool->holder].held_ns / (double)all) : json_null());
}

static json_t *estimate(const struct pool *pool)
{
	struct pool_estimate sizes[POOL_ESTIMATES];
	json_t *list = json_array();
	size_t count = model_pool_estimate(pool, sizes);
	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, json_pack("{s:I, s:o, s:o}", "threads", (json_int_t)sizes[i].threads, "wait_p50_ns",
						      summary_number(sizes[i].wait_p50_ns), "wait_p99_ns",
						      summary_number(sizes[i].wait_p99_ns)));
	return list;
}

static json_t *pool_of(struct summary_run *run, const struct pool *pool, size_t index)
{
	char path[48];
	snprintf(path, sizeof(path), "pools.%zu.", index);
	uint64_t now = run->model->now_ns, oldest = pool->oldest_ns;
	uint64_t age = oldest == PS_UNKNOWN ? oldest : oldest && now > oldest ? now - oldest : 0;
	json_t *object = json_object();
	summary_put(object, "pid", json_integer(pool->pid));
	summary_told(run, object, path, "threads", summary_number(pool->threads), PS_PROBE_SNAPSHOT);
	summary_told(run, object, path, "busy", summary_number(pool->busy), PS_PROBE_SNAPSHOT);
	summary_told(run, object, path, "queued", summary_number(pool->queued), PS_PROBE_SNAPSHOT);
	summary_put(object, "max_queued", summary_number(pool->max_queued));
	summary_told(run, object, path, "oldest_ns", summary_number(age), PS_PROBE_SNAPSHOT);
	summary_put(object, "saturated_ns", summary_number(pool->saturated_ns));
	summary_told(run, object, path, "wait_ns", summary_hist(&pool->wait), PS_PROBE_RUNTIME);
	summary_told(run, object, path, "run_ns", summary_hist(&pool->run), PS_PROBE_RUNTIME);
	summary_put(object, "by_kind", kinds(run, pool, path));
	summary_put(object, "workers", workers(run->model, pool));
	summary_put(object, "classes", classes(pool));
	summary_put(object, "holder", holder(pool));
	summary_told(run, object, path, "slow_cap", summary_number(pool->slow_cap), PS_PROBE_SNAPSHOT);
	summary_told(run, object, path, "slow_busy", summary_number(pool->slow_busy), PS_PROBE_SNAPSHOT);
	summary_told(run, object, path, "slow_queued", summary_number(pool->slow_queued), PS_PROBE_SNAPSHOT);
	json_t *sizes = estimate(pool);
	if (!json_array_size(sizes))
		summary_missing(run, path, "estimate", PS_PROBE_RUNTIME);
	summary_put(object, "estimate", sizes);
	return object;
}

json_t *summary_pools(struct summary_run *run)
{
	json_t *list = json_array();
	for (size_t i = 0; i < run->model->pool_count; i++)
		json_array_append_new(list, pool_of(run, run->model->pools[i], i));
	if (!json_array_size(list))
		summary_missing(run, "", "pools", PS_PROBE_RUNTIME);
	return list;
}

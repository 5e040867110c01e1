/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The jobs under way, and the records that tell of them. A job is its address in
 * its process, from submit to delivery. The table is bounded; what finds no room,
 * or no memory, is told as LOST.
 */
#include "runtime_pool.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define JOBS_MAX 65536u
#define DRAIN_MAX 200000u /* records of one drain */
#define TWICE_NS 5000000u /* two probes saw one submit */

/* ---- the table of jobs ---- */

static uint64_t key_of(size_t process, uint64_t work)
{
	return work ^ (uint64_t)(process + 1) << 56;
}

static struct job *find_job(const struct runtime_jobs *jobs, size_t process, uint64_t work)
{
	uint64_t slot = table_get(&jobs->index, key_of(process, work));
	return slot ? &jobs->jobs[slot - 1] : NULL;
}

static int widen(struct runtime_jobs *jobs)
{
	uint32_t room = jobs->job_room ? jobs->job_room * 2 : 256;
	if (room > JOBS_MAX)
		return -E2BIG;
	struct job *wider = realloc(jobs->jobs, room * sizeof(*wider));
	if (!wider)
		return -ENOMEM;
	jobs->jobs = wider;
	for (uint32_t i = room; i-- > jobs->job_room;) {
		wider[i] = (struct job){ .next_free = jobs->free_slot };
		jobs->free_slot = i + 1;
	}
	jobs->job_room = room;
	return 0;
}

/* Jobs whose end was lost would fill the table in time: then it begins anew. */
void runtime_jobs_forget(struct runtime_jobs *jobs)
{
	table_free(&jobs->index);
	free(jobs->jobs);
	jobs->index = (struct table){ 0 };
	jobs->jobs = NULL;
	jobs->job_room = jobs->free_slot = 0;
}

void runtime_jobs_tell_again(struct runtime_jobs *jobs)
{
	for (uint32_t i = 0; i < jobs->job_room; i++) {
		struct job *job = &jobs->jobs[i];
		job->name = stream_again(jobs->context.stream, job->name);
		job->class_name = stream_again(jobs->context.stream, job->class_name);
	}
}

static struct job *add_job(struct runtime_jobs *jobs, size_t process, uint64_t work)
{
	if (!jobs->free_slot && widen(jobs) == -E2BIG) {
		runtime_jobs_forget(jobs);
		jobs->failed += JOBS_MAX;
		widen(jobs);
	}
	if (!jobs->free_slot || table_put(&jobs->index, key_of(process, work), jobs->free_slot))
		return NULL;
	struct job *job = &jobs->jobs[jobs->free_slot - 1];
	jobs->free_slot = job->next_free;
	*job = (struct job){ .work = work, .process = (uint16_t)process };
	return job;
}

static void remove_job(struct runtime_jobs *jobs, struct job *job)
{
	table_remove(&jobs->index, key_of(job->process, job->work));
	*job = (struct job){ .next_free = jobs->free_slot };
	jobs->free_slot = (uint32_t)(job - jobs->jobs) + 1;
}

/* ---- records ---- */

static void put(struct runtime_jobs *jobs, const struct ps_record *record)
{
	jobs->failed += stream_put(jobs->context.stream, record) != 0;
}

static void put_work(struct runtime_jobs *jobs, const struct ps_pool_raw *raw, const struct job *job,
		     enum ps_event event, uint64_t since_ns)
{
	struct ps_ev_work work = {
		.h = { raw->h.ts, raw->h.tid, event, sizeof(work) },
		.work = job->work,
		.since_ns = since_ns,
		.fn = raw->job == PS_POOL_USER && raw->what != PS_POOL_FINISH ? raw->fn : 0,
		.pid = raw->tgid,
		.name = job->name,
		.kind = job->kind,
		.op = job->op,
	};
	put(jobs, &work.h);
}

static void put_cost(struct runtime_jobs *jobs, const struct ps_pool_raw *raw, const struct job *job)
{
	struct ps_ev_work_cost cost = {
		.h = { raw->h.ts, raw->h.tid, PS_EV_WORK_COST, sizeof(cost) },
		.work = job->work,
		.submitted_ns = job->submitted_ns,
		.started_ns = job->started_ns,
		.cpu_ns = raw->cpu_ns,
		.runnable_ns = raw->runnable_ns,
		.pid = raw->tgid,
		.class_name = job->class_name,
		.kind = job->kind,
		.flags = job->slow ? PS_WORK_SLOW : 0,
	};
	put(jobs, &cost.h);
}

static void describe(struct runtime_jobs *jobs, const struct ps_pool_raw *raw, struct job *job)
{
	const struct runtime_process *process = &jobs->processes[job->process];
	struct stream *stream = jobs->context.stream;
	struct libuv_memory memory;
	struct runtime_job what;
	libuv_memory_of(&memory, &process->pid);
	runtime_job_describe(&what, raw, &process->image, &memory, process->symbols);
	job->kind = (uint16_t)what.kind;
	job->op = what.op;
	job->slow = (uint16_t)what.slow;
	job->name = stream_string(stream, what.name, strlen(what.name));
	job->class_name = stream_string(stream, what.class, strlen(what.class));
	if (raw->job == PS_POOL_USER && raw->fn)
		stream_symbol(stream, raw->tgid, raw->fn, symbols_frame(process->symbols, stream, raw->fn, 0));
}

static void on_submit(struct runtime_jobs *jobs, const struct ps_pool_raw *raw, size_t process)
{
	struct job *job = find_job(jobs, process, raw->work);
	/* uv_queue_work may call uv__work_submit, or hold a copy of it */
	if (job && !job->started_ns && job->tid == raw->h.tid && raw->h.ts - job->submitted_ns < TWICE_NS)
		return;
	if (job)
		remove_job(jobs, job);
	job = add_job(jobs, process, raw->work);
	if (!job) {
		jobs->failed++;
		return;
	}
	job->submitted_ns = raw->h.ts;
	job->tid = raw->h.tid;
	describe(jobs, raw, job);
	put_work(jobs, raw, job, PS_EV_WORK_SUBMITTED, 0);
	/* nothing will end it */
	if (jobs->submits_only[process])
		remove_job(jobs, job);
}

static void on_start(struct runtime_jobs *jobs, const struct ps_pool_raw *raw, size_t process)
{
	struct job *job = find_job(jobs, process, raw->work);
	if (!job)
		job = add_job(jobs, process, raw->work);
	if (!job) {
		jobs->failed++;
		return;
	}
	job->started_ns = raw->h.ts;
	describe(jobs, raw, job);
	put_work(jobs, raw, job, PS_EV_WORK_STARTED, job->submitted_ns);
}

static void on_finish(struct runtime_jobs *jobs, const struct ps_pool_raw *raw, size_t process)
{
	struct job *job = find_job(jobs, process, raw->work);
	/* it ran when we came: what it is is not known */
	if (!job || !job->started_ns)
		return;
	job->finished_ns = raw->h.ts;
	put_work(jobs, raw, job, PS_EV_WORK_FINISHED, job->started_ns);
	put_cost(jobs, raw, job);
}

static void on_deliver(struct runtime_jobs *jobs, const struct ps_pool_raw *raw, size_t process)
{
	struct job *job = find_job(jobs, process, raw->work);
	if (!job)
		return;
	if (!job->started_ns && raw->status == -ECANCELED)
		put_work(jobs, raw, job, PS_EV_WORK_CANCELLED, job->submitted_ns);
	else if (job->finished_ns)
		put_work(jobs, raw, job, PS_EV_WORK_DELIVERED, job->finished_ns);
	remove_job(jobs, job);
}

int runtime_jobs_take(void *arg, void *data, size_t bytes)
{
	static void (*const handlers[])(struct runtime_jobs *, const struct ps_pool_raw *, size_t) = {
		[PS_POOL_SUBMIT] = on_submit,
		[PS_POOL_START] = on_start,
		[PS_POOL_FINISH] = on_finish,
		[PS_POOL_DELIVER] = on_deliver,
	};
	struct runtime_jobs *jobs = arg;
	struct ps_pool_raw raw;
	size_t process;
	if (bytes < offsetof(struct ps_pool_raw, text))
		return 0;
	memset(&raw, 0, sizeof(raw));
	memcpy(&raw, data, bytes < sizeof(raw) ? bytes : sizeof(raw));
	raw.text[sizeof(raw.text) - 1] = '\0';
	process = runtime_jobs_process(jobs, (pid_t)raw.tgid);
	if (process < jobs->process_count && raw.what < sizeof(handlers) / sizeof(*handlers))
		handlers[raw.what](jobs, &raw, process);
	return ++jobs->drained < DRAIN_MAX ? 0 : -EAGAIN;
}

/* ---- what is asked ---- */

size_t runtime_jobs_process(const struct runtime_jobs *jobs, pid_t pid)
{
	return source_process(&jobs->context, pid);
}

uint64_t runtime_jobs_oldest(const struct runtime_jobs *jobs, pid_t pid)
{
	size_t at = runtime_jobs_process(jobs, pid);
	uint64_t oldest = 0;
	if (!jobs->link_count || at >= RUNTIME_PROBED || jobs->submits_only[at])
		return PS_UNKNOWN;
	for (uint32_t i = 0; i < jobs->job_room; i++) {
		const struct job *job = &jobs->jobs[i];
		if (job->process == at && job->submitted_ns && !job->started_ns &&
		    (!oldest || job->submitted_ns < oldest))
			oldest = job->submitted_ns;
	}
	return oldest;
}

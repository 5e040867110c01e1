/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Jobs of thread pools, told by probes at the entries of the pool's functions.
 *
 * Owns the BPF object, its links, its ring and a table of the jobs under way: a
 * job is its address in its process, from submit to delivery. The table is
 * bounded; what finds no room, or no memory, is told as LOST.
 *
 * Each probe costs the target a microsecond per hit. The cost is measured by a
 * governor, and when it is above the budget the probes are taken back, with the
 * reason.
 */
#include "runtime_source.h"

#include "governor.h"
#include "tap.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pool.skel.h"
#include "table.h"

#define LINKS_MAX 512u
#define PROCESSES_MAX 32u /* that get probes: each probe of each is a descriptor and a breakpoint */
#define JOBS_MAX 65536u
#define DRAIN_MAX 200000u /* records of one drain */
#define BUDGET_NS 50000000ull /* of CPU time per second, of all threads that are probed together */
#define TWICE_NS 5000000u /* two probes saw one submit */
#define TELL_NS 1000000000ull
#define LOOK_NS 10000000ull
#define LOOKS 25u

struct job {
	uint64_t work;
	uint64_t submitted_ns, started_ns, finished_ns; /* 0 = not seen */
	uint32_t name, class_name; /* strings */
	uint16_t kind, op;
	uint16_t slow;
	uint16_t process; /* index */
	uint32_t tid; /* who submitted it */
	uint32_t next_free;
};

struct runtime_jobs {
	struct source_context context;
	struct runtime_process *processes;
	size_t process_count;
	struct pool *skeleton;
	struct tap tap;
	struct bpf_link *links[LINKS_MAX];
	size_t link_count;
	pthread_t closers[LINKS_MAX]; /* threads that close the links; by is_closing */
	uint8_t is_closing[LINKS_MAX];
	size_t closing_count;
	uint8_t submits_only[PROCESSES_MAX];
	struct table index; /* work and process -> slot + 1 */
	struct job *jobs;
	uint32_t job_room, free_slot; /* free_slot: slot + 1; 0 = none */
	enum ps_probe_state state;
	char reason[RUNTIME_REASON];
	uint64_t lost_told, failed;
	struct governor governor;
	uint64_t told_ns, attached_ns;
	uint32_t drained;
	int cpus;
};

__attribute__((format(printf, 3, 4))) static void set_state(struct runtime_jobs *jobs, enum ps_probe_state state,
							    const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(jobs->reason, sizeof(jobs->reason), format, arguments);
	va_end(arguments);
	jobs->state = state;
}

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
static void forget_all(struct runtime_jobs *jobs)
{
	table_free(&jobs->index);
	free(jobs->jobs);
	jobs->index = (struct table){ 0 };
	jobs->jobs = NULL;
	jobs->job_room = jobs->free_slot = 0;
}

static struct job *add_job(struct runtime_jobs *jobs, size_t process, uint64_t work)
{
	if (!jobs->free_slot && widen(jobs) == -E2BIG) {
		forget_all(jobs);
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

static int take_raw(void *arg, void *data, size_t bytes)
{
	static void (*const handlers[])(struct runtime_jobs *, const struct ps_pool_raw *, size_t) = {
		[PS_POOL_SUBMIT] = on_submit,
		[PS_POOL_START] = on_start,
		[PS_POOL_FINISH] = on_finish,
		[PS_POOL_DELIVER] = on_deliver,
	};
	struct runtime_jobs *jobs = arg;
	struct ps_pool_raw raw;
	size_t process = 0;
	if (bytes < offsetof(struct ps_pool_raw, text))
		return 0;
	memset(&raw, 0, sizeof(raw));
	memcpy(&raw, data, bytes < sizeof(raw) ? bytes : sizeof(raw));
	raw.text[sizeof(raw.text) - 1] = '\0';
	while (process < jobs->process_count && (uint32_t)jobs->processes[process].pid != raw.tgid)
		process++;
	if (process < jobs->process_count && raw.what < sizeof(handlers) / sizeof(*handlers))
		handlers[raw.what](jobs, &raw, process);
	return ++jobs->drained < DRAIN_MAX ? 0 : -EAGAIN;
}

/* ---- attaching ---- */

static struct bpf_program *program_of(const struct pool *skeleton, const struct runtime_probe *probe)
{
	switch (probe->what) {
	case PS_POOL_SUBMIT:
		return probe->job == PS_POOL_USER ? skeleton->progs.on_queue_work : skeleton->progs.on_work_submit;
	case PS_POOL_START:
		return skeleton->progs.on_start;
	case PS_POOL_FINISH:
		return skeleton->progs.on_async_send;
	default:
		return skeleton->progs.on_done;
	}
}

static int load(struct runtime_jobs *jobs)
{
	struct pool *skeleton = pool__open();
	if (!skeleton)
		return -errno;
	jobs->skeleton = skeleton;
	skeleton->rodata->cfg_fs_work = libuv_layout.fs_work;
	skeleton->rodata->cfg_fs_type = libuv_layout.fs_type;
	skeleton->rodata->cfg_fs_path = libuv_layout.fs_path;
	skeleton->rodata->cfg_fs_file = libuv_layout.fs_file;
	skeleton->rodata->cfg_addrinfo_work = libuv_layout.getaddrinfo_work;
	skeleton->rodata->cfg_addrinfo_host = libuv_layout.getaddrinfo_host;
	skeleton->rodata->cfg_work_loop = libuv_layout.work_loop;
	skeleton->rodata->cfg_loop_async = libuv_layout.loop_wq_async;
	skeleton->rodata->cfg_job_work = libuv_layout.job_work;
	skeleton->rodata->cfg_job_cb = libuv_layout.job_cb;
	skeleton->rodata->cfg_job_bytes = libuv_layout.job_bytes;
	skeleton->rodata->cfg_callback[PS_POOL_FS] = (int32_t)(libuv_layout.fs_cb - libuv_layout.fs_work);
	skeleton->rodata->cfg_callback[PS_POOL_ADDRINFO] =
		(int32_t)(libuv_layout.getaddrinfo_cb - libuv_layout.getaddrinfo_work);
	skeleton->rodata->cfg_callback[PS_POOL_NAMEINFO] =
		(int32_t)(libuv_layout.getnameinfo_cb - libuv_layout.getnameinfo_work);
	int err = pool__load(skeleton);
	if (err)
		return err;
	err = tap_open(&jobs->tap, bpf_map__fd(skeleton->maps.ring), take_raw, jobs);
	if (err)
		return err;
	governor_open(&jobs->governor, skeleton->obj, BUDGET_NS, GOVERNOR_UPROBE_NS);
	return 0;
}

static void *destroy_link(void *link)
{
	bpf_link__destroy(link);
	return NULL;
}

/*
 * The kernel takes a breakpoint out at once, then waits until no CPU can be in its handler: a tenth of a second and more
 * on a busy machine. One after the other, the last would cost the target for seconds; all at once they wait together,
 * and here nobody waits for them.
 */
static void detach(struct runtime_jobs *jobs)
{
	for (size_t i = 0; i < jobs->link_count; i++) {
		jobs->is_closing[i] = !pthread_create(&jobs->closers[i], NULL, destroy_link, jobs->links[i]);
		if (!jobs->is_closing[i])
			bpf_link__destroy(jobs->links[i]);
	}
	jobs->closing_count = jobs->link_count;
	jobs->link_count = 0;
}

static void wait_detached(struct runtime_jobs *jobs)
{
	for (size_t i = 0; i < jobs->closing_count; i++)
		if (jobs->is_closing[i])
			pthread_join(jobs->closers[i], NULL);
	jobs->closing_count = 0;
}

/* 0: at least one probe; sees_all: a job can be followed from submit to end. */
static int attach_process(struct runtime_jobs *jobs, size_t at, const char **why)
{
	struct runtime_process *process = &jobs->processes[at];
	struct runtime_probe probes[RUNTIME_PROBES];
	unsigned seen = 0;
	const char *path;
	*why = process->runtime->hidden;
	if (!process->runtime->probes || !process->state)
		return -ENOENT;
	size_t count = process->runtime->probes(process->state, probes, &path, why);
	int err = count ? 0 : -ENOENT;
	for (size_t i = 0; i < count && jobs->link_count < LINKS_MAX; i++) {
		LIBBPF_OPTS(bpf_uprobe_opts, options, .bpf_cookie = probes[i].job);
		struct bpf_link *link = bpf_program__attach_uprobe_opts(program_of(jobs->skeleton, &probes[i]),
									process->pid, path, probes[i].offset, &options);
		if (!link) {
			err = -errno;
			continue;
		}
		jobs->links[jobs->link_count++] = link;
		seen |= 1u << probes[i].what;
	}
	jobs->submits_only[at] = !(seen >> PS_POOL_START & 1);
	if (!seen && err)
		*why = "its functions cannot be probed";
	return seen ? 0 : err;
}

static void attach_all(struct runtime_jobs *jobs, size_t from)
{
	const char *why = "", *refused = "";
	size_t attached = 0, partly = 0, decoded = 0;
	char version[16] = "", module[64] = "";
	/* the first of them costs while the others are being attached */
	if (!jobs->link_count) {
		jobs->attached_ns = stream_now();
		governor_hasten(&jobs->governor, jobs->attached_ns);
	}
	for (size_t i = from; i < jobs->process_count && i < PROCESSES_MAX; i++) {
		if (attach_process(jobs, i, &why)) {
			refused = why;
			continue;
		}
		attached++;
		partly += jobs->submits_only[i];
		decoded += jobs->processes[i].image.stripped != 0;
		libuv_version_text(jobs->processes[i].image.version, version);
		snprintf(module, sizeof(module), "%s", jobs->processes[i].image.module);
	}
	if (!attached && jobs->link_count)
		return; /* what was attached before still tells */
	if (!attached)
		set_state(jobs, PS_PROBE_STATE_OFF, "%s", refused);
	else if (partly)
		set_state(jobs, PS_PROBE_STATE_FALLBACK,
			  "%.40s (libuv %s) is stripped: submits of uv_queue_work are counted; waits, run times and fs "
			  "and dns jobs have no names in it",
			  module, *version ? version : "?");
	else
		set_state(jobs, PS_PROBE_STATE_ON, "jobs at %zu functions of libuv %s in %.40s%s", jobs->link_count,
			  version, module, decoded ? ", which is stripped: found by its code" : "");
}

static void read_counts(struct runtime_jobs *jobs, struct ps_pool_counts *total)
{
	struct ps_pool_counts counts[jobs->cpus > 0 ? jobs->cpus : 1];
	const uint32_t zero = 0;
	memset(total, 0, sizeof(*total));
	if (!jobs->skeleton || bpf_map_lookup_elem(bpf_map__fd(jobs->skeleton->maps.counts), &zero, counts))
		return;
	for (int i = 0; i < jobs->cpus; i++) {
		total->sent += counts[i].sent;
		total->lost += counts[i].lost;
		total->hits += counts[i].hits;
	}
}

static void keep_budget(struct runtime_jobs *jobs)
{
	struct ps_pool_counts counts;
	if (!jobs->link_count)
		return;
	read_counts(jobs, &counts);
	uint64_t now = stream_now();
	if (!governor_drain(&jobs->governor, now, counts.hits))
		return;
	governor_close(&jobs->governor);
	detach(jobs);
	set_state(jobs, PS_PROBE_STATE_DETACHED, "%.120s; jobs are those of the %.1f s until then", jobs->governor.why,
		  (double)(now - jobs->attached_ns) / 1e9);
}

void runtime_jobs_drain(struct runtime_jobs *jobs)
{
	if (!jobs->tap.ring)
		return;
	jobs->drained = 0;
	tap_consume(&jobs->tap);
	keep_budget(jobs);
}

void runtime_jobs_relieve(struct runtime_jobs *jobs)
{
	tap_relieve(&jobs->tap);
}

/*
 * At once, not at the first drain: until then others open and read what they need, which takes long enough to hurt a
 * target that is busy with its pool. A calm one is looked at for a hundredth of a second.
 */
static void look(struct runtime_jobs *jobs)
{
	const struct timespec moment = { .tv_nsec = LOOK_NS };
	struct ps_pool_counts before, counts;
	read_counts(jobs, &before);
	for (unsigned i = 0; i < LOOKS && jobs->link_count; i++) {
		nanosleep(&moment, NULL);
		read_counts(jobs, &counts);
		if ((counts.hits - before.hits) * GOVERNOR_UPROBE_NS <
		    (i + 1) * (LOOK_NS / (1000000000ull / BUDGET_NS)))
			return;
		runtime_jobs_drain(jobs);
	}
}

/* Probes for the processes from there on; the programs are loaded with the first that wants them. */
static void open_probes(struct runtime_jobs *jobs, size_t from)
{
	const struct attach_options *options = jobs->context.options;
	const struct runtime_process *processes = jobs->processes;
	int wanted = 0;
	for (size_t i = from; i < jobs->process_count; i++)
		wanted |= processes[i].runtime->probes && processes[i].state;
	if (options->no_bpf || options->without >> PS_PROBE_RUNTIME & 1) {
		set_state(jobs, PS_PROBE_STATE_OFF,
			  options->no_bpf ? "switched off by --no-bpf" : "switched off by --without");
	} else if (!wanted && !jobs->skeleton) {
		set_state(jobs, PS_PROBE_STATE_OFF, "%s",
			  jobs->process_count
				  ? processes[0].runtime->hidden ? processes[0].runtime->hidden : processes[0].why
				  : "");
	} else if (wanted && jobs->state != PS_PROBE_STATE_DETACHED) {
		libbpf_set_print(NULL);
		int err = jobs->skeleton ? 0 : load(jobs);
		if (err)
			set_state(jobs, PS_PROBE_STATE_MISSING,
				  err == -EPERM ? "probes need root" : "the kernel refuses the probes: %s",
				  strerror(-err));
		else
			attach_all(jobs, from);
		look(jobs);
	}
	if (!jobs->link_count && jobs->skeleton && jobs->state != PS_PROBE_STATE_DETACHED) {
		governor_close(&jobs->governor);
		tap_close(&jobs->tap);
		pool__destroy(jobs->skeleton);
		jobs->skeleton = NULL;
	}
}

int runtime_jobs_open(struct runtime_jobs **out, const struct source_context *context,
		      struct runtime_process *processes, size_t count)
{
	struct runtime_jobs *jobs = calloc(1, sizeof(*jobs));
	*out = jobs;
	if (!jobs)
		return -ENOMEM;
	jobs->context = *context;
	jobs->processes = processes;
	jobs->process_count = count;
	jobs->cpus = libbpf_num_possible_cpus();
	open_probes(jobs, 0);
	runtime_jobs_tell(jobs, stream_now());
	return 0;
}

int runtime_jobs_adopt(struct runtime_jobs *jobs, const struct source_context *context, size_t count)
{
	size_t before = jobs->process_count;
	jobs->context = *context;
	jobs->process_count = count;
	open_probes(jobs, before);
	return 0;
}

void runtime_jobs_tell(struct runtime_jobs *jobs, uint64_t now_ns)
{
	struct ps_pool_counts counts;
	if (jobs->told_ns && now_ns - jobs->told_ns < TELL_NS)
		return;
	read_counts(jobs, &counts);
	if (counts.lost > jobs->lost_told &&
	    !stream_lost(jobs->context.stream, PS_LOST_BPF, counts.lost - jobs->lost_told))
		jobs->lost_told = counts.lost;
	if (jobs->failed && !stream_lost(jobs->context.stream, PS_LOST_TOOL, jobs->failed))
		jobs->failed = 0;
	jobs->told_ns = now_ns;
	if (jobs->skeleton)
		stream_probe_governed(jobs->context.stream, PS_PROBE_RUNTIME, jobs->state, jobs->reason, counts.hits,
				      jobs->governor.cost_ns, BUDGET_NS);
	else
		stream_probe(jobs->context.stream, PS_PROBE_RUNTIME, jobs->state, jobs->reason, PS_UNKNOWN, PS_UNKNOWN);
}

void runtime_jobs_close(struct runtime_jobs *jobs)
{
	if (!jobs)
		return;
	runtime_jobs_drain(jobs);
	runtime_jobs_tell(jobs, stream_now() + TELL_NS);
	wait_detached(jobs);
	detach(jobs);
	wait_detached(jobs);
	if (jobs->skeleton)
		governor_close(&jobs->governor);
	tap_close(&jobs->tap);
	pool__destroy(jobs->skeleton);
	forget_all(jobs);
	free(jobs);
}

static size_t process_index(const struct runtime_jobs *jobs, pid_t pid)
{
	size_t i = 0;
	while (i < jobs->process_count && jobs->processes[i].pid != pid)
		i++;
	return i;
}

int runtime_jobs_any(const struct runtime_jobs *jobs)
{
	return jobs->link_count > 0;
}

int runtime_jobs_submits_only(const struct runtime_jobs *jobs, pid_t pid)
{
	size_t at = process_index(jobs, pid);
	return jobs->skeleton && at < PROCESSES_MAX && jobs->submits_only[at];
}

uint64_t runtime_jobs_oldest(const struct runtime_jobs *jobs, pid_t pid)
{
	size_t at = process_index(jobs, pid);
	uint64_t oldest = 0;
	if (!jobs->link_count || at >= PROCESSES_MAX || jobs->submits_only[at])
		return PS_UNKNOWN;
	for (uint32_t i = 0; i < jobs->job_room; i++) {
		const struct job *job = &jobs->jobs[i];
		if (job->process == at && job->submitted_ns && !job->started_ns &&
		    (!oldest || job->submitted_ns < oldest))
			oldest = job->submitted_ns;
	}
	return oldest;
}

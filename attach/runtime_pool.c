/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Jobs of thread pools, seen by probes at the entries of the pool's functions.
 *
 * Owns the BPF object, its links and its ring; what comes out of the ring goes to
 * the table of jobs (runtime_work.c).
 *
 * Each probe costs the target a microsecond per hit. The cost is measured by a
 * governor, and when it is above the budget the probes are taken back, with the
 * reason.
 */
#include "runtime_pool.h"

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

#include "pid_space.h"
#include "pool.skel.h"

#define BUDGET_NS 50000000ull /* of CPU time per second, of all threads that are probed together */
#define TELL_NS 1000000000ull
#define LOOK_NS 10000000ull
#define LOOKS 25u

__attribute__((format(printf, 3, 4))) static void set_state(struct runtime_jobs *jobs, enum ps_probe_state state,
							    const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(jobs->reason, sizeof(jobs->reason), format, arguments);
	va_end(arguments);
	jobs->state = state;
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
	PID_SPACE_SET(skeleton);
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
	err = tap_open(&jobs->tap, bpf_map__fd(skeleton->maps.ring), runtime_jobs_take, jobs);
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
	if (jobs->context.processes[at].is_replaced || !process->runtime->probes || !process->state)
		return -ENOENT;
	size_t count = process->runtime->probes(process->state, probes, &path, why);
	int err = count ? 0 : -ENOENT;
	for (size_t i = 0; i < count && jobs->link_count < RUNTIME_LINKS; i++) {
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

static void attach_all(struct runtime_jobs *jobs, size_t from)
{
	const char *why = "", *refused = "";
	size_t attached = 0, partly = 0, decoded = 0;
	char version[16] = "", module[64] = "";
	struct ps_pool_counts before;
	/* the first of them costs while the others are being attached */
	if (!jobs->link_count) {
		read_counts(jobs, &before);
		jobs->attached_ns = stream_now();
		governor_hasten(&jobs->governor, jobs->attached_ns, before.hits);
	}
	for (size_t i = from; i < jobs->process_count && i < RUNTIME_PROBED; i++) {
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
				  ? processes[0].state && !processes[0].runtime->probes
					    ? "no pool of threads whose jobs can be seen is known of this runtime"
				    : processes[0].runtime->hidden ? processes[0].runtime->hidden
								   : processes[0].why
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
	size_t before = jobs->process_count, replaced = jobs->replaced;
	jobs->context = *context;
	jobs->process_count = count;
	jobs->replaced = source_replaced(context);
	/* a probe stays with a process that becomes another program: in the same file it would tell everything twice */
	if (jobs->replaced != replaced) {
		wait_detached(jobs);
		detach(jobs);
		before = 0;
	}
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
	runtime_jobs_forget(jobs);
	free(jobs);
}

int runtime_jobs_any(const struct runtime_jobs *jobs)
{
	return jobs->link_count > 0;
}

int runtime_jobs_submits_only(const struct runtime_jobs *jobs, pid_t pid)
{
	size_t at = runtime_jobs_process(jobs, pid);
	return jobs->skeleton && at < RUNTIME_PROBED && jobs->submits_only[at];
}

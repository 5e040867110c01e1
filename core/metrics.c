/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A family is a row: what it is called and how it is read from a loop, a pool
 * or the whole. Loops and pools are grouped by their labels first; a group's
 * value is the sum over its members. What no member measured is left out, so a
 * missing probe is a missing series and not a 0.
 */
#include "metrics.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "findings.h"
#include "schema.h"

const uint64_t metrics_bounds_ns[METRICS_BOUNDS] = {
	100000,	  250000,    500000,	1000000,   2500000,    5000000,	   10000000,   25000000,
	50000000, 100000000, 250000000, 500000000, 1000000000, 2500000000, 5000000000, 10000000000,
};

enum type { COUNTER, GAUGE, HISTOGRAM };
static const char *const type_names[] = { "counter", "gauge", "histogram" };

struct printer {
	FILE *out;
	const struct model *model;
	enum metrics_format format;
	uint64_t timestamp_ns;
	const char *version;
	const char *name, *suffix;
};

struct group {
	const char *process, *thread;
	const struct loop **loops;
	size_t count;
};

/* ---- lines ---- */

static void put_label(FILE *out, char before, const char *name, const char *value)
{
	fprintf(out, "%c%s=\"", before, name);
	for (; *value; value++) {
		if (*value == '"' || *value == '\\')
			putc('\\', out);
		if (*value == '\n')
			fputs("\\n", out);
		else
			putc(*value, out);
	}
	putc('"', out);
}

struct labels {
	const char *names[3], *values[3];
	size_t count;
};

static void put_sample(const struct printer *printer, const char *part, const struct labels *labels, const char *le,
		       double value)
{
	FILE *out = printer->out;
	fprintf(out, "%s%s", printer->name, part);
	char before = '{';
	for (size_t i = 0; i < labels->count; i++, before = ',')
		put_label(out, before, labels->names[i], labels->values[i]);
	if (le) {
		put_label(out, before, "le", le);
		before = ',';
	}
	fprintf(out, "%s %.15g", before == ',' ? "}" : "", value);
	if (printer->timestamp_ns && printer->format == METRICS_OPENMETRICS)
		fprintf(out, " %llu.%09llu", (unsigned long long)(printer->timestamp_ns / 1000000000),
			(unsigned long long)(printer->timestamp_ns % 1000000000));
	else if (printer->timestamp_ns)
		fprintf(out, " %llu", (unsigned long long)(printer->timestamp_ns / 1000000));
	putc('\n', out);
}

/* Values whose whole bucket lies at or below the bound: never more than there are. */
static uint64_t count_up_to(const struct hist *hist, uint64_t bound_ns, unsigned *bucket)
{
	uint64_t count = 0;
	for (; *bucket + 1 < HIST_BUCKETS && hist_bucket_low(*bucket + 1) - 1 <= bound_ns; ++*bucket)
		count += hist->buckets[*bucket];
	return count;
}

static void put_hist(const struct printer *printer, const struct labels *labels, const struct hist *hist)
{
	char le[32];
	unsigned bucket = 0;
	uint64_t count = 0;
	for (size_t i = 0; i < METRICS_BOUNDS; i++) {
		count += count_up_to(hist, metrics_bounds_ns[i], &bucket);
		snprintf(le, sizeof(le),
			 printer->format == METRICS_OPENMETRICS && metrics_bounds_ns[i] % 1000000000 == 0 ? "%.1f"
													  : "%.6g",
			 1e-9 * (double)metrics_bounds_ns[i]);
		put_sample(printer, "_bucket", labels, le, (double)count);
	}
	put_sample(printer, "_bucket", labels, "+Inf", (double)hist->count);
	put_sample(printer, "_sum", labels, NULL, 1e-9 * (double)hist->sum);
	put_sample(printer, "_count", labels, NULL, (double)hist->count);
}

/* ---- groups ---- */

static const char *process_label(const struct process *process)
{
	return process && process->comm[0] ? process->comm : "unknown";
}

static struct group *find_group(struct group *groups, size_t *count, const char *process, const char *thread)
{
	for (size_t i = 0; i < *count; i++)
		if (!strcmp(groups[i].process, process) && !strcmp(groups[i].thread, thread))
			return &groups[i];
	if (*count + 1 >= METRICS_GROUPS && (strcmp(process, "other") || strcmp(thread, "other")))
		return find_group(groups, count, "other", "other");
	groups[*count] = (struct group){ process, thread, NULL, 0 };
	return &groups[(*count)++];
}

static int group_loops(const struct model *model, struct group *groups, size_t *count)
{
	for (size_t i = 0; i < model->loop_count; i++) {
		const struct loop *loop = model->loops[i];
		const struct thread *thread = model_thread(model, loop->tid);
		struct group *group = find_group(groups, count, process_label(loop->process),
						 thread && thread->name[0] ? thread->name : "unknown");
		const struct loop **loops = realloc(group->loops, (group->count + 1) * sizeof(struct loop *));
		if (!loops)
			return -ENOMEM;
		group->loops = loops;
		group->loops[group->count++] = loop;
	}
	return 0;
}

/* ---- families of loops ---- */

static double seconds(uint64_t ns)
{
	return ns == PS_UNKNOWN ? -1 : 1e-9 * (double)ns;
}

static double known(uint64_t value)
{
	return value == PS_UNKNOWN ? -1 : (double)value;
}

/* What one of the threads that take turns on a poller does between its waits says nothing of a loop. */
static double own_time(const struct loop *loop, uint64_t ns)
{
	return loop_in_turns(loop) || !loop_was_seen(loop) ? -1 : seconds(ns);
}

/* -1: not measured */
#define LOOP(name, expression)                                                                                         \
	static double loop_##name(const struct loop *loop)                                                             \
	{                                                                                                              \
		return expression;                                                                                     \
	}
LOOP(one, loop->state != LOOP_GONE)
LOOP(busy, own_time(loop, loop->busy_ns))
LOOP(wait, loop_was_seen(loop) ? seconds(loop->wait_ns) : -1)
LOOP(runnable, own_time(loop, loop->runnable_ns))
LOOP(blocked, own_time(loop, loop->blocked_ns))
LOOP(polls, loop_was_seen(loop) ? (double)loop->polls : -1)
LOOP(iterations, loop_was_seen(loop) ? (double)loop->iterations : -1)
LOOP(ready, loop_was_seen(loop) ? (double)loop->ready : -1)
LOOP(gc, loop->gc_count ? seconds(loop->gc_ns) : -1)
LOOP(timers_armed, known(loop->timers_armed))
LOOP(handles, known(loop->handles))
#define LOOP_HIST(name, member)                                                                                        \
	static const struct hist *hist_##name(const struct loop *loop)                                                 \
	{                                                                                                              \
		return &loop->member;                                                                                  \
	}
static const struct hist *hist_iteration(const struct loop *loop)
{
	static const struct hist none;
	return loop_in_turns(loop) ? &none : &loop->iteration;
}
LOOP_HIST(poll_wait, poll_wait)
LOOP_HIST(lag, lag)
LOOP_HIST(stall, stall)
LOOP_HIST(late, timer_late)

static const struct loop_family {
	const char *name, *help;
	enum type type;
	double (*value)(const struct loop *loop);
	const struct hist *(*hist)(const struct loop *loop);
	int always; /* a histogram that is shown while it is empty */
} loop_families[] = {
	{ "pollscope_loops", "Event loops that are watched.", GAUGE, loop_one, NULL, 0 },
	{ "pollscope_loop_busy_seconds", "Time in which loops did not wait.", COUNTER, loop_busy, NULL, 0 },
	{ "pollscope_loop_wait_seconds", "Time in which loops waited for events.", COUNTER, loop_wait, NULL, 0 },
	{ "pollscope_loop_runnable_seconds", "Busy time in which the thread was ready and had no CPU.", COUNTER,
	  loop_runnable, NULL, 0 },
	{ "pollscope_loop_blocked_seconds", "Busy time in which the thread slept outside its poller.", COUNTER,
	  loop_blocked, NULL, 0 },
	{ "pollscope_loop_gc_seconds", "Garbage collection on the loop's thread.", COUNTER, loop_gc, NULL, 0 },
	{ "pollscope_loop_polls", "Waits for events.", COUNTER, loop_polls, NULL, 0 },
	{ "pollscope_loop_iterations", "Turns of the loop.", COUNTER, loop_iterations, NULL, 0 },
	{ "pollscope_loop_ready_events", "Events that the waits returned.", COUNTER, loop_ready, NULL, 0 },
	{ "pollscope_loop_timers_armed", "Timers that are set.", GAUGE, loop_timers_armed, NULL, 0 },
	{ "pollscope_loop_handles", "Handles that are open.", GAUGE, loop_handles, NULL, 0 },
	{ "pollscope_loop_iteration_seconds", "Busy part of a turn.", HISTOGRAM, NULL, hist_iteration, 1 },
	{ "pollscope_loop_poll_wait_seconds", "Length of a wait.", HISTOGRAM, NULL, hist_poll_wait, 1 },
	{ "pollscope_loop_stall_seconds", "Length of stalls: busy slices at least as long as the threshold.", HISTOGRAM,
	  NULL, hist_stall, 1 },
	{ "pollscope_loop_lag_seconds", "From ready to the begin of its callback.", HISTOGRAM, NULL, hist_lag, 0 },
	{ "pollscope_loop_timer_late_seconds", "How late timers fired.", HISTOGRAM, NULL, hist_late, 0 },
};

/* ---- families of pools: by process and kind of job ---- */

static const struct pool_family {
	const char *name, *help;
	enum type type;
	size_t offset; /* in struct pool, or in struct pool_kind */
	int by_kind;
} pool_families[] = {
#define POOL(member) offsetof(struct pool, member), 0
#define KIND(member) offsetof(struct pool_kind, member), 1
	{ "pollscope_pool_threads", "Threads of the pool.", GAUGE, POOL(threads) },
	{ "pollscope_pool_busy_threads", "Threads of the pool that work.", GAUGE, POOL(busy) },
	{ "pollscope_pool_queued_jobs", "Jobs that wait for a thread.", GAUGE, POOL(queued) },
	{ "pollscope_pool_submitted_jobs", "Jobs given to the pool.", COUNTER, KIND(submitted) },
	{ "pollscope_pool_finished_jobs", "Jobs done by the pool.", COUNTER, KIND(finished) },
	{ "pollscope_pool_wait_seconds", "From submitted to begun.", HISTOGRAM, KIND(wait) },
	{ "pollscope_pool_run_seconds", "From begun to done.", HISTOGRAM, KIND(run) },
};

/* ---- printing ---- */

static void put_head(struct printer *printer, const char *name, enum type type, const char *help)
{
	int total = type == COUNTER;
	const char *text_suffix = total && printer->format == METRICS_TEXT ? "_total" : "";
	printer->name = name;
	printer->suffix = total ? "_total" : "";
	fprintf(printer->out, "# TYPE %s%s %s\n# HELP %s%s %s\n", name, text_suffix, type_names[type], name,
		text_suffix, help);
}

static struct labels labels_of(const struct group *group)
{
	return (struct labels){ { "process", "thread" }, { group->process, group->thread }, 2 };
}

static void put_loop_value(struct printer *printer, const struct loop_family *family, const struct group *group)
{
	struct labels labels = labels_of(group);
	double sum = -1;
	for (size_t i = 0; i < group->count; i++) {
		double value = family->value(group->loops[i]);
		if (value >= 0)
			sum = (sum < 0 ? 0 : sum) + value;
	}
	if (sum >= 0)
		put_sample(printer, printer->suffix, &labels, NULL, sum);
}

static void put_loop_hist(struct printer *printer, const struct loop_family *family, const struct group *group)
{
	struct labels labels = labels_of(group);
	struct hist sum = { 0 };
	int seen = 0;
	for (size_t i = 0; i < group->count; i++) {
		seen |= loop_was_seen(group->loops[i]);
		hist_merge(&sum, family->hist(group->loops[i]));
	}
	if (sum.count || (family->always && seen))
		put_hist(printer, &labels, &sum);
}

static void put_loops(struct printer *printer, const struct group *groups, size_t count)
{
	for (size_t at = 0; at < sizeof(loop_families) / sizeof(loop_families[0]); at++) {
		const struct loop_family *family = &loop_families[at];
		put_head(printer, family->name, family->type, family->help);
		for (size_t i = 0; i < count; i++)
			(family->hist ? put_loop_hist : put_loop_value)(printer, family, &groups[i]);
	}
}

/* Sum over the pools of processes that are called so; by_kind at kind. */
static void put_pool(struct printer *printer, const struct pool_family *family, const char *process, unsigned kind)
{
	struct labels labels = { { "process", "kind" }, { process, work_kind_name(kind) }, family->by_kind ? 2 : 1 };
	struct hist hist = { 0 };
	uint64_t sum = PS_UNKNOWN;
	for (size_t i = 0; i < printer->model->pool_count; i++) {
		const struct pool *pool = printer->model->pools[i];
		const char *base = family->by_kind ? (const char *)&pool->kinds[kind] : (const char *)pool;
		if (strcmp(process_label(model_process(printer->model, pool->pid)), process))
			continue;
		if (family->type == HISTOGRAM) {
			hist_merge(&hist, (const struct hist *)(base + family->offset));
			continue;
		}
		uint64_t value = *(const uint64_t *)(base + family->offset);
		if (value != PS_UNKNOWN)
			sum = (sum == PS_UNKNOWN ? 0 : sum) + value;
	}
	if (family->type == HISTOGRAM && hist.count)
		put_hist(printer, &labels, &hist);
	else if (family->type != HISTOGRAM && sum != PS_UNKNOWN)
		put_sample(printer, printer->suffix, &labels, NULL, (double)sum);
}

/* Is this pool the first of its name? So each name is told once. */
static int is_first(const struct model *model, size_t at)
{
	const char *process = process_label(model_process(model, model->pools[at]->pid));
	for (size_t i = 0; i < at; i++)
		if (!strcmp(process_label(model_process(model, model->pools[i]->pid)), process))
			return 0;
	return 1;
}

static void put_pools(struct printer *printer)
{
	const struct model *model = printer->model;
	for (size_t at = 0; at < sizeof(pool_families) / sizeof(pool_families[0]); at++) {
		const struct pool_family *family = &pool_families[at];
		put_head(printer, family->name, family->type, family->help);
		for (size_t i = 0, told = 0; i < model->pool_count && told < METRICS_GROUPS; i++) {
			if (!is_first(model, i))
				continue;
			told++;
			const char *process = process_label(model_process(model, model->pools[i]->pid));
			for (unsigned kind = 0; kind < (family->by_kind ? PS_WORK_KIND_COUNT : 1); kind++)
				put_pool(printer, family, process, kind);
		}
	}
}

/* ---- the whole ---- */

static void put_build(struct printer *printer)
{
	struct labels labels = { { "version" }, { printer->version }, 1 };
	put_head(printer, "pollscope_build_info", GAUGE, "The version of pollscope; always 1.");
	put_sample(printer, "", &labels, NULL, 1);
}

static void put_events(struct printer *printer)
{
	struct labels none = { .count = 0 };
	put_head(printer, "pollscope_events", COUNTER, "Events that were seen.");
	put_sample(printer, printer->suffix, &none, NULL, (double)printer->model->events);
}

static void put_lost(struct printer *printer)
{
	put_head(printer, "pollscope_events_lost", COUNTER,
		 "Events that were emitted and never arrived, by where they were lost.");
	for (unsigned source = 0; source < PS_LOST_SOURCE_COUNT; source++) {
		struct labels labels = { { "source" }, { lost_source_name(source) }, 1 };
		put_sample(printer, printer->suffix, &labels, NULL, (double)printer->model->lost[source]);
	}
}

static void put_own_cpu(struct printer *printer)
{
	struct labels none = { .count = 0 };
	put_head(printer, "pollscope_own_cpu_seconds", COUNTER, "CPU time of pollscope itself.");
	if (printer->model->own_cpu_ns != PS_UNKNOWN)
		put_sample(printer, printer->suffix, &none, NULL, seconds(printer->model->own_cpu_ns));
}

static void put_own_memory(struct printer *printer)
{
	struct labels none = { .count = 0 };
	put_head(printer, "pollscope_own_memory_bytes", GAUGE, "Memory of pollscope itself.");
	if (printer->model->own_rss_bytes != PS_UNKNOWN)
		put_sample(printer, "", &none, NULL, (double)printer->model->own_rss_bytes);
}

static void put_probes(struct printer *printer)
{
	put_head(printer, "pollscope_probe_up", GAUGE,
		 "1 when the group of probes works, 0 when it is wanted and missing.");
	for (unsigned group = 0; group < PS_PROBE_GROUP_COUNT; group++) {
		struct labels labels = { { "group" }, { probe_group_name(group) }, 1 };
		uint32_t state = printer->model->probes[group].state;
		if (state != PS_PROBE_STATE_OFF)
			put_sample(printer, "", &labels, NULL,
				   state == PS_PROBE_STATE_ON || state == PS_PROBE_STATE_FALLBACK);
	}
}

static void put_findings(struct printer *printer)
{
	static const char *const severities[] = { "note", "warn", "crit" };
	struct finding *found = calloc(METRICS_GROUPS, sizeof(*found));
	size_t count = found ? model_findings(printer->model, found, METRICS_GROUPS) : 0;
	count = count < METRICS_GROUPS ? count : METRICS_GROUPS;
	put_head(printer, "pollscope_findings", GAUGE, "Findings with evidence of the last minute.");
	for (size_t i = 0; i < count; i++) {
		double same = 0;
		int before = 0;
		for (size_t at = 0; at < count; at++) {
			int equal = !strcmp(found[at].id, found[i].id) && found[at].severity == found[i].severity;
			same += equal;
			before |= equal && at < i;
		}
		struct labels labels = { { "id", "severity" }, { found[i].id, severities[found[i].severity] }, 2 };
		if (!before)
			put_sample(printer, "", &labels, NULL, same);
	}
	free(found);
}

int metrics_print(const struct model *model, enum metrics_format format, uint64_t timestamp_ns, const char *version,
		  FILE *out)
{
	static void (*const whole[])(struct printer * printer) = {
		put_build, put_events, put_lost, put_own_cpu, put_own_memory, put_probes, put_findings, put_pools,
	};
	struct printer printer = {
		.out = out, .model = model, .format = format, .timestamp_ns = timestamp_ns, .version = version
	};
	struct group groups[METRICS_GROUPS + 1];
	size_t count = 0;
	int err = group_loops(model, groups, &count);
	for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]) && !err; i++)
		whole[i](&printer);
	if (!err)
		put_loops(&printer, groups, count);
	if (!err && format == METRICS_OPENMETRICS)
		fputs("# EOF\n", out);
	for (size_t i = 0; i < count; i++)
		free(groups[i].loops);
	return err ? err : ferror(out) ? errno ? -errno : -EIO : 0;
}

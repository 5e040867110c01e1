/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Metrics: their names in one table, and their values in a summary document.
 * A short name is a row with a path; a path may be written out, with an index
 * in place of the "*". Over several loops or pools the worst one counts, and
 * one that was not measured makes the metric unknown, never zero.
 */
#include "check_parts.h"

#include <stdlib.h>
#include <string.h>

#include "text.h"

#define HIST(name, path)                                                                                               \
	{ name ".p50", path ".p50" }, { name ".p90", path ".p90" }, { name ".p99", path ".p99" },                      \
	{ name ".max", path ".max" }, { name ".mean", path ".mean" }, { name ".count", path ".count" }
#define CPU_HIST(name, path)                                                                                           \
	{ name ".p50", path ".p50", .class = CLASS_CPU }, { name ".p90", path ".p90", .class = CLASS_CPU },            \
	{ name ".p99", path ".p99", .class = CLASS_CPU }, { name ".max", path ".max", .class = CLASS_CPU },            \
	{ name ".mean", path ".mean", .class = CLASS_CPU }, { name ".count", path ".count" }
#define OWN(quantile)                                                                                                  \
	{ "lag." quantile, "loops.*.lag_ns." quantile, .own = "lag_own." quantile }
#define SAME(path) { path, path }
#define SAME_HIST(path) HIST(path, path)
#define DRAIN(path)                                                                                                    \
	SAME(path ".drains"), SAME(path ".callbacks"), SAME(path ".total_ns"), SAME(path ".max_ns"),                   \
	SAME(path ".max_count"), SAME(path ".backlog")
#define KIND(kind)                                                                                                     \
	HIST("pool." kind ".wait", "pools.*.by_kind." kind ".wait_ns"),                                                \
	HIST("pool." kind ".run", "pools.*.by_kind." kind ".run_ns"),                                                  \
	SAME_HIST("pools.*.by_kind." kind ".wait_ns"), SAME_HIST("pools.*.by_kind." kind ".run_ns"),                   \
	SAME_HIST("pools.*.by_kind." kind ".delivery_ns"), SAME("pools.*.by_kind." kind ".submitted"),                 \
	SAME("pools.*.by_kind." kind ".finished"), SAME("pools.*.by_kind." kind ".queued")

const struct metric metrics[] = {
	{ "stall.count", "loops.*.stall_count", 1 },
	{ "stall.total", "loops.*.stall_total_ns", 1, .own = "stall.own_total" },
	{ "stall.max", "loops.*.stall_max_ns", .own = "stall.own_max" },
	{ "stall.own_total", "loops.*.stalls.*.own_ns", 1 },
	{ "stall.own_max", "loops.*.stalls.*.own_ns" },
	OWN("p50"), OWN("p90"), OWN("p99"), OWN("max"), OWN("mean"),
	{ "lag.count", "loops.*.lag_ns.count" },
	HIST("lag_own", "loops.*.lag_own_ns"),
	CPU_HIST("iteration_cpu", "loops.*.iteration_cpu_ns"),
	{ "cpu.total", "loops.*.on_cpu_ns", 1, CLASS_CPU },
	{ "cpu.per_iteration", "loops.*.on_cpu_ns", 1, CLASS_CPU, "loops.*.iterations" },
	{ "cpu.per_ready", "loops.*.on_cpu_ns", 1, CLASS_CPU, "loops.*.ready" },
	{ "cpu.per_unit", "loops.*.on_cpu_ns", 1, CLASS_CPU, "unit" },
	{ "iterations.per_ready", "loops.*.iterations", 1, CLASS_STRUCTURAL, "loops.*.ready" },
	{ "iterations.per_unit", "loops.*.iterations", 1, CLASS_STRUCTURAL, "unit" },
	{ "callbacks.per_ready", "loops.*.callbacks", 1, CLASS_STRUCTURAL, "loops.*.ready" },
	{ "callbacks.per_unit", "loops.*.callbacks", 1, CLASS_STRUCTURAL, "unit" },
	{ "callbacks", "loops.*.callbacks", 1, CLASS_STRUCTURAL },
	{ "fds.open", "loops.*.fds_open", 1, CLASS_STRUCTURAL },
	{ "timers.open", "loops.*.timers.armed", 1, CLASS_STRUCTURAL },
	{ "ticks.longest", "loops.*.ticks.max_count", .class = CLASS_STRUCTURAL },
	{ "new.sync_calls", "", .class = CLASS_NEW },
	{ "new.stalls", "", .class = CLASS_NEW },
	{ "new.rules", "", .class = CLASS_NEW },
	HIST("iteration", "loops.*.iteration_ns"),
	HIST("poll_wait", "loops.*.poll_wait_ns"),
	HIST("timer_late", "loops.*.timers.late_ns"),
	HIST("pool.wait", "pools.*.wait_ns"),
	HIST("pool.run", "pools.*.run_ns"),
	{ "pool.queued", "pools.*.max_queued" },
	{ "pool.saturated", "pools.*.saturated_ns", .class = CLASS_STRUCTURAL },
	{ "utilization", "loops.*.utilization" },
	{ "iterations", "loops.*.iterations" },
	{ "polls", "loops.*.polls" },
	{ "empty_polls", "loops.*.empty_polls" },
	{ "window", "window_ns" },
	SAME("events"), SAME("lost.total"), SAME("window_ns"), SAME("own_cost.cpu_ns"), SAME("own_cost.rss_bytes"),
	SAME("loops.*.iterations"), SAME("loops.*.polls"), SAME("loops.*.empty_polls"), SAME("loops.*.ready"),
	SAME("loops.*.busy_ns"), SAME("loops.*.wait_ns"), SAME("loops.*.utilization"), SAME("loops.*.on_cpu_ns"),
	SAME("loops.*.runnable_ns"), SAME("loops.*.blocked_ns"), SAME("loops.*.stall_count"),
	SAME("loops.*.stall_total_ns"), SAME("loops.*.stall_max_ns"), SAME("loops.*.callbacks"), SAME("loops.*.fds_open"),
	SAME_HIST("loops.*.lag_own_ns"), CPU_HIST("loops.*.iteration_cpu_ns", "loops.*.iteration_cpu_ns"),
	SAME_HIST("loops.*.iteration_ns"), SAME_HIST("loops.*.poll_wait_ns"), SAME_HIST("loops.*.lag_ns"),
	SAME_HIST("loops.*.timers.late_ns"), SAME("loops.*.timers.armed"), SAME("loops.*.timers.overdue"),
	SAME("loops.*.timers.fired"), DRAIN("loops.*.ticks"), DRAIN("loops.*.immediates"),
	SAME("pools.*.threads"), SAME("pools.*.busy"), SAME("pools.*.queued"), SAME("pools.*.max_queued"),
	SAME("pools.*.oldest_ns"), SAME("pools.*.saturated_ns"), SAME_HIST("pools.*.wait_ns"), SAME_HIST("pools.*.run_ns"),
	KIND("fs"), KIND("dns"), KIND("crypto"), KIND("user"), KIND("other"),
	{ NULL, NULL },
};

/* 1 when the name is the pattern with numbers in place of "*". */
static int fits(const char *pattern, const char *name)
{
	for (; *pattern; pattern++) {
		if (*pattern != '*') {
			if (*pattern != *name++)
				return 0;
			continue;
		}
		size_t digits = strspn(name, "0123456789");
		if (*name == '*')
			name++;
		else if (!digits || digits > 6)
			return 0;
		name += digits;
	}
	return !*name;
}

const struct metric *metric_find(const char *name)
{
	for (const struct metric *metric = metrics; metric->name; metric++)
		if (fits(metric->name, name))
			return metric;
	return NULL;
}

const char *metric_nearest(const char *name)
{
	static const char *names[sizeof(metrics) / sizeof(metrics[0])];
	for (size_t i = 0; metrics[i].name; i++)
		names[i] = metrics[i].name;
	return text_nearest(name, names);
}

int metric_is_duration(const struct metric *metric)
{
	const char *end = metric->path + strlen(metric->path);
	if (end - metric->path > 6 && !strcmp(end - 6, ".count"))
		return 0;
	return strstr(metric->path, "_ns") != NULL;
}

int metric_is_of_stalls(const struct metric *metric)
{
	return !strncmp(metric->name, "stall.", 6);
}

/* ---- values ---- */

static const char *string_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text ? text : "";
}

/* Why a path is null: its entry in not_measured, or that of what holds it. */
static void say_why(struct reading *reading, const json_t *document, const char *path)
{
	const json_t *reasons = json_object_get(document, "not_measured");
	char part[128];
	snprintf(part, sizeof(part), "%s", path);
	for (;;) {
		const char *reason = json_string_value(json_object_get(reasons, part));
		char *dot = strrchr(part, '.');
		if (reason || !dot) {
			snprintf(reading->why, sizeof(reading->why), "not measured: %.140s", reason ? reason : "the document does not have it");
			return;
		}
		*dot = '\0';
	}
}

static void take(struct reading *reading, const struct metric *metric, double value, int highest)
{
	if (!reading->known)
		reading->value = value;
	else if (metric->sums)
		reading->value += value;
	else if (highest ? value > reading->value : value < reading->value)
		reading->value = value;
	reading->known = 1;
}

/* What only starts the program under test: its own loop says nothing about that. */
static int is_launcher_name(const char *comm)
{
	static const char *const names[] = { "npm", "npx", "pnpm", "yarn" };
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		size_t length = strlen(names[i]);
		if (!strncmp(comm, names[i], length) && (!comm[length] || comm[length] == ' '))
			return 1;
	}
	return 0;
}

/* "npm test", "node /usr/bin/npm test" */
static int is_launcher_command(const char *cmdline)
{
	for (unsigned word = 0; word < 2 && *cmdline; word++) {
		size_t length = strcspn(cmdline, " ");
		char name[64];
		const char *base = cmdline;
		for (size_t i = 0; i < length; i++)
			base = cmdline[i] == '/' ? cmdline + i + 1 : base;
		snprintf(name, sizeof(name), "%.*s", (int)(cmdline + length - base), base);
		if (is_launcher_name(name))
			return 1;
		cmdline += length + (cmdline[length] == ' ');
	}
	return 0;
}

static int is_launcher(const json_t *document, json_int_t pid)
{
	const json_t *loop, *target = json_object_get(document, "target");
	size_t i;
	if (json_integer_value(json_object_get(target, "pid")) == pid && is_launcher_command(string_of(target, "cmdline")))
		return 1;
	json_array_foreach(json_object_get(document, "loops"), i, loop)
		if (json_integer_value(json_object_get(loop, "pid")) == pid && is_launcher_name(string_of(loop, "comm")))
			return 1;
	return 0;
}

int loop_counts(const json_t *document, const json_t *loop, const struct where *where)
{
	const json_t *loops = json_object_get(document, "loops"), *other;
	const char *target = string_of(json_object_get(document, "target"), "comm");
	json_int_t pid = json_integer_value(json_object_get(loop, "pid"));
	size_t i;
	if (where && *where->comm && strcmp(string_of(loop, "comm"), where->comm) && strcmp(target, where->comm))
		return 0;
	if (!is_launcher(document, pid))
		return 1;
	json_array_foreach(loops, i, other) /* unless nothing else was watched */
		if (!is_launcher(document, json_integer_value(json_object_get(other, "pid"))))
			return 0;
	return 1;
}

struct walk {
	const struct metric *row;
	const struct where *where;
	const json_t *document;
	int highest, unknown;
	struct reading *reading;
};

/* A loop that made no whole turn has nothing to measure; another one beside it has. */
static int is_idle(const json_t *loop)
{
	return json_is_null(json_object_get(loop, "iteration_ns"));
}

/* Walks the rest of `path` from `value`; `seen` is the path so far, with indexes. */
static void walk_path(struct walk *walk, const json_t *value, const char *path, const char *seen)
{
	char part[64], full[160];
	size_t length = strcspn(path, ".");
	if (!*path) {
		if (json_is_number(value)) {
			take(walk->reading, walk->row, json_number_value(value), walk->highest);
			return;
		}
		if (!walk->unknown++)
			say_why(walk->reading, walk->document, seen);
		return;
	}
	const char *rest = path[length] ? path + length + 1 : path + length;
	snprintf(part, sizeof(part), "%.*s", (int)(length < sizeof(part) ? length : sizeof(part) - 1), path);
	if (strcmp(part, "*")) {
		snprintf(full, sizeof(full), "%s%s%s", seen, *seen ? "." : "", part);
		int indexed = strspn(part, "0123456789") == strlen(part);
		walk_path(walk, indexed ? json_array_get(value, strtoul(part, NULL, 10)) : json_object_get(value, part), rest, full);
		return;
	}
	for (size_t i = 0; i < json_array_size(value); i++) {
		const json_t *item = json_array_get(value, i);
		if (is_idle(item) && json_array_size(value) > 1)
			continue;
		if (!strcmp(seen, "loops") && !loop_counts(walk->document, item, walk->where))
			continue;
		snprintf(full, sizeof(full), "%s.%zu", seen, i);
		walk_path(walk, item, rest, full);
	}
	if (!walk->reading->known && !walk->unknown++)
		say_why(walk->reading, walk->document, seen);
}

/* ---- stalls ---- */

static int is_unknown(const json_t *stall, const char *key)
{
	const char *text = string_of(stall, key);
	return !*text || !strcmp(text, "unknown") || !strncmp(text, "not known", 9);
}

/* 1: matches, 0: does not, -1: what the filter asks for was not measured of this stall */
static int matches(const struct where *where, const json_t *stall)
{
	const struct { const char *key, *wanted; } exact[] = {
		{ "rule", where->rule }, { "cause", where->cause }, { "phase", where->phase } };
	int unknown = 0;
	for (size_t i = 0; i < sizeof(exact) / sizeof(exact[0]); i++) {
		if (!*exact[i].wanted || !strcmp(string_of(stall, exact[i].key), exact[i].wanted))
			continue;
		if (!is_unknown(stall, exact[i].key))
			return 0;
		unknown = 1;
	}
	if (*where->culprit && !strstr(string_of(stall, "culprit"), where->culprit)) {
		if (!is_unknown(stall, "culprit"))
			return 0;
		unknown = 1;
	}
	return unknown ? -1 : 1;
}

static double number_of(const json_t *object, const char *key)
{
	return json_number_value(json_object_get(object, key));
}

/* A filter by the stalls themselves, not only by their loop. */
static int narrows(const struct where *where)
{
	return *where->rule || *where->cause || *where->phase || *where->culprit;
}

/* What is asked of the stalls that match: how many, how long together, how long the longest. */
struct stall_sum {
	double count, total, longest, own_total, own_longest;
	double kept, all;
	unsigned unknown;
	const json_t *worst;
};

static void sum_stall(struct stall_sum *sum, const json_t *stall)
{
	double ns = number_of(stall, "duration_ns"), own = stall_own_ns(stall);
	if (!sum->worst || ns > sum->longest)
		sum->worst = stall;
	sum->count++;
	sum->total += ns;
	sum->longest = ns > sum->longest ? ns : sum->longest;
	sum->own_total += own;
	sum->own_longest = own > sum->own_longest ? own : sum->own_longest;
}

static struct stall_sum sum_stalls(const struct budget *budget, const json_t *document)
{
	const json_t *loop, *stall, *loops = json_object_get(document, "loops");
	struct stall_sum sum = { 0 };
	size_t i, k;
	json_array_foreach(loops, i, loop) {
		const json_t *stalls = json_object_get(loop, "stalls");
		if (!loop_counts(document, loop, &budget->where))
			continue;
		sum.all += number_of(loop, "stall_count");
		sum.kept += (double)json_array_size(stalls);
		json_array_foreach(stalls, k, stall) {
			int match = matches(&budget->where, stall);
			if (narrows(&budget->where) && stall_is_end(loop, stall))
				continue; /* nobody waits for that loop any more */
			sum.unknown += match < 0;
			if (match > 0)
				sum_stall(&sum, stall);
		}
	}
	return sum;
}

static void read_stalls(struct reading *reading, const struct budget *budget, const struct metric *row, const json_t *document)
{
	struct stall_sum sum = sum_stalls(budget, document);
	const char *what = row->name + strlen("stall.");
	int is_count = !strcmp(what, "count");
	int whole = is_count && !narrows(&budget->where); /* the loops' own count knows of stalls that are no longer listed */
	const struct { const char *name; double value; } values[] = {
		{ "count", whole ? sum.all : sum.count }, { "total", sum.total }, { "max", sum.longest },
		{ "own_total", sum.own_total }, { "own_max", sum.own_longest } };
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		if (!strcmp(what, values[i].name))
			reading->value = values[i].value;
	reading->known = 1;
	reading->stall = sum.worst;
	if (sum.unknown) {
		reading->partial = 1;
		snprintf(reading->why, sizeof(reading->why), "%u stalls are not known well enough for this filter", sum.unknown);
	} else if (sum.kept < sum.all) {
		reading->partial = !whole;
		snprintf(reading->why, sizeof(reading->why), "only %.0f of %.0f stalls are listed", sum.kept, sum.all);
	}
}

/* ---- a metric ---- */

static struct reading read_path(const struct metric *row, const struct where *where, const char *path, const json_t *document,
				int highest)
{
	struct reading reading = { 0 };
	struct walk walk = { row, where, document, highest, 0, &reading };
	walk_path(&walk, document, path, "");
	if (walk.unknown && reading.known)
		reading.partial = 1;
	return reading;
}

/* By how much of what it is divided: iterations, ready descriptors, units of work. */
static struct reading read_divisor(const struct budget *budget, const json_t *document, double units)
{
	static const struct metric sum = { .name = "", .path = "", .sums = 1 };
	struct reading divisor = { .known = 1, .value = units };
	const struct metric *row = budget->row;
	if (strcmp(row->per, "unit")) {
		divisor = read_path(&sum, &budget->where, row->per, document, 1);
		if (divisor.known && divisor.value <= 0)
			snprintf(divisor.why, sizeof(divisor.why), "not measured: there was none of %s", strrchr(row->per, '.') + 1);
	} else if (units <= 0) {
		snprintf(divisor.why, sizeof(divisor.why), "not told: how many units of work did a run do? (--units N)");
	}
	divisor.known = divisor.known && divisor.value > 0;
	return divisor;
}

struct reading metric_read(const struct budget *budget, const json_t *document, int highest, double units)
{
	const struct metric *row = budget->row;
	struct reading reading = { 0 };
	int by_list = strstr(row->path, ".stalls.") != NULL;
	int stalls = metric_is_of_stalls(row);
	if (stalls)
		read_stalls(&reading, budget, row, document);
	if (stalls && (narrows(&budget->where) || by_list || !strcmp(row->name, "stall.count")))
		return reading;
	const json_t *worst = reading.stall;
	int is_short = strcmp(row->name, row->path) != 0;
	reading = read_path(row, &budget->where, is_short ? row->path : budget->metric, document, highest);
	reading.stall = worst;
	if (!row->per || !reading.known)
		return reading;
	struct reading divisor = read_divisor(budget, document, units);
	if (!divisor.known)
		return divisor;
	reading.value /= divisor.value;
	return reading;
}

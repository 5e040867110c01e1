/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Why two groups of runs cannot be compared: another machine, another tool,
 * other probes, another threshold, a target that left early. A number that is
 * compared across such a border says nothing about the program.
 */
#include "check_parts.h"

#include <stdlib.h>
#include <string.h>

#include "stats.h"
#include "text.h"

/* Each tells one trait of a document into `out`; "" = the document does not say. */
typedef void trait_fn(const json_t *document, char out[256]);

static void copy(char out[256], const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	snprintf(out, 256, "%s", text ? text : "");
}

static void tell_kernel(const json_t *document, char out[256])
{
	copy(out, json_object_get(document, "identity"), "kernel");
}

static void tell_cpu(const json_t *document, char out[256])
{
	copy(out, json_object_get(document, "identity"), "cpu");
	if (!*out)
		copy(out, json_object_get(document, "identity"), "arch");
}

static void tell_tool(const json_t *document, char out[256])
{
	copy(out, json_object_get(document, "identity"), "recorder");
}

static void tell_threshold(const json_t *document, char out[256])
{
	char ns[16];
	const json_t *threshold = json_object_get(document, "stall_threshold_ns");
	*out = 0;
	if (json_is_integer(threshold))
		snprintf(out, 256, "%s", text_duration(ns, (uint64_t)json_integer_value(threshold)));
}

/* A script is judged on the runtime that it was written for; a native program under test is another build each time. */
static void tell_runtime(const json_t *document, char out[256])
{
	const json_t *target = json_object_get(document, "target");
	const char *runtime = json_string_value(json_object_get(target, "runtime"));
	const char *version = json_string_value(json_object_get(target, "runtime_version"));
	const char *build = json_string_value(json_object_get(target, "build_id"));
	int is_script = runtime && (!strcmp(runtime, "node") || !strcmp(runtime, "python"));
	snprintf(out, 256, "%s", runtime ? runtime : "");
	if (is_script)
		snprintf(out, 256, "%s %s (build %.12s)", runtime, version ? version : "", build ? build : "unknown");
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/*
 * What stalls, their culprits and CPU time come from. Other groups may rest while the machine is busy; a metric that needs
 * one of them is then not measured, which is said where it is read.
 */
static int is_telling(const char *group)
{
	static const char *const groups[] = { "poll", "sched", "sampling", "ring" };
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		if (!strcmp(groups[i], group))
			return 1;
	return 0;
}

/* Those groups that work, in order: "poll~ sched"; "~" is the weaker way. */
static void tell_probes(const json_t *document, char out[256])
{
	const char *names[32] = { 0 };
	char words[32][40];
	const json_t *probe;
	size_t i, count = 0, length = 0;
	*out = 0;
	json_array_foreach(json_object_get(document, "probes"), i, probe) {
		const char *group = json_string_value(json_object_get(probe, "group"));
		const char *state = json_string_value(json_object_get(probe, "state"));
		int weak = state && !strcmp(state, "fallback");
		if (!group || !state || count == 32 || !is_telling(group) || (!weak && strcmp(state, "on")))
			continue;
		snprintf(words[count], sizeof(words[0]), "%.30s%s", group, weak ? "~" : "");
		names[count] = words[count];
		count++;
	}
	qsort(names, count, sizeof(*names), by_text);
	for (i = 0; i < count && length < 220; i++)
		length += (size_t)snprintf(out + length, 256 - length, "%s%s", i ? " " : "", names[i]);
}

static const struct trait {
	const char *what;
	trait_fn *tell;
	int exact;           /* also what is exact depends on it */
	int may_be_silent;   /* a document that does not say is no doubt */
} traits[] = {
	{ "set of probes", tell_probes, 1, 0 },
	{ "stall threshold", tell_threshold, 1, 0 },
	{ "kernel", tell_kernel, 0, 0 },
	{ "processor", tell_cpu, 0, 0 },
	{ "version of pollscope", tell_tool, 0, 0 },
	{ "runtime", tell_runtime, 0, 1 },
};

static const char *name_of(const struct check_runs *runs, size_t i)
{
	return runs->names && runs->names[i] ? runs->names[i] : "";
}

static const char *differ(const struct trait *trait, const struct check_runs *runs, const struct check_runs *baseline, char out[256])
{
	char first[256] = "", other[256];
	for (size_t i = 0; i < baseline->count + runs->count; i++) {
		int is_run = i >= baseline->count;
		size_t at = is_run ? i - baseline->count : i;
		trait->tell((is_run ? runs : baseline)->documents[at], other);
		const char *name = name_of(is_run ? runs : baseline, at);
		if (!*other && !trait->may_be_silent)
			snprintf(out, 256, "the %s of %.100s is not told: record it anew", trait->what, *name ? name : "a run");
		else if (*first && *other && strcmp(first, other))
			snprintf(out, 256, "another %s: %.70s, the baseline %.70s", trait->what, other, first);
		else {
			snprintf(first, sizeof(first), "%s", *first ? first : other);
			continue;
		}
		return out;
	}
	return NULL;
}

static double window_of(const json_t *document)
{
	return json_number_value(json_object_get(document, "window_ns"));
}

/*
 * Less than half as long as a run of the baseline, and the target was gone, nobody knows how: it did not do the same. One
 * that ended well did, however long it took on this machine.
 */
static const char *left_early(const struct check_runs *runs, const struct check_runs *baseline, char out[256])
{
	double *windows = malloc((baseline->count + 1) * sizeof(*windows));
	char is[16], was[16];
	if (!windows || !baseline->count) {
		free(windows);
		return NULL;
	}
	for (size_t i = 0; i < baseline->count; i++)
		windows[i] = window_of(baseline->documents[i]);
	double usual = stats_median(windows, baseline->count);
	free(windows);
	for (size_t i = 0; i < runs->count; i++) {
		const json_t *target = json_object_get(runs->documents[i], "target");
		double window = window_of(runs->documents[i]);
		if (!json_is_true(json_object_get(target, "exited")) || json_is_integer(json_object_get(target, "exit_status")) ||
		    window >= usual / 2)
			continue;
		snprintf(out, 256, "the target left early: watched for %s, in the baseline for %s", text_duration(is, (uint64_t)window),
			 text_duration(was, (uint64_t)usual));
		return out;
	}
	return NULL;
}

const char *identity_doubt(const struct check_runs *runs, const struct check_runs *baseline, int exact, char out[256])
{
	for (size_t i = 0; i < sizeof(traits) / sizeof(traits[0]); i++)
		if ((traits[i].exact || !exact) && differ(&traits[i], runs, baseline, out))
			return out;
	return left_early(runs, baseline, out);
}

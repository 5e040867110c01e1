/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The summary document, from a model: docs/summary.md has the shape.
 *
 * What is unknown is null and has an entry in not_measured under its path, with
 * the reason that the probe gave where one probe would have measured it.
 * Deterministic: keys in a fixed order, lists sorted by what they are about.
 */
#include "summary.h"

#include <stdlib.h>
#include <string.h>

#include "findings.h"
#include "schema.h"
#include "summary_parts.h"
#include "text.h"

/* ---- small things ---- */

json_t *summary_number(uint64_t value)
{
	return value == PS_UNKNOWN ? json_null() : json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value);
}

json_t *summary_hist(const struct hist *hist)
{
	if (!hist->count)
		return json_null();
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "p50", summary_number(hist_quantile(hist, 0.5)), "p90",
			 summary_number(hist_quantile(hist, 0.9)), "p99", summary_number(hist_quantile(hist, 0.99)), "max",
			 summary_number(hist->max), "mean", summary_number(hist->sum / hist->count), "count",
			 summary_number(hist->count));
}

json_t *summary_text(const char *text)
{
	return *text ? json_string(text) : json_null();
}

void summary_put(json_t *object, const char *key, json_t *value)
{
	json_object_set_new(object, key, value ? value : json_null());
}

/* ---- what was not measured, and why ---- */

static const char *probe_reason(const struct model *model, enum ps_probe_group group)
{
	static const char *const by_state[PS_PROBE_STATE_COUNT] = {
		[PS_PROBE_STATE_OFF] = "no probe in this stream measures it",
		[PS_PROBE_STATE_ON] = "the probe works, nothing was seen",
		[PS_PROBE_STATE_FALLBACK] = "the weaker way that is in use does not measure it",
		[PS_PROBE_STATE_MISSING] = "the probe is missing",
		[PS_PROBE_STATE_DETACHED] = "the probe was given up",
	};
	const struct probe *probe = &model->probes[group];
	if (*probe->reason && probe->state != PS_PROBE_STATE_ON)
		return probe->reason;
	return by_state[probe->state < PS_PROBE_STATE_COUNT ? probe->state : PS_PROBE_STATE_OFF];
}

void summary_missing(struct summary_run *run, const char *path, const char *key, enum ps_probe_group group)
{
	char full[160];
	snprintf(full, sizeof(full), "%s%s", path, key);
	json_object_set_new(run->not_measured, full, json_string(probe_reason(run->model, group)));
}

/* Puts the value; null goes to not_measured with the reason of the probe group. */
void summary_told(struct summary_run *run, json_t *object, const char *path, const char *key, json_t *value,
		  enum ps_probe_group group)
{
	if (!value || json_is_null(value))
		summary_missing(run, path, key, group);
	summary_put(object, key, value);
}

/* ---- the head ---- */

static const struct process *target_of(const struct model *model, uint32_t pid)
{
	const struct process *process = pid ? model_process(model, pid) : NULL;
	if (process)
		return process;
	for (size_t i = 0; i < model->process_count; i++)
		if (model->processes[i]->flags & PS_PROCESS_LAUNCHED)
			return model->processes[i];
	/* the first process that runs a loop, else the first told of */
	for (size_t i = 0; i < model->loop_count; i++)
		if (model->loops[i]->process->pid)
			return model->loops[i]->process;
	return model->process_count ? model->processes[0] : NULL;
}

static json_t *target(const struct process *process)
{
	if (!process)
		return json_null();
	return json_pack("{s:I, s:o, s:o, s:o, s:o, s:o, s:b, s:o}", "pid", (json_int_t)process->pid, "comm", summary_text(process->comm), "cmdline",
			 summary_text(process->cmdline), "runtime", summary_text(process->runtime), "runtime_version",
			 summary_text(process->version), "build_id", summary_text(process->build_id), "exited", process->exited,
			 "exit_status", process->exited && process->exit_status >= 0 ? json_integer(process->exit_status) : json_null());
}

static json_t *lost(const struct model *model)
{
	json_t *by_source = json_object();
	for (unsigned i = 0; i < PS_LOST_SOURCE_COUNT; i++)
		if (model->lost[i])
			summary_put(by_source, lost_source_name(i), summary_number(model->lost[i]));
	return json_pack("{s:o, s:o}", "total", summary_number(model->lost_total), "by_source", by_source);
}

static json_t *probes(struct summary_run *run)
{
	json_t *list = json_array();
	for (unsigned i = 0; i < PS_PROBE_GROUP_COUNT; i++) {
		const struct probe *probe = &run->model->probes[i];
		if (probe->state == PS_PROBE_STATE_OFF && !*probe->reason)
			continue;
		if (probe->hits == PS_UNKNOWN)
			json_object_set_new(run->not_measured, "probes.*.hits", json_string("this probe does not count its hits"));
		if (probe->cost_ns == PS_UNKNOWN)
			json_object_set_new(run->not_measured, "probes.*.cost_ns", json_string("this probe does not measure its cost"));
		json_array_append_new(list, json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "group", probe_group_name(i), "state",
						      probe_state_name(probe->state), "reason", summary_text(probe->reason),
						      "hits", summary_number(probe->hits), "cost_ns",
						      summary_number(probe->cost_ns), "hits_per_s",
						      summary_number(probe->hits_per_s), "cost_ns_per_s",
						      summary_number(probe->cost_per_s), "budget_ns_per_s",
						      summary_number(probe->budget)));
	}
	return list;
}

/* ---- findings ---- */

static json_t *evidence(const struct finding *finding)
{
	json_t *object = json_object();
	for (uint32_t i = 0; i < finding->evidence_count; i++) {
		const struct evidence *one = &finding->evidence[i];
		char key[64];
		snprintf(key, sizeof(key), "%s%s", one->name, one->unit == EVIDENCE_PERCENT ? "_percent" : "");
		summary_put(object, key, one->unit == EVIDENCE_TEXT ? summary_text(one->text) : summary_number(one->value));
	}
	return object;
}

static json_t *findings(const struct model *model)
{
	static const char *const severities[] = { [SEVERITY_NOTE] = "note", [SEVERITY_WARN] = "warn", [SEVERITY_CRIT] = "crit" };
	enum { ROOM = 64 };
	json_t *list = json_array();
	struct finding *found = calloc(ROOM, sizeof(*found));
	size_t count = found ? findings_since(model, 0, found, ROOM) : 0;
	for (size_t i = 0; i < count && i < ROOM; i++)
		json_array_append_new(
			list, json_pack("{s:s, s:s, s:s, s:I, s:I, s:o, s:s, s:[]}", "id", found[i].id, "severity",
					severities[found[i].severity], "title", found[i].title, "pid", (json_int_t)found[i].pid, "tid",
					(json_int_t)found[i].tid, "evidence", evidence(&found[i]), "advice", found[i].advice, "refs"));
	free(found);
	return list;
}

/* ---- the document ---- */

static int by_identity(const void *a, const void *b)
{
	const struct loop *x = *(const struct loop *const *)a, *y = *(const struct loop *const *)b;
	uint64_t busy_x = x->busy_ns + x->wait_ns + x->polls, busy_y = y->busy_ns + y->wait_ns + y->polls;
	if (!busy_x != !busy_y) /* loops that never moved come last */
		return !busy_x ? 1 : -1;
	if (x->pid != y->pid)
		return x->pid < y->pid ? -1 : 1;
	int main_x = x->tid == x->pid, main_y = y->tid == y->pid;
	if (main_x != main_y)
		return main_x ? -1 : 1;
	if (x->tid != y->tid)
		return x->tid < y->tid ? -1 : 1;
	if (x->poller_fd != y->poller_fd)
		return x->poller_fd < y->poller_fd ? -1 : 1;
	return x->first_ns < y->first_ns ? -1 : x->first_ns > y->first_ns;
}

/* It was taken for a loop because it was busy when we came, and another thread turned out to be the one. */
static int is_withdrawn(const struct loop *loop)
{
	return loop->state == LOOP_GONE && !loop->polls && !loop->iterations && !loop->stalls && !(loop->flags & PS_LOOP_RING);
}

static json_t *loops(struct summary_run *run)
{
	json_t *list = json_array();
	size_t count = run->model->loop_count;
	struct loop **sorted = count ? malloc(count * sizeof(*sorted)) : NULL;
	if (!sorted)
		return list;
	for (size_t i = count = 0; i < run->model->loop_count; i++)
		if (!is_withdrawn(run->model->loops[i]))
			sorted[count++] = run->model->loops[i];
	qsort(sorted, count, sizeof(*sorted), by_identity);
	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, summary_loop(run, sorted[i], i));
	free(sorted);
	return list;
}

/* The machine is told as "release architecture processor". */
void summary_identify(json_t *document, const struct psr_info *info)
{
	char words[3][sizeof(info->machine)] = { "", "", "" }, clean[3 * sizeof(info->machine)];
	static const char *const keys[] = { "kernel", "arch", "cpu" };
	const char *at = info->machine, *end = info->machine + strnlen(info->machine, sizeof(info->machine));
	json_t *identity = json_object();
	for (unsigned i = 0; i < 3; i++) {
		const char *space = i < 2 ? memchr(at, ' ', (size_t)(end - at)) : NULL;
		size_t length = (size_t)((space ? space : end) - at);
		memcpy(words[i], at, length);
		at += length + (space != NULL);
		text_clean(clean, sizeof(clean), words[i], length);
		summary_put(identity, keys[i], summary_text(clean));
	}
	text_clean(clean, sizeof(clean), info->boot_id, strnlen(info->boot_id, sizeof(info->boot_id)));
	summary_put(identity, "boot_id", summary_text(clean));
	text_clean(clean, sizeof(clean), info->tool, strnlen(info->tool, sizeof(info->tool)));
	summary_put(identity, "recorder", summary_text(clean));
	summary_put(document, "identity", identity);
}

json_t *summary_document(const struct model *model, const char *tool, uint32_t pid)
{
	struct summary_run run = { model, json_object() };
	json_t *document = json_object();
	if (!document || !run.not_measured) {
		json_decref(document);
		json_decref(run.not_measured);
		return NULL;
	}
	uint64_t window = model->start_ns && model->now_ns > model->start_ns ? model->now_ns - model->start_ns : 0;
	summary_put(document, "schema_version", json_integer(SUMMARY_SCHEMA_VERSION));
	summary_put(document, "tool", json_string(tool));
	summary_put(document, "target", target(target_of(model, pid)));
	summary_put(document, "identity", json_null());
	summary_put(document, "window_ns", summary_number(window));
	summary_put(document, "stall_threshold_ns", summary_number(model->config.stall_ns));
	summary_put(document, "events", summary_number(model->events));
	summary_put(document, "lost", lost(model));
	json_t *cost = json_object();
	summary_told(&run, cost, "own_cost.", "cpu_ns", summary_number(model->own_cpu_ns), PS_PROBE_PROC);
	summary_told(&run, cost, "own_cost.", "rss_bytes", summary_number(model->own_rss_bytes), PS_PROBE_PROC);
	summary_put(document, "own_cost", cost);
	summary_put(document, "loops", loops(&run));
	summary_put(document, "pools", summary_pools(&run));
	summary_put(document, "culprits", summary_culprits(&run));
	summary_put(document, "findings", findings(model));
	summary_put(document, "probes", probes(&run));
	summary_put(document, "not_measured", run.not_measured);
	return document;
}

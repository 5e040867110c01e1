/* SPDX-License-Identifier: BSD-2-Clause */
/* Who blocked the loops again and again, and where the busy time went. */
#include "summary_parts.h"

#include <stdlib.h>
#include <string.h>

#include "schema.h"

/* ---- culprits ---- */

static int by_total(const void *a, const void *b)
{
	const struct culprit_stat *x = *(const struct culprit_stat *const *)a, *y = *(const struct culprit_stat *const *)b;
	if (x->total_ns != y->total_ns)
		return x->total_ns > y->total_ns ? -1 : 1;
	return strcmp(x->key, y->key);
}

static json_t *culprit_of(const struct culprit_stat *row)
{
	return json_pack("{s:s, s:o, s:o, s:o, s:s, s:s, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "key", row->key, "name",
			 summary_text(row->name), "file", summary_text(row->file), "line",
			 summary_number(row->line ? row->line : PS_UNKNOWN), "rule", stall_rule_name(row->rule), "cause",
			 stall_cause_name(row->cause), "pid", (json_int_t)row->pid, "tid", (json_int_t)row->tid, "count",
			 summary_number(row->count), "total_ns", summary_number(row->total_ns), "max_ns",
			 summary_number(row->max_ns), "p99_ns",
			 summary_number(culprit_quantile(row, 0.99)), "first_ns",
			 summary_number(row->first_ns), "last_ns", summary_number(row->last_ns));
}

json_t *summary_culprits(struct summary_run *run)
{
	const struct model *model = run->model;
	json_t *list = json_array();
	const struct culprit_stat **sorted = model->culprit_count ? malloc(model->culprit_count * sizeof(*sorted)) : NULL;
	if (!sorted)
		return list;
	for (size_t i = 0; i < model->culprit_count; i++)
		sorted[i] = &model->culprits[i];
	qsort(sorted, model->culprit_count, sizeof(*sorted), by_total);
	for (size_t i = 0; i < model->culprit_count && i < SUMMARY_ROWS; i++)
		json_array_append_new(list, culprit_of(sorted[i]));
	free(sorted);
	return list;
}

/* ---- where the busy time went ---- */

static int by_ns(const void *a, const void *b)
{
	const struct profile_row *x = *(const struct profile_row *const *)a, *y = *(const struct profile_row *const *)b;
	if (x->ns != y->ns)
		return x->ns > y->ns ? -1 : 1;
	if (x->phase != y->phase)
		return x->phase < y->phase ? -1 : 1;
	if (!x->frame || !y->frame)
		return !y->frame - !x->frame;
	int order = strcmp(x->frame->name, y->frame->name);
	return order ? order : strcmp(x->frame->file, y->frame->file);
}

static json_t *row_of(const struct loop *loop, const struct profile_row *row)
{
	static const struct frame nothing = { .name = "", .file = "", .module = "" };
	const struct frame *frame = row->frame ? row->frame : &nothing;
	double share = loop->profile_ns ? (double)row->ns / (double)loop->profile_ns : 0;
	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:I, s:I, s:f}", "kind", frame_kind_name(frame->kind), "name",
			 summary_text(frame->name), "file", summary_text(frame->file), "module", summary_text(frame->module),
			 "phase", row->phase < 0 ? json_null() : json_string(phase_name((unsigned)row->phase)), "samples",
			 (json_int_t)row->samples, "ns", (json_int_t)row->ns, "share", share);
}

static json_t *rows(const struct loop *loop)
{
	json_t *list = json_array();
	const struct profile_row **sorted = malloc(loop->profile_count * sizeof(*sorted));
	if (!sorted)
		return list;
	for (size_t i = 0; i < loop->profile_count; i++)
		sorted[i] = &loop->profile[i];
	qsort(sorted, loop->profile_count, sizeof(*sorted), by_ns);
	for (size_t i = 0; i < loop->profile_count && i < SUMMARY_PROFILE; i++)
		json_array_append_new(list, row_of(loop, sorted[i]));
	free(sorted);
	return list;
}

json_t *summary_profile(struct summary_run *run, const struct loop *loop, const char *path)
{
	if (!loop->profile_count) {
		summary_missing(run, path, "profile", PS_PROBE_SAMPLING);
		return json_null();
	}
	return json_pack("{s:o, s:o, s:o}", "samples", summary_number(loop->profile_samples), "ns",
			 summary_number(loop->profile_ns), "rows", rows(loop));
}

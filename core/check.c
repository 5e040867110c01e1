/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Judging: every budget against every document, the worst document decides.
 *
 * A failure stands even on lossy data, for loss hides and never adds. What
 * would pass is inconclusive instead when something was lost, not measured, or
 * never watched: silence is no proof.
 */
#include "check_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

/* ---- words ---- */

static void say_value(char out[32], double value, int is_duration)
{
	if (is_duration)
		text_duration(out, (uint64_t)value);
	else if (value == (double)(int64_t)value)
		snprintf(out, 32, "%lld", (long long)value);
	else
		snprintf(out, 32, "%.4g", value);
}

static void say_where(char *out, size_t room, const struct where *where)
{
	const struct { const char *key, *value; } parts[] = {
		{ "rule", where->rule }, { "cause", where->cause }, { "phase", where->phase }, { "culprit", where->culprit },
		{ "comm", where->comm } };
	char text[512];
	size_t length = 0;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (*parts[i].value)
			length += (size_t)snprintf(text + length, sizeof(text) - length, "%s%s: %s", length ? ", " : "", parts[i].key,
						   parts[i].value);
	text_clean(out, room, text, length);
}

/* The place in the source that the stall's stacks tell of: the innermost frame that has one. */
static void take_place(struct check_result *result, const json_t *stall)
{
	const json_t *stack, *frame;
	size_t i, k;
	json_array_foreach(json_object_get(stall, "stacks"), i, stack)
		json_array_foreach(json_object_get(stack, "frames"), k, frame) {
			const char *file = json_string_value(json_object_get(frame, "file"));
			if (!file || !*file)
				continue;
			text_clean(result->file, sizeof(result->file), file, strlen(file));
			result->line = (uint32_t)json_integer_value(json_object_get(frame, "line"));
			return;
		}
}

/* ---- one document ---- */

/* Why silence of this document proves nothing; NULL = it does. */
static const char *doubt(const json_t *document, int lossy_ok, char out[160])
{
	const json_t *loops = json_object_get(document, "loops"), *loop;
	json_int_t lost = json_integer_value(json_object_get(json_object_get(document, "lost"), "total"));
	double moved = 0;
	size_t i;
	if (!json_array_size(loops))
		return "no event loop was seen";
	json_array_foreach(loops, i, loop)
		moved += json_number_value(json_object_get(loop, "polls")) + json_number_value(json_object_get(loop, "busy_ns"));
	if (moved <= 0)
		return "no event of a loop was seen";
	if (!lost || lossy_ok)
		return NULL;
	snprintf(out, 160, "%lld events were lost", (long long)lost);
	return out;
}

static void say_failure(struct check_result *result, const struct reading *reading, const char *sign, const char *name)
{
	char is[32], limit[32], longest[16] = "", text[512];
	const char *culprit = json_string_value(json_object_get(reading->stall, "culprit"));
	say_value(is, result->measured, result->is_duration);
	say_value(limit, result->limit, result->is_duration);
	if (culprit)
		text_duration(longest, (uint64_t)json_integer_value(json_object_get(reading->stall, "duration_ns")));
	int length = snprintf(text, sizeof(text), "%s %s %s%s%s%s%.200s%s%.100s%s", is, sign, limit, culprit ? ": " : "", longest,
			      culprit ? " " : "", culprit ? culprit : "", *name ? " (" : "", name, *name ? ")" : "");
	text_clean(result->reason, sizeof(result->reason), text, (size_t)length < sizeof(text) ? (size_t)length : sizeof(text) - 1);
	take_place(result, reading->stall);
}

static void say_doubt(struct check_result *result, const char *why, const char *name)
{
	char text[512];
	int length = snprintf(text, sizeof(text), "%.200s%s%.100s%s", why, *name ? " (" : "", name, *name ? ")" : "");
	result->verdict = VERDICT_INCONCLUSIVE;
	text_clean(result->reason, sizeof(result->reason), text, (size_t)length);
}

static struct check_result judge_limit(const struct budget *budget, const json_t *document, const char *name, int lossy_ok,
				       int highest)
{
	struct check_result result = { .verdict = VERDICT_PASS };
	char why[160];
	struct reading reading = metric_read(budget, document, highest);
	const char *unsure = doubt(document, lossy_ok, why);
	snprintf(result.metric, sizeof(result.metric), "%s", budget->metric);
	say_where(result.where, sizeof(result.where), &budget->where);
	result.is_duration = metric_is_duration(budget->row);
	result.limit = highest ? budget->max : budget->min;
	result.measured = reading.known ? reading.value : -1;
	int broken = reading.known && (highest ? reading.value > budget->max : reading.value < budget->min);
	/* too few of something may be what was lost or not measured; too much of it is certain */
	if (broken && (highest || !(unsure || reading.partial))) {
		result.verdict = VERDICT_FAIL;
		say_failure(&result, &reading, highest ? ">" : "<", name);
	} else if (unsure) {
		say_doubt(&result, unsure, name);
	} else if (!reading.known || reading.partial) {
		say_doubt(&result, *reading.why ? reading.why : "not measured", name);
	}
	return result;
}

static unsigned rank(enum verdict verdict)
{
	return verdict == VERDICT_FAIL ? 2 : verdict == VERDICT_INCONCLUSIVE;
}

static int is_worse(const struct check_result *a, const struct check_result *b, int highest)
{
	if (rank(a->verdict) != rank(b->verdict))
		return rank(a->verdict) > rank(b->verdict);
	return highest ? a->measured > b->measured : a->measured < b->measured;
}

/* ---- all ---- */

static struct check_result over_documents(const struct budget *budget, json_t *const *documents, const char *const *names, size_t n,
					  int lossy_ok, int highest)
{
	struct check_result worst = { 0 };
	for (size_t i = 0; i < n; i++) {
		const char *name = n > 1 && names && names[i] ? names[i] : "";
		struct check_result result = judge_limit(budget, documents[i], name, lossy_ok, highest);
		if (!i || is_worse(&result, &worst, highest))
			worst = result;
	}
	return worst;
}

static void add(struct check_report *report, const struct check_result *result)
{
	report->results[report->count++] = *result;
	if (rank(result->verdict) > rank(report->verdict))
		report->verdict = result->verdict;
}

int check_run(struct check_report *report, const struct budget_file *budgets, json_t *const *documents, const char *const *names,
	      size_t n, int lossy_ok)
{
	*report = (struct check_report){ .verdict = n ? VERDICT_PASS : VERDICT_INCONCLUSIVE };
	report->results = calloc(budgets->count * 2 + 1, sizeof(*report->results));
	if (!report->results)
		return -ENOMEM;
	for (size_t i = 0; i < budgets->count && n; i++) {
		const struct budget *budget = &budgets->budgets[i];
		struct check_result result = { .measured = -1, .is_duration = metric_is_duration(budget->row) };
		if (budget->needs_baseline) {
			snprintf(result.metric, sizeof(result.metric), "%s", budget->metric);
			say_doubt(&result, "a regression needs a baseline to compare with", "");
			add(report, &result);
		}
		for (int highest = 1; highest >= 0; highest--)
			if (highest ? budget->has_max : budget->has_min) {
				result = over_documents(budget, documents, names, n, lossy_ok, highest);
				add(report, &result);
			}
	}
	return 0;
}

void check_report_free(struct check_report *report)
{
	free(report->results);
	*report = (struct check_report){ 0 };
}

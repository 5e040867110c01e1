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
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "text.h"

/* ---- words ---- */

void say_value(char out[32], double value, int is_duration)
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

void result_name(struct check_result *result, const struct budget *budget)
{
	snprintf(result->metric, sizeof(result->metric), "%s", budget->metric);
	say_where(result->where, sizeof(result->where), &budget->where);
}

void result_say(struct check_result *result, const char *format, ...)
{
	char text[1024];
	va_list args;
	va_start(args, format);
	int length = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (length >= 0)
		text_clean(result->reason, sizeof(result->reason), text,
			   (size_t)length < sizeof(text) ? (size_t)length : sizeof(text) - 1);
}

/* ---- one document ---- */

/* A target that failed did not do all of its work. */
static const char *doubt_end(const json_t *document, char out[160])
{
	const json_t *status = json_object_get(json_object_get(document, "target"), "exit_status");
	int value = (int)json_integer_value(status);
	if (!json_is_integer(status) || !value)
		return NULL;
	if (WIFSIGNALED(value))
		snprintf(out, 160, "the target left early: killed by signal %d", WTERMSIG(value));
	else
		snprintf(out, 160, "the target left early: exit code %d", WEXITSTATUS(value));
	return out;
}

const char *document_doubt(const struct budget_file *file, const json_t *document, int lossy_ok, char out[160])
{
	const json_t *loops = json_object_get(document, "loops"), *loop;
	double lost = json_number_value(json_object_get(json_object_get(document, "lost"), "total"));
	double events = json_number_value(json_object_get(document, "events")), moved = 0;
	size_t i;
	if (!json_array_size(loops))
		return "no event loop was seen";
	json_array_foreach(loops, i, loop)
		moved += json_number_value(json_object_get(loop, "polls")) + json_number_value(json_object_get(loop, "busy_ns"));
	if (moved <= 0)
		return "no event of a loop was seen";
	if (lost > 0 && !lossy_ok && lost > file->loss * (lost + events)) {
		snprintf(out, 160, "%.0f events were lost", lost);
		return out;
	}
	return doubt_end(document, out);
}

static void say_failure(struct check_result *result, const struct reading *reading, const char *sign, const char *name)
{
	char is[32], limit[32], longest[16] = "";
	const char *culprit = json_string_value(json_object_get(reading->stall, "culprit"));
	say_value(is, result->measured, result->is_duration);
	say_value(limit, result->limit, result->is_duration);
	if (culprit)
		text_duration(longest, (uint64_t)json_integer_value(json_object_get(reading->stall, "duration_ns")));
	result_say(result, "%s %s %s%s%s%s%.200s%s%.100s%s", is, sign, limit, culprit ? ": " : "", longest, culprit ? " " : "",
		   culprit ? culprit : "", *name ? " (" : "", name, *name ? ")" : "");
	if (reading->stall)
		stall_place(reading->stall, result->file, sizeof(result->file), &result->line);
}

static void say_doubt(struct check_result *result, const char *why, const char *name)
{
	result->verdict = VERDICT_INCONCLUSIVE;
	result_say(result, "%.200s%s%.100s%s", why, *name ? " (" : "", name, *name ? ")" : "");
}

/* What every document is judged by. */
struct judge {
	const struct budget_file *file;
	const struct check_options *options;
};

static struct check_result judge_limit(const struct judge *judge, const struct budget *budget, const json_t *document,
				       const char *name, int highest)
{
	struct check_result result = { .verdict = VERDICT_PASS, .baseline = -1 };
	char why[160];
	struct reading reading = metric_read(budget, document, highest, judge->options->units);
	const char *unsure = document_doubt(judge->file, document, judge->options->lossy_ok, why);
	result_name(&result, budget);
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

unsigned verdict_rank(enum verdict verdict)
{
	return verdict == VERDICT_FAIL ? 2 : verdict == VERDICT_INCONCLUSIVE;
}

static int is_worse(const struct check_result *a, const struct check_result *b, int highest)
{
	if (verdict_rank(a->verdict) != verdict_rank(b->verdict))
		return verdict_rank(a->verdict) > verdict_rank(b->verdict);
	return highest ? a->measured > b->measured : a->measured < b->measured;
}

/* ---- all ---- */

static struct check_result over_documents(const struct judge *judge, const struct budget *budget, const struct check_runs *runs,
					  int highest)
{
	struct check_result worst = { 0 };
	for (size_t i = 0; i < runs->count; i++) {
		const char *name = runs->count > 1 && runs->names && runs->names[i] ? runs->names[i] : "";
		struct check_result result = judge_limit(judge, budget, runs->documents[i], name, highest);
		if (!i || is_worse(&result, &worst, highest))
			worst = result;
	}
	return worst;
}

static void add(struct check_report *report, const struct check_result *result)
{
	report->results[report->count++] = *result;
	if (verdict_rank(result->verdict) > verdict_rank(report->verdict))
		report->verdict = result->verdict;
}

static int judge_budget(struct check_report *report, const struct judge *judge, const struct budget *budget,
			const struct check_runs *runs, const struct check_runs *baseline)
{
	struct check_result result;
	if (budget->is_regression) {
		int err = regression_judge(&result, judge->file, budget, runs, baseline, judge->options);
		add(report, &result);
		return err;
	}
	for (int highest = 1; highest >= 0; highest--)
		if (highest ? budget->has_max : budget->has_min) {
			result = over_documents(judge, budget, runs, highest);
			add(report, &result);
		}
	return 0;
}

int check_run(struct check_report *report, const struct budget_file *budgets, const struct check_runs *runs,
	      const struct check_runs *baseline, const struct check_options *options)
{
	const struct judge judge = { budgets, options };
	int err = 0;
	*report = (struct check_report){ .verdict = runs->count ? VERDICT_PASS : VERDICT_INCONCLUSIVE };
	report->results = calloc(budgets->count * 2 + 1, sizeof(*report->results));
	if (!report->results)
		return -ENOMEM;
	for (size_t i = 0; i < budgets->count && runs->count && !err; i++)
		err = judge_budget(report, &judge, &budgets->budgets[i], runs, baseline);
	if (!err)
		err = regression_decide(report);
	if (err)
		check_report_free(report);
	return err;
}

void check_report_free(struct check_report *report)
{
	free(report->results);
	*report = (struct check_report){ 0 };
}

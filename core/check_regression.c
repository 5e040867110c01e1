/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs against a baseline. What is exact needs one run of each side: something
 * new is new. What is measured is compared run by run, for events inside one
 * run are not independent of each other: a regression is a shift that is larger
 * than the margin, whose interval is clear of the margin, and that chance makes
 * in less than one of a hundred cases, counted over all metrics that were asked
 * for. A shift that is larger but not clear is inconclusive.
 */
#include "check_parts.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "stats.h"
#include "text.h"

#define LEVEL 0.95
#define SEED  20240229u

/* ---- something new ---- */

static enum fact_kind kind_of(const struct metric *row)
{
	static const struct { const char *name; enum fact_kind kind; } kinds[] = {
		{ "new.sync_calls", FACT_SYNC_CALL }, { "new.stalls", FACT_STALL }, { "new.rules", FACT_RULE } };
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strcmp(kinds[i].name, row->name))
			return kinds[i].kind;
	return FACT_KIND_COUNT;
}

/* What the runs did and the baseline did not: the worst ones, NULL = none. */
struct news {
	const struct fact *worst;   /* that the runs do */
	const struct fact *seldom;  /* that some of the runs did */
	const struct fact *unknown; /* whose name is not known */
	double count, count_seldom;
};

/*
 * A call is done or not done. Any other stall rests on how long something took: it is there or not as the machine
 * was fast or slow, so one of ten runs that has it proves nothing about the program. More than half of them do: if it were
 * a matter of chance, six of ten with it and none of ten without would be seen once in two hundred times.
 */
static int is_steady(const struct fact *fact, const struct check_runs *runs)
{
	return fact->is_call || 2 * fact->runs > runs->count;
}

static const struct fact *longer(const struct fact *a, const struct fact *b)
{
	return !a || b->longest_ns > a->longest_ns ? b : a;
}

static struct news find_news(const struct facts *now, const struct facts *before, enum fact_kind kind, const struct check_runs *runs)
{
	struct news news = { 0 };
	for (size_t i = 0; i < now->count; i++) {
		const struct fact *fact = &now->list[i];
		if (fact->kind != kind || facts_find(before, fact))
			continue;
		if (fact->is_unknown) {
			news.unknown = fact;
		} else if (is_steady(fact, runs)) {
			news.worst = longer(news.worst, fact);
			news.count++;
		} else {
			news.seldom = longer(news.seldom, fact);
			news.count_seldom++;
		}
	}
	return news;
}

static void say_new(struct check_result *result, const struct fact *fact, const struct check_runs *runs)
{
	char ns[16];
	const char *name = runs->count > 1 && runs->names && runs->names[fact->document] ? runs->names[fact->document] : "";
	if (fact->kind == FACT_RULE)
		result_say(result, "%.0f new: rule %s: %s %s%s%s%s", result->measured, fact->key,
			   text_duration(ns, (uint64_t)fact->longest_ns), fact->text, *name ? " (" : "", name, *name ? ")" : "");
	else
		result_say(result, "%.0f new: %s %s%s%s%s", result->measured, text_duration(ns, (uint64_t)fact->longest_ns), fact->text,
			   *name ? " (" : "", name, *name ? ")" : "");
}

static void say_seldom(struct check_result *result, const struct fact *fact, const struct check_runs *runs)
{
	char ns[16];
	result_say(result, "new in %zu of %zu runs: %s%s%s%s %s: more runs would tell", fact->runs, runs->count,
		   fact->kind == FACT_RULE ? "rule " : "", fact->kind == FACT_RULE ? fact->key : "", fact->kind == FACT_RULE ? ": " : "",
		   text_duration(ns, (uint64_t)fact->longest_ns), fact->text);
}

static void tell_new(struct check_result *result, const struct news *news, const struct check_runs *runs)
{
	const struct fact *told = NULL;
	char ns[16];
	if (news->worst && news->count > result->limit) {
		result->verdict = VERDICT_FAIL;
		say_new(result, told = news->worst, runs);
	} else if (news->seldom && news->count + news->count_seldom > result->limit) {
		result->verdict = VERDICT_INCONCLUSIVE;
		say_seldom(result, told = news->seldom, runs);
	} else if (news->unknown) {
		result->verdict = VERDICT_INCONCLUSIVE;
		result_say(result, "a stall of %s whose culprit is not known: it may be new",
			   text_duration(ns, (uint64_t)news->unknown->longest_ns));
	}
	if (told) {
		snprintf(result->file, sizeof(result->file), "%s", told->file);
		result->line = told->line;
	}
}

static int judge_new(struct check_result *result, const struct budget *budget, const struct check_runs *runs,
		     const struct check_runs *baseline)
{
	struct facts now = { 0 }, before = { 0 };
	int err = facts_gather(&now, runs, &budget->where);
	if (!err)
		err = facts_gather(&before, baseline, &budget->where);
	result->baseline = 0;
	result->limit = budget->max;
	if (!err) {
		struct news news = find_news(&now, &before, kind_of(budget->row), runs);
		result->measured = news.count;
		tell_new(result, &news, runs);
	}
	facts_free(&now);
	facts_free(&before);
	return err;
}

/* ---- values, one per run ---- */

struct series {
	double *values;
	size_t count;
	char why[160];       /* "" = every run has one */
	const json_t *stall; /* of the run with the highest value */
};

static int read_series(struct series *series, const struct budget *budget, const struct check_runs *runs, double units)
{
	*series = (struct series){ .values = malloc((runs->count + 1) * sizeof(*series->values)) };
	if (!series->values)
		return -ENOMEM;
	double highest = -1;
	for (size_t i = 0; i < runs->count; i++) {
		struct reading reading = metric_read(budget, runs->documents[i], 1, units);
		if (!reading.known || reading.partial) {
			snprintf(series->why, sizeof(series->why), "%s", *reading.why ? reading.why : "not measured");
			continue;
		}
		if (reading.value > highest) {
			highest = reading.value;
			series->stall = reading.stall;
		}
		series->values[series->count++] = reading.value;
	}
	return 0;
}

static double greatest(const struct series *series)
{
	double most = 0;
	for (size_t i = 0; i < series->count; i++)
		most = fmax(most, series->values[i]);
	return most;
}

/* ---- exact figures ---- */

static void judge_structural(struct check_result *result, const struct series *now, const struct series *before)
{
	char is[32], was[32], limit[32];
	result->limit = greatest(before) * (1 + result->margin);
	result->change = result->baseline > 0 ? result->measured / result->baseline - 1 : 0;
	if (result->measured <= result->limit)
		return;
	result->verdict = VERDICT_FAIL;
	say_value(is, result->measured, result->is_duration);
	say_value(was, result->baseline, result->is_duration);
	say_value(limit, result->limit, result->is_duration);
	result_say(result, "%s, in the baseline %s (at most %s allowed)", is, was, limit);
	if (now->stall)
		stall_place(now->stall, result->file, sizeof(result->file), &result->line);
}

/* ---- measured figures ---- */

/* Where all values are above 0 the shift of their logarithms is the change, with its uncertainty on both sides. */
static int find_change(struct check_result *result, const struct series *now, const struct series *before)
{
	double *logs = malloc((now->count + before->count) * sizeof(*logs));
	struct shift shift;
	int is_positive = 1;
	if (!logs)
		return -ENOMEM;
	for (size_t i = 0; i < before->count + now->count; i++) {
		double value = i < before->count ? before->values[i] : now->values[i - before->count];
		is_positive &= value > 0;
		logs[i] = log(value);
	}
	int err = is_positive ? stats_shift(logs, before->count, logs + before->count, now->count, LEVEL, SEED, &shift) :
				stats_shift(before->values, before->count, now->values, now->count, LEVEL, SEED, &shift);
	free(logs);
	if (err)
		return err;
	double scale = result->baseline > 0 ? result->baseline : 1; /* from nothing: every bit is much */
	result->change = is_positive ? expm1(shift.shift) : shift.shift / scale;
	result->low = is_positive ? expm1(shift.low) : shift.low / scale;
	result->high = is_positive ? expm1(shift.high) : shift.high / scale;
	return 0;
}

static int compare(struct check_result *result, const struct series *now, const struct series *before)
{
	struct mann_whitney test;
	int err = stats_mann_whitney(before->values, before->count, now->values, now->count, &test);
	if (!err)
		err = find_change(result, now, before);
	result->limit = result->baseline * (1 + result->margin);
	result->p = test.greater;
	result->is_compared = 1;
	return err;
}

static void say_few(struct check_result *result, const struct budget_file *file)
{
	result->verdict = VERDICT_INCONCLUSIVE;
	result_say(result, "too few runs: %zu, and %zu in the baseline; %zu of each tell a change from chance", result->runs,
		   result->baseline_runs, file->runs);
}

static int judge_series(struct check_result *result, const struct budget_file *file, const struct budget *budget,
			const struct check_runs *runs, const struct check_runs *baseline, double units)
{
	struct series now, before;
	int err = read_series(&now, budget, runs, units);
	if (err)
		return err;
	err = read_series(&before, budget, baseline, units);
	if (!err && (*now.why || *before.why)) {
		result->verdict = VERDICT_INCONCLUSIVE;
		result_say(result, "%s%s", *now.why ? "" : "in the baseline ", *now.why ? now.why : before.why);
	} else if (!err) {
		result->measured = stats_median(now.values, now.count);
		result->baseline = stats_median(before.values, before.count);
		if (budget->row->class == CLASS_STRUCTURAL)
			judge_structural(result, &now, &before);
		else if (now.count < file->runs || before.count < file->runs)
			say_few(result, file);
		else
			err = compare(result, &now, &before);
	}
	free(now.values);
	free(before.values);
	return err;
}

/* ---- one regression ---- */

/* What would fail or pass in spite of it is left open. */
static const char *doubt_of(const struct check_result *result, const struct budget_file *file, const struct budget *budget,
			    const struct check_runs *runs, const struct check_runs *baseline, const struct check_options *options,
			    char out[256])
{
	int exact = budget->row->class == CLASS_NEW || budget->row->class == CLASS_STRUCTURAL;
	const char *why = identity_doubt(runs, baseline, exact, out);
	if (why || (exact && result->verdict == VERDICT_FAIL))
		return why;
	for (size_t i = 0; i < runs->count + baseline->count && !why; i++)
		why = document_doubt(file, i < runs->count ? runs->documents[i] : baseline->documents[i - runs->count], options->lossy_ok,
				     out);
	return why;
}

int regression_judge(struct check_result *result, const struct budget_file *file, const struct budget *budget,
		     const struct check_runs *runs, const struct check_runs *baseline, const struct check_options *options)
{
	struct budget own = *budget;
	char why[256];
	*result = (struct check_result){ .measured = -1, .baseline = -1, .is_regression = 1, .margin = budget->margin };
	result_name(result, budget);
	if (budget->row->own)
		own.row = metric_find(budget->row->own);
	result->is_duration = metric_is_duration(own.row);
	result->runs = runs->count;
	result->baseline_runs = baseline ? baseline->count : 0;
	if (!result->baseline_runs) {
		result->verdict = VERDICT_INCONCLUSIVE;
		result_say(result, "a regression needs a baseline to compare with (--baseline)");
		return 0;
	}
	int err = own.row->class == CLASS_NEW ? judge_new(result, &own, runs, baseline) :
						judge_series(result, file, &own, runs, baseline, options->units);
	const char *doubt = err ? NULL : doubt_of(result, file, &own, runs, baseline, options, why);
	if (doubt) {
		result->verdict = VERDICT_INCONCLUSIVE;
		result->is_compared = 0;
		result_say(result, "%s", doubt);
	}
	struct fact grown;
	if (result->is_compared && result->change > result->margin &&
	    growth_find(runs, baseline, own.row->class == CLASS_CPU, &grown)) {
		snprintf(result->file, sizeof(result->file), "%s", grown.file);
		result->line = grown.line;
		result_say(result, "%s", grown.text); /* regression_decide() puts the figures before it */
	}
	return err;
}

static void decide(struct check_result *result)
{
	char is[32], was[32], who[sizeof(result->reason)];
	if (result->change <= result->margin) {
		*result->reason = 0;
		return;
	}
	int is_clear = result->low > result->margin && result->p < REGRESSION_ALPHA;
	snprintf(who, sizeof(who), "%s", result->reason);
	result->verdict = is_clear ? VERDICT_FAIL : VERDICT_INCONCLUSIVE;
	say_value(is, result->measured, result->is_duration);
	say_value(was, result->baseline, result->is_duration);
	result_say(result, "%s%+.1f%% (%+.1f%% to %+.1f%%, p %.2g), %s after %s, %zu runs after %zu%s%s%s",
		   is_clear ? "" : "perhaps ", 100 * result->change, 100 * result->low, 100 * result->high, result->p, is, was,
		   result->runs, result->baseline_runs, is_clear ? "" : ": more runs would tell", *who ? ": most of it in " : "", who);
}

int regression_decide(struct check_report *report)
{
	size_t count = 0;
	double *p = malloc((report->count + 1) * sizeof(*p));
	if (!p)
		return -ENOMEM;
	for (size_t i = 0; i < report->count; i++)
		if (report->results[i].is_compared)
			p[count++] = report->results[i].p;
	int err = stats_holm(p, count);
	count = 0;
	for (size_t i = 0; i < report->count && !err; i++) {
		struct check_result *result = &report->results[i];
		if (!result->is_compared)
			continue;
		result->p = p[count++];
		decide(result);
		if (verdict_rank(result->verdict) > verdict_rank(report->verdict))
			report->verdict = result->verdict;
	}
	free(p);
	return err;
}

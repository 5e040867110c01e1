/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is different between two groups of runs, without a verdict: culprits
 * that came and went, and figures that changed. With at least four runs of each
 * side a change has an interval and the chance that there is none, corrected
 * for all figures that were looked at; with fewer it is told as it is.
 */
#include "check_parts.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "stats.h"
#include "text.h"

#define FEWEST 4
#define LEVEL  0.95
#define ALPHA  0.05
#define SEED   20240229u

static const char *const compared[] = {
	"cpu.per_iteration", "cpu.total", "iteration_cpu.p99", "utilization", "iterations", "callbacks.per_ready", "iterations.per_ready",
	"stall.count", "stall.own_total", "stall.own_max", "iteration.p50", "iteration.p99", "lag_own.p50", "lag_own.p99",
	"lag.p50", "lag.p99", "poll_wait.p50", "poll_wait.p99", "timer_late.p50", "timer_late.p99", "pool.wait.p50", "pool.wait.p99",
	"pool.run.p50", "pool.run.p99", "pool.fs.wait.p99", "pool.dns.wait.p99", "pool.crypto.wait.p99", "pool.user.wait.p99",
	"pool.queued", "pool.saturated", "fds.open", "timers.open", "ticks.longest",
};
#define COMPARED (sizeof(compared) / sizeof(compared[0]))

/* ---- figures ---- */

struct figure {
	const char *metric;
	int is_duration, is_tested, is_sure;
	double a, b;             /* medians */
	double change, low, high, p;
};

/* The values of the runs that have one; all must. */
static double *values_of(const struct metric *row, const struct check_runs *runs, double units)
{
	struct budget budget = { .row = row };
	double *values = malloc((runs->count + 1) * sizeof(*values));
	snprintf(budget.metric, sizeof(budget.metric), "%s", row->name);
	for (size_t i = 0; values && i < runs->count; i++) {
		struct reading reading = metric_read(&budget, runs->documents[i], 1, units);
		if (!reading.known) {
			free(values);
			return NULL;
		}
		values[i] = reading.value;
	}
	return values;
}

static void test_figure(struct figure *figure, const double *a, size_t n, const double *b, size_t m)
{
	struct mann_whitney test;
	struct shift shift;
	double scale = figure->a > 0 ? figure->a : 1;
	if (n < FEWEST || m < FEWEST || stats_mann_whitney(a, n, b, m, &test) || stats_shift(a, n, b, m, LEVEL, SEED, &shift))
		return;
	figure->is_tested = 1;
	figure->p = test.both;
	figure->change = shift.shift / scale;
	figure->low = shift.low / scale;
	figure->high = shift.high / scale;
}

/* 1 when both sides have it. */
static int measure(struct figure *figure, const char *metric, const struct check_runs *a, const struct check_runs *b, double units)
{
	const struct metric *row = metric_find(metric);
	double *before = row ? values_of(row, a, units) : NULL, *after = before ? values_of(row, b, units) : NULL;
	*figure = (struct figure){ .metric = metric };
	if (after) {
		figure->is_duration = metric_is_duration(row);
		figure->a = stats_median(before, a->count);
		figure->b = stats_median(after, b->count);
		figure->change = figure->a > 0 ? figure->b / figure->a - 1 : figure->b > 0 ? INFINITY : 0;
		test_figure(figure, before, a->count, after, b->count);
	}
	int found = after != NULL;
	free(before);
	free(after);
	return found;
}

static int by_weight(const void *x, const void *y)
{
	const struct figure *a = x, *b = y;
	if (a->is_sure != b->is_sure)
		return b->is_sure - a->is_sure;
	double first = fabs(a->change), second = fabs(b->change);
	return first > second ? -1 : first < second;
}

static int correct(struct figure *figures, size_t count)
{
	double p[COMPARED];
	size_t tested = 0;
	for (size_t i = 0; i < count; i++)
		if (figures[i].is_tested)
			p[tested++] = figures[i].p;
	int err = stats_holm(p, tested);
	tested = 0;
	for (size_t i = 0; i < count && !err; i++) {
		struct figure *figure = &figures[i];
		if (figure->is_tested)
			figure->p = p[tested++];
		figure->is_sure = figure->is_tested && figure->p < ALPHA && (figure->low > 0 || figure->high < 0);
	}
	return err;
}

static json_t *number(double value)
{
	return isfinite(value) ? json_real(value) : json_null();
}

static json_t *figure_json(const struct figure *figure)
{
	return json_pack("{s:s, s:o, s:o, s:b, s:o, s:o, s:o, s:o, s:b}", "metric", figure->metric, "a", number(figure->a), "b",
			 number(figure->b), "is_duration", figure->is_duration, "change", number(figure->change), "low",
			 figure->is_tested ? number(figure->low) : json_null(), "high",
			 figure->is_tested ? number(figure->high) : json_null(), "p",
			 figure->is_tested ? number(figure->p) : json_null(), "sure", figure->is_sure);
}

static json_t *figures_json(const struct check_runs *a, const struct check_runs *b, double units)
{
	struct figure figures[COMPARED];
	json_t *list = json_array();
	size_t count = 0;
	for (size_t i = 0; i < COMPARED; i++)
		count += (size_t)measure(&figures[count], compared[i], a, b, units);
	if (correct(figures, count)) {
		json_decref(list);
		return NULL;
	}
	qsort(figures, count, sizeof(*figures), by_weight);
	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, figure_json(&figures[i]));
	return list;
}

/* ---- culprits ---- */

static json_t *fact_json(const struct fact *fact, size_t runs)
{
	static const char *const kinds[] = { "sync-call", "stall", "rule" };
	return json_pack("{s:s, s:s, s:s, s:o, s:o, s:f, s:f, s:f}", "kind", kinds[fact->kind], "culprit", fact->text, "key", fact->key,
			 "file", *fact->file ? json_string(fact->file) : json_null(), "line",
			 fact->line ? json_integer(fact->line) : json_null(), "per_run", fact->count / (double)runs, "total_ns",
			 fact->total_ns, "max_ns", fact->longest_ns);
}

/* What `has` did and `lacks` did not; a call is told once, not as a stall again. */
static json_t *only_in(const struct facts *has, const struct facts *lacks, size_t runs)
{
	json_t *list = json_array();
	for (size_t i = 0; i < has->count; i++) {
		const struct fact *fact = &has->list[i];
		struct fact call = *fact;
		call.kind = FACT_SYNC_CALL;
		if (facts_find(lacks, fact) || (fact->kind == FACT_STALL && facts_find(has, &call)))
			continue;
		json_array_append_new(list, fact_json(fact, runs));
	}
	return list;
}

/* ---- the document ---- */

static json_t *doubts(const struct check_runs *a, const struct check_runs *b)
{
	json_t *list = json_array();
	char why[256];
	const char *doubt = identity_doubt(b, a, 0, why);
	if (doubt)
		json_array_append_new(list, json_string(doubt));
	const struct budget_file none = { 0 };
	for (size_t i = 0; i < a->count + b->count; i++) {
		const struct check_runs *side = i < a->count ? a : b;
		size_t at = i < a->count ? i : i - a->count;
		doubt = document_doubt(&none, side->documents[at], 0, why);
		if (doubt && json_array_size(list) < 10)
			json_array_append_new(list, json_sprintf("%s%s%s", side->names && side->names[at] ? side->names[at] : "",
								 side->names && side->names[at] ? ": " : "", doubt));
	}
	return list;
}

json_t *check_diff(const struct check_runs *a, const struct check_runs *b, double units)
{
	struct facts before = { 0 }, after = { 0 };
	json_t *result = NULL;
	int err = facts_gather(&before, a, NULL);
	if (!err)
		err = facts_gather(&after, b, NULL);
	json_t *figures = err ? NULL : figures_json(a, b, units);
	if (figures)
		result = json_pack("{s:I, s:I, s:o, s:o, s:o, s:o}", "a_runs", (json_int_t)a->count, "b_runs", (json_int_t)b->count,
				   "doubts", doubts(a, b), "new", only_in(&after, &before, b->count), "gone",
				   only_in(&before, &after, a->count), "changed", figures);
	facts_free(&before);
	facts_free(&after);
	return result;
}

/* ---- text ---- */

static double number_of(const json_t *object, const char *key)
{
	return json_number_value(json_object_get(object, key));
}

static void put_facts(const json_t *list, const char *title, FILE *out)
{
	const json_t *fact;
	size_t i;
	if (json_array_size(list))
		fprintf(out, "\n%s\n", title);
	json_array_foreach(list, i, fact) {
		char longest[16];
		const char *file = json_string_value(json_object_get(fact, "file"));
		text_duration(longest, (uint64_t)number_of(fact, "max_ns"));
		fprintf(out, "  %-10s %6s  %s  (%.3g a run)\n", json_string_value(json_object_get(fact, "kind")), longest,
			json_string_value(json_object_get(fact, "culprit")), number_of(fact, "per_run"));
		if (file)
			fprintf(out, "  %-10s %6s  at %s:%.0f\n", "", "", file, number_of(fact, "line"));
	}
}

static void put_figure(const json_t *figure, FILE *out)
{
	char a[32], b[32];
	int is_duration = json_is_true(json_object_get(figure, "is_duration"));
	int is_tested = json_is_number(json_object_get(figure, "p"));
	say_value(a, number_of(figure, "a"), is_duration);
	say_value(b, number_of(figure, "b"), is_duration);
	fprintf(out, "  %-22s %10s %10s", json_string_value(json_object_get(figure, "metric")), a, b);
	if (json_is_number(json_object_get(figure, "change")))
		fprintf(out, "  %+7.1f%%", 100 * number_of(figure, "change"));
	if (is_tested)
		fprintf(out, "  (%+.1f%% to %+.1f%%, p %.2g)%s", 100 * number_of(figure, "low"), 100 * number_of(figure, "high"),
			number_of(figure, "p"), json_is_true(json_object_get(figure, "sure")) ? "" : "  may be chance");
	fputc('\n', out);
}

int check_diff_print(const json_t *diff, FILE *out)
{
	const json_t *item, *changed = json_object_get(diff, "changed");
	size_t i, same = 0;
	double a_runs = number_of(diff, "a_runs"), b_runs = number_of(diff, "b_runs");
	fprintf(out, "A: %.0f run%s   B: %.0f run%s%s\n", a_runs, a_runs == 1 ? "" : "s", b_runs, b_runs == 1 ? "" : "s",
		a_runs < FEWEST || b_runs < FEWEST ? "   (four of each side tell a change from chance)" : "");
	json_array_foreach(json_object_get(diff, "doubts"), i, item)
		fprintf(out, "doubtful: %s\n", json_string_value(item));
	put_facts(json_object_get(diff, "new"), "new in B", out);
	put_facts(json_object_get(diff, "gone"), "gone in B", out);
	fprintf(out, "\n  %-22s %10s %10s  %8s\n", "median of the runs", "A", "B", "CHANGE");
	json_array_foreach(changed, i, item) {
		if (number_of(item, "a") == number_of(item, "b"))
			same++;
		else
			put_figure(item, out);
	}
	if (same)
		fprintf(out, "  the same: %zu figures\n", same);
	return stream_state(out);
}

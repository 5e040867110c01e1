/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How the gate behaves when nothing changed: many verdicts on runs of the same
 * program, parted at random. Runs that followed each other are paired and one
 * of each pair goes to either side, as interleaved runs of two versions would.
 *
 * With runs of a program that has a fault, each verdict is followed by one on
 * these: how often the fault is found, and under which name.
 *
 * The smallest change that would be found is not tried out but computed: the
 * values of one side are multiplied until 95 of 100 verdicts fail.
 */
#include "check_parts.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "stats.h"

#define LEVEL 0.95
#define SEED  42u
#define FOUND 0.95
#define NAMES_SHOWN 3

/* `worse` stays empty when there are no such runs */
struct split { json_t **a, **b, **worse; size_t count; };

/* a small generator, for the parting only */
static uint32_t draw(uint64_t *state, uint32_t below)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((*state >> 32) * below >> 32);
}

/* `count` pairs of neighbours, each in random order. `order` has room for all pairs. */
static void part(struct split *split, const struct check_runs *runs, const struct check_runs *worse, uint32_t *order,
		 uint64_t *state)
{
	uint32_t pairs = (uint32_t)(runs->count / 2);
	for (uint32_t i = 0; i < pairs; i++)
		order[i] = i;
	for (uint32_t i = 0; i < split->count; i++) {
		uint32_t other = i + draw(state, pairs - i), pair = order[other];
		order[other] = order[i];
		order[i] = pair;
		uint32_t first = draw(state, 2);
		split->a[i] = runs->documents[2 * pair + first];
		split->b[i] = runs->documents[2 * pair + 1 - first];
		if (worse)
			split->worse[i] = worse->documents[pair];
	}
}

static int split_open(struct split *split, size_t count)
{
	*split = (struct split){ calloc(count, sizeof(json_t *)), calloc(count, sizeof(json_t *)), calloc(count, sizeof(json_t *)), count };
	return split->a && split->b && split->worse ? 0 : -ENOMEM;
}

static void split_close(struct split *split)
{
	free(split->a);
	free(split->b);
	free(split->worse);
}

/* ---- the smallest change ---- */

/* A verdict in numbers that can be shifted: logarithms of both sides and the interval between them. */
struct trial { double *a, *b; size_t count; double low, shift; };

static int read_side(double *logs, const struct budget *budget, json_t *const *documents, size_t count, double units)
{
	for (size_t i = 0; i < count; i++) {
		struct reading reading = metric_read(budget, documents[i], 1, units);
		if (!reading.known || reading.value <= 0)
			return -ENODATA;
		logs[i] = log(reading.value);
	}
	return 0;
}

static int read_trial(struct trial *trial, const struct split *split, const struct budget *budget, double units)
{
	struct shift shift;
	*trial = (struct trial){ calloc(split->count, sizeof(double)), calloc(split->count, sizeof(double)), split->count, 0, 0 };
	int err = trial->a && trial->b ? read_side(trial->a, budget, split->a, split->count, units) : -ENOMEM;
	if (!err)
		err = read_side(trial->b, budget, split->b, split->count, units);
	if (!err)
		err = stats_shift(trial->a, split->count, trial->b, split->count, LEVEL, SEED, &shift);
	if (!err) {
		trial->low = shift.low;
		trial->shift = shift.shift;
	}
	return err;
}

static int is_found(const struct trial *trial, double change, double margin)
{
	double by = log1p(change), *moved = calloc(trial->count, sizeof(*moved));
	struct mann_whitney test = { .greater = 1 };
	for (size_t i = 0; moved && i < trial->count; i++)
		moved[i] = trial->b[i] + by;
	if (moved)
		stats_mann_whitney(trial->a, trial->count, moved, trial->count, &test);
	free(moved);
	return trial->low + by > log1p(margin) && test.greater < REGRESSION_ALPHA;
}

static double rate_found(const struct trial *trials, size_t count, double change, double margin)
{
	size_t found = 0;
	for (size_t i = 0; i < count; i++)
		found += (size_t)is_found(&trials[i], change, margin);
	return (double)found / (double)count;
}

/* The smallest change of the metric that 95 of 100 verdicts would find; NAN = none up to tenfold, or not measured. */
static double smallest_change(const struct budget *budget, const struct check_runs *runs, struct split *split, uint32_t *order,
			      size_t verdicts, double units)
{
	struct trial *trials = calloc(verdicts, sizeof(*trials));
	uint64_t state = SEED;
	double low = budget->margin, high = 9, result = NAN;
	int err = trials ? 0 : -ENOMEM;
	size_t count = 0;
	while (!err && count < verdicts) {
		part(split, runs, NULL, order, &state);
		err = read_trial(&trials[count++], split, budget, units);
	}
	if (!err && rate_found(trials, count, high, budget->margin) >= FOUND) {
		for (int i = 0; i < 12; i++) {
			double middle = (low + high) / 2;
			*(rate_found(trials, count, middle, budget->margin) >= FOUND ? &high : &low) = middle;
		}
		result = high;
	}
	for (size_t i = 0; i < count; i++) {
		free(trials[i].a);
		free(trials[i].b);
	}
	free(trials);
	return result;
}

/* ---- all ---- */

struct tally { size_t failed, open; json_t *named, *doubts; };

static json_t *tally_json(const struct tally *tally, size_t verdicts, const char *failed)
{
	double low, high;
	stats_rate(tally->failed, verdicts, &low, &high);
	return json_pack("{s:I, s:I, s:f, s:f, s:f}", failed, (json_int_t)tally->failed, "inconclusive", (json_int_t)tally->open,
			 "rate", (double)tally->failed / (double)verdicts, "rate_low", low, "rate_high", high);
}

/* The same place in the source, or, where that is not known, the same words. */
static int is_of(const json_t *row, const struct check_result *result)
{
	const char *file = json_string_value(json_object_get(row, "file"));
	if (!*result->file)
		return !file && !strcmp(json_string_value(json_object_get(row, "name")), result->reason);
	return file && !strcmp(file, result->file) && json_integer_value(json_object_get(row, "line")) == result->line;
}

/* What a failure named, or why a verdict is open, and in how many verdicts. */
static void note_reason(json_t **list, const struct check_result *result)
{
	json_t *row;
	size_t i;
	if (!*list)
		*list = json_array();
	json_array_foreach(*list, i, row) {
		json_t *count = json_object_get(row, "verdicts");
		if (is_of(row, result)) {
			json_integer_set(count, json_integer_value(count) + 1);
			return;
		}
	}
	json_array_append_new(*list, json_pack("{s:s, s:o, s:o, s:i}", "name", result->reason, "file",
						      *result->file ? json_string(result->file) : json_null(), "line",
						      result->line ? json_integer(result->line) : json_null(), "verdicts", 1));
}

/* The last tally is that of the verdict as a whole. */
static int judge(struct tally *tallies, const struct budget_file *file, json_t *const *now, const struct split *split,
		 const struct check_options *options)
{
	const struct check_runs a = { split->a, NULL, split->count }, b = { now, NULL, split->count };
	struct check_report report;
	int err = check_run(&report, file, &b, &a, options);
	if (err)
		return err;
	for (size_t i = 0; i < report.count && i < file->count; i++) {
		tallies[i].failed += report.results[i].verdict == VERDICT_FAIL;
		tallies[i].open += report.results[i].verdict == VERDICT_INCONCLUSIVE;
		if (report.results[i].verdict != VERDICT_PASS)
			note_reason(report.results[i].verdict == VERDICT_FAIL ? &tallies[i].named : &tallies[i].doubts,
				    &report.results[i]);
	}
	tallies[file->count].failed += report.verdict == VERDICT_FAIL;
	tallies[file->count].open += report.verdict == VERDICT_INCONCLUSIVE;
	check_report_free(&report);
	return 0;
}

/* A selftest under way. */
struct selftest {
	const struct budget_file *file;
	const struct check_runs *runs, *worse;
	const struct check_options *options;
	size_t verdicts;
	struct split split;
	uint32_t *order;
	struct tally *same, *changed; /* [file->count + 1] */
};

static int judge_all(struct selftest *test)
{
	uint64_t state = SEED;
	int err = 0;
	for (size_t i = 0; i < test->verdicts && !err; i++) {
		part(&test->split, test->runs, test->worse, test->order, &state);
		err = judge(test->same, test->file, test->split.b, &test->split, test->options);
		if (!err && test->worse)
			err = judge(test->changed, test->file, test->split.worse, &test->split, test->options);
	}
	return err;
}

static void put_reasons(json_t *json, const struct tally *tally)
{
	json_object_set_new(json, "named", tally->named ? json_incref(tally->named) : json_array());
	json_object_set_new(json, "doubts", tally->doubts ? json_incref(tally->doubts) : json_array());
}

static json_t *metric_json(const struct selftest *test, size_t i)
{
	const char *name = test->file->budgets[i].metric;
	struct budget budget = test->file->budgets[i];
	struct split split = test->split;
	json_t *json = tally_json(&test->same[i], test->verdicts, "false_alarms");
	budget.row = budget.row->own ? metric_find(budget.row->own) : budget.row;
	int is_tested = budget.is_regression && budget.row->class < CLASS_STRUCTURAL;
	double change = is_tested ? smallest_change(&budget, test->runs, &split, test->order, test->verdicts, test->options->units) : NAN;
	json_object_set_new(json, "metric", json_string(name));
	put_reasons(json, &test->same[i]);
	json_object_set_new(json, "margin", json_real(test->file->budgets[i].margin));
	json_object_set_new(json, "smallest_change", isfinite(change) ? json_real(change) : json_null());
	return json;
}

static json_t *changed_json(const struct selftest *test)
{
	json_t *json = tally_json(&test->changed[test->file->count], test->verdicts, "found"), *list = json_array();
	for (size_t i = 0; i < test->file->count; i++) {
		json_t *metric = tally_json(&test->changed[i], test->verdicts, "found");
		json_object_set_new(metric, "metric", json_string(test->file->budgets[i].metric));
		put_reasons(metric, &test->changed[i]);
		json_array_append_new(list, metric);
	}
	json_object_set_new(json, "runs", json_integer((json_int_t)test->worse->count));
	json_object_set_new(json, "metrics", list);
	return json;
}

static json_t *result_json(const struct selftest *test)
{
	json_t *result = tally_json(&test->same[test->file->count], test->verdicts, "false_alarms"), *list = json_array();
	for (size_t i = 0; i < test->file->count; i++)
		json_array_append_new(list, metric_json(test, i));
	json_object_set_new(result, "runs", json_integer((json_int_t)test->runs->count));
	json_object_set_new(result, "runs_per_side", json_integer((json_int_t)test->split.count));
	json_object_set_new(result, "verdicts", json_integer((json_int_t)test->verdicts));
	json_object_set_new(result, "metrics", list);
	if (test->worse)
		json_object_set_new(result, "worse", changed_json(test));
	return result;
}

static void free_tallies(struct tally *tallies, size_t count)
{
	for (size_t i = 0; tallies && i < count; i++) {
		json_decref(tallies[i].named);
		json_decref(tallies[i].doubts);
	}
	free(tallies);
}

json_t *check_selftest(const struct budget_file *file, const struct check_runs *runs, const struct check_runs *worse,
		       size_t verdicts, const struct check_options *options)
{
	size_t side = runs->count / 2 < file->runs ? runs->count / 2 : file->runs;
	struct selftest test = { file, runs, worse && worse->count >= runs->count / 2 ? worse : NULL, options, verdicts };
	json_t *result = NULL;
	int err = split_open(&test.split, side ? side : 1);
	test.order = calloc(runs->count + 1, sizeof(*test.order));
	test.same = calloc(file->count + 1, sizeof(*test.same));
	test.changed = calloc(file->count + 1, sizeof(*test.changed));
	if (!err && side && test.order && test.same && test.changed && !judge_all(&test))
		result = result_json(&test);
	split_close(&test.split);
	free(test.order);
	free_tallies(test.same, file->count + 1);
	free_tallies(test.changed, file->count + 1);
	return result;
}

/* ---- text ---- */

static double number_of(const json_t *object, const char *key)
{
	return json_number_value(json_object_get(object, key));
}

static void put_rate(const json_t *tally, const char *name, FILE *out)
{
	char rate[64];
	const json_t *change = json_object_get(tally, "smallest_change");
	snprintf(rate, sizeof(rate), "%.1f%% (%.1f%% to %.1f%%)", 100 * number_of(tally, "rate"), 100 * number_of(tally, "rate_low"),
		 100 * number_of(tally, "rate_high"));
	fprintf(out, "  %-24s %-22s %7.0f", name, rate, number_of(tally, "inconclusive"));
	if (json_is_number(change))
		fprintf(out, "   %+.1f%%", 100 * json_number_value(change));
	fputc('\n', out);
}

static void put_names(const json_t *names, const char *what, FILE *out)
{
	const json_t *row;
	size_t i;
	json_array_foreach(names, i, row) {
		if (i < NAMES_SHOWN)
			fprintf(out, "    %4.0f x %s%s\n", number_of(row, "verdicts"), what, json_string_value(json_object_get(row, "name")));
	}
}

static void put_metrics(const json_t *list, FILE *out)
{
	const json_t *metric;
	size_t i;
	json_array_foreach(list, i, metric) {
		put_rate(metric, json_string_value(json_object_get(metric, "metric")), out);
		put_names(json_object_get(metric, "named"), "", out);
		put_names(json_object_get(metric, "doubts"), "open: ", out);
	}
}

static void put_changed(const json_t *worse, const char *command, FILE *out)
{
	fprintf(out, "\n%.0f runs of %s\n\n  %-24s %-22s %7s\n", number_of(worse, "runs"), command, "METRIC", "FOUND", "OPEN");
	put_metrics(json_object_get(worse, "metrics"), out);
	put_rate(worse, "any of them", out);
}

int check_selftest_print(const json_t *selftest, const char *command, const char *worse, FILE *out)
{
	fprintf(out, "%.0f runs of %s, the same each time; %.0f verdicts of %.0f runs against %.0f\n\n", number_of(selftest, "runs"), command,
		number_of(selftest, "verdicts"), number_of(selftest, "runs_per_side"), number_of(selftest, "runs_per_side"));
	fprintf(out, "  %-24s %-22s %7s   %s\n", "METRIC", "FALSE ALARMS", "OPEN", "FOUND IN 95 OF 100");
	put_metrics(json_object_get(selftest, "metrics"), out);
	put_rate(selftest, "any of them", out);
	if (json_object_get(selftest, "worse"))
		put_changed(json_object_get(selftest, "worse"), worse, out);
	return stream_state(out);
}

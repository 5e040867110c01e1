/* SPDX-License-Identifier: BSD-2-Clause */
/* The gate's answer as text and JSON, and the words that all its forms share. */
#include "check_parts.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

static const struct {
	enum verdict verdict;
	const char *word, *json;
} words[] = {
	{ VERDICT_PASS, "pass", "pass" },
	{ VERDICT_FAIL, "FAIL", "fail" },
	{ VERDICT_INCONCLUSIVE, "INCONCLUSIVE", "inconclusive" },
};

static size_t word_of(enum verdict verdict)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (words[i].verdict == verdict)
			return i;
	return 2;
}

const char *verdict_word(enum verdict verdict)
{
	return words[word_of(verdict)].json;
}

size_t verdict_count(const struct check_report *report, enum verdict verdict)
{
	size_t count = 0;
	for (size_t i = 0; i < report->count; i++)
		count += report->results[i].verdict == verdict;
	return count;
}

const char *result_value(char out[96], const struct check_result *result)
{
	char value[32];
	if (result->measured < 0)
		return "n/a";
	say_value(value, result->measured, result->is_duration);
	if (result->is_compared)
		snprintf(out, 96, "%s, %+.1f%% (%+.1f%% to %+.1f%%)", value, 100 * result->change, 100 * result->low,
			 100 * result->high);
	else
		snprintf(out, 96, "%s", value);
	return out;
}

void result_full_name(char out[224], const struct check_result *result)
{
	snprintf(out, 224, "%s%s%s%s", result->metric, *result->where ? " {" : "", result->where, *result->where ? "}" : "");
}

int stream_state(FILE *out)
{
	return ferror(out) ? (errno ? -errno : -EIO) : 0;
}

/* ---- order ---- */

/* How far over the limit, as a ratio; a regression's is its change. */
static double excess(const struct check_result *result)
{
	if (result->is_compared)
		return 1 + result->change;
	return result->limit > 0 ? result->measured / result->limit : result->measured + 1;
}

static int is_before(const struct check_report *report, size_t a, size_t b)
{
	const struct check_result *x = &report->results[a], *y = &report->results[b];
	unsigned first = verdict_rank(x->verdict), second = verdict_rank(y->verdict);
	if (first != second)
		return first > second;
	return excess(x) > excess(y);
}

size_t *results_worst_first(const struct check_report *report)
{
	size_t *order = malloc((report->count + 1) * sizeof(*order));
	for (size_t i = 0; order && i < report->count; i++) {
		size_t at = i;
		for (; at > 0 && is_before(report, i, order[at - 1]); at--)
			order[at] = order[at - 1];
		order[at] = i;
	}
	return order;
}

/* ---- text ---- */

int check_print_text(const struct check_report *report, FILE *out)
{
	for (size_t i = 0; i < report->count; i++) {
		const struct check_result *result = &report->results[i];
		char name[224], value[96];
		result_full_name(name, result);
		fprintf(out, "%-12s  %-32s  %s\n", words[word_of(result->verdict)].word, name,
			result->verdict == VERDICT_PASS ? result_value(value, result) : result->reason);
		if (result->verdict == VERDICT_FAIL && *result->file)
			fprintf(out, "%-12s  %-32s  at %s:%u\n", "", "", result->file, result->line);
	}
	fprintf(out, "%s: %zu failed, %zu inconclusive, %zu passed\n", words[word_of(report->verdict)].word,
		verdict_count(report, VERDICT_FAIL), verdict_count(report, VERDICT_INCONCLUSIVE),
		verdict_count(report, VERDICT_PASS));
	return stream_state(out);
}

/* ---- JSON ---- */

static json_t *optional(const char *text)
{
	return *text ? json_string(text) : json_null();
}

static json_t *number(double value, int is_known)
{
	return is_known && isfinite(value) ? json_real(value) : json_null();
}

static json_t *result_json(const struct check_result *result)
{
	json_t *json = json_pack("{s:s, s:o, s:s, s:o, s:f, s:b, s:o, s:o, s:o}", "metric", result->metric, "where",
				 optional(result->where), "verdict", verdict_word(result->verdict), "measured",
				 number(result->measured, result->measured >= 0), "limit", result->limit, "is_duration",
				 result->is_duration, "reason", optional(result->reason), "file", optional(result->file), "line",
				 result->line ? json_integer(result->line) : json_null());
	if (!result->is_regression)
		return json;
	int is_compared = result->is_compared;
	json_object_set_new(json, "regression",
			    json_pack("{s:o, s:f, s:o, s:o, s:o, s:o, s:I, s:I}", "baseline",
				      number(result->baseline, result->baseline >= 0), "margin", result->margin, "change",
				      number(result->change, is_compared), "low", number(result->low, is_compared), "high",
				      number(result->high, is_compared), "p", number(result->p, is_compared), "runs",
				      (json_int_t)result->runs, "baseline_runs", (json_int_t)result->baseline_runs));
	return json;
}

json_t *check_json(const struct check_report *report)
{
	json_t *results = json_array();
	for (size_t i = 0; i < report->count; i++)
		json_array_append_new(results, result_json(&report->results[i]));
	return json_pack("{s:i, s:s, s:o}", "schema_version", 1, "verdict", verdict_word(report->verdict), "results", results);
}

/* What github-action-benchmark reads with tool: customSmallerIsBetter. */
json_t *check_benchmark(const struct check_report *report)
{
	json_t *list = json_array();
	for (size_t i = 0; i < report->count; i++) {
		const struct check_result *result = &report->results[i];
		char name[224], range[64] = "";
		if (result->measured < 0)
			continue;
		result_full_name(name, result);
		if (result->is_compared)
			snprintf(range, sizeof(range), "%+.1f%% to %+.1f%%", 100 * result->low, 100 * result->high);
		json_t *row = json_pack("{s:s, s:s, s:f, s:s}", "name", name, "unit", result->is_duration ? "ns" : "count", "value",
					result->measured, "extra",
					*result->reason ? result->reason : verdict_word(result->verdict));
		if (*range)
			json_object_set_new(row, "range", json_string(range));
		json_array_append_new(list, row);
	}
	return list;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The gate's answer as text, JUnit XML and JSON. */
#include "check_parts.h"

#include <errno.h>
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

static size_t count_of(const struct check_report *report, enum verdict verdict)
{
	size_t count = 0;
	for (size_t i = 0; i < report->count; i++)
		count += report->results[i].verdict == verdict;
	return count;
}

static const char *value_text(char out[32], const struct check_result *result, double value)
{
	char duration[16];
	if (result->measured < 0)
		return "n/a";
	if (result->is_duration)
		snprintf(out, 32, "%s", text_duration(duration, (uint64_t)value));
	else
		snprintf(out, 32, "%.10g", value);
	return out;
}

static void full_name(char out[224], const struct check_result *result)
{
	snprintf(out, 224, "%s%s%s%s", result->metric, *result->where ? " {" : "", result->where, *result->where ? "}" : "");
}

static int state_of(FILE *out)
{
	return ferror(out) ? (errno ? -errno : -EIO) : 0;
}

int check_print_text(const struct check_report *report, FILE *out)
{
	for (size_t i = 0; i < report->count; i++) {
		const struct check_result *result = &report->results[i];
		char name[224], value[32];
		full_name(name, result);
		fprintf(out, "%-12s  %-32s  %s\n", words[word_of(result->verdict)].word, name,
			result->verdict == VERDICT_PASS ? value_text(value, result, result->measured) : result->reason);
		if (result->verdict == VERDICT_FAIL && *result->file)
			fprintf(out, "%-12s  %-32s  at %s:%u\n", "", "", result->file, result->line);
	}
	fprintf(out, "%s: %zu failed, %zu inconclusive, %zu passed\n", words[word_of(report->verdict)].word,
		count_of(report, VERDICT_FAIL), count_of(report, VERDICT_INCONCLUSIVE), count_of(report, VERDICT_PASS));
	return state_of(out);
}

/* XML knows no escape for control characters nor for U+FFFE and U+FFFF. */
static void print_escaped(FILE *out, const char *text)
{
	for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
		static const struct { char byte; const char *entity; } entities[] = {
			{ '<', "&lt;" }, { '>', "&gt;" }, { '&', "&amp;" }, { '"', "&quot;" }, { '\'', "&apos;" } };
		const char *entity = NULL;
		for (size_t i = 0; i < sizeof(entities) / sizeof(entities[0]); i++)
			entity = *at == (unsigned char)entities[i].byte ? entities[i].entity : entity;
		if (entity) {
			fputs(entity, out);
		} else if (*at < 0x20 || *at == 0x7F) {
			fputc('?', out);
		} else if (at[0] == 0xEF && at[1] == 0xBF && (at[2] == 0xBE || at[2] == 0xBF)) {
			fputc('?', out);
			at += 2;
		} else {
			fputc(*at, out);
		}
	}
}

static void print_case(const struct check_result *result, FILE *out)
{
	char name[224];
	full_name(name, result);
	fputs("  <testcase classname=\"pollscope.check\" name=\"", out);
	print_escaped(out, name);
	if (result->verdict == VERDICT_FAIL && *result->file) {
		fputs("\" file=\"", out);
		print_escaped(out, result->file);
		fprintf(out, "\" line=\"%u", result->line);
	}
	if (result->verdict == VERDICT_PASS) {
		fputs("\"/>\n", out);
		return;
	}
	/* not "skipped": that is green in most viewers, and inconclusive is not a pass */
	const char *element = result->verdict == VERDICT_FAIL ? "failure" : "error";
	fprintf(out, "\">\n    <%s type=\"%s\" message=\"", element, words[word_of(result->verdict)].json);
	print_escaped(out, result->reason);
	fputs("\"/>\n  </testcase>\n", out);
}

int check_print_junit(const struct check_report *report, FILE *out)
{
	fprintf(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"pollscope check\" tests=\"%zu\" failures=\"%zu\" errors=\"%zu\">\n",
		report->count, count_of(report, VERDICT_FAIL), count_of(report, VERDICT_INCONCLUSIVE));
	for (size_t i = 0; i < report->count; i++)
		print_case(&report->results[i], out);
	fputs("</testsuite>\n", out);
	return state_of(out);
}

static json_t *optional(const char *text)
{
	return *text ? json_string(text) : json_null();
}

json_t *check_json(const struct check_report *report)
{
	json_t *results = json_array();
	for (size_t i = 0; i < report->count; i++) {
		const struct check_result *result = &report->results[i];
		json_array_append_new(
			results, json_pack("{s:s, s:o, s:s, s:o, s:f, s:b, s:o, s:o, s:o}", "metric", result->metric, "where",
					   optional(result->where), "verdict", words[word_of(result->verdict)].json, "measured",
					   result->measured < 0 ? json_null() : json_real(result->measured), "limit", result->limit,
					   "is_duration", result->is_duration, "reason", optional(result->reason), "file",
					   optional(result->file), "line",
					   result->line ? json_integer(result->line) : json_null()));
	}
	return json_pack("{s:i, s:s, s:o}", "schema_version", 1, "verdict", words[word_of(report->verdict)].json, "results", results);
}

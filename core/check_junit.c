/* SPDX-License-Identifier: BSD-2-Clause */
/* The gate's answer as JUnit XML, which every CI reads: one test case per budget. */
#include "check_parts.h"

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
	result_full_name(name, result);
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
	fprintf(out, "\">\n    <%s type=\"%s\" message=\"", element, verdict_word(result->verdict));
	print_escaped(out, result->reason);
	fputs("\"/>\n  </testcase>\n", out);
}

int check_print_junit(const struct check_report *report, FILE *out)
{
	fprintf(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"pollscope check\" tests=\"%zu\" failures=\"%zu\" errors=\"%zu\">\n",
		report->count, verdict_count(report, VERDICT_FAIL), verdict_count(report, VERDICT_INCONCLUSIVE));
	for (size_t i = 0; i < report->count; i++)
		print_case(&report->results[i], out);
	fputs("</testsuite>\n", out);
	return stream_state(out);
}

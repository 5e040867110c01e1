/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The gate's answer for GitHub: workflow commands that become annotations, and
 * a Markdown table for the summary of a step. GitHub shows at most ten
 * annotations of a kind per step, so the worst come first and a line counts
 * what was left out. Names are foreign text: a line break or a "%" in one must
 * not become a command of its own.
 */
#include "check_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MOST 10
#define MOST_ROWS 500 /* a summary of a step may have 1 MiB */

/* In a property "," and ":" have a meaning too. */
static void put_escaped(FILE *out, const char *text, int in_property)
{
	for (; *text; text++) {
		if (*text == '%' || *text == '\r' || *text == '\n' || (in_property && (*text == ':' || *text == ',')))
			fprintf(out, "%%%02X", (unsigned char)*text);
		else
			fputc(*text, out);
	}
}

/* A file of the checkout is told from its root, or GitHub cannot show the line. */
static const char *within(const char *file, const char *root)
{
	size_t length = root ? strlen(root) : 0;
	while (length && root[length - 1] == '/')
		length--;
	return length && !strncmp(file, root, length) && file[length] == '/' ? file + length + 1 : file;
}

static void put_annotation(const struct check_result *result, const char *root, FILE *out)
{
	char name[224];
	int failed = result->verdict == VERDICT_FAIL;
	result_full_name(name, result);
	fputs(failed ? "::error " : "::warning ", out);
	if (failed && *result->file) {
		fputs("file=", out);
		put_escaped(out, within(result->file, root), 1);
		if (result->line)
			fprintf(out, ",line=%u", result->line);
		fputc(',', out);
	}
	fputs("title=pollscope ", out);
	put_escaped(out, name, 1);
	fputs("::", out);
	put_escaped(out, result->reason, 0);
	fputc('\n', out);
}

int check_print_github(const struct check_report *report, const char *root, FILE *out)
{
	size_t told[2] = { 0, 0 }, *order = results_worst_first(report);
	if (!order)
		return -ENOMEM;
	for (size_t i = 0; i < report->count; i++) {
		const struct check_result *result = &report->results[order[i]];
		if (result->verdict != VERDICT_PASS && told[result->verdict == VERDICT_FAIL]++ < MOST)
			put_annotation(result, root, out);
	}
	free(order);
	if (told[0] > MOST || told[1] > MOST)
		fprintf(out, "::notice title=pollscope::%zu failed and %zu inconclusive in all; the worst %d of each are shown\n",
			told[1], told[0], MOST);
	return stream_state(out);
}

/* ---- Markdown ---- */

/* As text between other text: nothing of it may become markup, and no bar may end the cell. */
static void put_cell(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (strchr("\\`*_{}[]<>()#+!|~$&", *text))
			fputc('\\', out);
		fputc(*text == '\n' || *text == '\r' ? ' ' : *text, out);
	}
}

static void put_row(const struct check_result *result, FILE *out)
{
	static const char *const signs[] = { [VERDICT_PASS] = ":white_check_mark:", [VERDICT_FAIL] = ":x:",
					     [VERDICT_INCONCLUSIVE] = ":grey_question:" };
	char name[224], value[96], limit[32], place[160] = "";
	result_full_name(name, result);
	say_value(limit, result->limit, result->is_duration);
	if (result->verdict == VERDICT_FAIL && *result->file)
		snprintf(place, sizeof(place), " at %s:%u", result->file, result->line);
	fprintf(out, "| %s | ", signs[result->verdict]);
	put_cell(out, name);
	fputs(" | ", out);
	put_cell(out, result_value(value, result));
	fputs(" | ", out);
	put_cell(out, result->measured < 0 ? "" : limit);
	fputs(" | ", out);
	put_cell(out, result->verdict == VERDICT_PASS ? "" : result->reason);
	put_cell(out, place);
	fputs(" |\n", out);
}

int check_print_markdown(const struct check_report *report, FILE *out)
{
	size_t *order = results_worst_first(report);
	if (!order)
		return -ENOMEM;
	fprintf(out, "### pollscope check: %s\n\n%zu failed, %zu inconclusive, %zu passed\n\n", verdict_word(report->verdict),
		verdict_count(report, VERDICT_FAIL), verdict_count(report, VERDICT_INCONCLUSIVE),
		verdict_count(report, VERDICT_PASS));
	fputs("| | metric | measured | limit | |\n|---|---|---|---|---|\n", out);
	for (size_t i = 0; i < report->count && i < MOST_ROWS; i++)
		put_row(&report->results[order[i]], out);
	free(order);
	if (report->count > MOST_ROWS)
		fprintf(out, "\n… and %zu more\n", report->count - MOST_ROWS);
	return stream_state(out);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pollscope check: the CI gate. Budgets judged on recordings or summaries, and
 * on how they differ from a baseline. The verdict is the exit code; the files
 * tell it to others.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "command.h"
#include "fault.h"
#include "inputs.h"
#include "json.h"
#include "output.h"

typedef int write_fn(const struct check_report *report, FILE *out);

/* GitHub gives each step a file that is there already and is only added to. */
static int is_step_summary(const char *name)
{
	const char *summary = getenv("GITHUB_STEP_SUMMARY");
	return summary && *summary && !strcmp(summary, name);
}

static int open_target(struct output *output, const char *name, int force)
{
	if (!is_step_summary(name))
		return output_open(output, name, force);
	*output = (struct output){ .fd = open(name, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600), .owned = 1, .name = name };
	return output->fd < 0 ? fault(CLI_OUTPUT, "cannot write %s: %s", name, strerror(errno)) : 0;
}

static int write_file(const struct check_report *report, const char *name, write_fn *print, const struct options *options)
{
	struct output output;
	int code = name ? open_target(&output, name, options->force) : 0;
	if (code || !name)
		return code;
	int fd = dup(output.fd);
	FILE *out = fd < 0 ? NULL : fdopen(fd, "w");
	int err = out ? print(report, out) : -errno;
	if (out && fclose(out) && !err)
		err = -errno;
	code = err ? fault(fault_code(SIDE_OUTPUT, err), "cannot write %s: %s", name, strerror(-err)) : output_settle(&output);
	int closed = output_close(&output);
	return code ? code : closed;
}

static int print_benchmark(const struct check_report *report, FILE *out)
{
	json_t *list = check_benchmark(report);
	int err = !list ? -ENOMEM : json_dumpf(list, out, JSON_INDENT(2)) ? -EIO : 0;
	json_decref(list);
	return fputc('\n', out) == EOF && !err ? -errno : err;
}

static int write_files(const struct check_report *report, const struct options *options)
{
	const struct { const char *name; write_fn *print; } files[] = {
		{ options->junit, check_print_junit }, { options->markdown, check_print_markdown },
		{ options->benchmark, print_benchmark } };
	int worst = 0;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		int code = write_file(report, files[i].name, files[i].print, options);
		worst = worst ? worst : code;
	}
	return worst;
}

/* Annotations are commands in the log: they go beside the text, or to stderr where stdout is a document. */
static void print_annotations(const struct check_report *report, const struct options *options)
{
	const char *actions = getenv("GITHUB_ACTIONS"), *root = getenv("GITHUB_WORKSPACE");
	char here[4096];
	if (!options->github && (!actions || strcmp(actions, "true")))
		return;
	if (!root || !*root)
		root = getcwd(here, sizeof(here));
	check_print_github(report, root, options->json ? stderr : stdout);
}

static int exit_of(enum verdict verdict, enum inconclusive how)
{
	static const enum exit_code codes[] = {
		[INCONCLUSIVE_EXIT] = CLI_INCONCLUSIVE, [INCONCLUSIVE_FAIL] = CLI_FAILED,
		[INCONCLUSIVE_PASS] = CLI_OK, [INCONCLUSIVE_REPORT] = CLI_OK,
	};
	return verdict == VERDICT_PASS ? CLI_OK : verdict == VERDICT_FAIL ? CLI_FAILED : codes[how];
}

/* "pass" means it everywhere: what was left open is green in the files too, "report" only in the exit code. */
static void pass_what_is_open(struct check_report *report)
{
	for (size_t i = 0; i < report->count; i++)
		if (report->results[i].verdict == VERDICT_INCONCLUSIVE)
			report->results[i].verdict = VERDICT_PASS;
	if (report->verdict == VERDICT_INCONCLUSIVE)
		report->verdict = VERDICT_PASS;
}

static int judge(const struct budget_file *budgets, const struct inputs *inputs, const struct inputs *baseline,
		 const struct options *options)
{
	struct check_report report = { 0 };
	const struct check_runs runs = inputs_runs(inputs), before = inputs_runs(baseline);
	const struct check_options how = { .lossy_ok = options->lossy, .units = options->units };
	int err = check_run(&report, budgets, &runs, &before, &how);
	if (err)
		return fault(CLI_OUTPUT, "cannot judge by %s: %s", options->budget, strerror(-err));
	if (options->inconclusive == INCONCLUSIVE_PASS)
		pass_what_is_open(&report);
	int code = exit_of(report.verdict, options->inconclusive);
	if (options->json)
		json_tell("check", check_json(&report));
	else
		check_print_text(&report, stdout);
	print_annotations(&report, options);
	int written = write_files(&report, options);
	check_report_free(&report);
	return written ? written : code;
}

static int load_all(struct inputs *inputs, struct inputs *baseline, const struct options *options)
{
	int code = 0;
	for (int i = 0; i < options->operand_count && !code; i++)
		code = inputs_add(inputs, options->operands[i], options->stall_ns);
	for (int i = 0; i < options->baseline_count && !code; i++)
		code = inputs_add(baseline, options->baseline[i], options->stall_ns);
	return code;
}

static int check(const struct options *options)
{
	struct budget_file *budgets = NULL;
	struct inputs inputs = { 0 }, baseline = { 0 };
	char message[512] = "";
	if (!options->budget)
		return fault(CLI_USAGE, "check wants --budget FILE; check --init FILE.psr writes a first one");
	int err = budget_open(&budgets, options->budget, message, sizeof(message));
	if (err)
		return fault(CLI_USAGE, "%s", *message ? message : strerror(-err));
	int code = load_all(&inputs, &baseline, options);
	if (!code)
		code = judge(budgets, &inputs, &baseline, options);
	inputs_free(&inputs);
	inputs_free(&baseline);
	budget_close(budgets);
	return code;
}

/* ---- --init ---- */

static int put_first(const json_t *document, const struct options *options)
{
	struct output output;
	const char *name = options->operands[0];
	if (!options->output)
		return check_init(document, name, stdout) ? CLI_OUTPUT : 0; /* main() says why */
	int code = output_open(&output, options->output, options->force);
	if (code)
		return code;
	int fd = dup(output.fd);
	FILE *out = fd < 0 ? NULL : fdopen(fd, "w");
	int err = out ? check_init(document, name, out) : -errno;
	if (out && fclose(out) && !err)
		err = -errno;
	code = err ? fault(fault_code(SIDE_OUTPUT, err), "cannot write %s: %s", options->output, strerror(-err)) :
		     output_settle(&output);
	int closed = output_close(&output);
	return code ? code : closed;
}

static int init(const struct options *options)
{
	struct inputs inputs = { 0 };
	if (options->operand_count != 1)
		return fault(CLI_USAGE, "--init makes a budget from one recording, not from %d", options->operand_count);
	int code = inputs_add(&inputs, options->operands[0], options->stall_ns);
	/* limits of what was not seen would be kept by anything */
	if (!code && !json_array_size(json_object_get(inputs.documents[0], "loops")))
		code = fault(CLI_INCONCLUSIVE, "no event loop was seen in %s: there is nothing to make a budget from",
			     options->operands[0]);
	if (!code)
		code = put_first(inputs.documents[0], options);
	inputs_free(&inputs);
	return code;
}

static int run(const struct options *options)
{
	return options->init ? init(options) : check(options);
}

const struct command cmd_check = {
	.name = "check", .usage = "FILE... --budget FILE", .note = "judge recordings by a budget; for CI",
	.more = "FILE is a recording (.psr), a summary document (.json) or a folder of them. Every budget of the YAML file is a "
		"limit on a number of the summary document; the first culprit of a failure is named by file and line.\n"
		"With --baseline the runs are compared with earlier ones: new synchronous calls, stalls and broken rules from one "
		"run, CPU time and latency from at least ten of each side.\n"
		"Exit code 0: all hold; 1: one does not; 3: too little or lossy data, or runs that cannot be compared (see "
		"--inconclusive). check --init FILE.psr writes a first budget.",
	.options = OPT(BUDGET) | OPT(BASELINE) | OPT(UNITS) | OPT(INIT) | OPT(OUTPUT) | OPT(JUNIT) | OPT(GITHUB) | OPT(MARKDOWN) |
		OPT(BENCHMARK) | OPT(INCONCLUSIVE) | OPT(LOSSY) | OPT(JSON) | OPT(STALL) | OPT(FORCE),
	.fewest = 1, .most = 10000, .run = run,
};

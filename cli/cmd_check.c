/* SPDX-License-Identifier: BSD-2-Clause */
/* pollscope check: the CI gate. Budgets judged on recordings or summaries. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "command.h"
#include "fault.h"
#include "json.h"
#include "output.h"
#include "recording.h"
#include "summary.h"

struct inputs {
	json_t **documents;
	const char **names;
	size_t count;
};

static int ends_in(const char *name, const char *suffix)
{
	size_t bytes = strlen(name), tail = strlen(suffix);
	return bytes >= tail && !strcmp(name + bytes - tail, suffix);
}

static int load_summary(json_t **document, const char *name)
{
	json_error_t error;
	*document = json_load_file(name, JSON_REJECT_DUPLICATES, &error);
	if (*document && json_is_integer(json_object_get(*document, "schema_version")))
		return 0;
	if (*document)
		return fault(CLI_USAGE, "cannot read %s: it is no summary document of pollscope", name);
	return fault(CLI_USAGE, "cannot read %s: %s (line %d, column %d)", name, error.text, error.line, error.column);
}

static int load_recording(json_t **document, const char *name, uint64_t stall_ns)
{
	struct recording recording;
	int code = recording_open(&recording, name, stall_ns);
	if (code)
		return code;
	code = recording_read(&recording);
	if (!code && !(*document = summary_document(recording.model, COMMAND_TOOL, 0)))
		code = fault(CLI_OUTPUT, "not enough memory for %s", name);
	recording_close(&recording);
	return code;
}

static int load_inputs(struct inputs *inputs, const struct options *options)
{
	inputs->documents = calloc((size_t)options->operand_count, sizeof(*inputs->documents));
	inputs->names = (const char **)options->operands;
	if (!inputs->documents)
		return fault(CLI_OUTPUT, "not enough memory");
	for (int i = 0; i < options->operand_count; i++) {
		const char *name = options->operands[i];
		json_t **document = &inputs->documents[inputs->count];
		int code = ends_in(name, ".json") ? load_summary(document, name)
						  : load_recording(document, name, options->stall_ns);
		inputs->count += *document != NULL;
		if (code)
			return code;
	}
	return 0;
}

static void free_inputs(struct inputs *inputs)
{
	for (size_t i = 0; i < inputs->count; i++)
		json_decref(inputs->documents[i]);
	free(inputs->documents);
}

static int write_junit(const struct check_report *report, const struct options *options)
{
	struct output output;
	int code = output_open(&output, options->junit, options->force);
	if (code)
		return code;
	int fd = dup(output.fd);
	FILE *out = fd < 0 ? NULL : fdopen(fd, "w");
	int err = out ? check_print_junit(report, out) : -errno;
	if (out && fclose(out) && !err)
		err = -errno;
	code = err ? fault(fault_code(SIDE_OUTPUT, err), "cannot write %s: %s", options->junit, strerror(-err))
		   : output_settle(&output);
	int closed = output_close(&output);
	return code ? code : closed;
}

static int exit_of(enum verdict verdict, enum inconclusive how)
{
	static const enum exit_code codes[] = {
		[INCONCLUSIVE_EXIT] = CLI_INCONCLUSIVE, [INCONCLUSIVE_FAIL] = CLI_FAILED,
		[INCONCLUSIVE_PASS] = CLI_OK, [INCONCLUSIVE_REPORT] = CLI_OK,
	};
	return verdict == VERDICT_PASS ? CLI_OK : verdict == VERDICT_FAIL ? CLI_FAILED : codes[how];
}

static int judge(const struct budget_file *budgets, const struct inputs *inputs, const struct options *options)
{
	struct check_report report = { 0 };
	int err = check_run(&report, budgets, inputs->documents, inputs->names, inputs->count, options->lossy);
	if (err)
		return fault(CLI_USAGE, "cannot judge by %s: %s", options->budget, strerror(-err));
	int code = exit_of(report.verdict, options->inconclusive);
	if (options->json)
		json_tell("check", check_json(&report));
	else
		check_print_text(&report, stdout);
	int written = options->junit ? write_junit(&report, options) : 0;
	check_report_free(&report);
	return written ? written : code;
}

static int run(const struct options *options)
{
	struct budget_file *budgets = NULL;
	struct inputs inputs = { 0 };
	char message[512] = "";
	if (!options->budget)
		return fault(CLI_USAGE, "check wants --budget FILE; docs/check.md shows one");
	int err = budget_open(&budgets, options->budget, message, sizeof(message));
	if (err)
		return fault(CLI_USAGE, "%s: %s", options->budget, *message ? message : strerror(-err));
	int code = load_inputs(&inputs, options);
	if (!code)
		code = judge(budgets, &inputs, options);
	free_inputs(&inputs);
	budget_close(budgets);
	return code;
}

const struct command cmd_check = {
	.name = "check", .usage = "FILE... --budget FILE", .note = "judge recordings by a budget; for CI",
	.more = "FILE is a recording (.psr) or a summary document (.json). Every budget of the YAML file is a limit on a "
		"number of the summary document; the first culprit of a failure is named.\n"
		"Exit code 0: all hold; 1: one does not; 3: too little or lossy data to tell (see --inconclusive).",
	.options = OPT(BUDGET) | OPT(JUNIT) | OPT(INCONCLUSIVE) | OPT(LOSSY) | OPT(JSON) | OPT(STALL) | OPT(FORCE),
	.fewest = 1, .most = 10000, .run = run,
};

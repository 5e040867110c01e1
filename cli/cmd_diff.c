/* SPDX-License-Identifier: BSD-2-Clause */
/* pollscope diff: what is different between two groups of recordings. */
#include <string.h>

#include "command.h"
#include "fault.h"
#include "inputs.h"
#include "json.h"

static int tell(const struct inputs *a, const struct inputs *b, const struct options *options)
{
	const struct check_runs before = inputs_runs(a), after = inputs_runs(b);
	json_t *diff = check_diff(&before, &after, options->units);
	if (!diff)
		return fault(CLI_OUTPUT, "not enough memory");
	if (options->json) {
		json_tell("diff", diff);
		return CLI_OK;
	}
	check_diff_print(diff, stdout); /* a failed write to stdout is told by main() */
	json_decref(diff);
	return CLI_OK;
}

static int run(const struct options *given)
{
	struct options own = *given, *options = &own;
	struct inputs a = { 0 }, b = { 0 };
	int code = 0;
	if (!options->launch || !options->operand_count)
		return fault(CLI_USAGE, "diff wants two groups of recordings: pollscope diff A.psr... -- B.psr...");
	for (int i = 0; i < options->operand_count && !code; i++)
		code = inputs_add(&a, options->operands[i], options->stall_ns);
	for (char **name = options->launch; *name && !code; name++) {
		if (!strcmp(*name, "--json")) /* behind the second group it is still meant as an option */
			options->json = 1;
		else
			code = inputs_add(&b, *name, options->stall_ns);
	}
	if (!code && !b.count)
		code = fault(CLI_USAGE, "diff wants recordings behind -- too");
	if (!code)
		code = tell(&a, &b, options);
	inputs_free(&a);
	inputs_free(&b);
	return code;
}

const struct command cmd_diff = {
	.name = "diff", .usage = "A.psr... -- B.psr...", .note = "what is different between two groups of recordings",
	.more = "Each file is a recording (.psr), a summary document (.json) or a folder of them. Tells culprits of stalls that are "
		"new and gone, and figures that changed: medians of the runs, and with four or more of each side the interval "
		"and the chance that nothing changed.\n"
		"It judges nothing and ends with 0; check does the judging.",
	.options = OPT(JSON) | OPT(STALL) | OPT(UNITS), .fewest = 1, .most = 10000, .splits = 1, .run = run,
};

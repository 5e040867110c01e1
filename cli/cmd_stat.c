/* SPDX-License-Identifier: BSD-2-Clause */
/* pollscope stat: watch for a while, then print the summary. */
#include "collect.h"
#include "command.h"

static int run(const struct options *given)
{
	struct options options = *given;
	/* a launched command is watched to its end, anything else for a while */
	if (!options.duration_ns && !options.launch && !options.count)
		options.duration_ns = 5000000000ull;
	return collect(&options, 0);
}

const struct command cmd_stat = {
	.name = "stat", .usage = "TARGET", .note = "watch for a while, then print a summary",
	.more = "Watches for 5 seconds, or as long as -d says, or until a launched command ends or Ctrl-C, and prints what "
		"each loop did: utilization, iterations, poll waits, lag, stalls with cause and culprit, the pool, findings.\n"
		"With -o the events are recorded as well; a report of that file shows the same numbers. What could not be "
		"measured is null in JSON, with the reason under \"not_measured\".",
	.options = OPT_TARGET | OPT(JSON) | OPT(JSONL) | OPT(COUNT) | OPT(OUTPUT) | OPT(FORCE),
	.fewest = 1, .most = 1, .launches = 1, .run = run,
};

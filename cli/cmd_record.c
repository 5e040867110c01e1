/* SPDX-License-Identifier: BSD-2-Clause */
/* pollscope record: everything into a .psr file. */
#include "collect.h"
#include "command.h"
#include "fault.h"

static int run(const struct options *options)
{
	if (!options->output)
		return fault(CLI_USAGE, "record wants -o FILE.psr (or -o - for a pipe)");
	return collect(options, !options->json);
}

const struct command cmd_record = {
	.name = "record", .usage = "TARGET -o FILE.psr", .note = "record until -d, -n, the target's exit or Ctrl-C",
	.more = "Records every event into FILE.psr, to be read by report, replay, check and export. Ctrl-C ends it with "
		"the data kept; a recording that is cut off, even by a crash, is readable up to its last whole chunk.\n"
		"When the disk fills up, recording stops at a chunk and the exit code is 7.",
	.options = OPT_TARGET | OPT(JSON) | OPT(COUNT) | OPT(OUTPUT) | OPT(FORCE),
	.fewest = 1, .most = 1, .launches = 1, .run = run,
};

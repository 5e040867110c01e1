/* SPDX-License-Identifier: BSD-2-Clause */
/* pollscope record: everything into a .psr file. */
#include "collect.h"
#include "command.h"
#include "fault.h"

#define STALL_DEFAULT_NS 50000000ull

static int run(const struct options *given)
{
	struct options options = *given;
	if (!options.output)
		return fault(CLI_USAGE, "record wants -o FILE.psr (or -o - for a pipe)");
	/* what is shorter than a stall never becomes one */
	if (options.on_stall_ns && options.on_stall_ns < (options.stall_ns ? options.stall_ns : STALL_DEFAULT_NS))
		options.stall_ns = options.on_stall_ns;
	return collect(&options, !options.json);
}

const struct command cmd_record = {
	.name = "record", .usage = "TARGET -o FILE.psr", .note = "record until -d, -n, the target's exit or Ctrl-C",
	.more = "Records every event into FILE.psr, to be read by report, replay, check and export. Ctrl-C ends it with "
		"the data kept; a recording that is cut off, even by a crash, is readable up to its last whole chunk.\n"
		"When the disk fills up, recording stops at a chunk, a launched command goes on to its end, and the exit code "
		"is 7.\n"
		"--ring is a flight recorder: the last TIME is kept in memory and written to FILE.psr when a stall was at least "
		"as long as --on-stall says (with the seconds around it), on SIGUSR1, and at the end. --rotate goes on in another "
		"file at a size, a time, or SIGUSR1. Further files are called FILE.0002.psr, FILE.0003.psr and so on; each is "
		"whole in itself, and no event is in two of them.",
	.options = OPT_TARGET | OPT(JSON) | OPT(COUNT) | OPT(OUTPUT) | OPT(FORCE) | OPT(RING) | OPT(ON_STALL) | OPT(ROTATE) |
		OPT(KEEP),
	.fewest = 1, .most = 1, .launches = 1, .run = run,
};

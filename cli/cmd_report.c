/* SPDX-License-Identifier: BSD-2-Clause */
/* pollscope report: the summary, from a recording. */
#include "collect.h"
#include "command.h"
#include "recording.h"

static int run(const struct options *options)
{
	struct recording recording;
	int code = recording_open(&recording, options->operands[0], options->stall_ns);
	if (code)
		return code;
	code = recording_read(&recording);
	if (!code)
		code = tell_recorded(recording.model, psr_reader_info(recording.reader), options);
	recording_close(&recording);
	return code;
}

const struct command cmd_report = {
	.name = "report", .usage = "FILE.psr", .note = "the same summary, from a recording",
	.more = "Prints what stat would have printed. --stall judges again with another threshold. A recording that was "
		"cut or damaged is reported as far as it is readable, and says so.",
	.options = OPT(JSON) | OPT(STALL), .fewest = 1, .most = 1, .run = run,
};

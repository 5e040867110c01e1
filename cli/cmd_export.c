/* SPDX-License-Identifier: BSD-2-Clause */
/* pollscope export: a recording in the format of another tool. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "export.h"
#include "fault.h"
#include "output.h"
#include "recording.h"

static int write_all(const struct exporter *exporter, struct recording *recording, struct output *output)
{
	int fd = dup(output->fd);
	FILE *out = fd < 0 ? NULL : fdopen(fd, "w");
	int err = out ? 0 : -errno;
	if (!out && fd >= 0)
		close(fd);
	if (!err)
		err = export_recording(exporter, recording->reader, out);
	if (out && fclose(out) && !err)
		err = -errno;
	recording_tell_state(recording);
	if (!err)
		return output_settle(output);
	return fault(fault_code(SIDE_OUTPUT, err), "cannot export %s to %s: %s", recording->name, output->name,
		     strerror(-err));
}

static int run(const struct options *options)
{
	struct recording recording;
	struct output output;
	if (!options->to)
		return fault(CLI_USAGE, "export wants --to FORMAT; pollscope help export lists them");
	int code = recording_open(&recording, options->operands[0], 0);
	if (code)
		return code;
	code = output_open(&output, options->output ? options->output : "-", options->force);
	if (!code) {
		code = write_all(exporter_find(options->to), &recording, &output);
		int closed = output_close(&output);
		code = code ? code : closed;
	}
	recording_close(&recording);
	return code;
}

const struct command cmd_export = {
	.name = "export", .usage = "FILE.psr --to FORMAT", .note = "a recording in the format of another tool",
	.more = "Writes the recording in another format, to -o FILE or to standard output.",
	.options = OPT(TO) | OPT(OUTPUT) | OPT(FORCE), .fewest = 1, .most = 1, .run = run,
};

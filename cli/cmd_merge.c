/* SPDX-License-Identifier: BSD-2-Clause */
/* pollscope merge: several recordings in one, by their clocks. */
#include <errno.h>
#include <string.h>

#include "command.h"
#include "fault.h"
#include "output.h"
#include "psr_merge.h"
#include "recording.h"

struct inputs {
	struct recording recordings[MERGE_MOST];
	struct psr_reader *readers[MERGE_MOST];
	size_t count;
};

static int open_inputs(struct inputs *inputs, const struct options *options)
{
	for (int i = 0; i < options->operand_count; i++) {
		int code = recording_open(&inputs->recordings[i], options->operands[i], 0);
		if (code)
			return code;
		inputs->readers[i] = inputs->recordings[i].reader;
		inputs->count++;
	}
	return 0;
}

static int tell(const struct inputs *inputs, const struct output *output, int err, size_t bad)
{
	if (!err)
		return 0;
	if (bad == inputs->count)
		return fault(fault_code(SIDE_OUTPUT, err), "cannot write %s: %s", output->name, strerror(-err));
	const char *name = inputs->recordings[bad].name;
	if (err == -ENXIO)
		return fault(CLI_USAGE,
			     "%s comes from another boot and does not tell the time of day: it cannot be set beside "
			     "the first",
			     name);
	return fault(CLI_USAGE, "cannot read all of %s: %s", name, strerror(-err));
}

static int write_all(struct inputs *inputs, struct output *output)
{
	struct psr_writer *writer = NULL;
	struct psr_info info;
	size_t bad = inputs->count;
	psr_merge_info(&info, inputs->readers, inputs->count);
	int err = psr_writer_open(&writer, output->fd, &info);
	if (!err)
		err = psr_merge(inputs->readers, inputs->count, writer, &bad);
	int closed = psr_writer_close(writer);
	if (!err && closed) {
		err = closed;
		bad = inputs->count;
	}
	for (size_t i = 0; i < inputs->count; i++)
		recording_tell_state(&inputs->recordings[i]);
	int code = tell(inputs, output, err, bad);
	return code || err ? code : output_settle(output);
}

static int run(const struct options *options)
{
	struct inputs *inputs = &(struct inputs){ 0 };
	struct output output;
	if (!options->output)
		return fault(CLI_USAGE, "merge wants -o FILE.psr (or -o - for a pipe)");
	int code = open_inputs(inputs, options);
	if (!code)
		code = output_open(&output, options->output, options->force);
	if (!code) {
		code = write_all(inputs, &output);
		int closed = output_close(&output);
		code = code ? code : closed;
	}
	for (size_t i = 0; i < inputs->count; i++)
		recording_close(&inputs->recordings[i]);
	return code;
}

const struct command cmd_merge = {
	.name = "merge",
	.usage = "FILE.psr...",
	.note = "several recordings in one, by their clocks",
	.more = "Writes the events of all in the order of time to -o FILE.psr. Recordings of one boot share a clock; "
		"those of "
		"another boot or machine are set beside the first by the time of day, and get process and thread "
		"numbers of "
		"their own: 4194304 is added for the second, twice that for the third, and so on.\n"
		"Two recordings of the same process at the same time would count everything twice.",
	.options = OPT(OUTPUT) | OPT(FORCE),
	.fewest = 2,
	.most = MERGE_MOST,
	.run = run,
};

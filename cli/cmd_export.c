/* SPDX-License-Identifier: BSD-2-Clause */
/* pollscope export: a recording in the format of another tool. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
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

/* Takes a folder of ours away again, with what we have put into it. */
static void remove_folder(const char *name, int folder)
{
	DIR *dir = fdopendir(folder);
	for (struct dirent *entry; dir && (entry = readdir(dir));)
		unlinkat(folder, entry->d_name, 0); /* "." and ".." refuse it */
	if (dir)
		closedir(dir);
	rmdir(name);
}

/* A format of several files: a new folder of that name. */
static int write_folder(const struct exporter *exporter, struct recording *recording, const struct options *options)
{
	const char *name = options->output;
	if (!name || !strcmp(name, "-"))
		return fault(CLI_USAGE, "%s is a folder: give -o FOLDER", exporter->name);
	if (mkdir(name, 0700))
		return errno == EEXIST ? fault(CLI_OUTPUT, "%s exists: choose another name", name)
				       : fault(CLI_OUTPUT, "cannot create %s: %s", name, strerror(errno));
	int folder = open(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int err = folder < 0 ? -errno : export_into(exporter, recording->reader, folder);
	recording_tell_state(recording);
	if (err && folder >= 0)
		remove_folder(name, folder);
	else if (folder >= 0)
		close(folder);
	return err ? fault(CLI_OUTPUT, "cannot export %s to %s: %s", recording->name, name, strerror(-err)) : 0;
}

static int write_file(const struct exporter *exporter, struct recording *recording, const struct options *options)
{
	struct output output;
	int code = output_open(&output, options->output ? options->output : "-", options->force);
	if (code)
		return code;
	code = write_all(exporter, recording, &output);
	int closed = output_close(&output);
	return code ? code : closed;
}

static int run(const struct options *options)
{
	struct recording recording;
	if (!options->to)
		return fault(CLI_USAGE, "export wants --to FORMAT; pollscope help export lists them");
	int code = recording_open(&recording, options->operands[0], 0);
	if (code)
		return code;
	const struct exporter *exporter = exporter_find(options->to);
	code = (exporter->is_folder ? write_folder : write_file)(exporter, &recording, options);
	recording_close(&recording);
	return code;
}

const struct command cmd_export = {
	.name = "export",
	.usage = "FILE.psr --to FORMAT",
	.note = "a recording in the format of another tool",
	.more = "Writes the recording in another format, to -o FILE or to standard output. ctf makes a folder of that "
		"name.",
	.options = OPT(TO) | OPT(OUTPUT) | OPT(FORCE),
	.fewest = 1,
	.most = 1,
	.run = run,
};

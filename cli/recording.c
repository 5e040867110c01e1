/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Recordings read into a model. The threshold in force is the recorded one
 * unless the user gives another: a stall is a judgement, not an event.
 */
#include "recording.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "command.h"
#include "fault.h"

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

/* First line of a /proc text that begins with `key`, its value, without the newline. */
static void read_line(const char *path, const char *key, char *out, size_t room)
{
	char line[512];
	*out = 0;
	FILE *file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		if (strncmp(line, key, strlen(key)))
			continue;
		const char *value = line + strlen(key);
		value += strspn(value, "\t :");
		snprintf(out, room, "%.*s", (int)strcspn(value, "\n"), value);
		break;
	}
	if (file)
		fclose(file);
}

static void read_command_line(char *out, size_t room)
{
	int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
	ssize_t bytes = fd < 0 ? 0 : read(fd, out, room - 1);
	if (fd >= 0)
		close(fd);
	out[bytes > 0 ? bytes : 0] = 0;
	for (ssize_t i = 0; i + 1 < bytes; i++)
		if (!out[i])
			out[i] = ' ';
}

void recording_describe(struct psr_info *info, uint64_t stall_ns)
{
	struct utsname system;
	char processor[48];
	memset(info, 0, sizeof(*info));
	info->monotonic_ns = clock_ns(CLOCK_MONOTONIC);
	info->realtime_ns = clock_ns(CLOCK_REALTIME);
	info->boottime_ns = clock_ns(CLOCK_BOOTTIME);
	snprintf(info->tool, sizeof(info->tool), "%s", COMMAND_TOOL);
	read_line("/proc/cpuinfo", "model name", processor, sizeof(processor));
	if (!uname(&system))
		snprintf(info->machine, sizeof(info->machine), "%.56s %.12s %s", system.release, system.machine, processor);
	read_line("/proc/sys/kernel/random/boot_id", "", info->boot_id, sizeof(info->boot_id));
	read_command_line(info->command, sizeof(info->command));
	info->stall_ns = stall_ns;
}

static int tell_unreadable(const char *name, int err)
{
	const char *why = err == -EBADMSG ? "it is not a pollscope recording" :
		err == -EPROTONOSUPPORT ? "a newer pollscope wrote it" :
		err == -EILSEQ ? "its header is damaged" : strerror(-err);
	return fault(CLI_USAGE, "cannot read %s: %s", name, why);
}

static int open_reader(struct recording *recording, uint64_t stall_ns)
{
	int err = psr_reader_open(&recording->reader, recording->fd);
	if (err)
		return err;
	const struct psr_info *info = psr_reader_info(recording->reader);
	const struct model_config config = { .stall_ns = stall_ns ? stall_ns : info->stall_ns };
	return model_open(&recording->model, &config);
}

int recording_open(struct recording *recording, const char *name, uint64_t stall_ns)
{
	*recording = (struct recording){ .name = name, .fd = STDIN_FILENO };
	if (strcmp(name, "-"))
		recording->fd = open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	int err = recording->fd < 0 ? -errno : open_reader(recording, stall_ns);
	if (!err)
		return 0;
	recording_close(recording);
	return tell_unreadable(name, err);
}

int recording_rewind(struct recording *recording)
{
	uint64_t stall_ns = recording->model->config.stall_ns;
	if (lseek(recording->fd, 0, SEEK_SET) < 0)
		return -errno;
	psr_reader_close(recording->reader);
	model_close(recording->model);
	recording->reader = NULL;
	recording->model = NULL;
	return open_reader(recording, stall_ns);
}

void recording_tell_state(const struct recording *recording)
{
	char words[256];
	if (psr_reader_state(recording->reader) == PSR_WHOLE)
		return;
	psr_reader_describe(recording->reader, words, sizeof(words));
	say("%s: %s", recording->name, words);
}

int recording_read(struct recording *recording)
{
	const struct ps_record *record;
	int got;
	while ((got = psr_reader_next(recording->reader, &record)) > 0) {
		got = model_apply(recording->model, record, record->size);
		if (got < 0)
			break;
	}
	recording_tell_state(recording);
	return got < 0 ? tell_unreadable(recording->name, got) : 0;
}

void recording_close(struct recording *recording)
{
	psr_reader_close(recording->reader);
	model_close(recording->model);
	if (recording->fd > STDERR_FILENO)
		close(recording->fd);
	recording->reader = NULL;
	recording->model = NULL;
	recording->fd = -1;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Output files. Devices and pipes are written as they are; a regular file is
 * created with O_EXCL|O_NOFOLLOW and mode 0600, or, with --force, a new file
 * replaces the old one by rename. Invariant: until output_settle() the old file
 * is untouched, and nothing of ours outlives output_close().
 */
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fault.h"
#include "invoker.h"

static int open_standard(struct output *output)
{
	if (isatty(STDOUT_FILENO))
		return fault(CLI_USAGE, "binary data does not go to a terminal: give -o FILE or a pipe");
	output->fd = STDOUT_FILENO;
	return 0;
}

/* 1: something that is no regular file and may be written in place */
static int is_special(const char *name)
{
	struct stat st;
	return !lstat(name, &st) && (S_ISCHR(st.st_mode) || S_ISFIFO(st.st_mode));
}

static int open_beside(struct output *output)
{
	int bytes = snprintf(output->temporary, sizeof(output->temporary), "%s.XXXXXX", output->name);
	if (bytes >= (int)sizeof(output->temporary)) {
		output->temporary[0] = 0;
		return -ENAMETOOLONG;
	}
	int fd = mkostemp(output->temporary, O_CLOEXEC); /* 0600, O_EXCL */
	if (fd < 0) {
		output->temporary[0] = 0;
		return -errno;
	}
	return fd;
}

/* What root writes for the user behind sudo is the user's to read. */
static void give_to_invoker(const struct output *output)
{
	uid_t uid;
	gid_t gid;
	if (output->created && invoker_find(&uid, &gid) && fchown(output->fd, uid, gid))
		say("%s belongs to root", output->name);
}

int output_open(struct output *output, const char *name, int force)
{
	struct stat st;
	*output = (struct output){ .fd = -1, .name = name };
	if (!strcmp(name, "-"))
		return open_standard(output);
	output->owned = 1;
	if (is_special(name)) {
		output->fd = open(name, O_WRONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY);
		output->fd = output->fd < 0 ? -errno : output->fd;
	} else if (force && !lstat(name, &st)) {
		output->fd = S_ISDIR(st.st_mode) ? -EISDIR : open_beside(output);
		output->created = 1;
	} else {
		output->fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		output->fd = output->fd < 0 ? -errno : output->fd;
		output->created = 1;
	}
	if (output->fd >= 0) {
		give_to_invoker(output);
		return 0;
	}
	int err = -output->fd;
	*output = (struct output){ .fd = -1, .name = name };
	if (err == EEXIST)
		return fault(CLI_OUTPUT, "%s exists: choose another name, or replace it with --force", name);
	return fault(CLI_OUTPUT, "cannot create %s: %s", name, strerror(err));
}

int output_settle(struct output *output)
{
	output->created = 0;
	if (!output->temporary[0])
		return 0;
	if (rename(output->temporary, output->name)) {
		int err = errno;
		unlink(output->temporary);
		output->temporary[0] = 0;
		return fault(CLI_OUTPUT, "cannot replace %s: %s", output->name, strerror(err));
	}
	output->temporary[0] = 0;
	return 0;
}

int output_close(struct output *output)
{
	if (output->fd < 0)
		return 0;
	int err = output->owned && close(output->fd) ? errno : 0;
	output->fd = -1;
	if (output->created)
		unlink(output->temporary[0] ? output->temporary : output->name);
	if (!err || err == EINTR)
		return 0;
	return fault(fault_code(SIDE_OUTPUT, err), "cannot write %s: %s", output->name, strerror(err));
}

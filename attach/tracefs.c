/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading tracefs without leaving a trace: where the file system is not
 * mounted, a detached instance is opened that only our descriptor refers to.
 * Nothing in it is ever written.
 */
#include "tracefs.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

static int open_detached(void)
{
	int fs = fsopen("tracefs", FSOPEN_CLOEXEC);
	int mount = -1, err;

	if (fs < 0)
		return -errno;
	if (!fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		mount = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	err = mount < 0 ? -errno : mount;
	close(fs);
	return err;
}

int tracefs_open(void)
{
	static const char *const places[] = { "/sys/kernel/tracing", "/sys/kernel/debug/tracing" };

	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		int fd = open(places[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (fd >= 0 && !faccessat(fd, "events", R_OK | X_OK, 0))
			return fd;
		if (fd >= 0)
			close(fd);
	}
	return open_detached();
}

int tracefs_tracepoint(int tracefs, const char *category, const char *name)
{
	char path[128], text[16];
	int written = snprintf(path, sizeof(path), "events/%s/%s/id", category, name);

	if (written >= (int)sizeof(path))
		return -ENAMETOOLONG;
	int fd = openat(tracefs, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ssize_t got = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (got <= 0)
		return -EIO;
	text[got] = '\0';
	int id = atoi(text);
	return id > 0 ? id : -EINVAL;
}

static int open_event(int tracefs, const char *category, const char *name)
{
	int id = tracefs_tracepoint(tracefs, category, name);
	struct perf_event_attr attr = {
		.type = PERF_TYPE_TRACEPOINT, .size = sizeof(attr), .config = (uint64_t)id, .sample_period = 1
	};

	if (id < 0)
		return id;
	/* a program runs at it all the same, and without one nothing does */
	attr.disabled = 1;
	int fd = (int)syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

struct bpf_link *tracefs_attach(int tracefs, const char *category, const char *name, struct bpf_program *program)
{
	int event = open_event(tracefs, category, name), err;

	if (event < 0) {
		errno = -event;
		return NULL;
	}
	struct bpf_link *link = bpf_program__attach_perf_event(program, event);
	if (link)
		return link;
	err = errno;
	close(event);
	errno = err;
	return NULL;
}

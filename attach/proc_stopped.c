/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Is a process kept from running? By a signal or a debugger its state in /proc
 * says so. The freezer of control groups (docker pause) does not show there:
 * in version 2 a frozen thread looks as if it slept in the call that it was
 * about to leave. Its group tells; one around it that is frozen freezes it too.
 */
#include "proc_stopped.h"

#include <stdio.h>
#include <string.h>

#include "proc.h"
#include "proc_quota.h"

static const struct freezer {
	const char *controller, *folder, *file, *frozen; /* NULL: the one tree of version 2 */
	int version;
} freezers[] = {
	{ "freezer", "/sys/fs/cgroup/freezer", "freezer.state", "FROZEN", 1 },
	{ NULL, "/sys/fs/cgroup", "cgroup.events", "frozen 1", 2 },
	{ NULL, "/sys/fs/cgroup/unified", "cgroup.events", "frozen 1", 2 },
};

static int says(const char *path, const char *word)
{
	char text[256];
	proc_read_file(path, text, sizeof(text));
	return strstr(text, word) != NULL;
}

static int is_frozen(pid_t pid)
{
	char text[8192], group[1024], path[2048];
	ssize_t got = proc_read(pid, 0, "cgroup", text, sizeof(text));
	for (size_t i = 0; got > 0 && i < sizeof(freezers) / sizeof(*freezers); i++) {
		const struct freezer *freezer = &freezers[i];
		if (quota_parse_group(text, (size_t)got, freezer->controller, group, sizeof(group)) != freezer->version)
			continue;
		snprintf(path, sizeof(path), "%s%s/%s", freezer->folder, group, freezer->file);
		if (says(path, freezer->frozen))
			return 1;
	}
	return 0;
}

int proc_is_stopped(pid_t pid, pid_t tid)
{
	struct proc_stat stat;
	if (proc_read_stat(pid, tid, &stat))
		return 0;
	return stat.state == 'T' || stat.state == 't' || is_frozen(pid);
}

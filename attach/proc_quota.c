/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Quotas: cpu.stat of the group of a process and of those around it, wherever a
 * limit is set (cpu.max, or cpu.cfs_quota_us in version 1). The time is summed
 * over the CPUs of the group, so it can rise faster than time passes.
 *
 * Paths come from /proc/PID/cgroup; a process may be moved, and limits set, at
 * any time: look again now and then.
 */
#include "proc_quota.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proc.h"

#define PATH_ROOM 4096

/* ---- texts ---- */

/* "cpu,cpuacct" has "cpu" */
static int has_word(const char *list, size_t bytes, const char *word)
{
	size_t length = strlen(word);

	for (size_t i = 0; i + length <= bytes; i++) {
		if ((!i || list[i - 1] == ',') && !memcmp(list + i, word, length) &&
		    (i + length == bytes || list[i + length] == ','))
			return 1;
	}
	return 0;
}

int quota_parse_group(const char *text, size_t bytes, const char *controller, char *path, size_t room)
{
	int version = 0;

	for (const char *line = text, *end; line < text + bytes; line = end + 1) {
		end = memchr(line, '\n', (size_t)(text + bytes - line));
		end = end ? end : text + bytes;
		const char *names = memchr(line, ':', (size_t)(end - line));
		const char *group = names ? memchr(names + 1, ':', (size_t)(end - names - 1)) : NULL;
		if (!group)
			continue;
		int found = controller && has_word(names + 1, (size_t)(group - names - 1), controller) ? 1 : names + 1 == group ? 2 : 0;
		size_t length = (size_t)(end - group - 1);
		/* where the old version has the controller, the new one has not */
		if (!found || version == 1 || length >= room || memchr(group + 1, '\0', length))
			continue;
		memcpy(path, group + 1, length);
		path[length] = '\0';
		version = found;
	}
	return version;
}

static int take_number(const char *text, size_t bytes, const char *name, uint64_t scale, uint64_t *sum)
{
	size_t length = strlen(name);

	for (const char *line = text, *end; line < text + bytes; line = end + 1) {
		end = memchr(line, '\n', (size_t)(text + bytes - line));
		end = end ? end : text + bytes;
		if ((size_t)(end - line) <= length + 1 || memcmp(line, name, length) || line[length] != ' ')
			continue;
		uint64_t value = 0;
		for (const char *at = line + length + 1;
		     at < end && *at >= '0' && *at <= '9' && value < UINT64_MAX / 20; at++)
			value = value * 10 + (uint64_t)(*at - '0');
		*sum += value < UINT64_MAX / 4 / scale ? value * scale : 0;
		return 0;
	}
	return -EINVAL;
}

int quota_parse_stat(const char *text, size_t bytes, struct quota_sum *sum)
{
	take_number(text, bytes, "nr_periods", 1, &sum->periods);
	take_number(text, bytes, "nr_throttled", 1, &sum->throttled_periods);
	if (!take_number(text, bytes, "throttled_usec", 1000, &sum->throttled_ns))
		return 0;
	return take_number(text, bytes, "throttled_time", 1, &sum->throttled_ns);
}

/* ---- files ---- */

/* Where control groups are mounted, first match. */
static const char *const roots[3][3] = {
	[1] = { "/sys/fs/cgroup/cpu,cpuacct", "/sys/fs/cgroup/cpu", NULL },
	[2] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified", NULL },
};

static int is_limited(const char *folder, int version)
{
	char path[PATH_ROOM], text[64];

	snprintf(path, sizeof(path), "%s/%s", folder, version == 1 ? "cpu.cfs_quota_us" : "cpu.max");
	ssize_t got = proc_read_file(path, text, sizeof(text));
	return got > 0 && *text >= '0' && *text <= '9';
}

static void add_group(struct quota *quota, const char *folder, int version)
{
	char path[PATH_ROOM];

	if (quota->count == QUOTA_GROUPS || !is_limited(folder, version))
		return;
	snprintf(path, sizeof(path), "%s/cpu.stat", folder);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		quota->fds[quota->count++] = fd;
}

void quota_find(struct quota *quota, pid_t pid)
{
	char text[8192], group[1024], folder[PATH_ROOM / 2];

	quota_close(quota);
	snprintf(folder, sizeof(folder), "/proc/%d/cgroup", (int)pid);
	ssize_t got = proc_read_file(folder, text, sizeof(text));
	int version = got > 0 ? quota_parse_group(text, (size_t)got, "cpu", group, sizeof(group)) : 0;
	for (int i = 0; version && roots[version][i]; i++) {
		size_t root = strlen(roots[version][i]);

		if (access(roots[version][i], F_OK))
			continue;
		snprintf(folder, sizeof(folder), "%s%s", roots[version][i], group);
		/* from the innermost outwards; the root has no limit */
		for (char *slash = folder + strlen(folder); slash && slash > folder + root;
		     slash = strrchr(folder, '/')) {
			*slash = '\0';
			if (strlen(folder) <= root)
				break;
			add_group(quota, folder, version);
		}
		return;
	}
}

void quota_close(struct quota *quota)
{
	for (int i = 0; i < quota->count; i++)
		close(quota->fds[i]);
	quota->count = 0;
}

int quota_read(const struct quota *quota, struct quota_sum *sum)
{
	char text[1024];
	int told = 0;

	*sum = (struct quota_sum){ 0 };
	for (int i = 0; i < quota->count; i++) {
		ssize_t got = pread(quota->fds[i], text, sizeof(text), 0);

		told |= got > 0 && !quota_parse_stat(text, (size_t)got, sum);
	}
	return told;
}

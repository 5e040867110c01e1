/* SPDX-License-Identifier: BSD-2-Clause */
/* CPU quotas of the control groups that a process is in: how long they kept its threads from running. */
#ifndef PROC_QUOTA_H
#define PROC_QUOTA_H

#include <stdint.h>
#include <sys/types.h>

#define QUOTA_GROUPS 8 /* nested groups with a quota */

struct quota {
	int fds[QUOTA_GROUPS]; /* of their cpu.stat */
	int count;
};

struct quota_sum {
	uint64_t throttled_ns, periods, throttled_periods;
};

/* Finds the groups, anew; without a quota there is none to read. Works with both versions of control groups. */
void quota_find(struct quota *quota, pid_t pid);
void quota_close(struct quota *quota);
/* Over all groups. Returns 0 when there is nothing to read. */
int quota_read(const struct quota *quota, struct quota_sum *sum);

/* The group of a controller (NULL: of version 2 alone) in the text of /proc/PID/cgroup; 0 = none, else the version. */
int quota_parse_group(const char *text, size_t bytes, const char *controller, char *path, size_t room);
/* For tests. */
int quota_parse_stat(const char *text, size_t bytes, struct quota_sum *sum); /* adds; 0 or -EINVAL */

#endif

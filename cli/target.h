/* SPDX-License-Identifier: BSD-2-Clause */
/* TARGET: a PID, a command name, or --all. */
#ifndef TARGET_H
#define TARGET_H

#include <stddef.h>
#include <sys/types.h>

#include "options.h"

#define TARGET_MAX 1024

struct target {
	pid_t pids[TARGET_MAX];
	size_t count;
};

/* Says what is wrong and returns the exit code, or 0. */
int target_find(struct target *target, const struct options *options);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* Processes and all their descendants. */
#ifndef FAMILY_H
#define FAMILY_H

#include <stddef.h>
#include <sys/types.h>

/* `pids` first, then what descends from them, in a malloc'ed list. How many, or -errno. */
int family_find(pid_t **family, const pid_t *pids, size_t count);

#endif

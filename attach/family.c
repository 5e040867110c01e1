/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Descendants, from the parent that /proc/PID/stat names. A child whose parent
 * has ended is nobody's any more; one that comes while we look may be missed.
 */
#include "family.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proc.h"

#define PIDS_MAX 65536

static int has(const pid_t *pids, size_t count, pid_t pid)
{
	for (size_t i = 0; i < count; i++)
		if (pids[i] == pid)
			return 1;
	return 0;
}

/* Adds children of what is in the list already; returns how many. */
static size_t add_children(pid_t *family, size_t count, const pid_t *all, const pid_t *parents, size_t all_count)
{
	size_t added = 0;

	for (size_t i = 0; i < all_count; i++)
		if (has(family, count + added, parents[i]) && !has(family, count + added, all[i]))
			family[count + added++] = all[i];
	return added;
}

static void read_parents(const pid_t *all, pid_t *parents, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct proc_stat stat;

		parents[i] = proc_read_stat(all[i], 0, &stat) ? 0 : stat.ppid;
	}
}

int family_find(pid_t **out, const pid_t *pids, size_t count)
{
	pid_t *all = malloc(PIDS_MAX * sizeof(*all)), *parents = malloc(PIDS_MAX * sizeof(*parents));
	pid_t *family = malloc((count + PIDS_MAX) * sizeof(*family));
	int all_count = all && parents && family ? proc_numbers("/proc", all, PIDS_MAX) : -ENOMEM;
	int err = all_count < 0 ? all_count : 0;
	size_t added = 0;

	if (!err) {
		memcpy(family, pids, count * sizeof(*pids));
		read_parents(all, parents, all_count);
		do {
			added = add_children(family, count, all, parents, all_count);
			count += added;
		} while (added);
	}
	free(all);
	free(parents);
	if (err) {
		free(family);
		family = NULL;
	}
	*out = family;
	return err ? err : (int)count;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Finding the flight recorders of a process among its descriptors. */
#ifndef RING_FIND_H
#define RING_FIND_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "ring_reader.h"

#define RING_FIND_MAX 2048 /* rings of one process */

/* What the finder remembers of one process. */
struct ring_find {
	pid_t pid;
	struct ring_seen {
		uint64_t inode;
		int present;      /* at the last search */
	} seen[RING_FIND_MAX];    /* what is settled: open, or refused for good */
	size_t seen_count;
	size_t refused;               /* memory with the right name that is no ring to be believed */
	char why[96];                 /* why the last of them was refused */
};

/* Takes over *ring; non-zero stops the search. */
typedef int ring_found_fn(const struct ring *ring, void *arg);
/*
 * Looks for rings that were not seen before. `is_new`: they were made while we watched. 0, what fn returned,
 * -ESRCH: the process has gone, -EACCES: its descriptors may not be read.
 */
int ring_find(struct ring_find *find, int is_new, ring_found_fn *fn, void *arg);
/* 1: the process still had that ring at the last search. One that it closed is ours alone and should be let go. */
int ring_find_has(const struct ring_find *find, const struct ring *ring);

#endif

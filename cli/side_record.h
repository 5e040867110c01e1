/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A recording begun from the dashboard: a `pollscope record` of its own, so
 * that its file has everything from its first second on and the dashboard's
 * picture does not depend on a disk.
 */
#ifndef SIDE_RECORD_H
#define SIDE_RECORD_H

#include <stddef.h>
#include <sys/types.h>

#include "options.h"

struct side_record {
	pid_t pid; /* 0 = none */
	int ending;    /* it was told to end: its probes may take a moment */
	int words; /* what it says on stderr */
	char name[96];
};

/* Begins to record these processes into a new file of the working directory, or ends it; says what it did. */
void side_record_toggle(struct side_record *record, const struct options *options, const pid_t *pids, size_t count,
			char *said, size_t room);
/* "rec:FILE", "rec:off"; notices one that failed. */
void side_record_status(struct side_record *record, char *out, size_t room);
/* Ends it and waits until the file is whole. */
void side_record_stop(struct side_record *record);

#endif

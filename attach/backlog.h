/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Records that were taken out of a ring before there was time to look at them.
 *
 * Filled by one thread and emptied by another, never at once: relief.h sees to
 * that. Bounded; its memory is asked for when the first record comes, and given
 * back when the last was handed on.
 */
#ifndef BACKLOG_H
#define BACKLOG_H

#include <stddef.h>

struct backlog {
	char *data;
	size_t filled;
};

/* 1: one more record of any size finds room. To be asked before each put. */
int backlog_has_room(struct backlog *backlog);
void backlog_put(struct backlog *backlog, const void *data, size_t bytes);

/* What it returns is not looked at: everything is handed on. `data` is aligned to 8 and may be changed. */
typedef int backlog_fn(void *arg, void *data, size_t bytes);
/* Hands on in the order of the puts, and is empty then. */
void backlog_take(struct backlog *backlog, backlog_fn *fn, void *arg);
void backlog_free(struct backlog *backlog);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* Recordings and summary documents as documents: what check and diff compare. */
#ifndef INPUTS_H
#define INPUTS_H

#include "check.h"

struct inputs {
	json_t **documents;
	char **names;
	size_t count, room;
};

/*
 * Adds a recording, a summary (.json) or a folder of them, in order of name; a summary beside a recording of the same
 * name is passed over. stall_ns 0 = as recorded. Says what is wrong and returns the exit code, or 0.
 */
int inputs_add(struct inputs *inputs, const char *name, uint64_t stall_ns);
struct check_runs inputs_runs(const struct inputs *inputs);
void inputs_free(struct inputs *inputs);

#endif

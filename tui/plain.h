/* SPDX-License-Identifier: BSD-2-Clause */
/* The dashboard where there is no terminal: a block of plain text per interval. */
#ifndef PLAIN_H
#define PLAIN_H

#include <stdio.h>

#include "model.h"

/*
 * Prints one block: a line per loop, the verdict, and the stalls that began
 * since the block before (`*last_stall` is the id of the newest one told; start with 0).
 * With a filter only the stalls that match: see filter.h; NULL = all.
 * Returns 0 or -EIO.
 */
int plain_print(const struct model *model, const char *filter, uint64_t *last_stall, FILE *out);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Several recordings into one, in the order of time. Within a boot the clocks
 * are one; another boot or machine is set beside the first by the wall clock,
 * and its processes and threads get numbers of their own.
 */
#ifndef PSR_MERGE_H
#define PSR_MERGE_H

#include "psr.h"

#define MERGE_MOST 64 /* recordings */
#define MERGE_PIDS (1u << 22) /* no kernel gives a pid above it: the second machine's begin here, and so on */

/* The head of the merged recording. */
void psr_merge_info(struct psr_info *info, struct psr_reader *const *readers, size_t count);
/*
 * Reads all to their ends. 0; -ENXIO: the clocks of one cannot be set beside the first's, *bad says which;
 * -errno of a reader (*bad) or of the writer (*bad = count).
 */
int psr_merge(struct psr_reader *const *readers, size_t count, struct psr_writer *writer, size_t *bad);

#endif

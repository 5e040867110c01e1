/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading one flight recorder (ps_ring.h) of a process that may be hostile.
 *
 * Every number of the ring's memory is checked before it is used, slots are
 * copied before they are parsed, and what is handed on is a record that the
 * field table knows, about the ring's own thread, without foreign ids, with
 * times that neither run backwards nor lie in the future. The target can make
 * a cell wrong, nothing else.
 *
 * Accounting, exact for everything written from index `since` on:
 *     records + lost = next - since
 * where `lost` holds what was overwritten before it could be copied and what
 * was no record. What was written before `since` is history: it is delivered
 * as far as it is still there, and missing it is no loss. (A ring whose head
 * jumps, which no writer's does, begins anew: the sum then holds no longer.)
 */
#ifndef RING_READER_H
#define RING_READER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "ps_ring.h"

#define RING_BATCH 4096u        /* slots copied at once */

struct ring {
	int fd;
	uint32_t pid, tid;      /* as this process numbers them: the header may tell those of another pid namespace */
	struct ps_ring_header header; /* as it was checked */
	uint64_t inode;         /* set by who found it */
	uint64_t floor_ns;      /* no record is older */
	uint64_t since;
	uint64_t next;          /* index of the next slot to be copied */
	uint64_t records, lost; /* from `since` on */
	uint64_t history;       /* records before it */
	uint64_t malformed;     /* of the lost: slots that held no record */
	uint64_t jumps;         /* times the head was where no writer can have put it */
	uint64_t last_ns;       /* time of the last record */
};

/* What a file of `bytes` bytes with this first page cannot be a ring for; NULL = it can be one. */
const char *ring_header_check(const struct ps_ring_header *header, uint64_t bytes);

/*
 * Takes over fd, a memfd opened for reading; `uids` are those of its process. `is_new`: nothing written so far is
 * history. 0; -EAGAIN: its writer has not finished it; -EPROTO: it is no ring to be believed, *why says what is wrong.
 * fd is closed on failure.
 */
int ring_open(struct ring *ring, int fd, const uid_t uids[4], int is_new, const char **why);
/* What was written before the ring was opened will not be delivered. */
void ring_skip_history(struct ring *ring);
void ring_close(struct ring *ring);

/* The record is a copy of RING_SLOT bytes that the callback may change; non-zero stops the reading. */
typedef int ring_record_fn(struct ps_record *record, void *arg);
/*
 * Hands on what has been written until now; `batch` has room for RING_BATCH slots. What came later waits for the next
 * call, so a fast writer cannot keep us. 0, -errno, or what fn returned.
 */
int ring_read(struct ring *ring, void *batch, uint64_t now_ns, ring_record_fn *fn, void *arg);
/* -EAGAIN: it was being written at each try. */
int ring_gauges(const struct ring *ring, struct ps_ring_gauges *gauges);

#endif

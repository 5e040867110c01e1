/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The newest chunks of a recording, packed, in memory: what a writer keeps
 * instead of writing it. Bounded by time and by bytes; the oldest go first.
 */
#ifndef PSR_RING_H
#define PSR_RING_H

#include "psr_block.h"

struct psr_ring_block {
	struct psr_ring_block *next;
	size_t bytes; /* of the packed body */
	struct psr_block head; /* its body follows, as it will lie in the file */
	unsigned char body[];
};

struct psr_ring { /* zeroed but for the bounds: an empty ring */
	uint64_t span_ns;
	size_t most_bytes;
	struct psr_ring_block *oldest, *newest;
	size_t bytes;
	uint64_t newest_ts;
	uint64_t overflows; /* chunks that went for want of room, not of age */
};

/* Takes a copy. 0 or -ENOMEM. */
int psr_ring_push(struct psr_ring *ring, const struct psr_block *head, const unsigned char *body);
void psr_ring_clear(struct psr_ring *ring);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* A queue of packed chunks; age is judged by the records' own times. */
#include "psr_ring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_COST(block) (sizeof(*(block)) + (block)->bytes)

static void drop_oldest(struct psr_ring *ring)
{
	struct psr_ring_block *block = ring->oldest;
	ring->oldest = block->next;
	ring->bytes -= BLOCK_COST(block);
	if (!ring->oldest)
		ring->newest = NULL;
	free(block);
}

static int is_old(const struct psr_ring *ring, const struct psr_ring_block *block)
{
	return block->head.last_ts < ring->newest_ts && ring->newest_ts - block->head.last_ts > ring->span_ns;
}

int psr_ring_push(struct psr_ring *ring, const struct psr_block *head, const unsigned char *body)
{
	struct psr_ring_block *block = malloc(sizeof(*block) + head->packed_bytes);
	if (!block)
		return -ENOMEM;
	block->next = NULL;
	block->bytes = head->packed_bytes;
	block->head = *head;
	memcpy(block->body, body, head->packed_bytes);
	if (ring->newest)
		ring->newest->next = block;
	else
		ring->oldest = block;
	ring->newest = block;
	ring->bytes += BLOCK_COST(block);
	if (head->last_ts > ring->newest_ts)
		ring->newest_ts = head->last_ts;
	while (ring->oldest != block && is_old(ring, ring->oldest))
		drop_oldest(ring);
	for (; ring->oldest != block && ring->bytes > ring->most_bytes; ring->overflows++)
		drop_oldest(ring);
	return 0;
}

void psr_ring_clear(struct psr_ring *ring)
{
	while (ring->oldest)
		drop_oldest(ring);
}

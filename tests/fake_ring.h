/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A flight recorder made by the test itself, from ps_ring.h alone: sound, or
 * wrong in any way the test wants.
 */
#ifndef FAKE_RING_H
#define FAKE_RING_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "ps_ring.h"

#define FAKE_PAGE 4096u

struct fake_ring {
	int fd;
	size_t bytes;
	struct ps_ring_header *header;
	struct ps_ring_gauges *gauges;
	uint8_t *slots;
};

static inline uint64_t fake_now(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline void fake_seal(struct fake_ring *ring)
{
	fcntl(ring->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
}

static inline struct fake_ring fake_ring_unsealed(uint32_t slots)
{
	struct fake_ring ring = { .bytes = 2 * FAKE_PAGE + (size_t)slots * PS_RING_SLOT };
	ring.fd = memfd_create(PS_RING_NAME, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (ring.fd < 0 || ftruncate(ring.fd, (off_t)ring.bytes))
		abort();
	ring.header = mmap(NULL, ring.bytes, PROT_READ | PROT_WRITE, MAP_SHARED, ring.fd, 0);
	if ((void *)ring.header == MAP_FAILED)
		abort();
	ring.gauges = (void *)((uint8_t *)ring.header + FAKE_PAGE);
	ring.slots = (uint8_t *)ring.header + 2 * FAKE_PAGE;
	*ring.header = (struct ps_ring_header){
		.magic = PS_RING_MAGIC, .version = PS_RING_VERSION, .slot_size = PS_RING_SLOT, .slot_count = slots,
		.slots_offset = 2 * FAKE_PAGE, .gauges_offset = FAKE_PAGE, .pid = (uint32_t)getpid(),
		.tid = (uint32_t)syscall(SYS_gettid), .role = 1, .backend = PS_BACKEND_EPOLL, .poller_fd = 9,
		.created_ns = fake_now(),
	};
	return ring;
}

static inline struct fake_ring fake_ring_make(uint32_t slots)
{
	struct fake_ring ring = fake_ring_unsealed(slots);
	fake_seal(&ring);
	return ring;
}

static inline void fake_ring_end(struct fake_ring *ring)
{
	munmap(ring->header, ring->bytes);
	close(ring->fd);
}

/* As a writer does it: fill the slot, then publish. */
static inline void fake_put(struct fake_ring *ring, const void *record, size_t bytes)
{
	uint64_t head = ring->header->head;
	memcpy(ring->slots + (head & (ring->header->slot_count - 1)) * PS_RING_SLOT, record, bytes);
	__atomic_store_n(&ring->header->head, head + 1, __ATOMIC_RELEASE);
}

static inline void fake_iteration(struct fake_ring *ring, uint64_t ts, uint64_t number)
{
	const struct ps_ev_iteration record = {
		.h = { ts, ring->header->tid, PS_EV_ITERATION, sizeof(record) }, .number = number,
	};
	fake_put(ring, &record, sizeof(record));
}

#endif

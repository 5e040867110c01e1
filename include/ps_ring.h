/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The flight recorder's memory: one ring per thread, in a memfd.
 *
 * Writer (loop/): exactly one thread. It fills slot head % slot_count, then
 * publishes by storing head + 1 with release order. It never waits, never
 * makes a syscall, and overwrites the oldest record when the ring is full.
 *
 * Reader (attach/): finds the memfd by PS_RING_NAME under /proc/PID/fd, checks
 * the seals (SHRINK, GROW, SEAL) and the owner, then pread()s. It copies before
 * it parses and believes no field. A copy of slots [a, b) is good for those
 * slots i with i > head_after - slot_count, where head_after was read after the copy: the
 * slot being written (head_after) overlays slot head_after - slot_count. What it could
 * not copy in time is counted exactly: lost = first good - next wanted.
 *
 * Slots hold records of ps_event.h, at most PS_RING_SLOT bytes each, ts in ns
 * of CLOCK_MONOTONIC when clock is PS_RING_CLOCK_MONOTONIC; with
 * PS_RING_CLOCK_TSC ts is a TSC value and ns = anchor_ns + (tsc - anchor_tsc) *
 * mult >> shift (128-bit product).
 */
#ifndef PS_RING_H
#define PS_RING_H

#include <stdint.h>

#include "ps_event.h"

#define PS_RING_NAME    "pollscope-ring" /* link text: "/memfd:pollscope-ring (deleted)" */
#define PS_RING_MAGIC   0x31474e4952535031ull
#define PS_RING_VERSION 1
#define PS_RING_SLOT    64u
#define PS_RING_MAX_SLOTS (1u << 20)

enum ps_ring_clock { PS_RING_CLOCK_MONOTONIC = 0, PS_RING_CLOCK_TSC = 1 };

/* page 0 */
struct ps_ring_header {
	uint64_t magic;
	uint32_t version;
	uint32_t slot_size;     /* PS_RING_SLOT */
	uint32_t slot_count;    /* power of two */
	uint32_t slots_offset;  /* bytes from the start of the file, multiple of 4096 */
	uint32_t gauges_offset;
	uint32_t generation;    /* rises in a child after fork */
	uint32_t pid;
	uint32_t tid;
	uint32_t role;          /* enum ps_thread_role */
	uint32_t backend;       /* enum ps_backend */
	int32_t poller_fd;
	uint32_t clock;         /* enum ps_ring_clock */
	uint64_t created_ns;
	uint64_t anchor_tsc;
	uint64_t anchor_ns;
	uint32_t mult;
	uint32_t shift;
	char name[32];          /* of the loop or worker; zero terminated */
	uint8_t zero[72];
	/* on a cache line of its own */
	uint64_t head;          /* records ever written; atomic, release */
	uint8_t zero2[56];
};

_Static_assert(sizeof(struct ps_ring_header) == 256, "layout of the ring header");
_Static_assert(__builtin_offsetof(struct ps_ring_header, head) == 192, "head has its own line");

/*
 * Gauges, on a page of their own, under a sequence lock: odd while being
 * written; a reader retries a bounded number of times. The loop refreshes its
 * part once per iteration; pool figures stand in every loop's page.
 */
struct ps_ring_gauges {
	uint64_t sequence;
	uint64_t now_ns;            /* when written */
	uint64_t iterations;
	uint64_t busy_since_ns;     /* 0 while waiting in the poller */
	uint64_t next_due_ns;       /* PS_UNKNOWN = no timer armed */
	uint64_t buffered_bytes;
	uint32_t timers;
	uint32_t timers_overdue;
	uint32_t handles;
	uint32_t fds;
	uint32_t ticks;
	uint32_t immediates;
	uint32_t pool_threads;
	uint32_t pool_busy;
	uint32_t pool_queued;
	uint32_t zero;
	uint64_t pool_oldest_ns;    /* submit time of the oldest queued job; 0 = none */
	uint32_t pool_queued_by_kind[PS_WORK_KIND_COUNT];
	uint32_t pool_busy_by_kind[PS_WORK_KIND_COUNT];
};

#endif

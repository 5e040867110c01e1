/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The writing side of ps_ring.h: one recorder per thread.
 *
 * What a writer touches lives in `struct recorder`, on a page that the kernel
 * wipes in a child (MADV_WIPEONFORK): however a process forks, the child finds
 * no ring and records nothing until it opens one of its own. The ring itself is
 * not mapped in a child (MADV_DONTFORK). Where the kernel has neither, nothing
 * is recorded. An owner that opened none points at recorder_none.
 */
#ifndef RECORDER_H
#define RECORDER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "ps_ring.h"

#ifdef PS_NO_PROBES
#define PROBES 0
#else
#define PROBES 1
#endif

struct recorder {
	uint8_t *slots;                /* NULL: nothing is recorded */
	uint64_t head;
	uint32_t mask;
	uint32_t tid;
	struct ps_ring_header *header;
	struct ps_ring_gauges *gauges;
};

struct recorder_options {
	const char *name;
	uint32_t slots;                /* power of two, at most PS_RING_MAX_SLOTS */
	uint32_t generation;
	uint32_t role;                 /* enum ps_thread_role */
	uint32_t backend;              /* enum ps_backend */
	int poller_fd;
};

/* What its owner must keep to give it back; survives a fork. */
struct recorder_memory {
	struct recorder *recorder;     /* never NULL after open */
	void *map;
	size_t map_bytes;
	int fd;
	pid_t pid;                     /* who mapped it */
};

extern struct recorder recorder_none;

/* The calling thread becomes the writer. On failure memory->recorder is recorder_none. */
int recorder_open(struct recorder_memory *memory, const struct recorder_options *options);
void recorder_close(struct recorder_memory *memory);
/* Publishes gauges under the sequence lock; `sequence` of the argument is ignored. */
void recorder_gauges(struct recorder *recorder, const struct ps_ring_gauges *gauges);

/* The one gauge that must be right while a callback runs: 0 when the loop begins to wait. */
static inline void recorder_busy_since(struct recorder *recorder, uint64_t ns)
{
	if (PROBES && recorder->slots)
		__atomic_store_n(&recorder->gauges->busy_since_ns, ns, __ATOMIC_RELAXED);
}

/*
 * RECORD(recorder, POLL_ENTER, ps_ev_poll_enter, ts, .poller_fd = 3, …)
 * `ts` is evaluated only when something is recorded.
 */
#define RECORD(recorder_, event_, type_, ts_, ...)                                                    \
	do {                                                                                          \
		struct recorder *r_ = (recorder_);                                                    \
		_Static_assert(sizeof(struct type_) <= PS_RING_SLOT, "fits a slot");                  \
		if (PROBES && r_->slots) {                                                            \
			size_t at_ = (size_t)(r_->head & r_->mask) * PS_RING_SLOT;                    \
			*(struct type_ *)(void *)(r_->slots + at_) = (struct type_){                  \
				.h = { (ts_), r_->tid, PS_EV_##event_, sizeof(struct type_) },        \
				__VA_ARGS__                                                           \
			};                                                                            \
			__atomic_store_n(&r_->header->head, ++r_->head, __ATOMIC_RELEASE);            \
		}                                                                                     \
	} while (0)

#endif

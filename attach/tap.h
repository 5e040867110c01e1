/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The reading end of a BPF ring, which can be emptied into memory while nobody
 * has time for what is in it.
 */
#ifndef TAP_H
#define TAP_H

#include "backlog.h"
#include "bpf_ring.h"

struct tap {
	struct bpf_ring *ring; /* NULL: not open */
	bpf_ring_fn *take;
	void *arg;
	struct backlog backlog;
	int relieving;
};

/* `take` may end a tap_consume() by a negative value: the rest waits for the next. -errno. */
int tap_open(struct tap *tap, int map_fd, bpf_ring_fn *take, void *arg);
/* First what tap_relieve() has set aside, all of it. What bpf_ring_consume() returns. */
int tap_consume(struct tap *tap);
/* Moves what is in the ring to memory; `take` is not called. From another thread, while the owner is at something else. */
void tap_relieve(struct tap *tap);
void tap_close(struct tap *tap);

#endif

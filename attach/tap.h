/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The reading end of a BPF ring, which can be emptied into memory while nobody
 * has time for what is in it.
 */
#ifndef TAP_H
#define TAP_H

#include <bpf/libbpf.h>

#include "backlog.h"

struct tap {
	struct ring_buffer *ring; /* NULL: not open */
	ring_buffer_sample_fn take;
	void *arg;
	struct backlog backlog;
	int relieving;
};

/* `take` may end a tap_consume() by a negative value: the rest waits for the next. -errno. */
int tap_open(struct tap *tap, int map_fd, ring_buffer_sample_fn take, void *arg);
/* First what tap_relieve() has set aside, all of it. What ring_buffer__consume() returns. */
int tap_consume(struct tap *tap);
/* Moves what is in the ring to memory; `take` is not called. From another thread, while the owner is at something else. */
void tap_relieve(struct tap *tap);
void tap_close(struct tap *tap);

#endif

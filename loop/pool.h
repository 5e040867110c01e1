/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The pool of worker threads, shared by all loops of the process, and the job.
 *
 * A job belongs to its loop (slab, delivery); between submit and finish the
 * pool holds it. One mutex, taken by workers and by who cancels but not by who
 * submits, guards the queues and every field marked (m).
 */
#ifndef POOL_H
#define POOL_H

#include <sys/stat.h>

#include "loop.h"
#include "probe.h"
#include "ps_ring.h"

enum fs_op { FS_OPEN = 1, FS_READ, FS_WRITE, FS_STAT, FS_CLOSE, FS_SYNC, FS_RENAME, FS_UNLINK, FS_READDIR };
enum work_state { WORK_QUEUED, WORK_RUNNING, WORK_CANCELLED };

/* Arguments of the offloaded operations; each function reads its own part. */
struct work_params {
	const void *in;
	void *out;
	const void *in2;
	char *text;            /* owned: freed with the job */
	size_t in_bytes, in2_bytes, out_bytes;
	int64_t offset;
	int fd;
	int flags;
	unsigned mode;
	uint64_t n;            /* scrypt */
	uint32_t r, p;
};

struct ps_work {
	struct handle handle;
	struct parcel parcel;
	struct ps_work *next, *before;              /* (m) in the queue of its kind; next also on the way there */
	int64_t (*run)(struct ps_work *work);
	int64_t (*fn)(void *arg);                   /* the user's work */
	ps_done_fn *done;
	int64_t result;
	uint64_t since_ns;                          /* submitted, then finished */
	struct probe_work probe;
	uint8_t state;                              /* (m) enum work_state */
	uint8_t arrived;                            /* in a forked child: was in the inbox */
	struct work_params params;                  /* of operations only: user work ends before it */
};

void pool_gauges(struct ps_ring_gauges *gauges);
int pool_put(struct ps_work *work);     /* -EAGAIN, -ENOMEM: no thread could be started and none is there */
int pool_cancel(struct ps_work *work);  /* 0: taken out of its queue; -EBUSY */
struct ps_work *work_open(struct ps_loop *loop, enum ps_work_kind kind, uint16_t op,
			  int64_t (*run)(struct ps_work *work), ps_done_fn *done, void *arg);
int work_submit(struct ps_work *work);  /* the job is freed when it fails */

#endif

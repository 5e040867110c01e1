/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rates of counters that the model only accumulates: two pictures of them, at
 * least a second apart, taken while the dashboard draws.
 */
#ifndef RATES_H
#define RATES_H

#include <stddef.h>
#include <stdint.h>

#include "model.h"

struct fd_counters {
	uint64_t key;                  /* fd and generation */
	uint64_t ready, read_bytes, written_bytes, callback_ns;
};

struct picture {
	uint64_t at_ns;                /* 0 = not taken */
	uint32_t tid;
	int32_t poller_fd;
	uint64_t own_cpu_ns;
	uint64_t submitted[PS_WORK_KIND_COUNT];
};

struct fd_picture {
	uint64_t counted_ns;           /* until then they are counted; 0 = not taken */
	uint32_t tid;
	int32_t poller_fd;
	uint64_t ready;                /* how often all of them were returned */
	int is_partial;                /* they are not counted all the time */
	struct fd_counters *fds;       /* by key */
	size_t fd_count, fd_room;
};

struct rates {
	struct picture old, recent;
	uint64_t span_ns;
	struct fd_picture fd_old, fd_recent;
	uint64_t fd_span_ns;
};

/* per second over the last span; negative = not measured */
struct fd_rate {
	double ready, read_bytes, written_bytes, callback_share;
	int is_partial;                /* they are at least that */
};

/* Takes a picture when the newest is a second old. Returns 0 or -ENOMEM (the old rates stay). */
int rates_take(struct rates *rates, const struct model *model, const struct loop *loop, const struct pool *pool);
/* 1 and *rate filled (negative members = not measured), or 0: no span yet. */
int rates_fd(const struct rates *rates, const struct fd_stat *fd, struct fd_rate *rate);
double rates_own_cpu(const struct rates *rates);                     /* share of one CPU; negative = not known */
double rates_work(const struct rates *rates, unsigned kind);         /* jobs/s; negative = not known */
void rates_close(struct rates *rates);

#endif

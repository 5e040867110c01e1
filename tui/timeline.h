/* SPDX-License-Identifier: BSD-2-Clause */
/* Time in cells: what a loop or a thread did in a slice of the recent past. */
#ifndef TIMELINE_H
#define TIMELINE_H

#include <stdint.h>

struct view;
struct loop;
struct thread;
struct stall;

#define TIMELINE_ZOOMS 6
#define TIMELINE_SECOND 3 /* the zoom whose cell is a second */

/* a row of the timeline: one of the two */
struct timeline_row {
	const struct loop *loop;
	const struct thread *thread;
};

struct timeline_cell {
	int known; /* 0: nothing is kept of it */
	uint64_t busy_ns, wait_ns; /* of a thread: in jobs or blocked calls, and not */
	uint64_t phase_ns[8]; /* of a loop, where it tells them */
	uint64_t kind_ns[8]; /* of a worker: by kind of job */
	uint64_t lost;
	const struct stall *stall; /* the longest that touches it; NULL */
};

uint64_t timeline_cell_ns(int zoom);
void timeline_fill(const struct view *view, const struct timeline_row *row, uint64_t from_ns, uint64_t to_ns,
		   struct timeline_cell *cell);
/* The letter of what took most of it: see timeline_legend. */
char timeline_letter(const struct timeline_row *row, const struct timeline_cell *cell);
extern const char timeline_legend[];

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* The parts that export_timeline.c is made of, one for each kind of track; nobody else includes this. */
#ifndef EXPORT_TIMELINE_PARTS_H
#define EXPORT_TIMELINE_PARTS_H

#include "export_timeline.h"
#include "export_tracks.h"

struct timeline {
	struct export_run *run;
	const struct timeline_sink *sink;
	struct tracks tracks;
	struct stall_cursor stalls;
	uint64_t clocks_ns; /* when the clocks were told; 0 = never */
	uint64_t flows; /* arrows drawn */
};

/* `item` of a loop's track: what the open slice is. */
enum { LOOP_TRACK_WAIT = 1, LOOP_TRACK_BUSY = 2 };

/* ---- export_timeline.c ---- */
int timeline_is_time(uint64_t ts);
uint32_t timeline_pid(const struct timeline *timeline, uint32_t tid);
int timeline_slice(struct timeline *timeline, struct track *track, uint64_t from, uint64_t to, const char *name,
		   const struct note *notes, size_t count);
int timeline_counter(struct timeline *timeline, enum track_kind kind, uint32_t pid, uint32_t tid, uint64_t ts,
		     uint64_t value);
/* The arrows that lead into the slice which is about to be told. */
size_t timeline_take_flows(struct track *track, struct note *notes);
void timeline_lead_into(struct track *track, uint64_t flow);

/* ---- export_timeline_loop.c: what is open ends ---- */
int timeline_end_phase(struct timeline *timeline, uint32_t tid, uint64_t ts);
int timeline_end_callback(struct timeline *timeline, uint32_t tid, uint64_t ts);
int timeline_end_busy(struct timeline *timeline, struct track *track, uint64_t since, uint64_t ts);
int timeline_tell_stall(void *timeline, const struct stall *stall);

/* ---- export_timeline_fd.c ---- */
/* It was ready from then on and gets its turn now: an arrow leads from the wait to where it is served (NULL: not drawn). */
int timeline_serve_fd(struct timeline *timeline, struct track *fd, uint64_t since, uint64_t ts, struct track *to);

/* What each part draws, by event; no event has two. */
typedef int (*timeline_handler)(struct timeline *timeline, const struct ps_record *record);
extern const timeline_handler timeline_loop_handlers[PS_EVENT_MAX], timeline_fd_handlers[PS_EVENT_MAX],
	timeline_sched_handlers[PS_EVENT_MAX], timeline_pool_handlers[PS_EVENT_MAX];

#endif

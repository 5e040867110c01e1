/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The record stream as a timeline: tracks with flat slices, counters and
 * instants, for every format that draws time (Perfetto, Chrome). A format is a
 * sink; the timeline decides what is drawn.
 *
 * Slices reach the sink when they have ended, per track in order and without
 * overlap. Only a stall lies within the slice of its loop that was told just
 * before it. Memory grows with the number of tracks (TIMELINE_TRACKS at most).
 */
#ifndef EXPORT_TIMELINE_H
#define EXPORT_TIMELINE_H

#include "export.h"

#define TIMELINE_TRACKS 65536
#define TIMELINE_NAME 192
#define TIMELINE_FLOWS 4

enum track_kind {
	TRACK_PROCESS,
	TRACK_THREAD,
	TRACK_LOOP, /* waits, busy slices and the stalls in them */
	TRACK_PHASES,
	TRACK_CALLBACKS,
	TRACK_GC,
	TRACK_SCHEDULER,
	TRACK_JOBS,
	TRACK_FD, /* a descriptor that is ready and waits for its callback */
	/* counters */
	TRACK_POOL_QUEUED,
	TRACK_POOL_BUSY,
	TRACK_TIMERS,
	TRACK_OVERDUE,
	TRACK_HEAP_DEPTH,
	TRACK_HANDLES,
	TRACK_TICKS,
	TRACK_IMMEDIATES,
	TRACK_BUFFERED,
	TRACK_READY_LIST,
	TRACK_LOST,
	TRACK_KIND_COUNT
};

struct track {
	enum track_kind kind;
	uint32_t pid, tid;
	int32_t fd; /* of a loop's poller, or the descriptor */
	uint64_t number; /* 1, 2, … in order of appearance */
	const struct track *parent; /* NULL: none */
	/* the timeline's own: the slice that is open */
	uint64_t since_ns; /* 0 = none */
	uint64_t ended_ns; /* nothing may begin before */
	uint64_t first_ns; /* of phases and callbacks: where the first one of this busy slice begins; 0 = none */
	uint64_t value, extra; /* what it is about, by kind */
	int32_t item;
	uint64_t flows[TIMELINE_FLOWS]; /* that lead into its next slice */
	uint32_t flow_count;
	const char *label; /* of a descriptor: its peer or path; NULL = not known */
	uint32_t fd_kind; /* enum ps_kind */
};

/* Shown beside a slice. Without a name it is an end of an arrow of this number: from here, or (text set) to here. */
struct note {
	const char *name; /* a literal */
	const char *text; /* NULL: a number */
	uint64_t number;
};
#define NOTE_FLOW_FROM(number)                                                                                         \
	{                                                                                                              \
		NULL, NULL, number                                                                                     \
	}
#define NOTE_FLOW_TO(number)                                                                                           \
	{                                                                                                              \
		NULL, "", number                                                                                       \
	}

struct timeline_sink {
	/* A new track, or one whose names have changed. */
	int (*track)(struct export_run *run, const struct track *track);
	int (*slice)(struct export_run *run, const struct track *track, uint64_t from, uint64_t to, const char *name,
		     const struct note *notes, size_t count);
	int (*instant)(struct export_run *run, uint64_t ts, const char *name);
	int (*counter)(struct export_run *run, const struct track *track, uint64_t ts, uint64_t value);
	/* One instant on three clocks. */
	int (*clocks)(struct export_run *run, uint64_t monotonic_ns, uint64_t boottime_ns, uint64_t realtime_ns);
};

struct timeline;

int timeline_open(struct timeline **timeline, struct export_run *run, const struct timeline_sink *sink);
int timeline_record(struct timeline *timeline, const struct ps_record *record);
int timeline_end(struct timeline *timeline); /* closes what is open and sets the end mark */
void timeline_close(struct timeline *timeline);
/* All tracks once more, for a sink that must repeat them. */
int timeline_tracks_each(struct timeline *timeline, int (*visit)(struct export_run *run, const struct track *track));

/* What the track is called, from what the model knows now. */
const char *timeline_track_name(const struct export_run *run, const struct track *track, char out[TIMELINE_NAME]);
int track_is_counter(const struct track *track);
int track_counts_bytes(const struct track *track);

#endif

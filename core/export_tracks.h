/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of a timeline's tracks: for export_timeline.c only. */
#ifndef EXPORT_TRACKS_H
#define EXPORT_TRACKS_H

#include "export_timeline.h"
#include "table.h"

struct tracks {
	struct export_run *run;
	const struct timeline_sink *sink;
	struct track **list;
	size_t count;
	uint64_t numbers; /* given out; a track whose subject changes gets another */
	struct table by_key;
};

/* `number` is the tid, or the pid of a track that is under no thread. NULL: there is none. */
struct track *tracks_find(const struct tracks *tracks, enum track_kind kind, uint32_t number, int32_t fd);
/*
 * The track of a process (tid 0), a thread, or `kind` under it; made and told
 * to the sink with those above it when it is new. *out is NULL when there are
 * too many. 0, -ENOMEM, or the sink's error.
 */
int tracks_need(struct tracks *tracks, enum track_kind kind, uint32_t pid, uint32_t tid, int32_t fd,
		struct track **out);
void tracks_free(struct tracks *tracks);

/* A name cut at a character, not inside one. Returns out. */
const char *track_copy_name(char out[TIMELINE_NAME], const char *text);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tracks of a timeline, found by kind and number: the thread, or the
 * process where there is none. A track lives until the export ends; there are
 * TIMELINE_TRACKS at most, what would be drawn on further ones is left out.
 */
#include "export_tracks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "schema.h"
#include "text.h"

int track_is_counter(const struct track *track)
{
	return track->kind >= TRACK_POOL_QUEUED;
}

int track_counts_bytes(const struct track *track)
{
	return track->kind == TRACK_BUFFERED;
}

static uint64_t key_of(enum track_kind kind, uint32_t number, int32_t fd)
{
	return (uint64_t)kind << 59 ^ (uint64_t)(uint32_t)fd << 32 ^ number;
}

struct track *tracks_find(const struct tracks *tracks, enum track_kind kind, uint32_t number, int32_t fd)
{
	struct track *track = table_pointer(&tracks->by_key, key_of(kind, number, fd));
	int mine = track && track->kind == kind && track->fd == fd && (track->tid ? track->tid : track->pid) == number;
	return mine ? track : NULL;
}

static int add_track(struct tracks *tracks, const struct track *wanted, struct track **out)
{
	uint32_t number = wanted->tid ? wanted->tid : wanted->pid;
	*out = tracks_find(tracks, wanted->kind, number, wanted->fd);
	if (*out || tracks->count >= TIMELINE_TRACKS)
		return 0;
	if (!(tracks->count & (tracks->count - 1))) { /* full at each power of two */
		size_t room = tracks->count ? tracks->count * 2 : 1;
		struct track **list = realloc(tracks->list, room * sizeof(struct track *));
		if (!list)
			return -ENOMEM;
		tracks->list = list;
	}
	struct track *track = malloc(sizeof(*track));
	if (!track)
		return -ENOMEM;
	*track = *wanted;
	track->number = ++tracks->numbers;
	int err = table_put(&tracks->by_key, key_of(track->kind, number, track->fd), (uint64_t)(uintptr_t)track);
	if (err) {
		free(track);
		return err;
	}
	tracks->list[tracks->count++] = track;
	*out = track;
	return tracks->sink->track(tracks->run, track);
}

int tracks_need(struct tracks *tracks, enum track_kind kind, uint32_t pid, uint32_t tid, int32_t fd, struct track **out)
{
	struct track *process = NULL, *thread = NULL;
	*out = tracks_find(tracks, kind, tid ? tid : pid, fd);
	if (*out)
		return 0;
	struct track wanted = { .kind = TRACK_PROCESS, .pid = pid, .fd = -1 };
	int err = pid ? add_track(tracks, &wanted, &process) : 0;
	if (!err && tid && kind != TRACK_PROCESS) {
		wanted = (struct track){ .kind = TRACK_THREAD, .pid = pid, .tid = tid, .fd = -1, .parent = process };
		err = add_track(tracks, &wanted, &thread);
	}
	if (err || kind == TRACK_PROCESS || kind == TRACK_THREAD) {
		*out = kind == TRACK_PROCESS ? process : thread;
		return err;
	}
	wanted = (struct track){ .kind = kind, .pid = pid, .tid = tid, .fd = fd, .parent = thread ? thread : process };
	return add_track(tracks, &wanted, out);
}

const char *track_copy_name(char out[TIMELINE_NAME], const char *text)
{
	text_clean(out, TIMELINE_NAME, text, strlen(text));
	return out;
}

const char *timeline_track_name(const struct export_run *run, const struct track *track, char out[TIMELINE_NAME])
{
	const struct process *process = track->pid ? model_process(run->model, track->pid) : NULL;
	const struct thread *thread = track->tid ? model_thread(run->model, track->tid) : NULL;
	const struct loop *loop = track->kind == TRACK_LOOP ? model_loop(run->model, track->tid, track->fd) : NULL;
	static const char *const fixed[TRACK_KIND_COUNT] = {
		[TRACK_PHASES] = "phases",
		[TRACK_CALLBACKS] = "callbacks",
		[TRACK_GC] = "garbage collection",
		[TRACK_SCHEDULER] = "scheduler, while busy",
		[TRACK_JOBS] = "pool jobs",
		[TRACK_POOL_QUEUED] = "pool: jobs queued",
		[TRACK_POOL_BUSY] = "pool: threads busy",
		[TRACK_TIMERS] = "timers armed",
		[TRACK_OVERDUE] = "timers overdue",
		[TRACK_HEAP_DEPTH] = "timer heap: depth",
		[TRACK_HANDLES] = "handles open",
		[TRACK_TICKS] = "next ticks queued",
		[TRACK_IMMEDIATES] = "immediates queued",
		[TRACK_BUFFERED] = "bytes buffered for writing",
		[TRACK_READY_LIST] = "poller: ready list",
		[TRACK_LOST] = "events lost",
	};
	if (fixed[track->kind])
		return track_copy_name(out, fixed[track->kind]);
	if (track->kind == TRACK_PROCESS)
		return track_copy_name(out, process && process->comm[0] ? process->comm : "process");
	if (track->kind == TRACK_THREAD)
		return track_copy_name(out, thread && thread->name[0] ? thread->name : "thread");
	if (track->kind == TRACK_FD)
		snprintf(out, TIMELINE_NAME, "fd %d%s%s%s%.120s", track->fd, track->fd_kind ? " " : "",
			 track->fd_kind ? kind_name(track->fd_kind) : "", track->label && *track->label ? " " : "",
			 track->label ? track->label : "");
	else if (track->fd < 0)
		snprintf(out, TIMELINE_NAME, "loop (%s)", backend_name(loop ? loop->backend : PS_BACKEND_UNKNOWN));
	else
		snprintf(out, TIMELINE_NAME, "loop (%s %d)", backend_name(loop ? loop->backend : PS_BACKEND_UNKNOWN),
			 track->fd);
	return out;
}

void tracks_free(struct tracks *tracks)
{
	for (size_t i = 0; i < tracks->count; i++)
		free(tracks->list[i]);
	free(tracks->list);
	table_free(&tracks->by_key);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is drawn of a recording, whatever the format.
 *
 * Each track holds at most one open slice; when it ends it is told whole. A
 * record's times are foreign: a slice that would begin before the end of its
 * predecessor is cut, one that would end before it begins is left out, so
 * tracks stay in order whatever the stream says.
 */
#include "export_timeline_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "schema.h"

#define CLOCKS_NS 10000000000ull /* clocks are told at most this often */

int timeline_is_time(uint64_t ts)
{
	return ts && ts != PS_UNKNOWN;
}

/* ---- slices ---- */

uint32_t timeline_pid(const struct timeline *timeline, uint32_t tid)
{
	const struct thread *thread = model_thread(timeline->run->model, tid);
	return thread && thread->pid ? thread->pid : tid;
}

int timeline_slice(struct timeline *timeline, struct track *track, uint64_t from, uint64_t to, const char *name,
		   const struct note *notes, size_t count)
{
	if (from < track->ended_ns)
		from = track->ended_ns;
	if (to < from)
		return 0;
	track->ended_ns = to;
	return timeline->sink->slice(timeline->run, track, from, to, name, notes, count);
}

/* The arrows that lead into the slice which is about to be told. */
size_t timeline_take_flows(struct track *track, struct note *notes)
{
	size_t count = track->flow_count;
	for (size_t i = 0; i < count; i++)
		notes[i] = (struct note)NOTE_FLOW_TO(track->flows[i]);
	track->flow_count = 0;
	return count;
}

void timeline_lead_into(struct track *track, uint64_t flow)
{
	if (track->flow_count < TIMELINE_FLOWS)
		track->flows[track->flow_count++] = flow;
}

int timeline_counter(struct timeline *timeline, enum track_kind kind, uint32_t pid, uint32_t tid, uint64_t ts,
		     uint64_t value)
{
	struct track *track = NULL;
	int err = value != PS_UNKNOWN ? tracks_need(&timeline->tracks, kind, pid, tid, -1, &track) : 0;
	if (err || !track || (track->since_ns && track->value == value) || ts < track->ended_ns)
		return err;
	track->since_ns = track->ended_ns = ts;
	track->value = value;
	return timeline->sink->counter(timeline->run, track, ts, value);
}

/* ---- who exists, clocks, loss ---- */

static int tell_again(struct timeline *timeline, enum track_kind kind, uint32_t number)
{
	struct track *track = tracks_find(&timeline->tracks, kind, number, -1);
	return track ? timeline->sink->track(timeline->run, track) : 0;
}

static int on_process(struct timeline *timeline, const struct ps_record *record)
{
	return tell_again(timeline, TRACK_PROCESS, ((const struct ps_ev_process *)record)->pid);
}

static int on_thread(struct timeline *timeline, const struct ps_record *record)
{
	return tell_again(timeline, TRACK_THREAD, record->tid);
}

static int tell_clocks(struct timeline *timeline, uint64_t monotonic, uint64_t boottime, uint64_t realtime)
{
	if (!realtime || !boottime || (timeline->clocks_ns && monotonic - timeline->clocks_ns < CLOCKS_NS))
		return 0;
	timeline->clocks_ns = monotonic;
	return timeline->sink->clocks(timeline->run, monotonic, boottime, realtime);
}

static int on_clock(struct timeline *timeline, const struct ps_record *record)
{
	const struct ps_ev_clock *event = (const struct ps_ev_clock *)record;
	return tell_clocks(timeline, record->ts, event->boottime_ns, event->realtime_ns);
}

static int on_lost(struct timeline *timeline, const struct ps_record *record)
{
	uint64_t ts = record->ts ? record->ts : timeline->run->model->now_ns;
	struct track *track;
	int err = tracks_need(&timeline->tracks, TRACK_LOST, 0, 0, -1, &track);
	if (err || !track)
		return err;
	return timeline->sink->counter(timeline->run, track, ts, timeline->run->model->lost_total);
}

/* A slice that is open at the end lasted at least until then. */
static int end_track(struct timeline *timeline, struct track *track, uint64_t now)
{
	if (!track->since_ns)
		return 0;
	switch (track->kind) {
	case TRACK_LOOP:
		if (track->item == LOOP_TRACK_BUSY)
			return timeline_end_busy(timeline, track, track->since_ns, now);
		return timeline_slice(timeline, track, track->since_ns, now, "poll wait", NULL, 0);
	case TRACK_PHASES:
		return timeline_end_phase(timeline, track->tid, now);
	case TRACK_CALLBACKS:
		return timeline_end_callback(timeline, track->tid, now);
	case TRACK_JOBS:
		return timeline_slice(timeline, track, track->since_ns, now, work_kind_name((unsigned)track->item),
				      NULL, 0);
	default:
		return 0;
	}
}

/* A thread (or, tid 0, a whole process) went: what it was doing ended. */
static int end_tracks(struct timeline *timeline, uint32_t pid, uint32_t tid, uint64_t ts)
{
	int err = 0;
	for (size_t i = 0; i < timeline->tracks.count && !err; i++) {
		struct track *track = timeline->tracks.list[i];
		if (track_is_counter(track) || (tid ? track->tid != tid : track->pid != pid))
			continue;
		err = end_track(timeline, track, ts);
		track->since_ns = 0;
	}
	return err;
}

static int on_process_exit(struct timeline *timeline, const struct ps_record *record)
{
	return end_tracks(timeline, ((const struct ps_ev_process_exit *)record)->pid, 0, record->ts);
}

static int on_process_left(struct timeline *timeline, const struct ps_record *record)
{
	return end_tracks(timeline, ((const struct ps_ev_process_left *)record)->pid, 0, record->ts);
}

static int on_thread_exit(struct timeline *timeline, const struct ps_record *record)
{
	return record->tid ? end_tracks(timeline, 0, record->tid, record->ts) : 0;
}

static int on_loop(struct timeline *timeline, const struct ps_record *record)
{
	const struct ps_ev_loop *event = (const struct ps_ev_loop *)record;
	struct track *track = tracks_find(&timeline->tracks, TRACK_LOOP, record->tid, event->poller_fd);
	if (!track || !(event->flags & PS_LOOP_GONE))
		return track ? timeline->sink->track(timeline->run, track) : 0;
	int err = end_track(timeline, track, record->ts);
	track->since_ns = 0;
	return err;
}

static const timeline_handler own_handlers[PS_EVENT_MAX] = {
	[PS_EV_CLOCK] = on_clock,     [PS_EV_LOST] = on_lost,
	[PS_EV_PROCESS] = on_process, [PS_EV_PROCESS_EXIT] = on_process_exit,
	[PS_EV_PROCESS_LEFT] = on_process_left,
	[PS_EV_THREAD] = on_thread,   [PS_EV_THREAD_EXIT] = on_thread_exit,
	[PS_EV_LOOP] = on_loop,
};

static const timeline_handler *const parts[] = { own_handlers, timeline_loop_handlers, timeline_fd_handlers,
						 timeline_sched_handlers, timeline_pool_handlers };

int timeline_record(struct timeline *timeline, const struct ps_record *record)
{
	if (record->event >= PS_EVENT_MAX)
		return 0;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (parts[i][record->event])
			return parts[i][record->event](timeline, record);
	return 0;
}

int timeline_open(struct timeline **out, struct export_run *run, const struct timeline_sink *sink)
{
	struct timeline *timeline = calloc(1, sizeof(*timeline));
	if (!timeline)
		return -ENOMEM;
	timeline->run = run;
	timeline->sink = sink;
	timeline->tracks = (struct tracks){ .run = run, .sink = sink };
	*out = timeline;
	return tell_clocks(timeline, run->info->monotonic_ns, run->info->boottime_ns, run->info->realtime_ns);
}

void timeline_close(struct timeline *timeline)
{
	if (!timeline)
		return;
	tracks_free(&timeline->tracks);
	free(timeline);
}

int timeline_end(struct timeline *timeline)
{
	const struct model *model = timeline->run->model;
	char text[TIMELINE_NAME];
	int err = 0;
	for (size_t i = 0; i < timeline->tracks.count && !err; i++)
		err = end_track(timeline, timeline->tracks.list[i], model->now_ns);
	for (size_t i = 0; i < model->loop_count && !err; i++)
		if (model->loops[i]->open_stall)
			err = timeline_tell_stall(timeline, model->loops[i]->open_stall);
	snprintf(text, sizeof(text), "recording end, %llu lost", (unsigned long long)model->lost_total);
	return err ? err : timeline->sink->instant(timeline->run, model->now_ns, text);
}

int timeline_tracks_each(struct timeline *timeline, int (*visit)(struct export_run *run, const struct track *track))
{
	int err = 0;
	for (size_t i = 0; i < timeline->tracks.count && !err; i++)
		err = visit(timeline->run, timeline->tracks.list[i]);
	return err;
}

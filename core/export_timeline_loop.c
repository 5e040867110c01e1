/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A loop's tracks: its waits and busy slices, the stalls within these, its
 * phases and callbacks.
 */
#include "export_timeline_parts.h"

#include "schema.h"

/* ---- what ends ---- */

/* The track that phases and callbacks of this thread lie on: the one of its first loop; NULL = none yet. */
static struct track *track_below(struct timeline *timeline, uint32_t tid)
{
	const struct model *model = timeline->run->model;
	for (size_t i = 0; i < model->loop_count; i++)
		if (model->loops[i]->tid == tid)
			return tracks_find(&timeline->tracks, TRACK_LOOP, tid, model->loops[i]->poller_fd);
	return NULL;
}

/* A phase or a callback: after the wait that was told last, and within the busy slice that will be. */
static int end_within(struct timeline *timeline, struct track *track, uint64_t ts, const char *name, const struct note *notes,
		      size_t count)
{
	const struct track *below = track_below(timeline, track->tid);
	uint64_t from = track->since_ns;
	track->since_ns = 0;
	from = from < track->ended_ns ? track->ended_ns : from;
	from = below && from < below->ended_ns ? below->ended_ns : from;
	if (from > ts)
		return 0;
	track->first_ns = track->first_ns ? track->first_ns : from;
	return timeline_slice(timeline, track, from, ts, name, notes, count);
}

/* A busy slice begins with the first thing that was seen in it. */
static uint64_t first_within(struct timeline *timeline, uint32_t tid, uint64_t since)
{
	static const enum track_kind kinds[] = { TRACK_PHASES, TRACK_CALLBACKS };
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		struct track *track = tracks_find(&timeline->tracks, kinds[i], tid, -1);
		if (!track)
			continue;
		since = track->first_ns && track->first_ns < since ? track->first_ns : since;
		track->first_ns = 0;
	}
	return since;
}

int timeline_end_phase(struct timeline *timeline, uint32_t tid, uint64_t ts)
{
	struct track *track = tracks_find(&timeline->tracks, TRACK_PHASES, tid, -1);
	if (!track || !track->since_ns)
		return 0;
	if (track->since_ns == ts) {
		track->since_ns = 0;
		return 0; /* the poll phase of a busy loop, which is only its wait */
	}
	return end_within(timeline, track, ts, phase_name((unsigned)track->item), NULL, 0);
}

int timeline_end_callback(struct timeline *timeline, uint32_t tid, uint64_t ts)
{
	struct track *track = tracks_find(&timeline->tracks, TRACK_CALLBACKS, tid, -1);
	if (!track || !track->since_ns)
		return 0;
	char name[TIMELINE_NAME];
	const struct frame *frame = track->value ? model_symbol(timeline->run->model, track->pid, track->value) : NULL;
	struct note notes[4 + TIMELINE_FLOWS] = {
		{ "kind", kind_name((unsigned)(track->extra >> 32)), 0 },
		{ "handle", NULL, (uint32_t)track->extra },
		{ "address", NULL, track->value },
		{ "fd", NULL, (uint64_t)track->item },
	};
	size_t count = track->item < 0 ? 3 : 4;
	count += timeline_take_flows(track, notes + count);
	if (frame && frame->name[0])
		track_copy_name(name, frame->name);
	else
		snprintf(name, sizeof(name), "%s callback", notes[0].text);
	return end_within(timeline, track, ts, name, notes, count);
}

/* ---- waits, busy slices, stalls ---- */

/* Within the busy slice that was told last; an open stall of the end of the recording counts as ended there. */
int timeline_tell_stall(void *arg, const struct stall *stall)
{
	struct timeline *timeline = arg;
	struct track *track = tracks_find(&timeline->tracks, TRACK_LOOP, stall->loop->tid, stall->loop->poller_fd);
	char name[TIMELINE_NAME];
	struct note notes[8];
	size_t count = 0;
	uint64_t from = stall->start_ns, to = stall->start_ns + stall->duration_ns;
	if (!track || to < from)
		return 0;
	/* [value, ended_ns] is the last busy slice; a stall that does not lie in it belongs to none that was drawn */
	if (from < track->value)
		from = track->value;
	if (to > track->ended_ns)
		to = track->ended_ns;
	if (to < from)
		return 0;
	track_copy_name(name, stall->culprit[0] ? stall->culprit : stall_cause_name(stall->cause));
	notes[count++] = (struct note){ "cause", stall_cause_name(stall->cause), 0 };
	notes[count++] = (struct note){ "rule", stall_rule_name(stall->rule), 0 };
	if (stall->phase >= 0)
		notes[count++] = (struct note){ "phase", phase_name((unsigned)stall->phase), 0 };
	if (stall->on_cpu_ns != PS_UNKNOWN)
		notes[count++] = (struct note){ "on_cpu_ns", NULL, stall->on_cpu_ns };
	if (stall->runnable_ns != PS_UNKNOWN)
		notes[count++] = (struct note){ "runnable_ns", NULL, stall->runnable_ns };
	if (stall->blocked_ns != PS_UNKNOWN)
		notes[count++] = (struct note){ "blocked_ns", NULL, stall->blocked_ns };
	if (stall->syscall >= 0 && syscall_name(stall->syscall))
		notes[count++] = (struct note){ "syscall", syscall_name(stall->syscall), 0 };
	return timeline->sink->slice(timeline->run, track, from, to, name, notes, count);
}

int timeline_end_busy(struct timeline *timeline, struct track *track, uint64_t since, uint64_t ts)
{
	struct note notes[TIMELINE_FLOWS];
	int err = timeline_end_callback(timeline, track->tid, ts);
	if (!err)
		err = timeline_end_phase(timeline, track->tid, ts);
	if (err || !since)
		return err;
	size_t count = timeline_take_flows(track, notes);
	if (track == track_below(timeline, track->tid))
		since = first_within(timeline, track->tid, since);
	track->value = since < track->ended_ns ? track->ended_ns : since; /* where the busy slice begins */
	track->since_ns = 0;
	err = timeline_slice(timeline, track, since, ts, "busy", notes, count);
	return err ? err : stalls_each_closed(&timeline->stalls, timeline->run->model, timeline_tell_stall, timeline);
}

static int tell_wait(struct timeline *timeline, struct track *track, uint64_t from, uint64_t to, int32_t ready)
{
	const struct note notes[] = { { "ready", NULL, (uint64_t)(int64_t)ready } };
	return timeline_slice(timeline, track, from, to, "poll wait", notes, 1);
}

/* The loop's track, or NULL: a wait on a poller that is no loop is work. */
static int loop_track(struct timeline *timeline, const struct ps_record *record, int32_t poller_fd,
		      struct track **track)
{
	*track = NULL;
	if (!model_loop(timeline->run->model, record->tid, poller_fd))
		return 0;
	return tracks_need(&timeline->tracks, TRACK_LOOP, timeline_pid(timeline, record->tid), record->tid, poller_fd,
			   track);
}

/* Both records carry the time of the one before them, so one that was lost costs nothing here. */
static int on_poll_enter(struct timeline *timeline, const struct ps_record *record)
{
	const struct ps_ev_poll_enter *event = (const struct ps_ev_poll_enter *)record;
	struct track *track;
	int err = loop_track(timeline, record, event->poller_fd, &track);
	if (err || !track)
		return err;
	uint64_t since = track->item == LOOP_TRACK_BUSY ? track->since_ns : 0;
	if (timeline_is_time(event->busy_since_ns)) {
		if (track->item == LOOP_TRACK_WAIT && track->since_ns)
			err = tell_wait(timeline, track, track->since_ns, event->busy_since_ns, 0);
		since = event->busy_since_ns;
	}
	if (!err)
		err = timeline_end_busy(timeline, track, since, record->ts);
	track->item = LOOP_TRACK_WAIT;
	track->since_ns = record->ts;
	return err;
}

static int on_poll_return(struct timeline *timeline, const struct ps_record *record)
{
	const struct ps_ev_poll_return *event = (const struct ps_ev_poll_return *)record;
	struct track *track, *phases = tracks_find(&timeline->tracks, TRACK_PHASES, record->tid, -1);
	int err = loop_track(timeline, record, event->poller_fd, &track);
	if (err || !track)
		return err;
	uint64_t since = track->item == LOOP_TRACK_WAIT ? track->since_ns : 0;
	if (timeline_is_time(event->entered_ns)) {
		if (track->item == LOOP_TRACK_BUSY && track->since_ns)
			err = timeline_end_busy(timeline, track, track->since_ns, event->entered_ns);
		since = event->entered_ns;
	}
	if (!err && since && !(event->flags & PS_POLL_UNDERWAY))
		err = tell_wait(timeline, track, since, record->ts, event->ready);
	track->item = LOOP_TRACK_BUSY;
	track->since_ns = record->ts;
	if (phases && phases->item == PS_PHASE_POLL)
		phases->since_ns = record->ts; /* the wait itself is drawn on the loop's track */
	return err;
}

static int on_phase(struct timeline *timeline, const struct ps_record *record)
{
	struct track *track = NULL;
	int err = timeline_end_callback(timeline, record->tid, record->ts);
	if (!err)
		err = timeline_end_phase(timeline, record->tid, record->ts);
	if (!err)
		err = tracks_need(&timeline->tracks, TRACK_PHASES, timeline_pid(timeline, record->tid), record->tid, -1,
				  &track);
	if (err || !track)
		return err;
	track->since_ns = record->ts;
	track->item = (int32_t)((const struct ps_ev_phase *)record)->phase;
	return 0;
}

/* ---- callbacks ---- */

static int on_callback_begin(struct timeline *timeline, const struct ps_record *record)
{
	const struct ps_ev_callback_begin *event = (const struct ps_ev_callback_begin *)record;
	struct track *track = NULL;
	int err = timeline_end_callback(timeline, record->tid, record->ts);
	if (!err)
		err = tracks_need(&timeline->tracks, TRACK_CALLBACKS, timeline_pid(timeline, record->tid), record->tid,
				  -1, &track);
	if (err || !track)
		return err;
	track->since_ns = record->ts;
	track->value = event->fn;
	track->extra = (uint64_t)event->kind << 32 | event->handle;
	track->item = event->fd;
	struct track *fd = event->fd >= 0 ? tracks_find(&timeline->tracks, TRACK_FD, record->tid, event->fd) : NULL;
	return fd && fd->since_ns ? timeline_serve_fd(timeline, fd, fd->since_ns, record->ts, track) : 0;
}

static int on_callback_end(struct timeline *timeline, const struct ps_record *record)
{
	return timeline_end_callback(timeline, record->tid, record->ts);
}

const timeline_handler timeline_loop_handlers[PS_EVENT_MAX] = {
	[PS_EV_POLL_ENTER] = on_poll_enter,	    [PS_EV_POLL_RETURN] = on_poll_return,   [PS_EV_PHASE] = on_phase,
	[PS_EV_CALLBACK_BEGIN] = on_callback_begin, [PS_EV_CALLBACK_END] = on_callback_end,
};

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is drawn of a recording, whatever the format.
 *
 * Each track holds at most one open slice; when it ends it is told whole. A
 * record's times are foreign: a slice that would begin before the end of its
 * predecessor is cut, one that would end before it begins is left out, so
 * tracks stay in order whatever the stream says.
 */
#include "export_timeline.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "export_tracks.h"
#include "schema.h"

#define CLOCKS_NS 10000000000ull /* clocks are told at most this often */

struct timeline {
	struct export_run *run;
	const struct timeline_sink *sink;
	struct tracks tracks;
	struct stall_cursor stalls;
	uint64_t clocks_ns; /* when the clocks were told; 0 = never */
	uint64_t flows; /* arrows drawn */
};

static int is_time(uint64_t ts)
{
	return ts && ts != PS_UNKNOWN;
}

/* ---- slices ---- */

static uint32_t pid_of(const struct timeline *timeline, uint32_t tid)
{
	const struct thread *thread = model_thread(timeline->run->model, tid);
	return thread && thread->pid ? thread->pid : tid;
}

static int tell_slice(struct timeline *timeline, struct track *track, uint64_t from, uint64_t to, const char *name,
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
static size_t take_flows(struct track *track, struct note *notes)
{
	size_t count = track->flow_count;
	for (size_t i = 0; i < count; i++)
		notes[i] = (struct note)NOTE_FLOW_TO(track->flows[i]);
	track->flow_count = 0;
	return count;
}

static void lead_into(struct track *track, uint64_t flow)
{
	if (track->flow_count < TIMELINE_FLOWS)
		track->flows[track->flow_count++] = flow;
}

static int tell_counter(struct timeline *timeline, enum track_kind kind, uint32_t pid, uint32_t tid, uint64_t ts,
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

static int end_phase(struct timeline *timeline, uint32_t tid, uint64_t ts)
{
	struct track *track = tracks_find(&timeline->tracks, TRACK_PHASES, tid, -1);
	if (!track || !track->since_ns)
		return 0;
	uint64_t from = track->since_ns;
	track->since_ns = 0;
	if (from == ts)
		return 0; /* the poll phase of a busy loop, which is only its wait */
	return tell_slice(timeline, track, from, ts, phase_name((unsigned)track->item), NULL, 0);
}

static int end_callback(struct timeline *timeline, uint32_t tid, uint64_t ts)
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
	count += take_flows(track, notes + count);
	if (frame && frame->name[0])
		track_copy_name(name, frame->name);
	else
		snprintf(name, sizeof(name), "%s callback", notes[0].text);
	uint64_t from = track->since_ns;
	track->since_ns = 0;
	return tell_slice(timeline, track, from, ts, name, notes, count);
}

/* ---- loops ---- */

/* Within the busy slice that was told last; an open stall of the end of the recording counts as ended there. */
static int tell_stall(void *arg, const struct stall *stall)
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

static int end_busy(struct timeline *timeline, struct track *track, uint64_t since, uint64_t ts)
{
	struct note notes[TIMELINE_FLOWS];
	int err = end_callback(timeline, track->tid, ts);
	if (!err)
		err = end_phase(timeline, track->tid, ts);
	if (err || !since)
		return err;
	size_t count = take_flows(track, notes);
	track->value = since < track->ended_ns ? track->ended_ns : since; /* where the busy slice begins */
	track->since_ns = 0;
	err = tell_slice(timeline, track, since, ts, "busy", notes, count);
	return err ? err : stalls_each_closed(&timeline->stalls, timeline->run->model, tell_stall, timeline);
}

/* `item` of a loop's track: what the open slice is. */
enum { LOOP_TRACK_WAIT = 1, LOOP_TRACK_BUSY = 2 };

static int tell_wait(struct timeline *timeline, struct track *track, uint64_t from, uint64_t to, int32_t ready)
{
	const struct note notes[] = { { "ready", NULL, (uint64_t)(int64_t)ready } };
	return tell_slice(timeline, track, from, to, "poll wait", notes, 1);
}

/* The loop's track, or NULL: a wait on a poller that is no loop is work. */
static int loop_track(struct timeline *timeline, const struct ps_record *record, int32_t poller_fd,
		      struct track **track)
{
	*track = NULL;
	if (!model_loop(timeline->run->model, record->tid, poller_fd))
		return 0;
	return tracks_need(&timeline->tracks, TRACK_LOOP, pid_of(timeline, record->tid), record->tid, poller_fd, track);
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
	if (is_time(event->busy_since_ns)) {
		if (track->item == LOOP_TRACK_WAIT && track->since_ns)
			err = tell_wait(timeline, track, track->since_ns, event->busy_since_ns, 0);
		since = event->busy_since_ns;
	}
	if (!err)
		err = end_busy(timeline, track, since, record->ts);
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
	if (is_time(event->entered_ns)) {
		if (track->item == LOOP_TRACK_BUSY && track->since_ns)
			err = end_busy(timeline, track, track->since_ns, event->entered_ns);
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
	int err = end_callback(timeline, record->tid, record->ts);
	if (!err)
		err = end_phase(timeline, record->tid, record->ts);
	if (!err)
		err = tracks_need(&timeline->tracks, TRACK_PHASES, pid_of(timeline, record->tid), record->tid, -1,
				  &track);
	if (err || !track)
		return err;
	track->since_ns = record->ts;
	track->item = (int32_t)((const struct ps_ev_phase *)record)->phase;
	return 0;
}

/* ---- descriptors: from ready to served ---- */

static void label_fd(const struct timeline *timeline, struct track *track, const struct loop *loop)
{
	const struct model *model = timeline->run->model;
	for (size_t i = 0; !loop && i < model->loop_count; i++)
		loop = model->loops[i]->tid == track->tid ? model->loops[i] : NULL;
	for (size_t i = 0; loop && i < loop->fd_count; i++) {
		if (loop->fds[i].fd != track->fd)
			continue;
		track->label = loop->fds[i].name;
		track->fd_kind = loop->fds[i].kind;
	}
}

/* The descriptor's track; a new one is told with its label. */
static int fd_track(struct timeline *timeline, uint32_t tid, int32_t fd, const struct loop *loop, struct track **out)
{
	*out = tracks_find(&timeline->tracks, TRACK_FD, tid, fd);
	if (*out)
		return 0;
	int err = tracks_need(&timeline->tracks, TRACK_FD, pid_of(timeline, tid), tid, fd, out);
	if (err || !*out)
		return err;
	label_fd(timeline, *out, loop);
	return (*out)->label ? timeline->sink->track(timeline->run, *out) : 0;
}

/* It was ready from then on and gets its turn now: an arrow leads from the wait to where it is served. */
static int serve_fd(struct timeline *timeline, struct track *fd, uint64_t since, uint64_t ts, struct track *to)
{
	uint64_t flow = ++timeline->flows;
	const struct note notes[] = { NOTE_FLOW_FROM(flow) };
	fd->since_ns = 0;
	if (to)
		lead_into(to, flow);
	return tell_slice(timeline, fd, since, ts, "ready", notes, to ? 1 : 0);
}

static int on_fd_ready(struct timeline *timeline, const struct ps_record *record)
{
	const struct ps_ev_fd_ready *event = (const struct ps_ev_fd_ready *)record;
	const struct loop *loop = model_loop(timeline->run->model, record->tid, event->poller_fd);
	struct track *fd;
	if (!loop || !(loop->flags & PS_LOOP_CALLBACKS)) /* its turn is told by FD_TURN, or not at all */
		return 0;
	int err = fd_track(timeline, record->tid, event->fd, loop, &fd);
	if (!err && fd)
		fd->since_ns = is_time(event->ready_ns) && event->ready_ns < record->ts ? event->ready_ns : record->ts;
	return err;
}

static int on_fd_turn(struct timeline *timeline, const struct ps_record *record)
{
	const struct ps_ev_fd_turn *event = (const struct ps_ev_fd_turn *)record;
	const struct loop *loop = model_loop(timeline->run->model, record->tid, event->poller_fd);
	uint64_t since = is_time(event->ready_ns) ? event->ready_ns : event->returned_ns;
	struct track *fd, *to = loop ? tracks_find(&timeline->tracks, TRACK_LOOP, record->tid, event->poller_fd) : NULL;
	if (!loop || !is_time(since) || since > record->ts)
		return 0;
	int err = fd_track(timeline, record->tid, event->fd, loop, &fd);
	return err || !fd ? err : serve_fd(timeline, fd, since, record->ts, to);
}

/* A descriptor got its name, or another one has its number: from here on it is another track. */
static int relabel_fd(struct timeline *timeline, const struct ps_record *record, int32_t fd)
{
	struct track *track = tracks_find(&timeline->tracks, TRACK_FD, record->tid, fd);
	if (!track)
		return 0;
	const char *label = track->label;
	uint32_t kind = track->fd_kind;
	label_fd(timeline, track, NULL);
	if (label == track->label && kind == track->fd_kind)
		return 0;
	if (timeline->tracks.numbers < TIMELINE_TRACKS)
		track->number = ++timeline->tracks.numbers; /* readers take a track's first name for good */
	return timeline->sink->track(timeline->run, track);
}

static int on_fd_interest(struct timeline *timeline, const struct ps_record *record)
{
	const struct ps_ev_fd_interest *event = (const struct ps_ev_fd_interest *)record;
	return event->name ? relabel_fd(timeline, record, event->fd) : 0;
}

static int on_fd_life(struct timeline *timeline, const struct ps_record *record)
{
	const struct ps_ev_fd_life *event = (const struct ps_ev_fd_life *)record;
	return event->name ? relabel_fd(timeline, record, event->fd) : 0;
}

static int on_callback_begin(struct timeline *timeline, const struct ps_record *record)
{
	const struct ps_ev_callback_begin *event = (const struct ps_ev_callback_begin *)record;
	struct track *track = NULL;
	int err = end_callback(timeline, record->tid, record->ts);
	if (!err)
		err = tracks_need(&timeline->tracks, TRACK_CALLBACKS, pid_of(timeline, record->tid), record->tid, -1,
				  &track);
	if (err || !track)
		return err;
	track->since_ns = record->ts;
	track->value = event->fn;
	track->extra = (uint64_t)event->kind << 32 | event->handle;
	track->item = event->fd;
	struct track *fd = event->fd >= 0 ? tracks_find(&timeline->tracks, TRACK_FD, record->tid, event->fd) : NULL;
	return fd && fd->since_ns ? serve_fd(timeline, fd, fd->since_ns, record->ts, track) : 0;
}

static int on_callback_end(struct timeline *timeline, const struct ps_record *record)
{
	return end_callback(timeline, record->tid, record->ts);
}

/* ---- the scheduler, garbage collection ---- */

static const char *off_name(unsigned state)
{
	static const char *const names[] = {
		[PS_OFF_RUNNABLE] = "runnable", [PS_OFF_SLEEPING] = "sleeping", [PS_OFF_DISK] = "waiting for a disk",
		[PS_OFF_STOPPED] = "stopped",	[PS_OFF_FAULT] = "page fault",	[PS_OFF_LOCK] = "waiting for a lock",
	};
	return state < sizeof(names) / sizeof(names[0]) ? names[state] : "off CPU";
}

/* Asleep until it was woken, then runnable until it ran: two slices. */
static int on_offcpu(struct timeline *timeline, const struct ps_record *record)
{
	const struct ps_ev_offcpu *event = (const struct ps_ev_offcpu *)record;
	const char *call = event->syscall < 0 ? NULL : syscall_name(event->syscall);
	const struct note notes[] = { { "syscall", call ? call : "?", 0 },
				      { "arg0", NULL, event->args[0] },
				      { "arg1", NULL, event->args[1] },
				      { "arg2", NULL, event->args[2] } };
	const struct note cpu[] = { { "cpu before", NULL, event->cpu } };
	struct track *track = NULL;
	int err =
		tracks_need(&timeline->tracks, TRACK_SCHEDULER, pid_of(timeline, record->tid), record->tid, -1, &track);
	if (err || !track || !is_time(event->off_ns))
		return err;
	uint64_t woken = event->state == PS_OFF_RUNNABLE ? event->off_ns : event->wake_ns;
	if (!is_time(woken) || woken < event->off_ns || woken > record->ts)
		woken = record->ts; /* not known: all of it counts as the sleep */
	if (event->state != PS_OFF_RUNNABLE)
		err = tell_slice(timeline, track, event->off_ns, woken, off_name(event->state), notes,
				 event->syscall < 0 ? 0 : 4);
	if (!err && woken < record->ts)
		err = tell_slice(timeline, track, woken, record->ts, "runnable", cpu, 1);
	return err;
}

static int on_gc(struct timeline *timeline, const struct ps_record *record)
{
	const struct ps_ev_gc *event = (const struct ps_ev_gc *)record;
	static const char *const names[] = { "gc", "minor gc", "major gc" };
	struct track *track = NULL;
	int err = tracks_need(&timeline->tracks, TRACK_GC, pid_of(timeline, record->tid), record->tid, -1, &track);
	if (err || !track || !event->since_ns)
		return err;
	return tell_slice(timeline, track, event->since_ns, record->ts, names[event->kind < 3 ? event->kind : 0], NULL,
			  0);
}

/* ---- the pool ---- */

static int tell_pool(struct timeline *timeline, uint32_t pid, uint64_t ts)
{
	const struct model *model = timeline->run->model;
	for (size_t i = 0; i < model->pool_count; i++) {
		const struct pool *pool = model->pools[i];
		if (pool->pid != pid)
			continue;
		int err = tell_counter(timeline, TRACK_POOL_QUEUED, pid, 0, ts, pool->queued);
		return err ? err : tell_counter(timeline, TRACK_POOL_BUSY, pid, 0, ts, pool->busy);
	}
	return 0;
}

static int on_work(struct timeline *timeline, const struct ps_record *record)
{
	return tell_pool(timeline, ((const struct ps_ev_work *)record)->pid, record->ts);
}

static int on_pool_gauges(struct timeline *timeline, const struct ps_record *record)
{
	return tell_pool(timeline, ((const struct ps_ev_pool_gauges *)record)->pid, record->ts);
}

static int on_work_started(struct timeline *timeline, const struct ps_record *record)
{
	const struct ps_ev_work *event = (const struct ps_ev_work *)record;
	struct track *track = NULL;
	int err = tracks_need(&timeline->tracks, TRACK_JOBS, event->pid, record->tid, -1, &track);
	if (!err && track) {
		track->since_ns = record->ts;
		track->value = event->work;
		track->item = event->kind;
	}
	return err ? err : on_work(timeline, record);
}

static int on_work_finished(struct timeline *timeline, const struct ps_record *record)
{
	const struct ps_ev_work *event = (const struct ps_ev_work *)record;
	struct track *track = NULL;
	int err = tracks_need(&timeline->tracks, TRACK_JOBS, event->pid, record->tid, -1, &track);
	uint64_t since = !track						  ? 0
			 : track->since_ns && track->value == event->work ? track->since_ns
									  : event->since_ns;
	const struct note notes[] = { { "work", NULL, event->work }, { "function", NULL, event->fn } };
	if (!err && track && since && since != PS_UNKNOWN)
		err = tell_slice(timeline, track, since, record->ts, work_kind_name(event->kind), notes, 2);
	if (track)
		track->since_ns = 0;
	return err ? err : on_work(timeline, record);
}

struct gauge {
	enum track_kind kind;
	uint64_t value;
};

static int tell_gauges(struct timeline *timeline, const struct ps_record *record, const struct gauge *gauges,
		       size_t count)
{
	int err = 0;
	for (size_t i = 0; i < count && !err; i++)
		err = tell_counter(timeline, gauges[i].kind, pid_of(timeline, record->tid), record->tid, record->ts,
				   gauges[i].value);
	return err;
}

static int on_loop_gauges(struct timeline *timeline, const struct ps_record *record)
{
	const struct ps_ev_loop_gauges *event = (const struct ps_ev_loop_gauges *)record;
	const struct gauge gauges[] = {
		{ TRACK_TIMERS, event->timers },	 { TRACK_OVERDUE, event->overdue },
		{ TRACK_HANDLES, event->handles },	 { TRACK_TICKS, event->ticks },
		{ TRACK_IMMEDIATES, event->immediates }, { TRACK_BUFFERED, event->buffered_bytes },
	};
	return tell_gauges(timeline, record, gauges, sizeof(gauges) / sizeof(gauges[0]));
}

static uint64_t known32(uint32_t value)
{
	return value == UINT32_MAX ? PS_UNKNOWN : value;
}

static int on_loop_snapshot(struct timeline *timeline, const struct ps_record *record)
{
	const struct ps_ev_loop_snapshot *event = (const struct ps_ev_loop_snapshot *)record;
	const struct gauge gauges[] = {
		{ TRACK_TIMERS, known32(event->timers) },
		{ TRACK_HEAP_DEPTH, known32(event->timer_depth) },
		{ TRACK_HANDLES, known32(event->handles) },
	};
	return tell_gauges(timeline, record, gauges, sizeof(gauges) / sizeof(gauges[0]));
}

static int on_poller(struct timeline *timeline, const struct ps_record *record)
{
	const struct gauge ready = { TRACK_READY_LIST, ((const struct ps_ev_poller *)record)->ready };
	return tell_gauges(timeline, record, &ready, 1);
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
			return end_busy(timeline, track, track->since_ns, now);
		return tell_slice(timeline, track, track->since_ns, now, "poll wait", NULL, 0);
	case TRACK_PHASES:
		return end_phase(timeline, track->tid, now);
	case TRACK_CALLBACKS:
		return end_callback(timeline, track->tid, now);
	case TRACK_JOBS:
		return tell_slice(timeline, track, track->since_ns, now, work_kind_name((unsigned)track->item), NULL,
				  0);
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

static int (*const handlers[PS_EVENT_MAX])(struct timeline *timeline, const struct ps_record *record) = {
	[PS_EV_CLOCK] = on_clock,
	[PS_EV_LOST] = on_lost,
	[PS_EV_PROCESS] = on_process,
	[PS_EV_PROCESS_EXIT] = on_process_exit,
	[PS_EV_THREAD] = on_thread,
	[PS_EV_THREAD_EXIT] = on_thread_exit,
	[PS_EV_LOOP] = on_loop,
	[PS_EV_POLL_ENTER] = on_poll_enter,
	[PS_EV_POLL_RETURN] = on_poll_return,
	[PS_EV_PHASE] = on_phase,
	[PS_EV_CALLBACK_BEGIN] = on_callback_begin,
	[PS_EV_CALLBACK_END] = on_callback_end,
	[PS_EV_FD_READY] = on_fd_ready,
	[PS_EV_FD_TURN] = on_fd_turn,
	[PS_EV_FD_INTEREST] = on_fd_interest,
	[PS_EV_FD_LIFE] = on_fd_life,
	[PS_EV_LOOP_GAUGES] = on_loop_gauges,
	[PS_EV_LOOP_SNAPSHOT] = on_loop_snapshot,
	[PS_EV_POLLER] = on_poller,
	[PS_EV_WORK_SUBMITTED] = on_work,
	[PS_EV_WORK_STARTED] = on_work_started,
	[PS_EV_WORK_FINISHED] = on_work_finished,
	[PS_EV_WORK_CANCELLED] = on_work,
	[PS_EV_POOL_GAUGES] = on_pool_gauges,
	[PS_EV_OFFCPU] = on_offcpu,
	[PS_EV_GC] = on_gc,
};

int timeline_record(struct timeline *timeline, const struct ps_record *record)
{
	return record->event < PS_EVENT_MAX && handlers[record->event] ? handlers[record->event](timeline, record) : 0;
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
			err = tell_stall(timeline, model->loops[i]->open_stall);
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

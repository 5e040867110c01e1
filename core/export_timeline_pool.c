/* SPDX-License-Identifier: BSD-2-Clause */
/* The tracks of the pool: its jobs, and counters of it and of the loops. */
#include "export_timeline_parts.h"

#include "schema.h"

static int tell_pool(struct timeline *timeline, uint32_t pid, uint64_t ts)
{
	const struct model *model = timeline->run->model;
	for (size_t i = 0; i < model->pool_count; i++) {
		const struct pool *pool = model->pools[i];
		if (pool->pid != pid)
			continue;
		int err = timeline_counter(timeline, TRACK_POOL_QUEUED, pid, 0, ts, pool->queued);
		return err ? err : timeline_counter(timeline, TRACK_POOL_BUSY, pid, 0, ts, pool->busy);
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
		err = timeline_slice(timeline, track, since, record->ts, work_kind_name(event->kind), notes, 2);
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
		err = timeline_counter(timeline, gauges[i].kind, timeline_pid(timeline, record->tid), record->tid,
				       record->ts, gauges[i].value);
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

const timeline_handler timeline_pool_handlers[PS_EVENT_MAX] = {
	[PS_EV_LOOP_GAUGES] = on_loop_gauges,
	[PS_EV_LOOP_SNAPSHOT] = on_loop_snapshot,
	[PS_EV_POLLER] = on_poller,
	[PS_EV_WORK_SUBMITTED] = on_work,
	[PS_EV_WORK_STARTED] = on_work_started,
	[PS_EV_WORK_FINISHED] = on_work_finished,
	[PS_EV_WORK_CANCELLED] = on_work,
	[PS_EV_POOL_GAUGES] = on_pool_gauges,
};

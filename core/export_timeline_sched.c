/* SPDX-License-Identifier: BSD-2-Clause */
/* The tracks of the scheduler and of garbage collection. */
#include "export_timeline_parts.h"

#include "schema.h"

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
	int err = tracks_need(&timeline->tracks, TRACK_SCHEDULER, timeline_pid(timeline, record->tid), record->tid, -1,
			      &track);
	if (err || !track || !timeline_is_time(event->off_ns))
		return err;
	uint64_t woken = event->state == PS_OFF_RUNNABLE ? event->off_ns : event->wake_ns;
	if (!timeline_is_time(woken) || woken < event->off_ns || woken > record->ts)
		woken = record->ts; /* not known: all of it counts as the sleep */
	if (event->state != PS_OFF_RUNNABLE)
		err = timeline_slice(timeline, track, event->off_ns, woken, off_name(event->state), notes,
				     event->syscall < 0 ? 0 : 4);
	if (!err && woken < record->ts)
		err = timeline_slice(timeline, track, woken, record->ts, "runnable", cpu, 1);
	return err;
}

static int on_gc(struct timeline *timeline, const struct ps_record *record)
{
	const struct ps_ev_gc *event = (const struct ps_ev_gc *)record;
	static const char *const names[] = { "gc", "minor gc", "major gc" };
	struct track *track = NULL;
	int err =
		tracks_need(&timeline->tracks, TRACK_GC, timeline_pid(timeline, record->tid), record->tid, -1, &track);
	if (err || !track || !event->since_ns)
		return err;
	return timeline_slice(timeline, track, event->since_ns, record->ts, names[event->kind < 3 ? event->kind : 0],
			      NULL, 0);
}

const timeline_handler timeline_sched_handlers[PS_EVENT_MAX] = {
	[PS_EV_OFFCPU] = on_offcpu,
	[PS_EV_GC] = on_gc,
};

/* SPDX-License-Identifier: BSD-2-Clause */
/* The tracks of descriptors: from ready to served, with an arrow to where it is served. */
#include "export_timeline_parts.h"

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
	int err = tracks_need(&timeline->tracks, TRACK_FD, timeline_pid(timeline, tid), tid, fd, out);
	if (err || !*out)
		return err;
	label_fd(timeline, *out, loop);
	return (*out)->label ? timeline->sink->track(timeline->run, *out) : 0;
}

/* It was ready from then on and gets its turn now: an arrow leads from the wait to where it is served. */
int timeline_serve_fd(struct timeline *timeline, struct track *fd, uint64_t since, uint64_t ts, struct track *to)
{
	uint64_t flow = ++timeline->flows;
	const struct note notes[] = { NOTE_FLOW_FROM(flow) };
	fd->since_ns = 0;
	if (to)
		timeline_lead_into(to, flow);
	return timeline_slice(timeline, fd, since, ts, "ready", notes, to ? 1 : 0);
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
		fd->since_ns = timeline_is_time(event->ready_ns) && event->ready_ns < record->ts ? event->ready_ns
												 : record->ts;
	return err;
}

static int on_fd_turn(struct timeline *timeline, const struct ps_record *record)
{
	const struct ps_ev_fd_turn *event = (const struct ps_ev_fd_turn *)record;
	const struct loop *loop = model_loop(timeline->run->model, record->tid, event->poller_fd);
	uint64_t since = timeline_is_time(event->ready_ns) ? event->ready_ns : event->returned_ns;
	struct track *fd, *to = loop ? tracks_find(&timeline->tracks, TRACK_LOOP, record->tid, event->poller_fd) : NULL;
	if (!loop || !timeline_is_time(since) || since > record->ts)
		return 0;
	int err = fd_track(timeline, record->tid, event->fd, loop, &fd);
	return err || !fd ? err : timeline_serve_fd(timeline, fd, since, record->ts, to);
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

const timeline_handler timeline_fd_handlers[PS_EVENT_MAX] = {
	[PS_EV_FD_READY] = on_fd_ready,
	[PS_EV_FD_TURN] = on_fd_turn,
	[PS_EV_FD_INTEREST] = on_fd_interest,
	[PS_EV_FD_LIFE] = on_fd_life,
};

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Chrome's trace event JSON: one whole document, opens in Perfetto, the Firefox
 * profiler, speedscope and chrome://tracing.
 *
 * Events of one (pid, tid) must nest. Loop, phases and callbacks of a thread
 * nest by what they are and share its lane; other tracks have lanes of their
 * own, with thread numbers above LANES.
 */
#include <errno.h>
#include <stdlib.h>

#include "export_text.h"
#include "export_timeline.h"

#define LANES 0x40000000u

struct chrome {
	struct timeline *timeline;
	int events; /* some were written */
};

static void put_us(FILE *out, const char *name, uint64_t ns)
{
	fprintf(out, ",\"%s\":%llu.%03u", name, (unsigned long long)(ns / 1000), (unsigned)(ns % 1000));
}

/* Readers of JSON hold integers of 63 bits; what is more is foreign nonsense. */
static void put_number(FILE *out, const char *name, uint64_t value)
{
	fprintf(out, ",\"%s\":%lld", name, (long long)(value < INT64_MAX ? value : INT64_MAX));
}

static FILE *start_event(struct export_run *run)
{
	struct chrome *state = run->state;
	fputs(state->events ? ",\n" : "\n", run->out);
	state->events = 1;
	return run->out;
}

/* The first loop of a thread is drawn in its lane; another poller of the same thread beside it. */
static uint32_t lane_of(const struct export_run *run, const struct track *track)
{
	const struct model *model = run->model;
	switch (track->kind) {
	case TRACK_PROCESS:
	case TRACK_THREAD:
	case TRACK_PHASES:
	case TRACK_CALLBACKS:
	case TRACK_JOBS:
		return track->tid ? track->tid : track->pid;
	case TRACK_LOOP:
		for (size_t i = 0; i < model->loop_count; i++)
			if (model->loops[i]->tid == track->tid)
				return model->loops[i]->poller_fd == track->fd ? track->tid
									       : LANES + (uint32_t)track->number;
		return track->tid;
	default:
		return LANES + (uint32_t)track->number;
	}
}

static void put_place(const struct export_run *run, const struct track *track)
{
	fprintf(run->out, "\"pid\":%u,\"tid\":%u", track->pid, lane_of(run, track));
}

static int write_meta(struct export_run *run, const struct track *track, const char *what, const char *name)
{
	FILE *out = start_event(run);
	fprintf(out, "{\"name\":\"%s\",\"ph\":\"M\",", what);
	put_place(run, track);
	fputs(",\"args\":{\"name\":", out);
	json_put_text(out, name);
	fputs("}}", out);
	return 0;
}

static int write_track(struct export_run *run, const struct track *track)
{
	char name[TIMELINE_NAME];
	timeline_track_name(run, track, name);
	if (track_is_counter(track))
		return 0;
	if (track->kind == TRACK_PROCESS)
		return write_meta(run, track, "process_name", name);
	if (track->kind == TRACK_THREAD || lane_of(run, track) >= LANES)
		return write_meta(run, track, "thread_name", name);
	return 0;
}

/* An end of an arrow, within the slice that begins then. */
static void write_flow(struct export_run *run, const struct track *track, uint64_t ts, const struct note *note)
{
	FILE *out = start_event(run);
	fprintf(out, "{\"name\":\"ready\",\"cat\":\"flow\",\"ph\":\"%s\",\"id\":%llu,",
		note->text ? "f\",\"bp\":\"e" : "s", (unsigned long long)note->number);
	put_place(run, track);
	put_us(out, "ts", ts);
	fputs("}", out);
}

static int write_slice(struct export_run *run, const struct track *track, uint64_t from, uint64_t to, const char *name,
		       const struct note *notes, size_t count)
{
	FILE *out = start_event(run);
	fputs("{\"name\":", out);
	json_put_text(out, name);
	fputs(",\"ph\":\"X\",", out);
	put_place(run, track);
	put_us(out, "ts", from);
	put_us(out, "dur", to - from);
	int shown = 0;
	for (size_t i = 0; i < count; i++) {
		if (!notes[i].name)
			continue;
		fprintf(out, "%s\"%s\":", shown++ ? "," : ",\"args\":{", notes[i].name);
		if (notes[i].text)
			json_put_text(out, notes[i].text);
		else
			fprintf(out, "%lld", (long long)notes[i].number);
	}
	fputs(shown ? "}}" : "}", out);
	for (size_t i = 0; i < count; i++)
		if (!notes[i].name)
			write_flow(run, track, from, &notes[i]);
	return 0;
}

static int write_instant(struct export_run *run, uint64_t ts, const char *name)
{
	FILE *out = start_event(run);
	fputs("{\"name\":", out);
	json_put_text(out, name);
	fputs(",\"ph\":\"i\",\"s\":\"g\",\"pid\":0,\"tid\":0", out);
	put_us(out, "ts", ts);
	fputs("}", out);
	return 0;
}

static int write_counter(struct export_run *run, const struct track *track, uint64_t ts, uint64_t value)
{
	char name[TIMELINE_NAME];
	FILE *out = start_event(run);
	fputs("{\"name\":", out);
	json_put_text(out, timeline_track_name(run, track, name));
	fprintf(out, ",\"ph\":\"C\",\"pid\":%u,\"tid\":%u", track->pid, track->tid);
	put_us(out, "ts", ts);
	fprintf(out, ",\"args\":{\"value\":%lld}}", (long long)(value < INT64_MAX ? value : INT64_MAX));
	return 0;
}

static int write_clocks(struct export_run *run, uint64_t monotonic_ns, uint64_t boottime_ns, uint64_t realtime_ns)
{
	return 0; /* the format has one clock; the head's triple is in otherData */
}

static const struct timeline_sink sink = {
	.track = write_track,
	.slice = write_slice,
	.instant = write_instant,
	.counter = write_counter,
	.clocks = write_clocks,
};

static int begin(struct export_run *run)
{
	struct chrome *state = calloc(1, sizeof(*state));
	if (!state)
		return -ENOMEM;
	run->state = state;
	fputs("{\"traceEvents\":[", run->out);
	return timeline_open(&state->timeline, run, &sink);
}

static int record(struct export_run *run, const struct ps_record *record)
{
	return timeline_record(((struct chrome *)run->state)->timeline, record);
}

static int end(struct export_run *run)
{
	struct chrome *state = run->state;
	if (!state)
		return 0;
	int err = state->timeline ? timeline_end(state->timeline) : 0;
	fputs("\n],\"displayTimeUnit\":\"ns\",\"otherData\":{\"tool\":", run->out);
	json_put_text(run->out, run->info->tool);
	fputs(",\"machine\":", run->out);
	json_put_text(run->out, run->info->machine);
	put_number(run->out, "monotonic_ns", run->info->monotonic_ns);
	put_number(run->out, "boottime_ns", run->info->boottime_ns);
	put_number(run->out, "realtime_ns", run->info->realtime_ns);
	put_number(run->out, "lost", run->model->lost_total);
	fputs("}}\n", run->out);
	timeline_close(state->timeline);
	free(state);
	run->state = NULL;
	return err;
}

const struct exporter export_chrome = {
	.name = "chrome",
	.suffix = ".json",
	.note = "Chrome trace events, opens in Perfetto, Firefox profiler, speedscope",
	.begin = begin,
	.record = record,
	.end = end,
};

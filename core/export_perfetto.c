/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Perfetto's protobuf trace: a row of TracePackets, opens in ui.perfetto.dev.
 *
 * All packets are of one sequence. Names are interned; the interned state, the
 * default clock and all track descriptors are told anew every RESET_PACKETS,
 * so that the tail of a cut file is readable too. Perfetto says nothing when a
 * file is cut; the last event here is therefore "recording end, N lost".
 *
 * Field numbers are those of the public schema; tests/data/trace.proto names
 * the ones that are used.
 */
#include <errno.h>
#include <stdlib.h>

#include "export_pb.h"
#include "export_timeline.h"
#include "table.h"

#define RESET_PACKETS 65536
#define NAMES_MAX 8192
#define SEQUENCE 1

enum { TRACE_PACKET = 1 };
enum packet_field {
	PACKET_CLOCKS = 6,
	PACKET_TIMESTAMP = 8,
	PACKET_SEQUENCE = 10,
	PACKET_EVENT = 11,
	PACKET_INTERNED = 12,
	PACKET_FLAGS = 13,
	PACKET_DROPPED_BEFORE = 42,
	PACKET_CLOCK_ID = 58,
	PACKET_DEFAULTS = 59,
	PACKET_TRACK = 60,
};
enum { FLAG_STATE_CLEARED = 1, FLAG_STATE_NEEDED = 2 };
enum track_field {
	TRACK_UUID = 1,
	TRACK_NAME = 2,
	TRACK_PROCESS_OF = 3,
	TRACK_THREAD_OF = 4,
	TRACK_PARENT = 5,
	TRACK_COUNTER = 8
};
enum event_field {
	EVENT_NOTE = 4,
	EVENT_TYPE = 9,
	EVENT_NAME_IID = 10,
	EVENT_TRACK = 11,
	EVENT_VALUE = 30,
	EVENT_FLOWS = 47,
	EVENT_LAST_FLOWS = 48
};
enum event_type { TYPE_BEGIN = 1, TYPE_END = 2, TYPE_INSTANT = 3, TYPE_COUNTER = 4 };
enum note_field { NOTE_NAME_IID = 1, NOTE_INT = 4, NOTE_TEXT = 6 };
enum interned_field { INTERNED_EVENT_NAMES = 2, INTERNED_NOTE_NAMES = 3 };
enum clock_id { CLOCK_ID_REALTIME = 1, CLOCK_ID_MONOTONIC = 3, CLOCK_ID_BOOTTIME = 6 };

struct perfetto {
	struct timeline *timeline;
	uint64_t base; /* of track numbers: differs between recordings, so that traces can be merged */
	uint64_t packets; /* since the state was cleared */
	struct table names, note_names; /* hash of the text -> iid */
	uint64_t iids;
	struct pb pb;
};

/* ---- packets ---- */

static struct pb *start_packet(struct perfetto *state)
{
	state->pb.used = 0;
	state->pb.bad = 0;
	pb_number(&state->pb, PACKET_SEQUENCE, SEQUENCE);
	return &state->pb;
}

static int end_packet(struct export_run *run)
{
	struct perfetto *state = run->state;
	struct pb *pb = &state->pb;
	unsigned char head[8] = { TRACE_PACKET << 3 | PB_BYTES };
	size_t length = pb->used, bytes = 1;
	if (pb->bad)
		return -E2BIG;
	for (; length >= 0x80; length >>= 7)
		head[bytes++] = (unsigned char)(length | 0x80);
	head[bytes++] = (unsigned char)length;
	state->packets++;
	if (fwrite(head, 1, bytes, run->out) != bytes || fwrite(pb->bytes, 1, pb->used, run->out) != pb->used)
		return errno ? -errno : -EIO;
	return 0;
}

static uint64_t uuid_of(const struct perfetto *state, const struct track *track)
{
	return state->base + track->number;
}

static int write_track(struct export_run *run, const struct track *track)
{
	struct perfetto *state = run->state;
	struct pb *pb = start_packet(state);
	const struct process *process = model_process(run->model, track->pid);
	char name[TIMELINE_NAME];
	size_t descriptor = pb_open(pb, PACKET_TRACK), part;
	timeline_track_name(run, track, name);
	pb_number(pb, TRACK_UUID, uuid_of(state, track));
	if (track->parent)
		pb_number(pb, TRACK_PARENT, uuid_of(state, track->parent));
	if (track->kind == TRACK_PROCESS) {
		part = pb_open(pb, TRACK_PROCESS_OF);
		pb_number(pb, 1, track->pid);
		if (process && process->cmdline[0] && strlen(process->cmdline) < PB_ROOM / 2)
			pb_text(pb, 2, process->cmdline);
		pb_text(pb, 6, name);
		pb_close(pb, part);
	} else if (track->kind == TRACK_THREAD) {
		part = pb_open(pb, TRACK_THREAD_OF);
		pb_number(pb, 1, track->pid);
		pb_number(pb, 2, track->tid);
		pb_text(pb, 5, name);
		pb_close(pb, part);
	} else {
		pb_text(pb, TRACK_NAME, name);
	}
	if (track_is_counter(track)) {
		part = pb_open(pb, TRACK_COUNTER);
		pb_number(pb, 3, track_counts_bytes(track) ? 3 : 2); /* unit: bytes or a count */
		pb_close(pb, part);
	}
	pb_close(pb, descriptor);
	return end_packet(run);
}

/* Forgets all interned names and says what holds for the packets that follow. */
static int clear_state(struct export_run *run)
{
	struct perfetto *state = run->state;
	struct pb *pb = start_packet(state);
	pb_number(pb, PACKET_FLAGS, FLAG_STATE_CLEARED);
	pb_number(pb, PACKET_DROPPED_BEFORE, 1);
	size_t defaults = pb_open(pb, PACKET_DEFAULTS);
	pb_number(pb, PACKET_CLOCK_ID, CLOCK_ID_MONOTONIC);
	pb_close(pb, defaults);
	table_free(&state->names);
	table_free(&state->note_names);
	state->names = state->note_names = (struct table){ 0 };
	state->iids = 0;
	int err = end_packet(run);
	if (!err && state->timeline)
		err = timeline_tracks_each(state->timeline, write_track);
	state->packets = 0;
	return err;
}

static uint64_t hash_text(const char *text)
{
	uint64_t hash = 0xcbf29ce484222325ull;
	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * 0x100000001b3ull;
	return hash;
}

/* The number of a name; a new one is told in the packet under way, inside `interned` (opened at need). */
static uint64_t intern(struct perfetto *state, unsigned field, const char *text, size_t *interned)
{
	struct table *table = field == INTERNED_EVENT_NAMES ? &state->names : &state->note_names;
	uint64_t hash = hash_text(text), iid = table_get(table, hash);
	if (iid)
		return iid;
	iid = ++state->iids;
	if (table_put(table, hash, iid))
		state->pb.bad = 1;
	if (!*interned)
		*interned = pb_open(&state->pb, PACKET_INTERNED);
	size_t entry = pb_open(&state->pb, field);
	pb_number(&state->pb, 1, iid);
	pb_text(&state->pb, 2, text);
	pb_close(&state->pb, entry);
	return iid;
}

static struct pb *start_event(struct perfetto *state, uint64_t ts)
{
	struct pb *pb = start_packet(state);
	pb_number(pb, PACKET_TIMESTAMP, ts);
	pb_number(pb, PACKET_FLAGS, FLAG_STATE_NEEDED);
	return pb;
}

/* An event with a name and notes. track 0: none, global. */
static int write_named(struct export_run *run, uint64_t track, enum event_type type, uint64_t ts, const char *name,
		       const struct note *notes, size_t count)
{
	struct perfetto *state = run->state;
	uint64_t iids[16], name_iid;
	size_t interned = 0;
	int err = state->packets >= RESET_PACKETS || state->names.count >= NAMES_MAX ? clear_state(run) : 0;
	if (err)
		return err;
	struct pb *pb = start_event(state, ts);
	count = count < 16 ? count : 16;
	name_iid = intern(state, INTERNED_EVENT_NAMES, name, &interned);
	for (size_t i = 0; i < count; i++)
		iids[i] = notes[i].name ? intern(state, INTERNED_NOTE_NAMES, notes[i].name, &interned) : 0;
	if (interned)
		pb_close(pb, interned);
	size_t event = pb_open(pb, PACKET_EVENT);
	pb_number(pb, EVENT_TYPE, type);
	pb_number(pb, EVENT_TRACK, track);
	pb_number(pb, EVENT_NAME_IID, name_iid);
	for (size_t i = 0; i < count; i++) {
		if (!notes[i].name) {
			pb_fixed(pb, notes[i].text ? EVENT_LAST_FLOWS : EVENT_FLOWS, state->base + notes[i].number);
			continue;
		}
		size_t note = pb_open(pb, EVENT_NOTE);
		pb_number(pb, NOTE_NAME_IID, iids[i]);
		if (notes[i].text)
			pb_text(pb, NOTE_TEXT, notes[i].text);
		else
			pb_number(pb, NOTE_INT, notes[i].number);
		pb_close(pb, note);
	}
	pb_close(pb, event);
	return end_packet(run);
}

static int write_plain(struct export_run *run, const struct track *track, enum event_type type, uint64_t ts,
		       uint64_t value)
{
	struct perfetto *state = run->state;
	struct pb *pb = start_event(state, ts);
	size_t event = pb_open(pb, PACKET_EVENT);
	pb_number(pb, EVENT_TYPE, type);
	pb_number(pb, EVENT_TRACK, uuid_of(state, track));
	if (type == TYPE_COUNTER)
		pb_number(pb, EVENT_VALUE, value);
	pb_close(pb, event);
	return end_packet(run);
}

/* ---- the sink ---- */

static int write_slice(struct export_run *run, const struct track *track, uint64_t from, uint64_t to, const char *name,
		       const struct note *notes, size_t count)
{
	const struct perfetto *state = run->state;
	int err = write_named(run, uuid_of(state, track), TYPE_BEGIN, from, name, notes, count);
	return err ? err : write_plain(run, track, TYPE_END, to, 0);
}

static int write_instant(struct export_run *run, uint64_t ts, const char *name)
{
	return write_named(run, 0, TYPE_INSTANT, ts, name, NULL, 0);
}

static int write_counter(struct export_run *run, const struct track *track, uint64_t ts, uint64_t value)
{
	return write_plain(run, track, TYPE_COUNTER, ts, value);
}

static int write_clocks(struct export_run *run, uint64_t monotonic_ns, uint64_t boottime_ns, uint64_t realtime_ns)
{
	const struct {
		uint64_t id, ns;
	} clocks[] = {
		{ CLOCK_ID_MONOTONIC, monotonic_ns },
		{ CLOCK_ID_BOOTTIME, boottime_ns },
		{ CLOCK_ID_REALTIME, realtime_ns },
	};
	struct pb *pb = start_packet(run->state);
	size_t snapshot = pb_open(pb, PACKET_CLOCKS);
	for (size_t i = 0; i < 3; i++) {
		size_t clock = pb_open(pb, 1);
		pb_number(pb, 1, clocks[i].id);
		pb_number(pb, 2, clocks[i].ns);
		pb_close(pb, clock);
	}
	pb_number(pb, 2, CLOCK_ID_MONOTONIC); /* the trace's own clock */
	pb_close(pb, snapshot);
	return end_packet(run);
}

static const struct timeline_sink sink = {
	.track = write_track,
	.slice = write_slice,
	.instant = write_instant,
	.counter = write_counter,
	.clocks = write_clocks,
};

/* ---- the exporter ---- */

static int begin(struct export_run *run)
{
	struct perfetto *state = calloc(1, sizeof(*state));
	if (!state)
		return -ENOMEM;
	run->state = state;
	state->base =
		(run->info->realtime_ns ^ run->info->monotonic_ns << 20) * 0x9E3779B97F4A7C15ull & ~(uint64_t)0xFFFFF;
	int err = clear_state(run);
	return err ? err : timeline_open(&state->timeline, run, &sink);
}

static int record(struct export_run *run, const struct ps_record *record)
{
	return timeline_record(((struct perfetto *)run->state)->timeline, record);
}

static int end(struct export_run *run)
{
	struct perfetto *state = run->state;
	if (!state)
		return 0;
	int err = state->timeline ? timeline_end(state->timeline) : 0;
	timeline_close(state->timeline);
	table_free(&state->names);
	table_free(&state->note_names);
	free(state);
	run->state = NULL;
	return err;
}

const struct exporter export_perfetto = {
	.name = "perfetto",
	.suffix = ".pftrace",
	.note = "Perfetto protobuf, opens in ui.perfetto.dev",
	.begin = begin,
	.record = record,
	.end = end,
};

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The stream of a session: records of one drain, and the definitions that they
 * refer to.
 *
 * Sources put copies of records in any order; flush sorts them by time and
 * gives them to the sink, definitions first. The sort is stable, so what one
 * thread said stays in the order in which it was said.
 *
 * Invariant: an id that was handed out is defined to the sink before, or in the
 * same flush as, the first record that names it. Records that a sink refuses
 * are gone, and counted: the next flush tells them as LOST.
 */
#include "source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "intern.h"

#define TEXT_MAX   4096u
#define FRAMES_MAX 512u

enum kind { TEXTS, FRAMES, STACKS, SYMBOLS, KINDS };

/* Bytes of what is remembered as told already. Few stacks come back, so telling those anew costs less than remembering all. */
static const size_t intern_max[KINDS] = {
	[TEXTS] = 16u << 20, [FRAMES] = 4u << 20, [STACKS] = 4u << 20, [SYMBOLS] = 16u << 20
};

struct bytes {
	char *data;
	size_t filled, room;
};

struct place {
	uint64_t ts;
	size_t offset;
};

struct stream {
	struct intern *known[KINDS];
	struct bytes definitions, records;
	struct place *places, *spare;  /* of the records; both have place_room entries */
	size_t place_count, place_room;
	uint64_t refused;
	uint32_t epoch;
	struct intern *before;         /* texts, while what is kept of them is told anew; NULL */
};

uint64_t stream_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

int stream_open(struct stream **stream)
{
	int err = 0;

	*stream = calloc(1, sizeof(**stream));
	if (!*stream)
		return -ENOMEM;
	for (int kind = 0; kind < KINDS && !err; kind++)
		err = intern_open(&(*stream)->known[kind], intern_max[kind]);
	if (err) {
		stream_close(*stream);
		*stream = NULL;
	}
	return err;
}

void stream_close(struct stream *stream)
{
	if (!stream)
		return;
	for (int kind = 0; kind < KINDS; kind++)
		intern_close(stream->known[kind]);
	intern_close(stream->before);
	free(stream->definitions.data);
	free(stream->records.data);
	free(stream->places);
	free(stream->spare);
	free(stream);
}

uint32_t stream_epoch(const struct stream *stream)
{
	return stream->epoch;
}

int stream_forget(struct stream *stream)
{
	struct intern *before[KINDS] = { NULL };
	int err = 0;

	if (stream->definitions.filled || stream->place_count)
		return -EAGAIN;
	for (int kind = 0; kind < KINDS && !err; kind++)
		err = intern_forget(stream->known[kind], &before[kind]);
	for (int kind = 0; kind < KINDS; kind++)
		if (kind != TEXTS)
			intern_close(before[kind]);
	intern_close(stream->before);
	stream->before = before[TEXTS];
	stream->epoch++;
	return err;
}

uint32_t stream_again(struct stream *stream, uint32_t string)
{
	size_t bytes;
	const char *text = stream->before ? intern_bytes(stream->before, string, &bytes) : NULL;

	return text ? stream_string(stream, text, bytes) : 0;
}

void stream_forgotten(struct stream *stream)
{
	intern_close(stream->before);
	stream->before = NULL;
}

/* Room for `count` more bytes, a multiple of 8, so that records stay aligned. */
static char *reserve(struct bytes *bytes, size_t count)
{
	size_t room = bytes->room ? bytes->room : 4096;

	while (room - bytes->filled < count)
		room *= 2;
	if (room != bytes->room) {
		char *data = realloc(bytes->data, room);

		if (!data)
			return NULL;
		bytes->data = data;
		bytes->room = room;
	}
	char *at = bytes->data + bytes->filled;
	bytes->filled += count;
	return at;
}

static int reserve_place(struct stream *stream)
{
	if (stream->place_count < stream->place_room)
		return 0;
	size_t room = stream->place_room ? stream->place_room * 2 : 256;
	struct place *places = realloc(stream->places, room * sizeof(*places));
	if (!places)
		return -ENOMEM;
	stream->places = places;
	struct place *spare = realloc(stream->spare, room * sizeof(*spare));
	if (!spare)
		return -ENOMEM;
	stream->spare = spare;
	stream->place_room = room;
	return 0;
}

int stream_put(struct stream *stream, const struct ps_record *record)
{
	if (record->size < sizeof(*record) || record->size % 8)
		return -EINVAL;
	int err = reserve_place(stream);
	if (err)
		return err;
	char *at = reserve(&stream->records, record->size);
	if (!at)
		return -ENOMEM;
	memcpy(at, record, record->size);
	stream->places[stream->place_count++] = (struct place){ record->ts, at - stream->records.data };
	return 0;
}

/* Adds `head` (a definition without its tail) and `tail` to the definitions. */
static int define(struct stream *stream, struct ps_record *head, size_t bytes, const void *tail, size_t tail_bytes)
{
	size_t padded = (tail_bytes + 7) & ~(size_t)7;
	char *at = reserve(&stream->definitions, bytes + padded);

	if (!at)
		return -ENOMEM;
	head->ts = stream_now();
	head->size = bytes + padded;
	memcpy(at, head, bytes);
	memset(at + bytes, 0, padded);
	if (tail_bytes)
		memcpy(at + bytes, tail, tail_bytes);
	return 0;
}

uint32_t stream_string(struct stream *stream, const char *text, size_t bytes)
{
	struct ps_ev_string string = { .h.event = PS_EV_STRING };
	int is_new;

	if (!text || !bytes)
		return 0;
	string.len = bytes < TEXT_MAX ? bytes : TEXT_MAX;
	string.id = intern_id(stream->known[TEXTS], text, string.len, &is_new);
	if (is_new && define(stream, &string.h, sizeof(string), text, string.len))
		return 0;
	return string.id;
}

uint32_t stream_frame(struct stream *stream, const struct ps_ev_frame *frame)
{
	struct ps_ev_frame copy = *frame;
	int is_new;

	copy.h = (struct ps_record){ .event = PS_EV_FRAME };
	copy.id = intern_id(stream->known[FRAMES], &copy.name, sizeof(copy) - offsetof(struct ps_ev_frame, name), &is_new);
	if (is_new && define(stream, &copy.h, sizeof(copy), NULL, 0))
		return 0;
	return copy.id;
}

uint32_t stream_stack(struct stream *stream, const uint32_t *frames, size_t count)
{
	struct ps_ev_stack stack = { .h.event = PS_EV_STACK };
	int is_new;

	if (!count)
		return 0;
	stack.count = count < FRAMES_MAX ? count : FRAMES_MAX;
	stack.id = intern_id(stream->known[STACKS], frames, stack.count * sizeof(*frames), &is_new);
	if (is_new && define(stream, &stack.h, sizeof(stack), frames, stack.count * sizeof(*frames)))
		return 0;
	return stack.id;
}

int stream_symbol(struct stream *stream, uint32_t pid, uint64_t address, uint32_t frame)
{
	struct ps_ev_symbol symbol = { .h.event = PS_EV_SYMBOL, .pid = pid, .frame = frame, .address = address };
	const uint64_t key[2] = { pid, address };
	int is_new;

	if (!intern_id(stream->known[SYMBOLS], key, sizeof(key), &is_new))
		return -ENOMEM;
	return is_new ? define(stream, &symbol.h, sizeof(symbol), NULL, 0) : 0;
}

int stream_probe(struct stream *stream, enum ps_probe_group group, enum ps_probe_state state, const char *reason,
		 uint64_t hits, uint64_t cost_ns)
{
	return stream_probe_governed(stream, group, state, reason, hits, cost_ns, PS_UNKNOWN);
}

int stream_probe_governed(struct stream *stream, enum ps_probe_group group, enum ps_probe_state state, const char *reason,
			  uint64_t hits, uint64_t cost_ns, uint64_t budget_ns)
{
	struct ps_ev_probe probe = {
		.h = { .ts = stream_now(), .event = PS_EV_PROBE, .size = sizeof(probe) },
		.group = group,
		.state = state,
		.reason = reason ? stream_string(stream, reason, strlen(reason)) : 0,
		.hits = hits,
		.cost_ns = cost_ns,
		.budget_ns = budget_ns,
	};

	return stream_put(stream, &probe.h);
}

int stream_lost(struct stream *stream, enum ps_lost_source source, uint64_t count)
{
	struct ps_ev_lost lost = {
		.h = { .ts = stream_now(), .event = PS_EV_LOST, .size = sizeof(lost) },
		.count = count,
		.source = source,
	};

	return count ? stream_put(stream, &lost.h) : 0;
}

int stream_loop(struct stream *stream, const struct attach_options *options, const struct loop_found *found)
{
	const struct ps_ev_loop loop = {
		.h = { stream_now(), found->tid, PS_EV_LOOP, sizeof(loop) },
		.pid = found->pid,
		.poller_fd = found->poller_fd,
		.backend = found->backend,
	};

	/* the recorder of an instrumented loop speaks for itself */
	if (found->has_ring && !(options->without >> PS_PROBE_RING & 1))
		return 0;
	return stream_put(stream, &loop.h);
}

/* Merges the runs [low, middle) and [middle, high) of `from` into `to`; equal times keep their order. */
static void merge_runs(struct place *to, const struct place *from, size_t low, size_t middle, size_t high)
{
	size_t left = low, right = middle;

	for (size_t i = low; i < high; i++) {
		int take_right = left == middle || (right < high && from[right].ts < from[left].ts);

		to[i] = from[take_right ? right++ : left++];
	}
}

static size_t run_end(const struct place *places, size_t from, size_t count)
{
	size_t i = from;

	for (i++; i < count && places[i - 1].ts <= places[i].ts; i++)
		;
	return i < count ? i : count;
}

/*
 * Natural merge sort: sources deliver long sorted runs, so this is one pass
 * over what is in order already, and a few more over what is not.
 */
static void sort_places(struct stream *stream)
{
	size_t count = stream->place_count, runs;

	if (count < 2)
		return;
	do {
		struct place *from = stream->places;

		runs = 0;
		for (size_t low = 0, high; low < count; low = high, runs++) {
			size_t middle = run_end(from, low, count);

			if (!low && middle == count)
				return;
			high = middle < count ? run_end(from, middle, count) : count;
			merge_runs(stream->spare, from, low, middle, high);
		}
		stream->places = stream->spare;
		stream->spare = from;
	} while (runs > 1);
}

static int hand_definitions(struct stream *stream, attach_sink_fn *sink, void *arg)
{
	struct bytes *bytes = &stream->definitions;
	size_t at = 0;
	int stop = 0;

	while (at < bytes->filled && !stop) {
		const struct ps_record *record = (const struct ps_record *)(bytes->data + at);

		stop = sink(record, arg);
		if (!stop)
			at += record->size;
	}
	/* what was not taken is needed by records to come */
	bytes->filled -= at;
	if (bytes->filled)
		memmove(bytes->data, bytes->data + at, bytes->filled);
	return stop;
}

/* What is lost with the records from `first` on: each is one event, a LOST is those that it tells of. */
static uint64_t count_events(const struct stream *stream, size_t first)
{
	uint64_t count = 0;

	for (size_t i = first; i < stream->place_count; i++) {
		const struct ps_record *record = (const struct ps_record *)(stream->records.data + stream->places[i].offset);

		count += record->event == PS_EV_LOST ? ((const struct ps_ev_lost *)record)->count : 1;
	}
	return count;
}

int stream_flush(struct stream *stream, attach_sink_fn *sink, void *arg)
{
	size_t handed = 0;

	if (stream->refused && !stream_lost(stream, PS_LOST_TOOL, stream->refused))
		stream->refused = 0;
	sort_places(stream);
	int stop = hand_definitions(stream, sink, arg);
	while (handed < stream->place_count && !stop) {
		stop = sink((const struct ps_record *)(stream->records.data + stream->places[handed].offset), arg);
		if (!stop)
			handed++;
	}
	stream->refused += count_events(stream, handed);
	stream->place_count = stream->records.filled = 0;
	return stop ? stop : (int)handed;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Records to bytes and back.
 *
 * Both sides keep the same memory: per thread (by a hash of its id, so two
 * threads may share one: worse guesses, never wrong data) the last value of
 * every field of every event and the last time of every event. A record is
 * told as what differs from it: a mask of the fields that were guessed wrong,
 * then their differences. The memory is forgotten at each chunk, so a chunk
 * stands alone.
 *
 * Decoding trusts nothing: every record ends within the chunk or is refused.
 */
#include "psr_codec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "psr_plan.h"
#include "schema.h"

#define THREADS 64
#define OTHER_TID 0x80 /* in the first byte: another thread than the record before */

/* codes of a time, or of a part of one, that is not what was guessed */
enum { TIME_ZERO = 1, TIME_UNKNOWN = 2, TIME_RAW = 3 };
/* code of a GUESS_MILLIS field whose difference takes all 64 bits */
enum { MILLIS_RAW = 1 };
#define MILLI 1000000

struct memory {               /* of one thread */
	uint64_t chunk;       /* valid when equal to the codec's */
	uint64_t times[PSR_EVENTS];
	uint64_t values[];    /* plan->field_count */
};

struct psr_codec {
	const struct psr_plan *plan;
	uint64_t chunk;
	uint64_t ts;          /* of the record before */
	uint32_t tid;
	size_t stride;
	char *memories;
};

static inline uint64_t zigzag(uint64_t difference)
{
	return difference << 1 ^ (0 - (difference >> 63));
}

static inline uint64_t unzigzag(uint64_t code)
{
	return code >> 1 ^ (0 - (code & 1));
}

static inline unsigned char *put_varint(unsigned char *out, uint64_t value)
{
	while (value >= 0x80) {
		*out++ = (unsigned char)(value | 0x80);
		value >>= 7;
	}
	*out++ = (unsigned char)value;
	return out;
}

static inline uint64_t get_varint(const unsigned char **at)
{
	const unsigned char *in = *at;
	uint64_t value = *in & 0x7F;
	for (unsigned shift = 7; *in++ & 0x80 && shift < 64; shift += 7)
		value |= (uint64_t)(*in & 0x7F) << shift;
	*at = in;
	return value;
}

static struct memory *recall(struct psr_codec *codec, uint32_t tid)
{
	struct memory *memory = (struct memory *)(codec->memories + (tid ^ tid >> 6) % THREADS * codec->stride);
	if (memory->chunk != codec->chunk) {
		memset(memory, 0, codec->stride);
		memory->chunk = codec->chunk;
	}
	return memory;
}

/* What a time field is likely to be: the last time of the event it is linked to, or the record's own. */
static inline uint64_t guess_time(const struct memory *memory, const struct plan_field *field, uint64_t ts)
{
	uint64_t last = memory->times[field->link];
	return field->link && last ? last : ts;
}

/* `last` is the field's last value, `rest` what the fields before it leave of the time up to ts. */
static inline uint64_t guess_value(const struct memory *memory, const struct plan_field *field, uint64_t ts,
				   uint64_t last, uint64_t rest)
{
	if (field->is_time)
		return guess_time(memory, field, ts);
	return field->guess == GUESS_REST && last != PS_UNKNOWN ? rest : last;
}

static inline uint64_t rest_after(const struct plan_field *field, uint64_t value, uint64_t ts, uint64_t rest)
{
	if (field->is_time)
		return ts - value;
	return field->guess == GUESS_REST ? rest - value : rest;
}

int psr_codec_open(struct psr_codec **out, const struct psr_plan *plan)
{
	struct psr_codec *codec = calloc(1, sizeof(*codec));
	if (!codec)
		return -ENOMEM;
	codec->plan = plan;
	codec->chunk = 1;
	codec->stride = sizeof(struct memory) + plan->field_count * sizeof(uint64_t);
	codec->memories = calloc(THREADS, codec->stride);
	if (!codec->memories) {
		free(codec);
		return -ENOMEM;
	}
	*out = codec;
	return 0;
}

void psr_codec_close(struct psr_codec *codec)
{
	if (!codec)
		return;
	free(codec->memories);
	free(codec);
}

void psr_codec_reset(struct psr_codec *codec)
{
	codec->chunk++;
	codec->ts = 0;
	codec->tid = 0;
}

size_t psr_encode_bound(const struct ps_record *record)
{
	return 64 + PSR_FIELDS * 11 + 2 * (size_t)record->size;
}

static unsigned char *put_time(unsigned char *out, uint64_t value, uint64_t guess)
{
	uint64_t code = zigzag(value - guess);
	if (value == 0)
		return put_varint(out, TIME_ZERO);
	if (value == PS_UNKNOWN)
		return put_varint(out, TIME_UNKNOWN);
	if (code < 1ull << 62)
		return put_varint(out, code + TIME_RAW);
	*out++ = TIME_RAW;
	memcpy(out, &value, 8);
	return out + 8;
}

static unsigned char *put_millis(unsigned char *out, uint64_t value, uint64_t guess)
{
	int64_t difference = (int64_t)(value - guess);
	uint64_t code = zigzag(value - guess);
	if (difference % MILLI == 0)
		return put_varint(out, zigzag((uint64_t)(difference / MILLI)) << 1);
	if (code < 1ull << 63)
		return put_varint(out, code << 1 | 1);
	*out++ = MILLIS_RAW;
	memcpy(out, &value, 8);
	return out + 8;
}

static inline unsigned char *put_value(unsigned char *out, const struct plan_field *field, uint64_t value,
				       uint64_t guess)
{
	if (field->is_time || field->guess == GUESS_REST)
		return put_time(out, value, guess);
	if (field->guess == GUESS_MILLIS)
		return put_millis(out, value, guess);
	return put_varint(out, zigzag(value - guess));
}

static unsigned char *put_tail(unsigned char *out, const struct ps_record *record, const struct plan_event *event)
{
	const char *tail = (const char *)record + event->size;
	size_t bytes = schema_tail_bytes(record);
	if (event->tail == 1) {
		memcpy(out, tail, bytes);
		return out + bytes;
	}
	const uint32_t *frames = (const uint32_t *)tail;
	uint32_t before = 0;
	for (size_t i = 0; i < bytes / 4; i++) {
		out = put_varint(out, zigzag((uint64_t)frames[i] - before));
		before = frames[i];
	}
	return out;
}

size_t psr_encode(struct psr_codec *codec, const struct ps_record *record, unsigned char *out)
{
	const struct plan_event *event = &codec->plan->events[record->event];
	const struct event_schema *schema = schema_event(record->event);
	struct memory *memory = recall(codec, record->tid);
	uint64_t *values = memory->values + event->first;
	uint64_t guesses[PSR_FIELDS], mask = 0, rest = 0;
	unsigned char *at = out;

	*at++ = (unsigned char)(record->event | (record->tid != codec->tid ? OTHER_TID : 0));
	if (record->tid != codec->tid)
		at = put_varint(at, zigzag((uint64_t)record->tid - codec->tid));
	at = put_varint(at, zigzag(record->ts - codec->ts));
	for (unsigned i = 0; i < event->count; i++) {
		const struct plan_field *field = &codec->plan->fields[event->first + i];
		uint64_t value = schema_value(record, &schema->fields[field->own]);
		guesses[i] = guess_value(memory, field, record->ts, values[i], rest);
		mask |= (uint64_t)(value != guesses[i]) << i;
		rest = rest_after(field, value, record->ts, rest);
		values[i] = value;
	}
	at = put_varint(at, mask);
	for (; mask; mask &= mask - 1) {
		unsigned i = (unsigned)__builtin_ctzll(mask);
		at = put_value(at, &codec->plan->fields[event->first + i], values[i], guesses[i]);
	}
	if (event->tail)
		at = put_tail(at, record, event);
	memory->times[record->event] = record->ts;
	codec->ts = record->ts;
	codec->tid = record->tid;
	return (size_t)(at - out);
}

static uint64_t get_raw(const unsigned char **at)
{
	uint64_t value;
	memcpy(&value, *at, 8);
	*at += 8;
	return value;
}

static uint64_t get_time(const unsigned char **at, uint64_t guess)
{
	uint64_t code = get_varint(at);
	switch (code) {
	case 0:
	case TIME_ZERO:
		return 0;
	case TIME_UNKNOWN:
		return PS_UNKNOWN;
	case TIME_RAW:
		return get_raw(at);
	}
	return guess + unzigzag(code - TIME_RAW);
}

static uint64_t get_millis(const unsigned char **at, uint64_t guess)
{
	uint64_t code = get_varint(at), difference = unzigzag(code >> 1);
	if (code == MILLIS_RAW)
		return get_raw(at);
	return guess + (code & 1 ? difference : difference * MILLI);
}

static inline uint64_t get_value(const unsigned char **at, const struct plan_field *field, uint64_t guess)
{
	if (field->is_time || field->guess == GUESS_REST)
		return get_time(at, guess);
	if (field->guess == GUESS_MILLIS)
		return get_millis(at, guess);
	return guess + unzigzag(get_varint(at));
}

/* The tail behind the fixed part of out; only skipped when the event is unknown here. */
static int get_tail(const struct plan_event *event, uint64_t length, const unsigned char **at, const unsigned char *end,
		    struct ps_record *out)
{
	size_t room = PSR_RECORD_MAX - event->size;
	if (length > room / event->tail)
		return -EBADMSG;
	size_t bytes = (size_t)length * event->tail;
	char *tail = (char *)out + event->size;
	if (length > (size_t)(end - *at))
		return -EBADMSG;
	memset(tail + bytes, 0, -bytes & 7);
	out->size = (uint16_t)(event->size + bytes + (-bytes & 7));
	if (event->tail == 1) {
		memcpy(tail, *at, bytes);
		*at += bytes;
		return 0;
	}
	uint32_t frame = 0, *frames = (uint32_t *)tail;
	for (size_t i = 0; i < length; i++) {
		if (*at >= end)
			return -EBADMSG;
		frame += (uint32_t)unzigzag(get_varint(at));
		frames[i] = frame;
	}
	return 0;
}

static inline void store(struct ps_record *out, const struct plan_field *field, uint64_t value)
{
	char *to = (char *)out + field->offset;
	switch (field->size) { /* 0: we have no such field */
	case 8: memcpy(to, &value, 8); break;
	case 4: memcpy(to, &value, 4); break;
	case 2: memcpy(to, &value, 2); break;
	}
}

int psr_decode(struct psr_codec *codec, const unsigned char **in, const unsigned char *end, struct ps_record *out)
{
	const unsigned char *at = *in;
	if (at >= end)
		return -EBADMSG;
	const struct plan_event *event = &codec->plan->events[*at & ~OTHER_TID];
	const struct plan_field *field = &codec->plan->fields[event->first];
	uint32_t tid = codec->tid;
	if (!event->named)
		return -EBADMSG;
	if (*at++ & OTHER_TID)
		tid += (uint32_t)unzigzag(get_varint(&at));
	uint64_t ts = codec->ts + unzigzag(get_varint(&at)), mask = get_varint(&at);
	struct memory *memory = recall(codec, tid);
	uint64_t *value = memory->values + event->first, rest = 0;

	memcpy(out, event->image, event->size);
	for (unsigned left = event->count; left; left--, field++, value++, mask >>= 1) {
		uint64_t guess = guess_value(memory, field, ts, *value, rest);
		*value = mask & 1 ? get_value(&at, field, guess) : guess;
		rest = rest_after(field, *value, ts, rest);
		store(out, field, *value);
	}
	out->ts = ts;
	out->tid = tid;
	if (at > end)
		return -EBADMSG;
	if (event->tail && (get_tail(event, (uint32_t)memory->values[event->first + 1], &at, end, out) ||
			    (event->known && !schema_check(out, out->size))))
		return -EBADMSG;
	if (at > end) /* in the middle of the tail's last number */
		return -EBADMSG;
	memory->times[event->number] = ts;
	codec->ts = ts;
	codec->tid = tid;
	*in = at;
	return event->known;
}

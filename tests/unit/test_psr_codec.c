/* SPDX-License-Identifier: BSD-2-Clause */
/* Files of other versions: events and fields are found by name, not by place. */
#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "psr_codec.h"
#include "schema.h"

struct builder {
	unsigned char bytes[1024];
	size_t used;
};

static void put(struct builder *builder, unsigned byte)
{
	builder->bytes[builder->used++] = (unsigned char)byte;
}

static void put_text(struct builder *builder, const char *text)
{
	put(builder, (unsigned)strlen(text));
	for (; *text; text++)
		put(builder, (unsigned char)*text);
}

static void put_event(struct builder *builder, unsigned number, unsigned tail, unsigned fields, const char *name)
{
	put(builder, number);
	put(builder, number >> 8);
	put(builder, tail);
	put(builder, fields);
	put_text(builder, name);
}

static void put_linked(struct builder *builder, unsigned size, unsigned unit, unsigned link, const char *name)
{
	put(builder, size);
	put(builder, 0);
	put(builder, unit);
	put(builder, link);
	put_text(builder, name);
}

static void put_field(struct builder *builder, unsigned size, unsigned unit, const char *name)
{
	put_linked(builder, size, unit, 0, name);
}

static uint64_t out_room[8192];

TEST(fields_and_events_of_another_version_are_matched_by_name)
{
	struct builder schema = { .used = 0 }, data = { .used = 0 };
	put_event(&schema, 100, 0, 2, "later"); /* an event we have not */
	put_field(&schema, 8, UNIT_TIME, "when");
	put_field(&schema, 4, UNIT_NUMBER, "what");
	put_event(&schema, 7, 0, 3, "cpu_time"); /* ours, under another number, in another order */
	put_field(&schema, 8, UNIT_NUMBER, "slices");
	put_field(&schema, 8, UNIT_NUMBER, "appended");
	put_field(&schema, 8, UNIT_NS, "on_cpu_ns");
	put_event(&schema, 101, 1, 2, "later_text");
	put_field(&schema, 4, UNIT_NUMBER, "id");
	put_field(&schema, 4, UNIT_BYTES, "len");
	struct psr_plan *plan;
	struct psr_codec *codec;
	assert_int_equal(psr_plan_open(&plan, schema.bytes, schema.used), 0);
	assert_int_equal(psr_codec_open(&codec, plan), 0);

	put(&data, 100 | 0x80), put(&data, 2 * 5), put(&data, 2 * 9); /* tid 5, ts 9 */
	put(&data, 3), put(&data, 1), put(&data, 2 * 33);             /* when 0, what 33 */
	put(&data, 7), put(&data, 2 * 1);                             /* same thread, ts 10 */
	put(&data, 7), put(&data, 2 * 11), put(&data, 2 * 12), put(&data, 2 * 13);
	put(&data, 101), put(&data, 0), put(&data, 3), put(&data, 2), put(&data, 2 * 3);
	put(&data, 'a'), put(&data, 'b'), put(&data, 'c');
	put(&data, 7), put(&data, 0), put(&data, 0); /* all as before */
	size_t size = data.used;
	unsigned char *bytes = calloc(1, size + PSR_PAD);
	memcpy(bytes, data.bytes, size);

	const unsigned char *at = bytes, *end = bytes + size;
	struct ps_ev_cpu_time *got = (struct ps_ev_cpu_time *)out_room;
	assert_int_equal(psr_decode(codec, &at, end, &got->h), 0);
	for (unsigned i = 0; i < 2; i++) {
		memset(out_room, 0x55, 256);
		assert_int_equal(psr_decode(codec, &at, end, &got->h), 1);
		assert_int_equal(got->h.event, PS_EV_CPU_TIME);
		assert_int_equal(got->h.size, sizeof(*got));
		assert_true(got->h.ts == 10 && got->h.tid == 5);
		assert_true(got->slices == 11 && got->on_cpu_ns == 13);
		assert_true(got->runnable_ns == PS_UNKNOWN); /* not in the file: not measured */
		if (!i)
			assert_int_equal(psr_decode(codec, &at, end, &got->h), 0);
	}
	assert_true(at == end);
	assert_int_equal(psr_decode(codec, &at, end, &got->h), -EBADMSG);
	free(bytes);
	psr_codec_close(codec);
	psr_plan_close(plan);
}

/* The chunk ends in the middle of the last number, and zeros behind it would end that. */
TEST(a_tail_that_ends_behind_its_chunk_is_refused_and_the_place_stays)
{
	struct builder schema = { .used = 0 };
	put_event(&schema, 9, 4, 2, "later_stack");
	put_field(&schema, 4, UNIT_NUMBER, "id");
	put_field(&schema, 4, UNIT_NUMBER, "count");
	struct psr_plan *plan;
	struct psr_codec *codec;
	assert_int_equal(psr_plan_open(&plan, schema.bytes, schema.used), 0);
	assert_int_equal(psr_codec_open(&codec, plan), 0);

	/* same thread, time 0, the count alone is told: one frame, whose number goes on */
	unsigned char bytes[5 + PSR_PAD] = { 9, 0, 2, 2 * 1, 0x80 };
	const unsigned char *at = bytes;
	assert_int_equal(psr_decode(codec, &at, bytes + 5, (struct ps_record *)out_room), -EBADMSG);
	assert_true(at == bytes);
	psr_codec_close(codec);
	psr_plan_close(plan);
}

TEST(a_field_that_is_guessed_in_an_unknown_way_is_of_a_newer_tool)
{
	struct psr_plan *plan = NULL;
	struct builder schema = { .used = 0 };
	put_event(&schema, 7, 0, 1, "cpu_time");
	put_linked(&schema, 8, UNIT_NS, GUESSES, "on_cpu_ns");
	assert_int_equal(psr_plan_open(&plan, schema.bytes, schema.used), -EPROTONOSUPPORT);
	schema.bytes[schema.used - 11] = GUESSES - 1; /* the byte before the name's length */
	assert_int_equal(psr_plan_open(&plan, schema.bytes, schema.used), 0);
	psr_plan_close(plan);
}

static size_t encode(struct psr_codec *codec, struct ps_ev_poll_enter event, unsigned char *out)
{
	event.h = (struct ps_record){ event.h.ts, 5, PS_EV_POLL_ENTER, sizeof(event) };
	return psr_encode(codec, &event.h, out);
}

TEST(a_busy_slice_that_adds_up_is_told_by_what_was_not_on_the_cpu)
{
	struct psr_plan *plan;
	struct psr_codec *codec;
	unsigned char ours[8192], out[256] = { 0 };
	assert_int_equal(psr_plan_open(&plan, ours, psr_schema_print(ours)), 0);
	assert_int_equal(psr_codec_open(&codec, plan), 0);
	enum { TIMEOUT = 1 << 2, SINCE = 1 << 3, CPU = 1 << 4, RUNNABLE = 1 << 5, BLOCKED = 1 << 6 };

	/* all on the CPU: nothing is told of it; 141 ms of timeout are one number of ms */
	struct ps_ev_poll_enter event = { .h.ts = 1000000, .timeout_ns = 141000000, .busy_since_ns = 900000, .on_cpu_ns = 100000 };
	encode(codec, event, out);
	event.h.ts = 2000000, event.busy_since_ns = 1900000, event.timeout_ns = 139000000;
	size_t size = encode(codec, event, out);
	assert_int_equal(size, 1 + 3 + 1 + 1 + 3);
	assert_int_equal(out[4], TIMEOUT | SINCE);
	assert_int_equal(out[5], 3 << 1); /* -2 ms: zigzag 3, even */

	/* one that waited for a CPU 20 ns: what is left is told once */
	event.h.ts = 3000000, event.busy_since_ns = 2900000, event.on_cpu_ns = 99980, event.runnable_ns = 20;
	event.timeout_ns -= 1;
	size = encode(codec, event, out);
	assert_int_equal(out[4], TIMEOUT | SINCE | CPU);
	assert_int_equal(out[5], 1 << 1 | 1); /* -1 ns: zigzag 1, odd */
	assert_int_equal(out[size - 1], 3 + 39);

	/* not measured is told once, then guessed */
	event.on_cpu_ns = event.runnable_ns = event.blocked_ns = PS_UNKNOWN;
	size = encode(codec, event, out);
	assert_true(out[size - 1] == 2 && out[size - 2] == 2 && out[size - 3] == 2);
	encode(codec, event, out);
	assert_int_equal(out[2], SINCE);
	psr_codec_close(codec);
	psr_plan_close(plan);
}

TEST(a_schema_that_cannot_be_is_refused)
{
	struct psr_plan *plan = NULL;
	struct builder schema = { .used = 0 };
	put_event(&schema, 200, 0, 0, "number");
	assert_int_equal(psr_plan_open(&plan, schema.bytes, schema.used), -EILSEQ);
	schema.used = 0;
	put_event(&schema, 7, 0, 65, "fields");
	assert_int_equal(psr_plan_open(&plan, schema.bytes, schema.used), -EILSEQ);
	schema.used = 0;
	put_event(&schema, 7, 2, 2, "tail");
	assert_int_equal(psr_plan_open(&plan, schema.bytes, schema.used), -EILSEQ);
	schema.used = 0;
	put_event(&schema, 7, 1, 1, "tail without a length");
	assert_int_equal(psr_plan_open(&plan, schema.bytes, schema.used), -EILSEQ);
	schema.used = 0;
	put_event(&schema, 7, 0, 0, "twice");
	put_event(&schema, 7, 0, 0, "twice");
	assert_int_equal(psr_plan_open(&plan, schema.bytes, schema.used), -EILSEQ);

	unsigned char ours[8192];
	assert_true(psr_schema_print(NULL) <= sizeof(ours));
	size_t bytes = psr_schema_print(ours);
	for (size_t cut = 0; cut < bytes; cut++) {
		int err = psr_plan_open(&plan, ours, cut);
		assert_true(err == 0 || err == -EILSEQ); /* 0: cut between two events */
		if (!err)
			psr_plan_close(plan);
	}
}

TEST(random_bytes_are_decoded_without_harm)
{
	struct psr_plan *plan;
	struct psr_codec *codec;
	unsigned char ours[8192];
	assert_int_equal(psr_plan_open(&plan, ours, psr_schema_print(ours)), 0);
	assert_int_equal(psr_codec_open(&codec, plan), 0);
	srand(13);
	for (unsigned round = 0; round < 20000; round++) {
		size_t size = (size_t)rand() % 200;
		unsigned char *bytes = calloc(1, size + PSR_PAD);
		for (size_t i = 0; i < size; i++)
			bytes[i] = (unsigned char)(rand() % 3 ? rand() % 100 : rand());
		const unsigned char *at = bytes;
		psr_codec_reset(codec);
		int got = 0;
		while (got >= 0 && at < bytes + size) {
			const unsigned char *before = at;
			got = psr_decode(codec, &at, bytes + size, (struct ps_record *)out_room);
			assert_true(at <= bytes + size && (got < 0 || at > before));
			if (got == 1)
				assert_true(schema_check((struct ps_record *)out_room, PSR_RECORD_MAX));
		}
		free(bytes);
	}
	psr_codec_close(codec);
	psr_plan_close(plan);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The stream: order, definitions, and what happens when nobody takes them. */
#include "test.h"

#include <errno.h>
#include <string.h>

#include "source.h"

#define SEEN_MAX 4096

struct seen {
	struct { uint16_t event; uint32_t tid; uint64_t ts; uint32_t id; uint64_t lost; } at[SEEN_MAX];
	int count;
	int stop_at;   /* refuse the record with this index; -1 = take all */
};

static int take(const struct ps_record *record, void *arg)
{
	struct seen *seen = arg;

	if (seen->count == seen->stop_at)
		return -28;
	assert_true(seen->count < SEEN_MAX);
	assert_int_equal(record->size % 8, 0);
	int i = seen->count++;
	seen->at[i].event = record->event;
	seen->at[i].tid = record->tid;
	seen->at[i].ts = record->ts;
	seen->at[i].id = record->event < PS_EV_CLOCK ? ((const struct ps_ev_string *)record)->id : 0;
	seen->at[i].lost = record->event == PS_EV_LOST ? ((const struct ps_ev_lost *)record)->count : 0;
	return 0;
}

static int put_clock(struct stream *stream, uint64_t ts, uint32_t tid)
{
	struct ps_ev_clock clock = { .h = { .ts = ts, .tid = tid, .event = PS_EV_CLOCK, .size = sizeof(clock) } };

	return stream_put(stream, &clock.h);
}

static struct stream *opened(void)
{
	struct stream *stream;

	assert_int_equal(stream_open(&stream), 0);
	return stream;
}

TEST(records_come_out_in_time_order_and_equal_times_in_the_order_they_came)
{
	struct stream *stream = opened();
	struct seen seen = { .stop_at = -1 };
	uint32_t random = 1;

	for (uint32_t i = 0; i < 3000; i++) {
		random = random * 1664525 + 1013904223;
		assert_int_equal(put_clock(stream, 100 + (random >> 24) % 97, i), 0);
	}
	assert_int_equal(stream_flush(stream, take, &seen), 3000);
	assert_int_equal(seen.count, 3000);
	for (int i = 1; i < seen.count; i++) {
		assert_true(seen.at[i - 1].ts <= seen.at[i].ts);
		if (seen.at[i - 1].ts == seen.at[i].ts)
			assert_true(seen.at[i - 1].tid < seen.at[i].tid);
	}
	seen.count = 0;
	assert_int_equal(stream_flush(stream, take, &seen), 0);
	stream_close(stream);
}

TEST(a_definition_goes_out_once_and_before_every_record_of_its_drain)
{
	struct stream *stream = opened();
	struct seen seen = { .stop_at = -1 };

	put_clock(stream, 1, 7);
	uint32_t first = stream_string(stream, "read", 4);
	assert_int_equal(stream_string(stream, "read", 4), first);
	uint32_t other = stream_string(stream, "reads", 5);
	assert_true(other && other != first);
	assert_int_equal(stream_flush(stream, take, &seen), 1);
	assert_int_equal(seen.count, 3);
	assert_int_equal(seen.at[0].event, PS_EV_STRING);
	assert_int_equal(seen.at[1].event, PS_EV_STRING);
	assert_int_equal(seen.at[2].event, PS_EV_CLOCK);
	seen.count = 0;
	assert_int_equal(stream_string(stream, "read", 4), first);
	stream_flush(stream, take, &seen);
	assert_int_equal(seen.count, 0);
	stream_close(stream);
}

TEST(equal_frames_and_stacks_share_an_id_and_unequal_ones_do_not)
{
	struct stream *stream = opened();
	struct ps_ev_frame frame = { .name = 1, .kind = PS_FRAME_NATIVE, .offset = 16 };
	uint32_t a = stream_frame(stream, &frame);

	assert_int_equal(stream_frame(stream, &frame), a);
	frame.offset = 17;
	uint32_t b = stream_frame(stream, &frame);
	assert_int_not_equal(a, b);
	const uint32_t ab[] = { a, b }, ba[] = { b, a };
	uint32_t stack = stream_stack(stream, ab, 2);
	assert_int_equal(stream_stack(stream, ab, 2), stack);
	assert_int_not_equal(stream_stack(stream, ba, 2), stack);
	assert_int_not_equal(stream_stack(stream, ab, 1), stack);
	assert_int_equal(stream_stack(stream, ab, 0), 0);
	stream_close(stream);
}

TEST(records_that_a_sink_refuses_are_told_as_lost_with_the_next_flush)
{
	struct stream *stream = opened();
	struct seen seen = { .stop_at = 4 };

	for (int i = 0; i < 10; i++)
		put_clock(stream, 5, i);
	assert_int_equal(stream_flush(stream, take, &seen), -28);
	assert_int_equal(seen.count, 4);
	seen = (struct seen){ .stop_at = 0 };
	put_clock(stream, 6, 0);
	assert_int_equal(stream_flush(stream, take, &seen), -28);
	seen = (struct seen){ .stop_at = -1 };
	assert_int_equal(stream_flush(stream, take, &seen), 1);
	assert_int_equal(seen.at[0].event, PS_EV_LOST);
	/* six of the first flush and one of the second, and nothing twice */
	assert_int_equal(seen.at[0].lost, 7);
	stream_close(stream);
}

TEST(definitions_that_a_sink_refuses_are_kept_for_the_next_flush)
{
	struct stream *stream = opened();
	struct seen seen = { .stop_at = 1 };

	stream_string(stream, "one", 3);
	uint32_t two = stream_string(stream, "two", 3);
	stream_flush(stream, take, &seen);
	assert_int_equal(seen.count, 1);
	seen = (struct seen){ .stop_at = -1 };
	stream_flush(stream, take, &seen);
	assert_int_equal(seen.count, 1);
	assert_int_equal(seen.at[0].id, two);
	stream_close(stream);
}

TEST(ids_stay_unique_when_the_interned_texts_outgrow_their_memory)
{
	struct stream *stream = opened();
	static char text[4096];
	struct seen *seen = calloc(1, sizeof(*seen));
	uint32_t last = 0;

	memset(text, 'x', sizeof(text));
	for (uint32_t i = 0; i < 10000; i++) {
		memcpy(text, &i, sizeof(i));
		uint32_t id = stream_string(stream, text, sizeof(text));
		assert_true(id > last);
		last = id;
		if (i % 1000 == 999) {
			*seen = (struct seen){ .stop_at = -1 };
			stream_flush(stream, take, seen);
			assert_int_equal(seen->count, 1000);
		}
	}
	free(seen);
	stream_close(stream);
}

/* 128 bytes and an entry each: more than the 4 MiB in which stacks are remembered, however long the session */
TEST(stacks_that_outgrow_their_memory_are_forgotten_and_told_anew_under_a_new_id)
{
	struct stream *stream = opened();
	struct seen *seen = calloc(1, sizeof(*seen));
	uint32_t frames[32] = { 0 }, first = 0, last = 0;

	for (uint32_t i = 0; i < 40000; i++) {
		frames[0] = i + 1;
		last = stream_stack(stream, frames, 32);
		assert_int_equal(last, i + 1);
		first = i ? first : last;
		if (i % 1000 == 999) {
			*seen = (struct seen){ .stop_at = -1 };
			stream_flush(stream, take, seen);
			assert_int_equal(seen->count, 1000);
		}
	}
	assert_int_equal(stream_stack(stream, frames, 32), last);
	frames[0] = 1;
	uint32_t again = stream_stack(stream, frames, 32);
	assert_true(again > last && again != first);
	*seen = (struct seen){ .stop_at = -1 };
	stream_flush(stream, take, seen);
	assert_int_equal(seen->count, 1);
	assert_int_equal(seen->at[0].event, PS_EV_STACK);
	assert_int_equal(seen->at[0].id, again);
	free(seen);
	stream_close(stream);
}

TEST(a_stream_that_has_forgotten_tells_anew_under_new_ids)
{
	struct stream *stream = opened();
	struct seen *seen = calloc(1, sizeof(*seen));
	struct ps_ev_frame frame = { .kind = PS_FRAME_NATIVE };
	uint32_t text = stream_string(stream, "read", 4), other = stream_string(stream, "write", 5), epoch = stream_epoch(stream);

	frame.name = text;
	uint32_t id = stream_frame(stream, &frame), stack = stream_stack(stream, &id, 1);
	assert_int_equal(stream_symbol(stream, 7, 0x1000, id), 0);
	assert_int_equal(stream_forget(stream), -EAGAIN); /* what was not handed over yet may be named */
	*seen = (struct seen){ .stop_at = -1 };
	stream_flush(stream, take, seen);
	assert_int_equal(stream_forget(stream), 0);
	assert_int_not_equal(stream_epoch(stream), epoch);
	uint32_t again = stream_again(stream, text);
	assert_true(again > other);
	assert_int_equal(stream_again(stream, 0), 0);
	assert_int_equal(stream_again(stream, again), 0); /* no id from before */
	stream_forgotten(stream);
	assert_int_equal(stream_string(stream, "read", 4), again);
	frame.name = again;
	assert_true(stream_frame(stream, &frame) > id);
	id = stream_frame(stream, &frame);
	assert_true(stream_stack(stream, &id, 1) > stack);
	assert_int_equal(stream_symbol(stream, 7, 0x1000, id), 0);
	*seen = (struct seen){ .stop_at = -1 };
	stream_flush(stream, take, seen);
	assert_int_equal(seen->count, 4);
	free(seen);
	stream_close(stream);
}

TEST(a_symbol_is_told_once_per_process_and_address)
{
	struct stream *stream = opened();
	struct seen seen = { .stop_at = -1 };

	assert_int_equal(stream_symbol(stream, 1, 0x1000, 3), 0);
	assert_int_equal(stream_symbol(stream, 1, 0x1000, 3), 0);
	assert_int_equal(stream_symbol(stream, 2, 0x1000, 3), 0);
	stream_flush(stream, take, &seen);
	assert_int_equal(seen.count, 2);
	stream_close(stream);
}

TEST(a_record_of_impossible_size_is_refused)
{
	struct stream *stream = opened();
	struct ps_record record = { .event = PS_EV_CLOCK, .size = 8 };

	assert_int_equal(stream_put(stream, &record), -EINVAL);
	record.size = 20;
	assert_int_equal(stream_put(stream, &record), -EINVAL);
	stream_close(stream);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Next ticks, immediates, hooks. */
#include "loops.h"

static struct ps_loop *loop;

static void tick_that_ticks(void *arg)
{
	note("a");
	ok(ps_next_tick(loop, note, "c"));
}

TEST(ticks_run_in_order_and_a_tick_added_by_a_tick_runs_in_the_same_drain)
{
	loop = loop_new("fake");
	ok(ps_next_tick(loop, tick_that_ticks, NULL));
	ok(ps_next_tick(loop, note, "b"));
	ok(ps_immediate(loop, note, "d"));
	ok(ps_loop_run(loop, PS_RUN_DEFAULT));
	assert_string_equal(trace, "a b c d ");
	struct records records = records_read(loop, 0);
	assert_int_equal(records_count(&records, PS_EV_TICKS), 1);
	const struct ps_ev_drain *drain = records_find(&records, PS_EV_TICKS, 0);
	assert_int_equal(drain->count, 3);
	assert_int_equal(drain->left, 0);
	free(records.at);
	loop_end(loop);
}

static void timer_a(void *arg)
{
	note("timer-a");
	ok(ps_next_tick(loop, note, "tick"));
}

TEST(ticks_run_when_the_callback_returns_before_anything_else)
{
	struct ps_timer *a, *b;

	loop = loop_new("fake");
	ok(ps_timer_open(loop, &a, timer_a, NULL));
	ok(ps_timer_open(loop, &b, note, "timer-b"));
	ok(ps_timer_start(a, 0, 0));
	ok(ps_timer_start(b, 0, 0));
	ok(ps_loop_run(loop, PS_RUN_DEFAULT));
	assert_string_equal(trace, "timer-a tick timer-b ");
	ok(ps_timer_close(a));
	ok(ps_timer_close(b));
	loop_end(loop);
}

static void immediate_that_adds(void *arg)
{
	note("first");
	ok(ps_immediate(loop, note, "second"));
}

TEST(an_immediate_added_by_an_immediate_runs_in_the_next_iteration)
{
	loop = loop_new("fake");
	ok(ps_immediate(loop, immediate_that_adds, NULL));
	assert_int_equal(ps_loop_run(loop, PS_RUN_NOWAIT), 1);
	assert_string_equal(trace, "first ");
	assert_int_equal(ps_loop_run(loop, PS_RUN_ONCE), 0);
	assert_string_equal(trace, "first second ");
	assert_int_equal(fake_wait_timeout(loop, 1), 0); /* it did not wait with work at hand */
	loop_end(loop);
}

static int left = 20000;

static void refill(void *arg)
{
	if (--left)
		ok(ps_next_tick(loop, refill, NULL));
}

TEST(a_tick_queue_that_refills_itself_is_told_while_it_runs)
{
	loop = loop_new(NULL);
	ok(ps_next_tick(loop, refill, NULL));
	ok(ps_loop_run(loop, PS_RUN_DEFAULT));
	struct records records = records_read(loop, 0);
	size_t slices = records_count(&records, PS_EV_TICKS);
	uint32_t total = 0;
	assert_in_range(slices, 3, 10);
	for (size_t i = 0; i < slices; i++) {
		const struct ps_ev_drain *drain = records_find(&records, PS_EV_TICKS, i);
		total += drain->count;
		assert_int_equal(drain->left, i + 1 < slices);
	}
	assert_int_equal(total, 20000);
	free(records.at);
	loop_end(loop);
}

static struct ps_check *hooks[3];

static void close_both(void *arg)
{
	note("first");
	ok(ps_check_close(hooks[0]));
	ok(ps_check_close(hooks[1]));
	assert_int_equal(ps_check_close(hooks[0]), -EINVAL);
	ok(ps_prepare_open(loop, &hooks[2], note, "later"));
}

TEST(a_hook_that_closes_itself_and_its_sibling_is_the_last_and_a_new_one_waits_its_turn)
{
	loop = loop_new("fake");
	ok(ps_prepare_open(loop, &hooks[0], close_both, NULL));
	ok(ps_prepare_open(loop, &hooks[1], note, "second"));
	assert_int_equal(ps_loop_run(loop, PS_RUN_NOWAIT), 1);
	assert_string_equal(trace, "first ");
	assert_int_equal(ps_loop_run(loop, PS_RUN_NOWAIT), 1);
	assert_string_equal(trace, "first later ");
	ok(ps_check_close(hooks[2]));
	loop_end(loop);
}

static void close_io(struct ps_io *io, uint32_t events, void *arg)
{
	++*(int *)arg;
	ok(ps_io_close(io));
}

/* An observer knows a busy loop by its waits: each has a timeout of zero, and most bring nothing. */
TEST(an_idle_hook_is_not_greedy_and_the_busy_loop_that_it_makes_is_told)
{
	struct ps_check *idle;
	struct ps_timer *timer;
	struct ps_io *io;
	int idles = 0, fired = 0, ready = 0, pair[2];

	loop = loop_new(NULL);
	ok(pipe(pair));
	ok(ps_idle_open(loop, &idle, count, &idles));
	ok(ps_timer_open(loop, &timer, count, &fired));
	ps_loop_update_time(loop);
	ok(ps_timer_start(timer, 2 * MS, 0));
	ok(ps_io_open(loop, &io, pair[0], close_io, &ready));
	ok(ps_io_start(io, PS_READABLE));
	assert_int_equal(write(pair[1], "x", 1), 1);
	while (!fired || !ready)
		assert_int_equal(ps_loop_run(loop, PS_RUN_ONCE), 1);
	struct records records = records_read(loop, 0);
	size_t waits = records_count(&records, PS_EV_POLL_ENTER), empty = 0;
	for (size_t i = 0; i < records.count; i++) {
		const struct ps_ev_poll_enter *enter = (const void *)&records.at[i];
		const struct ps_ev_poll_return *back = (const void *)&records.at[i];
		if (enter->h.event == PS_EV_POLL_ENTER)
			assert_int_equal(enter->timeout_ns, 0);
		empty += back->h.event == PS_EV_POLL_RETURN && back->ready == 0;
	}
	assert_int_equal(waits, idles);
	assert_int_equal(empty, waits - 1);
	assert_true(waits > 10);
	free(records.at);
	ok(ps_check_close(idle));
	ok(ps_timer_close(timer));
	loop_end(loop);
	close(pair[0]);
	close(pair[1]);
}

TEST(an_idle_hook_keeps_the_poll_from_waiting_and_its_closing_ends_that)
{
	struct ps_check *idle;
	struct ps_timer *timer;
	int idles = 0, fired = 0;

	loop = loop_new("fake");
	ok(ps_idle_open(loop, &idle, count, &idles));
	ok(ps_timer_open(loop, &timer, count, &fired));
	ok(ps_timer_start(timer, 10 * MS, 0));
	for (int i = 0; i < 5; i++)
		assert_int_equal(ps_loop_run(loop, PS_RUN_ONCE), 1);
	assert_int_equal(idles, 5);
	for (uint64_t i = 0; i < 5; i++)
		assert_int_equal(fake_wait_timeout(loop, i), 0);
	assert_int_equal(fired, 0);
	ok(ps_check_close(idle));
	assert_int_equal(ps_loop_run(loop, PS_RUN_ONCE), 1); /* finishes the close */
	assert_int_equal(ps_loop_run(loop, PS_RUN_ONCE), 0);
	assert_int_equal(fake_wait_timeout(loop, 6), 10 * MS);
	assert_int_equal(fired, 1);
	ok(ps_timer_close(timer));
	loop_end(loop);
}

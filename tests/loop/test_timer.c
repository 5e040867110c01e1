/* SPDX-License-Identifier: BSD-2-Clause */
/* Timers and fairness, on the fake clock unless real time is the point. */
#include <sys/eventfd.h>
#include <time.h>

#include "loops.h"

static struct ps_loop *loop;
static struct ps_timer *timers[64];
static uint64_t fired_at[64];
static int fired;

static void note_time(void *arg)
{
	if (fired < 64)
		fired_at[fired] = ps_loop_now(loop);
	fired++;
}

static void open_timers(int n, const char *backend)
{
	loop = loop_new(backend);
	for (int i = 0; i < n; i++)
		ok(ps_timer_open(loop, &timers[i], note_time, NULL));
}

static void close_timers(int n)
{
	for (int i = 0; i < n; i++)
		ok(ps_timer_close(timers[i]));
	loop_end(loop);
}

TEST(timers_due_at_the_same_time_fire_in_start_order)
{
	static char *const names[] = { "a", "b", "c", "d", "e", "f", "g", "h" };
	struct ps_timer *timer[8];

	loop = loop_new("fake");
	for (int i = 0; i < 8; i++)
		ok(ps_timer_open(loop, &timer[i], note, names[i]));
	for (int i = 0; i < 8; i++)
		ok(ps_timer_start(timer[7 - i], 5 * MS, 0));
	ok(ps_timer_start(timer[4], 5 * MS, 0)); /* a restart goes to the end */
	ok(ps_loop_run(loop, PS_RUN_DEFAULT));
	assert_string_equal(trace, "h g f d c b a e ");
	for (int i = 0; i < 8; i++)
		ok(ps_timer_close(timer[i]));
	loop_end(loop);
}

static int io_calls;

static void on_ready(struct ps_io *io, uint32_t events, void *arg)
{
	if (++io_calls == 3) {
		ok(ps_timer_close(timers[0]));
		ok(ps_io_close(io));
	}
}

static void rearm(void *arg)
{
	fired++;
	ok(ps_timer_start(timers[0], 0, 0));
}

TEST(a_zero_timer_rearmed_from_itself_cannot_starve_io)
{
	struct ps_io *io;
	int fd = eventfd(1, 0);

	loop = loop_new(NULL);
	ok(ps_timer_open(loop, &timers[0], rearm, NULL));
	ok(ps_timer_start(timers[0], 0, 0));
	ok(ps_io_open(loop, &io, fd, on_ready, NULL));
	ok(ps_io_start(io, PS_READABLE));
	loop_end(loop);
	assert_int_equal(io_calls, 3);
	assert_int_equal(fired, 3);
	close(fd);
}

static uint64_t monotonic(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static uint64_t must_not_be_before;

static void check_early(void *arg)
{
	assert_true(monotonic() + 1000 >= must_not_be_before); /* 1 us: two ways to read one clock */
	if (++fired < 50) {
		ps_loop_update_time(loop);
		must_not_be_before = monotonic() + 100000;
		ps_loop_update_time(loop);
		ok(ps_timer_start(timers[0], 100000 + 777, 0));
	}
}

TEST(a_timer_is_never_early)
{
	loop = loop_new(NULL);
	ok(ps_timer_open(loop, &timers[0], check_early, NULL));
	ok(ps_timer_start(timers[0], 0, 0));
	ok(ps_loop_run(loop, PS_RUN_DEFAULT));
	assert_int_equal(fired, 50);
	struct records records = records_read(loop, 0);
	for (size_t i = 0; i < 50; i++) {
		const struct ps_ev_timer *event = records_find(&records, PS_EV_TIMER_FIRED, i);
		assert_true(event && event->h.ts >= event->due_ns);
	}
	free(records.at);
	close_timers(1);
}

TEST(huge_timeouts_do_not_wrap)
{
	open_timers(3, "fake");
	ok(ps_timer_start(timers[0], UINT64_MAX, 0));
	ok(ps_timer_start(timers[1], UINT64_MAX - 1, UINT64_MAX));
	ok(ps_timer_start(timers[2], 1, UINT64_MAX));
	assert_int_equal(ps_timer_due(timers[0]), UINT64_MAX);
	assert_int_equal(ps_loop_run(loop, PS_RUN_ONCE), 1);
	assert_int_equal(fired, 1);
	assert_int_equal(ps_timer_due(timers[2]), UINT64_MAX);
	assert_int_equal(ps_loop_timeout(loop), -1); /* the end of time is never */
	close_timers(3);
}

TEST(a_late_repeat_fires_once_and_keeps_its_grid)
{
	open_timers(1, "fake");
	uint64_t start = fake_time(loop);
	ok(ps_timer_start(timers[0], 10 * MS, 10 * MS));
	fake_set_time(loop, start + 57 * MS);
	assert_int_equal(ps_loop_run(loop, PS_RUN_NOWAIT), 1);
	assert_int_equal(fired, 1);
	assert_int_equal(ps_timer_due(timers[0]), start + 60 * MS);
	assert_int_equal(ps_loop_run(loop, PS_RUN_ONCE), 1);
	assert_int_equal(fired, 2);
	assert_int_equal(fired_at[1], start + 60 * MS);
	close_timers(1);
}

TEST(again_restarts_a_repeating_timer_and_refuses_others)
{
	open_timers(2, "fake");
	assert_int_equal(ps_timer_again(timers[0]), -EINVAL);
	ok(ps_timer_start(timers[0], 50 * MS, 20 * MS));
	ok(ps_timer_again(timers[0]));
	assert_int_equal(ps_timer_due(timers[0]), fake_time(loop) + 20 * MS);
	ok(ps_timer_start(timers[1], MS, 0));
	assert_int_equal(ps_timer_again(timers[1]), -EINVAL);
	close_timers(2);
}

static void start_in_check(void *arg)
{
	ok(ps_timer_start(timers[0], 0, 0));
	ok(ps_check_close(*(struct ps_check **)arg));
}

TEST(a_timer_started_in_check_fires_in_the_next_iteration)
{
	struct ps_check *check;

	open_timers(1, "fake");
	ok(ps_check_open(loop, &check, start_in_check, &check));
	assert_int_equal(ps_loop_run(loop, PS_RUN_NOWAIT), 1);
	assert_int_equal(fired, 0);
	assert_int_equal(ps_loop_run(loop, PS_RUN_NOWAIT), 0);
	assert_int_equal(fired, 1);
	close_timers(1);
}

TEST(a_clock_that_jumps_ahead_fires_everything_once)
{
	open_timers(10, "fake");
	for (int i = 0; i < 10; i++)
		ok(ps_timer_start(timers[i], (uint64_t)(i + 1) * 1000 * MS, 0));
	fake_set_time(loop, fake_time(loop) + 3600000 * MS);
	assert_int_equal(ps_loop_run(loop, PS_RUN_NOWAIT), 0);
	assert_int_equal(fired, 10);
	close_timers(10);
}

static void close_self_and_sibling(void *arg)
{
	fired++;
	ok(ps_timer_close(timers[0]));
	ok(ps_timer_close(timers[1]));
}

TEST(a_timer_that_closes_itself_and_its_sibling_is_the_last_to_fire)
{
	loop = loop_new("fake");
	ok(ps_timer_open(loop, &timers[0], close_self_and_sibling, NULL));
	ok(ps_timer_open(loop, &timers[1], note_time, NULL));
	ok(ps_timer_start(timers[0], MS, MS));
	ok(ps_timer_start(timers[1], MS, MS));
	loop_end(loop);
	assert_int_equal(fired, 1);
}

TEST(a_closed_timer_refuses_everything)
{
	open_timers(1, "fake");
	ok(ps_timer_close(timers[0]));
	assert_int_equal(ps_timer_start(timers[0], 1, 0), -EINVAL);
	assert_int_equal(ps_timer_stop(timers[0]), -EINVAL);
	assert_int_equal(ps_timer_close(timers[0]), -EINVAL);
	assert_int_equal(ps_timer_due(timers[0]), 0);
	loop_end(loop);
}

/* A plain sorted order is the model of the heap. */
TEST(ten_thousand_random_starts_stops_and_restarts_fire_in_due_order)
{
	enum { N = 10000 };
	struct ps_timer **many = calloc(N, sizeof(*many));
	unsigned seed = 12345;
	int expected = 0;
	uint64_t last = 0;

	loop = loop_new("fake");
	for (int i = 0; i < N; i++) {
		ok(ps_timer_open(loop, &many[i], count, &fired));
		ok(ps_timer_start(many[i], (uint64_t)(rand_r(&seed) % 5000) * MS, 0));
	}
	for (int i = 0; i < N; i++) {
		int which = rand_r(&seed) % N;
		if (rand_r(&seed) % 2)
			ok(ps_timer_stop(many[which]));
		else
			ok(ps_timer_start(many[which], (uint64_t)(rand_r(&seed) % 5000) * MS, 0));
	}
	for (int i = 0; i < N; i++)
		expected += ps_timer_due(many[i]) != 0;
	ok(ps_loop_run(loop, PS_RUN_DEFAULT));
	assert_int_equal(fired, expected);
	struct records records = records_read(loop, 0);
	assert_int_equal(records.lost, 0);
	assert_int_equal(records_count(&records, PS_EV_TIMER_FIRED), expected);
	for (size_t i = 0; i < records.count; i++) {
		if (records.at[i].h.event != PS_EV_TIMER_FIRED)
			continue;
		const struct ps_ev_timer *event = (const void *)&records.at[i];
		assert_true(event->due_ns >= last);
		last = event->due_ns;
	}
	free(records.at);
	for (int i = 0; i < N; i++)
		ok(ps_timer_close(many[i]));
	free(many);
	loop_end(loop);
}

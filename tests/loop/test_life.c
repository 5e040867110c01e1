/* SPDX-License-Identifier: BSD-2-Clause */
/* Life cycle: opening, running, stopping, closing, and the order of an iteration. */
#include <poll.h>
#include <sys/eventfd.h>

#include "loops.h"

static void stop_loop(void *arg)
{
	ps_loop_stop(arg);
}

TEST(close_is_refused_while_a_handle_is_open_or_the_loop_runs)
{
	struct ps_loop *loop = loop_new(NULL);
	struct ps_timer *timer;
	int fired = 0;

	ok(ps_timer_open(loop, &timer, count, &fired));
	assert_int_equal(ps_loop_close(loop), -EBUSY);
	ok(ps_timer_close(timer));
	assert_int_equal(ps_loop_close(loop), -EBUSY);
	loop_end(loop);
	assert_int_equal(fired, 0);
}

static struct ps_loop *self;
static int inner;

static void run_inside(void *arg)
{
	inner = ps_loop_run(self, PS_RUN_ONCE);
	assert_int_equal(ps_loop_close(self), -EBUSY);
	assert_int_equal(ps_loop_fork(self), -EBUSY);
}

TEST(running_a_loop_from_its_own_callback_is_refused)
{
	self = loop_new(NULL);
	ok(ps_immediate(self, run_inside, NULL));
	loop_end(self);
	assert_int_equal(inner, -EBUSY);
}

TEST(an_empty_loop_is_not_alive_and_run_returns_at_once)
{
	struct ps_loop *loop = loop_new(NULL);

	assert_false(ps_loop_alive(loop));
	assert_int_equal(ps_loop_run(loop, PS_RUN_DEFAULT), 0);
	assert_int_equal(ps_loop_run(loop, PS_RUN_ONCE), 0);
	ok(ps_loop_close(loop));
}

TEST(a_loop_lives_by_active_and_referenced_handles_only)
{
	struct ps_loop *loop = loop_new(NULL);
	struct ps_timer *timer;
	int fired = 0;

	ok(ps_timer_open(loop, &timer, count, &fired));
	assert_false(ps_loop_alive(loop));
	ok(ps_timer_start(timer, 1, 0));
	assert_true(ps_loop_alive(loop));
	ok(ps_timer_unref(timer));
	assert_false(ps_loop_alive(loop));
	ok(ps_timer_ref(timer));
	assert_true(ps_loop_alive(loop));
	ok(ps_timer_stop(timer));
	assert_false(ps_loop_alive(loop));
	ok(ps_timer_close(timer));
	assert_true(ps_loop_alive(loop)); /* it is still being closed */
	loop_end(loop);
}

TEST(once_and_nowait_poll_once_and_say_whether_something_is_left)
{
	struct ps_loop *loop = loop_new("fake");
	struct ps_timer *timer;
	int fired = 0;

	ok(ps_timer_open(loop, &timer, count, &fired));
	ok(ps_timer_start(timer, 10 * MS, 0));
	assert_int_equal(ps_loop_run(loop, PS_RUN_NOWAIT), 1);
	assert_int_equal(fake_wait_count(loop), 1);
	assert_int_equal(fake_wait_timeout(loop, 0), 0);
	assert_int_equal(fired, 0);
	assert_int_equal(ps_loop_run(loop, PS_RUN_ONCE), 0);
	assert_int_equal(fake_wait_count(loop), 2);
	assert_int_equal(fake_wait_timeout(loop, 1), 10 * MS);
	assert_int_equal(fired, 1);
	ok(ps_timer_close(timer));
	loop_end(loop);
}

TEST(stop_inside_a_callback_ends_run_after_that_iteration)
{
	struct ps_loop *loop = loop_new(NULL);
	struct ps_check *idle, *check;
	int checks = 0;

	ok(ps_idle_open(loop, &idle, stop_loop, loop));
	ok(ps_check_open(loop, &check, count, &checks));
	assert_int_equal(ps_loop_run(loop, PS_RUN_DEFAULT), 1);
	assert_int_equal(checks, 1);
	ok(ps_check_close(idle));
	ok(ps_check_close(check));
	loop_end(loop);
}

TEST(stop_before_run_makes_one_run_return_at_once)
{
	struct ps_loop *loop = loop_new(NULL);
	struct ps_check *idle;
	int idles = 0;

	ok(ps_idle_open(loop, &idle, count, &idles));
	ok(ps_loop_stop(loop));
	assert_int_equal(ps_loop_run(loop, PS_RUN_DEFAULT), 1);
	assert_int_equal(idles, 0);
	assert_int_equal(ps_loop_run(loop, PS_RUN_ONCE), 1);
	assert_int_equal(idles, 1);
	ok(ps_check_close(idle));
	loop_end(loop);
}

static void *stop_from_thread(void *arg)
{
	usleep(2000);
	ps_loop_stop(arg);
	return NULL;
}

TEST(stop_from_another_thread_ends_a_wait)
{
	struct ps_loop *loop = loop_new(NULL);
	struct ps_wake *wake;
	pthread_t thread;
	int woken = 0;

	ok(ps_wake_open(loop, &wake, count, &woken));
	ok(pthread_create(&thread, NULL, stop_from_thread, loop));
	assert_int_equal(ps_loop_run(loop, PS_RUN_DEFAULT), 1);
	ok(pthread_join(thread, NULL));
	assert_int_equal(woken, 0);
	ok(ps_wake_close(wake));
	loop_end(loop);
}

TEST(the_poll_timeout_is_the_nearest_timer)
{
	struct ps_loop *loop = loop_new(NULL);
	struct ps_timer *near, *far;
	int fired = 0;

	ok(ps_timer_open(loop, &far, count, &fired));
	ok(ps_timer_start(far, 1000000 * MS, 0));
	ok(ps_timer_open(loop, &near, stop_loop, loop));
	ps_loop_update_time(loop);
	ok(ps_timer_start(near, 3 * MS, 0));
	assert_in_range(ps_loop_timeout(loop), 0, 3 * MS);
	assert_int_equal(ps_loop_run(loop, PS_RUN_DEFAULT), 1);
	struct records records = records_read(loop, 0);
	const struct ps_ev_timer *set = records_find(&records, PS_EV_TIMER_SET, 1);
	const struct ps_ev_poll_enter *enter = records_find(&records, PS_EV_POLL_ENTER, 0);
	/* what was given to the kernel is what was left until the timer when it was given */
	assert_true(set && enter);
	assert_int_equal(enter->timeout_ns, set->due_ns - enter->h.ts);
	const struct ps_ev_poll_return *back = records_find(&records, PS_EV_POLL_RETURN, 0);
	assert_true(back->h.ts - back->entered_ns >= (uint64_t)enter->timeout_ns);
	free(records.at);
	ok(ps_timer_close(near));
	ok(ps_timer_close(far));
	loop_end(loop);
}

static uint64_t seen[4];
static int seen_count;

static void read_time(void *arg)
{
	seen[seen_count++] = ps_loop_now(arg);
	if (seen_count == 1) {
		fake_set_time(arg, fake_time(arg) + 5 * MS);
		assert_int_equal(ps_loop_now(arg), seen[0]);
		ps_loop_update_time(arg);
		assert_int_equal(ps_loop_now(arg), seen[0] + 5 * MS);
	} else {
		fake_set_time(arg, fake_time(arg) + 5 * MS);
		assert_int_equal(ps_loop_now(arg), seen[seen_count - 1]);
	}
}

TEST(the_cached_time_moves_at_the_start_of_timers_after_poll_and_on_request_only)
{
	struct ps_loop *loop = loop_new("fake");
	struct ps_check *prepare, *check;
	uint64_t start = fake_time(loop);

	ok(ps_prepare_open(loop, &prepare, read_time, loop));
	ok(ps_check_open(loop, &check, read_time, loop));
	ok(ps_immediate(loop, read_time, loop));
	assert_int_equal(ps_loop_run(loop, PS_RUN_NOWAIT), 1);
	assert_int_equal(seen_count, 3);
	assert_int_equal(seen[0], start);
	assert_int_equal(seen[1], start + 5 * MS);
	assert_int_equal(seen[2], start + 5 * MS);
	ok(ps_check_close(prepare));
	ok(ps_check_close(check));
	loop_end(loop);
}

static struct ps_timer *closed_timer;

static void on_io(struct ps_io *io, uint32_t events, void *arg)
{
	note("poll");
	ok(ps_io_close(io));
}

static void closed_stream(struct ps_stream *stream, void *arg)
{
	note("closing");
}

static void no_read(struct ps_stream *stream, const void *data, ssize_t bytes, void *arg)
{
}

TEST(the_phases_run_in_order_and_are_recorded_in_that_order)
{
	static const struct ps_stream_events events = { .read = no_read, .closed = closed_stream };
	struct ps_loop *loop = loop_new(NULL);
	struct ps_check *idle, *prepare, *check;
	struct ps_stream *stream;
	struct ps_io *io, *bad;
	int pair[2], fd = eventfd(1, 0), closed = dup(fd);

	ok(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	ok(ps_stream_open(loop, &stream, pair[0], &events, NULL));
	ok(ps_timer_open(loop, &closed_timer, note, "timers"));
	ok(ps_idle_open(loop, &idle, note, "idle"));
	ok(ps_prepare_open(loop, &prepare, note, "prepare"));
	ok(ps_check_open(loop, &check, note, "check"));
	ok(ps_io_open(loop, &io, fd, on_io, NULL));
	ok(ps_io_start(io, PS_READABLE));
	/* a descriptor that the poller refuses is told in the pending phase of the next iteration */
	ok(ps_io_open(loop, &bad, closed, on_io, NULL));
	close(closed);
	ok(ps_io_start(bad, PS_READABLE));
	assert_int_equal(ps_loop_run(loop, PS_RUN_NOWAIT), 1);
	assert_string_equal(trace, "idle prepare poll check ");
	ok(ps_timer_start(closed_timer, 0, 0));
	ok(ps_stream_close(stream));
	struct ps_ring_header header;
	assert_true(pread(loop->memory.fd, &header, sizeof(header), 0) == sizeof(header));
	trace[0] = 0;
	assert_int_equal(ps_loop_run(loop, PS_RUN_NOWAIT), 1);
	assert_string_equal(trace, "timers poll idle prepare check closing ");

	static const uint32_t order[] = { PS_PHASE_TIMERS, PS_PHASE_PENDING, PS_PHASE_IDLE, PS_PHASE_PREPARE,
					  PS_PHASE_POLL, PS_PHASE_CHECK, PS_PHASE_CLOSING };
	struct records records = records_read(loop, header.head);
	assert_int_equal(records_count(&records, PS_EV_PHASE), 7);
	for (size_t i = 0; i < 7; i++)
		assert_int_equal(((const struct ps_ev_phase *)records_find(&records, PS_EV_PHASE, i))->phase, order[i]);
	assert_int_equal(records_count(&records, PS_EV_ITERATION), 1);
	free(records.at);
	close(pair[1]);
	close(fd);
	ok(ps_timer_close(closed_timer));
	ok(ps_check_close(idle));
	ok(ps_check_close(prepare));
	ok(ps_check_close(check));
	loop_end(loop);
}

static int64_t sleep_long(void *arg)
{
	sleep(60);
	return 0;
}

static void no_done(struct ps_work *work, int64_t result, void *arg)
{
}

TEST(a_process_exits_while_pool_work_is_in_flight)
{
	pid_t child = fork();
	int status;

	if (!child) {
		struct ps_loop *loop = loop_new(NULL);
		struct ps_work *work;
		if (ps_work_submit(loop, &work, sleep_long, no_done, NULL) ||
		    ps_loop_run(loop, PS_RUN_NOWAIT) != 1 || ps_loop_close(loop) != -EBUSY)
			_exit(1);
		exit(42);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 42);
}

static void *send_soon(void *arg)
{
	usleep(2000);
	ps_wake_send(arg);
	return NULL;
}

TEST(another_poller_can_drive_the_loop_through_its_descriptor)
{
	struct ps_loop *loop = loop_new(NULL);
	struct ps_wake *wake;
	struct ps_io *io;
	pthread_t thread;
	int woken = 0, fd = eventfd(0, EFD_NONBLOCK);
	uint64_t one = 1;

	ok(ps_wake_open(loop, &wake, count, &woken));
	ok(ps_io_open(loop, &io, fd, on_io, NULL));
	ok(ps_io_start(io, PS_READABLE));
	assert_int_equal(ps_loop_run(loop, PS_RUN_NOWAIT), 1);
	struct pollfd pollfd = { .fd = ps_loop_fd(loop), .events = POLLIN };
	assert_int_equal(poll(&pollfd, 1, 0), 0);
	ok(pthread_create(&thread, NULL, send_soon, wake));
	assert_int_equal(poll(&pollfd, 1, 4000), 1);
	assert_int_equal(ps_loop_run(loop, PS_RUN_NOWAIT), 1);
	ok(pthread_join(thread, NULL));
	assert_int_equal(woken, 1);
	assert_int_equal(poll(&pollfd, 1, 0), 0);
	assert_int_equal(write(fd, &one, sizeof(one)), sizeof(one));
	assert_int_equal(poll(&pollfd, 1, 4000), 1);
	assert_int_equal(ps_loop_run(loop, PS_RUN_NOWAIT), 1);
	assert_string_equal(trace, "poll ");
	ok(ps_wake_close(wake));
	close(fd);
	loop_end(loop);
}

static int64_t one_of(void *arg)
{
	return 1;
}

static void add_result(struct ps_work *work, int64_t result, void *arg)
{
	*(int64_t *)arg += result;
}

static void *own_loop(void *arg)
{
	struct ps_loop *loop = loop_new(NULL);
	int64_t sum = 0;

	for (int i = 0; i < 200; i++)
		ok(ps_work_submit(loop, NULL, one_of, add_result, &sum));
	loop_end(loop);
	return (void *)(intptr_t)sum;
}

TEST(many_loops_in_many_threads_share_the_pool)
{
	pthread_t threads[16];
	void *sum;

	for (int i = 0; i < 16; i++)
		ok(pthread_create(&threads[i], NULL, own_loop, NULL));
	for (int i = 0; i < 16; i++) {
		ok(pthread_join(threads[i], &sum));
		assert_int_equal((intptr_t)sum, 200);
	}
	assert_int_equal(ps_pool_threads(), 4);
}

TEST(wrong_arguments_are_refused_and_never_crash)
{
	struct ps_loop_options options = { .size = sizeof(options), .ring_slots = 100 };
	struct ps_loop_info info = { .size = 1 };
	struct ps_loop *loop;
	struct ps_timer *timer;
	struct ps_io *io;

	assert_int_equal(ps_loop_open(NULL, NULL), -EINVAL);
	assert_int_equal(ps_loop_open(&loop, &options), -EINVAL);
	options.ring_slots = 2 * PS_RING_MAX_SLOTS;
	assert_int_equal(ps_loop_open(&loop, &options), -EINVAL);
	options.ring_slots = 0;
	options.size = 3;
	assert_int_equal(ps_loop_open(&loop, &options), -EINVAL);
	options.size = sizeof(options);
	options.backend = "abacus";
	assert_int_equal(ps_loop_open(&loop, &options), -ENOTSUP);
	loop = loop_new(NULL);
	assert_int_equal(ps_loop_run(loop, (enum ps_run_mode)7), -EINVAL);
	assert_int_equal(ps_loop_run(NULL, PS_RUN_ONCE), -EINVAL);
	assert_int_equal(ps_loop_info(loop, &info), -EINVAL);
	assert_int_equal(ps_timer_open(loop, &timer, NULL, NULL), -EINVAL);
	assert_int_equal(ps_timer_start(NULL, 0, 0), -EINVAL);
	assert_int_equal(ps_next_tick(loop, NULL, NULL), -EINVAL);
	assert_int_equal(ps_immediate(NULL, stop_loop, NULL), -EINVAL);
	assert_int_equal(ps_io_open(loop, &io, -1, on_io, NULL), -EBADF);
	assert_int_equal(ps_io_open(loop, &io, 999, on_io, NULL), -EBADF);
	assert_int_equal(ps_pool_resize(0), -EINVAL);
	assert_int_equal(ps_pool_resize(1025), -EINVAL);
	assert_int_equal(ps_wake_send(NULL), -EINVAL);
	assert_int_equal(ps_work_cancel(NULL), -EINVAL);
	ok(ps_loop_close(NULL));
	loop_end(loop);
}

TEST(info_tells_the_counters_and_gauges)
{
	struct ps_loop *loop = loop_new("fake");
	struct ps_loop_info info = { .size = sizeof(info) };
	struct ps_timer *timer;
	int fired = 0;

	ok(ps_loop_info(loop, &info));
	assert_int_equal(info.next_due_ns, UINT64_MAX);
	ok(ps_timer_open(loop, &timer, count, &fired));
	ok(ps_timer_start(timer, 7 * MS, 0));
	ok(ps_immediate(loop, count, &fired));
	ok(ps_loop_info(loop, &info));
	assert_int_equal(info.next_due_ns, fake_time(loop) + 7 * MS);
	assert_int_equal(info.timers, 1);
	assert_int_equal(info.handles, 1);
	assert_int_equal(info.immediates, 1);
	assert_int_equal(ps_loop_run(loop, PS_RUN_NOWAIT), 1);
	assert_int_equal(ps_loop_run(loop, PS_RUN_ONCE), 0);
	ok(ps_loop_info(loop, &info));
	assert_int_equal(info.iterations, 2);
	assert_int_equal(info.polls, 2);
	assert_int_equal(info.wait_ns, 7 * MS);
	assert_true(info.records > 8);
	ok(ps_timer_close(timer));
	loop_end(loop);
}

static int walked, closing;

static void walk_and_close(const struct ps_handle_info *info, void *arg)
{
	walked++;
	closing += info->is_closing;
	if (info->kind == PS_KIND_TIMER && !info->is_closing)
		ok(ps_timer_close(info->handle));
}

TEST(handles_can_be_walked_while_they_are_closed)
{
	struct ps_loop *loop = loop_new(NULL);
	struct ps_timer *timer;
	struct ps_wake *wake;
	int fired = 0;

	for (int i = 0; i < 100; i++)
		ok(ps_timer_open(loop, &timer, count, &fired));
	ok(ps_wake_open(loop, &wake, count, &fired));
	ok(ps_loop_walk(loop, walk_and_close, NULL));
	assert_int_equal(walked, 101);
	assert_int_equal(closing, 0);
	ok(ps_loop_walk(loop, walk_and_close, NULL));
	assert_int_equal(walked, 202);
	assert_int_equal(closing, 100);
	ok(ps_wake_close(wake));
	loop_end(loop);
}

TEST(unreferenced_handles_of_any_kind_do_not_keep_the_loop_alive)
{
	struct ps_loop *loop = loop_new(NULL);
	struct ps_check *idle;
	struct ps_wake *wake;
	struct ps_signal *signal;
	struct ps_io *io;
	int fd = eventfd(0, 0), calls = 0;

	ok(ps_idle_open(loop, &idle, count, &calls));
	ok(ps_check_unref(idle));
	ok(ps_wake_open(loop, &wake, count, &calls));
	ok(ps_wake_unref(wake));
	ok(ps_signal_open(loop, &signal, 10, NULL, NULL) == -EINVAL ? 0 : 1);
	ok(ps_io_open(loop, &io, fd, on_io, NULL));
	ok(ps_io_start(io, PS_READABLE));
	assert_true(ps_loop_alive(loop));
	ok(ps_io_unref(io));
	assert_false(ps_loop_alive(loop));
	ok(ps_loop_run(loop, PS_RUN_DEFAULT));
	assert_int_equal(calls, 0);
	ok(ps_check_close(idle));
	ok(ps_wake_close(wake));
	ok(ps_io_close(io));
	close(fd);
	loop_end(loop);
}

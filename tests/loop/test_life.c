/* SPDX-License-Identifier: BSD-2-Clause */
/* Life cycle: opening, running, stopping, closing, and the order of an iteration. */
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>

#include "kernel_wait.h"
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
	assert_int_equal(kernel_wait.timeout_ns, enter->timeout_ns);
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

static int order_closed;

static void note_closed(struct ps_stream *stream, void *arg)
{
	note(arg);
	order_closed++;
	assert_int_equal(ps_stream_close(stream), -EINVAL);
}

static void close_stream(void *arg)
{
	note("prepare");
	ok(ps_stream_close(*(struct ps_stream **)arg));
	*(struct ps_stream **)arg = NULL;
}

TEST(close_callbacks_run_once_in_the_closing_phase_after_check)
{
	static const struct ps_stream_events events = { .read = no_read, .closed = note_closed };
	struct ps_loop *loop = loop_new(NULL);
	struct ps_check *prepare, *check;
	struct ps_stream *streams[2], *in_prepare;
	int pairs[2][2];

	for (int i = 0; i < 2; i++) {
		ok(socketpair(AF_UNIX, SOCK_STREAM, 0, pairs[i]));
		ok(ps_stream_open(loop, &streams[i], pairs[i][0], &events, i ? "second" : "first"));
	}
	in_prepare = streams[1];
	ok(ps_prepare_open(loop, &prepare, close_stream, &in_prepare));
	ok(ps_check_open(loop, &check, note, "check"));
	ok(ps_stream_close(streams[0]));
	assert_int_equal(ps_loop_run(loop, PS_RUN_NOWAIT), 1);
	assert_string_equal(trace, "prepare check first second ");
	ok(ps_check_close(prepare));
	ok(ps_check_close(check));
	loop_end(loop);
	assert_int_equal(order_closed, 2);
	close(pairs[0][1]);
	close(pairs[1][1]);
}

/* ---- every kind of handle, closed by its own callback, with the memory that the callback was given ---- */

struct own {
	void *handle;
	int number;
};

static int closed_by_itself;

static struct own *own_new(int number)
{
	struct own *own = malloc(sizeof(*own));

	own->number = number;
	return own;
}

static void free_own(struct own *own, int number)
{
	assert_int_equal(own->number, number);
	memset(own, 0xee, sizeof(*own));
	free(own);
	closed_by_itself++;
}

static void close_own_timer(void *arg)
{
	ok(ps_timer_close(((struct own *)arg)->handle));
	free_own(arg, 1);
}

static void close_own_hook(void *arg)
{
	ok(ps_check_close(((struct own *)arg)->handle));
	free_own(arg, 2);
}

static void close_own_io(struct ps_io *io, uint32_t events, void *arg)
{
	ok(ps_io_close(io));
	free_own(arg, 3);
}

static void close_own_wake(void *arg)
{
	ok(ps_wake_close(((struct own *)arg)->handle));
	free_own(arg, 4);
}

static void close_own_signal(struct ps_signal *signal, int number, void *arg)
{
	ok(ps_signal_close(signal));
	free_own(arg, 5);
}

static void close_own_stream(struct ps_stream *stream, const void *data, ssize_t bytes, void *arg)
{
	ok(ps_stream_close(stream));
	free_own(arg, 6);
}

static void close_own_listener(struct ps_listener *listener, struct ps_stream *stream, void *arg)
{
	ok(ps_listener_close(listener));
	ok(ps_stream_close(stream));
	free_own(arg, 7);
}

TEST(a_handle_of_any_kind_may_be_closed_and_its_argument_freed_in_its_own_callback)
{
	static const struct ps_stream_events reading = { .read = close_own_stream }, silent = { .read = no_read };
	struct ps_loop *loop = loop_new(NULL);
	struct own *own[10];
	struct ps_stream *stream;
	struct ps_signal *signal;
	struct ps_listener *listener;
	struct ps_io *io;
	int pair[2], fd = eventfd(1, 0);

	for (int i = 0; i < 10; i++)
		own[i] = own_new(i < 7 ? i + 1 : 2);
	ok(ps_timer_open(loop, (struct ps_timer **)&own[0]->handle, close_own_timer, own[0]));
	ok(ps_timer_start(own[0]->handle, 0, 1));
	ok(ps_idle_open(loop, (struct ps_check **)&own[1]->handle, close_own_hook, own[1]));
	ok(ps_prepare_open(loop, (struct ps_check **)&own[7]->handle, close_own_hook, own[7]));
	ok(ps_check_open(loop, (struct ps_check **)&own[8]->handle, close_own_hook, own[8]));
	ok(ps_io_open(loop, &io, fd, close_own_io, own[2]));
	ok(ps_io_start(io, PS_READABLE));
	ok(ps_wake_open(loop, (struct ps_wake **)&own[3]->handle, close_own_wake, own[3]));
	ok(ps_wake_send(own[3]->handle));
	ok(ps_signal_open(loop, &signal, SIGUSR1, close_own_signal, own[4]));
	ok(raise(SIGUSR1));
	ok(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	ok(ps_stream_open(loop, &stream, pair[0], &reading, own[5]));
	ok(ps_stream_start(stream));
	close(pair[1]);
	ok(ps_tcp_listen(loop, &listener, "127.0.0.1", 0, 0, close_own_listener, own[6]));
	ok(ps_tcp_connect(loop, &stream, "127.0.0.1", ps_listener_port(listener), &silent, NULL));
	while (closed_by_itself < 9)
		assert_true(ps_loop_run(loop, PS_RUN_ONCE) >= 0);
	ok(ps_stream_close(stream));
	free(own[9]);
	close(fd);
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

static struct ps_check *no_hook;

TEST(a_null_callback_is_rejected_by_whatever_takes_one)
{
	static const struct ps_stream_events nothing = { 0 };
	struct ps_loop *loop = loop_new(NULL);
	struct ps_timer *timer;
	struct ps_wake *wake;
	struct ps_signal *signal;
	struct ps_io *io;
	struct ps_stream *stream, *other;
	struct ps_listener *listener;
	struct ps_http_server *server;
	struct ps_emitter *emitter;
	struct stat st;
	char byte;

	assert_int_equal(ps_timer_open(loop, &timer, NULL, NULL), -EINVAL);
	assert_int_equal(ps_idle_open(loop, &no_hook, NULL, NULL), -EINVAL);
	assert_int_equal(ps_prepare_open(loop, &no_hook, NULL, NULL), -EINVAL);
	assert_int_equal(ps_check_open(loop, &no_hook, NULL, NULL), -EINVAL);
	assert_int_equal(ps_next_tick(loop, NULL, NULL), -EINVAL);
	assert_int_equal(ps_immediate(loop, NULL, NULL), -EINVAL);
	assert_int_equal(ps_io_open(loop, &io, 0, NULL, NULL), -EINVAL);
	assert_int_equal(ps_wake_open(loop, &wake, NULL, NULL), -EINVAL);
	assert_int_equal(ps_signal_open(loop, &signal, SIGUSR1, NULL, NULL), -EINVAL);
	assert_int_equal(ps_loop_walk(loop, NULL, NULL), -EINVAL);
	assert_int_equal(ps_work_submit(loop, NULL, NULL, no_done, NULL), -EINVAL);
	assert_int_equal(ps_work_submit(loop, NULL, sleep_long, NULL, NULL), -EINVAL);
	assert_int_equal(ps_fs_stat(loop, "/", &st, NULL, NULL), -EINVAL);
	assert_int_equal(ps_random(loop, &byte, 1, NULL, NULL), -EINVAL);
	assert_int_equal(ps_tcp_listen(loop, &listener, "127.0.0.1", 0, 0, NULL, NULL), -EINVAL);
	assert_int_equal(ps_unix_listen(loop, &listener, "/tmp/x", 0, NULL, NULL), -EINVAL);
	assert_int_equal(ps_tcp_connect(loop, &stream, "127.0.0.1", 1, &nothing, NULL), -EINVAL);
	assert_int_equal(ps_tcp_connect(loop, &stream, "127.0.0.1", 1, NULL, NULL), -EINVAL);
	assert_int_equal(ps_unix_connect(loop, &stream, "/tmp/x", &nothing, NULL), -EINVAL);
	assert_int_equal(ps_stream_open(loop, &stream, 0, &nothing, NULL), -EINVAL);
	assert_int_equal(ps_pipe_open(loop, &stream, &other, &nothing, NULL), -EINVAL);
	assert_int_equal(ps_fifo_open(loop, &stream, "/tmp/x", O_RDONLY, &nothing, NULL), -EINVAL);
	assert_int_equal(ps_http_listen(loop, &server, "127.0.0.1", 0, NULL, NULL, NULL), -EINVAL);
	ok(ps_emitter_open(&emitter));
	assert_int_equal(ps_emitter_on(emitter, "x", NULL, NULL), -EINVAL);
	assert_int_equal(ps_emitter_once(emitter, "x", NULL, NULL), -EINVAL);
	ps_emitter_close(emitter);
	assert_false(ps_loop_alive(loop));
	loop_end(loop);
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

/* SPDX-License-Identifier: BSD-2-Clause */
/* Descriptors: interest, readiness, reuse of numbers, and what the kernel reports of the dead. */
#include <signal.h>
#include <sys/eventfd.h>

#include "loops.h"

static struct ps_loop *loop;
static struct ps_io *ios[4096];
static int calls[4096];

static int ready_fd(void)
{
	return eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);
}

static void count_call(struct ps_io *io, uint32_t events, void *arg)
{
	calls[(intptr_t)arg]++;
}

static void watch(int index, int fd, ps_io_fn *fn, uint32_t events)
{
	ok(ps_io_open(loop, &ios[index], fd, fn, (void *)(intptr_t)index));
	ok(ps_io_start(ios[index], events));
}

TEST(one_descriptor_may_be_watched_twice)
{
	int fd = ready_fd();

	loop = loop_new(NULL);
	watch(0, fd, count_call, PS_READABLE);
	watch(1, fd, count_call, PS_READABLE | PS_WRITABLE);
	ps_loop_run(loop, PS_RUN_NOWAIT);
	assert_int_equal(calls[0], 1);
	assert_int_equal(calls[1], 1);
	ok(ps_io_close(ios[0]));
	ps_loop_run(loop, PS_RUN_NOWAIT);
	assert_int_equal(calls[0], 1);
	assert_int_equal(calls[1], 2);
	ok(ps_io_close(ios[1]));
	loop_end(loop);
	close(fd);
}

static uint32_t last_events;

static void keep_events(struct ps_io *io, uint32_t events, void *arg)
{
	last_events = events;
	calls[0]++;
}

TEST(read_and_write_interest_are_independent)
{
	int pair[2];

	loop = loop_new(NULL);
	ok(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair));
	watch(0, pair[0], keep_events, PS_WRITABLE);
	ps_loop_run(loop, PS_RUN_NOWAIT);
	assert_int_equal(last_events, PS_WRITABLE);
	ok(ps_io_start(ios[0], PS_READABLE));
	last_events = 0;
	ps_loop_run(loop, PS_RUN_NOWAIT);
	assert_int_equal(last_events, 0);
	assert_int_equal(write(pair[1], "x", 1), 1);
	ps_loop_run(loop, PS_RUN_NOWAIT);
	assert_int_equal(last_events, PS_READABLE);
	ok(ps_io_start(ios[0], PS_READABLE | PS_WRITABLE));
	ps_loop_run(loop, PS_RUN_NOWAIT);
	assert_int_equal(last_events, PS_READABLE | PS_WRITABLE);
	assert_int_equal(ps_io_start(ios[0], 64), -EINVAL);
	ok(ps_io_close(ios[0]));
	loop_end(loop);
	close(pair[0]);
	close(pair[1]);
}

TEST(a_regular_file_is_refused_clearly)
{
	struct ps_io *io;
	int fd = open("/proc/self/exe", O_RDONLY), directory = open("/", O_RDONLY | O_DIRECTORY);

	loop = loop_new(NULL);
	assert_int_equal(ps_io_open(loop, &io, fd, count_call, NULL), -EPERM);
	assert_int_equal(ps_io_open(loop, &io, directory, count_call, NULL), -EPERM);
	close(fd);
	close(directory);
	loop_end(loop);
}

TEST(a_descriptor_closed_behind_the_loops_back_does_not_spin)
{
	struct ps_loop_info info = { .size = sizeof(info) };
	struct ps_timer *timer;
	int fired = 0, fd = ready_fd();

	loop = loop_new(NULL);
	watch(0, fd, count_call, PS_READABLE);
	ps_loop_run(loop, PS_RUN_NOWAIT);
	close(fd);
	ok(ps_timer_open(loop, &timer, count, &fired));
	ps_loop_update_time(loop);
	ok(ps_timer_start(timer, 20 * MS, 0));
	while (!fired)
		ps_loop_run(loop, PS_RUN_ONCE);
	ok(ps_loop_info(loop, &info));
	assert_true(info.polls <= 4);
	assert_int_equal(calls[0], 1);
	ok(ps_io_close(ios[0]));
	ok(ps_timer_close(timer));
	loop_end(loop);
}

static int reused;

/* Closes the other one of 0 and 1, and opens and watches a descriptor of the same number that is not ready. */
static void replace_the_other(struct ps_io *io, uint32_t events, void *arg)
{
	int other = !(intptr_t)arg, fd = ps_io_fd(ios[other]);

	calls[(intptr_t)arg]++;
	ok(ps_io_close(ios[other]));
	close(fd);
	reused = eventfd(0, EFD_NONBLOCK);
	assert_int_equal(reused, fd);
	watch(2, reused, count_call, PS_READABLE);
	ok(ps_io_close(io));
}

TEST(readiness_of_a_closed_and_reused_number_is_not_delivered)
{
	int a = ready_fd(), b = ready_fd();

	loop = loop_new(NULL);
	watch(0, a, replace_the_other, PS_READABLE);
	watch(1, b, replace_the_other, PS_READABLE);
	ps_loop_run(loop, PS_RUN_NOWAIT);
	ps_loop_run(loop, PS_RUN_NOWAIT);
	assert_int_equal(calls[0] + calls[1], 1);
	assert_int_equal(calls[2], 0);
	ok(ps_io_close(ios[2]));
	ps_loop_run(loop, PS_RUN_NOWAIT);
	/* both lives of the number are in the record, told apart by their generation */
	struct records records = records_read(loop, 0);
	uint32_t generations[2] = { 0, 0 }, n = 0;
	for (size_t i = 0; i < records.count; i++) {
		const struct ps_ev_fd_interest *event = (const void *)&records.at[i];
		if (event->h.event == PS_EV_FD_INTEREST && event->op == PS_INTEREST_ADD && event->fd == reused)
			generations[n++ & 1] = event->generation;
	}
	assert_int_equal(n, 2);
	assert_int_not_equal(generations[0], generations[1]);
	free(records.at);
	loop_end(loop);
	close(a);
	close(b);
}

TEST(a_duplicate_that_outlives_its_twin_leaves_no_dead_registration)
{
	struct ps_loop_info before = { .size = sizeof(before) }, after = before;
	struct ps_timer *timer;
	int fired = 0, fd = ready_fd(), twin = dup(fd), other = ready_fd();

	loop = loop_new(NULL);
	watch(0, fd, count_call, PS_READABLE);
	watch(1, other, count_call, PS_READABLE);
	ps_loop_run(loop, PS_RUN_NOWAIT);
	close(fd); /* the twin keeps the kernel's registration alive, under a number that is gone */
	ok(ps_io_close(ios[0]));
	ps_loop_run(loop, PS_RUN_NOWAIT);
	uint64_t value;
	assert_int_equal(read(other, &value, sizeof(value)), sizeof(value));
	ps_loop_run(loop, PS_RUN_NOWAIT);
	ok(ps_timer_open(loop, &timer, count, &fired));
	ps_loop_update_time(loop);
	ok(ps_timer_start(timer, 20 * MS, 0));
	ok(ps_loop_info(loop, &before));
	while (!fired)
		ps_loop_run(loop, PS_RUN_ONCE);
	ok(ps_loop_info(loop, &after));
	assert_true(after.polls - before.polls <= 3);
	/* the record shows the watched life of the number end, and nothing ready of it after that */
	struct records records = records_read(loop, 0);
	int has_ended = 0;
	for (size_t i = 0; i < records.count; i++) {
		const struct ps_ev_fd_interest *interest = (const void *)&records.at[i];
		const struct ps_ev_fd_ready *ready = (const void *)&records.at[i];
		if (interest->h.event == PS_EV_FD_INTEREST && interest->fd == fd)
			has_ended = interest->op == PS_INTEREST_REMOVE;
		if (ready->h.event == PS_EV_FD_READY && ready->fd == fd)
			assert_false(has_ended);
	}
	assert_true(has_ended);
	free(records.at);
	/* what lives is still watched */
	calls[1] = 0;
	assert_int_equal(write(other, &(uint64_t){ 1 }, 8), 8);
	ps_loop_run(loop, PS_RUN_NOWAIT);
	assert_int_equal(calls[1], 1);
	ok(ps_io_close(ios[1]));
	ok(ps_timer_close(timer));
	loop_end(loop);
	close(twin);
	close(other);
}

TEST(an_error_is_told_even_if_nobody_reads)
{
	int pair[2];

	loop = loop_new(NULL);
	ok(pipe(pair));
	watch(0, pair[1], keep_events, PS_WRITABLE);
	close(pair[0]);
	ps_loop_run(loop, PS_RUN_NOWAIT);
	assert_int_equal(calls[0], 1);
	assert_true(last_events & PS_ERROR);
	ok(ps_io_close(ios[0]));
	close(pair[1]);
	loop_end(loop);
}

static size_t got;
static int ended;

static void drain_fd(struct ps_io *io, uint32_t events, void *arg)
{
	char buffer[100];
	ssize_t n = read(ps_io_fd(io), buffer, sizeof(buffer));

	if (n > 0) {
		got += (size_t)n;
	} else if (n == 0) {
		ended++;
		ok(ps_io_close(io));
	}
}

TEST(data_before_the_end_is_all_delivered)
{
	char data[1000] = "";
	int pair[2];

	loop = loop_new(NULL);
	ok(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair));
	watch(0, pair[0], drain_fd, PS_READABLE);
	assert_int_equal(write(pair[1], data, sizeof(data)), sizeof(data));
	close(pair[1]);
	loop_end(loop);
	assert_int_equal(got, sizeof(data));
	assert_int_equal(ended, 1);
	close(pair[0]);
}

static void close_all(struct ps_io *io, uint32_t events, void *arg)
{
	calls[0]++;
	for (int i = 0; i < 2500; i++)
		ok(ps_io_close(ios[i]));
}

static void raise_limit(void)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_max < 4096)
		SKIP("not enough descriptors");
}

TEST(all_of_2500_ready_sockets_closed_by_the_first_callback_stay_silent)
{
	static int fds[2500];

	raise_limit();
	loop = loop_new(NULL);
	for (int i = 0; i < 2500; i++) {
		fds[i] = ready_fd();
		watch(i, fds[i], close_all, PS_READABLE);
	}
	loop_end(loop);
	assert_int_equal(calls[0], 1);
	for (int i = 0; i < 2500; i++)
		close(fds[i]);
}

TEST(more_ready_descriptors_than_room_are_served_fairly)
{
	enum { N = 3000 };
	static int fds[N];

	raise_limit();
	loop = loop_new(NULL);
	for (int i = 0; i < N; i++) {
		fds[i] = ready_fd();
		watch(i, fds[i], count_call, PS_READABLE);
	}
	for (int i = 0; i < 6; i++) /* a wait may bring as few as 512 */
		ps_loop_run(loop, PS_RUN_NOWAIT);
	for (int i = 0; i < N; i++) {
		assert_in_range(calls[i], 1, 3);
		ok(ps_io_close(ios[i]));
		close(fds[i]);
	}
	loop_end(loop);
}

static void on_alarm(int number)
{
}

TEST(an_interrupted_wait_is_invisible)
{
	struct sigaction action = { .sa_handler = on_alarm }; /* without SA_RESTART */
	struct ps_timer *timer;
	int fired = 0;

	loop = loop_new(NULL);
	ok(sigaction(SIGALRM, &action, NULL));
	ualarm(1000, 1000);
	ok(ps_timer_open(loop, &timer, count, &fired));
	ps_loop_update_time(loop);
	ok(ps_timer_start(timer, 20 * MS, 0));
	ok(ps_loop_run(loop, PS_RUN_DEFAULT));
	ualarm(0, 0);
	assert_int_equal(fired, 1);
	ok(ps_timer_close(timer));
	loop_end(loop);
}

static void close_sibling(struct ps_io *io, uint32_t events, void *arg)
{
	calls[(intptr_t)arg]++;
	ok(ps_io_close(ios[0]));
	ok(ps_io_close(ios[1]));
	assert_int_equal(ps_io_close(io), -EINVAL);
	assert_int_equal(ps_io_start(io, PS_READABLE), -EINVAL);
	assert_int_equal(ps_io_fd(io), -EINVAL);
}

TEST(a_callback_that_closes_itself_and_its_sibling_is_the_last)
{
	int a = ready_fd(), b = ready_fd();

	loop = loop_new(NULL);
	watch(0, a, close_sibling, PS_READABLE);
	watch(1, b, close_sibling, PS_READABLE);
	loop_end(loop);
	assert_int_equal(calls[0] + calls[1], 1);
	close(a);
	close(b);
}

static void stop_sibling(struct ps_io *io, uint32_t events, void *arg)
{
	calls[(intptr_t)arg]++;
	ok(ps_io_start(ios[0], 0));
	ok(ps_io_start(ios[1], 0));
}

TEST(a_callback_that_stops_itself_and_its_sibling_is_the_last_until_they_are_started_again)
{
	int a = ready_fd(), b = ready_fd();

	loop = loop_new(NULL);
	watch(0, a, stop_sibling, PS_READABLE);
	watch(1, b, stop_sibling, PS_READABLE);
	for (int i = 0; i < 3; i++)
		ps_loop_run(loop, PS_RUN_NOWAIT);
	assert_int_equal(calls[0] + calls[1], 1);
	assert_false(ps_loop_alive(loop));
	ok(ps_io_start(ios[1], PS_READABLE));
	ps_loop_run(loop, PS_RUN_NOWAIT);
	assert_int_equal(calls[0] + calls[1], 2);
	ok(ps_io_close(ios[0]));
	ok(ps_io_close(ios[1]));
	loop_end(loop);
	close(a);
	close(b);
}

TEST(starting_twice_is_starting_once)
{
	int fd = ready_fd();

	loop = loop_new(NULL);
	watch(0, fd, count_call, PS_READABLE);
	ok(ps_io_start(ios[0], PS_READABLE));
	ps_loop_run(loop, PS_RUN_NOWAIT);
	assert_int_equal(calls[0], 1);
	ok(ps_io_start(ios[0], 0));
	ok(ps_io_start(ios[0], 0));
	assert_int_equal(ps_loop_run(loop, PS_RUN_NOWAIT), 0);
	assert_int_equal(calls[0], 1);
	ok(ps_io_close(ios[0]));
	loop_end(loop);
	close(fd);
}

TEST(interest_that_comes_and_goes_within_an_iteration_costs_the_poller_nothing)
{
	int fd = ready_fd();

	loop = loop_new(NULL);
	watch(0, fd, count_call, PS_READABLE);
	for (int i = 0; i < 100; i++) {
		ok(ps_io_start(ios[0], PS_READABLE | PS_WRITABLE));
		ok(ps_io_start(ios[0], PS_READABLE));
	}
	ps_loop_run(loop, PS_RUN_NOWAIT);
	struct records records = records_read(loop, 0);
	assert_int_equal(records_count(&records, PS_EV_FD_INTEREST), 1);
	free(records.at);
	ok(ps_io_close(ios[0]));
	loop_end(loop);
	close(fd);
}

TEST(scripted_readiness_of_the_fake_backend_is_dispatched_like_any)
{
	loop = loop_new("fake");
	int fd = ready_fd();
	watch(0, fd, keep_events, PS_READABLE | PS_WRITABLE);
	ps_loop_run(loop, PS_RUN_NOWAIT);
	assert_int_equal(fake_interest(loop, fd), PS_READABLE | PS_WRITABLE);
	ok(fake_ready(loop, fd, PS_WRITABLE));
	ps_loop_run(loop, PS_RUN_NOWAIT);
	assert_int_equal(calls[0], 1);
	assert_int_equal(last_events, PS_WRITABLE);
	ok(ps_io_close(ios[0]));
	loop_end(loop);
	close(fd);
}

TEST(edge_triggered_interest_is_told_once_per_edge)
{
	int pair[2];

	loop = loop_new(NULL);
	ok(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair));
	watch(0, pair[0], count_call, PS_READABLE | PS_EDGE);
	assert_int_equal(write(pair[1], "x", 1), 1);
	for (int i = 0; i < 3; i++)
		ps_loop_run(loop, PS_RUN_NOWAIT);
	assert_int_equal(calls[0], 1);
	assert_int_equal(write(pair[1], "y", 1), 1);
	for (int i = 0; i < 3; i++)
		ps_loop_run(loop, PS_RUN_NOWAIT);
	assert_int_equal(calls[0], 2);
	/* a second watcher that asks for levels gets them */
	watch(1, pair[0], count_call, PS_READABLE);
	for (int i = 0; i < 3; i++)
		ps_loop_run(loop, PS_RUN_NOWAIT);
	assert_true(calls[1] >= 2);
	assert_int_equal(ps_io_start(ios[0], PS_EDGE), -EINVAL);
	ok(ps_io_close(ios[0]));
	ok(ps_io_close(ios[1]));
	loop_end(loop);
	close(pair[0]);
	close(pair[1]);
}

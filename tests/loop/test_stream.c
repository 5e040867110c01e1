/* SPDX-License-Identifier: BSD-2-Clause */
/* Streams and listeners over TCP, Unix sockets and pipes. */
#include <arpa/inet.h>
#include <netinet/in.h>

#include "loops.h"

static struct ps_loop *loop;
static struct ps_listener *listener;
static struct ps_stream *client, *server;
static size_t got, drains, closes;
static int ends, errors, last_error, connects, last_status;
static uint8_t next_byte, wrong;

static void reset_counts(void)
{
	got = drains = closes = 0;
	ends = errors = connects = wrong = next_byte = 0;
}

/* Bytes count up, so order can be checked. */
static void fill(uint8_t *data, size_t bytes, size_t from)
{
	for (size_t i = 0; i < bytes; i++)
		data[i] = (uint8_t)(from + i);
}

static void on_read(struct ps_stream *stream, const void *data, ssize_t bytes, void *arg)
{
	if (bytes == 0) {
		ends++;
		ok(ps_stream_close(stream));
	} else if (bytes < 0) {
		errors++;
		last_error = (int)bytes;
		ok(ps_stream_close(stream));
	} else {
		for (ssize_t i = 0; i < bytes; i++)
			wrong |= ((const uint8_t *)data)[i] != next_byte++;
		got += (size_t)bytes;
	}
}

static void on_drain(struct ps_stream *stream, void *arg)
{
	drains++;
}

static void on_connected(struct ps_stream *stream, int status, void *arg)
{
	connects++;
	last_status = status;
}

static void on_closed(struct ps_stream *stream, void *arg)
{
	closes++;
}

static const struct ps_stream_events events = {
	.read = on_read, .drain = on_drain, .connected = on_connected, .closed = on_closed };

static void accept_one(struct ps_listener *from, struct ps_stream *stream, void *arg)
{
	server = stream;
	ok(ps_stream_set(stream, &events, NULL));
	ok(ps_listener_close(from));
}

static void run_until(const int *flag)
{
	while (!*flag)
		assert_true(ps_loop_run(loop, PS_RUN_ONCE) >= 0);
}

static void open_pair(void)
{
	reset_counts();
	loop = loop_new(NULL);
	ok(ps_tcp_listen(loop, &listener, "127.0.0.1", 0, 0, accept_one, NULL));
	ok(ps_tcp_connect(loop, &client, "127.0.0.1", ps_listener_port(listener), &events, NULL));
	server = NULL;
	while (!connects || !server)
		assert_true(ps_loop_run(loop, PS_RUN_ONCE) >= 0);
	assert_int_equal(last_status, 0);
}

TEST(bytes_arrive_in_order_and_the_end_after_them)
{
	uint8_t data[5000];

	open_pair();
	fill(data, sizeof(data), 0);
	ok(ps_stream_start(server));
	for (int i = 0; i < 5; i++)
		ok(ps_stream_write(client, data + i * 1000, 1000));
	ok(ps_stream_close(client));
	loop_end(loop);
	assert_int_equal(got, sizeof(data));
	assert_int_equal(wrong, 0);
	assert_int_equal(ends, 1);
	assert_int_equal(closes, 2);
}

TEST(no_callback_runs_before_the_call_returns)
{
	open_pair();
	ok(ps_stream_start(server));
	ok(ps_stream_write(client, "\0", 1));
	assert_int_equal(got, 0);
	ok(ps_stream_close(client));
	assert_int_equal(closes, 0);
	loop_end(loop);
	assert_int_equal(closes, 2);
}

TEST(backpressure_is_told_drain_follows_order_and_queue_size_are_kept)
{
	enum { CHUNK = 65536, LIMIT = 64 * CHUNK };
	static uint8_t data[CHUNK];
	struct ps_loop_info info = { .size = sizeof(info) };
	size_t written = 0;
	int above = 0;

	open_pair();
	ok(ps_stream_high_water(client, 100000));
	fill(data, CHUNK, 0);
	while (!above && written < LIMIT) {
		above = ps_stream_write(client, data, CHUNK);
		written += CHUNK;
	}
	assert_int_equal(above, 1);
	assert_true(ps_stream_buffered(client) > 100000);
	ok(ps_loop_info(loop, &info));
	assert_int_equal(info.buffered_bytes, ps_stream_buffered(client));
	assert_int_equal(ps_stream_write(client, data, CHUNK), 1);
	written += CHUNK;
	assert_int_equal(drains, 0);
	ok(ps_stream_start(server));
	while (got < written)
		assert_true(ps_loop_run(loop, PS_RUN_ONCE) >= 0);
	assert_int_equal(wrong, 0);
	assert_int_equal(drains, 1);
	assert_int_equal(ps_stream_buffered(client), 0);
	ok(ps_loop_info(loop, &info));
	assert_int_equal(info.buffered_bytes, 0);
	struct records records = records_read(loop, 0);
	const struct ps_ev_backpressure *on = records_find(&records, PS_EV_BACKPRESSURE, 0);
	const struct ps_ev_backpressure *off = records_find(&records, PS_EV_BACKPRESSURE, 1);
	assert_true(on && on->on == 1 && on->buffered_bytes > 100000 && on->high_water_bytes == 100000);
	assert_true(off && off->on == 0 && off->buffered_bytes < 100000);
	free(records.at);
	ok(ps_stream_close(client));
	ok(ps_stream_close(server));
	loop_end(loop);
}

TEST(shutdown_flushes_first_and_leaves_the_other_direction_open)
{
	static uint8_t data[1 << 20];
	size_t sent = 0;

	open_pair();
	fill(data, sizeof(data), 0);
	while (ps_stream_buffered(client) == 0) {
		assert_true(ps_stream_write(client, data, sizeof(data)) >= 0);
		sent += sizeof(data);
	}
	ok(ps_stream_shutdown(client));
	assert_int_equal(ps_stream_shutdown(client), -EALREADY);
	assert_int_equal(ps_stream_write(client, data, 1), -EPIPE);
	ok(ps_stream_write(server, "\0", 1) == 0 ? 0 : 1);
	ok(ps_stream_start(server));
	run_until(&ends);
	assert_int_equal(got, sent);
	assert_int_equal(wrong, 0);
	next_byte = 0;
	ok(ps_stream_start(client));
	loop_end(loop);
	assert_int_equal(got, sent + 1);
	assert_int_equal(ends, 2);
}

TEST(pending_writes_are_dropped_once_by_close)
{
	static uint8_t data[1 << 20];

	open_pair();
	while (ps_stream_buffered(client) == 0)
		ps_stream_write(client, data, sizeof(data));
	ok(ps_stream_close(client));
	assert_int_equal(ps_stream_close(client), -EINVAL);
	assert_int_equal(ps_stream_write(client, data, 1), -EINVAL);
	ok(ps_stream_close(server));
	struct ps_loop_info info = { .size = sizeof(info) };
	ok(ps_loop_info(loop, &info));
	assert_int_equal(info.buffered_bytes, 0);
	loop_end(loop);
	assert_int_equal(closes, 2);
	assert_int_equal(drains, 0);
}

TEST(writing_to_a_dead_peer_fails_without_a_signal)
{
	int status = 0;

	open_pair();
	ok(ps_stream_close(server));
	while (ps_loop_run(loop, PS_RUN_NOWAIT))
		;
	for (int i = 0; i < 100 && status >= 0; i++) {
		status = ps_stream_write(client, "x", 1);
		ps_loop_run(loop, PS_RUN_NOWAIT);
	}
	assert_true(status == -EPIPE || status == -ECONNRESET);
	ok(ps_stream_close(client));
	loop_end(loop);
}

TEST(writing_to_a_pipe_without_reader_fails_without_a_signal)
{
	struct ps_stream *out;
	int fds[2];

	loop = loop_new(NULL);
	ok(pipe(fds));
	ok(ps_stream_open(loop, &out, fds[1], &events, NULL));
	close(fds[0]);
	assert_int_equal(ps_stream_write(out, "x", 1), -EPIPE);
	ok(ps_stream_close(out));
	loop_end(loop);
}

static int64_t pauses;

static void pause_at_once(struct ps_stream *stream, const void *data, ssize_t bytes, void *arg)
{
	got += bytes > 0 ? (size_t)bytes : 0;
	pauses++;
	ok(ps_stream_pause(stream));
}

TEST(pausing_inside_the_read_callback_stops_reading_at_once)
{
	static const struct ps_stream_events pausing = { .read = pause_at_once };
	static uint8_t data[200000];

	open_pair();
	ok(ps_stream_set(server, &pausing, NULL));
	ok(ps_stream_start(server));
	ps_stream_write(client, data, sizeof(data));
	while (!pauses)
		assert_true(ps_loop_run(loop, PS_RUN_ONCE) >= 0);
	for (int i = 0; i < 5; i++)
		ps_loop_run(loop, PS_RUN_NOWAIT);
	assert_int_equal(pauses, 1);
	assert_in_range(got, 1, 65536);
	ok(ps_stream_start(server));
	ps_loop_run(loop, PS_RUN_ONCE);
	assert_int_equal(pauses, 2);
	ok(ps_stream_close(client));
	ok(ps_stream_close(server));
	loop_end(loop);
}

TEST(close_while_connecting_gives_one_ecanceled)
{
	reset_counts();
	loop = loop_new(NULL);
	ok(ps_tcp_connect(loop, &client, "127.0.0.1", 1, &events, NULL));
	ok(ps_stream_close(client));
	loop_end(loop);
	assert_int_equal(connects, 1);
	assert_int_equal(last_status, -ECANCELED);
	assert_int_equal(closes, 1);
}

TEST(a_failed_connect_is_told_later_and_keeps_the_handle)
{
	reset_counts();
	loop = loop_new(NULL);
	ok(ps_tcp_connect(loop, &client, "127.0.0.1", 1, &events, NULL));
	assert_int_equal(connects, 0);
	run_until(&connects);
	assert_int_equal(last_status, -ECONNREFUSED);
	assert_int_equal(ps_stream_write(client, "x", 1), -EPIPE);
	assert_true(ps_stream_fd(client) >= 0);
	ok(ps_stream_close(client));
	loop_end(loop);
	assert_int_equal(connects, 1);
	reset_counts();
	loop = loop_new(NULL);
	ok(ps_unix_connect(loop, &client, "/nonexistent/socket", &events, NULL));
	run_until(&connects);
	assert_int_equal(last_status, -ENOENT);
	ok(ps_stream_close(client));
	loop_end(loop);
}

TEST(writing_while_connecting_waits_for_the_connection)
{
	reset_counts();
	loop = loop_new(NULL);
	ok(ps_tcp_listen(loop, &listener, "127.0.0.1", 0, 0, accept_one, NULL));
	ok(ps_tcp_connect(loop, &client, "127.0.0.1", ps_listener_port(listener), &events, NULL));
	ok(ps_stream_write(client, "\0\1\2", 3));
	assert_int_equal(ps_stream_buffered(client), 3);
	ok(ps_stream_shutdown(client));
	server = NULL;
	while (!server)
		assert_true(ps_loop_run(loop, PS_RUN_ONCE) >= 0);
	ok(ps_stream_start(server));
	run_until(&ends);
	assert_int_equal(got, 3);
	assert_int_equal(wrong, 0);
	ok(ps_stream_close(client));
	loop_end(loop);
}

static int accepted;

static void count_accepts(struct ps_listener *from, struct ps_stream *stream, void *arg)
{
	accepted++;
	ok(ps_stream_close(stream));
}

static int connect_blocking(uint16_t port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	ok(connect(fd, (struct sockaddr *)&address, sizeof(address)));
	return fd;
}

TEST(a_connection_that_waited_before_the_first_iteration_is_accepted)
{
	loop = loop_new(NULL);
	ok(ps_tcp_listen(loop, &listener, "127.0.0.1", 0, 0, count_accepts, NULL));
	int fd = connect_blocking(ps_listener_port(listener));
	ps_loop_run(loop, PS_RUN_ONCE);
	assert_int_equal(accepted, 1);
	close(fd);
	ok(ps_listener_close(listener));
	loop_end(loop);
}

TEST(running_out_of_descriptors_sheds_the_connection_and_does_not_spin)
{
	struct ps_loop_info info = { .size = sizeof(info) };
	struct ps_timer *timer;
	struct rlimit limit, low;
	int fired = 0, fds[3];
	char byte;

	loop = loop_new(NULL);
	ok(ps_tcp_listen(loop, &listener, "127.0.0.1", 0, 0, count_accepts, NULL));
	for (int i = 0; i < 3; i++)
		fds[i] = connect_blocking(ps_listener_port(listener));
	ok(getrlimit(RLIMIT_NOFILE, &limit));
	low = limit;
	int top = dup(0); /* the next number: all below are taken */
	close(top);
	low.rlim_cur = (rlim_t)top;
	ok(setrlimit(RLIMIT_NOFILE, &low));
	ok(ps_timer_open(loop, &timer, count, &fired));
	ps_loop_update_time(loop);
	ok(ps_timer_start(timer, 20 * MS, 0));
	while (!fired)
		ps_loop_run(loop, PS_RUN_ONCE);
	ok(ps_loop_info(loop, &info));
	assert_true(info.polls <= 4);
	assert_int_equal(accepted, 0);
	struct records records = records_read(loop, 0);
	assert_int_equal(records_count(&records, PS_EV_SHED), 3);
	const struct ps_ev_shed *shed = records_find(&records, PS_EV_SHED, 2);
	assert_int_equal(shed->total, 3);
	assert_int_equal(shed->error, EMFILE);
	free(records.at);
	for (int i = 0; i < 3; i++) {
		assert_true(read(fds[i], &byte, 1) <= 0); /* closed, not silent */
		close(fds[i]);
	}
	ok(setrlimit(RLIMIT_NOFILE, &limit));
	int fd = connect_blocking(ps_listener_port(listener));
	ps_loop_run(loop, PS_RUN_ONCE);
	assert_int_equal(accepted, 1);
	close(fd);
	ok(ps_timer_close(timer));
	ok(ps_listener_close(listener));
	loop_end(loop);
}

TEST(without_even_a_spare_descriptor_the_listener_rests_and_serves_later)
{
	struct ps_loop_info before = { .size = sizeof(before) }, after = before;
	struct ps_timer *timer;
	struct rlimit limit, low;
	int fired = 0;

	loop = loop_new(NULL);
	ok(ps_tcp_listen(loop, &listener, "127.0.0.1", 0, 0, count_accepts, NULL));
	int fd = connect_blocking(ps_listener_port(listener));
	close(loop->spare_fd); /* as if another thread had taken it between our close and our open */
	loop->spare_fd = -1;
	int taken = dup(0);
	ok(getrlimit(RLIMIT_NOFILE, &limit));
	low = limit;
	int top = dup(0);
	close(top);
	low.rlim_cur = (rlim_t)top;
	ok(setrlimit(RLIMIT_NOFILE, &low));
	ok(ps_timer_open(loop, &timer, count, &fired));
	ps_loop_update_time(loop);
	ok(ps_timer_start(timer, 120 * MS, 0));
	ok(ps_loop_info(loop, &before));
	while (!fired)
		assert_int_equal(ps_loop_run(loop, PS_RUN_ONCE), 1);
	ok(ps_loop_info(loop, &after));
	assert_true(after.polls - before.polls <= 10);
	assert_int_equal(accepted, 0);
	ok(setrlimit(RLIMIT_NOFILE, &limit));
	while (!accepted)
		assert_int_equal(ps_loop_run(loop, PS_RUN_ONCE), 1);
	close(fd);
	close(taken);
	ok(ps_timer_close(timer));
	ok(ps_listener_close(listener));
	loop_end(loop);
}

TEST(a_unix_listener_serves_its_path_and_takes_it_away)
{
	char path[] = "/tmp/ps-test-XXXXXX/socket", *slash = strrchr(path, '/');

	reset_counts();
	*slash = 0;
	assert_non_null(mkdtemp(path));
	*slash = '/';
	loop = loop_new(NULL);
	ok(ps_unix_listen(loop, &listener, path, 0, accept_one, NULL));
	ok(ps_unix_connect(loop, &client, path, &events, NULL));
	server = NULL;
	while (!connects || !server)
		assert_true(ps_loop_run(loop, PS_RUN_ONCE) >= 0);
	assert_int_equal(last_status, 0);
	assert_int_equal(access(path, F_OK), -1);
	ok(ps_stream_start(server));
	ok(ps_stream_write(client, "\0\1", 2));
	ok(ps_stream_close(client));
	loop_end(loop);
	assert_int_equal(got, 2);
	*slash = 0;
	ok(rmdir(path));
}

TEST(silence_after_close_even_if_events_were_already_fetched)
{
	struct ps_stream *a, *b;
	int one[2], two[2];

	reset_counts();
	loop = loop_new(NULL);
	ok(socketpair(AF_UNIX, SOCK_STREAM, 0, one));
	ok(socketpair(AF_UNIX, SOCK_STREAM, 0, two));
	ok(ps_stream_open(loop, &a, one[0], &events, NULL));
	ok(ps_stream_open(loop, &b, two[0], &events, NULL));
	ok(ps_stream_start(a));
	ok(ps_stream_start(b));
	close(one[1]); /* both are at their end; reading closes each */
	close(two[1]);
	ok(ps_stream_close(b));
	loop_end(loop);
	assert_int_equal(ends, 1);
	assert_int_equal(closes, 2);
}

TEST(the_life_and_traffic_of_a_connection_are_recorded)
{
	open_pair();
	int fd = ps_stream_fd(server);
	ok(ps_stream_start(server));
	ok(ps_stream_write(client, "\0\1\2\3", 4));
	ok(ps_stream_close(client));
	run_until(&ends);
	struct records records = records_read(loop, 0);
	uint32_t opened = 0, closed = 0, read_bytes = 0;
	for (size_t i = 0; i < records.count; i++) {
		const struct ps_ev_fd_life *life = (const void *)&records.at[i];
		const struct ps_ev_fd_io *io = (const void *)&records.at[i];
		if (life->h.event == PS_EV_FD_LIFE && life->fd == fd && life->kind == PS_KIND_TCP)
			*(life->op == PS_LIFE_OPENED ? &opened : &closed) = life->generation;
		if (io->h.event == PS_EV_FD_IO && io->fd == fd)
			read_bytes += io->read_bytes;
	}
	assert_int_equal(read_bytes, 4);
	assert_true(opened && opened == closed);
	free(records.at);
	loop_end(loop);
}

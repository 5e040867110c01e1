/* SPDX-License-Identifier: BSD-2-Clause */
/* What a program does wrong: null, closed and foreign things, sizes that cannot be. An error each time, never a crash. */
#include <netdb.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

#include "loops.h"

#define refused(call) assert_int_equal((call), -EINVAL)

static struct ps_loop *loop;

static void on_io(struct ps_io *io, uint32_t events, void *arg)
{
}

static void on_signal(struct ps_signal *signal, int number, void *arg)
{
}

static void on_done(struct ps_work *work, int64_t result, void *arg)
{
}

static int64_t no_work(void *arg)
{
	return 0;
}

static void on_read(struct ps_stream *stream, const void *data, ssize_t bytes, void *arg)
{
}

static void on_accept(struct ps_listener *listener, struct ps_stream *stream, void *arg)
{
	ps_stream_close(stream);
}

static void on_request(struct ps_http_request *request, void *arg)
{
}

static void on_emit(const char *name, void *data, void *arg)
{
}

static void on_walk(const struct ps_handle_info *info, void *arg)
{
}

static void on_piped(struct ps_stream *from, struct ps_stream *to, int status, void *arg)
{
}

static const struct ps_stream_events events = { .read = on_read };

TEST(a_null_loop_is_refused_by_everything_that_runs_it)
{
	struct ps_loop_info info = { .size = sizeof(info) };

	refused(ps_loop_run(NULL, PS_RUN_ONCE));
	refused(ps_loop_once(NULL));
	refused(ps_loop_stop(NULL));
	assert_false(ps_loop_alive(NULL));
	refused(ps_loop_fd(NULL));
	refused((int)ps_loop_timeout(NULL));
	assert_true(ps_loop_now(NULL) == 0);
	ps_loop_update_time(NULL);
	refused(ps_loop_fork(NULL));
	refused(ps_loop_info(NULL, &info));
	refused(ps_loop_walk(NULL, on_walk, NULL));
}

TEST(a_null_loop_is_refused_by_everything_that_opens_a_handle)
{
	struct ps_timer *timer;
	struct ps_check *hook;
	struct ps_io *io;
	struct ps_wake *wake;
	struct ps_signal *signal;
	struct ps_stream *stream, *other;
	struct ps_listener *listener;
	struct ps_http_server *server;
	int n = 0;

	refused(ps_next_tick(NULL, count, &n));
	refused(ps_immediate(NULL, count, &n));
	refused(ps_timer_open(NULL, &timer, count, &n));
	refused(ps_idle_open(NULL, &hook, count, &n));
	refused(ps_prepare_open(NULL, &hook, count, &n));
	refused(ps_check_open(NULL, &hook, count, &n));
	refused(ps_io_open(NULL, &io, 0, on_io, NULL));
	refused(ps_wake_open(NULL, &wake, count, &n));
	refused(ps_signal_open(NULL, &signal, SIGUSR1, on_signal, NULL));
	refused(ps_tcp_listen(NULL, &listener, "127.0.0.1", 0, 0, on_accept, NULL));
	refused(ps_unix_listen(NULL, &listener, "/tmp/x", 0, on_accept, NULL));
	refused(ps_tcp_connect(NULL, &stream, "127.0.0.1", 1, &events, NULL));
	refused(ps_unix_connect(NULL, &stream, "/tmp/x", &events, NULL));
	refused(ps_stream_open(NULL, &stream, 0, &events, NULL));
	refused(ps_pipe_open(NULL, &stream, &other, &events, NULL));
	refused(ps_fifo_open(NULL, &stream, "/tmp/x", O_RDONLY, &events, NULL));
	refused(ps_http_listen(NULL, &server, "127.0.0.1", 0, NULL, on_request, NULL));
}

TEST(a_null_loop_is_refused_by_everything_that_submits_work)
{
	struct ps_work *work;
	struct addrinfo *found;
	struct stat st;
	char *names, byte;
	unsigned char hash[32];

	refused(ps_work_submit(NULL, &work, no_work, on_done, NULL));
	refused(ps_fs_open(NULL, "/", O_RDONLY, 0, on_done, NULL));
	refused(ps_fs_read(NULL, 0, &byte, 1, 0, on_done, NULL));
	refused(ps_fs_write(NULL, 0, &byte, 1, 0, on_done, NULL));
	refused(ps_fs_stat(NULL, "/", &st, on_done, NULL));
	refused(ps_fs_close(NULL, 0, on_done, NULL));
	refused(ps_fs_sync(NULL, 0, on_done, NULL));
	refused(ps_fs_rename(NULL, "a", "b", on_done, NULL));
	refused(ps_fs_unlink(NULL, "a", on_done, NULL));
	refused(ps_fs_readdir(NULL, "/", &names, on_done, NULL));
	refused(ps_dns_lookup(NULL, "127.0.0.1", NULL, &found, on_done, NULL));
	refused(ps_pbkdf2(NULL, "a", 1, "b", 1, 1, &byte, 1, on_done, NULL));
	refused(ps_scrypt(NULL, "a", 1, "b", 1, 16, 1, 1, &byte, 1, on_done, NULL));
	refused(ps_random(NULL, &byte, 1, on_done, NULL));
	refused(ps_sha256(NULL, "a", 1, hash, on_done, NULL));
}

/* Everything that takes a handle, for one that is null or closed. */
static void timer_is_refused(struct ps_timer *timer)
{
	refused(ps_timer_start(timer, 1, 0));
	refused(ps_timer_stop(timer));
	refused(ps_timer_again(timer));
	assert_true(ps_timer_due(timer) == 0);
	refused(ps_timer_ref(timer));
	refused(ps_timer_unref(timer));
	refused(ps_timer_close(timer));
}

static void hook_is_refused(struct ps_check *hook)
{
	refused(ps_check_unref(hook));
	refused(ps_check_close(hook));
}

static void io_is_refused(struct ps_io *io)
{
	refused(ps_io_start(io, PS_READABLE));
	refused(ps_io_fd(io));
	refused(ps_io_unref(io));
	refused(ps_io_close(io));
}

static void wake_is_refused(struct ps_wake *wake)
{
	refused(ps_wake_send(wake));
	refused(ps_wake_unref(wake));
	refused(ps_wake_close(wake));
}

static void signal_is_refused(struct ps_signal *signal)
{
	refused(ps_signal_unref(signal));
	refused(ps_signal_close(signal));
}

static void listener_is_refused(struct ps_listener *listener)
{
	assert_int_equal(ps_listener_port(listener), 0);
	refused(ps_listener_close(listener));
}

static void stream_is_refused(struct ps_stream *stream)
{
	refused(ps_stream_set(stream, &events, NULL));
	refused(ps_stream_start(stream));
	refused(ps_stream_pause(stream));
	refused(ps_stream_write(stream, "x", 1));
	assert_int_equal(ps_stream_buffered(stream), 0);
	refused(ps_stream_high_water(stream, 1));
	refused(ps_stream_shutdown(stream));
	refused(ps_stream_fd(stream));
	refused(ps_stream_pipe(stream, stream, on_piped, NULL));
	refused(ps_stream_close(stream));
}

static void server_is_refused(struct ps_http_server *server)
{
	assert_int_equal(ps_http_port(server), 0);
	refused(ps_http_close(server));
}

TEST(a_null_handle_is_refused_by_everything_that_takes_one)
{
	timer_is_refused(NULL);
	hook_is_refused(NULL);
	io_is_refused(NULL);
	wake_is_refused(NULL);
	signal_is_refused(NULL);
	listener_is_refused(NULL);
	stream_is_refused(NULL);
	server_is_refused(NULL);
	refused(ps_work_cancel(NULL));
	refused(ps_emitter_open(NULL));
	ps_emitter_close(NULL);
	refused(ps_emitter_on(NULL, "x", on_emit, NULL));
	refused(ps_emitter_once(NULL, "x", on_emit, NULL));
	refused(ps_emitter_off(NULL, "x", on_emit, NULL));
	refused(ps_emitter_emit(NULL, "x", NULL));
	assert_null(ps_http_method(NULL));
	assert_null(ps_http_path(NULL));
	assert_null(ps_http_header(NULL, "x"));
	assert_null(ps_http_body(NULL, NULL));
	refused(ps_http_reply(NULL, 200, NULL, NULL, 0));
}

/* Between the close and the closing phase, where the pointer is still good. */
TEST(a_closed_handle_is_refused_by_everything_that_takes_one)
{
	struct ps_timer *timer;
	struct ps_check *hook;
	struct ps_io *io;
	struct ps_wake *wake;
	struct ps_signal *signal;
	struct ps_listener *listener;
	struct ps_http_server *server;
	int n = 0, fd = eventfd(0, 0);

	loop = loop_new(NULL);
	ok(ps_timer_open(loop, &timer, count, &n));
	ok(ps_timer_start(timer, 1, 1));
	ok(ps_timer_close(timer));
	timer_is_refused(timer);
	ok(ps_check_open(loop, &hook, count, &n));
	ok(ps_check_close(hook));
	hook_is_refused(hook);
	ok(ps_io_open(loop, &io, fd, on_io, NULL));
	ok(ps_io_start(io, PS_READABLE));
	ok(ps_io_close(io));
	io_is_refused(io);
	ok(ps_wake_open(loop, &wake, count, &n));
	ok(ps_wake_close(wake));
	wake_is_refused(wake);
	ok(ps_signal_open(loop, &signal, SIGUSR1, on_signal, NULL));
	ok(ps_signal_close(signal));
	signal_is_refused(signal);
	ok(ps_tcp_listen(loop, &listener, "127.0.0.1", 0, 0, on_accept, NULL));
	ok(ps_listener_close(listener));
	listener_is_refused(listener);
	ok(ps_http_listen(loop, &server, "127.0.0.1", 0, NULL, on_request, NULL));
	ok(ps_http_close(server));
	server_is_refused(server);
	loop_end(loop);
	close(fd);
	assert_int_equal(n, 0);
}

TEST(a_closed_stream_is_refused_also_as_one_end_of_a_pipe)
{
	struct ps_stream *closed, *open;

	loop = loop_new(NULL);
	ok(ps_pipe_open(loop, &closed, &open, &events, NULL));
	ok(ps_stream_close(closed));
	stream_is_refused(closed);
	refused(ps_stream_pipe(closed, open, on_piped, NULL));
	refused(ps_stream_pipe(open, closed, on_piped, NULL));
	refused(ps_stream_pipe(open, open, on_piped, NULL));
	ok(ps_stream_close(open));
	loop_end(loop);
}

TEST(sizes_and_values_that_cannot_be_are_refused)
{
	static const size_t negative[] = { (size_t)-1, SIZE_MAX / 2 + 1 };
	struct ps_stream *reader, *writer;
	struct ps_signal *signal;
	struct ps_io *io;
	char byte = 0;
	unsigned char hash[32];

	loop = loop_new(NULL);
	ok(ps_pipe_open(loop, &reader, &writer, &events, NULL));
	for (int i = 0; i < 2; i++) {
		refused(ps_stream_write(writer, &byte, negative[i]));
		refused(ps_fs_read(loop, 0, &byte, negative[i], 0, on_done, NULL));
		refused(ps_fs_write(loop, 0, &byte, negative[i], 0, on_done, NULL));
		refused(ps_random(loop, &byte, negative[i], on_done, NULL));
		refused(ps_sha256(loop, &byte, negative[i], hash, on_done, NULL));
		refused(ps_pbkdf2(loop, &byte, negative[i], "b", 1, 1, &byte, 1, on_done, NULL));
		refused(ps_pbkdf2(loop, "a", 1, &byte, negative[i], 1, &byte, 1, on_done, NULL));
		refused(ps_pbkdf2(loop, "a", 1, "b", 1, 1, &byte, negative[i], on_done, NULL));
		refused(ps_scrypt(loop, &byte, negative[i], "b", 1, 16, 1, 1, &byte, 1, on_done, NULL));
		refused(ps_scrypt(loop, "a", 1, &byte, negative[i], 16, 1, 1, &byte, 1, on_done, NULL));
		refused(ps_scrypt(loop, "a", 1, "b", 1, 16, 1, 1, &byte, negative[i], on_done, NULL));
	}
	refused(ps_stream_write(writer, NULL, 1));
	ok(ps_stream_write(writer, NULL, 0));
	refused(ps_stream_high_water(writer, 0));
	refused(ps_io_start(NULL, 0));
	assert_int_equal(ps_io_open(loop, &io, -5, on_io, NULL), -EBADF);
	assert_int_equal(ps_stream_open(loop, &reader, 1 << 20, &events, NULL), -EBADF);
	assert_int_equal(ps_fs_read(loop, -1, &byte, 1, 0, on_done, NULL), -EBADF);
	assert_int_equal(ps_fs_write(loop, -1, &byte, 1, 0, on_done, NULL), -EBADF);
	assert_int_equal(ps_fs_close(loop, -1, on_done, NULL), -EBADF);
	assert_int_equal(ps_fs_sync(loop, -1, on_done, NULL), -EBADF);
	refused(ps_signal_open(loop, &signal, -1, on_signal, NULL));
	refused(ps_signal_open(loop, &signal, 65, on_signal, NULL));
	refused(ps_signal_open(loop, &signal, SIGKILL, on_signal, NULL));
	refused(ps_pool_resize(0));
	refused(ps_pool_resize(1025));
	refused(ps_pool_resize((unsigned)-1));
	refused(ps_pool_grow(1025));
	assert_int_equal(ps_pool_threads(), 4);
	ok(ps_loop_walk(loop, on_walk, NULL));
	ok(ps_stream_close(reader));
	ok(ps_stream_close(writer));
	loop_end(loop);
}

static void answer_badly(struct ps_http_request *request, void *arg)
{
	char byte = 0;

	refused(ps_http_reply(request, 200, NULL, &byte, (size_t)-1));
	refused(ps_http_reply(request, 200, NULL, NULL, 1));
	refused(ps_http_reply(request, 600, NULL, NULL, 0));
	refused(ps_http_reply(request, -200, NULL, NULL, 0));
	ok(ps_http_reply(request, 204, NULL, NULL, 0));
	ok(ps_http_close(*(struct ps_http_server **)arg));
}

static void close_at_end(struct ps_stream *stream, const void *data, ssize_t bytes, void *arg)
{
	if (bytes <= 0)
		ok(ps_stream_close(stream));
}

TEST(answers_of_impossible_size_are_refused)
{
	static const char text[] = "GET / HTTP/1.1\r\n\r\n";
	static const struct ps_stream_events closing = { .read = close_at_end };
	static struct ps_http_server *server;
	struct ps_stream *client;

	loop = loop_new(NULL);
	ok(ps_http_listen(loop, &server, "127.0.0.1", 0, NULL, answer_badly, &server));
	ok(ps_tcp_connect(loop, &client, "127.0.0.1", ps_http_port(server), &closing, NULL));
	ok(ps_stream_start(client));
	ok(ps_stream_write(client, text, sizeof(text) - 1));
	loop_end(loop);
}

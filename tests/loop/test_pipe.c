/* SPDX-License-Identifier: BSD-2-Clause */
/* Pipes, and piping one stream to another. */
#include <sys/stat.h>

#include "loops.h"

static struct ps_loop *loop;
static size_t got;
static int ends, done_count, done_status;
static uint8_t next_byte, wrong;

static void on_read(struct ps_stream *stream, const void *data, ssize_t bytes, void *arg)
{
	ends += bytes == 0;
	for (ssize_t i = 0; i < bytes; i++)
		wrong |= ((const uint8_t *)data)[i] != next_byte++;
	got += bytes > 0 ? (size_t)bytes : 0;
	if (bytes <= 0)
		ok(ps_stream_close(stream));
}

static const struct ps_stream_events events = { .read = on_read };

static void on_done(struct ps_stream *from, struct ps_stream *to, int status, void *arg)
{
	done_count++;
	done_status = status;
	if (status != -ECANCELED) {
		ok(ps_stream_close(from));
		ok(ps_stream_close(to));
	}
}

static struct ps_stream *open_stream(int fd)
{
	struct ps_stream *stream;

	ok(ps_stream_open(loop, &stream, fd, &events, NULL));
	return stream;
}

TEST(bytes_go_through_an_anonymous_pipe_and_its_end_follows_what_was_buffered)
{
	static uint8_t data[300000];
	struct ps_stream *reader, *writer;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)i;
	loop = loop_new(NULL);
	ok(ps_pipe_open(loop, &reader, &writer, &events, NULL));
	assert_int_equal(ps_stream_write(writer, data, sizeof(data)), 1);
	ok(ps_stream_shutdown(writer));
	ok(ps_stream_start(reader));
	ok(ps_loop_run(loop, PS_RUN_DEFAULT));
	assert_int_equal(got, sizeof(data));
	assert_int_equal(wrong, 0);
	assert_int_equal(ends, 1);
	ok(ps_stream_close(writer));
	loop_end(loop);
}

TEST(a_named_pipe_is_a_stream_and_other_files_are_refused)
{
	char path[] = "/tmp/ps-fifo-XXXXXX";
	struct ps_stream *reader, *writer;

	close(mkstemp(path));
	loop = loop_new(NULL);
	assert_int_equal(ps_fifo_open(loop, &reader, path, O_RDONLY, &events, NULL), -EINVAL);
	unlink(path);
	ok(mkfifo(path, 0600));
	assert_int_equal(ps_fifo_open(loop, &writer, path, O_WRONLY, &events, NULL), -ENXIO);
	ok(ps_fifo_open(loop, &reader, path, O_RDONLY, &events, NULL));
	ok(ps_fifo_open(loop, &writer, path, O_WRONLY, &events, NULL));
	ok(ps_stream_start(reader));
	ok(ps_stream_write(writer, "\0\1\2", 3));
	ok(ps_stream_close(writer));
	loop_end(loop);
	assert_int_equal(got, 3);
	assert_int_equal(ends, 1);
	unlink(path);
}

TEST(piping_to_a_slow_sink_stays_bounded_and_loses_nothing)
{
	enum { TOTAL = 4 << 20 };
	static uint8_t data[65536];
	struct ps_loop_info info = { .size = sizeof(info) };
	int in[2], out[2];
	size_t sent = 0, received = 0;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)i;
	loop = loop_new(NULL);
	ok(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, in));
	ok(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, out));
	struct ps_stream *from = open_stream(in[0]), *to = open_stream(out[0]);
	ok(ps_stream_high_water(to, 10000));
	ok(ps_stream_pipe(from, to, on_done, NULL));
	assert_int_equal(ps_stream_pipe(from, to, on_done, NULL), -EBUSY);
	uint8_t expected = 0, sink[1000];
	while (received < TOTAL) {
		while (sent < TOTAL) {
			size_t offset = sent % sizeof(data);
			ssize_t n = write(in[1], data + offset, sizeof(data) - offset);
			if (n <= 0)
				break;
			sent += (size_t)n;
		}
		if (sent == TOTAL && in[1] >= 0) {
			close(in[1]);
			in[1] = -1;
		}
		ps_loop_run(loop, PS_RUN_NOWAIT);
		ok(ps_loop_info(loop, &info));
		assert_true(info.buffered_bytes <= 10000 + 65536);
		ssize_t n = read(out[1], sink, sizeof(sink));
		for (ssize_t i = 0; i < n; i++)
			wrong |= sink[i] != expected++;
		received += n > 0 ? (size_t)n : 0;
	}
	loop_end(loop);
	assert_int_equal(received, TOTAL);
	assert_int_equal(wrong, 0);
	assert_int_equal(done_count, 1);
	assert_int_equal(done_status, 0);
	close(out[1]);
}

TEST(a_sink_that_dies_ends_the_pipe_with_an_error)
{
	static uint8_t data[65536];
	int in[2], out[2];

	loop = loop_new(NULL);
	ok(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, in));
	ok(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, out));
	struct ps_stream *from = open_stream(in[0]), *to = open_stream(out[0]);
	ok(ps_stream_pipe(from, to, on_done, NULL));
	for (int i = 0; i < 20; i++) {
		(void)!write(in[1], data, sizeof(data));
		ps_loop_run(loop, PS_RUN_NOWAIT);
	}
	assert_int_equal(done_count, 0);
	close(out[1]); /* what is buffered can never be written */
	loop_end(loop);
	assert_int_equal(done_count, 1);
	assert_true(done_status < 0);
	close(in[1]);
}

TEST(closing_either_side_cancels_the_pipe_once)
{
	for (int which = 0; which < 2; which++) {
		int in[2], out[2];
		done_count = 0;
		loop = loop_new(NULL);
		ok(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, in));
		ok(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, out));
		struct ps_stream *from = open_stream(in[0]), *to = open_stream(out[0]);
		ok(ps_stream_pipe(from, to, on_done, NULL));
		ok(ps_stream_close(which ? from : to));
		assert_int_equal(done_count, 0);
		ps_loop_run(loop, PS_RUN_NOWAIT);
		assert_int_equal(done_count, 1);
		assert_int_equal(done_status, -ECANCELED);
		ok(ps_stream_close(which ? to : from));
		loop_end(loop);
		assert_int_equal(done_count, 1);
		close(in[1]);
		close(out[1]);
	}
}

TEST(two_streams_piped_to_each_other_make_a_proxy)
{
	int left[2], right[2];
	char text[8] = "";

	loop = loop_new(NULL);
	ok(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, left));
	ok(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, right));
	struct ps_stream *a = open_stream(left[0]), *b = open_stream(right[0]);
	ok(ps_stream_pipe(a, b, NULL, NULL));
	ok(ps_stream_pipe(b, a, NULL, NULL));
	assert_int_equal(write(left[1], "ping", 4), 4);
	assert_int_equal(write(right[1], "pong", 4), 4);
	ps_loop_run(loop, PS_RUN_ONCE);
	assert_int_equal(read(right[1], text, 8), 4);
	assert_string_equal(text, "ping");
	assert_int_equal(read(left[1], text, 8), 4);
	assert_string_equal(text, "pong");
	ok(ps_stream_close(a));
	ok(ps_stream_close(b));
	loop_end(loop);
	close(left[1]);
	close(right[1]);
}

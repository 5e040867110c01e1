/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A slow consumer: the loop writes to a socket faster than the other end reads
 * and does not care that the stream says "wait for drain". What cannot be sent
 * piles up in the stream's buffer.
 */
#include "demo.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MS 1000000ull
#define BITE (32 * 1024)
#define MOST_BUFFERED (128u << 20) /* then a new connection, for the machine's sake */

static struct ps_stream *stream;

/* reads a little now and then, until its connection ends */
static void *consume(void *arg)
{
	int fd = (int)(intptr_t)arg;
	static char bite[8192];
	while (read(fd, bite, sizeof(bite)) > 0)
		demo_sleep_ns(50 * MS);
	close(fd);
	return NULL;
}

static void on_read(struct ps_stream *from, const void *data, ssize_t bytes, void *arg)
{
}

static int connect_consumer(struct ps_loop *loop)
{
	static const struct ps_stream_events events = { .read = on_read };
	int ends[2];
	pthread_t thread;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		return -errno;
	int err = ps_stream_open(loop, &stream, ends[0], &events, NULL);
	if (err) {
		close(ends[0]);
		close(ends[1]);
		return err;
	}
	err = pthread_create(&thread, NULL, consume, (void *)(intptr_t)ends[1]);
	if (err)
		return -err;
	pthread_setname_np(thread, "demo-consumer");
	return -pthread_detach(thread);
}

static void scenario_slow_consumer(void *loop)
{
	static char bite[BITE];
	if (ps_stream_buffered(stream) > MOST_BUFFERED) {
		ps_stream_close(stream);
		if (connect_consumer(loop))
			demo_ticker_stop();
		return;
	}
	ps_stream_write(stream, bite, sizeof(bite)); /* 1 says: wait for drain. It does not. */
}

int demo_slow_start(struct ps_loop *loop)
{
	int err = connect_consumer(loop);
	return err ? err : demo_ticker_start(loop, scenario_slow_consumer, 50 * MS, 20 * MS);
}

void demo_slow_stop(void)
{
	demo_ticker_stop();
	ps_stream_close(stream);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* A TCP echo server: what a peer sends comes back. Ends after one connection.   echo [PORT] */
#include <stdio.h>
#include <stdlib.h>

#include <ps_loop.h>

static void on_read(struct ps_stream *stream, const void *data, ssize_t bytes, void *arg)
{
	if (bytes > 0 && ps_stream_write(stream, data, (size_t)bytes) == 1)
		ps_stream_pause(stream); /* the peer does not read: do not take more from it */
	else if (bytes <= 0)
		ps_stream_close(stream);
}

static void on_drain(struct ps_stream *stream, void *arg)
{
	ps_stream_start(stream);
}

static void on_accept(struct ps_listener *listener, struct ps_stream *stream, void *arg)
{
	static const struct ps_stream_events events = { .read = on_read, .drain = on_drain };

	ps_stream_set(stream, &events, NULL);
	ps_stream_start(stream);
	ps_listener_close(listener);
}

int main(int argc, char **argv)
{
	struct ps_listener *listener;
	struct ps_loop *loop;

	if (ps_loop_open(&loop, NULL) ||
	    ps_tcp_listen(loop, &listener, "127.0.0.1", argc > 1 ? (uint16_t)atoi(argv[1]) : 0, 0, on_accept, NULL))
		return 1;
	printf("%d\n", ps_listener_port(listener));
	fflush(stdout);
	ps_loop_run(loop, PS_RUN_DEFAULT);
	return ps_loop_close(loop) ? 1 : 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* cat(1) for pipes: moves standard input to standard output, no faster than the reader reads. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <ps_loop.h>

static int failed;

static void no_read(struct ps_stream *stream, const void *data, ssize_t bytes, void *arg)
{
}

static void done(struct ps_stream *from, struct ps_stream *to, int status, void *arg)
{
	failed = status;
	ps_stream_close(from);
	ps_stream_close(to);
}

int main(void)
{
	static const struct ps_stream_events events = { .read = no_read };
	struct ps_stream *from, *to;
	struct ps_loop *loop;

	if (ps_loop_open(&loop, NULL))
		return 1;
	int err = ps_stream_open(loop, &from, STDIN_FILENO, &events, NULL);
	if (!err)
		err = ps_stream_open(loop, &to, STDOUT_FILENO, &events, NULL);
	if (!err)
		err = ps_stream_pipe(from, to, done, NULL);
	if (err) {
		fprintf(stderr, "pipes: %s (both ends must be pipes, sockets or terminals)\n", strerror(-err));
		return 1;
	}
	ps_loop_run(loop, PS_RUN_DEFAULT);
	return ps_loop_close(loop) || failed ? 1 : 0;
}

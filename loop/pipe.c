/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pipes: anonymous and named ones as streams, and ps_stream_pipe(), which moves
 * bytes from one stream to another.
 *
 * Invariant: a source reads only while its sink is below its high-water mark,
 * so what lies in between is at most that mark and one read.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "probe.h"
#include "stream.h"

static void finish(struct pipe *pipe, int status)
{
	struct ps_stream *from = pipe->from, *to = pipe->to;
	struct ps_loop *loop = from->io.handle.loop;
	ps_piped_fn *done = pipe->done;
	void *arg = pipe->arg;

	from->source = NULL;
	to->sink = NULL;
	free(pipe);
	ps_stream_pause(from);
	if (!done)
		return;
	probe_callback_now(loop, (void *)done, &from->io.handle, from->io.fd, io_generation(&from->io));
	done(from, to, status, arg);
	callback_end(loop);
}

void pipe_cancel(struct pipe *pipe)
{
	finish(pipe, -ECANCELED);
}

void pipe_failed(struct pipe *pipe, int err)
{
	if (pipe->from->io.handle.state == HANDLE_OPEN)
		finish(pipe, err);
}

void pipe_take(struct pipe *pipe, const void *data, ssize_t bytes)
{
	if (pipe->to->io.handle.state != HANDLE_OPEN)
		return; /* closed: done follows in the closing phase */
	if (bytes < 0) {
		finish(pipe, (int)bytes);
		return;
	}
	if (bytes == 0) {
		pipe->ended = 1;
		pipe_drained(pipe);
		return;
	}
	int above = ps_stream_write(pipe->to, data, (size_t)bytes);
	if (above < 0) {
		finish(pipe, above);
	} else if (above) {
		pipe->waiting = 1;
		ps_stream_pause(pipe->from);
	}
}

void pipe_drained(struct pipe *pipe)
{
	if (pipe->from->io.handle.state != HANDLE_OPEN)
		return;
	if (pipe->ended && !ps_stream_buffered(pipe->to)) {
		finish(pipe, 0);
	} else if (pipe->waiting && ps_stream_buffered(pipe->to) < pipe->to->high_water) {
		pipe->waiting = 0;
		ps_stream_start(pipe->from);
	}
}

static int may_pipe(const struct ps_stream *from, const struct ps_stream *to)
{
	return from && to && from != to && from->io.handle.state == HANDLE_OPEN &&
	       to->io.handle.state == HANDLE_OPEN && from->io.handle.loop == to->io.handle.loop;
}

int ps_stream_pipe(struct ps_stream *from, struct ps_stream *to, ps_piped_fn *done, void *arg)
{
	if (!may_pipe(from, to))
		return -EINVAL;
	if (from->source || to->sink)
		return -EBUSY;
	if (from->flags & (STREAM_ENDED | STREAM_FAILED) || to->flags & (STREAM_SHUT | STREAM_FAILED))
		return -EPIPE;
	struct pipe *pipe = calloc(1, sizeof(*pipe));
	if (!pipe)
		return -ENOMEM;
	*pipe = (struct pipe){ .from = from, .to = to, .done = done, .arg = arg };
	from->source = pipe;
	to->sink = pipe;
	from->flags |= STREAM_READING;
	stream_update(from);
	return 0;
}

int ps_pipe_open(struct ps_loop *loop, struct ps_stream **reader, struct ps_stream **writer,
		 const struct ps_stream_events *events, void *arg)
{
	int fds[2];

	if (!loop || !reader || !writer || !events || !events->read)
		return -EINVAL;
	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	int err = ps_stream_open(loop, reader, fds[0], events, arg);
	if (err) {
		close(fds[0]);
		close(fds[1]);
		return err;
	}
	err = ps_stream_open(loop, writer, fds[1], events, arg);
	if (err) {
		close(fds[1]);
		ps_stream_close(*reader);
	}
	return err;
}

int ps_fifo_open(struct ps_loop *loop, struct ps_stream **stream, const char *path, int flags,
		 const struct ps_stream_events *events, void *arg)
{
	struct stat st;

	if (!loop || !stream || !path || !events || !events->read || flags & ~O_ACCMODE)
		return -EINVAL;
	int fd = open(path, flags | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	int err = fstat(fd, &st) < 0 ? -errno : S_ISFIFO(st.st_mode) ? 0 : -EINVAL;
	if (!err)
		err = ps_stream_open(loop, stream, fd, events, arg);
	if (err)
		close(fd);
	return err;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Streams: bytes in and out of a descriptor that the stream owns.
 *
 * Writing tries the kernel first and copies only what it does not take. Above
 * the high-water mark write() says 1 and one drain is owed. An error, of either
 * direction, is delivered once, to read. After every callback the stream may be
 * closed: look at its state before touching it again.
 */
#include "stream.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "probe.h"

#define READS_PER_TURN 8 /* of SCRATCH_BYTES: then it is somebody else's turn */

static struct ps_loop *loop_of(const struct ps_stream *stream)
{
	return stream->io.handle.loop;
}

static int is_open(const struct ps_stream *stream)
{
	return stream && stream->io.handle.state == HANDLE_OPEN;
}

static size_t buffered(const struct ps_stream *stream)
{
	return stream->out_end - stream->out_start;
}

void stream_update(struct ps_stream *stream)
{
	uint32_t events = 0;

	if (stream->flags & STREAM_CONNECTING)
		events = PS_WRITABLE;
	else if (!(stream->flags & STREAM_FAILED))
		events = ((stream->flags & (STREAM_READING | STREAM_ENDED)) == STREAM_READING ? PS_READABLE : 0) |
			 (buffered(stream) ? PS_WRITABLE : 0);
	io_want(&stream->io, events);
}

static void begin_call(struct ps_stream *stream, void *fn)
{
	probe_callback_now(loop_of(stream), fn, &stream->io.handle, stream->io.fd, io_generation(&stream->io));
}

/* ---- what is not written yet ---- */

static void drop_buffer(struct ps_stream *stream)
{
	loop_of(stream)->buffered_bytes -= buffered(stream);
	free(stream->out);
	stream->out = NULL;
	stream->out_start = stream->out_end = stream->out_room = 0;
}

static int append(struct ps_stream *stream, const char *data, size_t bytes)
{
	size_t have = buffered(stream), need = have + bytes;

	if (need < have)
		return -ENOMEM;
	if (stream->out_end + bytes > stream->out_room) {
		if (stream->out_start && need <= stream->out_room / 2) {
			memmove(stream->out, stream->out + stream->out_start, have);
		} else {
			size_t room = need < 2048 ? 4096 : need + need / 2;
			char *out = malloc(room);
			if (!out)
				return -ENOMEM;
			if (have)
				memcpy(out, stream->out + stream->out_start, have);
			free(stream->out);
			stream->out = out;
			stream->out_room = room;
		}
		stream->out_start = 0;
		stream->out_end = have;
	}
	memcpy(stream->out + stream->out_end, data, bytes);
	stream->out_end += bytes;
	loop_of(stream)->buffered_bytes += bytes;
	return 0;
}

/* A pipe has no MSG_NOSIGNAL: hold SIGPIPE back and take the one that this write made. */
static ssize_t write_pipe(int fd, const void *data, size_t bytes)
{
	sigset_t pipe_set, before, pending;

	sigemptyset(&pipe_set);
	sigaddset(&pipe_set, SIGPIPE);
	sigpending(&pending);
	pthread_sigmask(SIG_BLOCK, &pipe_set, &before);
	ssize_t n = write(fd, data, bytes);
	int saved = errno;
	if (n < 0 && saved == EPIPE && !sigismember(&pending, SIGPIPE))
		sigtimedwait(&pipe_set, NULL, &(struct timespec){ 0, 0 });
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	errno = saved;
	return n;
}

/* Bytes the kernel took, 0 when it takes none now, or -errno. */
static ssize_t push(struct ps_stream *stream, const void *data, size_t bytes)
{
	ssize_t n;

	do
		n = stream->flags & STREAM_SOCKET ? send(stream->io.fd, data, bytes, MSG_NOSIGNAL) :
						    write_pipe(stream->io.fd, data, bytes);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -errno;
	probe_fd_io(loop_of(stream), stream->io.fd, io_generation(&stream->io), 0, (size_t)n);
	return n;
}

/* A pipe has no half to close: its number becomes /dev/null, so the reader sees the end and we keep the number. */
static void end_pipe(int fd)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (null < 0)
		return;
	dup3(null, fd, O_CLOEXEC);
	close(null);
}

static void finish_shutdown(struct ps_stream *stream)
{
	if (!(stream->flags & STREAM_SHUT) || buffered(stream) || stream->flags & STREAM_CONNECTING)
		return;
	if (stream->flags & STREAM_SOCKET)
		shutdown(stream->io.fd, SHUT_WR);
	else
		end_pipe(stream->io.fd);
}

/* ---- readiness ---- */

static void give(struct ps_stream *stream, const void *data, ssize_t bytes)
{
	if (stream->source) {
		pipe_take(stream->source, data, bytes);
		return;
	}
	if (!stream->on.read)
		return;
	begin_call(stream, (void *)stream->on.read);
	stream->on.read(stream, data, bytes, stream->io.handle.arg);
	callback_end(loop_of(stream));
}

static void fail(struct ps_stream *stream, int err)
{
	if (stream->flags & STREAM_FAILED)
		return;
	stream->flags |= STREAM_FAILED;
	drop_buffer(stream);
	stream_update(stream);
	if (stream->sink)
		pipe_failed(stream->sink, err);
	if (is_open(stream))
		give(stream, NULL, err);
}

static void on_writable(struct ps_stream *stream)
{
	ssize_t n = push(stream, stream->out + stream->out_start, buffered(stream));

	if (n < 0) {
		fail(stream, (int)n);
		return;
	}
	stream->out_start += (size_t)n;
	loop_of(stream)->buffered_bytes -= (size_t)n;
	if (!buffered(stream))
		drop_buffer(stream);
	finish_shutdown(stream);
	stream_update(stream);
	if (stream->sink)
		pipe_drained(stream->sink);
	if (!is_open(stream) || !(stream->flags & STREAM_ABOVE) || buffered(stream) >= stream->high_water)
		return;
	stream->flags &= (uint8_t)~STREAM_ABOVE;
	probe_backpressure(loop_of(stream), stream->io.fd, 0, buffered(stream), stream->high_water);
	if (!stream->on.drain)
		return;
	begin_call(stream, (void *)stream->on.drain);
	stream->on.drain(stream, stream->io.handle.arg);
	callback_end(loop_of(stream));
}

static int can_read(const struct ps_stream *stream)
{
	return is_open(stream) &&
	       (stream->flags & (STREAM_READING | STREAM_ENDED | STREAM_FAILED)) == STREAM_READING;
}

static void on_readable(struct ps_stream *stream)
{
	struct ps_loop *loop = loop_of(stream);

	if (!loop->scratch)
		loop->scratch = malloc(SCRATCH_BYTES);
	if (!loop->scratch) {
		fail(stream, -ENOMEM);
		return;
	}
	for (int turn = 0; turn < READS_PER_TURN && can_read(stream); turn++) {
		ssize_t n = read(stream->io.fd, loop->scratch, SCRATCH_BYTES);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			if (errno != EAGAIN && errno != EWOULDBLOCK)
				fail(stream, -errno);
			return;
		}
		if (n == 0) {
			stream->flags |= STREAM_ENDED;
			stream_update(stream);
		}
		probe_fd_io(loop, stream->io.fd, io_generation(&stream->io), (size_t)n, 0);
		give(stream, loop->scratch, n);
		if ((size_t)n < SCRATCH_BYTES)
			return;
	}
}

static void on_connected(struct ps_stream *stream)
{
	int status = stream->status;
	socklen_t room = sizeof(status);

	if (!status && getsockopt(stream->io.fd, SOL_SOCKET, SO_ERROR, &status, &room) < 0)
		status = errno;
	stream->flags &= (uint8_t)~STREAM_CONNECTING;
	if (status)
		stream->flags |= STREAM_FAILED;
	else
		finish_shutdown(stream);
	stream_update(stream);
	if (!stream->on.connected)
		return;
	begin_call(stream, (void *)stream->on.connected);
	stream->on.connected(stream, -status, stream->io.handle.arg);
	callback_end(loop_of(stream));
}

static void dispatch(struct ps_io *io, uint32_t events)
{
	struct ps_stream *stream = container_of(io, struct ps_stream, io);

	if (stream->flags & STREAM_CONNECTING) {
		on_connected(stream);
		return;
	}
	if (events & (PS_WRITABLE | PS_ERROR | PS_HANGUP) && buffered(stream))
		on_writable(stream);
	if (events & (PS_READABLE | PS_ERROR | PS_HANGUP) && can_read(stream))
		on_readable(stream);
}

/* ---- opening, closing ---- */

static void finish(struct handle *handle)
{
	struct ps_stream *stream = container_of(handle, struct ps_stream, io.handle);

	if (stream->source)
		pipe_cancel(stream->source);
	if (stream->sink)
		pipe_cancel(stream->sink);
	if (stream->flags & STREAM_CONNECTING && stream->on.connected) {
		probe_callback_now(handle->loop, (void *)stream->on.connected, handle, -1, 0);
		stream->on.connected(stream, -ECANCELED, handle->arg);
		callback_end(handle->loop);
	}
	if (stream->on.closed) {
		probe_callback_now(handle->loop, (void *)stream->on.closed, handle, -1, 0);
		stream->on.closed(stream, handle->arg);
		callback_end(handle->loop);
	}
}

struct ps_stream *stream_adopt(struct ps_loop *loop, int fd, enum ps_kind kind, uint8_t flags)
{
	struct ps_stream *stream = handle_open(loop, SLAB_STREAM, kind, NULL);

	if (stream) {
		io_init(&stream->io, fd, dispatch, NULL);
		stream->flags = flags;
		stream->high_water = HIGH_WATER_BYTES;
		stream->io.handle.finish = finish;
		if (!io_attach(&stream->io)) {
			probe_fd_life(loop, fd, io_generation(&stream->io), PS_LIFE_OPENED, &stream->io.handle);
			return stream;
		}
		handle_free(&stream->io.handle);
	}
	return NULL;
}

static int kind_of(int fd, uint8_t *flags)
{
	struct stat st;
	int domain = 0;
	socklen_t room = sizeof(domain);

	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))
		return -EPERM;
	if (S_ISFIFO(st.st_mode))
		return PS_KIND_PIPE;
	if (!S_ISSOCK(st.st_mode))
		return isatty(fd) ? PS_KIND_TTY : PS_KIND_STREAM;
	*flags = STREAM_SOCKET;
	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &room) < 0)
		return -errno;
	return domain == AF_UNIX ? PS_KIND_UNIX : PS_KIND_TCP;
}

int ps_stream_open(struct ps_loop *loop, struct ps_stream **out, int fd, const struct ps_stream_events *events, void *arg)
{
	uint8_t flags = 0;

	if (!loop || !out || !events || !events->read)
		return -EINVAL;
	int kind = kind_of(fd, &flags), status = kind < 0 ? kind : fcntl(fd, F_GETFL);
	if (status < 0)
		return kind < 0 ? kind : -errno;
	if (fcntl(fd, F_SETFL, status | O_NONBLOCK) < 0)
		return -errno;
	struct ps_stream *stream = stream_adopt(loop, fd, (enum ps_kind)kind, flags);
	if (!stream)
		return -ENOMEM;
	stream->on = *events;
	stream->io.handle.arg = arg;
	*out = stream;
	return 0;
}

int ps_stream_set(struct ps_stream *stream, const struct ps_stream_events *events, void *arg)
{
	if (!is_open(stream) || !events || !events->read)
		return -EINVAL;
	stream->on = *events;
	stream->io.handle.arg = arg;
	return 0;
}

int ps_stream_start(struct ps_stream *stream)
{
	if (!is_open(stream) || !stream->on.read)
		return -EINVAL;
	stream->flags |= STREAM_READING;
	stream_update(stream);
	return 0;
}

int ps_stream_pause(struct ps_stream *stream)
{
	if (!is_open(stream))
		return -EINVAL;
	stream->flags &= (uint8_t)~STREAM_READING;
	stream_update(stream);
	return 0;
}

int ps_stream_write(struct ps_stream *stream, const void *data, size_t bytes)
{
	ssize_t n = 0;

	if (!is_open(stream) || (!data && bytes) || bytes > SIZE_MOST)
		return -EINVAL;
	if (stream->flags & (STREAM_SHUT | STREAM_FAILED))
		return -EPIPE;
	if (!buffered(stream) && !(stream->flags & STREAM_CONNECTING) && bytes)
		n = push(stream, data, bytes);
	if (n < 0)
		return (int)n;
	if ((size_t)n < bytes) {
		int err = append(stream, (const char *)data + n, bytes - (size_t)n);
		if (err)
			return err;
		stream_update(stream);
	}
	if (buffered(stream) <= stream->high_water)
		return 0;
	if (!(stream->flags & STREAM_ABOVE))
		probe_backpressure(loop_of(stream), stream->io.fd, 1, buffered(stream), stream->high_water);
	stream->flags |= STREAM_ABOVE;
	return 1;
}

size_t ps_stream_buffered(const struct ps_stream *stream)
{
	return is_open(stream) ? buffered(stream) : 0;
}

int ps_stream_high_water(struct ps_stream *stream, size_t bytes)
{
	if (!is_open(stream) || !bytes)
		return -EINVAL;
	stream->high_water = bytes;
	return 0;
}

int ps_stream_shutdown(struct ps_stream *stream)
{
	if (!is_open(stream))
		return -EINVAL;
	if (!(stream->flags & STREAM_SOCKET) && stream->flags & STREAM_READING)
		return -ENOTSOCK;
	if (stream->flags & STREAM_SHUT)
		return -EALREADY;
	stream->flags |= STREAM_SHUT;
	finish_shutdown(stream);
	return 0;
}

int ps_stream_fd(const struct ps_stream *stream)
{
	return is_open(stream) ? stream->io.fd : -EINVAL;
}

int ps_stream_close(struct ps_stream *stream)
{
	if (!is_open(stream))
		return -EINVAL;
	probe_fd_life(loop_of(stream), stream->io.fd, io_generation(&stream->io), PS_LIFE_CLOSED, &stream->io.handle);
	drop_buffer(stream);
	io_detach(&stream->io);
	close(stream->io.fd);
	return handle_close(&stream->io.handle);
}

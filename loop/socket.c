/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Listening and connecting: TCP by numeric address, Unix sockets by path.
 *
 * A connect always ends in the connected callback, also when the kernel knew at
 * once. When descriptors run out, the loop gives up a spare one for as long as
 * it takes to accept and drop a connection: the peer sees a close instead of
 * silence, and the loop does not spin on a listener that it cannot serve. If
 * there is no spare one either, the listener rests for a moment.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "probe.h"
#include "socket.h"
#include "stream.h"

#define ACCEPTS_PER_TURN 64
#define REST_NS 50000000u

struct address {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
		struct sockaddr_un local;
	};
	socklen_t bytes;
};

static int tcp_address(struct address *address, const char *host, uint16_t port)
{
	memset(address, 0, sizeof(*address));
	if (inet_pton(AF_INET, host ? host : "0.0.0.0", &address->v4.sin_addr) == 1) {
		address->v4.sin_family = AF_INET;
		address->v4.sin_port = htons(port);
		address->bytes = sizeof(address->v4);
		return 0;
	}
	if (inet_pton(AF_INET6, host, &address->v6.sin6_addr) == 1) {
		address->v6.sin6_family = AF_INET6;
		address->v6.sin6_port = htons(port);
		address->bytes = sizeof(address->v6);
		return 0;
	}
	return -EINVAL;
}

static int unix_address(struct address *address, const char *path)
{
	size_t bytes = path ? strlen(path) : 0;

	if (!bytes)
		return -EINVAL;
	if (bytes >= sizeof(address->local.sun_path))
		return -ENAMETOOLONG;
	memset(address, 0, sizeof(*address));
	address->local.sun_family = AF_UNIX;
	memcpy(address->local.sun_path, path, bytes);
	address->bytes = sizeof(address->local);
	return 0;
}

static int open_socket(const struct address *address)
{
	int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;

	if (fd < 0)
		return -errno;
	if (address->any.sa_family != AF_UNIX) /* accepted sockets inherit it from the listener */
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

/* ---- accepting ---- */

static int accept_one(struct ps_listener *listener)
{
	return accept4(listener->io.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

static void open_spare(struct ps_loop *loop)
{
	if (loop->spare_fd < 0)
		loop->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* Drops the connection at the head of the queue, for want of `error`. 0: done, there may be more. */
static int shed(struct ps_listener *listener, int error)
{
	struct ps_loop *loop = listener->io.handle.loop;

	if (loop->spare_fd < 0)
		return -EMFILE;
	close(loop->spare_fd);
	loop->spare_fd = -1;
	int fd = accept_one(listener);
	int err = fd < 0 ? -errno : 0;
	if (fd >= 0) {
		close(fd);
		loop->shed++;
		probe_shed(loop, listener->io.fd, error);
	}
	open_spare(loop);
	return err;
}

static void end_rest(void *arg)
{
	struct ps_listener *listener = arg;

	open_spare(listener->io.handle.loop);
	io_want(&listener->io, PS_READABLE);
}

/* The connection stays in the kernel's queue; looking at it again at once would find the same. */
static void begin_rest(struct ps_listener *listener)
{
	struct ps_loop *loop = listener->io.handle.loop;

	if (!listener->rest && ps_timer_open(loop, &listener->rest, end_rest, listener))
		return;
	if (!ps_timer_start(listener->rest, REST_NS, 0))
		io_want(&listener->io, 0);
}

static int is_exhausted(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

static void dispatch(struct ps_io *io, uint32_t events)
{
	struct ps_listener *listener = container_of(io, struct ps_listener, io);
	struct ps_loop *loop = io->handle.loop;
	enum ps_kind kind = (enum ps_kind)loop->slots[io->fd].kind == PS_KIND_UNIX ? PS_KIND_UNIX : PS_KIND_TCP;

	for (int turn = 0; turn < ACCEPTS_PER_TURN && io->handle.state == HANDLE_OPEN; turn++) {
		int fd = accept_one(listener);
		int error = fd < 0 ? errno : 0;
		if (error == EMFILE || error == ENFILE) {
			error = -shed(listener, error);
			if (!error)
				continue;
		}
		if (error == EINTR || error == ECONNABORTED)
			continue;
		if (is_exhausted(error))
			begin_rest(listener);
		if (error)
			return;
		struct ps_stream *stream = stream_adopt(loop, fd, kind, STREAM_SOCKET);
		if (!stream) {
			close(fd);
			return;
		}
		probe_callback_now(loop, (void *)listener->fn, &io->handle, io->fd, io_generation(io));
		listener->fn(listener, stream, io->handle.arg);
		callback_end(loop);
	}
}

static int open_listening(const struct address *address, int backlog)
{
	int one = 1, fd = open_socket(address);

	if (fd < 0)
		return fd;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, &address->any, address->bytes) < 0 || listen(fd, backlog > 0 ? backlog : SOMAXCONN) < 0) {
		int err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

int socket_listen_tcp(const char *host, uint16_t port)
{
	struct address address;
	int err = tcp_address(&address, host, port);

	return err ? err : open_listening(&address, 0);
}

static int listen_on(struct ps_loop *loop, struct ps_listener **out, const struct address *address, int backlog,
		     ps_accept_fn *fn, void *arg)
{
	int fd = open_listening(address, backlog);

	if (fd < 0)
		return fd;
	struct ps_listener *listener = handle_open(loop, SLAB_LISTENER, PS_KIND_LISTEN, arg);
	if (!listener) {
		close(fd);
		return -ENOMEM;
	}
	io_init(&listener->io, fd, dispatch, (void *)fn);
	listener->fn = fn;
	if (io_attach(&listener->io)) {
		handle_free(&listener->io.handle);
		close(fd);
		return -ENOMEM;
	}
	probe_fd_life(loop, fd, io_generation(&listener->io), PS_LIFE_OPENED, &listener->io.handle);
	open_spare(loop);
	io_want(&listener->io, PS_READABLE);
	*out = listener;
	return 0;
}

int ps_tcp_listen(struct ps_loop *loop, struct ps_listener **listener, const char *host, uint16_t port, int backlog,
		  ps_accept_fn *fn, void *arg)
{
	struct address address;
	int err = loop && listener && fn ? tcp_address(&address, host, port) : -EINVAL;

	return err ? err : listen_on(loop, listener, &address, backlog, fn, arg);
}

int ps_unix_listen(struct ps_loop *loop, struct ps_listener **listener, const char *path, int backlog, ps_accept_fn *fn,
		   void *arg)
{
	struct address address;
	int err = loop && listener && fn ? unix_address(&address, path) : -EINVAL;

	return err ? err : listen_on(loop, listener, &address, backlog, fn, arg);
}

static int own_address(int fd, struct address *address)
{
	address->bytes = sizeof(*address) - sizeof(address->bytes);
	return getsockname(fd, &address->any, &address->bytes) < 0 ? -errno : 0;
}

uint16_t socket_port(int fd)
{
	struct address address;

	if (own_address(fd, &address))
		return 0;
	if (address.any.sa_family == AF_INET)
		return ntohs(address.v4.sin_port);
	return address.any.sa_family == AF_INET6 ? ntohs(address.v6.sin6_port) : 0;
}

uint16_t ps_listener_port(const struct ps_listener *listener)
{
	return listener && handle_is_open(&listener->io.handle) ? socket_port(listener->io.fd) : 0;
}

int ps_listener_close(struct ps_listener *listener)
{
	struct address address;

	if (!listener || !handle_is_open(&listener->io.handle))
		return -EINVAL;
	struct ps_loop *loop = listener->io.handle.loop;
	if (!own_address(listener->io.fd, &address) && address.any.sa_family == AF_UNIX &&
	    address.bytes > offsetof(struct sockaddr_un, sun_path))
		unlink(address.local.sun_path);
	probe_fd_life(loop, listener->io.fd, io_generation(&listener->io), PS_LIFE_CLOSED, &listener->io.handle);
	if (listener->rest)
		ps_timer_close(listener->rest);
	io_detach(&listener->io);
	close(listener->io.fd);
	return handle_close(&listener->io.handle);
}

/* ---- connecting ---- */

static int connect_to(struct ps_loop *loop, struct ps_stream **out, const struct address *address,
		      const struct ps_stream_events *events, void *arg)
{
	int fd = open_socket(address);

	if (fd < 0)
		return fd;
	int status = connect(fd, &address->any, address->bytes) < 0 && errno != EINPROGRESS ? errno : 0;
	struct ps_stream *stream = stream_adopt(loop, fd,
						address->any.sa_family == AF_UNIX ? PS_KIND_UNIX : PS_KIND_TCP,
						STREAM_SOCKET | STREAM_CONNECTING);
	if (!stream) {
		close(fd);
		return -ENOMEM;
	}
	stream->status = status;
	stream->on = *events;
	stream->io.handle.arg = arg;
	stream_update(stream);
	*out = stream;
	return 0;
}

int ps_tcp_connect(struct ps_loop *loop, struct ps_stream **stream, const char *host, uint16_t port,
		   const struct ps_stream_events *events, void *arg)
{
	struct address address;
	int err = loop && stream && host && events && events->read ? tcp_address(&address, host, port) : -EINVAL;

	return err ? err : connect_to(loop, stream, &address, events, arg);
}

int ps_unix_connect(struct ps_loop *loop, struct ps_stream **stream, const char *path,
		    const struct ps_stream_events *events, void *arg)
{
	struct address address;
	int err = loop && stream && events && events->read ? unix_address(&address, path) : -EINVAL;

	return err ? err : connect_to(loop, stream, &address, events, arg);
}

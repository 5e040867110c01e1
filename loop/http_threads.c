/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The other model: the same handler, one blocking thread per connection.
 *
 * One thread accepts and starts a thread for each connection, which sits in the
 * kernel whenever there is no request. Each of the first RINGS of them tells
 * what it does in a flight recorder of its own, as long as it lives.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http_threads.h"
#include "socket.h"

#define STACK_BYTES (256u * 1024)
#define RINGS 128u /* at 72 KiB each */

/* ---- accepting ---- */

/* Connections and the acceptor take no signals: those are for the program's own threads. */
static int start_thread(pthread_t *thread, void *(*main)(void *arg), void *arg, int is_detached)
{
	pthread_attr_t attributes;
	sigset_t all, before;
	int err = pthread_attr_init(&attributes);

	if (err)
		return -err;
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	pthread_attr_setdetachstate(&attributes, is_detached ? PTHREAD_CREATE_DETACHED : PTHREAD_CREATE_JOINABLE);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(thread, &attributes, main, arg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	return -err;
}

/* The lock is held. */
static int add_connection(struct ps_http_threads *server, int fd)
{
	struct threaded *threaded = server->count < server->limits.connections ? calloc(1, sizeof(*threaded)) : NULL;
	pthread_t thread;

	if (!threaded)
		return -ENOMEM;
	threaded_init(threaded, server, fd);
	threaded->number = (uint32_t)server->accepted + 1;
	threaded->records = server->rings < RINGS;
	threaded->next = server->first;
	int err = start_thread(&thread, threaded_main, threaded, 1);
	if (err) {
		free(threaded);
		return err;
	}
	if (server->first)
		server->first->before = threaded;
	server->first = threaded;
	server->rings += threaded->records;
	server->accepted++;
	if (++server->count > server->most)
		server->most = server->count;
	return 0;
}

static void take_connection(struct ps_http_threads *server, int fd)
{
	pthread_mutex_lock(&server->lock);
	int err = add_connection(server, fd);
	server->shed += err != 0;
	pthread_mutex_unlock(&server->lock);
	if (err)
		close(fd);
}

/* As on the loop: a spare descriptor lets the peer see a close instead of silence. */
static void shed(struct ps_http_threads *server)
{
	if (server->spare_fd >= 0)
		close(server->spare_fd);
	int fd = accept4(server->listen_fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd >= 0)
		close(fd);
	else
		usleep(10000); /* nothing to give up: whoever closes one is waited for */
	server->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	pthread_mutex_lock(&server->lock);
	server->shed += fd >= 0;
	pthread_mutex_unlock(&server->lock);
}

static void *acceptor_main(void *arg)
{
	struct ps_http_threads *server = arg;

	pthread_setname_np(pthread_self(), "ps-accept");
	while (!atomic_load(&server->closing)) {
		/* an accept() that waits holds a descriptor already, so it would find none where there is one */
		struct pollfd pollfd = { .fd = server->listen_fd, .events = POLLIN };
		poll(&pollfd, 1, -1);
		int fd = accept4(server->listen_fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0)
			take_connection(server, fd);
		else if (errno == EMFILE || errno == ENFILE)
			shed(server);
		else if (errno == ENOBUFS || errno == ENOMEM)
			usleep(10000); /* no memory for a socket: not for long */
	}
	return NULL;
}

/* ---- the server ---- */

static void free_server(struct ps_http_threads *server)
{
	if (server->listen_fd >= 0)
		close(server->listen_fd);
	if (server->spare_fd >= 0)
		close(server->spare_fd);
	pthread_cond_destroy(&server->left);
	pthread_mutex_destroy(&server->lock);
	free(server);
}

int ps_http_threads_listen(struct ps_http_threads **out, const char *host, uint16_t port,
			   const struct ps_http_limits *limits, ps_http_fn *fn, void *arg)
{
	struct ps_http_threads *server;

	if (!out || !fn)
		return -EINVAL;
	int fd = socket_listen_tcp(host, port);
	if (fd < 0)
		return fd;
	server = calloc(1, sizeof(*server));
	if (!server) {
		close(fd);
		return -ENOMEM;
	}
	server->listen_fd = fd;
	server->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	server->fn = fn;
	server->arg = arg;
	http_limits_fill(&server->limits, limits);
	pthread_mutex_init(&server->lock, NULL);
	pthread_cond_init(&server->left, NULL);
	int err = start_thread(&server->acceptor, acceptor_main, server, 0);
	if (err) {
		free_server(server);
		return err;
	}
	*out = server;
	return 0;
}

uint16_t ps_http_threads_port(const struct ps_http_threads *server)
{
	return server ? socket_port(server->listen_fd) : 0;
}

int ps_http_threads_info(struct ps_http_threads *server, struct ps_http_threads_info *info)
{
	if (!server || !info || info->size < sizeof(*info))
		return -EINVAL;
	pthread_mutex_lock(&server->lock);
	*info = (struct ps_http_threads_info){ .size = info->size,
					       .accepted = server->accepted,
					       .shed = server->shed,
					       .requests = atomic_load(&server->requests),
					       .connections = server->count,
					       .most = server->most };
	pthread_mutex_unlock(&server->lock);
	return 0;
}

int ps_http_threads_close(struct ps_http_threads *server)
{
	if (!server)
		return -EINVAL;
	if (threaded_is_inside(server))
		return -EDEADLK;
	atomic_store(&server->closing, 1);
	shutdown(server->listen_fd, SHUT_RDWR); /* ends accept() */
	pthread_join(server->acceptor, NULL);
	pthread_mutex_lock(&server->lock);
	for (struct threaded *threaded = server->first; threaded; threaded = threaded->next)
		shutdown(threaded->fd, SHUT_RDWR);
	while (server->count)
		pthread_cond_wait(&server->left, &server->lock);
	pthread_mutex_unlock(&server->lock);
	free_server(server);
	return 0;
}

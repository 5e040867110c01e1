/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The other model: the same handler, one blocking thread per connection.
 *
 * One thread accepts and starts a thread for each connection, which reads,
 * parses, calls the handler and writes, and sits in the kernel for the rest of
 * the time. Each of the first RINGS of them tells what it does in a flight
 * recorder of its own, as long as it lives.
 *
 * The lock guards the list of connections and what is counted; a connection is
 * on the list from before its thread starts until just before its descriptor is
 * closed, so whoever holds the lock may shut the descriptor down.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "http.h"
#include "probe.h"
#include "socket.h"

#define STACK_BYTES (256u * 1024)
#define READ_BYTES 16384u
#define RINGS 128u /* at 72 KiB each */
#define RING_SLOTS 1024u

struct ps_http_threads {
	int listen_fd, spare_fd;
	struct ps_http_limits limits;
	ps_http_fn *fn;
	void *arg;
	pthread_t acceptor;
	pthread_mutex_t lock;
	pthread_cond_t left; /* the last connection has gone */
	struct threaded *first;
	uint32_t count, most, rings;
	uint64_t accepted, shed;
	atomic_ullong requests;
	atomic_int closing;
};

/* A connection and its thread. */
struct threaded {
	struct http_input input;
	struct ps_http_request request;
	struct ps_http_threads *server;
	struct threaded *next, *before;
	struct clock clock;
	struct recorder_memory memory;
	char *cork; /* answers of one parse, written together */
	size_t corked, cork_room;
	uint64_t read_timeout_ns; /* what the socket has now */
	uint64_t deadline_ns; /* of the request that is being received; 0 = none is */
	struct http_date date;
	int fd;
	uint32_t number;
	uint8_t last; /* the connection ends after this answer */
	uint8_t records; /* it may have a ring */
};

static _Thread_local struct threaded *own; /* of a connection's thread */

static struct threaded *threaded_of(struct http_input *input)
{
	return container_of(input, struct threaded, input);
}

/* ---- blocking calls, told before and after ---- */

static void set_timeout(int fd, int which, uint64_t ns)
{
	struct timeval time = { (time_t)(ns / 1000000000), (suseconds_t)(ns % 1000000000 / 1000) };

	if (!time.tv_sec && !time.tv_usec)
		time.tv_usec = 1; /* zero would mean for ever */
	setsockopt(fd, SOL_SOCKET, which, &time, sizeof(time));
}

static uint64_t told_blocked(struct threaded *threaded, enum ps_blocked_op op)
{
	uint64_t now = clock_now(&threaded->clock);

	probe_blocked(threaded->memory.recorder, now, threaded->fd, op);
	return now;
}

/* Bytes, 0 at the end, or -errno; -EAGAIN: the peer took too long. */
static ssize_t read_some(struct threaded *threaded, char *data, size_t room)
{
	uint64_t since = told_blocked(threaded, PS_BLOCKED_READ), limit = threaded->server->limits.idle_ns;
	ssize_t n;

	if (threaded->deadline_ns)
		limit = threaded->deadline_ns > since ? threaded->deadline_ns - since : 1;
	if (limit != threaded->read_timeout_ns)
		set_timeout(threaded->fd, SO_RCVTIMEO, limit);
	threaded->read_timeout_ns = limit;
	do
		n = recv(threaded->fd, data, room, 0);
	while (n < 0 && errno == EINTR);
	n = n < 0 ? -errno : n;
	probe_unblocked(threaded->memory.recorder, clock_now(&threaded->clock), since, threaded->fd, PS_BLOCKED_READ,
			n);
	return n;
}

static void write_all(struct threaded *threaded, const char *data, size_t bytes)
{
	uint64_t since = told_blocked(threaded, PS_BLOCKED_WRITE);
	size_t done = 0;
	int err = 0;

	while (done < bytes && !err) {
		ssize_t n = send(threaded->fd, data + done, bytes - done, MSG_NOSIGNAL);
		if (n >= 0)
			done += (size_t)n;
		else if (errno != EINTR)
			err = -errno;
	}
	if (err)
		threaded->last = 1;
	probe_unblocked(threaded->memory.recorder, clock_now(&threaded->clock), since, threaded->fd, PS_BLOCKED_WRITE,
			err ? err : (int64_t)done);
}

/* ---- answers ---- */

static void flush(struct threaded *threaded)
{
	if (threaded->corked)
		write_all(threaded, threaded->cork, threaded->corked);
	threaded->corked = 0;
	if (threaded->cork_room > HTTP_CORK_BYTES) { /* do not keep what one large answer needed */
		free(threaded->cork);
		threaded->cork = NULL;
		threaded->cork_room = 0;
	}
}

static int reserve(struct threaded *threaded, size_t bytes)
{
	size_t need = threaded->corked + bytes;

	if (need <= threaded->cork_room)
		return 0;
	size_t room = need < 1024 ? 1024 : need + need / 2;
	char *grown = realloc(threaded->cork, room);
	if (!grown)
		return -ENOMEM;
	threaded->cork = grown;
	threaded->cork_room = room;
	return 0;
}

static void append(struct threaded *threaded, const void *data, size_t bytes)
{
	if (bytes)
		memcpy(threaded->cork + threaded->corked, data, bytes);
	threaded->corked += bytes;
}

static int put_answer(struct threaded *threaded, int status, const char *type, const void *body, size_t bytes,
		      int is_head)
{
	char head[HTTP_HEAD_BYTES];
	size_t body_bytes = http_has_body(status) && !is_head ? bytes : 0;
	int n = http_head(head, status, type, bytes, threaded->last, &threaded->date);
	int err = n < 0 ? n : reserve(threaded, (size_t)n + body_bytes);

	if (err)
		return err;
	append(threaded, head, (size_t)n);
	append(threaded, body, body_bytes);
	if (threaded->corked >= HTTP_CORK_BYTES)
		flush(threaded);
	return 0;
}

static int reply(struct ps_http_request *request, int status, const char *type, const void *body, size_t bytes)
{
	struct threaded *threaded = threaded_of(request->input);

	if (threaded != own)
		return -EINVAL;
	int err = put_answer(threaded, status, type, body, bytes, request->is_head);
	if (!err)
		request->replied = 1;
	return err;
}

/* ---- what the parser reaches ---- */

static void drop_request(struct threaded *threaded)
{
	free(threaded->request.text);
	free(threaded->request.body);
	threaded->request = (struct ps_http_request){ .handle.state = HANDLE_FREE };
	threaded->input.request = NULL;
	threaded->deadline_ns = 0;
}

static int begin_request(struct http_input *input)
{
	struct threaded *threaded = threaded_of(input);
	char *text = malloc(input->limits->header_bytes);

	if (!text)
		return -ENOMEM;
	threaded->request = (struct ps_http_request){ .handle = { .arg = threaded->server->arg,
								  .number = threaded->number,
								  .kind = PS_KIND_TCP,
								  .state = HANDLE_OPEN },
						      .owner = input->owner,
						      .input = input,
						      .text = text,
						      .text_room = input->limits->header_bytes };
	input->request = &threaded->request;
	threaded->deadline_ns = clock_now(&threaded->clock) + input->limits->header_ns;
	return 0;
}

static void headers_complete(struct http_input *input, int wants_continue)
{
	struct threaded *threaded = threaded_of(input);

	threaded->deadline_ns = clock_now(&threaded->clock) + input->limits->idle_ns;
	if (!wants_continue)
		return;
	flush(threaded);
	write_all(threaded, http_continue_text, strlen(http_continue_text));
}

static int call_handler(struct http_input *input)
{
	struct threaded *threaded = threaded_of(input);
	struct ps_http_threads *server = threaded->server;

	threaded->last |= !llhttp_should_keep_alive(&input->parser);
	atomic_fetch_add_explicit(&server->requests, 1, memory_order_relaxed);
	probe_handler_begin(threaded->memory.recorder, clock_now(&threaded->clock), (void *)server->fn,
			    threaded->number, threaded->fd);
	server->fn(&threaded->request, server->arg);
	if (!threaded->request.replied)
		put_answer(threaded, 500, "text/plain", http_reason(500), strlen(http_reason(500)),
			   threaded->request.is_head);
	probe_handler_end(threaded->memory.recorder, clock_now(&threaded->clock), threaded->number);
	drop_request(threaded);
	return threaded->last || atomic_load(&server->closing) ? HPE_PAUSED : 0;
}

static const struct http_owner thread_owner = {
	.begin = begin_request,
	.headers = headers_complete,
	.complete = call_handler,
	.reply = reply,
};

/* ---- a connection's life ---- */

static void refuse(struct threaded *threaded, int status)
{
	threaded->last = 1;
	put_answer(threaded, status, "text/plain", http_reason(status), strlen(http_reason(status)), 0);
	flush(threaded);
}

static void feed(struct threaded *threaded, const char *data, size_t bytes)
{
	llhttp_errno_t err = llhttp_execute(&threaded->input.parser, data, bytes);

	if (err && err != HPE_PAUSED)
		refuse(threaded, threaded->input.error ? threaded->input.error : 400);
	else
		flush(threaded);
}

/* The answer may still be under way: closing over unread input would reset the connection. */
static void linger(struct threaded *threaded, char *data, size_t room)
{
	threaded->deadline_ns = clock_now(&threaded->clock) + HTTP_LINGER_NS;
	if (shutdown(threaded->fd, SHUT_WR) < 0)
		return;
	while (!atomic_load(&threaded->server->closing) && clock_now(&threaded->clock) < threaded->deadline_ns &&
	       read_some(threaded, data, room) > 0)
		;
}

static void serve(struct threaded *threaded)
{
	char data[READ_BYTES];

	while (!threaded->last && !atomic_load(&threaded->server->closing)) {
		ssize_t n = read_some(threaded, data, sizeof(data));
		if (n > 0) {
			feed(threaded, data, (size_t)n);
			continue;
		}
		if (n == -EAGAIN && threaded->deadline_ns)
			refuse(threaded, 408);
		else
			return; /* its end, an error, or nothing for too long */
	}
	linger(threaded, data, sizeof(data));
}

static void leave(struct threaded *threaded)
{
	struct ps_http_threads *server = threaded->server;
	int fd = threaded->fd;

	drop_request(threaded);
	free(threaded->cork);
	recorder_close(&threaded->memory);
	pthread_mutex_lock(&server->lock);
	*(threaded->before ? &threaded->before->next : &server->first) = threaded->next;
	if (threaded->next)
		threaded->next->before = threaded->before;
	server->rings -= threaded->records;
	close(fd);
	free(threaded);
	if (--server->count == 0)
		pthread_cond_broadcast(&server->left);
	pthread_mutex_unlock(&server->lock); /* the server may be gone from here on */
}

static void *connection_main(void *arg)
{
	struct threaded *threaded = arg;
	char name[16];

	own = threaded;
	snprintf(name, sizeof(name), "ps-conn-%u", threaded->number % 1000000);
	pthread_setname_np(pthread_self(), name);
	threaded->memory = (struct recorder_memory){ .recorder = &recorder_none, .fd = -1 };
	if (PROBES && threaded->records)
		recorder_open(&threaded->memory,
			      &(struct recorder_options){
				      .name = name, .slots = RING_SLOTS, .role = PS_ROLE_CONNECTION, .poller_fd = -1 });
	probe_connection(threaded->memory.recorder, clock_now(&threaded->clock), threaded->fd, threaded->number,
			 PS_LIFE_OPENED);
	serve(threaded);
	probe_connection(threaded->memory.recorder, clock_now(&threaded->clock), threaded->fd, threaded->number,
			 PS_LIFE_CLOSED);
	leave(threaded);
	return NULL;
}

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
	threaded->server = server;
	threaded->fd = fd;
	threaded->number = (uint32_t)server->accepted + 1;
	threaded->records = server->rings < RINGS;
	threaded->input.request = NULL;
	http_input_init(&threaded->input, &thread_owner, &server->limits);
	set_timeout(fd, SO_SNDTIMEO, server->limits.idle_ns);
	threaded->next = server->first;
	int err = start_thread(&thread, connection_main, threaded, 1);
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
	if (own && own->server == server)
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

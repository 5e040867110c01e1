/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A connection's thread: reads, parses, calls the handler, writes, all by calls
 * that block, each told to the thread's flight recorder before and after.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "http_threads.h"
#include "probe.h"

#define READ_BYTES 16384u
#define RING_SLOTS 1024u

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

void threaded_init(struct threaded *threaded, struct ps_http_threads *server, int fd)
{
	threaded->server = server;
	threaded->fd = fd;
	http_input_init(&threaded->input, &thread_owner, &server->limits);
	set_timeout(fd, SO_SNDTIMEO, server->limits.idle_ns);
}

int threaded_is_inside(const struct ps_http_threads *server)
{
	return own && own->server == server;
}

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

void *threaded_main(void *arg)
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

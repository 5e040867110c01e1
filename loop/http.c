/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The HTTP/1.1 server: listens, keeps connections and their deadlines.
 *
 * A connection has one request at a time; what a pipelining client sends behind
 * it waits, first here (at most one read), then in the kernel. Every state in
 * which the peer must do something has a deadline, looked at by one timer that
 * is armed only while there are connections.
 */
#include "http.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "handles.h"
#include "probe.h"

#define SWEEP_MAX_NS 1000000000ull
#define SWEEP_MIN_NS 5000000ull

static void connection_close(struct http_connection *connection)
{
	ps_stream_close(connection->stream);
}

static void set_deadline(struct http_connection *connection, uint64_t after_ns)
{
	connection->deadline_ns = connection->server->loop->now_ns + after_ns;
}

void http_end(struct http_connection *connection)
{
	http_flush(connection);
	connection->flags |= HTTP_LINGER;
	free(connection->rest);
	connection->rest = NULL;
	set_deadline(connection, HTTP_LINGER_NS + (ps_stream_buffered(connection->stream) ?
					      connection->server->limits.idle_ns : 0));
	if (connection->flags & HTTP_EOF && !ps_stream_buffered(connection->stream)) {
		connection_close(connection);
		return;
	}
	ps_stream_shutdown(connection->stream);
	ps_stream_start(connection->stream);
}

/* Who must move next, and until when. */
static void watch(struct http_connection *connection)
{
	const struct ps_http_limits *limits = &connection->server->limits;

	if (connection->flags & HTTP_LINGER)
		return;
	if (connection->flags & HTTP_WAITING)
		connection->deadline_ns = 0;
	else if (connection->flags & HTTP_BLOCKED || !connection->input.request)
		set_deadline(connection, limits->idle_ns);
	if (connection->flags & (HTTP_WAITING | HTTP_BLOCKED))
		ps_stream_pause(connection->stream);
	else if (connection->flags & HTTP_EOF && !connection->rest)
		http_end(connection);
	else if (!(connection->flags & HTTP_EOF))
		ps_stream_start(connection->stream);
}

static int keep_rest(struct http_connection *connection, const char *data, size_t bytes)
{
	char *rest = bytes ? malloc(bytes) : NULL;

	if (bytes && !rest)
		return -ENOMEM;
	if (bytes)
		memcpy(rest, data, bytes);
	free(connection->rest);
	connection->rest = rest;
	connection->rest_bytes = bytes;
	return 0;
}

void http_feed(struct http_connection *connection, const char *data, size_t bytes)
{
	connection->flags |= HTTP_PARSING;
	llhttp_errno_t err = llhttp_execute(&connection->input.parser, data, bytes);
	connection->flags &= (uint8_t)~HTTP_PARSING;
	if (connection->stream->io.handle.state != HANDLE_OPEN) {
		http_flush(connection); /* drops what the cork holds of it */
		return;
	}
	if (connection->flags & HTTP_LAST && !(connection->flags & HTTP_WAITING)) {
		http_end(connection);
		return;
	}
	size_t used = bytes;
	if (err == HPE_PAUSED) {
		used = (size_t)(llhttp_get_error_pos(&connection->input.parser) - data);
		llhttp_resume(&connection->input.parser);
		err = HPE_OK;
	}
	if (err || keep_rest(connection, data + used, bytes - used)) {
		http_refuse(connection, err && connection->input.error ? connection->input.error : err ? 400 : 500);
		return;
	}
	http_flush(connection);
	watch(connection);
}

void http_resume(struct http_connection *connection)
{
	char *rest = connection->rest;
	size_t bytes = connection->rest_bytes;

	if (connection->flags & (HTTP_WAITING | HTTP_BLOCKED | HTTP_LINGER | HTTP_PARSING))
		return;
	connection->rest = NULL;
	connection->rest_bytes = 0;
	if (rest)
		http_feed(connection, rest, bytes);
	else
		watch(connection);
	free(rest);
}

/* ---- what the parser reaches ---- */

static int begin_request(struct http_input *input)
{
	struct http_connection *connection = http_connection_of(input);
	struct ps_http_server *server = connection->server;
	struct ps_http_request *request = handle_open(server->loop, SLAB_REQUEST, PS_KIND_TCP, server->arg);

	if (!request)
		return -ENOMEM;
	request->text = server->spare ? server->spare : malloc(server->limits.header_bytes);
	server->spare = NULL;
	if (!request->text) {
		handle_free(&request->handle);
		return -ENOMEM;
	}
	request->text_room = server->limits.header_bytes;
	request->owner = input->owner;
	request->input = input;
	input->request = request;
	set_deadline(connection, server->limits.header_ns);
	return 0;
}

void http_request_free(struct ps_http_request *request)
{
	struct ps_http_server *server = request->input ? http_connection_of(request->input)->server : NULL;

	if (server && !server->spare)
		server->spare = request->text;
	else
		free(request->text);
	if (request->input)
		request->input->request = NULL;
	free(request->body);
	handle_free(&request->handle);
}

static void headers_complete(struct http_input *input, int wants_continue)
{
	struct http_connection *connection = http_connection_of(input);

	set_deadline(connection, input->limits->idle_ns);
	if (!wants_continue)
		return;
	http_flush(connection);
	ps_stream_write(connection->stream, http_continue_text, strlen(http_continue_text));
}

static int call_handler(struct http_input *input)
{
	struct http_connection *connection = http_connection_of(input);
	struct ps_http_server *server = connection->server;
	struct ps_http_request *request = input->request;
	struct ps_stream *stream = connection->stream;

	if (!llhttp_should_keep_alive(&input->parser))
		connection->flags |= HTTP_LAST;
	connection->flags |= HTTP_WAITING;
	request->handle.number = stream->io.handle.number;
	probe_callback_now(server->loop, (void *)server->fn, &stream->io.handle, stream->io.fd,
			   io_generation(&stream->io));
	server->fn(request, server->arg);
	callback_end(server->loop);
	if (connection->flags & HTTP_WAITING || stream->io.handle.state != HANDLE_OPEN)
		return HPE_PAUSED;
	http_request_free(request);
	return connection->flags & (HTTP_LAST | HTTP_BLOCKED) ? HPE_PAUSED : 0;
}

static const struct http_owner loop_owner = {
	.begin = begin_request,
	.headers = headers_complete,
	.complete = call_handler,
	.reply = http_loop_reply,
};

/* ---- what the stream tells ---- */

static void on_read(struct ps_stream *stream, const void *data, ssize_t bytes, void *arg)
{
	struct http_connection *connection = arg;

	if (bytes < 0 || (bytes == 0 && connection->flags & HTTP_LINGER)) {
		connection_close(connection);
	} else if (connection->flags & HTTP_LINGER) {
		return;
	} else if (bytes == 0) {
		connection->flags |= HTTP_EOF;
		/* in the middle of a request there is nothing left to wait for */
		if (connection->input.request && !(connection->flags & HTTP_WAITING))
			connection_close(connection);
		else
			watch(connection);
	} else {
		http_feed(connection, data, (size_t)bytes);
	}
}

static void on_drain(struct ps_stream *stream, void *arg)
{
	struct http_connection *connection = arg;

	connection->flags &= (uint8_t)~HTTP_BLOCKED;
	http_resume(connection);
}

static void on_closed(struct ps_stream *stream, void *arg)
{
	struct http_connection *connection = arg;
	struct ps_http_server *server = connection->server;

	if (connection->input.request) {
		connection->input.request->input = NULL;
		if (!(connection->flags & HTTP_WAITING))
			http_request_free(connection->input.request);
	}
	*(connection->before ? &connection->before->next : &server->first) = connection->next;
	if (connection->next)
		connection->next->before = connection->before;
	if (--server->count == 0 && handle_is_open(&server->sweep->handle))
		ps_timer_stop(server->sweep);
	free(connection->rest);
	free(connection);
}

static const struct ps_stream_events connection_events = {
	.read = on_read,
	.drain = on_drain,
	.closed = on_closed,
};

/* ---- the server ---- */

static uint64_t sweep_ns(const struct ps_http_limits *limits)
{
	uint64_t least = limits->idle_ns < limits->header_ns ? limits->idle_ns : limits->header_ns;

	least /= 4;
	return least > SWEEP_MAX_NS ? SWEEP_MAX_NS : least < SWEEP_MIN_NS ? SWEEP_MIN_NS : least;
}

static void on_accept(struct ps_listener *listener, struct ps_stream *stream, void *arg)
{
	struct ps_http_server *server = arg;
	struct http_connection *connection =
		server->count < server->limits.connections ? calloc(1, sizeof(*connection)) : NULL;

	if (!connection) {
		ps_stream_close(stream);
		return;
	}
	connection->server = server;
	connection->stream = stream;
	connection->next = server->first;
	if (server->first)
		server->first->before = connection;
	server->first = connection;
	if (server->count++ == 0)
		ps_timer_start(server->sweep, sweep_ns(&server->limits), sweep_ns(&server->limits));
	http_input_init(&connection->input, &loop_owner, &server->limits);
	ps_stream_set(stream, &connection_events, connection);
	watch(connection);
}

static void on_sweep(void *arg)
{
	struct ps_http_server *server = arg;
	uint64_t now = server->loop->now_ns;

	for (struct http_connection *connection = server->first; connection; connection = connection->next) {
		int is_sent = connection->flags & HTTP_LINGER && connection->flags & HTTP_EOF &&
			      !ps_stream_buffered(connection->stream);
		if (is_sent)
			connection_close(connection);
		if (!connection->deadline_ns || connection->deadline_ns > now ||
		    connection->stream->io.handle.state != HANDLE_OPEN)
			continue;
		if (connection->input.request && !(connection->flags & (HTTP_LINGER | HTTP_BLOCKED)))
			http_refuse(connection, 408);
		else
			connection_close(connection);
	}
}

int ps_http_listen(struct ps_loop *loop, struct ps_http_server **out, const char *host, uint16_t port,
		   const struct ps_http_limits *limits, ps_http_fn *fn, void *arg)
{
	if (!loop || !out || !fn)
		return -EINVAL;
	struct ps_http_server *server = calloc(1, sizeof(*server));
	if (!server)
		return -ENOMEM;
	server->loop = loop;
	server->fn = fn;
	server->arg = arg;
	http_limits_fill(&server->limits, limits);
	int err = ps_timer_open(loop, &server->sweep, on_sweep, server);
	if (!err)
		err = ps_tcp_listen(loop, &server->listener, host, port, 0, on_accept, server);
	if (err) {
		if (server->sweep)
			handle_free(&server->sweep->handle);
		free(server);
		return err;
	}
	handle_unref(&server->sweep->handle);
	*out = server;
	return 0;
}

uint16_t ps_http_port(const struct ps_http_server *server)
{
	return server ? ps_listener_port(server->listener) : 0;
}

/* The sweep timer is closed last, so when it is finished no connection is left. */
static void free_server(struct handle *handle)
{
	struct ps_http_server *server = handle->arg;

	free(server->spare);
	free(server->cork);
	free(server);
}

int ps_http_close(struct ps_http_server *server)
{
	if (!server || ps_listener_close(server->listener))
		return -EINVAL;
	for (struct http_connection *connection = server->first; connection; connection = connection->next)
		connection_close(connection); /* -EINVAL where it is closing already */
	server->sweep->handle.finish = free_server;
	return ps_timer_close(server->sweep);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From bytes to requests: what llhttp calls back. The target and the headers of
 * a request lie one behind the other, each ended by a zero, in one buffer whose
 * size is the limit. A body is grown by what has really come in, never by what
 * a header announces.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "http.h"
#include "probe.h"

#define PAUSE HPE_PAUSED

static struct http_connection *of(llhttp_t *parser)
{
	return parser->data;
}

static int refuse(struct http_connection *connection, int status)
{
	connection->error = (uint16_t)status;
	return HPE_USER;
}

struct ps_http_request *http_request_open(struct http_connection *connection)
{
	struct ps_http_server *server = connection->server;
	struct ps_http_request *request = handle_open(server->loop, SLAB_REQUEST, PS_KIND_TCP, server->arg);

	if (!request)
		return NULL;
	request->text = server->spare ? server->spare : malloc(server->limits.header_bytes);
	server->spare = NULL;
	if (!request->text) {
		handle_free(&request->handle);
		return NULL;
	}
	request->text_room = server->limits.header_bytes;
	request->connection = connection;
	return request;
}

void http_request_free(struct ps_http_request *request)
{
	struct http_connection *connection = request->connection;

	if (connection && !connection->server->spare)
		connection->server->spare = request->text;
	else
		free(request->text);
	if (connection)
		connection->request = NULL;
	free(request->body);
	handle_free(&request->handle);
}

static int add_text(struct http_connection *connection, const char *data, size_t bytes)
{
	struct ps_http_request *request = connection->request;

	if (bytes > request->text_room - request->text_bytes)
		return refuse(connection, 431);
	memcpy(request->text + request->text_bytes, data, bytes);
	request->text_bytes += bytes;
	return 0;
}

static int on_begin(llhttp_t *parser)
{
	struct http_connection *connection = of(parser);

	connection->request = http_request_open(connection);
	if (!connection->request)
		return refuse(connection, 503);
	connection->deadline_ns = connection->server->loop->now_ns + connection->server->limits.header_ns;
	return 0;
}

static int on_text(llhttp_t *parser, const char *data, size_t bytes)
{
	return add_text(of(parser), data, bytes);
}

static int on_text_end(llhttp_t *parser)
{
	return add_text(of(parser), "", 1);
}

static int on_headers(llhttp_t *parser)
{
	struct http_connection *connection = of(parser);
	struct ps_http_request *request = connection->request;

	request->method = llhttp_method_name((llhttp_method_t)parser->method);
	request->is_head = parser->method == HTTP_HEAD;
	parser->upgrade = 0;
	if (parser->method == HTTP_CONNECT)
		return refuse(connection, 501);
	if (parser->flags & F_CONTENT_LENGTH && parser->content_length > connection->server->limits.body_bytes)
		return refuse(connection, 413);
	connection->deadline_ns = connection->server->loop->now_ns + connection->server->limits.idle_ns;
	const char *expect = ps_http_header(request, "expect");
	if (expect && !strcasecmp(expect, "100-continue"))
		http_continue(connection);
	return 0;
}

static int on_body(llhttp_t *parser, const char *data, size_t bytes)
{
	struct http_connection *connection = of(parser);
	struct ps_http_request *request = connection->request;
	size_t need = request->body_bytes + bytes;

	if (need > connection->server->limits.body_bytes)
		return refuse(connection, 413);
	if (need > request->body_room) {
		size_t room = need < 1024 ? 1024 : need + need / 2;
		char *body = realloc(request->body, room);
		if (!body)
			return refuse(connection, 503);
		request->body = body;
		request->body_room = room;
	}
	memcpy(request->body + request->body_bytes, data, bytes);
	request->body_bytes = need;
	return 0;
}

static int on_complete(llhttp_t *parser)
{
	struct http_connection *connection = of(parser);
	struct ps_http_server *server = connection->server;
	struct ps_http_request *request = connection->request;
	struct ps_stream *stream = connection->stream;

	if (!llhttp_should_keep_alive(parser))
		connection->flags |= HTTP_LAST;
	connection->flags |= HTTP_WAITING;
	request->handle.number = stream->io.handle.number;
	probe_callback_now(server->loop, (void *)server->fn, &stream->io.handle, stream->io.fd,
			   io_generation(&stream->io));
	server->fn(request, server->arg);
	callback_end(server->loop);
	if (connection->flags & HTTP_WAITING || stream->io.handle.state != HANDLE_OPEN)
		return PAUSE;
	http_request_free(request);
	if (connection->flags & (HTTP_LAST | HTTP_BLOCKED))
		return PAUSE;
	return 0;
}

const llhttp_settings_t http_settings = {
	.on_message_begin = on_begin,
	.on_url = on_text,
	.on_url_complete = on_text_end,
	.on_header_field = on_text,
	.on_header_field_complete = on_text_end,
	.on_header_value = on_text,
	.on_header_value_complete = on_text_end,
	.on_headers_complete = on_headers,
	.on_body = on_body,
	.on_message_complete = on_complete,
};

/* ---- what the handler may ask ---- */

static int is_request(const struct ps_http_request *request)
{
	return request && request->handle.state == HANDLE_OPEN;
}

const char *ps_http_method(const struct ps_http_request *request)
{
	return is_request(request) ? request->method : NULL;
}

const char *ps_http_path(const struct ps_http_request *request)
{
	return is_request(request) ? request->text : NULL;
}

const char *ps_http_header(const struct ps_http_request *request, const char *name)
{
	if (!is_request(request) || !name)
		return NULL;
	const char *at = request->text + strlen(request->text) + 1, *end = request->text + request->text_bytes;
	while (at < end) {
		const char *value = at + strlen(at) + 1;
		if (value >= end)
			break;
		if (!strcasecmp(at, name))
			return value;
		at = value + strlen(value) + 1;
	}
	return NULL;
}

const void *ps_http_body(const struct ps_http_request *request, size_t *bytes)
{
	if (bytes)
		*bytes = is_request(request) ? request->body_bytes : 0;
	return is_request(request) ? request->body : NULL;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Answers. While a connection's input is parsed, answers collect in the
 * server's cork and leave together; otherwise each leaves at once.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "http.h"
#include "probe.h"

#define CORK_BYTES 32768u
#define HEAD_BYTES 512u

static const struct {
	int status;
	const char *reason;
} reasons[] = {
	{ 200, "OK" }, { 201, "Created" }, { 202, "Accepted" }, { 204, "No Content" }, { 206, "Partial Content" },
	{ 301, "Moved Permanently" }, { 302, "Found" }, { 303, "See Other" }, { 304, "Not Modified" },
	{ 307, "Temporary Redirect" }, { 308, "Permanent Redirect" }, { 400, "Bad Request" },
	{ 401, "Unauthorized" }, { 403, "Forbidden" }, { 404, "Not Found" }, { 405, "Method Not Allowed" },
	{ 408, "Request Timeout" }, { 409, "Conflict" }, { 410, "Gone" }, { 413, "Content Too Large" },
	{ 415, "Unsupported Media Type" }, { 422, "Unprocessable Content" }, { 429, "Too Many Requests" },
	{ 431, "Request Header Fields Too Large" }, { 500, "Internal Server Error" }, { 501, "Not Implemented" },
	{ 502, "Bad Gateway" }, { 503, "Service Unavailable" }, { 504, "Gateway Timeout" },
};

static const char *reason_of(int status)
{
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "";
}

static int cork(struct ps_http_server *server, const void *data, size_t bytes)
{
	size_t need = server->corked + bytes;

	if (need > server->cork_room) {
		size_t room = need < CORK_BYTES ? CORK_BYTES * 2 : need + need / 2;
		char *grown = realloc(server->cork, room);
		if (!grown)
			return -ENOMEM;
		server->cork = grown;
		server->cork_room = room;
	}
	memcpy(server->cork + server->corked, data, bytes);
	server->corked = need;
	return 0;
}

void http_flush(struct http_connection *connection)
{
	struct ps_http_server *server = connection->server;

	if (!server->corked || server->corking != connection)
		return;
	int above = ps_stream_write(connection->stream, server->cork, server->corked);
	server->corked = 0;
	if (server->cork_room > CORK_BYTES * 8) { /* do not keep what one large answer needed */
		free(server->cork);
		server->cork = NULL;
		server->cork_room = 0;
	}
	if (above > 0)
		connection->flags |= HTTP_BLOCKED;
	else if (above < 0)
		connection->flags |= HTTP_LAST;
}

static const char *date_of(struct ps_http_server *server)
{
	time_t now = time(NULL);

	if (now != server->date_second) {
		struct tm tm;
		gmtime_r(&now, &tm);
		strftime(server->date, sizeof(server->date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
		server->date_second = now;
	}
	return server->date;
}

static int put_answer(struct http_connection *connection, int status, const char *type, const void *body, size_t bytes,
		      int is_head)
{
	struct ps_http_server *server = connection->server;
	int has_body = status >= 200 && status != 204 && status != 304;
	char head[HEAD_BYTES];

	int n = snprintf(head, sizeof(head), "HTTP/1.1 %d %s\r\nDate: %s\r\n", status, reason_of(status),
			 date_of(server));
	if (has_body && type && n > 0)
		n += snprintf(head + n, sizeof(head) - (size_t)n, "Content-Type: %s\r\n", type);
	if (n < 0 || (size_t)n > sizeof(head) - 80)
		return -EINVAL;
	if (has_body)
		n += snprintf(head + n, sizeof(head) - (size_t)n, "Content-Length: %zu\r\n", bytes);
	n += snprintf(head + n, sizeof(head) - (size_t)n, "Connection: %s\r\n\r\n",
		      connection->flags & HTTP_LAST ? "close" : "keep-alive");
	if (server->corked && server->corking != connection) /* a handler answers somebody else's request */
		http_flush(server->corking);
	server->corking = connection;
	size_t before = server->corked;
	int err = cork(server, head, (size_t)n);
	if (!err && has_body && !is_head && bytes)
		err = cork(server, body, bytes);
	if (err)
		server->corked = before;
	return err;
}

void http_continue(struct http_connection *connection)
{
	static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";

	http_flush(connection);
	ps_stream_write(connection->stream, text, sizeof(text) - 1);
}

void http_refuse(struct http_connection *connection, int status)
{
	connection->flags |= HTTP_LAST;
	if (connection->request)
		http_request_free(connection->request);
	put_answer(connection, status, "text/plain", reason_of(status), strlen(reason_of(status)), 0);
	http_end(connection);
}

static int has_line_break(const char *text)
{
	return text && strpbrk(text, "\r\n");
}

int ps_http_reply(struct ps_http_request *request, int status, const char *type, const void *body, size_t bytes)
{
	if (!request || request->handle.state != HANDLE_OPEN || request->replied)
		return -EINVAL;
	if (status < 200 || status > 599 || (!body && bytes) || has_line_break(type))
		return -EINVAL;
	struct http_connection *connection = request->connection;
	if (!connection || connection->stream->io.handle.state != HANDLE_OPEN) {
		http_request_free(request);
		return -EPIPE;
	}
	int err = put_answer(connection, status, type, body, bytes, request->is_head);
	if (err)
		return err;
	request->replied = 1;
	connection->flags &= (uint8_t)~HTTP_WAITING;
	if (connection->flags & HTTP_PARSING) { /* the parser goes on when the handler returns */
		if (connection->server->corked >= CORK_BYTES)
			http_flush(connection);
		return 0;
	}
	http_request_free(request);
	http_flush(connection);
	if (connection->flags & HTTP_LAST)
		http_end(connection);
	else
		http_resume(connection);
	return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Answers on a loop. While a connection's input is parsed, answers collect in the
 * server's cork and leave together; otherwise each leaves at once.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "http.h"

static int cork(struct ps_http_server *server, const void *data, size_t bytes)
{
	size_t need = server->corked + bytes;

	if (need > server->cork_room) {
		size_t room = need < HTTP_CORK_BYTES ? HTTP_CORK_BYTES * 2 : need + need / 2;
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
	if (server->cork_room > HTTP_CORK_BYTES * 8) { /* do not keep what one large answer needed */
		free(server->cork);
		server->cork = NULL;
		server->cork_room = 0;
	}
	if (above > 0)
		connection->flags |= HTTP_BLOCKED;
	else if (above < 0)
		connection->flags |= HTTP_LAST;
}

static int put_answer(struct http_connection *connection, int status, const char *type, const void *body, size_t bytes,
		      int is_head)
{
	struct ps_http_server *server = connection->server;
	char head[HTTP_HEAD_BYTES];
	int n = http_head(head, status, type, bytes, connection->flags & HTTP_LAST, &server->date);

	if (n < 0)
		return n;
	if (server->corked && server->corking != connection) /* a handler answers somebody else's request */
		http_flush(server->corking);
	server->corking = connection;
	size_t before = server->corked;
	int err = cork(server, head, (size_t)n);
	if (!err && http_has_body(status) && !is_head && bytes)
		err = cork(server, body, bytes);
	if (err)
		server->corked = before;
	return err;
}

void http_refuse(struct http_connection *connection, int status)
{
	connection->flags |= HTTP_LAST;
	if (connection->input.request)
		http_request_free(connection->input.request);
	put_answer(connection, status, "text/plain", http_reason(status), strlen(http_reason(status)), 0);
	http_end(connection);
}

int http_loop_reply(struct ps_http_request *request, int status, const char *type, const void *body, size_t bytes)
{
	struct http_connection *connection = request->input ? http_connection_of(request->input) : NULL;

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
		if (connection->server->corked >= HTTP_CORK_BYTES)
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

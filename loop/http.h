/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside the HTTP server: http.c keeps the connections, http_parse.c turns
 * bytes into requests, http_reply.c answers.
 */
#ifndef HTTP_H
#define HTTP_H

#include "llhttp.h"
#include "loop.h"
#include "stream.h"

struct ps_http_server {
	struct ps_loop *loop;
	struct ps_listener *listener;
	struct ps_timer *sweep;        /* looks for connections past their deadline */
	struct http_connection *first;
	uint32_t count;
	struct ps_http_limits limits;
	ps_http_fn *fn;
	void *arg;
	char *spare;                   /* one text buffer of header_bytes, for the next request */
	char *cork;                    /* answers of one parse, written together */
	struct http_connection *corking; /* whose they are */
	size_t corked, cork_room;
	int64_t date_second;
	char date[40];
};

enum http_flags {
	HTTP_PARSING = 1,              /* inside llhttp_execute(): answers are corked */
	HTTP_WAITING = 2,              /* a request is with the handler */
	HTTP_BLOCKED = 4,              /* the peer does not read: no more requests until drain */
	HTTP_LAST = 8,                 /* the connection ends after this answer */
	HTTP_LINGER = 16,              /* answered and half-closed: input is dropped until its end */
	HTTP_EOF = 32,                 /* the peer has sent everything */
};

struct http_connection {
	struct ps_http_server *server;
	struct ps_stream *stream;
	struct http_connection *next, *before;
	struct ps_http_request *request; /* being received or answered */
	char *rest;                      /* input that came behind it */
	size_t rest_bytes;
	uint64_t deadline_ns;            /* 0 = none */
	llhttp_t parser;
	uint8_t flags;
	uint16_t error;                  /* status of the refusal while parsing */
};

struct ps_http_request {
	struct handle handle;
	struct http_connection *connection; /* NULL: gone before the answer */
	char *text;                      /* target \0 (name \0 value \0)*, at most header_bytes */
	size_t text_bytes, text_room;
	char *body;
	size_t body_bytes, body_room;
	const char *method;
	uint8_t replied, is_head;
};

extern const llhttp_settings_t http_settings;

void http_feed(struct http_connection *connection, const char *data, size_t bytes);
void http_resume(struct http_connection *connection);
void http_end(struct http_connection *connection);     /* flush, half-close, linger */
void http_flush(struct http_connection *connection);
void http_refuse(struct http_connection *connection, int status);
void http_continue(struct http_connection *connection);
struct ps_http_request *http_request_open(struct http_connection *connection);
void http_request_free(struct ps_http_request *request);

#endif

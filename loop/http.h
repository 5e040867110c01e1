/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside the HTTP servers. http_parse.c turns bytes into requests and
 * http_head.c makes the heads of answers, for whoever reads and writes the
 * bytes: http.c and http_reply.c on a loop, http_threads.c in a thread per
 * connection.
 */
#ifndef HTTP_H
#define HTTP_H

#include "llhttp.h"
#include "loop.h"
#include "stream.h"

#define HTTP_HEAD_BYTES 512u
#define HTTP_CORK_BYTES 32768u  /* answers that collect beyond this are written before the next is made */
#define HTTP_LINGER_NS 2000000000ull

/* What the parser works on; the connection of either server embeds one. */
struct http_input {
	llhttp_t parser;                 /* its data is this */
	const struct http_owner *owner;
	const struct ps_http_limits *limits;
	struct ps_http_request *request; /* being received or answered */
	uint16_t error;                  /* status of the refusal while parsing */
};

/* What the server does at the points that the parser reaches. */
struct http_owner {
	/* A request begins: input->request, with room for the text. -ENOMEM */
	int (*begin)(struct http_input *input);
	void (*headers)(struct http_input *input, int wants_continue);
	/* Gives the request to the handler. HPE_PAUSED: whatever comes behind it must wait. */
	int (*complete)(struct http_input *input);
	int (*reply)(struct ps_http_request *request, int status, const char *type, const void *body, size_t bytes);
};

struct ps_http_request {
	struct handle handle;
	const struct http_owner *owner;
	struct http_input *input;        /* NULL: gone before the answer */
	char *text;                      /* target \0 (name \0 value \0)*, at most header_bytes */
	size_t text_bytes, text_room;
	char *body;
	size_t body_bytes, body_room;
	const char *method;
	uint8_t replied, is_head;
};

struct http_date {
	int64_t second;
	char text[40];
};

void http_input_init(struct http_input *input, const struct http_owner *owner, const struct ps_http_limits *limits);
void http_limits_fill(struct ps_http_limits *to, const struct ps_http_limits *from); /* defaults for what is 0 or NULL */
/* The head of an answer; how many bytes, or -EINVAL: the type is too long. */
int http_head(char head[HTTP_HEAD_BYTES], int status, const char *type, size_t bytes, int is_last, struct http_date *date);
const char *http_reason(int status);
static inline int http_has_body(int status)
{
	return status >= 200 && status != 204 && status != 304;
}
extern const char http_continue_text[];

/* ---- on a loop ---- */

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
	struct http_date date;
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
	struct http_input input;
	struct ps_http_server *server;
	struct ps_stream *stream;
	struct http_connection *next, *before;
	char *rest;                      /* input that came behind the request */
	size_t rest_bytes;
	uint64_t deadline_ns;            /* 0 = none */
	uint8_t flags;
};

static inline struct http_connection *http_connection_of(struct http_input *input)
{
	return container_of(input, struct http_connection, input);
}

void http_feed(struct http_connection *connection, const char *data, size_t bytes);
void http_resume(struct http_connection *connection);
void http_end(struct http_connection *connection);     /* flush, half-close, linger */
void http_flush(struct http_connection *connection);
void http_refuse(struct http_connection *connection, int status);
void http_request_free(struct ps_http_request *request);
int http_loop_reply(struct ps_http_request *request, int status, const char *type, const void *body, size_t bytes);

#endif

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

static struct http_input *of(llhttp_t *parser)
{
	return parser->data;
}

static int refuse(struct http_input *input, int status)
{
	input->error = (uint16_t)status;
	return HPE_USER;
}

static int add_text(struct http_input *input, const char *data, size_t bytes)
{
	struct ps_http_request *request = input->request;

	if (bytes > request->text_room - request->text_bytes)
		return refuse(input, 431);
	memcpy(request->text + request->text_bytes, data, bytes);
	request->text_bytes += bytes;
	return 0;
}

static int on_begin(llhttp_t *parser)
{
	struct http_input *input = of(parser);

	return input->owner->begin(input) ? refuse(input, 503) : 0;
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
	struct http_input *input = of(parser);
	struct ps_http_request *request = input->request;

	request->method = llhttp_method_name((llhttp_method_t)parser->method);
	request->is_head = parser->method == HTTP_HEAD;
	parser->upgrade = 0;
	if (parser->method == HTTP_CONNECT)
		return refuse(input, 501);
	if (parser->flags & F_CONTENT_LENGTH && parser->content_length > input->limits->body_bytes)
		return refuse(input, 413);
	const char *expect = ps_http_header(request, "expect");
	input->owner->headers(input, expect && !strcasecmp(expect, "100-continue"));
	return 0;
}

static int on_body(llhttp_t *parser, const char *data, size_t bytes)
{
	struct http_input *input = of(parser);
	struct ps_http_request *request = input->request;
	size_t need = request->body_bytes + bytes;

	if (need > input->limits->body_bytes)
		return refuse(input, 413);
	if (need > request->body_room) {
		size_t room = need < 1024 ? 1024 : need + need / 2;
		char *body = realloc(request->body, room);
		if (!body)
			return refuse(input, 503);
		request->body = body;
		request->body_room = room;
	}
	memcpy(request->body + request->body_bytes, data, bytes);
	request->body_bytes = need;
	return 0;
}

static int on_complete(llhttp_t *parser)
{
	struct http_input *input = of(parser);

	return input->owner->complete(input);
}

static const llhttp_settings_t settings = {
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

void http_input_init(struct http_input *input, const struct http_owner *owner, const struct ps_http_limits *limits)
{
	llhttp_init(&input->parser, HTTP_REQUEST, &settings);
	input->parser.data = input;
	input->owner = owner;
	input->limits = limits;
}

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

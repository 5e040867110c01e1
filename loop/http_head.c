/* SPDX-License-Identifier: BSD-2-Clause */
/* What both servers say in the same words: heads of answers, and the limits that stand if none are given. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "http.h"

const char http_continue_text[] = "HTTP/1.1 100 Continue\r\n\r\n";

static const struct {
	int status;
	const char *reason;
} reasons[] = {
	{ 200, "OK" },
	{ 201, "Created" },
	{ 202, "Accepted" },
	{ 204, "No Content" },
	{ 206, "Partial Content" },
	{ 301, "Moved Permanently" },
	{ 302, "Found" },
	{ 303, "See Other" },
	{ 304, "Not Modified" },
	{ 307, "Temporary Redirect" },
	{ 308, "Permanent Redirect" },
	{ 400, "Bad Request" },
	{ 401, "Unauthorized" },
	{ 403, "Forbidden" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 408, "Request Timeout" },
	{ 409, "Conflict" },
	{ 410, "Gone" },
	{ 413, "Content Too Large" },
	{ 415, "Unsupported Media Type" },
	{ 422, "Unprocessable Content" },
	{ 429, "Too Many Requests" },
	{ 431, "Request Header Fields Too Large" },
	{ 500, "Internal Server Error" },
	{ 501, "Not Implemented" },
	{ 502, "Bad Gateway" },
	{ 503, "Service Unavailable" },
	{ 504, "Gateway Timeout" },
};

const char *http_reason(int status)
{
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "";
}

static const char *date_text(struct http_date *date)
{
	time_t now = time(NULL);

	if (now != date->second) {
		struct tm tm;
		gmtime_r(&now, &tm);
		strftime(date->text, sizeof(date->text), "%a, %d %b %Y %H:%M:%S GMT", &tm);
		date->second = now;
	}
	return date->text;
}

int http_head(char head[HTTP_HEAD_BYTES], int status, const char *type, size_t bytes, int is_last,
	      struct http_date *date)
{
	int has_body = http_has_body(status);
	int n = snprintf(head, HTTP_HEAD_BYTES, "HTTP/1.1 %d %s\r\nDate: %s\r\n", status, http_reason(status),
			 date_text(date));

	if (has_body && type && n > 0)
		n += snprintf(head + n, HTTP_HEAD_BYTES - (size_t)n, "Content-Type: %s\r\n", type);
	if (n < 0 || (size_t)n > HTTP_HEAD_BYTES - 80)
		return -EINVAL;
	if (has_body)
		n += snprintf(head + n, HTTP_HEAD_BYTES - (size_t)n, "Content-Length: %zu\r\n", bytes);
	return n + snprintf(head + n, HTTP_HEAD_BYTES - (size_t)n, "Connection: %s\r\n\r\n",
			    is_last ? "close" : "keep-alive");
}

void http_limits_fill(struct ps_http_limits *to, const struct ps_http_limits *from)
{
	*to = from ? *from : (struct ps_http_limits){ 0 };
	to->header_bytes = to->header_bytes ? to->header_bytes : 16 * 1024;
	to->body_bytes = to->body_bytes ? to->body_bytes : 1024 * 1024;
	to->idle_ns = to->idle_ns ? to->idle_ns : 60000000000ull;
	to->header_ns = to->header_ns ? to->header_ns : 10000000000ull;
	to->connections = to->connections ? to->connections : 10000;
}

static int has_line_break(const char *text)
{
	return text && strpbrk(text, "\r\n");
}

int ps_http_reply(struct ps_http_request *request, int status, const char *type, const void *body, size_t bytes)
{
	if (!request || request->handle.state != HANDLE_OPEN || request->replied)
		return -EINVAL;
	if (status < 200 || status > 599 || (!body && bytes) || bytes > SIZE_MOST || has_line_break(type))
		return -EINVAL;
	return request->owner->reply(request, status, type, body, bytes);
}

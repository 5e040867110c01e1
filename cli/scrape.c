/* SPDX-License-Identifier: BSD-2-Clause */
/* Negotiation is by the Accept header: the type with the greatest quality, OpenMetrics when they are equal. */
#include "scrape.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "command.h"
#include "metrics.h"

static const char text_type[] = "text/plain; version=0.0.4; charset=utf-8";
static const char open_type[] = "application/openmetrics-text; version=1.0.0; charset=utf-8";
static const char page[] = "<html><head><title>pollscope</title></head><body><a href=\"/metrics\">metrics</a></body></html>\n";

/* ---- Accept ---- */

static int is_type(const char *word, size_t length, const char *type)
{
	return length == strlen(type) && !strncasecmp(word, type, length);
}

/* The q of "type;version=1.0.0;q=0.75": 1 when there is none, 0 when it is no number. */
static double quality(const char *parameters, const char *end)
{
	for (const char *at = parameters; at < end; at++) {
		if (*at != ';')
			continue;
		do
			at++;
		while (at < end && (*at == ' ' || *at == '\t'));
		if (end - at < 2 || (*at != 'q' && *at != 'Q') || at[1] != '=')
			continue;
		char digits[8] = "", *rest;
		snprintf(digits, sizeof(digits), "%.*s", (int)(end - at - 2 < 7 ? end - at - 2 : 7), at + 2);
		double value = strtod(digits, &rest);
		return rest != digits && value >= 0 && value <= 1 ? value : 0;
	}
	return 1;
}

int scrape_wants_openmetrics(const char *accept)
{
	double open = -1, text = -1, any = -1;
	for (const char *at = accept; at && *at;) {
		at += strspn(at, ", \t");
		const char *end = at + strcspn(at, ",");
		size_t length = strcspn(at, ";,");
		while (length && (at[length - 1] == ' ' || at[length - 1] == '\t'))
			length--;
		double q = quality(at, end);
		if (is_type(at, length, "application/openmetrics-text"))
			open = q > open ? q : open;
		else if (is_type(at, length, "text/plain") || is_type(at, length, "text/*"))
			text = q > text ? q : text;
		else if (is_type(at, length, "*/*"))
			any = q > any ? q : any;
		at = end;
	}
	text = text < 0 ? any : text;
	return open > 0 && open >= text;
}

/* ---- requests ---- */

static int reply(struct scrape *scrape, struct ps_http_request *request, int status, const char *type, const char *body, size_t bytes)
{
	scrape->refused += status >= 400;
	return ps_http_reply(request, status, type, body, bytes);
}

static void reply_metrics(struct scrape *scrape, struct ps_http_request *request)
{
	int open = scrape_wants_openmetrics(ps_http_header(request, "Accept"));
	char *body = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&body, &bytes);
	int err = out ? metrics_print(scrape->model, open ? METRICS_OPENMETRICS : METRICS_TEXT, 0, COMMAND_TOOL, out) : -ENOMEM;
	if (out && fclose(out) && !err)
		err = -ENOMEM;
	if (err) {
		static const char sorry[] = "not enough memory\n";
		reply(scrape, request, 503, "text/plain", sorry, sizeof(sorry) - 1);
	} else {
		scrape->scrapes++;
		reply(scrape, request, 200, open ? open_type : text_type, body, bytes);
	}
	free(body);
}

static void on_request(struct ps_http_request *request, void *arg)
{
	static const char missing[] = "not here: /metrics\n", wrong[] = "only GET\n", healthy[] = "ok\n";
	struct scrape *scrape = arg;
	const char *path = ps_http_path(request), *method = ps_http_method(request);
	size_t length = strcspn(path, "?");
	if (strcmp(method, "GET") && strcmp(method, "HEAD"))
		reply(scrape, request, 405, "text/plain", wrong, sizeof(wrong) - 1);
	else if (length == 8 && !strncmp(path, "/metrics", 8))
		reply_metrics(scrape, request);
	else if (length == 1 && *path == '/')
		reply(scrape, request, 200, "text/html; charset=utf-8", page, sizeof(page) - 1);
	else if (length == 10 && !strncmp(path, "/-/healthy", 10))
		reply(scrape, request, 200, "text/plain", healthy, sizeof(healthy) - 1);
	else
		reply(scrape, request, 404, "text/plain", missing, sizeof(missing) - 1);
}

/* ---- the server ---- */

int scrape_address(const char *text, char host[64], uint16_t *port)
{
	const char *colon = strrchr(text, ':'), *begin = text;
	char *end;
	if (!colon || !colon[1] || colon[1 + strspn(colon + 1, "0123456789")])
		return -EINVAL;
	unsigned long number = strtoul(colon + 1, &end, 10);
	size_t length = (size_t)(colon - text);
	if (length >= 2 && *text == '[' && colon[-1] == ']') {
		begin++;
		length -= 2;
	} else if (memchr(text, ':', length)) {
		return -EINVAL; /* an IPv6 address without brackets: which colon is the port's? */
	}
	if (number > 65535 || length >= 64)
		return -EINVAL;
	snprintf(host, 64, "%.*s", (int)length, begin);
	if (!length)
		snprintf(host, 64, "0.0.0.0");
	*port = (uint16_t)number;
	return 0;
}

int scrape_open(struct scrape *scrape, struct ps_loop *loop, const char *host, uint16_t port)
{
	const struct ps_http_limits limits = {
		.header_bytes = SCRAPE_REQUEST, .body_bytes = 1, .idle_ns = SCRAPE_IDLE_NS, .header_ns = SCRAPE_HEADER_NS,
		.connections = SCRAPE_CONNECTIONS };
	return ps_http_listen(loop, &scrape->server, host, port, &limits, on_request, scrape);
}

void scrape_close(struct scrape *scrape)
{
	if (scrape->server)
		ps_http_close(scrape->server);
	scrape->server = NULL;
}

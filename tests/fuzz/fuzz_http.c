/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any bytes, in any pieces, to the HTTP server on a loop, over a real socket:
 * it answers or closes, keeps its bounds, and is there for the next client. The
 * first byte says into how many pieces the rest is cut and whether the client
 * half-closes or resets.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ps_loop.h"

static struct ps_loop *loop;
static struct ps_http_server *server;
static struct ps_http_request *held;

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void answer(struct ps_http_request *request, void *arg)
{
	const char *path = ps_http_path(request), *name = ps_http_header(request, "x");
	size_t count;
	const void *body = ps_http_body(request, &count);

	if (!ps_http_method(request) || !path)
		abort();
	if (path[0] == '/' && path[1] == 'h' && !held) { /* answered when all input is there */
		held = request;
		return;
	}
	if (ps_http_reply(request, name ? 201 : 200, "text/plain", body, count))
		abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const struct ps_http_limits limits = { .header_bytes = 512, .body_bytes = 2048 };
	struct ps_loop_options options = { .size = sizeof(options), .no_recorder = 1 };

	if (ps_loop_open(&loop, &options) || ps_http_listen(loop, &server, "127.0.0.1", 0, &limits, answer, NULL))
		abort();
	return 0;
}

static void turn(void)
{
	for (int i = 0; i < 3; i++)
		ps_loop_run(loop, PS_RUN_NOWAIT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons(ps_http_port(server)),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct ps_loop_info info = { .size = sizeof(info) };
	struct linger hard = { 1, 0 };
	char back[4096];

	if (bytes < 2)
		return 0;
	size_t pieces = 1 + (data[0] & 7), at = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)))
		abort();
	for (size_t piece = 1; piece <= pieces; piece++) {
		size_t end = 1 + (bytes - 1) * piece / pieces;
		if (end > at && send(fd, data + at, end - at, MSG_NOSIGNAL) < 0)
			break;
		at = end;
		turn();
	}
	if (data[0] & 8)
		shutdown(fd, SHUT_WR);
	turn();
	if (held)
		ps_http_reply(held, 200, NULL, NULL, 0);
	held = NULL;
	turn();
	while (recv(fd, back, sizeof(back), MSG_DONTWAIT) > 0)
		turn();
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)); /* no TIME_WAIT is left behind */
	close(fd);
	turn();
	if (ps_loop_info(loop, &info) || info.handles > 16 || info.buffered_bytes > 1 << 20)
		abort();
	return 0;
}

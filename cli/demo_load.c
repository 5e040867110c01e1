/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Clients of the demo's server: a few keep-alive connections on a loop in a
 * thread of their own. Each sends a request, waits for the answer, thinks for a
 * moment and sends the next one. That loop records nothing: the dashboard is to
 * show the server's.
 */
#include "demo.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define CLIENTS 12
#define THINK_NS (12 * 1000 * 1000ull) /* on average */
#define RETRY_NS (200 * 1000 * 1000ull)

struct client {
	struct ps_loop *loop;
	struct ps_stream *stream; /* NULL = not connected */
	struct ps_timer *timer; /* the next request, or the next try */
	uint16_t port;
	uint32_t dice;
};

static const char request[] = "GET / HTTP/1.1\r\nHost: demo\r\n\r\n";

/* Uneven thinking keeps the clients from falling into step, which one stall would teach them. */
static uint64_t think_ns(struct client *client)
{
	client->dice = client->dice * 1664525u + 1013904223u;
	return THINK_NS / 2 + (client->dice >> 16) * THINK_NS / 65536;
}

static void hang_up(struct client *client)
{
	ps_stream_close(client->stream);
	client->stream = NULL;
	ps_timer_start(client->timer, RETRY_NS, 0);
}

/* The answer is one small packet; a piece more or less only changes the moment of the next request. */
static void on_answer(struct ps_stream *stream, const void *data, ssize_t bytes, void *arg)
{
	struct client *client = arg;
	if (bytes <= 0)
		hang_up(client);
	else
		ps_timer_start(client->timer, think_ns(client), 0);
}

static void on_connected(struct ps_stream *stream, int status, void *arg)
{
	struct client *client = arg;
	if (status || ps_stream_start(stream) || ps_stream_write(stream, request, sizeof(request) - 1) < 0)
		hang_up(client);
}

static const struct ps_stream_events events = { .read = on_answer, .connected = on_connected };

static void next_request(void *arg)
{
	struct client *client = arg;
	if (client->stream) {
		if (ps_stream_write(client->stream, request, sizeof(request) - 1) < 0)
			hang_up(client);
		return;
	}
	if (ps_tcp_connect(client->loop, &client->stream, "127.0.0.1", client->port, &events, client)) {
		client->stream = NULL;
		ps_timer_start(client->timer, RETRY_NS, 0);
	}
}

static void *run_load(void *arg)
{
	static struct client clients[CLIENTS];
	const struct ps_loop_options options = { .size = sizeof(options), .name = "load", .no_recorder = 1 };
	struct ps_loop *loop;
	uint16_t port = (uint16_t)(uintptr_t)arg;
	if (ps_loop_open(&loop, &options))
		return NULL;
	for (int i = 0; i < CLIENTS; i++) {
		clients[i] = (struct client){ .loop = loop, .port = port, .dice = (uint32_t)i };
		if (!ps_timer_open(loop, &clients[i].timer, next_request, &clients[i]))
			ps_timer_start(clients[i].timer, (uint64_t)i * THINK_NS / CLIENTS, 0);
	}
	ps_loop_run(loop, PS_RUN_DEFAULT);
	return NULL;
}

int demo_load_start(uint16_t port)
{
	pthread_t thread;
	int err = pthread_create(&thread, NULL, run_load, (void *)(uintptr_t)port);
	if (err)
		return -err;
	pthread_setname_np(thread, "demo-load");
	return -pthread_detach(thread);
}

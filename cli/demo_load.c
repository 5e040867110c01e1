/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Clients of the demo's servers: keep-alive connections on a loop in a thread
 * of their own. Each sends a request, waits for the answer, thinks for a
 * moment and sends the next one. That loop records nothing: the dashboard is to
 * show the server's.
 */
#include "demo.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define THINK_NS (12 * 1000 * 1000ull) /* on average */
#define RETRY_NS (200 * 1000 * 1000ull)

struct client {
	struct demo_load *load;
	struct ps_stream *stream; /* NULL = not connected */
	struct ps_timer *timer; /* the next request, or the next try */
	uint32_t dice;
};

struct demo_load {
	struct ps_loop *loop;
	struct ps_wake *stop;
	pthread_t thread;
	uint16_t port;
	unsigned count;
	struct client clients[];
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
	if (ps_tcp_connect(client->load->loop, &client->stream, "127.0.0.1", client->load->port, &events, client)) {
		client->stream = NULL;
		ps_timer_start(client->timer, RETRY_NS, 0);
	}
}

static void *run_load(void *arg)
{
	struct demo_load *load = arg;
	ps_loop_run(load->loop, PS_RUN_DEFAULT);
	return NULL;
}

/* Also what was opened before something failed: what is not there, refuses to be closed. */
static void close_all(void *arg)
{
	struct demo_load *load = arg;
	for (unsigned i = 0; i < load->count; i++) {
		ps_stream_close(load->clients[i].stream);
		ps_timer_close(load->clients[i].timer);
	}
	ps_wake_close(load->stop);
}

static int open_clients(struct demo_load *load)
{
	const struct ps_loop_options options = { .size = sizeof(options), .name = "load", .no_recorder = 1 };
	int err = ps_loop_open(&load->loop, &options);
	if (!err)
		err = ps_wake_open(load->loop, &load->stop, close_all, load);
	for (unsigned i = 0; i < load->count && !err; i++) {
		struct client *client = &load->clients[i];
		client->load = load;
		client->dice = i;
		err = ps_timer_open(load->loop, &client->timer, next_request, client);
		if (!err)
			err = ps_timer_start(client->timer, (uint64_t)i * THINK_NS / load->count, 0);
	}
	return err;
}

static void free_load(struct demo_load *load)
{
	ps_loop_close(load->loop);
	free(load);
}

int demo_load_start(struct demo_load **out, uint16_t port, unsigned clients)
{
	struct demo_load *load = calloc(1, sizeof(*load) + clients * sizeof(*load->clients));
	if (!load)
		return -ENOMEM;
	load->port = port;
	load->count = clients;
	int err = open_clients(load);
	if (!err)
		err = -pthread_create(&load->thread, NULL, run_load, load);
	if (err) {
		close_all(load);
		if (load->loop)
			ps_loop_run(load->loop, PS_RUN_DEFAULT);
		free_load(load);
		return err;
	}
	pthread_setname_np(load->thread, "demo-load");
	*out = load;
	return 0;
}

void demo_load_stop(struct demo_load *load)
{
	ps_wake_send(load->stop);
	pthread_join(load->thread, NULL);
	free_load(load);
}

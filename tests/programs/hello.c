/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An HTTP server on the loop, for tests and benchmarks of others: prints its
 * port, answers "hello\n", and on /spin computes for 50 ms, on /work asks the
 * pool, on /body sends back what came. Ends on SIGTERM. With --threads the same
 * handler is served by a blocking thread per connection.
 *   hello [--no-recorder] [--backend NAME] [--threads] [--connections N] [PORT]
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ps_loop.h"

static struct ps_loop *loop; /* NULL: a thread per connection */
static struct ps_http_server *server;
static struct ps_signal *terminated;
static unsigned char key[64];

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void work_done(struct ps_work *work, int64_t result, void *arg)
{
	ps_http_reply(arg, result ? 500 : 200, "text/plain", "worked\n", 7);
}

static void handle(struct ps_http_request *request, void *arg)
{
	const char *path = ps_http_path(request);
	size_t bytes;

	if (!strcmp(path, "/spin"))
		for (uint64_t end = now_ns() + 50000000; now_ns() < end;)
			;
	if (!strcmp(path, "/work") && loop) {
		if (ps_pbkdf2(loop, "secret", 6, "salt", 4, 20000, key, sizeof(key), work_done, request))
			ps_http_reply(request, 503, NULL, NULL, 0);
		return;
	}
	if (!strcmp(path, "/body")) {
		const void *body = ps_http_body(request, &bytes);
		ps_http_reply(request, 200, "application/octet-stream", body, bytes);
		return;
	}
	ps_http_reply(request, 200, "text/plain", "hello\n", 6);
}

static void stop(struct ps_signal *signal, int number, void *arg)
{
	ps_http_close(server);
	ps_signal_close(terminated);
}

static int serve_threads(uint16_t port, const struct ps_http_limits *limits)
{
	struct ps_http_threads *threads;
	sigset_t set;
	int number;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	if (ps_http_threads_listen(&threads, "127.0.0.1", port, limits, handle, NULL)) {
		fprintf(stderr, "hello: cannot listen\n");
		return 1;
	}
	printf("%d\n", ps_http_threads_port(threads));
	fflush(stdout);
	sigwait(&set, &number);
	return ps_http_threads_close(threads) ? 1 : 0;
}

int main(int argc, char **argv)
{
	struct ps_loop_options options = { .size = sizeof(options), .name = "hello" };
	struct ps_http_limits limits = { 0 };
	uint16_t port = 0;
	int threads = 0;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--no-recorder"))
			options.no_recorder = 1;
		else if (!strcmp(argv[i], "--backend") && i + 1 < argc)
			options.backend = argv[++i];
		else if (!strcmp(argv[i], "--threads"))
			threads = 1;
		else if (!strcmp(argv[i], "--connections") && i + 1 < argc)
			limits.connections = (uint32_t)atoi(argv[++i]);
		else
			port = (uint16_t)atoi(argv[i]);
	}
	if (threads)
		return serve_threads(port, &limits);
	if (ps_loop_open(&loop, &options) || ps_http_listen(loop, &server, "127.0.0.1", port, &limits, handle, NULL) ||
	    ps_signal_open(loop, &terminated, 15, stop, NULL)) {
		fprintf(stderr, "hello: cannot listen\n");
		return 1;
	}
	printf("%d\n", ps_http_port(server));
	fflush(stdout);
	ps_loop_run(loop, PS_RUN_DEFAULT);
	return ps_loop_close(loop) ? 1 : 0;
}

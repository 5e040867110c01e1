/* SPDX-License-Identifier: BSD-2-Clause */
/* pollscope's loop, with the recorder on (as it always is) and off (for comparison). */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "contender.h"
#include "ps_loop.h"

static struct ps_loop *open_loop(int quiet)
{
	struct ps_loop_options options = { .size = sizeof(options), .no_recorder = quiet };
	struct ps_loop *loop;

	return ps_loop_open(&loop, &options) ? abort(), NULL : loop;
}

static void close_loop(struct ps_loop *loop)
{
	ps_loop_run(loop, PS_RUN_DEFAULT);
	if (ps_loop_close(loop))
		abort();
}

static void count(void *arg)
{
	++*(int *)arg;
}

static double timers(int n, int quiet)
{
	struct ps_loop *loop = open_loop(quiet);
	struct ps_timer **timers = malloc((size_t)n * sizeof(*timers));
	unsigned seed = 1;
	int fired = 0;

	for (int i = 0; i < n; i++)
		ps_timer_open(loop, &timers[i], count, &fired);
	ps_loop_update_time(loop);
	double begin = seconds_now();
	for (int i = 0; i < n; i++)
		ps_timer_start(timers[i], (uint64_t)next_delay(&seed, 60000) * 1000000, 0);
	for (int i = 0; i < n; i += 2)
		ps_timer_stop(timers[i]);
	for (int i = 0; i < n; i++)
		ps_timer_start(timers[i], (uint64_t)next_delay(&seed, TIMER_SPREAD_MS) * 1000000, 0);
	double spent = seconds_now() - begin;
	wait_ms(TIMER_SPREAD_MS + 1);
	begin = seconds_now();
	ps_loop_run(loop, PS_RUN_DEFAULT);
	spent += seconds_now() - begin;
	if (fired != n)
		abort();
	for (int i = 0; i < n; i++)
		ps_timer_close(timers[i]);
	free(timers);
	close_loop(loop);
	return n * 3.5 / spent;
}

static int64_t no_work(void *arg)
{
	return 0;
}

static void job_done(struct ps_work *work, int64_t result, void *arg)
{
	++*(int *)arg;
}

static double pool(int jobs, int quiet)
{
	struct ps_loop *loop = open_loop(quiet);
	int done = 0;
	double begin = seconds_now();

	for (int i = 0; i < jobs; i++)
		ps_work_submit(loop, NULL, no_work, job_done, &done);
	ps_loop_run(loop, PS_RUN_DEFAULT);
	double spent = seconds_now() - begin;
	if (done != jobs)
		abort();
	close_loop(loop);
	return jobs / spent;
}

struct sender {
	struct ps_wake *wake;
	int sends;
	double spent;
	atomic_int finished;
};

static void *send_all(void *arg)
{
	struct sender *sender = arg;
	double begin = seconds_now();

	for (int i = 0; i < sender->sends; i++)
		ps_wake_send(sender->wake);
	sender->spent = seconds_now() - begin;
	atomic_store(&sender->finished, 1);
	ps_wake_send(sender->wake);
	return NULL;
}

static double wakes(int sends, int quiet)
{
	struct ps_loop *loop = open_loop(quiet);
	struct sender sender = { .sends = sends };
	pthread_t thread;
	int woken = 0;

	ps_wake_open(loop, &sender.wake, count, &woken);
	pthread_create(&thread, NULL, send_all, &sender);
	while (!atomic_load(&sender.finished))
		ps_loop_run(loop, PS_RUN_ONCE);
	pthread_join(thread, NULL);
	ps_wake_close(sender.wake);
	close_loop(loop);
	return sends / sender.spent;
}

struct bouncer {
	struct ps_loop *loop;
	struct ps_wake *wake, *other;
	int left;
};

static void bounce(void *arg)
{
	struct bouncer *bouncer = arg;

	if (bouncer->left-- > 0)
		ps_wake_send(bouncer->other);
	if (bouncer->left <= 0)
		ps_loop_stop(bouncer->loop);
}

static void *run_bouncer(void *arg)
{
	ps_loop_run(((struct bouncer *)arg)->loop, PS_RUN_DEFAULT);
	return NULL;
}

static double bounces(int times, int quiet)
{
	struct bouncer pair[2] = { { .left = times }, { .left = times } };
	pthread_t thread;

	for (int i = 0; i < 2; i++) {
		pair[i].loop = open_loop(quiet);
		ps_wake_open(pair[i].loop, &pair[i].wake, bounce, &pair[i]);
	}
	pair[0].other = pair[1].wake;
	pair[1].other = pair[0].wake;
	double begin = seconds_now();
	pthread_create(&thread, NULL, run_bouncer, &pair[1]);
	ps_wake_send(pair[0].wake);
	ps_loop_run(pair[0].loop, PS_RUN_DEFAULT);
	pthread_join(thread, NULL);
	double spent = seconds_now() - begin;
	for (int i = 0; i < 2; i++) {
		ps_wake_close(pair[i].wake);
		close_loop(pair[i].loop);
	}
	return times / spent;
}

static void on_echo(struct ps_stream *stream, const void *data, ssize_t bytes, void *arg)
{
	if (bytes > 0)
		ps_stream_write(stream, data, (size_t)bytes);
	else
		ps_stream_close(stream);
}

static void on_accept(struct ps_listener *listener, struct ps_stream *stream, void *arg)
{
	static const struct ps_stream_events events = { .read = on_echo };

	ps_stream_set(stream, &events, NULL);
	ps_stream_start(stream);
}

static void echo(const char *path, void (*ready)(int port), int quiet)
{
	struct ps_loop *loop = open_loop(quiet);
	struct ps_listener *listener;

	if (path ? ps_unix_listen(loop, &listener, path, 0, on_accept, NULL)
		 : ps_tcp_listen(loop, &listener, "127.0.0.1", 0, 0, on_accept, NULL))
		abort();
	ready(ps_listener_port(listener));
	ps_loop_run(loop, PS_RUN_DEFAULT);
}

static void hello(struct ps_http_request *request, void *arg)
{
	ps_http_reply(request, 200, "text/plain", "hello\n", 6);
}

static const struct ps_http_limits many = { .connections = 20000 };

static void http(void (*ready)(int port), int quiet)
{
	struct ps_loop *loop = open_loop(quiet);
	struct ps_http_server *server;

	if (ps_http_listen(loop, &server, "127.0.0.1", 0, &many, hello, NULL))
		abort();
	ready(ps_http_port(server));
	ps_loop_run(loop, PS_RUN_DEFAULT);
}

static void http_threads(void (*ready)(int port))
{
	struct ps_http_threads *server;

	if (ps_http_threads_listen(&server, "127.0.0.1", 0, &many, hello, NULL))
		abort();
	ready(ps_http_threads_port(server));
	for (;;)
		wait_ms(1000);
}

#define BOTH(type, function, parameter)                                                                                \
	static type function##_loud(parameter n)                                                                       \
	{                                                                                                              \
		return function(n, 0);                                                                                 \
	}                                                                                                              \
	static type function##_quiet(parameter n)                                                                      \
	{                                                                                                              \
		return function(n, 1);                                                                                 \
	}
BOTH(double, timers, int)
BOTH(double, pool, int)
BOTH(double, wakes, int)
BOTH(double, bounces, int)
#undef BOTH

static void echo_loud(const char *path, void (*ready)(int port))
{
	echo(path, ready, 0);
}

static void echo_quiet(const char *path, void (*ready)(int port))
{
	echo(path, ready, 1);
}

static void http_loud(void (*ready)(int port))
{
	http(ready, 0);
}

static void http_quiet(void (*ready)(int port))
{
	http(ready, 1);
}

const struct contender contender_ps = { "pollscope",  timers_loud, pool_loud, wakes_loud,
					bounces_loud, echo_loud,   http_loud };
const struct contender contender_ps_quiet = { "recorder off", timers_quiet, pool_quiet, wakes_quiet,
					      bounces_quiet,  echo_quiet,   http_quiet };
const struct contender contender_threads = { "threads", NULL, NULL, NULL, NULL, NULL, http_threads };

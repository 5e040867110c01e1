/* SPDX-License-Identifier: BSD-2-Clause */
/* libuv. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <uv.h>

#include "contender.h"

static int counter;

static void on_timer(uv_timer_t *timer)
{
	counter++;
}

static void close_loop(uv_loop_t *loop)
{
	uv_run(loop, UV_RUN_DEFAULT);
	if (uv_loop_close(loop))
		abort();
}

static double timers(int n)
{
	uv_loop_t loop;
	uv_timer_t *timers = calloc((size_t)n, sizeof(*timers));
	unsigned seed = 1;

	counter = 0;
	uv_loop_init(&loop);
	for (int i = 0; i < n; i++)
		uv_timer_init(&loop, &timers[i]);
	uv_update_time(&loop);
	double begin = seconds_now();
	for (int i = 0; i < n; i++)
		uv_timer_start(&timers[i], on_timer, next_delay(&seed, 60000), 0);
	for (int i = 0; i < n; i += 2)
		uv_timer_stop(&timers[i]);
	for (int i = 0; i < n; i++)
		uv_timer_start(&timers[i], on_timer, next_delay(&seed, TIMER_SPREAD_MS), 0);
	double spent = seconds_now() - begin;
	wait_ms(TIMER_SPREAD_MS + 1);
	begin = seconds_now();
	uv_run(&loop, UV_RUN_DEFAULT);
	spent += seconds_now() - begin;
	if (counter != n)
		abort();
	for (int i = 0; i < n; i++)
		uv_close((uv_handle_t *)&timers[i], NULL);
	close_loop(&loop);
	free(timers);
	return n * 3.5 / spent;
}

static void no_work(uv_work_t *work)
{
}

static void job_done(uv_work_t *work, int status)
{
	counter++;
}

static double pool(int jobs)
{
	uv_loop_t loop;
	uv_work_t *works = calloc((size_t)jobs, sizeof(*works));

	counter = 0;
	uv_loop_init(&loop);
	double begin = seconds_now();
	for (int i = 0; i < jobs; i++)
		uv_queue_work(&loop, &works[i], no_work, job_done);
	uv_run(&loop, UV_RUN_DEFAULT);
	double spent = seconds_now() - begin;
	if (counter != jobs)
		abort();
	close_loop(&loop);
	free(works);
	return jobs / spent;
}

struct sender {
	uv_async_t async;
	int sends;
	double spent;
	atomic_int finished;
};

static void *send_all(void *arg)
{
	struct sender *sender = arg;
	double begin = seconds_now();

	for (int i = 0; i < sender->sends; i++)
		uv_async_send(&sender->async);
	sender->spent = seconds_now() - begin;
	atomic_store(&sender->finished, 1);
	uv_async_send(&sender->async);
	return NULL;
}

static void on_async(uv_async_t *async)
{
}

static double wakes(int sends)
{
	uv_loop_t loop;
	struct sender sender = { .sends = sends };
	pthread_t thread;

	uv_loop_init(&loop);
	uv_async_init(&loop, &sender.async, on_async);
	pthread_create(&thread, NULL, send_all, &sender);
	while (!atomic_load(&sender.finished))
		uv_run(&loop, UV_RUN_ONCE);
	pthread_join(thread, NULL);
	uv_close((uv_handle_t *)&sender.async, NULL);
	close_loop(&loop);
	return sends / sender.spent;
}

struct bouncer {
	uv_loop_t loop;
	uv_async_t async;
	struct bouncer *other;
	int left;
};

static void bounce(uv_async_t *async)
{
	struct bouncer *bouncer = async->data;

	if (bouncer->left-- > 0)
		uv_async_send(&bouncer->other->async);
	if (bouncer->left <= 0)
		uv_stop(&bouncer->loop);
}

static void *run_bouncer(void *arg)
{
	uv_run(&((struct bouncer *)arg)->loop, UV_RUN_DEFAULT);
	return NULL;
}

static double bounces(int times)
{
	struct bouncer pair[2] = { { .left = times }, { .left = times } };
	pthread_t thread;

	for (int i = 0; i < 2; i++) {
		uv_loop_init(&pair[i].loop);
		uv_async_init(&pair[i].loop, &pair[i].async, bounce);
		pair[i].async.data = &pair[i];
		pair[i].other = &pair[!i];
	}
	double begin = seconds_now();
	pthread_create(&thread, NULL, run_bouncer, &pair[1]);
	uv_async_send(&pair[0].async);
	uv_run(&pair[0].loop, UV_RUN_DEFAULT);
	pthread_join(thread, NULL);
	double spent = seconds_now() - begin;
	for (int i = 0; i < 2; i++) {
		uv_close((uv_handle_t *)&pair[i].async, NULL);
		close_loop(&pair[i].loop);
	}
	return times / spent;
}

struct connection {
	uv_tcp_t tcp;
	uv_write_t write;
	char buffer[4096];
};

static void give_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
	struct connection *connection = (void *)handle;

	*buffer = uv_buf_init(connection->buffer, sizeof(connection->buffer));
}

static void on_close(uv_handle_t *handle)
{
	free(handle);
}

static void on_read(uv_stream_t *stream, ssize_t bytes, const uv_buf_t *from)
{
	struct connection *connection = (void *)stream;
	uv_buf_t buffer = uv_buf_init(from->base, bytes > 0 ? (unsigned)bytes : 0);

	if (bytes > 0) {
		uv_write(&connection->write, stream, &buffer, 1, NULL);
	} else if (bytes < 0) {
		counter--;
		uv_close((uv_handle_t *)stream, on_close);
	}
}

static int serve(int listen_fd, int connections)
{
	uv_loop_t loop;

	counter = connections;
	uv_loop_init(&loop);
	for (int i = 0; i < connections; i++) {
		struct connection *connection = calloc(1, sizeof(*connection));
		uv_tcp_init(&loop, &connection->tcp);
		uv_tcp_open(&connection->tcp, accept(listen_fd, NULL, NULL));
		uv_read_start((uv_stream_t *)&connection->tcp, give_buffer, on_read);
	}
	uv_run(&loop, UV_RUN_DEFAULT);
	close_loop(&loop);
	return counter;
}

const struct contender contender_uv = { "libuv", timers, pool, wakes, bounces, serve };

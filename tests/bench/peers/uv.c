/* SPDX-License-Identifier: BSD-2-Clause */
/* libuv; its HTTP is llhttp on its streams with one fixed answer: no header is kept, nothing has a limit or a deadline. */
#include <arpa/inet.h>
#include <llhttp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <uv.h>

#include "contender.h"
#include "versions.h"

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
	union {
		uv_handle_t handle;
		uv_stream_t stream;
		uv_tcp_t tcp;
		uv_pipe_t pipe;
	};
	uv_write_t write;
	llhttp_t parser; /* of HTTP */
};

static char shared_buffer[65536]; /* what is read is written or parsed at once */
static int is_unix;

static void give_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
	*buffer = uv_buf_init(shared_buffer, sizeof(shared_buffer));
}

static void on_close(uv_handle_t *handle)
{
	free(handle);
}

static void on_echo(uv_stream_t *stream, ssize_t bytes, const uv_buf_t *from)
{
	struct connection *connection = (void *)stream;
	uv_buf_t buffer = uv_buf_init(from->base, bytes > 0 ? (unsigned)bytes : 0);

	if (bytes > 0) /* 64 bytes: the kernel takes them at once */
		uv_write(&connection->write, stream, &buffer, 1, NULL);
	else if (bytes < 0)
		uv_close(&connection->handle, on_close);
}

static int on_request(llhttp_t *parser)
{
	static char answer[256];
	static time_t second;
	static unsigned length;
	struct connection *connection = parser->data;
	time_t now = time(NULL);

	if (now != second) {
		struct tm tm;
		char date[64];
		second = now;
		gmtime_r(&now, &tm);
		strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
		length = (unsigned)snprintf(answer, sizeof(answer),
					    "HTTP/1.1 200 OK\r\nDate: %s\r\nContent-Type: text/plain\r\n"
					    "Content-Length: 6\r\nConnection: keep-alive\r\n\r\nhello\n",
					    date);
	}
	uv_buf_t buffer = uv_buf_init(answer, length);
	uv_write(&connection->write, &connection->stream, &buffer, 1, NULL);
	return 0;
}

static const llhttp_settings_t settings = { .on_message_complete = on_request };

static void on_http(uv_stream_t *stream, ssize_t bytes, const uv_buf_t *from)
{
	struct connection *connection = (void *)stream;

	if (bytes < 0 || (bytes && llhttp_execute(&connection->parser, from->base, (size_t)bytes)))
		uv_close(&connection->handle, on_close);
}

static void accept_one(uv_stream_t *server, uv_read_cb on_read)
{
	struct connection *connection = calloc(1, sizeof(*connection));

	if (is_unix)
		uv_pipe_init(server->loop, &connection->pipe, 0);
	else
		uv_tcp_init(server->loop, &connection->tcp);
	if (uv_accept(server, &connection->stream))
		abort();
	if (!is_unix)
		uv_tcp_nodelay(&connection->tcp, 1);
	llhttp_init(&connection->parser, HTTP_REQUEST, &settings);
	connection->parser.data = connection;
	uv_read_start(&connection->stream, give_buffer, on_read);
}

static void accept_echo(uv_stream_t *server, int status)
{
	accept_one(server, on_echo);
}

static void accept_http(uv_stream_t *server, int status)
{
	accept_one(server, on_http);
}

static void serve(const char *path, void (*ready)(int port), uv_connection_cb accept)
{
	uv_loop_t loop;
	struct connection server;
	struct sockaddr_in address;
	int bytes = sizeof(address);

	uv_loop_init(&loop);
	is_unix = path != NULL;
	if (is_unix) {
		uv_pipe_init(&loop, &server.pipe, 0);
		if (uv_pipe_bind(&server.pipe, path))
			abort();
	} else {
		uv_tcp_init(&loop, &server.tcp);
		uv_ip4_addr("127.0.0.1", 0, &address);
		if (uv_tcp_bind(&server.tcp, (struct sockaddr *)&address, 0))
			abort();
	}
	if (uv_listen(&server.stream, 4096, accept))
		abort();
	if (!is_unix)
		uv_tcp_getsockname(&server.tcp, (struct sockaddr *)&address, &bytes);
	ready(is_unix ? 0 : ntohs(address.sin_port));
	uv_run(&loop, UV_RUN_DEFAULT);
}

static void echo(const char *path, void (*ready)(int port))
{
	serve(path, ready, accept_echo);
}

static void http(void (*ready)(int port))
{
	serve(NULL, ready, accept_http);
}

const char *version_uv(void)
{
	return uv_version_string();
}

const struct contender contender_uv = { "libuv", timers, pool, wakes, bounces, echo, http };

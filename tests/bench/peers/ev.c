/* SPDX-License-Identifier: BSD-2-Clause */
/* libev: no pool and no streams; its echo is read() and write() in the watcher. */
#include <ev.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "contender.h"
#include "versions.h"

static int counter;

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
	counter++;
}

static double timers(int n)
{
	struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
	ev_timer *timers = calloc((size_t)n, sizeof(*timers));
	unsigned seed = 1;

	counter = 0;
	for (int i = 0; i < n; i++)
		ev_init(&timers[i], on_timer);
	ev_now_update(loop);
	double begin = seconds_now();
	for (int i = 0; i < n; i++) {
		ev_timer_set(&timers[i], next_delay(&seed, 60000) / 1000.0, 0.0);
		ev_timer_start(loop, &timers[i]);
	}
	for (int i = 0; i < n; i += 2)
		ev_timer_stop(loop, &timers[i]);
	for (int i = 0; i < n; i++) {
		ev_timer_stop(loop, &timers[i]);
		ev_timer_set(&timers[i], next_delay(&seed, TIMER_SPREAD_MS) / 1000.0, 0.0);
		ev_timer_start(loop, &timers[i]);
	}
	double spent = seconds_now() - begin;
	wait_ms(TIMER_SPREAD_MS + 1);
	begin = seconds_now();
	ev_run(loop, 0);
	spent += seconds_now() - begin;
	if (counter != n)
		abort();
	ev_loop_destroy(loop);
	free(timers);
	return n * 3.5 / spent;
}

struct sender {
	struct ev_loop *loop;
	ev_async async;
	int sends;
	double spent;
	atomic_int finished;
};

static void *send_all(void *arg)
{
	struct sender *sender = arg;
	double begin = seconds_now();

	for (int i = 0; i < sender->sends; i++)
		ev_async_send(sender->loop, &sender->async);
	sender->spent = seconds_now() - begin;
	atomic_store(&sender->finished, 1);
	ev_async_send(sender->loop, &sender->async);
	return NULL;
}

static void on_async(struct ev_loop *loop, ev_async *async, int events)
{
}

static double wakes(int sends)
{
	struct sender sender = { .loop = ev_loop_new(EVFLAG_AUTO), .sends = sends };
	pthread_t thread;

	ev_async_init(&sender.async, on_async);
	ev_async_start(sender.loop, &sender.async);
	pthread_create(&thread, NULL, send_all, &sender);
	while (!atomic_load(&sender.finished))
		ev_run(sender.loop, EVRUN_ONCE);
	pthread_join(thread, NULL);
	ev_loop_destroy(sender.loop);
	return sends / sender.spent;
}

static void on_io(struct ev_loop *loop, ev_io *io, int events)
{
	char buffer[4096];
	ssize_t n = read(io->fd, buffer, sizeof(buffer));

	if (n > 0) {
		if (write(io->fd, buffer, (size_t)n) != n)
			abort();
		return;
	}
	if (n < 0)
		return;
	ev_io_stop(loop, io);
	close(io->fd);
	free(io);
}

static void on_accept(struct ev_loop *loop, ev_io *listener, int events)
{
	int fd;

	while ((fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		ev_io *io = calloc(1, sizeof(*io));
		ev_io_init(io, on_io, fd, EV_READ);
		ev_io_start(loop, io);
	}
}

static void echo(const char *path, void (*ready)(int port))
{
	struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
	ev_io listener;
	int port, fd = listen_on(path, &port);

	ev_io_init(&listener, on_accept, fd, EV_READ);
	ev_io_start(loop, &listener);
	ready(port);
	ev_run(loop, 0);
}

const char *version_ev(void)
{
	static char text[16];

	snprintf(text, sizeof(text), "%d.%d", ev_version_major(), ev_version_minor());
	return text;
}

const struct contender contender_ev = { "libev", timers, NULL, wakes, NULL, echo, NULL };

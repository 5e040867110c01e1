/* SPDX-License-Identifier: BSD-2-Clause */
/* libevent: no pool; its echo is a bufferevent. */
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "contender.h"
#include "versions.h"

static int counter;

static void on_timer(evutil_socket_t fd, short events, void *arg)
{
	counter++;
}

static void start(struct event *timer, unsigned ms)
{
	struct timeval after = { ms / 1000, (ms % 1000) * 1000 };

	evtimer_add(timer, &after);
}

static double timers(int n)
{
	struct event_base *base = event_base_new();
	struct event **timers = calloc((size_t)n, sizeof(*timers));
	unsigned seed = 1;

	counter = 0;
	for (int i = 0; i < n; i++)
		timers[i] = evtimer_new(base, on_timer, NULL);
	double begin = seconds_now();
	for (int i = 0; i < n; i++)
		start(timers[i], next_delay(&seed, 60000));
	for (int i = 0; i < n; i += 2)
		evtimer_del(timers[i]);
	for (int i = 0; i < n; i++)
		start(timers[i], next_delay(&seed, TIMER_SPREAD_MS));
	double spent = seconds_now() - begin;
	wait_ms(TIMER_SPREAD_MS + 1);
	begin = seconds_now();
	event_base_dispatch(base);
	spent += seconds_now() - begin;
	if (counter != n)
		abort();
	for (int i = 0; i < n; i++)
		event_free(timers[i]);
	event_base_free(base);
	free(timers);
	return n * 3.5 / spent;
}

static void on_read(struct bufferevent *connection, void *arg)
{
	bufferevent_write_buffer(connection, bufferevent_get_input(connection));
}

static void on_event(struct bufferevent *connection, short events, void *arg)
{
	bufferevent_free(connection);
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address, int bytes,
		      void *base)
{
	struct bufferevent *connection = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);

	bufferevent_setcb(connection, on_read, NULL, on_event, NULL);
	bufferevent_enable(connection, EV_READ);
}

static void echo(const char *path, void (*ready)(int port))
{
	struct event_base *base = event_base_new();
	int port, fd = listen_on(path, &port);

	evconnlistener_new(base, on_accept, base, LEV_OPT_CLOSE_ON_EXEC, 0, fd);
	ready(port);
	event_base_dispatch(base);
}

const char *version_event(void)
{
	return event_get_version();
}

const struct contender contender_event = { "libevent", timers, NULL, NULL, NULL, echo, NULL };

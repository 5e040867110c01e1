/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An instrumented loop that does what it should not, for the tests of findings:
 *   loop_sins busy   an idle hook that is never closed
 *   loop_sins shed   a listener, and no descriptor left for its connections
 * Prints "ready" and ends on SIGTERM.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "ps_loop.h"

static struct ps_loop *loop;
static struct ps_listener *listener;
static struct ps_timer *timer;
static int spare = -1; /* the one descriptor that a client may use */

static void do_nothing(void *arg)
{
}

static void drop(struct ps_listener *from, struct ps_stream *stream, void *arg)
{
	ps_stream_close(stream);
}

/* A connection that nobody can accept, for there is one descriptor and the client has it. */
static void connect_once(void *arg)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons(ps_listener_port(listener)),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	close(spare);
	spare = socket(AF_INET, SOCK_STREAM, 0);
	(void)!connect(spare, (struct sockaddr *)&address, sizeof(address));
}

static int begin_shedding(void)
{
	struct rlimit limit;
	int err = ps_tcp_listen(loop, &listener, "127.0.0.1", 0, 0, drop, NULL);

	if (!err)
		err = ps_timer_open(loop, &timer, connect_once, NULL);
	if (!err)
		err = ps_timer_start(timer, 1, 20000000);
	spare = dup(0);
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = (rlim_t)spare + 1;
	setrlimit(RLIMIT_NOFILE, &limit);
	return err;
}

int main(int argc, char **argv)
{
	struct ps_loop_options options = { .size = sizeof(options), .name = "sins" };
	struct ps_check *idle;
	int err = argc == 2 ? ps_loop_open(&loop, &options) : -1;

	if (!err)
		err = !strcmp(argv[1], "busy") ? ps_idle_open(loop, &idle, do_nothing, NULL) : begin_shedding();
	if (err) {
		fprintf(stderr, "usage: loop_sins busy|shed\n");
		return 1;
	}
	puts("ready");
	fflush(stdout);
	ps_loop_run(loop, PS_RUN_DEFAULT);
	return 0;
}

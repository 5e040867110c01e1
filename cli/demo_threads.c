/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * thread-per-connection: the server's handler once more, served by one blocking
 * thread per connection, with as many clients as make the difference plain. If
 * the user chose the loop's port, this one listens on the next.
 */
#include "demo.h"

#include <errno.h>
#include <stddef.h>

#define CLIENTS 48

static struct ps_http_threads *server;
static struct demo_load *load;

int demo_threads_start(struct ps_loop *loop)
{
	uint16_t port = demo_port();
	int err = ps_http_threads_listen(&server, "127.0.0.1", port ? (uint16_t)(port + 1) : 0, NULL, demo_serve_hello,
					 NULL);
	if (err == -EADDRINUSE || err == -EACCES)
		err = ps_http_threads_listen(&server, "127.0.0.1", 0, NULL, demo_serve_hello, NULL);
	return err ? err : demo_load_start(&load, ps_http_threads_port(server), CLIENTS);
}

void demo_threads_stop(void)
{
	demo_load_stop(load);
	ps_http_threads_close(server);
	load = NULL;
	server = NULL;
}

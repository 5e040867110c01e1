/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside the server with a thread per connection: http_threads.c accepts,
 * http_threaded.c is what each connection's thread does.
 *
 * The lock guards the list of connections and what is counted; a connection is
 * on the list from before its thread starts until just before its descriptor is
 * closed, so whoever holds the lock may shut the descriptor down.
 */
#ifndef HTTP_THREADS_H
#define HTTP_THREADS_H

#include <pthread.h>

#include "http.h"

struct ps_http_threads {
	int listen_fd, spare_fd;
	struct ps_http_limits limits;
	ps_http_fn *fn;
	void *arg;
	pthread_t acceptor;
	pthread_mutex_t lock;
	pthread_cond_t left; /* the last connection has gone */
	struct threaded *first;
	uint32_t count, most, rings;
	uint64_t accepted, shed;
	atomic_ullong requests;
	atomic_int closing;
};

/* A connection and its thread. */
struct threaded {
	struct http_input input;
	struct ps_http_request request;
	struct ps_http_threads *server;
	struct threaded *next, *before;
	struct clock clock;
	struct recorder_memory memory;
	char *cork; /* answers of one parse, written together */
	size_t corked, cork_room;
	uint64_t read_timeout_ns; /* what the socket has now */
	uint64_t deadline_ns; /* of the request that is being received; 0 = none is */
	struct http_date date;
	int fd;
	uint32_t number;
	uint8_t last; /* the connection ends after this answer */
	uint8_t records; /* it may have a ring */
};

void threaded_init(struct threaded *threaded, struct ps_http_threads *server, int fd);
void *threaded_main(void *threaded); /* the thread; frees the connection */
int threaded_is_inside(const struct ps_http_threads *server); /* the caller is one of its connections' threads */

#endif

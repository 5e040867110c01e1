/* SPDX-License-Identifier: BSD-2-Clause */
/* The client of all servers under comparison: the same for everybody, one blocking thread. */
#ifndef CLIENT_H
#define CLIENT_H

#include <sys/types.h>

#include "contender.h"

struct result {
	double per_second;
	double connection_bytes; /* the server's memory for each idle connection, above the kernel's */
	double cpu_ns; /* of the server for each message; 0 = not measured */
	int threads; /* of the server with all connections open; 0 = not asked */
};

/* Opens the connections, sends one message on each, then reads all answers, and so on. */
struct result client_talk(const struct contender *contender, const char *path, int is_http, int connections,
			  int messages);
/* Connects, waits for one answer, closes; one after the other. */
struct result client_accepts(const struct contender *contender, int times);
void server_reap(pid_t child);

#endif

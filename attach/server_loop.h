/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The loops of servers that are known by the variables that they export: nginx
 * (nginx_read.c) and redis (redis_read.c), read into what libuv's loops are read
 * into. Their layouts are no promise as libuv's is, so each is recognised by what
 * must agree in it, and what does not agree is unknown with a reason.
 */
#ifndef SERVER_LOOP_H
#define SERVER_LOOP_H

#include "libuv.h"

#define SERVER_SYMBOLS 4u

struct server_image { /* of one process */
	uint64_t address[SERVER_SYMBOLS]; /* in the process, in the order of server_kind.symbols; 0 = not there */
	uint64_t text_start, text_end; /* code of the program */
	int32_t poller_fd; /* of the loop that is asked for */
	uint64_t now_ms; /* CLOCK_MONOTONIC */
};

struct server_kind {
	const char *name;
	const char *structure; /* what the timers are kept in */
	const char *note; /* what must be known to read the figures right; "" = nothing */
	const char *symbols[SERVER_SYMBOLS + 1];
	/* Fills a loop that is all unknown. 0; -EFAULT, -EINVAL: loop->note says why. -ENOMEM. */
	int (*read)(struct libuv_loop *loop, struct libuv_memory *memory, const struct server_image *image,
		    const struct libuv_limits *limits);
};
extern const struct server_kind server_nginx, server_redis;
/* By the name of a runtime (proc.h); NULL = it is no such server. */
const struct server_kind *server_kind_of(const char *runtime);

/* Where the variables are. -ENOENT: the program exports none of them, -errno. */
int server_image_find(struct server_image *image, const struct server_kind *kind, pid_t pid);
/* To be freed by libuv_free(), also when it failed; timers by due time, not in the order of their structure. */
int server_read(struct libuv_loop *loop, const struct server_kind *kind, struct libuv_memory *memory,
		const struct server_image *image, const struct libuv_limits *limits);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a kernel poller must do for the loop.
 *
 * A backend reports, it never dispatches and never reads the clock. It may be
 * waited on by one thread only; wake() may come from any thread and from signal
 * handlers, and ends one wait. Adding one is one file that ends in one const
 * struct; the Makefile picks the file whose `backend_native` is linked.
 */
#ifndef BACKEND_H
#define BACKEND_H

#include <stdint.h>

struct poller; /* each backend has its own */

struct ready {
	int fd;
	uint32_t tag;     /* as given to set() */
	uint32_t events;  /* PS_READABLE … */
};

struct backend {
	const char *name;
	uint32_t kind;    /* enum ps_backend */
	int (*open)(struct poller **poller);
	/* Interest of fd goes from `before` to `events` (0 = none). -EBADF, -EPERM, -ENOENT … */
	int (*set)(struct poller *poller, int fd, uint32_t before, uint32_t events, uint32_t tag);
	/* Returns how many of `room` were filled, 0 after a wake or the timeout (-1 = forever), or -errno. */
	int (*wait)(struct poller *poller, struct ready *ready, int room, int64_t timeout_ns);
	void (*wake)(struct poller *poller);
	int (*fd)(const struct poller *poller);   /* -1: none */
	int (*reset)(struct poller *poller);      /* an empty set of its own; fd() may be another */
	void (*close)(struct poller *poller);     /* NULL is fine */
	uint64_t (*now)(void *poller);            /* NULL: real time */
};

extern const struct backend *const backend_native;
extern const struct backend backend_fake;

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* Streams and listeners inside loop/: an embedded watcher, and what is not written yet. */
#ifndef STREAM_H
#define STREAM_H

#include "loop.h"

#define SCRATCH_BYTES 65536u
#define HIGH_WATER_BYTES 65536u

enum stream_flags {
	STREAM_CONNECTING = 1,
	STREAM_READING = 2,     /* asked to read */
	STREAM_ENDED = 4,       /* end of file was delivered */
	STREAM_SHUT = 8,        /* half-close wanted, done once nothing is buffered */
	STREAM_ABOVE = 16,      /* above the high-water mark, drain is owed */
	STREAM_FAILED = 32,     /* an error was delivered: nothing moves any more */
	STREAM_SOCKET = 64,
};

struct ps_stream {
	struct ps_io io;        /* first: its handle is the stream's */
	struct ps_stream_events on;
	char *out;              /* what could not be written yet: [out_start, out_end) */
	size_t out_start, out_end, out_room;
	size_t high_water;
	struct pipe *source;    /* what it reads goes there */
	struct pipe *sink;      /* what it writes comes from there */
	int status;             /* of a connect that failed at once */
	uint8_t flags;
};

/* One direction of ps_stream_pipe(); lives until done. */
struct pipe {
	struct ps_stream *from, *to; /* NULL once that side is closed */
	ps_piped_fn *done;
	void *arg;
	uint8_t ended, waiting;
};

void pipe_take(struct pipe *pipe, const void *data, ssize_t bytes);
void pipe_drained(struct pipe *pipe);
void pipe_failed(struct pipe *pipe, int err); /* the sink cannot be written to */
void pipe_cancel(struct pipe *pipe); /* in the closing phase of either side */

struct ps_listener {
	struct ps_io io;
	ps_accept_fn *fn;
	struct ps_timer *rest; /* NULL: it never had to */
};

/* A stream over `fd`, which it owns from here on. NULL: no memory, and the descriptor is still the caller's. */
struct ps_stream *stream_adopt(struct ps_loop *loop, int fd, enum ps_kind kind, uint8_t flags);
void stream_update(struct ps_stream *stream); /* interest follows the flags */

#endif

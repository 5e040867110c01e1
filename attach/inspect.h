/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One look at a process: a document that providers fill, one for each thing
 * that is known of it. A provider is one function and one row in inspect.c.
 *
 * Nothing is attached and nobody is stopped; parts that may not be seen are null,
 * with a sentence in "not_measured".
 */
#ifndef INSPECT_H
#define INSPECT_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "attach.h"

/*
 * The document is the caller's. -ESRCH, -EPERM, -ENOTSUP, -ENOENT (no loop) as attach_open() has them, with a sentence in
 * `message`; -ENOMEM.
 */
int attach_inspect(json_t **document, pid_t pid, const struct attach_options *options, char *message, size_t room);

/* ---- for providers ---- */

struct inspect_run {
	pid_t pid;
	uint64_t now_ns; /* "ns" of the document: times from now count from it */
	const struct attach_options *options;
	const struct loop_found *loops;
	size_t loop_count;
	struct symbols *symbols;
	json_t *document;
	json_t *loop_rows; /* "loops" of the document, one object per loop, in the order of `loops` */
	json_t *not_measured;
};

typedef int inspect_fn(struct inspect_run *run); /* 0 or -ENOMEM: what cannot be seen is said, not returned */

/* `path` is null in the document because of `reason`. */
void inspect_missing(struct inspect_run *run, const char *path, const char *reason);
json_t *inspect_text(const char *text); /* cleaned; "" = null */
json_t *inspect_u32(uint32_t value); /* PS_UNKNOWN32 = null */
json_t *inspect_u64(uint64_t value); /* PS_UNKNOWN = null */
json_t *inspect_function(struct inspect_run *run, uint64_t address); /* its name, else "0x…"; 0 = null */

struct libuv_loop;
/* "timers" of a loop that was read; structure: what they are kept in, arity: children of a node, 0 = listed by due time. */
json_t *inspect_timers(struct inspect_run *run, const struct libuv_loop *loop, const char *structure, int arity,
		       const char *note);
json_t *inspect_watchers(struct inspect_run *run, const struct libuv_loop *loop);

inspect_fn inspect_target, inspect_threads, inspect_libuv, inspect_server, inspect_poller;

#endif

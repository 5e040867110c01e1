/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The timers of JavaScript in a node process, by memory: node keeps them in a
 * queue of lists of its own, behind one timer of libuv.
 */
#ifndef NODE_TIMERS_H
#define NODE_TIMERS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct node_timers;

/* -ENOENT, -ENOTSUP: no V8 that can be read. */
int node_timers_open(struct node_timers **timers, pid_t pid);
/* Over a memory that is read in another way. */
struct v8_layout;
int node_timers_open_over(struct node_timers **timers, const struct v8_layout *layout,
			  int (*read)(void *arg, uint64_t address, void *out, size_t bytes), void *arg);
void node_timers_close(struct node_timers *timers);
/*
 * When they are due (CLOCK_MONOTONIC), of the thread whose timer of libuv lies at `handle` and is due at `due_ms`.
 * Returns how many there are, of which at most `room` are filled, or -errno: they could not be found.
 */
long node_timers_read(struct node_timers *timers, uint64_t handle, uint64_t due_ms, uint64_t *due_ns, size_t room);

#endif

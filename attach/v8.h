/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * JavaScript functions, files and lines in the stacks of a process that runs
 * V8, read from outside: nothing is asked of the process, no flag is needed.
 *
 * A raw stack holds, beside its addresses, words from the frames of JavaScript
 * functions; they are taken together, since the stack moves on at once. What they
 * refer to is read a little later and may have changed: every hop is checked,
 * and what cannot be known exactly is told less exactly, in this order: line
 * and column, line of the function (column 0), name, "[jit]".
 */
#ifndef V8_H
#define V8_H

#include "ps_probe.h"
#include "source.h"

struct v8;

/* -ENOENT: no V8 in it. -ENOTSUP: one that cannot be read. The symbols stay the caller's and must outlive it. */
int v8_open(struct v8 **v8, pid_t pid, struct symbols *symbols);
void v8_close(struct v8 *v8);
const struct ps_v8_walk *v8_walk(const struct v8 *v8);
/*
 * The frames of a user stack, leaf first: the first address is the thread's own,
 * the others are return addresses. Inlined functions are frames of their own.
 * Returns how many of `ids` were filled.
 */
size_t v8_stack(struct v8 *v8, struct stream *stream, const struct ps_raw *raw, uint32_t *ids, size_t room);
/*
 * Fills raw->function for the frames in raw->user, whose frame pointers are `fps`, from a copy of their stack. `taken` has
 * the functions that the BPF programs found by frame pointers, which may be some of them.
 */
void v8_functions(struct v8 *v8, struct ps_raw *raw, const struct ps_raw *taken, const struct unwind_stack *stack,
		  const uint64_t *fps);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * JavaScript functions, files and lines in the stacks of a process that runs
 * V8, read from outside: nothing is asked of the process, no flag is needed.
 *
 * A raw stack holds, beside each program counter, the words around its frame
 * pointer; they are taken together, since the stack moves on at once. What they
 * refer to is read a little later and may have changed: every hop is checked,
 * and what cannot be known exactly is told less exactly, in this order: line
 * and column, line of the function (column 0), name, "[jit]".
 */
#ifndef V8_H
#define V8_H

#include "source.h"

struct v8;

/* One frame as it was found on the stack. What could not be read is 0. */
struct v8_frame {
	uint64_t pc;              /* 0 = not known; the frame pointer was found another way */
	uint64_t context;         /* [fp-8]: a context, or the type of a frame that is no function's */
	uint64_t bytecode_array;  /* [fp-32], interpreted functions */
	uint64_t bytecode_offset; /* [fp-40] */
	uint64_t shared;          /* the SharedFunctionInfo of the function at [fp-16] */
};

/* What the walk over a stack needs to know of the process. */
struct v8_walk {
	int64_t isolate_offset;   /* of the thread's Isolate from its thread pointer; 0 = not known */
	int32_t c_entry_fp;       /* in the Isolate: frame pointer of the last call out of JavaScript; 0 = not known */
	int32_t function_shared;  /* in a JSFunction */
};

/* -ENOENT: no V8 in it. -ENOTSUP: one that cannot be read. The symbols stay the caller's and must outlive it. */
int v8_open(struct v8 **v8, pid_t pid, struct symbols *symbols);
void v8_close(struct v8 *v8);
const struct v8_walk *v8_walk(const struct v8 *v8);
/*
 * Frames of a stack, leaf first; the first has the thread's own program counter,
 * the others have return addresses. Inlined functions are frames of their own.
 * Returns how many of `ids` were filled.
 */
size_t v8_stack(struct v8 *v8, struct stream *stream, const struct v8_frame *frames, size_t count, uint32_t *ids,
		size_t room);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Functions, files and lines of Python in the stacks of a process that runs
 * CPython 3.8 to 3.13, read from outside: nothing is asked of the process, no
 * flag is needed.
 *
 * A raw stack holds, beside its addresses, the code object of each frame and
 * where in it the frame is (bpf/python_walk.h). What the code objects say is read
 * a little later, when they may be gone: what is no code object is not told.
 */
#ifndef PYTHON_H
#define PYTHON_H

#include "ps_probe.h"
#include "source.h"

struct python;

/*
 * -ENOENT: no CPython in it. -ENOTSUP: one that cannot be read, and `reason` says why.
 */
int python_open(struct python **python, pid_t pid, struct symbols *symbols, char *reason, size_t room);
void python_close(struct python *python);
const struct ps_python_walk *python_walk(const struct python *python);

/* A native stack that was named, leaf first: the first address is the thread's own, the others are return addresses. */
struct native_stack {
	const uint32_t *frames;
	const uint64_t *pcs;
	size_t count;
	int whole; /* to the outermost function */
};

/*
 * The native stack with the frames of Python in the places of the C function that runs them. Returns how many of `ids`
 * were filled.
 */
size_t python_stack(struct python *python, struct stream *stream, const struct ps_raw *raw,
		    const struct native_stack *native, uint32_t *ids, size_t room);

#endif

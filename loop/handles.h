/* SPDX-License-Identifier: BSD-2-Clause */
/* The objects behind the public handles that need no header of their own. */
#ifndef HANDLES_H
#define HANDLES_H

#include "loop.h"

#define TIMER_IDLE UINT32_MAX

struct ps_timer {
	struct handle handle;
	ps_fn *fn;
	uint64_t repeat_ns;
	uint32_t index;        /* in the heap, or TIMER_IDLE */
};

struct ps_check {
	struct handle handle;
	ps_fn *fn;
	struct ps_check *next, *before;
	uint8_t phase;         /* enum hook_phase */
};

struct ps_wake {
	struct handle handle;
	struct parcel parcel;
	ps_fn *fn;
	atomic_int sent;
};

extern const uint32_t handle_sizes[SLAB_COUNT];

void handles_finish(struct ps_loop *loop); /* the closing phase */

#endif

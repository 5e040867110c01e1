/* SPDX-License-Identifier: BSD-2-Clause */
/* Loops that tell of themselves: their flight recorder says more than memory could (ring_source.c). */
#include "runtime.h"

static int detect(const struct runtime_facts *facts)
{
	return facts->has_ring;
}

const struct runtime runtime_pollscope = {
	.name = "pollscope",
	.note = "an instrumented loop: its flight recorder tells everything",
	.hidden = "an instrumented loop: its own recorder tells of timers, jobs and phases",
	.detect = detect,
};

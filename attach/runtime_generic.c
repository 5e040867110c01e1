/* SPDX-License-Identifier: BSD-2-Clause */
/* Any program that waits in epoll, poll or select: the kernel's side is all that is known of it. */
#include "runtime.h"

static int detect(const struct runtime_facts *facts)
{
	return 1;
}

const struct runtime runtime_generic = {
	.name = "generic",
	.note = "polls, stalls and descriptors, from the kernel's side",
	.hidden = "no runtime that can be read was found in it: polls, stalls and descriptors are seen from the "
		  "kernel's side",
	.detect = detect,
};

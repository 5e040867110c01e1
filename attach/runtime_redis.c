/* SPDX-License-Identifier: BSD-2-Clause */
/* redis and valkey, which run ae: their loop is on the stack of the thread that waits in it. */
#include "runtime.h"

#include <string.h>

static int detect(const struct runtime_facts *facts)
{
	return !strcmp(facts->guess.name, "redis") || !strcmp(facts->guess.name, "valkey");
}

const struct runtime runtime_redis = {
	.name = "redis",
	.note = "polls, stalls and descriptors, from the kernel's side",
	.hidden = "the layout of its loop (ae) differs by version and is not read: polls, stalls and descriptors are "
		  "seen from the "
		  "kernel's side",
	.detect = detect,
};

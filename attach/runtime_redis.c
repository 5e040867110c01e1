/* SPDX-License-Identifier: BSD-2-Clause */
/* redis and valkey, which run ae: time events and watched descriptors by the variables that they export (redis_read.c). */
#include <string.h>

#include "runtime_server.h"

static int detect(const struct runtime_facts *facts)
{
	return !strcmp(facts->guess.name, "redis") || !strcmp(facts->guess.name, "valkey");
}

static int open_redis(void **state, const struct runtime_facts *facts)
{
	return runtime_server_open(state, facts, &server_redis);
}

const struct runtime runtime_redis = {
	.name = "redis",
	.note = "time events and watched descriptors by memory",
	.hidden = "this program exports none of its state: polls, stalls and descriptors are seen from the kernel's "
		  "side",
	.optional = 1,
	.detect = detect,
	.open = open_redis,
	.close = runtime_server_close,
	.snapshot = runtime_server_snapshot,
};

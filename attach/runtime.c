/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of runtimes: the first that says yes has the process; the last one always does. */
#include "runtime.h"

static const struct runtime *const runtimes[] = {
	&runtime_pollscope, &runtime_redis, &runtime_nginx, &runtime_libuv, &runtime_generic,
};
#define RUNTIMES (sizeof(runtimes) / sizeof(*runtimes))

const struct runtime *runtime_row(size_t index)
{
	return index < RUNTIMES ? runtimes[index] : NULL;
}

const struct runtime *runtime_of(const struct runtime_facts *facts)
{
	for (size_t i = 0; i < RUNTIMES; i++)
		if (runtimes[i]->detect(facts))
			return runtimes[i];
	return runtimes[RUNTIMES - 1];
}

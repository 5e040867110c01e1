/* SPDX-License-Identifier: BSD-2-Clause */
/* An addon of node that blocks its loop. */
#include <node_api.h>
#include <time.h>

static volatile unsigned long sum;

__attribute__((noinline)) static void grind_numbers(double ms)
{
	struct timespec begin, now;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	do {
		for (int i = 0; i < 100000; i++)
			sum += (unsigned)i % 7;
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while ((double)(now.tv_sec - begin.tv_sec) * 1e3 + (double)(now.tv_nsec - begin.tv_nsec) / 1e6 < ms);
}

static napi_value work(napi_env env, napi_callback_info info)
{
	(void)env, (void)info;
	grind_numbers(250);
	return NULL;
}

NAPI_MODULE_INIT()
{
	napi_value function;

	if (napi_create_function(env, "work", NAPI_AUTO_LENGTH, work, NULL, &function) == napi_ok)
		napi_set_named_property(env, exports, "work", function);
	return exports;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * B3: what a record costs, its clock read included, and what the clock costs.
 * On and off alternate; medians with min and max. JSON on stdout.
 *   recorder [ROUNDS]
 */
#include <stdio.h>
#include <stdlib.h>

#include "probe.h"

#define RECORDS 4000000
#define MAX_ROUNDS 101

static struct ps_loop *loop;

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void print(const char *name, double *values, int count, const char *end)
{
	qsort(values, (size_t)count, sizeof(*values), by_value);
	printf("  \"%s\": {\"min\": %.2f, \"median\": %.2f, \"max\": %.2f}%s\n", name, values[0], values[count / 2],
	       values[count - 1], end);
}

static __attribute__((noinline)) double time_records(void)
{
	struct handle handle = { .number = 1, .kind = PS_KIND_IO };
	uint64_t begin = clock_monotonic();

	for (int i = 0; i < RECORDS; i++) {
		probe_callback_now(loop, (void *)time_records, &handle, i & 1023, 1);
		__asm__ volatile("" ::: "memory");
	}
	return (double)(clock_monotonic() - begin) / RECORDS;
}

static __attribute__((noinline)) double time_fast_clock(void)
{
	uint64_t begin = clock_monotonic();

	for (int i = 0; i < RECORDS; i++) {
		clock_now(&loop->clock);
		__asm__ volatile("" ::: "memory");
	}
	return (double)(clock_monotonic() - begin) / RECORDS;
}

static __attribute__((noinline)) double time_kernel_clock(void)
{
	uint64_t begin = clock_monotonic();

	for (int i = 0; i < RECORDS; i++)
		clock_monotonic();
	return (double)(clock_monotonic() - begin) / RECORDS;
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 9;
	double on[MAX_ROUNDS], off[MAX_ROUNDS], fast[MAX_ROUNDS], kernel[MAX_ROUNDS];

	if (rounds < 1 || rounds > MAX_ROUNDS || ps_loop_open(&loop, NULL))
		return 2;
	struct recorder *recorder = loop->recorder;
	for (int i = 0; i < rounds; i++) {
		on[i] = time_records();
		loop->recorder = &recorder_none;
		off[i] = time_records();
		loop->recorder = recorder;
		fast[i] = time_fast_clock();
		kernel[i] = time_kernel_clock();
	}
	printf("{ \"bench\": \"recorder\", \"unit\": \"ns\", \"records\": %d, \"rounds\": %d, \"tsc\": %s,\n", RECORDS,
	       rounds, clock_tsc_usable() ? "true" : "false");
	print("record_with_clock", on, rounds, ",");
	print("record_off", off, rounds, ",");
	print("clock_now", fast, rounds, ",");
	print("clock_gettime", kernel, rounds, " }");
	return ps_loop_close(loop) ? 1 : 0;
}

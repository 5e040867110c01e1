/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the loop's tests share: opening loops, and the oracle, which reads what
 * the loop has recorded and compares it with what the test knows.
 */
#ifndef LOOPS_H
#define LOOPS_H

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fake.h"
#include "loop.h"
#include "ps_loop.h"
#include "test.h"

#define MS 1000000ull
#define UNUSED __attribute__((unused))

#define ok(call) assert_int_equal((call), 0)

static UNUSED struct ps_loop *loop_new(const char *backend)
{
	struct ps_loop_options options = { .size = sizeof(options), .name = "test", .backend = backend };
	struct ps_loop *loop;

	ok(ps_loop_open(&loop, &options));
	return loop;
}

/* Runs until nothing is left and closes. */
static UNUSED void loop_end(struct ps_loop *loop)
{
	ok(ps_loop_run(loop, PS_RUN_DEFAULT));
	ok(ps_loop_close(loop));
}

static UNUSED void count(void *arg)
{
	++*(int *)arg;
}

/* ---- a trace of what ran, as text: "a b c " ---- */

static char trace[4096];

static UNUSED void note(void *arg)
{
	strncat(trace, arg, sizeof(trace) - strlen(trace) - 2);
	strcat(trace, " ");
}

/* ---- the oracle ---- */

#define RECORDS_MAX 200000

struct records {
	union {
		struct ps_record h;
		uint8_t bytes[PS_RING_SLOT];
	} *at;
	size_t count;
	uint64_t lost;
};

/* Everything in the ring from record number `from` on. */
static UNUSED struct records records_read(const struct ps_loop *loop, uint64_t from)
{
	struct ps_ring_header header;
	struct records records = { 0 };

	assert_int_equal(pread(loop->memory.fd, &header, sizeof(header), 0), sizeof(header));
	assert_true(header.magic == PS_RING_MAGIC);
	uint64_t first = header.head > header.slot_count ? header.head - header.slot_count : 0;
	if (first < from)
		first = from;
	records.lost = first - from;
	records.count = header.head - first;
	records.at = calloc(records.count + 1, PS_RING_SLOT);
	for (size_t i = 0; i < records.count; i++) {
		off_t at = header.slots_offset + (off_t)((first + i) % header.slot_count) * PS_RING_SLOT;
		assert_int_equal(pread(loop->memory.fd, &records.at[i], PS_RING_SLOT, at), PS_RING_SLOT);
	}
	return records;
}

/* The `nth` (from 0) record of an event, or NULL. */
static UNUSED const void *records_find(const struct records *records, enum ps_event event, size_t nth)
{
	for (size_t i = 0; i < records->count; i++)
		if (records->at[i].h.event == event && nth-- == 0)
			return &records->at[i];
	return NULL;
}

static UNUSED size_t records_count(const struct records *records, enum ps_event event)
{
	size_t n = 0;

	for (size_t i = 0; i < records->count; i++)
		n += records->at[i].h.event == event;
	return n;
}

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* Records and recordings in memory, for tests of the recording. */
#ifndef PSR_MAKE_H
#define PSR_MAKE_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "psr.h"
#include "schema.h"
#include "test.h"

static const struct psr_info make_info = { .version = PS_EVENT_VERSION, .monotonic_ns = 5, .realtime_ns = 6, .boottime_ns = 7,
	.tool = "pollscope 0.1", .machine = "Linux 6.1 x86_64", .boot_id = "abc", .command = "pollscope record 1",
	.stall_ns = 50000000 };

static uint64_t make_random(void)
{
	uint64_t value = (uint64_t)rand() << 33 ^ (uint64_t)rand() << 11 ^ (uint64_t)rand();
	return value >> (rand() % 64);
}

/* A record of `event` with random fields, tail and padding as the format keeps it; `room` holds 65536 bytes. */
static inline const struct ps_record *make_record(void *room, unsigned event, uint64_t ts, uint32_t tid)
{
	const struct event_schema *schema = schema_event(event);
	struct ps_record *record = room;
	memset(room, 0, schema->size);
	for (unsigned i = 0; i < schema->field_count; i++) {
		const struct field *field = &schema->fields[i];
		static const uint64_t special[] = { 0, 1, UINT64_MAX, UINT64_MAX - 1, 1ull << 63 };
		uint64_t value = rand() % 4 ? make_random() : special[rand() % 5];
		if (field->unit == UNIT_TIME && rand() % 2)
			value = ts - (uint64_t)rand() % 100000;
		if (field->unit != UNIT_PADDING)
			memcpy((char *)room + field->offset, &value, field->size);
	}
	size_t tail = schema->tail ? (size_t)rand() % (rand() % 50 ? 40 : 16000) : 0;
	if (schema->tail)
		((struct ps_ev_string *)record)->len = (uint32_t)tail; /* and STACK's count */
	tail *= schema->tail;
	for (size_t i = 0; i < tail; i++)
		((char *)room)[schema->size + i] = (char)rand();
	memset((char *)room + schema->size + tail, 0, -tail & 7);
	*record = (struct ps_record){ ts, tid, (uint16_t)event, (uint16_t)(schema->size + tail + (-tail & 7)) };
	assert_true(schema_check(record, record->size));
	return record;
}

static inline unsigned make_event(void)
{
	for (;;) {
		unsigned event = (unsigned)rand() % PS_EVENT_MAX;
		if (schema_event(event))
			return event;
	}
}

struct file {
	unsigned char *bytes;
	size_t size;
};

static inline struct file make_slurp(int fd)
{
	struct file file = { .size = (size_t)lseek(fd, 0, SEEK_END) };
	file.bytes = malloc(file.size + 1);
	assert_int_equal(pread(fd, file.bytes, file.size, 0), (ssize_t)file.size);
	return file;
}

/* A descriptor that reads these bytes from their start. */
static inline int make_fd(const void *bytes, size_t size)
{
	int fd = memfd_create("psr", MFD_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, size), (ssize_t)size);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

#endif

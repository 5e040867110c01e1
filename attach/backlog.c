/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One mapping of full size, of which only the touched pages cost memory: no
 * put can fail, and nothing is copied as it grows. Each record has its size in
 * front of it and begins at a multiple of 8.
 */
#include "backlog.h"

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#define BACKLOG_BYTES ((size_t)64 << 20) /* about five seconds of 200,000 events a second */
#define RECORD_BYTES ((size_t)64 << 10) /* more than any record has */

static size_t padded(size_t bytes)
{
	return (bytes + 7) & ~(size_t)7;
}

int backlog_has_room(struct backlog *backlog)
{
	if (!backlog->data) {
		void *data = mmap(NULL, BACKLOG_BYTES, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (data == MAP_FAILED)
			return 0;
		backlog->data = data;
	}
	return BACKLOG_BYTES - backlog->filled >= RECORD_BYTES;
}

void backlog_put(struct backlog *backlog, const void *data, size_t bytes)
{
	uint64_t size = bytes;
	char *at = backlog->data + backlog->filled;
	memcpy(at, &size, sizeof(size));
	memcpy(at + sizeof(size), data, bytes);
	backlog->filled += sizeof(size) + padded(bytes);
}

void backlog_take(struct backlog *backlog, backlog_fn *fn, void *arg)
{
	for (size_t at = 0; at < backlog->filled;) {
		uint64_t size;
		memcpy(&size, backlog->data + at, sizeof(size));
		fn(arg, backlog->data + at + sizeof(size), size);
		at += sizeof(size) + padded(size);
	}
	backlog_free(backlog);
}

void backlog_free(struct backlog *backlog)
{
	if (backlog->data)
		munmap(backlog->data, BACKLOG_BYTES);
	*backlog = (struct backlog){ 0 };
}

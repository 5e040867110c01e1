/* SPDX-License-Identifier: BSD-2-Clause */
/* What the readers of one loop's memory share; nobody else includes this. */
#ifndef LIBUV_PARTS_H
#define LIBUV_PARTS_H

#include <string.h>

#include "libuv.h"

#define LIBUV_TRIES 3
#define LIBUV_BATCH 256u /* pieces that one call reads; IOV_MAX is 1024 */
#define LIBUV_QUEUE_MAX 100000u

static inline uint64_t libuv_word(const uint8_t *copy, uint32_t at)
{
	uint64_t value;
	memcpy(&value, copy + at, sizeof(value));
	return value;
}

static inline uint32_t libuv_half(const uint8_t *copy, uint32_t at)
{
	uint32_t value;
	memcpy(&value, copy + at, sizeof(value));
	return value;
}

int libuv_is_late(struct libuv_memory *memory);
int libuv_is_address(uint64_t address);
/* Length of a ring of two pointers; PS_UNKNOWN32 when it is none. */
uint32_t libuv_queue_length(struct libuv_memory *memory, uint64_t head);
/* The first thing that went wrong is said in the note, the rest follows from it. */
void libuv_say(struct libuv_loop *loop, const char *what, const char *why);
/* `otherwise`, unless there was no more time. */
const char *libuv_reason(struct libuv_memory *memory, const char *otherwise);

/* The heap (libuv_timers.c); -ENOMEM, all else is said. */
int libuv_read_timers(struct libuv_loop *loop, struct libuv_memory *memory, const struct libuv_limits *limits);

#endif

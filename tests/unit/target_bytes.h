/* SPDX-License-Identifier: BSD-2-Clause */
/* The memory of a target, made by hand: ROOM bytes that the target has at BASE, and nothing else. */
#ifndef TARGET_BYTES_H
#define TARGET_BYTES_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define BASE 0x10000ull
#define ROOM (256u << 10)

static uint8_t bytes[ROOM];
static unsigned reads;

static int read_bytes(void *arg, uint64_t address, void *out, size_t count)
{
	reads++;
	if (address < BASE || count > ROOM || address - BASE > ROOM - count)
		return -EFAULT;
	memcpy(out, bytes + (address - BASE), count);
	return 0;
}

static void put(uint32_t at, uint64_t value)
{
	memcpy(bytes + at, &value, sizeof(value));
}

static void put32(uint32_t at, uint32_t value)
{
	memcpy(bytes + at, &value, sizeof(value));
}

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pieces of a process's memory, many with one call, until a deadline; rings of
 * two pointers, each node of which must point back to the one we came from; and
 * the note that says what could not be read.
 */
#include "libuv_parts.h"

#include <errno.h>
#include <stdio.h>
#include <sys/uio.h>

#include "ps_event.h"

#define ADDRESS_LEAST 0x1000ull
#define ADDRESS_END (1ull << 56)

static int read_process(void *arg, uint64_t address, void *out, size_t bytes)
{
	struct iovec here = { out, bytes }, there = { (void *)(uintptr_t)address, bytes };
	return process_vm_readv(*(const pid_t *)arg, &here, 1, &there, 1, 0) == (ssize_t)bytes ? 0 : -EFAULT;
}

/* A piece that cannot be read ends the call: what follows it is asked for anew. */
static void gather_process(void *arg, const uint64_t *addresses, size_t count, size_t bytes, void *out, uint8_t *ok)
{
	for (size_t done = 0; done < count;) {
		struct iovec there[LIBUV_BATCH];
		size_t wanted = count - done < LIBUV_BATCH ? count - done : LIBUV_BATCH;
		struct iovec here = { (char *)out + done * bytes, wanted * bytes };
		for (size_t i = 0; i < wanted; i++)
			there[i] = (struct iovec){ (void *)(uintptr_t)addresses[done + i], bytes };
		ssize_t got = process_vm_readv(*(const pid_t *)arg, &here, 1, there, wanted, 0);
		size_t whole = got > 0 ? (size_t)got / bytes : 0;
		memset(ok + done, 1, whole);
		done += whole;
		if (whole < wanted)
			ok[done++] = 0;
	}
}

void libuv_memory_of(struct libuv_memory *memory, const pid_t *pid)
{
	*memory =
		(struct libuv_memory){ .read = read_process, .gather = gather_process, .arg = (void *)(uintptr_t)pid };
}

int libuv_is_late(struct libuv_memory *memory)
{
	return deadline_passed(&memory->deadline);
}

int libuv_is_address(uint64_t address)
{
	return address >= ADDRESS_LEAST && address < ADDRESS_END;
}

int libuv_get(struct libuv_memory *memory, uint64_t address, void *out, size_t bytes)
{
	if (!libuv_is_address(address))
		return -EFAULT;
	return libuv_is_late(memory) ? -ETIME : memory->read(memory->arg, address, out, bytes);
}

void libuv_get_many(struct libuv_memory *memory, const uint64_t *addresses, size_t count, size_t bytes, void *out,
		    uint8_t *ok)
{
	memset(ok, 0, count);
	if (libuv_is_late(memory))
		return;
	if (memory->gather) {
		memory->gather(memory->arg, addresses, count, bytes, out, ok);
		return;
	}
	for (size_t i = 0; i < count; i++)
		ok[i] = !libuv_get(memory, addresses[i], (char *)out + i * bytes, bytes);
}

uint32_t libuv_queue_length(struct libuv_memory *memory, uint64_t head)
{
	uint64_t links[2], before = head, at;
	uint32_t length = 0;
	if (libuv_get(memory, head, links, sizeof(links)))
		return PS_UNKNOWN32;
	for (at = links[0]; at != head; at = links[0]) {
		if (++length > LIBUV_QUEUE_MAX || libuv_get(memory, at, links, sizeof(links)) || links[1] != before)
			return PS_UNKNOWN32;
		before = at;
	}
	return length;
}

void libuv_say(struct libuv_loop *loop, const char *what, const char *why)
{
	if (!*loop->note)
		snprintf(loop->note, sizeof(loop->note), "%s: %s", what, why);
}

const char *libuv_reason(struct libuv_memory *memory, const char *otherwise)
{
	return libuv_is_late(memory) ? "it took too long to read" : otherwise;
}

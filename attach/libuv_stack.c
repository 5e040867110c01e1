/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The stack of a thread that runs, whose stack pointer nobody tells: glibc puts
 * a thread's own descriptor at the upper end of its stack, with the address of
 * itself and the thread's number in it, so the outermost frames lie below it.
 * What is read there may have been left by calls that are over: a thread is
 * believed to run a loop only when uv_run() is among the callers, too.
 */
#include "libuv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proc.h"

#define DESCRIPTOR_BYTES 16384u /* at the end of the mapping: the descriptor, and below it the thread's variables */
#define DESCRIPTOR_SELF 2 /* words: tcbhead_t has its own address in the first and the third */
#define DESCRIPTOR_TID 0x2d0u /* struct pthread since glibc 2.4, on x86-64 */
#define LINES_MAX 65536u
#define RUN_BYTES 4096u /* of uv_run()'s code, at most */

#if defined(__x86_64__)

/* Where in the mapping that ends there the descriptor of this thread lies; 0 = it is another's, or no stack. */
static uint64_t find_descriptor(struct libuv_memory *memory, uint64_t start, uint64_t end, pid_t tid)
{
	uint64_t words[DESCRIPTOR_BYTES / 8];
	uint64_t from = end - start > DESCRIPTOR_BYTES ? end - DESCRIPTOR_BYTES : start;
	size_t count = (size_t)(end - from) / 8;
	if (libuv_get(memory, from, words, count * 8))
		return 0;
	for (size_t i = 0; i + DESCRIPTOR_TID / 8 < count; i++) {
		uint64_t address = from + i * 8;
		if (words[i] == address && words[i + DESCRIPTOR_SELF] == address &&
		    (uint32_t)words[i + DESCRIPTOR_TID / 8] == (uint32_t)tid)
			return address;
	}
	return 0;
}

uint64_t libuv_stack_end(struct libuv_memory *memory, pid_t pid, pid_t tid)
{
	char path[64], line[512];
	struct proc_status status;
	uint64_t found = 0;
	/* the thread knows itself by its number in its own namespace */
	if (tid == pid || proc_read_status(pid, tid, &status))
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	FILE *maps = fopen(path, "re");
	if (!maps)
		return 0;
	for (unsigned i = 0; i < LINES_MAX && !found && fgets(line, sizeof(line), maps); i++) {
		unsigned long long start, end, inode;
		char mode[5];
		if (sscanf(line, "%llx-%llx %4s %*s %*s %llu", &start, &end, mode, &inode) != 4 || inode ||
		    end <= start || strcmp(mode, "rw-p"))
			continue;
		found = find_descriptor(memory, start, end, status.ns_pid ? status.ns_pid : tid);
	}
	fclose(maps);
	return found;
}

#else

uint64_t libuv_stack_end(struct libuv_memory *memory, pid_t pid, pid_t tid)
{
	return 0;
}

#endif

int libuv_came_from_run(const struct libuv_image *image, const uint64_t *words, size_t count)
{
	uint64_t run = image->address[LIBUV_uv_run];
	for (size_t i = 0; run && i < count; i++)
		if (words[i] > run && words[i] - run < RUN_BYTES)
			return 1;
	return 0;
}

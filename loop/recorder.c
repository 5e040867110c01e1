/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Opens and closes the memory of a flight recorder.
 *
 * Invariants: the ring is mapped before it is sealed, so it can never change
 * size under a reader or the writer; the header is complete before `magic` is
 * stored; all pages are present before the first record, so that recording
 * never faults.
 */
#include "recorder.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "clock.h"

#define PAGE 4096u
#define SLOTS_OFFSET (2 * PAGE) /* header, gauges, slots */

struct recorder recorder_none;

static int map_ring(struct recorder_memory *memory, size_t bytes)
{
	memory->fd = memfd_create(PS_RING_NAME, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (memory->fd < 0)
		return -errno;
	if (ftruncate(memory->fd, (off_t)bytes) < 0)
		return -errno;
	memory->map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, memory->fd, 0);
	if (memory->map == MAP_FAILED) {
		memory->map = NULL;
		return -errno;
	}
	memory->map_bytes = bytes;
	if (madvise(memory->map, bytes, MADV_DONTFORK) < 0 ||
	    fcntl(memory->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return -errno;
	return 0;
}

static int map_recorder(struct recorder **out)
{
	void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return -errno;
	if (madvise(page, PAGE, MADV_WIPEONFORK) < 0) {
		int err = -errno;
		munmap(page, PAGE);
		return err;
	}
	*out = page;
	return 0;
}

static void fill_header(struct ps_ring_header *header, const struct recorder_options *options, uint32_t tid)
{
	header->version = PS_RING_VERSION;
	header->slot_size = PS_RING_SLOT;
	header->slot_count = options->slots;
	header->slots_offset = SLOTS_OFFSET;
	header->gauges_offset = PAGE;
	header->generation = options->generation;
	header->pid = (uint32_t)getpid();
	header->tid = tid;
	header->role = options->role;
	header->backend = options->backend;
	header->poller_fd = options->poller_fd;
	header->clock = PS_RING_CLOCK_MONOTONIC;
	header->created_ns = clock_monotonic();
	if (options->name)
		strncpy(header->name, options->name, sizeof(header->name) - 1);
	__atomic_store_n(&header->magic, PS_RING_MAGIC, __ATOMIC_RELEASE);
}

int recorder_open(struct recorder_memory *memory, const struct recorder_options *options)
{
	struct recorder *recorder = NULL;
	int err;

	*memory = (struct recorder_memory){ .recorder = &recorder_none, .fd = -1, .pid = getpid() };
	if (!options->slots || options->slots & (options->slots - 1) || options->slots > PS_RING_MAX_SLOTS)
		return -EINVAL;
	err = map_recorder(&recorder);
	if (!err)
		err = map_ring(memory, SLOTS_OFFSET + (size_t)options->slots * PS_RING_SLOT);
	if (recorder)
		memory->recorder = recorder;
	if (err || !recorder || !memory->map) {
		recorder_close(memory);
		return err;
	}
	uint8_t *map = memory->map;
	recorder->header = memory->map;
	recorder->gauges = (void *)(map + PAGE);
	recorder->mask = options->slots - 1;
	recorder->tid = (uint32_t)syscall(SYS_gettid);
	fill_header(recorder->header, options, recorder->tid);
	recorder->slots = map + SLOTS_OFFSET;
	return 0;
}

void recorder_close(struct recorder_memory *memory)
{
	struct recorder *recorder = memory->recorder;

	/* in a child the ring is not mapped and others may own that address now */
	if (memory->map && memory->pid == getpid())
		munmap(memory->map, memory->map_bytes);
	if (recorder && recorder != &recorder_none)
		munmap(recorder, PAGE);
	if (memory->fd >= 0)
		close(memory->fd);
	*memory = (struct recorder_memory){ .recorder = &recorder_none, .fd = -1 };
}

void recorder_gauges(struct recorder *recorder, const struct ps_ring_gauges *gauges)
{
	struct ps_ring_gauges *page = recorder->gauges;
	const size_t head = offsetof(struct ps_ring_gauges, now_ns);

	if (!PROBES || !recorder->slots)
		return;
	uint64_t sequence = page->sequence;
	__atomic_store_n(&page->sequence, sequence + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	memcpy((uint8_t *)page + head, (const uint8_t *)gauges + head, sizeof(*page) - head);
	__atomic_store_n(&page->sequence, sequence + 2, __ATOMIC_RELEASE);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What linux/bpf.h and kernel/bpf/ringbuf.c promise: a page with our position, a page
 * with the kernel's, then the data, a power of two. A record is a header of 8 bytes,
 * whose first word has its length and two bits, and its bytes, padded to 8. A record
 * that is still being written ends the reading; one that was taken back is skipped.
 *
 * The programs cannot write more than the map holds, so a record has at most that
 * length; one that claims more ends the reading, for then nothing behind it is known.
 */
#include "bpf_ring.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct bpf_ring {
	bpf_ring_fn *fn;
	void *arg;
	size_t page, bytes; /* of the data */
	uint64_t *read_at; /* our page */
	const uint64_t *written_at; /* the kernel's, and behind it the data */
	const unsigned char *data;
	unsigned char *whole; /* a record that wraps */
	size_t whole_room;
};

static int map_pages(struct bpf_ring *ring, int map_fd)
{
	void *at = mmap(NULL, ring->page, PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, 0);
	if (at == MAP_FAILED)
		return -errno;
	ring->read_at = at;
	at = mmap(NULL, ring->page + ring->bytes, PROT_READ, MAP_SHARED, map_fd, (off_t)ring->page);
	if (at == MAP_FAILED)
		return -errno;
	ring->written_at = at;
	ring->data = (const unsigned char *)at + ring->page;
	return 0;
}

int bpf_ring_open_file(struct bpf_ring **out, int fd, size_t bytes, bpf_ring_fn *fn, void *arg)
{
	*out = NULL;
	struct bpf_ring *ring = calloc(1, sizeof(*ring));
	if (!ring)
		return -ENOMEM;
	*ring = (struct bpf_ring){ .fn = fn, .arg = arg, .page = (size_t)sysconf(_SC_PAGESIZE), .bytes = bytes };
	int err = map_pages(ring, fd);
	if (err)
		bpf_ring_close(ring);
	else
		*out = ring;
	return err;
}

int bpf_ring_open(struct bpf_ring **out, int map_fd, bpf_ring_fn *fn, void *arg)
{
	struct bpf_map_info info = { 0 };
	uint32_t size = sizeof(info);
	*out = NULL;
	if (bpf_obj_get_info_by_fd(map_fd, &info, &size))
		return -errno;
	return info.type == BPF_MAP_TYPE_RINGBUF ? bpf_ring_open_file(out, map_fd, info.max_entries, fn, arg) : -EINVAL;
}

/* The bytes of a record from `at` on in one piece; NULL: no memory. */
static void *in_one_piece(struct bpf_ring *ring, size_t at, size_t bytes)
{
	size_t first = ring->bytes - at;
	if (bytes <= first)
		return (void *)(uintptr_t)(ring->data + at);
	if (bytes > ring->whole_room) {
		unsigned char *wider = realloc(ring->whole, bytes);
		if (!wider)
			return NULL;
		ring->whole = wider;
		ring->whole_room = bytes;
	}
	memcpy(ring->whole, ring->data + at, first);
	memcpy(ring->whole + first, ring->data, bytes - first);
	return ring->whole;
}

int bpf_ring_consume(struct bpf_ring *ring)
{
	uint64_t at = __atomic_load_n(ring->read_at, __ATOMIC_RELAXED);
	int count = 0, stop = 0;
	while (stop >= 0 && at < __atomic_load_n(ring->written_at, __ATOMIC_ACQUIRE)) {
		size_t place = (size_t)at & (ring->bytes - 1);
		/* a header never wraps: all is a multiple of 8 */
		uint32_t head = __atomic_load_n((const uint32_t *)(const void *)(ring->data + place), __ATOMIC_ACQUIRE);
		size_t bytes = head & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);
		if (head & BPF_RINGBUF_BUSY_BIT || bytes > ring->bytes)
			break;
		if (!(head & BPF_RINGBUF_DISCARD_BIT)) {
			void *data = in_one_piece(ring, (place + BPF_RINGBUF_HDR_SZ) & (ring->bytes - 1), bytes);
			if (!data)
				return -ENOMEM;
			stop = ring->fn(ring->arg, data, bytes);
			count++;
		}
		at += (BPF_RINGBUF_HDR_SZ + bytes + 7) & ~(uint64_t)7;
		__atomic_store_n(ring->read_at, at, __ATOMIC_RELEASE);
	}
	return stop < 0 ? stop : count;
}

void bpf_ring_close(struct bpf_ring *ring)
{
	if (!ring)
		return;
	if (ring->read_at)
		munmap(ring->read_at, ring->page);
	if (ring->written_at)
		munmap((void *)(uintptr_t)ring->written_at, ring->page + ring->bytes);
	free(ring->whole);
	free(ring);
}

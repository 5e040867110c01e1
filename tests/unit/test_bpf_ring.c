/* SPDX-License-Identifier: BSD-2-Clause */
/* A file laid out as the kernel lays out a ring, written by hand: our position, the kernel's, the data. */
#include "test.h"

#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bpf_ring.h"

#define BYTES 4096u

struct kernel {
	int fd;
	unsigned char *pages;
	size_t page;
	uint64_t written;
};

struct seen {
	unsigned count, stop_at;
	size_t bytes[64];
	unsigned char first[64], last[64];
};

static int take(void *arg, void *data, size_t bytes)
{
	struct seen *seen = arg;
	assert_int_equal((uintptr_t)data % 8, 0);
	seen->bytes[seen->count] = bytes;
	seen->first[seen->count] = bytes ? ((unsigned char *)data)[0] : 0;
	seen->last[seen->count] = bytes ? ((unsigned char *)data)[bytes - 1] : 0;
	return ++seen->count == seen->stop_at ? -EAGAIN : 0;
}

static struct bpf_ring *opened(struct kernel *kernel, struct seen *seen)
{
	struct bpf_ring *ring;
	*seen = (struct seen){ 0 };
	*kernel = (struct kernel){ .fd = memfd_create("ring", MFD_CLOEXEC), .page = (size_t)sysconf(_SC_PAGESIZE) };
	size_t all = 2 * kernel->page + BYTES;
	assert_int_equal(ftruncate(kernel->fd, (off_t)all), 0);
	kernel->pages = mmap(NULL, all, PROT_READ | PROT_WRITE, MAP_SHARED, kernel->fd, 0);
	assert_ptr_not_equal(kernel->pages, MAP_FAILED);
	assert_int_equal(bpf_ring_open_file(&ring, kernel->fd, BYTES, take, seen), 0);
	return ring;
}

static void done(struct kernel *kernel, struct bpf_ring *ring)
{
	bpf_ring_close(ring);
	munmap(kernel->pages, 2 * kernel->page + BYTES);
	close(kernel->fd);
}

static uint64_t *position(struct kernel *kernel, int of_kernel)
{
	return (uint64_t *)(void *)(kernel->pages + (of_kernel ? kernel->page : 0));
}

/* As bpf_ringbuf_submit() leaves it. */
static void put(struct kernel *kernel, uint32_t bytes, uint32_t bits, unsigned char first)
{
	unsigned char *data = kernel->pages + 2 * kernel->page;
	uint32_t head = bytes | bits;
	memcpy(data + kernel->written % BYTES, &head, sizeof(head));
	for (uint32_t i = 0; bytes < BYTES && i < bytes; i++)
		data[(kernel->written + 8 + i) % BYTES] = (unsigned char)(first + i);
	kernel->written += (8 + bytes + 7) & ~7u;
	*position(kernel, 1) = kernel->written;
}

TEST(records_of_a_ring_come_whole_and_in_order_also_those_that_wrap)
{
	struct kernel kernel;
	struct seen seen;
	struct bpf_ring *ring = opened(&kernel, &seen);
	for (unsigned round = 0; round < 500; round++) {
		uint32_t bytes = 1 + round * 37 % 1900;
		seen.count = 0;
		put(&kernel, bytes, 0, (unsigned char)round);
		put(&kernel, 24, 0, 7);
		assert_int_equal(bpf_ring_consume(ring), 2);
		assert_int_equal(seen.bytes[0], bytes);
		assert_int_equal(seen.first[0], (unsigned char)round);
		assert_int_equal(seen.last[0], (unsigned char)(round + bytes - 1));
		assert_int_equal(seen.bytes[1], 24);
		assert_int_equal(seen.last[1], 30);
		assert_int_equal(*position(&kernel, 0), kernel.written);
	}
	assert_int_equal(bpf_ring_consume(ring), 0);
	done(&kernel, ring);
}

TEST(a_record_that_was_taken_back_is_skipped_and_one_under_way_is_waited_for)
{
	struct kernel kernel;
	struct seen seen;
	struct bpf_ring *ring = opened(&kernel, &seen);
	put(&kernel, 16, BPF_RINGBUF_DISCARD_BIT, 1);
	put(&kernel, 16, 0, 2);
	uint64_t under_way = kernel.written;
	put(&kernel, 16, BPF_RINGBUF_BUSY_BIT, 3);
	put(&kernel, 16, 0, 4);
	assert_int_equal(bpf_ring_consume(ring), 1);
	assert_int_equal(seen.first[0], 2);
	assert_int_equal(*position(&kernel, 0), under_way);
	kernel.pages[2 * kernel.page + under_way + 3] = 0; /* submitted */
	assert_int_equal(bpf_ring_consume(ring), 2);
	assert_int_equal(seen.first[1], 3);
	assert_int_equal(seen.first[2], 4);
	done(&kernel, ring);
}

TEST(a_refused_record_is_gone_and_the_next_ones_wait)
{
	struct kernel kernel;
	struct seen seen;
	struct bpf_ring *ring = opened(&kernel, &seen);
	for (unsigned char i = 0; i < 3; i++)
		put(&kernel, 8, 0, i);
	seen.stop_at = 2;
	assert_int_equal(bpf_ring_consume(ring), -EAGAIN);
	assert_int_equal(bpf_ring_consume(ring), 1);
	assert_int_equal(seen.first[2], 2);
	done(&kernel, ring);
}

TEST(a_length_beyond_the_ring_ends_the_reading)
{
	struct kernel kernel;
	struct seen seen;
	struct bpf_ring *ring = opened(&kernel, &seen);
	put(&kernel, 8, 0, 1);
	put(&kernel, BYTES + 8, 0, 2);
	assert_int_equal(bpf_ring_consume(ring), 1);
	assert_int_equal(bpf_ring_consume(ring), 0);
	done(&kernel, ring);
}

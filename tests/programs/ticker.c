/* SPDX-License-Identifier: BSD-2-Clause */
/* A loop on the backend that argv[1] names: see tick.h. */
#include <linux/io_uring.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../kqueue/tick.h"

static int ends[2]; /* a pipe that nobody writes to */

static void wait_epoll(void *arg)
{
	struct epoll_event event;

	epoll_wait(*(int *)arg, &event, 1, WAIT_MS);
}

static void wait_poll(void *arg)
{
	struct pollfd fd = { ends[0], POLLIN, 0 };

	poll(&fd, 1, WAIT_MS);
}

static void wait_select(void *arg)
{
	struct timeval time = { 0, WAIT_MS * 1000 };
	fd_set fds;

	FD_ZERO(&fds);
	FD_SET(ends[0], &fds);
	select(ends[0] + 1, &fds, NULL, NULL, &time);
}

/* Submits a timeout and waits for its completion. */
struct ring {
	int fd;
	struct io_uring_params params;
	char *sq, *cq;
	struct io_uring_sqe *sqes;
};

static int open_ring(struct ring *ring)
{
	ring->fd = (int)syscall(SYS_io_uring_setup, 4, &ring->params);
	if (ring->fd < 0)
		return -1;
	size_t sq_bytes = ring->params.sq_off.array + ring->params.sq_entries * sizeof(unsigned);
	size_t cq_bytes = ring->params.cq_off.cqes + ring->params.cq_entries * sizeof(struct io_uring_cqe);
	int protection = PROT_READ | PROT_WRITE;

	ring->sq = mmap(NULL, sq_bytes, protection, MAP_SHARED, ring->fd, IORING_OFF_SQ_RING);
	ring->cq = mmap(NULL, cq_bytes, protection, MAP_SHARED, ring->fd, IORING_OFF_CQ_RING);
	ring->sqes = mmap(NULL, ring->params.sq_entries * sizeof(*ring->sqes), protection, MAP_SHARED, ring->fd,
			  IORING_OFF_SQES);
	return ring->sq == MAP_FAILED || ring->cq == MAP_FAILED || ring->sqes == MAP_FAILED ? -1 : 0;
}

static unsigned *word(char *base, unsigned offset)
{
	return (unsigned *)(void *)(base + offset);
}

static void wait_ring(void *arg)
{
	static struct __kernel_timespec time = { 0, WAIT_MS * 1000000 };
	struct ring *ring = arg;
	unsigned tail = *word(ring->sq, ring->params.sq_off.tail),
		 slot = tail & *word(ring->sq, ring->params.sq_off.ring_mask);

	memset(&ring->sqes[slot], 0, sizeof(ring->sqes[slot]));
	ring->sqes[slot].opcode = IORING_OP_TIMEOUT;
	ring->sqes[slot].addr = (uint64_t)(uintptr_t)&time;
	ring->sqes[slot].len = 1;
	word(ring->sq, ring->params.sq_off.array)[slot] = slot;
	__atomic_store_n(word(ring->sq, ring->params.sq_off.tail), tail + 1, __ATOMIC_RELEASE);
	syscall(SYS_io_uring_enter, ring->fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0);
	__atomic_store_n(word(ring->cq, ring->params.cq_off.head), *word(ring->cq, ring->params.cq_off.tail),
			 __ATOMIC_RELEASE);
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "epoll";
	static struct ring ring;
	int poller;

	if (pipe(ends))
		return 1;
	if (!strcmp(name, "poll"))
		tick_run(wait_poll, NULL);
	if (!strcmp(name, "select"))
		tick_run(wait_select, NULL);
	if (!strcmp(name, "io_uring")) {
		if (open_ring(&ring))
			return 77;
		tick_run(wait_ring, &ring);
	}
	poller = epoll_create1(0);
	struct epoll_event interest = { .events = EPOLLIN };
	if (poller < 0 || epoll_ctl(poller, EPOLL_CTL_ADD, ends[0], &interest))
		return 1;
	tick_run(wait_epoll, &poller);
}

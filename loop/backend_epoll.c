/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The epoll backend. Level-triggered; the descriptor and its tag travel in the
 * event's data, so what the kernel reports can be told from an earlier life of
 * the same number. The wake-up is an eventfd watched edge-triggered: each
 * write wakes once and nobody needs to read it.
 */
#include "backend.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "ps_event.h"
#include "ps_loop.h"

#define BATCH 1024

struct poller {
	int fd;
	int wake_fd;
	int no_pwait2;     /* the kernel or a seccomp filter refuses epoll_pwait2() */
	struct epoll_event events[BATCH];
};

static uint32_t to_epoll(uint32_t events)
{
	return (events & PS_READABLE ? EPOLLIN : 0u) | (events & PS_WRITABLE ? EPOLLOUT : 0u) |
	       (events & PS_EDGE ? EPOLLET : 0u);
}

static uint32_t from_epoll(uint32_t events)
{
	return (events & (EPOLLIN | EPOLLPRI) ? PS_READABLE : 0u) | (events & EPOLLOUT ? PS_WRITABLE : 0u) |
	       (events & EPOLLERR ? PS_ERROR : 0u) | (events & EPOLLHUP ? PS_HANGUP : 0u);
}

static int watch_wake(struct poller *poller)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET, .data.u64 = UINT64_MAX };

	return epoll_ctl(poller->fd, EPOLL_CTL_ADD, poller->wake_fd, &event) < 0 ? -errno : 0;
}

static void epoll_close(struct poller *poller)
{
	if (!poller)
		return;
	if (poller->fd >= 0)
		close(poller->fd);
	if (poller->wake_fd >= 0)
		close(poller->wake_fd);
	free(poller);
}

static int epoll_open(struct poller **out)
{
	struct poller *poller = calloc(1, sizeof(*poller));
	int err = 0;

	if (!poller)
		return -ENOMEM;
	poller->wake_fd = -1;
	poller->fd = epoll_create1(EPOLL_CLOEXEC);
	if (poller->fd >= 0)
		poller->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (poller->fd < 0 || poller->wake_fd < 0)
		err = -errno;
	if (!err)
		err = watch_wake(poller);
	if (err) {
		epoll_close(poller);
		return err;
	}
	*out = poller;
	return 0;
}

static int epoll_set(struct poller *poller, int fd, uint32_t before, uint32_t events, uint32_t tag)
{
	struct epoll_event event = { .events = to_epoll(events), .data.u64 = (uint64_t)tag << 32 | (uint32_t)fd };
	int op = !events ? EPOLL_CTL_DEL : before ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

	if (!epoll_ctl(poller->fd, op, fd, &event))
		return 0;
	/* the number was closed and opened again, or duplicated, without our knowing */
	if (op == EPOLL_CTL_ADD && errno == EEXIST)
		op = EPOLL_CTL_MOD;
	else if (op == EPOLL_CTL_MOD && errno == ENOENT)
		op = EPOLL_CTL_ADD;
	else
		return -errno;
	return epoll_ctl(poller->fd, op, fd, &event) < 0 ? -errno : 0;
}

/* Rounds up: a timer must not be early. */
static int to_ms(int64_t ns)
{
	if (ns < 0)
		return -1;
	int64_t ms = ns / 1000000 + (ns % 1000000 != 0);
	return ms > INT32_MAX ? INT32_MAX : (int)ms;
}

static int wait_kernel(struct poller *poller, int room, int64_t timeout_ns)
{
	struct timespec ts = { timeout_ns / 1000000000, timeout_ns % 1000000000 };

	if (timeout_ns > 0 && !poller->no_pwait2) {
		int n = epoll_pwait2(poller->fd, poller->events, room, &ts, NULL);
		if (n >= 0 || (errno != ENOSYS && errno != EPERM))
			return n;
		poller->no_pwait2 = 1;
	}
	return epoll_wait(poller->fd, poller->events, room, to_ms(timeout_ns));
}

static int epoll_wait_ready(struct poller *poller, struct ready *ready, int room, int64_t timeout_ns)
{
	int n = wait_kernel(poller, room < BATCH ? room : BATCH, timeout_ns), count = 0;

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	for (int i = 0; i < n; i++) {
		const struct epoll_event *event = &poller->events[i];
		if (event->data.u64 == UINT64_MAX)
			continue;
		ready[count++] = (struct ready){ (int)(uint32_t)event->data.u64, (uint32_t)(event->data.u64 >> 32),
						 from_epoll(event->events) };
	}
	return count;
}

static void epoll_wake(struct poller *poller)
{
	int saved = errno;
	uint64_t one = 1;

	/* fails only when the counter is full: then a wake-up is pending anyway */
	(void)!write(poller->wake_fd, &one, sizeof(one));
	errno = saved;
}

static int epoll_fd(const struct poller *poller)
{
	return poller->fd;
}

static int epoll_reset(struct poller *poller)
{
	int fd = epoll_create1(EPOLL_CLOEXEC), wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), err = 0;

	if (fd < 0 || wake < 0 || dup3(fd, poller->fd, O_CLOEXEC) < 0 || dup3(wake, poller->wake_fd, O_CLOEXEC) < 0)
		err = -errno;
	if (fd >= 0)
		close(fd);
	if (wake >= 0)
		close(wake);
	return err ? err : watch_wake(poller);
}

static const struct backend backend_epoll = {
	.name = "epoll",
	.kind = PS_BACKEND_EPOLL,
	.open = epoll_open,
	.set = epoll_set,
	.wait = epoll_wait_ready,
	.wake = epoll_wake,
	.fd = epoll_fd,
	.reset = epoll_reset,
	.close = epoll_close,
};

const struct backend *const backend_native = &backend_epoll;

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kqueue backend, for macOS and the BSDs. Reading and writing are two
 * filters of one descriptor; what a wait brings of both is one report. The tag
 * travels in udata. The wake-up is EVFILT_USER.
 *
 * A kqueue is not inherited by fork: in a child its number is closed and may
 * belong to somebody else, so reset() closes only what this process opened.
 */
#include "backend.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/event.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#include "ps_event.h"
#include "ps_loop.h"

#define BATCH 1024

struct poller {
	int fd;
	pid_t pid;                    /* who opened it */
	int *position;                /* by descriptor: its report in this batch + 1 */
	uint32_t positions;
	struct kevent events[BATCH];
};

static int change(struct poller *poller, uintptr_t ident, int filter, int flags, unsigned fflags, uint32_t tag)
{
	struct kevent event;

	EV_SET(&event, ident, filter, flags, fflags, 0, (void *)(uintptr_t)tag);
	return kevent(poller->fd, &event, 1, NULL, 0, NULL) < 0 ? -errno : 0;
}

static int open_queue(struct poller *poller)
{
	poller->fd = kqueue();
	if (poller->fd < 0)
		return -errno;
	poller->pid = getpid();
	if (fcntl(poller->fd, F_SETFD, FD_CLOEXEC) < 0)
		return -errno;
	return change(poller, 0, EVFILT_USER, EV_ADD | EV_CLEAR, 0, 0);
}

static void kqueue_close(struct poller *poller)
{
	if (!poller)
		return;
	if (poller->fd >= 0 && poller->pid == getpid())
		close(poller->fd);
	free(poller->position);
	free(poller);
}

static int kqueue_open(struct poller **out)
{
	struct poller *poller = calloc(1, sizeof(*poller));

	if (!poller)
		return -ENOMEM;
	int err = open_queue(poller);
	if (err) {
		kqueue_close(poller);
		return err;
	}
	*out = poller;
	return 0;
}

static int reserve_position(struct poller *poller, int fd)
{
	uint32_t room = poller->positions ? poller->positions : 64;

	if ((uint32_t)fd < poller->positions)
		return 0;
	while (room <= (uint32_t)fd)
		room *= 2;
	int *position = realloc(poller->position, room * sizeof(*position));
	if (!position)
		return -ENOMEM;
	memset(position + poller->positions, 0, (room - poller->positions) * sizeof(*position));
	poller->position = position;
	poller->positions = room;
	return 0;
}

static int set_filter(struct poller *poller, int fd, int filter, uint32_t before, uint32_t now, uint32_t tag)
{
	uint32_t bit = filter == EVFILT_READ ? PS_READABLE : PS_WRITABLE;
	int flags = !(now & bit) ? EV_DELETE : now & PS_EDGE ? EV_ADD | EV_CLEAR : EV_ADD;

	if (!((before | now) & bit))
		return 0;
	int err = change(poller, (uintptr_t)fd, filter, flags, 0, tag);
	/* closing the descriptor took the filter away already */
	return err == -ENOENT && flags == EV_DELETE ? 0 : err;
}

static int kqueue_set(struct poller *poller, int fd, uint32_t before, uint32_t events, uint32_t tag)
{
	int err = reserve_position(poller, fd);

	if (!err)
		err = set_filter(poller, fd, EVFILT_READ, before, events, tag);
	if (!err)
		err = set_filter(poller, fd, EVFILT_WRITE, before, events, tag);
	return err;
}

static uint32_t events_of(const struct kevent *event)
{
	if (event->flags & EV_ERROR)
		return PS_ERROR;
	if (event->filter == EVFILT_READ)
		return PS_READABLE | (event->flags & EV_EOF ? PS_HANGUP : 0u);
	/* nobody reads any more: what epoll calls an error */
	return PS_WRITABLE | (event->flags & EV_EOF ? PS_ERROR | PS_HANGUP : 0u);
}

static int merge(struct poller *poller, struct ready *ready, int n)
{
	int count = 0;

	for (int i = 0; i < n; i++) {
		const struct kevent *event = &poller->events[i];
		int fd = (int)event->ident;
		if (event->filter == EVFILT_USER || (uint32_t)fd >= poller->positions)
			continue;
		int *position = &poller->position[fd];
		if (*position > count || !*position || ready[*position - 1].fd != fd) {
			ready[count++] = (struct ready){ fd, (uint32_t)(uintptr_t)event->udata, 0 };
			*position = count;
		}
		ready[*position - 1].events |= events_of(event);
	}
	return count;
}

static int kqueue_wait(struct poller *poller, struct ready *ready, int room, int64_t timeout_ns)
{
	struct timespec ts = { timeout_ns / 1000000000, timeout_ns % 1000000000 };
	int n = kevent(poller->fd, NULL, 0, poller->events, room < BATCH ? room : BATCH, timeout_ns < 0 ? NULL : &ts);

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	return merge(poller, ready, n);
}

static void kqueue_wake(struct poller *poller)
{
	int saved = errno;

	change(poller, 0, EVFILT_USER, 0, NOTE_TRIGGER, 0);
	errno = saved;
}

static int kqueue_fd(const struct poller *poller)
{
	return poller->fd;
}

static int kqueue_reset(struct poller *poller)
{
	if (poller->pid == getpid())
		close(poller->fd);
	return open_queue(poller);
}

static const struct backend backend_kqueue = {
	.name = "kqueue",
	.kind = PS_BACKEND_KEVENT,
	.open = kqueue_open,
	.set = kqueue_set,
	.wait = kqueue_wait,
	.wake = kqueue_wake,
	.fd = kqueue_fd,
	.reset = kqueue_reset,
	.close = kqueue_close,
};

const struct backend *const backend_native = &backend_kqueue;

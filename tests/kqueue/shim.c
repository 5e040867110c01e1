/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kqueue(2) on Linux, over epoll, for the loop's tests: small, and as strict as
 * the real one where the backend could be wrong. A filter that is not there
 * cannot be deleted or triggered; closing a descriptor takes its filters away,
 * whatever duplicates live (so close() is ours); a kqueue is not inherited by
 * fork: in a child its number is closed.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/event.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FDS 65536
#define QUEUES 128

struct filters {
	unsigned char read, write, clear;
	void *read_data, *write_data;
};

struct queue {
	int fd, user_fd;
	int has_user;
	void *user_data;
	struct filters *filters; /* by descriptor */
};

static struct queue queues[QUEUES];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int real_close(int fd)
{
	return (int)syscall(SYS_close, fd);
}

static struct queue *find(int fd)
{
	for (int i = 0; fd >= 0 && i < QUEUES; i++)
		if (queues[i].filters && queues[i].fd == fd)
			return &queues[i];
	return NULL;
}

static int update(struct queue *queue, int fd)
{
	struct filters *filters = &queue->filters[fd];
	struct epoll_event event = { .events = (filters->read ? EPOLLIN | EPOLLRDHUP : 0u) |
					       (filters->write ? EPOLLOUT : 0u) |
					       (filters->clear ? EPOLLET : 0u),
				     .data.fd = fd };

	if (!filters->read && !filters->write)
		return epoll_ctl(queue->fd, EPOLL_CTL_DEL, fd, NULL);
	if (!epoll_ctl(queue->fd, EPOLL_CTL_MOD, fd, &event))
		return 0;
	return errno == ENOENT ? epoll_ctl(queue->fd, EPOLL_CTL_ADD, fd, &event) : -1;
}

static int change_user(struct queue *queue, const struct kevent *event)
{
	if (event->ident != 0 || (!queue->has_user && !(event->flags & EV_ADD))) {
		errno = ENOENT;
		return -1;
	}
	if (event->flags & EV_ADD) {
		queue->has_user = 1;
		queue->user_data = event->udata;
	}
	return event->fflags & NOTE_TRIGGER ? eventfd_write(queue->user_fd, 1) : 0;
}

static int change_fd(struct queue *queue, const struct kevent *event)
{
	int fd = (int)event->ident;
	struct stat st;

	if (event->ident >= FDS || fstat(fd, &st) < 0) {
		errno = EBADF;
		return -1;
	}
	struct filters *filters = &queue->filters[fd], before = *filters;
	unsigned char *on = event->filter == EVFILT_READ ? &filters->read : &filters->write;
	if (event->flags & EV_DELETE && !*on) {
		errno = ENOENT;
		return -1;
	}
	*on = !(event->flags & EV_DELETE);
	filters->clear = (event->flags & EV_CLEAR) != 0;
	*(event->filter == EVFILT_READ ? &filters->read_data : &filters->write_data) = event->udata;
	if (update(queue, fd) < 0) {
		*filters = before;
		return -1;
	}
	return 0;
}

static int apply(struct queue *queue, const struct kevent *event)
{
	if (event->filter == EVFILT_USER)
		return change_user(queue, event);
	if ((event->filter != EVFILT_READ && event->filter != EVFILT_WRITE) || !(event->flags & (EV_ADD | EV_DELETE))) {
		errno = EINVAL;
		return -1;
	}
	return change_fd(queue, event);
}

static int report(struct queue *queue, const struct epoll_event *from, struct kevent *to)
{
	int fd = from->data.fd, n = 0;
	uint32_t events = from->events;

	if (fd == queue->user_fd) {
		eventfd_t value;
		eventfd_read(fd, &value);
		EV_SET(&to[0], 0, EVFILT_USER, EV_CLEAR, 0, 0, queue->user_data);
		return 1;
	}
	const struct filters *filters = &queue->filters[fd];
	int is_end = (events & (EPOLLHUP | EPOLLERR)) != 0;
	if (filters->read && events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		EV_SET(&to[n++], (uintptr_t)fd, EVFILT_READ, is_end || events & EPOLLRDHUP ? EV_EOF : 0, 0, 0,
		       filters->read_data);
	if (filters->write && events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
		EV_SET(&to[n++], (uintptr_t)fd, EVFILT_WRITE, is_end ? EV_EOF : 0, 0, 0, filters->write_data);
	return n;
}

static int wait_events(struct queue *queue, struct kevent *events, int count, const struct timespec *timeout)
{
	struct epoll_event ready[512];
	int room = count / 2 < 512 ? count / 2 : 512, n = 0;

	int got = epoll_pwait2(queue->fd, ready, room ? room : 1, timeout, NULL);
	if (got < 0)
		return -1;
	pthread_mutex_lock(&lock);
	for (int i = 0; i < got; i++)
		n += report(queue, &ready[i], events + n);
	pthread_mutex_unlock(&lock);
	return n;
}

int kevent(int kq, const struct kevent *changes, int change_count, struct kevent *events, int event_count,
	   const struct timespec *timeout)
{
	struct queue *queue = find(kq);

	if (!queue) {
		errno = EBADF;
		return -1;
	}
	for (int i = 0; i < change_count; i++) {
		int is_user = changes[i].filter == EVFILT_USER; /* may come from a signal handler: no lock */
		if (!is_user)
			pthread_mutex_lock(&lock);
		int err = apply(queue, &changes[i]);
		if (!is_user)
			pthread_mutex_unlock(&lock);
		if (err < 0)
			return -1;
	}
	return event_count ? wait_events(queue, events, event_count, timeout) : 0;
}

static void forget_queues(void)
{
	for (int i = 0; i < QUEUES; i++) {
		if (!queues[i].filters)
			continue;
		real_close(queues[i].fd);
		real_close(queues[i].user_fd);
		queues[i].filters = NULL;
	}
	pthread_mutex_init(&lock, NULL);
}

static void once(void)
{
	pthread_atfork(NULL, NULL, forget_queues);
}

int kqueue(void)
{
	static pthread_once_t done = PTHREAD_ONCE_INIT;
	struct epoll_event event = { .events = EPOLLIN };
	struct queue *queue = NULL;

	pthread_once(&done, once);
	pthread_mutex_lock(&lock);
	for (int i = 0; i < QUEUES && !queue; i++)
		if (!queues[i].filters)
			queue = &queues[i];
	if (queue) {
		queue->fd = epoll_create1(0);
		queue->user_fd = event.data.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		queue->has_user = 0;
		epoll_ctl(queue->fd, EPOLL_CTL_ADD, queue->user_fd, &event);
		/* not by malloc, which tests make fail */
		queue->filters = mmap(NULL, FDS * sizeof(*queue->filters), PROT_READ | PROT_WRITE,
				      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	}
	pthread_mutex_unlock(&lock);
	if (!queue)
		errno = EMFILE;
	return queue ? queue->fd : -1;
}

int close(int fd)
{
	pthread_mutex_lock(&lock);
	struct queue *own = find(fd);
	if (own) {
		real_close(own->user_fd);
		munmap(own->filters, FDS * sizeof(*own->filters));
		own->filters = NULL;
	}
	for (int i = 0; i < QUEUES && fd >= 0 && fd < FDS; i++) {
		struct queue *queue = &queues[i];
		if (!queue->filters || (!queue->filters[fd].read && !queue->filters[fd].write))
			continue;
		epoll_ctl(queue->fd, EPOLL_CTL_DEL, fd, NULL);
		queue->filters[fd] = (struct filters){ 0 };
	}
	pthread_mutex_unlock(&lock);
	return real_close(fd);
}

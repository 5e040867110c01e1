/* SPDX-License-Identifier: BSD-2-Clause */
/* The fake backend: see fake.h. Everything but wake() belongs to the loop's thread. */
#include "fake.h"

#include <errno.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

#include "backend.h"
#include "loop.h"
#include "ps_event.h"

#define FDS 1024
#define SCRIPT 64

struct poller {
	uint64_t now_ns;
	sem_t wakes;
	uint32_t interest[FDS];
	uint32_t tags[FDS];
	struct ready script[SCRIPT];
	int scripted;
	uint64_t waits;
	int64_t timeouts[FAKE_WAITS];
};

static int fake_open(struct poller **out)
{
	struct poller *poller = calloc(1, sizeof(*poller));

	if (!poller)
		return -ENOMEM;
	sem_init(&poller->wakes, 0, 0);
	poller->now_ns = 1000000000;
	*out = poller;
	return 0;
}

static void fake_close(struct poller *poller)
{
	if (poller)
		sem_destroy(&poller->wakes);
	free(poller);
}

static int fake_set(struct poller *poller, int fd, uint32_t before, uint32_t events, uint32_t tag)
{
	(void)before;
	if (fd < 0 || fd >= FDS)
		return -EBADF;
	poller->interest[fd] = events;
	poller->tags[fd] = tag;
	return 0;
}

static int take_script(struct poller *poller, struct ready *ready, int room)
{
	int n = poller->scripted < room ? poller->scripted : room;

	memcpy(ready, poller->script, (size_t)n * sizeof(*ready));
	memmove(poller->script, poller->script + n, (size_t)(poller->scripted - n) * sizeof(*ready));
	poller->scripted -= n;
	return n;
}

static int fake_wait(struct poller *poller, struct ready *ready, int room, int64_t timeout_ns)
{
	poller->timeouts[poller->waits++ % FAKE_WAITS] = timeout_ns;
	int n = take_script(poller, ready, room);
	if (n || timeout_ns == 0)
		return n;
	if (!sem_trywait(&poller->wakes))
		return 0;
	if (timeout_ns > 0) {
		poller->now_ns += (uint64_t)timeout_ns;
		return 0;
	}
	return sem_wait(&poller->wakes) < 0 && errno != EINTR ? -errno : 0;
}

static void fake_wake(struct poller *poller)
{
	sem_post(&poller->wakes);
}

static int fake_fd(const struct poller *poller)
{
	return -1;
}

static int fake_reset(struct poller *poller)
{
	memset(poller->interest, 0, sizeof(poller->interest));
	return 0;
}

static uint64_t fake_now(void *poller)
{
	return ((struct poller *)poller)->now_ns;
}

void fake_set_time(struct ps_loop *loop, uint64_t ns)
{
	loop->poller->now_ns = ns;
}

uint64_t fake_time(const struct ps_loop *loop)
{
	return loop->poller->now_ns;
}

int fake_ready(struct ps_loop *loop, int fd, uint32_t events)
{
	struct poller *poller = loop->poller;

	if (fd < 0 || fd >= FDS)
		return -EBADF;
	if (poller->scripted == SCRIPT)
		return -ENOSPC;
	poller->script[poller->scripted++] = (struct ready){ fd, poller->tags[fd], events };
	return 0;
}

uint32_t fake_interest(const struct ps_loop *loop, int fd)
{
	return fd >= 0 && fd < FDS ? loop->poller->interest[fd] : 0;
}

uint64_t fake_wait_count(const struct ps_loop *loop)
{
	return loop->poller->waits;
}

int64_t fake_wait_timeout(const struct ps_loop *loop, uint64_t index)
{
	return loop->poller->timeouts[index % FAKE_WAITS];
}

const struct backend backend_fake = {
	.name = "fake",
	.kind = PS_BACKEND_FAKE,
	.open = fake_open,
	.set = fake_set,
	.wait = fake_wait,
	.wake = fake_wake,
	.fd = fake_fd,
	.reset = fake_reset,
	.close = fake_close,
	.now = fake_now,
};

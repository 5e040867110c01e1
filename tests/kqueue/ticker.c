/* SPDX-License-Identifier: BSD-2-Clause */
/* A loop on kqueue: see tick.h. */
#include <sys/event.h>
#include <stdlib.h>
#include <unistd.h>

#include "tick.h"

static void wait_kevent(void *arg)
{
	const struct timespec time = { 0, WAIT_MS * 1000000 };
	struct kevent events[8];

	kevent(*(int *)arg, NULL, 0, events, 8, &time);
}

int main(void)
{
	int queue = kqueue(), ends[2];
	struct kevent change;

	if (queue < 0 || pipe(ends))
		return 1;
	EV_SET(&change, (uintptr_t)ends[0], EVFILT_READ, EV_ADD, 0, 0, NULL);
	if (kevent(queue, &change, 1, NULL, 0, NULL) < 0)
		return 1;
	tick_run(wait_kevent, &queue);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* libbpf takes a record away even when the callback refuses it, so there is room before it is asked for. */
#include "tap.h"

#include <errno.h>

static int take_or_keep(void *arg, void *data, size_t bytes)
{
	struct tap *tap = arg;
	if (!tap->relieving)
		return tap->take(tap->arg, data, bytes);
	backlog_put(&tap->backlog, data, bytes);
	return backlog_has_room(&tap->backlog) ? 0 : -EAGAIN;
}

int tap_open(struct tap *tap, int map_fd, ring_buffer_sample_fn take, void *arg)
{
	*tap = (struct tap){ .take = take, .arg = arg };
	tap->ring = ring_buffer__new(map_fd, take_or_keep, tap, NULL);
	return tap->ring ? 0 : -errno;
}

int tap_consume(struct tap *tap)
{
	backlog_take(&tap->backlog, tap->take, tap->arg);
	return ring_buffer__consume(tap->ring);
}

void tap_relieve(struct tap *tap)
{
	if (!tap->ring || !backlog_has_room(&tap->backlog))
		return;
	tap->relieving = 1;
	ring_buffer__consume(tap->ring);
	tap->relieving = 0;
}

void tap_close(struct tap *tap)
{
	ring_buffer__free(tap->ring);
	backlog_free(&tap->backlog);
	*tap = (struct tap){ 0 };
}

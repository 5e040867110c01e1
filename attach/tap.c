/* SPDX-License-Identifier: BSD-2-Clause */
/* A record is gone even when the callback refuses it, so there is room before it is asked for. */
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

int tap_open(struct tap *tap, int map_fd, bpf_ring_fn *take, void *arg)
{
	*tap = (struct tap){ .take = take, .arg = arg };
	return bpf_ring_open(&tap->ring, map_fd, take_or_keep, tap);
}

int tap_consume(struct tap *tap)
{
	backlog_take(&tap->backlog, tap->take, tap->arg);
	return bpf_ring_consume(tap->ring);
}

void tap_relieve(struct tap *tap)
{
	if (!tap->ring || !backlog_has_room(&tap->backlog))
		return;
	tap->relieving = 1;
	bpf_ring_consume(tap->ring);
	tap->relieving = 0;
}

void tap_close(struct tap *tap)
{
	bpf_ring_close(tap->ring);
	backlog_free(&tap->backlog);
	*tap = (struct tap){ 0 };
}

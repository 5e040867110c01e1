/* SPDX-License-Identifier: BSD-2-Clause */
/* One look into a poller, for who does not watch: attach_poller_read(). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "poller.h"

static void fill_item(struct poller_item *out, const struct poller_reader *reader, pid_t pid,
		      const struct ps_poller_item *item)
{
	int by_bpf = poller_reader_by_bpf(reader);

	*out = (struct poller_item){
		.fd = item->fd,
		.events = item->events,
		.data = item->data,
		.is_ready = by_bpf ? !!(item->flags & PS_ITEM_READY) : -1,
		.unread_bytes = item->flags & PS_ITEM_UNREAD ? item->unread : PS_UNKNOWN,
		.backlog = item->flags & PS_ITEM_LISTENS ? item->backlog : PS_UNKNOWN,
		.backlog_max = item->flags & PS_ITEM_LISTENS ? item->backlog_max : PS_UNKNOWN,
	};
	out->kind = poller_name(reader, pid, item, out->name, sizeof(out->name));
}

static int fill(struct poller_picture *picture, const struct poller_reader *reader, pid_t pid,
		const struct poller_raw *raw)
{
	*picture = (struct poller_picture){
		.ns = raw->ns,
		.cost_ns = raw->cost_ns,
		.item_count = raw->count,
		.depth = raw->depth,
		.ready = raw->ready,
		.waiters = raw->waiters,
		.unread_bytes = raw->unread_bytes,
		.flags = raw->flags,
	};
	snprintf(picture->how, sizeof(picture->how), "%s", poller_reader_reason(reader));
	picture->items = calloc(raw->count + 1, sizeof(*picture->items));
	if (!picture->items)
		return -ENOMEM;
	for (size_t i = 0; i < raw->count; i++)
		fill_item(&picture->items[i], reader, pid, &raw->item[i]);
	return 0;
}

int attach_poller_read(struct poller_picture *picture, pid_t pid, int epfd)
{
	struct poller_reader *reader;
	struct poller_raw raw;
	int err = poller_reader_open(&reader, 0);

	*picture = (struct poller_picture){ 0 };
	if (!err)
		err = poller_read(reader, pid, epfd, &raw);
	if (!err)
		err = fill(picture, reader, pid, &raw);
	poller_reader_close(reader);
	return err;
}

void attach_poller_free(struct poller_picture *picture)
{
	free(picture->items);
	picture->items = NULL;
	picture->item_count = 0;
}

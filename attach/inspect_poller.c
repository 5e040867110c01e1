/* SPDX-License-Identifier: BSD-2-Clause */
/* What the kernel's poller holds, for one look: by BPF, else from /proc. */
#include "inspect.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "poller.h"
#include "ps_event.h"
#include "schema.h"

#define ROWS_MAX 20000u

static json_t *item_row(struct inspect_run *run, const struct poller_reader *reader, const struct ps_poller_item *item,
			int by_bpf)
{
	char name[256] = "";
	uint32_t kind = poller_name(reader, run->pid, item, name, sizeof(name));
	return json_pack("{s:i, s:I, s:s, s:o, s:o, s:o, s:o}", "fd", item->fd, "events", (json_int_t)item->events,
			 "kind", kind_name(kind), "name", inspect_text(name), "ready",
			 by_bpf ? json_boolean(item->flags & PS_ITEM_READY) : json_null(), "unread",
			 item->flags & PS_ITEM_UNREAD ? json_integer(item->unread) : json_null(), "backlog",
			 item->flags & PS_ITEM_LISTENS ? json_integer(item->backlog) : json_null());
}

static json_t *poller_of(struct inspect_run *run, struct poller_reader *reader, const struct poller_raw *raw)
{
	int by_bpf = poller_reader_by_bpf(reader);
	json_t *items = json_array();
	for (size_t i = 0; i < raw->count && i < ROWS_MAX; i++)
		json_array_append_new(items, item_row(run, reader, &raw->item[i], by_bpf));
	json_t *object = json_pack(
		"{s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "read_by", by_bpf ? "BPF iterator" : "/proc/PID/fdinfo", "count",
		inspect_u64(raw->items), "depth", inspect_u64(raw->depth), "ready", inspect_u64(raw->ready), "waiters",
		inspect_u64(raw->waiters), "unread_bytes", inspect_u64(raw->unread_bytes), "items", items);
	json_object_set_new(object, "structure", json_string("red-black tree"));
	return object;
}

int inspect_poller(struct inspect_run *run)
{
	struct poller_reader *reader = NULL;
	int err = poller_reader_open(&reader, run->options->no_bpf);
	if (err)
		return err;
	for (size_t i = 0; i < run->loop_count && err != -ENOMEM; i++) {
		struct poller_raw raw;
		char path[64];
		json_t *row = json_array_get(run->loop_rows, i);
		snprintf(path, sizeof(path), "loops.%zu.poller", i);
		err = run->loops[i].backend == PS_BACKEND_EPOLL
			      ? poller_read(reader, run->pid, run->loops[i].poller_fd, &raw)
			      : -ENOTSUP;
		json_object_set_new(row, "poller", err ? json_null() : poller_of(run, reader, &raw));
		if (err)
			inspect_missing(run, path,
					err == -ENOTSUP ? "only epoll keeps what it watches in the kernel"
							: strerror(-err));
		else if (!poller_reader_by_bpf(reader))
			inspect_missing(run, strcat(path, ".depth"), poller_reader_reason(reader));
	}
	poller_reader_close(reader);
	return err == -ENOMEM ? err : 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One poller over time. Each picture is compared with what was told before and
 * only differences become records: POLLER each time, FD_STATE of items that are
 * new or changed, FD_INTEREST and FD_LIFE of those that went.
 *
 * An item is the same while its number and its file are; another file under the
 * number is another generation. A first picture of very many items is told in
 * parts, one at each look, so that no drain is long.
 */
#include "poller.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ready.h"

#define TOLD_AT_ONCE 8192 /* items of one look */
#define NAMING_NS 50000000u /* of one look, for names that must be asked for */

/* Of a descriptor that is not in the list: what it was given when it was spoken of, else a new one. */
static uint32_t young_generation(struct poller_watch *watch, int fd, uint64_t identity)
{
	uint64_t key = identity ^ (uint64_t)(uint32_t)fd << 40;
	uint64_t generation = table_get(&watch->young, key);

	if (!generation) {
		generation = ++watch->generations;
		table_put(&watch->young, key, generation);
	}
	return (uint32_t)generation;
}

struct telling {
	struct poller_watch *watch;
	struct poller_reader *reader;
	struct ready_probe *ready; /* NULL = none */
	struct stream *stream;
	const struct poller_raw *raw;
	struct poller_known *known; /* being made */
	size_t count, told;
	uint64_t naming_ends_ns;
	int is_cut; /* some were left for the next look */
	int seeds; /* all are shown to the probe, not only new ones */
};

static uint32_t name_item(struct telling *telling, const struct ps_poller_item *item, struct poller_known *known,
			  uint32_t *kind)
{
	char name[128];

	*kind = poller_kind(telling->reader, item->f_op);
	if (stream_now() > telling->naming_ends_ns)
		return 0;
	known->is_named = 1;
	*kind = poller_name(telling->reader, telling->watch->pid, item, name, sizeof(name));
	return *name ? stream_string(telling->stream, name, strlen(name)) : 0;
}

static int put_state(struct telling *telling, const struct ps_poller_item *item, struct poller_known *known)
{
	uint32_t kind = 0, name = known->is_named ? 0 : name_item(telling, item, known, &kind);
	int seen = telling->raw->flags & PS_POLLER_FDINFO ? 0 : PS_FD_SEEN;
	int counted = telling->ready ? ready_counts(telling->ready, item) : 0;
	const struct ps_ev_fd_state state = {
		.h = { telling->raw->ns, (uint32_t)telling->watch->tid, PS_EV_FD_STATE, sizeof(state) },
		.poller_fd = telling->watch->epfd,
		.fd = item->fd,
		.generation = known->generation,
		.events = item->events,
		.kind = (uint16_t)kind,
		.flags = (uint16_t)(seen | counted | (item->flags & PS_ITEM_READY ? PS_FD_IS_READY : 0)),
		.name = name,
		.unread_bytes = item->flags & PS_ITEM_UNREAD ? item->unread : PS_UNKNOWN,
		.backlog = item->flags & PS_ITEM_LISTENS ? item->backlog : PS_UNKNOWN,
		.backlog_max = item->flags & PS_ITEM_LISTENS ? item->backlog_max : PS_UNKNOWN,
	};

	telling->told++;
	return stream_put(telling->stream, &state.h);
}

static int put_gone(struct telling *telling, const struct poller_known *known)
{
	const struct poller_watch *watch = telling->watch;
	const struct ps_ev_fd_interest removed = {
		.h = { telling->raw->ns, (uint32_t)watch->tid, PS_EV_FD_INTEREST, sizeof(removed) },
		.poller_fd = watch->epfd,
		.fd = known->fd,
		.generation = known->generation,
		.op = PS_INTEREST_REMOVE,
	};
	const struct ps_ev_fd_life closed = {
		.h = { telling->raw->ns, (uint32_t)watch->tid, PS_EV_FD_LIFE, sizeof(closed) },
		.fd = known->fd,
		.generation = known->generation,
		.op = PS_LIFE_CLOSED,
	};
	char path[64];
	int err = stream_put(telling->stream, &removed.h);

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)watch->pid, known->fd);
	if (!err && faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW))
		err = stream_put(telling->stream, &closed.h);
	return err;
}

static int is_changed(const struct poller_known *known, const struct ps_poller_item *item)
{
	return known->events != item->events || known->unread != item->unread || known->backlog != item->backlog ||
	       known->flags != item->flags || !known->is_named;
}

/* `old` is the same number as it was told before; NULL = it is new. */
static int tell_item(struct telling *telling, const struct ps_poller_item *item, const struct poller_known *old)
{
	struct poller_known now = { .identity = ps_file_identity(item->file, item->inode), .fd = item->fd };
	int is_same = old && old->identity == now.identity;

	if (is_same)
		now = *old;
	if (is_same && !is_changed(old, item)) {
		telling->known[telling->count++] = now;
		return 0;
	}
	if (telling->told >= TOLD_AT_ONCE) {
		telling->is_cut = 1;
		if (is_same)
			telling->known[telling->count++] = now;
		return 0;
	}
	if (!is_same) {
		now.generation = young_generation(telling->watch, item->fd, now.identity);
		if (telling->ready)
			ready_seed(telling->ready, telling->watch, item, telling->raw->ns - telling->raw->cost_ns);
	}
	now.events = item->events;
	now.unread = item->unread;
	now.backlog = item->backlog;
	now.flags = item->flags;
	int err = put_state(telling, item, &now);
	telling->known[telling->count++] = now;
	return err;
}

/* Both lists are by number: side by side. */
static int compare(struct telling *telling)
{
	const struct poller_watch *watch = telling->watch;
	const struct poller_raw *raw = telling->raw;
	size_t old = 0;
	int err = 0;

	for (size_t i = 0; i < raw->count && !err; i++) {
		const struct ps_poller_item *item = &raw->item[i];

		if (i && item[-1].fd == item->fd)
			continue; /* two files under one number: the poller counts both, a row can be of one */
		for (; old < watch->count && watch->known[old].fd < item->fd && !err; old++)
			err = put_gone(telling, &watch->known[old]);
		int is_known = old < watch->count && watch->known[old].fd == item->fd;
		if (telling->ready && telling->seeds && i < TOLD_AT_ONCE)
			ready_seed(telling->ready, watch, item, raw->ns - raw->cost_ns);
		if (!err)
			err = tell_item(telling, item, is_known ? &watch->known[old] : NULL);
		old += is_known;
	}
	for (; old < watch->count && !err; old++)
		err = put_gone(telling, &watch->known[old]);
	return err;
}

static int put_picture(const struct poller_watch *watch, struct stream *stream, const struct poller_raw *raw)
{
	const struct ps_ev_poller picture = {
		.h = { raw->ns, (uint32_t)watch->tid, PS_EV_POLLER, sizeof(picture) },
		.poller_fd = watch->epfd,
		.pid = (uint32_t)watch->pid,
		.items = raw->items,
		.depth = raw->depth,
		.ready = raw->ready,
		.waiters = raw->waiters,
		.unread_bytes = raw->unread_bytes,
		.cost_ns = raw->cost_ns,
		.flags = raw->flags,
	};

	return stream_put(stream, &picture.h);
}

int poller_watch_look(struct poller_watch *watch, struct poller_reader *reader, struct ready_probe *ready, int seeds,
		      struct stream *stream, struct poller_raw *raw)
{
	int err = poller_read(reader, watch->pid, watch->epfd, raw);

	if (!err)
		err = put_picture(watch, stream, raw);
	if (err)
		return err;
	watch->poller = raw->poller;
	if (watch->tells)
		return 0;
	struct telling telling = {
		.watch = watch,
		.reader = reader,
		.ready = ready,
		.stream = stream,
		.raw = raw,
		.seeds = seeds,
		.known = calloc(raw->count + 1, sizeof(*telling.known)),
		.naming_ends_ns = stream_now() + NAMING_NS,
	};
	if (!telling.known)
		return -ENOMEM;
	err = compare(&telling);
	free(watch->known);
	watch->known = telling.known;
	watch->count = telling.count;
	if (!telling.is_cut) {
		/* whoever lives is in the list now */
		table_free(&watch->young);
		watch->young = (struct table){ 0 };
	}
	return err ? err : telling.is_cut ? -EAGAIN : 0;
}

static const struct poller_known *find(const struct poller_watch *watch, int fd)
{
	size_t low = 0, high = watch->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (watch->known[middle].fd < fd)
			low = middle + 1;
		else
			high = middle;
	}
	return low < watch->count && watch->known[low].fd == fd ? &watch->known[low] : NULL;
}

uint32_t poller_watch_generation(struct poller_watch *watch, int fd, uint64_t identity)
{
	const struct poller_known *known = find(watch, fd);

	return known && known->identity == identity ? known->generation : young_generation(watch, fd, identity);
}

void poller_watch_free(struct poller_watch *watch)
{
	free(watch->known);
	table_free(&watch->young);
	watch->young = (struct table){ 0 };
	watch->known = NULL;
	watch->count = 0;
}

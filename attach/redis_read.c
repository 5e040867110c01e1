/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The loop (ae) of redis and valkey: its time events, which it keeps in a list,
 * and the descriptors that it watches with their functions.
 *
 * `server` is exported, but where it has its loop differs by version: the words
 * of its begin are tried, and one is believed when a loop lies there that has the
 * poller that the thread waits on, and beforeSleep as its function. Clients,
 * queues and the rest of `server` are laid out by version, and not read.
 */
#include "libuv_parts.h"
#include "server_loop.h"

#include <errno.h>
#include <stdlib.h>

#include "ps_event.h"

enum { SERVER, BEFORE_SLEEP }; /* in the order of the symbols below */

#define SERVER_WORDS 64u /* of its begin: pid, paths, hz, database, commands, loop */
#define SIZE_MAX_FDS (16u << 20)
#define DAY_MS 86400000ull
#define FILE_BYTES 32u /* aeFileEvent: mask, two functions, data */
#define READABLE 1u
#define WRITABLE 2u
#define EPOLL_IN 1u
#define EPOLL_OUT 4u

struct ae_loop { /* aeEventLoop of redis 6.2 to 7.2 and of valkey */
	int32_t max_fd, size;
	int64_t next_id;
	uint64_t files, fired, first_time;
	int32_t stop, zero;
	uint64_t poller, before_sleep, after_sleep;
};

struct ae_time { /* aeTimeEvent */
	int64_t id; /* -1: deleted, not yet freed */
	uint64_t due_us, fn, finalizer, data, previous, next;
};

static int is_code(const struct server_image *image, uint64_t address)
{
	return address >= image->text_start && address < image->text_end;
}

static int is_loop(struct libuv_memory *memory, const struct server_image *image, uint64_t address, struct ae_loop *ae)
{
	int32_t fd;
	return address % 8 == 0 && !libuv_get(memory, address, ae, sizeof(*ae)) && ae->size > 0 &&
	       (uint32_t)ae->size <= SIZE_MAX_FDS && ae->max_fd >= -1 && ae->max_fd < ae->size &&
	       (image->address[BEFORE_SLEEP] ? ae->before_sleep == image->address[BEFORE_SLEEP]
					     : is_code(image, ae->before_sleep)) &&
	       !libuv_get(memory, ae->poller, &fd, sizeof(fd)) && fd == image->poller_fd;
}

static uint64_t find_loop(struct libuv_memory *memory, const struct server_image *image, struct ae_loop *ae)
{
	uint64_t words[SERVER_WORDS];
	if (libuv_get(memory, image->address[SERVER], words, sizeof(words)))
		return 0;
	for (size_t i = 0; i < SERVER_WORDS; i++)
		if (is_loop(memory, image, words[i], ae))
			return words[i];
	return 0;
}

static int read_timers(struct libuv_loop *loop, struct libuv_memory *memory, const struct server_image *image,
		       uint64_t at, size_t most)
{
	uint64_t before = 0;
	loop->timers = calloc(most + 1, sizeof(*loop->timers));
	if (!loop->timers)
		return -ENOMEM;
	for (size_t seen = 0; at; seen++) {
		struct ae_time event;
		if (seen == most) {
			libuv_say(loop, "time events", "more than are looked at, or the list runs in a circle");
			return 0;
		}
		if (libuv_get(memory, at, &event, sizeof(event))) {
			libuv_say(loop, "time events", libuv_reason(memory, "one of the list lies where nothing is"));
			return -EFAULT;
		}
		uint64_t due = event.due_us / 1000;
		int is_near = due < image->now_ms + 366 * DAY_MS && due + DAY_MS > image->now_ms;
		if (event.previous != before || (event.id >= 0 && (!is_code(image, event.fn) || !is_near))) {
			libuv_say(loop, "time events",
				  "laid out otherwise, kept by another clock, or changed while they were read");
			return -EINVAL;
		}
		if (event.id >= 0)
			loop->timers[loop->timer_count++] = (struct libuv_timer){ at, due, PS_UNKNOWN, event.fn };
		before = at;
		at = event.next;
	}
	loop->timer_total = (uint32_t)loop->timer_count;
	return 0;
}

static int read_watchers(struct libuv_loop *loop, struct libuv_memory *memory, const struct ae_loop *ae, size_t most)
{
	size_t count = (size_t)ae->max_fd + 1, got = 0;
	uint8_t *files = count ? malloc(count * FILE_BYTES) : NULL;
	loop->watchers = most ? calloc(most, sizeof(*loop->watchers)) : NULL;
	if ((count && !files) || (most && !loop->watchers)) {
		free(files);
		return -ENOMEM;
	}
	if (count && libuv_get(memory, ae->files, files, count * FILE_BYTES)) {
		libuv_say(loop, "watchers", libuv_reason(memory, "their array lies where nothing is"));
		free(files);
		return 0;
	}
	for (size_t i = 0; i < count; i++) {
		const uint8_t *file = files + i * FILE_BYTES;
		uint32_t mask = libuv_half(file, 0);
		if (!(mask & (READABLE | WRITABLE)))
			continue;
		if (got++ < most)
			loop->watchers[loop->watcher_count++] = (struct libuv_watcher){
				(int32_t)i,
				(mask & READABLE ? EPOLL_IN : 0) | (mask & WRITABLE ? EPOLL_OUT : 0),
				libuv_word(file, mask & READABLE ? 8 : 16),
			};
	}
	loop->nfds = (uint32_t)got;
	free(files);
	return 0;
}

static int read_redis(struct libuv_loop *loop, struct libuv_memory *memory, const struct server_image *image,
		      const struct libuv_limits *limits)
{
	struct ae_loop ae;
	if (!image->address[SERVER]) {
		libuv_say(loop, "loop", "this program does not export its state");
		return -EINVAL;
	}
	uint64_t address = find_loop(memory, image, &ae);
	if (!address) {
		libuv_say(loop, "loop", "none with this poller is where redis has its own");
		return -EINVAL;
	}
	loop->address = address;
	loop->backend_fd = image->poller_fd;
	loop->time_ms = image->now_ms; /* it keeps no time of its own */
	int err = read_timers(loop, memory, image, ae.first_time, limits->timers);
	return err ? err : read_watchers(loop, memory, &ae, limits->watchers);
}

const struct server_kind server_redis = {
	.name = "redis",
	.structure = "list",
	.note = "whether a time event comes again is decided by what its function returns; clients and their buffers "
		"are "
		"laid out by version and not read",
	.symbols = { "server", "beforeSleep" },
	.read = read_redis,
};

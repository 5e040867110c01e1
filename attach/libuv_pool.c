/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libuv's thread pool, from its variables: how many threads, how many of them
 * idle, and what waits in its two queues. Jobs of slow I/O wait in a queue of
 * their own; a marker in the main queue stands for them.
 */
#include "libuv.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ps_event.h"

#define JOBS_MAX 20000u
#define THREADS_MAX 1024u /* libuv's own bound */

/* What a work function is a job of. */
static unsigned kind_of(const struct libuv_image *image, uint64_t work)
{
	static const struct {
		enum libuv_symbol symbol;
		enum ps_work_kind kind;
	} kinds[] = {
		{ LIBUV_uv__fs_work, PS_WORK_FS },	     { LIBUV_uv__getaddrinfo_work, PS_WORK_DNS },
		{ LIBUV_uv__getnameinfo_work, PS_WORK_DNS }, { LIBUV_uv__random_work, PS_WORK_CRYPTO },
		{ LIBUV_uv__queue_work, PS_WORK_USER },
	};
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (work && image->address[kinds[i].symbol] == work)
			return kinds[i].kind;
	return PS_WORK_OTHER;
}

/* Counts the jobs of one queue; PS_UNKNOWN32 when it is none. */
static uint32_t count_jobs(struct libuv_pool *pool, struct libuv_memory *memory, const struct libuv_image *image,
			   uint64_t head)
{
	uint64_t marker = image->address[LIBUV_run_slow_work_message], links[2], work;
	uint32_t jobs = 0;
	if (!head || libuv_get(memory, head, links, sizeof(links)))
		return PS_UNKNOWN32;
	/* before the first job it is not a ring yet */
	if (!links[0])
		return 0;
	for (uint64_t before = head, at = links[0]; at != head; before = at, at = links[0]) {
		if (jobs >= JOBS_MAX || libuv_get(memory, at, links, sizeof(links)) || links[1] != before)
			return PS_UNKNOWN32;
		if (at == marker)
			continue;
		jobs++;
		if (!libuv_get(memory, at - libuv_layout.work_queue + libuv_layout.work_work, &work, sizeof(work)))
			pool->queued_by_kind[kind_of(image, work)]++;
	}
	return jobs;
}

static uint32_t variable(struct libuv_memory *memory, const struct libuv_image *image, enum libuv_symbol symbol,
			 uint32_t most)
{
	uint32_t value;
	if (!image->address[symbol] || libuv_get(memory, image->address[symbol], &value, sizeof(value)) || value > most)
		return PS_UNKNOWN32;
	return value;
}

int libuv_pool_read(struct libuv_pool *pool, struct libuv_memory *memory, const struct libuv_image *image)
{
	memset(pool, 0, sizeof(*pool));
	pool->threads = pool->idle = pool->slow_running = pool->queued = pool->slow_queued = PS_UNKNOWN32;
	if (!image->address[LIBUV_wq] || !image->address[LIBUV_nthreads]) {
		snprintf(pool->note, sizeof(pool->note), "%.40s is stripped: the pool's queue has no name in it",
			 image->module);
		return -ENOENT;
	}
	pool->threads = variable(memory, image, LIBUV_nthreads, THREADS_MAX);
	pool->idle = variable(memory, image, LIBUV_idle_threads, THREADS_MAX);
	pool->slow_running = variable(memory, image, LIBUV_slow_io_work_running, THREADS_MAX);
	/* a queue that is in motion is looked at again */
	for (int attempt = 0; attempt < 3 && pool->queued == PS_UNKNOWN32; attempt++) {
		memset(pool->queued_by_kind, 0, sizeof(pool->queued_by_kind));
		uint32_t fast = count_jobs(pool, memory, image, image->address[LIBUV_wq]);
		pool->slow_queued = image->address[LIBUV_slow_io_pending_wq]
					    ? count_jobs(pool, memory, image, image->address[LIBUV_slow_io_pending_wq])
					    : 0;
		if (fast != PS_UNKNOWN32 && pool->slow_queued != PS_UNKNOWN32)
			pool->queued = fast + pool->slow_queued;
	}
	if (pool->queued == PS_UNKNOWN32)
		snprintf(pool->note, sizeof(pool->note), "the queue of the pool changed while it was read");
	return 0;
}

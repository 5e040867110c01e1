/* SPDX-License-Identifier: BSD-2-Clause */
/* The reader of libuv's memory over memory made by hand: whole, odd and hostile. */
#include "test.h"

#include <pthread.h>
#include <unistd.h>

#include "libuv.h"
#include "ps_event.h"
#include "target_bytes.h"

#define LOOP 0u /* offsets in the memory */
#define TIMERS 4096u
#define HANDLES 65536u
#define PIECE 256u /* each timer and handle has so much */
#define BACKEND 7

static void ring(uint32_t head)
{
	put(head, BASE + head);
	put(head + 8, BASE + head);
}

static uint32_t timer_at(unsigned i)
{
	return TIMERS + i * PIECE;
}

/* Node i of the heap, with its children where they belong; due at 1000 + i. */
static void put_timer(unsigned i, unsigned count)
{
	uint32_t at = timer_at(i);
	put(at + libuv_layout.handle_loop, BASE + LOOP);
	put(at + libuv_layout.timer_cb, 0x500000 + i % 3);
	put(at + libuv_layout.timer_timeout, 1000 + i);
	for (unsigned side = 0; side < 2; side++) {
		unsigned child = 2 * i + 1 + side;
		put(at + libuv_layout.timer_node + 8 * side,
		    child < count ? BASE + timer_at(child) + libuv_layout.timer_node : 0);
	}
}

static void put_handle(unsigned i, uint32_t type, uint64_t before, uint64_t next)
{
	uint32_t at = HANDLES + i * PIECE;
	put(at + libuv_layout.handle_loop, BASE + LOOP);
	put32(at + libuv_layout.handle_type, type);
	put32(at + libuv_layout.handle_flags, LIBUV_ACTIVE | LIBUV_REF);
	put(at + libuv_layout.handle_queue, next);
	put(at + libuv_layout.handle_queue + 8, before);
}

static uint64_t handle_link(unsigned i, unsigned count)
{
	return i == count ? BASE + LOOP + libuv_layout.loop_handle_queue
			  : BASE + HANDLES + i * PIECE + libuv_layout.handle_queue;
}

static struct libuv_memory a_loop(unsigned timers, unsigned handles)
{
	memset(bytes, 0, sizeof(bytes));
	reads = 0;
	ring(LOOP + libuv_layout.loop_handle_queue);
	ring(LOOP + libuv_layout.loop_pending);
	ring(LOOP + libuv_layout.loop_wq);
	put32(LOOP + libuv_layout.loop_backend_fd, BACKEND);
	put(LOOP + libuv_layout.loop_time, 990);
	put32(LOOP + libuv_layout.loop_timer_count, timers);
	if (timers)
		put(LOOP + libuv_layout.loop_timers, BASE + timer_at(0) + libuv_layout.timer_node);
	for (unsigned i = 0; i < timers; i++)
		put_timer(i, timers);
	for (unsigned i = 0; i < handles; i++)
		put_handle(i, 12, handle_link(i ? i - 1 : handles, handles), handle_link(i + 1, handles));
	if (handles) {
		put(LOOP + libuv_layout.loop_handle_queue, handle_link(0, handles));
		put(LOOP + libuv_layout.loop_handle_queue + 8, handle_link(handles - 1, handles));
	}
	return (struct libuv_memory){ .read = read_bytes };
}

static const struct libuv_limits limits = { 1000, 1000, 100 };

static struct libuv_loop read_loop(struct libuv_memory *memory)
{
	struct libuv_loop loop;
	assert_int_equal(libuv_read(&loop, memory, BASE + LOOP, 0, &limits), 0);
	return loop;
}

TEST(a_heap_is_read_breadth_first_with_its_depth)
{
	struct libuv_memory memory = a_loop(11, 3);
	struct libuv_loop loop = read_loop(&memory);
	assert_int_equal(loop.timer_count, 11);
	assert_int_equal(loop.timer_total, 11);
	assert_int_equal(loop.timer_depth, 4);
	for (unsigned i = 0; i < 11; i++) {
		assert_int_equal(loop.timers[i].due_ms, 1000 + i);
		assert_int_equal(loop.timers[i].fn, 0x500000 + i % 3);
	}
	assert_int_equal(loop.handle_total, 3);
	assert_int_equal(loop.handles[0].type, 12);
	assert_string_equal(loop.note, "");
	libuv_free(&loop);
}

TEST(a_loop_is_known_by_its_poller_and_whole_queues)
{
	struct libuv_memory memory = a_loop(0, 2);
	assert_int_equal(libuv_is_loop(&memory, BASE + LOOP, BACKEND), 1);
	assert_int_equal(libuv_is_loop(&memory, BASE + LOOP, BACKEND + 1), 0);
	assert_int_equal(libuv_is_loop(&memory, BASE + LOOP + 8, BACKEND), 0);
	assert_int_equal(libuv_is_loop(&memory, 0, BACKEND), 0);
	assert_int_equal(libuv_is_loop(&memory, UINT64_MAX - 7, BACKEND), 0);
	put(LOOP + libuv_layout.loop_wq, 0x123456789ab8);
	assert_int_equal(libuv_is_loop(&memory, BASE + LOOP, BACKEND), 0);
}

TEST(a_handle_queue_that_runs_in_a_circle_ends_with_a_note)
{
	struct libuv_memory memory = a_loop(0, 5);
	struct libuv_loop loop;
	/* the last one leads back to the second */
	put(HANDLES + 4 * PIECE + libuv_layout.handle_queue, handle_link(1, 5));
	loop = read_loop(&memory);
	assert_true(loop.handle_total == PS_UNKNOWN32);
	assert_non_null(strstr(loop.note, "handles"));
	assert_true(reads < 200);
	libuv_free(&loop);
}

TEST(a_heap_that_is_none_and_counts_that_nothing_bears_out_are_unknown)
{
	struct libuv_memory memory = a_loop(7, 0);
	struct libuv_loop loop;
	/* a child due before its parent */
	put(timer_at(5) + libuv_layout.timer_timeout, 1);
	loop = read_loop(&memory);
	assert_non_null(strstr(loop.note, "timers"));
	libuv_free(&loop);
	memory = a_loop(3, 0);
	put32(LOOP + libuv_layout.loop_timer_count, UINT32_MAX);
	loop = read_loop(&memory);
	assert_true(loop.timer_total == PS_UNKNOWN32 && loop.timer_depth == PS_UNKNOWN32);
	assert_true(reads < 200);
	libuv_free(&loop);
	/* a node that is its own child */
	memory = a_loop(7, 0);
	put(timer_at(0) + libuv_layout.timer_node, BASE + timer_at(0) + libuv_layout.timer_node);
	loop = read_loop(&memory);
	assert_true(loop.timer_count <= 7);
	libuv_free(&loop);
}

TEST(a_timer_where_nothing_is_ends_the_walk)
{
	struct libuv_memory memory = a_loop(7, 0);
	struct libuv_loop loop;
	put(timer_at(1) + libuv_layout.timer_node, 0x7ffffffff000);
	loop = read_loop(&memory);
	assert_non_null(strstr(loop.note, "where nothing is"));
	libuv_free(&loop);
	memory = a_loop(1, 1);
	put(LOOP + libuv_layout.loop_watchers, 0xdeadbeef000);
	put32(LOOP + libuv_layout.loop_nwatchers, 64);
	loop = read_loop(&memory);
	assert_non_null(strstr(loop.note, "watchers"));
	libuv_free(&loop);
}

TEST(more_than_the_limit_is_told_as_cut)
{
	static const struct libuv_limits few = { 4, 2, 0 };
	struct libuv_memory memory = a_loop(9, 6);
	struct libuv_loop loop;
	assert_int_equal(libuv_read(&loop, &memory, BASE + LOOP, 0, &few), 0);
	assert_int_equal(loop.timer_total, 9);
	assert_int_equal(loop.timer_count, 4);
	assert_int_equal(loop.handle_count, 2);
	assert_true(loop.handle_total == PS_UNKNOWN32);
	assert_non_null(strstr(loop.note, "more than"));
	libuv_free(&loop);
}

TEST(iterations_are_read_of_versions_that_count_them_only)
{
	struct libuv_memory memory = a_loop(0, 0);
	struct libuv_loop loop;
	put(LOOP + libuv_layout.loop_internal, BASE + HANDLES);
	put(HANDLES + 8, 4711);
	assert_int_equal(libuv_read(&loop, &memory, BASE + LOOP, 1u << 16 | 44u << 8, &limits), 0);
	assert_true(loop.iterations == PS_UNKNOWN);
	libuv_free(&loop);
	assert_int_equal(libuv_read(&loop, &memory, BASE + LOOP, 1u << 16 | 46u << 8, &limits), 0);
	assert_int_equal(loop.iterations, 4711);
	libuv_free(&loop);
}

TEST(a_pool_without_names_says_so_and_a_queue_that_is_none_is_unknown)
{
	struct libuv_memory memory = a_loop(0, 0);
	struct libuv_image image = { .module = "libuv.so.1" };
	struct libuv_pool pool;
	assert_int_equal(libuv_pool_read(&pool, &memory, &image), -ENOENT);
	assert_non_null(strstr(pool.note, "libuv.so.1 is stripped"));
	image.address[LIBUV_wq] = BASE + HANDLES;
	image.address[LIBUV_nthreads] = BASE + HANDLES + 64;
	put32(HANDLES + 64, 4);
	ring(HANDLES);
	assert_int_equal(libuv_pool_read(&pool, &memory, &image), 0);
	assert_int_equal(pool.threads, 4);
	assert_int_equal(pool.queued, 0);
	/* a job that points to itself */
	put(HANDLES, BASE + HANDLES + 128);
	put(HANDLES + 128, BASE + HANDLES + 128);
	put(HANDLES + 136, BASE + HANDLES);
	assert_int_equal(libuv_pool_read(&pool, &memory, &image), 0);
	assert_true(pool.queued == PS_UNKNOWN32);
	put32(HANDLES + 64, 1000000);
	assert_int_equal(libuv_pool_read(&pool, &memory, &image), 0);
	assert_true(pool.threads == PS_UNKNOWN32);
}

#if defined(__x86_64__) && defined(__GLIBC__)

static void *tell_where(void *arg)
{
	pid_t *tid = arg;
	struct libuv_memory memory;
	pid_t pid = getpid();
	libuv_memory_of(&memory, &pid);
	*tid = gettid();
	/* its own descriptor, and nobody else's */
	assert_int_equal(libuv_stack_end(&memory, pid, *tid), (uintptr_t)pthread_self());
	assert_int_equal(libuv_stack_end(&memory, pid, pid), 0);
	assert_int_equal(libuv_stack_end(&memory, pid, *tid + 100000), 0);
	return NULL;
}

TEST(the_stack_of_a_thread_that_runs_ends_at_its_descriptor)
{
	pthread_t threads[4];
	pid_t tids[4] = { 0 };
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, tell_where, &tids[i]), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
}

#endif

TEST(only_who_came_from_uv_run_runs_a_loop)
{
	struct libuv_image image = { .address[LIBUV_uv_run] = 0x5000 };
	uint64_t words[] = { 0, 0x5000, 0x4fff, 0x5000 + 0x1000, UINT64_MAX };
	assert_int_equal(libuv_came_from_run(&image, words, 5), 0);
	words[3] = 0x5123;
	assert_int_equal(libuv_came_from_run(&image, words, 5), 1);
	assert_int_equal(libuv_came_from_run(&image, words, 3), 0);
	image.address[LIBUV_uv_run] = 0;
	assert_int_equal(libuv_came_from_run(&image, words, 5), 0);
}

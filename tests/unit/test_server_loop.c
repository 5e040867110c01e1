/* SPDX-License-Identifier: BSD-2-Clause */
/* The readers of nginx's and redis's memory over memory made by hand: whole, odd and hostile. */
#include "test.h"

#include "ps_event.h"
#include "server_loop.h"
#include "target_bytes.h"

#define NOW_MS 5000000u
#define CODE 0x500000u
#define FD 9
/* offsets in the memory */
#define VARIABLES 0x100u
#define CYCLE 0x400u
#define SENTINEL 0x800u
#define CONNECTION 0x900u
#define EVENTS 0x1000u /* nginx: 96 bytes each */
#define EVENT 96u

static struct server_image image;

static struct libuv_memory memory = { .read = read_bytes };
static const struct libuv_limits limits = { 1000, 0, 100 };

static uint64_t node_of(unsigned i, unsigned count)
{
	return i < count ? BASE + EVENTS + i * EVENT + 40 : BASE + SENTINEL;
}

/* A perfect tree of 2^n - 1 timers in order: node i of a heap, due so that an in-order walk goes up. */
static void put_tree(unsigned i, unsigned count, uint64_t low, uint64_t step)
{
	uint32_t at = EVENTS + i * EVENT;
	if (i >= count)
		return;
	put32(at + 8, 1u << 11); /* timer_set */
	put(at + 16, CODE + i % 2);
	put(at + 40, low);
	put(at + 48, node_of(2 * i + 1, count));
	put(at + 56, node_of(2 * i + 2, count));
	put_tree(2 * i + 1, count, low - step, step / 2);
	put_tree(2 * i + 2, count, low + step, step / 2);
}

static void an_nginx(unsigned timers)
{
	memset(bytes, 0, sizeof(bytes));
	reads = 0;
	image = (struct server_image){ .text_start = CODE, .text_end = CODE + 4096, .poller_fd = FD, .now_ms = NOW_MS };
	for (unsigned i = 0; i < 4; i++)
		image.address[i] = BASE + VARIABLES + 32 * i;
	put(VARIABLES, node_of(0, timers)); /* ngx_event_timer_rbtree */
	put(VARIABLES + 8, BASE + SENTINEL);
	put(VARIABLES + 32, BASE + CYCLE); /* ngx_cycle */
	put(VARIABLES + 64, BASE + VARIABLES + 64); /* ngx_posted_events: empty */
	put(VARIABLES + 72, BASE + VARIABLES + 64);
	put(VARIABLES + 96, NOW_MS - 10); /* ngx_current_msec */
	put(CYCLE + 120, BASE + CONNECTION);
	put(CYCLE + 128, 100); /* free */
	put(CYCLE + 488, 128);
	put(CYCLE + 504, BASE + CONNECTION);
	put(CYCLE + 512, BASE + EVENTS);
	put(CONNECTION + 8, BASE + EVENTS + 3 * EVENT);
	put_tree(0, timers, NOW_MS + 100000, 32768);
}

static struct libuv_loop read_as(const struct server_kind *kind, int expected)
{
	struct libuv_loop loop;
	assert_int_equal(server_read(&loop, kind, &memory, &image, &limits), expected);
	return loop;
}

TEST(a_tree_of_nginx_is_read_in_order_with_its_depth_and_the_connections)
{
	an_nginx(31);
	struct libuv_loop loop = read_as(&server_nginx, 0);
	assert_int_equal(loop.timer_total, 31);
	assert_int_equal(loop.timer_depth, 5);
	for (unsigned i = 1; i < 31; i++)
		assert_true(loop.timers[i].due_ms > loop.timers[i - 1].due_ms);
	assert_int_equal(loop.timers[15].due_ms, NOW_MS + 100000);
	assert_int_equal(loop.handle_total, 28);
	assert_int_equal(loop.pending, 0);
	assert_non_null(strstr(loop.note, "connections: 28 of 128"));
	libuv_free(&loop);
	an_nginx(0);
	loop = read_as(&server_nginx, 0);
	assert_int_equal(loop.timer_total, 0);
	libuv_free(&loop);
}

TEST(a_tree_that_runs_in_a_circle_or_is_out_of_order_ends_with_a_note)
{
	static const uint32_t links[] = { 48, 56 };
	for (unsigned side = 0; side < 2; side++) {
		an_nginx(31);
		put(EVENTS + 7 * EVENT + links[side], node_of(0, 31)); /* a leaf leads back to the root */
		struct libuv_loop loop = read_as(&server_nginx, -EINVAL);
		assert_non_null(strstr(loop.note, "timers"));
		assert_true(loop.timer_total == PS_UNKNOWN32 && reads < 2000);
		libuv_free(&loop);
	}
	an_nginx(31);
	put(EVENTS + 2 * EVENT + 40, 1);
	struct libuv_loop loop = read_as(&server_nginx, -EINVAL);
	libuv_free(&loop);
	/* what says that its timer is not set lies in no tree of timers */
	an_nginx(31);
	put32(EVENTS + 2 * EVENT + 8, 0);
	loop = read_as(&server_nginx, -EINVAL);
	libuv_free(&loop);
}

TEST(a_node_of_nginx_where_nothing_is_and_another_clock_are_unknown)
{
	an_nginx(31);
	put(EVENTS + 4 * EVENT + 56, 0x7ffffffff000);
	struct libuv_loop loop = read_as(&server_nginx, -EFAULT);
	assert_non_null(strstr(loop.note, "where nothing is"));
	libuv_free(&loop);
	an_nginx(31);
	put(EVENTS + 4 * EVENT + 56, 8); /* below any address */
	loop = read_as(&server_nginx, -EFAULT);
	libuv_free(&loop);
	an_nginx(31);
	put(VARIABLES + 96, 1700000000000);
	loop = read_as(&server_nginx, -EINVAL);
	assert_non_null(strstr(loop.note, "another clock"));
	libuv_free(&loop);
}

TEST(connections_that_do_not_agree_are_unknown_and_the_timers_are_told)
{
	static const struct {
		uint32_t at;
		uint64_t value;
	} lies[] = {
		{ CYCLE + 128, 129 },
		{ CYCLE + 488, 1ull << 40 },
		{ CONNECTION + 8, 0x7777 },
		{ CONNECTION + 8, BASE + EVENTS + 5 },
		{ CYCLE + 120, 0x7ffffffff000 },
	};
	for (size_t i = 0; i < sizeof(lies) / sizeof(*lies); i++) {
		an_nginx(7);
		put(lies[i].at, lies[i].value);
		struct libuv_loop loop = read_as(&server_nginx, 0);
		assert_int_equal(loop.timer_total, 7);
		assert_true(loop.handle_total == PS_UNKNOWN32);
		assert_non_null(strstr(loop.note, "connections"));
		libuv_free(&loop);
	}
}

TEST(of_more_timers_than_are_looked_at_the_next_ones_are_told)
{
	static const struct libuv_limits few = { 4, 0, 0 };
	struct libuv_loop loop;
	an_nginx(31);
	assert_int_equal(server_read(&loop, &server_nginx, &memory, &image, &few), 0);
	assert_int_equal(loop.timer_count, 4);
	assert_true(loop.timer_total == PS_UNKNOWN32);
	assert_non_null(strstr(loop.note, "more than"));
	libuv_free(&loop);
}

/* ---- redis ---- */

#define SERVER 0x2000u
#define AE 0x3000u
#define POLLER 0x3100u
#define FILES 0x4000u
#define TIMES 0x6000u /* 64 bytes each */

static void a_redis(unsigned events)
{
	memset(bytes, 0, sizeof(bytes));
	reads = 0;
	image = (struct server_image){
		.address = { BASE + SERVER, CODE + 64 },
		.text_start = CODE,
		.text_end = CODE + 4096,
		.poller_fd = FD,
		.now_ms = NOW_MS,
	};
	put(SERVER + 8, 0xdead0000beef); /* other words of it */
	put(SERVER + 16, BASE + FILES);
	put(SERVER + 13 * 8, BASE + AE);
	put32(AE, 20);
	put32(AE + 4, 128);
	put(AE + 16, BASE + FILES);
	put(AE + 32, events ? BASE + TIMES : 0);
	put(AE + 48, BASE + POLLER);
	put(AE + 56, CODE + 64);
	put32(POLLER, FD);
	put32(FILES + 7 * 32, 1);
	put(FILES + 7 * 32 + 8, CODE + 8);
	put32(FILES + 20 * 32, 3);
	put(FILES + 20 * 32 + 8, CODE + 12);
	for (unsigned i = 0; i < events; i++) {
		uint32_t at = TIMES + 64 * i;
		put(at, i);
		put(at + 8, (NOW_MS + 1000ull * (events - i)) * 1000);
		put(at + 16, CODE + 4);
		put(at + 40, i ? BASE + at - 64 : 0);
		put(at + 48, i + 1 < events ? BASE + at + 64 : 0);
	}
}

TEST(the_loop_of_redis_is_found_by_its_poller_and_read)
{
	a_redis(3);
	struct libuv_loop loop = read_as(&server_redis, 0);
	assert_true(loop.address == BASE + AE);
	assert_int_equal(loop.timer_total, 3);
	assert_int_equal(loop.timers[0].due_ms, NOW_MS + 1000);
	assert_true(loop.timers[0].repeat_ms == PS_UNKNOWN);
	assert_int_equal(loop.nfds, 2);
	assert_int_equal(loop.watchers[0].fd, 7);
	assert_int_equal(loop.watchers[0].events, 1);
	assert_int_equal(loop.watchers[1].events, 5);
	assert_true(loop.handle_total == PS_UNKNOWN32);
	libuv_free(&loop);
	/* one that was deleted and is not freed yet is none */
	put(TIMES + 64, UINT64_MAX);
	loop = read_as(&server_redis, 0);
	assert_int_equal(loop.timer_total, 2);
	libuv_free(&loop);
}

TEST(a_redis_that_is_laid_out_otherwise_is_unknown_with_a_reason)
{
	a_redis(2);
	image.poller_fd = FD + 1;
	struct libuv_loop loop = read_as(&server_redis, -EINVAL);
	assert_non_null(strstr(loop.note, "none with this poller"));
	libuv_free(&loop);
	a_redis(2);
	put(AE + 56, CODE); /* another function */
	loop = read_as(&server_redis, -EINVAL);
	libuv_free(&loop);
	a_redis(2);
	put(TIMES + 64 + 16, 17); /* what has no function there */
	loop = read_as(&server_redis, -EINVAL);
	assert_non_null(strstr(loop.note, "laid out otherwise"));
	libuv_free(&loop);
	a_redis(2);
	image.address[0] = 0;
	loop = read_as(&server_redis, -EINVAL);
	assert_non_null(strstr(loop.note, "does not export"));
	libuv_free(&loop);
}

TEST(time_events_in_a_circle_and_arrays_where_nothing_is_end_the_walk)
{
	a_redis(3);
	put(TIMES + 128 + 48, BASE + TIMES);
	struct libuv_loop loop = read_as(&server_redis, -EINVAL);
	assert_true(reads < 1000);
	libuv_free(&loop);
	a_redis(3);
	put(TIMES + 48, 0x7ffffffff000);
	loop = read_as(&server_redis, -EFAULT);
	assert_non_null(strstr(loop.note, "where nothing is"));
	libuv_free(&loop);
	a_redis(3);
	put(AE + 16, 0x7ffffffff000);
	loop = read_as(&server_redis, 0);
	assert_true(loop.nfds == PS_UNKNOWN32);
	assert_non_null(strstr(loop.note, "watchers"));
	libuv_free(&loop);
	a_redis(1);
	put32(AE, UINT32_MAX - 1); /* a negative number of descriptors */
	loop = read_as(&server_redis, -EINVAL);
	libuv_free(&loop);
}

TEST(random_bytes_never_break_the_readers)
{
	unsigned random = 7;
	for (int round = 0; round < 3000; round++) {
		if (round % 2)
			an_nginx(15);
		else
			a_redis(4);
		for (int i = 0; i < 6; i++) {
			random = random * 1103515245u + 12345u;
			uint32_t at = (random >> 8) % 0x7000u & ~7u;
			random = random * 1103515245u + 12345u;
			put(at, i % 2 ? BASE + (random >> 8) % ROOM : random);
		}
		struct libuv_loop loop;
		server_read(&loop, round % 2 ? &server_nginx : &server_redis, &memory, &image, &limits);
		assert_true(loop.timer_count <= limits.timers && loop.watcher_count <= limits.watchers);
		libuv_free(&loop);
	}
}

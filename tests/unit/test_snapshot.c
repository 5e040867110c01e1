/* SPDX-License-Identifier: BSD-2-Clause */
/* What the model makes of loops whose memory was read, and of jobs replayed by other numbers of threads. */
#include "events.h"

#include <errno.h>

#include "pool_replay.h"

#define SNAPSHOT(model_, ms_, ...) \
	APPLY(model_, LOOP_SNAPSHOT, ps_ev_loop_snapshot, ms_, TID, .pid = PID, .poller_fd = FD, .arity = 2, __VA_ARGS__)
#define NODE(model_, ms_, index_, due_ms_, fn_) \
	APPLY(model_, TIMER_NODE, ps_ev_timer_node, ms_, TID, .index = (index_), .due_ns = (due_ms_) * MS, .fn = (fn_), .poller_fd = FD)

TEST(a_snapshot_brings_the_heap_and_the_next_one_replaces_it)
{
	struct model *model = a_model();
	const struct loop *loop = a_loop(model, 0);
	frame(model, 1, "on_tick");
	APPLY(model, SYMBOL, ps_ev_symbol, 0, 0, .pid = PID, .address = 0x40, .frame = 1);
	SNAPSHOT(model, 1000, .timers = 3, .timer_depth = 2, .timer_rows = 3, .next_due_ns = 1010 * MS, .iterations = 70,
		 .handles = 9);
	NODE(model, 1000, 0, 1010, 0x40);
	NODE(model, 1000, 2, 1020, 0x50);
	APPLY(model, TIMER_GROUP, ps_ev_timer_group, 1000, TID, .fn = 0x40, .armed = 2, .poller_fd = FD);
	APPLY(model, HANDLE_KIND, ps_ev_handle_kind, 1000, TID, .poller_fd = FD, .kind = PS_KIND_TCP, .count = 5, .active = 4);
	assert_int_equal(loop->timers_armed, 3);
	assert_int_equal(loop->heap_count, 3);
	assert_int_equal(loop->heap_depth, 2);
	assert_int_equal(loop->heap[0].due_ns, 1010 * MS);
	assert_string_equal(loop->heap[0].frame->name, "on_tick");
	assert_int_equal(loop->heap[1].due_ns, 0);
	assert_null(loop->heap[2].frame);
	assert_int_equal(loop->timers[0].armed, 2);
	assert_int_equal(loop->handle_kind_count, 1);
	assert_int_equal(loop->snapshot.iterations_seen, 0);
	SNAPSHOT(model, 1250, .timers = 1, .timer_depth = 1, .timer_rows = 1, .next_due_ns = 1300 * MS, .iterations = 75,
		 .handles = 9);
	assert_int_equal(loop->heap_count, 1);
	assert_int_equal(loop->heap[0].due_ns, 0);
	assert_int_equal(loop->timers[0].armed, 0);
	assert_int_equal(loop->handle_kind_count, 0);
	assert_int_equal(loop->snapshot.iterations_seen, 5);
	model_close(model);
}

TEST(rows_that_no_snapshot_announced_and_loops_that_are_not_there_are_ignored)
{
	struct model *model = a_model();
	const struct loop *loop = a_loop(model, 0);
	NODE(model, 1000, 0, 1010, 0x40);
	SNAPSHOT(model, 1001, .timers = PS_UNKNOWN32, .timer_depth = PS_UNKNOWN32, .timer_rows = UINT32_MAX, .iterations = PS_UNKNOWN);
	NODE(model, 1001, UINT32_MAX, 1010, 0x40);
	NODE(model, 1001, 4095, 1010, 0x40);
	NODE(model, 1001, 4096, 1010, 0x40);
	APPLY(model, HANDLE_KIND, ps_ev_handle_kind, 1000, TID, .poller_fd = FD, .kind = PS_KIND_COUNT, .count = 5);
	APPLY(model, HANDLE_KIND, ps_ev_handle_kind, 1000, TID + 1, .poller_fd = FD, .kind = PS_KIND_TCP, .count = 5);
	assert_int_equal(loop->heap_count, 4096);
	assert_true(loop->timers_armed == PS_UNKNOWN && loop->heap_depth == PS_UNKNOWN);
	assert_true(loop->snapshot.iterations == PS_UNKNOWN);
	assert_int_equal(loop->handle_kind_count, 0);
	model_close(model);
}

static void run_job(struct model *model, uint64_t work, uint64_t submitted, uint64_t started, uint64_t finished, uint32_t kind,
		    uint32_t class_name)
{
	uint32_t worker = 200 + (uint32_t)(work % 4);
	APPLY(model, WORK_SUBMITTED, ps_ev_work, submitted, TID, .work = work, .pid = PID, .kind = (uint16_t)kind);
	APPLY(model, WORK_STARTED, ps_ev_work, started, worker, .work = work, .since_ns = submitted * MS, .pid = PID,
	      .kind = (uint16_t)kind);
	APPLY(model, WORK_FINISHED, ps_ev_work, finished, worker, .work = work, .since_ns = started * MS, .pid = PID,
	      .kind = (uint16_t)kind);
	APPLY(model, WORK_COST, ps_ev_work_cost, finished, worker, .work = work, .pid = PID, .submitted_ns = submitted * MS,
	      .started_ns = started * MS, .cpu_ns = 0, .runnable_ns = 0, .kind = (uint16_t)kind, .class_name = class_name);
}

TEST(who_held_the_threads_is_named_by_kind_and_class_and_twice_the_threads_halve_the_wait)
{
	struct model *model = a_model(), *copy;
	a_loop(model, 0);
	string(model, 1, "PBKDF2");
	string(model, 2, "fs.stat");
	APPLY(model, POOL_GAUGES, ps_ev_pool_gauges, 1000, TID, .pid = PID, .threads = 4);
	APPLY(model, POOL_LIMITS, ps_ev_pool_limits, 1000, TID, .pid = PID, .slow_cap = 2, .slow_busy = PS_UNKNOWN32,
	      .slow_queued = PS_UNKNOWN32, .cpus = 2);
	/* twelve blocked for 100 ms each by four threads: the last four wait 200 ms */
	for (uint64_t i = 0; i < 12; i++)
		run_job(model, i + 1, 1000, 1000 + i / 4 * 100, 1100 + i / 4 * 100, PS_WORK_CRYPTO, 1);
	run_job(model, 13, 1000, 1300, 1301, PS_WORK_FS, 2);
	const struct pool *pool = model->pools[0];
	assert_int_equal(pool->holder, PS_WORK_CRYPTO);
	assert_string_equal(pool->holder_class->name, "PBKDF2");
	assert_int_equal(pool->holder_class->jobs, 12);
	assert_int_equal(pool->class_count, 2);
	assert_true(pool->slow_busy == PS_UNKNOWN);
	assert_int_equal(pool->slow_cap, 2);
	assert_int_equal(model_clone(&copy, model), 0);
	model_close(model);
	struct pool_estimate sizes[POOL_ESTIMATES];
	size_t count = model_pool_estimate(copy->pools[0], sizes);
	assert_true(count >= 4);
	assert_int_equal(sizes[1].threads, 4);
	assert_in_range(sizes[1].wait_p99_ns, 300 * MS, 319 * MS);
	assert_int_equal(sizes[2].threads, 8);
	assert_in_range(sizes[2].wait_p99_ns, 100 * MS, 107 * MS);
	assert_string_equal(copy->pools[0]->holder_class->name, "PBKDF2");
	model_close(copy);
}

TEST(replayed_jobs_share_the_cpus_and_slow_ones_keep_to_their_cap)
{
	struct pool_job jobs[8];
	struct hist wait = { 0 };
	/* all CPU: eight threads on two CPUs begin at once, but a ninth would wait as long as with two */
	for (size_t i = 0; i < 8; i++)
		jobs[i] = (struct pool_job){ i, 1000 * MS, 1000 * MS, 1100 * MS, 100 * MS, 0, 0 };
	struct pool_size size = { .threads = 4, .slow_cap = 2, .cpus = 2, .capacity = 2 };
	assert_int_equal(pool_replay(&wait, jobs, 8, &size), 0);
	assert_int_equal(wait.count, 8);
	assert_in_range(wait.max, 199 * MS, 201 * MS);
	/* slow: two at once whatever the threads */
	for (size_t i = 0; i < 8; i++)
		jobs[i] = (struct pool_job){ i, 1000 * MS, 1000 * MS, 1010 * MS, 0, 0, 1 };
	memset(&wait, 0, sizeof(wait));
	assert_int_equal(pool_replay(&wait, jobs, 8, &size), 0);
	assert_in_range(wait.max, 29 * MS, 31 * MS);
	size.threads = 0;
	assert_int_equal(pool_replay(&wait, jobs, 8, &size), -EINVAL);
}

TEST(what_the_cpus_gave_follows_from_how_long_jobs_waited_for_one)
{
	struct pool_job jobs[4];
	/* four jobs on two CPUs: half of the time each, nobody else */
	for (size_t i = 0; i < 4; i++)
		jobs[i] = (struct pool_job){ i, 1000 * MS, 1000 * MS, 1200 * MS, 100 * MS, 100 * MS, 0 };
	assert_int_equal((int)(pool_replay_capacity(jobs, 4, 2) * 100 + 0.5), 200);
	/* a quarter each: half of the CPUs went elsewhere */
	for (size_t i = 0; i < 4; i++)
		jobs[i] = (struct pool_job){ i, 1000 * MS, 1000 * MS, 1400 * MS, 100 * MS, 300 * MS, 0 };
	assert_int_equal((int)(pool_replay_capacity(jobs, 4, 2) * 100 + 0.5), 100);
	/* one job that never waited says nothing against the other CPUs */
	jobs[0] = (struct pool_job){ 0, 1000 * MS, 1000 * MS, 1100 * MS, 100 * MS, 0, 0 };
	assert_int_equal((int)(pool_replay_capacity(jobs, 1, 8) * 100 + 0.5), 800);
	jobs[0].cpu_ns = PS_UNKNOWN;
	assert_int_equal((int)pool_replay_capacity(jobs, 1, 2), 2);
}

TEST(a_replay_of_hostile_times_ends)
{
	struct pool_job jobs[64];
	struct hist wait = { 0 };
	uint64_t random = 88172645463325252ull;
	for (size_t i = 0; i < 64; i++) {
		uint64_t t[5];
		for (int k = 0; k < 5; k++) {
			random ^= random << 13, random ^= random >> 7, random ^= random << 17;
			t[k] = random >> (random % 60);
		}
		uint64_t a = t[0] / 4, b = a + t[1] / 4, c = b + t[2] / 4;
		jobs[i] = (struct pool_job){ i, a + 1, b + 1, c + 1, t[3], t[4], (uint32_t)(i % 2) };
	}
	const struct pool_size sizes[] = { { 1, 1, 1, 1 }, { 256, 1, UINT32_MAX, 1e5 }, { 7, 100, 1, 0.02 } };
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(pool_replay(&wait, jobs, 64, &sizes[i]), 0);
	assert_in_range(wait.count, 1, 3 * 64);
}

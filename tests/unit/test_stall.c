/* SPDX-License-Identifier: BSD-2-Clause */
/* Busy slices that become stalls: when, how long, why, whose fault, who waited. */
#include <sys/syscall.h>

#include "events.h"

#define OFFCPU(model_, ms_, off_, wake_, state_, syscall_, ...)                                                    \
	APPLY(model_, OFFCPU, ps_ev_offcpu, ms_, TID, .off_ns = (off_)*MS, .wake_ns = (wake_)*MS, .state = (state_), \
	      .syscall = (syscall_), __VA_ARGS__)
#define PROC(model_, ms_, state_, syscall_, ...)                                                                   \
	APPLY(model_, SAMPLE, ps_ev_sample, ms_, TID, .kind = PS_SAMPLE_PROC, .state = (state_), .syscall = (syscall_), __VA_ARGS__)

static const struct stall *closed(struct model *model, double ms)
{
	enter(model, ms, TID, FD, 1010, -1);
	return last_stall(model);
}

static struct model *busy_model(void)
{
	struct model *model = a_model();
	a_loop(model, 0);
	returns(model, 1010, TID, FD, 1000, 1);
	return model;
}

/* ---- when ---- */

TEST(a_slice_of_the_threshold_is_a_stall_and_a_shorter_one_is_not)
{
	struct model *model = busy_model();
	enter(model, 1059.9, TID, FD, 1010, -1);
	assert_int_equal(model->stall_count, 0);
	returns(model, 1100, TID, FD, 1059.9, 1);
	enter(model, 1150, TID, FD, 1100, -1);
	assert_int_equal(model->stall_count, 1);
	assert_int_equal(last_stall(model)->duration_ns, 50 * MS);
	assert_int_equal(last_stall(model)->open, 0);
	assert_int_equal(model->loops[0]->stalls, 1);
	assert_int_equal(model->loops[0]->stall_max_ns, 50 * MS);
	assert_int_equal(model->loops[0]->slots[1].stalls, 1);
	model_close(model);
}

TEST(a_stall_is_shown_while_it_lasts)
{
	struct model *model = busy_model();
	now(model, 1050);
	assert_int_equal(model->stall_count, 0);
	now(model, 1070);
	assert_int_equal(model->stall_count, 1);
	const struct stall *stall = model->stalls[0];
	assert_ptr_equal(model->loops[0]->open_stall, stall);
	assert_int_equal(stall->open, 1);
	assert_int_equal(stall->duration_ns, 60 * MS);
	now(model, 1500);
	assert_int_equal(stall->duration_ns, 490 * MS);
	assert_ptr_equal(closed(model, 1600), stall);
	assert_int_equal(stall->open, 0);
	assert_null(model->loops[0]->open_stall);
	assert_ptr_equal(model_stall(model, stall->id), stall);
	assert_null(model_stall(model, stall->id + 1));
	model_close(model);
}

TEST(a_sample_past_the_threshold_opens_the_stall_too)
{
	struct model *model = busy_model();
	cpu_sample(model, 1040, TID, 0);
	assert_int_equal(model->stall_count, 0);
	cpu_sample(model, 1061, TID, 0);
	assert_int_equal(model->stall_count, 1);
	model_close(model);
}

TEST(a_stall_under_way_at_attach_begins_at_attach_and_says_so)
{
	struct model *model = a_model();
	process(model, 1000);
	loop_is(model, 1000, TID, FD, 0);
	APPLY(model, POLL_RETURN, ps_ev_poll_return, 1000, TID, .poller_fd = FD, .flags = PS_POLL_UNDERWAY);
	now(model, 1100);
	assert_int_equal(model->stalls[0]->at_attach, 1);
	assert_int_equal(model->loops[0]->polls, 0);
	enter(model, 1300, TID, FD, 0, -1);
	assert_int_equal(model->stalls[0]->duration_ns, 300 * MS);
	model_close(model);
}

TEST(a_loop_thought_busy_at_attach_that_was_waiting_has_no_stall)
{
	struct model *model = a_model();
	loop_is(model, 1000, TID, FD, 0);
	APPLY(model, POLL_RETURN, ps_ev_poll_return, 1000, TID, .poller_fd = FD, .flags = PS_POLL_UNDERWAY);
	now(model, 1400);
	assert_int_equal(model->stall_count, 1);
	returns(model, 1500, TID, FD, 999, 1);
	assert_int_equal(model->stall_count, 0);
	assert_int_equal(model->loops[0]->stalls, 0);
	assert_int_equal(model->loops[0]->busy_ns, 0);
	assert_int_equal(model->loops[0]->polls, 1);
	model_close(model);
}

TEST(a_loop_thought_busy_at_attach_that_nobody_saw_enter_its_wait_has_no_stall)
{
	struct model *model = a_model();
	loop_is(model, 1000, TID, FD, 0);
	APPLY(model, POLL_RETURN, ps_ev_poll_return, 1000, TID, .poller_fd = FD, .flags = PS_POLL_UNDERWAY);
	now(model, 1400);
	assert_int_equal(model->stall_count, 1);
	APPLY(model, POLL_RETURN, ps_ev_poll_return, 1500, TID, .poller_fd = FD, .ready = 1);
	assert_int_equal(model->stall_count, 0);
	assert_int_equal(model->loops[0]->stalls, 0);
	assert_int_equal(model->loops[0]->busy_ns, 0);
	assert_int_equal(model->loops[0]->wait_ns, 500 * MS);
	enter(model, 1510, TID, FD, 1500, -1);
	assert_int_equal(model->loops[0]->busy_ns, 10 * MS);
	model_close(model);
}

TEST(a_stall_that_a_clock_saw_too_early_goes_away)
{
	struct model *model = busy_model();
	now(model, 1061);
	assert_int_equal(model->stall_count, 1);
	enter(model, 1058, TID, FD, 1010, -1);
	assert_int_equal(model->stall_count, 0);
	assert_int_equal(model->loops[0]->stalls, 0);
	model_close(model);
}

TEST(the_oldest_stall_makes_room_and_ids_are_never_reused)
{
	struct model_config config = { .max_stalls = 3 };
	struct model *model;
	assert_int_equal(model_open(&model, &config), 0);
	a_loop(model, 0);
	for (int i = 0; i < 40; i++) {
		double at = 1000 + i * 200;
		returns(model, at + 100, TID, FD, at, 1);
		enter(model, at + 200, TID, FD, at + 100, -1);
	}
	assert_int_equal(model->stall_count, 3);
	assert_int_equal(model->stalls[0]->id, 38);
	assert_int_equal(model->stalls[2]->id, 40);
	assert_int_equal(model->loops[0]->stalls, 40);
	assert_int_equal(model->loops[0]->stall_total_ns, 4000 * MS);
	assert_null(model_stall(model, 37));
	model_close(model);
}

TEST(loss_during_a_stall_marks_it)
{
	struct model *model = busy_model();
	APPLY(model, LOST, ps_ev_lost, 1020, 0, .count = 3, .source = PS_LOST_BPF);
	assert_int_equal(closed(model, 1200)->lossy, 1);
	returns(model, 1300, TID, FD, 1200, 1);
	enter(model, 1400, TID, FD, 1300, -1);
	assert_int_equal(last_stall(model)->lossy, 0);
	model_close(model);
}

/* ---- stopped ---- */

TEST(who_sleeps_in_its_own_wait_after_that_has_returned_is_held_by_a_stop_or_a_freezer)
{
	struct model *model = busy_model();
	OFFCPU(model, 1500, 1010, 1499, PS_OFF_SLEEPING, SYS_epoll_wait, .args = { FD });
	enter_sums(model, 1501, 0, 1, 490);
	const struct stall *stall = last_stall(model);
	assert_int_equal(stall->cause, CAUSE_STOPPED);
	assert_non_null(strstr(stall->culprit, "freezer"));
	model_close(model);
	/* in the wait of another poller it sleeps in that */
	model = busy_model();
	OFFCPU(model, 1500, 1010, 1499, PS_OFF_SLEEPING, SYS_epoll_wait, .args = { FD + 1 });
	enter_sums(model, 1501, 0, 1, 490);
	assert_int_equal(last_stall(model)->cause, CAUSE_SYNC_IO);
	model_close(model);
}

TEST(a_thread_that_was_stopped_before_we_came_stalls_and_is_no_ok)
{
	struct model *model = a_model();
	process(model, 1000);
	loop_is(model, 1000, TID, FD, 0);
	APPLY(model, POLL_RETURN, ps_ev_poll_return, 1000, TID, .poller_fd = FD, .backend = PS_BACKEND_EPOLL, .flags = PS_POLL_UNDERWAY);
	for (int ms = 1050; ms <= 2000; ms += 50) {
		PROC(model, ms, 'T', SYS_epoll_wait, .args = { FD });
		now(model, ms);
	}
	assert_int_equal(model->stall_count, 1);
	assert_int_equal(model->stalls[0]->open, 1);
	assert_int_equal(model->stalls[0]->cause, CAUSE_STOPPED);
	model_close(model);
}

/* ---- threads that take turns on one poller ---- */

#define OTHER 102u

/* both wait on FD from 1000 ms on */
static struct model *two_takers(void)
{
	struct model *model = a_model();
	a_loop(model, 0);
	APPLY(model, THREAD, ps_ev_thread, 1000, OTHER, .pid = PID, .role = PS_ROLE_LOOP);
	loop_is(model, 1000, OTHER, FD, 0);
	enter(model, 1000, OTHER, FD, 0, -1);
	return model;
}

TEST(who_does_something_else_while_another_thread_waits_on_its_poller_holds_nobody_up)
{
	struct model *model = two_takers();
	returns(model, 1010, TID, FD, 1000, 1);
	now(model, 3000);
	assert_int_equal(model->stall_count, 0);
	returns(model, 3001, OTHER, FD, 1000, 1); /* from now on nobody waits, but the slice that counts is the younger one */
	now(model, 3040);
	enter(model, 3050, TID, FD, 1010, -1);
	assert_int_equal(model->stall_count, 0);
	assert_int_equal(model->loops[0]->stalls, 0);
	assert_int_equal(model->loops[0]->stall_max_ns, 0);
	assert_int_equal(model->loops[0]->poller_threads, 2);
	assert_true(loop_in_turns(model->loops[1]));
	model_close(model);
}

TEST(a_poller_that_no_thread_waits_on_is_a_stall_of_who_returned_last_until_another_waits)
{
	struct model *model = two_takers();
	returns(model, 1010, TID, FD, 1000, 1);
	returns(model, 1020, OTHER, FD, 1000, 1);
	now(model, 1100);
	assert_int_equal(model->stall_count, 1);
	assert_int_equal(model->stalls[0]->loop->tid, OTHER);
	assert_int_equal(model->stalls[0]->open, 1);
	enter(model, 1140, TID, FD, 1010, -1);
	assert_int_equal(model->stalls[0]->open, 0);
	assert_int_equal(model->stalls[0]->duration_ns, 120 * MS);
	now(model, 1500);
	enter(model, 1600, OTHER, FD, 1020, -1); /* slept meanwhile: the first one was there */
	assert_int_equal(model->stall_count, 1);
	assert_int_equal(last_stall(model)->duration_ns, 120 * MS);
	model_close(model);
}

TEST(a_stall_that_the_clock_saw_before_another_threads_wait_was_told_is_taken_back)
{
	struct model *model = two_takers();
	returns(model, 1010, TID, FD, 1000, 1);
	returns(model, 1020, OTHER, FD, 1000, 1);
	now(model, 1100);
	assert_int_equal(model->stall_count, 1);
	enter(model, 1030, TID, FD, 1010, -1);
	assert_int_equal(model->stall_count, 0);
	assert_int_equal(model->loops[1]->stalls, 0);
	model_close(model);
}

/* nobody waited when we came, so the main thread was taken for the loop's */
TEST(a_thread_that_was_taken_for_the_loops_because_it_was_busy_is_none_when_another_one_waits)
{
	struct model *model = a_model();
	process(model, 1000);
	loop_is(model, 1000, TID, FD, 0);
	APPLY(model, POLL_RETURN, ps_ev_poll_return, 1000, TID, .poller_fd = FD, .backend = PS_BACKEND_EPOLL, .flags = PS_POLL_UNDERWAY);
	now(model, 1100);
	assert_int_equal(model->stall_count, 1);
	APPLY(model, THREAD, ps_ev_thread, 1100, OTHER, .pid = PID, .role = PS_ROLE_LOOP);
	loop_is(model, 1110, OTHER, FD, 0);
	enter(model, 1110, OTHER, FD, 0, -1);
	assert_int_equal(model->stall_count, 0);
	assert_int_equal(model_loop(model, TID, FD)->state, LOOP_GONE);
	assert_false(loop_in_turns(model_loop(model, OTHER, FD)));
	returns(model, 1120, OTHER, FD, 1110, 1);
	now(model, 1300);
	assert_int_equal(model->stall_count, 1);
	assert_int_equal(model->stalls[0]->loop->tid, OTHER);
	enter(model, 1310, TID, FD, 0, -1); /* it was one after all */
	assert_int_equal(model_loop(model, TID, FD)->state, LOOP_WAITING);
	assert_true(loop_in_turns(model_loop(model, OTHER, FD)));
	model_close(model);
}

TEST(when_the_other_thread_has_gone_a_loop_stalls_alone)
{
	struct model *model = two_takers();
	APPLY(model, THREAD_EXIT, ps_ev_thread_exit, 1005, OTHER, .pid = PID);
	returns(model, 1010, TID, FD, 1000, 1);
	now(model, 1100);
	assert_int_equal(model->stall_count, 1);
	model_close(model);
}

TEST(a_loop_of_libuv_stalls_whoever_else_waits_on_its_poller)
{
	struct model *model = two_takers();
	APPLY(model, LOOP_SNAPSHOT, ps_ev_loop_snapshot, 1005, TID, .poller_fd = FD, .address = 0x1000);
	returns(model, 1010, TID, FD, 1000, 1);
	now(model, 1100);
	assert_int_equal(model->stall_count, 1);
	assert_int_equal(model->stalls[0]->loop->tid, TID);
	assert_false(loop_in_turns(model->loops[0]));
	model_close(model);
}

/* ---- evidence ---- */

TEST(samples_before_the_threshold_count_and_those_of_another_slice_do_not)
{
	struct model *model = a_model();
	a_loop(model, 0);
	frame(model, 1, "early");
	frame(model, 2, "hot");
	stack(model, 1, 1);
	stack(model, 2, 2);
	returns(model, 1001, TID, FD, 1000, 1);
	cpu_sample(model, 1002, TID, 1);
	enter(model, 1003, TID, FD, 1001, -1);
	cpu_sample(model, 1004, TID, 1);
	returns(model, 1010, TID, FD, 1003, 1);
	cpu_sample(model, 1012, TID, 2);
	cpu_sample(model, 1013, 555, 1); /* another thread */
	cpu_sample(model, 1090, TID, 2);
	const struct stall *stall = closed(model, 1110);
	assert_int_equal(stall->samples, 2);
	assert_int_equal(stall->stack_count, 1);
	assert_string_equal(stall->stacks[0].stack->frame->name, "hot");
	model_close(model);
}

TEST(the_most_frequent_stack_comes_first_and_one_seen_once_makes_room)
{
	struct model *model = busy_model();
	for (uint32_t i = 1; i <= 20; i++) {
		char name[16];
		snprintf(name, sizeof(name), "f%u", i);
		frame(model, i, name);
		stack(model, i, i);
		for (uint32_t k = 0; k < i; k++)
			cpu_sample(model, 1020 + i, TID, i);
	}
	const struct stall *stall = closed(model, 1110);
	assert_int_equal(stall->samples, 210);
	assert_int_equal(stall->stack_count, MODEL_STALL_STACKS);
	assert_int_equal(stall->stacks[0].count, 17); /* f1 made room for it */
	for (uint32_t i = 1; i < stall->stack_count; i++)
		assert_true(stall->stacks[i - 1].count >= stall->stacks[i].count);
	model_close(model);
}

TEST(stacks_that_differ_only_inside_their_functions_are_one)
{
	struct model *model = busy_model();
	frame(model, 1, "outer");
	for (uint32_t i = 2; i < 40; i++) {
		frame(model, i, "hot");
		APPLY(model, FRAME, ps_ev_frame, 0, 0, .id = i, .name = 10006, .kind = PS_FRAME_NATIVE, .offset = i);
		stack(model, i, i, 1);
		cpu_sample(model, 1030 + i, TID, i);
	}
	const struct stall *stall = closed(model, 1110);
	assert_int_equal(stall->stack_count, 1);
	assert_int_equal(stall->stacks[0].count, 38);
	model_close(model);
}

TEST(samples_whose_stacks_found_no_room_still_vote_for_the_rule)
{
	struct model *model = busy_model();
	frame(model, 1, "sha512_block_data_order");
	for (uint32_t i = 2; i < 100; i++) {
		char name[16];
		snprintf(name, sizeof(name), "f%u", i);
		frame(model, i, name);
		if (i % 3)
			stack(model, i, 1, i);
		else
			stack(model, i, i);
		cpu_sample(model, 1020, TID, i);
	}
	frame(model, 200, "plain");
	for (uint32_t i = 0; i < 20; i++) {
		char name[16];
		snprintf(name, sizeof(name), "g%u", i);
		frame(model, 300 + i, name);
		stack(model, 300 + i, 300 + i);
		cpu_sample(model, 1030, TID, 300 + i);
	}
	enter_sums(model, 1110, 100, 0, 0);
	assert_int_equal(last_stall(model)->rule, RULE_CRYPTO);
	model_close(model);
}

TEST(a_name_seen_once_does_not_beat_one_that_tells_as_much_and_was_seen_often)
{
	struct model *model = busy_model();
	frame(model, 1, "node::crypto::PBKDF2Traits::EncodeOutput(int)");
	frame(model, 2, "HMAC_Final");
	frame(model, 3, "PKCS5_PBKDF2_HMAC");
	frame_at(model, 4, "[jit]", "", "", 0, PS_FRAME_JIT);
	stack(model, 1, 1, 4);
	stack(model, 2, 2, 3, 4);
	stack(model, 3, 3, 4);
	cpu_sample(model, 1020, TID, 1);
	cpu_sample(model, 1030, TID, 2);
	cpu_sample(model, 1040, TID, 3);
	enter_sums(model, 1110, 100, 0, 0);
	assert_string_equal(last_stall(model)->culprit, "PKCS5_PBKDF2_HMAC");
	model_close(model);
}

TEST(the_sums_of_the_kernel_are_exact_and_win)
{
	struct model *model = busy_model();
	OFFCPU(model, 1090, 1020, 1090, PS_OFF_SLEEPING, SYS_read);
	enter_sums(model, 1110, 90, 7, 3);
	const struct stall *stall = last_stall(model);
	assert_int_equal(stall->on_cpu_ns, 90 * MS);
	assert_int_equal(stall->runnable_ns, 7 * MS);
	assert_int_equal(stall->blocked_ns, 3 * MS);
	assert_int_equal(stall->estimated, 0);
	assert_int_equal(stall->cause, CAUSE_CPU);
	assert_int_equal(model->loops[0]->on_cpu_ns, 90 * MS);
	model_close(model);
}

TEST(cpu_time_around_the_slice_estimates_when_nothing_better_is_there)
{
	struct model *model = a_model();
	a_loop(model, 0);
	APPLY(model, CPU_TIME, ps_ev_cpu_time, 1008, TID, .on_cpu_ns = 500 * MS);
	returns(model, 1010, TID, FD, 1000, 1);
	APPLY(model, CPU_TIME, ps_ev_cpu_time, 1060, TID, .on_cpu_ns = 549 * MS, .runnable_ns = 1 * MS);
	const struct stall *stall = closed(model, 1090);
	assert_in_range(stall->on_cpu_ns, 75 * MS, 80 * MS);
	assert_int_equal(stall->estimated, 1);
	assert_int_equal(stall->cause, CAUSE_CPU);
	assert_int_equal(stall->rule, RULE_COMPUTATION);
	model_close(model);
}

TEST(without_any_evidence_shares_and_cause_are_unknown)
{
	struct model *model = busy_model();
	const struct stall *stall = closed(model, 1110);
	assert_int_equal(stall->on_cpu_ns, PS_UNKNOWN);
	assert_int_equal(stall->blocked_ns, PS_UNKNOWN);
	assert_int_equal(stall->gc_ns, PS_UNKNOWN);
	assert_int_equal(stall->cause, CAUSE_UNKNOWN);
	assert_int_equal(stall->rule, RULE_UNKNOWN);
	assert_int_equal(stall->phase, -1);
	assert_string_equal(stall->culprit, "not known (no samples)");
	model_close(model);
}

/* ---- causes ---- */

TEST(a_sleep_in_a_call_is_sync_io_with_the_call_its_path_and_the_caller)
{
	struct model *model = busy_model();
	frame_at(model, 1, "", "[kernel]", "", 0, PS_FRAME_KERNEL);
	frame_at(model, 2, "fsync", "/lib/x86_64-linux-gnu/libc.so.6", "", 0, PS_FRAME_NATIVE);
	frame(model, 3, "rotate_log");
	stack(model, 1, 1, 2, 3);
	string(model, 1, "/var/log/app.log");
	OFFCPU(model, 1100, 1015, 1099, PS_OFF_DISK, SYS_fsync, .args = { 41 }, .path = 1, .stack = 1);
	OFFCPU(model, 1103, 1101, 1102, PS_OFF_SLEEPING, SYS_read, .args = { 3 });
	const struct stall *stall = closed(model, 1110);
	assert_int_equal(stall->cause, CAUSE_SYNC_IO);
	assert_int_equal(stall->rule, RULE_SYNC_CALL);
	assert_int_equal(stall->syscall, SYS_fsync);
	assert_int_equal(stall->syscall_args[0], 41);
	assert_int_equal(stall->blocked_ns, 85 * MS);
	assert_int_equal(stall->runnable_ns, 2 * MS);
	assert_string_equal(stall->culprit, "fsync(41) /var/log/app.log <- rotate_log");
	model_close(model);
}

TEST(many_short_sleeps_in_one_call_add_up)
{
	struct model *model = busy_model();
	for (uint64_t at = 1012; at < 1100; at += 2)
		OFFCPU(model, at + 2, at, at + 1, PS_OFF_SLEEPING, SYS_read, .args = { 7 });
	OFFCPU(model, 1105, 1101, 1105, PS_OFF_SLEEPING, SYS_write, .args = { 8 });
	const struct stall *stall = closed(model, 1110);
	assert_int_equal(stall->syscall, SYS_read);
	assert_int_equal(stall->syscall_ns, 44 * MS);
	model_close(model);
}

TEST(a_sleep_told_by_debug_sleep_of_redis_names_the_command)
{
	struct model *model = busy_model();
	frame_at(model, 1, "clock_nanosleep", "/lib/libc.so.6", "", 0, PS_FRAME_NATIVE);
	frame_at(model, 2, "__nanosleep", "/lib/libc.so.6", "", 0, PS_FRAME_NATIVE);
	frame(model, 3, "debugCommand");
	frame(model, 4, "call");
	frame(model, 5, "aeMain");
	stack(model, 1, 1, 2, 3, 4, 5);
	OFFCPU(model, 1309, 1010, 1309, PS_OFF_SLEEPING, SYS_clock_nanosleep, .stack = 1);
	enter_sums(model, 1310, 1, 0, 299);
	assert_string_equal(last_stall(model)->culprit, "clock_nanosleep <- debugCommand");
	assert_int_equal(last_stall(model)->cause, CAUSE_SYNC_IO);
	model_close(model);
}

TEST(futex_is_a_lock)
{
	struct model *model = busy_model();
	OFFCPU(model, 1105, 1011, 1105, PS_OFF_SLEEPING, SYS_futex);
	assert_int_equal(closed(model, 1110)->cause, CAUSE_LOCK);
	model_close(model);
}

TEST(who_waits_for_libuvs_lock_waits_for_a_cpu_and_nobody_is_blamed)
{
	struct model *model = busy_model();
	struct finding findings[8];
	frame(model, 1, "pthread_cond_signal");
	frame(model, 2, "uv__work_submit");
	frame(model, 3, "node::fs::Read");
	frame_at(model, 4, "serve", "", "/srv/app.js", 7, PS_FRAME_JS);
	stack(model, 1, 1, 2, 3, 4);
	OFFCPU(model, 1105, 1011, 1105, PS_OFF_SLEEPING, SYS_futex, .stack = 1);
	const struct stall *stall = closed(model, 1110);
	assert_int_equal(stall->cause, CAUSE_LOCK);
	assert_int_equal(stall->rule, RULE_HOST);
	assert_string_equal(stall->culprit, "waiting for another of its threads to get a CPU");
	assert_null(stall->blamed);
	assert_int_equal(model_findings(model, findings, 8), 1);
	assert_string_equal(findings[0].id, "PS003");
	model_close(model);
	/* a lock of the program's own, seldom held up by the pool's */
	model = busy_model();
	frame(model, 1, "pthread_mutex_lock");
	frame(model, 2, "uv__work_submit");
	frame(model, 3, "take_turns");
	stack(model, 1, 1, 2, 3);
	stack(model, 2, 1, 3);
	OFFCPU(model, 1030, 1011, 1030, PS_OFF_SLEEPING, SYS_futex, .stack = 1);
	OFFCPU(model, 1105, 1031, 1105, PS_OFF_SLEEPING, SYS_futex, .stack = 2);
	stall = closed(model, 1110);
	assert_int_equal(stall->rule, RULE_SYNC_CALL);
	assert_string_equal(stall->culprit, "futex <- pthread_mutex_lock <- take_turns");
	model_close(model);
}

TEST(page_faults_are_told_apart)
{
	struct model *model = busy_model();
	OFFCPU(model, 1105, 1011, 1105, PS_OFF_FAULT, -1);
	const struct stall *stall = closed(model, 1110);
	assert_int_equal(stall->cause, CAUSE_PAGE_FAULT);
	assert_string_equal(stall->culprit, "page fault");
	model_close(model);
}

TEST(waiting_for_a_cpu_is_the_run_queue_and_names_who_ran)
{
	struct model *model = busy_model();
	string(model, 1, "ffmpeg");
	OFFCPU(model, 1100, 1020, 1020, PS_OFF_RUNNABLE, -1, .other = 1, .cpu = 2);
	const struct stall *stall = closed(model, 1110);
	assert_int_equal(stall->cause, CAUSE_RUN_QUEUE);
	assert_int_equal(stall->rule, RULE_HOST);
	assert_string_equal(stall->other_task, "ffmpeg");
	assert_string_equal(stall->culprit, "waiting for a CPU: cpu2 ran ffmpeg");
	model_close(model);
}

TEST(a_stopped_process_is_stopped_by_intervals_or_by_proc)
{
	struct model *model = busy_model();
	OFFCPU(model, 1105, 1011, 1105, PS_OFF_STOPPED, -1);
	assert_int_equal(closed(model, 1110)->cause, CAUSE_STOPPED);
	model_close(model);
	model = busy_model();
	for (uint64_t at = 1020; at < 1110; at += 10)
		PROC(model, at, 'T', -1);
	assert_int_equal(closed(model, 1110)->cause, CAUSE_STOPPED);
	model_close(model);
}

TEST(garbage_collection_that_takes_the_slice_is_gc)
{
	struct model *model = busy_model();
	APPLY(model, GC, ps_ev_gc, 1100, TID, .since_ns = 1020 * MS, .kind = 2);
	enter_sums(model, 1110, 100, 0, 0);
	const struct stall *stall = last_stall(model);
	assert_int_equal(stall->cause, CAUSE_GC);
	assert_int_equal(stall->rule, RULE_GC);
	assert_int_equal(stall->gc_ns, 80 * MS);
	assert_string_equal(stall->culprit, "garbage collection (major)");
	assert_int_equal(model->loops[0]->gc_count, 1);
	model_close(model);
}

TEST(a_wait_on_another_poller_is_a_synchronous_call_in_disguise)
{
	struct model *model = busy_model();
	enter(model, 1012, TID, 99, 0, -1);
	returns(model, 1105, TID, 99, 1012, 1);
	const struct stall *stall = closed(model, 1110);
	assert_int_equal(stall->cause, CAUSE_SYNC_IO);
	assert_int_equal(stall->rule, RULE_SYNC_CALL);
	assert_string_equal(stall->culprit, "waits on another poller");
	model_close(model);
}

TEST(sightings_in_proc_tell_a_blocked_thread_while_it_is_blocked)
{
	struct model *model = busy_model();
	for (uint64_t at = 1020; at <= 1100; at += 10)
		PROC(model, at, 'S', SYS_clock_nanosleep);
	now(model, 1105);
	const struct stall *stall = model->stalls[0];
	assert_int_equal(stall->open, 1);
	assert_int_equal(stall->cause, CAUSE_SYNC_IO);
	assert_int_equal(stall->estimated, 1);
	assert_int_equal(stall->syscall, SYS_clock_nanosleep);
	assert_int_equal(stall->syscall_ns, 80 * MS);
	assert_string_equal(stall->culprit, "clock_nanosleep");
	model_close(model);
}

TEST(the_loops_own_wait_seen_in_proc_is_no_evidence)
{
	struct model *model = busy_model();
	PROC(model, 1050, 'S', SYS_epoll_wait, .args = { FD });
	const struct stall *stall = closed(model, 1110);
	assert_int_equal(stall->samples, 0);
	assert_int_equal(stall->cause, CAUSE_UNKNOWN);
	model_close(model);
}

TEST(no_share_of_half_means_no_claim_about_the_cpu)
{
	struct model *model = busy_model();
	enter_sums(model, 1110, 40, 30, 30);
	assert_int_equal(last_stall(model)->cause, CAUSE_UNKNOWN);
	model_close(model);
}

/* ---- rules ---- */

static void expect_rule(const char *leaf, const char *caller, enum stall_rule rule, const char *culprit)
{
	struct model *model = busy_model();
	frame(model, 1, leaf);
	frame(model, 2, caller);
	frame(model, 3, "main");
	stack(model, 1, 1, 2, 3);
	for (uint64_t at = 1030; at < 1110; at += 5)
		cpu_sample(model, at, TID, 1);
	enter_sums(model, 1110, 99, 1, 0);
	assert_string_equal(stall_rule_name(last_stall(model)->rule), stall_rule_name(rule));
	assert_string_equal(last_stall(model)->culprit, culprit);
	model_close(model);
}

TEST(the_rule_is_read_from_the_frames)
{
	expect_rule("v8::internal::JsonParser<unsigned short>::Parse(x)", "sync", RULE_JSON,
		    "v8::internal::JsonParser<unsigned short>::Parse <- sync");
	expect_rule("v8::internal::RegExpImpl::IrregexpExec(v8::internal::Isolate*)", "match", RULE_REGEX,
		    "v8::internal::RegExpImpl::IrregexpExec <- match");
	expect_rule("PKCS5_PBKDF2_HMAC", "hash_password", RULE_CRYPTO, "PKCS5_PBKDF2_HMAC <- hash_password");
	expect_rule("deflate_slow", "reply", RULE_COMPRESSION, "deflate_slow <- reply");
	expect_rule("v8::internal::Compiler::Compile", "load", RULE_MODULE_LOAD, "v8::internal::Compiler::Compile <- load");
	expect_rule("dictScan", "databasesCron", RULE_COMPUTATION, "dictScan <- databasesCron");
}

TEST(collector_frames_make_it_gc)
{
	expect_rule("v8::internal::MarkCompactCollector::MarkLiveObjects()", "build", RULE_GC, "garbage collection <- build");
}

TEST(assembly_leaves_are_named_by_the_function_that_called_them)
{
	struct model *model = busy_model();
	frame(model, 1, "sha512_block_data_order_avx2");
	frame(model, 2, "HMAC_Update");
	frame(model, 3, "PKCS5_PBKDF2_HMAC");
	frame(model, 4, "node::crypto::PBKDF2Traits::DeriveBits(node::Environment*)");
	frame(model, 5, "v8::internal::Builtin_HandleApiCall(int)");
	frame_at(model, 6, "hashPw", "", "/srv/auth.js", 41, PS_FRAME_JS);
	stack(model, 1, 1); /* most chains break in the assembly */
	stack(model, 2, 1, 2, 3, 4, 5, 6);
	for (uint64_t at = 1020; at < 1100; at += 4) {
		cpu_sample(model, at, TID, 1);
		cpu_sample(model, at + 1, TID, 1);
		cpu_sample(model, at + 2, TID, 2);
	}
	enter_sums(model, 1110, 99, 1, 0);
	assert_int_equal(last_stall(model)->rule, RULE_CRYPTO);
	assert_string_equal(last_stall(model)->culprit, "PKCS5_PBKDF2_HMAC <- hashPw auth.js:41");
	model_close(model);
}

TEST(a_few_frames_of_a_rule_do_not_make_the_rule)
{
	struct model *model = busy_model();
	frame(model, 1, "simulate");
	frame(model, 2, "deflate");
	stack(model, 1, 1);
	stack(model, 2, 2);
	for (uint64_t at = 1020; at < 1100; at += 2)
		cpu_sample(model, at, TID, at % 20 ? 1 : 2);
	enter_sums(model, 1110, 100, 0, 0);
	assert_int_equal(last_stall(model)->rule, RULE_COMPUTATION);
	assert_string_equal(last_stall(model)->culprit, "simulate");
	model_close(model);
}

TEST(allocators_and_libc_are_not_to_blame)
{
	struct model *model = busy_model();
	frame(model, 1, "malloc");
	frame_at(model, 2, "qsort_r", "/lib/x86_64-linux-gnu/libc.so.6", "", 0, PS_FRAME_NATIVE);
	frame(model, 3, "sort_rows");
	frame(model, 4, "handle_request");
	stack(model, 1, 1, 2, 3, 4);
	cpu_sample(model, 1050, TID, 1);
	enter_sums(model, 1110, 100, 0, 0);
	assert_string_equal(last_stall(model)->culprit, "sort_rows <- handle_request");
	model_close(model);
}

TEST(a_frame_without_a_name_is_told_by_its_module)
{
	struct model *model = busy_model();
	frame_at(model, 1, "", "/usr/lib/libz.so", "", 0, PS_FRAME_NATIVE);
	stack(model, 1, 1);
	cpu_sample(model, 1050, TID, 1);
	enter_sums(model, 1110, 100, 0, 0);
	assert_string_equal(last_stall(model)->culprit, "[unresolved] libz.so+0x4a10");
	model_close(model);
}

TEST(a_drain_of_ticks_that_takes_the_slice_is_tick_starvation)
{
	struct model *model = busy_model();
	APPLY(model, TICKS, ps_ev_drain, 1105, TID, .since_ns = 1012 * MS, .count = 90000);
	enter_sums(model, 1110, 100, 0, 0);
	assert_int_equal(last_stall(model)->rule, RULE_TICK_STARVATION);
	model_close(model);
}

/* ---- what an instrumented loop tells ---- */

TEST(the_callback_is_the_culprit_when_there_are_no_stacks)
{
	struct model *model = a_model();
	a_loop(model, PS_LOOP_RING | PS_LOOP_PHASES | PS_LOOP_CALLBACKS);
	frame(model, 1, "scenario_computation");
	APPLY(model, SYMBOL, ps_ev_symbol, 0, 0, .pid = PID, .frame = 1, .address = 0x4000);
	returns(model, 1010, TID, FD, 1000, 0);
	APPLY(model, PHASE, ps_ev_phase, 1011, TID, .phase = PS_PHASE_TIMERS);
	APPLY(model, CALLBACK_BEGIN, ps_ev_callback_begin, 1012, TID, .fn = 0x4000, .handle = 3, .fd = -1, .kind = PS_KIND_TIMER);
	APPLY(model, CPU_TIME, ps_ev_cpu_time, 1020, TID, .on_cpu_ns = 10 * MS);
	APPLY(model, CPU_TIME, ps_ev_cpu_time, 1120, TID, .on_cpu_ns = 110 * MS);
	now(model, 1130);
	const struct stall *stall = model->stalls[0];
	assert_string_equal(stall->culprit, "scenario_computation (timer callback)");
	assert_int_equal(stall->phase, PS_PHASE_TIMERS);
	assert_int_equal(stall->cause, CAUSE_CPU);
	APPLY(model, CALLBACK_END, ps_ev_callback_end, 1200, TID, .handle = 3);
	APPLY(model, PHASE, ps_ev_phase, 1200, TID, .phase = PS_PHASE_POLL);
	assert_ptr_equal(closed(model, 1201), stall);
	assert_int_equal(stall->callback_ns, 188 * MS);
	assert_string_equal(stall->callback->name, "scenario_computation");
	assert_int_equal(stall->phase, PS_PHASE_TIMERS);
	model_close(model);
}

static void calls_back(struct model *model, double from_ms, double to_ms, uint64_t fn, int fd, unsigned kind)
{
	APPLY(model, CALLBACK_BEGIN, ps_ev_callback_begin, from_ms, TID, .fn = fn, .handle = 3, .fd = fd, .kind = kind);
	APPLY(model, CALLBACK_END, ps_ev_callback_end, to_ms, TID, .handle = 3);
}

TEST(many_short_calls_of_one_callback_outweigh_a_long_call_of_another)
{
	struct model *model = a_model();
	a_loop(model, PS_LOOP_RING | PS_LOOP_PHASES | PS_LOOP_CALLBACKS);
	returns(model, 1000, TID, FD, 999, 0);
	calls_back(model, 1000, 1030, 0x4000, 31, PS_KIND_TCP);
	/* others in between, more than are told apart */
	for (int i = 0; i < 70; i++)
		calls_back(model, 1030 + i, 1031 + i, i % 2 ? 0x5000 : 0x6000 + (uint64_t)i, i, PS_KIND_TICK);
	calls_back(model, 1100, 1130, 0x4000, 31, PS_KIND_TCP);
	enter(model, 1130, TID, FD, 1000, -1);
	const struct stall *stall = last_stall(model);
	assert_int_equal(stall->callback_fn, 0x4000);
	assert_int_equal(stall->callback_ns, 60 * MS);
	assert_int_equal(stall->callback_calls, 2);
	assert_int_equal(stall->callback_fd, 31);

	returns(model, 1200, TID, FD, 1199, 0);
	calls_back(model, 1200, 1230, 0x4000, 31, PS_KIND_TCP);
	for (int i = 0; i < 70; i++)
		calls_back(model, 1230 + i, 1231 + i, 0x5000, i, PS_KIND_UDP);
	APPLY(model, CALLBACK_BEGIN, ps_ev_callback_begin, 1300, TID, .fn = 0x5000, .handle = 3, .fd = 70, .kind = PS_KIND_UDP);
	now(model, 1310);
	now(model, 1320);
	APPLY(model, CALLBACK_END, ps_ev_callback_end, 1330, TID, .handle = 3);
	enter(model, 1330, TID, FD, 1200, -1);
	stall = last_stall(model);
	assert_int_equal(stall->callback_fn, 0x5000);
	assert_int_equal(stall->callback_ns, 100 * MS);
	assert_int_equal(stall->callback_calls, 71);
	assert_int_equal(stall->callback_fd, -1);
	model_close(model);
}

TEST(who_waited_for_a_stall_is_counted_when_the_loop_comes_back)
{
	struct model *model = a_model();
	a_loop(model, PS_LOOP_RING);
	returns(model, 1010, TID, FD, 1000, 1);
	const struct stall *stall = closed(model, 1110);
	returns(model, 1110.1, TID, FD, 1110, 7);
	APPLY(model, TIMER_FIRED, ps_ev_timer, 1111, TID, .due_ns = 1050 * MS, .fn = 1, .handle = 1);
	APPLY(model, TIMER_FIRED, ps_ev_timer, 1112, TID, .due_ns = 1111 * MS, .fn = 1, .handle = 2);
	assert_int_equal(stall->held_fds, 7);
	assert_int_equal(stall->held_timers, 1);
	assert_int_equal(stall->held_longest_ns, 60 * MS);
	enter(model, 1113, TID, FD, 1110.1, -1);
	returns(model, 1113.1, TID, FD, 1113, 9);
	assert_int_equal(stall->held_fds, 7);
	model_close(model);
}

TEST(a_wait_that_nobody_saw_says_nothing_of_who_waited_for_a_stall)
{
	struct model *model = a_model();
	a_loop(model, 0);
	returns(model, 1010, TID, FD, 1000, 1);
	const struct stall *stall = closed(model, 1110);
	APPLY(model, POLL_RETURN, ps_ev_poll_return, 1110.1, TID, .poller_fd = FD, .ready = 1, .entered_ns = 1110 * MS,
	      .backend = PS_BACKEND_EPOLL, .flags = PS_POLL_RAN);
	assert_int_equal(stall->held_fds, PS_UNKNOWN);
	model_close(model);
}

TEST(the_culprit_is_cut_at_a_character_when_names_are_long)
{
	struct model *model = busy_model();
	char name[600];
	for (size_t i = 0; i + 3 <= sizeof(name); i += 3)
		memcpy(name + i, "\xe6\xbc\xa2", 3);
	string_bytes(model, 1, name, sizeof(name));
	APPLY(model, FRAME, ps_ev_frame, 0, 0, .id = 1, .name = 1, .kind = PS_FRAME_NATIVE);
	stack(model, 1, 1);
	cpu_sample(model, 1050, TID, 1);
	enter_sums(model, 1110, 100, 0, 0);
	const char *culprit = last_stall(model)->culprit;
	size_t length = strlen(culprit);
	assert_true(length < sizeof(last_stall(model)->culprit));
	assert_memory_equal(culprit + length - 3, "\xe2\x80\xa6", 3);
	model_close(model);
}

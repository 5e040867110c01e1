/* SPDX-License-Identifier: BSD-2-Clause */
/* What the model makes of waits, slices, iterations, phases, descriptors, timers and the pool. */
#include "events.h"

/* ---- time ---- */

TEST(busy_and_wait_time_add_up_to_the_time_watched)
{
	struct model *model = a_model();
	const struct loop *loop = a_loop(model, 0);
	returns(model, 1010, TID, FD, 1000, 2);
	enter(model, 1013, TID, FD, 1010, -1);
	returns(model, 1020, TID, FD, 1013, 0);
	enter(model, 1025, TID, FD, 1020, -1);
	now(model, 1100);
	assert_int_equal(loop->busy_ns, 8 * MS);
	assert_int_equal(loop->wait_ns, 92 * MS);
	assert_int_equal(loop->polls, 2);
	assert_int_equal(loop->empty_polls, 1);
	assert_int_equal(loop->ready, 2);
	assert_int_equal(loop->state, LOOP_WAITING);
	assert_int_equal(loop->poll_wait.count, 2);
	assert_int_equal(loop->first_ns, 1000 * MS);
	assert_int_equal(loop->last_ns, 1100 * MS);
	model_close(model);
}

TEST(seconds_hold_their_own_share_of_a_slice_that_crosses_them)
{
	struct model *model = a_model();
	const struct loop *loop = a_loop(model, 0);
	returns(model, 1900, TID, FD, 1000, 1);
	enter(model, 4300, TID, FD, 1900, -1);
	assert_int_equal(loop->slots[1].busy_ns, 100 * MS);
	assert_int_equal(loop->slots[1].wait_ns, 900 * MS);
	assert_int_equal(loop->slots[2].busy_ns, 1000 * MS);
	assert_int_equal(loop->slots[4].busy_ns, 300 * MS);
	assert_int_equal(loop->slots[4].longest_ns, 2400 * MS);
	model_close(model);
}

/* A slice of several turns, whose waits did not sleep and were not seen one by one. */
TEST(turns_that_are_told_together_are_counted_one_by_one)
{
	struct model *model = a_model();
	const struct loop *loop = a_loop(model, 0);
	returns(model, 1000, TID, FD, 990, 1);
	enter(model, 1006, TID, FD, 1000, -1 - 3);
	APPLY(model, POLL_RETURN, ps_ev_poll_return, 1006, TID, .poller_fd = FD, .ready = 12, .backend = PS_BACKEND_EPOLL,
	      .entered_ns = 1006 * MS, .flags = PS_POLL_RAN);
	enter(model, 1008, TID, FD, 1006, -2);
	assert_int_equal(loop->busy_ns, 8 * MS);
	assert_int_equal(loop->polls, 4);
	assert_int_equal(loop->iterations, 4);
	assert_int_equal(loop->ready, 13);
	assert_int_equal(loop->empty_polls, 0);
	assert_int_equal(loop->iteration.count, 3);
	assert_int_equal(loop->iteration.max, 2 * MS);
	assert_int_equal(loop->iteration.sum, 6 * MS);
	assert_int_equal(loop->poll_wait.count, 1); /* how long the others were nobody measured */
	assert_int_equal(loop->slots[1].polls, 4);
	assert_int_equal(loop->slots[1].iterations, 4);
	/* one that sleeps is seen, and of one turn */
	returns(model, 1018, TID, FD, 1008, 2);
	assert_int_equal(loop->polls, 5);
	assert_int_equal(loop->iteration.count, 4);
	assert_int_equal(loop->poll_wait.count, 2);
	/* three of five found nothing at the least */
	enter(model, 1023, TID, FD, 1018, -1 - 5);
	APPLY(model, POLL_RETURN, ps_ev_poll_return, 1023, TID, .poller_fd = FD, .ready = 2, .entered_ns = 1023 * MS,
	      .flags = PS_POLL_RAN);
	assert_int_equal(loop->empty_polls, 3);
	assert_int_equal(loop->stalls, 0);
	model_close(model);
}

TEST(more_turns_than_there_can_be_are_not_believed)
{
	struct model *model = a_model();
	const struct loop *loop = a_loop(model, 0);
	returns(model, 1000, TID, FD, 990, 1);
	enter(model, 1006, TID, FD, 1000, INT64_MIN);
	returns(model, 1006, TID, FD, 1006, 0);
	assert_in_range(loop->polls, 1, 1000001);
	assert_true(loop->iteration.sum <= 6 * MS);
	model_close(model);
}

TEST(a_lost_enter_is_taken_from_the_return_that_carries_its_time)
{
	struct model *model = a_model();
	const struct loop *loop = a_loop(model, 0);
	returns(model, 1010, TID, FD, 1000, 1);
	/* POLL_ENTER at 1012 lost */
	returns(model, 1030, TID, FD, 1012, 1);
	enter(model, 1031, TID, FD, 1030, -1);
	assert_int_equal(loop->busy_ns, 3 * MS);
	assert_int_equal(loop->wait_ns, 28 * MS);
	assert_int_equal(loop->polls, 2);
	model_close(model);
}

TEST(a_lost_return_is_taken_from_the_enter_that_carries_its_time)
{
	struct model *model = a_model();
	const struct loop *loop = a_loop(model, 0);
	/* POLL_RETURN at 1010 lost */
	enter(model, 1014, TID, FD, 1010, -1);
	now(model, 1020);
	assert_int_equal(loop->busy_ns, 4 * MS);
	assert_int_equal(loop->wait_ns, 16 * MS);
	assert_int_equal(loop->polls, 1);
	model_close(model);
}

TEST(a_wait_and_its_slice_that_were_both_lost_count_as_neither)
{
	struct model *model = a_model();
	const struct loop *loop = a_loop(model, 0);
	returns(model, 1010, TID, FD, 1000, 1);
	/* enter and return between 1010 and 1500 lost */
	enter(model, 1502, TID, FD, 1500, -1);
	assert_int_equal(loop->busy_ns, 2 * MS);
	assert_int_equal(loop->wait_ns, 10 * MS);
	assert_int_equal(loop->stalls, 0);
	model_close(model);
}

TEST(a_clock_that_ran_ahead_of_a_record_is_corrected)
{
	struct model *model = a_model();
	const struct loop *loop = a_loop(model, 0);
	returns(model, 1010, TID, FD, 1000, 1);
	now(model, 1040);
	enter(model, 1020, TID, FD, 1010, -1);
	now(model, 1050);
	assert_int_equal(loop->busy_ns, 10 * MS);
	assert_int_equal(loop->wait_ns, 40 * MS);
	assert_int_equal(loop->slots[1].busy_ns, 10 * MS);
	assert_int_equal(loop->slots[1].wait_ns, 40 * MS);
	model_close(model);
}

TEST(a_record_told_by_two_sources_counts_once)
{
	struct model *model = a_model();
	const struct loop *loop = a_loop(model, 0);
	returns(model, 1010, TID, FD, 1000, 1);
	returns(model, 1010.01, TID, FD, 1000.01, 1);
	enter(model, 1020, TID, FD, 1010, -1);
	enter(model, 1020.01, TID, FD, 1010.01, -1);
	now(model, 1030);
	assert_int_equal(loop->polls, 1);
	assert_int_equal(loop->busy_ns, 10 * MS);
	model_close(model);
}

/* ---- loops ---- */

TEST(a_wait_on_another_poller_inside_a_slice_is_not_a_turn)
{
	struct model *model = a_model();
	const struct loop *loop = a_loop(model, 0);
	returns(model, 1010, TID, FD, 1000, 1);
	enter(model, 1011, TID, 99, 0, -1);
	returns(model, 1029, TID, 99, 1011, 1);
	enter(model, 1030, TID, FD, 1010, -1);
	assert_int_equal(model->loop_count, 1);
	assert_int_equal(loop->polls, 1);
	assert_int_equal(loop->busy_ns, 20 * MS);
	model_close(model);
}

TEST(two_declared_loops_of_a_thread_have_their_own_state)
{
	struct model *model = a_model();
	const struct loop *loop = a_loop(model, 0);
	loop_is(model, 1000, TID, 99, 0);
	returns(model, 1010, TID, FD, 1000, 1);
	enter(model, 1011, TID, 99, 0, -1);
	returns(model, 1029, TID, 99, 1011, 3);
	enter(model, 1030, TID, FD, 1010, -1);
	const struct loop *other = model_loop(model, TID, 99);
	assert_non_null(other);
	assert_int_equal(other->polls, 1);
	assert_int_equal(other->ready, 3);
	assert_int_equal(other->wait_ns, 18 * MS);
	assert_int_equal(loop->busy_ns, 20 * MS);
	model_close(model);
}

TEST(a_loop_is_made_from_its_first_wait_and_named_later)
{
	struct model *model = a_model();
	returns(model, 1000, 7, 3, 990, 1);
	const struct loop *loop = model_loop(model, 7, 3);
	assert_non_null(loop);
	assert_string_equal(loop->process->comm, "");
	process(model, 1001);
	loop_is(model, 1001, 7, 3, 0);
	assert_int_equal(model->loop_count, 1);
	assert_string_equal(loop->process->comm, "node");
	assert_int_equal(loop->backend, PS_BACKEND_EPOLL);
	model_close(model);
}

TEST(a_process_that_exits_ends_its_loops_and_its_open_stall)
{
	struct model *model = a_model();
	const struct loop *loop = a_loop(model, 0);
	returns(model, 1010, TID, FD, 1000, 1);
	now(model, 1100);
	assert_non_null(loop->open_stall);
	APPLY(model, PROCESS_EXIT, ps_ev_process_exit, 1200, 0, .pid = PID);
	assert_null(loop->open_stall);
	assert_int_equal(loop->state, LOOP_GONE);
	assert_int_equal(last_stall(model)->duration_ns, 190 * MS);
	assert_int_equal(last_stall(model)->open, 0);
	now(model, 9000);
	assert_int_equal(loop->busy_ns, 190 * MS);
	assert_int_equal(model_process(model, PID)->exited, 1);
	model_close(model);
}

/* The clock of another observer goes on where a recording ended: it says nothing of this one's loops. */
TEST(a_process_that_nobody_looks_at_any_more_gains_no_time)
{
	struct model *model = a_model();
	const struct loop *loop = a_loop(model, 0);
	returns(model, 1010, TID, FD, 1000, 1);
	now(model, 1100);
	APPLY(model, PROCESS_LEFT, ps_ev_process_left, 1110, 0, .pid = PID);
	assert_int_equal(loop->state, LOOP_UNKNOWN);
	assert_int_equal(model_process(model, PID)->exited, 0);
	now(model, 9000);
	assert_null(loop->open_stall);
	assert_int_equal(model->stall_count, 1);
	assert_int_equal(last_stall(model)->duration_ns, 100 * MS);
	assert_int_equal(loop->busy_ns, 100 * MS);
	assert_int_equal(loop->last_ns, 1110 * MS);
	uint64_t waited = loop->wait_ns;
	enter(model, 9010, TID, FD, 9010, -1); /* somebody looks again: nothing is known of the time between */
	returns(model, 9020, TID, FD, 9010, 1);
	now(model, 9025);
	assert_int_equal(model->stall_count, 1);
	assert_int_equal(loop->wait_ns, waited + 10 * MS);
	assert_int_equal(loop->busy_ns, 105 * MS);
	model_close(model);
}

TEST(a_wait_that_nobody_looks_at_any_more_gains_no_time)
{
	struct model *model = a_model();
	const struct loop *loop = a_loop(model, 0);
	enter(model, 1000, TID, FD, 990, -1);
	uint64_t waited = loop->wait_ns;
	APPLY(model, PROCESS_LEFT, ps_ev_process_left, 1050, 0, .pid = PID);
	now(model, 9000);
	assert_int_equal(loop->wait_ns, waited + 50 * MS);
	assert_int_equal(loop->last_ns, 1050 * MS);
	model_close(model);
}

TEST(the_number_of_a_loop_that_went_names_a_new_loop)
{
	struct model *model = a_model();
	const struct loop *first = a_loop(model, 0);
	loop_is(model, 1100, TID, FD, PS_LOOP_GONE);
	loop_is(model, 1200, TID, FD, 0);
	assert_int_equal(model->loop_count, 2);
	assert_ptr_not_equal(model_loop(model, TID, FD), first);
	returns(model, 1300, TID, FD, 1250, 1);
	assert_int_equal(first->polls, 0);
	assert_int_equal(model_loop(model, TID, FD)->polls, 1);
	model_close(model);
}

/* A thread that was found busy: which of the pollers is its own shows when it comes back to it. */
TEST(what_was_told_of_a_poller_guessed_wrong_is_of_the_real_one)
{
	struct model *model = a_model();
	loop_is(model, 1000, TID, FD, 0);
	APPLY(model, POLL_RETURN, ps_ev_poll_return, 1000, TID, .poller_fd = FD, .flags = PS_POLL_UNDERWAY);
	APPLY(model, FD_STATE, ps_ev_fd_state, 1001, TID, .poller_fd = FD, .fd = 20);
	now(model, 1100);
	loop_is(model, 1200, TID, FD + 11, PS_LOOP_INSTEAD);
	enter(model, 1200, TID, FD + 11, 1000, -1);
	assert_int_equal(model->loop_count, 1);
	assert_null(model_loop(model, TID, FD));
	const struct loop *loop = model_loop(model, TID, FD + 11);
	assert_int_equal(loop->poller_fd, FD + 11);
	assert_int_equal(loop->busy_ns, 200 * MS);
	assert_int_equal(loop->stalls, 1);
	assert_int_equal(last_stall(model)->duration_ns, 200 * MS);
	assert_int_equal(last_stall(model)->at_attach, 1);
	assert_int_equal(loop->fd_count, 1);
	assert_int_equal(loop->fds[0].closed, 1);
	/* a number that is given again is another loop */
	loop_is(model, 1300, TID, FD, 0);
	assert_int_equal(model->loop_count, 2);
	model_close(model);
}

TEST(a_poller_that_was_seen_to_be_waited_on_is_no_wrong_guess)
{
	struct model *model = a_model();
	const struct loop *loop = a_loop(model, 0);
	returns(model, 1100, TID, FD, 1050, 1);
	enter(model, 1110, TID, FD, 1100, -1);
	loop_is(model, 1200, TID, FD + 11, PS_LOOP_INSTEAD);
	assert_int_equal(model->loop_count, 2);
	assert_int_equal(loop->poller_fd, FD);
	assert_int_equal(loop->polls, 1);
	model_close(model);
}

/* ---- iterations ---- */

TEST(an_empty_look_is_merged_with_the_wait_that_follows)
{
	struct model *model = a_model();
	const struct loop *loop = a_loop(model, 0);
	for (int i = 0; i < 10; i++) { /* as libuv: poll(0), then poll(timeout) */
		double at = 1100 + i * 100;
		returns(model, at, TID, FD, at - 90, 1);
		enter(model, at + 1, TID, FD, at, 0);
		returns(model, at + 1.1, TID, FD, at + 1, 0);
		enter(model, at + 2.1, TID, FD, at + 1.1, -1);
	}
	assert_int_equal(loop->polls, 20);
	assert_int_equal(loop->iterations, 10);
	assert_int_equal(loop->iterations_exact, 0);
	assert_true(hist_quantile(&loop->iteration, 0.5) >= 2 * MS && hist_quantile(&loop->iteration, 0.5) <= 2.2 * MS);
	model_close(model);
}

TEST(a_loop_that_spins_on_empty_looks_turns_once_per_look)
{
	struct model *model = a_model();
	const struct loop *loop = a_loop(model, 0);
	for (int i = 0; i < 100; i++) {
		returns(model, 1000 + i + 0.5, TID, FD, 1000 + i, 0);
		enter(model, 1001 + i, TID, FD, 1000 + i + 0.5, 0);
	}
	assert_in_range(loop->iterations, 98, 100);
	model_close(model);
}

TEST(iterations_that_the_loop_counts_are_exact_and_include_lost_ones)
{
	struct model *model = a_model();
	const struct loop *loop = a_loop(model, PS_LOOP_PHASES);
	returns(model, 1010, TID, FD, 1000, 1);
	APPLY(model, ITERATION, ps_ev_iteration, 1011, TID, .number = 500);
	enter(model, 1012, TID, FD, 1010, -1);
	returns(model, 1020, TID, FD, 1012, 1);
	APPLY(model, ITERATION, ps_ev_iteration, 1023, TID, .number = 501);
	APPLY(model, ITERATION, ps_ev_iteration, 1024, TID, .number = 504);
	assert_int_equal(loop->iterations, 5);
	assert_int_equal(loop->iterations_exact, 1);
	assert_int_equal(loop->iteration.count, 2);
	assert_int_equal(loop->iteration.max, 4 * MS);
	model_close(model);
}

/* ---- phases ---- */

TEST(a_phase_lasts_to_the_next_one_without_the_wait)
{
	struct model *model = a_model();
	const struct loop *loop = a_loop(model, PS_LOOP_PHASES);
	returns(model, 1010, TID, FD, 1000, 1);
	APPLY(model, PHASE, ps_ev_phase, 1010, TID, .phase = PS_PHASE_TIMERS);
	APPLY(model, PHASE, ps_ev_phase, 1013, TID, .phase = PS_PHASE_POLL);
	enter(model, 1014, TID, FD, 1010, -1);
	returns(model, 1050, TID, FD, 1014, 1);
	APPLY(model, PHASE, ps_ev_phase, 1055, TID, .phase = PS_PHASE_CHECK);
	assert_int_equal(loop->phases[PS_PHASE_TIMERS].total_ns, 3 * MS);
	assert_int_equal(loop->phases[PS_PHASE_POLL].total_ns, 6 * MS);
	assert_int_equal(loop->phases[PS_PHASE_POLL].count, 1);
	assert_int_equal(loop->phase, PS_PHASE_CHECK);
	assert_int_equal(loop->slots[1].phase_ns[PS_PHASE_POLL], 6 * MS);
	model_close(model);
}

/* ---- callbacks and descriptors ---- */

#define BEGIN(model_, ms_, fn_, fd_, kind_)                                                                    \
	APPLY(model_, CALLBACK_BEGIN, ps_ev_callback_begin, ms_, TID, .fn = (fn_), .fd = (fd_), .kind = (kind_), .handle = 1)

TEST(a_callback_is_ended_by_whatever_comes_first)
{
	struct model *model = a_model();
	const struct loop *loop = a_loop(model, PS_LOOP_RING);
	returns(model, 1010, TID, FD, 1000, 1);
	BEGIN(model, 1010, 0xa, -1, PS_KIND_TIMER);
	APPLY(model, CALLBACK_END, ps_ev_callback_end, 1012, TID, .handle = 1);
	BEGIN(model, 1013, 0xb, -1, PS_KIND_TCP);
	BEGIN(model, 1016, 0xc, -1, PS_KIND_TCP);
	enter(model, 1020, TID, FD, 1010, -1);
	assert_int_equal(loop->callback_count, 3);
	assert_int_equal(loop->callbacks[0].total_ns, 2 * MS);
	assert_int_equal(loop->callbacks[1].total_ns, 3 * MS);
	assert_int_equal(loop->callbacks[2].total_ns, 4 * MS);
	assert_int_equal(loop->slots[1].callbacks, 3);
	model_close(model);
}

TEST(a_callback_gets_its_name_when_the_symbol_comes_later)
{
	struct model *model = a_model();
	const struct loop *loop = a_loop(model, PS_LOOP_RING);
	returns(model, 1010, TID, FD, 1000, 1);
	BEGIN(model, 1010, 0xa, -1, PS_KIND_TIMER);
	enter(model, 1020, TID, FD, 1010, -1);
	assert_null(loop->callbacks[0].frame);
	frame(model, 1, "on_tick");
	APPLY(model, SYMBOL, ps_ev_symbol, 0, 0, .pid = PID, .frame = 1, .address = 0xa);
	assert_string_equal(loop->callbacks[0].frame->name, "on_tick");
	assert_string_equal(model_symbol(model, PID, 0xa)->name, "on_tick");
	assert_null(model_symbol(model, PID, 0xb));
	model_close(model);
}

TEST(lag_is_from_the_kernels_readiness_or_from_the_return_of_the_wait)
{
	struct model *model = a_model();
	const struct loop *loop = a_loop(model, PS_LOOP_RING);
	returns(model, 1010, TID, FD, 1000, 2);
	APPLY(model, FD_READY, ps_ev_fd_ready, 1010, TID, .poller_fd = FD, .fd = 20, .ready_ns = 1004 * MS);
	APPLY(model, FD_READY, ps_ev_fd_ready, 1010, TID, .poller_fd = FD, .fd = 21);
	BEGIN(model, 1011, 0xa, 20, PS_KIND_TCP);
	BEGIN(model, 1019, 0xa, 21, PS_KIND_TCP);
	enter(model, 1020, TID, FD, 1010, -1);
	assert_int_equal(loop->fd_count, 2);
	assert_int_equal(loop->fds[0].lag->max, 7 * MS);
	assert_int_equal(loop->fds[1].lag->max, 9 * MS);
	assert_int_equal(loop->fds[0].callback_ns, 8 * MS);
	assert_int_equal(loop->lag.count, 2);
	assert_int_equal(loop->fds[1].dispatched, 1);
	model_close(model);
}

TEST(a_reused_descriptor_is_a_new_row_and_the_old_one_goes_after_a_while)
{
	struct model *model = a_model();
	const struct loop *loop = a_loop(model, PS_LOOP_RING);
	string(model, 1, "10.0.0.1:80");
	for (uint32_t generation = 1; generation <= 2; generation++)
		APPLY(model, FD_INTEREST, ps_ev_fd_interest, 1000 + generation, TID, .poller_fd = FD, .fd = 20, .events = 1,
		      .generation = generation, .op = PS_INTEREST_ADD, .kind = PS_KIND_TCP, .name = 1);
	APPLY(model, FD_INTEREST, ps_ev_fd_interest, 1003, TID, .poller_fd = FD, .fd = 21, .op = PS_INTEREST_ADD);
	assert_int_equal(loop->fd_count, 3);
	assert_int_equal(loop->fds[0].closed, 1);
	assert_string_equal(loop->fds[1].name, "10.0.0.1:80");
	now(model, 5000);
	assert_int_equal(loop->fd_count, 3);
	now(model, 12000);
	assert_int_equal(loop->fd_count, 2);
	APPLY(model, FD_IO, ps_ev_fd_io, 12001, TID, .fd = 20, .generation = 2, .read_bytes = 10);
	APPLY(model, FD_IO, ps_ev_fd_io, 12002, TID, .fd = 21, .read_bytes = 7);
	assert_int_equal(loop->fd_count, 2);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(loop->fds[i].read_bytes, loop->fds[i].fd == 20 ? 10 : 7);
	model_close(model);
}

TEST(descriptors_beyond_the_bound_are_counted_not_kept)
{
	struct model_config config = { .max_fds = 10 };
	struct model *model;
	assert_int_equal(model_open(&model, &config), 0);
	const struct loop *loop = a_loop(model, 0);
	for (int fd = 0; fd < 30; fd++)
		APPLY(model, FD_READY, ps_ev_fd_ready, 1001, TID, .poller_fd = FD, .fd = fd);
	assert_int_equal(loop->fd_count, 10);
	assert_int_equal(model->dropped, 20);
	model_close(model);
}

/* ---- timers, drains, gauges ---- */

#define TIMER(model_, event_, ms_, handle_, due_, repeat_)                                                     \
	APPLY(model_, event_, ps_ev_timer, ms_, TID, .due_ns = (due_)*MS, .repeat_ns = (repeat_)*MS, .fn = 0x77, .handle = (handle_))

TEST(timers_are_counted_by_function_and_late_by_their_due_time)
{
	struct model *model = a_model();
	const struct loop *loop = a_loop(model, PS_LOOP_RING);
	TIMER(model, TIMER_SET, 1001, 1, 1010, 0);
	TIMER(model, TIMER_SET, 1001, 1, 1012, 0); /* armed again: still one */
	TIMER(model, TIMER_SET, 1001, 2, 1010, 5);
	TIMER(model, TIMER_SET, 1001, 3, 1010, 0);
	TIMER(model, TIMER_STOPPED, 1002, 3, 1010, 0);
	assert_int_equal(loop->timers[0].armed, 2);
	TIMER(model, TIMER_FIRED, 1015, 1, 1012, 0);
	TIMER(model, TIMER_FIRED, 1016, 2, 1010, 5);
	assert_int_equal(loop->timer_count, 1);
	assert_int_equal(loop->timers[0].armed, 1);
	assert_int_equal(loop->timers[0].fired, 2);
	assert_int_equal(loop->timers[0].late_max_ns, 6 * MS);
	assert_int_equal(loop->timer_late.count, 2);
	model_close(model);
}

TEST(drains_and_gauges_are_kept)
{
	struct model *model = a_model();
	const struct loop *loop = a_loop(model, PS_LOOP_RING);
	assert_int_equal(loop->timers_armed, PS_UNKNOWN);
	APPLY(model, TICKS, ps_ev_drain, 1005, TID, .since_ns = 1003 * MS, .count = 7, .left = 1);
	APPLY(model, IMMEDIATES, ps_ev_drain, 1006, TID, .since_ns = 1005 * MS, .count = 2);
	APPLY(model, LOOP_GAUGES, ps_ev_loop_gauges, 1007, TID, .next_due_ns = 1100 * MS, .timers = 4, .handles = 9, .overdue = 1);
	assert_int_equal(loop->ticks.max_ns, 2 * MS);
	assert_int_equal(loop->ticks.callbacks, 7);
	assert_int_equal(loop->immediates.drains, 1);
	assert_int_equal(loop->timers_armed, 4);
	assert_int_equal(loop->timers_overdue, 1);
	assert_int_equal(loop->next_due_ns, 1100 * MS);
	model_close(model);
}

/* ---- threads that serve one connection each ---- */

TEST(a_connections_thread_tells_when_it_waits_and_for_how_long)
{
	struct model *model = a_model();
	APPLY(model, THREAD, ps_ev_thread, 1000, 301, .pid = PID, .role = PS_ROLE_CONNECTION);
	const struct thread *thread = model_thread(model, 301);
	assert_int_equal(thread->blocked_fd, -1);
	APPLY(model, BLOCKED, ps_ev_blocked, 1010, 301, .fd = 7, .op = PS_BLOCKED_READ);
	assert_int_equal(thread->role, PS_ROLE_CONNECTION);
	assert_int_equal(thread->blocked_fd, 7);
	assert_int_equal(thread->blocked_op, PS_BLOCKED_READ);
	assert_int_equal(thread->blocked_since_ns, 1010 * MS);
	APPLY(model, UNBLOCKED, ps_ev_unblocked, 1050, 301, .since_ns = 1010 * MS, .result = 30, .fd = 7,
	      .op = PS_BLOCKED_READ);
	assert_int_equal(thread->blocked_since_ns, 0);
	assert_int_equal(thread->blocked_ns, 40 * MS);
	APPLY(model, BLOCKED, ps_ev_blocked, 1060, 301, .fd = 7, .op = PS_BLOCKED_WRITE);
	APPLY(model, THREAD_EXIT, ps_ev_thread_exit, 1070, 301, .pid = PID);
	assert_int_equal(thread->blocked_op, 0);
	assert_int_equal(thread->blocked_calls, 1);
	model_close(model);
}

/* ---- pool ---- */

#define WORK(model_, event_, ms_, tid_, since_)                                                                \
	APPLY(model_, event_, ps_ev_work, ms_, tid_, .work = 5, .since_ns = (since_)*MS, .pid = PID, .kind = PS_WORK_CRYPTO)

TEST(a_jobs_wait_run_and_delivery_come_from_the_times_it_carries)
{
	struct model *model = a_model();
	a_loop(model, PS_LOOP_RING);
	WORK(model, WORK_SUBMITTED, 1000, TID, 0);
	assert_int_equal(model->pools[0]->queued, 1);
	WORK(model, WORK_STARTED, 1030, 201, 1000);
	const struct thread *worker = model_thread(model, 201);
	assert_int_equal(worker->role, PS_ROLE_WORKER);
	assert_int_equal(worker->work, 5);
	assert_int_equal(worker->work_kind, PS_WORK_CRYPTO);
	assert_int_equal(model->pools[0]->busy, 1);
	WORK(model, WORK_FINISHED, 1100, 201, 1030);
	assert_int_equal(worker->work, 0);
	WORK(model, WORK_DELIVERED, 1105, TID, 1100);
	const struct pool_kind *kind = &model->pools[0]->kinds[PS_WORK_CRYPTO];
	assert_int_equal(kind->wait.max, 30 * MS);
	assert_int_equal(kind->run.max, 70 * MS);
	assert_int_equal(kind->delivery.max, 5 * MS);
	assert_int_equal(kind->delivered, 1);
	assert_int_equal(model->pools[0]->queued, 0);
	model_close(model);
}

TEST(a_lost_submit_spoils_nothing_and_a_job_without_times_measures_nothing)
{
	struct model *model = a_model();
	a_loop(model, PS_LOOP_RING);
	WORK(model, WORK_STARTED, 1030, 201, 0);
	WORK(model, WORK_FINISHED, 1100, 201, 1030);
	assert_int_equal(model->pools[0]->wait.count, 0);
	assert_int_equal(model->pools[0]->run.count, 1);
	assert_int_equal(model->pools[0]->queued, 0);
	assert_int_equal(model->pools[0]->threads, PS_UNKNOWN);
	model_close(model);
}

TEST(a_pool_is_saturated_while_all_threads_are_busy_and_jobs_wait)
{
	struct model *model = a_model();
	a_loop(model, PS_LOOP_RING);
	APPLY(model, POOL_GAUGES, ps_ev_pool_gauges, 1000, TID, .pid = PID, .threads = 4, .busy = 4, .queued = 3, .oldest_ns = 990 * MS);
	now(model, 1500);
	APPLY(model, POOL_GAUGES, ps_ev_pool_gauges, 2000, TID, .pid = PID, .threads = 4, .busy = 4, .queued = 0);
	now(model, 3000);
	assert_int_equal(model->pools[0]->saturated_ns, 1000 * MS);
	assert_int_equal(model->pools[0]->saturated_last_ns, 2000 * MS);
	assert_int_equal(model->pools[0]->max_queued, 3);
	model_close(model);
}

/* ---- foreign data ---- */

TEST(strings_are_cleaned_once_and_unknown_ones_are_empty)
{
	struct model *model = a_model();
	string_bytes(model, 1, "ev\x1b[31mil\xff", 9);
	APPLY(model, THREAD, ps_ev_thread, 1000, 7, .pid = PID, .name = 1);
	assert_null(strchr(model_thread(model, 7)->name, 0x1b));
	assert_non_null(strstr(model_thread(model, 7)->name, "il"));
	APPLY(model, THREAD, ps_ev_thread, 1000, 8, .pid = PID, .name = 77);
	assert_string_equal(model_thread(model, 8)->name, "");
	model_close(model);
}

TEST(malformed_and_unknown_records_are_counted_and_change_nothing)
{
	struct model *model = a_model();
	_Alignas(8) char bytes[256] = { 0 };
	struct ps_record *record = (void *)bytes;
	*record = (struct ps_record){ 1, 1, PS_EV_POLL_RETURN, 16 }; /* shorter than its payload */
	model_apply(model, record, sizeof(bytes));
	*record = (struct ps_record){ 1, 1, PS_EV_POLL_RETURN, 248 };
	model_apply(model, record, 40); /* longer than the bytes */
	*record = (struct ps_record){ 1, 1, PS_EV_CLOCK, 33 };
	model_apply(model, record, sizeof(bytes));
	*record = (struct ps_record){ 1, 1, PS_EV_CLOCK, 0 };
	model_apply(model, record, sizeof(bytes));
	model_apply(model, record, 8);
	assert_int_equal(model->malformed, 5);
	*record = (struct ps_record){ 1, 1, 94, 24 };
	model_apply(model, record, sizeof(bytes));
	*record = (struct ps_record){ 1, 1, 60000, 24 };
	model_apply(model, record, sizeof(bytes));
	assert_int_equal(model->unknown, 2);
	assert_int_equal(model->loop_count + model->thread_count, 0);
	model_close(model);
}

TEST(a_record_with_appended_fields_is_read_as_far_as_it_is_known)
{
	struct model *model = a_model();
	struct { struct ps_ev_lost lost; uint64_t later[3]; } longer = { .lost = { .h = { 1, 0, PS_EV_LOST, sizeof(longer) }, .count = 3 } };
	assert_int_equal(model_apply(model, &longer.lost.h, sizeof(longer)), 0);
	assert_int_equal(model->lost_total, 3);
	model_close(model);
}

TEST(random_bytes_never_break_the_model)
{
	struct model_config config = { .max_stalls = 20, .max_fds = 50 };
	struct model *model, *copy;
	assert_int_equal(model_open(&model, &config), 0);
	_Alignas(8) unsigned char bytes[256];
	srand(7);
	for (int i = 0; i < 200000; i++) {
		for (size_t k = 0; k < sizeof(bytes); k++)
			bytes[k] = rand() % 3 ? (unsigned char)(rand() % 4) : (unsigned char)rand();
		struct ps_record *record = (void *)bytes;
		record->event = (uint16_t)(rand() % PS_EVENT_MAX);
		record->tid = (uint32_t)rand() % 8;
		record->size = (uint16_t)(16 + 8 * (rand() % 12));
		if (rand() % 4)
			record->ts = (uint64_t)i * MS;
		assert_int_equal(model_apply(model, record, sizeof(bytes)), 0);
		if (i % 20000 == 0) {
			assert_int_equal(model_clone(&copy, model), 0);
			model_close(copy);
		}
	}
	assert_true(model->stall_count <= 20);
	assert_true(model->events > 1000);
	for (size_t i = 0; i < model->loop_count; i++)
		assert_non_null(model->loops[i]->process);
	model_close(model);
}

TEST(loss_is_counted_by_source_and_in_its_second)
{
	struct model *model = a_model();
	const struct loop *loop = a_loop(model, 0);
	APPLY(model, LOST, ps_ev_lost, 2500, 0, .count = 5, .source = PS_LOST_RING);
	APPLY(model, LOST, ps_ev_lost, 2600, 0, .count = 2, .source = 4000);
	assert_int_equal(model->lost_total, 7);
	assert_int_equal(model->lost[PS_LOST_RING], 5);
	assert_int_equal(model->lost[PS_LOST_OTHER], 2);
	assert_int_equal(loop->slots[2].lost, 7);
	model_close(model);
}

/* ---- the copy ---- */

TEST(a_clone_stays_as_it_was_and_points_to_itself)
{
	struct model *model = a_model(), *copy;
	const struct loop *loop = a_loop(model, PS_LOOP_RING);
	frame(model, 1, "slow");
	stack(model, 1, 1);
	returns(model, 1010, TID, FD, 1000, 1);
	APPLY(model, FD_READY, ps_ev_fd_ready, 1010, TID, .poller_fd = FD, .fd = 20, .ready_ns = 1004 * MS);
	BEGIN(model, 1011, 0xa, 20, PS_KIND_TCP);
	WORK(model, WORK_SUBMITTED, 1012, TID, 0);
	cpu_sample(model, 1050, TID, 1);
	now(model, 1200);
	assert_int_equal(model_clone(&copy, model), 0);
	const struct loop *twin = model_loop(copy, TID, FD);
	assert_ptr_not_equal(twin, loop);
	assert_ptr_equal(copy->stalls[0]->loop, twin);
	assert_ptr_equal(twin->open_stall, copy->stalls[0]);
	assert_ptr_equal(twin->process, model_process(copy, PID));
	enter(model, 1300, TID, FD, 1010, -1);
	assert_int_equal(copy->stalls[0]->duration_ns, 190 * MS);
	assert_int_equal(model->stalls[0]->duration_ns, 290 * MS);
	model_close(model);
	/* and it may go on by itself */
	enter(copy, 1400, TID, FD, 1010, -1);
	assert_int_equal(copy->stalls[0]->duration_ns, 390 * MS);
	assert_string_equal(copy->stalls[0]->stacks[0].stack->frame->name, "slow");
	WORK(copy, WORK_STARTED, 1410, 201, 1012);
	assert_int_equal(copy->pools[0]->wait.count, 1);
	model_close(copy);
}

/* ---- the recent past in small pieces ---- */

TEST(tenths_of_a_second_know_busy_waiting_and_phases)
{
	struct model *model = a_model();
	a_loop(model, PS_LOOP_PHASES);
	returns(model, 1050, TID, FD, 1000, 1);
	APPLY(model, PHASE, ps_ev_phase, 1050, TID, .phase = PS_PHASE_POLL);
	APPLY(model, PHASE, ps_ev_phase, 1130, TID, .phase = PS_PHASE_CHECK);
	enter(model, 1180, TID, FD, 1050, -1);
	now(model, 1250);
	const struct beat *beats = model->loops[0]->beats;
	assert_int_equal(beats[10].number, 10);
	assert_int_equal(beats[10].busy_us, 50000);
	assert_int_equal(beats[10].phase_us[PS_PHASE_POLL], 50000);
	assert_int_equal(beats[11].busy_us, 80000);
	assert_int_equal(beats[11].wait_us, 20000);
	assert_int_equal(beats[11].phase_us[PS_PHASE_POLL], 30000);
	assert_int_equal(beats[11].phase_us[PS_PHASE_CHECK], 50000);
	assert_int_equal(beats[12].wait_us, 50000);
	model_close(model);
}

TEST(a_second_counts_busy_slices_by_length)
{
	struct model *model = a_model();
	a_loop(model, 0);
	returns(model, 1100, TID, FD, 1000, 1);
	enter(model, 1100.02, TID, FD, 1100, -1);
	returns(model, 1200, TID, FD, 1100.02, 1);
	enter(model, 1260, TID, FD, 1200, -1);
	const struct slot *slot = &model->loops[0]->slots[1];
	assert_int_equal(slot->bands[0], 1); /* 20 us */
	unsigned band = 0;
	while (model_band_ns(band) <= 60 * MS)
		band++;
	assert_int_equal(slot->bands[band], 1);
	assert_true(model_band_ns(MODEL_BANDS - 1) == UINT64_MAX);
	model_close(model);
}

TEST(the_last_jobs_of_a_worker_are_kept_also_in_a_copy)
{
	struct model *model = a_model(), *copy;
	for (uint64_t i = 0; i < 200; i++) {
		uint64_t at = 2000 + i * 10;
		APPLY(model, WORK_STARTED, ps_ev_work, at, 201, .work = i, .pid = PID, .kind = PS_WORK_DNS);
		APPLY(model, WORK_FINISHED, ps_ev_work, at + 5, 201, .work = i, .since_ns = at * MS, .pid = PID, .kind = PS_WORK_DNS);
	}
	assert_int_equal(model_clone(&copy, model), 0);
	model_close(model);
	const struct thread *thread = model_thread(copy, 201);
	assert_int_equal(thread->past_count, 200);
	assert_int_equal(thread->past[199 % MODEL_PAST_JOBS].from_ns, 3990 * MS);
	assert_int_equal(thread->past[199 % MODEL_PAST_JOBS].kind, PS_WORK_DNS);
	assert_int_equal(thread->worked[2].kind_us[PS_WORK_DNS], 500000);
	model_close(copy);
}

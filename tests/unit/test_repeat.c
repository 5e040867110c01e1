/* SPDX-License-Identifier: BSD-2-Clause */
/* Culprits over many stalls, the profile of busy time, quotas, and timers that waited. */
#include "events.h"

static void js_frame(struct model *model, uint32_t id, const char *name, const char *file, uint32_t line)
{
	frame_at(model, id, name, "", file, line, PS_FRAME_JS);
}

/* a stall of one function */
static void stalls(struct model *model, double at, double ms, uint32_t stack_id)
{
	returns(model, at, TID, FD, at - 5, 1);
	for (double k = 10; k < ms; k += 10)
		cpu_sample(model, (uint64_t)(at + k), TID, stack_id);
	APPLY(model, POLL_ENTER, ps_ev_poll_enter, at + ms, TID, .poller_fd = FD, .backend = PS_BACKEND_EPOLL, .timeout_ns = -1,
	      .on_cpu_ns = (uint64_t)(ms * MS));
}

TEST(stalls_of_one_function_are_one_culprit_whatever_their_line)
{
	struct model *model = a_model(), *copy;
	a_loop(model, 0);
	js_frame(model, 1, "validate", "/srv/check.js", 41);
	js_frame(model, 2, "validate", "/srv/check.js", 43);
	js_frame(model, 3, "report", "/srv/report.js", 7);
	stack(model, 1, 1);
	stack(model, 2, 2);
	stack(model, 3, 3);
	stalls(model, 1100, 60, 1);
	stalls(model, 1200, 90, 2);
	stalls(model, 1400, 70, 3);
	assert_int_equal(model->culprit_count, 2);
	const struct culprit_stat *row = &model->culprits[0];
	assert_string_equal(row->key, "computation validate /srv/check.js");
	assert_int_equal(row->count, 2);
	assert_int_equal(row->total_ns, 150 * MS);
	assert_int_equal(row->max_ns, 90 * MS);
	assert_int_equal(row->line, 43);
	assert_int_equal(row->first_ns, 1100 * MS);
	assert_int_equal(row->last_ns, 1290 * MS);
	assert_int_equal(row->hist->count, 2);
	assert_int_equal(model_clone(&copy, model), 0);
	model_close(model);
	assert_string_equal(copy->culprits[1].key, "computation report /srv/report.js");
	assert_null(copy->culprits[1].hist); /* of one no histogram is needed */
	assert_int_equal(culprit_quantile(&copy->culprits[1], 0.99), 70 * MS);
	model_close(copy);
}

TEST(busy_samples_make_a_profile_by_function_and_phases_by_sampling)
{
	struct model *model = a_model();
	const struct loop *loop = a_loop(model, 0);
	js_frame(model, 1, "work", "/srv/a.js", 1);
	frame(model, 2, "uv__run_timers");
	frame(model, 3, "uv_run");
	frame(model, 4, "crunch");
	stack(model, 1, 1, 2, 3);
	stack(model, 2, 4, 3);
	returns(model, 1010, TID, FD, 1000, 1);
	cpu_sample(model, 1012, TID, 1);
	cpu_sample(model, 1013, TID, 1);
	cpu_sample(model, 1014, TID, 2);
	enter(model, 1020, TID, FD, 1010, -1);
	assert_int_equal(loop->profile_samples, 3);
	assert_int_equal(loop->profile_ns, 15 * MS);
	assert_int_equal(loop->profile_count, 2);
	assert_string_equal(loop->profile[0].frame->name, "work");
	assert_int_equal(loop->profile[0].phase, PS_PHASE_TIMERS);
	assert_int_equal(loop->profile[0].samples, 2);
	assert_string_equal(loop->profile[1].frame->name, "crunch");
	assert_int_equal(loop->profile[1].phase, -1);
	assert_int_equal(loop->phases_sampled, 1);
	assert_int_equal(loop->phases[PS_PHASE_TIMERS].total_ns, 10 * MS);
	model_close(model);
}

static void throttled(struct model *model, uint64_t ms, uint64_t ns)
{
	APPLY(model, THROTTLED, ps_ev_throttled, ms, 0, .throttled_ns = ns, .pid = PID);
}

TEST(a_quota_that_is_told_after_the_stall_explains_it_still)
{
	struct model *model = a_model();
	a_loop(model, 0);
	throttled(model, 1005, 1000);
	returns(model, 1010, TID, FD, 1000, 1);
	enter_sums(model, 1210, 40, 160, 0);
	const struct stall *stall = last_stall(model);
	assert_int_equal(stall->cause, CAUSE_RUN_QUEUE);
	assert_int_equal(stall->rule, RULE_HOST);
	throttled(model, 1215, 1000 + 150 * MS);
	assert_int_equal(stall->cause, CAUSE_THROTTLED);
	assert_int_equal(stall->throttled_ns, 150 * MS);
	assert_non_null(strstr(stall->culprit, "quota"));
	/* the next one is not explained by what was before it */
	returns(model, 1220, TID, FD, 1210, 1);
	enter_sums(model, 1420, 40, 160, 0);
	throttled(model, 1425, 1000 + 151 * MS);
	assert_int_equal(last_stall(model)->cause, CAUSE_RUN_QUEUE);
	model_close(model);
}

TEST(timers_that_came_due_while_the_loop_was_blocked_are_held_up)
{
	struct model *model = a_model();
	a_loop(model, 0);
	returns(model, 1010, TID, FD, 1000, 1);
	APPLY(model, TIMERS_DUE, ps_ev_timers_due, 1070, TID, .poller_fd = FD, .count = 3, .total = 3,
	      .due_ns = { 1100 * MS, 1150 * MS, 5000 * MS });
	now(model, 1120);
	assert_int_equal(last_stall(model)->held_timers, 1);
	enter_sums(model, 1210, 200, 0, 0);
	assert_int_equal(last_stall(model)->held_timers, 2);
	assert_int_equal(last_stall(model)->held_longest_ns, 110 * MS);
	/* of the next stall nothing was read */
	returns(model, 1300, TID, FD, 1210, 0);
	enter_sums(model, 1500, 200, 0, 0);
	assert_int_equal(last_stall(model)->held_timers, PS_UNKNOWN);
	model_close(model);
}

TEST(the_pattern_of_a_regular_expression_is_kept_with_the_stall)
{
	struct model *model = a_model();
	a_loop(model, 0);
	frame_at(model, 1, "[RegExp /^(a+)+$/]", "", "", 0, PS_FRAME_JIT);
	js_frame(model, 2, "validate", "/srv/check.js", 41);
	stack(model, 1, 1, 2);
	stalls(model, 1100, 80, 1);
	const struct stall *stall = last_stall(model);
	assert_int_equal(stall->rule, RULE_REGEX);
	assert_string_equal(stall->regexp, "/^(a+)+$/");
	assert_string_equal(stall->culprit, "[RegExp /^(a+)+$/] <- validate check.js:41");
	assert_int_equal(stall->rule_percent[RULE_REGEX], 100);
	assert_string_equal(stall->blamed->name, "validate");
	model_close(model);
}

TEST(a_stall_that_goes_on_off_the_cpu_is_not_taken_for_work)
{
	struct model *model = a_model();
	a_loop(model, 0);
	probe_is(model, PS_PROBE_SCHED, PS_PROBE_STATE_ON, "");
	probe_is(model, PS_PROBE_SAMPLING, PS_PROBE_STATE_ON, "");
	frame(model, 1, "f");
	stack(model, 1, 1);
	returns(model, 1010, TID, FD, 1000, 1);
	cpu_sample(model, 1020, TID, 1);
	now(model, 2010); /* for a second no tick of its CPU time */
	assert_int_equal(last_stall(model)->cause, CAUSE_RUN_QUEUE);
	assert_true(last_stall(model)->on_cpu_ns < 200 * MS);
	model_close(model);
}

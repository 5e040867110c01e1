/* SPDX-License-Identifier: BSD-2-Clause */
/* What a poller holds, as text and as records; and the governor, from figures. */
#include "events.h"
#include "governor.h"
#include "poller.h"

static const struct fd_stat *row_of(const struct model *model, int32_t fd, uint32_t generation)
{
	const struct loop *loop = model_loop(model, TID, FD);

	for (size_t i = 0; loop && i < loop->fd_count; i++)
		if (loop->fds[i].fd == fd && loop->fds[i].generation == generation)
			return &loop->fds[i];
	return NULL;
}

static struct model *a_watched_loop(void)
{
	struct model *model = a_model();

	APPLY(model, LOOP, ps_ev_loop, 0, TID, .pid = PID, .poller_fd = FD, .backend = PS_BACKEND_EPOLL);
	return model;
}

TEST(a_line_of_fdinfo_gives_descriptor_events_and_data)
{
	static const char line[] = "tfd:       19 events: 80000019 data:     7f12000000ff  pos:0 ino:c57d5 sdev:9\n";
	struct ps_poller_item item;

	assert_int_equal(poller_parse_item(&item, line, sizeof(line) - 1), 0);
	assert_int_equal(item.fd, 19);
	assert_int_equal(item.events, 0x80000019u);
	assert_int_equal(item.data, 0x7f12000000ffull);
	assert_int_equal(item.inode, 0xc57d5);
}

TEST(other_lines_of_fdinfo_are_refused)
{
	static const char *const lines[] = { "",
					     "pos:\t0",
					     "tfd:",
					     "tfd: x events: 19 data: 1",
					     "tfd: -1 events: 19 data: 1",
					     "tfd: 99999999999 events: 1 data: 1",
					     "tfd: 5 events: 19",
					     " tfd: 5 events: 1 data: 1" };
	struct ps_poller_item item;

	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++)
		assert_true(poller_parse_item(&item, lines[i], strlen(lines[i])) < 0);
}

TEST(a_turn_is_told_in_two_parts_that_add_up)
{
	struct model *model = a_watched_loop();

	APPLY(model, FD_TURN, ps_ev_fd_turn, 100, TID, .poller_fd = FD, .fd = 7, .generation = 1, .ready_ns = 40 * MS,
	      .returned_ns = 90 * MS);
	const struct loop *loop = model_loop(model, TID, FD);
	assert_int_equal(loop->lag.max, 60 * MS);
	assert_int_equal(loop->lag_kernel.max, 50 * MS);
	assert_int_equal(loop->lag_turn.max, 10 * MS);
	const struct fd_stat *row = row_of(model, 7, 1);
	assert_non_null(row);
	assert_int_equal(row->lag_kernel->max + row->lag_turn->max, row->lag->max);
	model_close(model);
}

TEST(a_turn_whose_readiness_nobody_saw_has_no_lag_but_a_turn)
{
	struct model *model = a_watched_loop();

	APPLY(model, FD_TURN, ps_ev_fd_turn, 100, TID, .poller_fd = FD, .fd = 7, .generation = 1,
	      .returned_ns = 90 * MS);
	const struct fd_stat *row = row_of(model, 7, 1);
	assert_null(row->lag);
	assert_null(row->lag_kernel);
	assert_int_equal(row->lag_turn->max, 10 * MS);
	/* returned after it was used: told wrongly */
	APPLY(model, FD_TURN, ps_ev_fd_turn, 100, TID, .poller_fd = FD, .fd = 7, .generation = 1,
	      .returned_ns = 190 * MS);
	assert_int_equal(row_of(model, 7, 1)->lag_turn->count, 1);
	model_close(model);
}

TEST(counts_that_nobody_takes_are_unknown_and_those_that_somebody_takes_begin_at_0)
{
	struct model *model = a_watched_loop();

	APPLY(model, FD_STATE, ps_ev_fd_state, 1, TID, .poller_fd = FD, .fd = 7, .generation = 1, .events = 0x19,
	      .unread_bytes = PS_UNKNOWN, .backlog = PS_UNKNOWN, .backlog_max = PS_UNKNOWN);
	assert_true(row_of(model, 7, 1)->ready == PS_UNKNOWN && row_of(model, 7, 1)->eagain == PS_UNKNOWN);
	assert_int_equal(row_of(model, 7, 1)->is_ready, -1);
	APPLY(model, FD_STATE, ps_ev_fd_state, 2, TID, .poller_fd = FD, .fd = 8, .generation = 2, .events = 0x19,
	      .flags = PS_FD_COUNTED | PS_FD_SEEN | PS_FD_IS_READY, .unread_bytes = 12, .backlog = PS_UNKNOWN,
	      .backlog_max = PS_UNKNOWN);
	const struct fd_stat *row = row_of(model, 8, 2);
	assert_int_equal(row->ready, 0);
	assert_true(row->dispatched == PS_UNKNOWN);
	assert_int_equal(row->is_ready, 1);
	assert_int_equal(row->unread_bytes, 12);
	APPLY(model, FD_COUNTS, ps_ev_fd_counts, 3, TID, .poller_fd = FD, .fd = 8, .generation = 2, .ready = 3,
	      .dispatched = 9, .flags = PS_FD_USE_UNSEEN);
	assert_int_equal(row_of(model, 8, 2)->ready, 3);
	assert_true(row_of(model, 8, 2)->dispatched == PS_UNKNOWN);
	model_close(model);
}

TEST(another_file_under_a_number_is_another_row_and_the_old_one_closes)
{
	struct model *model = a_watched_loop();

	for (uint32_t generation = 1; generation <= 2; generation++)
		APPLY(model, FD_STATE, ps_ev_fd_state, generation, TID, .poller_fd = FD, .fd = 7,
		      .generation = generation, .events = 1);
	assert_true(row_of(model, 7, 1)->closed);
	assert_false(row_of(model, 7, 2)->closed);
	model_close(model);
}

/* `seconds` of a steady rate; returns the verdict of the last one. */
static int govern(struct governor *governor, unsigned seconds, uint64_t hits_per_s, uint64_t run_per_s)
{
	static const uint64_t second = 1000000000;
	static uint64_t now, hits;
	int verdict = 0;

	for (unsigned i = 0; i <= seconds && !verdict; i++) {
		now += second;
		hits += hits_per_s;
		verdict = governor_judge(governor, now, hits, run_per_s);
	}
	return verdict;
}

TEST(a_group_within_its_budget_goes_on)
{
	struct governor governor;

	governor_open(&governor, NULL, GOVERNOR_BUDGET_NS, GOVERNOR_UPROBE_NS);
	assert_int_equal(govern(&governor, 10, 10000, 1000000), 0);
	assert_int_equal(governor.hits_per_s, 10000);
	assert_int_equal(governor.cost_per_s, 10000 * GOVERNOR_UPROBE_NS + 1000000);
}

TEST(a_group_above_its_budget_for_two_seconds_is_given_up_with_the_reason)
{
	struct governor governor;

	governor_open(&governor, NULL, GOVERNOR_BUDGET_NS, 0);
	assert_int_equal(govern(&governor, 1, 100, 30000000), 0);
	assert_int_equal(govern(&governor, 1, 100, 1000000), 0); /* it was a moment */
	assert_int_equal(govern(&governor, 2, 100, 30000000), 1);
	assert_non_null(strstr(governor.why, "3.0 % of a core"));
	assert_non_null(strstr(governor.why, "the budget is 2.0 %"));
}

TEST(a_group_far_above_its_budget_is_given_up_at_once)
{
	struct governor governor;

	governor_open(&governor, NULL, GOVERNOR_BUDGET_NS, 0);
	assert_int_equal(govern(&governor, 1, 100, 90000000), 1);
}

TEST(a_group_whose_cost_nobody_knows_is_not_judged)
{
	struct governor governor;

	governor_open(&governor, NULL, GOVERNOR_BUDGET_NS, 0);
	assert_int_equal(govern(&governor, 5, 1000000000, PS_UNKNOWN), 0);
	assert_true(governor.cost_per_s == PS_UNKNOWN);
}

/* Drains 50 ms apart, that many hits in each; those that were counted before are none of its. */
static unsigned drains_until_given_up(struct governor *governor, uint64_t hits_each)
{
	uint64_t now = 1000000000, hits = 5000000;
	unsigned drains = 0;

	governor_hasten(governor, now, hits);
	while (drains++ < 100) {
		now += 50000000;
		hits += hits_each;
		if (governor_judge(governor, now, hits, PS_UNKNOWN))
			return drains;
	}
	return 0;
}

TEST(a_hastened_group_above_its_budget_is_given_up_within_a_fifth_of_a_second)
{
	struct governor governor;

	governor_open(&governor, NULL, GOVERNOR_BUDGET_NS, GOVERNOR_UPROBE_NS);
	assert_int_equal(drains_until_given_up(&governor, 1000), 3);
	governor_open(&governor, NULL, GOVERNOR_BUDGET_NS, GOVERNOR_UPROBE_NS);
	assert_int_equal(drains_until_given_up(&governor, 10000), 2);
	assert_non_null(strstr(governor.why, "26.0 % of a core at 200000 hits a second"));
	governor_open(&governor, NULL, GOVERNOR_BUDGET_NS, GOVERNOR_UPROBE_NS);
	assert_int_equal(drains_until_given_up(&governor, 500), 0);
}

TEST(of_a_group_that_only_rests_one_look_far_above_its_budget_is_enough)
{
	struct governor governor;

	governor_open(&governor, NULL, GOVERNOR_BUDGET_NS, GOVERNOR_UPROBE_NS);
	governor.is_mild = 1;
	assert_int_equal(drains_until_given_up(&governor, 10000), 1);
	governor_open(&governor, NULL, GOVERNOR_BUDGET_NS, GOVERNOR_UPROBE_NS);
	governor.is_mild = 1;
	assert_int_equal(drains_until_given_up(&governor, 1000), 3);
}

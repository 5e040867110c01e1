/* SPDX-License-Identifier: BSD-2-Clause */
/* What bounds the taking of stacks, on machines of all speeds: the arithmetic that the BPF programs run. */
#include "test.h"

#include "ps_probe.h"

#define SECOND 1000000000ull
#define MS 1000000ull

/* A CPU that is to take a stack each `period` for ten seconds, each of which takes `each`: how long it was busy with that. */
static uint64_t spent_in_ten_seconds(struct ps_pace *pace, uint64_t period, uint64_t each, unsigned *taken)
{
	uint64_t now = SECOND, spent = 0;

	*taken = 0;
	while (now < 11 * SECOND) {
		if (!ps_pace_allows(pace, now)) {
			now += period;
			continue;
		}
		ps_pace_spend(pace, now, now + each);
		spent += each;
		++*taken;
		/* a tick that is late comes at once */
		now += each > period ? each : period;
	}
	return spent;
}

TEST(where_a_stack_takes_microseconds_none_is_left_out)
{
	struct ps_pace pace = { 0 };
	unsigned taken;

	spent_in_ten_seconds(&pace, 5 * MS, 10000, &taken);
	assert_int_equal(taken, 2000);
	/* nor of bursts: 64 in a row, from many threads at once */
	pace = (struct ps_pace){ 0 };
	for (unsigned i = 0; i < 640; i++) {
		assert_true(ps_pace_allows(&pace, SECOND + i * 12000));
		ps_pace_spend(&pace, SECOND + i * 12000, SECOND + i * 12000 + 10000);
	}
}

TEST(a_machine_on_which_a_stack_takes_longer_than_its_period_goes_on_working)
{
	static const uint64_t each[] = { MS, 4 * MS, 5 * MS, 8 * MS, 20 * MS, 90 * MS };

	for (size_t i = 0; i < sizeof(each) / sizeof(*each); i++) {
		struct ps_pace pace = { 0 };
		unsigned taken;
		uint64_t spent = spent_in_ten_seconds(&pace, 5 * MS, each[i], &taken);

		assert_true(taken > 10);
		assert_true(spent <= SECOND + 10 * MS + each[i] + PS_PACE_DEBT_NS / PS_PACE_TIMES);
	}
}

TEST(even_where_one_takes_a_quarter_of_a_second_most_of_the_time_is_left)
{
	struct ps_pace pace = { 0 };
	unsigned taken;

	assert_true(spent_in_ten_seconds(&pace, 5 * MS, 250 * MS, &taken) < 3 * SECOND);
	assert_true(taken > 5);
}

TEST(a_stop_of_the_machine_in_the_middle_of_a_stack_is_paid_back_within_a_second)
{
	struct ps_pace pace = { 0 };

	ps_pace_spend(&pace, SECOND, 11 * SECOND);
	assert_false(ps_pace_allows(&pace, 11 * SECOND));
	assert_true(ps_pace_allows(&pace, 12 * SECOND));
	/* and a clock that stood still costs nothing */
	ps_pace_spend(&pace, 13 * SECOND, 13 * SECOND);
	assert_true(ps_pace_allows(&pace, 13 * SECOND));
}

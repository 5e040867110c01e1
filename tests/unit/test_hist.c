/* SPDX-License-Identifier: BSD-2-Clause */
/* The histogram's promises: at most 6.25 % too large, never too small, exactly mergeable. */
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "hist.h"

static uint64_t random_value(void)
{
	uint64_t value = (uint64_t)rand() << 31 ^ (uint64_t)rand();
	return value >> (rand() % 62);
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

TEST(buckets_are_adjacent_and_hold_their_bounds)
{
	for (unsigned i = 0; i + 1 < HIST_BUCKETS; i++) {
		uint64_t low = hist_bucket_low(i), next = hist_bucket_low(i + 1);
		assert_true(low < next);
		assert_int_equal(hist_bucket(low), i);
		assert_int_equal(hist_bucket(next - 1), i);
		assert_true((next - 1 - low) * HIST_SUB <= low || i < HIST_SUB);
	}
	assert_int_equal(hist_bucket((1ull << 43) - 1), HIST_BUCKETS - 1);
	assert_int_equal(hist_bucket(1ull << 43), HIST_BUCKETS - 1);
	assert_int_equal(hist_bucket(UINT64_MAX), HIST_BUCKETS - 1);
}

TEST(many_equal_values_are_as_so_many_single_ones)
{
	static struct hist one_by_one, together;
	for (unsigned i = 0; i < 1000; i++)
		hist_add(&one_by_one, 12345);
	hist_add_many(&together, 12345, 1000);
	hist_add_many(&together, 99, 0);
	assert_memory_equal(&one_by_one, &together, sizeof(together));
	hist_add_many(&together, UINT64_MAX / 2, UINT64_MAX / 2);
	assert_int_equal(together.sum, UINT64_MAX);
	assert_int_equal(together.buckets[HIST_BUCKETS - 1], UINT32_MAX);
}

TEST(a_quantile_is_never_too_small_and_at_most_a_sixteenth_too_large)
{
	srand(2);
	for (unsigned round = 0; round < 200; round++) {
		static uint64_t values[500];
		struct hist hist = { 0 };
		unsigned count = 1 + (unsigned)rand() % 500;
		for (unsigned i = 0; i < count; i++) {
			values[i] = random_value() & ((1ull << 43) - 1);
			hist_add(&hist, values[i]);
		}
		qsort(values, count, sizeof(values[0]), by_value);
		static const double quantiles[] = { 0, 0.01, 0.5, 0.9, 0.99, 1 };
		for (unsigned q = 0; q < 6; q++) {
			double rank = quantiles[q] * count;
			unsigned index = (unsigned)rank - (rank == (unsigned)rank && rank > 0);
			uint64_t exact = values[index], got = hist_quantile(&hist, quantiles[q]);
			assert_true(got >= exact);
			assert_true(got <= exact + exact / HIST_SUB);
			assert_true(got <= hist.max);
		}
		assert_true(hist.min == values[0] && hist.max == values[count - 1]);
		assert_true(hist_quantile(&hist, 1) == hist.max);
	}
}

TEST(merging_equals_adding_to_one)
{
	srand(3);
	static struct hist whole, parts[3], merged;
	for (unsigned i = 0; i < 3000; i++) {
		uint64_t value = random_value();
		hist_add(&whole, value);
		hist_add(&parts[rand() % 3], value);
	}
	for (unsigned i = 0; i < 3; i++)
		hist_merge(&merged, &parts[i]);
	assert_memory_equal(&whole, &merged, sizeof(whole));
	struct hist empty = { 0 };
	hist_merge(&merged, &empty);
	assert_memory_equal(&whole, &merged, sizeof(whole));
}

TEST(an_empty_histogram_has_quantile_zero)
{
	struct hist hist = { 0 };
	assert_true(hist_quantile(&hist, 0.5) == 0);
}

TEST(counters_stop_at_their_maximum)
{
	struct hist a = { 0 }, b;
	hist_add(&a, UINT64_MAX);
	hist_add(&a, UINT64_MAX);
	assert_true(a.sum == UINT64_MAX);
	a.buckets[HIST_BUCKETS - 1] = UINT32_MAX;
	b = a;
	hist_merge(&a, &b);
	assert_true(a.buckets[HIST_BUCKETS - 1] == UINT32_MAX);
	hist_add(&a, UINT64_MAX);
	assert_true(a.buckets[HIST_BUCKETS - 1] == UINT32_MAX);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The hash table against a plain array that knows the truth. */
#include "table.h"
#include "test.h"

TEST(an_empty_table_finds_nothing_and_refuses_value_zero)
{
	struct table table = { 0 };
	assert_int_equal(table_get(&table, 0), 0);
	table_remove(&table, 7);
	assert_int_equal(table_put(&table, 7, 0), -22);
	assert_int_equal(table.count, 0);
	table_free(&table);
}

TEST(key_zero_is_a_key)
{
	struct table table = { 0 };
	assert_int_equal(table_put(&table, 0, 9), 0);
	assert_int_equal(table_get(&table, 0), 9);
	table_remove(&table, 0);
	assert_int_equal(table_get(&table, 0), 0);
	table_free(&table);
}

TEST(random_puts_and_removes_agree_with_an_array)
{
	enum { KEYS = 512 };
	static uint64_t truth[KEYS];
	struct table table = { 0 };
	size_t count = 0;
	srand(1);
	for (int i = 0; i < 200000; i++) {
		uint64_t key = (uint64_t)rand() % KEYS, value = (uint64_t)rand() + 1;
		if (rand() % 2) {
			count += !truth[key];
			truth[key] = value;
			assert_int_equal(table_put(&table, key * 4096, value), 0);
		} else {
			count -= truth[key] != 0;
			truth[key] = 0;
			table_remove(&table, key * 4096);
		}
		assert_int_equal(table.count, count);
		if (i % 1000 == 0)
			for (uint64_t k = 0; k < KEYS; k++)
				assert_int_equal(table_get(&table, k * 4096), truth[k]);
	}
	table_free(&table);
}

TEST(a_copy_lives_without_the_original)
{
	struct table table = { 0 }, copy;
	for (uint64_t i = 1; i <= 100; i++)
		assert_int_equal(table_put(&table, i, i * 3), 0);
	assert_int_equal(table_copy(&copy, &table), 0);
	table_free(&table);
	for (uint64_t i = 1; i <= 100; i++)
		assert_int_equal(table_get(&copy, i), i * 3);
	table_free(&copy);
}

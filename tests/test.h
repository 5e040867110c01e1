/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One test, one sentence:
 *
 *   TEST(a_timer_closed_in_its_callback_does_not_fire_again) { assert_int_equal(…); }
 *
 * A test registers where it is written. `program --list` prints the names,
 * `program NAME` runs one; tests/run gives each its own process and time limit.
 * Checks are cmocka's assert_*; SKIP(why) leaves with the reason.
 */
#ifndef TEST_H
#define TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

struct test {
	const char *name;
	void (*run)(void **state);
	struct test *next;
};

void test_register(struct test *test);

#define TEST(sentence)                                                         \
	static void sentence(void **state);                                    \
	static struct test sentence##_test = { #sentence, sentence, NULL };    \
	__attribute__((constructor)) static void sentence##_register(void)     \
	{                                                                      \
		test_register(&sentence##_test);                               \
	}                                                                      \
	static void sentence(void **state __attribute__((unused)))

#define SKIP(...) (printf("SKIP: " __VA_ARGS__), printf("\n"), exit(77))

#endif

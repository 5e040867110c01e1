/* SPDX-License-Identifier: BSD-2-Clause */
/* main() of every test program: lists or runs the tests that are linked in. */
#include "test.h"

#include <string.h>

static struct test *first, **last = &first;

void test_register(struct test *test)
{
	*last = test;
	last = &test->next;
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc != 2) {
		fprintf(stderr, "usage: %s --list | TEST\n", argv[0]);
		return 2;
	}
	int list = !strcmp(argv[1], "--list");
	for (struct test *test = first; test; test = test->next) {
		if (list) {
			puts(test->name);
		} else if (!strcmp(argv[1], test->name)) {
			const struct CMUnitTest one[] = { { test->name, test->run, NULL, NULL, NULL } };
			return cmocka_run_group_tests(one, NULL, NULL) ? 1 : 0;
		}
	}
	return list ? 0 : 2;
}

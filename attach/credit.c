/* SPDX-License-Identifier: BSD-2-Clause */
#include "credit.h"

#include <time.h>

#include "source.h"

#define STACK_NS     20000000ull  /* one stack, at most */
#define CREDIT_NS    500000000ull /* what may be saved up */
#define CREDIT_SHARE 4            /* a quarter of the time that passes */
#define LOOKS        8            /* a read takes microseconds */

uint64_t credit_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

int deadline_passed(struct deadline *deadline)
{
	if (deadline->ns && !deadline->passed && deadline->looks++ % LOOKS == 0)
		deadline->passed = credit_clock() > deadline->ns;
	return deadline->passed;
}

void credit_open(struct credit *credit)
{
	*credit = (struct credit){ CREDIT_NS, stream_now() };
}

uint64_t credit_begin(struct credit *credit, uint64_t *began)
{
	uint64_t now = stream_now();

	credit->left_ns += (now - credit->given_ns) / CREDIT_SHARE;
	credit->given_ns = now;
	if (credit->left_ns > CREDIT_NS)
		credit->left_ns = CREDIT_NS;
	*began = credit_clock();
	return *began + (credit->left_ns < STACK_NS ? credit->left_ns : STACK_NS);
}

void credit_end(struct credit *credit, uint64_t began)
{
	uint64_t spent = credit_clock() - began;

	credit->left_ns -= spent < credit->left_ns ? spent : credit->left_ns;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Time that reading a foreign process may take.
 *
 * A deadline bounds one piece of work, in CPU time of the calling thread, so that
 * a busy machine costs no names. A credit bounds all of them together: the
 * stacks of a process get a quarter of our time at most, whatever it does.
 */
#ifndef CREDIT_H
#define CREDIT_H

#include <stdint.h>

/* CPU time of the calling thread, ns. */
uint64_t credit_clock(void);

struct deadline {
	uint64_t ns;    /* by credit_clock(); 0 = none */
	unsigned looks; /* the clock is a system call: every eighth look sees it */
	int passed;
};

/* Once passed it stays passed. */
int deadline_passed(struct deadline *deadline);

struct credit {
	uint64_t left_ns, given_ns;
};

void credit_open(struct credit *credit);
/* The deadline of a stack that begins now, which is `began`, both by credit_clock(). */
uint64_t credit_begin(struct credit *credit, uint64_t *began);
void credit_end(struct credit *credit, uint64_t began);

#endif

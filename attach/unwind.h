/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From registers and a copy of the stack to the callers, by the rules that
 * compilers write for exceptions (.eh_frame), and by frame pointers where there
 * are none. Pure: rules come from a callback, memory is the copy. Everything in
 * both may be hostile; the walk is bounded and each step goes outwards.
 */
#ifndef UNWIND_H
#define UNWIND_H

#include <stddef.h>
#include <stdint.h>

#define UNWIND_REGISTERS 17 /* x86-64, by DWARF number; the last is the program counter */
#define UNWIND_OPS 12 /* longest expression that is kept */

enum unwind_op_code {
	UNWIND_LITERAL,
	UNWIND_REGISTER,
	UNWIND_CFA,
	UNWIND_DEREF,
	UNWIND_ADD,
	UNWIND_SUBTRACT,
	UNWIND_MULTIPLY,
	UNWIND_AND,
	UNWIND_OR,
	UNWIND_SHIFT_LEFT,
	UNWIND_SHIFT_RIGHT,
	UNWIND_AT_LEAST,
	UNWIND_EQUAL,
	UNWIND_DUPLICATE,
	UNWIND_DROP,
	UNWIND_SWAP
};

/*
 * REGISTER pushes register `number` + value, LITERAL pushes value; the others work on the stack. Packed, for thousands of
 * rules are kept.
 */
struct __attribute__((packed)) unwind_op {
	uint8_t code;
	uint8_t number;
	int64_t value;
};

enum unwind_kind { UNWIND_SAME, UNWIND_UNDEFINED, UNWIND_AT_CFA, UNWIND_IS_CFA, UNWIND_AT_SP, UNWIND_EXPRESSION };

struct unwind_rule {
	int32_t cfa_offset;
	uint8_t cfa_register; /* UINT8_MAX: by `cfa` */
	uint8_t is_signal; /* the frame of a signal: what it interrupted was no call */
	uint8_t cfa_ops;
	uint8_t value_ops, value_of; /* the one register that has an expression, if any */
	uint8_t value_is_address;
	uint8_t kinds[UNWIND_REGISTERS];
	int32_t offsets[UNWIND_REGISTERS]; /* from the CFA, or from the stack pointer */
	struct unwind_op cfa[UNWIND_OPS], value[UNWIND_OPS];
};

struct unwind_stack {
	const uint8_t *bytes; /* from a little below the stack pointer on: functions may use that too */
	size_t size;
	uint64_t start; /* address of the first byte */
};

enum unwind_place { UNWIND_NOWHERE, UNWIND_WITH_RULE, UNWIND_WITHOUT_RULE };

struct unwind {
	struct unwind_stack stack;
	uint64_t registers[UNWIND_REGISTERS];
	/* What is at an address: fills the rule when there is one. */
	enum unwind_place (*rule)(void *arg, uint64_t address, const struct unwind_rule **rule);
	void *arg;
};

/*
 * The program counters, innermost first; all but the first are return addresses (or what a signal interrupted:
 * then 1 is added, so that they are looked up alike), and what the frame pointer was in each. *complete: the outermost function was reached.
 */
size_t unwind_walk(struct unwind *unwind, uint64_t *pcs, uint64_t *fps, size_t room, int *complete);

/* A word of the copied stack. 0: it is not in it. */
int unwind_word(const struct unwind_stack *stack, uint64_t address, uint64_t *word);

#endif

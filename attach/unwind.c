/* SPDX-License-Identifier: BSD-2-Clause */
/* The walk: see unwind.h. The machine is x86-64; for others the kernel's own walk by frame pointers has to do. */
#include "unwind.h"

#include <string.h>

#define REG_FP 6
#define REG_SP 7
#define REG_PC 16
#define OPERANDS 8

int unwind_word(const struct unwind_stack *stack, uint64_t address, uint64_t *word)
{
	uint64_t at = address - stack->start;

	if (address < stack->start || stack->size < sizeof(*word) || at > stack->size - sizeof(*word))
		return 0;
	memcpy(word, stack->bytes + at, sizeof(*word));
	return 1;
}

/* ---- expressions ---- */

struct operands {
	uint64_t values[OPERANDS];
	unsigned count;
};

static int push(struct operands *operands, uint64_t value)
{
	if (operands->count == OPERANDS)
		return 0;
	operands->values[operands->count++] = value;
	return 1;
}

static uint64_t combine(uint8_t code, uint64_t a, uint64_t b)
{
	switch (code) {
	case UNWIND_ADD:
		return a + b;
	case UNWIND_SUBTRACT:
		return a - b;
	case UNWIND_MULTIPLY:
		return a * b;
	case UNWIND_AND:
		return a & b;
	case UNWIND_OR:
		return a | b;
	case UNWIND_SHIFT_LEFT:
		return b < 64 ? a << b : 0;
	case UNWIND_SHIFT_RIGHT:
		return b < 64 ? a >> b : 0;
	case UNWIND_AT_LEAST:
		return (int64_t)a >= (int64_t)b;
	default:
		return a == b;
	}
}

static int step_expression(const struct unwind *unwind, const struct unwind_op *op, uint64_t cfa,
			   struct operands *operands)
{
	uint64_t *top = operands->values + operands->count, word;

	switch (op->code) {
	case UNWIND_LITERAL:
		return push(operands, (uint64_t)op->value);
	case UNWIND_REGISTER:
		return op->number < UNWIND_REGISTERS &&
		       push(operands, unwind->registers[op->number] + (uint64_t)op->value);
	case UNWIND_CFA:
		return push(operands, cfa);
	case UNWIND_DUPLICATE:
		return operands->count && push(operands, top[-1]);
	case UNWIND_DROP:
		return operands->count && operands->count--;
	case UNWIND_DEREF:
		return operands->count && unwind_word(&unwind->stack, top[-1], &top[-1]);
	case UNWIND_SWAP:
		if (operands->count < 2)
			return 0;
		word = top[-1];
		top[-1] = top[-2];
		top[-2] = word;
		return 1;
	default:
		if (operands->count < 2)
			return 0;
		top[-2] = combine(op->code, top[-2], top[-1]);
		operands->count--;
		return 1;
	}
}

static int evaluate(const struct unwind *unwind, const struct unwind_op *ops, unsigned count, uint64_t cfa,
		    uint64_t *value)
{
	struct operands operands = { .count = 0 };

	for (unsigned i = 0; i < count && i < UNWIND_OPS; i++)
		if (!step_expression(unwind, &ops[i], cfa, &operands))
			return 0;
	if (!operands.count)
		return 0;
	*value = operands.values[operands.count - 1];
	return 1;
}

/* ---- one frame ---- */

enum step { STEP_ON, STEP_END, STEP_LOST };

static int find_cfa(const struct unwind *unwind, const struct unwind_rule *rule, uint64_t *cfa)
{
	if (rule->cfa_register == UINT8_MAX)
		return evaluate(unwind, rule->cfa, rule->cfa_ops, 0, cfa);
	if (rule->cfa_register >= UNWIND_REGISTERS)
		return 0;
	*cfa = unwind->registers[rule->cfa_register] + (uint64_t)(int64_t)rule->cfa_offset;
	return 1;
}

/* 0: it has no value any more */
static int find_register(const struct unwind *unwind, const struct unwind_rule *rule, unsigned number, uint64_t cfa,
			 uint64_t *value)
{
	uint64_t address = cfa + (uint64_t)(int64_t)rule->offsets[number];

	switch (rule->kinds[number]) {
	case UNWIND_SAME:
		*value = unwind->registers[number];
		return 1;
	case UNWIND_AT_CFA:
		return unwind_word(&unwind->stack, address, value);
	case UNWIND_IS_CFA:
		*value = address;
		return 1;
	case UNWIND_AT_SP:
		return unwind_word(&unwind->stack, unwind->registers[REG_SP] + (uint64_t)(int64_t)rule->offsets[number],
				 value);
	case UNWIND_EXPRESSION:
		if (rule->value_of != number || !evaluate(unwind, rule->value, rule->value_ops, cfa, value))
			return 0;
		return !rule->value_is_address || unwind_word(&unwind->stack, *value, value);
	default:
		return 0;
	}
}

static enum step step_by_rule(struct unwind *unwind, const struct unwind_rule *rule)
{
	uint64_t caller[UNWIND_REGISTERS], cfa;

	if (rule->kinds[REG_PC] == UNWIND_UNDEFINED)
		return STEP_END;
	if (!find_cfa(unwind, rule, &cfa))
		return STEP_LOST;
	for (unsigned i = 0; i < UNWIND_REGISTERS; i++)
		if (!find_register(unwind, rule, i, cfa, &caller[i])) {
			if (i == REG_PC || i == REG_SP)
				return STEP_LOST;
			caller[i] = 0;
		}
	/* a function that is called has at least its return address on the stack */
	if (caller[REG_SP] <= unwind->registers[REG_SP] && !rule->is_signal)
		return STEP_LOST;
	memcpy(unwind->registers, caller, sizeof(caller));
	return caller[REG_PC] ? STEP_ON : STEP_END;
}

static enum step step_by_frame_pointer(struct unwind *unwind)
{
	uint64_t fp = unwind->registers[REG_FP], next, pc;

	if (fp < unwind->registers[REG_SP] || fp & 7 || !unwind_word(&unwind->stack, fp, &next) ||
	    !unwind_word(&unwind->stack, fp + 8, &pc))
		return STEP_LOST;
	unwind->registers[REG_FP] = next;
	unwind->registers[REG_SP] = fp + 16;
	unwind->registers[REG_PC] = pc;
	return pc ? STEP_ON : STEP_END;
}

/* A call to where no code is: the caller's address is on top of the stack. */
static enum step step_back(struct unwind *unwind)
{
	uint64_t pc;

	if (!unwind_word(&unwind->stack, unwind->registers[REG_SP], &pc) || !pc)
		return STEP_LOST;
	unwind->registers[REG_SP] += 8;
	unwind->registers[REG_PC] = pc;
	return STEP_ON;
}

size_t unwind_walk(struct unwind *unwind, uint64_t *pcs, uint64_t *fps, size_t room, int *complete)
{
	enum step step = STEP_ON;
	int is_return = 0;
	size_t count = 0;

	*complete = 0;
	while (step == STEP_ON && count < room) {
		uint64_t pc = unwind->registers[REG_PC];
		const struct unwind_rule *rule = NULL;
		enum unwind_place place = unwind->rule(unwind->arg, pc - (uint64_t)is_return, &rule);

		if (place == UNWIND_NOWHERE && count)
			return count;
		/* those that listen take all but the first for return addresses */
		pcs[count] = count && !is_return ? pc + 1 : pc;
		fps[count++] = unwind->registers[REG_FP];
		if (place == UNWIND_WITH_RULE)
			step = step_by_rule(unwind, rule);
		else
			step = place == UNWIND_NOWHERE ? step_back(unwind) : step_by_frame_pointer(unwind);
		is_return = !(rule && rule->is_signal);
	}
	*complete = step == STEP_END;
	return count;
}

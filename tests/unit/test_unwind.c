/* SPDX-License-Identifier: BSD-2-Clause */
/* Stacks by rules: made by hand, and this very process by the rules of its own files. */
#include "test.h"

#include <pthread.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#include "proc_quota.h"
#include "source.h"
#include "unwind.h"

#define BASE 0x7000ull
#define CODE 0x1000ull /* has a rule */
#define BARE 0x2000ull /* has none */
#define LAST 0x3000ull /* is the outermost function */

static struct unwind_rule usual, outermost;

static enum unwind_place place(void *arg, uint64_t address, const struct unwind_rule **rule)
{
	*rule = address >= LAST ? &outermost : &usual;
	if (address >= CODE && address < CODE + 0x100)
		return UNWIND_WITH_RULE;
	if (address >= LAST && address < LAST + 0x100)
		return UNWIND_WITH_RULE;
	return address >= BARE && address < BARE + 0x100 ? UNWIND_WITHOUT_RULE : UNWIND_NOWHERE;
}

/* CFA = stack pointer + 16, the return address right below it */
static void make_rules(void)
{
	memset(&usual, 0, sizeof(usual));
	usual.cfa_register = 7;
	usual.cfa_offset = 16;
	usual.kinds[16] = UNWIND_AT_CFA;
	usual.offsets[16] = -8;
	usual.kinds[7] = UNWIND_IS_CFA;
	outermost = usual;
	outermost.kinds[16] = UNWIND_UNDEFINED;
}

static struct unwind walker(const void *stack, size_t bytes, uint64_t pc)
{
	struct unwind unwind = { .rule = place };
	make_rules();
	unwind.stack = (struct unwind_stack){ stack, bytes, BASE };
	unwind.registers[7] = BASE;
	unwind.registers[16] = pc;
	return unwind;
}

TEST(rules_lead_from_caller_to_caller_up_to_the_outermost_function)
{
	const uint64_t stack[] = { 0, CODE + 8, 0, LAST + 4, 0, 0 };
	struct unwind unwind = walker(stack, sizeof(stack), CODE + 1);
	uint64_t pcs[8], fps[8];
	int complete;
	assert_int_equal(unwind_walk(&unwind, pcs, fps, 8, &complete), 3);
	assert_int_equal(pcs[0], CODE + 1);
	assert_int_equal(pcs[1], CODE + 8);
	assert_int_equal(pcs[2], LAST + 4);
	assert_int_equal(complete, 1);
}

TEST(code_without_rules_is_left_by_its_frame_pointer)
{
	const uint64_t stack[] = { 0, 0, BASE + 40, CODE + 8, 0, 0x99, LAST + 4 };
	struct unwind unwind = walker(stack, sizeof(stack), BARE);
	uint64_t pcs[8], fps[8];
	int complete;
	unwind.registers[6] = BASE + 16;
	assert_int_equal(unwind_walk(&unwind, pcs, fps, 8, &complete), 2);
	assert_int_equal(pcs[1], CODE + 8);
	assert_int_equal(fps[0], BASE + 16);
	assert_int_equal(fps[1], BASE + 40);
	assert_int_equal(complete, 0); /* what the next return address should be is no code */
}

TEST(a_stack_that_ends_or_turns_back_ends_the_walk)
{
	const uint64_t stack[] = { 0, CODE + 8 };
	struct unwind unwind = walker(stack, sizeof(stack), CODE);
	uint64_t pcs[64], fps[64];
	int complete;
	assert_int_equal(unwind_walk(&unwind, pcs, fps, 64, &complete), 2);
	assert_int_equal(complete, 0);
	unwind = walker(stack, sizeof(stack), CODE);
	usual.cfa_offset = 0; /* the caller has the same stack pointer */
	usual.offsets[16] = 8;
	assert_int_equal(unwind_walk(&unwind, pcs, fps, 64, &complete), 1);
}

TEST(an_expression_may_read_below_the_stack_pointer_and_no_further_than_the_copy)
{
	const uint64_t stack[] = { BASE + 16, 0, 0, LAST + 4 };
	struct unwind unwind = walker(stack, sizeof(stack), CODE);
	uint64_t pcs[8], fps[8];
	int complete;
	unwind.registers[7] = BASE + 8;
	usual.cfa_register = UINT8_MAX;
	usual.cfa_ops = 4;
	usual.cfa[0] = (struct unwind_op){ UNWIND_REGISTER, 7, -8 };
	usual.cfa[1] = (struct unwind_op){ UNWIND_DEREF, 0, 0 };
	usual.cfa[2] = (struct unwind_op){ UNWIND_LITERAL, 0, 16 };
	usual.cfa[3] = (struct unwind_op){ UNWIND_ADD, 0, 0 };
	assert_int_equal(unwind_walk(&unwind, pcs, fps, 8, &complete), 2);
	assert_int_equal(pcs[1], LAST + 4);
	unwind = walker(stack, sizeof(stack), CODE);
	usual.cfa_register = UINT8_MAX;
	usual.cfa_ops = 2;
	usual.cfa[0] = (struct unwind_op){ UNWIND_LITERAL, 0, INT64_MAX };
	usual.cfa[1] = (struct unwind_op){ UNWIND_DEREF, 0, 0 };
	assert_int_equal(unwind_walk(&unwind, pcs, fps, 8, &complete), 1);
}

#if defined(__x86_64__)
static void take_registers(const ucontext_t *context, uint64_t registers[UNWIND_REGISTERS])
{
	static const int order[UNWIND_REGISTERS] = { REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI,
						     REG_RBP, REG_RSP, REG_R8,	REG_R9,	 REG_R10, REG_R11,
						     REG_R12, REG_R13, REG_R14, REG_R15, REG_RIP };
	for (int i = 0; i < UNWIND_REGISTERS; i++)
		registers[i] = (uint64_t)context->uc_mcontext.gregs[order[i]];
}

/* Our stack with what a sanitizer laid between its variables: word by word, for it watches memcpy(). */
__attribute__((no_sanitize("address", "thread"), noinline)) static void copy_stack(uint8_t *copy, uint64_t from,
										   size_t bytes)
{
	const volatile uint64_t *words = (const volatile uint64_t *)(uintptr_t)from;
	for (size_t i = 0; i < bytes / 8; i++)
		((uint64_t *)(void *)copy)[i] = words[i];
}

/* From here to where our stack ends: with few variables of the environment that is near. */
static size_t stack_left(uint64_t from)
{
	pthread_attr_t attributes;
	void *begin;
	size_t bytes;
	assert_int_equal(pthread_getattr_np(pthread_self(), &attributes), 0);
	assert_int_equal(pthread_attr_getstack(&attributes, &begin, &bytes), 0);
	pthread_attr_destroy(&attributes);
	return (size_t)((uint64_t)(uintptr_t)begin + bytes - from);
}

/* Names of the functions on our own stack, by rules only. */
__attribute__((noinline)) static size_t own_stack(char names[][64], size_t room, int *complete)
{
	static _Alignas(8) uint8_t copy[32768];
	uint64_t pcs[64], fps[64];
	struct symbols *symbols;
	struct unwind unwind = { .rule = symbols_rule };
	ucontext_t context;
	assert_int_equal(getcontext(&context), 0);
	take_registers(&context, unwind.registers);
	size_t bytes = stack_left(unwind.registers[7]);
	bytes = bytes < sizeof(copy) ? bytes : sizeof(copy);
	copy_stack(copy, unwind.registers[7], bytes);
	assert_int_equal(symbols_open(&symbols, getpid()), 0);
	unwind.arg = symbols;
	unwind.stack = (struct unwind_stack){ copy, bytes, unwind.registers[7] };
	size_t count = unwind_walk(&unwind, pcs, fps, 64, complete);
	for (size_t i = 0; i < count && i < room; i++)
		symbols_place(symbols, pcs[i] - (i > 0), names[i], 64);
	symbols_close(symbols);
	return count;
}

TEST(the_rules_of_our_own_files_lead_to_main)
{
	static char names[64][64];
	int complete, has_main = 0;
	size_t count = own_stack(names, 64, &complete);
	assert_memory_equal(names[0], "own_stack", 9); /* perhaps ".constprop" */
	assert_string_equal(names[1], "the_rules_of_our_own_files_lead_to_main");
	for (size_t i = 0; i < count; i++)
		has_main |= !strcmp(names[i], "main");
	assert_true(has_main);
	assert_true(complete);
}
#endif

/* ---- quotas, from their texts ---- */

TEST(the_group_of_the_cpu_controller_is_found_in_both_versions)
{
	char path[64];
	static const char one[] = "3:cpuset:/x\n2:cpu,cpuacct:/a/b\n0::/c\n", two[] = "0::/only/new\n",
			  none[] = "1:memory:/m";
	assert_int_equal(quota_parse_group(one, sizeof(one) - 1, "cpu", path, sizeof(path)), 1);
	assert_string_equal(path, "/a/b");
	assert_int_equal(quota_parse_group(two, sizeof(two) - 1, "cpu", path, sizeof(path)), 2);
	assert_string_equal(path, "/only/new");
	assert_int_equal(quota_parse_group(one, sizeof(one) - 1, NULL, path, sizeof(path)), 2);
	assert_string_equal(path, "/c");
	assert_int_equal(quota_parse_group(none, sizeof(none) - 1, "cpu", path, sizeof(path)), 0);
	assert_int_equal(quota_parse_group("0::/toolong", 11, "cpu", path, 4), 0);
}

TEST(throttled_time_is_read_in_both_units_and_odd_texts_are_refused)
{
	struct quota_sum sum = { 0 };
	static const char one[] = "nr_periods 7\nnr_throttled 3\nthrottled_time 5000\n";
	static const char two[] = "usage_usec 1\nnr_periods 1\nnr_throttled 1\nthrottled_usec 5\n";
	assert_int_equal(quota_parse_stat(one, sizeof(one) - 1, &sum), 0);
	assert_int_equal(quota_parse_stat(two, sizeof(two) - 1, &sum), 0);
	assert_int_equal(sum.throttled_ns, 10000);
	assert_int_equal(sum.periods, 8);
	assert_int_equal(sum.throttled_periods, 4);
	assert_true(quota_parse_stat("throttled_", 10, &sum) != 0);
	assert_true(quota_parse_stat("", 0, &sum) != 0);
}

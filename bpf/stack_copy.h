/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * A copy of the registers and of the user stack of the current thread, for
 * code without frame pointers: user space finds the callers by .eh_frame.
 *
 * At most PS_STACK_BYTES from the red zone below the stack pointer on. Where the stack ends is not
 * known, so pieces of falling size are tried; what is left out at its end is
 * smaller than the smallest piece. Each thread has its own room, which user
 * space made: no room, no copy.
 */
#ifndef STACK_COPY_H
#define STACK_COPY_H

#include "stacks.h"

#define PIECE_MIN 256u

static __always_inline void copy_registers(struct ps_raw_stack *copy, const struct pt_regs *regs)
{
#if defined(__TARGET_ARCH_x86)
	copy->registers[0] = regs->ax;
	copy->registers[1] = regs->dx;
	copy->registers[2] = regs->cx;
	copy->registers[3] = regs->bx;
	copy->registers[4] = regs->si;
	copy->registers[5] = regs->di;
	copy->registers[6] = regs->bp;
	copy->registers[7] = regs->sp;
	copy->registers[8] = regs->r8;
	copy->registers[9] = regs->r9;
	copy->registers[10] = regs->r10;
	copy->registers[11] = regs->r11;
	copy->registers[12] = regs->r12;
	copy->registers[13] = regs->r13;
	copy->registers[14] = regs->r14;
	copy->registers[15] = regs->r15;
	copy->registers[16] = regs->ip;
#elif defined(__TARGET_ARCH_arm64)
#pragma unroll
	for (int i = 0; i < 31; i++)
		copy->registers[i] = regs->regs[i];
	copy->registers[31] = regs->sp;
	copy->registers[32] = regs->pc;
#endif
}

static __always_inline __u64 stack_pointer(const struct pt_regs *regs)
{
#if defined(__TARGET_ARCH_x86)
	return regs->sp;
#elif defined(__TARGET_ARCH_arm64)
	return regs->sp;
#endif
}

/* Fills all but `raw`; at most `most` bytes, a power of two. */
static __always_inline void copy_stack(struct ps_raw_stack *copy, struct task_struct *task, __u32 most)
{
	const struct pt_regs *regs = (const struct pt_regs *)bpf_task_pt_regs(task);
	__u64 from = stack_pointer(regs) - PS_RED_ZONE;
	__u32 at = 0;

	copy_registers(copy, regs);
#pragma unroll
	for (__u32 piece = PS_STACK_BYTES; piece >= PIECE_MIN; piece /= 2) {
		if (piece > most)
			continue;
		if (at > PS_STACK_BYTES - piece || at + piece > most)
			break;
		if (!bpf_probe_read_user(copy->stack + at, piece, (const void *)(from + at)))
			at += piece;
	}
	copy->bytes = at;
}

/* `raw` may be the copy's own. */
static __always_inline void send_with_stack(struct ps_raw_stack *copy, __u16 event)
{
	__u32 stack = copy->bytes, bytes;

	if (stack > PS_STACK_BYTES)
		stack = PS_STACK_BYTES;
	bytes = __builtin_offsetof(struct ps_raw_stack, stack) + stack;
	copy->raw.h.event = event | PS_RAW_WITH_STACK;
	copy->raw.h.size = bytes;
	count_copy();
	count_record(!bpf_ringbuf_output(&ring, copy, bytes, BPF_RB_NO_WAKEUP));
}

#endif

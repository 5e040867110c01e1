/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The stacks of a watched thread and the call that it is in, and the record that tells them.
 */
#ifndef STACKS_H
#define STACKS_H

#include "python_walk.h"
#include "v8_walk.h"
#include "watch.h"

/* Set by the loader when stacks are copied. */
const volatile bool cfg_unwind = false;

/* Set by the loader when some process runs V8 (and the kernel has what its walk needs). */
const volatile bool cfg_v8 = false;

/* The same of CPython; set unless the kernel lacks what the walk needs. */
const volatile bool cfg_python = false;

/* Which argument of a call is a path: 1 for the first; 0 = none. Filled by the loader. */
const volatile __u8 cfg_path_argument[PS_SYSCALLS] = { 0 };

/* The path is copied while the call lasts: later its memory is used for something else. `raw` is of the current task. */
static __always_inline void take_path(struct ps_raw *raw)
{
	__u64 number = (__u32)raw->syscall, address;
	__u8 argument;

	raw->path[0] = '\0';
	/* the bound must be seen on the very register that is the index */
	asm volatile("" : "+r"(number));
	if (number >= PS_SYSCALLS)
		return;
	argument = cfg_path_argument[number];
	address = argument == 1 ? raw->args[0] : argument == 2 ? raw->args[1] : argument == 3 ? raw->args[2] : 0;
	if (address)
		bpf_probe_read_user_str(raw->path, sizeof(raw->path), (const void *)address);
}

/* The syscall that a task is in, with its arguments. */
static __always_inline void take_syscall(struct ps_raw *raw, struct task_struct *task)
{
	const struct pt_regs *regs = (const struct pt_regs *)bpf_task_pt_regs(task);

	raw->syscall = regs_syscall(regs);
	if (raw->syscall >= 0)
		regs_args(regs, raw->args);
	else
		raw->args[0] = raw->args[1] = raw->args[2] = 0;
	take_path(raw);
}

/* User stack of the current task by frame pointers; of V8's with what names its functions. */
static __always_inline void take_user_stack(void *context, struct ps_raw *raw)
{
	const struct ps_v8_walk *walk = cfg_v8 ? bpf_map_lookup_elem(&v8, &raw->tgid) : NULL;
	long bytes;

	raw->functions = raw->broken = 0;
	raw->sp = ((const struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf()))->sp;
	if (walk) {
		v8_take_stack(raw, bpf_get_current_task_btf(), walk);
		return;
	}
	raw->cut = 0;
	bytes = bpf_get_stack(context, raw->user, sizeof(raw->user), BPF_F_USER_STACK);
	raw->user_frames = bytes > 0 ? (__u64)bytes / 8 : 0;
}

/* `raw` and `watch` are of the current thread; `in_kernel`: it is there for itself, not for an interrupt. */
static __always_inline void take_stacks(void *context, struct ps_raw *raw, struct ps_watch *watch, bool in_kernel)
{
	long kernel = in_kernel ? bpf_get_stack(context, raw->kernel, sizeof(raw->kernel), 0) : 0;
	const struct ps_python_walk *walk = cfg_python ? bpf_map_lookup_elem(&python, &raw->tgid) : NULL;

	raw->kernel_frames = kernel > 0 ? (__u64)kernel / 8 : 0;
	raw->python_frames = raw->python_cut = 0;
	take_user_stack(context, raw);
	if (walk && !raw->functions)
		python_take_stack(raw, watch, bpf_get_current_task_btf(), walk);
}

/* Room for a copy of the current thread's stack, when its frame pointers may not tell all. */
static __always_inline struct ps_raw_stack *find_copy(__u32 tid)
{
	return cfg_unwind ? bpf_map_lookup_elem(&stacks, &tid) : NULL;
}

static __always_inline bool needs_copy(const struct ps_raw *raw)
{
	return raw->broken || !cfg_v8 || !bpf_map_lookup_elem(&v8, &raw->tgid);
}

static __always_inline void send_raw(struct ps_raw *raw, __u16 event)
{
	__u32 frames = raw->user_frames, functions = raw->functions, pythons = raw->python_frames;
	__u32 bytes;

	if (frames > PS_USER_FRAMES)
		frames = PS_USER_FRAMES;
	if (functions > PS_V8_FUNCTIONS)
		functions = PS_V8_FUNCTIONS;
	if (pythons > PS_PYTHON_FRAMES)
		pythons = PS_PYTHON_FRAMES;
	if (pythons)
		bytes = __builtin_offsetof(struct ps_raw, python) + pythons * sizeof(struct ps_python_frame);
	else if (functions)
		bytes = __builtin_offsetof(struct ps_raw, function) + functions * sizeof(struct ps_v8_function);
	else
		bytes = __builtin_offsetof(struct ps_raw, user) + frames * 8;
	raw->h.event = event;
	raw->h.size = bytes;
	if (bytes > sizeof(*raw))
		return;
	count_record(!bpf_ringbuf_output(&ring, raw, bytes, BPF_RB_NO_WAKEUP));
}

#endif

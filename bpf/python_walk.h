/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The frames of Python of a thread: its PyThreadState is found in the list of
 * the main interpreter by the thread pointer, and from there frame by frame to
 * the outermost. The loader says only where each field is; what the words
 * mean is told apart in user space (attach/python.c).
 *
 * Everything that is read is the target's; it is only copied here. A chain that
 * runs in a circle ends where the room does.
 */
#ifndef PYTHON_WALK_H
#define PYTHON_WALK_H

#include "kernel.h"

#include <bpf/bpf_helpers.h>

#include "ps_probe.h"

#if defined(__TARGET_ARCH_x86)

#define PYTHON_OF_C_STACK 3 /* owner of the frames that stand for a C function */

struct python_threads {
	const struct ps_python_walk *walk;
	__u64 thread, pointer;
};

struct python_step {
	struct ps_raw *raw;
	const struct ps_python_walk *walk;
	__u64 frame;
};

/* 0 when it cannot be read. */
static __always_inline __u64 python_word(__u64 address)
{
	__u64 word;

	return bpf_probe_read_user(&word, sizeof(word), (const void *)address) ? 0 : word;
}

/* Ends with the thread whose pointer it is, or with none. */
static long python_next_thread(__u32 index, struct python_threads *threads)
{
	if (!threads->thread || python_word(threads->thread + threads->walk->thread_id) == threads->pointer)
		return 1;
	threads->thread = python_word(threads->thread + threads->walk->thread_next);
	return 0;
}

/* What was found before is still in the list: the memory of one that ended may look as if. */
static __always_inline bool python_is_listed(const struct ps_python_walk *walk, __u64 thread, __u64 first,
					     __u64 pointer)
{
	__u64 previous;

	if (!thread || python_word(thread + walk->thread_id) != pointer)
		return false;
	if (thread == first)
		return true;
	previous = python_word(thread + walk->thread_previous);
	return previous && python_word(previous + walk->thread_next) == thread;
}

static __always_inline __u64 python_find_thread(struct ps_watch *watch, __u64 pointer,
						const struct ps_python_walk *walk)
{
	__u64 interpreter = python_word(walk->interpreter);
	struct python_threads threads = { .walk = walk, .pointer = pointer };

	if (!interpreter)
		return 0;
	threads.thread = python_word(interpreter + walk->threads);
	if (python_is_listed(walk, watch->python_thread, threads.thread, pointer))
		return watch->python_thread;
	bpf_loop(PS_PYTHON_THREADS, python_next_thread, &threads, 0);
	if (threads.thread && python_word(threads.thread + walk->thread_id) != pointer)
		threads.thread = 0;
	watch->python_thread = threads.thread;
	return threads.thread;
}

/* A field of the frame that was read. */
static __always_inline __u64 python_field(const struct ps_raw *raw, __u64 offset)
{
	__u64 index = offset / 8 % PS_PYTHON_WORDS;

	asm volatile("" : "+r"(index));
	return index < PS_PYTHON_WORDS ? raw->python_words[index] >> offset % 8 * 8 : 0;
}

static __always_inline __s32 python_instruction(const struct ps_raw *raw, const struct ps_python_walk *walk, __u64 code)
{
	__u64 at = python_field(raw, walk->frame_instruction);

	if (!walk->code_start)
		return (__s32)at;
	at -= code + walk->code_start;
	return at < 1u << 30 ? (__s32)at : -1;
}

static __always_inline void python_mark_entry(struct ps_raw *raw)
{
	__u64 last = raw->python_frames - 1;

	/* the bound must be seen on the very register that is the index */
	asm volatile("" : "+r"(last));
	if (last < PS_PYTHON_FRAMES)
		raw->python[last].flags |= PS_PYTHON_ENTRY;
}

static long python_step(__u32 index, struct python_step *step)
{
	const struct ps_python_walk *walk = step->walk;
	struct ps_raw *raw = step->raw;
	__u64 count = raw->python_frames, code, bytes = walk->frame_bytes;
	__u8 entry = walk->entry == PS_PYTHON_ENTRY_EACH;

	asm volatile("" : "+r"(count), "+r"(bytes));
	if (!step->frame || !bytes || bytes > sizeof(raw->python_words) ||
	    bpf_probe_read_user(raw->python_words, bytes, (const void *)step->frame))
		return 1;
	step->frame = python_field(raw, walk->frame_previous);
	if (!entry)
		entry = python_field(raw, walk->frame_entry);
	if (walk->entry == PS_PYTHON_ENTRY_SHIM) {
		if (entry == PYTHON_OF_C_STACK) {
			python_mark_entry(raw);
			return 0;
		}
		entry = 0;
	}
	if (count >= PS_PYTHON_FRAMES) {
		raw->python_cut = 1;
		return 1;
	}
	code = python_field(raw, walk->frame_code);
	raw->python[count] =
		(struct ps_python_frame){ code, python_instruction(raw, walk, code), entry ? PS_PYTHON_ENTRY : 0 };
	raw->python_frames = count + 1;
	return 0;
}

/* `task` is the current one, `watch` its. */
static __always_inline void python_take_stack(struct ps_raw *raw, struct ps_watch *watch, struct task_struct *task,
					      const struct ps_python_walk *walk)
{
	struct python_step step = { .raw = raw, .walk = walk };
	__u64 thread = python_find_thread(watch, task->thread.fsbase, walk);

	if (!thread)
		return;
	step.frame = python_word(thread + walk->thread_frame);
	if (step.frame && walk->current >= 0)
		step.frame = python_word(step.frame + walk->current);
	/* shims are steps, too */
	bpf_loop(2 * PS_PYTHON_FRAMES, python_step, &step, 0);
}

#else

static __always_inline void python_take_stack(struct ps_raw *raw, struct ps_watch *watch, struct task_struct *task,
					      const struct ps_python_walk *walk)
{
}

#endif
#endif

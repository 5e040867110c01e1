/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The user stack of a thread that runs V8, with the words that tell which
 * JavaScript function each frame is of and where in it.
 *
 * V8's own code and Node keep frame pointers. Where native code without them
 * breaks the chain (OpenSSL's assembly), the walk goes on where JavaScript was
 * left: the Isolate keeps that frame pointer as long as the call lasts. Where the
 * Isolate is not known, it goes on at the next frame pointer of JavaScript's that
 * lies on the stack: who has another use for the register saved it there.
 *
 * Everything that is read is the target's; it is only copied here.
 */
#ifndef V8_WALK_H
#define V8_WALK_H

#include "kernel.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "loop_filter.h"
#include "ps_probe.h"

#if defined(__TARGET_ARCH_x86)

#define V8_STACK_BYTES (8ull << 20)
#define V8_TYPES       128   /* of frames, as small integers of 31 bits; there are some 30 */
#define V8_SAVED_WORDS 500u  /* of a piece of the stack, in which a saved frame pointer is looked for */
#define V8_SAVED_PIECES 4    /* from its top on */
#define V8_PIECE_BYTES  2048 /* of the stack, read at once */

/* The words of a frame, from the lowest address. */
enum v8_word {
	V8_BYTECODE_OFFSET, V8_BYTECODE_ARRAY, V8_ARGUMENTS, V8_FUNCTION, V8_CONTEXT, V8_CALLER_FP, V8_CALLER_PC, V8_WORDS
};

/*
 * Where a walk is, and the piece of the stack that was read for it: to read many frames costs little more than to read one.
 * Kept in a map, not on the program's own stack: the verifier of Linux 6.18 follows a scalar there from callback to callback
 * until it fails ("verifier bug: stack slot 2, total slots 0").
 */
struct v8_place {
	__u64 pc, fp;
	__u64 low, high;       /* where the next frame pointer may be */
	__u64 c_entry_fp;      /* 0 = none, or passed */
	__u64 from, starts;    /* the piece's address; a frame's words may start in so many bytes of it, 0 = it holds nothing */
	__u64 piece[V8_PIECE_BYTES / 8];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct v8_place);
} v8_places SEC(".maps");

struct v8_step {
	struct ps_raw *raw;
	struct v8_place *place;
	__s64 function_shared;
};

static __always_inline bool v8_is_object(__u64 word)
{
	return (word & 3) == 1;
}

static __always_inline __s32 v8_smi(__u64 word)
{
	return word & 0xffffffff ? -1 : (__s32)(word >> 32);
}

static __always_inline bool v8_has_function(const __u64 words[V8_WORDS])
{
	return v8_is_object(words[V8_CONTEXT]) && v8_is_object(words[V8_FUNCTION]);
}

/* A small integer in place of the context: a frame of another type, which has no function. */
static __always_inline bool v8_has_type(const __u64 words[V8_WORDS])
{
	return !(words[V8_CONTEXT] & 1) && words[V8_CONTEXT] <= V8_TYPES;
}

static __always_inline void v8_take_function(const struct v8_step *step, const __u64 words[V8_WORDS], __u32 frame)
{
	struct ps_raw *raw = step->raw;
	__u64 count = raw->functions, shared;

	if (!v8_has_function(words))
		return;
	if (bpf_probe_read_user(&shared, sizeof(shared), (void *)(words[V8_FUNCTION] - 1 + step->function_shared)))
		return;
	if (!v8_is_object(shared))
		return;
	/* the bound must be seen on the very register that is the index */
	asm volatile("" : "+r"(count));
	if (count >= PS_V8_FUNCTIONS)
		return;
	raw->function[count] = (struct ps_v8_function){
		shared, words[V8_FUNCTION], words[V8_BYTECODE_ARRAY], v8_smi(words[V8_BYTECODE_OFFSET]), frame
	};
	raw->functions = count + 1;
}

/* The chain is broken: on where JavaScript was left, if that is further out. */
static __always_inline long v8_resume(struct ps_raw *raw, struct v8_place *place)
{
	if (place->c_entry_fp < place->low || place->c_entry_fp >= place->high) {
		/* native code only: either no function was called, or the chain broke before the first */
		raw->broken |= !raw->functions;
		return 1;
	}
	raw->broken = 1;
	place->pc = 0;
	place->fp = place->c_entry_fp;
	place->c_entry_fp = 0;
	return 0;
}

/* The words from `at` on, out of the piece; of the last frames, behind which no whole piece is, alone. */
static __always_inline bool v8_read_words(struct v8_place *place, __u64 at, __u64 words[V8_WORDS])
{
	__u64 offset = at - place->from;

	if (offset >= place->starts) {
		place->starts = 0;
		if (bpf_probe_read_user(place->piece, sizeof(place->piece), (void *)at))
			return !bpf_probe_read_user(words, 8 * V8_WORDS, (void *)at);
		place->from = at;
		place->starts = sizeof(place->piece) - 8 * V8_WORDS;
		offset = 0;
	}
	/* the bound must be seen on the very register that is the offset */
	asm volatile("" : "+r"(offset));
	if (offset > sizeof(place->piece) - 8 * V8_WORDS)
		return false;
	__builtin_memcpy(words, (const char *)place->piece + offset, 8 * V8_WORDS);
	return true;
}

static long v8_step(__u32 index, struct v8_step *step)
{
	struct v8_place *place = step->place;
	struct ps_raw *raw = step->raw;
	__u64 words[V8_WORDS], fp = place->fp, frame = raw->user_frames;

	asm volatile("" : "+r"(frame));
	if (frame < PS_USER_FRAMES) {
		raw->user[frame] = place->pc;
		raw->user_frames = frame + 1;
	} else {
		raw->cut++;
	}
	if (fp < place->low || fp >= place->high || fp & 7 || !v8_read_words(place, fp - 8 * V8_CALLER_FP, words))
		return v8_resume(raw, place);
	if (frame < PS_USER_FRAMES)
		v8_take_function(step, words, frame);
	place->low = fp + 8;
	if (words[V8_CALLER_FP] <= fp)
		return v8_resume(raw, place);
	place->fp = words[V8_CALLER_FP];
	place->pc = words[V8_CALLER_PC];
	return 0;
}

/* ---- a saved frame pointer ---- */

struct v8_search {
	const struct ps_raw *raw;  /* `function` has the words of the stack */
	__u64 sp, high;
	__u64 fp;                  /* that was found; 0 = none */
};

static __always_inline bool v8_read_frame(const struct v8_search *search, __u64 fp, __u64 low, __u64 words[V8_WORDS])
{
	return !(fp & 7) && fp > low && fp < search->high &&
	       !bpf_probe_read_user(words, 8 * V8_WORDS, (void *)(fp - 8 * V8_CALLER_FP));
}

/* Is it where the frame of a function is, whose caller has a frame too? */
static long v8_try_word(__u32 index, struct v8_search *search)
{
	__u64 words[V8_WORDS], fp;

	if (index >= V8_SAVED_WORDS)
		return 1;
	fp = ((const __u64 *)search->raw->function)[index];
	if (!v8_read_frame(search, fp, search->sp + 8 * index, words) || !v8_has_function(words) ||
	    !v8_read_frame(search, words[V8_CALLER_FP], fp, words))
		return 0;
	if (!v8_has_function(words) && !v8_has_type(words))
		return 0;
	search->fp = fp;
	return 1;
}

/* Nothing but native code was seen, down to a broken chain: on where the next function of JavaScript is. */
static __always_inline void v8_go_on(struct v8_step *step, __u64 sp)
{
	struct v8_search search = { .raw = step->raw, .sp = sp, .high = step->place->high };

	_Static_assert(sizeof(step->raw->function) >= 8 * V8_SAVED_WORDS, "the words are kept where functions will be");
	if (!step->raw->broken || step->raw->functions)
		return;
	for (int i = 0; i < V8_SAVED_PIECES; i++) {
		if (bpf_probe_read_user(step->raw->function, 8 * V8_SAVED_WORDS, (void *)search.sp))
			return;
		bpf_loop(V8_SAVED_WORDS, v8_try_word, &search, 0);
		if (search.fp)
			break;
		search.sp += 8 * V8_SAVED_WORDS;
	}
	if (!search.fp)
		return;
	step->place->pc = 0;
	step->place->fp = step->place->low = search.fp;
	bpf_loop(PS_USER_FRAMES + PS_CUT_FRAMES, v8_step, step, 0);
}

/* `task` is the current one. */
static __always_inline void v8_take_stack(struct ps_raw *raw, struct task_struct *task, const struct ps_v8_walk *walk)
{
	const struct pt_regs *regs = (const struct pt_regs *)bpf_task_pt_regs(task);
	struct v8_place *place = bpf_map_lookup_elem(&v8_places, &zero_key);
	struct v8_step step = { .raw = raw, .place = place, .function_shared = walk->function_shared };
	__u64 isolate = 0, array = regs->r12, offset = regs->r9;

	raw->user_frames = raw->functions = raw->cut = 0;
	raw->live_offset = -1;
	if (!place)
		return;
	place->pc = regs->ip;
	place->fp = regs->bp;
	place->low = regs->sp;
	place->high = regs->sp + V8_STACK_BYTES;
	place->c_entry_fp = place->starts = 0;
	if (walk->isolate_offset && walk->c_entry_fp &&
	    !bpf_probe_read_user(&isolate, sizeof(isolate), (void *)(task->thread.fsbase + walk->isolate_offset)) &&
	    isolate)
		bpf_probe_read_user(&place->c_entry_fp, sizeof(place->c_entry_fp), (void *)(isolate + walk->c_entry_fp));
	bpf_loop(PS_USER_FRAMES + PS_CUT_FRAMES, v8_step, &step, 0);
	v8_go_on(&step, regs->sp);
	/* the interpreter's registers: what they say is not on the stack before the next call */
	if (raw->functions && !raw->function[0].frame && raw->function[0].bytecode_array == array && offset < 1u << 30)
		raw->live_offset = offset;
}

#else

static __always_inline void v8_take_stack(struct ps_raw *raw, struct task_struct *task, const struct ps_v8_walk *walk)
{
	raw->user_frames = 0;
}

#endif
#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From a raw record to a SAMPLE or OFFCPU: addresses become frames, leaf first,
 * kernel before user, and the call gets the path that it works on.
 */
#include "bpf_source.h"

#include <stddef.h>
#include <string.h>

#include "tick.h"

#define FRAMES_MAX (2 * PS_USER_FRAMES)  /* inlined functions are frames too */

/*
 * On top of a stack lie the frames of the probe itself: those above the scheduler's when it was taken at a switch, and
 * when it was taken at a tick, those of the interrupt.
 */
static uint32_t first_kernel_frame(const struct bpf_source *source, const struct ps_raw *raw)
{
	int is_off = raw->h.event == PS_RAW_OFFCPU;

	if (!is_off && !source->jiffies)
		return 0;
	for (uint32_t i = 0; i < raw->kernel_frames && i < PS_KERNEL_FRAMES; i++)
		if (!strcmp(symbols_kernel_name(raw->kernel[i]), is_off ? "__schedule" : TICK_ENTRY))
			return is_off ? i : i + 1;
	return 0;
}

/* A chain of frame pointers that leaves the code is broken: what follows is chance. */
static size_t put_user_frames(struct stream *stream, struct symbols *symbols, const struct ps_raw *raw, uint32_t *frames)
{
	size_t count = 0;

	for (uint32_t i = 0; i < raw->user_frames && i < PS_USER_FRAMES; i++) {
		if (i && !symbols_is_code(symbols, raw->user[i] - 1))
			break;
		frames[count++] = symbols_frame(symbols, stream, raw->user[i], i > 0);
	}
	return count;
}

struct callers {
	uint64_t pcs[PS_USER_FRAMES], fps[PS_USER_FRAMES];
	size_t count;
	int complete;
};

static struct unwind_stack stack_of(const struct ps_raw_stack *copy)
{
	return (struct unwind_stack){ copy->stack, copy->bytes, copy->registers[PS_STACK_POINTER] - PS_RED_ZONE };
}

/* By the copied stack; none without a copy. */
static void unwind_copy(struct symbols *symbols, const struct ps_raw_stack *copy, struct callers *callers)
{
	struct unwind unwind = { .rule = symbols_rule, .arg = symbols };

	callers->count = 0;
	callers->complete = 0;
	if (!copy)
		return;
	unwind.stack = stack_of(copy);
	memcpy(unwind.registers, copy->registers, sizeof(unwind.registers));
	callers->count = unwind_walk(&unwind, callers->pcs, callers->fps, PS_USER_FRAMES, &callers->complete);
}

/* Native code: by its rules where they lead on, else by frame pointers. `callers` has the addresses of what was put. */
static size_t put_native(struct bpf_source *source, struct symbols *symbols, const struct ps_raw *raw,
			 const struct ps_raw_stack *copy, struct callers *callers, uint32_t *frames)
{
	unwind_copy(symbols, copy, callers);
	size_t by_pointer = put_user_frames(source->context.stream, symbols, raw, frames);
	if (!callers->complete && callers->count <= by_pointer) {
		memcpy(callers->pcs, raw->user, by_pointer * sizeof(*raw->user));
		callers->count = by_pointer;
		return by_pointer;
	}
	for (size_t i = 0; i < callers->count; i++)
		frames[i] = symbols_frame(symbols, source->context.stream, callers->pcs[i], i > 0);
	return callers->count;
}

/* Native code, which may run Python. */
static size_t put_python(struct bpf_source *source, size_t process, const struct ps_raw *raw,
			 const struct ps_raw_stack *copy, uint32_t *frames)
{
	uint32_t names[PS_USER_FRAMES];
	struct callers callers;
	size_t count = put_native(source, source->context.symbols[process], raw, copy, &callers, names);
	struct native_stack native = { names, callers.pcs, count, callers.complete };

	if (source->python[process] && raw->python_frames)
		return python_stack(source->python[process], source->context.stream, raw, &native, frames, FRAMES_MAX);
	memcpy(frames, names, count * sizeof(*names));
	return count;
}

/* Of V8: by frame pointers, or where native code broke their chain, by the copy with the functions that lie in it. */
static size_t put_v8(struct bpf_source *source, size_t process, const struct ps_raw *raw, const struct ps_raw_stack *copy,
		     uint32_t *frames)
{
	struct v8 *v8 = source->v8[process];
	struct stream *stream = source->context.stream;
	struct ps_raw whole;
	struct callers callers;

	unwind_copy(source->context.symbols[process], raw->broken ? copy : NULL, &callers);
	if (!callers.count)
		return v8_stack(v8, stream, raw, frames, FRAMES_MAX);
	whole = *raw;
	whole.user_frames = callers.count;
	/* a copy has an end, and so has the list */
	whole.cut = callers.complete ? 0 : raw->cut ? raw->cut : 1;
	memcpy(whole.user, callers.pcs, callers.count * sizeof(*callers.pcs));
	struct unwind_stack stack = stack_of(copy);
	v8_functions(v8, &whole, raw, &stack, callers.fps);
	return v8_stack(v8, stream, whole.functions < raw->functions ? raw : &whole, frames, FRAMES_MAX);
}

static uint32_t put_stack(struct bpf_source *source, const struct ps_raw *raw, const struct ps_raw_stack *copy)
{
	uint32_t frames[PS_KERNEL_FRAMES + FRAMES_MAX];
	struct stream *stream = source->context.stream;
	size_t process = source_process(&source->context, (pid_t)raw->tgid), count = 0;

	for (uint32_t i = first_kernel_frame(source, raw); i < raw->kernel_frames && i < PS_KERNEL_FRAMES; i++)
		frames[count++] = symbols_kernel_frame(stream, raw->kernel[i]);
	if (process == source->context.process_count)
		return stream_stack(stream, frames, count);
	if (source->with_v8 && source->v8[process])
		count += put_v8(source, process, raw, copy, frames + count);
	else
		count += put_python(source, process, raw, copy, frames + count);
	return stream_stack(stream, frames, count);
}

static uint32_t put_path(struct bpf_source *source, const struct ps_raw *raw)
{
	if (raw->syscall < 0)
		return 0;
	if (raw->path[0])
		return stream_string(source->context.stream, raw->path, strnlen(raw->path, sizeof(raw->path)));
	/* a path that could not be read while the call lasted is another by now */
	if (raw->syscall < (int)PS_SYSCALLS && proc_syscall_path_argument(raw->syscall) >= 0)
		return 0;
	return proc_syscall_path(raw->tgid, raw->syscall, raw->args, source->context.stream);
}

static int put_sample(struct bpf_source *source, const struct ps_raw *raw, const struct ps_raw_stack *copy)
{
	struct ps_ev_sample sample = {
		.h = { raw->h.ts, raw->h.tid, PS_EV_SAMPLE, sizeof(sample) },
		.period_ns = raw->period_ns,
		.syscall = raw->syscall,
		.stack = put_stack(source, raw, copy),
		.path = put_path(source, raw),
		.kind = PS_SAMPLE_CPU,
	};

	memcpy(sample.args, raw->args, sizeof(sample.args));
	return stream_put(source->context.stream, &sample.h);
}

static int put_offcpu(struct bpf_source *source, const struct ps_raw *raw, const struct ps_raw_stack *copy)
{
	struct ps_ev_offcpu off = {
		.h = { raw->h.ts, raw->h.tid, PS_EV_OFFCPU, sizeof(off) },
		.off_ns = raw->off_ns,
		.wake_ns = raw->wake_ns,
		.syscall = raw->syscall,
		.state = raw->state,
		.cpu = raw->cpu,
		.stack = put_stack(source, raw, copy),
		.path = raw->state == PS_OFF_RUNNABLE ? 0 : put_path(source, raw),
		.other = stream_string(source->context.stream, raw->other, strnlen(raw->other, sizeof(raw->other))),
	};

	memcpy(off.args, raw->args, sizeof(off.args));
	return stream_put(source->context.stream, &off.h);
}

int bpf_raw_put(struct bpf_source *source, const struct ps_raw *raw, const struct ps_raw_stack *copy)
{
	return raw->h.event == PS_RAW_SAMPLE ? put_sample(source, raw, copy) : put_offcpu(source, raw, copy);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Stacks of a process that runs V8.
 *
 * A struct v8 owns the reader of one process's heap, the lines of its scripts
 * and a cache of frames (v8_frame.c).
 *
 * Stacks that come at once see the heap as one moment: what is read for the
 * first of them is not read again for the others. A stack that comes when the
 * time that this process may take is used up has names of native code only.
 */
#include "v8.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "v8_own.h"

#define CODE_MIN     (4u << 20)      /* V8 alone is bigger: smaller libraries need no look */
#define MOMENT_NS    5000000ull      /* so long a page that was read is good */

static int read_process(void *arg, uint64_t address, void *out, size_t bytes)
{
	const struct v8 *v8 = arg;
	struct iovec here = { out, bytes }, there = { (void *)address, bytes };

	return process_vm_readv(v8->pid, &here, 1, &there, 1, 0) == (ssize_t)bytes ? 0 : -EFAULT;
}

int v8_layout_find(struct v8_layout *layout, pid_t pid)
{
	struct maps maps = { 0 };
	int err = maps_read(&maps, pid);

	for (size_t i = 0; i < maps.count && !err; i++) {
		const struct map *map = &maps.maps[i];
		int fd = map->kind == REGION_FILE && map->end - map->start >= CODE_MIN ? maps_open_file(map, pid) : -1;

		if (fd < 0)
			continue;
		err = v8_layout_read(layout, fd);
		close(fd);
		if (!err)
			break;
		err = err == -ENOENT ? 0 : err;
		if (i + 1 == maps.count)
			err = -ENOENT;
	}
	maps_clear(&maps);
	return err ? err : layout->tagged_bytes ? 0 : -ENOENT;
}

int v8_open(struct v8 **out, pid_t pid, struct symbols *symbols)
{
	struct v8 *v8 = calloc(1, sizeof(*v8));
	int err = v8 ? v8_layout_find(&v8->reader.layout, pid) : -ENOMEM;

	if (!err)
		err = v8_scripts_open(&v8->scripts);
	if (!err)
		err = v8_maps_open(&v8->maps, pid);
	if (err) {
		v8_close(v8);
		return err;
	}
	v8->pid = pid;
	v8->symbols = symbols;
	v8->reader.read = read_process;
	v8->reader.arg = v8;
	credit_open(&v8->credit);
	v8->walk = (struct ps_v8_walk){
		.isolate_offset = v8->reader.layout.isolate_offset,
		.c_entry_fp = v8->reader.layout.c_entry_fp,
		.function_shared = v8->reader.layout.function_shared,
	};
	*out = v8;
	return 0;
}

void v8_close(struct v8 *v8)
{
	if (!v8)
		return;
	v8_scripts_close(v8->scripts);
	v8_maps_close(v8->maps);
	free(v8);
}

const struct ps_v8_walk *v8_walk(const struct v8 *v8)
{
	return &v8->walk;
}

/* Returns when the stack began, for credit_end(). */
static uint64_t begin_stack(struct v8 *v8)
{
	uint64_t began, deadline_ns = credit_begin(&v8->credit, &began), now = stream_now();

	if (now - v8->moment_ns < MOMENT_NS) {
		v8->reader.deadline = (struct deadline){ .ns = deadline_ns };
		return began;
	}
	v8->moment_ns = now;
	v8_turn(&v8->reader, deadline_ns);
	return began;
}

/* What the walk of the BPF programs took while the thread stood still: the collector may have moved the object since. */
static uint64_t taken_shared(const struct ps_raw *taken, uint64_t object)
{
	for (uint32_t i = 0; i < taken->functions && i < PS_V8_FUNCTIONS; i++)
		if (taken->function[i].function == object)
			return taken->function[i].shared;
	return 0;
}

/* The function of the frame at `fp`, as the walk of the BPF programs takes it. */
static int read_frame(struct v8 *v8, const struct ps_raw *taken, const struct unwind_stack *stack, uint64_t fp,
		      struct ps_v8_function *function)
{
	uint64_t context, object, offset, shared;

	if (fp & 7 || !unwind_word(stack, fp - 8, &context) || !unwind_word(stack, fp - 16, &object) ||
	    !unwind_word(stack, fp - 32, &function->bytecode_array) || !unwind_word(stack, fp - 40, &offset))
		return 0;
	if ((context & 3) != 1 || (object & 3) != 1)
		return 0;
	shared = taken_shared(taken, object);
	if (!shared)
		shared = v8_field(&v8->reader, v8_moved(&v8->reader, object), v8->walk.function_shared);
	if (v8_type(&v8->reader, shared) != v8->reader.layout.shared)
		return 0;
	function->shared = shared;
	function->function = object;
	function->bytecode_offset = offset & 0xffffffff ? -1 : (int32_t)(offset >> 32);
	return 1;
}

void v8_functions(struct v8 *v8, struct ps_raw *raw, const struct ps_raw *taken, const struct unwind_stack *stack,
		  const uint64_t *fps)
{
	uint64_t began, last = 0;

	for (uint32_t i = 0; i < raw->user_frames && i < PS_USER_FRAMES; i++)
		v8_classify(v8, raw->user[i] - !!i);
	began = begin_stack(v8);
	raw->functions = 0;
	raw->live_offset = -1;
	for (uint32_t i = 0; i < raw->user_frames && i < PS_USER_FRAMES && raw->functions < PS_V8_FUNCTIONS; i++) {
		struct ps_v8_function *function = &raw->function[raw->functions];
		/* native code has its own use for the frame pointer, and leaves it as it was */
		enum v8_pc class = v8_classify(v8, raw->user[i] - !!i);
		int is_native = class == PC_NATIVE || class == PC_REGEXP;

		if (is_native || fps[i] == last || !read_frame(v8, taken, stack, fps[i], function))
			continue;
		last = fps[i];
		function->frame = i;
		raw->functions++;
	}
	credit_end(&v8->credit, began);
}

size_t v8_stack(struct v8 *v8, struct stream *stream, const struct ps_raw *raw, uint32_t *ids, size_t room)
{
	/* one is for what was cut */
	struct v8_out out = { .stream = stream, .ids = ids, .room = room - 1, .sp = raw->sp };
	uint64_t began;

	if (v8->epoch != stream_epoch(stream)) {
		memset(v8->frames, 0, sizeof(v8->frames));
		v8->epoch = stream_epoch(stream);
	}
	/* what files are loaded for the first of many stacks is not this one's time */
	for (uint32_t i = 0; i < raw->user_frames && i < PS_USER_FRAMES; i++)
		if (raw->user[i] && v8_classify(v8, raw->user[i] - !!i) <= PC_REGEXP)
			symbols_frame(v8->symbols, stream, raw->user[i], i > 0);
	began = begin_stack(v8);
	/* functions come in the order of their frames */
	for (uint32_t i = 0, k = 0; i < raw->user_frames && i < PS_USER_FRAMES; i++) {
		struct v8_frame frame = { .pc = raw->user[i], .is_return = i > 0, .live_offset = -1 };
		const struct ps_v8_function *function = &raw->function[k];

		if (i + 1 < raw->user_frames && i + 1 < PS_USER_FRAMES)
			frame.caller_pc = raw->user[i + 1];
		if (k < raw->functions && k < PS_V8_FUNCTIONS && function->frame == i) {
			frame.shared = function->shared;
			frame.function = function->function;
			frame.bytecode_array = function->bytecode_array;
			frame.bytecode_offset = function->bytecode_offset;
			frame.live_offset = i ? -1 : raw->live_offset;
			k++;
		}
		if (frame.pc)
			v8_put_frame(v8, &out, &frame);
	}
	credit_end(&v8->credit, began);
	v8_put_cut(&out, raw->cut);
	return out.count;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Stacks of a process that runs CPython.
 *
 * A struct python owns where the interpreter's code and objects are and a cache
 * of frames. A frame met before costs one small read, which shows that its code
 * object is still the same one.
 *
 * A stack that comes when the time that this process may take is used up has
 * names of native code only.
 */
#include "python.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "python_parts.h"
#include "v8_parts.h"

#define CACHE 4096 /* power of two */

struct known_frame {
	uint64_t address;
	int32_t instruction;
	uint32_t id; /* 0 = free */
	struct python_code code; /* changes when another object has taken its place */
};

struct python {
	pid_t pid;
	struct symbols *symbols;
	struct python_place place;
	struct python_reader reader;
	struct credit credit;
	struct known_frame frames[CACHE];
	uint32_t epoch; /* of the stream that the ids in it belong to */
};

/* The frames that are being collected for one stack. */
struct out {
	struct stream *stream;
	uint32_t *ids;
	size_t count, room;
};

static void put(struct out *out, uint32_t id)
{
	if (id && out->count < out->room)
		out->ids[out->count++] = id;
}

static int read_process(void *arg, uint64_t address, void *out, size_t bytes)
{
	const struct python *python = arg;
	struct iovec here = { out, bytes }, there = { (void *)(uintptr_t)address, bytes };

	return process_vm_readv(python->pid, &here, 1, &there, 1, 0) == (ssize_t)bytes ? 0 : -EFAULT;
}

/* ---- life ---- */

static int find_minor(const struct python *python, unsigned *minor)
{
	uint32_t version;

	*minor = python->place.minor;
	if (!python->place.version)
		return 0;
	if (read_process((void *)(uintptr_t)python, python->place.version, &version, sizeof(version)) ||
	    version >> 24 != 3)
		return -ENOTSUP;
	*minor = version >> 16 & 0xff;
	return 0;
}

static int find_layout(struct python *python, char *reason, size_t room)
{
	struct python_layout *layout = &python->reader.layout;
	uint8_t told[PYTHON_TOLD_BYTES];
	unsigned minor;

	if (find_minor(python, &minor)) {
		snprintf(reason, room, "its version cannot be read");
		return -ENOTSUP;
	}
	const struct python_layout *known = python_layout_find(minor);
	if (known)
		*layout = *known;
	else if (minor != 13 || read_process(python, python->place.runtime, told, sizeof(told)) ||
		 python_layout_told(layout, told)) {
		snprintf(reason, room, "Python 3.%u%s is not known", minor, minor == 13 ? " of this kind" : "");
		return -ENOTSUP;
	}
	layout->walk.interpreter += python->place.runtime;
	return 0;
}

int python_open(struct python **out, pid_t pid, struct symbols *symbols, char *reason, size_t room)
{
	struct python *python = calloc(1, sizeof(*python));
	int err = python ? python_find(&python->place, pid) : -ENOMEM;

	*out = NULL;
	*reason = '\0';
	if (!err) {
		python->pid = pid;
		python->symbols = symbols;
		python->reader.read = read_process;
		python->reader.arg = python;
		python->reader.code_type = python->place.code_type;
		credit_open(&python->credit);
		err = find_layout(python, reason, room);
	}
	if (err) {
		python_close(python);
		return err;
	}
	*out = python;
	return 0;
}

void python_close(struct python *python)
{
	free(python);
}

const struct ps_python_walk *python_walk(const struct python *python)
{
	return &python->reader.layout.walk;
}

/* ---- frames ---- */

static uint32_t put_text(struct stream *stream, const char *text)
{
	return stream_string(stream, text, strlen(text));
}

static int is_same(const struct python_code *a, const struct python_code *b)
{
	return a->name == b->name && a->filename == b->filename && a->lines == b->lines &&
	       a->first_line == b->first_line;
}

/* 0: it is no frame of a function. */
static uint32_t frame_at(struct python *python, struct stream *stream, const struct ps_python_frame *at)
{
	uint64_t hash = at->code * 31 + (uint32_t)at->instruction;
	struct known_frame *known = &python->frames[(hash * 0x9e3779b97f4a7c15ull) >> 52];
	struct ps_ev_frame frame = { .kind = PS_FRAME_PYTHON };
	struct python_code code;
	char text[1024];

	if (python_code_read(&python->reader, at->code, &code))
		return 0;
	if (known->id && known->address == at->code && known->instruction == at->instruction &&
	    is_same(&known->code, &code))
		return known->id;
	if (python_string(&python->reader, code.name, text, 256) <= 0)
		return 0;
	frame.name = put_text(stream, text);
	if (python_string(&python->reader, code.filename, text, sizeof(text)) > 0)
		frame.file = put_text(stream, text);
	python_place_of(&python->reader, &code, at->instruction, &frame.line, &frame.column);
	uint32_t id = stream_frame(stream, &frame);
	/* what there was no time to read may be readable next time */
	if (!python->reader.deadline.passed)
		*known = (struct known_frame){ at->code, at->instruction, id, code };
	return id;
}

/* ---- one stack ---- */

static int is_eval(const struct python *python, uint64_t pc)
{
	for (size_t i = 0; i < python->place.evals; i++)
		if (pc >= python->place.eval[i] && pc < python->place.eval_end[i])
			return 1;
	return 0;
}

static void put_cut(struct out *out)
{
	struct ps_ev_frame frame = { .name = put_text(out->stream, "[1+ more frames]"), .kind = PS_FRAME_UNKNOWN };

	put(out, stream_frame(out->stream, &frame));
}

/* Frames of Python from `at` on, those of one C function or all; returns behind the last. */
static uint32_t put_run(struct python *python, struct out *out, const struct ps_raw *raw, uint32_t at, int all)
{
	int ends = 0;

	while (at < raw->python_frames && at < PS_PYTHON_FRAMES && !ends) {
		ends = !all && raw->python[at].flags & PS_PYTHON_ENTRY;
		put(out, frame_at(python, out->stream, &raw->python[at++]));
		if (at == raw->python_frames && raw->python_cut)
			put_cut(out);
	}
	return at;
}

/* A frame that python -X perf puts around each of Python, so that profilers have a name for that. */
static int is_trampoline(const struct python *python, uint64_t pc)
{
	char name[8];

	return symbols_place(python->symbols, pc, name, sizeof(name)) == SYMBOLS_GENERATED;
}

/* C functions that run Python, by what the native stack says and by what the frames say. */
static int agree(const struct python *python, const struct ps_raw *raw, const struct native_stack *native)
{
	size_t by_native = 0, by_frames = 0;

	for (size_t i = 0; i < native->count; i++)
		by_native += (size_t)is_eval(python, native->pcs[i] - !!i);
	for (uint32_t i = 0; i < raw->python_frames && i < PS_PYTHON_FRAMES; i++)
		by_frames += raw->python[i].flags & PS_PYTHON_ENTRY;
	return by_native == by_frames || !native->whole;
}

size_t python_stack(struct python *python, struct stream *stream, const struct ps_raw *raw,
		    const struct native_stack *native, uint32_t *ids, size_t room)
{
	struct out out = { .stream = stream, .ids = ids, .room = room };
	uint64_t began;
	python->reader.deadline = (struct deadline){ .ns = credit_begin(&python->credit, &began) };
	int all = !agree(python, raw, native);
	uint32_t at = 0;

	if (python->epoch != stream_epoch(stream)) {
		memset(python->frames, 0, sizeof(python->frames));
		python->epoch = stream_epoch(stream);
	}
	for (size_t i = 0; i < native->count; i++) {
		size_t before = out.count;
		int runs_python = is_eval(python, native->pcs[i] - !!i);

		if (i && is_eval(python, native->pcs[i - 1] - (i > 1)) && is_trampoline(python, native->pcs[i] - 1))
			continue;
		if (runs_python)
			at = put_run(python, &out, raw, at, all);
		/* one that runs what is not known is better than nothing, once all is told it is not */
		if (!runs_python || (out.count == before && !at))
			put(&out, native->frames[i]);
	}
	put_run(python, &out, raw, at, 1);
	credit_end(&python->credit, began);
	return out.count;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The runtimes whose functions the programs find on stacks: V8 and CPython, in
 * each process that runs one. Without them their frames are native ones.
 */
#include "bpf_source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static int open_one(struct bpf_source *source, size_t process)
{
	pid_t pid = source->context.processes[process].pid;
	struct symbols *symbols = source->context.symbols[process];
	char reason[64];

	source->v8[process] = NULL;
	source->python[process] = NULL;
	v8_open(&source->v8[process], pid, symbols);
	if (!source->v8[process] &&
	    python_open(&source->python[process], pid, symbols, reason, sizeof(reason)) == -ENOTSUP)
		snprintf(source->python_reason, sizeof(source->python_reason),
			 "functions of Python in process %d are not told: %s", (int)pid, reason);
	return source->v8[process] != NULL;
}

int bpf_runtimes_open(struct bpf_source *source)
{
	const struct attach_options *options = source->context.options;
	size_t count = source->context.process_count;

	source->v8 = calloc(count + 1, sizeof(*source->v8));
	source->python = calloc(count + 1, sizeof(*source->python));
	if (!source->v8 || !source->python)
		return -ENOMEM;
	/* what comes later may run it */
	source->with_v8 = options->expect || options->follow;
	source->with_python = 1;
	for (size_t i = 0; i < count; i++)
		source->with_v8 |= open_one(source, i);
	return 0;
}

void bpf_runtimes_close(struct bpf_source *source)
{
	for (size_t i = 0; source->v8 && source->python && i < source->context.process_count; i++) {
		v8_close(source->v8[i]);
		python_close(source->python[i]);
	}
	free(source->v8);
	free(source->python);
}

int bpf_runtimes_grow(struct bpf_source *source, size_t count)
{
	struct v8 **v8 = realloc(source->v8, (count + 1) * sizeof(*v8));

	if (v8)
		source->v8 = v8;
	struct python **python = realloc(source->python, (count + 1) * sizeof(*python));
	if (python)
		source->python = python;
	return v8 && python ? 0 : -ENOMEM;
}

int bpf_runtimes_adopt(struct bpf_source *source, size_t from)
{
	int has_v8 = 0;

	for (size_t i = from; i < source->context.process_count; i++)
		has_v8 |= open_one(source, i);
	return has_v8;
}

static void walk_python(struct bpf_source *source, size_t process)
{
	uint32_t pid = source->context.processes[process].pid;

	if (!source->python[process])
		bpf_map_delete_elem(source->maps.python, &pid);
	else if (source->with_python)
		bpf_map_update_elem(source->maps.python, &pid, python_walk(source->python[process]), BPF_ANY);
	else
		snprintf(source->python_reason, sizeof(source->python_reason),
			 "functions of Python are not told: this kernel refuses the walk over their frames");
}

/* A process that became another program may have run something else before. */
void bpf_runtimes_walk(struct bpf_source *source, size_t from)
{
	for (size_t i = from; i < source->context.process_count; i++) {
		uint32_t pid = source->context.processes[i].pid;

		if (source->v8[i])
			bpf_map_update_elem(source->maps.v8, &pid, v8_walk(source->v8[i]), BPF_ANY);
		else
			bpf_map_delete_elem(source->maps.v8, &pid);
		walk_python(source, i);
	}
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Letting go of names. A watch of a day meets more strings, frames and stacks
 * than it has use for: descriptors that are closed long since, stalls that made
 * room for newer ones. What the model refers to is marked, and the store lets go of
 * the rest. Where a clone reads the store too, or most of it would be empty, what
 * the model refers to moves to a new store instead, and the old one goes, unless a
 * clone still reads it: for a moment that takes the memory of both.
 *
 * Every pointer to a name in the model is visited here: who adds one to a struct
 * adds a line. When memory runs out half-way, the old store stays beside the new
 * one, so that what has not moved is still good.
 */
#include <errno.h>
#include <stdlib.h>

#include "model_own.h"

struct move {
	struct keep *mark; /* nothing moves: what is met is marked here */
	struct keep *to;
	int failed;
};

static void move_string(struct move *move, const char **text)
{
	if (move->mark) {
		if (*text)
			keep_mark_string(move->mark, *text);
		return;
	}
	const char *copy = *text ? keep_string(move->to, *text) : NULL;
	if (*text && !copy)
		move->failed = 1;
	else
		*text = copy;
}

static void move_frame(struct move *move, const struct frame **frame)
{
	if (move->mark) {
		if (*frame)
			keep_mark_frame(move->mark, *frame);
		return;
	}
	const struct frame *copy = *frame ? keep_move_frame(move->to, *frame) : NULL;
	if (*frame && !copy)
		move->failed = 1;
	else
		*frame = copy;
}

static void move_stack(struct move *move, const struct stack **stack)
{
	if (move->mark) {
		if (*stack)
			keep_mark_stack(move->mark, *stack);
		return;
	}
	const struct stack *copy = *stack ? keep_move_stack(move->to, *stack) : NULL;
	if (*stack && !copy)
		move->failed = 1;
	else
		*stack = copy;
}

static void move_process(struct move *move, struct process_own *process)
{
	struct process *pub = &process->pub;
	const char **const texts[] = { &pub->comm,    &pub->cmdline, &pub->exe,
				       &pub->runtime, &pub->version, &pub->build_id };
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		move_string(move, texts[i]);
	for (size_t i = 0; i < process->symbols.room; i++) {
		const struct frame *frame = (const struct frame *)(uintptr_t)process->symbols.entries[i].value;
		move_frame(move, &frame);
		process->symbols.entries[i].value = (uintptr_t)frame;
	}
}

static void move_thread(struct move *move, struct thread *thread)
{
	move_string(move, &thread->name);
	move_string(move, &thread->work_name);
	for (uint32_t i = 0; thread->past && i < thread->past_count && i < MODEL_PAST_JOBS; i++)
		move_string(move, &thread->past[i].name);
}

static void move_stacks(struct move *move, struct stall_stack *stacks, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		move_stack(move, &stacks[i].stack);
}

static void move_gather(struct move *move, struct gather *gather)
{
	for (uint32_t i = 0; i < gather->call_count; i++)
		move_string(move, &gather->calls[i].path);
	move_string(move, &gather->other);
	move_stacks(move, gather->stacks, gather->stack_count);
}

static void move_loop(struct move *move, struct loop_own *loop)
{
	struct loop *pub = &loop->pub;
	for (size_t i = 0; i < pub->profile_count; i++)
		move_frame(move, &pub->profile[i].frame);
	for (size_t i = 0; i < pub->callback_count; i++)
		move_frame(move, &pub->callbacks[i].frame);
	for (size_t i = 0; i < pub->fd_count; i++)
		move_string(move, &pub->fds[i].name);
	for (size_t i = 0; i < pub->timer_count; i++)
		move_frame(move, &pub->timers[i].frame);
	for (size_t i = 0; i < pub->heap_count; i++)
		move_frame(move, &pub->heap[i].frame);
	move_string(move, &pub->timers_note);
	move_string(move, &pub->snapshot.note);
	move_gather(move, &loop->gather);
}

static void move_stall(struct move *move, struct stall *stall)
{
	move_string(move, &stall->syscall_path);
	move_string(move, &stall->other_task);
	move_frame(move, &stall->callback);
	move_frame(move, &stall->blamed);
	move_stacks(move, stall->stacks, stall->stack_count);
}

static void move_all(struct move *move, struct model_own *model)
{
	struct model *pub = &model->pub;
	for (size_t i = 0; i < pub->process_count; i++)
		move_process(move, (struct process_own *)pub->processes[i]);
	for (size_t i = 0; i < pub->thread_count; i++)
		move_thread(move, pub->threads[i]);
	for (size_t i = 0; i < pub->loop_count; i++)
		move_loop(move, loop_own(pub->loops[i]));
	for (size_t i = 0; i < pub->pool_count; i++)
		for (size_t k = 0; k < pub->pools[i]->class_count; k++)
			move_string(move, &pub->pools[i]->classes[k].name);
	for (size_t i = 0; i < pub->stall_count; i++)
		move_stall(move, pub->stalls[i]);
	for (unsigned i = 0; i < PS_PROBE_GROUP_COUNT; i++)
		move_string(move, &pub->probes[i].reason);
	for (size_t i = 0; i < pub->culprit_count; i++) {
		move_string(move, &pub->culprits[i].key);
		move_string(move, &pub->culprits[i].name);
		move_string(move, &pub->culprits[i].file);
	}
}

/* 1: done, where things are. 0: they have to move. Either way numbers mean nothing any more. */
static int forget_in_place(struct model_own *model)
{
	struct names *names = model->names;
	struct move move = { .mark = names->keep };
	if (names->sharers > 1)
		return 0;
	table_free(&names->strings);
	table_free(&names->frames);
	table_free(&names->stacks);
	names->depth = 0;
	move_all(&move, model);
	return keep_sweep(names->keep);
}

int model_forget(struct model *pub)
{
	struct model_own *model = (struct model_own *)pub;
	struct names *names;
	if (model->names->older) /* what was half moved leads to two places */
		return -ENOMEM;
	if (forget_in_place(model))
		return 0;
	int err = names_open(&names);
	if (err)
		return err;
	struct move move = { .to = names->keep };
	move_all(&move, model);
	if (move.failed)
		names->older = model->names;
	else
		names_release(model->names);
	model->names = names;
	return 0;
}

size_t model_name_bytes(const struct model *pub)
{
	const struct names *names = ((const struct model_own *)pub)->names;
	size_t entries = names->strings.room + names->frames.room + names->stacks.room;
	return keep_bytes(names->keep) + entries * sizeof(struct table_entry);
}

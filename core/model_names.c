/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names: strings, frames and stacks by their ids of the stream. Every foreign
 * string passes text_clean() here and nowhere else.
 *
 * What they stand for is kept once (model_keep.c) and never moves or changes
 * while the stream goes on: a second definition of an id (recordings repeat
 * their dictionary) is dropped when equal and kept beside the first when not, so
 * pointers that were given out stay good. That is also why clones may share the
 * store, by counting. model_forget.c lets go of it.
 */
#include "model_own.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

int names_open(struct names **out)
{
	struct names *names = calloc(1, sizeof(*names));
	*out = NULL;
	if (!names)
		return -ENOMEM;
	int err = keep_open(&names->keep);
	if (err) {
		free(names);
		return err;
	}
	names->sharers = 1;
	*out = names;
	return 0;
}

void names_release(struct names *names)
{
	while (names && !--names->sharers) {
		struct names *older = names->older;
		keep_close(names->keep);
		table_free(&names->strings);
		table_free(&names->frames);
		table_free(&names->stacks);
		free(names);
		names = older;
	}
}

/* What a bound or the system refuses is told to the model. */
static const void *kept_or_told(struct model_own *model, const void *kept)
{
	if (!kept && !keep_is_full(model->names->keep)) {
		model->out_of_memory = 1;
	} else if (!kept) {
		model->pub.dropped++;
		model->pub.unnamed++;
	}
	return kept;
}

static void keep(struct model_own *model, struct table *table, uint32_t id, const void *thing)
{
	if (table->count >= MAX_NAMES && !table_get(table, id)) {
		model->pub.dropped++;
		model->pub.unnamed++;
	} else if (table_put(table, id, (uintptr_t)thing)) {
		model->out_of_memory = 1;
	}
}

const char *names_string(const struct names *names, uint32_t id)
{
	const char *text = id ? table_pointer(&names->strings, id) : NULL;
	return text ? text : keep_string(names->keep, "");
}

const struct frame *names_frame(const struct names *names, uint32_t id)
{
	return id ? table_pointer(&names->frames, id) : NULL;
}

const struct stack *names_stack(const struct names *names, uint32_t id)
{
	return id ? table_pointer(&names->stacks, id) : NULL;
}

const char *names_keep(struct model_own *model, const char *text)
{
	return kept_or_told(model, keep_string(model->names->keep, text));
}

void on_string(struct model_own *model, const void *record)
{
	const struct ps_ev_string *string = record;
	char text[MAX_TEXT];
	/* a cleaned string is at most three times as long; what is cut off need not be read */
	text_clean(text, sizeof(text), (const char *)(string + 1), least(string->len, MAX_TEXT));
	if (!string->id || !strcmp(names_string(model->names, string->id), text))
		return;
	const char *kept = names_keep(model, text);
	if (kept)
		keep(model, &model->names->strings, string->id, kept);
}

void on_frame(struct model_own *model, const void *record)
{
	const struct ps_ev_frame *told = record;
	const struct frame frame = {
		.name = names_string(model->names, told->name),
		.file = names_string(model->names, told->file),
		.module = names_string(model->names, told->module),
		.line = told->line,
		.column = told->column,
		.offset = told->offset,
		.kind = told->kind < PS_FRAME_KIND_COUNT ? told->kind : PS_FRAME_UNKNOWN,
	};
	if (!told->id)
		return;
	const struct frame_own *kept = kept_or_told(model, keep_frame(model->names->keep, &frame));
	if (kept)
		keep(model, &model->names->frames, told->id, kept);
}

static uint64_t mix(uint64_t hash, const char *text)
{
	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * 0x100000001b3ull; /* FNV-1a */
	return (hash ^ 0xff) * 0x100000001b3ull;
}

static uint64_t shape_of(const struct stack *stack)
{
	uint64_t hash = 0xcbf29ce484222325ull;
	for (; stack->count; stack = stack->outer) {
		const struct frame *frame = stack->frame;
		hash = mix(hash, *frame->name ? frame->name : frame->module);
		hash = mix(hash, frame->file) ^ frame->kind;
	}
	return hash;
}

/* The stack of this frame within `outer`, which is so deep. */
static struct stack_own *inner_of(struct names *names, const struct frame *frame, const struct stack *outer)
{
	struct stack_own **last = &names->path[outer->count];
	if (outer->count >= names->depth || (*last)->pub.frame != frame || (*last)->pub.outer != outer)
		*last = keep_stack(names->keep, frame, outer);
	names->depth = *last ? (uint32_t)most(names->depth, outer->count + 1) : outer->count;
	return *last;
}

void on_stack(struct model_own *model, const void *record)
{
	const struct ps_ev_stack *told = record;
	const uint32_t *ids = (const uint32_t *)(told + 1);
	const struct stack_own *stack = &stack_end;
	if (!told->id)
		return;
	for (uint32_t i = told->count < MODEL_STACK_FRAMES ? told->count : MODEL_STACK_FRAMES; i-- > 0;) {
		const struct frame *frame = names_frame(model->names, ids[i]);
		const struct stack_own *inner = frame ? inner_of(model->names, frame, &stack->pub) : stack;
		if (!kept_or_told(model, inner))
			return;
		stack = inner;
	}
	if (stack != &stack_end && !stack->shape)
		((struct stack_own *)stack)->shape = shape_of(&stack->pub);
	keep(model, &model->names->stacks, told->id, stack);
}

void on_symbol(struct model_own *model, const void *record)
{
	const struct ps_ev_symbol *told = record;
	const struct frame *frame = names_frame(model->names, told->frame);
	struct process_own *process = frame ? process_add(model, told->pid) : NULL;
	if (!process)
		return;
	int known = table_get(&process->symbols, told->address) != 0;
	if (!known && model->symbols >= MAX_SYMBOLS) {
		model->pub.dropped++;
		return;
	}
	if (table_put(&process->symbols, told->address, (uintptr_t)frame)) {
		model->out_of_memory = 1;
		return;
	}
	model->symbols += !known;
	callbacks_name(model, told->pid, told->address, frame);
}

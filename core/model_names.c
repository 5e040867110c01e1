/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names: strings, frames and stacks by their ids of the stream. Every foreign
 * string passes text_clean() here and nowhere else.
 *
 * Definitions live in an arena and never move or change: a second definition
 * of an id (recordings repeat their dictionary) is dropped when equal and put
 * beside the first when not, so pointers that were given out stay good. That is
 * also why clones may share the arena, by counting.
 */
#include "model_own.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

#define CHUNK_BYTES 65536u

struct arena_chunk {
	struct arena_chunk *next;
	size_t used, room;
	uint64_t bytes[];
};

int names_open(struct names **names)
{
	*names = calloc(1, sizeof(**names));
	if (!*names)
		return -ENOMEM;
	(*names)->sharers = 1;
	return 0;
}

void names_release(struct names *names)
{
	if (!names || --names->sharers)
		return;
	for (struct arena_chunk *chunk = names->chunks, *next; chunk; chunk = next) {
		next = chunk->next;
		free(chunk);
	}
	table_free(&names->strings);
	table_free(&names->frames);
	table_free(&names->stacks);
	free(names);
}

/* NULL when a bound or the system refuses; both are told to the model. */
static void *arena_take(struct model_own *model, size_t bytes)
{
	struct names *names = model->names;
	bytes = (bytes + 7) & ~(size_t)7;
	if (names->bytes + bytes > MAX_NAME_BYTES) {
		model->pub.dropped++;
		model->pub.unnamed++;
		return NULL;
	}
	struct arena_chunk *chunk = names->chunks;
	if (!chunk || chunk->room - chunk->used < bytes) {
		size_t room = bytes > CHUNK_BYTES ? bytes : CHUNK_BYTES;
		chunk = malloc(sizeof(*chunk) + room);
		if (!chunk) {
			model->out_of_memory = 1;
			return NULL;
		}
		*chunk = (struct arena_chunk){ names->chunks, 0, room };
		names->chunks = chunk;
	}
	void *at = (char *)chunk->bytes + chunk->used;
	chunk->used += bytes;
	names->bytes += bytes;
	return at;
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
	return text ? text : "";
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
	size_t bytes = strlen(text) + 1;
	char *kept = arena_take(model, bytes);
	if (kept)
		memcpy(kept, text, bytes);
	return kept;
}

void on_string(struct model_own *model, const void *record)
{
	const struct ps_ev_string *string = record;
	char text[MAX_TEXT];
	/* a cleaned string is at most three times as long; what is cut off need not be read */
	size_t length = text_clean(text, sizeof(text), (const char *)(string + 1), least(string->len, MAX_TEXT));
	if (!string->id || !strcmp(names_string(model->names, string->id), text))
		return;
	char *kept = arena_take(model, length + 1);
	if (!kept)
		return;
	memcpy(kept, text, length + 1);
	keep(model, &model->names->strings, string->id, kept);
}

static int same_frame(const struct frame *a, const struct frame *b)
{
	return a && a->name == b->name && a->file == b->file && a->module == b->module && a->line == b->line &&
	       a->column == b->column && a->offset == b->offset && a->kind == b->kind;
}

void on_frame(struct model_own *model, const void *record)
{
	const struct ps_ev_frame *told = record;
	struct frame frame = {
		.name = names_string(model->names, told->name),
		.file = names_string(model->names, told->file),
		.module = names_string(model->names, told->module),
		.line = told->line,
		.column = told->column,
		.offset = told->offset,
		.kind = told->kind < PS_FRAME_KIND_COUNT ? told->kind : PS_FRAME_UNKNOWN,
	};
	if (!told->id || same_frame(names_frame(model->names, told->id), &frame))
		return;
	struct frame_own *kept = arena_take(model, sizeof(*kept));
	if (!kept)
		return;
	*kept = (struct frame_own){ .pub = frame };
	frame_classify(kept);
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
	for (uint32_t i = 0; i < stack->count; i++) {
		const struct frame *frame = stack->frames[i];
		hash = mix(hash, *frame->name ? frame->name : frame->module);
		hash = mix(hash, frame->file) ^ frame->kind;
	}
	return hash;
}

void on_stack(struct model_own *model, const void *record)
{
	const struct ps_ev_stack *told = record;
	const uint32_t *ids = (const uint32_t *)(told + 1);
	const struct frame *frames[MODEL_STACK_FRAMES];
	uint32_t count = 0;
	for (uint32_t i = 0; i < told->count && i < MODEL_STACK_FRAMES; i++) {
		frames[count] = names_frame(model->names, ids[i]);
		count += frames[count] != NULL;
	}
	const struct stack *before = names_stack(model->names, told->id);
	/* cppcheck-suppress uninitvar ; count of them are set */
	if (!told->id || (before && before->count == count && !memcmp(before->frames, frames, count * sizeof(*frames))))
		return;
	struct stack_own *stack = arena_take(model, sizeof(*stack) + count * sizeof(*frames));
	if (!stack)
		return;
	*stack = (struct stack_own){ .pub = { count, (const struct frame **)(stack + 1) } };
	memcpy(stack->pub.frames, frames, count * sizeof(*frames));
	stack->shape = shape_of(&stack->pub);
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

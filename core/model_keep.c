/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What names consist of, each thing once: strings by their text, frames by what
 * they tell, stacks by their innermost frame and the stack around it. So stacks
 * are a tree: a new one costs as many nodes as it has frames that no other has,
 * and things that are told again under another number cost nothing.
 *
 * Things lie in an arena, behind a header that links those of one bucket, and
 * never move or change. There are two ways to let go of them. Where nobody else
 * reads the store, what is still needed is marked, and the places of the rest are
 * taken again by things of the same size. Else, or when such places are most of
 * the store, what is still needed moves to another one before this goes. Then the
 * header of what has moved leads to its copy, marked by its lowest bit, so this
 * store can be read but not added to.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "model_own.h"

#define CHUNK_BYTES 262144u /* a mapping of its own: what is let go of leaves no holes among what lives longer */
#define MOVED ((uintptr_t)1)
#define MARKED ((uintptr_t)2)
#define HOLE_BYTES 256u /* places of bigger things, which are few, stay empty */
#define WASTE_LEAST (1u << 20)

_Static_assert(2 * MAX_TEXT < CHUNK_BYTES, "anything fits into a chunk");

/* In front of each thing: the next one of its bucket, with MARKED; or its copy, with MOVED; or the next empty place. */
struct kept {
	struct kept *next;
};

struct shelf {
	struct kept **buckets;
	size_t room, count; /* a power of two, or 0 */
};

struct chunk {
	struct chunk *next;
	size_t used, room; /* of `bytes` */
	uint64_t bytes[];
};

struct keep {
	struct chunk *chunks;
	size_t bytes, marked; /* of things; of those that are marked */
	struct kept *holes[HOLE_BYTES / 8 + 1]; /* empty places, by their size */
	int is_full; /* something was refused */
	struct shelf shelves[KEEP_KINDS];
};

const struct stack_own stack_end = { .shape = 0xcbf29ce484222325ull };
static const char no_text[] = "";

static struct kept *header(const void *thing)
{
	return (struct kept *)(uintptr_t)thing - 1;
}

/* ---- what is equal ---- */

static uint64_t stir(uint64_t hash, uint64_t value)
{
	hash = (hash ^ value) * 0x9e3779b97f4a7c15ull;
	return hash ^ hash >> 29;
}

static uint64_t hash_string(const void *thing)
{
	uint64_t hash = 0xcbf29ce484222325ull;
	for (const char *text = thing; *text; text++)
		hash = (hash ^ (unsigned char)*text) * 0x100000001b3ull; /* FNV-1a */
	return hash ^ hash >> 29;
}

static int same_string(const void *a, const void *b)
{
	return !strcmp(a, b);
}

static uint64_t hash_frame(const void *thing)
{
	const struct frame *frame = thing;
	uint64_t hash = stir(stir((uintptr_t)frame->name, (uintptr_t)frame->file), (uintptr_t)frame->module);
	return stir(stir(hash, (uint64_t)frame->line << 32 | frame->column),
		    (uint64_t)frame->offset << 32 | frame->kind);
}

static int same_frame(const void *a, const void *b)
{
	const struct frame *x = a, *y = b;
	return x->name == y->name && x->file == y->file && x->module == y->module && x->line == y->line &&
	       x->column == y->column && x->offset == y->offset && x->kind == y->kind;
}

static uint64_t hash_stack(const void *thing)
{
	const struct stack *stack = thing;
	return stir(stir(0, (uintptr_t)stack->frame), (uintptr_t)stack->outer);
}

static int same_stack(const void *a, const void *b)
{
	const struct stack *x = a, *y = b;
	return x->frame == y->frame && x->outer == y->outer;
}

static const struct {
	uint64_t (*hash)(const void *thing);
	int (*same)(const void *a, const void *b);
} kinds[KEEP_KINDS] = {
	[KEEP_STRING] = { hash_string, same_string },
	[KEEP_FRAME] = { hash_frame, same_frame },
	[KEEP_STACK] = { hash_stack, same_stack },
};

/* ---- life ---- */

int keep_open(struct keep **keep)
{
	*keep = calloc(1, sizeof(**keep));
	return *keep ? 0 : -ENOMEM;
}

void keep_close(struct keep *keep)
{
	if (!keep)
		return;
	for (struct chunk *chunk = keep->chunks, *next; chunk; chunk = next) {
		next = chunk->next;
		munmap(chunk, sizeof(*chunk) + chunk->room);
	}
	for (unsigned kind = 0; kind < KEEP_KINDS; kind++)
		free(keep->shelves[kind].buckets);
	free(keep);
}

size_t keep_bytes(const struct keep *keep)
{
	size_t bytes = keep->bytes;
	for (unsigned kind = 0; kind < KEEP_KINDS; kind++)
		bytes += keep->shelves[kind].room * sizeof(struct kept *);
	return bytes;
}

size_t keep_mapped(const struct keep *keep)
{
	size_t bytes = 0;
	for (const struct chunk *chunk = keep->chunks; chunk; chunk = chunk->next)
		bytes += CHUNK_BYTES;
	return bytes;
}

int keep_is_full(const struct keep *keep)
{
	return keep->is_full;
}

/* ---- keeping ---- */

/* Of a thing of so many bytes, with its header. */
static size_t place_bytes(size_t bytes)
{
	return (sizeof(struct kept) + bytes + 7) & ~(size_t)7;
}

static struct kept *take_hole(struct keep *keep, size_t bytes)
{
	struct kept **first = bytes <= HOLE_BYTES ? &keep->holes[bytes / 8] : NULL, *hole = first ? *first : NULL;
	if (hole)
		*first = hole->next;
	return hole;
}

static struct kept *take(struct keep *keep, size_t bytes)
{
	if (keep->bytes + bytes > MAX_NAME_BYTES) {
		keep->is_full = 1;
		return NULL;
	}
	struct kept *hole = take_hole(keep, bytes);
	if (hole) {
		keep->bytes += bytes;
		return hole;
	}
	struct chunk *chunk = keep->chunks;
	if (!chunk || chunk->room - chunk->used < bytes) {
		chunk = mmap(NULL, CHUNK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (chunk == MAP_FAILED)
			return NULL;
		*chunk = (struct chunk){ keep->chunks, 0, CHUNK_BYTES - sizeof(*chunk) };
		keep->chunks = chunk;
	}
	void *at = (char *)chunk->bytes + chunk->used;
	chunk->used += bytes;
	keep->bytes += bytes;
	return at;
}

static int widen_shelf(struct shelf *shelf, unsigned kind)
{
	struct shelf wider = { .room = shelf->room ? shelf->room * 2 : 256, .count = shelf->count };
	wider.buckets = calloc(wider.room, sizeof(struct kept *));
	if (!wider.buckets)
		return -ENOMEM;
	for (size_t i = 0; i < shelf->room; i++)
		for (struct kept *kept = shelf->buckets[i], *next; kept; kept = next) {
			struct kept **bucket = &wider.buckets[kinds[kind].hash(kept + 1) & (wider.room - 1)];
			next = kept->next;
			kept->next = *bucket;
			*bucket = kept;
		}
	free(shelf->buckets);
	*shelf = wider;
	return 0;
}

/* The kept thing that equals this one, or a copy of `bytes` bytes. */
static void *keep_thing(struct keep *keep, unsigned kind, const void *thing, size_t bytes, int *is_new)
{
	struct shelf *shelf = &keep->shelves[kind];
	uint64_t hash = kinds[kind].hash(thing);
	*is_new = 0;
	for (struct kept *kept = shelf->room ? shelf->buckets[hash & (shelf->room - 1)] : NULL; kept; kept = kept->next)
		if (kinds[kind].same(kept + 1, thing))
			return kept + 1;
	if (shelf->count >= shelf->room && widen_shelf(shelf, kind))
		return NULL;
	struct kept *kept = take(keep, place_bytes(bytes));
	if (!kept)
		return NULL;
	memcpy(kept + 1, thing, bytes);
	kept->next = shelf->buckets[hash & (shelf->room - 1)];
	shelf->buckets[hash & (shelf->room - 1)] = kept;
	shelf->count++;
	*is_new = 1;
	return kept + 1;
}

const char *keep_string(struct keep *keep, const char *text)
{
	int is_new;
	return *text ? keep_thing(keep, KEEP_STRING, text, strlen(text) + 1, &is_new) : no_text;
}

const struct frame_own *keep_frame(struct keep *keep, const struct frame *frame)
{
	const struct frame_own whole = { .pub = *frame };
	int is_new;
	struct frame_own *kept = keep_thing(keep, KEEP_FRAME, &whole, sizeof(whole), &is_new);
	if (kept && is_new)
		frame_classify(kept);
	return kept;
}

struct stack_own *keep_stack(struct keep *keep, const struct frame *frame, const struct stack *outer)
{
	const struct stack_own whole = { .pub = { frame, outer, outer->count + 1 } };
	int is_new;
	return keep_thing(keep, KEEP_STACK, &whole, sizeof(whole), &is_new);
}

/* ---- letting go of what is not marked ---- */

static size_t bytes_of(unsigned kind, const struct kept *kept)
{
	switch (kind) {
	case KEEP_FRAME:
		return place_bytes(sizeof(struct frame_own));
	case KEEP_STACK:
		return place_bytes(sizeof(struct stack_own));
	}
	return place_bytes(strlen((const char *)(kept + 1)) + 1);
}

static struct kept *next_of(const struct kept *kept)
{
	return (struct kept *)((uintptr_t)kept->next & ~MARKED);
}

/* 1: it was not yet. */
static int mark(struct keep *keep, unsigned kind, struct kept *kept)
{
	if ((uintptr_t)kept->next & MARKED)
		return 0;
	kept->next = (struct kept *)((uintptr_t)kept->next | MARKED);
	keep->marked += bytes_of(kind, kept);
	return 1;
}

/* Not all texts that the model shows are kept here: some are the program's own. */
void keep_mark_string(struct keep *keep, const char *text)
{
	const struct shelf *shelf = &keep->shelves[KEEP_STRING];
	struct kept *kept = shelf->room && *text ? shelf->buckets[hash_string(text) & (shelf->room - 1)] : NULL;
	while (kept && !same_string(kept + 1, text))
		kept = next_of(kept);
	if (kept)
		mark(keep, KEEP_STRING, kept);
}

void keep_mark_frame(struct keep *keep, const struct frame *frame)
{
	const char *const texts[] = { frame->name, frame->file, frame->module };
	if (!mark(keep, KEEP_FRAME, header(frame)))
		return;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		if (texts[i] != no_text)
			mark(keep, KEEP_STRING, header(texts[i]));
}

void keep_mark_stack(struct keep *keep, const struct stack *stack)
{
	/* what is around one that is marked is so too */
	for (; stack->count && mark(keep, KEEP_STACK, header(stack)); stack = stack->outer)
		keep_mark_frame(keep, stack->frame);
}

static void make_hole(struct keep *keep, struct kept *kept, size_t bytes)
{
	keep->bytes -= bytes;
	if (bytes > HOLE_BYTES)
		return;
	kept->next = keep->holes[bytes / 8];
	keep->holes[bytes / 8] = kept;
}

static void sweep_shelf(struct keep *keep, unsigned kind)
{
	struct shelf *shelf = &keep->shelves[kind];
	for (size_t i = 0; i < shelf->room; i++)
		for (struct kept **link = &shelf->buckets[i], *kept; (kept = *link);) {
			if ((uintptr_t)kept->next & MARKED) {
				kept->next = next_of(kept);
				link = &kept->next;
				continue;
			}
			*link = kept->next;
			shelf->count--;
			make_hole(keep, kept, bytes_of(kind, kept));
		}
}

int keep_sweep(struct keep *keep)
{
	if (keep_mapped(keep) > 2 * keep->marked + WASTE_LEAST)
		return 0;
	for (unsigned kind = 0; kind < KEEP_KINDS; kind++)
		sweep_shelf(keep, kind);
	keep->marked = 0;
	keep->is_full = 0;
	return 1;
}

/* ---- moving ---- */

static void *copy_of(const void *thing)
{
	uintptr_t next = (uintptr_t)header(thing)->next;
	return next & MOVED ? (void *)(next & ~MOVED) : NULL;
}

static void mark_moved(const void *thing, const void *copy)
{
	header(thing)->next = (struct kept *)((uintptr_t)copy | MOVED);
}

const struct frame *keep_move_frame(struct keep *keep, const struct frame *frame)
{
	struct frame_own *copy = copy_of(frame);
	if (copy)
		return &copy->pub;
	struct frame_own whole = *(const struct frame_own *)frame;
	whole.pub.name = keep_string(keep, frame->name);
	whole.pub.file = keep_string(keep, frame->file);
	whole.pub.module = keep_string(keep, frame->module);
	int is_new;
	if (whole.pub.name && whole.pub.file && whole.pub.module)
		copy = keep_thing(keep, KEEP_FRAME, &whole, sizeof(whole), &is_new);
	if (!copy)
		return NULL;
	mark_moved(frame, copy);
	return &copy->pub;
}

const struct stack *keep_move_stack(struct keep *keep, const struct stack *stack)
{
	const struct stack *path[MODEL_STACK_FRAMES];
	size_t depth = 0;
	const struct stack *outer = NULL;
	while (stack->count && !(outer = copy_of(stack))) {
		path[depth++] = stack;
		stack = stack->outer;
	}
	outer = outer ? outer : &stack_end.pub;
	while (depth--) {
		const struct frame *frame = keep_move_frame(keep, path[depth]->frame);
		struct stack_own *copy = frame ? keep_stack(keep, frame, outer) : NULL;
		if (!copy)
			return NULL;
		copy->shape = ((const struct stack_own *)path[depth])->shape;
		mark_moved(path[depth], copy);
		outer = &copy->pub;
	}
	return outer;
}

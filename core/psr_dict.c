/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The live definitions of a recording: copies of records, found by (event,
 * key) in an open-addressing table of indices. At most DICT_BYTES are kept; a
 * recording with more is whole when read from its start, but its seek points
 * are not self-contained.
 */
#include "psr_dict.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DICT_BYTES (64u << 20)

struct psr_dict {
	struct ps_record **records;
	uint32_t count, room;
	uint32_t *slots; /* index + 1; 0 = free */
	uint32_t slot_count; /* power of two */
	size_t bytes;
};

static uint64_t key_id(const struct ps_record *record)
{
	return ((const struct ps_ev_string *)record)->id; /* the first field of FRAME and STACK too */
}

static uint64_t key_symbol(const struct ps_record *record)
{
	const struct ps_ev_symbol *symbol = (const struct ps_ev_symbol *)record;
	return symbol->address ^ (uint64_t)symbol->pid << 44;
}

static uint64_t key_tid(const struct ps_record *record)
{
	return record->tid;
}

static uint64_t key_loop(const struct ps_record *record)
{
	return (uint64_t)record->tid << 32 | (uint32_t)((const struct ps_ev_loop *)record)->poller_fd;
}

static uint64_t key_fd(const struct ps_record *record)
{
	int32_t fd = record->event == PS_EV_FD_LIFE ? ((const struct ps_ev_fd_life *)record)->fd
						    : ((const struct ps_ev_fd_interest *)record)->fd;
	return (uint64_t)record->tid << 32 | (uint32_t)fd;
}

static uint64_t key_group(const struct ps_record *record)
{
	return ((const struct ps_ev_probe *)record)->group;
}

/* in the order of repetition; an exit shares the name space of what exited, so that the later one wins */
static const struct definition {
	uint16_t event;
	uint64_t (*key)(const struct ps_record *record);
} definitions[] = {
	{ PS_EV_STRING, key_id },	{ PS_EV_FRAME, key_id },    { PS_EV_STACK, key_id },
	{ PS_EV_SYMBOL, key_symbol },	{ PS_EV_PROCESS, key_id }, /* its first field is the pid */
	{ PS_EV_THREAD, key_tid },	{ PS_EV_LOOP, key_loop },   { PS_EV_FD_LIFE, key_fd },
	{ PS_EV_FD_INTEREST, key_fd },	{ PS_EV_PROBE, key_group }, { PS_EV_PROCESS_EXIT, key_id },
	{ PS_EV_THREAD_EXIT, key_tid },
};
#define DEFINITIONS (sizeof(definitions) / sizeof(definitions[0]))

static const struct definition *find_definition(unsigned event)
{
	for (size_t i = 0; i < DEFINITIONS; i++)
		if (definitions[i].event == event)
			return &definitions[i];
	return NULL;
}

/* The slot of the key, or the free one where it belongs. */
static uint32_t *find_slot(const struct psr_dict *dict, const struct definition *definition, uint64_t key)
{
	uint64_t hash = (key ^ (uint64_t)definition->event << 56) * 0x9E3779B97F4A7C15ull;
	uint32_t mask = dict->slot_count - 1;
	for (uint32_t at = (uint32_t)(hash >> 32) & mask;; at = (at + 1) & mask) {
		uint32_t *slot = &dict->slots[at];
		const struct ps_record *record = *slot ? dict->records[*slot - 1] : NULL;
		if (!record || (record->event == definition->event && definition->key(record) == key))
			return slot;
	}
}

static int grow(struct psr_dict *dict)
{
	if (dict->count < dict->room)
		return 0;
	uint32_t room = dict->room ? dict->room * 2 : 256;
	struct ps_record **records = realloc(dict->records, room * sizeof(*records));
	if (!records)
		return -ENOMEM;
	dict->records = records;
	uint32_t *slots = calloc(2ull * room, sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	free(dict->slots);
	dict->slots = slots;
	dict->slot_count = 2 * room;
	dict->room = room;
	for (uint32_t i = 0; i < dict->count; i++) {
		const struct definition *definition = find_definition(dict->records[i]->event);
		*find_slot(dict, definition, definition->key(dict->records[i])) = i + 1;
	}
	return 0;
}

int psr_dict_open(struct psr_dict **out)
{
	struct psr_dict *dict = calloc(1, sizeof(*dict));
	if (!dict)
		return -ENOMEM;
	*out = dict;
	return 0;
}

void psr_dict_close(struct psr_dict *dict)
{
	if (!dict)
		return;
	for (uint32_t i = 0; i < dict->count; i++)
		free(dict->records[i]);
	free(dict->records);
	free(dict->slots);
	free(dict);
}

/* Kept as a place holder, not told. */
static void forget(struct psr_dict *dict, const struct ps_record *record, unsigned event)
{
	const struct definition *definition = find_definition(event);
	uint32_t *slot = dict->slot_count ? find_slot(dict, definition, definition->key(record)) : NULL;
	if (!slot || !*slot)
		return;
	dict->bytes -= dict->records[*slot - 1]->size;
	dict->records[*slot - 1]->size = 0;
}

/* What the record ends. 1: it defines nothing itself. */
static int forget_ended(struct psr_dict *dict, const struct ps_record *record)
{
	switch (record->event) {
	case PS_EV_PROCESS: /* a number that is used again is no longer that which exited */
		forget(dict, record, PS_EV_PROCESS_EXIT);
		return 0;
	case PS_EV_THREAD:
		forget(dict, record, PS_EV_THREAD_EXIT);
		return 0;
	case PS_EV_FD_INTEREST:
		if (((const struct ps_ev_fd_interest *)record)->op != PS_INTEREST_REMOVE)
			return 0;
		forget(dict, record, PS_EV_FD_INTEREST);
		return 1;
	case PS_EV_FD_LIFE:
		if (((const struct ps_ev_fd_life *)record)->op != PS_LIFE_CLOSED)
			return 0;
		forget(dict, record, PS_EV_FD_INTEREST);
		forget(dict, record, PS_EV_FD_LIFE);
		return 1;
	}
	return 0;
}

static void take_name(uint16_t *kind, uint32_t *name, uint16_t new_kind, uint32_t new_name)
{
	*kind = new_kind ? new_kind : *kind;
	*name = new_name ? new_name : *name;
}

/* A change of a descriptor goes into the record that made it known, which may have told more. 1: it did. */
static int fold(struct ps_record *old, const struct ps_record *record)
{
	if (record->event == PS_EV_FD_INTEREST && old->size) {
		struct ps_ev_fd_interest *was = (struct ps_ev_fd_interest *)old;
		const struct ps_ev_fd_interest *is = (const struct ps_ev_fd_interest *)record;
		if (is->op != PS_INTEREST_MODIFY || is->generation != was->generation ||
		    is->poller_fd != was->poller_fd)
			return 0;
		was->events = is->events;
		take_name(&was->kind, &was->name, is->kind, is->name);
		return 1;
	}
	if (record->event == PS_EV_FD_LIFE && old->size) {
		struct ps_ev_fd_life *was = (struct ps_ev_fd_life *)old;
		const struct ps_ev_fd_life *is = (const struct ps_ev_fd_life *)record;
		if (is->op != PS_LIFE_NAMED || is->generation != was->generation)
			return 0;
		take_name(&was->kind, &was->name, is->kind, is->name);
		return 1;
	}
	return 0;
}

int psr_dict_learn(struct psr_dict *dict, const struct ps_record *record)
{
	const struct definition *definition = find_definition(record->event);
	if (!definition || forget_ended(dict, record))
		return 0;
	int err = grow(dict);
	if (err)
		return err;
	uint32_t *slot = find_slot(dict, definition, definition->key(record));
	struct ps_record *old = *slot ? dict->records[*slot - 1] : NULL;
	if (old && fold(old, record))
		return 0;
	if (dict->bytes + record->size > DICT_BYTES && (!old || old->size < record->size))
		return 0;
	struct ps_record *copy = malloc(record->size);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, record, record->size);
	if (old) {
		dict->bytes -= old->size;
		free(old);
	} else {
		*slot = ++dict->count;
	}
	dict->records[*slot - 1] = copy;
	dict->bytes += record->size;
	return 0;
}

int psr_dict_each(const struct psr_dict *dict, int (*visit)(void *arg, const struct ps_record *record), void *arg)
{
	int err = 0;
	for (size_t kind = 0; kind < DEFINITIONS; kind++) {
		for (uint32_t i = 0; i < dict->count && !err; i++) {
			const struct ps_record *record = dict->records[i];
			if (record->event == definitions[kind].event && record->size)
				err = visit(arg, record);
		}
	}
	return err;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interning: an open-addressing table of numbers over one arena of bytes.
 *
 * The table owns the arena; entries point into it by offset, so it may move.
 * When arena and table have grown to max_bytes everything is forgotten at once:
 * the memory of a session is bounded whatever a target makes us intern.
 */
#include "intern.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct entry {
	uint64_t hash;
	size_t offset;
	uint32_t bytes;
	uint32_t id;  /* 0 = free */
};

struct intern {
	struct entry *entries;
	size_t size, used;  /* size is a power of two */
	char *arena;
	size_t filled, room, max_bytes;
	uint32_t last_id;
	size_t *places;       /* by number from first_place on: index in entries + 1; NULL: not asked for since the last change */
	uint32_t first_place;
};

static uint64_t hash_bytes(const unsigned char *bytes, size_t count)
{
	uint64_t hash = 0xcbf29ce484222325ull ^ count;

	for (; count >= 8; bytes += 8, count -= 8) {
		uint64_t word;

		memcpy(&word, bytes, 8);
		hash = (hash ^ word) * 0x9e3779b97f4a7c15ull;
		hash ^= hash >> 32;
	}
	for (; count; bytes++, count--)
		hash = (hash ^ *bytes) * 0x100000001b3ull;
	return hash ^ hash >> 29;
}

static struct entry *find_entry(struct intern *intern, uint64_t hash, const void *bytes, size_t count)
{
	size_t i = hash & (intern->size - 1);

	for (;; i = (i + 1) & (intern->size - 1)) {
		struct entry *entry = &intern->entries[i];

		if (!entry->id)
			return entry;
		if (entry->hash == hash && entry->bytes == count && !memcmp(intern->arena + entry->offset, bytes, count))
			return entry;
	}
}

static int grow_table(struct intern *intern)
{
	struct intern old = *intern;

	intern->size = old.size ? old.size * 2 : 256;
	intern->entries = calloc(intern->size, sizeof(*intern->entries));
	if (!intern->entries) {
		*intern = old;
		return -ENOMEM;
	}
	for (size_t i = 0; i < old.size; i++) {
		if (!old.entries[i].id)
			continue;
		size_t k = old.entries[i].hash & (intern->size - 1);
		while (intern->entries[k].id)
			k = (k + 1) & (intern->size - 1);
		intern->entries[k] = old.entries[i];
	}
	free(old.entries);
	return 0;
}

static int make_room(struct intern *intern, size_t count)
{
	if (intern->filled + count + intern->size * sizeof(struct entry) > intern->max_bytes && intern->used) {
		memset(intern->entries, 0, intern->size * sizeof(struct entry));
		intern->used = intern->filled = 0;
	}
	if (intern->used * 2 >= intern->size) {
		int err = grow_table(intern);

		if (err)
			return err;
	}
	if (intern->room - intern->filled >= count)
		return 0;
	size_t room = intern->room ? intern->room : 4096;
	while (room - intern->filled < count)
		room *= 2;
	char *arena = realloc(intern->arena, room);
	if (!arena)
		return -ENOMEM;
	intern->arena = arena;
	intern->room = room;
	return 0;
}

int intern_open(struct intern **intern, size_t max_bytes)
{
	*intern = calloc(1, sizeof(**intern));
	if (!*intern)
		return -ENOMEM;
	(*intern)->max_bytes = max_bytes;
	int err = make_room(*intern, 1);
	if (err) {
		intern_close(*intern);
		*intern = NULL;
	}
	return err;
}

void intern_close(struct intern *intern)
{
	if (!intern)
		return;
	free(intern->entries);
	free(intern->arena);
	free(intern->places);
	free(intern);
}

int intern_forget(struct intern *intern, struct intern **before)
{
	struct intern *fresh;
	int err = intern_open(&fresh, intern->max_bytes);

	*before = NULL;
	if (err)
		return err;
	struct intern old = *intern;
	*intern = *fresh;
	intern->last_id = old.last_id;
	*fresh = old;
	*before = fresh;
	return 0;
}

static int find_places(struct intern *intern)
{
	uint32_t first = intern->last_id;

	for (size_t i = 0; i < intern->size; i++)
		if (intern->entries[i].id && intern->entries[i].id < first)
			first = intern->entries[i].id;
	intern->places = calloc((size_t)intern->last_id - first + 1, sizeof(*intern->places));
	intern->first_place = first;
	for (size_t i = 0; i < intern->size && intern->places; i++)
		if (intern->entries[i].id)
			intern->places[intern->entries[i].id - first] = i + 1;
	return intern->places ? 0 : -ENOMEM;
}

const void *intern_bytes(struct intern *intern, uint32_t id, size_t *count)
{
	if (!id || id > intern->last_id || (!intern->places && find_places(intern)) || id < intern->first_place)
		return NULL;
	size_t place = intern->places[id - intern->first_place];
	if (!place)
		return NULL;
	*count = intern->entries[place - 1].bytes;
	return intern->arena + intern->entries[place - 1].offset;
}

uint32_t intern_id(struct intern *intern, const void *bytes, size_t count, int *is_new)
{
	uint64_t hash = hash_bytes(bytes, count);
	struct entry *entry = find_entry(intern, hash, bytes, count);

	*is_new = 0;
	if (entry->id)
		return entry->id;
	if (make_room(intern, count))
		return 0;
	free(intern->places);
	intern->places = NULL;
	entry = find_entry(intern, hash, bytes, count);
	*entry = (struct entry){ .hash = hash, .offset = intern->filled, .bytes = count, .id = ++intern->last_id };
	memcpy(intern->arena + intern->filled, bytes, count);
	intern->filled += count;
	intern->used++;
	*is_new = 1;
	return entry->id;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The hash table under every lookup of the model: linear probing, at most half
 * full, removal by shifting back, so there are no tombstones and an entry is
 * always found between its home and the next empty slot.
 */
#include "table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TABLE_LEAST 16u

/* the finalizer of splitmix64: keys are small numbers or addresses, all bits must count */
static size_t home(const struct table *table, uint64_t key)
{
	key ^= key >> 30;
	key *= 0xbf58476d1ce4e5b9ull;
	key ^= key >> 27;
	key *= 0x94d049bb133111ebull;
	key ^= key >> 31;
	return (size_t)key & (table->room - 1);
}

static struct table_entry *find(const struct table *table, uint64_t key)
{
	size_t at = home(table, key);
	while (table->entries[at].value && table->entries[at].key != key)
		at = (at + 1) & (table->room - 1);
	return &table->entries[at];
}

static int grow(struct table *table)
{
	struct table wider = { .room = table->room ? table->room * 2 : TABLE_LEAST };
	wider.entries = calloc(wider.room, sizeof(*wider.entries));
	if (!wider.entries)
		return -ENOMEM;
	for (size_t i = 0; i < table->room; i++)
		if (table->entries[i].value)
			*find(&wider, table->entries[i].key) = table->entries[i];
	wider.count = table->count;
	free(table->entries);
	*table = wider;
	return 0;
}

uint64_t table_get(const struct table *table, uint64_t key)
{
	return table->count ? find(table, key)->value : 0;
}

int table_put(struct table *table, uint64_t key, uint64_t value)
{
	if (!value)
		return -EINVAL;
	if (table->count * 2 >= table->room) {
		int err = grow(table);
		if (err)
			return err;
	}
	struct table_entry *entry = find(table, key);
	table->count += !entry->value;
	*entry = (struct table_entry){ key, value };
	return 0;
}

void table_remove(struct table *table, uint64_t key)
{
	if (!table->count)
		return;
	struct table_entry *entry = find(table, key);
	if (!entry->value)
		return;
	size_t mask = table->room - 1, hole = (size_t)(entry - table->entries);
	for (size_t at = (hole + 1) & mask; table->entries[at].value; at = (at + 1) & mask) {
		size_t wanted = home(table, table->entries[at].key);
		/* may move back only if its home is not after the hole */
		if (((at - wanted) & mask) < ((at - hole) & mask))
			continue;
		table->entries[hole] = table->entries[at];
		hole = at;
	}
	table->entries[hole] = (struct table_entry){ 0, 0 };
	table->count--;
}

int table_copy(struct table *to, const struct table *from)
{
	*to = (struct table){ 0 };
	if (!from->room)
		return 0;
	to->entries = malloc(from->room * sizeof(*to->entries));
	if (!to->entries)
		return -ENOMEM;
	memcpy(to->entries, from->entries, from->room * sizeof(*to->entries));
	to->room = from->room;
	to->count = from->count;
	return 0;
}

void table_free(struct table *table)
{
	free(table->entries);
	*table = (struct table){ 0 };
}

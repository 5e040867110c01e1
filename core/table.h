/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An open-addressing hash table from u64 to u64. Values are never 0 (0 means
 * "absent"), so an index is kept as index + 1 and a pointer as it is.
 *
 * A zeroed struct is an empty table. Pointers to values are good until the
 * next put or remove.
 */
#ifndef TABLE_H
#define TABLE_H

#include <stddef.h>
#include <stdint.h>

struct table_entry {
	uint64_t key, value;
};

struct table {
	struct table_entry *entries;
	size_t room;    /* power of two, or 0 */
	size_t count;
};

uint64_t table_get(const struct table *table, uint64_t key);            /* 0 = absent */
int table_put(struct table *table, uint64_t key, uint64_t value);       /* adds or replaces; -ENOMEM, -EINVAL: value 0 */
void table_remove(struct table *table, uint64_t key);
int table_copy(struct table *to, const struct table *from);             /* -ENOMEM */
void table_free(struct table *table);

static inline void *table_pointer(const struct table *table, uint64_t key)
{
	return (void *)(uintptr_t)table_get(table, key);
}

#endif

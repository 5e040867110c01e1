/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A source map (ECMA-426): where in the files that people wrote the lines of a
 * generated file come from.
 *
 * Its text is somebody else's: whatever it says, looking something up costs a
 * bounded time and gives a place in one of its sources, or none.
 */
#ifndef SOURCE_MAP_H
#define SOURCE_MAP_H

#include <stddef.h>
#include <stdint.h>

struct source_map;

/* From JSON, also of the kind that has sections. -EINVAL: it is none, -ENOMEM. */
int source_map_read(struct source_map **map, const char *text, size_t bytes);
void source_map_free(struct source_map *map);

struct source_place {
	const char *source;  /* as the map names it, its root before it; good while the map is */
	const char *name;    /* what it was called there; "" = the map does not tell */
	uint32_t line, column; /* from 1 */
	uint32_t at;         /* column, from 1, where this part of the generated line begins */
};

/* Where a place of the generated file comes from; line and column from 1. -ENOENT: from nowhere, or the map does not tell. */
int source_map_find(const struct source_map *map, uint32_t line, uint32_t column, struct source_place *place);

#endif

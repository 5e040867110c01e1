/* SPDX-License-Identifier: BSD-2-Clause */
/* libFuzzer target: any bytes as a source map; what is accepted is looked up all over. */
#include <stdlib.h>
#include <string.h>

#include "source_map.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static const uint32_t columns[] = { 0, 1, 2, 7, 100, 4097, UINT32_MAX };
	struct source_map *map;

	if (source_map_read(&map, (const char *)bytes, size))
		return 0;
	for (uint32_t line = 0; line < 6; line++) {
		for (size_t i = 0; i < sizeof(columns) / sizeof(*columns); i++) {
			struct source_place place;

			if (source_map_find(map, line, columns[i], &place))
				continue;
			if (!place.line || !place.column || !place.at || place.at > columns[i] || !*place.source || strlen(place.name) > size)
				abort();
		}
	}
	source_map_free(map);
	return 0;
}

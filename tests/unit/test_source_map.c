/* SPDX-License-Identifier: BSD-2-Clause */
/* Source maps: written by hand after the standard, of both kinds, and odd ones. */
#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "source_map.h"

static struct source_map *read_text(const char *text)
{
	struct source_map *map;

	assert_int_equal(source_map_read(&map, text, strlen(text)), 0);
	return map;
}

static void refuse(const char *text)
{
	struct source_map *map = (void *)1;

	assert_int_equal(source_map_read(&map, text, strlen(text)), -EINVAL);
	assert_null(map);
}

/* "1:1" of what the map tells of a place; "" = nothing */
static const char *of(const struct source_map *map, uint32_t line, uint32_t column)
{
	static char text[256];
	struct source_place place;

	*text = '\0';
	if (!source_map_find(map, line, column, &place))
		snprintf(text, sizeof(text), "%s:%u:%u%s%s", place.source, place.line, place.column, *place.name ? " " : "",
			 place.name);
	return text;
}

/*
 * AAAA: column 0 is a.ts:0:0. KAECA: +5, same source, +2 lines, +1 column, first name. IACAC: +4, +1 line, next name.
 * ";" next line. CCFAD: column 1, next source, -2 lines, name before.
 */
static const char plain[] = "{\"version\":3,\"sourceRoot\":\"src\",\"sources\":[\"a.ts\",\"/b.ts\"],\"names\":[\"run\",\"go\"],"
			    "\"mappings\":\"AAAA,KAECA,IACAC;;CCFAD,E\"}";

TEST(a_place_is_of_the_last_segment_before_it_on_its_line)
{
	struct source_map *map = read_text(plain);

	assert_string_equal(of(map, 1, 1), "src/a.ts:1:1");
	assert_string_equal(of(map, 1, 5), "src/a.ts:1:1");
	assert_string_equal(of(map, 1, 6), "src/a.ts:3:2 run");
	assert_string_equal(of(map, 1, 9), "src/a.ts:3:2 run");
	assert_string_equal(of(map, 1, 10), "src/a.ts:4:2 go");
	assert_string_equal(of(map, 1, 100000), "src/a.ts:4:2 go");
	assert_string_equal(of(map, 2, 1), "");
	assert_string_equal(of(map, 3, 1), "");
	assert_string_equal(of(map, 3, 2), "src/b.ts:2:2 run");
	assert_string_equal(of(map, 3, 4), ""); /* from nowhere */
	assert_string_equal(of(map, 4, 1), "");
	assert_string_equal(of(map, 0, 0), "");
	assert_string_equal(of(map, UINT32_MAX, UINT32_MAX), "");
	source_map_free(map);
}

TEST(a_map_in_sections_is_read_by_where_each_begins)
{
	struct source_map *map = read_text(
		")]}'\n{\"version\":3,\"sections\":["
		"{\"offset\":{\"line\":0,\"column\":10},\"map\":{\"sources\":[\"one.js\"],\"mappings\":\"AAAA;AACA\"}},"
		"{\"offset\":{\"line\":1,\"column\":20},\"map\":{\"sources\":[\"two.js\"],\"mappings\":\"IAAA;AACA\"}}]}");

	assert_string_equal(of(map, 1, 10), "");
	assert_string_equal(of(map, 1, 11), "one.js:1:1");
	assert_string_equal(of(map, 2, 1), "one.js:2:1");
	assert_string_equal(of(map, 2, 21), "");
	assert_string_equal(of(map, 2, 25), "two.js:1:1");
	assert_string_equal(of(map, 3, 1), "two.js:2:1");
	source_map_free(map);
}

TEST(a_long_line_is_looked_up_as_rightly_as_a_short_one)
{
	enum { SEGMENTS = 100000 };
	static char text[SEGMENTS * 6 + 200];
	char expected[64];
	size_t at = (size_t)sprintf(text, "{\"version\":3,\"sources\":[\"x.ts\"],\"names\":[],\"mappings\":\"AAAA");

	/* two columns each, and a line of the source */
	for (int i = 1; i < SEGMENTS; i++)
		at += (size_t)sprintf(text + at, ",EACA");
	strcpy(text + at, ";AAAA\"}");
	struct source_map *map = read_text(text);
	for (uint32_t i = 0; i < SEGMENTS; i += i < 3000 ? 1 : 997) {
		snprintf(expected, sizeof(expected), "x.ts:%u:1", i + 1);
		assert_string_equal(of(map, 1, 2 * i + 1), expected);
		assert_string_equal(of(map, 1, 2 * i + 2), expected);
	}
	snprintf(expected, sizeof(expected), "x.ts:%d:1", SEGMENTS);
	assert_string_equal(of(map, 2, 1), expected);
	source_map_free(map);
}

TEST(what_is_no_map_is_refused)
{
	refuse("");
	refuse("[]");
	refuse("{}");
	refuse("{\"version\":3,\"mappings\":\"AAAA\"}");
	refuse("{\"version\":3,\"sources\":[],\"mappings\":7}");
	refuse("{\"sources\":[\"a\"],\"mappings\":\"AA\"}");       /* two fields */
	refuse("{\"sources\":[\"a\"],\"mappings\":\"AAAAAA\"}");   /* six */
	refuse("{\"sources\":[\"a\"],\"mappings\":\"AAAA!\"}");
	refuse("{\"sources\":[\"a\"],\"mappings\":\"D\"}");        /* before the line begins */
	refuse("{\"sources\":[\"a\"],\"mappings\":\"ADAA\"}");
	refuse("{\"sources\":[\"a\"],\"mappings\":\"ggggggggggggC\"}"); /* no end of digits */
	refuse("{\"sources\":[\"a\"],\"mappings\":\"+/////D,+/////D\"}");
	refuse("{\"sections\":[]}");
	refuse("{\"sections\":[{\"offset\":{\"line\":-1,\"column\":0},\"map\":{\"sources\":[],\"mappings\":\"\"}}]}");
	refuse("{\"sections\":[{\"offset\":{\"line\":1,\"column\":0},\"map\":{\"sources\":[],\"mappings\":\"\"}},"
	       "{\"offset\":{\"line\":0,\"column\":0},\"map\":{\"sources\":[],\"mappings\":\"\"}}]}");
	refuse("{\"sections\":[{\"offset\":{\"line\":0,\"column\":0},\"map\":{\"sections\":[]}}]}");
}

TEST(a_source_that_the_map_does_not_have_is_no_place)
{
	struct source_map *map = read_text("{\"sources\":[null,7],\"names\":[1],\"mappings\":\"AAAAA,ECAAA,ECAAA\"}");

	for (uint32_t column = 1; column < 9; column++)
		assert_string_equal(of(map, 1, column), "");
	source_map_free(map);
}

TEST(a_map_that_is_cut_anywhere_never_harms)
{
	for (size_t bytes = 0; bytes < sizeof(plain) - 1; bytes++) {
		char *copy = malloc(bytes + 1); /* of that very size: reading on would be seen */
		struct source_map *map;

		assert_non_null(copy);
		memcpy(copy, plain, bytes);
		assert_int_equal(source_map_read(&map, copy, bytes), -EINVAL);
		free(copy);
	}
}

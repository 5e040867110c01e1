/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names that functions have of their own.
 *
 * What all functions that were made of the same source share has their name, if
 * the source tells it. A computed name (`[key]() {}`) is a property of each,
 * and so is one that was defined later; V8's stack traces take it first.
 *
 * The map of an object describes its properties, by descriptors of three words:
 * key, details, value. "name" is among the first of a function. Where it is
 * found is kept per map: most functions have the same few.
 */
#include "v8_parts.h"

#include <string.h>

#define DESCRIPTORS_MAX 16  /* looked at */
#define ENTRIES_MAX     64
#define INDEX_MASK      1023
enum descriptor { KEY, DETAILS, VALUE, DESCRIPTOR_WORDS };
enum { NO_NAME = -1, NO_FIELD = -2, NOT_READ = -3 };

static int has_layout(const struct v8_layout *at)
{
	return at->map_descriptors > 0 && at->map_words > 0 && at->map_first_property > 0 && at->descriptors_header > 0 &&
	       at->object_properties > 0 && at->property_kind_mask > 0 && at->property_location_mask > 0 &&
	       at->property_index_shift > 0 && at->property_index_shift < 32;
}

static int is_name(struct v8_reader *reader, uint64_t string)
{
	char key[8];

	return v8_string(reader, string, key, sizeof(key)) == 4 && !strcmp(key, "name");
}

/* The details of "name", when it is in a field. */
static int64_t find_details(struct v8_reader *reader, uint64_t descriptors)
{
	const struct v8_layout *at = &reader->layout;
	uint16_t count;

	/* behind the map comes how many there are */
	if (v8_read(reader, (descriptors & ~3ull) + at->tagged_bytes, &count, sizeof(count)))
		return NOT_READ;
	for (int32_t i = 0; i < count && i < DESCRIPTORS_MAX; i++) {
		int32_t word = at->descriptors_header + i * DESCRIPTOR_WORDS * at->tagged_bytes, details;
		uint64_t string = v8_field(reader, descriptors, word + KEY * at->tagged_bytes);

		if (v8_type(reader, string) < 0)
			return NOT_READ;
		if (!is_name(reader, string))
			continue;
		if (v8_smi(reader, descriptors, word + DETAILS * at->tagged_bytes, &details))
			return NOT_READ;
		/* 0: data; 0: in a field */
		return details & (at->property_kind_mask | at->property_location_mask) ? NO_FIELD : (int64_t)(uint32_t)details;
	}
	return NO_NAME;
}

static void look_up(struct v8_reader *reader, struct v8_named *named, uint64_t map)
{
	const struct v8_layout *at = &reader->layout;
	int64_t details = find_details(reader, named->descriptors);
	uint8_t words, first;

	/* once more when it is met again */
	if (details == NOT_READ)
		named->map = 0;
	if (details == NO_NAME)
		named->where = NAMED_IN_DICTIONARY;
	if (details < 0 || v8_read(reader, (map & ~3ull) + at->map_words, &words, 1) ||
	    v8_read(reader, (map & ~3ull) + at->map_first_property, &first, 1) || !first || first > words)
		return;
	int32_t index = details >> at->property_index_shift & INDEX_MASK, within = words - first;
	named->where = index < within ? NAMED_WITHIN : NAMED_FURTHER;
	named->offset = index < within ? (first + index) * at->tagged_bytes : at->array_data + (index - within) * at->tagged_bytes;
}

/* Objects whose properties were defined anew have them in a table: key, value, details. */
static uint64_t in_dictionary(struct v8_reader *reader, uint64_t dictionary)
{
	const struct v8_layout *at = &reader->layout;
	int32_t first = at->dictionary_prefix + at->dictionary_prefix_words, step = at->dictionary_entry_words;

	if (at->dictionary_prefix < 0 || at->dictionary_prefix_words < 0 || step < 2)
		return 0;
	for (int32_t i = 0; i < ENTRIES_MAX; i++) {
		uint64_t key = v8_element(reader, dictionary, first + i * step);

		if (!key)
			break;
		if (is_name(reader, key))
			return v8_element(reader, dictionary, first + i * step + 1);
	}
	return 0;
}

uint64_t v8_own_name(struct v8_reader *reader, uint64_t function, uint64_t shared)
{
	const struct v8_layout *at = &reader->layout;

	if (!has_layout(at) || !function)
		return 0;
	function = v8_moved(reader, function);
	if (v8_field(reader, function, at->function_shared) != shared)
		return 0;
	uint64_t map = v8_field(reader, function, 0), descriptors = v8_field(reader, map, at->map_descriptors), name = 0;
	struct v8_named *named = &reader->named[(map * 0x9e3779b97f4a7c15ull >> 32) % V8_NAMED];

	if (!descriptors)
		return 0;
	if (named->map != map || named->descriptors != descriptors) {
		*named = (struct v8_named){ .map = map, .descriptors = descriptors };
		look_up(reader, named, map);
	}
	switch (named->where) {
	case NAMED_NOT:
		return 0;
	case NAMED_WITHIN:
		name = v8_field(reader, function, named->offset);
		break;
	case NAMED_FURTHER:
		name = v8_field(reader, v8_field(reader, function, at->object_properties), named->offset);
		break;
	case NAMED_IN_DICTIONARY:
		name = in_dictionary(reader, v8_field(reader, function, at->object_properties));
	}
	int type = v8_type(reader, name);
	return type >= 0 && type < at->first_non_string ? name : 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The mappings stay as they are, a text of differences in base 64; once read
 * through, the state of reading is kept for each few thousand characters, so a
 * look-up reads a piece of that size, however long the line is.
 */
#include "source_map.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define MARK_CHARS  4096
#define SECTIONS_MAX 4096
#define NUMBERS_MAX 0x7fffffffll

/* All numbers from 0. */
struct state {
	size_t at;              /* in the text */
	int64_t line, column;   /* generated */
	int64_t source, source_line, source_column, name;
	int fields;             /* of the last segment: 1 = it comes from nowhere, 4, 5 = with a name */
};

struct section {
	int64_t line, column;   /* of the generated file, where it begins */
	char *text;
	struct state *marks;    /* rising, the first at its begin */
	size_t mark_count;
	char **sources, **names;
	size_t source_count, name_count;
};

struct source_map {
	struct section *sections; /* rising */
	size_t count;
};

/* ---- segments ---- */

static int digit_of(unsigned char character)
{
	if (character >= 'A' && character <= 'Z')
		return character - 'A';
	if (character >= 'a' && character <= 'z')
		return character - 'a' + 26;
	if (character >= '0' && character <= '9')
		return character - '0' + 52;
	return character == '+' ? 62 : character == '/' ? 63 : -1;
}

/* One number: five bits in each character, the lowest first, the first bit is the sign. 0 = there is none, or it is too big. */
static int read_number(const char *text, size_t *at, int64_t *value)
{
	int64_t bits = 0;
	int digit;

	for (int shift = 0; (digit = digit_of((unsigned char)text[*at])) >= 0; shift += 5) {
		if (shift > 30)
			return 0;
		(*at)++;
		bits |= (int64_t)(digit & 31) << shift;
		if (digit & 32)
			continue;
		*value = bits & 1 ? -(bits >> 1) : bits >> 1;
		return 1;
	}
	return 0;
}

static int add(int64_t *sum, int64_t difference)
{
	*sum += difference;
	return *sum >= 0 && *sum <= NUMBERS_MAX;
}

/* The next segment. 1; 0 at the end of the text; -EINVAL. */
static int next_segment(const char *text, struct state *state)
{
	int64_t value[5];

	for (; text[state->at] == ';' || text[state->at] == ','; state->at++) {
		if (text[state->at] == ',')
			continue;
		state->line++;
		state->column = 0;
	}
	if (!text[state->at])
		return 0;
	for (state->fields = 0; state->fields < 5 && read_number(text, &state->at, &value[state->fields]);)
		state->fields++;
	char behind = text[state->at];
	if ((state->fields != 1 && state->fields < 4) || (behind && behind != ',' && behind != ';'))
		return -EINVAL;
	if (!add(&state->column, value[0]) || state->line > NUMBERS_MAX)
		return -EINVAL;
	if (state->fields >= 4 && (!add(&state->source, value[1]) || !add(&state->source_line, value[2]) ||
				   !add(&state->source_column, value[3])))
		return -EINVAL;
	return state->fields < 5 || add(&state->name, value[4]) ? 1 : -EINVAL;
}

/* Reads all of it once, and keeps a state now and then: the one after which the rest is read. */
static int mark(struct section *section)
{
	struct state state = { 0 };
	size_t bytes = strlen(section->text), room = bytes / MARK_CHARS + 2;
	int more;

	section->marks = malloc(room * sizeof(*section->marks));
	if (!section->marks)
		return -ENOMEM;
	section->marks[section->mark_count++] = state;
	while ((more = next_segment(section->text, &state)) > 0)
		if (state.at - section->marks[section->mark_count - 1].at >= MARK_CHARS && section->mark_count < room)
			section->marks[section->mark_count++] = state;
	return more;
}

static int is_behind(const struct state *state, int64_t line, int64_t column)
{
	return state->line > line || (state->line == line && state->column > column);
}

/* The last segment of the line that is not behind the column. */
static int find_segment(const struct section *section, int64_t line, int64_t column, struct state *found)
{
	size_t low = 1, high = section->mark_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (is_behind(&section->marks[middle], line, column))
			high = middle;
		else
			low = middle + 1;
	}
	struct state state = section->marks[low - 1];
	*found = state;
	while (next_segment(section->text, &state) > 0 && !is_behind(&state, line, column))
		*found = state;
	return found->fields >= 4 && found->line == line ? 0 : -ENOENT;
}

/* ---- reading the document ---- */

static void clear_section(struct section *section)
{
	for (size_t i = 0; i < section->source_count; i++)
		free(section->sources[i]);
	for (size_t i = 0; i < section->name_count; i++)
		free(section->names[i]);
	free(section->sources);
	free(section->names);
	free(section->marks);
	free(section->text);
}

static char *joined(const char *root, const char *name)
{
	size_t length = strlen(root);
	const char *slash = length && root[length - 1] != '/' && *name != '/' ? "/" : "";
	char *text = NULL;

	return asprintf(&text, "%s%s%s", root, slash, name) < 0 ? NULL : text;
}

/* The strings of an array; one that is none becomes "". */
static int read_strings(const json_t *array, const char *root, char ***out, size_t *count)
{
	size_t size = json_array_size(array);

	*out = calloc(size + 1, sizeof(**out));
	for (; *out && *count < size; (*count)++) {
		const char *text = json_string_value(json_array_get(array, *count));

		(*out)[*count] = joined(text ? root : "", text ? text : "");
		if (!(*out)[*count])
			return -ENOMEM;
	}
	return *out ? 0 : -ENOMEM;
}

static int read_section(struct section *section, const json_t *document)
{
	const char *text = json_string_value(json_object_get(document, "mappings"));
	const char *root = json_string_value(json_object_get(document, "sourceRoot"));

	if (!text || !json_is_array(json_object_get(document, "sources")))
		return -EINVAL;
	section->text = strdup(text);
	int err = section->text ? 0 : -ENOMEM;
	if (!err)
		err = read_strings(json_object_get(document, "sources"), root ? root : "", &section->sources,
				   &section->source_count);
	if (!err)
		err = read_strings(json_object_get(document, "names"), "", &section->names, &section->name_count);
	return err ? err : mark(section);
}

static int64_t number_in(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static int read_sections(struct source_map *map, const json_t *sections)
{
	size_t count = json_array_size(sections);
	int err = 0;

	if (!count || count > SECTIONS_MAX)
		return -EINVAL;
	map->sections = calloc(count, sizeof(*map->sections));
	if (!map->sections)
		return -ENOMEM;
	for (size_t i = 0; i < count && !err; i++) {
		const json_t *row = json_array_get(sections, i), *offset = json_object_get(row, "offset");
		struct section *section = &map->sections[map->count++];

		section->line = number_in(offset, "line");
		section->column = number_in(offset, "column");
		if (section->line < 0 || section->line > NUMBERS_MAX || section->column < 0 || section->column > NUMBERS_MAX)
			return -EINVAL;
		if (i && (section->line < section[-1].line ||
			  (section->line == section[-1].line && section->column < section[-1].column)))
			return -EINVAL;
		err = read_section(section, json_object_get(row, "map"));
	}
	return err;
}

static int read_whole(struct source_map *map, const json_t *document)
{
	const json_t *sections = json_object_get(document, "sections");

	if (sections)
		return read_sections(map, sections);
	map->sections = calloc(1, sizeof(*map->sections));
	if (!map->sections)
		return -ENOMEM;
	map->count = 1;
	return read_section(&map->sections[0], document);
}

int source_map_read(struct source_map **out, const char *text, size_t bytes)
{
	/* a line that keeps others from taking it for a script may stand before it */
	const char *end = bytes >= 3 && !strncmp(text, ")]}", 3) ? memchr(text, '\n', bytes) : NULL;
	size_t skip = end ? (size_t)(end - text) : 0;
	json_t *document = json_loadb(text + skip, bytes - skip, 0, NULL);
	struct source_map *map = document ? calloc(1, sizeof(*map)) : NULL;
	int err = document ? map ? 0 : -ENOMEM : -EINVAL;

	*out = NULL;
	if (!err)
		err = read_whole(map, document);
	json_decref(document);
	if (err) {
		source_map_free(map);
		return err;
	}
	*out = map;
	return 0;
}

void source_map_free(struct source_map *map)
{
	if (!map)
		return;
	for (size_t i = 0; i < map->count; i++)
		clear_section(&map->sections[i]);
	free(map->sections);
	free(map);
}

/* ---- looking up ---- */

int source_map_find(const struct source_map *map, uint32_t line, uint32_t column, struct source_place *place)
{
	int64_t row = (int64_t)line - 1, character = (int64_t)column - 1;
	const struct section *section = NULL;
	struct state found;

	for (size_t i = 0; i < map->count; i++) {
		const struct section *next = &map->sections[i];

		if (next->line > row || (next->line == row && next->column > character))
			break;
		section = next;
	}
	if (!section || row < 0 || character < 0)
		return -ENOENT;
	int64_t first = row == section->line ? section->column : 0;
	if (find_segment(section, row - section->line, character - first, &found))
		return -ENOENT;
	if ((size_t)found.source >= section->source_count || !*section->sources[found.source])
		return -ENOENT;
	*place = (struct source_place){
		.source = section->sources[found.source],
		.name = found.fields == 5 && (size_t)found.name < section->name_count ? section->names[found.name] : "",
		.line = (uint32_t)found.source_line + 1,
		.column = (uint32_t)found.source_column + 1,
		.at = (uint32_t)(found.column + first) + 1,
	};
	return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From a place in a script that was made of other files (TypeScript, a bundle)
 * to the place in the file that people wrote.
 *
 * The script says in its last comment where its source map is: in a file beside
 * it, or in the comment itself, as loaders do that translate while the program
 * starts (tsx, ts-node): then the lines of the script are in no file at all. The
 * comment is looked for in the source that V8 holds, once for each script. Files
 * are opened below the target's root, of which no link leads out. Nothing is
 * asked of the network.
 */
#include <ctype.h>
#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proc.h"
#include "source_map.h"
#include "v8_parts.h"

#define SCRIPTS_MAX 128
#define TRIES       3              /* at a source that cannot be read in the time that a stack has */
#define SOURCE_MAX  (16u << 20)
#define FILE_MAX    (32u << 20)
#define KEPT_MAX    (64u << 20)    /* of all maps, by the bytes of their documents */
#define PATH_ROOM   1024

struct script_map {
	uint64_t script, source;
	uint64_t used;             /* when last, in uses; 0 = free */
	int tries;
	struct source_map *map;    /* NULL: it has none */
	size_t bytes;
	char base[PATH_ROOM];      /* the file that names its sources */
};

struct v8_maps {
	pid_t pid;
	uint64_t uses;
	size_t bytes;
	struct script_map scripts[SCRIPTS_MAX];
};

int v8_maps_open(struct v8_maps **maps, pid_t pid)
{
	*maps = calloc(1, sizeof(**maps));
	if (!*maps)
		return -ENOMEM;
	(*maps)->pid = pid;
	return 0;
}

static void clear(struct v8_maps *maps, struct script_map *row)
{
	source_map_free(row->map);
	maps->bytes -= row->bytes;
	*row = (struct script_map){ 0 };
}

void v8_maps_close(struct v8_maps *maps)
{
	for (size_t i = 0; maps && i < SCRIPTS_MAX; i++)
		clear(maps, &maps->scripts[i]);
	free(maps);
}

/* ---- the comment ---- */

struct hunt {
	char *url;
	size_t bytes, room;
	size_t matched;          /* characters of the mark */
	int is_taking;
};

static const char comment[] = "//# sourceMappingURL=";

static int take(struct hunt *hunt, char character)
{
	if (hunt->bytes == hunt->room) {
		size_t room = hunt->room ? hunt->room * 2 : 256;
		char *url = room <= 2 * FILE_MAX ? realloc(hunt->url, room) : NULL;

		if (!url)
			return -ENOMEM;
		hunt->url = url;
		hunt->room = room;
	}
	hunt->url[hunt->bytes++] = character;
	return 0;
}

static void match(struct hunt *hunt, int character)
{
	if (character == comment[hunt->matched] || (hunt->matched == 2 && character == '@'))
		hunt->matched++;
	else
		hunt->matched = character != '/' ? 0 : hunt->matched == 2 ? 2 : 1;
	if (comment[hunt->matched])
		return;
	hunt->matched = 0;
	hunt->is_taking = 1;
	hunt->bytes = 0; /* the last one counts */
}

static int hunt_chars(void *arg, const void *chars, size_t count, int two_byte)
{
	struct hunt *hunt = arg;
	const uint8_t *bytes = chars;
	const uint16_t *units = chars;

	for (size_t i = 0; i < count; i++) {
		int character = two_byte ? units[i] : bytes[i];

		if (hunt->is_taking && character > ' ' && character < 0x7f && !strchr("\"'`\\", character)) {
			if (take(hunt, (char)character))
				return -ENOMEM;
			continue;
		}
		hunt->is_taking = 0;
		match(hunt, character);
	}
	return 0;
}

/* ---- addresses ---- */

static int hex_digit(char character)
{
	return isdigit((unsigned char)character) ? character - '0' : (character | 32) - 'a' + 10;
}

/* In place; returns the length. */
static size_t undo_percent(char *text, size_t bytes)
{
	size_t out = 0;

	for (size_t i = 0; i < bytes; i++, out++) {
		if (text[i] == '%' && i + 2 < bytes && isxdigit((unsigned char)text[i + 1]) && isxdigit((unsigned char)text[i + 2])) {
			text[out] = (char)(hex_digit(text[i + 1]) << 4 | hex_digit(text[i + 2]));
			i += 2;
		} else {
			text[out] = text[i];
		}
	}
	return out;
}

static int has_scheme(const char *name)
{
	const char *colon = strstr(name, "://");

	return colon && colon > name && !memchr(name, '/', (size_t)(colon - name));
}

/* Takes "." and ".." out of a path that begins at the root. */
static void normalise(char *path)
{
	char *out = path;

	for (const char *at = path; *at;) {
		const char *end = strchrnul(at + 1, '/');
		size_t length = (size_t)(end - at);

		if (length == 3 && !strncmp(at, "/..", 3)) {
			while (out > path && *--out != '/')
				;
		} else if (length > 1 && !(length == 2 && at[1] == '.')) {
			memmove(out, at, length);
			out += length;
		}
		at = end;
	}
	if (out == path)
		*out++ = '/';
	*out = '\0';
}

/* The path of a name that stands in the file `base`. -ENOENT: it is no path. */
static int resolve(char *out, const char *base, const char *name)
{
	int bytes;

	if (!strncmp(name, "file://", 7))
		name += 7;
	else if (has_scheme(name))
		return -ENOENT;
	const char *slash = strrchr(base, '/');
	if (*name == '/')
		bytes = snprintf(out, PATH_ROOM, "%s", name);
	else
		bytes = snprintf(out, PATH_ROOM, "%.*s/%s", (int)(slash ? slash - base : 0), base, name);
	if (bytes >= PATH_ROOM || *out != '/')
		return -ENOENT;
	normalise(out);
	return 0;
}

static int path_of_script(char *out, const char *file)
{
	int is_url = !strncmp(file, "file://", 7);
	int bytes = snprintf(out, PATH_ROOM, "%s", is_url ? file + 7 : file);

	if (bytes >= PATH_ROOM || *out != '/')
		return -ENOENT;
	if (is_url)
		out[undo_percent(out, (size_t)bytes)] = '\0';
	return 0;
}

/* ---- the document ---- */

static int read_file(struct script_map *row, pid_t pid, char **text, size_t *bytes)
{
	struct stat stat;
	int fd = proc_open_inside(pid, row->base);

	if (fd < 0)
		return fd;
	int err = fstat(fd, &stat) || stat.st_size <= 0 || stat.st_size > FILE_MAX ? -EFBIG : 0;
	*text = err ? NULL : malloc((size_t)stat.st_size);
	if (!err && !*text)
		err = -ENOMEM;
	ssize_t got = err ? 0 : read(fd, *text, (size_t)stat.st_size);
	close(fd);
	*bytes = got > 0 ? (size_t)got : 0;
	return err;
}

/* "data:application/json;charset=utf-8;base64,eyJ2ZXJ…" */
static int read_inline(char *url, size_t length, char **text, size_t *bytes)
{
	char *comma = memchr(url, ',', length < 128 ? length : 128);

	if (!comma || strncmp(url, "data:application/json", 21))
		return -EINVAL;
	*comma = '\0';
	length -= (size_t)(comma + 1 - url);
	if (length > FILE_MAX / 3 * 4)
		return -EFBIG;
	*text = malloc(length + 4);
	if (!*text)
		return -ENOMEM;
	if (!strstr(url, ";base64")) {
		memcpy(*text, comma + 1, length);
		*bytes = undo_percent(*text, length);
		return 0;
	}
	while (length && comma[length] == '=')
		length--;
	size_t whole = length / 4 * 4;
	int got = EVP_DecodeBlock((unsigned char *)*text, (unsigned char *)comma + 1, (int)whole);
	if (got < 0)
		return -EINVAL;
	*bytes = (size_t)got;
	if (length == whole)
		return 0;
	/* what is missing at the end are zeroes */
	unsigned char tail[4] = "AAAA", out[4];
	memcpy(tail, comma + 1 + whole, length - whole);
	if (length - whole < 2 || EVP_DecodeBlock(out, tail, 4) != 3)
		return -EINVAL;
	memcpy(*text + *bytes, out, length - whole - 1);
	*bytes += length - whole - 1;
	return 0;
}

static void make_room(struct v8_maps *maps, size_t bytes)
{
	while (maps->bytes && maps->bytes + bytes > KEPT_MAX) {
		struct script_map *oldest = NULL;

		for (size_t i = 0; i < SCRIPTS_MAX; i++)
			if (maps->scripts[i].map && (!oldest || maps->scripts[i].used < oldest->used))
				oldest = &maps->scripts[i];
		if (!oldest)
			return;
		clear(maps, oldest);
	}
}

static void read_map(struct v8_maps *maps, struct script_map *row, struct hunt *hunt, const char *file)
{
	char script[PATH_ROOM], *text = NULL;
	size_t bytes = 0;
	int err = path_of_script(script, file);

	if (err || !hunt->bytes || take(hunt, '\0'))
		return;
	if (!strncmp(hunt->url, "data:", 5)) {
		memcpy(row->base, script, sizeof(row->base));
		err = read_inline(hunt->url, hunt->bytes - 1, &text, &bytes);
	} else {
		hunt->url[strcspn(hunt->url, "?#")] = '\0';
		hunt->url[undo_percent(hunt->url, strlen(hunt->url))] = '\0';
		err = resolve(row->base, script, hunt->url);
		if (!err)
			err = read_file(row, maps->pid, &text, &bytes);
	}
	if (!err)
		make_room(maps, bytes);
	if (!err && !source_map_read(&row->map, text, bytes)) {
		row->bytes = bytes;
		maps->bytes += bytes;
	}
	free(text);
}

static struct script_map *find_row(struct v8_maps *maps, struct v8_reader *reader, uint64_t script, const char *file)
{
	uint64_t source = v8_field(reader, script, reader->layout.script_source);
	struct script_map *row = &maps->scripts[0];
	struct hunt hunt = { 0 };

	for (size_t i = 0; i < SCRIPTS_MAX; i++) {
		struct script_map *seen = &maps->scripts[i];

		if (seen->used && seen->script == script && seen->source == source) {
			row = seen;
			break;
		}
		if (seen->used < row->used)
			row = seen;
	}
	if (row->script != script || row->source != source) {
		clear(maps, row);
		row->script = script;
		row->source = source;
	}
	row->used = ++maps->uses;
	if (row->tries >= TRIES)
		return row;
	row->tries++;
	if (!v8_string_visit(reader, source, SOURCE_MAX, hunt_chars, &hunt)) {
		row->tries = TRIES;
		read_map(maps, row, &hunt, file);
	}
	free(hunt.url);
	return row;
}

int v8_maps_find(struct v8_maps *maps, struct v8_reader *reader, uint64_t script, const char *file, uint32_t line,
		 uint32_t column, struct source_place *place, char *path, size_t room)
{
	char resolved[PATH_ROOM];

	if (*file != '/' && strncmp(file, "file:///", 8))
		return -ENOENT;
	const struct script_map *row = find_row(maps, reader, script, file);
	if (!row->map || source_map_find(row->map, line, column, place))
		return -ENOENT;
	int is_path = !resolve(resolved, row->base, place->source);
	return snprintf(path, room, "%s", is_path ? resolved : place->source) > 0 ? 0 : -ENOENT;
}

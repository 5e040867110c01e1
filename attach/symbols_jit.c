/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names of generated code, from the perf map that a runtime writes when it is
 * asked to (node --perf-basic-prof, java, python -X perf).
 *
 * The file lies in a directory that anyone may write to: it is believed only
 * when it is a regular file that belongs to the target's user, and read up to a
 * bound. Later lines name the newer code where addresses were used again.
 */
#include "symbols_parts.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX  (64u << 20)
#define LINES_MAX (1u << 20)

struct line {
	uint64_t start, bytes;
	uint32_t number;
	uint32_t name;      /* offset in the text */
};

struct jit_names {
	int fd;
	char *text;
	size_t text_bytes;
	struct line *lines;
	size_t count;
};

/* The pid as the process itself knows it, in its innermost namespace. */
static int inner_pid(pid_t pid)
{
	char path[32], line[256];
	int inner = pid;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	FILE *file = fopen(path, "re");
	if (!file)
		return pid;
	while (fgets(line, sizeof(line), file)) {
		if (strncmp(line, "NSpid:", 6))
			continue;
		char *last = strrchr(line, '\t');
		if (last)
			inner = atoi(last + 1);
		break;
	}
	fclose(file);
	return inner;
}

int jit_names_open(struct jit_names **names, pid_t pid)
{
	char path[80];
	struct stat process, status;

	*names = NULL;
	snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	if (stat(path, &process))
		return -ENOENT;
	snprintf(path, sizeof(path), "/proc/%d/root/tmp/perf-%d.map", (int)pid, inner_pid(pid));
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return -ENOENT;
	if (fstat(fd, &status) || !S_ISREG(status.st_mode) || status.st_uid != process.st_uid)
		goto refuse;
	*names = calloc(1, sizeof(**names));
	if (!*names)
		goto refuse;
	(*names)->fd = fd;
	return 0;
refuse:
	close(fd);
	return -ENOENT;
}

void jit_names_close(struct jit_names *names)
{
	if (!names)
		return;
	close(names->fd);
	free(names->text);
	free(names->lines);
	free(names);
}

static int by_start(const void *a, const void *b)
{
	const struct line *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

static void parse_text(struct jit_names *names)
{
	size_t room = 0;
	uint32_t number = 0;
	char *at = names->text, *end;

	names->count = 0;
	for (; (end = strchr(at, '\n')) && number < LINES_MAX; at = end + 1, number++) {
		unsigned long long start, bytes;
		int skip = 0;

		*end = '\0';
		if (sscanf(at, "%llx %llx %n", &start, &bytes, &skip) != 2 || !skip || !at[skip])
			continue;
		if (names->count == room) {
			room = room ? room * 2 : 1024;
			struct line *lines = realloc(names->lines, room * sizeof(*lines));
			if (!lines)
				break;
			names->lines = lines;
		}
		names->lines[names->count++] = (struct line){ start, bytes, number, at + skip - names->text };
	}
	if (names->count)
		qsort(names->lines, names->count, sizeof(*names->lines), by_start);
}

static void refresh(struct jit_names *names)
{
	struct stat status;

	if (fstat(names->fd, &status) || (size_t)status.st_size == names->text_bytes || status.st_size > FILE_MAX)
		return;
	free(names->text);
	free(names->lines);
	names->lines = NULL;
	names->count = 0;
	names->text_bytes = status.st_size;
	names->text = malloc(names->text_bytes + 1);
	if (!names->text)
		return;
	ssize_t got = pread(names->fd, names->text, names->text_bytes, 0);
	names->text[got > 0 ? got : 0] = '\0';
	parse_text(names);
}

const char *jit_names_find(struct jit_names *names, uint64_t address, uint64_t *start)
{
	const struct line *found = NULL;

	refresh(names);
	size_t low = 0, high = names->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (names->lines[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	for (size_t back = 0; back < 32 && low > back; back++) {
		const struct line *line = &names->lines[low - 1 - back];

		if (address - line->start < line->bytes && (!found || line->number > found->number))
			found = line;
	}
	if (!found)
		return NULL;
	*start = found->start;
	return names->text + found->name;
}

/* ---- names that V8 writes ---- */

/* A number behind the last colon before `end`; moves `end` to the colon. 0 = there is none. */
static uint32_t number_before(const char *begin, const char **end)
{
	const char *at = *end;
	uint32_t number = 0;

	while (at > begin && isdigit((unsigned char)at[-1]))
		at--;
	if (at == begin || at[-1] != ':' || *end - at > 9)
		return 0;
	for (const char *digit = at; digit < *end; digit++)
		number = number * 10 + (uint32_t)(*digit - '0');
	*end = at - 1;
	return number;
}

/* How its code came about: '~' interpreted, '^' compiled plainly, '+' and '*' optimised, 'o' before these: while it ran. */
static const char *skip_tier(const char *name)
{
	if (*name == 'o' && name[1] && strchr("^+*", name[1]))
		name++;
	return *name && strchr("~^+*", *name) ? name + 1 : name;
}

int jit_place_read(struct jit_place *place, const char *name)
{
	static const char *const tags[] = { "JS:", "LazyCompile:", "Function:", "Script:", "Eval:" };
	static const char *const files[] = { " file://", " node:", " ext:", " http", " /" };
	const char *begin = NULL, *end = name + strlen(name), *space = NULL;

	for (size_t i = 0; i < sizeof(tags) / sizeof(*tags) && !begin; i++)
		if (!strncmp(name, tags[i], strlen(tags[i])))
			begin = skip_tier(name + strlen(tags[i]));
	if (!begin)
		return -EINVAL;
	*place = (struct jit_place){ .name = begin, .file = "" };
	place->column = number_before(begin, &end);
	place->line = place->column ? number_before(begin, &end) : 0;
	if (place->column && !place->line) {
		place->line = place->column;
		place->column = 0;
	}
	/* both may have spaces within: where a file begins is known of the usual ones */
	for (size_t i = 0; i < sizeof(files) / sizeof(*files) && !space; i++)
		space = strstr(begin - 1, files[i]);
	for (const char *at = end; !space && place->line && at-- > begin;)
		if (*at == ' ')
			space = at;
	if (!space || space >= end)
		space = end;
	place->name_bytes = space > begin ? (int)(space - begin) : 0;
	if (space < end) {
		place->file = space + 1;
		place->file_bytes = (int)(end - place->file);
	}
	return 0;
}

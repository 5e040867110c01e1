/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From an address in a process to a frame that people can read.
 *
 * A struct symbols owns what is known of one process: its executable mappings,
 * the ELF files behind them (opened when first met, at most FILES_MAX), and a
 * small cache from address to frame. An address becomes a file offset by its
 * mapping and a symbol's address by the file's segments, so a file mapped twice
 * (V8's embedded builtins) has its names in both places.
 *
 * The process keeps running and may map, unmap and lie: mappings are read again
 * when an address is in none of them, at most ten times a second.
 */
#include "source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "symbols_cfi.h"
#include "symbols_lines.h"
#include "symbols_parts.h"

#define FILES_MAX    256
#define CACHE_SIZE   4096  /* power of two */
#define REREAD_NS    100000000ull
#define VDSO_MAX     (64u << 10)
#define NAME_BYTES   4096
#define RULES_SIZE   4096  /* power of two */
#define PREPARED_MAX 4
#define PREPARED_BYTES (1u << 20)

struct file {
	uint64_t inode;
	char *path;
	struct elf_file *elf;  /* NULL: cannot be read; not tried again */
};

struct cached {
	uint64_t key;          /* address * 2 + is_return */
	uint32_t frame;        /* 0 = free */
};

struct known_rule {
	uint64_t address;
	uint8_t place;         /* enum unwind_place; NOWHERE = free */
	struct unwind_rule rule;
};

struct symbols {
	pid_t pid;
	struct maps maps;
	uint64_t read_ns;      /* when the mappings were read last; 0 = never */
	uint64_t prepared;     /* what is mapped below it is ready */
	int prepared_files;
	struct file files[FILES_MAX];
	size_t file_count;
	struct elf_file *vdso;
	int vdso_tried;
	struct jit_names *jit_names;
	uint64_t jit_tried_ns;
	struct known_rule *rules; /* RULES_SIZE; NULL = never asked for */
	struct cached cache[CACHE_SIZE];
	uint32_t epoch;        /* of the stream that the ids in it belong to */
};

int symbols_open(struct symbols **symbols, pid_t pid)
{
	*symbols = calloc(1, sizeof(**symbols));
	if (!*symbols)
		return -ENOMEM;
	(*symbols)->pid = pid;
	return 0;
}

void symbols_close(struct symbols *symbols)
{
	if (!symbols)
		return;
	for (size_t i = 0; i < symbols->file_count; i++) {
		elf_file_close(symbols->files[i].elf);
		free(symbols->files[i].path);
	}
	elf_file_close(symbols->vdso);
	jit_names_close(symbols->jit_names);
	maps_clear(&symbols->maps);
	free(symbols->rules);
	free(symbols);
}

int symbols_rest(struct symbols *symbols, uint64_t now_ns)
{
	int gave = symbols->vdso && elf_file_rest(symbols->vdso, now_ns);

	for (size_t i = 0; i < symbols->file_count; i++)
		gave |= symbols->files[i].elf && elf_file_rest(symbols->files[i].elf, now_ns);
	return gave;
}

static struct elf_file *file_of(struct symbols *symbols, const struct map *map);

/* Small files take no time when they are met. */
int symbols_prepare(struct symbols *symbols)
{
	const char *file;
	uint32_t line;

	if (!symbols->read_ns) {
		symbols->read_ns = stream_now();
		maps_read(&symbols->maps, symbols->pid);
		return 1;
	}
	for (size_t i = 0; i < symbols->maps.count && symbols->prepared_files < PREPARED_MAX; i++) {
		const struct map *map = &symbols->maps.maps[i];

		if (map->start < symbols->prepared || map->kind != REGION_FILE || map->end - map->start < PREPARED_BYTES)
			continue;
		struct elf_file *elf = file_of(symbols, map);
		struct lines *lines = elf ? elf_file_lines(elf) : NULL;
		if (lines) /* their index is made at the first look */
			lines_find(lines, elf_file_to_address(elf, map->offset), &file, &line);
		symbols->prepared = map->end;
		symbols->prepared_files++;
		return 1;
	}
	return 0;
}

static const struct map *find_map(struct symbols *symbols, uint64_t address)
{
	const struct map *map = maps_find(&symbols->maps, address);
	uint64_t now = stream_now();

	if (map || now - symbols->read_ns < REREAD_NS)
		return map;
	symbols->read_ns = now;
	if (maps_read(&symbols->maps, symbols->pid))
		return NULL;
	memset(symbols->cache, 0, sizeof(symbols->cache));
	for (size_t i = 0; symbols->rules && i < RULES_SIZE; i++)
		symbols->rules[i].place = UNWIND_NOWHERE;
	return maps_find(&symbols->maps, address);
}

static struct elf_file *file_of(struct symbols *symbols, const struct map *map)
{
	for (size_t i = 0; i < symbols->file_count; i++) {
		const struct file *file = &symbols->files[i];

		if (file->inode == map->inode && !strcmp(file->path, map->path))
			return file->elf;
	}
	if (symbols->file_count == FILES_MAX || !map->path)
		return NULL;
	struct file *file = &symbols->files[symbols->file_count];
	file->path = strdup(map->path);
	if (!file->path)
		return NULL;
	file->inode = map->inode;
	symbols->file_count++;
	int fd = maps_open_file(map, symbols->pid);
	if (fd < 0 || elf_file_open(&file->elf, fd))
		file->elf = NULL;
	return file->elf;
}

/* The vdso is a whole ELF file in memory; a copy of it is read like any other. */
static struct elf_file *vdso_of(struct symbols *symbols, const struct map *map)
{
	static char copy[VDSO_MAX];
	size_t bytes = map->end - map->start;
	struct iovec here = { copy, bytes }, there = { (void *)map->start, bytes };

	if (symbols->vdso_tried || bytes > sizeof(copy))
		return symbols->vdso;
	symbols->vdso_tried = 1;
	if (process_vm_readv(symbols->pid, &here, 1, &there, 1, 0) != (ssize_t)bytes)
		return NULL;
	int fd = memfd_create("vdso", MFD_CLOEXEC);
	if (fd < 0)
		return NULL;
	if (write(fd, copy, bytes) != (ssize_t)bytes)
		close(fd);
	else if (elf_file_open(&symbols->vdso, fd))
		symbols->vdso = NULL;
	return symbols->vdso;
}

static uint32_t put_name(struct stream *stream, const char *name)
{
	static char pretty[NAME_BYTES];

	if (symbols_demangle(name, pretty, sizeof(pretty)))
		name = pretty;
	return stream_string(stream, name, strlen(name));
}

static void name_jit(struct symbols *symbols, struct stream *stream, uint64_t address, struct ps_ev_frame *frame)
{
	uint64_t now = stream_now(), start = address;
	const char *name = NULL;

	if (!symbols->jit_names && now - symbols->jit_tried_ns >= 10 * REREAD_NS) {
		symbols->jit_tried_ns = now;
		jit_names_open(&symbols->jit_names, symbols->pid);
	}
	if (symbols->jit_names)
		name = jit_names_find(symbols->jit_names, address, &start);
	struct jit_place place;
	if (name && !jit_place_read(&place, name)) {
		frame->kind = PS_FRAME_JS;
		frame->name = place.name_bytes ? stream_string(stream, place.name, (size_t)place.name_bytes) :
						 stream_string(stream, "(anonymous)", 11);
		frame->file = place.file_bytes ? stream_string(stream, place.file, (size_t)place.file_bytes) : 0;
		frame->line = place.line; /* where the function begins: no column says so */
		return;
	}
	frame->kind = PS_FRAME_JIT;
	frame->name = name ? stream_string(stream, name, strlen(name)) : stream_string(stream, "[jit]", 5);
	/* without a name the place is noise: all of it is one frame */
	frame->offset = name ? address - start : 0;
}

static void find_line(struct stream *stream, struct elf_file *elf, uint64_t address, struct ps_ev_frame *frame)
{
	struct lines *lines = elf_file_lines(elf);
	const char *file;
	uint32_t line;

	if (!lines || lines_find(lines, address, &file, &line))
		return;
	frame->file = stream_string(stream, file, strlen(file));
	frame->line = line;
}

static void name_in_file(struct stream *stream, struct elf_file *elf, uint64_t offset, struct ps_ev_frame *frame)
{
	static char name[NAME_BYTES];
	uint64_t start, address = elf ? elf_file_to_address(elf, offset) : UINT64_MAX;

	if (address == UINT64_MAX) {
		frame->offset = offset;
		return;
	}
	frame->offset = address;
	if (elf_file_function(elf, address, name, sizeof(name), &start))
		return;
	frame->offset = address - start;
	frame->kind = strncmp(name, "Builtins_", 9) ? PS_FRAME_NATIVE : PS_FRAME_BUILTIN;
	frame->name = put_name(stream, name);
	if (frame->kind == PS_FRAME_NATIVE)
		find_line(stream, elf, address, frame);
}

static uint32_t resolve(struct symbols *symbols, struct stream *stream, const struct map *map, uint64_t address,
			int is_return)
{
	struct ps_ev_frame frame = { .kind = PS_FRAME_UNKNOWN };
	uint64_t offset;

	if (!map)
		return stream_frame(stream, &frame);
	offset = address - !!is_return - map->start + map->offset;
	switch (map->kind) {
	case REGION_FILE:
		frame.kind = PS_FRAME_NATIVE;
		frame.module = map->path ? stream_string(stream, map->path, strlen(map->path)) : 0;
		name_in_file(stream, file_of(symbols, map), offset, &frame);
		break;
	case REGION_VDSO:
		frame.kind = PS_FRAME_NATIVE;
		frame.module = stream_string(stream, "[vdso]", 6);
		name_in_file(stream, vdso_of(symbols, map), offset, &frame);
		break;
	case REGION_GENERATED:
		name_jit(symbols, stream, address - !!is_return, &frame);
		break;
	case REGION_OTHER:
		break;
	}
	/* a return address points behind the call; so does the offset that is shown */
	if (frame.kind == PS_FRAME_NATIVE || frame.kind == PS_FRAME_BUILTIN)
		frame.offset += !!is_return;
	return stream_frame(stream, &frame);
}

uint32_t symbols_frame(struct symbols *symbols, struct stream *stream, uint64_t address, int is_return)
{
	uint64_t key = address * 2 + !!is_return;
	struct cached *cached = &symbols->cache[(key * 0x9e3779b97f4a7c15ull) >> 52];

	if (symbols->epoch != stream_epoch(stream)) {
		memset(symbols->cache, 0, sizeof(symbols->cache));
		symbols->epoch = stream_epoch(stream);
	}
	if (cached->frame && cached->key == key)
		return cached->frame;
	const struct map *map = find_map(symbols, address - !!is_return);
	uint32_t frame = resolve(symbols, stream, map, address, is_return);
	/* generated code changes its name, and what is nowhere may appear */
	if (map && map->kind != REGION_GENERATED)
		*cached = (struct cached){ key, frame };
	return frame;
}

int symbols_is_code(struct symbols *symbols, uint64_t address)
{
	return find_map(symbols, address) != NULL;
}

enum symbols_place symbols_place(struct symbols *symbols, uint64_t address, char *name, size_t room)
{
	const struct map *map = find_map(symbols, address);
	uint64_t start;

	*name = '\0';
	if (!map || map->kind == REGION_OTHER)
		return SYMBOLS_NOWHERE;
	if (map->kind == REGION_GENERATED)
		return SYMBOLS_GENERATED;
	const struct elf_file *elf = map->kind == REGION_FILE ? file_of(symbols, map) : NULL;
	uint64_t in_file = elf ? elf_file_to_address(elf, address - map->start + map->offset) : UINT64_MAX;
	if (in_file == UINT64_MAX || elf_file_function(elf, in_file, name, room, &start))
		*name = '\0';
	return SYMBOLS_FILE;
}

static enum unwind_place find_rule(struct symbols *symbols, const struct map *map, uint64_t address, struct unwind_rule *rule)
{
	struct elf_file *elf = NULL;

	if (map->kind == REGION_FILE)
		elf = file_of(symbols, map);
	else if (map->kind == REGION_VDSO)
		elf = vdso_of(symbols, map);
	struct cfi *cfi = elf ? elf_file_cfi(elf) : NULL;
	uint64_t in_file = cfi ? elf_file_to_address(elf, address - map->start + map->offset) : UINT64_MAX;
	return in_file != UINT64_MAX && !cfi_rule(cfi, in_file, rule) ? UNWIND_WITH_RULE : UNWIND_WITHOUT_RULE;
}

enum unwind_place symbols_rule(void *arg, uint64_t address, const struct unwind_rule **rule)
{
	struct symbols *symbols = arg;
	const struct map *map = find_map(symbols, address);

	if (!symbols->rules)
		symbols->rules = calloc(RULES_SIZE, sizeof(*symbols->rules));
	if (!map || !symbols->rules)
		return UNWIND_NOWHERE;
	struct known_rule *known = &symbols->rules[(address * 0x9e3779b97f4a7c15ull) >> 52];
	if (known->place == UNWIND_NOWHERE || known->address != address) {
		known->address = address;
		known->place = find_rule(symbols, map, address, &known->rule);
	}
	*rule = &known->rule;
	return known->place;
}

uint64_t symbols_address(struct symbols *symbols, const char *name)
{
	if (!symbols->maps.count) {
		symbols->read_ns = stream_now();
		if (maps_read(&symbols->maps, symbols->pid))
			return 0;
	}
	for (size_t i = 0; i < symbols->maps.count; i++) {
		const struct map *map = &symbols->maps.maps[i];
		const struct elf_file *elf = map->kind == REGION_FILE ? file_of(symbols, map) : NULL;
		uint64_t address = elf ? elf_file_symbol(elf, name) : 0;
		uint64_t offset = address ? elf_file_to_offset(elf, address) : UINT64_MAX;

		if (offset != UINT64_MAX && offset >= map->offset && offset - map->offset < map->end - map->start)
			return offset - map->offset + map->start;
	}
	return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Where the variables of a server are, and one reading of its loop, begun again while it changes. */
#include "server_loop.h"

#include <errno.h>
#include <gelf.h>
#include <libelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libuv_parts.h"
#include "ps_event.h"
#include "symbols_parts.h"
#include "symbols_table.h"

static const struct {
	const char *runtime;
	const struct server_kind *kind;
} kinds[] = { { "nginx", &server_nginx }, { "redis", &server_redis }, { "valkey", &server_redis } };

const struct server_kind *server_kind_of(const char *runtime)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (!strcmp(kinds[i].runtime, runtime))
			return kinds[i].kind;
	return NULL;
}

struct taking {
	struct server_image *image;
	const struct server_kind *kind;
};

static int take(void *arg, const char *name, const GElf_Sym *symbol)
{
	const struct taking *taking = arg;
	struct server_image *image = taking->image;
	for (size_t k = 0; symbol->st_shndx != SHN_UNDEF && k < SERVER_SYMBOLS && taking->kind->symbols[k]; k++)
		if (!image->address[k] && !strcmp(taking->kind->symbols[k], name))
			image->address[k] = symbol->st_value;
	return 0;
}

static void read_tables(struct server_image *image, const struct server_kind *kind, Elf *elf, int fd)
{
	struct taking taking = { image, kind };
	Elf_Scn *section = NULL;
	GElf_Shdr header;
	while ((section = elf_nextscn(elf, section)))
		if (gelf_getshdr(section, &header) && (header.sh_type == SHT_DYNSYM || header.sh_type == SHT_SYMTAB))
			symbol_table_read(elf, fd, &header, take, &taking);
}

/* What is to be added to an address of the file; UINT64_MAX: the mapping is none of its code. */
static uint64_t bias_of(Elf *elf, const struct map *map)
{
	size_t count;
	GElf_Phdr segment;
	if (elf_getphdrnum(elf, &count))
		return UINT64_MAX;
	for (size_t i = 0; i < count && i < 256; i++)
		if (gelf_getphdr(elf, (int)i, &segment) && segment.p_type == PT_LOAD && segment.p_flags & PF_X &&
		    map->offset >= (segment.p_offset & ~4095ull) && map->offset < segment.p_offset + segment.p_filesz)
			return map->start - (segment.p_vaddr + map->offset - segment.p_offset);
	return UINT64_MAX;
}

static int look_into(struct server_image *image, const struct server_kind *kind, const struct map *map, pid_t pid)
{
	int fd = maps_open_file(map, pid), err = -ENOENT;
	if (fd < 0)
		return fd;
	Elf *elf = elf_version(EV_CURRENT) != EV_NONE ? elf_begin(fd, ELF_C_READ, NULL) : NULL;
	uint64_t bias = elf && elf_kind(elf) == ELF_K_ELF ? bias_of(elf, map) : UINT64_MAX;
	if (bias != UINT64_MAX) {
		read_tables(image, kind, elf, fd);
		for (size_t k = 0; k < SERVER_SYMBOLS; k++)
			if (image->address[k])
				image->address[k] += bias, err = 0;
		image->text_start = map->start;
		image->text_end = map->end;
	}
	elf_end(elf);
	close(fd);
	return err;
}

int server_image_find(struct server_image *image, const struct server_kind *kind, pid_t pid)
{
	struct maps maps = { 0 };
	struct stat exe;
	char path[32];
	memset(image, 0, sizeof(*image));
	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	if (stat(path, &exe))
		return -errno;
	int err = maps_read(&maps, pid);
	const struct map *own = NULL;
	for (size_t i = 0; !err && i < maps.count && !own; i++)
		if (maps.maps[i].kind == REGION_FILE && maps.maps[i].inode == exe.st_ino)
			own = &maps.maps[i];
	if (!err)
		err = own ? look_into(image, kind, own, pid) : -ENOENT;
	maps_clear(&maps);
	return err;
}

static int by_due(const void *a, const void *b)
{
	const struct libuv_timer *x = a, *y = b;
	return x->due_ms < y->due_ms ? -1 : x->due_ms > y->due_ms;
}

static void forget(struct libuv_loop *loop)
{
	libuv_free(loop);
	loop->iterations = loop->events = PS_UNKNOWN;
	loop->active_handles = loop->active_reqs = loop->pending = loop->closing = loop->done_jobs = loop->nfds =
		loop->timer_total = loop->handle_total = loop->timer_depth = PS_UNKNOWN32;
}

int server_read(struct libuv_loop *loop, const struct server_kind *kind, struct libuv_memory *memory,
		const struct server_image *image, const struct libuv_limits *limits)
{
	int err = -EAGAIN;
	memset(loop, 0, sizeof(*loop));
	for (int attempt = 0; attempt < LIBUV_TRIES && err && err != -ENOMEM && !libuv_is_late(memory); attempt++) {
		forget(loop);
		err = kind->read(loop, memory, image, limits);
	}
	if (err && !*loop->note)
		libuv_say(loop, kind->name, libuv_reason(memory, "it changed while it was read"));
	if (!err && loop->timer_count)
		qsort(loop->timers, loop->timer_count, sizeof(*loop->timers), by_due);
	return err;
}

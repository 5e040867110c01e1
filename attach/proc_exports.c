/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whether an executable exports a name: looked up in the hash table that its
 * linker made for the loader, so a program of a hundred megabytes is asked with a
 * handful of short reads. The file is the target's: what does not lie within
 * the tables that it claims to have is not there.
 */
#include "proc.h"

#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SECTIONS_MAX 64
#define CHAIN_MAX 256 /* names of one bucket that are compared; a few is usual */
#define NAME_MAX_BYTES 64

struct tables {
	int fd;
	Elf64_Shdr hash, symbols, strings;
	struct {
		uint32_t buckets, first, words, shift;
	} head; /* of the hash table, as it is in the file */
};

/* Bytes of a section; 0 = they do not lie within it. */
static int read_part(int fd, const Elf64_Shdr *section, uint64_t at, void *out, size_t bytes)
{
	if (at > section->sh_size || section->sh_size - at < bytes || section->sh_offset > INT64_MAX - at)
		return 0;
	return pread(fd, out, bytes, (off_t)(section->sh_offset + at)) == (ssize_t)bytes;
}

static int find_tables(struct tables *tables)
{
	Elf64_Ehdr header;
	Elf64_Shdr sections[SECTIONS_MAX];

	if (pread(tables->fd, &header, sizeof(header), 0) != sizeof(header) ||
	    memcmp(header.e_ident, ELFMAG, SELFMAG) || header.e_ident[EI_CLASS] != ELFCLASS64 ||
	    header.e_shentsize != sizeof(*sections))
		return 0;
	size_t wanted = header.e_shnum < SECTIONS_MAX ? header.e_shnum : SECTIONS_MAX;
	ssize_t bytes = pread(tables->fd, sections, wanted * sizeof(*sections), (off_t)(header.e_shoff & INT64_MAX));
	size_t count = bytes < 0 ? 0 : (size_t)bytes / sizeof(*sections);
	for (size_t i = 0; i < count; i++) {
		size_t symbols = sections[i].sh_link, strings = symbols < count ? sections[symbols].sh_link : count;
		if (sections[i].sh_type != SHT_GNU_HASH || strings >= count)
			continue;
		tables->hash = sections[i];
		tables->symbols = sections[symbols];
		tables->strings = sections[strings];
		return read_part(tables->fd, &tables->hash, 0, &tables->head, sizeof(tables->head)) &&
		       tables->head.buckets && tables->head.words && !(tables->head.words & (tables->head.words - 1)) &&
		       tables->head.shift < 32;
	}
	return 0;
}

/* The filter before the table: most names that are not there end here. */
static int may_have(const struct tables *tables, uint32_t hash)
{
	uint64_t word, at = sizeof(tables->head) + 8ull * (hash / 64 & (tables->head.words - 1));

	return read_part(tables->fd, &tables->hash, at, &word, sizeof(word)) && word >> hash % 64 & 1 &&
	       word >> (hash >> tables->head.shift) % 64 & 1;
}

static int is_it(const struct tables *tables, uint32_t index, const char *name)
{
	char there[NAME_MAX_BYTES];
	size_t bytes = strlen(name) + 1;
	Elf64_Sym symbol;

	return bytes <= sizeof(there) &&
	       read_part(tables->fd, &tables->symbols, (uint64_t)index * sizeof(symbol), &symbol, sizeof(symbol)) &&
	       symbol.st_shndx != SHN_UNDEF && read_part(tables->fd, &tables->strings, symbol.st_name, there, bytes) &&
	       !memcmp(there, name, bytes);
}

static int has(const struct tables *tables, const char *name)
{
	uint32_t hash = 5381, index, chain;
	uint64_t buckets = sizeof(tables->head) + 8ull * tables->head.words;

	for (const char *at = name; *at; at++)
		hash = hash * 33 + (unsigned char)*at;
	if (!may_have(tables, hash) ||
	    !read_part(tables->fd, &tables->hash, buckets + 4ull * (hash % tables->head.buckets), &index,
		       sizeof(index)))
		return 0;
	uint64_t chains = buckets + 4ull * tables->head.buckets;
	for (int i = 0; i < CHAIN_MAX && index >= tables->head.first; i++, index++) {
		if (!read_part(tables->fd, &tables->hash, chains + 4ull * (index - tables->head.first), &chain,
			       sizeof(chain)))
			return 0;
		if ((chain | 1) == (hash | 1) && is_it(tables, index, name))
			return 1;
		if (chain & 1) /* the last one */
			return 0;
	}
	return 0;
}

int proc_exports(int fd, const char *const *names)
{
	struct tables tables = { .fd = fd };
	int found = 0;

	if (!find_tables(&tables))
		return -1;
	while (names[found] && !has(&tables, names[found]))
		found++;
	return names[found] ? found : -1;
}

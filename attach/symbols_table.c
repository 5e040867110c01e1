/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Symbol tables are big: those of node are 4 MiB and their names 12. libelf keeps
 * all that it has read until the file is closed; here one table's names are there
 * at a time, and of its symbols a few pages.
 *
 * The file may be anything, and may change under us: it is read with pread, never
 * mapped, and counts are bounded by its size.
 */
#include "symbols_table.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PART_BYTES 16384u
_Static_assert(PART_BYTES >= sizeof(Elf64_Sym), "a part has symbols");

struct names {
	char *text; /* ends with a 0 of ours */
	size_t bytes;
};

static int read_names(struct names *names, Elf *elf, int fd, size_t section)
{
	GElf_Shdr header;
	struct stat status;

	if (fstat(fd, &status) || !gelf_getshdr(elf_getscn(elf, section), &header) || header.sh_type != SHT_STRTAB ||
	    header.sh_size > (uint64_t)status.st_size || header.sh_flags & SHF_COMPRESSED)
		return -ENOEXEC;
	names->text = malloc(header.sh_size + 1);
	if (!names->text)
		return -ENOMEM;
	ssize_t got = pread(fd, names->text, header.sh_size, (off_t)header.sh_offset);
	names->bytes = got > 0 ? (size_t)got : 0;
	names->text[names->bytes] = '\0';
	return 0;
}

static void symbol_at(GElf_Sym *symbol, const unsigned char *at, size_t bytes)
{
	Elf32_Sym small;

	if (bytes == sizeof(*symbol)) {
		memcpy(symbol, at, sizeof(*symbol));
		return;
	}
	memcpy(&small, at, sizeof(small));
	*symbol = (GElf_Sym){
		.st_name = small.st_name,
		.st_info = small.st_info,
		.st_other = small.st_other,
		.st_shndx = small.st_shndx,
		.st_value = small.st_value,
		.st_size = small.st_size,
	};
}

int symbol_table_read(Elf *elf, int fd, const GElf_Shdr *header, symbol_take_fn *take, void *arg)
{
	size_t bytes = gelf_getclass(elf) == ELFCLASS32 ? sizeof(Elf32_Sym) : sizeof(Elf64_Sym);
	uint64_t left = header->sh_size / bytes, at = header->sh_offset;
	struct names names = { NULL, 0 };
	int done = 0;

	if (header->sh_entsize != bytes || header->sh_flags & SHF_COMPRESSED)
		return -ENOEXEC;
	int err = read_names(&names, elf, fd, header->sh_link);
	if (err)
		return err;
	left = left < SYMBOL_TABLE_MOST ? left : SYMBOL_TABLE_MOST;
	while (left && !done) {
		_Alignas(8) unsigned char part[PART_BYTES];
		size_t wanted = left < PART_BYTES / bytes ? left : PART_BYTES / bytes;
		ssize_t got = pread(fd, part, wanted * bytes, (off_t)at);
		size_t count = got > 0 ? (size_t)got / bytes : 0;

		for (size_t i = 0; i < count && !done; i++) {
			GElf_Sym symbol;

			symbol_at(&symbol, part + i * bytes, bytes);
			if (symbol.st_name < names.bytes)
				done = take(arg, names.text + symbol.st_name, &symbol);
		}
		left = count ? left - count : 0;
		at += count * bytes;
	}
	free(names.text);
	return 0;
}

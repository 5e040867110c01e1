/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Source lines by libdw, from the file itself or from the separate file of the
 * same build id. Debug information of more than DEBUG_BYTES_MAX is left alone:
 * it is read as a whole, and a line is not worth that much memory.
 *
 * libdw reads past the end of tables that were made to make it do so. So lines are
 * read only of files that root or the one who watches owns: whoever can write those
 * needs no such way in.
 *
 * The file is read, not mapped: one that is cut short gives errors, not signals.
 */
#include "symbols_lines.h"

#include <elfutils/libdw.h>
#include <elfutils/libdwelf.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEBUG_BYTES_MAX (48ull << 20)
#define BUILD_ID_MAX 64

struct lines {
	Elf *elf;
	Dwarf *debug;
	int own_fd; /* of the separate file; -1 = none */
};

/* What reading lines would take; 0 = it has none. */
static uint64_t debug_bytes(Elf *elf)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;
	size_t names;
	uint64_t bytes = 0;
	int has_lines = 0;

	if (elf_getshdrstrndx(elf, &names))
		return 0;
	while ((section = elf_nextscn(elf, section))) {
		const char *name = gelf_getshdr(section, &header) ? elf_strptr(elf, names, header.sh_name) : NULL;

		if (!name || strncmp(name, ".debug_", 7) || header.sh_type == SHT_NOBITS)
			continue;
		has_lines |= !strcmp(name, ".debug_line");
		if (header.sh_size > DEBUG_BYTES_MAX)
			return 0;
		/* compressed ones grow */
		bytes += header.sh_flags & SHF_COMPRESSED ? header.sh_size * 4 : header.sh_size;
	}
	return has_lines && bytes <= DEBUG_BYTES_MAX ? bytes : 0;
}

/* Where variables are is of no use for lines, and libdw would unpack it as well: a seventh of all. */
static void leave_out_places(Elf *elf)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;
	size_t names;

	if (elf_getshdrstrndx(elf, &names))
		return;
	while ((section = elf_nextscn(elf, section))) {
		const char *name = gelf_getshdr(section, &header) ? elf_strptr(elf, names, header.sh_name) : NULL;

		if (!name || strncmp(name, ".debug_loc", 10))
			continue;
		header.sh_type = SHT_NOBITS;
		gelf_update_shdr(section, &header);
	}
}

/* The file that debuggers look for, by the number that the linker gave both; -1 = there is none. */
static int open_separate(Elf *elf)
{
	const void *bits;
	char path[64 + 2 * BUILD_ID_MAX];
	ssize_t bytes = dwelf_elf_gnu_build_id(elf, &bits);
	const unsigned char *id = bits;

	if (bytes < 2 || bytes > BUILD_ID_MAX)
		return -1;
	int at = snprintf(path, sizeof(path), "/usr/lib/debug/.build-id/%02x/", id[0]);
	for (ssize_t i = 1; i < bytes; i++)
		at += snprintf(path + at, sizeof(path) - (size_t)at, "%02x", id[i]);
	snprintf(path + at, sizeof(path) - (size_t)at, ".debug");
	return open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
}

static Elf *begin(int fd)
{
	Elf *elf = elf_version(EV_CURRENT) == EV_NONE ? NULL : elf_begin(fd, ELF_C_READ, NULL);

	if (elf && elf_kind(elf) == ELF_K_ELF)
		return elf;
	elf_end(elf);
	return NULL;
}

/* Who watches: the one that sudo was called by, else we. */
static uid_t watcher(void)
{
	const char *text = geteuid() ? NULL : getenv("SUDO_UID");
	char *end;
	unsigned long uid = text ? strtoul(text, &end, 10) : 0;

	return text && *text && !*end && uid < UINT32_MAX ? (uid_t)uid : geteuid();
}

static int is_trusted(int fd)
{
	struct stat status;

	if (fstat(fd, &status) || status.st_mode & S_IWOTH)
		return 0;
	return status.st_uid == 0 || status.st_uid == geteuid() || status.st_uid == watcher();
}

int lines_open(struct lines **out, int fd)
{
	struct lines *lines = calloc(1, sizeof(*lines));

	*out = NULL;
	if (!lines)
		return -ENOMEM;
	lines->own_fd = -1;
	if (!is_trusted(fd)) {
		free(lines);
		return -ENOENT;
	}
	lines->elf = begin(fd);
	if (lines->elf && !debug_bytes(lines->elf)) {
		lines->own_fd = open_separate(lines->elf);
		elf_end(lines->elf);
		lines->elf = lines->own_fd >= 0 ? begin(lines->own_fd) : NULL;
	}
	if (lines->elf && debug_bytes(lines->elf)) {
		leave_out_places(lines->elf);
		lines->debug = dwarf_begin_elf(lines->elf, DWARF_C_READ, NULL);
	}
	if (!lines->debug) {
		lines_close(lines);
		return -ENOENT;
	}
	*out = lines;
	return 0;
}

void lines_close(struct lines *lines)
{
	if (!lines)
		return;
	if (lines->debug)
		dwarf_end(lines->debug);
	elf_end(lines->elf);
	if (lines->own_fd >= 0)
		close(lines->own_fd);
	free(lines);
}

/* The compilation unit of an address: by the table of ranges, which some compilers do not write. */
static int find_unit(struct lines *lines, uint64_t address, Dwarf_Die *unit)
{
	Dwarf_CU *cu = NULL;

	if (dwarf_addrdie(lines->debug, address, unit))
		return 1;
	while (!dwarf_get_units(lines->debug, cu, &cu, NULL, NULL, unit, NULL))
		if (dwarf_haspc(unit, address) == 1)
			return 1;
	return 0;
}

int lines_find(struct lines *lines, uint64_t address, const char **file, uint32_t *line)
{
	Dwarf_Die unit;
	int number;

	if (!find_unit(lines, address, &unit))
		return -ENOENT;
	Dwarf_Line *found = dwarf_getsrc_die(&unit, address);
	if (!found || dwarf_lineno(found, &number) || number <= 0)
		return -ENOENT;
	*file = dwarf_linesrc(found, NULL, NULL);
	*line = (uint32_t)number;
	return *file ? 0 : -ENOENT;
}

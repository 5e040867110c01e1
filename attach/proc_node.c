/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The version of a running Node, from itself: node::per_process::metadata is
 * exported by every build, and begins with the version as a std::string. That
 * is read, and believed when it is digits and dots.
 */
#include "proc.h"

#include <gelf.h>
#include <libelf.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "symbols_parts.h"
#include "symbols_table.h"

static int take(void *arg, const char *name, const GElf_Sym *symbol)
{
	if (symbol->st_shndx == SHN_UNDEF || strcmp(name, "_ZN4node11per_process8metadataE"))
		return 0;
	*(uint64_t *)arg = symbol->st_value;
	return 1;
}

/* Node's program, which may have another name, or its library. */
static int may_be_node(const struct map *map, const char *exe)
{
	const char *slash = map->kind == REGION_FILE ? strrchr(map->path, '/') : NULL;
	return slash && (!strcmp(map->path, exe) || !strncmp(slash, "/node", 5) || !strncmp(slash, "/libnode.so", 11));
}

/* Address in the process; 0 = this file has none. */
static uint64_t find_metadata(const struct map *map, pid_t pid)
{
	int fd = maps_open_file(map, pid);
	if (fd < 0)
		return 0;
	Elf *elf = elf_version(EV_CURRENT) != EV_NONE ? elf_begin(fd, ELF_C_READ, NULL) : NULL;
	Elf_Scn *section = NULL;
	GElf_Shdr header;
	GElf_Phdr segment;
	uint64_t address = 0, bias = 0;
	size_t count = 0;
	while (elf && !address && (section = elf_nextscn(elf, section)))
		if (gelf_getshdr(section, &header) && header.sh_type == SHT_DYNSYM)
			symbol_table_read(elf, fd, &header, take, &address);
	if (elf && elf_getphdrnum(elf, &count))
		count = 0;
	for (size_t i = 0; i < count && i < 256; i++)
		if (gelf_getphdr(elf, (int)i, &segment) && segment.p_type == PT_LOAD && segment.p_flags & PF_X &&
		    map->offset >= (segment.p_offset & ~4095ull) && map->offset < segment.p_offset + segment.p_filesz)
			bias = map->start - (segment.p_vaddr + map->offset - segment.p_offset);
	elf_end(elf);
	close(fd);
	return address ? address + bias : 0;
}

static int read_memory(pid_t pid, uint64_t address, void *out, size_t bytes)
{
	struct iovec here = { out, bytes }, there = { (void *)(uintptr_t)address, bytes };
	return process_vm_readv(pid, &here, 1, &there, 1, 0) == (ssize_t)bytes;
}

void proc_node_version(pid_t pid, char *out, size_t room)
{
	struct maps maps = { 0 };
	uint64_t address = 0, text[2]; /* where it is, how long */
	char version[24] = "", exe[4096];
	if (proc_link(pid, "exe", exe, sizeof(exe)) < 0)
		*exe = 0;
	if (maps_read(&maps, pid))
		return;
	for (size_t i = 0; i < maps.count && !address; i++) {
		if (may_be_node(&maps.maps[i], exe))
			address = find_metadata(&maps.maps[i], pid);
	}
	maps_clear(&maps);
	if (!address || !read_memory(pid, address, text, sizeof(text)) || !text[1] || text[1] >= sizeof(version) ||
	    !read_memory(pid, text[0], version, text[1]))
		return;
	if (strspn(version, "0123456789.") == text[1])
		snprintf(out, room, "%s", version);
}

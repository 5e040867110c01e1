/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where CPython lies in a process: the program itself or libpython3, whichever
 * exports _PyRuntime, as all builds do, also stripped ones.
 */
#include "python_parts.h"

#include <errno.h>
#include <gelf.h>
#include <libelf.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "symbols_parts.h"

#define CODE_MIN (64u << 10) /* a program that is linked with it is smaller */
#define EVAL "_PyEval_EvalFrameDefault"
#define EVALS (sizeof(((struct python_place *)0)->eval) / sizeof(uint64_t))

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* "libpython3.9.so.1.0", "python3.9", "_asyncio.cpython-39-x86_64-linux-gnu.so" */
static unsigned minor_of(const char *path)
{
	static const char *const heads[] = { "python3.", "cpython-3" };
	unsigned minor = 0;

	for (size_t i = 0; i < 2 && !minor; i++) {
		const char *at = strstr(base_name(path), heads[i]);

		if (at && sscanf(at + strlen(heads[i]), "%2u", &minor) != 1)
			minor = 0;
	}
	return minor;
}

/* What is to be added to addresses of the file. */
static int find_bias(Elf *elf, const struct map *map, uint64_t *bias)
{
	size_t count;
	GElf_Phdr segment;

	if (elf_getphdrnum(elf, &count))
		return -ENOENT;
	for (size_t i = 0; i < count; i++) {
		if (!gelf_getphdr(elf, (int)i, &segment) || segment.p_type != PT_LOAD || !(segment.p_flags & PF_X))
			continue;
		if (map->offset + 4096 <= segment.p_offset || map->offset >= segment.p_offset + segment.p_filesz)
			continue;
		*bias = map->start - (segment.p_vaddr + map->offset - segment.p_offset);
		return 0;
	}
	return -ENOENT;
}

static void add_eval(struct python_place *place, uint64_t address, uint64_t bytes)
{
	for (size_t i = 0; i < place->evals; i++)
		if (place->eval[i] == address)
			return;
	if (place->evals == EVALS)
		return;
	place->eval[place->evals] = address;
	place->eval_end[place->evals++] = address + bytes;
}

static void take_symbol(struct python_place *place, const char *name, const GElf_Sym *symbol, uint64_t bias)
{
	const struct {
		const char *name;
		uint64_t *address;
	} wanted[] = {
		{ "_PyRuntime", &place->runtime },
		{ "PyCode_Type", &place->code_type },
		{ "Py_Version", &place->version },
	};

	if (!symbol->st_value || symbol->st_shndx == SHN_UNDEF)
		return;
	for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++)
		if (!strcmp(name, wanted[i].name))
			*wanted[i].address = symbol->st_value + bias;
	if (!strncmp(name, EVAL, sizeof(EVAL) - 1) && symbol->st_size)
		add_eval(place, symbol->st_value + bias, symbol->st_size);
}

static void take_symbols(struct python_place *place, Elf *elf, uint32_t type, uint64_t bias)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;
	GElf_Sym symbol;

	while ((section = elf_nextscn(elf, section))) {
		if (!gelf_getshdr(section, &header) || header.sh_type != type || !header.sh_entsize)
			continue;
		Elf_Data *data = elf_getdata(section, NULL);
		for (size_t i = 0; data && i < data->d_size / header.sh_entsize; i++) {
			const char *name = gelf_getsym(data, (int)i, &symbol)
						   ? elf_strptr(elf, header.sh_link, symbol.st_name)
						   : NULL;

			if (name && strchr("_P", *name))
				take_symbol(place, name, &symbol, bias);
		}
	}
}

static int find_in(struct python_place *place, const struct map *map, int fd)
{
	Elf *elf = elf_version(EV_CURRENT) == EV_NONE ? NULL : elf_begin(fd, ELF_C_READ, NULL);
	uint64_t bias;
	int err = elf && elf_kind(elf) == ELF_K_ELF ? find_bias(elf, map, &bias) : -ENOENT;

	if (!err) {
		take_symbols(place, elf, SHT_DYNSYM, bias);
		err = place->runtime && place->code_type ? 0 : -ENOENT;
	}
	/* what the compiler took out of the function is told only there */
	if (!err)
		take_symbols(place, elf, SHT_SYMTAB, bias);
	elf_end(elf);
	return err;
}

int python_find(struct python_place *place, pid_t pid)
{
	struct maps maps = { 0 };
	int err = maps_read(&maps, pid), found = -ENOENT;

	*place = (struct python_place){ .runtime = 0 };
	for (size_t i = 0; i < maps.count && !err && found; i++) {
		const struct map *map = &maps.maps[i];

		if (map->kind != REGION_FILE || map->end - map->start < CODE_MIN ||
		    (i && !strstr(base_name(map->path), "python")))
			continue;
		int fd = maps_open_file(map, pid);
		*place = (struct python_place){ .runtime = 0 };
		if (fd < 0)
			continue;
		found = find_in(place, map, fd);
		place->minor = found ? 0 : minor_of(map->path);
		close(fd);
	}
	for (size_t i = 0; i < maps.count && !err && !found && !place->minor; i++)
		if (maps.maps[i].path)
			place->minor = minor_of(maps.maps[i].path);
	maps_clear(&maps);
	return err ? err : found;
}

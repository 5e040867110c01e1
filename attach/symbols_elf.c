/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One ELF file as a sorted table of functions.
 *
 * Owns the descriptor and a table of (address, size, offset of the name). The
 * names stay in the file and are read when a function is met, so a binary with
 * 200,000 symbols costs 3 MiB and not 30. .symtab is taken where there is one,
 * else .dynsym.
 *
 * The file may be anything, and may change under us: it is read with pread,
 * never mapped (a file cut short would kill us), libelf checks its structure,
 * and counts are bounded by its size.
 */
#include "symbols_elf.h"
#include "symbols_cfi.h"
#include "symbols_lines.h"

#include <errno.h>
#include <gelf.h>
#include <libelf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEGMENTS_MAX 64
#define REST_NS 5000000000ull
#define GAP_MAX      0x10000  /* a function of unknown size reaches at most so far */

struct segment {
	uint64_t offset, bytes, address;
};

struct function {
	uint64_t address;
	uint32_t bytes;
	uint32_t name;     /* offset in the string table */
};

struct elf_file {
	int fd;
	struct segment segments[SEGMENTS_MAX];
	int segment_count;
	struct function *functions;
	size_t function_count;
	uint64_t names_offset, names_bytes;
	struct cfi *cfi;
	struct lines *lines;
	int cfi_tried, lines_tried;
	uint64_t cfi_used; /* the first look after it was asked for; 0 = none yet */
};

static int by_address(const void *a, const void *b)
{
	const struct function *x = a, *y = b;

	if (x->address != y->address)
		return x->address < y->address ? -1 : 1;
	/* of several names for one address the sized one comes last, where lookups begin */
	if (x->bytes != y->bytes)
		return x->bytes < y->bytes ? -1 : 1;
	return x->name < y->name ? -1 : x->name > y->name;
}

static void read_segments(struct elf_file *file, Elf *elf)
{
	size_t count;

	if (elf_getphdrnum(elf, &count))
		return;
	for (size_t i = 0; i < count && file->segment_count < SEGMENTS_MAX; i++) {
		GElf_Phdr segment;

		if (!gelf_getphdr(elf, i, &segment) || segment.p_type != PT_LOAD)
			continue;
		file->segments[file->segment_count++] =
			(struct segment){ segment.p_offset, segment.p_filesz, segment.p_vaddr };
	}
}

/* The section that names the functions best. */
static Elf_Scn *find_table(Elf *elf, GElf_Shdr *header)
{
	Elf_Scn *section = NULL, *best = NULL;
	GElf_Shdr seen;

	while ((section = elf_nextscn(elf, section))) {
		if (!gelf_getshdr(section, &seen))
			continue;
		if (seen.sh_type != SHT_SYMTAB && (seen.sh_type != SHT_DYNSYM || best))
			continue;
		best = section;
		*header = seen;
	}
	return best;
}

static int is_code(Elf *elf, const GElf_Sym *symbol)
{
	int type = GELF_ST_TYPE(symbol->st_info);
	GElf_Shdr section;

	if (symbol->st_shndx == SHN_UNDEF || !symbol->st_value)
		return 0;
	if (type == STT_FUNC || type == STT_GNU_IFUNC)
		return 1;
	/* labels of hand-written assembly */
	return type == STT_NOTYPE && symbol->st_shndx < SHN_LORESERVE &&
	       gelf_getshdr(elf_getscn(elf, symbol->st_shndx), &section) && section.sh_flags & SHF_EXECINSTR;
}

static int read_functions(struct elf_file *file, Elf *elf, uint64_t file_bytes)
{
	GElf_Shdr header = { 0 }, names;
	Elf_Scn *section = find_table(elf, &header);
	Elf_Data *data;

	if (!section || !header.sh_entsize || header.sh_size > file_bytes)
		return 0;
	if (!gelf_getshdr(elf_getscn(elf, header.sh_link), &names) || !(data = elf_getdata(section, NULL)))
		return 0;
	size_t count = header.sh_size / header.sh_entsize;
	file->names_offset = names.sh_offset;
	file->names_bytes = names.sh_size;
	file->functions = malloc((count + 1) * sizeof(*file->functions));
	if (!file->functions)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		GElf_Sym symbol;

		if (!gelf_getsym(data, i, &symbol) || !is_code(elf, &symbol))
			continue;
		file->functions[file->function_count++] = (struct function){
			.address = symbol.st_value,
			.bytes = symbol.st_size < UINT32_MAX ? symbol.st_size : UINT32_MAX,
			.name = symbol.st_name,
		};
	}
	qsort(file->functions, file->function_count, sizeof(*file->functions), by_address);
	struct function *kept = realloc(file->functions, (file->function_count + 1) * sizeof(*kept));
	if (kept)
		file->functions = kept;
	return 0;
}

int elf_file_open(struct elf_file **out, int fd)
{
	struct elf_file *file = calloc(1, sizeof(*file));
	struct stat status;
	Elf *elf = NULL;
	int err = -ENOMEM;

	*out = NULL;
	if (!file)
		goto out;
	err = -ENOEXEC;
	if (elf_version(EV_CURRENT) == EV_NONE || fstat(fd, &status) || !S_ISREG(status.st_mode))
		goto out;
	elf = elf_begin(fd, ELF_C_READ, NULL);
	if (!elf || elf_kind(elf) != ELF_K_ELF)
		goto out;
	read_segments(file, elf);
	err = read_functions(file, elf, status.st_size);
out:
	elf_end(elf);
	if (err) {
		close(fd);
		free(file);
		return err;
	}
	file->fd = fd;
	*out = file;
	return 0;
}

void elf_file_close(struct elf_file *file)
{
	if (!file)
		return;
	cfi_close(file->cfi);
	lines_close(file->lines);
	close(file->fd);
	free(file->functions);
	free(file);
}

/* Unwind rules are read again in a moment. Lines stay: decompressing them would hold up the next stall's name. */
int elf_file_rest(struct elf_file *file, uint64_t now_ns)
{
	if (file->cfi && !file->cfi_used)
		file->cfi_used = now_ns;
	if (!file->cfi || now_ns - file->cfi_used < REST_NS)
		return 0;
	cfi_close(file->cfi);
	file->cfi = NULL;
	file->cfi_tried = 0;
	return 1;
}

struct lines *elf_file_lines(struct elf_file *file)
{
	if (!file->lines_tried && lines_open(&file->lines, file->fd))
		file->lines = NULL;
	file->lines_tried = 1;
	return file->lines;
}

struct cfi *elf_file_cfi(struct elf_file *file)
{
	file->cfi_used = 0;
	if (!file->cfi_tried && cfi_open(&file->cfi, file->fd))
		file->cfi = NULL;
	file->cfi_tried = 1;
	return file->cfi;
}

uint64_t elf_file_to_address(const struct elf_file *file, uint64_t offset)
{
	for (int i = 0; i < file->segment_count; i++) {
		const struct segment *segment = &file->segments[i];

		if (offset >= segment->offset && offset - segment->offset < segment->bytes)
			return offset - segment->offset + segment->address;
	}
	return UINT64_MAX;
}

uint64_t elf_file_to_offset(const struct elf_file *file, uint64_t address)
{
	for (int i = 0; i < file->segment_count; i++) {
		const struct segment *segment = &file->segments[i];

		if (address >= segment->address && address - segment->address < segment->bytes)
			return address - segment->address + segment->offset;
	}
	return UINT64_MAX;
}

static int read_name(const struct elf_file *file, uint32_t name, char *out, size_t room)
{
	if (name >= file->names_bytes || !room)
		return -ENOENT;
	ssize_t got = pread(file->fd, out, room - 1, file->names_offset + name);
	if (got <= 0)
		return -ENOENT;
	out[got] = '\0';
	return *out ? 0 : -ENOENT;
}

/* The last function that begins at or before the address. */
static const struct function *find_before(const struct elf_file *file, uint64_t address)
{
	size_t low = 0, high = file->function_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (file->functions[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? &file->functions[low - 1] : NULL;
}

int elf_file_function(const struct elf_file *file, uint64_t address, char *name, size_t room, uint64_t *start)
{
	const struct function *function = find_before(file, address);

	if (!function)
		return -ENOENT;
	/* a small function may lie inside a bigger one, and end before the address */
	for (int back = 0; back < 8 && function >= file->functions; back++, function--) {
		uint64_t into = address - function->address;

		if (into >= function->bytes && (function->bytes || into >= GAP_MAX))
			continue;
		*start = function->address;
		return read_name(file, function->name, name, room);
	}
	return -ENOENT;
}

uint64_t elf_file_extent(const struct elf_file *file, const char *name, uint32_t *bytes)
{
	char *names;
	uint64_t address = 0;
	struct stat status;

	*bytes = 0;
	if (fstat(file->fd, &status) || file->names_bytes > (uint64_t)status.st_size)
		return 0;
	names = malloc(file->names_bytes + 1);
	if (!names)
		return 0;
	ssize_t got = pread(file->fd, names, file->names_bytes, file->names_offset);
	names[got > 0 ? got : 0] = '\0';
	for (size_t i = 0; i < file->function_count && got > 0 && !address; i++) {
		const struct function *function = &file->functions[i];

		if (function->name >= (uint64_t)got || strcmp(names + function->name, name))
			continue;
		address = function->address;
		*bytes = function->bytes;
	}
	free(names);
	return address;
}

uint64_t elf_file_symbol(const struct elf_file *file, const char *name)
{
	uint32_t bytes;

	return elf_file_extent(file, name, &bytes);
}

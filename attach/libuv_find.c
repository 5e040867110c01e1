/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where libuv is in a process: the file that it came in, its functions and
 * variables, and its loops.
 *
 * The first mapped file that has uv_run among its symbols is it: a program that
 * was linked with it (node), or libuv.so.1. The default loop has a symbol where
 * the file was not stripped. Any other loop (of a worker thread, or of a stripped
 * file) is found by what a thread that waits in its poller has on its stack: it
 * came from uv_run(loop), so the loop's address is there, and a word is believed
 * only when a loop with that poller lies where it points to.
 */
#include "libuv.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ps_event.h"
#include "proc.h"
#include "symbols_parts.h"
#include "symbols_table.h"

#define STACK_BYTES (48u << 10) /* uv__io_poll alone has 12 KiB of events there */
#define PAGE_BYTES 4096u
#define TRIES 4

static const char *const names[LIBUV_SYMBOL_COUNT] = {
#define LIBUV_X(name) [LIBUV_##name] = #name,
	LIBUV_SYMBOLS(LIBUV_X)
#undef LIBUV_X
};

const char *libuv_symbol_name(unsigned symbol)
{
	return symbol < LIBUV_SYMBOL_COUNT ? names[symbol] : "?";
}

void libuv_version_text(uint32_t version, char out[16])
{
	*out = '\0';
	if (version)
		snprintf(out, 16, "%u.%u.%u", version >> 16 & 255, version >> 8 & 255, version & 255);
}

/* ---- the file ---- */

/* Names like "wq" are anybody's: of variables only those of libuv's own source file count. */
static int belongs(unsigned symbol, const char *source)
{
	switch (symbol) {
	case LIBUV_wq:
	case LIBUV_slow_io_pending_wq:
	case LIBUV_run_slow_work_message:
	case LIBUV_nthreads:
	case LIBUV_idle_threads:
	case LIBUV_slow_io_work_running:
		return !strcmp(source, "threadpool.c");
	}
	return 1;
}

static void take_symbol(struct libuv_image *image, const GElf_Sym *symbol, const char *name, const char *source)
{
	if (symbol->st_shndx == SHN_UNDEF || !symbol->st_value)
		return;
	for (unsigned i = 0; i < LIBUV_SYMBOL_COUNT; i++) {
		if (image->address[i] || strcmp(names[i], name) || !belongs(i, source))
			continue;
		image->address[i] = symbol->st_value;
		if (GELF_ST_TYPE(symbol->st_info) == STT_FUNC)
			image->offset[i] = 1; /* made an offset when the segments are known */
		return;
	}
}

/* All of them begin with one of these: nearly every symbol is refused by its first letters. */
static int may_be_ours(const char *name)
{
	return !strncmp(name, "uv_", 3) || !strcmp(name, "wq") || !strncmp(name, "slow_io_", 8) ||
	       !strncmp(name, "run_slow", 8) || !strcmp(name, "nthreads") || !strcmp(name, "idle_threads") ||
	       !strncmp(name, "default_loop", 12);
}

struct taking {
	struct libuv_image *image;
	char source[64]; /* file that the symbols now are from */
};

static int take_any(void *arg, const char *name, const GElf_Sym *symbol)
{
	struct taking *taking = arg;
	if (GELF_ST_TYPE(symbol->st_info) == STT_FILE)
		snprintf(taking->source, sizeof(taking->source), "%s", name);
	else if (may_be_ours(name))
		take_symbol(taking->image, symbol, name, taking->source);
	return 0;
}

static void read_tables(struct libuv_image *image, Elf *elf, int fd, uint32_t type)
{
	struct taking taking = { .image = image };
	Elf_Scn *section = NULL;
	GElf_Shdr header;
	while ((section = elf_nextscn(elf, section)))
		if (gelf_getshdr(section, &header) && header.sh_type == type) {
			if (type == SHT_SYMTAB)
				image->stripped = 0;
			*taking.source = '\0';
			symbol_table_read(elf, fd, &header, take_any, &taking);
		}
}

/* Addresses of the file become those of the process, and offsets of functions in the file. */
static int place(struct libuv_image *image, Elf *elf, const struct map *map)
{
	uint64_t bias = UINT64_MAX;
	size_t count;
	GElf_Phdr segment;
	if (elf_getphdrnum(elf, &count))
		return -ENOENT;
	for (size_t i = 0; i < count && i < 256; i++)
		if (gelf_getphdr(elf, (int)i, &segment) && segment.p_type == PT_LOAD &&
		    map->offset >= (segment.p_offset & ~4095ull) && map->offset < segment.p_offset + segment.p_filesz &&
		    segment.p_flags & PF_X)
			bias = map->start - (segment.p_vaddr + map->offset - segment.p_offset);
	if (bias == UINT64_MAX)
		return -ENOENT;
	image->text_start = map->start;
	image->text_end = map->end;
	image->text_offset = map->offset;
	for (unsigned s = 0; s < LIBUV_SYMBOL_COUNT; s++) {
		uint64_t address = image->address[s];
		int is_code = image->offset[s] != 0;
		image->offset[s] = 0;
		for (size_t i = 0; address && is_code && i < count && i < 256; i++)
			if (gelf_getphdr(elf, (int)i, &segment) && segment.p_type == PT_LOAD &&
			    address >= segment.p_vaddr && address - segment.p_vaddr < segment.p_filesz)
				image->offset[s] = address - segment.p_vaddr + segment.p_offset;
		image->address[s] = address ? address + bias : 0;
	}
	return 0;
}

static int look_into(struct libuv_image *image, const struct map *map, pid_t pid)
{
	int fd = maps_open_file(map, pid);
	if (fd < 0)
		return fd;
	Elf *elf = elf_version(EV_CURRENT) != EV_NONE ? elf_begin(fd, ELF_C_READ, NULL) : NULL;
	memset(image, 0, sizeof(*image));
	image->stripped = 1;
	int err = -ENOENT;
	if (elf && elf_kind(elf) == ELF_K_ELF) {
		/* the exported names are few: what has none of libuv's there has it hidden, if at all */
		read_tables(image, elf, fd, SHT_DYNSYM);
		if (image->address[LIBUV_uv_run] || !strstr(map->path, ".so"))
			read_tables(image, elf, fd, SHT_SYMTAB);
		if (image->address[LIBUV_uv_run])
			err = place(image, elf, map);
	}
	elf_end(elf);
	close(fd);
	return err;
}

/* uv_version() is one instruction: mov eax, imm32 (or movz, movk). */
static uint32_t read_version(pid_t pid, uint64_t address)
{
	struct libuv_memory memory;
	uint8_t code[16];
	libuv_memory_of(&memory, &pid);
	if (!address || libuv_get(&memory, address, code, sizeof(code)))
		return 0;
#if defined(__x86_64__)
	size_t at = !memcmp(code, "\xf3\x0f\x1e\xfa", 4) ? 4 : 0; /* endbr64 */
	if (!memcmp(code + at, "\x55\x48\x89\xe5", 4)) /* push rbp; mov rbp, rsp */
		at += 4;
	if (code[at] != 0xb8)
		return 0;
	uint32_t version;
	memcpy(&version, code + at + 1, sizeof(version));
#elif defined(__aarch64__)
	uint32_t words[4], version = 0;
	memcpy(words, code, sizeof(words));
	for (int i = 0; i < 4; i++) {
		if ((words[i] & 0xffe0001f) == 0x52800000) /* movz w0, #imm */
			version = words[i] >> 5 & 0xffff;
		else if ((words[i] & 0xffe0001f) == 0x72a00000) /* movk w0, #imm, lsl 16 */
			version |= (words[i] >> 5 & 0xffff) << 16;
	}
#else
	uint32_t version = 0;
#endif
	return version >> 16 == 1 ? version : 0;
}

int libuv_image_find(struct libuv_image *image, pid_t pid)
{
	struct maps maps = { 0 };
	int err = maps_read(&maps, pid), found = -ENOENT;
	for (size_t i = 0; !err && i < maps.count && found; i++) {
		const struct map *map = &maps.maps[i];
		/* a file has one executable mapping, seldom more: the first counts */
		int seen = 0;
		for (size_t k = 0; k < i; k++)
			seen |= map->kind == REGION_FILE && maps.maps[k].kind == REGION_FILE &&
				maps.maps[k].inode == map->inode;
		if (map->kind != REGION_FILE || seen)
			continue;
		found = look_into(image, map, pid);
		if (found)
			continue;
		snprintf(image->path, sizeof(image->path), "/proc/%d/map_files/%llx-%llx", (int)pid,
			 (unsigned long long)map->start, (unsigned long long)map->end);
		const char *slash = strrchr(map->path, '/');
		snprintf(image->module, sizeof(image->module), "%.63s", slash ? slash + 1 : map->path);
	}
	maps_clear(&maps);
	if (found) {
		memset(image, 0, sizeof(*image));
		return err ? err : -ENOENT;
	}
	image->version = read_version(pid, image->address[LIBUV_uv_version]);
	if (!image->address[LIBUV_uv__fs_work]) {
		struct libuv_memory memory;
		libuv_memory_of(&memory, &pid);
		libuv_decode(image, &memory);
	}
	return 0;
}

/* ---- loops ---- */

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

/* The stack pointer of a thread that waits in a system call; 0 = it runs. */
static uint64_t stack_of(pid_t pid, pid_t tid)
{
	char text[256];
	unsigned long long stack;
	if (proc_read(pid, tid, "syscall", text, sizeof(text)) <= 0)
		return 0;
	/* number, six arguments, stack pointer, program counter */
	return sscanf(text, "%*d %*s %*s %*s %*s %*s %*s %llx", &stack) == 1 ? stack : 0;
}

/* Where its outermost frames are, of one that runs. */
static uint64_t outer_stack(struct libuv_memory *memory, pid_t pid, pid_t tid)
{
	uint64_t end = libuv_stack_end(memory, pid, tid);
	return end > STACK_BYTES ? end - STACK_BYTES : 0;
}

/* As much of it as there is, page by page: it may end soon. Returns how many words. */
static size_t read_stack(struct libuv_memory *memory, uint64_t stack, uint64_t *words)
{
	size_t got = 0;
	while (got < STACK_BYTES) {
		size_t part = PAGE_BYTES - (stack + got) % PAGE_BYTES;
		if (part > STACK_BYTES - got)
			part = STACK_BYTES - got;
		if (libuv_get(memory, stack + got, (char *)words + got, part))
			break;
		got += part;
	}
	return got / 8;
}

static uint64_t search_stack(struct libuv_memory *memory, uint64_t stack, int32_t backend_fd)
{
	uint64_t *words = malloc(STACK_BYTES), found = 0, before = 0;
	size_t wanted = words ? read_stack(memory, stack & ~7ull, words) : 0, count = 0;
	for (size_t i = 0; i < wanted; i++)
		if (words[i] % 8 == 0 && words[i] >= 0x10000 && words[i] < 1ull << 47)
			words[count++] = words[i];
	if (count)
		qsort(words, count, sizeof(*words), by_value);
	for (size_t i = 0; i < count && !found; i++) {
		if (words[i] != before && libuv_is_loop(memory, words[i], backend_fd))
			found = words[i];
		before = words[i];
	}
	free(words);
	return found;
}

uint64_t libuv_loop_find(struct libuv_memory *memory, const struct libuv_image *image, pid_t pid, pid_t tid,
			 int32_t backend_fd, const char **why)
{
	uint64_t address = image ? image->address[LIBUV_default_loop_struct] : 0;
	*why = "";
	if (address && libuv_is_loop(memory, address, backend_fd))
		return address;
	uint64_t stack = 0;
	for (int attempt = 0; attempt < TRIES && !stack; attempt++)
		stack = stack_of(pid, tid);
	if (!stack)
		stack = outer_stack(memory, pid, tid);
	if (!stack) {
		*why = "its thread has not been seen waiting yet, so its loop could not be found";
		return 0;
	}
	address = search_stack(memory, stack, backend_fd);
	if (!address)
		*why = "no libuv loop was found on the stack of its thread";
	return address;
}

int libuv_thread_runs(struct libuv_memory *memory, const struct libuv_image *image, pid_t pid, pid_t tid, int32_t backend_fd)
{
	const char *why;
	uint64_t address = libuv_loop_find(memory, image, pid, tid, backend_fd, &why);
	uint64_t default_loop = image->address[LIBUV_default_loop_struct];
	if (!address)
		return 0;
	/* its symbol alone says nothing of who runs it */
	if (address == default_loop)
		return tid == pid;
	uint64_t *words = malloc(STACK_BYTES), stack = outer_stack(memory, pid, tid);
	size_t count = words && stack ? read_stack(memory, stack & ~7ull, words) : 0;
	int runs = libuv_came_from_run(image, words, count);
	free(words);
	return runs;
}

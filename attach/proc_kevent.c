/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whether a thread that waits does so inside kevent(): on this system kqueue is
 * a library's, whose own wait is some system call. Who called that call stands
 * on the thread's stack: the innermost return address that is not the C
 * library's. If the file it lies in exports kevent and kqueue, it is theirs. A
 * program may also have them linked in: then it must have symbols, and some
 * address lies in its kevent() itself, or behind a call of it, where kevent()
 * has jumped on into a function of its own.
 *
 * Nothing is attached for it. A library is opened once and its answer kept, by
 * device and inode; and of many processes of one program that are looked at
 * within a second, which mostly have the same libraries, one is asked.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "proc.h"
#include "symbols_parts.h"

#define STACK_WORDS 2048 /* between a wait and its kevent() may lie the array that it waits into */
#define LIBRARY_WORDS 64 /* of them in which a library's frame is looked for: what lies further out may be stale */
#define KEPT 64
#define KNOWN_FOR_NS 1000000000u

struct extent { /* of kevent() in its file; 0, 0 = it is not there */
	uint64_t begin, end;
};

static struct answer {
	dev_t device;
	ino_t inode;
	struct extent kevent;
} answers[KEPT];
static size_t answer_count, answer_turn;

/* Programs none of whose libraries was kevent's. */
static struct stranger {
	dev_t device;
	ino_t inode;
	uint64_t ns;
} strangers[KEPT];
static size_t stranger_turn;

static int is_stranger(const struct stat *exe)
{
	uint64_t now = stream_now();

	for (size_t i = 0; i < KEPT; i++)
		if (strangers[i].inode == exe->st_ino && strangers[i].device == exe->st_dev &&
		    now - strangers[i].ns < KNOWN_FOR_NS)
			return 1;
	return 0;
}

static struct extent ask_file(int fd)
{
	struct extent kevent = { 0 };
	struct elf_file *file;
	uint32_t bytes;

	if (elf_file_open(&file, fd))
		return kevent;
	uint64_t address = elf_file_extent(file, "kevent", &bytes);
	uint64_t begin = address ? elf_file_to_offset(file, address) : UINT64_MAX;
	if (begin != UINT64_MAX && elf_file_symbol(file, "kqueue"))
		kevent = (struct extent){ begin, begin + bytes };
	elf_file_close(file);
	return kevent;
}

static struct extent kevent_of(const struct map *map, pid_t pid)
{
	struct stat st;
	int fd = maps_open_file(map, pid);

	if (fd < 0)
		return (struct extent){ 0 };
	if (fstat(fd, &st)) {
		close(fd);
		return (struct extent){ 0 };
	}
	for (size_t i = 0; i < answer_count; i++) {
		if (answers[i].device == st.st_dev && answers[i].inode == st.st_ino) {
			close(fd);
			return answers[i].kevent;
		}
	}
	struct extent kevent = ask_file(fd);
	answers[answer_turn++ % KEPT] = (struct answer){ st.st_dev, st.st_ino, kevent };
	answer_count += answer_count < KEPT;
	return kevent;
}

static int may_export(const struct map *map)
{
	const char *name = map && map->kind == REGION_FILE && map->path ? strrchr(map->path, '/') : NULL;

	return name && strstr(name, ".so") && strncmp(name, "/libc.so", 8) && strncmp(name, "/libc-", 6) &&
	       strncmp(name, "/ld-", 4) && strncmp(name, "/libpthread", 11);
}

static ssize_t read_stack(pid_t pid, pid_t tid, uint64_t words[STACK_WORDS])
{
	char text[256];
	unsigned long long sp;

	if (proc_read(pid, tid, "syscall", text, sizeof(text)) <= 0 ||
	    sscanf(text, "%*d %*x %*x %*x %*x %*x %*x %llx", &sp) != 1)
		return -ESRCH;
	struct iovec local = { words, STACK_WORDS * sizeof(*words) };
	struct iovec remote = { (void *)(uintptr_t)sp, STACK_WORDS * sizeof(*words) };
	ssize_t got = process_vm_readv(pid, &local, 1, &remote, 1, 0);
	return got < 0 ? -errno : got / (ssize_t)sizeof(*words);
}

/* A return address in kevent(), or behind a direct call of it (x86-64). */
static int is_of(const struct extent *kevent, const struct map *map, pid_t pid, uint64_t address)
{
	uint64_t offset = address - map->start + map->offset;
	uint8_t code[5];
	int32_t distance;
	struct iovec local = { code, sizeof(code) };
	struct iovec remote = { (void *)(uintptr_t)(address - sizeof(code)), sizeof(code) };

	if (offset > kevent->begin && offset <= kevent->end)
		return 1;
	if (process_vm_readv(pid, &local, 1, &remote, 1, 0) != sizeof(code) || code[0] != 0xe8)
		return 0;
	memcpy(&distance, code + 1, sizeof(distance));
	return offset + (uint64_t)(int64_t)distance == kevent->begin;
}

/* 1: the program waits in a kevent() of its own; 0: not now; -1: it has none. */
static int waits_in_own(const struct maps *maps, const struct stat *exe, pid_t pid, const uint64_t *words,
			ssize_t count)
{
	struct extent kevent = { 0 };

	for (ssize_t i = 0; i < count; i++) {
		const struct map *map = maps_find(maps, words[i]);

		if (!map || map->kind != REGION_FILE || map->inode != exe->st_ino)
			continue;
		if (!kevent.begin)
			kevent = kevent_of(map, pid);
		if (!kevent.begin)
			return -1;
		if (is_of(&kevent, map, pid, words[i]))
			return 1;
	}
	return kevent.begin ? 0 : -1;
}

int proc_waits_in_kevent(pid_t pid, pid_t tid)
{
	uint64_t words[STACK_WORDS];
	struct maps maps = { 0 };
	struct stat exe;
	char path[32];
	int is_inside = 0, own = -1;

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	if (stat(path, &exe) || is_stranger(&exe))
		return 0;
	ssize_t count = read_stack(pid, tid, words);
	if (count <= 0 || maps_read(&maps, pid))
		return 0;
	for (ssize_t i = 0; i < count && i < LIBRARY_WORDS && !is_inside; i++) {
		const struct map *map = maps_find(&maps, words[i]);

		is_inside = may_export(map) && kevent_of(map, pid).begin;
	}
	if (!is_inside)
		own = waits_in_own(&maps, &exe, pid, words, count);
	maps_clear(&maps);
	if (!is_inside && own < 0)
		strangers[stranger_turn++ % KEPT] = (struct stranger){ exe.st_dev, exe.st_ino, stream_now() };
	return is_inside || own > 0;
}

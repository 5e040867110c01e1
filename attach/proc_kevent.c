/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whether a thread that waits does so inside kevent(): on this system kqueue is
 * a library's, whose own wait is some system call. Who called that call stands
 * on the thread's stack: the innermost return address that is not the C
 * library's. If the file it lies in exports kevent and kqueue, it is theirs.
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

#define STACK_WORDS 64
#define KEPT 64
#define KNOWN_FOR_NS 1000000000u

static struct answer {
	dev_t device;
	ino_t inode;
	int exports;
} answers[KEPT];
static size_t answer_count;

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

static int ask_file(int fd)
{
	struct elf_file *file;
	int exports;

	if (elf_file_open(&file, fd))
		return 0;
	exports = elf_file_symbol(file, "kevent") && elf_file_symbol(file, "kqueue");
	elf_file_close(file);
	return exports;
}

static int exports_kevent(const struct map *map, pid_t pid)
{
	struct stat st;
	int fd = maps_open_file(map, pid);

	if (fd < 0)
		return 0;
	if (fstat(fd, &st)) {
		close(fd);
		return 0;
	}
	for (size_t i = 0; i < answer_count; i++) {
		if (answers[i].device == st.st_dev && answers[i].inode == st.st_ino) {
			close(fd);
			return answers[i].exports;
		}
	}
	int exports = ask_file(fd);
	answers[answer_count % KEPT] = (struct answer){ st.st_dev, st.st_ino, exports };
	answer_count += answer_count < KEPT;
	return exports;
}

/* Shared objects only: a program that brings its own kevent() calls it by a name that nobody sees. */
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

int proc_waits_in_kevent(pid_t pid, pid_t tid)
{
	uint64_t words[STACK_WORDS];
	struct maps maps = { 0 };
	struct stat exe;
	char path[32];
	int is_inside = 0;

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	if (stat(path, &exe) || is_stranger(&exe))
		return 0;
	ssize_t count = read_stack(pid, tid, words);
	if (count <= 0 || maps_read(&maps, pid))
		return 0;
	for (ssize_t i = 0; i < count && !is_inside; i++) {
		const struct map *map = maps_find(&maps, words[i]);

		is_inside = may_export(map) && exports_kevent(map, pid);
	}
	maps_clear(&maps);
	if (!is_inside)
		strangers[stranger_turn++ % KEPT] = (struct stranger){ exe.st_dev, exe.st_ino, stream_now() };
	return is_inside;
}

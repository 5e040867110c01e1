/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From /proc/PID/fd to open rings.
 *
 * The text of a link is chosen by its owner: a file may be called as a memfd
 * is. So a candidate is first opened as a place only (O_PATH), which runs no
 * driver and waits for nobody, and must lie in the kernel's own memory file
 * system, where our memfds lie too; only then is it opened for reading.
 *
 * A ring belongs to the process that its header names (a child inherits its
 * parent's descriptors, not its rings) and to a thread that lives in it.
 */
#include "ring_find.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "proc.h"

static const char ring_link[] = "/memfd:" PS_RING_NAME " (deleted)";

/* The device number of the file system that memfds are made in; 0 = not known. */
static dev_t memory_device(void)
{
	static dev_t device;
	struct stat stat;
	int fd = device ? -1 : memfd_create("pollscope-try", MFD_CLOEXEC);
	if (fd < 0)
		return device;
	if (!fstat(fd, &stat))
		device = stat.st_dev;
	close(fd);
	return device;
}

static int is_memory(int place, uint64_t *inode)
{
	struct statx stat;
	if (statx(place, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_BASIC_STATS, &stat))
		return 0;
	*inode = stat.stx_ino;
	return S_ISREG(stat.stx_mode) && makedev(stat.stx_dev_major, stat.stx_dev_minor) == memory_device();
}

static int was_seen(struct ring_find *find, uint64_t inode)
{
	for (size_t i = 0; i < find->seen_count; i++) {
		if (find->seen[i].inode != inode)
			continue;
		find->seen[i].present = 1;
		return 1;
	}
	return find->seen_count == RING_FIND_MAX;
}

/* Forgets what the process has closed. */
static void keep_present(struct ring_find *find)
{
	size_t kept = 0;
	for (size_t i = 0; i < find->seen_count; i++)
		if (find->seen[i].present)
			find->seen[kept++] = find->seen[i];
	find->seen_count = kept;
}

/* A descriptor for reading of a ring that is new to us, -EAGAIN when there is nothing to do. */
static int open_candidate(struct ring_find *find, int dir, const char *name, uint64_t *inode)
{
	char link[64], path[32];
	ssize_t length = readlinkat(dir, name, link, sizeof(link) - 1);
	if (length <= 0)
		return -EAGAIN;
	link[length] = 0;
	if (strcmp(link, ring_link))
		return -EAGAIN;
	int place = openat(dir, name, O_PATH | O_CLOEXEC);
	if (place < 0)
		return -EAGAIN;
	int fd = -EAGAIN;
	if (is_memory(place, inode) && !was_seen(find, *inode)) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", place);
		fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	close(place);
	return fd < 0 ? -EAGAIN : fd;
}

/* The number that this process knows a thread by, from the one it knows itself by; 0 = no such thread. */
static pid_t outer_tid(pid_t pid, pid_t inner)
{
	struct proc_status status;
	if (!proc_read_status(pid, inner, &status) && status.ns_pid == inner)
		return inner; /* no pid namespace between us */
	pid_t *tids = malloc(PROC_TASKS_MAX * sizeof(*tids)), found = 0;
	int count = tids ? proc_tasks(pid, tids, PROC_TASKS_MAX) : 0;
	for (int i = 0; i < count && !found; i++)
		if (!proc_read_status(pid, tids[i], &status) && status.ns_pid == inner)
			found = tids[i];
	free(tids);
	return found;
}

static uint64_t process_start_ns(pid_t pid)
{
	struct proc_stat stat;
	struct timespec boot;
	if (proc_read_stat(pid, 0, &stat) || clock_gettime(CLOCK_BOOTTIME, &boot))
		return 0;
	uint64_t asleep = (uint64_t)boot.tv_sec * 1000000000u + (uint64_t)boot.tv_nsec - stream_now();
	uint64_t tick = 1000000000u / (uint64_t)sysconf(_SC_CLK_TCK);
	uint64_t start = stat.start_ticks * tick;
	return start > asleep ? start - asleep : 0;
}

/* 0: the ring is this process's; its numbers and its earliest time are set. */
static int settle_owner(struct ring *ring, pid_t pid, const struct proc_status *status)
{
	pid_t tid = 0;
	if (ring->header.pid == (uint32_t)status->ns_pid && ring->header.tid <= INT32_MAX)
		tid = outer_tid(pid, (pid_t)ring->header.tid);
	if (tid <= 0)
		return -ENOENT;
	uint64_t start = process_start_ns(pid);
	ring->pid = (uint32_t)pid;
	ring->tid = (uint32_t)tid;
	ring->floor_ns = ring->header.created_ns > start ? ring->header.created_ns : start;
	return 0;
}

static int take(struct ring_find *find, int fd, uint64_t inode, int is_new, ring_found_fn *fn, void *arg)
{
	struct proc_status status;
	struct ring ring;
	const char *why;
	if (proc_read_status(find->pid, 0, &status)) {
		close(fd);
		return -ESRCH;
	}
	int err = ring_open(&ring, fd, status.uid, is_new, &why);
	if (err == -EAGAIN)
		return 0; /* its writer is about to finish it: next time */
	find->seen[find->seen_count++] = (struct ring_seen){ inode, 1 };
	ring.inode = inode;
	if (err) {
		find->refused++;
		snprintf(find->why, sizeof(find->why), "%s", why ? why : strerror(-err));
		return 0;
	}
	if (settle_owner(&ring, find->pid, &status)) {
		ring_close(&ring);
		return 0;
	}
	return fn(&ring, arg);
}

int ring_find(struct ring_find *find, int is_new, ring_found_fn *fn, void *arg)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/fd", find->pid);
	DIR *dir = opendir(path);
	if (!dir)
		return errno == EACCES || errno == EPERM ? -EACCES : -ESRCH;
	int err = 0;
	const struct dirent *entry;
	for (size_t i = 0; i < find->seen_count; i++)
		find->seen[i].present = 0;
	while (!err && (entry = readdir(dir))) {
		uint64_t inode;
		if (!isdigit((unsigned char)*entry->d_name))
			continue;
		int fd = open_candidate(find, dirfd(dir), entry->d_name, &inode);
		if (fd >= 0)
			err = take(find, fd, inode, is_new, fn, arg);
	}
	closedir(dir);
	if (!err)
		keep_present(find);
	return err;
}

int ring_find_has(const struct ring_find *find, const struct ring *ring)
{
	for (size_t i = 0; i < find->seen_count; i++)
		if (find->seen[i].inode == ring->inode)
			return 1;
	return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls seen from outside: which of them wait in a poller, and which
 * path or descriptor the others work on. Two tables by number; a call that is
 * in neither names nothing.
 */
#include "proc.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define PATH_BYTES 256
#define PAGE_BYTES 4096u

static const struct poller_call {
	int number;
	enum ps_backend backend;
	int fd_arg;   /* which argument is the poller's descriptor, -1 = it has none */
	int fds_arg;  /* which argument counts the descriptors waited for, -1 = none does */
} poller_calls[] = {
#ifdef SYS_epoll_wait
	{ SYS_epoll_wait, PS_BACKEND_EPOLL, 0, -1 },
#endif
	{ SYS_epoll_pwait, PS_BACKEND_EPOLL, 0, -1 },
#ifdef SYS_epoll_pwait2
	{ SYS_epoll_pwait2, PS_BACKEND_EPOLL, 0, -1 },
#endif
#ifdef SYS_poll
	{ SYS_poll, PS_BACKEND_POLL, -1, 1 },
#endif
	{ SYS_ppoll, PS_BACKEND_POLL, -1, 1 },
#ifdef SYS_select
	{ SYS_select, PS_BACKEND_SELECT, -1, 0 },
#endif
	{ SYS_pselect6, PS_BACKEND_SELECT, -1, 0 },
	{ SYS_io_uring_enter, PS_BACKEND_IO_URING, 0, -1 },
};

enum names { NAMES_FD, NAMES_PATH, NAMES_BOTH }; /* BOTH: a directory descriptor, then a path */

static const struct named_call {
	int number;
	uint8_t arg;
	uint8_t names; /* enum names */
} named_calls[] = {
#ifdef SYS_open
	{ SYS_open, 0, NAMES_PATH },     { SYS_creat, 0, NAMES_PATH },   { SYS_stat, 0, NAMES_PATH },
	{ SYS_lstat, 0, NAMES_PATH },    { SYS_access, 0, NAMES_PATH },  { SYS_readlink, 0, NAMES_PATH },
	{ SYS_unlink, 0, NAMES_PATH },   { SYS_rename, 0, NAMES_PATH },  { SYS_mkdir, 0, NAMES_PATH },
	{ SYS_rmdir, 0, NAMES_PATH },    { SYS_link, 0, NAMES_PATH },    { SYS_symlink, 0, NAMES_PATH },
	{ SYS_chmod, 0, NAMES_PATH },    { SYS_chown, 0, NAMES_PATH },   { SYS_getdents, 0, NAMES_FD },
	{ SYS_utime, 0, NAMES_PATH },    { SYS_sendfile, 1, NAMES_FD },
#endif
	{ SYS_openat, 0, NAMES_BOTH },   { SYS_openat2, 0, NAMES_BOTH }, { SYS_newfstatat, 0, NAMES_BOTH },
	{ SYS_statx, 0, NAMES_BOTH },    { SYS_faccessat, 0, NAMES_BOTH },
	{ SYS_readlinkat, 0, NAMES_BOTH }, { SYS_unlinkat, 0, NAMES_BOTH }, { SYS_renameat, 0, NAMES_BOTH },
	{ SYS_renameat2, 0, NAMES_BOTH }, { SYS_mkdirat, 0, NAMES_BOTH }, { SYS_linkat, 0, NAMES_BOTH },
	{ SYS_fchmodat, 0, NAMES_BOTH }, { SYS_fchownat, 0, NAMES_BOTH }, { SYS_utimensat, 0, NAMES_BOTH },
	{ SYS_truncate, 0, NAMES_PATH }, { SYS_statfs, 0, NAMES_PATH },  { SYS_execve, 0, NAMES_PATH },
	{ SYS_chdir, 0, NAMES_PATH },    { SYS_getxattr, 0, NAMES_PATH },
	{ SYS_read, 0, NAMES_FD },       { SYS_write, 0, NAMES_FD },     { SYS_readv, 0, NAMES_FD },
	{ SYS_writev, 0, NAMES_FD },     { SYS_pread64, 0, NAMES_FD },   { SYS_pwrite64, 0, NAMES_FD },
	{ SYS_preadv, 0, NAMES_FD },     { SYS_pwritev, 0, NAMES_FD },   { SYS_fsync, 0, NAMES_FD },
	{ SYS_fdatasync, 0, NAMES_FD },  { SYS_sync_file_range, 0, NAMES_FD }, { SYS_fallocate, 0, NAMES_FD },
	{ SYS_ftruncate, 0, NAMES_FD },  { SYS_flock, 0, NAMES_FD },     { SYS_fcntl, 0, NAMES_FD },
	{ SYS_fstat, 0, NAMES_FD },      { SYS_fstatfs, 0, NAMES_FD },   { SYS_ioctl, 0, NAMES_FD },
	{ SYS_getdents64, 0, NAMES_FD }, { SYS_close, 0, NAMES_FD },     { SYS_lseek, 0, NAMES_FD },
	{ SYS_connect, 0, NAMES_FD },    { SYS_accept, 0, NAMES_FD },    { SYS_accept4, 0, NAMES_FD },
	{ SYS_sendto, 0, NAMES_FD },     { SYS_sendmsg, 0, NAMES_FD },   { SYS_sendmmsg, 0, NAMES_FD },
	{ SYS_recvfrom, 0, NAMES_FD },   { SYS_recvmsg, 0, NAMES_FD },   { SYS_recvmmsg, 0, NAMES_FD },
	{ SYS_shutdown, 0, NAMES_FD },   { SYS_splice, 0, NAMES_FD },    { SYS_copy_file_range, 0, NAMES_FD },
	{ SYS_epoll_ctl, 2, NAMES_FD },
};

uint32_t proc_poller(const struct proc_syscall *call, int *poller_fd, uint32_t *fds)
{
	for (size_t i = 0; i < sizeof(poller_calls) / sizeof(*poller_calls); i++) {
		const struct poller_call *poller = &poller_calls[i];
		if (poller->number != call->number)
			continue;
		*poller_fd = poller->fd_arg >= 0 ? (int)call->args[poller->fd_arg] : -1;
		*fds = poller->fds_arg >= 0 ? (uint32_t)call->args[poller->fds_arg] : 0;
		return poller->backend;
	}
	return PS_BACKEND_UNKNOWN;
}

/*
 * Reads a string of the target, page by page, so that one that ends just before
 * an unmapped page is still read. Length; -errno when nothing can be read.
 */
static ssize_t read_string(pid_t pid, uint64_t address, char *out, size_t room)
{
	size_t length = 0;
	while (length < room - 1) {
		size_t wanted = PAGE_BYTES - (size_t)((address + length) % PAGE_BYTES);
		if (wanted > room - 1 - length)
			wanted = room - 1 - length;
		struct iovec local = { out + length, wanted };
		struct iovec remote = { (void *)(uintptr_t)(address + length), wanted };
		ssize_t got = process_vm_readv(pid, &local, 1, &remote, 1, 0);
		if (got <= 0)
			break;
		const char *end = memchr(out + length, 0, (size_t)got);
		length = end ? (size_t)(end - out) : length + (size_t)got;
		if (end)
			break;
	}
	out[length] = 0;
	return length ? (ssize_t)length : -EFAULT;
}

static uint32_t name_fd(pid_t pid, int fd, struct stream *stream)
{
	char name[PATH_BYTES];
	if (fd < 0 || proc_fd_name(pid, fd, name, sizeof(name)) < 0)
		return 0;
	return stream_string(stream, name, strlen(name));
}

static uint32_t name_path(pid_t pid, uint64_t address, struct stream *stream)
{
	char path[PATH_BYTES];
	ssize_t length = address ? read_string(pid, address, path, sizeof(path)) : -EFAULT;
	return length > 0 ? stream_string(stream, path, (size_t)length) : 0;
}

int proc_syscall_path_argument(int number)
{
	for (size_t i = 0; i < sizeof(named_calls) / sizeof(*named_calls); i++) {
		const struct named_call *call = &named_calls[i];
		if (call->number == number && call->names != NAMES_FD)
			return call->names == NAMES_PATH ? call->arg : call->arg + 1;
	}
	return -1;
}

uint32_t proc_syscall_path(pid_t pid, int number, const uint64_t args[3], struct stream *stream)
{
	for (size_t i = 0; i < sizeof(named_calls) / sizeof(*named_calls); i++) {
		const struct named_call *call = &named_calls[i];
		if (call->number != number)
			continue;
		if (call->names == NAMES_FD)
			return name_fd(pid, (int)args[call->arg], stream);
		if (call->names == NAMES_PATH)
			return name_path(pid, args[call->arg], stream);
		uint32_t path = name_path(pid, args[call->arg + 1], stream);
		/* fstatat(fd, "") and the like work on the descriptor itself */
		return path ? path : name_fd(pid, (int)args[call->arg], stream);
	}
	return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the fields of libuv's structs are: from its headers, at build time.
 * This is the only file that includes them. What they hide (the bits of a
 * handle's flags, internal_fields) is in libuv_read.c.
 */
#include "libuv.h"

#include <uv.h>

#include "ps_event.h"

#define AT(type, field) ((uint32_t)offsetof(type, field))

const struct libuv_layout libuv_layout = {
	.loop_bytes = sizeof(uv_loop_t),
	.loop_active_handles = AT(uv_loop_t, active_handles),
	.loop_handle_queue = AT(uv_loop_t, handle_queue),
	.loop_active_reqs = AT(uv_loop_t, active_reqs),
	.loop_internal = AT(uv_loop_t, internal_fields),
	.loop_backend_fd = AT(uv_loop_t, backend_fd),
	.loop_pending = AT(uv_loop_t, pending_queue),
	.loop_watchers = AT(uv_loop_t, watchers),
	.loop_nwatchers = AT(uv_loop_t, nwatchers),
	.loop_nfds = AT(uv_loop_t, nfds),
	.loop_wq = AT(uv_loop_t, wq),
	.loop_closing = AT(uv_loop_t, closing_handles),
	.loop_timers = AT(uv_loop_t, timer_heap.min),
	.loop_timer_count = AT(uv_loop_t, timer_heap.nelts),
	.loop_time = AT(uv_loop_t, time),
	.loop_wq_async = AT(uv_loop_t, wq_async),
	.handle_bytes = sizeof(uv_handle_t),
	.handle_loop = AT(uv_handle_t, loop),
	.handle_type = AT(uv_handle_t, type),
	.handle_queue = AT(uv_handle_t, handle_queue),
	.handle_flags = AT(uv_handle_t, flags),
	.handle_next_closing = AT(uv_handle_t, next_closing),
	.handle_own = AT(uv_async_t, async_cb),
	.timer_bytes = sizeof(uv_timer_t),
	.timer_cb = AT(uv_timer_t, timer_cb),
	/* called heap_node or node, by version; it has always followed the callback */
	.timer_node = AT(uv_timer_t, timer_cb) + sizeof(uv_timer_cb),
	.timer_timeout = AT(uv_timer_t, timeout),
	.timer_repeat = AT(uv_timer_t, repeat),
	.stream_io = AT(uv_stream_t, io_watcher),
	.udp_io = AT(uv_udp_t, io_watcher),
	.poll_io = AT(uv_poll_t, io_watcher),
	.stream_connection_cb = AT(uv_stream_t, connection_cb),
	.stream_read_cb = AT(uv_stream_t, read_cb),
	.io_bytes = sizeof(uv__io_t),
	.io_fd = AT(uv__io_t, fd),
	.io_cb = AT(uv__io_t, cb),
	.io_events = AT(uv__io_t, events),
	.work_work = AT(struct uv__work, work),
	.work_loop = AT(struct uv__work, loop),
	.work_queue = AT(struct uv__work, wq),
	.fs_work = AT(uv_fs_t, work_req),
	.fs_type = AT(uv_fs_t, fs_type),
	.fs_path = AT(uv_fs_t, path),
	.fs_file = AT(uv_fs_t, file),
	.job_work = AT(uv_work_t, work_req),
	.job_cb = AT(uv_work_t, work_cb),
	.job_bytes = sizeof(uv_work_t),
	.getaddrinfo_work = AT(uv_getaddrinfo_t, work_req),
	.getaddrinfo_host = AT(uv_getaddrinfo_t, hostname),
	.getaddrinfo_cb = AT(uv_getaddrinfo_t, cb),
	.getnameinfo_cb = AT(uv_getnameinfo_t, getnameinfo_cb),
	.fs_cb = AT(uv_fs_t, cb),
	.getnameinfo_work = AT(uv_getnameinfo_t, work_req),
};

_Static_assert(UV_HANDLE_TYPE_MAX == LIBUV_TYPES, "libuv has other types of handles");
_Static_assert(sizeof(((uv_loop_t *)0)->handle_queue) == 16, "a queue is two pointers");

static const struct {
	const char *name;
	uint32_t kind;
} types[LIBUV_TYPES] = {
	[UV_UNKNOWN_HANDLE] = { "unknown", PS_KIND_UNKNOWN },
	[UV_ASYNC] = { "async", PS_KIND_WAKE },
	[UV_CHECK] = { "check", PS_KIND_CHECK },
	[UV_FS_EVENT] = { "fs_event", PS_KIND_INOTIFY },
	[UV_FS_POLL] = { "fs_poll", PS_KIND_FILE },
	[UV_HANDLE] = { "handle", PS_KIND_UNKNOWN },
	[UV_IDLE] = { "idle", PS_KIND_IDLE },
	[UV_NAMED_PIPE] = { "named_pipe", PS_KIND_PIPE },
	[UV_POLL] = { "poll", PS_KIND_IO },
	[UV_PREPARE] = { "prepare", PS_KIND_PREPARE },
	[UV_PROCESS] = { "process", PS_KIND_PROCESS },
	[UV_STREAM] = { "stream", PS_KIND_STREAM },
	[UV_TCP] = { "tcp", PS_KIND_TCP },
	[UV_TIMER] = { "timer", PS_KIND_TIMER },
	[UV_TTY] = { "tty", PS_KIND_TTY },
	[UV_UDP] = { "udp", PS_KIND_UDP },
	[UV_SIGNAL] = { "signal", PS_KIND_SIGNAL },
	[UV_FILE] = { "file", PS_KIND_FILE },
};

uint32_t libuv_type_kind(uint32_t type)
{
	return type < LIBUV_TYPES ? types[type].kind : PS_KIND_UNKNOWN;
}

const char *libuv_type_name(uint32_t type)
{
	return type < LIBUV_TYPES ? types[type].name : "?";
}

static const char *const fs_names[] = {
	[UV_FS_CUSTOM] = "custom",	 [UV_FS_OPEN] = "open",		  [UV_FS_CLOSE] = "close",
	[UV_FS_READ] = "read",		 [UV_FS_WRITE] = "write",	  [UV_FS_SENDFILE] = "sendfile",
	[UV_FS_STAT] = "stat",		 [UV_FS_LSTAT] = "lstat",	  [UV_FS_FSTAT] = "fstat",
	[UV_FS_FTRUNCATE] = "ftruncate", [UV_FS_UTIME] = "utime",	  [UV_FS_FUTIME] = "futime",
	[UV_FS_ACCESS] = "access",	 [UV_FS_CHMOD] = "chmod",	  [UV_FS_FCHMOD] = "fchmod",
	[UV_FS_FSYNC] = "fsync",	 [UV_FS_FDATASYNC] = "fdatasync", [UV_FS_UNLINK] = "unlink",
	[UV_FS_RMDIR] = "rmdir",	 [UV_FS_MKDIR] = "mkdir",	  [UV_FS_MKDTEMP] = "mkdtemp",
	[UV_FS_RENAME] = "rename",	 [UV_FS_SCANDIR] = "scandir",	  [UV_FS_LINK] = "link",
	[UV_FS_SYMLINK] = "symlink",	 [UV_FS_READLINK] = "readlink",	  [UV_FS_CHOWN] = "chown",
	[UV_FS_FCHOWN] = "fchown",	 [UV_FS_REALPATH] = "realpath",	  [UV_FS_COPYFILE] = "copyfile",
	[UV_FS_LCHOWN] = "lchown",	 [UV_FS_OPENDIR] = "opendir",	  [UV_FS_READDIR] = "readdir",
	[UV_FS_CLOSEDIR] = "closedir",	 [UV_FS_STATFS] = "statfs",	  [UV_FS_MKSTEMP] = "mkstemp",
	[UV_FS_LUTIME] = "lutime",
};

const char *libuv_fs_name(uint32_t fs_type)
{
	return fs_type < sizeof(fs_names) / sizeof(*fs_names) && fs_names[fs_type] ? fs_names[fs_type] : "?";
}

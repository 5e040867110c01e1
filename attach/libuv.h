/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The state of a libuv loop, read from the memory of a process that runs on.
 *
 * The structs of libuv are public and have kept their layout through version
 * 1, so offsets come from its headers at build time (libuv_layout.c); what is
 * not public is only read of versions that were looked at. Nothing that is read
 * is believed: every walk is bounded in steps and in time, a cycle, a count that
 * does not fit or an address that cannot be read ends it, and what is missing is
 * said in `note`.
 */
#ifndef LIBUV_H
#define LIBUV_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "credit.h"

/* ---- layout (libuv_layout.c): byte offsets ---- */

struct libuv_layout {
	uint32_t loop_bytes, loop_active_handles, loop_handle_queue, loop_active_reqs, loop_internal, loop_backend_fd,
		loop_pending, loop_watchers, loop_nwatchers, loop_nfds, loop_wq, loop_closing, loop_timers,
		loop_timer_count, loop_time, loop_wq_async;
	uint32_t handle_bytes, handle_loop, handle_type, handle_queue, handle_flags, handle_next_closing, handle_own;
	uint32_t timer_bytes, timer_cb, timer_node, timer_timeout, timer_repeat;
	uint32_t stream_io, udp_io, poll_io, stream_connection_cb, stream_read_cb;
	uint32_t io_bytes, io_fd, io_cb, io_events;
	uint32_t work_work, work_loop, work_queue; /* struct uv__work */
	uint32_t fs_work, fs_type, fs_path, fs_file; /* uv_fs_t; work: its struct uv__work */
	uint32_t job_work, job_cb, job_bytes; /* uv_work_t */
	uint32_t getaddrinfo_work, getaddrinfo_host, getaddrinfo_cb, getnameinfo_work, getnameinfo_cb, fs_cb;
};
extern const struct libuv_layout libuv_layout;

#define LIBUV_TYPES 18
uint32_t libuv_type_kind(uint32_t type); /* enum ps_kind */
const char *libuv_type_name(uint32_t type); /* as libuv calls it: "async", "named_pipe"; never NULL */
const char *libuv_fs_name(uint32_t fs_type); /* "stat"; never NULL */

/* ---- memory ---- */

struct libuv_memory {
	int (*read)(void *arg, uint64_t address, void *out, size_t bytes); /* 0 or -errno */
	/* Equal pieces of many addresses; ok[i]: it could be read. NULL: read() is asked for each. */
	void (*gather)(void *arg, const uint64_t *addresses, size_t count, size_t bytes, void *out, uint8_t *ok);
	void *arg;
	struct deadline deadline; /* reads fail behind it */
};
/* Of a process, by process_vm_readv; `pid` must stay where it is. */
void libuv_memory_of(struct libuv_memory *memory, const pid_t *pid);
int libuv_get(struct libuv_memory *memory, uint64_t address, void *out, size_t bytes);
void libuv_get_many(struct libuv_memory *memory, const uint64_t *addresses, size_t count, size_t bytes, void *out,
		    uint8_t *ok);

/* ---- one loop (libuv_read.c) ---- */

enum libuv_flags { LIBUV_CLOSING = 1, LIBUV_ACTIVE = 4, LIBUV_REF = 8, LIBUV_INTERNAL = 16 };

struct libuv_timer {
	uint64_t address; /* of its uv_timer_t; 0 = could not be read */
	uint64_t due_ms; /* CLOCK_MONOTONIC */
	uint64_t repeat_ms;
	uint64_t fn;
};

struct libuv_handle {
	uint64_t address;
	uint64_t fn; /* its callback; 0 = none or not known */
	uint32_t type, flags;
	int32_t fd; /* -1 = none */
};

struct libuv_watcher {
	int32_t fd;
	uint32_t events; /* EPOLL bits */
	uint64_t fn;
};

struct libuv_limits {
	size_t timers, handles, watchers; /* most that are looked at; 0 = none */
};

struct libuv_loop {
	uint64_t address;
	int32_t backend_fd;
	uint64_t time_ms;
	uint64_t iterations, events; /* PS_UNKNOWN: older than 1.45, or not known */
	uint64_t counts; /* address of these two; 0 = not known */
	/* PS_UNKNOWN32 = not known */
	uint32_t active_handles, active_reqs, pending, closing, done_jobs, nfds, timer_total, handle_total, timer_depth;
	struct libuv_timer *timers; /* breadth first: [i] is node i of the heap */
	size_t timer_count;
	struct libuv_handle *handles;
	size_t handle_count;
	struct libuv_watcher *watchers;
	size_t watcher_count;
	char note[160]; /* "" or what could not be read, and why */
};

/* 1 when there is a loop whose poller this is. */
int libuv_is_loop(struct libuv_memory *memory, uint64_t address, int32_t backend_fd);
/* `version` as uv_version() has it, 0 = not known. -EFAULT: nothing there, -EINVAL: no loop, -ENOMEM. */
int libuv_read(struct libuv_loop *loop, struct libuv_memory *memory, uint64_t address, uint32_t version,
	       const struct libuv_limits *limits);
void libuv_free(struct libuv_loop *loop);

/* ---- where it is (libuv_find.c) ---- */

/* Functions and variables of libuv that are looked for; X(name). */
#define LIBUV_SYMBOLS(X)                                                                                               \
	X(uv_version)                                                                                                  \
	X(uv_run)                                                                                                      \
	X(default_loop_struct) /* the pool's own */                                                                    \
	X(wq)                                                                                                          \
	X(slow_io_pending_wq) X(run_slow_work_message) X(nthreads) X(idle_threads) X(slow_io_work_running) /* jobs */  \
		X(uv__work_submit) X(uv_queue_work) X(uv__fs_work) X(uv__getaddrinfo_work) X(uv__getnameinfo_work)     \
			X(uv__random_work) X(uv__queue_work) X(uv_async_send) X(uv__fs_done) X(uv__getaddrinfo_done)   \
				X(uv__getnameinfo_done) X(uv__random_done) X(uv__queue_done) X(uv_fs_stat)             \
					X(uv_getaddrinfo) X(uv_getnameinfo) X(uv_random) /* phases */                  \
		X(uv__run_timers) X(uv__run_idle) X(uv__run_prepare) X(uv__io_poll) X(uv__run_check)
enum libuv_symbol {
#define LIBUV_X(name) LIBUV_##name,
	LIBUV_SYMBOLS(LIBUV_X)
#undef LIBUV_X
		LIBUV_SYMBOL_COUNT
};
const char *libuv_symbol_name(unsigned symbol);

struct libuv_image {
	char path[512]; /* of the file, to be opened by the kernel for this process */
	char module[64]; /* its name: "node", "libuv.so.1.0.0" */
	uint32_t version; /* major << 16 | minor << 8 | patch; 0 = not known */
	uint64_t text_start, text_end, text_offset; /* its code, in the process and in the file */
	int stripped; /* only exported functions have names */
	uint64_t address[LIBUV_SYMBOL_COUNT]; /* in the process; 0 = not there */
	uint64_t offset[LIBUV_SYMBOL_COUNT]; /* in the file; 0 = not there, or no code */
};

/* Adds what the code of exported functions tells (libuv_decode.c); x86-64 only. */
void libuv_decode(struct libuv_image *image, struct libuv_memory *memory);
/* The place in the function at `offset` of a file whose probe costs least, while its arguments are still in place. */
uint64_t libuv_probe_offset(const char *path, uint64_t offset);
/* -ENOENT: no libuv that has names in it. */
int libuv_image_find(struct libuv_image *image, pid_t pid);
/* "1.46.0"; "" = not known */
void libuv_version_text(uint32_t version, char out[16]);
/*
 * The loop whose poller this is: the default loop where its symbol is there, else what the stack of a thread that waits in
 * it refers to. `image` may be NULL. 0 = not found (now): *why is a sentence.
 */
uint64_t libuv_loop_find(struct libuv_memory *memory, const struct libuv_image *image, pid_t pid, pid_t tid,
			 int32_t backend_fd, const char **why);

/*
 * 1: that thread is in uv_run() of the loop whose poller this is, though it does not wait; also of one that runs. 0: it is
 * not, or nothing tells.
 */
int libuv_thread_runs(struct libuv_memory *memory, const struct libuv_image *image, pid_t pid, pid_t tid, int32_t backend_fd);

/* ---- stacks of threads that run (libuv_stack.c) ---- */

/* Where the outermost frames of a thread's stack end, the main thread's not; 0 = not known. */
uint64_t libuv_stack_end(struct libuv_memory *memory, pid_t pid, pid_t tid);
/* 1: a return into uv_run() is among these words of a stack. */
int libuv_came_from_run(const struct libuv_image *image, const uint64_t *words, size_t count);

/* ---- the pool by memory (libuv_pool.c) ---- */

struct libuv_pool {
	/* PS_UNKNOWN32 = not known */
	uint32_t threads, idle, slow_running, queued, slow_queued;
	uint32_t queued_by_kind[5]; /* enum ps_work_kind */
	char note[96];
};
/* -ENOENT: its variables have no names here; note says so. */
int libuv_pool_read(struct libuv_pool *pool, struct libuv_memory *memory, const struct libuv_image *image);

#endif

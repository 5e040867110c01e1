/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pollscope's instrumented event loop: public API.
 *
 * One thread runs one loop; everything the loop does is told to the flight
 * recorder (ps_ring.h). One iteration runs these phases in this order:
 *
 *   timers -> pending -> idle -> prepare -> poll -> check -> closing
 *
 * After every callback the next-tick queue is drained; immediates run in check.
 *
 * Conventions for every function here unless its comment says otherwise:
 *  - returns 0 or -errno: -EINVAL for a null or closed handle, null callback or
 *    value out of range, -ENOMEM, -EBUSY. Never prints, never exits.
 *  - never calls a user callback before it returns.
 *  - belongs to the thread that runs the loop. Exceptions: ps_wake_send and
 *    ps_loop_stop may be called from any thread, ps_wake_send from a signal handler too.
 *  - times are nanoseconds; `after_ns` is relative to ps_loop_now().
 *
 * Handles are opaque and owned by their loop. close() makes a handle silent at
 * once; its memory goes back in the closing phase, after the close callback.
 */
#ifndef PS_LOOP_H
#define PS_LOOP_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ps_loop;
struct ps_timer;
struct ps_check;    /* an idle, prepare or check hook */
struct ps_io;       /* a descriptor watched; never owns it */
struct ps_wake;
struct ps_signal;
struct ps_stream;   /* TCP, Unix socket or pipe; owns its descriptor */
struct ps_listener;
struct ps_work;     /* a job of the pool */
struct ps_http_server;
struct ps_http_request;

typedef void ps_fn(void *arg);
typedef void ps_io_fn(struct ps_io *io, uint32_t events, void *arg);
struct ps_emitter;  /* named events and their listeners; belongs to no loop */

typedef void ps_signal_fn(struct ps_signal *signal, int number, void *arg);
/* result: bytes or 0, or -errno (-ECANCELED after ps_work_cancel) */
typedef void ps_done_fn(struct ps_work *work, int64_t result, void *arg);

/* ---- loop ---- */

/* DEFAULT: until nothing is left or stopped. ONCE: one iteration, which waits only if nothing was due before the poll;
 * timers that the wait was for have fired when it returns. NOWAIT: one iteration without waiting. */
enum ps_run_mode { PS_RUN_DEFAULT, PS_RUN_ONCE, PS_RUN_NOWAIT };

struct ps_loop_options {
	size_t size;              /* sizeof(struct ps_loop_options) */
	const char *name;         /* shown by observers; copied; may be NULL */
	const char *backend;      /* "epoll" (default), "kqueue", "fake" */
	uint32_t ring_slots;      /* power of two; 0 = default */
	int no_recorder;          /* 1: record nothing (for measuring the recorder) */
};

int ps_loop_open(struct ps_loop **loop, const struct ps_loop_options *options); /* options may be NULL */
int ps_loop_close(struct ps_loop *loop);  /* -EBUSY while handles are open or work is in flight; NULL is fine */
int ps_loop_run(struct ps_loop *loop, enum ps_run_mode mode); /* 1: still alive, 0: nothing left, -errno */
int ps_loop_once(struct ps_loop *loop);   /* ps_loop_run(loop, PS_RUN_ONCE) */
int ps_loop_stop(struct ps_loop *loop);   /* run() returns after this iteration */
int ps_loop_alive(const struct ps_loop *loop);
int ps_loop_fd(const struct ps_loop *loop);        /* the poller's descriptor, or -1 */
int64_t ps_loop_timeout(const struct ps_loop *loop); /* ns until the poller must return, -1 = forever */
uint64_t ps_loop_now(const struct ps_loop *loop);  /* cached at the start of timers and after poll */
void ps_loop_update_time(struct ps_loop *loop);
int ps_loop_fork(struct ps_loop *loop);   /* call first in a forked child: new poller, new recorder generation */

struct ps_loop_info {
	size_t size;              /* sizeof, set by the caller */
	uint64_t iterations, polls, empty_polls, ready;
	uint64_t busy_ns, wait_ns;
	uint64_t records;         /* written to the flight recorder */
	uint64_t next_due_ns;     /* UINT64_MAX = no timer */
	uint64_t buffered_bytes;
	uint32_t timers, handles, fds, ticks, immediates;
	uint32_t pool_threads, pool_busy, pool_queued;
};
int ps_loop_info(const struct ps_loop *loop, struct ps_loop_info *info);

/* Every open or closing handle, jobs in flight included; handles may be closed from `fn`, not opened. */
struct ps_handle_info {
	uint32_t number;          /* as in the flight recorder */
	uint32_t kind;            /* enum ps_kind of ps_event.h */
	int fd;                   /* -1 = none */
	int is_active, is_closing;
	void *handle;             /* struct ps_timer *, struct ps_stream *, … by kind */
};
typedef void ps_walk_fn(const struct ps_handle_info *info, void *arg);
int ps_loop_walk(struct ps_loop *loop, ps_walk_fn *fn, void *arg);

/* ---- next tick and immediate (the names are historical and look swapped) ----
 * A next tick runs as soon as the current callback returns, before anything
 * else; an immediate runs later, in the check phase of this iteration. */
int ps_next_tick(struct ps_loop *loop, ps_fn *fn, void *arg);
int ps_immediate(struct ps_loop *loop, ps_fn *fn, void *arg);

/* ---- timers ---- */
int ps_timer_open(struct ps_loop *loop, struct ps_timer **timer, ps_fn *fn, void *arg);
int ps_timer_start(struct ps_timer *timer, uint64_t after_ns, uint64_t repeat_ns); /* restarts if armed; repeat 0 = once */
int ps_timer_stop(struct ps_timer *timer);
int ps_timer_again(struct ps_timer *timer);
uint64_t ps_timer_due(const struct ps_timer *timer); /* 0 = not armed */
int ps_timer_unref(struct ps_timer *timer);  /* does not keep the loop alive */
int ps_timer_ref(struct ps_timer *timer);
int ps_timer_close(struct ps_timer *timer);

/* ---- idle, prepare, check ---- */
int ps_idle_open(struct ps_loop *loop, struct ps_check **hook, ps_fn *fn, void *arg);
int ps_prepare_open(struct ps_loop *loop, struct ps_check **hook, ps_fn *fn, void *arg);
int ps_check_open(struct ps_loop *loop, struct ps_check **hook, ps_fn *fn, void *arg);
int ps_check_unref(struct ps_check *hook);
int ps_check_close(struct ps_check *hook);

/* ---- descriptors ---- */
#define PS_READABLE 1u
#define PS_WRITABLE 2u
#define PS_ERROR    4u
#define PS_HANGUP   8u
#define PS_EDGE     16u /* with start: told once per edge, not as long as it is ready; all watchers of a descriptor must agree */
int ps_io_open(struct ps_loop *loop, struct ps_io **io, int fd, ps_io_fn *fn, void *arg); /* -EPERM: a regular file */
int ps_io_start(struct ps_io *io, uint32_t events); /* replaces the interest; 0 = stop */
int ps_io_fd(const struct ps_io *io);
int ps_io_unref(struct ps_io *io);
int ps_io_close(struct ps_io *io);  /* the descriptor stays open */

/* ---- wake-ups and signals ---- */
int ps_wake_open(struct ps_loop *loop, struct ps_wake **wake, ps_fn *fn, void *arg);
int ps_wake_send(struct ps_wake *wake);  /* any thread, any signal handler; sends coalesce, at least one arrives */
int ps_wake_unref(struct ps_wake *wake);
int ps_wake_close(struct ps_wake *wake); /* no thread may send any more when this is called */
int ps_signal_open(struct ps_loop *loop, struct ps_signal **signal, int number, ps_signal_fn *fn, void *arg);
int ps_signal_unref(struct ps_signal *signal);
int ps_signal_close(struct ps_signal *signal);

/* ---- pool ---- */
#define PS_POOL_MAX 1024
int ps_pool_resize(unsigned threads);   /* 1..PS_POOL_MAX; default 4 or PS_THREADPOOL_SIZE */
int ps_pool_grow(unsigned most); /* opt-in: while jobs wait longer than 20 ms, threads are added up to `most`; 0 = never */
unsigned ps_pool_threads(void);
/* fn runs in a pool thread, done in the loop's. `work` may be NULL. The handle dies after done. */
int ps_work_submit(struct ps_loop *loop, struct ps_work **work, int64_t (*fn)(void *arg), ps_done_fn *done, void *arg);
int ps_work_cancel(struct ps_work *work); /* -EBUSY: runs already */
/* offloaded operations; strings are copied, buffers are the caller's until done */
int ps_fs_open(struct ps_loop *loop, const char *path, int flags, mode_t mode, ps_done_fn *done, void *arg); /* result: fd */
int ps_fs_read(struct ps_loop *loop, int fd, void *buffer, size_t bytes, int64_t offset, ps_done_fn *done, void *arg);
int ps_fs_write(struct ps_loop *loop, int fd, const void *buffer, size_t bytes, int64_t offset, ps_done_fn *done, void *arg);
int ps_fs_stat(struct ps_loop *loop, const char *path, struct stat *out, ps_done_fn *done, void *arg);
int ps_fs_close(struct ps_loop *loop, int fd, ps_done_fn *done, void *arg);
int ps_fs_sync(struct ps_loop *loop, int fd, ps_done_fn *done, void *arg);
int ps_fs_rename(struct ps_loop *loop, const char *from, const char *to, ps_done_fn *done, void *arg);
int ps_fs_unlink(struct ps_loop *loop, const char *path, ps_done_fn *done, void *arg);
/* result: how many names; *names is one malloc'ed block of names, each ended by a zero, without "." and ".."; caller frees it */
int ps_fs_readdir(struct ps_loop *loop, const char *path, char **names, ps_done_fn *done, void *arg);
struct addrinfo;
int ps_dns_lookup(struct ps_loop *loop, const char *host, const char *service,
		  struct addrinfo **out, ps_done_fn *done, void *arg); /* result: 0 or EAI_* ; caller frees *out */
int ps_pbkdf2(struct ps_loop *loop, const void *secret, size_t secret_bytes, const void *salt, size_t salt_bytes,
	      unsigned rounds, void *out, size_t out_bytes, ps_done_fn *done, void *arg); /* HMAC-SHA512 */

int ps_scrypt(struct ps_loop *loop, const void *secret, size_t secret_bytes, const void *salt, size_t salt_bytes,
	      uint64_t n, uint32_t r, uint32_t p, void *out, size_t out_bytes, ps_done_fn *done, void *arg); /* at most 64 MiB */
int ps_random(struct ps_loop *loop, void *out, size_t bytes, ps_done_fn *done, void *arg);
int ps_sha256(struct ps_loop *loop, const void *data, size_t bytes, unsigned char out[32], ps_done_fn *done, void *arg);

/* ---- streams ---- */
struct ps_stream_events {         /* any may be NULL except read */
	void (*read)(struct ps_stream *stream, const void *data, ssize_t bytes, void *arg); /* 0 = end, <0 = -errno */
	void (*drain)(struct ps_stream *stream, void *arg); /* buffered fell below the mark after being above it */
	void (*connected)(struct ps_stream *stream, int status, void *arg);
	void (*closed)(struct ps_stream *stream, void *arg);
};
typedef void ps_accept_fn(struct ps_listener *listener, struct ps_stream *stream, void *arg);
int ps_tcp_listen(struct ps_loop *loop, struct ps_listener **listener, const char *host, uint16_t port,
		  int backlog, ps_accept_fn *fn, void *arg);       /* port 0 = any */
int ps_unix_listen(struct ps_loop *loop, struct ps_listener **listener, const char *path,
		   int backlog, ps_accept_fn *fn, void *arg);
uint16_t ps_listener_port(const struct ps_listener *listener);
int ps_listener_close(struct ps_listener *listener);
int ps_tcp_connect(struct ps_loop *loop, struct ps_stream **stream, const char *address, uint16_t port,
		   const struct ps_stream_events *events, void *arg);  /* numeric address; does not block */
int ps_unix_connect(struct ps_loop *loop, struct ps_stream **stream, const char *path,
		    const struct ps_stream_events *events, void *arg);
int ps_stream_open(struct ps_loop *loop, struct ps_stream **stream, int fd,
		   const struct ps_stream_events *events, void *arg);  /* takes the descriptor over, unless it fails */
int ps_stream_set(struct ps_stream *stream, const struct ps_stream_events *events, void *arg);
int ps_stream_start(struct ps_stream *stream);  /* read */
int ps_stream_pause(struct ps_stream *stream);
/* Copies what cannot be written at once. 0: below the high-water mark; 1: above, wait for drain; -errno. */
int ps_stream_write(struct ps_stream *stream, const void *data, size_t bytes);
size_t ps_stream_buffered(const struct ps_stream *stream);
int ps_stream_high_water(struct ps_stream *stream, size_t bytes);
int ps_stream_shutdown(struct ps_stream *stream); /* half-close after what is buffered; of a pipe: the writing end only */
int ps_stream_fd(const struct ps_stream *stream);
int ps_stream_close(struct ps_stream *stream);
/* Both ends of an anonymous pipe as streams. */
int ps_pipe_open(struct ps_loop *loop, struct ps_stream **reader, struct ps_stream **writer,
		 const struct ps_stream_events *events, void *arg);
/* A named pipe; O_RDONLY does not wait for a writer, O_WRONLY answers -ENXIO without a reader. */
int ps_fifo_open(struct ps_loop *loop, struct ps_stream **stream, const char *path, int flags,
		 const struct ps_stream_events *events, void *arg);
/*
 * Moves what `from` reads to `to`, pausing `from` while `to` is above its
 * high-water mark; read of `from` is not called meanwhile. `done` gets 0 when
 * the end was read and everything written, -errno of either side, or
 * -ECANCELED when one of them is closed first. Neither is closed by it. A
 * stream may be the source of one and the sink of another.
 */
typedef void ps_piped_fn(struct ps_stream *from, struct ps_stream *to, int status, void *arg);
int ps_stream_pipe(struct ps_stream *from, struct ps_stream *to, ps_piped_fn *done, void *arg);

/* ---- emitter ----
 * Listeners of a name are called in the order they were added, by emit itself.
 * One that is removed while emitting is not called any more, one that is added
 * is called from the next emit on. */
typedef void ps_listener_fn(const char *name, void *data, void *arg);
int ps_emitter_open(struct ps_emitter **emitter);
void ps_emitter_close(struct ps_emitter *emitter);  /* also from a listener; NULL is fine */
int ps_emitter_on(struct ps_emitter *emitter, const char *name, ps_listener_fn *fn, void *arg);
int ps_emitter_once(struct ps_emitter *emitter, const char *name, ps_listener_fn *fn, void *arg);
int ps_emitter_off(struct ps_emitter *emitter, const char *name, ps_listener_fn *fn, void *arg); /* the newest; -ENOENT */
int ps_emitter_emit(struct ps_emitter *emitter, const char *name, void *data); /* how many were called, or -errno */

/* ---- HTTP/1.1 server ---- */
struct ps_http_limits {           /* 0 = default */
	size_t header_bytes;      /* 16 KiB */
	size_t body_bytes;        /* 1 MiB */
	uint64_t idle_ns;         /* 60 s: between requests */
	uint64_t header_ns;       /* 10 s: from first byte to end of headers */
	uint32_t connections;     /* 10,000 */
};
typedef void ps_http_fn(struct ps_http_request *request, void *arg);
int ps_http_listen(struct ps_loop *loop, struct ps_http_server **server, const char *host, uint16_t port,
		   const struct ps_http_limits *limits, ps_http_fn *fn, void *arg);
uint16_t ps_http_port(const struct ps_http_server *server);
int ps_http_close(struct ps_http_server *server);
const char *ps_http_method(const struct ps_http_request *request);
const char *ps_http_path(const struct ps_http_request *request);
const char *ps_http_header(const struct ps_http_request *request, const char *name); /* NULL = absent */
const void *ps_http_body(const struct ps_http_request *request, size_t *bytes);
/* Answers once; may be called later, from another callback. `type` and body are copied. */
int ps_http_reply(struct ps_http_request *request, int status, const char *type, const void *body, size_t bytes);

/* ---- the other model: one blocking thread per connection ----
 * The same handler for comparison: each connection has a thread that waits in
 * read() until there is a request. It belongs to no loop; any thread may call
 * these, but close only when no other call is under way.
 *
 * `fn` runs in many threads at once (stacks of 256 KiB), must answer before it
 * returns (else the client gets 500) and may not keep the request. The limits
 * are those of ps_http_listen(), `connections` is also the most threads there
 * will be. In a forked child there are no threads: leave the server alone there.
 */
struct ps_http_threads;
struct ps_http_threads_info {
	size_t size;              /* sizeof, set by the caller */
	uint64_t accepted, requests;
	uint64_t shed;            /* connections closed at once: too many, or no descriptor, memory or thread */
	uint32_t connections;     /* now; as many threads */
	uint32_t most;            /* at one time */
};
int ps_http_threads_listen(struct ps_http_threads **server, const char *host, uint16_t port,
			   const struct ps_http_limits *limits, ps_http_fn *fn, void *arg);
uint16_t ps_http_threads_port(const struct ps_http_threads *server);
int ps_http_threads_info(struct ps_http_threads *server, struct ps_http_threads_info *info);
/* Ends all connections and waits for their threads; -EDEADLK from the handler. */
int ps_http_threads_close(struct ps_http_threads *server);

#ifdef __cplusplus
}
#endif
#endif

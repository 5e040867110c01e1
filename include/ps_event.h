/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The event vocabulary: what can happen to an event loop, said once.
 *
 * Every source (flight recorder of an instrumented loop, BPF programs, /proc,
 * a recording) speaks in these records and every view is computed from them.
 * This header is shared with BPF programs, so it holds types only.
 *
 * A record is a 16-byte header and a fixed-width payload without holes or
 * pointers; `size` counts the whole record and is a multiple of 8. Only STRING
 * and STACK have a tail of variable length.
 *
 * Times are CLOCK_MONOTONIC nanoseconds. Within one thread records are in time
 * order; between threads a source may deliver them slightly out of order.
 *
 * Compatibility: appending an event or appending a field to a payload is
 * compatible (a reader takes the fields it knows and skips the rest by size).
 * Anything else raises PS_EVENT_VERSION.
 *
 * Identity: a process is (pid, start time), a loop is (tid, poller_fd), a
 * descriptor is (pid, fd, generation). Events without a poller_fd belong to the
 * loop that their thread runs. Strings, frames and stacks are interned: id 0
 * means "none / not known"; ids are unique within one stream.
 */
#ifndef PS_EVENT_H
#define PS_EVENT_H

#include <stdint.h>

#define PS_EVENT_VERSION 1

/* "not measured" for a u64 that may legitimately be 0 */
#define PS_UNKNOWN UINT64_MAX
#define PS_UNKNOWN32 UINT32_MAX /* the same in a u32 */

struct ps_record {
	uint64_t ts;     /* ns, CLOCK_MONOTONIC */
	uint32_t tid;    /* thread the event is about; 0 = none */
	uint16_t event;  /* enum ps_event */
	uint16_t size;   /* whole record, bytes, multiple of 8 */
};

/*
 *        value  NAME             payload struct        text name
 * One row per event; the enum, the field table in core/ and the recording's
 * schema are all made from it.
 */
#define PS_EVENTS(X)                                                          \
	/* definitions: what ids and addresses stand for */                   \
	X(1,  STRING,          ps_ev_string,         "string")                \
	X(2,  FRAME,           ps_ev_frame,          "frame")                 \
	X(3,  STACK,           ps_ev_stack,          "stack")                 \
	X(4,  SYMBOL,          ps_ev_symbol,         "symbol")                \
	/* the observer itself */                                             \
	X(8,  CLOCK,           ps_ev_clock,          "clock")                 \
	X(9,  LOST,            ps_ev_lost,           "lost")                  \
	X(10, PROBE,           ps_ev_probe,          "probe")                 \
	X(11, OWN_COST,        ps_ev_own_cost,       "own_cost")              \
	/* who exists */                                                      \
	X(16, PROCESS,         ps_ev_process,        "process")               \
	X(17, PROCESS_EXIT,    ps_ev_process_exit,   "process_exit")          \
	X(18, THREAD,          ps_ev_thread,         "thread")                \
	X(19, THREAD_EXIT,     ps_ev_thread_exit,    "thread_exit")           \
	X(20, LOOP,            ps_ev_loop,           "loop")                  \
	X(21, PROCESS_LEFT,    ps_ev_process_left,   "process_left")          \
	/* the loop at work */                                                \
	X(32, POLL_ENTER,      ps_ev_poll_enter,     "poll_enter")            \
	X(33, POLL_RETURN,     ps_ev_poll_return,    "poll_return")           \
	X(34, ITERATION,       ps_ev_iteration,      "iteration")             \
	X(35, PHASE,           ps_ev_phase,          "phase")                 \
	X(36, CALLBACK_BEGIN,  ps_ev_callback_begin, "callback_begin")        \
	X(37, CALLBACK_END,    ps_ev_callback_end,   "callback_end")          \
	X(38, FD_READY,        ps_ev_fd_ready,       "fd_ready")              \
	X(39, FD_INTEREST,     ps_ev_fd_interest,    "fd_interest")           \
	X(40, FD_LIFE,         ps_ev_fd_life,        "fd_life")               \
	X(41, FD_IO,           ps_ev_fd_io,          "fd_io")                 \
	X(42, BACKPRESSURE,    ps_ev_backpressure,   "backpressure")          \
	X(43, TIMER_SET,       ps_ev_timer,          "timer_set")             \
	X(44, TIMER_STOPPED,   ps_ev_timer,          "timer_stopped")         \
	X(45, TIMER_FIRED,     ps_ev_timer,          "timer_fired")           \
	X(46, TICKS,           ps_ev_drain,          "ticks")                 \
	X(47, IMMEDIATES,      ps_ev_drain,          "immediates")            \
	X(48, LOOP_GAUGES,     ps_ev_loop_gauges,    "loop_gauges")           \
	X(49, LOOP_SNAPSHOT,   ps_ev_loop_snapshot,  "loop_snapshot")         \
	X(50, TIMER_NODE,      ps_ev_timer_node,     "timer_node")            \
	X(51, TIMER_GROUP,     ps_ev_timer_group,    "timer_group")           \
	X(52, HANDLE_KIND,     ps_ev_handle_kind,    "handle_kind")           \
	/* the kernel's poller and what is registered with it, seen from outside */ \
	X(56, POLLER,          ps_ev_poller,         "poller")                \
	X(57, FD_STATE,        ps_ev_fd_state,       "fd_state")              \
	X(58, FD_TURN,         ps_ev_fd_turn,        "fd_turn")               \
	X(59, FD_COUNTS,       ps_ev_fd_counts,      "fd_counts")             \
	/* the pool */                                                        \
	X(64, WORK_SUBMITTED,  ps_ev_work,           "work_submitted")        \
	X(65, WORK_STARTED,    ps_ev_work,           "work_started")          \
	X(66, WORK_FINISHED,   ps_ev_work,           "work_finished")         \
	X(67, WORK_DELIVERED,  ps_ev_work,           "work_delivered")        \
	X(68, WORK_CANCELLED,  ps_ev_work,           "work_cancelled")        \
	X(69, POOL_GAUGES,     ps_ev_pool_gauges,    "pool_gauges")           \
	X(70, POOL_LIMITS,     ps_ev_pool_limits,    "pool_limits")           \
	X(71, WORK_COST,       ps_ev_work_cost,      "work_cost")             \
	/* why a loop thread did not come back */                             \
	X(80, OFFCPU,          ps_ev_offcpu,         "offcpu")                \
	X(81, SAMPLE,          ps_ev_sample,         "sample")                \
	X(82, CPU_TIME,        ps_ev_cpu_time,       "cpu_time")              \
	X(83, GC,              ps_ev_gc,             "gc")                    \
	X(84, THROTTLED,       ps_ev_throttled,      "throttled")             \
	X(85, TIMERS_DUE,      ps_ev_timers_due,     "timers_due")            \
	/* threads that serve one connection each */                          \
	X(91, BLOCKED,         ps_ev_blocked,        "blocked")               \
	X(92, UNBLOCKED,       ps_ev_unblocked,      "unblocked")             \
	/* a connection that was closed instead of served */                  \
	X(93, SHED,            ps_ev_shed,           "shed")

enum ps_event {
#define PS_X(value, name, type, text) PS_EV_##name = value,
	PS_EVENTS(PS_X)
#undef PS_X
	PS_EVENT_MAX = 96 /* one past the greatest value there may be in version 1 */
};

/* ---- vocabularies ---- */

/* X(value, NAME, "text name used in JSON and on screen") */
#define PS_PHASES(X)                                                          \
	X(0, OTHER, "other") X(1, TIMERS, "timers") X(2, PENDING, "pending")  \
	X(3, IDLE, "idle") X(4, PREPARE, "prepare") X(5, POLL, "poll")        \
	X(6, CHECK, "check") X(7, CLOSING, "closing")
enum ps_phase {
#define PS_X(value, name, text) PS_PHASE_##name = value,
	PS_PHASES(PS_X)
#undef PS_X
	PS_PHASE_COUNT
};

#define PS_BACKENDS(X)                                                        \
	X(0, UNKNOWN, "unknown") X(1, EPOLL, "epoll") X(2, POLL, "poll")      \
	X(3, SELECT, "select") X(4, KEVENT, "kevent")                         \
	X(5, IO_URING, "io_uring") X(6, FAKE, "fake")
enum ps_backend {
#define PS_X(value, name, text) PS_BACKEND_##name = value,
	PS_BACKENDS(PS_X)
#undef PS_X
	PS_BACKEND_COUNT
};

#define PS_WORK_KINDS(X)                                                      \
	X(0, FS, "fs") X(1, DNS, "dns") X(2, CRYPTO, "crypto")                \
	X(3, USER, "user") X(4, OTHER, "other")
enum ps_work_kind {
#define PS_X(value, name, text) PS_WORK_##name = value,
	PS_WORK_KINDS(PS_X)
#undef PS_X
	PS_WORK_KIND_COUNT
};

/* what a handle or descriptor is */
#define PS_KINDS(X)                                                           \
	X(0, UNKNOWN, "unknown") X(1, TIMER, "timer") X(2, IDLE, "idle")      \
	X(3, PREPARE, "prepare") X(4, CHECK, "check") X(5, IO, "io")          \
	X(6, LISTEN, "listen") X(7, TCP, "tcp") X(8, UDP, "udp")              \
	X(9, UNIX, "unix") X(10, PIPE, "pipe") X(11, TTY, "tty")              \
	X(12, FILE, "file") X(13, EVENTFD, "eventfd")                         \
	X(14, TIMERFD, "timerfd") X(15, SIGNALFD, "signalfd")                 \
	X(16, SIGNAL, "signal") X(17, WAKE, "wake") X(18, WORK, "work")       \
	X(19, TICK, "tick") X(20, IMMEDIATE, "immediate")                     \
	X(21, STREAM, "stream") X(22, EPOLL, "epoll") X(23, SOCKET, "socket") \
	X(24, INOTIFY, "inotify") X(25, PROCESS, "process")                   \
	X(26, CLOSE, "close") X(27, DNS, "dns")
enum ps_kind {
#define PS_X(value, name, text) PS_KIND_##name = value,
	PS_KINDS(PS_X)
#undef PS_X
	PS_KIND_COUNT
};

/* CONNECTION: a thread that serves one connection with blocking calls */
enum ps_thread_role { PS_ROLE_OTHER, PS_ROLE_LOOP, PS_ROLE_WORKER, PS_ROLE_CONNECTION, PS_ROLE_COUNT };

#define PS_FRAME_KINDS(X)                                                     \
	X(0, UNKNOWN, "unknown") X(1, KERNEL, "kernel") X(2, NATIVE, "native") \
	X(3, JS, "js") X(4, BUILTIN, "builtin") X(5, JIT, "jit")              \
	X(6, PYTHON, "python")
enum ps_frame_kind {
#define PS_X(value, name, text) PS_FRAME_##name = value,
	PS_FRAME_KINDS(PS_X)
#undef PS_X
	PS_FRAME_KIND_COUNT
};

/* where loss can happen */
#define PS_LOST_SOURCES(X)                                                    \
	X(0, OTHER, "other") X(1, BPF, "bpf") X(2, RING, "ring")              \
	X(3, FILE, "file") X(4, TOOL, "tool")
enum ps_lost_source {
#define PS_X(value, name, text) PS_LOST_##name = value,
	PS_LOST_SOURCES(PS_X)
#undef PS_X
	PS_LOST_SOURCE_COUNT
};

/* probe groups; each is tried for real and may be missing alone */
#define PS_PROBE_GROUPS(X)                                                    \
	X(0, POLL, "poll") X(1, SCHED, "sched") X(2, SAMPLING, "sampling")    \
	X(3, RUNTIME, "runtime") X(4, READY, "ready") X(5, RING, "ring")      \
	X(6, SNAPSHOT, "snapshot") X(7, PROC, "proc")                         \
	X(8, POLLER, "poller") X(9, UNWIND, "unwind")
enum ps_probe_group {
#define PS_X(value, name, text) PS_PROBE_##name = value,
	PS_PROBE_GROUPS(PS_X)
#undef PS_X
	PS_PROBE_GROUP_COUNT
};

#define PS_PROBE_STATES(X)                                                    \
	X(0, OFF, "off")           /* not asked for, or nothing to attach to */ \
	X(1, ON, "on")                                                        \
	X(2, FALLBACK, "fallback") /* works by a weaker way; reason says how */ \
	X(3, MISSING, "missing")   /* wanted, could not be had; reason says why */ \
	X(4, DETACHED, "detached") /* given up while running (cost, target gone) */
enum ps_probe_state {
#define PS_X(value, name, text) PS_PROBE_STATE_##name = value,
	PS_PROBE_STATES(PS_X)
#undef PS_X
	PS_PROBE_STATE_COUNT
};

/* ---- payloads (each begins with the header) ---- */

struct ps_ev_string {   /* text: `len` bytes, then zero padding to 8; not terminated, not sanitised */
	struct ps_record h;
	uint32_t id;
	uint32_t len;
	/* char text[] */
};

struct ps_ev_frame {
	struct ps_record h;
	uint32_t id;
	uint32_t name;      /* string: function, demangled; 0 = unresolved */
	uint32_t file;      /* string: source file; 0 = unknown */
	uint32_t module;    /* string: object the address lies in; 0 = unknown */
	uint32_t line;      /* 0 = unknown */
	uint32_t column;    /* 0 = unknown */
	uint32_t kind;      /* enum ps_frame_kind */
	uint32_t offset;    /* bytes from the start of the function or, unresolved, of the module */
};

struct ps_ev_stack {    /* u32 frames[count], leaf first, zero padded to 8 */
	struct ps_record h;
	uint32_t id;
	uint32_t count;
	/* uint32_t frames[] */
};

struct ps_ev_symbol {   /* what a function address of process `pid` is called */
	struct ps_record h;
	uint32_t pid;
	uint32_t frame;
	uint64_t address;
};

/* "It is now h.ts": the model's only clock. Sent at least every 250 ms while a source lives. */
struct ps_ev_clock {
	struct ps_record h;
	uint64_t realtime_ns;
	uint64_t boottime_ns;
};

struct ps_ev_lost {
	struct ps_record h;
	uint64_t count;     /* events that were emitted and will never arrive, since the last LOST of this source */
	uint32_t source;    /* enum ps_lost_source */
	uint32_t zero;
};

struct ps_ev_probe {
	struct ps_record h;
	uint16_t group;     /* enum ps_probe_group */
	uint16_t state;     /* enum ps_probe_state */
	uint32_t reason;    /* string: how, or why not and what mends it */
	uint64_t hits;      /* cumulative; PS_UNKNOWN if not counted */
	uint64_t cost_ns;   /* cumulative cost on the target; PS_UNKNOWN if not measured */
	uint64_t budget_ns; /* of CPU time per second that it may cost before it is detached; PS_UNKNOWN = no budget */
};

struct ps_ev_own_cost {
	struct ps_record h;
	uint64_t cpu_ns;    /* this tool's CPU since it attached */
	uint64_t rss_bytes;
};

enum ps_process_flags { PS_PROCESS_STRIPPED = 1, PS_PROCESS_LAUNCHED = 2 };

struct ps_ev_process {
	struct ps_record h;
	uint32_t pid;
	uint32_t ppid;
	uint64_t start_ns;  /* since boot, from /proc/PID/stat */
	uint32_t comm;      /* strings */
	uint32_t cmdline;   /* arguments joined by spaces */
	uint32_t exe;
	uint32_t runtime;   /* "node", "libuv", "redis", "nginx", "pollscope", "generic" … */
	uint32_t version;   /* runtime version; 0 = unknown */
	uint32_t flags;
	uint32_t build_id;  /* of the executable, in hex; 0 = it has none */
	uint32_t zero;
};

struct ps_ev_process_exit {
	struct ps_record h;
	uint32_t pid;
	int32_t status;     /* wait status; -1 = unknown */
};

/*
 * What told of the process ends here, and the process goes on: nothing is known of it until it is told of again. A
 * merged recording has one where one of its recordings ends.
 */
struct ps_ev_process_left {
	struct ps_record h;
	uint32_t pid;
	uint32_t zero;
};

struct ps_ev_thread {
	struct ps_record h;
	uint32_t pid;
	uint32_t name;      /* string */
	uint16_t role;      /* enum ps_thread_role */
	uint16_t generation;/* rises in a forked child's recorder */
	uint32_t zero;
};

struct ps_ev_thread_exit {
	struct ps_record h;
	uint32_t pid;
	uint32_t zero;
};

enum ps_loop_flags {
	PS_LOOP_PHASES = 1,      /* PHASE and ITERATION records are exact */
	PS_LOOP_CALLBACKS = 2,   /* CALLBACK records are sent */
	PS_LOOP_RING = 4,        /* an instrumented loop: everything above and timers, ticks, work */
	PS_LOOP_GONE = 8,        /* the poller was closed or its thread ended */
	PS_LOOP_INSTEAD = 16,    /* the thread was found busy and its poller guessed wrong: what was told of that one is of this */
};

struct ps_ev_loop {
	struct ps_record h;
	uint32_t pid;
	int32_t poller_fd;  /* -1: the backend has none (poll, select) */
	uint16_t backend;   /* enum ps_backend */
	uint16_t generation;
	uint32_t flags;     /* enum ps_loop_flags */
};

/* The thread is about to wait: a busy slice has ended. */
struct ps_ev_poll_enter {
	struct ps_record h;
	int32_t poller_fd;
	uint32_t backend;
	int64_t timeout_ns;   /* -1 = forever; below: not known, and the slice is of several turns: ps_poll_turns() */
	uint64_t busy_since_ns; /* when the wait before this one returned; 0 = not known */
	/* the busy slice [busy_since_ns, ts], as the scheduler saw it; PS_UNKNOWN = not measured */
	uint64_t on_cpu_ns;
	uint64_t runnable_ns; /* ready, not running */
	uint64_t blocked_ns;
};

#define PS_TURNS_MOST 1000000u /* that one record tells of; more are none */

/*
 * Turns of the loop in a slice, 1 unless waits in it that did not sleep were not seen one by one: then the RETURN that
 * follows tells what all of them found ready.
 */
static inline uint64_t ps_poll_turns(int64_t timeout_ns)
{
	uint64_t turns = timeout_ns < -1 ? (uint64_t)(-1 - timeout_ns) : 1;

	return turns < PS_TURNS_MOST ? turns : PS_TURNS_MOST;
}

enum ps_poll_flags {
	PS_POLL_UNDERWAY = 1, /* not a return: at attach the thread was found busy; the slice began at or before ts */
	PS_POLL_RAN = 2,      /* a return that was not seen itself: the thread ran then and was met elsewhere since; ready is -1 unless it is known */
};

/* The wait is over: a busy slice begins. */
struct ps_ev_poll_return {
	struct ps_record h;
	int32_t poller_fd;
	int32_t ready;        /* descriptors ready, or -errno */
	uint64_t entered_ns;  /* 0 = not known */
	uint32_t backend;
	uint32_t flags;
};

struct ps_ev_iteration {
	struct ps_record h;
	uint64_t number;
};

/* Phase `phase` begins; the one before it ends. */
struct ps_ev_phase {
	struct ps_record h;
	uint32_t phase;
	uint32_t zero;
};

/* Ended by CALLBACK_END or by the next CALLBACK_BEGIN, PHASE or POLL_ENTER of the thread. */
struct ps_ev_callback_begin {
	struct ps_record h;
	uint64_t fn;        /* address of the user's function in the target; 0 = not known */
	uint32_t handle;    /* number of the handle, unique in its loop; 0 = none */
	int32_t fd;         /* -1 = none */
	uint32_t kind;      /* enum ps_kind */
	uint32_t generation;/* of fd */
};

struct ps_ev_callback_end {
	struct ps_record h;
	uint32_t handle;
	uint32_t zero;
};

struct ps_ev_fd_ready {
	struct ps_record h;
	int32_t poller_fd;
	int32_t fd;
	uint32_t events;    /* EPOLL* bits */
	uint32_t generation;
	uint64_t ready_ns;  /* when the kernel had it ready; 0 = not known */
};

enum ps_interest_op { PS_INTEREST_ADD = 1, PS_INTEREST_MODIFY, PS_INTEREST_REMOVE };

struct ps_ev_fd_interest {
	struct ps_record h;
	int32_t poller_fd;
	int32_t fd;
	uint32_t events;
	uint32_t generation;
	uint16_t op;
	uint16_t kind;      /* enum ps_kind */
	uint32_t name;      /* string: peer, path; 0 = unknown */
};

enum ps_life { PS_LIFE_OPENED = 1, PS_LIFE_CLOSED, PS_LIFE_NAMED };

struct ps_ev_fd_life {
	struct ps_record h;
	int32_t fd;
	uint32_t generation;
	uint16_t op;        /* enum ps_life */
	uint16_t kind;      /* enum ps_kind */
	uint32_t name;      /* string */
	uint32_t handle;    /* number of the handle that owns it; 0 = none */
	uint32_t zero;
};

struct ps_ev_fd_io {
	struct ps_record h;
	int32_t fd;
	uint32_t generation;
	uint32_t read_bytes;
	uint32_t written_bytes;
};

enum ps_poller_flags {
	PS_POLLER_FDINFO = 1, /* read of /proc: depth, ready list and waiters are not known */
	PS_POLLER_CUT = 2,    /* there are more items than were read: figures are lower bounds */
};

/* A picture of a poller, taken between h.ts - cost_ns and h.ts. */
struct ps_ev_poller {
	struct ps_record h;
	int32_t poller_fd;
	uint32_t pid;
	uint64_t items;        /* registered */
	uint64_t depth;        /* of the kernel's tree of them; PS_UNKNOWN = not seen */
	uint64_t ready;        /* length of the ready list; PS_UNKNOWN */
	uint64_t waiters;      /* threads that wait on it; PS_UNKNOWN */
	uint64_t unread_bytes; /* in sockets and pipes of all items; PS_UNKNOWN */
	uint64_t cost_ns;
	uint32_t flags;        /* enum ps_poller_flags */
	uint32_t zero;
};

enum ps_fd_state_flags {
	PS_FD_IS_READY = 1, /* on the ready list */
	PS_FD_SEEN = 2,     /* whether it is on the ready list was seen */
	PS_FD_COUNTED = 4,  /* FD_COUNTS of it come: how often it was returned … */
	PS_FD_USE_COUNTED = 8, /* … and what was done with it */
};

/* One item of that picture: all of them at first, then those that changed. REMOVE of FD_INTEREST tells who went. */
struct ps_ev_fd_state {
	struct ps_record h;
	int32_t poller_fd;
	int32_t fd;
	uint32_t generation;
	uint32_t events;       /* EPOLL* bits waited for */
	uint16_t kind;         /* enum ps_kind */
	uint16_t flags;        /* enum ps_fd_state_flags */
	uint32_t name;         /* string: peer, path */
	uint64_t unread_bytes; /* PS_UNKNOWN = it has no such thing, or not seen */
	uint64_t backlog;      /* of a listening socket: connections not accepted yet; PS_UNKNOWN */
	uint64_t backlog_max;
};

/* A descriptor got its turn at h.ts: ready in the kernel, returned by a wait, first used by its thread. */
struct ps_ev_fd_turn {
	struct ps_record h;
	int32_t poller_fd;
	int32_t fd;
	uint32_t generation;
	uint32_t events;       /* EPOLL* bits that the wait returned */
	uint64_t ready_ns;     /* 0 = not known */
	uint64_t returned_ns;
};

enum ps_fd_counts_flags { PS_FD_USE_UNSEEN = 1 /* only `ready` was counted */ };

/* What happened to a descriptor since the last FD_COUNTS of it. */
struct ps_ev_fd_counts {
	struct ps_record h;
	int32_t poller_fd;
	int32_t fd;
	uint32_t generation;
	uint32_t ready;         /* waits that returned it */
	uint32_t dispatched;    /* of them, how often it was used before the next wait returned it */
	uint32_t empty_wakeups; /* of them, how often there was nothing to read or accept */
	uint32_t eagain;        /* calls that had nothing to do */
	uint32_t flags;         /* enum ps_fd_counts_flags */
	uint64_t read_bytes;
	uint64_t written_bytes;
};

struct ps_ev_backpressure {
	struct ps_record h;
	int32_t fd;
	uint32_t on;        /* 1: above the high-water mark, 0: drained */
	uint64_t buffered_bytes;
	uint64_t high_water_bytes;
};

/* TIMER_SET, TIMER_STOPPED, TIMER_FIRED (lateness = h.ts - due_ns) */
struct ps_ev_timer {
	struct ps_record h;
	uint64_t due_ns;
	uint64_t repeat_ns; /* 0 = once */
	uint64_t fn;
	uint32_t handle;
	uint32_t zero;
};

/* end of a drain of next ticks or immediates */
struct ps_ev_drain {
	struct ps_record h;
	uint64_t since_ns;  /* begin of the drain */
	uint32_t count;     /* callbacks run */
	uint32_t left;      /* still queued */
};

struct ps_ev_loop_gauges {
	struct ps_record h;
	uint64_t next_due_ns;  /* nearest timer; PS_UNKNOWN = none armed */
	uint64_t buffered_bytes;
	uint32_t timers;       /* armed */
	uint32_t handles;      /* open */
	uint32_t ticks;        /* queued */
	uint32_t immediates;   /* queued */
	uint32_t fds;          /* registered with the poller */
	uint32_t overdue;      /* timers past due */
};

/*
 * What the memory of a runtime that was not prepared says of its loop; nothing
 * in the target was stopped for it. The rows that follow with the same ts and
 * poller are of this snapshot and replace those of the one before: timers of the
 * heap by index, timers by function, handles by kind.
 */
struct ps_ev_loop_snapshot {
	struct ps_record h;
	uint32_t pid;
	int32_t poller_fd;
	uint64_t address;        /* of the loop in the target */
	uint64_t time_ns;        /* what the loop takes the time to be */
	uint64_t next_due_ns;    /* PS_UNKNOWN = no timer, or not known */
	uint64_t iterations;     /* since the loop began; PS_UNKNOWN */
	uint64_t took_ns;        /* to read it */
	/* PS_UNKNOWN32 = not read */
	uint32_t active_handles;
	uint32_t active_reqs;
	uint32_t timers;         /* in the heap */
	uint32_t timer_depth;    /* levels of the heap */
	uint32_t timer_rows;     /* TIMER_NODE that follow; 0 also when none are sent this time */
	uint32_t handles;        /* in the handle queue */
	uint32_t pending;        /* callbacks left for the next iteration */
	uint32_t closing;        /* handles whose close callback has not run */
	uint32_t watchers;       /* descriptors that the loop watches */
	uint32_t overdue;        /* timers past due */
	uint32_t arity;          /* children of a node of the heap; 0 = the timers are no heap */
	uint32_t note;           /* string: what cannot be told, or must be known to read it right; 0 = nothing */
};

struct ps_ev_timer_node {
	struct ps_record h;
	uint64_t due_ns;
	uint64_t repeat_ns;      /* 0 = once */
	uint64_t fn;
	uint32_t index;          /* breadth first: the children of i are arity * i + 1 … */
	int32_t poller_fd;
};

struct ps_ev_timer_group {   /* the timers of one function */
	struct ps_record h;
	uint64_t fn;
	uint64_t repeat_ns;      /* of one of them */
	uint32_t armed;
	int32_t poller_fd;
};

struct ps_ev_handle_kind {   /* the handles of one kind */
	struct ps_record h;
	int32_t poller_fd;
	uint32_t kind;           /* enum ps_kind */
	uint32_t count;
	uint32_t active;         /* started: they can call back */
	uint32_t ref;            /* they keep the loop alive */
	uint32_t closing;
};

/*
 * A job of the pool. `since_ns` is the time of the state before: STARTED tells
 * when it was submitted, FINISHED when it started, DELIVERED when it finished;
 * 0 = not known. STARTED and FINISHED come from the worker's thread.
 */
struct ps_ev_work {
	struct ps_record h;
	uint64_t work;      /* number, unique in its process while it lives */
	uint64_t since_ns;
	uint64_t fn;        /* work function in the target; 0 = not known */
	uint32_t pid;
	uint32_t name;      /* string: path, host, class; 0 = none */
	uint16_t kind;      /* enum ps_work_kind */
	uint16_t op;        /* kind-specific operation; 0 = none */
	uint32_t zero;
};

struct ps_ev_pool_gauges {
	struct ps_record h;
	uint64_t oldest_ns; /* when the oldest queued job was submitted; 0 = queue empty, PS_UNKNOWN = not known */
	uint32_t pid;
	uint32_t threads;
	uint32_t busy;
	uint32_t queued;
	uint32_t queued_by_kind[PS_WORK_KIND_COUNT];
	uint32_t busy_by_kind[PS_WORK_KIND_COUNT];
};

enum ps_pool_flags {
	PS_POOL_SUBMITS_ONLY = 1, /* starts and ends of jobs cannot be seen: only what is submitted is counted */
};

/* What a pool allows at most; figures that are not known are PS_UNKNOWN32. */
struct ps_ev_pool_limits {
	struct ps_record h;
	uint32_t pid;
	uint32_t slow_cap;      /* threads that jobs of slow I/O (dns) may hold together */
	uint32_t slow_busy;     /* that they hold */
	uint32_t slow_queued;   /* that wait for one of them; part of POOL_GAUGES.queued */
	uint32_t cpus;          /* that the process may run on */
	uint32_t flags;         /* enum ps_pool_flags */
};

enum ps_work_flags {
	PS_WORK_SLOW = 1,       /* counts against slow_cap */
};

/* A job that has finished (h.ts, on the worker's thread), as a whole. */
struct ps_ev_work_cost {
	struct ps_record h;
	uint64_t work;
	uint64_t submitted_ns;  /* 0 = not known */
	uint64_t started_ns;    /* 0 = not known */
	uint64_t cpu_ns;        /* of the time it ran; PS_UNKNOWN */
	uint64_t runnable_ns;   /* ready, not running; PS_UNKNOWN */
	uint32_t pid;
	uint32_t class_name;    /* string: "fs.stat", "getaddrinfo", "pbkdf2" …; 0 = its kind says all */
	uint16_t kind;          /* enum ps_work_kind */
	uint16_t flags;         /* enum ps_work_flags */
	uint32_t zero;
};

enum ps_offcpu_state {
	PS_OFF_RUNNABLE = 0,  /* preempted: it was never asleep */
	PS_OFF_SLEEPING = 1,  /* interruptible */
	PS_OFF_DISK = 2,      /* uninterruptible */
	PS_OFF_STOPPED = 3,   /* stopped or traced */
	PS_OFF_FAULT = 4,     /* page fault */
	PS_OFF_LOCK = 5,      /* futex */
};

/* A loop thread, while busy, was off the CPU from off_ns until h.ts. Short intervals are not sent: POLL_ENTER has the sums. */
struct ps_ev_offcpu {
	struct ps_record h;
	uint64_t off_ns;
	uint64_t wake_ns;   /* made runnable; 0 = not known; = off_ns when preempted */
	uint64_t args[3];   /* of the syscall */
	int32_t syscall;    /* number; -1 = none */
	uint16_t state;     /* enum ps_offcpu_state */
	uint16_t cpu;       /* where it ran before */
	uint32_t stack;
	uint32_t path;      /* string: path or name of the descriptor the syscall works on; 0 = unknown */
	uint32_t other;     /* string: comm of the task that got the CPU, when preempted */
	uint32_t zero;
};

enum ps_sample_kind {
	PS_SAMPLE_CPU = 0,    /* running */
	PS_SAMPLE_OFF = 1,    /* at switch-out */
	PS_SAMPLE_NESTED = 2, /* entered a wait on another poller */
	PS_SAMPLE_PROC = 3,   /* seen in /proc: state and syscall, stack may be 0 */
};

/* A loop thread seen while it was busy past the sampling threshold. */
struct ps_ev_sample {
	struct ps_record h;
	uint64_t period_ns;  /* what the sample stands for; 0 = an instant */
	uint64_t args[3];
	int32_t syscall;     /* -1 = none */
	uint32_t stack;
	uint32_t path;       /* as in OFFCPU */
	uint16_t kind;       /* enum ps_sample_kind */
	uint16_t state;      /* PROC: the letter of /proc/PID/stat; else 0 */
};

/* cumulative, from /proc/PID/task/TID/schedstat: what remains when there is no scheduler probe */
struct ps_ev_cpu_time {
	struct ps_record h;
	uint64_t on_cpu_ns;
	uint64_t runnable_ns;
	uint64_t slices;
};

enum ps_blocked_op { PS_BLOCKED_READ = 1, PS_BLOCKED_WRITE };

/* A thread gives itself into a blocking call on its connection … */
struct ps_ev_blocked {
	struct ps_record h;
	int32_t fd;
	uint32_t op;        /* enum ps_blocked_op */
};

/* … and is back. */
struct ps_ev_unblocked {
	struct ps_record h;
	uint64_t since_ns;  /* when it went in */
	int64_t result;     /* bytes, or -errno */
	int32_t fd;
	uint32_t op;
};

struct ps_ev_shed {
	struct ps_record h;
	uint64_t total;     /* of this loop */
	int32_t fd;         /* of the listener */
	uint32_t error;     /* errno of the accept */
};

struct ps_ev_gc {
	struct ps_record h;
	uint64_t since_ns;  /* begin; h.ts is the end */
	uint32_t kind;      /* 0 unknown, 1 minor, 2 major */
	uint32_t zero;
};

/* cumulative, from the cpu.stat of the process's control group: how long a CPU quota kept it from running */
struct ps_ev_throttled {
	struct ps_record h;
	uint64_t throttled_ns; /* summed over the CPUs of the group */
	uint64_t periods;
	uint64_t throttled_periods;
	uint32_t pid;
	uint32_t zero;
};

#define PS_TIMERS_DUE 16
/* When the timers of a loop are due, as it was read while the loop was busy: as many records as it takes. */
struct ps_ev_timers_due {
	struct ps_record h;
	int32_t poller_fd;
	uint32_t index;       /* of the first one here; 0 begins the list anew */
	uint32_t count;       /* here */
	uint32_t total;       /* in the whole list */
	uint64_t due_ns[PS_TIMERS_DUE];
};

#endif

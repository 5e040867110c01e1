/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The model: what is known about the watched loops, as a pure function of the
 * event stream. Same events in, same state out: no clock, no terminal, no
 * files, no privileges. Live, replay, report, check and metrics all read it.
 *
 * model_apply() takes any bytes that claim to be a record; it believes nothing
 * and never fails on foreign data (a malformed record is counted in
 * model->malformed). Everything is bounded by model_config, so a hostile
 * stream can only make cells wrong, not memory large.
 *
 * The structs are public to be read; only model.c writes them. Pointers into
 * the model are good until the next model_apply(), model_forget() or model_close().
 *
 * Unknown times and counts are PS_UNKNOWN, never 0.
 */
#ifndef MODEL_H
#define MODEL_H

#include <stddef.h>
#include <stdint.h>

#include "hist.h"
#include "ps_event.h"

#define MODEL_SLOTS 120         /* seconds of history kept per loop */
#define MODEL_BEATS 600         /* and its last minute in tenths of a second */
#define MODEL_BANDS 16          /* of lengths of busy slices, in a second */
#define MODEL_TREND 64          /* samples of what may leak, one each 5 s */
#define MODEL_PAST_JOBS 64      /* per worker */
#define MODEL_STALL_STACKS 16   /* distinct stacks kept per stall */
#define MODEL_STACK_FRAMES 288  /* as many as a source tells: 32 of the kernel, twice 127 */

struct model_config {
	uint64_t stall_ns;      /* a busy slice at least this long is a stall; 0 = 50 ms */
	uint32_t max_stalls;    /* kept per model, the oldest go first; 0 = 4096 */
	uint32_t max_fds;       /* per process; 0 = 131072 */
};

/* An interned, cleaned string; never NULL where a view reads it: unknown is "". */
struct frame {
	const char *name;       /* "" = unresolved */
	const char *file;
	const char *module;
	uint32_t line, column, offset;
	uint32_t kind;          /* enum ps_frame_kind */
};

/* From a frame outwards: stacks share what they have in common further out. Each ends in one with a count of 0. */
struct stack {
	const struct frame *frame; /* the innermost; NULL at the end */
	const struct stack *outer; /* the rest; NULL at the end */
	uint32_t count;         /* frames, itself and the rest */
};

struct process {
	uint32_t pid, ppid;
	uint64_t start_ns;
	const char *comm, *cmdline, *exe, *runtime, *version;
	const char *build_id;   /* of the executable; "" */
	uint32_t flags;
	int exited;
	int exit_status;        /* wait status; -1 = not known */
	uint64_t exited_ns;
};

/* a second of a thread: how long jobs of each kind held it, and calls on its connection */
struct work_slot { uint64_t second; uint32_t kind_us[PS_WORK_KIND_COUNT], blocked_us; };

/* a job that a worker has done */
struct past_job { uint64_t from_ns, to_ns; uint32_t kind; const char *name; };

struct thread {
	uint32_t tid, pid;
	const char *name;
	uint32_t role;          /* enum ps_thread_role */
	int exited;
	/* a worker's job */
	uint64_t work;          /* 0 = none */
	uint64_t work_since_ns;
	uint32_t work_kind;
	const char *work_name;  /* "" */
	uint64_t work_fn;
	/* the connection of a thread that serves one with blocking calls (PS_ROLE_CONNECTION) */
	int32_t blocked_fd;     /* -1 = not told */
	uint32_t blocked_op;    /* enum ps_blocked_op, of the call it is in; 0 = in none */
	uint64_t blocked_since_ns; /* of that call; 0 = in none */
	uint64_t blocked_ns;    /* in calls that have ended */
	uint64_t blocked_calls;
	struct past_job *past;  /* a ring of MODEL_PAST_JOBS; NULL = none */
	uint32_t past_count;    /* all so far: the newest is at (past_count - 1) % MODEL_PAST_JOBS */
	struct work_slot *worked; /* as the slots of a loop, of jobs that are done; NULL = none */
};

struct stall_stack {
	uint32_t count;         /* samples */
	uint16_t kind;          /* enum ps_sample_kind */
	const struct stack *stack;
	uint64_t ns;            /* off the CPU with it; 0 = an instant, or not measured */
};

enum stall_cause {          /* text: stall_cause_name() */
	CAUSE_UNKNOWN, CAUSE_CPU, CAUSE_SYNC_IO, CAUSE_LOCK, CAUSE_RUN_QUEUE,
	CAUSE_THROTTLED, CAUSE_GC, CAUSE_PAGE_FAULT, CAUSE_STOPPED, CAUSE_COUNT
};
enum stall_rule {           /* text: stall_rule_name() */
	RULE_UNKNOWN, RULE_SYNC_CALL, RULE_REGEX, RULE_JSON, RULE_COMPUTATION, RULE_CRYPTO,
	RULE_COMPRESSION, RULE_MODULE_LOAD, RULE_GC, RULE_TICK_STARVATION, RULE_HOST, RULE_COUNT
};
const char *stall_cause_name(enum stall_cause cause);
const char *stall_rule_name(enum stall_rule rule);
struct stall;
uint64_t stall_own_part(const struct stall *stall); /* what it lasted but for the wait for a CPU */
void stall_own_text(const struct stall *stall, char *out, size_t room); /* of one with an own culprit: "own part 61ms: render a.js:9" */

/* A busy slice longer than the threshold; live while open. */
struct stall {
	uint64_t id;            /* rises; never reused: the key to follow a selection */
	const struct loop *loop;
	uint64_t start_ns;
	uint64_t duration_ns;   /* so far, while open */
	int open;               /* still going on */
	int at_attach;          /* under way when we came: start is the attach */
	int lossy;              /* events were lost during it: figures are lower bounds */
	int phase;              /* enum ps_phase, -1 = not known */
	enum stall_cause cause;
	enum stall_rule rule;
	uint64_t on_cpu_ns, runnable_ns, blocked_ns, gc_ns; /* PS_UNKNOWN = not measured */
	int estimated;          /* the four above are from sampling ("~") */
	int gc_sampled;         /* gc_ns is: the share of the samples that were taken in the collector */
	/* parts of the three: of the runnable time; of the blocked time, whose rest was spent in calls; PS_UNKNOWN */
	uint64_t throttled_ns;
	uint64_t lock_ns, fault_ns, stopped_ns;
	/* the evidence for the rule: percent of the samples that show how the time was spent; [RULE_UNKNOWN] tell of none */
	uint8_t rule_percent[RULE_COUNT];
	uint32_t rule_samples;  /* how many those are; 0 = no evidence of this kind */
	/* the longest blocking call; syscall -1 = none */
	int32_t syscall;
	uint64_t syscall_args[3];
	uint64_t syscall_ns;
	const char *syscall_path; /* "" */
	const char *other_task; /* who ran instead, when runnable; "" */
	/* the callback that ran longest inside the slice, all its calls together, when the loop tells; fn 0 = not known */
	uint64_t callback_fn;
	uint64_t callback_ns;
	uint32_t callback_calls;
	uint32_t callback_kind; /* enum ps_kind */
	int32_t callback_fd;    /* -1 = none, or many */
	const struct frame *callback; /* NULL = not resolved */
	/* who is to blame, for people: "pbkdf2Sync <- hashPw auth.js:41"; never NULL */
	char culprit[160];
	const struct frame *blamed; /* the function of that; NULL = not known */
	/* waiting for a CPU was most of it, but the rest alone would have been a stall: whose; "" = it would not */
	char own_culprit[160];
	enum stall_rule own_rule;
	char regexp[96];        /* source of the pattern that ran, cut; "" = none, or not read */
	struct stall_stack stacks[MODEL_STALL_STACKS]; /* most frequent first */
	uint32_t stack_count;
	uint32_t samples;       /* all, also of stacks that found no room */
	/* who waited; PS_UNKNOWN = not measured */
	uint64_t held_fds, held_timers, held_longest_ns;
};

/* Stalls of one function for one reason, all since the beginning; `key` names it across runs. */
struct culprit_stat {
	const char *key;        /* "js regex /srv/app/check.js:validate" */
	const char *name, *file; /* "" */
	uint32_t line;          /* of the longest; 0 = unknown */
	uint32_t pid, tid;      /* of the latest */
	enum stall_rule rule;
	enum stall_cause cause;
	uint64_t count, total_ns, max_ns;
	uint64_t first_ns, last_ns; /* begin of the first, end of the last */
	uint64_t worst_id;      /* the longest stall */
	struct hist *hist;      /* of durations; NULL = of one, or no room */
};
uint64_t culprit_quantile(const struct culprit_stat *row, double q); /* of durations; PS_UNKNOWN */

/* A function that busy samples were taken in: the user's own innermost one, else the innermost that has a name. */
struct profile_row {
	const struct frame *frame; /* NULL = all others */
	int phase;              /* enum ps_phase; -1 = not known */
	uint64_t samples, ns;   /* ns: what the samples stand for */
};

struct phase_stat {
	uint64_t count, total_ns;
	struct hist hist;
};

/* one second of a loop's life; slots[second % MODEL_SLOTS] is of that second if .second matches */
struct slot {
	uint64_t second;        /* ts / 1e9 */
	uint64_t busy_ns, wait_ns;
	uint64_t phase_ns[PS_PHASE_COUNT];
	uint64_t longest_ns;    /* longest busy slice that ended here or is open */
	uint32_t polls, iterations, ready, callbacks, stalls, timers_fired;
	uint64_t lost;
	uint32_t empty;         /* polls that returned nothing */
	uint32_t listen_ready;  /* how often listeners were ready */
	uint32_t new_fds;       /* descriptors seen for the first time */
	uint32_t bands[MODEL_BANDS]; /* busy slices that ended here, by length: see model_band_ns() */
	uint64_t buffered_bytes; /* greatest gauge of the second; 0 = none came */
};

/* a tenth of a second: where its time went */
struct beat {
	uint64_t number;        /* ts / 100 ms */
	uint32_t busy_us, wait_us;
	uint32_t phase_us[PS_PHASE_COUNT];
};

/* what something took in the last two spans of 10 s */
struct share { uint64_t span, now_ns, before_ns; };

struct callback_stat {
	uint64_t fn;
	const struct frame *frame; /* NULL = not resolved */
	uint32_t kind;
	uint64_t count, total_ns, max_ns;
	struct share share;
};

struct fd_stat {
	int32_t fd;
	uint32_t generation;
	uint32_t kind;          /* enum ps_kind */
	const char *name;
	uint32_t interest;      /* EPOLL bits now */
	int closed;
	/* PS_UNKNOWN = not measured, from here to backlog_max */
	uint64_t ready, dispatched;
	uint64_t read_bytes, written_bytes;
	uint64_t callback_ns;
	uint64_t empty_wakeups; /* it was returned, and there was nothing to read or accept */
	uint64_t eagain;        /* calls that had nothing to do */
	uint64_t unread_bytes;  /* in the kernel, at the last look */
	uint64_t backlog, backlog_max; /* of a listening socket */
	int is_ready;           /* on the ready list at the last look; -1 = not seen */
	uint64_t buffered_bytes;
	uint64_t above_ns;      /* since when it is above its high-water mark; 0 = it is not */
	uint64_t high_water_bytes;
	uint64_t stale;         /* how often it was ready after it was closed */
	struct share share;
	uint64_t last_ns;
	struct hist *lag;       /* NULL = none measured */
	struct hist *lag_kernel; /* ready -> returned by the poll: the loop was busy; NULL */
	struct hist *lag_turn;  /* returned -> used: it waited for its turn; NULL */
};

/* The kernel's poller at the last look; ns 0 = never read, PS_UNKNOWN = not seen. */
struct poller_card {
	uint64_t ns;
	uint64_t items, depth, ready, waiters, unread_bytes;
	uint32_t flags;         /* enum ps_poller_flags */
};

struct timer_stat {         /* by callback */
	uint64_t fn;
	const struct frame *frame;
	uint64_t repeat_ns;
	uint64_t armed, fired;
	uint64_t late_max_ns;
};

struct heap_node {          /* one timer of the heap as it was read */
	uint64_t due_ns, repeat_ns; /* due 0: this node was not told */
	uint64_t fn;
	const struct frame *frame; /* NULL = not resolved */
};

struct handle_stat {        /* handles of one kind, at the newest snapshot */
	uint32_t kind;          /* enum ps_kind */
	uint32_t count, active, ref, closing;
};

/* What was read of a loop that was not prepared; ns 0 = never. Figures that are not known are PS_UNKNOWN. */
struct loop_snapshot {
	uint64_t ns, took_ns, address, time_ns;
	uint64_t iterations;    /* since the loop began */
	uint64_t iterations_seen; /* of them, since the first snapshot */
	uint64_t active_handles, active_reqs, handles, pending, closing, watchers;
	const char *note;       /* "" */
};

struct drain_stat { uint64_t drains, callbacks, total_ns, max_ns, max_count; uint32_t left; };

enum loop_state { LOOP_UNKNOWN, LOOP_WAITING, LOOP_BUSY, LOOP_GONE };

struct loop {
	uint32_t pid, tid;
	int32_t poller_fd;
	uint32_t backend, generation, flags; /* ps_loop_flags */
	const struct process *process; /* never NULL; pid 0 = not told yet */
	uint64_t first_ns, last_ns;    /* window in which it was watched */
	enum loop_state state;
	uint64_t state_since_ns;
	uint32_t poller_threads;       /* that have waited on this poller; 0 = nobody has yet */
	int phase;                     /* current, -1 = not known */
	uint64_t iterations, polls, empty_polls, ready;
	int iterations_exact;          /* 0: merged from polls, as the documentation says */
	uint64_t busy_ns, wait_ns;
	uint64_t on_cpu_ns, runnable_ns, blocked_ns; /* of the busy time; PS_UNKNOWN */
	struct hist iteration;         /* busy part of an iteration */
	struct hist iteration_cpu;     /* of it on a CPU; count 0 = not measured */
	uint64_t shed, shed_ns;        /* connections it closed instead of served, and when the last one */
	int32_t shed_fd;               /* of the listener, and why; of the last one */
	uint32_t shed_error;
	struct hist poll_wait;
	struct hist lag;               /* ready -> callback; count 0 = not measured */
	struct hist lag_kernel;        /* its parts, of descriptors seen from outside: ready -> returned by the poll */
	struct hist lag_turn;          /* … and returned -> used */
	struct poller_card poller;
	struct hist lag_own;           /* the same without waiting for a CPU; count 0 = not measured */
	int lag_from_return;           /* some of it counts from the poll's return: the wait in the kernel is not in it */
	struct phase_stat phases[PS_PHASE_COUNT]; /* with PS_LOOP_PHASES, or when phases_sampled */
	int phases_sampled;            /* "~": of each phase only total_ns is an estimate, and count says how many samples */
	/* where the busy time went, by sampling; unsorted */
	struct profile_row *profile;
	size_t profile_count;
	uint64_t profile_samples, profile_ns; /* all, also of rows that found no room */
	uint64_t stalls;               /* all so far, kept or not */
	uint64_t stall_total_ns, stall_max_ns;
	struct hist stall;             /* lengths of those that are over */
	const struct stall *open_stall;  /* NULL */
	struct callback_stat *callbacks; /* unsorted */
	size_t callback_count;
	struct fd_stat *fds;           /* unsorted; closed ones are dropped after a while */
	size_t fd_count;
	struct timer_stat *timers;
	size_t timer_count;
	uint64_t timers_armed;         /* PS_UNKNOWN */
	uint64_t timers_overdue;       /* PS_UNKNOWN */
	uint64_t next_due_ns;          /* absolute; PS_UNKNOWN = none or not known */
	uint64_t timers_fired;
	struct hist timer_late;
	/* the heap as it was read at heap_ns (0 = never), breadth first: the children of i are arity * i + 1 … */
	struct heap_node *heap;
	size_t heap_count;             /* rows here; at most timers_armed, for a large heap is not read whole each time */
	uint64_t heap_depth;           /* levels; PS_UNKNOWN */
	uint32_t heap_arity;           /* 0 = the timers are no heap */
	uint64_t heap_ns;
	const char *timers_note;       /* "" or "Node keeps all JavaScript timers behind one libuv timer" */
	struct handle_stat handles_by_kind[PS_KIND_COUNT]; /* the first handle_kind_count */
	size_t handle_kind_count;
	struct loop_snapshot snapshot;
	struct drain_stat ticks, immediates;
	uint64_t handles, tick_backlog, immediate_backlog, buffered_bytes; /* gauges; PS_UNKNOWN */
	uint64_t gc_ns, gc_count;
	struct slot slots[MODEL_SLOTS];
	struct beat beats[MODEL_BEATS]; /* beats[number % MODEL_BEATS] is of that tenth if .number matches */
	/* what may leak: oldest first from trend_count - MODEL_TREND on, at index % MODEL_TREND */
	struct trend { uint64_t ns; uint64_t fds, timers; } trend[MODEL_TREND];
	uint32_t trend_count;
};

/* 0: nothing told when it waits and when it is busy, so that it has no polls and no stalls proves nothing. */
int loop_was_seen(const struct loop *loop);
/* Firings of its timers are told; a loop that is only read from outside shows what is armed. */
int loop_tells_fired(const struct loop *loop);
/* Threads take turns on its poller: what one does between its waits is not the work of a loop. */
int loop_in_turns(const struct loop *loop);

struct pool_kind {
	uint64_t submitted, started, finished, delivered, cancelled;
	uint64_t queued, busy;
	uint64_t held_ns;       /* threads held by its finished jobs, together */
	struct hist wait, run, delivery;
};

struct pool_class {         /* finished jobs of one class: "fs.stat", "pbkdf2" */
	const char *name;
	uint32_t kind;          /* enum ps_work_kind */
	uint64_t jobs, held_ns;
	uint64_t cpu_ns;        /* PS_UNKNOWN */
	struct hist wait, run;
};

/* What the waits would have been with so many threads: the jobs seen, replayed. */
struct pool_estimate {
	uint32_t threads;
	uint64_t wait_p50_ns, wait_p99_ns;
};
#define POOL_ESTIMATES 6

struct pool {
	uint32_t pid;
	uint64_t threads, busy, queued;   /* PS_UNKNOWN */
	uint64_t oldest_ns;               /* submit time of the oldest queued job; 0 = none, PS_UNKNOWN */
	uint64_t max_queued;
	struct pool_kind kinds[PS_WORK_KIND_COUNT];
	struct hist wait, run;            /* over all kinds */
	uint64_t saturated_ns;            /* time with all threads busy and jobs queued */
	uint64_t saturated_last_ns;       /* when that was so for the last time; 0 = never */
	uint64_t slow_cap, slow_busy, slow_queued; /* threads that slow I/O (dns) may hold, holds, waits for; PS_UNKNOWN */
	uint64_t cpus;                    /* that the process may run on; PS_UNKNOWN */
	int submits_only;                 /* starts and ends of its jobs cannot be seen */
	struct pool_class *classes;       /* unsorted; the last one may be "other classes" */
	size_t class_count;
	int unfollowed;                   /* its probes were taken back: which jobs are under way is not known any more */
	uint32_t holder;                  /* kind that held the threads longest; PS_WORK_KIND_COUNT = nothing ran yet */
	const struct pool_class *holder_class; /* NULL = none told */
	struct pool_estimate estimate[POOL_ESTIMATES];
	uint32_t estimate_count;          /* 0 = not enough jobs seen from submit to end */
};

struct probe {
	uint32_t group, state;            /* state 0 and reason "" = never spoken of */
	const char *reason;
	uint64_t hits, cost_ns;
	uint64_t hits_per_s, cost_per_s;  /* of late, ns per second; PS_UNKNOWN */
	uint64_t budget;                  /* ns per second that it may cost; PS_UNKNOWN = none */
	uint64_t told_ns;                 /* when hits and cost were told */
	int weakened;                     /* it worked wholly at first, and is a fallback since */
};

enum severity { SEVERITY_NOTE, SEVERITY_WARN, SEVERITY_CRIT };
struct evidence { const char *name; uint64_t value; enum { EVIDENCE_NS, EVIDENCE_COUNT, EVIDENCE_PERCENT, EVIDENCE_TEXT } unit; char text[96]; };
struct finding {
	const char *id;                   /* "PS001" */
	enum severity severity;
	char title[192];                  /* "main thread blocked 7x in 60s, worst 412ms: pbkdf2Sync" */
	const char *advice;
	uint32_t pid, tid;                /* 0 = not about one loop */
	uint64_t stall_id;                /* the worst evidence; 0 = none */
	struct evidence evidence[8];
	uint32_t evidence_count;
	uint64_t last_ns;                 /* newest evidence; among equals the newer one is worse */
};

struct model {
	struct model_config config;
	uint64_t start_ns, now_ns;        /* first loop or clock, newest CLOCK or event */
	uint64_t realtime_offset_ns;      /* realtime - monotonic; 0 = not known */
	uint64_t events, malformed, unknown;
	uint64_t dropped;                 /* things that found no room: a bound of the model was reached */
	uint64_t unnamed;                 /* of these, names, frames and stacks: what comes later has none */
	uint64_t lost_total;
	uint64_t lost[PS_LOST_SOURCE_COUNT];
	uint64_t lost_last_ns;            /* newest LOST; 0 = none */
	uint64_t own_cpu_ns, own_rss_bytes; /* PS_UNKNOWN */
	struct process **processes; size_t process_count;
	struct thread **threads;    size_t thread_count;
	struct loop **loops;        size_t loop_count;
	struct pool **pools;        size_t pool_count;
	struct stall **stalls;      size_t stall_count; /* oldest first */
	struct probe probes[PS_PROBE_GROUP_COUNT];
	struct culprit_stat *culprits; size_t culprit_count; /* unsorted */
};

int model_open(struct model **model, const struct model_config *config); /* config may be NULL */
void model_close(struct model *model);
int model_clone(struct model **copy, const struct model *model);         /* for a frozen picture */

/*
 * The sender has forgotten the numbers of all strings, frames and stacks, and will tell what it names anew: so the model
 * forgets them too, and keeps only what something of it still refers to. Nothing else changes. -ENOMEM: as before.
 */
int model_forget(struct model *model);
size_t model_name_bytes(const struct model *model); /* of strings, frames, stacks and their numbers */

/* Applies one record of at most `bytes` bytes, aligned to 8. Returns 0 or -ENOMEM. */
int model_apply(struct model *model, const struct ps_record *record, size_t bytes);

/* Which culprit a stall counts for: equal to the hash of that row's key. */
uint64_t stall_culprit_hash(const struct stall *stall);
uint64_t culprit_hash(const char *key);

/* Upper end of a band of struct slot; the last one has none (UINT64_MAX). */
uint64_t model_band_ns(unsigned band);

const struct process *model_process(const struct model *model, uint32_t pid);
const struct thread *model_thread(const struct model *model, uint32_t tid);
const struct loop *model_loop(const struct model *model, uint32_t tid, int32_t poller_fd);
const struct stall *model_stall(const struct model *model, uint64_t id);
/* What the address is called in process pid, or NULL. */
const struct frame *model_symbol(const struct model *model, uint32_t pid, uint64_t address);

/* The estimate anew, from the jobs seen so far; pure. Returns how many of `out` were filled. */
size_t model_pool_estimate(const struct pool *pool, struct pool_estimate out[POOL_ESTIMATES]);

/*
 * Active findings (with evidence of the last minute), worst first, at most `room`; pure. Returns how many there are.
 * One file per finding: core/finding_ps001.c … each ends in one const struct.
 */
size_t model_findings(const struct model *model, struct finding *out, size_t room);

/*
 * The one sentence for the verdict line: the worst active finding, or
 * "OK  no stall >= 50ms in 5m", or "not enough data yet". Returns its severity, -1 for OK, -2 for no data.
 */
int model_verdict(const struct model *model, char *out, size_t room);

#endif

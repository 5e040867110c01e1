/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside the model: what stands behind the public structs. Each `struct X_own`
 * begins with the `struct X` that views see, so a pointer to one is a pointer
 * to the other. Only core/model*.c include this.
 *
 *   model.c          life, dispatch by event, lookups
 *   model_names.c    strings, frames, stacks, symbols
 *   model_keep.c     what they consist of, each thing once
 *   model_forget.c   letting go of those that nothing refers to any more
 *   model_who.c      processes, threads, loops
 *   model_poll.c     waits, busy slices, iterations, phases, seconds
 *   model_turns.c    pollers that several threads wait on in turns
 *   model_handle.c   callbacks, descriptors
 *   model_descriptor.c  the kernel's poller and what is registered with it
 *   model_timer.c    timers, drains of ticks and immediates, gauges
 *   model_snapshot.c loops as their memory was read
 *   model_pool.c     the thread pool
 *   model_work.c     its jobs by class, and what other sizes would do
 *   model_blocked.c  threads that serve one connection each
 *   model_trend.c    the recent past in small pieces
 *   model_gather.c   evidence of the busy slice that goes on
 *   model_stall.c    slices that became stalls
 *   model_frame.c    what the name of a frame tells
 *   model_script.c   what its file tells
 *   model_share.c    how the time of a stall was spent
 *   model_cause.c    what made it, and which habit it breaks
 *   model_culprit.c  who is to blame, for people
 *   model_repeat.c   the same culprit, stall after stall
 *   model_profile.c  where the busy time went, by sampling
 *   model_clone.c    the deep copy
 */
#ifndef MODEL_OWN_H
#define MODEL_OWN_H

#include "model.h"
#include "pool_replay.h"
#include "table.h"

/* bounds of what a hostile stream can make us keep; all but the first two are per model */
#define MAX_CALLBACKS  4096u     /* per loop */
#define MAX_TIMERS     4096u     /* kinds of timers (by function), per loop */
#define MAX_PROCESSES  4096u
#define MAX_THREADS    16384u
#define MAX_LOOPS      1024u
#define MAX_POOLS      256u
#define MAX_ARMED      262144u   /* single timers */
#define MAX_STATS      131072u   /* rows of callbacks and timers */
#define MAX_LAG_HISTS  8192u
#define MAX_SYMBOLS    262144u
#define MAX_NAMES      524288u   /* each of strings, frames, stacks */
#define MAX_NAME_BYTES (64u << 20)
#define MAX_TEXT       4096u     /* one string, cleaned */
#define MAX_CULPRITS   4096u
#define MAX_DUE        65536u    /* timers that may be due, per loop */
#define MAX_PROFILE    2048u     /* rows, per loop */
#define MAX_HEAP       4096u     /* timers of a heap that are kept, per loop */
#define MAX_CLASSES    32u       /* classes of jobs, per pool; the last one takes the rest */
#define MAX_JOBS       4096u     /* finished jobs kept for the estimate, per pool */
#define MAX_BUSY_CALLBACKS 16u   /* callbacks told apart in a slice: those that took longest */
#define MAX_CALLS      8u        /* distinct blocking calls told apart in a slice */

#define NS_PER_SECOND 1000000000ull

static inline uint64_t minus(uint64_t a, uint64_t b) /* never below 0: events may be out of order */
{
	return a > b ? a - b : 0;
}

static inline uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t known(uint64_t value) /* 0 when it is not */
{
	return value == PS_UNKNOWN ? 0 : value;
}

static inline uint64_t scaled(uint64_t part, uint64_t whole, uint64_t to) /* the same part of another whole */
{
	return whole ? (uint64_t)((double)least(part, whole) / (double)whole * (double)to) : 0;
}

static inline uint64_t most(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static inline uint64_t widen(uint32_t value) /* of a figure that may be unknown */
{
	return value == PS_UNKNOWN32 ? PS_UNKNOWN : value;
}

/* PS_UNKNOWN + n = n: the first figure makes it known */
static inline void add_known(uint64_t *sum, uint64_t n)
{
	*sum = (*sum == PS_UNKNOWN ? 0 : *sum) + n;
}

/* ---- names ---- */

struct frame_own {
	struct frame pub;
	uint8_t rule;         /* enum stall_rule that the name tells of */
	uint8_t telling;      /* row of the rule table, 0 = none; a smaller row is a better name */
	uint8_t noise;        /* allocator, libc, loop machinery: never a culprit */
	uint8_t plumbing;     /* of the runtime: never the outer half of a culprit */
	uint8_t command;      /* what a server runs for one request: the outer half before all other native functions */
	uint8_t script;       /* enum frame_script */
	uint8_t hands_over;   /* wakes another thread, or gives a job to libuv's pool, under a lock of its own */
	int8_t phase;         /* enum ps_phase that the function runs, -1 = none */
};

enum frame_script { SCRIPT_NONE, SCRIPT_USER, SCRIPT_RUNTIME };

struct stack_own {
	struct stack pub;
	uint64_t shape;       /* of its functions: stacks that differ only in places inside them are the same; 0 = not asked for */
};

struct model_own;

/* ---- model_keep.c: each string, frame and stack once ---- */

enum keep_kind { KEEP_STRING, KEEP_FRAME, KEEP_STACK, KEEP_KINDS };
struct keep;
int keep_open(struct keep **keep);
void keep_close(struct keep *keep);
size_t keep_bytes(const struct keep *keep);
size_t keep_mapped(const struct keep *keep); /* with the empty places */
int keep_is_full(const struct keep *keep); /* something was refused: it has MAX_NAME_BYTES */
/* The one that equals it; else a copy of it that is there from now on. NULL: -ENOMEM, or more than MAX_NAME_BYTES. */
const char *keep_string(struct keep *keep, const char *text);
const struct frame_own *keep_frame(struct keep *keep, const struct frame *frame);  /* its strings are kept here */
struct stack_own *keep_stack(struct keep *keep, const struct frame *frame, const struct stack *outer); /* both are kept here */
extern const struct stack_own stack_end;
/* Marks what is still needed, with all that it consists of. */
void keep_mark_string(struct keep *keep, const char *text);
void keep_mark_frame(struct keep *keep, const struct frame *frame);
void keep_mark_stack(struct keep *keep, const struct stack *stack);
/* Lets go of all that is not marked. 0: most of the store would be empty, so all is left to be moved to another one. */
int keep_sweep(struct keep *keep);
/* Of what is kept in another store that is given up: its copy here, made when it is met first. */
const struct frame *keep_move_frame(struct keep *keep, const struct frame *frame);
const struct stack *keep_move_stack(struct keep *keep, const struct stack *stack);

/* Definitions never change once made, so a clone shares them. */
struct names {
	uint32_t sharers;
	struct keep *keep;
	struct names *older;  /* what could not be moved is still there; NULL */
	struct table strings, frames, stacks; /* id -> what is kept */
	struct stack_own *path[MODEL_STACK_FRAMES]; /* of the stack that was told last, outermost first: the next is much like it */
	uint32_t depth;
};

int names_open(struct names **names);
void names_release(struct names *names);
const char *names_string(const struct names *names, uint32_t id); /* "" = not known */
const struct frame *names_frame(const struct names *names, uint32_t id); /* NULL = not known */
const struct stack *names_stack(const struct names *names, uint32_t id);
const char *names_keep(struct model_own *model, const char *text); /* a copy that lives as long as the names; NULL = no room */

/* model_frame.c, model_script.c: what a frame tells; fills the private part */
void frame_classify(struct frame_own *frame);
void frame_classify_script(struct frame_own *frame); /* what its file tells; after the name */
unsigned stack_rule(const struct stack *stack); /* enum stall_rule of its innermost frame that tells one, within the user's own function */

/* ---- who ---- */

struct throttled { uint64_t ts, ns; };  /* ts 0 = never told */

struct process_own {
	struct process pub;
	struct throttled throttled; /* the newest */
	struct table symbols; /* address -> struct frame */
	struct pool_own *pool;
	uint32_t fds;
};

struct cpu_time {
	uint64_t ts, on_cpu_ns, runnable_ns; /* ts 0 = none */
};

struct thread_own {
	struct thread pub;
	uint64_t work_submitted_ns; /* of the job it holds; 0 = not known */
	struct loop_own *loops;   /* all that ever ran here, linked by next_of_thread */
	struct loop_own *current; /* the one last polled or declared; NULL = no loop */
	uint32_t loop_count;
	struct cpu_time cpu;      /* newest */
};

/* ---- evidence of one busy slice ---- */

struct blocked_call {
	int32_t syscall;          /* -1 = none */
	uint32_t seen;            /* intervals and samples */
	const char *path;
	uint64_t ns;              /* from intervals */
	uint64_t proc_ns;         /* between sightings in /proc */
	uint64_t longest_ns;      /* args are those of the longest */
	uint64_t args[3];
};

struct callback_sum {         /* all calls of one callback */
	uint64_t fn, ns, longest_ns;
	uint32_t kind, calls;
	int32_t fd;               /* of the longest call; -1 = none */
};

struct gather {
	int dirty;                /* something below is not 0 */
	uint32_t samples;
	uint32_t cpu_samples, off_samples, nested;
	uint32_t proc_running, proc_asleep, proc_stopped;
	uint64_t cpu_sampled_ns, cpu_first_ns, cpu_last_ns;
	uint64_t proc_last_ns;
	int proc_last_call;       /* index in calls + 1, 0 = not in a call */
	uint32_t off_intervals;
	uint64_t off_ns[6];       /* blocked, by enum ps_offcpu_state; RUNNABLE = ready and not running */
	uint64_t call_ns;         /* asleep in a syscall, of what is not a lock */
	uint64_t lock_ns;
	struct blocked_call calls[MAX_CALLS];
	uint32_t call_count;
	const char *other;        /* who ran instead, longest */
	uint64_t other_ns;
	uint32_t other_cpu;
	uint64_t nested_ns, nested_since_ns; /* waits on another poller */
	uint64_t gc_ns;
	uint32_t gc_kind;
	uint64_t tick_ns;         /* spent in drains of next ticks */
	uint64_t held_fds, held_timers, held_ns; /* served late inside the slice itself, and by how much at most */
	uint64_t phase_ns[PS_PHASE_COUNT];
	uint32_t phase_votes[PS_PHASE_COUNT]; /* samples, of a loop that does not tell */
	struct callback_sum callbacks[MAX_BUSY_CALLBACKS];
	uint32_t callback_count;
	struct cpu_time cpu_first, cpu_last; /* seen inside the slice */
	uint32_t cpu_votes[RULE_COUNT], off_votes[RULE_COUNT]; /* samples by the rule that their stack tells of */
	struct stall_stack stacks[MODEL_STALL_STACKS];
	uint32_t stack_count;
};

/* ---- loops ---- */

struct armed_timer {          /* one timer, by handle */
	uint32_t row;         /* index in loop.timers */
	uint32_t armed;
};

struct fd_wait {              /* private half of fd_stat, same index */
	uint64_t ready_ns;    /* readiness not dispatched yet; 0 = none */
	uint64_t closed_ns;
};

struct callback_now {
	int running;
	uint64_t fn, begin_ns;
	uint32_t kind;
	int32_t fd;
	uint32_t generation;
};

struct loop_own {
	struct loop pub;
	struct loop_own *next_of_thread;
	struct thread_own *thread;
	int declared;             /* a LOOP record told of it */
	int left;                 /* nobody looks at it any more, and it goes on */
	uint64_t accounted_ns;    /* busy_ns + wait_ns and the slots are complete up to here */
	/* the busy slice that goes on while state is LOOP_BUSY */
	uint64_t slice_ns;        /* begin */
	int slice_at_attach, slice_lossy;
	struct gather gather;
	struct cpu_time cpu_before; /* newest when the slice began */
	struct throttled throttled_before;
	struct stall *stall;      /* of this slice, open */
	uint64_t last_stall_id;   /* closed: who waited for it is still being counted */
	uint64_t last_stall_end_ns;
	int last_stall_polls;     /* polls that returned since */
	/* the slice before it, as far as it is known */
	uint64_t before_begin_ns, before_end_ns, before_runnable_ns;
	/* the wait that goes on */
	int64_t timeout_ns;       /* -2 = not known */
	uint64_t returned_ns;
	/* iteration being put together */
	uint64_t iteration_busy_ns;
	uint64_t iteration_cpu_ns; /* valid with iteration_cpu_known */
	int iteration_cpu_known;
	uint64_t iteration_since_ns;
	int iteration_begun, empty_held;
	uint64_t turns_told;    /* in the slice that ended last: waits in it were not seen one by one */
	uint64_t iteration_first;
	/* phase and callback going on */
	uint64_t phase_since_ns, phase_ns;
	struct callback_now now;
	/* indexes of the arrays in pub */
	struct table callback_index, fd_index, timer_index, armed_index;
	size_t callback_room, fd_room, timer_room, armed_room;
	struct fd_wait *fd_waits;
	struct armed_timer *armed;
	size_t armed_count, closed_fds;
	struct table profile_index; /* hash of function and phase -> index + 1 */
	size_t profile_room;
	/* when timers are due, as it was read at due_read_ns, in a busy slice; 0 = never */
	uint64_t due_read_ns;
	uint64_t *due_ns;
	size_t due_count, due_room;
	size_t heap_room;
	uint64_t first_iterations; /* of the runtime's counter, at the first snapshot */
	uint32_t turns;           /* index + 1 of its poller in model.turns; 0 = none yet */
	int has_waited;           /* on that one */
};

struct poller_turns {         /* of one poller, whoever waits on it */
	uint32_t pid;
	int32_t poller_fd;
	uint32_t threads, waiting; /* its loops; threads 0 = this row is free */
	uint32_t waited;          /* loops that ever were */
	uint32_t last_tid;        /* who returned last, since when nobody has waited; 0 = somebody has */
};

enum pool_gauged {
	GAUGED_NOT,               /* figures are counted from jobs */
	GAUGED_TOTALS,            /* POOL_GAUGES tells busy and queued now and then; jobs move them in between, and count kinds */
	GAUGED_ALL,               /* POOL_GAUGES has all figures */
};

struct pool_own {
	struct pool pub;
	uint64_t accounted_ns;    /* saturated_ns is complete up to here */
	int gauged;               /* enum pool_gauged */
	int left;                 /* nobody looks at it any more, and it goes on */
	struct pool_job *jobs;    /* the newest MAX_JOBS, a ring; NULL = none yet */
	uint64_t job_count;       /* all so far */
	uint64_t estimated_count; /* job_count at the last estimate */
};

struct model_own {
	struct model pub;
	struct names *names;
	struct table processes, threads, loops; /* pid, tid, (tid, poller_fd) -> own struct */
	size_t process_room, thread_room, loop_room, pool_room, stall_room;
	struct stall **stall_base; /* pub.stalls points into it: taking the oldest off moves nothing */
	struct thread_own *last_thread;
	uint64_t next_stall;
	size_t stats, armed, lag_hists, symbols, fds;
	struct table culprits;    /* hash of the key -> index + 1 */
	size_t culprit_room;
	struct poller_turns *turns;
	size_t turns_count, turns_room;
	uint64_t swept_ns;
	int out_of_memory;
};

static inline struct loop_own *loop_own(const struct loop *loop)
{
	return (struct loop_own *)(uintptr_t)loop;
}

extern const struct process process_unknown;
extern const struct loop_snapshot snapshot_unknown;

/* Makes room for one more element of `size` bytes in a growing array. 0 or -ENOMEM. */
int array_room(struct model_own *model, void *array, size_t *room, size_t count, size_t size);

/* model_who.c */
struct process_own *process_add(struct model_own *model, uint32_t pid);       /* finds or makes; NULL = no room */
struct thread_own *thread_find(struct model_own *model, uint32_t tid);
struct thread_own *thread_add(struct model_own *model, uint32_t tid, uint32_t pid); /* pid 0 = not known */
struct loop_own *loop_find(struct model_own *model, uint32_t tid, int32_t poller_fd);
struct loop_own *loop_add(struct model_own *model, struct thread_own *thread, int32_t poller_fd);
/* The loop that a record without poller_fd is about; NULL = none. */
struct loop_own *loop_of(struct model_own *model, const struct ps_record *record);

/* model_poll.c */
void loop_account(struct loop_own *loop, uint64_t to_ns);
void loop_gone(struct model_own *model, struct loop_own *loop, uint64_t ts);
void loop_left(struct model_own *model, struct loop_own *loop, uint64_t ts); /* it goes on, unseen */
void loop_seen_busy(struct model_own *model, struct loop_own *loop, uint64_t ts); /* a record that only a busy loop sends */
struct slot *loop_slot(struct loop_own *loop, uint64_t ts); /* NULL = too old to keep */

/* model_turns.c */
/* Before the loop goes over to `state`. */
void turns_change(struct model_own *model, struct loop_own *loop, enum loop_state state, uint64_t ts);
void turns_leave(struct model_own *model, struct loop_own *loop); /* it gets another poller or process, or has gone */
int turns_served(const struct model_own *model, const struct loop_own *loop); /* another thread is there for its poller */

/* model_handle.c */
void callback_end(struct model_own *model, struct loop_own *loop, uint64_t ts);
void callbacks_name(struct model_own *model, uint32_t pid, uint64_t address, const struct frame *frame);
/* The row of (fd, generation); NULL = there is none, or no room to make it. */
struct fd_stat *fd_find(struct loop_own *loop, int32_t fd, uint32_t generation);
struct fd_stat *fd_row(struct model_own *model, struct loop_own *loop, int32_t fd, uint32_t generation, uint64_t ts);
struct loop_own *loop_of_fd(struct model_own *model, const struct ps_record *record, int32_t poller_fd);
void fd_describe(struct model_own *model, struct fd_stat *row, uint32_t kind, uint32_t name);
void loop_add_lag_own(struct loop_own *loop, uint64_t ready_ns, uint64_t ts);
void fd_add_lag(struct model_own *model, struct hist **lag, uint64_t ns); /* makes the histogram while there is room */
void fds_close(struct loop_own *loop, uint64_t ts); /* all of them */
void fds_sweep(struct model_own *model, struct loop_own *loop, uint64_t now_ns);
void fds_held_up(struct model_own *model, struct loop_own *loop, uint64_t wait_ns, const struct ps_ev_poll_return *told);
/* Something was to be served at `since_ns` and is served now: counts it when this slice, or the last stall, held it up. */
void held_in_slice(struct loop_own *loop, uint64_t since_ns, uint64_t ts, uint64_t *held);
struct stall *held_by_stall(struct model_own *model, struct loop_own *loop, uint64_t since_ns); /* NULL = it was not */

/* model_timer.c */
struct timer_stat *timer_of(struct model_own *model, struct loop_own *loop, uint64_t fn); /* NULL = no room */

/* model_trend.c */
void trend_slices(struct slot *slot, uint64_t ns, uint64_t count);
void trend_spread(struct loop_own *loop, uint64_t from, uint64_t to, size_t offset, int back);
void trend_share(struct share *share, uint64_t ts, uint64_t ns);
void trend_sample(struct loop_own *loop, uint64_t now_ns);
void trend_blocked(struct thread *thread, uint64_t from_ns, uint64_t to_ns);
void trend_job(struct thread *thread, uint64_t from_ns, uint64_t to_ns, uint32_t kind, const char *name);

/* model_pool.c */
void pool_account(struct pool_own *pool, uint64_t to_ns);
struct pool_own *pool_of(struct model_own *model, uint32_t pid, uint64_t ts); /* finds or makes; NULL = no room */
void pool_unfollow(struct model_own *model); /* the probes at pools were taken back */
void pool_left(struct model_own *model, struct pool_own *pool, uint64_t ts); /* it goes on, unseen */
void pool_free(struct pool_own *pool);

/* model_work.c */
/* A job that finished without a word about its cost. */
void pool_job_add(struct model_own *model, struct pool_own *pool, uint64_t work, uint64_t submitted_ns, uint64_t started_ns,
		  uint64_t finished_ns);
void pool_estimate_renew(struct pool_own *pool);
void pool_hold(struct pool_own *pool, unsigned kind, uint64_t ns);

/* model_gather.c */
void gather_begin(struct loop_own *loop);
void gather_nested_enter(struct loop_own *loop, uint64_t ts);
void gather_nested_return(struct loop_own *loop, uint64_t entered_ns, uint64_t ts);
uint64_t throttled_in_slice(const struct model_own *model, const struct loop_own *loop, const struct stall *stall);
void gather_callback(struct loop_own *loop, const struct callback_now *callback, uint64_t ns);
struct callback_sum gather_longest_callback(const struct loop_own *loop, uint64_t now_ns); /* the running one counts; ns 0 = none is known */

/* model_stall.c */
struct slice_sums { uint64_t on_cpu_ns, runnable_ns, blocked_ns; }; /* PS_UNKNOWN */
extern const struct slice_sums sums_unknown;
void stall_watch(struct model_own *model, struct loop_own *loop, uint64_t now_ns);  /* open it, if it has become one */
void stall_refresh(struct model_own *model, struct loop_own *loop, uint64_t now_ns);
void stall_close(struct model_own *model, struct loop_own *loop, uint64_t end_ns, const struct slice_sums *sums);
void stall_drop(struct model_own *model, struct loop_own *loop); /* it never was one */
struct stall *stall_find(const struct model_own *model, uint64_t id);

/* model_share.c, model_cause.c, model_culprit.c: from the evidence in the loop's gather */
void stall_shares(const struct model_own *model, struct loop_own *loop, struct stall *stall, const struct slice_sums *sums);
void stall_judge(const struct model_own *model, struct loop_own *loop, struct stall *stall);
void stall_judge_own(const struct model_own *model, struct loop_own *loop, struct stall *stall); /* after the others */
void stall_blame(const struct model_own *model, struct loop_own *loop, struct stall *stall);
const struct blocked_call *gather_longest_call(const struct gather *gather);

/* model_repeat.c: a stall that has ended */
const struct frame *stack_blamed(const struct stack *stack); /* model_culprit.c: innermost that may be blamed; NULL */
void culprit_count(struct model_own *model, const struct stall *stall);

/* model_profile.c: one sample of the busy loop */
int frame_phase(const char *name); /* the phase that a function of this name runs; -1 */
void profile_add(struct model_own *model, struct loop_own *loop, const struct stack *stack, uint64_t ns);

/* ---- whose script (model_script.c) ---- */

/* The stack from the innermost frame of the user's own script on; its end = there is none. */
const struct stack *stack_user(const struct stack *stack);
/* Is that the body of a module that other code of the user's has loaded? */
int stack_is_body(const struct stack *stack);

typedef int script_row_fn(const struct stall *stall, const struct stall_stack *row); /* does it count? */
struct script_blame {
	const struct frame *user;
	uint64_t weight;   /* of its samples: ns or how many */
	char called[128];  /* "" = nothing in particular */
};
/* The user's function that most samples are in; 0 = none. */
int script_blame(const struct stall *stall, script_row_fn *counts, struct script_blame *blame);
int script_starves(const struct stall *stall, script_row_fn *counts);

int syscall_is(int number, const char *names); /* one of the names, separated by spaces */

/* ---- handlers: one per event ---- */
typedef void handler_fn(struct model_own *model, const void *record);
handler_fn on_string, on_frame, on_stack, on_symbol,
	on_clock, on_lost, on_probe, on_own_cost,
	on_process, on_process_exit, on_process_left, on_thread, on_thread_exit, on_loop,
	on_poll_enter, on_poll_return, on_iteration, on_phase,
	on_callback_begin, on_callback_end, on_fd_ready, on_fd_interest, on_fd_life, on_fd_io, on_backpressure,
	on_poller, on_fd_state, on_fd_turn, on_fd_counts,
	on_timer_set, on_timer_stopped, on_timer_fired, on_ticks, on_immediates, on_loop_gauges,
	on_loop_snapshot, on_timer_node, on_timer_group, on_handle_kind,
	on_work_submitted, on_work_started, on_work_finished, on_work_delivered, on_work_cancelled, on_pool_gauges,
	on_pool_limits, on_work_cost,
	on_offcpu, on_sample, on_cpu_time, on_gc, on_throttled, on_timers_due,
	on_blocked, on_unblocked, on_shed;

#endif

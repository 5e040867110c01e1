/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between the BPF programs (bpf/) and who loads them (attach/): nobody else
 * reads this, and no recording holds it.
 *
 * The programs write records of ps_event.h into one ring, and beside them raw
 * records (struct ps_raw), whose stacks attach/ turns into names. Maps hold what
 * is watched, the state of each loop thread, the settings and the counters; the
 * groups share them.
 */
#ifndef PS_PROBE_H
#define PS_PROBE_H

#include "ps_event.h"

#define PS_PROBE_RING_BYTES (8u << 20)
#define PS_WATCH_MAX        1024u  /* loop threads */
#define PS_PROCESSES_MAX    4096u
#define PS_PROCESS_BITS     4096u /* power of two: processes told apart by one look */
#define PS_KERNEL_FRAMES    32u
#define PS_USER_FRAMES      127u   /* the kernel's own bound (perf_event_max_stack) */
#define PS_PATH_BYTES       128u
#define PS_SYSCALLS         512u   /* numbers below it are told apart */
#define PS_V8_FUNCTIONS     PS_USER_FRAMES /* of one stack */
#define PS_CUT_FRAMES       512u   /* further out, of V8's stacks: counted, not taken */
#define PS_V8_PROCESSES     256u
#define PS_PYTHON_FRAMES    PS_USER_FRAMES /* of one stack */
#define PS_PYTHON_WORDS     16u    /* most that is read of one */
#define PS_PYTHON_THREADS   256u   /* of one interpreter that are looked at */
#define PS_PYTHON_PROCESSES 256u
#define PS_STACK_BYTES      (32u << 10) /* of a copied user stack */
#define PS_STACKS_MAX       256u   /* threads whose stacks may be copied */
#define PS_RED_ZONE         128u   /* below the stack pointer, which functions may use without moving it */
#define PS_STACK_POINTER    7      /* its number on x86-64 */
#define PS_REGISTERS        33u    /* by their DWARF numbers, then the program counter: 17 on x86-64 */
#define PS_STACK_BURST      64u    /* stacks of blocked threads taken per thread and tenth of a second */

/* event numbers of raw records, outside the vocabulary */
enum ps_raw_event {
	PS_RAW_OFFCPU = 0xff01,
	PS_RAW_SAMPLE = 0xff02,
	PS_RAW_WORK = 0xff04,
	PS_RAW_END = 0xff05,      /* a header alone: the thread ended, or its program did (exec), and so its loop */
	PS_RAW_WITH_STACK = 0x10, /* or: struct ps_raw_stack */
};

/* What the walk over the stacks of a process that runs V8 needs to know; key: tgid. */
struct ps_v8_walk {
	int64_t isolate_offset;  /* of the thread's Isolate from its thread pointer; 0 = not known */
	int32_t c_entry_fp;      /* in the Isolate: frame pointer of the last call out of JavaScript; 0 = not known */
	int32_t function_shared; /* in a JSFunction */
};

/* A JavaScript function on a stack, with the words at its frame pointer that tell where in it. */
struct ps_v8_function {
	uint64_t shared;         /* its SharedFunctionInfo: unlike the function, it stays where it is */
	uint64_t function;       /* itself */
	uint64_t bytecode_array; /* [fp-32], when it is interpreted */
	int32_t bytecode_offset; /* [fp-40]; -1 = no small integer */
	uint32_t frame;          /* index in `user` */
};

/* How frames of Python stand to those of the C function that runs them. */
enum ps_python_entry {
	PS_PYTHON_ENTRY_EACH,   /* one each */
	PS_PYTHON_ENTRY_FLAG,   /* one for several, the outermost of which says so */
	PS_PYTHON_ENTRY_SHIM,   /* one for several; behind the outermost comes a frame of none */
};

/* What the walk over the frames of a process that runs CPython needs to know; key: tgid. Offsets are of the struct named. */
struct ps_python_walk {
	uint64_t interpreter;   /* address of the pointer to the main interpreter */
	uint32_t threads;       /* interpreter: the first of its threads */
	uint32_t thread_previous, thread_next, thread_id;
	uint32_t thread_frame;  /* thread: its innermost frame, or what points to that */
	int32_t current;        /* in what thread_frame points to: the innermost frame; -1 = it is the frame itself */
	uint32_t frame_bytes;   /* frame: how much of it is read; what follows is within it */
	uint32_t frame_code, frame_previous;
	uint32_t frame_instruction; /* the instruction it is at: a pointer, or an index (int) where code_start is 0 */
	uint32_t frame_entry;   /* the byte that says what `entry` needs */
	uint32_t code_start;    /* code: the first instruction */
	uint32_t entry;         /* enum ps_python_entry */
	uint32_t zero;
};

enum ps_python_flags { PS_PYTHON_ENTRY = 1 /* the frame is the outermost that its C function runs */ };

/* A frame of Python on a stack. */
struct ps_python_frame {
	uint64_t code;          /* the code object */
	int32_t instruction;    /* bytes from its first one, or the index; negative: it has not begun */
	uint32_t flags;         /* enum ps_python_flags */
};

struct ps_raw {
	struct ps_record h;     /* ts = back on the CPU (OFFCPU), or now (SAMPLE) */
	uint64_t off_ns, wake_ns;
	uint64_t args[3];
	int32_t syscall;        /* -1 = none */
	uint32_t tgid;
	uint16_t state;         /* enum ps_offcpu_state */
	uint16_t cpu;
	uint16_t kernel_frames;
	uint16_t user_frames;
	uint64_t sp;            /* user stack pointer; 0 = not taken */
	uint64_t period_ns;     /* SAMPLE: what it stands for */
	uint32_t broken;        /* V8 only: native frames are missing from `user` */
	uint32_t cut;           /* V8 only: so many frames are behind the last of `user` */
	char other[16];         /* who got the CPU */
	char path[PS_PATH_BYTES]; /* that the call works on, cut; terminated; "" = none, or in `args` */
	uint64_t kernel[PS_KERNEL_FRAMES];
	uint64_t user[PS_USER_FRAMES];  /* 0 = not known: the stack was picked up again further out */
	uint32_t python_frames; /* the record ends with the last one of them, if any */
	uint32_t python_cut;    /* 1: there are more */
	uint32_t functions;     /* V8 only: the record ends with the last one of `function`; neither: of `user` */
	int32_t live_offset;    /* what bytecode_offset of frame 0 will be when it is saved; -1 = not known */
	union {
		struct ps_v8_function function[PS_V8_FUNCTIONS];
		struct {
			struct ps_python_frame python[PS_PYTHON_FRAMES];
			uint64_t python_words[PS_PYTHON_WORDS]; /* the frame that was read last */
		};
	};
};

/* A raw record whose user stack was copied; key in its map: tid. */
struct ps_raw_stack {
	struct ps_raw raw;
	uint64_t registers[PS_REGISTERS];
	uint32_t bytes;         /* of `stack`; the record ends with them */
	uint32_t zero;
	uint8_t stack[PS_STACK_BYTES]; /* from PS_RED_ZONE below the stack pointer on */
};

/* what a loop thread does, as the scheduler sees it; also the index into sum_ns */
enum ps_sched { PS_SCHED_UNKNOWN, PS_SCHED_RUNNING, PS_SCHED_RUNNABLE, PS_SCHED_BLOCKED, PS_SCHED_COUNT };

/*
 * Where a loop counts its turns, in the memory of its thread (key of the map: tid): what tells of waits that do not sleep
 * while the poll group rests. Nothing that is read there is believed beyond what the clock allows.
 */
struct ps_turn_place {
	uint64_t counts;        /* u64 turns, u64 events: libuv's own metrics */
	uint64_t time;          /* u64 ms, CLOCK_MONOTONIC: when its last wait ended, or later */
};

enum ps_watch_flags {
	PS_WATCH_QUIET = 1,     /* its own recorder tells of its polls: do not say it twice */
	PS_WATCH_GUESS = 2,     /* never seen to wait: the first poller that it does wait on is taken instead */
	PS_WATCH_INSIDE = 4,    /* in a wait that it may leave without being seen: who meets it elsewhere ends the wait */
	PS_WATCH_UNSURE = 8,    /* found to run, which may be in a wait that nobody saw begin: who meets it next tells */
};

/* Of watched processes (key: tgid) the map holds the flags that threads met later begin with. */

/* One loop thread; key: tid. Its poller is the one whose waits end its busy slices; other waits are calls like any. */
struct ps_watch {
	int32_t poller_fd;      /* -1: poll, select */
	uint32_t backend;       /* enum ps_backend */
	uint32_t tgid;
	uint32_t flags;         /* enum ps_watch_flags */
	uint32_t sched;         /* enum ps_sched */
	uint32_t zero;
	uint64_t busy_since_ns; /* 0 = waiting */
	uint64_t entered_ns;    /* of the wait that is under way or was last; 0 = not known */
	uint64_t ran_ns;        /* when it last began to run */
	uint64_t mark_ns;       /* since when it is in `sched` */
	uint64_t sum_ns[PS_SCHED_COUNT]; /* of this busy slice */
	uint64_t burst;         /* tenth of a second, and how many stacks were taken in it: see PS_STACK_BURST */
	uint64_t burst_stacks;
	uint32_t ticks;         /* of sampling since the last sample */
	uint32_t copied;        /* `off` goes with a copy of the stack */
	uint64_t python_thread; /* address of its PyThreadState, when it was last looked for; 0 = none */
	uint32_t rest;          /* in which rest the loop's own counts were last looked at; 0 = in none */
	uint32_t unread;        /* events that were counted, and are to be told with the next return */
	uint64_t turns, events; /* what they were then */
	uint64_t turns_ns;      /* and when */
	struct ps_raw off;      /* while off the CPU: the record to send when it was long */
};

struct ps_probe_settings {
	uint64_t stall_ns;      /* sampling begins at half of it */
	uint64_t offcpu_ns;     /* shorter intervals are in the sums only */
	uint64_t sample_ns;     /* between two ticks of sampling */
	uint32_t profile_ticks; /* one sample in so many ticks, while a slice is not suspect */
	uint32_t with_sched;    /* the sums are kept */
	uint32_t rest;          /* number of the rest that the poll group takes; 0 = it tells of every wait */
	uint32_t zero;
};

/*
 * Taking stacks may have a tenth of a CPU, however slow the machine is: what was
 * spent is paid back by ten times as much time, and who owes more than can be
 * paid back in PS_PACE_DEBT_NS takes none until then. Where a stack costs what
 * it should, microseconds, nobody ever waits.
 */
#define PS_PACE_TIMES    10u
#define PS_PACE_DEBT_NS  100000000ull
#define PS_PACE_MOST_NS  100000000ull /* of one run: one that the machine itself was stopped in is not paid back for long */

struct ps_pace {
	uint64_t paid_ns;       /* when all that was spent will be paid back */
	uint64_t spared[3];     /* stacks that were not taken; by enum ps_probe_group */
};

static inline int ps_pace_allows(const struct ps_pace *pace, uint64_t now_ns)
{
	return pace->paid_ns <= now_ns + PS_PACE_DEBT_NS;
}

static inline void ps_pace_spend(struct ps_pace *pace, uint64_t began_ns, uint64_t now_ns)
{
	uint64_t spent = now_ns > began_ns ? now_ns - began_ns : 0;

	if (spent > PS_PACE_MOST_NS)
		spent = PS_PACE_MOST_NS;
	began_ns = now_ns - spent;
	pace->paid_ns = (pace->paid_ns > began_ns ? pace->paid_ns : began_ns) + PS_PACE_TIMES * spent;
}

/* per CPU; every record is counted in sent or in lost */
struct ps_probe_counts {
	uint64_t sent;
	uint64_t lost;
	uint64_t hits[3];       /* by enum ps_probe_group: POLL, SCHED, SAMPLING */
	uint64_t copies;        /* of stacks */
	uint64_t calls;         /* of the machine, while the typed programs are attached */
	uint64_t phases;        /* hits of the exact phases' probes */
	uint64_t alarms;        /* why a rest should end: a slice that may become a stall, a thread that came */
	struct ps_pace pace;
};

/* One bit per tid modulo 4096: says "certainly no loop thread" before any lookup. */
#define PS_FILTER_BITS 4096u
struct ps_filter {
	uint64_t words[PS_FILTER_BITS / 64];
};

/* ---- the poller's inside (bpf/poller.bpf.c) ---- */

#define PS_POLLER_RING_BYTES (1u << 20)
#define PS_POLLER_LIMIT      2048u  /* items of one call */
#define PS_POLLER_WAITERS    1024u  /* more of them are not counted */
#define PS_LEARN_FDS         8u

/* What a file is, the address of its operations tells; which is which is learnt from files of our own. */
struct ps_poller_request {
	uint32_t tgid;
	int32_t poller_fd;
	uint32_t learns;        /* 1: only learn_fd */
	uint32_t limit;
	uint64_t poller_f_op, socket_f_op;
	uint64_t after_file;    /* the cursor: the last item that was told */
	int32_t after_fd;
	int32_t learn_fd[PS_LEARN_FDS];
	uint32_t zero;
};

struct ps_poller_answer {
	uint32_t found;         /* 1: the descriptor is a poller, 2: it is something else, 0: there is none */
	uint32_t more;          /* there are more items */
	uint32_t torn;          /* the tree changed under the walk */
	uint32_t depth;
	uint32_t waiters;
	int32_t last_fd;
	uint64_t last_file;
	uint64_t poller;        /* address of the instance: its name in the kernel */
	uint64_t learnt_f_op[PS_LEARN_FDS];
};

enum ps_item_flags { PS_ITEM_READY = 1, PS_ITEM_UNREAD = 2 /* `unread` holds */, PS_ITEM_LISTENS = 4 };

struct ps_poller_item {
	uint64_t file;
	uint64_t f_op;
	uint64_t object;        /* of a socket: the address of its sock; else 0 */
	uint64_t data;          /* what the program gets back for it */
	uint64_t inode;
	int32_t fd;
	uint32_t events;
	uint32_t unread;
	uint32_t backlog, backlog_max;
	uint16_t family;
	uint8_t state, protocol;
	uint16_t flags;         /* enum ps_item_flags */
	uint16_t local_port, peer_port;
	uint16_t zero;
	uint8_t local[16], peer[16];
};

_Static_assert(sizeof(struct ps_poller_item) == 40 + 20 + 12 + 32, "no holes in an item");

/* ---- from ready to dispatched (bpf/ready.bpf.c) ---- */

#define PS_READY_RING_BYTES (2u << 20) /* four drains of 120,000 hits a second */
#define PS_READY_FDS        262144u
#define PS_READY_POLLERS    1024u
#define PS_READY_EVENTS     1024u  /* of one wait that are looked at */

enum ps_ready_event { PS_READY_TURN = 1, PS_READY_COUNTS = 2 };
enum ps_ready_flags { PS_READY_CLOSED = 1 /* these were the last */, PS_READY_USE_UNSEEN = 2 /* only `ready` was counted */ };

struct ps_ready_key {   /* a descriptor of a process */
	uint32_t tgid;
	int32_t fd;
};

/* Who makes a descriptor ready: a sock (sub 0), or an item of a poller (sub: its number + 1). */
struct ps_ready_origin {
	uint64_t object;
	uint64_t sub;
};

struct ps_ready_stamp {
	uint64_t since_ns;      /* ready since; 0 = it is not */
	uint32_t tgid;          /* whose, and under which number */
	int32_t fd;
};

struct ps_ready_data {  /* what a wait returns for a descriptor */
	uint64_t data;
	uint32_t tgid;
	int32_t poller_fd;
};

struct ps_ready_count {
	uint32_t ready, dispatched, empty_wakeups, eagain;
	uint64_t read_bytes, written_bytes;
};

/* A registered descriptor; key: struct ps_ready_key. */
struct ps_ready_fd {
	struct ps_ready_origin origin;
	uint64_t sock;          /* its address; 0 = no socket */
	uint64_t identity;      /* of the file under the number: see ps_file_identity() */
	uint64_t data;
	uint64_t ready_ns;      /* of the return below; 0 = not known */
	uint64_t returned_ns;   /* by a wait, and not used since; 0 = it was used */
	uint64_t enrolled_ns;   /* when it was registered; 0 = before */
	int32_t poller_fd;
	uint32_t tid;           /* who was given it last */
	uint32_t events;
	uint32_t zero;
	struct ps_ready_count count, told;
};

/* Two files that follow each other under one number: sockets differ in inode, the rest in address. */
static inline uint64_t ps_file_identity(uint64_t file, uint64_t inode)
{
	return file ^ inode * 0x9e3779b97f4a7c15ull;
}

#define PS_SOCK_BITS 65536u
static inline uint32_t ps_sock_bit(uint64_t sock)
{
	return (uint32_t)(sock * 0x9e3779b97f4a7c15ull >> 48) % PS_SOCK_BITS;
}

struct ps_ready_turn {
	struct ps_record h;     /* event: PS_READY_TURN; ts: used */
	uint32_t tgid;
	int32_t poller_fd, fd;
	uint32_t events;
	uint64_t identity;
	uint64_t ready_ns, returned_ns;
};

struct ps_ready_counts {
	struct ps_record h;     /* event: PS_READY_COUNTS */
	uint32_t tgid;
	int32_t poller_fd, fd;
	uint32_t ready, dispatched, empty_wakeups, eagain;
	uint32_t flags;         /* enum ps_ready_flags */
	uint64_t identity;
	uint64_t read_bytes, written_bytes;
};

/* per CPU */
struct ps_ready_stats {
	uint64_t hits;          /* of loop threads and of their descriptors */
	uint64_t sent, lost;
};

_Static_assert(sizeof(struct ps_raw_stack) < UINT16_MAX, "its size is told in 16 bits");
_Static_assert(sizeof(struct ps_raw) ==
		       16 + 16 + 24 + 8 + 8 + 24 + 16 + PS_PATH_BYTES + 8 * (PS_KERNEL_FRAMES + PS_USER_FRAMES) + 16 + 32 * PS_V8_FUNCTIONS,
	       "no holes in a raw record");

/* ---- jobs of a thread pool (bpf/pool.bpf.c): a ring and an object of their own ---- */

#define PS_POOL_RING_BYTES (1u << 20)
#define PS_POOL_TEXT       96u
#define PS_POOL_HELD       1024u   /* threads that hold a job at once */

enum ps_pool_what { PS_POOL_SUBMIT, PS_POOL_START, PS_POOL_FINISH, PS_POOL_DELIVER };
/* what the function at a probe tells of the job; the cookie of the probe */
enum ps_pool_job { PS_POOL_ANY, PS_POOL_FS, PS_POOL_ADDRINFO, PS_POOL_NAMEINFO, PS_POOL_RANDOM, PS_POOL_USER, PS_POOL_JOBS };

struct ps_pool_raw {
	struct ps_record h;     /* event PS_RAW_WORK */
	uint64_t work;          /* address of the job in the process */
	uint64_t fn;            /* SUBMIT: its work function; USER: what the user gave */
	uint64_t object;        /* USER: the word that a C++ object of Node around it begins with */
	uint64_t since_ns;      /* FINISH: when it started */
	uint64_t cpu_ns, runnable_ns; /* FINISH; PS_UNKNOWN */
	uint32_t tgid;
	uint16_t what;          /* enum ps_pool_what */
	uint16_t job;           /* enum ps_pool_job */
	int32_t status;         /* DELIVER: what the callback is told */
	uint32_t kind;          /* SUBMIT: libuv's own: 0 CPU, 1 fast I/O, 2 slow I/O */
	uint32_t fs_type;       /* START of FS */
	int32_t file;           /* the same */
	char text[PS_POOL_TEXT]; /* START: path, host; cut, terminated; SUBMIT of USER: Node's word for it */
};

struct ps_pool_counts {     /* per CPU */
	uint64_t sent, lost, hits;
};

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside attach/: what a source of events is, and the stream it writes to.
 *
 * A session (attach.c) owns one stream, one symbol cache per process and a list
 * of sources. Each drain: every source puts what it has on the stream, the
 * session sorts by time (stable, so order within a thread is kept), and hands
 * it to the sink. Adding a source is one file that ends in one const struct.
 */
#ifndef SOURCE_H
#define SOURCE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "attach.h"
#include "ps_event.h"
#include "unwind.h"

/* ---- stream: records and what they refer to (stream.c) ---- */

struct stream;

int stream_open(struct stream **stream);
void stream_close(struct stream *stream);
/* Copies a complete record. -ENOMEM. */
int stream_put(struct stream *stream, const struct ps_record *record);
/* Interned ids; the definition record goes out once, before everything of this drain. 0 on empty text or no memory. */
uint32_t stream_string(struct stream *stream, const char *text, size_t bytes);
/* frame->h, frame->id are filled here; equal frames share an id. */
uint32_t stream_frame(struct stream *stream, const struct ps_ev_frame *frame);
uint32_t stream_stack(struct stream *stream, const uint32_t *frames, size_t count);
int stream_symbol(struct stream *stream, uint32_t pid, uint64_t address, uint32_t frame); /* once per (pid, address) */
int stream_probe(struct stream *stream, enum ps_probe_group group, enum ps_probe_state state, const char *reason,
		 uint64_t hits, uint64_t cost_ns);
/* The same for a group that a governor (governor.h) watches: `budget_ns` of CPU time per second. */
int stream_probe_governed(struct stream *stream, enum ps_probe_group group, enum ps_probe_state state, const char *reason,
			  uint64_t hits, uint64_t cost_ns, uint64_t budget_ns);
int stream_lost(struct stream *stream, enum ps_lost_source source, uint64_t count);
/* LOOP of what was found, unless its own recorder tells it; said once, by source_bpf where it works, else by the session. */
int stream_loop(struct stream *stream, const struct attach_options *options, const struct loop_found *found);
uint64_t stream_now(void); /* CLOCK_MONOTONIC, ns */
/*
 * From now on all strings, frames, stacks and symbols are told anew, under new ids; the old ones mean nothing any more.
 * Who keeps an id looks whether the epoch is still the same, or has the text told again before stream_forgotten().
 * -EAGAIN: something was not handed over yet, and nothing is forgotten; -ENOMEM: something may have been.
 */
int stream_forget(struct stream *stream);
uint32_t stream_again(struct stream *stream, uint32_t string); /* the id that the text has now; 0 = not known */
void stream_forgotten(struct stream *stream);
uint32_t stream_epoch(const struct stream *stream);
/* Sorts and hands over definitions first, then records in time order; empties the stream. */
int stream_flush(struct stream *stream, attach_sink_fn *sink, void *arg);

/* ---- symbols of one process (symbols.c) ---- */

struct symbols;

int symbols_open(struct symbols **symbols, pid_t pid);
void symbols_close(struct symbols *symbols);
int symbols_rest(struct symbols *symbols,
		 uint64_t now_ns); /* now and then: gives back what was not asked for of late; 1 if it did */
/* Reads ahead what naming will need, one piece at a time, which may take tens of milliseconds: 1 while there is more. */
int symbols_prepare(struct symbols *symbols);
int symbols_kernel_prepare(void);
/* Frame id of a user address: function (demangled), module, offset; never 0 unless out of memory. `is_return`: look up address - 1. */
uint32_t symbols_frame(struct symbols *symbols, struct stream *stream, uint64_t address, int is_return);
int symbols_is_code(struct symbols *symbols, uint64_t address); /* 1: lies in executable memory */
/* What lies at a user address. The name is as in the file, not demangled; "" unless SYMBOLS_FILE, and then too if it has none. */
enum symbols_place { SYMBOLS_NOWHERE, SYMBOLS_FILE, SYMBOLS_GENERATED };
enum symbols_place symbols_place(struct symbols *symbols, uint64_t address, char *name, size_t room);
/* How to unwind at an address; the rule is good until the next call that may read the mappings again. */
enum unwind_place symbols_rule(void *symbols, uint64_t address, const struct unwind_rule **rule);
uint32_t symbols_kernel_frame(struct stream *stream, uint64_t address);
const char *symbols_kernel_name(uint64_t address); /* "" = not known */
/* The address of a function by name in the target's executable or libraries, 0 = not found. */
uint64_t symbols_address(struct symbols *symbols, const char *name);

/* ---- processes (proc.c) ---- */

/* Identity of a process, checked before and after anything that must be about the same one. */
struct proc_id {
	pid_t pid;
	uint64_t start_ticks;  /* /proc/PID/stat field 22 */
	int pidfd;             /* -1 where pidfd_open is missing */
	int is_launched;       /* by us: the target itself, not one of its children */
	uint64_t program;      /* that it runs: differs after exec; 0 = may not be known */
	int is_replaced;       /* by exec: a later entry of the session's list is of the same process, and speaks for it */
};
int proc_open(struct proc_id *id, pid_t pid);      /* -ESRCH, -EPERM */
/* A child of ours that we have not waited for: it may have ended, and is still known. */
int proc_open_child(struct proc_id *id, pid_t pid);
int proc_same(const struct proc_id *id);           /* 1: still that process */
int proc_same_program(const struct proc_id *id);   /* 0: that process runs another program since it was opened */
void proc_close(struct proc_id *id);
/* What proc_describe() would tell of the process itself, to be put later. */
int proc_note(const struct proc_id *id, struct stream *stream, struct ps_ev_process *out);
/* Puts PROCESS and THREAD records. */
int proc_describe(const struct proc_id *id, struct stream *stream);
/* What the descriptor of a process stands for: kind, and name as "10.0.1.5:5432", "/var/log/app.log", "pipe:[1]". */
int proc_fd_name(pid_t pid, int fd, char *out, size_t room);  /* returns enum ps_kind or -errno */
/* Which argument of a syscall is a path, from 0; -1 = none. */
int proc_syscall_path_argument(int syscall);
/* The path or descriptor that a blocking syscall works on, from its arguments (reads target memory); 0 = none. */
uint32_t proc_syscall_path(pid_t pid, int syscall, const uint64_t args[3], struct stream *stream);

/* ---- sources ---- */

#define SOURCE_LATER 1024          /* processes that may come after open() */

struct source_context {
	const struct attach_options *options;
	struct stream *stream;
	const struct proc_id *processes;
	struct symbols **symbols;      /* [process_count] */
	size_t process_count;
	const struct loop_found *loops; /* found before the sources open */
	size_t loop_count;
	struct turn_places *places;    /* of the session */
};

/* The entry that speaks for a process now; process_count = it is none of ours. */
size_t source_process(const struct source_context *context, pid_t pid);
/* How many entries have been replaced by later ones. */
size_t source_replaced(const struct source_context *context);

struct source {
	const char *name;
	uint32_t groups;               /* bits of enum ps_probe_group that it speaks for */
	/* Puts PROBE and what it alone knows; 0 when it works at least in part, -errno with its PROBE reasons put otherwise. */
	int (*open)(void **state, const struct source_context *context);
	/*
	 * Optional: `context` has more processes and loops at its end, which came after open(). A source without it is opened
	 * when there is a process, and closed and opened anew when more come. One that did not open is tried again then.
	 */
	int (*adopt)(void *state, const struct source_context *context);
	/* Optional: a loop was told of, maybe one that is known. Called while records are handed over: nothing may be put. */
	void (*meet)(void *state, const struct loop_found *loop);
	/* Optional: 1 when a process that is expected and was not handed over yet has been seen to run a loop. */
	int (*has_met)(void *state, pid_t pid);
	int (*drain)(void *state);
	/*
	 * Optional, for a source whose ring may run over: takes what is in it into memory (backlog.h), for the next drain().
	 * Called from another thread (relief.h), never while another function of the source is under way: it may touch the
	 * ring and the backlog, and neither the stream nor symbols.
	 */
	void (*relieve)(void *state);
	/* Optional, for a source that keeps ids of strings: has them told again (stream_again). */
	void (*tell_again)(void *state);
	void (*close)(void *state);    /* last drain included */
};

extern const struct source source_bpf;    /* bpf_source.c: POLL, SCHED, SAMPLING */
extern const struct source source_poller; /* poller_source.c: POLLER, READY */
extern const struct source source_ring;   /* ring_source.c: RING */
extern const struct source source_runtime; /* runtime_source.c: RUNTIME, SNAPSHOT */
extern const struct source source_due;    /* due_source.c: timers that stalls hold up */
extern const struct source source_proc;   /* proc_source.c: PROC: CPU_TIME, states of stalled threads, exits, OWN_COST, CLOCK */

#endif

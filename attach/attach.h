/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Attaching: from a target to a stream of events. The only privileged room.
 *
 * A session tries every probe group for real, keeps what works, and tells the
 * rest as PROBE records with a reason. All sources are merged into one stream:
 * in order within each thread, nearly in order between threads, definitions
 * (STRING, FRAME, STACK, SYMBOL) before their first use, CLOCK at every drain.
 *
 * All attachments are owned by file descriptors of this process: when it dies,
 * however it dies, the kernel takes them back. Nothing is written to a target.
 */
#ifndef ATTACH_H
#define ATTACH_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "ps_event.h"

struct attach;

typedef int attach_sink_fn(const struct ps_record *record, void *arg); /* non-zero stops the drain and is returned */

struct attach_options {
	const pid_t *pids;        /* processes to watch */
	size_t pid_count;
	uint64_t stall_ns;        /* 0 = 50 ms: sampling begins at half of it */
	uint32_t sample_hz;       /* 0 = 199 */
	int no_bpf;
	int exact_phases;         /* of libuv loops, by probes that cost */
	uint32_t without;         /* bit per enum ps_probe_group */
	int no_history;           /* what flight recorders held before the attach is left out */
	int follow;               /* children too, also those that are born later */
	int expect;               /* the processes run no loop yet: they are watched from their first one on */
	uint64_t pause_ns;        /* between two sources that are opened: for tests, which need a slow attach */
	uint32_t ring_bytes;      /* of the BPF ring, a power of two; 0 = 16 MiB */
};

/*
 * Attaches. Returns 0, or -ESRCH: no such process (or it went), -EPERM: nothing at all may be read,
 * -ENOTSUP: a kernel thread, -ENOENT: no event loop in it (it has none now; `message` says what was looked for),
 * -ENOSYS: this kernel can show nothing. `message` is one sentence that says what to do.
 */
int attach_open(struct attach **attach, const struct attach_options *options, char *message, size_t room);
/* Gives everything that has come in. Returns the number of records, or what the sink returned if not 0. */
int attach_drain(struct attach *attach, attach_sink_fn *sink, void *arg);
/* What was told of strings, frames and stacks is void: what is named from now on is defined anew. -EAGAIN: not now, -ENOMEM. */
int attach_forget(struct attach *attach);
/* How many processes are watched, after a look for new ones; with `expect` it may be 0 as yet. attach_drain() looks too. */
size_t attach_look(struct attach *attach);
/* 1 while at least one target process lives. */
int attach_alive(const struct attach *attach);
/* Last words: final drain, LOST, PROBE and OWN_COST records; sink may be NULL. NULL attach is fine. */
void attach_close(struct attach *attach, attach_sink_fn *sink, void *arg);

/* ---- discovery (needs no privileges; sees what this user may see) ---- */

struct loop_found {
	pid_t pid, tid;
	int poller_fd;            /* -1: none */
	uint32_t backend;         /* enum ps_backend */
	uint32_t waits_in;        /* the same, of the system call: another one below kevent() */
	char comm[32];
	char cmdline[256];        /* arguments joined by spaces, not cleaned */
	char runtime[24];         /* "node", "pollscope", "redis", "generic" … */
	char runtime_version[24]; /* "20.20.2"; "" = not known */
	char library[32];         /* "libuv 1.46.0"; "" = none found, or of node; filled when the whole machine is searched */
	char symbols[16];         /* of its program: "all", "exported only", "" = not known */
	uint32_t fds;             /* registered with the poller */
	int has_ring;             /* an instrumented loop */
	int is_guess;             /* it was busy: nobody was seen waiting on this poller */
	char can_see[96];         /* "everything", "ring only", "nothing: not your process, try sudo" */
};

/*
 * Every loop on the machine (this process excepted), or of `pid` when not 0. Returns how many; *found is malloc'ed,
 * NULL when none. -ESRCH: no such process, -EPERM: its descriptors may not be read, -ENOTSUP: a kernel thread.
 */
int attach_find_loops(struct loop_found **found, pid_t pid);
/* PIDs whose command or program is called `comm` (not this process). Returns how many, -errno. */
int attach_find_command(const char *comm, pid_t *pids, size_t room);

/* ---- the inside of a poller, at one moment ---- */

struct poller_item {
	int32_t fd;
	uint32_t events;          /* EPOLL* bits waited for */
	uint64_t data;            /* what the program gets back for it */
	uint32_t kind;            /* enum ps_kind */
	int is_ready;             /* on the ready list; -1 = not seen */
	uint64_t unread_bytes;    /* PS_UNKNOWN = it has no such thing, or not seen */
	uint64_t backlog, backlog_max; /* of a listening socket: connections not accepted yet; PS_UNKNOWN */
	char name[80];            /* peer, path, "pipe:[7]", not cleaned; "" = not known */
};

struct poller_picture {
	uint64_t ns, cost_ns;     /* when it was complete, and how long it took */
	uint64_t item_count;
	uint64_t depth;           /* of the kernel's tree of items; this and the next three: PS_UNKNOWN = not seen */
	uint64_t ready;           /* items on the ready list */
	uint64_t waiters;         /* threads that wait */
	uint64_t unread_bytes;
	uint32_t flags;           /* enum ps_poller_flags */
	char how[160];            /* "iterator over open files", or why it was read from /proc */
	struct poller_item *items; /* by descriptor */
};

/* 0; -ESRCH: no such process or descriptor, or it is no poller; -EPERM, -ENOMEM. */
int attach_poller_read(struct poller_picture *picture, pid_t pid, int epfd);
void attach_poller_free(struct poller_picture *picture);

/* ---- what works here ---- */

struct doctor_row {
	char what[40];            /* "poll probe (tracepoint)" */
	enum { DOCTOR_YES, DOCTOR_PARTLY, DOCTOR_NO } state;
	char why[160];
	char mend[160];           /* a command, or "" */
};
/* Tries; returns how many rows. `pid` 0 = the machine only. */
int attach_doctor(struct doctor_row *rows, size_t room, pid_t pid);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* The parts that bpf_source.c is made of; nobody else includes this. */
#ifndef BPF_SOURCE_H
#define BPF_SOURCE_H

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "ps_probe.h"
#include "python.h"
#include "source.h"
#include "tap.h"
#include "v8.h"

#define BPF_GROUPS   3   /* POLL, SCHED, SAMPLING: the first of enum ps_probe_group */
#define BPF_LINKS    20  /* most that a group attaches */
#define BPF_REASON   160

/* One probe group: its object, what is attached, and what became of it. */
struct bpf_group {
	void *skeleton;
	void (*destroy)(void *skeleton);
	struct bpf_object *object;
	struct bpf_link *links[BPF_LINKS];
	int link_count;
	enum ps_probe_state state;
	char reason[BPF_REASON];
	uint64_t hits_told;
};

/* The shared maps, by the names they have in bpf/watch.h; -1 until the poll group is loaded. */
struct bpf_maps {
	int ring, processes, threads, filter, settings, counts, v8, python, stacks, places;
};

/* A loop thread that user space knows. */
struct bpf_thread {
	uint32_t tid;           /* 0 = free */
	uint32_t pid;
	int32_t poller_fd;
	uint32_t backend;
	int told;               /* its LOOP record is out */
	int is_quiet;           /* its own recorder tells of its polls, also of those that came before we knew */
	int is_gone;            /* with its process */
	int looks;              /* left: nobody saw yet from where it waits */
	int has_place;          /* the programs know where it counts its turns */
};

#define BPF_THREADS 4096    /* slots, power of two, > 2 * PS_WATCH_MAX */

/* See bpf_source_rest.c. */
struct bpf_rest {
	int may;                /* the group may rest here */
	int classic;            /* so many of its first links it began with, and changes for typed ones */
	int failed;             /* -errno: it could not change over, or go on */
	struct bpf_link *typed[2];
	struct late_close *late;
	uint32_t number;        /* of rests so far */
	uint64_t until_ns;      /* 0 = it does not rest */
	uint64_t awake_ns;      /* until then it does not */
	uint64_t alarms;        /* heard */
	uint64_t calls, counted_ns; /* of the machine, at the last look */
};

struct bpf_phases;
#define BPF_PHASE_LINKS 128

struct bpf_source {
	struct source_context context;
	struct bpf_group groups[BPF_GROUPS];
	struct bpf_maps maps;
	struct ps_filter *filter; /* the map of that name; NULL while the poll group is not loaded */
	struct tap tap;
	struct bpf_phases *phases; /* NULL: not asked for */
	int phases_taken;       /* back, for what they cost */
	char phases_reason[240]; /* what became of them; "" = not asked for */
	struct v8 **v8;         /* one per process; NULL: it runs none */
	struct python **python; /* the same */
	char python_reason[128]; /* why the functions of one are not told; "" = none is so */
	size_t replaced;        /* processes that became another program, at the last look */
	struct bpf_rest rest;
	int by_function;        /* waits on epoll may end without being seen: PS_WATCH_INSIDE */
	int with_unwind;        /* stacks are copied */
	enum ps_probe_state unwind_state;
	const char *unwind_reason;
	int with_python;        /* the programs walk its stacks */
	int with_v8;            /* some process runs it, and the programs walk its stacks */
	struct ps_probe_settings settings;
	struct bpf_thread threads[BPF_THREADS];
	uint32_t thread_count;
	int cpus;
	uint32_t jiffies;       /* of the scheduler's ticks to a sample; 0 = by timers of our own */
	struct bpf_link **timers; /* of the sampling group, one per CPU; NULL = none: there is no such CPU now */
	uint64_t received, lost_told;
	uint64_t put_failed;    /* records that found no memory here */
	uint64_t swept_ns;
	uint32_t drained;       /* records of this drain */
};

/* ---- bpf_source.c ---- */
/* What all programs have counted so far, on all CPUs; -errno: nothing. */
int bpf_counts(const struct bpf_source *source, struct ps_probe_counts *total);

/* ---- bpf_source_poll.c ---- */
/* The POLL group, with the maps; may_by_function: at the functions of the calls, which needs SCHED. */
void bpf_poll_load(struct bpf_source *source, int may_by_function);
/* Waits of this process are looked at; before the map of processes has it. */
void bpf_poll_admit(const struct bpf_source *source, uint32_t pid);
void bpf_filter_unmap(struct bpf_source *source);

/* ---- bpf_source_rest.c ---- */
/* Whether the poll group may rest, once all groups are loaded and set. */
void bpf_rest_choose(struct bpf_source *source);
void bpf_rest_drain(struct bpf_source *source, const struct ps_probe_counts *counts, uint64_t now);
void bpf_rest_forget(struct bpf_source *source, struct bpf_thread *thread); /* before it is removed */
void bpf_rest_close(struct bpf_source *source);

/* ---- bpf_source_load.c ---- */
/* 0 and a reason: it was switched off, or cannot be had here. */
int bpf_group_wanted(struct bpf_source *source, enum ps_probe_group which);
/* Takes a link that was just made; NULL: -errno. */
int bpf_group_keep(struct bpf_group *group, struct bpf_link *link);
void bpf_group_unload(struct bpf_group *group);
__attribute__((format(printf, 3, 4)))
void bpf_group_state(struct bpf_group *group, enum ps_probe_state state, const char *format, ...);
/* Unloads it; the reason is what the error means, and what mends it. */
void bpf_group_missing(struct bpf_group *group, int err);
/* Loads and attaches POLL and SCHED, loads SAMPLING; group states and reasons say what came of it. */
void bpf_groups_load(struct bpf_source *source);
void bpf_groups_unload(struct bpf_source *source);
/* Loads SCHED and SAMPLING anew, since a process that runs V8 has come where none was. */
void bpf_groups_with_v8(struct bpf_source *source);
/* Cumulative run time of a group's programs; PS_UNKNOWN unless the kernel counts it (kernel.bpf_stats_enabled). */
uint64_t bpf_group_cost(const struct bpf_group *group);
/* Samples on the CPUs that came since; -errno when there is none. */
int bpf_timers_open(struct bpf_source *source);
/* Room for copies of a thread's stack: without it there are none. */
void bpf_copy_room(const struct bpf_source *source, uint32_t tid);

/* Gives an opened object the maps of the poll group. */
int bpf_share_maps(const struct bpf_source *source, struct bpf_object *object);

/* ---- bpf_source_runtimes.c ---- */
int bpf_runtimes_open(struct bpf_source *source); /* of all processes; -ENOMEM */
void bpf_runtimes_close(struct bpf_source *source);
int bpf_runtimes_grow(struct bpf_source *source, size_t count); /* room for so many processes; -ENOMEM: nothing is lost */
int bpf_runtimes_adopt(struct bpf_source *source, size_t from); /* of processes that came; 1: one of them runs V8 */
/* Tells the programs how to walk their stacks. More processes than the maps have room for go without names. */
void bpf_runtimes_walk(struct bpf_source *source, size_t from);

/* ---- bpf_source_phase.c ---- */
/* Where asked for: exact phases of the processes from `first` on; the poll group's reason says what came of it. */
void bpf_phases_open(struct bpf_source *source, size_t first);
void bpf_phases_close(struct bpf_source *source);
int bpf_phases_tell(const struct bpf_source *source); /* 1: they are attached */
/* Takes them back when they cost too much. */
void bpf_phases_drain(struct bpf_source *source, const struct ps_probe_counts *counts, uint64_t now);

/* ---- bpf_source_threads.c ---- */
struct bpf_thread *bpf_thread_find(struct bpf_source *source, uint32_t tid);
struct bpf_thread *bpf_thread_add(struct bpf_source *source, uint32_t tid); /* NULL: too many */
void bpf_thread_remove(struct bpf_source *source, struct bpf_thread *thread);
/* Flags that threads of a process begin with: one with recorders has one for each of its loops, also later ones. */
uint32_t bpf_thread_flags(const struct bpf_source *source, pid_t pid);
/* Puts the loops found at attach under watch, with what they do right now. */
void bpf_threads_seed(struct bpf_source *source, size_t from); /* from that index on */
/* 1: the probes have met a loop of that process. */
int bpf_threads_met(const struct bpf_source *source, pid_t pid);
/* A loop that spoke for the first time. */
void bpf_thread_tell(struct bpf_source *source, uint32_t tid, int32_t poller_fd, uint64_t ts);
/* The thread ended then, or became another program: its loop is gone. */
void bpf_thread_end(struct bpf_source *source, uint32_t tid, uint64_t ts);
/* Forgets loops whose thread or poller is gone. */
void bpf_threads_sweep(struct bpf_source *source);

/* ---- bpf_source_stack.c ---- */
/* SAMPLE or OFFCPU, with named frames, from a raw record. -errno. */
int bpf_raw_put(struct bpf_source *source, const struct ps_raw *raw, const struct ps_raw_stack *copy); /* copy: NULL = none */

#endif

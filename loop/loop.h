/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside loop/: what a loop is made of.
 *
 * A handle is a few fields of bookkeeping at the head of each public object.
 * Handles come from slabs of their loop and return to them in the closing
 * phase, never earlier: a pointer that was fetched before a close stays valid
 * until the iteration is over, and its state says that it is closed.
 *
 * The loop lives while something that can still call back does: handles that
 * are active and referenced, jobs in flight, queued ticks and immediates, and
 * handles being closed.
 */
#ifndef LOOP_H
#define LOOP_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "backend.h"
#include "clock.h"
#include "ps_event.h"
#include "ps_loop.h"
#include "recorder.h"

#define READY_BATCH 1024
#define LOOP_RING_SLOTS 65536u
#define WORKER_RING_SLOTS 1024u

#define SIZE_MOST (SIZE_MAX / 2) /* a negative size is a mistake of the caller */

#define container_of(pointer, type, member) ((type *)(void *)((char *)(pointer) - offsetof(type, member)))

/* ---- handles (handle.c) ---- */

enum handle_slab { SLAB_TIMER, SLAB_HOOK, SLAB_IO, SLAB_WAKE, SLAB_SIGNAL, SLAB_STREAM, SLAB_LISTENER, SLAB_WORK, SLAB_OPERATION,
		   SLAB_REQUEST, SLAB_COUNT };
enum handle_state { HANDLE_FREE, HANDLE_OPEN, HANDLE_CLOSING };
enum handle_flags { HANDLE_ACTIVE = 1, HANDLE_UNREF = 2 };

struct handle {
	struct ps_loop *loop;
	void *arg;
	void (*finish)(struct handle *handle); /* in the closing phase, before the memory goes back; may be NULL */
	struct handle *next_closing;
	uint32_t number;
	uint8_t state;     /* enum handle_state */
	uint8_t flags;     /* enum handle_flags */
	uint8_t kind;      /* enum ps_kind */
	uint8_t slab;      /* enum handle_slab */
};

struct slab {
	uint32_t size;
	void *free;
	void *chunks;
};

void *handle_open(struct ps_loop *loop, enum handle_slab slab, enum ps_kind kind, void *arg); /* zeroed; NULL: no memory */
int handle_close(struct handle *handle);     /* -EINVAL unless open */
void handles_each(struct ps_loop *loop, enum handle_slab slab, void (*fn)(struct handle *handle)); /* that are open */
void handle_free(struct handle *handle);     /* at once: for what was never shown to the user */
void handle_activate(struct handle *handle);
void handle_deactivate(struct handle *handle);
void handle_ref(struct handle *handle);
void handle_unref(struct handle *handle);
void slabs_init(struct ps_loop *loop);
void slabs_close(struct ps_loop *loop);

static inline int handle_is_open(const struct handle *handle)
{
	return handle && handle->state == HANDLE_OPEN;
}

/* ---- descriptors (io.c) ---- */

/* A watcher. Streams and listeners embed one and put their own dispatch. */
struct ps_io {
	struct handle handle;
	void (*dispatch)(struct ps_io *io, uint32_t events);
	void *fn;              /* the user's function, for the recorder and for dispatch */
	struct ps_io *next;    /* on the same descriptor */
	int fd;
	uint32_t events;       /* interest */
};

/* One per descriptor number. The generation tells lives of the same number apart. */
struct fd_slot {
	struct ps_io *watchers;
	uint32_t generation;
	uint32_t dead_batch;   /* when the generation before was given up */
	uint32_t next_changed; /* fd + 1 */
	uint8_t events;        /* what the poller was told */
	uint8_t changed;
	uint8_t wanted_failed; /* set() refused: told as PS_ERROR in the pending phase */
	uint8_t kind;          /* enum ps_kind */
};

void io_init(struct ps_io *io, int fd, void (*dispatch)(struct ps_io *io, uint32_t events), void *fn);
int io_attach(struct ps_io *io);              /* into the descriptor table; -ENOMEM */
void io_want(struct ps_io *io, uint32_t events);
void io_detach(struct ps_io *io);             /* silent from here on, out of the poller */
uint32_t io_generation(const struct ps_io *io);
void io_flush(struct ps_loop *loop);          /* tells the poller what has changed */
void io_dispatch(struct ps_loop *loop, const struct ready *ready, int count);
int io_pending(struct ps_loop *loop);         /* phase: what could not be told at once; 1: something was */
int io_reset(struct ps_loop *loop);           /* a fresh poller with the same interests */
void io_close_table(struct ps_loop *loop);

/* ---- queue of ticks or immediates (tick.c) ---- */

struct task {
	ps_fn *fn;
	void *arg;
};

struct tasks {
	struct task *ring;
	uint32_t mask;         /* room - 1; 0 = nothing allocated */
	uint32_t head, tail;   /* free running */
};

static inline uint32_t tasks_count(const struct tasks *tasks)
{
	return tasks->tail - tasks->head;
}

void ticks_drain(struct ps_loop *loop);
void immediates_run(struct ps_loop *loop);

/* ---- timers (timer.c) ---- */

struct timer_node {
	uint64_t due_ns;
	uint64_t order;        /* start order breaks ties */
	struct ps_timer *timer;
};

struct heap {
	struct timer_node *nodes;
	uint32_t count, room;
};

int timers_run(struct ps_loop *loop);  /* 1: something was due */
uint64_t timers_next_due(const struct ps_loop *loop); /* PS_UNKNOWN = none */
uint32_t timers_overdue(const struct ps_loop *loop);

/* ---- what other threads bring (inbox.c) ---- */

enum parcel_kind { PARCEL_WAKE, PARCEL_WORK };

struct parcel {
	struct parcel *next;
	enum parcel_kind kind;
};

void inbox_put(struct ps_loop *loop, struct parcel *parcel); /* any thread, any signal handler */
void inbox_rouse(struct ps_loop *loop);                      /* ends the loop's wait, if it waits */
int inbox_before_wait(struct ps_loop *loop);                 /* 1: something is there, do not wait */
void inbox_deliver(struct ps_loop *loop);
void wake_deliver(struct parcel *parcel);
void work_deliver(struct parcel *parcel);
void signals_deliver(struct ps_loop *loop);
void works_cancel_lost(struct ps_loop *loop);                /* after fork: the workers are gone */

/* ---- hooks (hook.c) ---- */

enum hook_phase { HOOK_IDLE, HOOK_PREPARE, HOOK_CHECK, HOOK_COUNT };

struct hooks {
	struct ps_check *first, *last;
	uint32_t count;
};

void hooks_run(struct ps_loop *loop, enum hook_phase phase);

/* ---- the loop ---- */

struct ps_loop {
	uint64_t now_ns;
	struct clock clock;
	const struct backend *backend;
	struct poller *poller;
	struct recorder *recorder;        /* of the memory below, or recorder_none */

	struct tasks ticks, immediates;
	struct heap heap;
	uint64_t timer_order;
	struct hooks hooks[HOOK_COUNT];
	struct fd_slot *slots;
	uint32_t slot_count;
	uint32_t changed_first;           /* fd + 1; chain through next_changed */
	uint32_t failed_fds;
	uint32_t fds;                     /* registered with the poller */
	uint32_t batch;                   /* rises with each wait */
	uint8_t in_callback, running, draining, rebuild;
	uint8_t phase;
	int64_t holds;                    /* active and referenced handles, jobs, … */
	uint32_t handles;
	uint32_t next_number;
	uint32_t pid;
	struct handle *closing_first, **closing_last;

	uint64_t iterations, polls, empty_polls, ready_total, busy_ns, wait_ns;
	uint64_t busy_since_ns;           /* when the last wait returned */
	uint64_t buffered_bytes;
	uint64_t shed;                    /* connections closed instead of served */
	struct slab slabs[SLAB_COUNT];
	struct recorder_memory memory;
	struct recorder_options recorder_options;
	char name[32];
	uint64_t work_number;             /* of the next job … */
	uint32_t work_numbers_left;       /* … and how many are this loop's to give */
	struct ps_signal *signal_watchers;
	char *scratch;                    /* read buffer shared by the streams */
	int error;                        /* the poller failed: run() gives up */
	int spare_fd;                     /* given up to shed a connection when descriptors run out */
	struct ready ready[READY_BATCH];

	/* touched by other threads */
	_Alignas(64) _Atomic(struct parcel *) inbox;
	atomic_int asleep;
	atomic_int senders;               /* inside inbox_put() */
	atomic_int stop;
	atomic_ullong signals;            /* bit per signal that arrived */
};

/* The one place where user functions run: callback_begin(), the call, callback_end(). */
static inline void callback_end(struct ps_loop *loop)
{
	if (loop->ticks.head != loop->ticks.tail)
		ticks_drain(loop);
}

#endif

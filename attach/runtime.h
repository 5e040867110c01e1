/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What runs a process's loops, as plug-ins: one file attach/runtime_NAME.c each,
 * that ends in one const struct, and one row in runtime.c. docs/runtimes.md
 * tells how to add one.
 *
 * A plug-in adds what the kernel does not know: names of its phases, the state
 * of its loops by memory, the functions at which its jobs can be seen. Whatever
 * it leaves NULL is told as missing with the reason in `hidden`.
 */
#ifndef RUNTIME_H
#define RUNTIME_H

#include "libuv.h"
#include "proc.h"
#include "ps_probe.h"
#include "source.h"

/* ---- what a plug-in is asked about ---- */

struct runtime_facts { /* of one process, gathered once */
	pid_t pid;
	int has_ring; /* some loop of it is instrumented */
	struct proc_runtime guess; /* by names of files and of the program */
	const struct libuv_image *libuv; /* NULL: no libuv that has names in it */
};

/* One loop, to be read. */
struct runtime_ask {
	pid_t pid, tid;
	int32_t poller_fd;
	uint64_t now_ns;
	int whole; /* also what costs more: handles, every timer */
	struct symbols *symbols; /* of the process */
	struct stream *stream;
	struct turn_places *places; /* where to say where the loop counts its turns; NULL = nobody asks */
};

/* A function at which the kernel can tell of jobs: its file is opened by `path`, it begins `offset` bytes into it. */
struct runtime_probe {
	enum ps_pool_what what;
	enum ps_pool_job job;
	const char *function;
	uint64_t offset;
};
#define RUNTIME_PROBES 24

struct runtime {
	const char *name;
	const char *note; /* one line: what it adds */
	const char *hidden; /* why a snapshot is missing; NULL where there always is one */
	int optional; /* 1: no finding is made of its snapshots, so none is missed where they are not to be had */
	int (*detect)(const struct runtime_facts *facts); /* 1: it is this one */
	/* State of one process. 0 or -errno. */
	int (*open)(void **state, const struct runtime_facts *facts);
	void (*close)(void *state);
	/* Puts what the memory of one loop says. -EAGAIN: not now, -errno: not at all; *why is a sentence that lives on. */
	int (*snapshot)(void *state, const struct runtime_ask *ask, const char **why);
	/* The pool as memory has it; records are the caller's. -errno, *why as above. */
	int (*pool)(void *state, struct libuv_pool *pool, const char **why);
	/* Functions where its jobs show, at most RUNTIME_PROBES; how many, 0 = none and *why. `path` is what the kernel opens. */
	size_t (*probes)(void *state, struct runtime_probe probes[RUNTIME_PROBES], const char **path, const char **why);
	/* Function that each phase begins with, by enum ps_phase; NULL = not known. */
	const char *const *phases;
};

extern const struct runtime runtime_pollscope, runtime_libuv, runtime_redis, runtime_nginx, runtime_generic;

/* The plug-in of a process; never NULL. */
const struct runtime *runtime_of(const struct runtime_facts *facts);
const struct runtime *runtime_row(size_t index); /* of the table; NULL behind its end */

/* ---- what a snapshot tells (runtime_put.c) ---- */

#define RUNTIME_NODES 127u /* timers that are told one by one: seven levels of a heap */

/* arity: children of a node of the heap, whose nodes `timers` are; 0 = they are by due time. note: a string. */
void runtime_put_loop(const struct runtime_ask *ask, const struct libuv_loop *loop, uint64_t took_ns, uint32_t arity,
		      uint32_t note);

/* ---- what a job is (runtime_job.c) ---- */

struct runtime_job {
	enum ps_work_kind kind;
	uint16_t op; /* fs: libuv's number of the operation + 1; else 0 */
	int slow; /* counts against the cap of slow I/O */
	char class[64]; /* "fs.stat", "getaddrinfo", "PBKDF2"; "" = its kind says all */
	char name[160]; /* for people: "stat /tmp/x", "example.org"; "" = none */
};
/* Demangled, with its arguments; "" = none. */
void runtime_function_name(struct symbols *symbols, uint64_t address, char *out, size_t room);
/* From what a probe took; reads names of functions, and of Node's objects one word of memory. */
void runtime_job_describe(struct runtime_job *job, const struct ps_pool_raw *raw, const struct libuv_image *image,
			  struct libuv_memory *memory, struct symbols *symbols);

#endif

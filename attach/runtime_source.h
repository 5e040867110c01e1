/* SPDX-License-Identifier: BSD-2-Clause */
/* The parts that runtime_source.c is made of; nobody else includes this. */
#ifndef RUNTIME_SOURCE_H
#define RUNTIME_SOURCE_H

#include "runtime.h"
#include "source.h"

#define RUNTIME_LOOPS 64u /* of one process that are looked at */
#define RUNTIME_REASON 160u

struct runtime_loop {
	pid_t tid;
	int32_t poller_fd;
};

struct runtime_process {
	pid_t pid;
	const struct runtime *runtime;
	void *state; /* of the plug-in; NULL: it did not open, or needs none */
	struct libuv_image image;
	struct symbols *symbols;
	struct runtime_loop loops[RUNTIME_LOOPS];
	size_t loop_count;
	int read; /* some loop of it was read at the last snapshot */
	const char *why; /* else why not */
	const char *pool_why; /* why its pool is not read; "" = it is */
	uint32_t cpus; /* that it may run on */
};

struct runtime_jobs;

/* ---- jobs by probes (runtime_pool.c, runtime_work.c) ---- */

/* NULL in *jobs and a state that says why, where nothing can be attached. -ENOMEM. */
int runtime_jobs_open(struct runtime_jobs **jobs, const struct source_context *context,
		      struct runtime_process *processes, size_t count);
/* More processes at the end of the list. */
int runtime_jobs_adopt(struct runtime_jobs *jobs, const struct source_context *context, size_t count);
void runtime_jobs_drain(struct runtime_jobs *jobs);
void runtime_jobs_relieve(struct runtime_jobs *jobs); /* see source.h */
/* Counts hits, gives the probes up when they cost too much, and tells the group. */
void runtime_jobs_tell(struct runtime_jobs *jobs, uint64_t now_ns);
void runtime_jobs_tell_again(struct runtime_jobs *jobs); /* the names of all jobs: see source.h */
void runtime_jobs_close(struct runtime_jobs *jobs);
int runtime_jobs_any(const struct runtime_jobs *jobs); /* 1: some probe is attached */
/* When the oldest job of this process that waits was submitted; 0 = none waits, PS_UNKNOWN = not known. */
uint64_t runtime_jobs_oldest(const struct runtime_jobs *jobs, pid_t pid);
/* 1: submits are all that is seen of the jobs of this process. */
int runtime_jobs_submits_only(const struct runtime_jobs *jobs, pid_t pid);

#endif

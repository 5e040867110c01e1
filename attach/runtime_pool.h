/* SPDX-License-Identifier: BSD-2-Clause */
/* What runtime_pool.c (probes) and runtime_work.c (the jobs they tell of) share; nobody else includes this. */
#ifndef RUNTIME_POOL_H
#define RUNTIME_POOL_H

#include <pthread.h>

#include "governor.h"
#include "runtime_source.h"
#include "table.h"
#include "tap.h"

#define RUNTIME_LINKS 512u
#define RUNTIME_PROBED 32u /* processes that get probes: each probe of each is a descriptor and a breakpoint */

struct job {
	uint64_t work;
	uint64_t submitted_ns, started_ns, finished_ns; /* 0 = not seen */
	uint32_t name, class_name; /* strings */
	uint16_t kind, op;
	uint16_t slow;
	uint16_t process; /* index */
	uint32_t tid; /* who submitted it */
	uint32_t next_free;
};

struct runtime_jobs {
	struct source_context context;
	struct runtime_process *processes;
	size_t process_count;
	struct pool *skeleton;
	struct tap tap;
	struct bpf_link *links[RUNTIME_LINKS];
	size_t link_count;
	pthread_t closers[RUNTIME_LINKS]; /* threads that close the links; by is_closing */
	uint8_t is_closing[RUNTIME_LINKS];
	size_t closing_count;
	uint8_t submits_only[RUNTIME_PROBED];
	size_t replaced; /* processes that became another program, at the last look */
	struct table index; /* work and process -> slot + 1 */
	struct job *jobs;
	uint32_t job_room, free_slot; /* free_slot: slot + 1; 0 = none */
	enum ps_probe_state state;
	char reason[RUNTIME_REASON];
	uint64_t lost_told, failed;
	struct governor governor;
	uint64_t told_ns, attached_ns;
	uint32_t drained;
	int cpus;
};

/* A record of the ring; `arg` is the struct runtime_jobs. -EAGAIN: enough for one drain. */
int runtime_jobs_take(void *arg, void *data, size_t bytes);
void runtime_jobs_forget(struct runtime_jobs *jobs); /* all jobs, and the memory of the table */
size_t runtime_jobs_process(const struct runtime_jobs *jobs, pid_t pid); /* its index; process_count = none */

#endif

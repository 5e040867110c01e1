/* SPDX-License-Identifier: BSD-2-Clause */
/* A session and what its parts do for each other: attach.c and follow.c; nobody else includes this. */
#ifndef SESSION_H
#define SESSION_H

#include "relief.h"
#include "source.h"

#define SOURCES 6

struct attach {
	struct attach_options options;
	struct stream *stream;
	struct proc_id *processes;
	struct symbols **symbols;
	uint64_t rested_ns;
	size_t process_count, process_room, prepared;
	int drains;
	struct loop_found *loops;
	size_t loop_count;
	void *states[SOURCES];  /* NULL: did not open */
	struct relief *relief;  /* runs while we are behind */
	struct turn_places *places;
	pid_t *roots;           /* whose families are followed */
	size_t root_count;
	struct ps_ev_process launched_as; /* the launched process while it was there to be read; size 0: not looked at yet */
	uint64_t next_follow_ns, next_renew_ns;
};

/* ---- attach.c ---- */
extern const struct source *const session_sources[SOURCES];
/* Adds a process, described on the stream. -errno and a sentence. */
int session_open_process(struct attach *attach, pid_t pid, char *message, size_t room);
/* Adds the loops that a process runs now. How many; -errno. */
int session_add_loops(struct attach *attach, pid_t pid);
/* Hands what was added to the sources; loops from that one on are new. */
void session_tell(struct attach *attach, size_t first_loop);

/* ---- follow.c ---- */
/*
 * Takes in, now and then, launched processes and descendants that have begun to run a loop, and processes that run
 * another program than the one we know.
 */
void session_follow(struct attach *attach);
/* Of the launched process, while nobody has been told of it: see stream_again(). */
void session_tell_again(struct attach *attach);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a watch's records go: one file; with --rotate a row of files, each
 * whole in itself; with --ring a ring in memory that is written when a stall
 * was long enough, on SIGUSR1 and at the end.
 *
 * The first file has the name that was given, the next ones a number before
 * its suffix: run.psr, run.0002.psr, run.0003.psr; numbers that are taken are
 * passed over.
 */
#ifndef TAPE_H
#define TAPE_H

#include <limits.h>
#include <sys/types.h>

#include "export.h"
#include "model.h"
#include "options.h"
#include "output.h"
#include "psr.h"

#define TAPE_NUMBERS 100000

struct tape_file {
	struct tape_file *next;
	dev_t device;
	ino_t inode;
	char name[];
};

struct tape {
	const struct options *options;
	struct output output; /* the file under way; its name is `name` */
	char name[PATH_MAX];
	unsigned number; /* of that file, from 1; 0 = none yet */
	unsigned files; /* settled */
	struct tape_file *oldest, *newest; /* those that --keep may take away again */
	unsigned kept;
	uint64_t stall_ns; /* in force, for the heads */
	struct psr_writer *writer;
	uint64_t begun_ns; /* the file, on the records' clock; 0 = no record yet */
	uint64_t newest_ns;
	int error; /* -errno of the first failed write, told when it happened */
	int over; /* nothing more is written */
	/* flight mode */
	struct stall_cursor stalls;
	int armed; /* a stall was long enough … */
	uint64_t since_ns, due_ns; /* … it began then, and is written at `due` */
	uint64_t longest_ns;
	uint64_t dumped_ns; /* what is before is in a file */
	uint64_t overflows; /* of the ring, told so far */
};

/* Creates the first file, so that a name that cannot be is told before anything begins. 0 or an exit code. */
int tape_open(struct tape *tape, const struct options *options);
/* The watch begins. 0 or an exit code. */
int tape_start(struct tape *tape, uint64_t stall_ns);
/* A failure is told here once; it ends the recording and not the watch. */
void tape_add(struct tape *tape, const struct ps_record *record);
void tape_look(struct tape *tape, const struct model *model); /* after each drain: is it time to write? */
void tape_flush(struct tape *tape); /* each second: what has come is in the file */
void tape_wanted(struct tape *tape); /* SIGUSR1: write now, or begin the next file */
void tape_finish(struct tape *tape); /* the end of the stream */
/* 1: nothing more will be written, and whoever read our pipe has seen enough */
int tape_unread(const struct tape *tape);
/* What was recorded, in words on stderr. */
void tape_tell(const struct tape *tape, uint64_t events, uint64_t lost);
/* 0 or an exit code. A tape that was never opened is fine. */
int tape_close(struct tape *tape);

#endif

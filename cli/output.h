/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files that we write for the user: never an existing one unless --force, never
 * through a symbolic link, never readable by others. With --force the data goes
 * to a new file beside it, which output_settle() puts in its place.
 */
#ifndef OUTPUT_H
#define OUTPUT_H

#include <limits.h>
#include <stdio.h>

struct output {
	int fd;               /* -1 = none */
	int owned;            /* fd is ours to close */
	int created;          /* so a failed run takes it away again */
	const char *name;     /* as given */
	char temporary[PATH_MAX]; /* "" = written in place */
};

/* "-" is standard output. Says what is wrong and returns the exit code, or 0. */
int output_open(struct output *output, const char *name, int force);
/* From now on the file stays, under its own name. 0 or an exit code. */
int output_settle(struct output *output);
/* Closes; a file that was not settled goes. 0 or an exit code. */
int output_close(struct output *output);

#endif

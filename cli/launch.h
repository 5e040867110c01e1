/* SPDX-License-Identifier: BSD-2-Clause */
/* "-- COMMAND ARGS…": a target that we start ourselves, as the user who called. */
#ifndef LAUNCH_H
#define LAUNCH_H

#include <sys/types.h>

struct launch {
	pid_t pid;         /* 0 = none, or reaped */
	int status;        /* wait status, once reaped */
	int go, report;    /* pipes to the child that waits to become the command; -1 = not any more */
};

/*
 * Forks a child that waits: the command begins with launch_release(), when the probes are ready. Its standard output
 * becomes our standard error (data of ours goes to ours), or nothing when `silent`. 0 or -errno.
 */
int launch_start(struct launch *launch, char **argv, int silent);
/* 0 or -errno of what failed, exec included. */
int launch_release(struct launch *launch);
/* 1 while it runs. Left to be waited for: how it ended is told by the sources, which may look after us. */
int launch_alive(struct launch *launch);
void launch_signal(const struct launch *launch, int number);
/* Asks it to end, insists after 2 s, reaps. Nothing if it was never started. */
void launch_stop(struct launch *launch);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A live watch, shared by top, stat, record and demo: the session, the model
 * and perhaps a recording, driven by timers of our own loop. "stat" is
 * "record to nowhere".
 */
#ifndef WATCH_H
#define WATCH_H

#include <stdint.h>

#include "attach.h"
#include "launch.h"
#include "model.h"
#include "options.h"
#include "ps_loop.h"
#include "tape.h"
#include "target.h"

enum watch_end {
	WATCH_GOES_ON, WATCH_TIME_OVER, WATCH_COUNT_REACHED, WATCH_TARGET_GONE, WATCH_SIGNALLED, WATCH_USER_QUIT,
	WATCH_FAILED,
};

struct watch {
	const struct options *options;
	struct target target;
	struct launch launch;
	struct ps_loop *loop;
	struct ps_timer *drain, *second;
	struct ps_signal *signals[4];
	struct attach *attach;
	struct model *model;
	struct tape *tape;     /* NULL = nothing is recorded */
	uint64_t events;
	size_t names_kept;     /* bytes of names that the model had use for, when it was last asked */
	uint64_t attach_ns, begin_ns;  /* the attach began; there was a loop to watch */
	uint64_t cut_ns;               /* when it ended; 0 = it goes on, or ended with the target */
	uint64_t most_events;          /* 0 = no limit */
	int only_records;              /* set before: without its recording, and nobody to end it, there is nothing to do */
	int from_now;                  /* set before: what happened before the attach is left out, unless we launched it */
	int stay;                      /* set before: the target's end does not end the watch (dashboard) */
	int drawing;                   /* set before: the terminal is ours, a launched command gets none of it */
	int has_begun;                 /* there is a loop; a launched target has none at first */
	int code;                      /* exit code of a WATCH_FAILED */
	enum watch_end end;
	char lost_target[256];         /* what attach said when it could not */
	/* hooks of the command, may be NULL */
	void (*each_second)(struct watch *watch, void *arg);
	void (*after_drain)(struct watch *watch, void *arg);
	void *arg;
};

/*
 * Finds the target, attaches, opens loop, model and timers. `tape` may be NULL. 0 or an exit code.
 * The struct is zeroed by the caller but for what it sets; watch_close() after a failure too.
 */
int watch_open(struct watch *watch, const struct options *options, struct tape *tape);
/* The same for one process that is known already (the demo's server). */
int watch_open_pid(struct watch *watch, const struct options *options, struct tape *tape, pid_t pid);
int watch_run(struct watch *watch);            /* until an end; 0 or an exit code */
void watch_stop(struct watch *watch, enum watch_end end);
/* Last drain into model and recording; the model stays readable. 0 or an exit code. */
int watch_finish(struct watch *watch);
void watch_close(struct watch *watch);
/* 1: at least one loop was seen at work */
int watch_has_data(const struct watch *watch);
/* "LIVE", "DEGRADED" (a probe is missing or events were lost), "EXITED" */
const char *watch_mode(const struct watch *watch);

#endif

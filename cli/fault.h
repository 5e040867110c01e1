/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How a command ends: the documented exit codes, the one mapping from errno,
 * and the one sentence on stderr. The same errno means different things on
 * different sides: EACCES on a recording is unreadable input, on a target it is
 * a missing permission, on our output it is a failed output.
 */
#ifndef FAULT_H
#define FAULT_H

enum exit_code {
	CLI_OK = 0,
	CLI_FAILED = 1,       /* a check failed */
	CLI_USAGE = 2,        /* usage, or unreadable input */
	CLI_INCONCLUSIVE = 3, /* too little or lossy data; never a pass */
	CLI_DENIED = 4,       /* not permitted */
	CLI_NO_TARGET = 5,    /* no such target, or it went before any data */
	CLI_KERNEL = 6,       /* this kernel cannot */
	CLI_OUTPUT = 7,       /* our output failed; a closed pipe aside */
};

enum fault_side { SIDE_INPUT, SIDE_TARGET, SIDE_OUTPUT };

struct exit_row { enum exit_code code; const char *meaning; };
extern const struct exit_row exit_rows[]; /* for help and the man page; ends with meaning NULL */

/* err: positive or negative errno, 0 gives CLI_OK. */
enum exit_code fault_code(enum fault_side side, int err);

/* "pollscope: …" on stderr, cleaned. Returns the exit code, to be returned in turn. */
int fault(enum exit_code code, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same, not an end: words for people, silenced by -q. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void say_nothing(int quiet);

#endif

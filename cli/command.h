/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The one command table: dispatch, --help, the man page and completion are
 * made from it. A command is one file cmd_NAME.c that ends in one const struct.
 */
#ifndef COMMAND_H
#define COMMAND_H

#include <stdint.h>
#include <stdio.h>

#include "options.h"

#define COMMAND_TOOL "pollscope " POLLSCOPE_VERSION

struct command {
	const char *name;
	const char *usage;          /* operands: "TARGET", "FILE…" */
	const char *note;           /* one line */
	const char *more;           /* what help and the man page add: paragraphs, "\n" between */
	uint64_t options;           /* OPT() bits besides OPT_COMMON */
	int fewest, most;           /* operands */
	int launches;               /* "-- COMMAND ARGS…" may stand for a target */
	int splits;                 /* "--" parts its operands in two groups; the second is in options->launch */
	int (*run)(const struct options *options); /* an exit code */
	void (*words)(FILE *out);   /* operands that completion offers, one a line; NULL = file names */
	const char *words_title;    /* "Scenarios:": help lists the words under it; may be NULL */
	int hidden;
};

extern const struct command cmd_top, cmd_ls, cmd_stat, cmd_record, cmd_info, cmd_merge, cmd_report, cmd_replay, cmd_check, cmd_export,
	cmd_inspect, cmd_doctor, cmd_demo, cmd_help, cmd_man, cmd_completion;
extern const struct command cmd_diff, cmd_selftest, cmd_serve;
extern const struct command *const commands[]; /* NULL-terminated; the first is the default */

const struct command *command_find(const char *name);

/* help.c */
void help_overview(FILE *out);
void help_command(const struct command *command, FILE *out);

#endif

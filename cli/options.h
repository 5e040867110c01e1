/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The one options table: getopt_long, --help, the man page and completion are
 * made from it. A command names its options by bits.
 */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdint.h>
#include <stdio.h>

enum option_id {
	OPTION_ALL, OPTION_FOLLOW, OPTION_STALL, OPTION_DURATION, OPTION_COUNT, OPTION_JSON, OPTION_JSONL,
	OPTION_OUTPUT, OPTION_FORCE, OPTION_TO, OPTION_BUDGET, OPTION_JUNIT, OPTION_INCONCLUSIVE, OPTION_LOSSY,
	OPTION_RING, OPTION_ON_STALL, OPTION_ROTATE, OPTION_KEEP, OPTION_NO_BPF, OPTION_EXACT_PHASES, OPTION_WITHOUT, OPTION_COLOR, OPTION_ASCII,
	OPTION_FILTER, OPTION_READY_FD, OPTION_PORT, OPTION_QUIET,
	OPTION_BASELINE, OPTION_UNITS, OPTION_INIT, OPTION_GITHUB, OPTION_MARKDOWN, OPTION_BENCHMARK,
	OPTION_AB, OPTION_WORSE, OPTION_LISTEN, OPTION_TEXTFILE,
	OPTION_HELP, OPTION_VERSION, OPTION_COUNT_OF
};
#define OPT(id) (1ull << OPTION_##id)
#define OPT_COMMON (OPT(QUIET) | OPT(HELP) | OPT(VERSION))
/* what every command that attaches takes */
#define OPT_TARGET (OPT(ALL) | OPT(FOLLOW) | OPT(STALL) | OPT(NO_BPF) | OPT(EXACT_PHASES) | OPT(WITHOUT) | OPT(READY_FD) | OPT(DURATION))

#define OPTION_BASELINES 256

enum when { WHEN_AUTO, WHEN_ALWAYS, WHEN_NEVER };
enum inconclusive { INCONCLUSIVE_EXIT, INCONCLUSIVE_FAIL, INCONCLUSIVE_PASS, INCONCLUSIVE_REPORT };

struct options {
	uint64_t stall_ns;          /* 0 = not given */
	uint64_t duration_ns;       /* 0 = not given */
	uint64_t count;             /* 0 = not given */
	uint64_t ring_ns, on_stall_ns, rotate_bytes, rotate_ns, keep; /* 0 = not given */
	int all, follow, json, jsonl, force, lossy, no_bpf, exact_phases, ascii, quiet, help, version;
	uint32_t without;           /* bit per enum ps_probe_group */
	int ready_fd;               /* -1 = none */
	uint16_t port;              /* 0 = not given */
	enum when color;
	enum inconclusive inconclusive;
	const char *filter;         /* NULL = not given */
	const char *output, *to, *budget, *junit; /* NULL = not given */
	const char *markdown, *benchmark, *ab, *worse, *listen, *textfile;
	int init, github;
	double units;               /* of work per run; 0 = not given */
	const char *baseline[OPTION_BASELINES]; /* files and folders */
	int baseline_count;
	char **operands;            /* what is no option; owned by argv */
	int operand_count;
	char **launch;              /* after "--", NULL-terminated; NULL = none */
};

struct option_row {
	enum option_id id;
	char letter;                /* 0 = none */
	const char *name;
	const char *argument;       /* NULL = takes none */
	const char *note;
	const char *expects;        /* "a duration such as 50ms"; with an argument */
	int (*take)(struct options *options, const char *text); /* 0 or -EINVAL */
	void (*words)(FILE *out);   /* what completion offers, one a line; NULL = anything */
};
extern const struct option_row option_rows[OPTION_COUNT_OF];

/*
 * Reads argv[1..] of a command that takes the options of `allowed`. On a wrong
 * one says so and returns CLI_USAGE; otherwise 0. argv is permuted.
 */
int options_read(struct options *options, uint64_t allowed, const char *command, int argc, char **argv);

#endif

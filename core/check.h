/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The CI gate: budgets (YAML) judged on summary documents, and runs compared
 * with a baseline. Pure: reads no clock and no machine state.
 *
 * A metric is any number of the summary document by path: "stall.count",
 * "stall.max", "lag.p99", "loops.0.iteration_ns.p99", "pool.wait.p99",
 * "lost.total" …; docs/check.md lists the short names. `where:` filters stalls
 * by rule, cause, phase, culprit (substring) or comm.
 */
#ifndef CHECK_H
#define CHECK_H

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

struct budget_file;

/* On failure `message` says what is wrong with line and column and the nearest known name. -EINVAL, -errno. */
int budget_open(struct budget_file **budgets, const char *path, char *message, size_t room);
void budget_close(struct budget_file *budgets);

enum verdict { VERDICT_PASS = 0, VERDICT_FAIL = 1, VERDICT_INCONCLUSIVE = 3 };

struct check_result {
	char metric[96];
	char where[96];
	enum verdict verdict;
	double measured, limit;   /* ns for durations; measured -1 = not measured */
	int is_duration;
	/* a regression: `measured` and `baseline` are medians, the rest are shares (0.05 = 5 % more) */
	int is_regression, is_compared;
	double baseline;          /* -1 = none */
	double margin, change, low, high, p;
	size_t runs, baseline_runs;
	char reason[256];         /* names the culprit: "200ms PBKDF2 <- hashPw auth.js:41" */
	char file[128]; uint32_t line; /* of the culprit, if known */
};

struct check_report {
	enum verdict verdict;     /* worst: fail over inconclusive over pass */
	struct check_result *results;
	size_t count;
};

struct check_runs {               /* one document per recording */
	json_t *const *documents;
	const char *const *names; /* may be NULL, and so may each */
	size_t count;
};
struct check_options {
	int lossy_ok;             /* judge in spite of lost events */
	double units;             /* of work that each run did; 0 = not told */
};

/* The baseline may be NULL. 0 or -ENOMEM. */
int check_run(struct check_report *report, const struct budget_file *budgets, const struct check_runs *runs,
	      const struct check_runs *baseline, const struct check_options *options);
void check_report_free(struct check_report *report);

int check_print_text(const struct check_report *report, FILE *out);
int check_print_junit(const struct check_report *report, FILE *out);
/* Workflow commands, worst first, at most 10 of a kind; files under `root` are told relative to it. */
int check_print_github(const struct check_report *report, const char *root, FILE *out);
int check_print_markdown(const struct check_report *report, FILE *out);
json_t *check_json(const struct check_report *report);
json_t *check_benchmark(const struct check_report *report); /* github-action-benchmark, customSmallerIsBetter */

/* What is different in b; NULL when out of memory. Text is printed from the same document. */
json_t *check_diff(const struct check_runs *a, const struct check_runs *b, double units);
int check_diff_print(const json_t *diff, FILE *out);

/*
 * Judges runs of one program against each other `verdicts` times. NULL: out of memory, or fewer than two runs. The text is
 * printed from the document. `worse` (NULL = none): runs of a program with a fault, one for each two of the others and
 * made between them; each verdict then is followed by one on as many of these.
 */
json_t *check_selftest(const struct budget_file *file, const struct check_runs *runs, const struct check_runs *worse,
		       size_t verdicts, const struct check_options *options);
int check_selftest_print(const json_t *selftest, const char *command, const char *worse, FILE *out);

/* Writes a first budget from what one run did, with its reasons as comments. */
int check_init(const json_t *document, const char *name, FILE *out);

#endif

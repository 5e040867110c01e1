/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside the gate: check_budget.c reads the file, check_metric.c knows the
 * metrics and finds their values, check.c judges budgets, check_regression.c
 * compares with a baseline, check_fact.c finds what is new, check_identity.c
 * says why two runs cannot be compared, check_init.c writes a first budget,
 * check_print.c, check_junit.c and check_github.c tell.
 */
#ifndef CHECK_PARTS_H
#define CHECK_PARTS_H

#include "check.h"

/*
 * How a metric is compared with a baseline. Structural: exact, one run is
 * enough. CPU: on-CPU time, a small margin. Wall: everything that other
 * programs of the machine can disturb, a wide one.
 */
enum metric_class { CLASS_WALL, CLASS_CPU, CLASS_STRUCTURAL, CLASS_NEW };

struct metric {
	const char *name;        /* as in a budget: a short name, or the path itself */
	const char *path;        /* in the document; "*" is any index */
	int sums;                /* over loops; otherwise the worst one counts */
	enum metric_class class;
	const char *per;         /* divided by the sum of this path; "unit": by the units of work; NULL = a figure of its own */
	const char *own;         /* the metric that is compared instead: the same without waiting for a CPU; NULL = itself */
};

extern const struct metric metrics[]; /* ends with name NULL */

/* The row of a metric, which may name an index where the row has "*"; NULL = no such metric. */
const struct metric *metric_find(const char *name);
const char *metric_nearest(const char *name); /* NULL = none near */
int metric_is_duration(const struct metric *metric);
int metric_is_of_stalls(const struct metric *metric); /* stall.count, stall.max … */

/* where: "" = any */
struct where {
	char rule[32], cause[32], phase[32], culprit[96], comm[64];
};

struct budget {
	char metric[96];
	const struct metric *row;
	struct where where;
	int has_where, has_max, has_min;
	double max, min;
	int is_regression;       /* of the regressions section: max counts new things, margin is a share */
	double margin;
};

struct budget_file {
	struct budget *budgets;
	size_t count;
	size_t runs;             /* of each side that a statistical verdict needs */
	double loss;             /* share of events that may be lost */
};

/* What a metric is in one document. */
struct reading {
	int known;               /* 0: `why` says why not */
	int partial;             /* not all was measured or kept: the value is a lower bound; `why` says what is missing */
	double value;
	char why[160];
	const json_t *stall;     /* the worst one that counted; NULL = none */
};

/* 0: a loop of what only launches the program (npm), or not of the name that is asked for. `where` may be NULL. */
int loop_counts(const json_t *document, const json_t *loop, const struct where *where);
/* `highest`: the worst of several loops is the highest (a max is judged), else the lowest. `units` of work; 0 = not told. */
struct reading metric_read(const struct budget *budget, const json_t *document, int highest, double units);

/* ---- check.c ---- */

unsigned verdict_rank(enum verdict verdict);
/* Why silence of this document proves nothing; NULL = it does. `out` may hold the answer. */
const char *document_doubt(const struct budget_file *file, const json_t *document, int lossy_ok, char out[160]);
void result_name(struct check_result *result, const struct budget *budget);
__attribute__((format(printf, 2, 3))) void result_say(struct check_result *result, const char *format, ...);
void say_value(char out[32], double value, int is_duration);

/* ---- words of a result (check_print.c) ---- */

const char *verdict_word(enum verdict verdict); /* "pass", "fail", "inconclusive" */
size_t verdict_count(const struct check_report *report, enum verdict verdict);
void result_full_name(char out[224], const struct check_result *result); /* "stall.count {rule: crypto}" */
/* "3.3ms", and of a regression "3.3ms, +0.4% (-0.8% to +1.5%)" */
const char *result_value(char out[96], const struct check_result *result);
/* Indexes of the results, worst first: failures by how far they are over, then what is open. NULL = no memory; free() it. */
size_t *results_worst_first(const struct check_report *report);
int stream_state(FILE *out); /* 0 or -errno */

/* ---- stalls (check_fact.c) ---- */

/* Its duration without waiting for a CPU: by the scheduler's queue and by quota. Not known to wait: the duration itself. */
double stall_own_ns(const json_t *stall);
int stall_is_of_host(const json_t *stall); /* the machine's doing, not the program's */
int stall_is_end(const json_t *loop, const json_t *stall); /* ended by the end of the loop, not by its next poll */
/* The file and line that the culprit names, from the stacks; "" and 0 when they do not tell. */
void stall_place(const json_t *stall, char *file, size_t room, uint32_t *line);

/* Something that a run did and that has a name across runs. */
enum fact_kind { FACT_SYNC_CALL, FACT_STALL, FACT_RULE, FACT_KIND_COUNT };
struct fact {
	enum fact_kind kind;
	char key[256];           /* without line numbers, descriptors and numbers in paths */
	char text[200];          /* for people */
	char file[128];
	uint32_t line;
	double count, total_ns, longest_ns;
	int is_unknown;          /* it has no name that means something in another run */
	int is_call;             /* a synchronous call: done or not done, however long it took */
	size_t document;         /* the first one that has it */
	size_t runs, last;       /* how many have it, and the last of them */
};
struct facts { struct fact *list; size_t count, room; };
/* Of the loops that count, sorted by kind and key; `where` may be NULL. -ENOMEM. */
int facts_gather(struct facts *facts, const struct check_runs *runs, const struct where *where);
const struct fact *facts_find(const struct facts *facts, const struct fact *like);
void facts_free(struct facts *facts);

/* ---- can they be compared? (check_identity.c) ---- */

/* Why not; NULL = they can. `exact`: only what exact comparisons need, not the machine. */
const char *identity_doubt(const struct check_runs *runs, const struct check_runs *baseline, int exact, char out[256]);

/* ---- regressions (check_regression.c) ---- */

#define REGRESSION_ALPHA 0.01 /* chance may make one of so many failures, over all metrics */

/* Judges but for the correction: statistical ones have is_compared and their p, and are decided by regression_decide(). */
int regression_judge(struct check_result *result, const struct budget_file *file, const struct budget *budget,
		     const struct check_runs *runs, const struct check_runs *baseline, const struct check_options *options);
int regression_decide(struct check_report *report); /* -ENOMEM */
/* The function whose time grew most between the sides; 0 = none is known. */
int growth_find(const struct check_runs *runs, const struct check_runs *baseline, int by_cpu, struct fact *fact);

#endif

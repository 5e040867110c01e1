/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside the gate: check_budget.c reads the file, check_metric.c knows the
 * metrics and finds their values, check.c judges, check_print.c tells.
 */
#ifndef CHECK_PARTS_H
#define CHECK_PARTS_H

#include "check.h"

struct metric {
	const char *name;        /* as in a budget: a short name, or the path itself */
	const char *path;        /* in the document; "*" is any index */
	int sums;                /* over loops; otherwise the worst one counts */
};

extern const struct metric metrics[]; /* ends with name NULL */

/* The row of a metric, which may name an index where the row has "*"; NULL = no such metric. */
const struct metric *metric_find(const char *name);
const char *metric_nearest(const char *name); /* NULL = none near */
int metric_is_duration(const struct metric *metric);
int metric_is_of_stalls(const struct metric *metric); /* stall.count, stall.max, stall.total */

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
	int needs_baseline;      /* of the regressions section */
};

struct budget_file {
	struct budget *budgets;
	size_t count;
};

/* What a metric is in one document. */
struct reading {
	int known;               /* 0: `why` says why not */
	int partial;             /* not all was measured or kept: the value is a lower bound; `why` says what is missing */
	double value;
	char why[160];
	const json_t *stall;     /* the worst one that counted; NULL = none */
	int is_list;             /* stalls matched, for count and total */
};

/* `highest`: the worst of several loops is the highest (a max is judged), else the lowest. */
struct reading metric_read(const struct budget *budget, const json_t *document, int highest);

#endif

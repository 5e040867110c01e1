/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Findings are data: one file core/finding_psNNN.c per finding, which ends in
 * one const struct; the table in findings.c names them all. The dashboard, the
 * summary, `check` and docs/findings.md read the same rows.
 */
#ifndef FINDINGS_H
#define FINDINGS_H

#include "model.h"

#define FINDINGS_ACTIVE_NS 60000000000ull /* evidence this young makes a finding active */
#define FINDINGS_RATE_SECONDS 10          /* rates are judged over this many seconds */

struct findings_list;

struct finding_rule {
	const char *id;         /* "PS001" */
	const char *name;       /* "loop blocked by CPU work" */
	const char *defaults;   /* the threshold, for people: ">= 50 ms warn, >= 100 ms crit" */
	const char *advice;     /* what to try */
	const char *confirm;    /* how to make sure that it is so */
	const char *where;      /* the dashboard's screen with the evidence: "stalls", "pool", … */
	/* Adds what it finds in evidence not older than since_ns; `rule` is this row. */
	void (*judge)(const struct finding_rule *rule, const struct model *model, uint64_t since_ns, struct findings_list *list);
};

extern const struct finding_rule finding_ps001, finding_ps002, finding_ps003, finding_ps004, finding_ps005, finding_ps006,
	finding_ps007, finding_ps008, finding_ps009, finding_ps010, finding_ps011, finding_ps012, finding_ps013, finding_ps014, finding_ps015, finding_ps016,
	finding_ps017, finding_ps018, finding_ps019, finding_ps090;
extern const struct finding_rule *const finding_rules[]; /* NULL-terminated, in order of id */

/* The row of an id, or NULL. */
const struct finding_rule *finding_rule_of(const char *id);

/* As model_findings(), with evidence since `since_ns`; 0 = of the whole stream. */
size_t findings_since(const struct model *model, uint64_t since_ns, struct finding *out, size_t room);

/* As model_verdict(), without those that somebody does not want to hear of; muted may be NULL. */
struct muted { int (*is)(const void *arg, const char *id); const void *arg; };
int findings_verdict(const struct model *model, const struct muted *muted, char *out, size_t room);

/* ---- for the rules ---- */

/* Keeps the finding if there is room for it among the worst. */
void findings_add(struct findings_list *list, const struct finding *finding);
__attribute__((format(printf, 2, 3))) void finding_title(struct finding *finding, const char *format, ...);
void finding_ns(struct finding *finding, const char *name, uint64_t ns);
void finding_count(struct finding *finding, const char *name, uint64_t count);
void finding_percent(struct finding *finding, const char *name, uint64_t percent);
void finding_text(struct finding *finding, const char *name, const char *text);
struct finding finding_of(const struct finding_rule *rule, enum severity severity, const struct loop *loop);

/* "main thread", "thread 4711", "thread 4711 (worker)": who runs the loop */
const char *finding_who(const struct model *model, const struct loop *loop, char out[64]);
/* "7x in 60s" */
const char *finding_often(const struct model *model, uint64_t since_ns, uint64_t count, char out[48]);

/* Instead of bits of causes: the stalls that next ticks made. They belong to no cause. */
#define FINDING_TICKS (1u << 31)
/* The stalls of one loop since then whose cause is one of the bits, at least least_ns long. */
struct stall_sum {
	uint64_t count, total_ns, last_ns;
	const struct stall *worst;
};
int finding_stalls(const struct model *model, const struct loop *loop, uint64_t since_ns, uint32_t causes, uint64_t least_ns,
		   struct stall_sum *sum);
/* For every loop: a finding when there are such stalls; the worst one decides warn or crit. */
void finding_of_stalls(const struct finding_rule *rule, const struct model *model, uint64_t since_ns, uint32_t causes,
		       uint64_t warn_ns, uint64_t crit_ns, const char *verb, struct findings_list *list);
extern const char finding_advice_stopped[]; /* somebody keeps it from running */
/* Sums of the loop's last FINDINGS_RATE_SECONDS whole seconds; returns how many were watched. */
unsigned finding_recent(const struct model *model, const struct loop *loop, struct slot *sum);

#endif

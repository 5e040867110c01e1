/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside the summary: summary.c makes the head and the findings,
 * summary_loop.c loops with their stalls, summary_snapshot.c what was read of
 * them, summary_pool.c pools,
 * summary_culprit.c who did it again and again, and where the time went,
 * summary_print.c the text, summary_line.c a line of it, summary_absent.c what
 * was not measured.
 */
#ifndef SUMMARY_PARTS_H
#define SUMMARY_PARTS_H

#include "summary.h"

#define SUMMARY_STALLS 1000 /* newest of a loop that are listed; stall_count has all */
#define SUMMARY_ROWS   1000 /* descriptors and timers that are listed */
#define SUMMARY_PROFILE 100 /* functions of the profile that are listed */

struct summary_run {
	const struct model *model;
	json_t *not_measured;
};

json_t *summary_number(uint64_t value);           /* PS_UNKNOWN = null */
json_t *summary_hist(const struct hist *hist);    /* empty = null */
json_t *summary_text(const char *text);           /* "" = null */
void summary_put(json_t *object, const char *key, json_t *value); /* takes the reference */
void summary_missing(struct summary_run *run, const char *path, const char *key, enum ps_probe_group group);
void summary_told(struct summary_run *run, json_t *object, const char *path, const char *key, json_t *value,
		  enum ps_probe_group group);

json_t *summary_loop(struct summary_run *run, const struct loop *loop, size_t index);
json_t *summary_profile(struct summary_run *run, const struct loop *loop, const char *path);
json_t *summary_culprits(struct summary_run *run);
json_t *summary_snapshot(const struct loop *loop); /* NULL = none was taken */
json_t *summary_pools(struct summary_run *run);

#endif

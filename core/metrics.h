/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The model's totals as metrics: Prometheus text or OpenMetrics.
 *
 * Labels are few and bounded: a process is its command name and a loop adds its
 * thread's name, so what has the same names is summed; no pid, no path, no
 * peer. Histograms have one list of bounds for all, so they add up over hosts.
 * docs/metrics.md lists the families.
 */
#ifndef METRICS_H
#define METRICS_H

#include <stdio.h>

#include "model.h"

#define METRICS_GROUPS 200 /* pairs of labels; further ones are summed as "other" */
#define METRICS_BOUNDS 16

enum metrics_format { METRICS_TEXT, METRICS_OPENMETRICS };

extern const uint64_t metrics_bounds_ns[METRICS_BOUNDS];

/* timestamp_ns: CLOCK_REALTIME, beside every sample; 0 = none. 0, -ENOMEM, or -errno of out. */
int metrics_print(const struct model *model, enum metrics_format format, uint64_t timestamp_ns, const char *version,
		  FILE *out);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* The totals at the end of the recording as OpenMetrics text, stamped with that time. */
#include "export.h"
#include "metrics.h"

static int begin(struct export_run *run)
{
	return 0;
}

static int record(struct export_run *run, const struct ps_record *record)
{
	return 0;
}

static int end(struct export_run *run)
{
	const struct model *model = run->model;
	uint64_t offset = model->realtime_offset_ns ? model->realtime_offset_ns
						    : run->info->realtime_ns - run->info->monotonic_ns;
	uint64_t stamp = run->info->realtime_ns && model->now_ns ? model->now_ns + offset : 0;
	return metrics_print(model, METRICS_OPENMETRICS, stamp, run->info->tool, run->out);
}

const struct exporter export_openmetrics = {
	.name = "openmetrics",
	.suffix = ".om",
	.note = "the totals as OpenMetrics text, for Prometheus",
	.begin = begin,
	.record = record,
	.end = end,
};

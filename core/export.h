/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Exporters: one file and one const struct per format; a table names them all.
 * An exporter sees the record stream once, in order, in constant memory.
 */
#ifndef EXPORT_H
#define EXPORT_H

#include <stdio.h>

#include "model.h"
#include "psr.h"

struct export_run;

struct exporter {
	const char *name;      /* "perfetto" */
	const char *suffix;    /* ".pftrace" */
	const char *note;      /* for help: "Perfetto protobuf, opens in ui.perfetto.dev" */
	int (*begin)(struct export_run *run);
	/* model: state after the record was applied */
	int (*record)(struct export_run *run, const struct ps_record *record);
	int (*end)(struct export_run *run);
};

struct export_run {
	FILE *out;
	const struct model *model;
	const struct psr_info *info;
	void *state;           /* the exporter's own */
};

extern const struct exporter *const exporters[]; /* NULL-terminated */
const struct exporter *exporter_find(const char *name);
/* Runs a whole recording through. 0 or -errno (-EIO etc. from out). */
int export_recording(const struct exporter *exporter, struct psr_reader *reader, FILE *out);

#endif

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
	const char *name; /* "perfetto" */
	const char *suffix; /* ".pftrace" */
	const char *note; /* for help: "Perfetto protobuf, opens in ui.perfetto.dev" */
	int is_folder; /* it makes files in run->folder and writes nothing to run->out */
	int (*begin)(struct export_run *run);
	/* model: state after the record was applied */
	int (*record)(struct export_run *run, const struct ps_record *record);
	int (*end)(struct export_run *run);
};

struct export_run {
	FILE *out;
	int folder; /* descriptor of an empty folder, for those who want one */
	const struct model *model;
	const struct psr_info *info;
	void *state; /* the exporter's own */
};

/*
 * Tells every stall that has closed since the last call, each once: a stall is
 * known when it closes, and with several loops they close in any order. The
 * cursor begins zeroed; at most STALL_CURSOR stalls may be open before the
 * newest, older ones are given up.
 */
#define STALL_CURSOR 64
struct stall_cursor {
	uint64_t next; /* all ids below were told */
	uint64_t told; /* bit i: next + i was told */
};
int stalls_each_closed(struct stall_cursor *cursor, const struct model *model,
		       int (*visit)(void *arg, const struct stall *stall), void *arg);

extern const struct exporter *const exporters[]; /* NULL-terminated */
const struct exporter *exporter_find(const char *name);
/* Runs a whole recording through. 0 or -errno (-EIO etc. from out). */
int export_recording(const struct exporter *exporter, struct psr_reader *reader, FILE *out);
/* The same for one that is_folder, into an empty folder. */
int export_into(const struct exporter *exporter, struct psr_reader *reader, int folder);

#endif

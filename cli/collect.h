/* SPDX-License-Identifier: BSD-2-Clause */
/* Watch for a while and tell: what stat and record share. */
#ifndef COLLECT_H
#define COLLECT_H

#include <jansson.h>

#include "model.h"
#include "options.h"
#include "psr.h"

/* Watches with a recording to options->output if given, then prints the summary unless `silent`. An exit code. */
int collect(const struct options *options, int silent);

/* The summary of the model on stdout: JSON (indented or on a line) or text. 0 or an exit code. */
int tell_summary(const struct model *model, const struct options *options);
/* The same of a recording, whose head says where it was made. */
int tell_recorded(const struct model *model, const struct psr_info *info, const struct options *options);
int tell_line(const struct model *model);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* A recording as a source: file -> records -> model. */
#ifndef RECORDING_H
#define RECORDING_H

#include <stdint.h>

#include "model.h"
#include "psr.h"

struct recording {
	const char *name;      /* as given */
	int fd;
	struct psr_reader *reader;
	struct model *model;
};

/* What this machine and this run are, for the header of a new recording. */
void recording_describe(struct psr_info *info, uint64_t stall_ns);

/* Opens "-" (standard input) or a file; stall_ns 0 = as it was recorded. Says what is wrong and returns the exit code. */
int recording_open(struct recording *recording, const char *name, uint64_t stall_ns);
/* Applies everything to the model. 0 or an exit code; says when the file is not whole. */
int recording_read(struct recording *recording);
/* Back to the first record, with an empty model. -ESPIPE when the input is a pipe. */
int recording_rewind(struct recording *recording);
/* One sentence on stderr unless the file is whole. */
void recording_tell_state(const struct recording *recording);
void recording_close(struct recording *recording);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names for what flight recorders tell as numbers: function addresses become
 * SYMBOL definitions, descriptors become FD_LIFE NAMED records. One per
 * process. Both are limited per drain, so a target that invents numbers costs
 * a bounded amount of work; what did not get its turn is met again.
 */
#ifndef RING_NAMES_H
#define RING_NAMES_H

#include <stdint.h>
#include <sys/types.h>

#include "source.h"

struct ring_names;

/* `process`, `symbols` and `stream` must outlive the names. */
int ring_names_open(struct ring_names **names, const struct proc_id *process, struct symbols *symbols,
		    struct stream *stream);
void ring_names_close(struct ring_names *names);
/* Looks at a record that goes out: its functions are named at once, its descriptor is remembered. */
void ring_names_note(struct ring_names *names, const struct ps_record *record);
/* End of a drain: what is remembered and still open is named. */
void ring_names_drain(struct ring_names *names);

#endif

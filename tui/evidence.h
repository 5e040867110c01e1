/* SPDX-License-Identifier: BSD-2-Clause */
/* The evidence of one stall, as lines. */
#ifndef EVIDENCE_H
#define EVIDENCE_H

#include "list.h"

void evidence_facts(struct list *list, const struct stall *stall);   /* split of the time, syscall, callback, held up */
void evidence_stacks(struct list *list, const struct stall *stall);  /* sampled while it lasted */

#endif

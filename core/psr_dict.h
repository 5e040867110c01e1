/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a recording has defined so far: strings, frames, stacks, symbols, who
 * exists, which descriptors are open and which probes work. The writer repeats it at seek points, so a
 * reader that starts there or lost a chunk understands what follows.
 */
#ifndef PSR_DICT_H
#define PSR_DICT_H

#include "ps_event.h"

struct psr_dict;

int psr_dict_open(struct psr_dict **dict);
void psr_dict_close(struct psr_dict *dict);
/* Remembers a copy when the record is a definition; the newest of a key wins. 0 or -ENOMEM. */
int psr_dict_learn(struct psr_dict *dict, const struct ps_record *record);
/* All in an order in which each refers only to those before it. Stops at the first non-zero answer and returns it. */
int psr_dict_each(const struct psr_dict *dict, int (*visit)(void *arg, const struct ps_record *record), void *arg);

#endif

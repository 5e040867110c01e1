/* SPDX-License-Identifier: BSD-2-Clause */
/* The unwind rules (.eh_frame) of one ELF file. */
#ifndef SYMBOLS_CFI_H
#define SYMBOLS_CFI_H

#include "unwind.h"

struct cfi;

int cfi_open(struct cfi **cfi, int fd); /* fd stays the caller's, and open as long as this; -ENOEXEC: no rules in it */
void cfi_close(struct cfi *cfi);
int cfi_rule(struct cfi *cfi, uint64_t address, struct unwind_rule *rule); /* `address` as symbols have it; -ENOENT */

#endif

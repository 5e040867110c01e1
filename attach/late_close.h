/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ending links that take the kernel long: for each classic tracepoint it waits
 * until all CPUs have passed on, tens of milliseconds, in which whoever drains
 * rings would stand still. A thread does it.
 */
#ifndef LATE_CLOSE_H
#define LATE_CLOSE_H

#include <bpf/libbpf.h>

struct late_close;

/* Takes the links over; at once where there is no thread to be had. NULL: that is done. */
struct late_close *late_close_begin(struct bpf_link *const *links, int count);
/* Waits until it is done; may be called with NULL. */
void late_close_end(struct late_close *late);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef ATTACH_TICK_H
#define ATTACH_TICK_H

#include <stdint.h>

/* The kernel's function that its interrupt enters. */
#define TICK_ENTRY "asm_sysvec_apic_timer_interrupt"

/*
 * The scheduler's tick as a clock for samples: how many ticks make at most `wanted_ns`, and in *sample_ns how long they
 * take. 0 = it cannot be used: it is not often enough, or does not come on every CPU by the interrupt that
 * we see, or the kernel does not tell the names of its functions.
 */
uint32_t tick_find(uint64_t wanted_ns, uint64_t *sample_ns);

#endif

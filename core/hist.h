/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Log-linear histogram of nanoseconds: each power of two is cut into
 * HIST_SUB equal parts, so a quantile is at most 1/HIST_SUB (6.25 %) too large
 * and never too small. The bucket function is the same in BPF and here;
 * histograms of equal layout add up exactly.
 */
#ifndef HIST_H
#define HIST_H

#include <stdint.h>

#define HIST_SUB_BITS 4
#define HIST_SUB (1u << HIST_SUB_BITS)
#define HIST_BUCKETS 640 /* values up to 2^43 ns (2.4 h) exactly placed, the rest in the last bucket */

struct hist {
	uint64_t count;
	uint64_t sum;
	uint64_t min;   /* meaningless while count is 0 */
	uint64_t max;
	uint32_t buckets[HIST_BUCKETS];
};

unsigned hist_bucket(uint64_t value);
uint64_t hist_bucket_low(unsigned bucket);   /* least value of the bucket */
void hist_add(struct hist *hist, uint64_t value);
void hist_add_many(struct hist *hist, uint64_t value, uint64_t count);
void hist_merge(struct hist *into, const struct hist *from);
/* Least bucket bound >= the q-quantile (0..1), never above max; 0 when empty. */
uint64_t hist_quantile(const struct hist *hist, double q);

#endif

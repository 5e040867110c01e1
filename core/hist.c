/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Log-linear histogram: values below HIST_SUB have a bucket each; above, the
 * highest set bit chooses a row and the HIST_SUB_BITS bits under it the bucket
 * in that row, so a bucket is never wider than 1/HIST_SUB of its least value.
 * Counters stop at their maximum instead of wrapping.
 */
#include "hist.h"

unsigned hist_bucket(uint64_t value)
{
	if (value < HIST_SUB)
		return (unsigned)value;
	unsigned shift = 63 - (unsigned)__builtin_clzll(value) - HIST_SUB_BITS;
	unsigned bucket = shift * HIST_SUB + (unsigned)(value >> shift);
	return bucket < HIST_BUCKETS ? bucket : HIST_BUCKETS - 1;
}

uint64_t hist_bucket_low(unsigned bucket)
{
	if (bucket < HIST_SUB)
		return bucket;
	return (uint64_t)(HIST_SUB + bucket % HIST_SUB) << (bucket / HIST_SUB - 1);
}

static uint64_t add_capped(uint64_t a, uint64_t b)
{
	return a + b < a ? UINT64_MAX : a + b;
}

void hist_add(struct hist *hist, uint64_t value)
{
	hist_add_many(hist, value, 1);
}

void hist_add_many(struct hist *hist, uint64_t value, uint64_t count)
{
	uint64_t sum, in_bucket;
	if (!count)
		return;
	if (!hist->count || value < hist->min)
		hist->min = value;
	if (!hist->count || value > hist->max)
		hist->max = value;
	hist->count += count;
	hist->sum = add_capped(hist->sum, __builtin_mul_overflow(value, count, &sum) ? UINT64_MAX : sum);
	uint32_t *bucket = &hist->buckets[hist_bucket(value)];
	in_bucket = add_capped(*bucket, count);
	*bucket = in_bucket < UINT32_MAX ? (uint32_t)in_bucket : UINT32_MAX;
}

void hist_merge(struct hist *into, const struct hist *from)
{
	if (!from->count)
		return;
	if (!into->count || from->min < into->min)
		into->min = from->min;
	if (!into->count || from->max > into->max)
		into->max = from->max;
	into->count += from->count;
	into->sum = add_capped(into->sum, from->sum);
	for (unsigned i = 0; i < HIST_BUCKETS; i++) {
		uint64_t sum = (uint64_t)into->buckets[i] + from->buckets[i];
		into->buckets[i] = sum < UINT32_MAX ? (uint32_t)sum : UINT32_MAX;
	}
}

uint64_t hist_quantile(const struct hist *hist, double q)
{
	if (!hist->count)
		return 0;
	double wanted = q * (double)hist->count;
	uint64_t seen = 0;
	for (unsigned i = 0; i < HIST_BUCKETS - 1; i++) {
		seen += hist->buckets[i];
		if (!hist->buckets[i] || (double)seen < wanted)
			continue;
		uint64_t high = hist_bucket_low(i + 1) - 1;
		return high < hist->max ? high : hist->max;
	}
	return hist->max;
}

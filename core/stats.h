/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Statistics of few runs: is one group of measurements larger than another, by
 * how much, and how sure is that? No normal distribution is assumed, for run
 * times have none. Pure and repeatable: what is drawn at random is drawn from a
 * fixed seed.
 */
#ifndef STATS_H
#define STATS_H

#include <stddef.h>
#include <stdint.h>

#define STATS_RESAMPLES 2000
#define STATS_EXACT_MOST 100 /* runs in both groups together that are still counted out */

double stats_median(const double *values, size_t n); /* n > 0 */

/*
 * Mann-Whitney's U of b over a: pairs in which b is greater, ties half. With
 * at most STATS_EXACT_MOST values the probabilities are exact, also with ties
 * (every assignment of the midranks at hand is counted); above, the normal
 * approximation with corrections for ties and continuity.
 */
struct mann_whitney {
	double u;
	double greater; /* P(U >= u): b is greater only by chance */
	double less; /* P(U <= u) */
	double both; /* two-sided: twice the smaller of them, at most 1 */
	int exact;
};
int stats_mann_whitney(const double *a, size_t n, const double *b, size_t m,
		       struct mann_whitney *result); /* -EINVAL, -ENOMEM */

/*
 * Hodges and Lehmann's shift of b against a: the median of all differences
 * b - a, with a percentile bootstrap interval of `level` (0.95).
 */
struct shift {
	double shift, low, high;
};
int stats_shift(const double *a, size_t n, const double *b, size_t m, double level, uint64_t seed,
		struct shift *result);

/* Holm's correction, in place: each p as if it had been the only question. */
int stats_holm(double *p, size_t n);

/* Wilson's interval of a rate: `hits` of `tries`, 95 %. */
void stats_rate(size_t hits, size_t tries, double *low, double *high);

#endif

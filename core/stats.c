/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mann and Whitney 1947, Hodges and Lehmann 1963, Efron 1979, Holm 1979.
 *
 * The exact distribution is counted with doubled midranks, which are whole
 * numbers: ways[k][s] is in how many ways k of the values have the rank sum s.
 * At 100 values the counts stay below 1e30, where doubles are still exact to
 * fifteen digits.
 */
#include "stats.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return x < y ? -1 : x > y;
}

static double median_sorted(const double *sorted, size_t n)
{
	return n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

double stats_median(const double *values, size_t n)
{
	double few[256], *copy = n <= 256 ? few : malloc(n * sizeof(*copy));
	if (!n || !copy)
		return NAN;
	memcpy(copy, values, n * sizeof(*copy));
	qsort(copy, n, sizeof(*copy), by_value);
	double median = median_sorted(copy, n);
	if (copy != few)
		free(copy);
	return median;
}

static int all_finite(const double *values, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!isfinite(values[i]))
			return 0;
	return n > 0;
}

/* ---- ranks ---- */

struct ranks {
	size_t total; /* n + m */
	uint32_t *doubled; /* midranks of all values in order, times two */
	uint64_t sum_b; /* doubled rank sum of b */
	double tied; /* sum of t^3 - t over groups of equal values */
};

struct item {
	double value;
	int is_b;
};

static int by_item(const void *a, const void *b)
{
	return by_value(&((const struct item *)a)->value, &((const struct item *)b)->value);
}

static int rank_all(struct ranks *ranks, const double *a, size_t n, const double *b, size_t m)
{
	size_t total = n + m;
	struct item *items = malloc(total * sizeof(*items));
	*ranks = (struct ranks){ .total = total, .doubled = malloc(total * sizeof(*ranks->doubled)) };
	if (!items || !ranks->doubled) {
		free(items);
		free(ranks->doubled);
		return -ENOMEM;
	}
	for (size_t i = 0; i < total; i++)
		items[i] = i < n ? (struct item){ a[i], 0 } : (struct item){ b[i - n], 1 };
	qsort(items, total, sizeof(*items), by_item);
	for (size_t i = 0, end; i < total; i = end) {
		for (end = i + 1; end < total && items[end].value <= items[i].value;)
			end++;
		double size = (double)(end - i);
		ranks->tied += size * size * size - size;
		for (size_t k = i; k < end; k++) {
			ranks->doubled[k] = (uint32_t)(i + end + 1); /* twice the mean of i+1 .. end */
			ranks->sum_b += items[k].is_b ? i + end + 1 : 0;
		}
	}
	free(items);
	return 0;
}

/* ---- Mann-Whitney ---- */

/* P(rank sum of m values >= / <= the one seen), over all ways to choose m of them. */
static int count_ways(const struct ranks *ranks, size_t m, double *greater, double *less)
{
	size_t sums = ranks->total * (ranks->total + 1) + 1; /* doubled sum of all ranks, and 0 */
	double *ways = calloc((m + 1) * sums, sizeof(*ways));
	if (!ways)
		return -ENOMEM;
	ways[0] = 1;
	for (size_t i = 0; i < ranks->total; i++)
		for (size_t k = i + 1 < m ? i + 1 : m; k > 0; k--)
			for (size_t s = sums; s-- > ranks->doubled[i];)
				ways[k * sums + s] += ways[(k - 1) * sums + s - ranks->doubled[i]];
	double all = 0, up = 0, down = 0;
	for (size_t s = 0; s < sums; s++) {
		double count = ways[m * sums + s];
		all += count;
		up += s >= ranks->sum_b ? count : 0;
		down += s <= ranks->sum_b ? count : 0;
	}
	*greater = up / all;
	*less = down / all;
	free(ways);
	return 0;
}

static double above(double z)
{
	return erfc(z / sqrt(2)) / 2;
}

static void approximate(const struct ranks *ranks, size_t n, size_t m, struct mann_whitney *result)
{
	double total = (double)ranks->total, pairs = (double)n * (double)m;
	double variance = pairs / 12 * (total + 1 - ranks->tied / (total * (total - 1)));
	double deviation = sqrt(variance), distance = result->u - pairs / 2;
	result->greater = variance > 0 ? above((distance - 0.5) / deviation) : 1;
	result->less = variance > 0 ? above((-distance - 0.5) / deviation) : 1;
}

int stats_mann_whitney(const double *a, size_t n, const double *b, size_t m, struct mann_whitney *result)
{
	struct ranks ranks;
	*result = (struct mann_whitney){ .greater = 1, .less = 1, .both = 1 };
	if (!all_finite(a, n) || !all_finite(b, m))
		return -EINVAL;
	int err = rank_all(&ranks, a, n, b, m);
	if (err)
		return err;
	result->u = (double)ranks.sum_b / 2 - (double)m * (double)(m + 1) / 2;
	result->exact = ranks.total <= STATS_EXACT_MOST;
	if (result->exact)
		err = count_ways(&ranks, m, &result->greater, &result->less);
	else
		approximate(&ranks, n, m, result);
	free(ranks.doubled);
	result->both = fmin(1, 2 * fmin(result->greater, result->less));
	return err;
}

/* ---- Hodges-Lehmann ---- */

/* splitmix64: a counter that is mixed, so a seed is all its state */
static uint64_t draw(uint64_t *state)
{
	uint64_t z = *state += 0x9E3779B97F4A7C15ull;
	z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9ull;
	z = (z ^ z >> 27) * 0x94D049BB133111EBull;
	return z ^ z >> 31;
}

static void resample(const double *from, double *to, size_t n, uint64_t *state)
{
	for (size_t i = 0; i < n; i++)
		to[i] = from[(draw(state) >> 32) * n >> 32];
}

static double shift_of(const double *a, size_t n, const double *b, size_t m, double *room)
{
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < m; k++)
			room[i * m + k] = b[k] - a[i];
	qsort(room, n * m, sizeof(*room), by_value);
	return median_sorted(room, n * m);
}

int stats_shift(const double *a, size_t n, const double *b, size_t m, double level, uint64_t seed, struct shift *result)
{
	*result = (struct shift){ NAN, NAN, NAN };
	if (!all_finite(a, n) || !all_finite(b, m) || n > 10000 || m > 10000)
		return -EINVAL;
	double *room = malloc((n * m + n + m + STATS_RESAMPLES) * sizeof(*room));
	if (!room)
		return -ENOMEM;
	double *drawn_a = room + n * m, *drawn_b = drawn_a + n, *shifts = drawn_b + m;
	result->shift = shift_of(a, n, b, m, room);
	for (size_t i = 0; i < STATS_RESAMPLES; i++) {
		resample(a, drawn_a, n, &seed);
		resample(b, drawn_b, m, &seed);
		shifts[i] = shift_of(drawn_a, n, drawn_b, m, room);
	}
	qsort(shifts, STATS_RESAMPLES, sizeof(*shifts), by_value);
	size_t cut = (size_t)((1 - level) / 2 * STATS_RESAMPLES);
	result->low = shifts[cut];
	result->high = shifts[STATS_RESAMPLES - 1 - cut];
	free(room);
	return 0;
}

/* ---- many questions, and rates ---- */

struct question {
	double p;
	size_t at;
};

static int by_p(const void *a, const void *b)
{
	return by_value(&((const struct question *)a)->p, &((const struct question *)b)->p);
}

int stats_holm(double *p, size_t n)
{
	struct question *questions = malloc((n + 1) * sizeof(*questions));
	double least = 0;
	if (!questions)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		questions[i] = (struct question){ p[i], i };
	qsort(questions, n, sizeof(*questions), by_p);
	for (size_t i = 0; i < n; i++) {
		least = fmax(least, fmin(1, questions[i].p * (double)(n - i)));
		p[questions[i].at] = least;
	}
	free(questions);
	return 0;
}

void stats_rate(size_t hits, size_t tries, double *low, double *high)
{
	const double z = 1.959963984540054;
	double n = (double)tries, rate = tries ? (double)hits / n : 0, spread = z * z / (n ? n : 1);
	double centre = (rate + spread / 2) / (1 + spread);
	double half = z * sqrt(rate * (1 - rate) / (n ? n : 1) + spread / (4 * (n ? n : 1))) / (1 + spread);
	*low = tries && centre > half ? centre - half : 0;
	*high = tries && centre + half < 1 ? centre + half : 1;
}

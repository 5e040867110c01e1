/* SPDX-License-Identifier: BSD-2-Clause */
/* Statistics against published tables and against a second implementation in Python (tests/data/stats.py). */
#include <errno.h>
#include <math.h>
#include <unistd.h>

#include "stats.h"
#include "test.h"

static void same(double is, double wanted)
{
	if (!(fabs(is - wanted) <= 1e-9 * fmax(1, fabs(wanted))))
		fail_msg("%.17g should be %.17g", is, wanted);
}

/* Groups without ties whose U of b over a is exactly `u`. */
static struct mann_whitney of_u(size_t n, size_t m, size_t u)
{
	double a[64], b[64];
	for (size_t i = 0; i < n; i++)
		a[i] = (double)(i + 1) * 100;
	for (size_t k = 0; k < m; k++) { /* b[k] beats as many of a as are left to be counted */
		size_t beats = u < n ? u : n;
		b[k] = (double)beats * 100 + 1 + (double)k;
		u -= beats;
	}
	struct mann_whitney result;
	assert_int_equal(stats_mann_whitney(a, n, b, m, &result), 0);
	assert_true(result.exact);
	return result;
}

TEST(small_samples_give_the_probabilities_of_mann_and_whitneys_table)
{
	/* P(U <= u) as n!m!/(n+m)! counts it: Mann and Whitney 1947, table I */
	static const struct {
		size_t n, m, u;
		double ways, of;
	} table[] = {
		{ 3, 3, 0, 1, 20 },   { 3, 3, 1, 2, 20 },	{ 3, 3, 2, 4, 20 },	  { 3, 3, 4, 10, 20 },
		{ 4, 4, 0, 1, 70 },   { 4, 4, 1, 2, 70 },	{ 4, 4, 2, 4, 70 },	  { 4, 4, 3, 7, 70 },
		{ 5, 5, 0, 1, 252 },  { 5, 5, 1, 2, 252 },	{ 5, 5, 2, 4, 252 },	  { 5, 5, 3, 7, 252 },
		{ 5, 5, 4, 12, 252 }, { 10, 10, 0, 1, 184756 }, { 10, 10, 1, 2, 184756 }, { 10, 10, 2, 4, 184756 },
		{ 1, 10, 0, 1, 11 },
	};
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		struct mann_whitney result = of_u(table[i].n, table[i].m, table[i].u);
		same(result.u, (double)table[i].u);
		same(result.less, table[i].ways / table[i].of);
	}
}

TEST(critical_values_are_those_of_the_tables)
{
	/* greatest U with P(two-sided) <= 0.05: Milton 1964 */
	static const struct {
		size_t n, m, critical;
	} table[] = {
		{ 4, 4, 0 },	{ 5, 5, 2 },	{ 6, 6, 5 },	{ 7, 7, 8 },	 { 8, 8, 13 }, { 9, 9, 17 },
		{ 10, 10, 23 }, { 12, 12, 37 }, { 15, 15, 64 }, { 20, 20, 127 }, { 5, 10, 8 }, { 10, 20, 55 },
	};
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		assert_true(of_u(table[i].n, table[i].m, table[i].critical).both <= 0.05);
		assert_true(of_u(table[i].n, table[i].m, table[i].critical + 1).both > 0.05);
	}
}

TEST(equal_values_are_shared_between_both_sides)
{
	const double a[] = { 1, 1, 1, 1 }, b[] = { 1, 1, 1, 1 }, c[] = { 1, 1, 1, 2 };
	struct mann_whitney result;
	assert_int_equal(stats_mann_whitney(a, 4, b, 4, &result), 0);
	same(result.u, 8);
	same(result.greater, 1);
	same(result.less, 1);
	assert_int_equal(stats_mann_whitney(a, 4, c, 4, &result), 0);
	same(result.u, 10);
	same(result.greater, 0.5); /* the one greater value falls to either group alike */
	same(result.less, 1);
}

TEST(many_values_are_approximated_close_to_the_exact_ones)
{
	double a[60], b[60];
	for (int i = 0; i < 60; i++) {
		a[i] = i;
		b[i] = i + 8.5;
	}
	struct mann_whitney exact, near;
	assert_int_equal(stats_mann_whitney(a, 50, b, 50, &exact), 0);
	assert_int_equal(stats_mann_whitney(a, 60, b, 60, &near), 0);
	assert_true(exact.exact && !near.exact);
	/* of 60 and 60: z = (2211 - 1800 - 0.5) / sqrt(60 * 60 * 121 / 12) */
	double wins = 0;
	for (int i = 0; i < 3600; i++)
		wins += b[i / 60] > a[i % 60];
	same(near.u, wins);
	same(near.greater, erfc((wins - 1800 - 0.5) / sqrt(36300) / sqrt(2)) / 2);
}

TEST(what_is_no_number_is_refused)
{
	const double good[] = { 1, 2 }, bad[] = { 1, NAN };
	struct mann_whitney result;
	struct shift shift;
	assert_int_equal(stats_mann_whitney(good, 2, bad, 2, &result), -EINVAL);
	assert_int_equal(stats_mann_whitney(good, 2, good, 0, &result), -EINVAL);
	assert_int_equal(stats_shift(bad, 2, good, 2, 0.95, 1, &shift), -EINVAL);
}

TEST(the_shift_is_the_median_of_all_differences_with_its_interval_around)
{
	const double a[] = { 10, 11, 12, 13, 14, 15, 16, 17, 18, 19 };
	double b[10];
	for (int i = 0; i < 10; i++)
		b[i] = a[i] + 5;
	struct shift shift, again;
	assert_int_equal(stats_shift(a, 10, b, 10, 0.95, 7, &shift), 0);
	same(shift.shift, 5);
	assert_true(shift.low < 5 && shift.low > 1 && shift.high > 5 && shift.high < 9);
	assert_int_equal(stats_shift(a, 10, b, 10, 0.95, 7, &again), 0);
	assert_memory_equal(&shift, &again, sizeof(shift));
}

TEST(holm_multiplies_the_smallest_by_all_and_never_falls)
{
	double p[] = { 0.01, 0.04, 0.03, 0.005 };
	const double wanted[] = { 0.03, 0.06, 0.06, 0.02 }; /* R: p.adjust(p, "holm") */
	assert_int_equal(stats_holm(p, 4), 0);
	for (int i = 0; i < 4; i++)
		same(p[i], wanted[i]);
}

TEST(a_rate_has_wilsons_interval)
{
	double low, high;
	stats_rate(0, 200, &low, &high); /* 0 .. z^2 / (n + z^2) */
	same(low, 0);
	same(high, 3.841458820694124 / 203.841458820694124);
	stats_rate(5, 10, &low, &high);
	assert_true(fabs(low - 0.2366) < 1e-4 && fabs(high - 0.7634) < 1e-4);
}

static double dice(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return (double)(*state >> 40) / (double)(1 << 24);
}

/* Writes groups of `kind`: 0 smooth, 1 with many ties, 2 shifted and skewed. */
static void make(double *values, size_t n, int kind, double by, uint64_t *state)
{
	for (size_t i = 0; i < n; i++) {
		double value = dice(state);
		values[i] = kind == 1	? floor(value * 4) + floor(by * 2)
			    : kind == 2 ? exp(3 * value) * 1e6 * (1 + by)
					: value + by;
	}
}

TEST(python_finds_the_same_to_nine_digits)
{
	static const size_t sizes[][2] = { { 3, 3 }, { 4, 6 }, { 5, 5 }, { 7, 8 }, { 10, 10 }, { 10, 12 }, { 1, 9 } };
	char in[] = "/tmp/pollscope-test-XXXXXX", command[256];
	double a[24][16], b[24][16];
	uint64_t seed = 42;
	size_t count = 0;
	if (access("/usr/bin/python3", X_OK))
		SKIP("python3 is not installed");
	int fd = mkstemp(in);
	FILE *out = fdopen(fd, "w");
	for (int kind = 0; kind < 3; kind++)
		for (size_t s = 0; s < sizeof(sizes) / sizeof(*sizes); s++, count++) {
			make(a[count], sizes[s][0], kind, 0, &seed);
			make(b[count], sizes[s][1], kind, 0.1 * (double)s, &seed);
			for (size_t i = 0; i < sizes[s][0]; i++)
				fprintf(out, "%.17g ", a[count][i]);
			fputs("|", out);
			for (size_t i = 0; i < sizes[s][1]; i++)
				fprintf(out, " %.17g", b[count][i]);
			fputs("\n", out);
		}
	fclose(out);
	snprintf(command, sizeof(command), "/usr/bin/python3 tests/data/stats.py <%s", in);
	FILE *python = popen(command, "r");
	for (size_t c = 0; c < count; c++) {
		size_t n = sizes[c % 7][0], m = sizes[c % 7][1];
		struct mann_whitney test;
		struct shift shift;
		assert_int_equal(stats_mann_whitney(a[c], n, b[c], m, &test), 0);
		assert_int_equal(stats_shift(a[c], n, b[c], m, 0.95, 7, &shift), 0);
		double holm[] = { test.greater, test.less, test.both };
		assert_int_equal(stats_holm(holm, 3), 0);
		const double mine[] = { test.u,	   test.greater, test.less, test.both, shift.shift,
					shift.low, shift.high,	 holm[0],   holm[1],   holm[2] };
		for (size_t i = 0; i < sizeof(mine) / sizeof(*mine); i++) {
			double other;
			assert_int_equal(fscanf(python, "%lf", &other), 1);
			same(mine[i], other);
		}
	}
	assert_int_equal(pclose(python), 0);
	unlink(in);
}

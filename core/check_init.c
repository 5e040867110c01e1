/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A first budget from one recording: what was measured, with room for what
 * changes by chance, and the reason of each line beside it. The recording that
 * it was made from passes it.
 */
#include "check_parts.h"

#include <math.h>
#include <string.h>

#include "text.h"

static const json_t *part(const json_t *document, const char *key)
{
	return json_object_get(document, key);
}

static double value_of(const char *metric, const json_t *document, struct reading *reading)
{
	struct budget budget = { .row = metric_find(metric) };
	snprintf(budget.metric, sizeof(budget.metric), "%s", metric);
	*reading = metric_read(&budget, document, 1, 0);
	return reading->known ? reading->value : -1;
}

/* The next "round" duration above: two digits are enough for a limit that people read. */
static const char *round_up(char out[32], double ns)
{
	static const struct { double ns; const char *unit; } units[] = { { 1e9, "s" }, { 1e6, "ms" }, { 1e3, "us" }, { 1, "ns" } };
	double step = ns > 0 ? pow(10, floor(log10(ns)) - 1) : 1;
	double rounded = ceil(ns / step - 1e-9) * step;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (rounded >= units[i].ns || units[i].ns == 1) {
			snprintf(out, 32, "%.10g%s", rounded / units[i].ns, units[i].unit);
			break;
		}
	return out;
}

/* Text of the target in a comment: one line, whatever it holds. */
static const char *clean(char out[160], const json_t *text)
{
	const char *words = json_string_value(text);
	text_clean(out, 160, words ? words : "", words ? strlen(words) : 0);
	return out;
}

static void put_head(const json_t *document, const char *name, FILE *out)
{
	char tool[160], command[160], window[16], file[160];
	text_clean(file, sizeof(file), name, strlen(name));
	fprintf(out, "# A first budget, made by %s from %s: %s,\n", clean(tool, part(document, "tool")), file,
		clean(command, part(part(document, "target"), "cmdline")));
	fprintf(out, "# watched for %s, %.0f events, %.0f lost. Every limit is what was measured then, with room for chance:\n"
		     "# make them as tight as the program should be.\n",
		text_duration(window, (uint64_t)json_number_value(part(document, "window_ns"))),
		json_number_value(part(document, "events")), json_number_value(part(part(document, "lost"), "total")));
	fputs("schema: 1\n\nbudgets:\n", out);
}

static void put_iterations(const json_t *document, FILE *out)
{
	struct reading reading;
	double iterations = value_of("iterations", document, &reading);
	if (iterations < 2)
		return;
	fprintf(out, "  # The loop turned %.0f times. A run with fewer than half of that has not seen the program at work.\n"
		     "  - metric: iterations\n    min: %.0f\n", iterations, floor(iterations / 2));
}

static void put_sync(const json_t *document, FILE *out)
{
	struct budget budget = { .row = metric_find("stall.count"), .metric = "stall.count", .has_where = 1,
				 .where = { .rule = "sync-call" } };
	char culprit[160], threshold[32];
	struct reading reading = metric_read(&budget, document, 1, 0);
	round_up(threshold, json_number_value(part(document, "stall_threshold_ns")));
	if (reading.partial)
		return;
	if (reading.value > 0)
		fprintf(out, "  # Synchronous calls blocked the loop %.0f times (worst: %s): no more of them.\n", reading.value,
			clean(culprit, part(reading.stall, "culprit")));
	else
		fprintf(out, "  # No synchronous call blocked the loop for %s: keep it so.\n", threshold);
	fprintf(out, "  - metric: stall.count\n    where: { rule: sync-call }\n    max: %.0f\n", reading.value);
}

static void put_stalls(const json_t *document, FILE *out)
{
	struct reading reading;
	char limit[32], is[16], culprit[160];
	double longest = value_of("stall.max", document, &reading), threshold = json_number_value(part(document, "stall_threshold_ns"));
	if (longest < 0)
		return;
	if (longest > 0)
		fprintf(out, "  # The longest stall took %s (%s): half as long again.\n", text_duration(is, (uint64_t)longest),
			clean(culprit, part(reading.stall, "culprit")));
	else
		fprintf(out, "  # There was no stall: twice the threshold, for a busy machine makes one of %s by itself.\n",
			round_up(limit, threshold));
	fprintf(out, "  - metric: stall.max\n    max: %s\n", round_up(limit, longest > 0 ? longest * 1.5 : threshold * 2));
}

static const struct { const char *metric, *what; double times; } quantiles[] = {
	{ "lag.p99", "From ready to its callback, 99 of 100 took at most %s", 3 },
	{ "timer_late.p99", "Timers fired up to %s late, 99 of 100", 3 },
	{ "pool.wait.p99", "Jobs of the pool waited up to %s for a thread, 99 of 100", 3 },
};

static void put_quantiles(const json_t *document, FILE *out)
{
	for (size_t i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++) {
		struct reading reading;
		char text[160], is[16], limit[32];
		double value = value_of(quantiles[i].metric, document, &reading);
		if (value <= 0)
			continue;
		double most = fmax(value * quantiles[i].times, 5e6); /* below 5 ms it is the machine that is measured */
		const char *percent = strstr(quantiles[i].what, "%s");
		text_duration(is, (uint64_t)value);
		snprintf(text, sizeof(text), "%.*s%s%s", (int)(percent - quantiles[i].what), quantiles[i].what, is, percent + 2);
		fprintf(out, "  # %s: %g times that, or 5ms, for other programs of the machine are in it.\n  - metric: %s\n    max: %s\n",
			text, quantiles[i].times, quantiles[i].metric, round_up(limit, most));
	}
}

static void put_regressions(const json_t *document, FILE *out)
{
	struct reading reading;
	int has_cpu = value_of("cpu.per_iteration", document, &reading) > 0;
	fputs("\n# Judged with --baseline only. What is new is exact: one run of each side is enough.\nregressions:\n"
	      "  - metric: new.sync_calls\n  - metric: new.stalls\n  - metric: new.rules\n", out);
	if (has_cpu)
		fputs("  # CPU time, which a busy machine disturbs little: 10 runs of each side tell 3 % more from chance.\n"
		      "  - metric: cpu.per_iteration\n    margin: 3%\n", out);
	else
		fputs("  # CPU time was not measured in this recording; with the scheduler's probe (as root) add:\n"
		      "  # - metric: cpu.per_iteration\n  #   margin: 3%\n", out);
}

int check_init(const json_t *document, const char *name, FILE *out)
{
	put_head(document, name, out);
	put_iterations(document, out);
	put_sync(document, out);
	put_stalls(document, out);
	put_quantiles(document, out);
	put_regressions(document, out);
	return stream_state(out);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The summary for people: made from the document, so it can say nothing that
 * the JSON does not. Unknown is "n/a", never 0.
 */
#include "summary.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "summary_line.h"
#include "text.h"

#define WORST 10 /* stalls shown */
#define LOOPS 24 /* shown, and further ones that stalled */

/* ---- values as text ---- */

static const char *text_of(const json_t *object, const char *key, const char *otherwise)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text ? text : otherwise;
}

static const char *number(char out[16], const json_t *value)
{
	return json_is_integer(value) ? text_count(out, (uint64_t)json_integer_value(value)) : "n/a";
}

static const char *duration(char out[16], const json_t *value)
{
	return json_is_integer(value) ? text_duration(out, (uint64_t)json_integer_value(value)) : "n/a";
}

static uint64_t u64(const json_t *object, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(object, key));
}

/* "62%" of `whole`, "~" before it when estimated; "n/a" when not known */
static const char *share(char out[16], const json_t *part, uint64_t whole, int estimated)
{
	if (!json_is_integer(part) || !whole)
		return "n/a";
	snprintf(out, 16, "%s%.0f%%", estimated ? "~" : "", (double)json_integer_value(part) * 100 / (double)whole);
	return out;
}

/* ---- parts ---- */

/* A program that crashed while it was watched is the first thing to know. */
static void print_end(struct line *line, const json_t *target)
{
	const json_t *told = json_object_get(target, "exit_status");
	int status = (int)json_integer_value(told);
	if (!json_is_true(json_object_get(target, "exited")))
		return;
	if (!json_is_integer(told))
		line_say(line, "it has ended, how is not known");
	else if (status & 0x7f)
		line_say(line, "it has ended by signal %d (%s)", status & 0x7f, strsignal(status & 0x7f));
	else
		line_say(line, "it has ended with exit code %d", status >> 8 & 0xff);
	line_end(line);
}

static void print_head(struct line *line, const json_t *document)
{
	const json_t *target = json_object_get(document, "target"), *cost = json_object_get(document, "own_cost");
	const json_t *cpu = json_object_get(cost, "cpu_ns"),
		     *lost = json_object_get(json_object_get(document, "lost"), "total");
	char a[16], b[16], c[16];
	if (json_is_object(target)) {
		line_say(line, "%s[%lld]", text_of(target, "comm", "?"),
		    (long long)json_integer_value(json_object_get(target, "pid")));
		line_say(line, "  %s %s  ", text_of(target, "runtime", ""), text_of(target, "runtime_version", ""));
		line_say(line, "%s", text_of(target, "cmdline", ""));
		line_end(line);
	}
	uint64_t window = u64(document, "window_ns");
	line_say(line, "watched %s   events %s   lost %s", duration(a, json_object_get(document, "window_ns")),
	    number(b, json_object_get(document, "events")), number(c, lost));
	if (json_is_integer(cpu) && window)
		line_say(line, "   own cost %.1f%% of a CPU", (double)json_integer_value(cpu) * 100 / (double)window);
	if (json_is_integer(json_object_get(cost, "rss_bytes")))
		line_say(line, ", %s", text_bytes(a, u64(cost, "rss_bytes")));
	line_end(line);
	print_end(line, target);
}

static void print_hist(struct line *line, const char *name, const json_t *hist)
{
	char p50[16], p90[16], p99[16], max[16], count[16];
	line_say(line, "  %-12s %8s %8s %8s %8s %8s", name, duration(p50, json_object_get(hist, "p50")),
	    duration(p90, json_object_get(hist, "p90")), duration(p99, json_object_get(hist, "p99")),
	    duration(max, json_object_get(hist, "max")), number(count, json_object_get(hist, "count")));
	line_end(line);
}

static void print_phases(struct line *line, const json_t *phases)
{
	const json_t *phase;
	size_t i;
	if (!json_array_size(phases))
		return;
	line_say(line, "  phases       %8s %8s %8s %8s", "COUNT", "TOTAL", "P99", "MAX");
	line_end(line);
	json_array_foreach(phases, i, phase)
	{
		char count[16], total[16], p99[16], max[16];
		line_say(line, "    %-10s %8s %8s %8s %8s", text_of(phase, "name", ""),
		    number(count, json_object_get(phase, "count")), duration(total, json_object_get(phase, "total_ns")),
		    duration(p99, json_object_get(phase, "p99_ns")), duration(max, json_object_get(phase, "max_ns")));
		line_end(line);
	}
}

static int longest_first(const void *a, const void *b)
{
	uint64_t x = u64(*(json_t *const *)a, "duration_ns"), y = u64(*(json_t *const *)b, "duration_ns");
	uint64_t s = u64(*(json_t *const *)a, "start_ns"), t = u64(*(json_t *const *)b, "start_ns");
	return x != y ? (x < y ? 1 : -1) : s < t ? -1 : s > t;
}

static void print_stall(struct line *line, const json_t *stall, uint64_t first_ns)
{
	char length[16], cpu[16];
	uint64_t start = u64(stall, "start_ns");
	double at = start > first_ns ? (double)(start - first_ns) / 1e9 : 0;
	line_say(line, "  %9.3fs %7s%s %-8s %-10s %-11s %6s  %s", at,
	    duration(length, json_object_get(stall, "duration_ns")),
	    json_is_true(json_object_get(stall, "open")) ? "+" : " ", text_of(stall, "phase", "n/a"),
	    text_of(stall, "cause", ""), text_of(stall, "rule", ""),
	    share(cpu, json_object_get(stall, "on_cpu_ns"), u64(stall, "duration_ns"),
		  json_is_true(json_object_get(stall, "estimated"))),
	    text_of(stall, "culprit", ""));
	line_end(line);
	const json_t *own = json_object_get(stall, "own");
	if (json_is_object(own)) {
		line_say(line, "  %10s %7s  %-8s %-10s %-11s %6s  own %s: %s", "", "", "", "", text_of(own, "rule", ""), "",
		    duration(length, json_object_get(own, "ns")), text_of(own, "culprit", ""));
		line_end(line);
	}
}

static void print_stalls(struct line *line, const json_t *document, const json_t *loop)
{
	const json_t *stalls = json_object_get(loop, "stalls");
	size_t count = json_array_size(stalls), shown = count < WORST ? count : WORST;
	char least[16], number_of[16], total[16], max[16];
	line_say(line, "  stalls >= %s: %s", duration(least, json_object_get(document, "stall_threshold_ns")),
	    number(number_of, json_object_get(loop, "stall_count")));
	if (u64(loop, "stall_count"))
		line_say(line, ", together %s, longest %s", duration(total, json_object_get(loop, "stall_total_ns")),
		    duration(max, json_object_get(loop, "stall_max_ns")));
	if (shown < u64(loop, "stall_count"))
		line_say(line, " (the %zu longest)", shown);
	line_end(line);
	const json_t **sorted = count ? calloc(count, sizeof(*sorted)) : NULL;
	if (!sorted)
		return;
	for (size_t i = 0; i < count; i++)
		sorted[i] = json_array_get(stalls, i);
	qsort(sorted, count, sizeof(*sorted), longest_first);
	line_say(line, "  %10s %7s  %-8s %-10s %-11s %6s  %s", "AT", "LENGTH", "PHASE", "CAUSE", "RULE", "ON-CPU",
	    "CULPRIT");
	line_end(line);
	for (size_t i = 0; i < shown; i++)
		print_stall(line, sorted[i], u64(json_object_get(loop, "window"), "first_ns"));
	free(sorted);
}

static void print_timers(struct line *line, const json_t *timers)
{
	char armed[16], depth[16], due[16], overdue[16];
	if (!json_is_integer(json_object_get(timers, "armed")))
		return;
	line_say(line, "  timers       armed %s   levels %s   next due in %s   overdue %s",
	    number(armed, json_object_get(timers, "armed")), number(depth, json_object_get(timers, "depth")),
	    duration(due, json_object_get(timers, "next_due_ns")), number(overdue, json_object_get(timers, "overdue")));
	line_end(line);
	if (*text_of(timers, "note", "")) {
		line_say(line, "               ");
		line_wrap(line, text_of(timers, "note", ""), 15);
	}
}

/* Nothing came: one wait from the beginning to the end, and no timer that would tell more. */
static int slept(const json_t *loop)
{
	const json_t *utilization = json_object_get(loop, "utilization");
	return !u64(loop, "polls") && !u64(loop, "stall_count") && json_is_number(utilization) && json_number_value(utilization) <= 0 &&
	       !json_is_integer(json_object_get(json_object_get(loop, "timers"), "armed"));
}

static void print_loop(struct line *line, const json_t *document, const json_t *loop)
{
	char polls[16], turns[16];
	const json_t *utilization = json_object_get(loop, "utilization"), *fd = json_object_get(loop, "poller_fd");
	line_end(line);
	uint64_t pid = u64(loop, "pid"), tid = u64(loop, "tid");
	line_say(line, "loop of thread %llu (%s)", (unsigned long long)tid, text_of(loop, "comm", "?"));
	if (pid != tid && pid != u64(json_object_get(document, "target"), "pid"))
		line_say(line, " of process %llu", (unsigned long long)pid);
	line_say(line, "  %s", text_of(loop, "backend", "?"));
	if (json_is_integer(fd))
		line_say(line, " fd %lld", (long long)json_integer_value(fd));
	if (u64(loop, "poller_threads") > 1)
		line_say(line, "   %llu threads take turns on it", (unsigned long long)u64(loop, "poller_threads"));
	if (json_is_true(json_object_get(loop, "gone")))
		line_say(line, "   gone: its poller was closed, or its thread or program ended");
	line_end(line);
	if (json_is_number(utilization))
		line_say(line, "  utilization %.1f%%", json_number_value(utilization) * 100);
	else
		line_say(line, "  utilization n/a");
	int exact = json_is_true(json_object_get(loop, "iterations_exact")) || !json_is_integer(json_object_get(loop, "iterations"));
	line_say(line, "   iterations %s%s   polls %s", exact ? "" : "~",
	    number(turns, json_object_get(loop, "iterations")), number(polls, json_object_get(loop, "polls")));
	line_end(line);
	if (slept(loop)) {
		line_say(line, "  it waited all the time");
		line_end(line);
		return;
	}
	line_say(line, "  %-12s %8s %8s %8s %8s %8s", "", "P50", "P90", "P99", "MAX", "COUNT");
	line_end(line);
	print_hist(line, "iteration", json_object_get(loop, "iteration_ns"));
	print_hist(line, "poll wait", json_object_get(loop, "poll_wait_ns"));
	print_hist(line, "lag", json_object_get(loop, "lag_ns"));
	if (json_is_object(json_object_get(json_object_get(loop, "timers"), "late_ns")))
		print_hist(line, "timers late", json_object_get(json_object_get(loop, "timers"), "late_ns"));
	print_timers(line, json_object_get(loop, "timers"));
	print_phases(line, json_object_get(loop, "phases"));
	print_stalls(line, document, loop);
}

/* Who had the threads, and what more or fewer of them would have done. */
static void print_sizes(struct line *line, const json_t *pool)
{
	const json_t *holder = json_object_get(pool, "holder"), *sizes = json_object_get(pool, "estimate"), *size;
	char held[16], threads[16], wait[16];
	size_t i;
	if (json_is_object(holder)) {
		line_say(line, "  held by %s%s%s   %s of thread time", text_of(holder, "kind", "?"),
		    *text_of(holder, "class", "") ? ": " : "", text_of(holder, "class", ""),
		    duration(held, json_object_get(holder, "held_ns")));
		if (json_is_number(json_object_get(holder, "share")))
			line_say(line, ", %.0f%%", json_number_value(json_object_get(holder, "share")) * 100);
		line_end(line);
	}
	if (!json_array_size(sizes))
		return;
	line_say(line, "  wait p99 with other sizes, replayed:");
	json_array_foreach(sizes, i, size) line_say(line, "  %s: %s", number(threads, json_object_get(size, "threads")),
					       duration(wait, json_object_get(size, "wait_p99_ns")));
	line_end(line);
}

static void print_pool(struct line *line, const json_t *pool)
{
	char threads[16], busy[16], queued[16], most[16];
	const char *kind;
	json_t *row, *kinds = json_object_get(pool, "by_kind");
	line_end(line);
	line_say(line, "pool of %lld   threads %s   busy %s   queued %s (at most %s)",
	    (long long)json_integer_value(json_object_get(pool, "pid")),
	    number(threads, json_object_get(pool, "threads")), number(busy, json_object_get(pool, "busy")),
	    number(queued, json_object_get(pool, "queued")), number(most, json_object_get(pool, "max_queued")));
	line_end(line);
	line_say(line, "  %-12s %8s %8s %8s %8s %8s %8s", "KIND", "JOBS", "WAIT P50", "WAIT P99", "RUN P50", "RUN P99",
	    "BACK P99");
	line_end(line);
	json_object_foreach(kinds, kind, row)
	{
		const json_t *wait = json_object_get(row, "wait_ns"), *run = json_object_get(row, "run_ns");
		const json_t *back = json_object_get(row, "delivery_ns");
		char jobs[16], w50[16], w99[16], r50[16], r99[16], b99[16];
		line_say(line, "  %-12s %8s %8s %8s %8s %8s %8s", kind, number(jobs, json_object_get(row, "submitted")),
		    duration(w50, json_object_get(wait, "p50")), duration(w99, json_object_get(wait, "p99")),
		    duration(r50, json_object_get(run, "p50")), duration(r99, json_object_get(run, "p99")),
		    duration(b99, json_object_get(back, "p99")));
		line_end(line);
	}
	print_sizes(line, pool);
}

/* Of loops that nobody saw turn, no finding proves nothing. */
static int nothing_seen(const json_t *loops)
{
	const json_t *loop;
	size_t i;
	json_array_foreach(loops, i, loop) if (json_is_integer(json_object_get(loop, "polls"))) return 0;
	return json_array_size(loops) > 0;
}

static void print_findings(struct line *line, const json_t *document)
{
	static const struct {
		const char *name, *word;
	} words[] = { { "crit", "CRIT" }, { "warn", "WARN" }, { "note", "note" } };
	const json_t *finding, *findings = json_object_get(document, "findings");
	size_t i;
	line_end(line);
	line_say(line, json_array_size(findings)			  ? "findings"
		       : nothing_seen(json_object_get(document, "loops")) ? "findings: none, for nobody saw when the loops were busy"
									  : "findings: none");
	line_end(line);
	json_array_foreach(findings, i, finding)
	{
		const char *word = "", *severity = text_of(finding, "severity", "");
		for (size_t k = 0; k < 3; k++)
			word = strcmp(words[k].name, severity) ? word : words[k].word;
		line_say(line, "  %s %s ", word, text_of(finding, "id", ""));
		line_wrap(line, text_of(finding, "title", ""), 13);
		line_say(line, "             try: ");
		line_wrap(line, text_of(finding, "advice", ""), 18);
	}
}

/* Those that moved come first; of a thousand only these and the ones that stalled are for reading. */
static int is_shown(const json_t *loop, size_t at)
{
	return at < LOOPS || u64(loop, "stall_count");
}

static void print_rest(struct line *line, const json_t *loops)
{
	const json_t *loop;
	size_t i, rest = 0;
	json_array_foreach(loops, i, loop) rest += !is_shown(loop, i);
	if (!rest)
		return;
	line_end(line);
	line_say(line, "%zu more loop%s without stalls, in --json", rest, rest == 1 ? "" : "s");
	line_end(line);
}

int summary_print(const json_t *document, FILE *out)
{
	struct line line = { .out = out };
	const json_t *loop, *pool, *loops = json_object_get(document, "loops");
	size_t i;
	print_head(&line, document);
	if (!json_array_size(loops)) {
		line_end(&line);
		line_say(&line, "no event loop was seen");
		line_end(&line);
	}
	json_array_foreach(loops, i, loop) if (is_shown(loop, i)) print_loop(&line, document, loop);
	print_rest(&line, loops);
	json_array_foreach(json_object_get(document, "pools"), i, pool) print_pool(&line, pool);
	print_findings(&line, document);
	summary_print_missing(&line, document);
	return ferror(out) ? (errno ? -errno : -EIO) : 0;
}

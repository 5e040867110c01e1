/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pool: who waits and how long, first; how long jobs wait against how long
 * they run; what each thread holds; the jobs by class; and what other sizes of
 * the pool would have done.
 */
#include <stdio.h>
#include <string.h>

#include "list.h"
#include "panel.h"
#include "schema.h"
#include "state.h"
#include "text.h"

#define BANDS 7
#define WIDE 100
#define BAR_MOST 24

/* ---- the table: classes where the source tells them, else kinds ---- */

/* a row is a class, or a kind: of a kind the pointer lies in pool->kinds */
static int is_kind(const struct view *view, const void *row)
{
	const struct pool_kind *kinds = view->pool->kinds;
	return (const char *)row >= (const char *)kinds &&
	       (const char *)row < (const char *)(kinds + PS_WORK_KIND_COUNT);
}

static int has_jobs(const struct pool_kind *kind)
{
	return kind->submitted || kind->started || kind->finished || kind->queued || kind->busy;
}

static size_t list_jobs(const struct view *view, const void **rows, size_t room)
{
	const struct pool *pool = view->pool;
	size_t count = 0;
	for (unsigned i = 0; pool && i < PS_WORK_KIND_COUNT; i++) {
		if (!has_jobs(&pool->kinds[i]))
			continue;
		if (count < room)
			rows[count] = &pool->kinds[i];
		count++;
	}
	for (size_t i = 0; pool && i < pool->class_count; i++, count++)
		if (count < room)
			rows[count] = &pool->classes[i];
	return count;
}

static uint64_t identify(const struct view *view, const void *row)
{
	if (is_kind(view, row))
		return UINT64_MAX - (uint64_t)((const struct pool_kind *)row - view->pool->kinds); /* before its classes */
	return culprit_hash(((const struct pool_class *)row)->name) >> 1 | 1;
}

static void say_none(const struct view *view, char *out, size_t room)
{
	const char *why = view_missing(view->model, PS_PROBE_RUNTIME);
	if (view->loop && view->loop->flags & PS_LOOP_RING)
		snprintf(out, room, "no job was submitted yet");
	else if (view->pool && view->pool->submits_only)
		snprintf(out, room, "n/a  starts and ends of its jobs cannot be seen");
	else
		snprintf(out, room, *why ? "n/a  runtime probe: %s" : "no job was seen yet%s", why);
}

static const struct hist *hist_of(const struct view *view, const void *row, int run)
{
	if (is_kind(view, row))
		return run ? &((const struct pool_kind *)row)->run : &((const struct pool_kind *)row)->wait;
	return run ? &((const struct pool_class *)row)->run : &((const struct pool_class *)row)->wait;
}

static uint64_t held_of(const struct view *view, const void *row)
{
	return is_kind(view, row) ? ((const struct pool_kind *)row)->held_ns
				  : ((const struct pool_class *)row)->held_ns;
}

static void print_job(const struct view *view, const void *row, char *out, size_t room)
{
	if (is_kind(view, row))
		snprintf(out, room, "%s",
			 work_kind_name((unsigned)((const struct pool_kind *)row - view->pool->kinds)));
	else
		snprintf(out, room, "  %s", ((const struct pool_class *)row)->name);
}

static uint64_t key_count(const struct view *view, const void *row)
{
	return is_kind(view, row) ? ((const struct pool_kind *)row)->finished : ((const struct pool_class *)row)->jobs;
}

static void print_count(const struct view *view, const void *row, char *out, size_t room)
{
	char text[24];
	snprintf(out, room, "%s", cell_count(text, key_count(view, row)));
}

static uint64_t key_queued(const struct view *view, const void *row)
{
	return is_kind(view, row) && !view->pool->unfollowed ? ((const struct pool_kind *)row)->queued : PS_UNKNOWN;
}

static void print_queued(const struct view *view, const void *row, char *out, size_t room)
{
	char text[24];
	snprintf(out, room, "%s", is_kind(view, row) ? cell_count(text, key_queued(view, row)) : "-");
}

static uint64_t key_held(const struct view *view, const void *row)
{
	return held_of(view, row);
}

static void print_held(const struct view *view, const void *row, char *out, size_t room)
{
	uint64_t all = 0, held = held_of(view, row);
	char text[24];
	for (unsigned i = 0; i < PS_WORK_KIND_COUNT; i++)
		all += view->pool->kinds[i].held_ns;
	snprintf(out, room, "%s", cell_percent(text, all ? (double)held * 100 / (double)all : -1, ""));
}

#define QUANTILE_CELL(name, run, q)                                                                                    \
	static uint64_t key_##name(const struct view *view, const void *row)                                           \
	{                                                                                                              \
		const struct hist *hist = hist_of(view, row, run);                                                     \
		return hist->count ? hist_quantile(hist, q) : PS_UNKNOWN;                                              \
	}                                                                                                              \
	static void print_##name(const struct view *view, const void *row, char *out, size_t room)                     \
	{                                                                                                              \
		char text[24];                                                                                         \
		snprintf(out, room, "%s", cell_duration(text, key_##name(view, row), ""));                             \
	}
QUANTILE_CELL(wait50, 0, 0.5)
QUANTILE_CELL(wait99, 0, 0.99)
QUANTILE_CELL(run50, 1, 0.5)
QUANTILE_CELL(run99, 1, 0.99)

static const struct column columns[] = {
	{ .name = "job",
	  .title = "JOBS",
	  .least = 12,
	  .note = "kind of job, and its classes where they are told",
	  .print = print_job },
	{ .name = "held",
	  .title = "HELD",
	  .width = 5,
	  .right = 1,
	  .note = "share of the time for which jobs held threads",
	  .key = key_held,
	  .print = print_held },
	{ .name = "done",
	  .title = "DONE",
	  .width = 6,
	  .right = 1,
	  .priority = 1,
	  .note = "jobs finished so far",
	  .key = key_count,
	  .print = print_count },
	{ .name = "queued",
	  .title = "QUEUED",
	  .width = 6,
	  .right = 1,
	  .priority = 2,
	  .note = "jobs that wait for a thread now",
	  .key = key_queued,
	  .print = print_queued },
	{ .name = "wait50",
	  .title = "WAIT50",
	  .width = 6,
	  .right = 1,
	  .priority = 4,
	  .unit = DURATION,
	  .note = "half of the jobs waited less for a thread",
	  .key = key_wait50,
	  .print = print_wait50 },
	{ .name = "wait99",
	  .alias = "wait",
	  .title = "WAIT99",
	  .width = 6,
	  .right = 1,
	  .unit = DURATION,
	  .note = "99 of 100 jobs waited less for a thread",
	  .key = key_wait99,
	  .print = print_wait99 },
	{ .name = "run50",
	  .title = "RUN50",
	  .width = 6,
	  .right = 1,
	  .priority = 3,
	  .unit = DURATION,
	  .note = "half of the jobs ran shorter",
	  .key = key_run50,
	  .print = print_run50 },
	{ .name = "run99",
	  .alias = "run",
	  .title = "RUN99",
	  .width = 6,
	  .right = 1,
	  .priority = 2,
	  .unit = DURATION,
	  .note = "99 of 100 jobs ran shorter",
	  .key = key_run99,
	  .print = print_run99 },
	{ .name = NULL },
};

static const struct sheet sheet = {
	.name = "pool",
	.columns = columns,
	.sort = 1,
	.rows = list_jobs,
	.identity = identify,
	.empty = say_none,
};

/* ---- waits against runs ---- */

static const struct {
	const char *name;
	uint64_t below_ns;
} bands[BANDS] = {
	{ "<0.1ms", 100000 },  { "<1ms", 1000000 },	   { "<10ms", 10000000 },  { "<100ms", 100000000 },
	{ "<1s", 1000000000 }, { "<10s", 10000000000ull }, { ">10s", UINT64_MAX },
};

static void fill_bands(const struct hist *hist, const struct hist *base, double shares[BANDS])
{
	struct hist since;
	memset(shares, 0, BANDS * sizeof(*shares));
	hist_since(&since, hist, base);
	for (unsigned i = 0, band = 0; i < HIST_BUCKETS && since.count; i++) {
		while (hist_bucket_low(i) >= bands[band].below_ns)
			band++;
		shares[band] += (double)since.buckets[i] / (double)since.count;
	}
}

static void draw_share(const struct view *view, struct area area, int x, int y, int bar, const struct hist *hist,
		       double share)
{
	char text[24];
	area_bar(view, area, x, y, bar, share);
	area_print(view, area, x + bar + 1, y, STYLE_NORMAL, "%5s",
		   hist->count ? cell_percent(text, share * 100, "") : "n/a");
}

static void draw_times(const struct view *view, struct area area)
{
	const struct pool *pool = view->pool, *base = view->pool_mark;
	double wait[BANDS], run[BANDS];
	int bar = (area.columns - 26) / 2;
	bar = bar > BAR_MOST ? BAR_MOST : bar < 2 ? 2 : bar;
	area = area_head(view, area, "HOW LONG", "left: waited for a thread, right: ran");
	fill_bands(&pool->wait, base ? &base->wait : NULL, wait);
	fill_bands(&pool->run, base ? &base->run : NULL, run);
	for (int i = 0; i < BANDS && i < area.rows; i++) {
		area_print(view, area, 1, i, STYLE_NORMAL, "%-7s", bands[i].name);
		draw_share(view, area, 9, i, bar, &pool->wait, wait[i]);
		draw_share(view, area, 18 + bar, i, bar, &pool->run, run[i]);
	}
}

/* ---- what if ---- */

static void draw_estimate(const struct view *view, struct area area)
{
	const struct pool *pool = view->pool;
	area = area_head(view, area, "WHAT IF", "the jobs seen, replayed with other numbers of threads");
	if (!pool->estimate_count) {
		area_put(view, area, 1, 0, STYLE_DIM,
			 pool->submits_only ? "n/a: starts and ends of its jobs cannot be seen"
					    : "n/a: not enough jobs were seen from submit to end");
		return;
	}
	int x = 1;
	for (uint32_t i = 0; i < pool->estimate_count && i < POOL_ESTIMATES; i++) {
		const struct pool_estimate *row = &pool->estimate[i];
		char p50[24], p99[24];
		int now = row->threads == pool->threads, used;
		if (area.rows >= (int)pool->estimate_count) {
			area_print(view, area, 1, (int)i, now ? STYLE_BOLD : STYLE_NORMAL,
				   "%4u threads  wait p50 ~%-7s p99 ~%-7s%s", row->threads,
				   cell_duration(p50, row->wait_p50_ns, ""), cell_duration(p99, row->wait_p99_ns, ""),
				   now ? " as it is" : "");
			continue;
		}
		used = area_print(view, area, x, 0, now ? STYLE_BOLD : STYLE_NORMAL, "%s%u: p99 ~%s", now ? "now " : "",
				  row->threads, cell_duration(p99, row->wait_p99_ns, ""));
		x += used + 3;
	}
}

/* ---- the screen ---- */

static void draw_jobs(const struct view *view, struct tui *tui, struct area area)
{
	area = area_head(view, area, "BY KIND", "");
	sheet_draw(view, area, &sheet, tui_table(tui));
}

static void draw_small(const struct view *view, struct tui *tui, struct area area)
{
	int top = area.rows >= 10 ? 7 : 3;
	panel_pool(view, area_top(&area, top < area.rows ? top : area.rows));
	if (area.rows >= 9)
		draw_estimate(view, area_top(&area, 2));
	if (area.rows >= 2)
		sheet_draw(view, area, &sheet, tui_table(tui));
}

static void draw(struct view *view, struct tui *tui, struct area area)
{
	if (!view->pool) {
		panel_pool(view, area);
		return;
	}
	if (area.columns < WIDE || area.rows < 20) {
		draw_small(view, tui, area);
		return;
	}
	struct area top = area_top(&area, 10), left = top;
	left.columns = top.columns / 2 - 1;
	struct area right = { top.x + left.columns + 1, top.y, top.columns - left.columns - 1, top.rows };
	panel_pool(view, left);
	draw_times(view, right);
	draw_estimate(view, area_top(&area, 1 + (view->pool->estimate_count ? (int)view->pool->estimate_count : 1)));
	draw_jobs(view, tui, area);
}

const struct screen screen_pool = {
	.digit = 4,
	.name = "Pool",
	.brief = "Pool",
	.note = "who waits for the pool, how long, what holds its threads, and what more threads would bring",
	.sheet = &sheet,
	.draw = draw,
};

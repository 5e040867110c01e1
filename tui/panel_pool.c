/* SPDX-License-Identifier: BSD-2-Clause */
/* The worker pool: who waits and how long first, then who holds the threads. */
#include <stdio.h>

#include "line.h"
#include "panel.h"
#include "schema.h"
#include "text.h"

#define HELD_LONG_NS 1000000000ull

/* age of the oldest queued job; 0 = none waits */
static uint64_t oldest_age(const struct view *view)
{
	uint64_t oldest = view->pool->oldest_ns;
	if (oldest == PS_UNKNOWN || !oldest)
		return oldest;
	return view->model->now_ns > oldest ? view->model->now_ns - oldest : 0;
}

static void add_queue(const struct view *view, struct line *line)
{
	const struct pool *pool = view->pool;
	uint64_t oldest = oldest_age(view);
	char text[24];

	line_add(line, 0, pool->queued && pool->queued != PS_UNKNOWN ? STYLE_WARN : STYLE_NORMAL, "queued %s",
		 cell_count(text, pool->queued));
	line_add(line, 1, STYLE_NORMAL, "oldest %s", oldest ? cell_duration(text, oldest, "") : "-");
}

static void add_times(const struct view *view, struct line *line)
{
	const struct pool *pool = view->pool, *base = view->pool_mark;
	char text[24];
	line_add(line, 2, STYLE_NORMAL, "wait p50 %s", cell_quantile(text, &pool->wait, base ? &base->wait : NULL, 0.5));
	line_add(line, 1, STYLE_NORMAL, "p99 %s", cell_quantile(text, &pool->wait, base ? &base->wait : NULL, 0.99));
	line_add(line, 2, STYLE_NORMAL, "service p50 %s",
		 cell_quantile(text, &pool->run, base ? &base->run : NULL, 0.5));
}

static int is_worker(const struct view *view, const struct thread *thread)
{
	return thread->pid == view->pool->pid && thread->role == PS_ROLE_WORKER && !thread->exited;
}

static uint64_t held_ns(const struct view *view, const struct thread *thread)
{
	if (!thread->work || thread->work_since_ns > view->model->now_ns)
		return 0;
	return view->model->now_ns - thread->work_since_ns;
}

static void describe_worker(const struct view *view, const struct thread *thread, size_t number, char *out, size_t room)
{
	uint64_t held = held_ns(view, thread);
	char text[24];

	if (!thread->work) {
		snprintf(out, room, "T%zu %s", number, view->pool->unfollowed ? "n/a" : "idle");
		return;
	}
	snprintf(out, room, "T%zu %s %s%s%s%s", number, work_kind_name(thread->work_kind), cell_duration(text, held, ""),
		 held >= HELD_LONG_NS ? " !" : "", *thread->work_name ? " " : "", thread->work_name);
}

/* two a row; returns the rows used */
static int draw_workers(const struct view *view, struct area area, int y, int rows)
{
	size_t number = 0;
	int column = area.columns / 2;

	for (size_t i = 0; i < view->model->thread_count; i++) {
		const struct thread *thread = view->model->threads[i];
		char text[CELL_TEXT];
		if (!is_worker(view, thread))
			continue;
		int at = (int)(number / 2);
		if (at >= rows)
			break;
		describe_worker(view, thread, ++number, text, sizeof(text));
		area_fit(view, area, number % 2 ? 1 : column, y + at, number % 2 ? column - 2 : area.columns - column,
			 held_ns(view, thread) >= HELD_LONG_NS ? STYLE_WARN : STYLE_NORMAL, text);
	}
	return (int)(number + 1) / 2;
}

/* "fs 21/s  dns 2/s" */
static void add_kinds(const struct view *view, struct line *line)
{
	if (rates_work(view->rates, 0) < 0) {
		line_add(line, 0, STYLE_DIM, "jobs/s n/a yet");
		return;
	}
	for (unsigned kind = 0; kind < PS_WORK_KIND_COUNT; kind++) {
		double rate = rates_work(view->rates, kind);
		char text[24];
		if (kind != PS_WORK_OTHER || rate > 0)
			line_add(line, (int)kind + 1, STYLE_NORMAL, "%s %s/s", work_kind_name(kind),
				 cell_count(text, (uint64_t)(rate + 0.5)));
	}
}

/* the kind that has held most threads for long; 0 threads = none */
static unsigned find_hog(const struct view *view, unsigned *kind, uint64_t *least_ns)
{
	unsigned counts[PS_WORK_KIND_COUNT] = { 0 }, worst = 0;
	uint64_t least[PS_WORK_KIND_COUNT] = { 0 };

	for (size_t i = 0; i < view->model->thread_count; i++) {
		const struct thread *thread = view->model->threads[i];
		uint64_t held = is_worker(view, thread) ? held_ns(view, thread) : 0;
		if (held < HELD_LONG_NS || thread->work_kind >= PS_WORK_KIND_COUNT)
			continue;
		unsigned *count = &counts[thread->work_kind];
		if (!*count || held < least[thread->work_kind])
			least[thread->work_kind] = held;
		(*count)++;
	}
	for (unsigned i = 1; i < PS_WORK_KIND_COUNT; i++)
		if (counts[i] > counts[worst] || (counts[i] && counts[i] == counts[worst] && least[i] > least[worst]))
			worst = i;
	*kind = worst;
	*least_ns = counts[worst] ? least[worst] : 0;
	return counts[worst];
}

static void describe_hog(const struct view *view, char *out, size_t room)
{
	unsigned kind;
	uint64_t least;
	char text[24], threads[24];
	unsigned count = find_hog(view, &kind, &least);

	*out = '\0';
	if (count)
		snprintf(out, room, "! %u of %s threads held >%s by %s", count, cell_count(threads, view->pool->threads),
			 cell_duration(text, least, ""), work_kind_name(kind));
}

/* "if 8 threads: wait p99 ~40ms" of the least size that would be much better; "" = none is known */
static void describe_estimate(const struct pool *pool, char *out, size_t room)
{
	uint64_t now = PS_UNKNOWN;
	char text[24];
	*out = '\0';
	for (uint32_t i = 0; i < pool->estimate_count; i++)
		if (pool->estimate[i].threads == pool->threads)
			now = pool->estimate[i].wait_p99_ns;
	for (uint32_t i = 0; i < pool->estimate_count; i++) {
		const struct pool_estimate *row = &pool->estimate[i];
		if (row->threads <= pool->threads || now == PS_UNKNOWN || row->wait_p99_ns * 2 > now || now < 1000000)
			continue;
		snprintf(out, room, "if %u threads: wait p99 ~%s (replayed)", row->threads, cell_duration(text, row->wait_p99_ns, ""));
		return;
	}
}

static void draw_missing(const struct view *view, struct area area, int y)
{
	const char *why = view_missing(view->model, PS_PROBE_RUNTIME);
	if (view->loop && view->loop->flags & PS_LOOP_RING)
		area_put(view, area, 1, y, STYLE_DIM, "pool   no job was submitted yet");
	else
		area_print(view, area, 1, y, STYLE_DIM, "pool   n/a%s%s", *why ? ": " : "", why);
}

void panel_pool(const struct view *view, struct area area)
{
	const struct pool *pool = view->pool;
	char title[64], threads[24], busy[24], hog[CELL_TEXT];
	struct line line;

	if (!pool) {
		area = area_head(view, area, "POOL", "");
		draw_missing(view, area, 0);
		return;
	}
	snprintf(title, sizeof(title), "%s threads, %s busy", cell_count(threads, pool->threads),
		 cell_count(busy, pool->busy));
	area = area_head(view, area, "POOL", title);
	line_begin(&line, 3);
	add_queue(view, &line);
	line_draw(view, area, 1, 0, &line);
	line_begin(&line, 2);
	add_times(view, &line);
	line_draw(view, area, 1, 1, &line);
	int y = 2 + draw_workers(view, area, 2, area.rows - 4);
	line_begin(&line, 2);
	add_kinds(view, &line);
	line_draw(view, area, 1, y++, &line);
	describe_hog(view, hog, sizeof(hog));
	if (*hog)
		area_print(view, area, 1, y++, STYLE_WARN, "%s", hog);
	describe_estimate(pool, hog, sizeof(hog));
	area_print(view, area, 1, y, STYLE_NORMAL, "%s", hog);
}

static void draw_brief_pool(const struct view *view, struct area area)
{
	const struct pool *pool = view->pool;
	char busy[24], threads[24], text[24], hog[CELL_TEXT];
	struct line line;

	line_begin(&line, 2);
	line_add(&line, 0, STYLE_NORMAL, "pool   %s/%s busy", cell_count(busy, pool->busy),
		 cell_count(threads, pool->threads));
	add_queue(view, &line);
	line_add(&line, 3, STYLE_NORMAL, "wait p99 %s",
		 cell_quantile(text, &pool->wait, view->pool_mark ? &view->pool_mark->wait : NULL, 0.99));
	describe_hog(view, hog, sizeof(hog));
	line_add(&line, 4, STYLE_WARN, "%s", hog);
	line_draw(view, area, 1, 0, &line);
}

static void draw_brief_timers(const struct view *view, struct area area)
{
	const struct loop *loop = view->loop;
	struct line line;
	char text[24];

	line_begin(&line, 2);
	line_add(&line, 0, STYLE_NORMAL, "timers %s", cell_count(text, loop->timers_armed));
	if (loop->next_due_ns != PS_UNKNOWN && loop->next_due_ns > view->model->now_ns)
		line_add(&line, 2, STYLE_NORMAL, "next %s", cell_duration(text, loop->next_due_ns - view->model->now_ns, ""));
	line_add(&line, 1, loop->timers_overdue && loop->timers_overdue != PS_UNKNOWN ? STYLE_WARN : STYLE_NORMAL,
		 "overdue %s", cell_count(text, loop->timers_overdue));
	line_add(&line, 1, STYLE_NORMAL, "late p99 %s",
		 cell_quantile(text, &loop->timer_late, view->loop_mark ? &view->loop_mark->timer_late : NULL, 0.99));
	line_draw(view, area, 1, 1, &line);
}

void panel_pool_timers_brief(const struct view *view, struct area area)
{
	area = area_head(view, area, "POOL / TIMERS", "");
	if (view->pool)
		draw_brief_pool(view, area);
	else
		draw_missing(view, area, 0);
	if (view->loop)
		draw_brief_timers(view, area);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The loop at a glance: rates of the last ten seconds, how long ready work
 * waited for its callback, and the last minute as one cell a second. Where
 * nobody measures the lag, the panel says why and shows the iterations instead.
 */
#include <stdio.h>
#include <string.h>

#include "line.h"
#include "panel.h"
#include "schema.h"
#include "text.h"

#define RECENT_SECONDS 10
#define HISTORY_SECONDS 60
#define BANDS 5

static const struct { const char *name; uint64_t below_ns; } bands[BANDS] = {
	{ "<1ms", 1000000 }, { "1-4", 4000000 }, { "4-16", 16000000 }, { "16-64", 64000000 }, { ">64ms", UINT64_MAX },
};

/* ---- the last minute ---- */

static uint32_t history_rune(const struct view *view, uint64_t second)
{
	const struct loop *loop = view->loop;
	const struct slot *slot = view_slot(loop, second);
	uint64_t stall = view->stall_ns;

	if (second < loop->first_ns / 1000000000)
		return ' ';
	if (!slot)
		return view->glyphs->level[0];
	if (slot->lost)
		return '?';
	return view->glyphs->level[(slot->longest_ns >= stall / 10) + (slot->longest_ns >= stall / 2) +
				   (slot->longest_ns >= stall) + (slot->longest_ns >= 4 * stall)];
}

void panel_history(const struct view *view, struct area area, int x, int y)
{
	int seconds = area.columns - x - 10;
	if (seconds > HISTORY_SECONDS)
		seconds = HISTORY_SECONDS;
	if (seconds < 10 || y >= area.rows)
		return;
	uint64_t now = view->model->now_ns / 1000000000;
	x += area_print(view, area, x, y, STYLE_NORMAL, "%ds [", seconds);
	for (int i = 0; i < seconds; i++) {
		uint64_t back = (uint64_t)(seconds - 1 - i);
		uint32_t rune = back <= now ? history_rune(view, now - back) : ' ';
		int bad = rune == view->glyphs->level[3] || rune == view->glyphs->level[4] || rune == '?';
		grid_fill(view->grid, area.x + x + i, area.y + y, 1, rune, bad ? STYLE_CRIT : STYLE_NORMAL);
	}
	area_put(view, area, x + seconds, y, STYLE_NORMAL, "] now");
}

/* ---- rates ---- */

static void add_rates(const struct view *view, const struct recent *recent, struct line *line, int wide)
{
	double wall = (double)recent->wall_ns;
	double known = (double)(recent->busy_ns + recent->wait_ns);
	char text[24];

	if (!recent->seconds) {
		line_add(line, 0, STYLE_DIM, "watched for less than a second");
		return;
	}
	if (!loop_was_seen(view->loop)) {
		line_add(line, 0, STYLE_DIM, "its waits are not seen");
		return;
	}
	uint64_t turns = view->loop->iterations_exact ? recent->iterations : recent->polls;
	const char *unit = view->loop->iterations_exact ? wide ? "iter/s" : "it/s" : wide ? "polls/s" : "po/s";
	line_add(line, 0, STYLE_BOLD, "%s %s", cell_count(text, (uint64_t)((double)turns * 1e9 / wall + 0.5)), unit);
	if (loop_in_turns(view->loop)) {
		line_add(line, 1, STYLE_NORMAL, wide ? "%u threads take turns" : "%u threads", view->loop->poller_threads);
		known = 0;
	}
	if (known > 0)
		line_add(line, 1, STYLE_BOLD, "busy %.*f%%", wide, (double)recent->busy_ns * 100 / known);
	if (known > 0 && wide)
		line_add(line, 3, STYLE_NORMAL, "waiting %.1f%%", (double)recent->wait_ns * 100 / known);
	if (recent->polls)
		line_add(line, 4, STYLE_NORMAL, "%.1f %s", (double)recent->ready / (double)recent->polls,
			 wide ? "events/wakeup" : "ev/wake");
}

static void add_state(const struct view *view, struct line *line)
{
	const struct loop *loop = view->loop;
	char text[24];
	if (loop->state == LOOP_GONE) {
		line_add(line, 0, STYLE_WARN, "GONE");
	} else if (loop->open_stall) {
		line_add(line, 0, STYLE_CRIT, "STALLED for %s",
			 cell_duration(text, loop->open_stall->duration_ns, stall_mark(loop->open_stall)));
	}
}

/* ---- the distribution ---- */

struct quantiles { char p50[24], p95[24], p99[24], max[24]; };

static void fill_quantiles(struct quantiles *out, const struct hist *hist, const struct hist *base)
{
	cell_quantile(out->p50, hist, base, 0.5);
	cell_quantile(out->p95, hist, base, 0.95);
	cell_quantile(out->p99, hist, base, 0.99);
	cell_quantile(out->max, hist, base, 1);
}

static void draw_quantiles(const struct view *view, struct area area, int y, const char *name, const struct hist *hist,
			   const struct hist *base)
{
	struct quantiles q;
	fill_quantiles(&q, hist, base);
	area_print(view, area, 1, y, STYLE_NORMAL, "%-21s p50 %s  p95 %s  p99 %s  max %s", name, q.p50, q.p95, q.p99,
		   q.max);
}

static void draw_bands(const struct view *view, struct area area, int y, const struct hist *hist,
		       const struct hist *base)
{
	struct hist since;
	uint64_t counts[BANDS] = { 0 };
	int bar = area.columns - 24 > 40 ? 40 : area.columns - 24;

	hist_since(&since, hist, base);
	for (unsigned i = 0, band = 0; i < HIST_BUCKETS; i++) {
		while (hist_bucket_low(i) >= bands[band].below_ns)
			band++;
		counts[band] += since.buckets[i];
	}
	for (int i = 0; i < BANDS && since.count; i++) {
		double share = (double)counts[i] / (double)since.count;
		area_print(view, area, 2, y + i, STYLE_NORMAL, "%-6s ", bands[i].name);
		grid_fill(view->grid, area.x + 9, area.y + y + i, y + i < area.rows ? 1 : 0, view->glyphs->wall, STYLE_DIM);
		area_bar(view, area, 10, y + i, bar, share);
		area_print(view, area, 11 + bar, y + i, STYLE_NORMAL, "%5.1f%%  %s", share * 100,
			   i ? "" : base ? "since the mark" : "");
	}
}

void panel_loop(const struct view *view, struct area area)
{
	const struct loop *loop = view->loop, *base = view->loop_mark;
	struct recent recent;
	struct line line;

	area = area_head(view, area, "LOOP", "");
	if (!loop) {
		area_put(view, area, 1, 0, STYLE_DIM, "no loop seen yet");
		return;
	}
	view_recent(view, loop, RECENT_SECONDS, &recent);
	line_begin(&line, 3);
	add_state(view, &line);
	add_rates(view, &recent, &line, 1);
	line_draw(view, area, 1, 0, &line);
	if (loop->lag.count) {
		const char *name = loop->lag_from_return ? "lag returned->callback" : "lag ready->callback";
		draw_quantiles(view, area, 1, name, &loop->lag, base ? &base->lag : NULL);
		draw_bands(view, area, 2, &loop->lag, base ? &base->lag : NULL);
	} else {
		const char *why = view_missing(view->model, PS_PROBE_READY);
		area_print(view, area, 1, 1, STYLE_DIM, "lag ready->callback  n/a%s%s", *why ? ": " : "", why);
		draw_quantiles(view, area, 2, "iteration (busy)", &loop->iteration, base ? &base->iteration : NULL);
		struct area bar = { area.x, area.y, area.columns, area.rows - 1 };
		draw_bands(view, bar, 3, &loop->iteration, base ? &base->iteration : NULL);
	}
	panel_history(view, area, 1, area.rows - 1);
}

/* ---- the same in three lines ---- */

static void draw_brief_lag(const struct view *view, struct line *line)
{
	const struct loop *loop = view->loop, *base = view->loop_mark;
	int lag = loop->lag.count > 0;
	struct quantiles q;

	fill_quantiles(&q, lag ? &loop->lag : &loop->iteration,
		       !base ? NULL : lag ? &base->lag : &base->iteration);
	line_add(line, 1, STYLE_NORMAL, "%s p50 %s", lag ? "lag" : "iter", q.p50);
	line_add(line, 4, STYLE_NORMAL, "p95 %s", q.p95);
	line_add(line, 3, STYLE_NORMAL, "p99 %s", q.p99);
	line_add(line, 2, STYLE_NORMAL, "max %s", q.max);
}

/* "tim 12.1 poll 41.7 … wait 38.7%" or why not */
static void draw_brief_phases(const struct view *view, struct area area, const struct recent *recent)
{
	const struct loop *loop = view->loop;
	double wall = recent->wall_ns ? (double)recent->wall_ns : 1;
	struct line line;

	line_begin(&line, 1);
	if (!(loop->flags & PS_LOOP_PHASES) && loop->phases_sampled) {
		double all = (double)(loop->busy_ns + loop->wait_ns);
		for (unsigned i = 0; all > 0 && i < PS_PHASE_COUNT; i++)
			if (loop->phases[i].count)
				line_add(&line, (int)i + 1, STYLE_NORMAL, "%s ~%.1f", phase_name(i), (double)loop->phases[i].total_ns * 100 / all);
	} else if (!(loop->flags & PS_LOOP_PHASES)) {
		const char *why = view_missing(view->model, PS_PROBE_RUNTIME);
		line_add(&line, 1, STYLE_DIM, "phases n/a%s%s", *why ? ": " : "", why);
	} else {
		static const struct { unsigned phase; const char *name; } shown[] = {
			{ PS_PHASE_TIMERS, "tim" }, { PS_PHASE_PENDING, "pend" }, { PS_PHASE_POLL, "poll" },
			{ PS_PHASE_CHECK, "chk" }, { PS_PHASE_OTHER, "oth" },
		};
		for (size_t i = 0; i < sizeof(shown) / sizeof(*shown); i++)
			line_add(&line, (int)i + 1, STYLE_NORMAL, "%s %.1f", shown[i].name,
				 (double)recent->phase_ns[shown[i].phase] * 100 / wall);
	}
	line_add(&line, 0, STYLE_NORMAL, "wait %.1f%%", (double)recent->wait_ns * 100 / wall);
	line_draw(view, area, 1, 1, &line);
}

void panel_loop_brief(const struct view *view, struct area area)
{
	struct recent recent;
	struct line line;

	area = area_head(view, area, "LOOP", view->loop && !view->loop->lag.count ? "lag n/a" : "");
	if (!view->loop) {
		area_put(view, area, 1, 0, STYLE_DIM, "no loop seen yet");
		return;
	}
	view_recent(view, view->loop, RECENT_SECONDS, &recent);
	line_begin(&line, 2);
	add_state(view, &line);
	add_rates(view, &recent, &line, 0);
	draw_brief_lag(view, &line);
	line_draw(view, area, 1, 0, &line);
	if (recent.seconds)
		draw_brief_phases(view, area, &recent);
	panel_history(view, area, 1, 2);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the time went: share of wall by phase over the last ten seconds, and
 * the tail of each phase. Waiting in the poller is not work, so it has a row of
 * its own; the poll row is what the callbacks of descriptors took.
 */
#include <stdio.h>

#include "panel.h"

#define RECENT_SECONDS 10

static const struct { unsigned phase; const char *name; } rows[] = {
	{ PS_PHASE_TIMERS, "timers" }, { PS_PHASE_PENDING, "pending" }, { PS_PHASE_POLL, "poll i/o" },
	{ PS_PHASE_CHECK, "check" }, { PS_PHASE_IDLE, "idle" }, { PS_PHASE_PREPARE, "prepare" },
	{ PS_PHASE_CLOSING, "closing" }, { PS_PHASE_OTHER, "other" },
};

/* columns of the bar: what names and numbers leave */
static int bar_columns(struct area area)
{
	int bar = area.columns - 32;
	return bar > 24 ? 24 : bar < 0 ? 0 : bar;
}

/* share: 0..1, negative = not measured, above 1 = does not apply */
static void draw_row(const struct view *view, struct area area, int y, const char *name, double share, const char *mark,
		     const char *p99, const char *max)
{
	int bar = bar_columns(area);
	char text[24] = "-";

	area_print(view, area, 1, y, STYLE_NORMAL, "%-9s", name);
	area_bar(view, area, 11, y, bar, share < 0 || share > 1 ? 0 : share);
	if (share < 0)
		snprintf(text, sizeof(text), "n/a");
	else if (share <= 1)
		snprintf(text, sizeof(text), "%s%.1f%%", mark, share * 100);
	area_print(view, area, 12 + bar, y, STYLE_NORMAL, "%6s %6s %6s", text, p99, max);
}

static void draw_phases(const struct view *view, struct area area, const struct recent *recent)
{
	const struct loop *loop = view->loop;
	int y = 1, room = area.rows - 3; /* header, ticks and waiting */

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct phase_stat *phase = &loop->phases[rows[i].phase];
		const struct hist *base = view->loop_mark ? &view->loop_mark->phases[rows[i].phase].hist : NULL;
		double share = recent->seconds ? (double)recent->phase_ns[rows[i].phase] / (double)recent->wall_ns : -1;
		share = share > 1 ? 1 : share;
		char p99[24], max[24];
		/* the rare ones only when there is room for all that follow */
		size_t follow = sizeof(rows) / sizeof(*rows) - i;
		int rare = rows[i].phase == PS_PHASE_IDLE || rows[i].phase == PS_PHASE_PREPARE ||
			   rows[i].phase == PS_PHASE_CLOSING;
		if (rare && room - (y - 1) < (int)follow)
			continue;
		draw_row(view, area, y++, rows[i].name, share, "", cell_quantile(p99, &phase->hist, base, 0.99),
			 cell_quantile(max, &phase->hist, base, 1));
	}
}

/* from samples of the busy time since the beginning: shares only */
static void draw_sampled(const struct view *view, struct area area)
{
	const struct loop *loop = view->loop;
	double wall = (double)(loop->busy_ns + loop->wait_ns);
	int y = 1;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows) && y < area.rows - 2; i++) {
		const struct phase_stat *phase = &loop->phases[rows[i].phase];
		double share = wall > 0 ? (double)phase->total_ns / wall : -1;
		if (phase->count)
			draw_row(view, area, y++, rows[i].name, share > 1 ? 1 : share, "~", "n/a", "n/a");
	}
}

/* room: rows that are left below the header */
static void draw_missing(const struct view *view, struct area area, int room)
{
	const char *why = view_missing(view->model, PS_PROBE_RUNTIME);
	struct area text = { area.x, area.y + 1, area.columns, room };

	area_print(view, text, 1, 0, STYLE_DIM, "n/a  this loop does not tell its phases");
	if (*why)
		area_print(view, text, 1, 1, STYLE_DIM, "runtime probe: %s", why);
}

void panel_phases(const struct view *view, struct area area)
{
	const struct loop *loop = view->loop;
	struct recent recent;
	char title[64], max[24];

	view_recent(view, loop, RECENT_SECONDS, &recent);
	snprintf(title, sizeof(title), "share of wall, last %us", recent.seconds);
	area = area_head(view, area, "PHASES", recent.seconds ? title : "");
	if (!loop)
		return;
	area_put(view, area, 1, 0, STYLE_HEAD, "PHASE     SHARE");
	area_print(view, area, 12 + bar_columns(area), 0, STYLE_HEAD, "%6s %6s %6s", "", "p99", "max");
	int is_missing = !(loop->flags & PS_LOOP_PHASES) && !loop->phases_sampled;
	int below = is_missing && area.rows < 5 ? 1 : 2; /* the reason is worth more than a row without a figure */
	if (loop->flags & PS_LOOP_PHASES)
		draw_phases(view, area, &recent);
	else if (loop->phases_sampled)
		draw_sampled(view, area);
	else
		draw_missing(view, area, area.rows - 1 - below);
	const struct drain_stat *ticks = &loop->ticks;
	cell_duration(max, ticks->drains ? ticks->max_ns : PS_UNKNOWN, "");
	if (below > 1)
		draw_row(view, area, area.rows - 2, "next tick", ticks->drains ? 2 : -1, "", ticks->drains ? "-" : "n/a", max);
	double waiting = recent.seconds ? (double)recent.wait_ns / (double)recent.wall_ns : -1;
	draw_row(view, area, area.rows - 1, "waiting", waiting > 1 ? 1 : waiting, "", "-", "-");
}

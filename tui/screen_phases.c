/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Phases: where the time of the chosen loop went, by phase and by function, and
 * a spectrogram of its busy slices: a row a second, the newest on top, a column
 * per length, darker where more slices were so long.
 */
#include <stdio.h>
#include <string.h>

#include "list.h"
#include "panel.h"
#include "schema.h"
#include "state.h"
#include "text.h"

#define WIDE 100
#define SPARK_SECONDS 30

static const struct {
	unsigned phase;
	const char *name;
} shown[] = {
	{ PS_PHASE_TIMERS, "timers" },	 { PS_PHASE_PENDING, "pending" }, { PS_PHASE_IDLE, "idle" },
	{ PS_PHASE_PREPARE, "prepare" }, { PS_PHASE_POLL, "poll i/o" },	  { PS_PHASE_CHECK, "check" },
	{ PS_PHASE_CLOSING, "closing" }, { PS_PHASE_OTHER, "other" },
};
#define SHOWN (sizeof(shown) / sizeof(*shown))

/* ---- the table of functions ---- */

static size_t list_profile(const struct view *view, const void **rows, size_t room)
{
	const struct loop *loop = view->loop;
	for (size_t i = 0; loop && i < loop->profile_count && i < room; i++)
		rows[i] = &loop->profile[i];
	return loop ? loop->profile_count : 0;
}

static uint64_t identify(const struct view *view, const void *row)
{
	const struct profile_row *profile = row;
	uint64_t hash = profile->frame ? culprit_hash(profile->frame->name) * 31 + culprit_hash(profile->frame->file) : 1;
	hash = hash * 31 + (profile->frame ? profile->frame->offset + profile->frame->line : 0) + (uint64_t)(profile->phase + 2);
	return hash ? hash : 1;
}

static void say_none(const struct view *view, char *out, size_t room)
{
	const char *why = view_missing(view->model, PS_PROBE_SAMPLING);
	if (!view->loop)
		snprintf(out, room, "no loop seen yet");
	else
		snprintf(out, room, *why ? "n/a  sampling probe: %s" : "no busy sample was taken yet%s", why);
}

static uint64_t key_share(const struct view *view, const void *row)
{
	const struct profile_row *profile = row;
	uint64_t all = view->loop->profile_samples;
	return all ? profile->samples * 1000000 / all : PS_UNKNOWN;
}

static void print_share(const struct view *view, const void *row, char *out, size_t room)
{
	uint64_t share = key_share(view, row);
	snprintf(out, room, share == PS_UNKNOWN ? "n/a" : "~%.1f%%", (double)share / 1e4);
}

static uint64_t key_time(const struct view *view, const void *row)
{
	const struct profile_row *profile = row;
	return profile->ns;
}

static void print_time(const struct view *view, const void *row, char *out, size_t room)
{
	char text[24];
	snprintf(out, room, "%s", cell_duration(text, key_time(view, row), "~"));
}

static void print_phase(const struct view *view, const void *row, char *out, size_t room)
{
	const struct profile_row *profile = row;
	snprintf(out, room, "%s", profile->phase < 0 ? "n/a" : phase_name((unsigned)profile->phase));
}

static void print_function(const struct view *view, const void *row, char *out, size_t room)
{
	const struct profile_row *profile = row;
	if (profile->frame)
		frame_text(profile->frame, out, room);
	else
		snprintf(out, room, "(all others)");
}

static const struct column columns[] = {
	{ .name = "share",
	  .title = "BUSY",
	  .width = 6,
	  .right = 1,
	  .unit = PERCENT,
	  .note = "share of the loop's busy time, by sampling",
	  .key = key_share,
	  .print = print_share },
	{ .name = "time",
	  .title = "TIME",
	  .width = 7,
	  .right = 1,
	  .priority = 2,
	  .unit = DURATION,
	  .note = "what the samples stand for",
	  .key = key_time,
	  .print = print_time },
	{ .name = "phase",
	  .title = "PHASE",
	  .width = 8,
	  .priority = 3,
	  .note = "the phase it ran in; n/a = not known",
	  .print = print_phase },
	{ .name = "function",
	  .title = "FUNCTION",
	  .least = 20,
	  .note = "the user's own innermost function, else the innermost that has a name",
	  .print = print_function },
	{ .name = NULL },
};

static const struct sheet sheet = {
	.name = "profile",
	.columns = columns,
	.rows = list_profile,
	.identity = identify,
	.empty = say_none,
};

/* ---- by phase ---- */

/* share of each of the last seconds that the phase took, as one cell each */
static void draw_spark(const struct view *view, struct area area, int x, int y, unsigned phase)
{
	uint64_t now = view->model->now_ns / 1000000000;
	for (int i = 0; i < SPARK_SECONDS && x + i < area.columns; i++) {
		uint64_t back = (uint64_t)(SPARK_SECONDS - i);
		const struct slot *slot = back <= now ? view_slot(view->loop, now - back) : NULL;
		uint64_t ns = slot ? slot->phase_ns[phase] : 0;
		int level = (ns > 0) + (ns >= 50000000) + (ns >= 200000000) + (ns >= 600000000);
		grid_fill(view->grid, area.x + x + i, area.y + y, y < area.rows ? 1 : 0,
			  slot ? view->glyphs->level[level] : ' ', STYLE_NORMAL);
	}
}

static void draw_phase(const struct view *view, struct area area, int y, size_t at, const struct recent *recent)
{
	const struct phase_stat *phase = &view->loop->phases[shown[at].phase];
	const struct hist *base = view->loop_mark ? &view->loop_mark->phases[shown[at].phase].hist : NULL;
	double share = recent->seconds ? (double)recent->phase_ns[shown[at].phase] * 100 / (double)recent->wall_ns : -1;
	char count[24], p50[24], p90[24], p99[24], max[24], text[16] = "n/a";
	int fill = area.columns >= WIDE ? 12 : 0;
	if (share >= 0)
		snprintf(text, sizeof(text), "%.1f%%", share > 100 ? 100 : share);
	area_print(view, area, 1, y, STYLE_NORMAL, "%-9s%6s", shown[at].name, text);
	area_bar(view, area, 18, y, fill, share < 0 ? 0 : share / 100);
	area_print(view, area, 18 + fill, y, STYLE_NORMAL, "%7s %7s %7s %7s %7s", cell_count(count, phase->count),
		   cell_quantile(p50, &phase->hist, base, 0.5), cell_quantile(p90, &phase->hist, base, 0.9),
		   cell_quantile(p99, &phase->hist, base, 0.99), cell_quantile(max, &phase->hist, base, 1));
	draw_spark(view, area, 60 + fill, y, shown[at].phase);
}

static void draw_table(const struct view *view, struct area area)
{
	struct recent recent;
	char title[64];
	int fill = area.columns >= WIDE ? 12 : 0;
	view_recent(view, view->loop, 10, &recent);
	snprintf(title, sizeof(title), "share of wall, last %us; the rest since the %s", recent.seconds,
		 view->mark ? "mark" : "beginning");
	area = area_head(view, area, "PHASES", title);
	area_put(view, area, 1, 0, STYLE_HEAD, "PHASE     SHARE");
	area_print(view, area, 18 + fill, 0, STYLE_HEAD, "%7s %7s %7s %7s %7s", "COUNT", "P50", "P90", "P99", "MAX");
	if (area.columns >= 60 + fill + 10)
		area_print(view, area, 60 + fill, 0, STYLE_HEAD, "last %ds", SPARK_SECONDS);
	for (size_t i = 0; i < SHOWN && (int)i + 1 < area.rows - 1; i++)
		draw_phase(view, area, (int)i + 1, i, &recent);
	double waiting = recent.seconds ? (double)recent.wait_ns * 100 / (double)recent.wall_ns : -1;
	char text[16] = "n/a";
	if (waiting >= 0)
		snprintf(text, sizeof(text), "%.1f%%", waiting > 100 ? 100 : waiting);
	area_print(view, area, 1, area.rows - 1, STYLE_NORMAL, "%-9s%6s", "waiting", text);
	area_bar(view, area, 18, area.rows - 1, fill, waiting < 0 ? 0 : waiting / 100);
}

/* ---- the spectrogram ---- */

static uint32_t spectrum_rune(const struct view *view, const struct slot *slot, unsigned band)
{
	uint32_t most = 0, count = slot->bands[band];
	for (unsigned i = 0; i < MODEL_BANDS; i++)
		most = slot->bands[i] > most ? slot->bands[i] : most;
	if (!count)
		return ' ';
	return view->glyphs->level[1 + (count * 10 > most) + (count * 3 > most) + (count == most)];
}

static void draw_spectrogram(const struct view *view, struct area area)
{
	uint64_t now = view->model->now_ns / 1000000000;
	int wide = (area.columns - 8) / MODEL_BANDS;
	char text[16];
	wide = wide > 6 ? 6 : wide < 1 ? 1 : wide;
	area = area_head(view, area, "SPECTROGRAM", "busy slices by length, a row a second");
	for (int band = 0; band < MODEL_BANDS - 1; band++) {
		int every = wide >= 6 ? 1 : wide >= 3 ? 2 : 5;
		if (band % every == every - 1) /* the mark stands at the band's upper end */
			area_print(view, area,
				   7 + (band + 1) * wide -
					   text_width(text_duration(text, model_band_ns((unsigned)band))),
				   0, STYLE_HEAD, "%s", text);
	}
	for (int y = 1; y < area.rows; y++) {
		const struct slot *slot = (uint64_t)y <= now ? view_slot(view->loop, now - (uint64_t)y) : NULL;
		area_print(view, area, 1, y, STYLE_DIM, "-%ds", y);
		for (unsigned band = 0; slot && band < MODEL_BANDS; band++) {
			int late = band && model_band_ns(band - 1) >= view->stall_ns;
			grid_fill(view->grid, area.x + 7 + (int)band * wide, area.y + y, wide,
				  spectrum_rune(view, slot, band), late ? STYLE_CRIT : STYLE_NORMAL);
		}
		if (slot && slot->lost)
			area_put(view, area, 6, y, STYLE_CRIT, "?");
	}
}

/* ---- the screen ---- */

static void draw_profile(const struct view *view, struct tui *tui, struct area area)
{
	char note[64];
	snprintf(note, sizeof(note), "%llu samples of the busy time", (unsigned long long)view->loop->profile_samples);
	area = area_head(view, area, "BY FUNCTION", view->loop->profile_samples ? note : "");
	sheet_draw(view, area, &sheet, tui_table(tui));
}

static void draw_phases(const struct view *view, struct area *area)
{
	if (view->loop->flags & PS_LOOP_PHASES)
		draw_table(view, area_top(area, area->rows >= 20 ? (int)SHOWN + 3 : 8));
	else
		panel_phases(view, area_top(area, area->rows >= 20 ? 8 : 6));
}

static void draw(struct view *view, struct tui *tui, struct area area)
{
	if (!view->loop || area.rows < 12) {
		panel_phases(view, area);
		return;
	}
	draw_phases(view, &area);
	if (area.columns >= WIDE) {
		struct area left = area, right = area;
		left.columns = area.columns / 2 - 1;
		right.x += left.columns + 1;
		right.columns -= left.columns + 1;
		draw_spectrogram(view, left);
		draw_profile(view, tui, right);
	} else {
		draw_spectrogram(view, area_top(&area, area.rows / 2));
		draw_profile(view, tui, area);
	}
}

const struct screen screen_phases = {
	.digit = 3,
	.name = "Phases",
	.brief = "Phase",
	.note = "where the loop's time went: by phase, by length of its busy slices, by function",
	.sheet = &sheet,
	.draw = draw,
};

/* SPDX-License-Identifier: BSD-2-Clause */
/* Probes: what this tool looks through, what does not work and why, what was lost and what looking costs. */
#include <stdio.h>

#include "list.h"
#include "schema.h"
#include "state.h"
#include "text.h"

#define COST_ROWS 4
#define REASON_ROWS 3 /* its title and two lines: so many are left of 24 */

static size_t list_probes(const struct view *view, const void **rows, size_t room)
{
	for (size_t i = 0; i < PS_PROBE_GROUP_COUNT && i < room; i++)
		rows[i] = &view->model->probes[i];
	return PS_PROBE_GROUP_COUNT;
}

/* a probe group is its place; probes know their group only once they have spoken */
static unsigned group_of(const struct view *view, const void *row)
{
	return (unsigned)((const struct probe *)row - view->model->probes);
}

static uint64_t identify(const struct view *view, const void *row)
{
	return (uint64_t)group_of(view, row) + 1;
}

static enum grid_style style_probe(const struct view *view, const void *row)
{
	const struct probe *probe = row;
	if (probe->state == PS_PROBE_STATE_MISSING || probe->state == PS_PROBE_STATE_DETACHED)
		return STYLE_WARN;
	return probe->state == PS_PROBE_STATE_OFF ? STYLE_DIM : STYLE_NORMAL;
}

static void say_none(const struct view *view, char *out, size_t room)
{
	snprintf(out, room, "no probes");
}

static uint64_t key_group(const struct view *view, const void *row)
{
	return group_of(view, row);
}

static void print_group(const struct view *view, const void *row, char *out, size_t room)
{
	snprintf(out, room, "%s", probe_group_name(group_of(view, row)));
}

static void print_state(const struct view *view, const void *row, char *out, size_t room)
{
	const struct probe *probe = row;
	snprintf(out, room, "%s", probe_state_name(probe->state));
}

static uint64_t key_hits(const struct view *view, const void *row)
{
	const struct probe *probe = row;
	return probe->state == PS_PROBE_STATE_OFF ? PS_UNKNOWN : probe->hits;
}

static void print_hits(const struct view *view, const void *row, char *out, size_t room)
{
	const struct probe *probe = row;
	char text[24];
	snprintf(out, room, "%s", probe->state == PS_PROBE_STATE_OFF ? "-" : cell_count(text, probe->hits));
}

static uint64_t key_cost(const struct view *view, const void *row)
{
	const struct probe *probe = row;
	int counted = probe->hits && probe->hits != PS_UNKNOWN && probe->cost_ns && probe->cost_ns != PS_UNKNOWN;
	return counted ? probe->cost_ns / probe->hits : PS_UNKNOWN;
}

static void print_cost(const struct view *view, const void *row, char *out, size_t room)
{
	const struct probe *probe = row;
	char text[24];
	snprintf(out, room, "%s",
		 probe->state == PS_PROBE_STATE_OFF ? "-" : cell_duration(text, key_cost(view, row), ""));
}

static uint64_t key_rate(const struct view *view, const void *row)
{
	return ((const struct probe *)row)->hits_per_s;
}

static void print_rate(const struct view *view, const void *row, char *out, size_t room)
{
	const struct probe *probe = row;
	char text[24];
	snprintf(out, room, "%s", probe->state == PS_PROBE_STATE_OFF ? "-" : cell_count(text, probe->hits_per_s));
}

/* what it costs the target a second, of what it may */
static uint64_t key_load(const struct view *view, const void *row)
{
	const struct probe *probe = row;
	return probe->cost_per_s == PS_UNKNOWN ? PS_UNKNOWN : probe->cost_per_s / 1000; /* millionths of a CPU */
}

static void print_load(const struct view *view, const void *row, char *out, size_t room)
{
	const struct probe *probe = row;
	if (probe->state == PS_PROBE_STATE_OFF)
		snprintf(out, room, "-");
	else if (probe->cost_per_s == PS_UNKNOWN || !probe->cost_ns)
		snprintf(out, room, "n/a");
	else if (probe->budget == PS_UNKNOWN)
		snprintf(out, room, "%.2f%%", (double)probe->cost_per_s / 1e7);
	else
		snprintf(out, room, "%.2f/%.1f%%", (double)probe->cost_per_s / 1e7, (double)probe->budget / 1e7);
}

static void print_reason(const struct view *view, const void *row, char *out, size_t room)
{
	const struct probe *probe = row;
	snprintf(out, room, "%s", probe->reason ? probe->reason : "");
}

static const struct column columns[] = {
	{ .name = "probe", .title = "PROBE", .width = 9, .ascending = 1, .note = "group of probes; each may be missing alone",
	  .key = key_group, .print = print_group },
	{ .name = "state", .title = "STATE", .width = 9, .note = "on, fallback (a weaker way), missing, detached, off",
	  .print = print_state },
	{ .name = "hits", .title = "HITS", .width = 7, .right = 1, .priority = 2, .note = "how often it was hit so far",
	  .key = key_hits, .print = print_hits },
	{ .name = "rate", .title = "HITS/s", .width = 7, .right = 1, .priority = 3, .note = "how often a second of late",
	  .key = key_rate, .print = print_rate },
	{ .name = "load", .title = "OF A CPU", .width = 10, .right = 1, .priority = 4, .unit = PERCENT,
	  .note = "what it costs the target, and how much it may cost before it is taken off", .key = key_load, .print = print_load },
	{ .name = "cost", .title = "PER HIT", .width = 8, .right = 1, .priority = 1, .unit = DURATION,
	  .note = "what a hit costs the target", .key = key_cost, .print = print_cost },
	{ .name = "reason", .title = "HOW, OR WHY NOT AND WHAT MENDS IT", .least = 10,
	  .note = "how it works, or why it does not", .print = print_reason },
	{ .name = NULL },
};

static const struct sheet sheet = {
	.name = "probes",
	.columns = columns,
	.rows = list_probes,
	.identity = identify,
	.style = style_probe,
	.empty = say_none,
};

static void draw_cost(const struct view *view, struct area area)
{
	const struct model *model = view->model;
	double cpu = rates_own_cpu(view->rates);
	char all[24], text[24];
	int x = 1;

	area = area_head(view, area, "LOSS AND COST", "");
	x += area_print(view, area, x, 0, model->lost_total ? STYLE_CRIT : STYLE_NORMAL, "lost %s events:",
			cell_count(all, model->lost_total));
	for (unsigned source = 0; source < PS_LOST_SOURCE_COUNT; source++)
		x += area_print(view, area, x, 0, STYLE_NORMAL, "  %s %s", lost_source_name(source),
				cell_count(text, model->lost[source]));
	area_print(view, area, 1, 1, STYLE_NORMAL, "received %s events, malformed %s, unknown %s", cell_count(all, model->events),
		   cell_count(text, model->malformed), cell_count((char[24]){ 0 }, model->unknown));
	area_print(view, area, 1, 2, STYLE_NORMAL, "own CPU so far %s, now %s of 1 cpu, memory %s",
		   cell_duration(all, model->own_cpu_ns, ""), cell_percent(text, cpu < 0 ? -1 : cpu * 100, ""),
		   cell_bytes((char[24]){ 0 }, model->own_rss_bytes));
}

/* the whole reason of the row that is selected: its cell has room for few words */
static void draw_reason(const struct view *view, const struct sheet_state *state, struct area area)
{
	const struct probe *probe = sheet_selected(state);
	if (!probe)
		return;
	const char *name = probe_group_name(group_of(view, probe));
	struct list list = { view, area_head(view, area, "HOW, OR WHY NOT", name), 0, 0 };
	list_wrap(&list, style_probe(view, probe), "", probe->reason && *probe->reason ? probe->reason : "-");
}

static void draw(struct view *view, struct tui *tui, struct area area)
{
	const struct sheet_state *state = &tui->sheets[tui->screen];
	int groups = PS_PROBE_GROUP_COUNT + 1, spare = area.rows - groups - COST_ROWS - REASON_ROWS;
	int cost = area.rows >= 16 ? COST_ROWS : 0, reason = spare < 0 ? 0 : REASON_ROWS + (spare > 2 ? 2 : spare);

	sheet_draw(view, area_top(&area, area.rows - cost - reason), &sheet, &tui->sheets[tui->screen]);
	if (reason)
		draw_reason(view, state, area_top(&area, reason));
	if (cost)
		draw_cost(view, area);
}

const struct screen screen_probes = {
	.digit = 9,
	.name = "Probes",
	.brief = "Probe",
	.note = "what is looked through, what is missing and why, what was lost, what it costs",
	.sheet = &sheet,
	.draw = draw,
};

/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of culprits: stalls of one function for one reason, counted together. */
#include <stdio.h>
#include <string.h>

#include "screen.h"
#include "text.h"

static size_t list_culprits(const struct view *view, const void **rows, size_t room)
{
	const struct model *model = view->model;
	for (size_t i = 0; i < model->culprit_count && i < room; i++)
		rows[i] = &model->culprits[i];
	return model->culprit_count;
}

static uint64_t identify(const struct view *view, const void *row)
{
	const struct culprit_stat *culprit = row;
	uint64_t hash = culprit_hash(culprit->key);
	return hash ? hash : 1;
}

static void say_none(const struct view *view, char *out, size_t room)
{
	snprintf(out, room, "%s", view->loop ? "no stall has ended so far" : "no loop seen yet");
}

/* ---- cells ---- */

#define NUMBER_CELL(member)                                                                                            \
	static uint64_t key_##member(const struct view *view, const void *row)                                         \
	{                                                                                                              \
		return ((const struct culprit_stat *)row)->member;                                                     \
	}
NUMBER_CELL(count)
NUMBER_CELL(total_ns)
NUMBER_CELL(max_ns)

static void print_count(const struct view *view, const void *row, char *out, size_t room)
{
	char text[24];
	snprintf(out, room, "%s", cell_count(text, key_count(view, row)));
}

static void print_total(const struct view *view, const void *row, char *out, size_t room)
{
	char text[24];
	snprintf(out, room, "%s", cell_duration(text, key_total_ns(view, row), ""));
}

static void print_max(const struct view *view, const void *row, char *out, size_t room)
{
	char text[24];
	snprintf(out, room, "%s", cell_duration(text, key_max_ns(view, row), ""));
}

static uint64_t key_median(const struct view *view, const void *row)
{
	return culprit_quantile(row, 0.5);
}

static void print_median(const struct view *view, const void *row, char *out, size_t room)
{
	char text[24];
	snprintf(out, room, "%s", cell_duration(text, key_median(view, row), ""));
}

static uint64_t key_last(const struct view *view, const void *row)
{
	const struct culprit_stat *culprit = row;
	return view->model->now_ns > culprit->last_ns ? view->model->now_ns - culprit->last_ns : 0;
}

static void print_last(const struct view *view, const void *row, char *out, size_t room)
{
	uint64_t age = key_last(view, row);
	char text[24];
	if (age < 100000000000ull)
		snprintf(out, room, "%us", (unsigned)(age / 1000000000));
	else
		snprintf(out, room, "%s", text_duration(text, age));
}

static void print_rule(const struct view *view, const void *row, char *out, size_t room)
{
	snprintf(out, room, "%s", stall_rule_name(((const struct culprit_stat *)row)->rule));
}

static void print_cause(const struct view *view, const void *row, char *out, size_t room)
{
	snprintf(out, room, "%s", stall_cause_name(((const struct culprit_stat *)row)->cause));
}

/* "validate check.js:12"; what has no function is told by its key */
static void print_culprit(const struct view *view, const void *row, char *out, size_t room)
{
	const struct culprit_stat *culprit = row;
	const char *file = text_last_part(culprit->file);
	const struct stall *worst = model_stall(view->model, culprit->worst_id);
	if (*culprit->name && culprit->line)
		snprintf(out, room, "%.100s %.60s:%u", culprit->name, file, culprit->line);
	else if (*culprit->name)
		snprintf(out, room, "%.100s %.60s", culprit->name, file);
	else
		snprintf(out, room, "%s", worst && *worst->culprit ? worst->culprit : culprit->key);
}

static const struct column columns[] = {
	{ .name = "total",
	  .title = "TOTAL",
	  .width = 7,
	  .right = 1,
	  .unit = DURATION,
	  .note = "how long it blocked the loop, all its stalls together",
	  .key = key_total_ns,
	  .print = print_total },
	{ .name = "count",
	  .title = "STALLS",
	  .width = 6,
	  .right = 1,
	  .note = "how many stalls it caused",
	  .key = key_count,
	  .print = print_count },
	{ .name = "p50",
	  .title = "P50",
	  .width = 6,
	  .right = 1,
	  .priority = 4,
	  .unit = DURATION,
	  .note = "half of them were shorter",
	  .key = key_median,
	  .print = print_median },
	{ .name = "max",
	  .title = "MAX",
	  .width = 6,
	  .right = 1,
	  .priority = 1,
	  .unit = DURATION,
	  .note = "the longest of them",
	  .key = key_max_ns,
	  .print = print_max },
	{ .name = "last",
	  .title = "LAST",
	  .width = 5,
	  .right = 1,
	  .priority = 3,
	  .ascending = 1,
	  .unit = DURATION,
	  .note = "how long ago the last one ended",
	  .key = key_last,
	  .print = print_last },
	{ .name = "rule",
	  .title = "RULE",
	  .width = 15,
	  .priority = 2,
	  .note = "the habit that was broken",
	  .print = print_rule },
	{ .name = "cause",
	  .title = "CAUSE",
	  .width = 9,
	  .priority = 5,
	  .note = "what the longest was made of",
	  .print = print_cause },
	{ .name = "culprit",
	  .title = "CULPRIT",
	  .least = 20,
	  .note = "the function that did it, with its place",
	  .print = print_culprit },
	{ .name = NULL },
};

const struct sheet culprits_sheet = {
	.name = "culprits",
	.columns = columns,
	.rows = list_culprits,
	.identity = identify,
	.empty = say_none,
};

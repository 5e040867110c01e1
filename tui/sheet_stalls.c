/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of stalls: of every loop of the picture, newest first. */
#include <stdio.h>
#include <string.h>

#include "screen.h"
#include "text.h"

static size_t list_stalls(const struct view *view, const void **rows, size_t room)
{
	const struct model *model = view->model;
	size_t count = 0;
	for (size_t i = 0; i < model->stall_count; i++) {
		if (view->group && stall_culprit_hash(model->stalls[i]) != view->group)
			continue;
		if (count < room)
			rows[count] = model->stalls[i];
		count++;
	}
	return count;
}

static uint64_t identify(const struct view *view, const void *row)
{
	const struct stall *stall = row;
	return stall->id;
}

static enum grid_style style_stall(const struct view *view, const void *row)
{
	const struct stall *stall = row;
	if (stall->open)
		return STYLE_CRIT;
	return stall->duration_ns >= 2 * view->stall_ns ? STYLE_WARN : STYLE_NORMAL;
}

static void say_none(const struct view *view, char *out, size_t room)
{
	snprintf(out, room, "%s", view->loop ? "no stall so far" : "no loop seen yet");
}

/* ---- cells ---- */

static uint64_t key_age(const struct view *view, const void *row)
{
	return stall_age(view->model, row);
}

static void print_age(const struct view *view, const void *row, char *out, size_t room)
{
	const struct stall *stall = row;
	char text[24];
	uint64_t age = stall_age(view->model, stall);
	if (stall->open)
		snprintf(out, room, "now");
	else if (age < 100000000000ull)
		snprintf(out, room, "%us", (unsigned)(age / 1000000000));
	else
		snprintf(out, room, "%s", text_duration(text, age));
}

static uint64_t key_duration(const struct view *view, const void *row)
{
	const struct stall *stall = row;
	return stall->duration_ns;
}

static void print_duration(const struct view *view, const void *row, char *out, size_t room)
{
	const struct stall *stall = row;
	char text[24];
	snprintf(out, room, "%s", cell_duration(text, stall->duration_ns, stall_mark(stall)));
}

static void print_phase(const struct view *view, const void *row, char *out, size_t room)
{
	snprintf(out, room, "%s", stall_phase(row));
}

static uint64_t key_cpu(const struct view *view, const void *row)
{
	const struct stall *stall = row;
	double percent = stall_percent(stall, stall->on_cpu_ns);
	return percent < 0 ? PS_UNKNOWN : (uint64_t)(percent * 10000 + 0.5);
}

static void print_cpu(const struct view *view, const void *row, char *out, size_t room)
{
	const struct stall *stall = row;
	char text[24];
	snprintf(out, room, "%s",
		 cell_percent(text, stall_percent(stall, stall->on_cpu_ns), stall->estimated || stall->lossy ? "~" : ""));
}

static void print_cause(const struct view *view, const void *row, char *out, size_t room)
{
	const struct stall *stall = row;
	snprintf(out, room, "%s", stall_cause_name(stall->cause));
}

static uint64_t key_held(const struct view *view, const void *row)
{
	const struct stall *stall = row;
	if (stall->held_fds == PS_UNKNOWN)
		return stall->held_timers;
	return stall->held_fds + (stall->held_timers == PS_UNKNOWN ? 0 : stall->held_timers);
}

static void print_held(const struct view *view, const void *row, char *out, size_t room)
{
	const struct stall *stall = row;
	char fds[24], timers[24];
	if (stall->held_fds == PS_UNKNOWN && stall->held_timers == PS_UNKNOWN)
		snprintf(out, room, "n/a");
	else
		snprintf(out, room, "%s%s %s%s", cell_count(fds, stall->held_fds), stall->held_fds == PS_UNKNOWN ? "" : "fd",
			 cell_count(timers, stall->held_timers), stall->held_timers == PS_UNKNOWN ? "" : "tm");
}

static int has_loops(const struct view *view)
{
	return view->model->loop_count > 1;
}

static uint64_t key_tid(const struct view *view, const void *row)
{
	const struct stall *stall = row;
	return stall->loop ? stall->loop->tid : PS_UNKNOWN;
}

static void print_tid(const struct view *view, const void *row, char *out, size_t room)
{
	const struct stall *stall = row;
	if (stall->loop)
		snprintf(out, room, "%u", stall->loop->tid);
	else
		snprintf(out, room, "n/a");
}

static void print_culprit(const struct view *view, const void *row, char *out, size_t room)
{
	const struct stall *stall = row;
	if (*stall->own_culprit)
		snprintf(out, room, "%s + %s", stall->own_culprit, stall->culprit);
	else
		snprintf(out, room, "%s", *stall->culprit ? stall->culprit : "n/a");
}

static const struct column columns[] = {
	{ .name = "age", .title = "AGE", .width = 4, .right = 1, .ascending = 1, .unit = DURATION,
	  .note = "how long ago it ended; now = it goes on", .key = key_age, .print = print_age },
	{ .name = "dur", .alias = "duration", .title = "DUR", .width = 6, .right = 1, .unit = DURATION,
	  .note = "how long the loop did not come back to its poller; ~ = events were lost or it began before the attach",
	  .key = key_duration, .print = print_duration },
	{ .name = "loop", .title = "LOOP", .width = 7, .right = 1, .priority = 4,
	  .note = "thread of the loop", .key = key_tid, .print = print_tid, .shown = has_loops },
	{ .name = "phase", .title = "PHASE", .width = 7, .priority = 3,
	  .note = "phase of the loop it was in; n/a = this loop does not tell its phases", .print = print_phase },
	{ .name = "cpu", .title = "CPU", .width = 5, .right = 1, .priority = 1, .unit = PERCENT,
	  .note = "share of the stall spent running; the rest was blocked or waiting for a CPU",
	  .key = key_cpu, .print = print_cpu },
	{ .name = "cause", .title = "CAUSE", .width = 9, .priority = 5,
	  .note = "cpu, sync-io, lock, run-queue, throttled, gc, page-fault, stopped, unknown", .print = print_cause },
	{ .name = "held", .title = "HELD UP", .width = 9, .priority = 2,
	  .note = "descriptors and timers that were due and had to wait", .key = key_held, .print = print_held },
	{ .name = "culprit", .title = "CULPRIT", .least = 31, .note = "who is to blame: innermost function <- its caller, syscall, task",
	  .print = print_culprit },
	{ .name = NULL },
};

const struct sheet stalls_sheet = {
	.name = "stalls",
	.columns = columns,
	.sort = 0,
	.rows = list_stalls,
	.identity = identify,
	.style = style_stall,
	.empty = say_none,
};

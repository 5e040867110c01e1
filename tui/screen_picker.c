/* SPDX-License-Identifier: BSD-2-Clause */
/* Picker: the event loops of this machine, when no target was named. Enter watches the selected one. */
#include <stdio.h>
#include <string.h>

#include "state.h"
#include "text.h"

static size_t list_targets(const struct view *view, const void **rows, size_t room)
{
	const struct tui_status *status = view->status;
	for (size_t i = 0; status->targets && i < status->target_count && i < room; i++)
		rows[i] = &status->targets[i];
	return status->targets ? status->target_count : 0;
}

static uint64_t identify(const struct view *view, const void *row)
{
	const struct tui_target *target = row;
	return ((uint64_t)target->tid << 20 | ((uint32_t)target->poller_fd & 0xfffff)) + 1;
}

static void say_none(const struct view *view, char *out, size_t room)
{
	snprintf(out, room, "%s",
		 view->status->targets ? "no event loop is to be seen: start one, or try with sudo"
				       : "the target was chosen already");
}

static uint64_t key_pid(const struct view *view, const void *row)
{
	return ((const struct tui_target *)row)->pid;
}

static void print_pid(const struct view *view, const void *row, char *out, size_t room)
{
	snprintf(out, room, "%u", ((const struct tui_target *)row)->pid);
}

static uint64_t key_tid(const struct view *view, const void *row)
{
	return ((const struct tui_target *)row)->tid;
}

static void print_tid(const struct view *view, const void *row, char *out, size_t room)
{
	snprintf(out, room, "%u", ((const struct tui_target *)row)->tid);
}

static uint64_t key_fds(const struct view *view, const void *row)
{
	return ((const struct tui_target *)row)->fds;
}

static void print_fds(const struct view *view, const void *row, char *out, size_t room)
{
	snprintf(out, room, "%u", ((const struct tui_target *)row)->fds);
}

#define TEXT_CELL(member)                                                                                              \
	static void print_##member(const struct view *view, const void *row, char *out, size_t room)                   \
	{                                                                                                              \
		const char *text = ((const struct tui_target *)row)->member;                                           \
		text_clean(out, room, text, strlen(text));                                                             \
	}
TEXT_CELL(comm)
TEXT_CELL(cmdline)
TEXT_CELL(runtime)
TEXT_CELL(backend)
TEXT_CELL(can_see)

static const struct column columns[] = {
	{ .name = "pid",
	  .title = "PID",
	  .width = 7,
	  .right = 1,
	  .ascending = 1,
	  .note = "process",
	  .key = key_pid,
	  .print = print_pid },
	{ .name = "tid",
	  .title = "TID",
	  .width = 7,
	  .right = 1,
	  .priority = 5,
	  .ascending = 1,
	  .note = "thread that runs the loop",
	  .key = key_tid,
	  .print = print_tid },
	{ .name = "command", .title = "COMMAND", .width = 15, .note = "name of the process", .print = print_comm },
	{ .name = "runtime",
	  .title = "RUNTIME",
	  .width = 10,
	  .priority = 1,
	  .note = "what it looks like",
	  .print = print_runtime },
	{ .name = "backend",
	  .title = "BACKEND",
	  .width = 8,
	  .priority = 4,
	  .note = "how it waits",
	  .print = print_backend },
	{ .name = "fds",
	  .title = "FDS",
	  .width = 5,
	  .right = 1,
	  .priority = 2,
	  .note = "descriptors that the poller holds",
	  .key = key_fds,
	  .print = print_fds },
	{ .name = "see",
	  .title = "CAN SEE",
	  .width = 28,
	  .priority = 3,
	  .note = "what this user may see of it, or what is missing",
	  .print = print_can_see },
	{ .name = "line",
	  .title = "COMMAND LINE",
	  .least = 10,
	  .priority = 6,
	  .note = "its command line",
	  .print = print_cmdline },
	{ .name = NULL },
};

static const struct sheet sheet = {
	.name = "picker",
	.columns = columns,
	.sort = 5,
	.rows = list_targets,
	.identity = identify,
	.empty = say_none,
};

static void draw(struct view *view, struct tui *tui, struct area area)
{
	char note[64];
	snprintf(note, sizeof(note), "%zu of this machine; Enter watches one", view->status->target_count);
	sheet_draw(view, area.rows >= 4 ? area_head(view, area, "EVENT LOOPS", note) : area, &sheet, tui_table(tui));
}

static int enter(const struct view *view, struct tui *tui, const void *row)
{
	const struct tui_target *target = row;
	if (!view->status->pick)
		return 0;
	view->status->pick(view->status->arg, target->pid);
	return 1;
}

const struct screen screen_picker = {
	.digit = 0,
	.name = "Picker",
	.brief = "Pick",
	.note = "the event loops of this machine, when no target was named",
	.sheet = &sheet,
	.draw = draw,
	.enter = enter,
	.enter_name = "Enter watch",
};

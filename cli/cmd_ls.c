/* SPDX-License-Identifier: BSD-2-Clause */
/* pollscope ls: the event loops of this machine. */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "attach.h"
#include "command.h"
#include "fault.h"
#include "json.h"
#include "schema.h"
#include "text.h"

struct column {
	const char *title;
	int width; /* negative: left-aligned; 0: the rest of the line */
	void (*print)(const struct loop_found *loop, char out[320]);
};

static void print_pid(const struct loop_found *loop, char out[320])
{
	snprintf(out, 320, "%d", (int)loop->pid);
}

static void print_tid(const struct loop_found *loop, char out[320])
{
	snprintf(out, 320, "%d", (int)loop->tid);
}

static void print_command(const struct loop_found *loop, char out[320])
{
	text_clean(out, 320, loop->comm, strnlen(loop->comm, sizeof(loop->comm)));
}

static void print_runtime(const struct loop_found *loop, char out[320])
{
	text_clean(out, 320, loop->runtime, strnlen(loop->runtime, sizeof(loop->runtime)));
}

static void print_version(const struct loop_found *loop, char out[320])
{
	const char *version = *loop->runtime_version ? loop->runtime_version : *loop->library ? loop->library : "-";
	text_clean(out, 320, version, strnlen(version, sizeof(loop->library)));
}

static void print_backend(const struct loop_found *loop, char out[320])
{
	snprintf(out, 320, "%s", backend_name(loop->backend));
}

static void print_fds(const struct loop_found *loop, char out[320])
{
	snprintf(out, 320, "%u", loop->fds);
}

static void print_can_see(const struct loop_found *loop, char out[320])
{
	text_clean(out, 320, loop->can_see, strnlen(loop->can_see, sizeof(loop->can_see)));
}

static const struct column columns[] = {
	{ "PID", 8, print_pid },	   { "TID", 8, print_tid },	      { "COMMAND", -16, print_command },
	{ "RUNTIME", -10, print_runtime }, { "VERSION", -12, print_version }, { "BACKEND", -8, print_backend },
	{ "FDS", 6, print_fds },	   { "CAN SEE", 0, print_can_see },
};
#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

static void put_cell(const struct column *column, const char *text)
{
	int room = abs(column->width) - text_width(text);
	if (column->width > 0)
		printf("%*s", room > 0 ? room : 0, "");
	fputs(text, stdout);
	if (column->width < 0)
		printf("%*s", room > 0 ? room : 0, "");
	putchar(column == &columns[COLUMNS - 1] ? '\n' : ' ');
}

static void put_table(const struct loop_found *found, int count)
{
	char text[320];
	for (size_t i = 0; i < COLUMNS; i++)
		put_cell(&columns[i], columns[i].title);
	for (int row = 0; row < count; row++) {
		for (size_t i = 0; i < COLUMNS; i++) {
			columns[i].print(&found[row], text);
			put_cell(&columns[i], text);
		}
	}
}

static json_t *make_row(const struct loop_found *loop)
{
	json_t *row = json_pack("{s:i, s:i}", "pid", (int)loop->pid, "tid", (int)loop->tid);
	json_put_text(row, "comm", loop->comm, sizeof(loop->comm));
	json_put_text(row, "cmdline", loop->cmdline, sizeof(loop->cmdline));
	json_put_text(row, "runtime", loop->runtime, sizeof(loop->runtime));
	json_put_text(row, "runtime_version", loop->runtime_version, sizeof(loop->runtime_version));
	json_put_text(row, "library", loop->library, sizeof(loop->library));
	json_put_text(row, "symbols", loop->symbols, sizeof(loop->symbols));
	json_object_set_new(row, "backend", json_string(backend_name(loop->backend)));
	json_object_set_new(row, "poller_fd", loop->poller_fd < 0 ? json_null() : json_integer(loop->poller_fd));
	json_object_set_new(row, "fds", json_integer(loop->fds));
	json_object_set_new(row, "has_ring", json_boolean(loop->has_ring));
	json_put_text(row, "can_see", loop->can_see, sizeof(loop->can_see));
	return row;
}

static int run(const struct options *options)
{
	struct loop_found *found = NULL;
	int count = attach_find_loops(&found, 0);
	if (count < 0)
		return fault(fault_code(SIDE_TARGET, count), "cannot look for loops: %s", strerror(-count));
	if (!options->json) {
		put_table(found, count);
	} else {
		json_t *rows = json_array();
		for (int i = 0; i < count; i++)
			json_array_append_new(rows, make_row(&found[i]));
		json_tell("loops", rows);
	}
	free(found);
	return CLI_OK;
}

const struct command cmd_ls = {
	.name = "ls",
	.usage = "",
	.note = "the event loops running on this machine",
	.more = "One line per loop: the process and thread that wait in a poller, the runtime it looks like, how many "
		"descriptors the poller holds, and what this user may see of it.",
	.options = OPT(JSON),
	.run = run,
};

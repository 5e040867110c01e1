/* SPDX-License-Identifier: BSD-2-Clause */
/* pollscope doctor: what works here, what does not, why, and what mends it. */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "attach.h"
#include "command.h"
#include "fault.h"
#include "json.h"
#include "target.h"
#include "text.h"

#define MOST_ROWS 64

static const char *state_name(unsigned state)
{
	static const char *const names[] = { "yes", "partly", "no" };
	return state < 3 ? names[state] : "no";
}

static void put_indented(const char *head, const char *text, size_t room)
{
	char clean[512];
	if (text_clean(clean, sizeof(clean), text, strnlen(text, room)))
		printf("        %s%s\n", head, clean);
}

static void put_rows(const struct doctor_row *rows, int count)
{
	for (int i = 0; i < count; i++) {
		char what[128];
		text_clean(what, sizeof(what), rows[i].what, strnlen(rows[i].what, sizeof(rows[i].what)));
		printf("%-6s  %s\n", state_name(rows[i].state), what);
		put_indented("", rows[i].why, sizeof(rows[i].why));
		put_indented("mend: ", rows[i].mend, sizeof(rows[i].mend));
	}
}

static void put_json(const struct doctor_row *rows, int count)
{
	json_t *list = json_array();
	for (int i = 0; i < count; i++) {
		json_t *row = json_object();
		json_put_text(row, "what", rows[i].what, sizeof(rows[i].what));
		json_object_set_new(row, "works", json_string(state_name(rows[i].state)));
		json_put_text(row, "why", rows[i].why, sizeof(rows[i].why));
		json_put_text(row, "mend", rows[i].mend, sizeof(rows[i].mend));
		json_array_append_new(list, row);
	}
	json_tell("rows", list);
}

static int run(const struct options *options)
{
	struct doctor_row rows[MOST_ROWS];
	struct target target = { .count = 0 };
	int code = options->operand_count ? target_find(&target, options) : 0;
	if (code)
		return code;
	int count = attach_doctor(rows, MOST_ROWS, target.count ? target.pids[0] : 0);
	if (count < 0)
		return fault(fault_code(SIDE_TARGET, count), "cannot try what works here: %s", strerror(-count));
	count = count < MOST_ROWS ? count : MOST_ROWS;
	if (options->json)
		put_json(rows, count);
	else
		put_rows(rows, count);
	/* the rows have said so, and what to do */
	return target.count && kill(target.pids[0], 0) && errno == ESRCH ? CLI_NO_TARGET : CLI_OK;
}

const struct command cmd_doctor = {
	.name = "doctor", .usage = "[TARGET]", .note = "what works here, what does not, why, and what mends it",
	.more = "Tries every group of probes for real on this machine, or on TARGET, and tells what worked. Where "
		"something does not work it names the reason and the command that mends it.",
	.options = OPT(JSON), .most = 1, .run = run,
};

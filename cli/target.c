/* SPDX-License-Identifier: BSD-2-Clause */
/* From what the user calls it to process ids. */
#include "target.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attach.h"
#include "command.h"
#include "fault.h"
#include "text.h"

static int add_pid(struct target *target, pid_t pid)
{
	for (size_t i = 0; i < target->count; i++)
		if (target->pids[i] == pid)
			return 0;
	if (target->count == TARGET_MAX)
		return -E2BIG;
	target->pids[target->count++] = pid;
	return 0;
}

static int find_all(struct target *target)
{
	struct loop_found *found = NULL;
	int count = attach_find_loops(&found, 0);
	for (int i = 0; i < count; i++)
		if (found[i].pid != getpid() && add_pid(target, found[i].pid))
			break;
	free(found);
	return target->count ? 0 : fault(CLI_NO_TARGET, "no event loop is to be seen on this machine: try with sudo");
}

static int is_number(const char *text)
{
	return *text && !text[strspn(text, "0123456789")];
}

static int find_command(struct target *target, const char *name)
{
	const char *names[64] = { NULL };
	int count = attach_find_command(name, target->pids, TARGET_MAX);
	if (count > 0) {
		target->count = count < TARGET_MAX ? (size_t)count : TARGET_MAX;
		return 0;
	}
	for (size_t i = 0; commands[i] && i + 1 < sizeof(names) / sizeof(names[0]); i++)
		names[i] = commands[i]->hidden ? commands[0]->name : commands[i]->name;
	const char *near = text_nearest(name, names);
	return fault(CLI_NO_TARGET, "no process is called \"%s\"%s%s%s: pollscope ls shows what can be watched", name,
		     near ? " (did you mean the command " : "", near ? near : "", near ? "?)" : "");
}

int target_find(struct target *target, const struct options *options)
{
	target->count = 0;
	if (options->all)
		return find_all(target);
	const char *name = options->operands[0];
	if (!is_number(name))
		return find_command(target, name);
	errno = 0;
	long pid = strtol(name, NULL, 10);
	if (errno || pid <= 0 || pid > 1 << 22)
		return fault(CLI_NO_TARGET, "there is no process %s: pollscope ls shows what can be watched", name);
	return add_pid(target, (pid_t)pid);
}

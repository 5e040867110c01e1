/* SPDX-License-Identifier: BSD-2-Clause */
/* pollscope top: the live dashboard; plain text where there is no terminal. The default command. */
#include "command.h"
#include "fault.h"
#include "live.h"
#include "picker.h"

static int open_target(struct watch *watch, const struct options *options)
{
	pid_t pid;
	if (options->operand_count || options->all || options->launch)
		return watch_open(watch, options, NULL);
	if (!watch->drawing)
		return fault(CLI_USAGE, "top wants TARGET where it cannot ask (pollscope ls shows what can be watched); see pollscope help top");
	int code = picker_run(options, &pid);
	if (code || !pid)
		return code ? code : -1;
	return watch_open_pid(watch, options, NULL, pid);
}

static int run(const struct options *options)
{
	struct live live = { 0 };
	live.watch.drawing = live.watch.stay = dashboard_wanted(options);
	int code = open_target(&live.watch, options);
	if (!code)
		code = live_run(&live, options);
	watch_close(&live.watch);
	return code < 0 ? CLI_OK : code; /* nothing was chosen: that is no fault */
}

const struct command cmd_top = {
	.name = "top", .usage = "[TARGET]", .note = "live dashboard (the default command)",
	.more = "Shows the loops of TARGET as they run; without one it lists the loops of this machine to choose from. The "
		"verdict line names the worst thing that is going on; ? lists the keys. It is a read-only tool: no key "
		"changes the target.\n"
		"Where standard output is no terminal, a block of plain text is printed each second; -n and -d end it.",
	.options = OPT_TARGET | OPT(JSON) | OPT(JSONL) | OPT(COUNT) | OPT(COLOR) | OPT(ASCII) | OPT(FILTER),
	.most = 1, .launches = 1, .run = run,
};

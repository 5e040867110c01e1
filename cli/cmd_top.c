/* SPDX-License-Identifier: BSD-2-Clause */
/* pollscope top: the live dashboard; plain text where there is no terminal. The default command. */
#include "command.h"
#include "live.h"

static int run(const struct options *options)
{
	struct live live = { 0 };
	live.watch.drawing = live.watch.stay = dashboard_wanted(options);
	int code = watch_open(&live.watch, options, NULL);
	if (!code)
		code = live_run(&live, options);
	watch_close(&live.watch);
	return code;
}

const struct command cmd_top = {
	.name = "top", .usage = "TARGET", .note = "live dashboard (the default command)",
	.more = "Shows the loops of TARGET as they run. The verdict line names the worst thing that is going on; ? lists "
		"the keys. It is a read-only tool: no key changes the target.\n"
		"Where standard output is no terminal, a block of plain text is printed each second; -n and -d end it.",
	.options = OPT_TARGET | OPT(JSON) | OPT(JSONL) | OPT(COUNT) | OPT(COLOR) | OPT(ASCII) | OPT(FILTER),
	.fewest = 1, .most = 1, .launches = 1, .run = run,
};

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pollscope demo: a server on our own loop, and the dashboard that watches it
 * from outside, through its flight recorder, as any user could.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "demo.h"
#include "fault.h"
#include "live.h"
#include "text.h"

#define MOST_SCENARIOS 16

struct demo {
	struct live live;       /* first: hooks get it */
	struct demo_server server;
	int scenario;
};

/* A host key calls with one argument for all keys, so each scenario has a presser of its own. */
static void switch_to(struct demo *demo, int scenario)
{
	if (!demo_server_switch(&demo->server, scenario))
		demo->scenario = scenario;
}

#define PRESSER(number) \
	static void press_##number(void *arg) \
	{ \
		switch_to(arg, number); \
	}
PRESSER(0) PRESSER(1) PRESSER(2) PRESSER(3) PRESSER(4) PRESSER(5) PRESSER(6) PRESSER(7)
PRESSER(8) PRESSER(9) PRESSER(10) PRESSER(11) PRESSER(12) PRESSER(13) PRESSER(14) PRESSER(15)
static void (*const pressers[MOST_SCENARIOS])(void *arg) = {
	press_0, press_1, press_2, press_3, press_4, press_5, press_6, press_7,
	press_8, press_9, press_10, press_11, press_12, press_13, press_14, press_15,
};

static void fill_keys(struct tui_host_key keys[MOST_SCENARIOS + 1])
{
	for (int i = 0; i < MOST_SCENARIOS && demo_scenarios[i].name; i++) {
		keys[i] = (struct tui_host_key){ .key = demo_scenarios[i].key, .name = demo_scenarios[i].name,
						 .note = demo_scenarios[i].note, .press = pressers[i] };
		keys[i + 1] = (struct tui_host_key){ 0 };
	}
}

static void say_scenario(struct live *live)
{
	const struct demo *demo = (const struct demo *)live;
	printf("scenario: %s, http://127.0.0.1:%u/\n", demo_scenarios[demo->scenario].name, demo->server.port);
}

static void show_scenario(struct live *live)
{
	const struct demo *demo = (const struct demo *)live;
	char recording[64];
	memcpy(recording, live->dashboard.status.detail, sizeof(recording));
	if (live->record.pid)
		snprintf(live->dashboard.status.detail, sizeof(live->dashboard.status.detail), "scenario: %.20s  %.30s",
			 demo_scenarios[demo->scenario].name, recording);
	else
		snprintf(live->dashboard.status.detail, sizeof(live->dashboard.status.detail), "scenario: %s, port %u",
			 demo_scenarios[demo->scenario].name, demo->server.port);
}

static int watch_server(struct demo *demo, const struct options *options, struct tape *tape)
{
	struct tui_host_key keys[MOST_SCENARIOS + 1];
	struct live *live = &demo->live;
	fill_keys(keys);
	live->mode = "DEMO";
	live->dashboard.status.keys = keys;
	live->dashboard.status.arg = demo;
	live->before_block = say_scenario;
	live->before_draw = show_scenario;
	int code = watch_open_pid(&live->watch, options, tape, demo->server.pid);
	if (!code)
		code = live_run(live, options);
	watch_close(&live->watch);
	return code;
}

static int choose_scenario(struct demo *demo, const struct options *options)
{
	const char *names[MOST_SCENARIOS + 1] = { NULL };
	if (!options->operand_count)
		return 0;
	demo->scenario = demo_scenario_find(options->operands[0]);
	if (demo->scenario >= 0)
		return 0;
	for (int i = 0; i < MOST_SCENARIOS && demo_scenarios[i].name; i++)
		names[i] = demo_scenarios[i].name;
	const char *near = text_nearest(options->operands[0], names);
	return fault(CLI_USAGE, "there is no scenario %s%s%s%s; see pollscope help demo", options->operands[0],
		     near ? " (did you mean " : "", near ? near : "", near ? "?)" : "");
}

static int run(const struct options *given)
{
	struct options options = *given;
	struct demo demo = { 0 };
	struct tape tape = { 0 };
	demo.live.watch.drawing = dashboard_wanted(&options);
	if (!demo.live.watch.drawing && !options.duration_ns && !options.count)
		options.duration_ns = 10000000000ull;
	options.no_bpf = 1; /* what an ordinary user sees, also when run as root */
	int code = choose_scenario(&demo, &options);
	if (!code && options.output)
		code = tape_open(&tape, &options);
	if (code)
		return code;
	int err = demo_server_start(&demo.server, demo.scenario, options.port);
	if (err)
		code = fault(CLI_KERNEL, "cannot start the demo's server: %s", strerror(-err));
	else
		code = watch_server(&demo, &options, options.output ? &tape : NULL);
	demo_server_stop(&demo.server);
	int closed = tape_close(&tape);
	return code ? code : closed;
}

const struct command cmd_demo = {
	.name = "demo", .usage = "[SCENARIO]", .note = "a server with a switchable sin, and the dashboard on it",
	.more = "Starts an HTTP server on pollscope's own loop, with load, and watches it in the same terminal through its "
		"flight recorder. Needs no privileges and no other program. Keys switch the scenario while it runs.\n"
		"thread-per-connection serves the same handler once more by blocking threads, with --port N on N + 1.\n"
		"Where standard output is no terminal, it prints plain text and ends after -d (10 s if not given).",
	.options = OPT(STALL) | OPT(DURATION) | OPT(COUNT) | OPT(JSON) | OPT(JSONL) | OPT(OUTPUT) | OPT(FORCE) |
		OPT(COLOR) | OPT(ASCII) | OPT(FILTER) | OPT(READY_FD) | OPT(PORT),
	.most = 1, .run = run, .words = demo_scenario_names, .words_title = "Scenarios:",
};

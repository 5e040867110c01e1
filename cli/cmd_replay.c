/* SPDX-License-Identifier: BSD-2-Clause */
/* pollscope replay: the dashboard on a recording. */
#define NCURSES_NOMACROS
#include <curses.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "dashboard.h"
#include "fault.h"
#include "plain.h"
#include "player.h"

#define TICK_NS (50 * 1000 * 1000ull)
#define STEP_NS (100 * 1000 * 1000ull)
#define SECOND_NS 1000000000ull
#define SCOUT_STEP 40000u /* records a tick, about 10 ms */

/* in tenths: 0.1x to 100x */
static const unsigned speeds[] = { 1, 2, 5, 10, 20, 50, 100, 250, 500, 1000 };
#define SPEEDS (int)(sizeof(speeds) / sizeof(*speeds))
#define SPEED_REAL 3

struct replay {
	struct player player;
	struct dashboard dashboard;
	struct ps_loop *loop;
	struct ps_timer *tick;
	struct ps_signal *signals[3];
	uint64_t last_ns;     /* our clock at the tick before */
	int speed;            /* index in speeds[] */
	struct tui_bar bar;
	int paused;
	int error;            /* -errno of reading */
};

static void stop(void *arg)
{
	struct replay *replay = arg;
	ps_loop_stop(replay->loop);
}

static void seek(struct replay *replay, uint64_t time_ns)
{
	replay->error = player_seek(&replay->player, time_ns);
	if (replay->error)
		stop(replay);
	else
		dashboard_draw(&replay->dashboard);
}

static void advance(void *arg)
{
	struct replay *replay = arg;
	uint64_t now = ps_loop_now(replay->loop), passed = now - replay->last_ns;
	replay->last_ns = now;
	player_scout(&replay->player, SCOUT_STEP);
	if (replay->paused || replay->player.at_end)
		return;
	passed = passed * speeds[replay->speed] / 10;
	replay->error = player_seek(&replay->player, replay->player.head_ns + passed);
	if (replay->error)
		stop(replay);
}

/* ---- keys ---- */

static void press_pause(void *arg)
{
	struct replay *replay = arg;
	replay->paused = !replay->paused && !replay->player.at_end;
	if (replay->player.at_end)
		seek(replay, replay->player.begin_ns);
}

static void step(struct replay *replay, int64_t by_ns)
{
	uint64_t head = replay->player.head_ns, begin = replay->player.begin_ns;
	replay->paused = 1;
	if (by_ns < 0 && head - begin < (uint64_t)-by_ns)
		seek(replay, begin);
	else
		seek(replay, head + (uint64_t)by_ns);
}

static void press_back(void *arg)
{
	step(arg, -(int64_t)SECOND_NS);
}

static void press_forward(void *arg)
{
	step(arg, (int64_t)SECOND_NS);
}

static void press_one_back(void *arg)
{
	step(arg, -(int64_t)STEP_NS);
}

static void press_one_forward(void *arg)
{
	step(arg, (int64_t)STEP_NS);
}

/* where T, the timeline's cursor and the like lead */
static int seek_to(void *arg, uint64_t time_ns)
{
	struct replay *replay = arg;
	replay->paused = 1;
	seek(replay, time_ns);
	return 0;
}

static void press_faster(void *arg)
{
	struct replay *replay = arg;
	replay->speed += replay->speed + 1 < SPEEDS;
}

static void press_slower(void *arg)
{
	struct replay *replay = arg;
	replay->speed -= replay->speed > 0;
}

static void go_to_stall(struct replay *replay, uint64_t time_ns)
{
	if (!time_ns)
		return;
	replay->paused = 1;
	seek(replay, time_ns);
}

static void press_next_stall(void *arg)
{
	struct replay *replay = arg;
	go_to_stall(replay, player_next_stall(&replay->player));
}

static void press_previous_stall(void *arg)
{
	struct replay *replay = arg;
	go_to_stall(replay, player_previous_stall(&replay->player));
}

static void press_end(void *arg)
{
	struct replay *replay = arg;
	seek(replay, replay->player.end_ns);
}

static void press_home(void *arg)
{
	struct replay *replay = arg;
	seek(replay, replay->player.begin_ns);
}

static const struct tui_host_key keys[] = {
	{ ' ', "play", "play and pause the recording", press_pause, 1 },
	{ '[', "-1s", "a second back", press_back, 1 },
	{ ']', "+1s", "a second forward", press_forward, 1 },
	{ ',', "", "a tenth of a second back", press_one_back, 1 },
	{ '.', "", "a tenth of a second forward", press_one_forward, 1 },
	{ '+', "faster", "faster, up to 100x", press_faster, 1 },
	{ '-', "slower", "slower, down to 0.1x", press_slower, 1 },
	{ 'n', "stall", "to the end of the next stall", press_next_stall, 1 },
	{ 'N', "", "to the end of the stall before", press_previous_stall, 1 },
	{ KEY_HOME, "", "to the beginning", press_home, 1 },
	{ KEY_END, "end", "to the end", press_end, 1 },
	{ 0 },
};

/* ---- the screen ---- */

static void put_minutes(char *out, size_t room, uint64_t ns)
{
	snprintf(out, room, "%02llu:%02llu", (unsigned long long)(ns / SECOND_NS / 60),
		 (unsigned long long)(ns / SECOND_NS % 60));
}

static void refresh_status(void *arg)
{
	struct replay *replay = arg;
	const struct player *player = &replay->player;
	char head[24], length[24], base[24], from[40] = "";
	put_minutes(base, sizeof(base), player->base_ns - player->begin_ns);
	if (player->base_ns > player->begin_ns) /* a long recording: the figures are not of the whole */
		snprintf(from, sizeof(from), " figures from %s", base);
	put_minutes(head, sizeof(head), player->head_ns - player->begin_ns);
	put_minutes(length, sizeof(length), player->end_ns - player->begin_ns);
	unsigned speed = speeds[replay->speed];
	snprintf(replay->dashboard.status.detail, sizeof(replay->dashboard.status.detail), "x%u%s %.8s/%.8s%s%.24s", speed / 10,
		 speed % 10 == 1 ? ".1" : speed % 10 == 2 ? ".2" : speed % 10 == 5 ? ".5" : "", head, length,
		 player->at_end ? " end" : replay->paused ? " paused" : "", from);
	replay->bar = (struct tui_bar){ player->begin_ns, player->head_ns, player->end_ns, player->stalls, player->stall_count };
}

static void on_signal(struct ps_signal *handle, int number, void *arg)
{
	stop(arg);
}

static int open_handles(struct replay *replay)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
	int err = ps_timer_open(replay->loop, &replay->tick, advance, replay);
	for (int i = 0; !err && i < 3; i++)
		err = ps_signal_open(replay->loop, &replay->signals[i], numbers[i], on_signal, replay);
	replay->last_ns = ps_loop_now(replay->loop);
	return err ? err : ps_timer_start(replay->tick, TICK_NS, TICK_NS);
}

static void close_handles(struct replay *replay)
{
	if (replay->tick)
		ps_timer_close(replay->tick);
	for (int i = 0; i < 3; i++)
		if (replay->signals[i])
			ps_signal_close(replay->signals[i]);
	ps_loop_run(replay->loop, PS_RUN_NOWAIT); /* the closing phase gives the handles back */
	ps_loop_close(replay->loop);
}

static int run_dashboard(struct replay *replay, const struct options *options)
{
	struct dashboard *dashboard = &replay->dashboard;
	const struct ps_loop_options wanted = { .size = sizeof(wanted), .name = "pollscope" };
	int err = ps_loop_open(&replay->loop, &wanted);
	if (err)
		return fault(CLI_KERNEL, "cannot start: %s", strerror(-err));
	dashboard->model = (const struct model *const *)&replay->player.recording.model;
	replay->speed = SPEED_REAL;
	dashboard->status = (struct tui_status){ .mode = "REPLAY", .keys = keys, .arg = replay, .bar = &replay->bar,
						 .seek = seek_to };
	dashboard->before_draw = refresh_status;
	dashboard->quit = stop;
	dashboard->arg = replay;
	err = open_handles(replay);
	int code = err ? fault(CLI_KERNEL, "cannot start: %s", strerror(-err)) : 0;
	if (!code)
		code = dashboard_open(dashboard, replay->loop, options);
	if (!code)
		ps_loop_run(replay->loop, PS_RUN_DEFAULT);
	dashboard_close(dashboard);
	close_handles(replay);
	return code;
}

/* Without a terminal: a block of text per recorded second. */
static int run_plain(struct replay *replay, const struct options *options)
{
	struct player *player = &replay->player;
	uint64_t last_stall = 0, blocks = 0;
	int err = 0;
	do {
		err = replay->error = player_seek(player, player->head_ns + SECOND_NS);
		errno = 0;
		if (!err)
			err = plain_print(player->recording.model, options->filter, &last_stall, stdout);
		blocks++;
	} while (!err && !player->at_end && (!options->count || blocks < options->count));
	if (!err || replay->error)
		return 0;
	err = errno ? errno : EIO;
	return fault(fault_code(SIDE_OUTPUT, err), "cannot write to standard output: %s", strerror(err));
}

static int run(const struct options *options)
{
	struct replay replay = { 0 };
	int code = player_open(&replay.player, options->operands[0], options->stall_ns);
	if (!code)
		code = dashboard_wanted(options) ? run_dashboard(&replay, options) : run_plain(&replay, options);
	if (!code && replay.error)
		code = fault(CLI_USAGE, "cannot go on with %s: %s", options->operands[0], strerror(-replay.error));
	player_close(&replay.player);
	return code;
}

const struct command cmd_replay = {
	.name = "replay", .usage = "FILE.psr", .note = "the dashboard on a recording",
	.more = "Plays the recording as it happened: Space pauses, [ and ] step by a second, , and . by a tenth, { and } by "
		"ten, + and - change the speed from 0.1x to 100x, T goes to a time, n and N to the next and previous stall, "
		"End shows the whole.\n"
		"Where standard output is no terminal, a block of plain text is printed per recorded second.",
	.options = OPT(STALL) | OPT(COUNT) | OPT(COLOR) | OPT(ASCII) | OPT(FILTER), .fewest = 1, .most = 1, .run = run,
};

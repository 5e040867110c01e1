/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Drawing four times a second and after each key. ncurses keeps the window's
 * size, so a resize shows at the next drawing at the latest. A terminal that
 * hangs up ends the command.
 */
#include "dashboard.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "config.h"
#include "fault.h"

#define HUNG_UP (-2)
#define HURRY_FACTOR 20 /* pictures before their time take a twentieth of a core at most */

int dashboard_wanted(const struct options *options)
{
	const char *term = getenv("TERM");
	return isatty(STDOUT_FILENO) && isatty(STDIN_FILENO) && !options->json && !options->jsonl &&
	       term && *term && terminal_can_draw();
}

static uint64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void dashboard_draw(struct dashboard *dashboard)
{
	int columns, rows;
	uint64_t began = now_ns();
	if (dashboard->before_draw)
		dashboard->before_draw(dashboard->arg);
	terminal_size(&columns, &rows);
	if ((columns != dashboard->grid.columns || rows != dashboard->grid.rows) &&
	    grid_resize(&dashboard->grid, columns, rows))
		return;
	tui_draw(dashboard->tui, *dashboard->model, &dashboard->status, &dashboard->grid);
	terminal_theme(tui_theme(dashboard->tui));
	terminal_show(&dashboard->grid);
	dashboard->drawn_ns = now_ns();
	dashboard->drawing_ns = dashboard->drawn_ns - began;
}

int dashboard_hurry(struct dashboard *dashboard)
{
	if (!dashboard->tui || now_ns() - dashboard->drawn_ns < HURRY_FACTOR * dashboard->drawing_ns)
		return 0;
	dashboard_draw(dashboard);
	return 1;
}

/* + and - change how often */
static void keep_pace(struct dashboard *dashboard)
{
	uint64_t wanted = tui_interval_ns(dashboard->tui);
	if (wanted == dashboard->interval_ns || !dashboard->timer)
		return;
	dashboard->interval_ns = wanted;
	ps_timer_start(dashboard->timer, wanted, wanted);
}

/* 1: the command is to end */
static int take_keys(struct dashboard *dashboard)
{
	for (int key; (key = terminal_key()) != -1;)
		if (key == HUNG_UP || tui_key(dashboard->tui, *dashboard->model, &dashboard->status, key))
			return 1;
	return 0;
}

static void refresh(void *arg)
{
	struct dashboard *dashboard = arg;
	if (take_keys(dashboard)) {
		dashboard->quit(dashboard->arg);
		return;
	}
	keep_pace(dashboard);
	dashboard_draw(dashboard);
}

static void on_input(struct ps_io *io, uint32_t events, void *arg)
{
	struct dashboard *dashboard = arg;
	if (events & (PS_ERROR | PS_HANGUP)) {
		ps_io_start(io, 0);
		dashboard->quit(dashboard->arg);
		return;
	}
	refresh(dashboard);
}

static int open_handles(struct dashboard *dashboard, struct ps_loop *loop)
{
	int err = ps_io_open(loop, &dashboard->input, STDIN_FILENO, on_input, dashboard);
	if (!err)
		err = ps_io_start(dashboard->input, PS_READABLE);
	if (!err)
		err = ps_timer_open(loop, &dashboard->timer, refresh, dashboard);
	if (!err)
		err = ps_timer_start(dashboard->timer, 0, dashboard->interval_ns);
	return err;
}

int dashboard_open(struct dashboard *dashboard, struct ps_loop *loop, const struct options *options)
{
	struct tui_options look = { 0 };
	tui_options_default(&look);
	look.ascii |= options->ascii;
	if (options->color != WHEN_AUTO)
		look.colour = options->color == WHEN_ALWAYS;
	look.stall_ns = (*dashboard->model)->config.stall_ns;
	look.filter = options->filter;
	look.config = config_path(dashboard->config, sizeof(dashboard->config)) ? NULL : dashboard->config;
	int err = tui_open(&dashboard->tui, &look);
	if (!err)
		dashboard->interval_ns = tui_interval_ns(dashboard->tui);
	if (!err)
		err = grid_open(&dashboard->grid, 1, 1);
	if (!err)
		err = terminal_open(&look);
	if (!err) {
		terminal_guard();
		err = open_handles(dashboard, loop);
	}
	if (!err)
		terminal_theme(tui_theme(dashboard->tui));
	if (!err)
		return 0;
	dashboard_close(dashboard);
	return fault(CLI_USAGE, "cannot draw on this terminal (%s); for plain text: pollscope ... | cat", strerror(-err));
}

void dashboard_close(struct dashboard *dashboard)
{
	if (dashboard->input)
		ps_io_close(dashboard->input);
	if (dashboard->timer)
		ps_timer_close(dashboard->timer);
	dashboard->input = NULL;
	dashboard->timer = NULL;
	if (!dashboard->tui)
		return;
	terminal_close();
	tui_close(dashboard->tui);
	grid_close(&dashboard->grid);
	dashboard->tui = NULL;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The host of the dashboard: terminal, keys and redrawing on our own loop. top,
 * demo and replay differ in where the model comes from and in their own keys.
 */
#ifndef DASHBOARD_H
#define DASHBOARD_H

#include "options.h"
#include "ps_loop.h"
#include "tui.h"

struct dashboard {
	/* set by the command before dashboard_open() */
	const struct model *const *model;   /* where the model stands; it may be another at each drawing */
	struct tui_status status;
	void (*before_draw)(void *arg);     /* refreshes the status; may be NULL */
	void (*quit)(void *arg);
	void *arg;
	/* own */
	struct tui *tui;
	struct grid grid;
	struct ps_io *input;
	struct ps_timer *timer;
	uint64_t interval_ns;               /* of the timer */
	uint64_t drawn_ns, drawing_ns;      /* when the last picture was ready, and how long it took */
	char config[512];                   /* "" = no home to keep it in */
};

/* 1: there is a terminal to draw on, and text was not asked for */
int dashboard_wanted(const struct options *options);
/* 0 or an exit code, after a sentence. */
int dashboard_open(struct dashboard *dashboard, struct ps_loop *loop, const struct options *options);
void dashboard_draw(struct dashboard *dashboard);
/* Draws now, before it is time to, unless that were most of what we do: 1 if it did. */
int dashboard_hurry(struct dashboard *dashboard);
/* Restores the terminal; close it before the loop. Safe on one that was never opened. */
void dashboard_close(struct dashboard *dashboard);

#endif

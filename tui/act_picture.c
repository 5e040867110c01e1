/* SPDX-License-Identifier: BSD-2-Clause */
/* Keys about the picture: pause, mark, loops, rate, snapshot, recording. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "act.h"

void act_next_loop(struct press *press)
{
	const struct model *model = press->view->model;
	struct tui *tui = press->tui;

	if (model->loop_count < 2) {
		tui_say(tui, "only one loop here");
		return;
	}
	const struct loop *loop = model->loops[press->view->loop_number % model->loop_count];
	tui->loop_chosen = 1;
	tui->loop_tid = loop->tid;
	tui->loop_fd = loop->poller_fd;
}

void act_pause_picture(struct press *press)
{
	struct tui *tui = press->tui;

	if (tui->overlay == OVERLAY_COLUMNS) {
		act_toggle_row(press);
	} else if (tui->frozen) {
		model_close(tui->frozen);
		tui->frozen = NULL;
		tui->cursor_ns = 0;
	} else if (model_clone(&tui->frozen, press->model)) {
		tui->frozen = NULL;
		tui_say(tui, "cannot pause: out of memory");
	}
}

void act_mark_now(struct press *press)
{
	struct tui *tui = press->tui;

	if (tui->mark) {
		model_close(tui->mark);
		tui->mark = NULL;
		tui_say(tui, "figures count since the beginning again");
	} else if (model_clone(&tui->mark, press->view->model)) {
		tui->mark = NULL;
		tui_say(tui, "cannot mark: out of memory");
	} else {
		tui_say(tui, "figures count since now");
	}
}

void act_snapshot(struct press *press)
{
	char name[96];
	int err = snapshot_save(press->tui, press->model, press->status, name, sizeof(name));
	if (err)
		tui_say(press->tui, "cannot save %s: %s", name, strerror(-err));
	else
		tui_say(press->tui, "saved to %s", name);
}

void act_redraw(struct press *press)
{
	terminal_redraw();
}

void act_record(struct press *press)
{
	char said[160] = "";
	if (!press->status->record) {
		tui_say(press->tui, "nothing to record here: this is a recording");
		return;
	}
	press->status->record(press->status->arg, said, sizeof(said));
	tui_say(press->tui, "%s", said);
}

/* ---- how often ---- */

static const uint64_t rates[] = { 50000000,   100000000,  250000000,  500000000,
				  1000000000, 2000000000, 5000000000, 10000000000 };
#define RATES (sizeof(rates) / sizeof(*rates))

static void change_rate(struct press *press, int slower)
{
	struct config *config = &press->tui->config;
	uint64_t best = config->refresh_ns;
	for (size_t i = 0; i < RATES; i++) {
		uint64_t rate = rates[slower ? i : RATES - 1 - i];
		if (slower ? rate > config->refresh_ns : rate < config->refresh_ns) {
			best = rate;
			break;
		}
	}
	config->refresh_ns = best;
	tui_say(press->tui, "drawn every %llu ms", (unsigned long long)(best / 1000000));
	tui_remember(press->tui);
}

void act_faster(struct press *press)
{
	change_rate(press, 0);
}

void act_slower(struct press *press)
{
	change_rate(press, 1);
}

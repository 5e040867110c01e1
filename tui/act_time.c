/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keys that move in time. A recording is sought itself; of a live target only
 * the recent past is kept, so there a cursor moves over it and the picture is
 * frozen, or what it points at would run away.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "act.h"
#include "text.h"

#define SECOND_NS 1000000000ull

/* the stall next in time to `id`, step 1 = later, -1 = earlier; NULL = none */
static const struct stall *next_stall(const struct model *model, uint64_t id, int step)
{
	size_t at = model->stall_count;
	for (size_t i = 0; i < model->stall_count; i++)
		if (model->stalls[i]->id == id)
			at = i;
	if (step > 0)
		return at + 1 < model->stall_count ? model->stalls[at + 1] : NULL;
	return at > 0 && model->stall_count ? model->stalls[at - 1] : NULL;
}

static void step_stall(struct press *press, int step)
{
	struct tui *tui = press->tui;

	if (tui_sheet(press->tui) != &stalls_sheet)
		tui_go(tui, tui_find_screen(2));
	struct sheet_state *sheet = &tui->sheets[tui->screen];
	uint64_t id = sheet->selected || !sheet->shown ? sheet->selected : sheet->rows[sheet->place].identity;
	const struct stall *stall = next_stall(press->view->model, id, step);
	if (!stall) {
		tui_say(tui, step > 0 ? "no later stall" : "no earlier stall");
		return;
	}
	sheet->selected = stall->id;
	tui->scroll = 0;
}

void act_stall_later(struct press *press)
{
	step_stall(press, 1);
}

void act_stall_earlier(struct press *press)
{
	step_stall(press, -1);
}

/* ---- the moment looked at ---- */

static void look_at(struct press *press, uint64_t ns)
{
	struct tui *tui = press->tui;
	const struct tui_bar *bar = press->status->bar;
	const struct model *model = press->view->model;

	if (bar && press->status->seek) {
		ns = ns < bar->begin_ns ? bar->begin_ns : ns > bar->end_ns ? bar->end_ns : ns;
		int err = press->status->seek(press->status->arg, ns);
		if (err)
			tui_say(tui, "cannot go there: %s", strerror(-err));
		return;
	}
	if (!tui->frozen)
		act_pause_picture(press);
	if (!tui->frozen)
		return;
	uint64_t kept = MODEL_SLOTS * SECOND_NS, first = model->now_ns > kept ? model->now_ns - kept : 0;
	first = first > model->start_ns ? first : model->start_ns;
	tui->cursor_ns = ns < first ? first : ns >= model->now_ns ? 0 : ns;
	char clock[16];
	view_clock(model, tui->cursor_ns ? tui->cursor_ns : model->now_ns, clock);
	tui_say(tui, tui->cursor_ns ? "at %s, %.1fs back" : "at %s", clock,
		(double)(model->now_ns - tui->cursor_ns) / SECOND_NS);
}

static uint64_t now_of(struct press *press)
{
	if (press->status->bar && press->status->seek)
		return press->status->bar->head_ns;
	return press->tui->cursor_ns ? press->tui->cursor_ns : press->view->model->now_ns;
}

static void step_by(struct press *press, int64_t ns)
{
	uint64_t now = now_of(press);
	look_at(press, ns < 0 && now < (uint64_t)-ns ? 0 : now + (uint64_t)ns);
}

void act_back(struct press *press)
{
	step_by(press, -(int64_t)SECOND_NS);
}

void act_forward(struct press *press)
{
	step_by(press, (int64_t)SECOND_NS);
}

void act_far_back(struct press *press)
{
	step_by(press, -10 * (int64_t)SECOND_NS);
}

void act_far_forward(struct press *press)
{
	step_by(press, 10 * (int64_t)SECOND_NS);
}

void act_cell_back(struct press *press)
{
	step_by(press, -(int64_t)timeline_cell_ns(press->tui->zoom));
}

void act_cell_forward(struct press *press)
{
	step_by(press, (int64_t)timeline_cell_ns(press->tui->zoom));
}

void act_zoom_in(struct press *press)
{
	press->tui->zoom -= press->tui->zoom > 0;
	act_say_zoom(press);
}

void act_zoom_out(struct press *press)
{
	press->tui->zoom += press->tui->zoom + 1 < TIMELINE_ZOOMS;
	act_say_zoom(press);
}

void act_say_zoom(struct press *press)
{
	char cell[16];
	tui_say(press->tui, "a cell of the timeline is %s", text_duration(cell, timeline_cell_ns(press->tui->zoom)));
}

void act_live(struct press *press)
{
	struct tui *tui = press->tui;
	if (press->status->bar && press->status->seek) {
		look_at(press, press->status->bar->end_ns);
		return;
	}
	tui->cursor_ns = 0;
	if (tui->frozen)
		act_pause_picture(press);
	tui_say(tui, "live");
}

void act_go_to(struct press *press)
{
	press->tui->overlay = OVERLAY_NONE;
	typing_begin(press->tui, TYPING_TIME);
}

/* ---- "18:06:31", "-12s", "+3s", "40s" (of a recording: from its beginning) ---- */

static int parse_clock(const struct model *model, const char *text, uint64_t *ns)
{
	unsigned hour, minute, second;
	char end;
	if (sscanf(text, "%2u:%2u:%2u%c", &hour, &minute, &second, &end) != 3 || !model->realtime_offset_ns)
		return -EINVAL;
	char clock[16];
	unsigned now_hour, now_minute, now_second;
	view_clock(model, model->now_ns, clock);
	if (sscanf(clock, "%2u:%2u:%2u", &now_hour, &now_minute, &now_second) != 3)
		return -EINVAL;
	int64_t back =
		((int64_t)now_hour - hour) * 3600 + ((int64_t)now_minute - minute) * 60 + (int64_t)now_second - second;
	*ns = back > 0 && (uint64_t)back * SECOND_NS > model->now_ns ? 0 : model->now_ns - (uint64_t)back * SECOND_NS;
	return 0;
}

void act_go_to_text(struct press *press, const char *text)
{
	uint64_t ns, from = now_of(press);
	const struct tui_bar *bar = press->status->bar;
	int sign = *text == '-' ? -1 : *text == '+' ? 1 : 0;
	if (!*text)
		return;
	if (!parse_clock(press->view->model, text, &ns))
		look_at(press, ns);
	else if (text_parse_duration(text + (sign != 0), &ns))
		tui_say(press->tui, "\"%s\" is no time: 18:06:31, -12s, +500ms%s", text, bar ? ", 40s" : "");
	else if (sign < 0 || (!sign && !bar))
		look_at(press, ns > from ? 0 : from - ns);
	else
		look_at(press, (sign ? from : bar->begin_ns) + ns);
}

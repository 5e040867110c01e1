/* SPDX-License-Identifier: BSD-2-Clause */
/* FDs: the kernel's poller as it was last looked at, and every descriptor that the chosen loop watches. */
#include <stdio.h>

#include "line.h"
#include "schema.h"
#include "screen.h"
#include "state.h"

#define CARD_LEAST 12 /* rows of screen from which the card is drawn */

static void draw_missing(const struct view *view, struct area area)
{
	const char *why = view_missing(view->model, PS_PROBE_POLLER);
	const char *other = view->loop->backend == PS_BACKEND_EPOLL ? "" : "this backend keeps nothing in the kernel";
	area_print(view, area, 1, 0, STYLE_DIM, "inside  n/a%s%s", *why || *other ? ": " : " yet",
		   *other ? other : why);
}

/* "items 412   tree depth 10   ready now 2   threads waiting 1   unread 12K   looked at 0.2s ago" */
static void draw_card(const struct view *view, struct area area)
{
	const struct loop *loop = view->loop;
	const struct poller_card *card = &loop->poller;
	char title[32], text[24];
	struct line line;

	snprintf(title, sizeof(title), loop->poller_fd >= 0 ? "%s, fd %d" : "%s", backend_name(loop->backend),
		 loop->poller_fd);
	area = area_head(view, area, "POLLER", title);
	if (!card->ns) {
		draw_missing(view, area);
		return;
	}
	line_begin(&line, 3);
	line_add(&line, 0, STYLE_NORMAL, "items %s", cell_count(text, card->items));
	line_add(&line, 1, STYLE_NORMAL, "tree depth %s", cell_count(text, card->depth));
	line_add(&line, 0, STYLE_NORMAL, "ready now %s", cell_count(text, card->ready));
	line_add(&line, 2, STYLE_NORMAL, "threads waiting %s", cell_count(text, card->waiters));
	line_add(&line, 3, STYLE_NORMAL, "unread %s", cell_bytes(text, card->unread_bytes));
	line_add(&line, 4, STYLE_DIM, "looked at %s ago",
		 cell_duration(text, view->model->now_ns > card->ns ? view->model->now_ns - card->ns : 0, ""));
	line_draw(view, area, 1, 0, &line);
}

static void draw_lag(const struct view *view, struct area area)
{
	const struct loop *loop = view->loop, *base = view->loop_mark;
	char a[24], b[24], c[24], d[24];
	if (!loop->lag.count) {
		const char *why = view_missing(view->model, PS_PROBE_READY);
		area_print(view, area, 1, 0, STYLE_DIM, "lag     n/a%s%s", *why ? ": " : "", why);
		return;
	}
	area_print(view, area, 1, 0, STYLE_NORMAL,
		   "lag     p50 %s  p99 %s   of it the loop was busy p99 %s, waited for its turn p99 %s",
		   cell_quantile(a, &loop->lag, base ? &base->lag : NULL, 0.5),
		   cell_quantile(b, &loop->lag, base ? &base->lag : NULL, 0.99),
		   cell_quantile(c, &loop->lag_kernel, base ? &base->lag_kernel : NULL, 0.99),
		   cell_quantile(d, &loop->lag_turn, base ? &base->lag_turn : NULL, 0.99));
}

static void draw(struct view *view, struct tui *tui, struct area area)
{
	struct sheet_state *state = tui_table(tui);
	char note[64];
	if (view->loop && area.rows >= CARD_LEAST) {
		draw_card(view, area_top(&area, 2));
		draw_lag(view, area_top(&area, 1));
		snprintf(note, sizeof(note),
			 state->shown < state->total ? "%zu of %zu match the filter" : "%zu watched", state->shown,
			 state->total);
		area = area_head(view, area, "DESCRIPTORS", state->total ? note : "");
	}
	sheet_draw(view, area, &fds_sheet, state);
}

const struct screen screen_fds = {
	.digit = 6,
	.name = "FDs",
	.brief = "FD",
	.note = "the descriptors the loop watches: rates of the last second, callback time, lag; and the poller's "
		"inside",
	.sheet = &fds_sheet,
	.draw = draw,
};

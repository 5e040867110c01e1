/* SPDX-License-Identifier: BSD-2-Clause */
/* Panels: parts of a screen, drawn into the area they are given. */
#ifndef PANEL_H
#define PANEL_H

#include "view.h"

void panel_loop(const struct view *view, struct area area);        /* 9 rows with the head */
void panel_loop_brief(const struct view *view, struct area area);  /* 4 rows with the head */
void panel_phases(const struct view *view, struct area area);
void panel_pool(const struct view *view, struct area area);
void panel_timers_brief(const struct view *view, struct area area);  /* 3 rows with the head: due and late */
void panel_timers(const struct view *view, struct area area);
void panel_pool_timers_brief(const struct view *view, struct area area); /* 3 rows with the head */
void panel_diagnosis(const struct view *view, struct area area);
/* a second per cell, the worst of each: "60s [..-#..] now" */
void panel_history(const struct view *view, struct area area, int x, int y);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* What keys do. Each is one row of the key table in keys.c. */
#ifndef ACT_H
#define ACT_H

#include "keys.h"

struct sheet_state *act_state(struct press *press); /* of the table of the screen */
const struct screen *act_screen(struct press *press);
void act_go_to_text(struct press *press, const char *text); /* what was typed after T */

typedef void act_fn(struct press *press);
act_fn act_show_help, act_show_glossary, act_quit, act_go_back, act_go_digit, act_go_next, act_go_previous, act_drill,
	act_move_down, act_move_up, act_page_down, act_page_up, act_go_top, act_go_bottom, act_stall_later,
	act_stall_earlier, act_start_filter, act_sort_left, act_sort_right, act_sort_reverse, act_next_loop,
	act_pause_picture, act_mark_now, act_snapshot, act_redraw, act_palette, act_top_or_group, act_follow,
	act_columns, act_toggle_row, act_mute, act_record, act_faster, act_slower, act_back, act_forward, act_far_back,
	act_far_forward, act_cell_back, act_cell_forward, act_zoom_in, act_zoom_out, act_say_zoom, act_live, act_go_to;

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keys: one table makes dispatch, help, key line and documentation. A key acts
 * on the tui's state only; the model is never touched, collection goes on
 * whatever is pressed.
 */
#define NCURSES_NOMACROS
#include <curses.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "act.h"

const struct key keys[] = {
	{ { ' ', 'p' }, "Space p", "Space pause", 2, "pause the picture (collection goes on) and go on", act_pause_picture },
	{ { '/' }, "/", "/ filter", 3, "filter the table as you type: word !word column:word column:>50ms /two words/", act_start_filter },
	{ { '<' }, "<", "< > sort", 4, "sort by the column to the left", act_sort_left },
	{ { '>' }, ">", "", 0, "sort by the column to the right", act_sort_right },
	{ { 'R' }, "R", "R reverse", 7, "reverse the order", act_sort_reverse },
	{ { 'c' }, "c", "", 0, "choose columns: Space shows or hides one, < > move it; they are kept", act_columns },
	{ { '\n', KEY_ENTER, '\r' }, "Enter", "Enter drill", 1, "open what is selected: the evidence of a stall or finding", act_drill },
	{ { KEY_ESCAPE, KEY_BACKSPACE, 127, 8 }, "Esc Backspace", "", 0, "back; drops the filter; never quits", act_go_back },
	{ { 'n' }, "n", "n N stall", 5, "the next stall, later in time", act_stall_later },
	{ { 'N' }, "N", "", 0, "the previous stall, earlier in time", act_stall_earlier },
	{ { '[' }, "[", "[ ] step", 6, "look a second back (of a live target: in a frozen picture)", act_back },
	{ { ']' }, "]", "", 0, "look a second on", act_forward },
	{ { '{' }, "{", "", 0, "look ten seconds back", act_far_back },
	{ { '}' }, "}", "", 0, "look ten seconds on", act_far_forward },
	{ { KEY_LEFT }, "Left", "", 0, "one cell of the timeline back", act_cell_back },
	{ { KEY_RIGHT }, "Right", "", 0, "one cell of the timeline on", act_cell_forward },
	{ { 'z' }, "z", "", 0, "zoom the timeline in", act_zoom_in },
	{ { 'Z' }, "Z", "", 0, "zoom the timeline out", act_zoom_out },
	{ { 'T' }, "T", "", 0, "go to a time: 18:06:31, -12s, of a recording also 40s", act_go_to },
	{ { 'L' }, "L", "", 0, "live again; of a recording its end", act_live },
	{ { KEY_DOWN, 'j' }, "Down j", "", 0, "one row down", act_move_down },
	{ { KEY_UP, 'k' }, "Up k", "", 0, "one row up", act_move_up },
	{ { KEY_NPAGE }, "PgDn", "", 0, "one page down", act_page_down },
	{ { KEY_PPAGE }, "PgUp", "", 0, "one page up", act_page_up },
	{ { KEY_HOME }, "Home", "", 0, "to the first row, and follow it", act_go_top },
	{ { 'g' }, "g", "", 0, "on Stalls: group by culprit and back; elsewhere to the first row (so does g g)", act_top_or_group },
	{ { KEY_END, 'G' }, "End G", "", 0, "to the last row", act_go_bottom },
	{ { 'F' }, "F", "", 0, "the selection follows its row, or stays at its place", act_follow },
	{ { '0', '9', KEY_RANGE }, "0-9", "", 0, "the screen of that number", act_go_digit },
	{ { '\t' }, "Tab", "", 0, "the next screen", act_go_next },
	{ { KEY_BTAB }, "Shift-Tab", "", 0, "the previous screen", act_go_previous },
	{ { ':' }, ":", ": all", 11, "everything there is to do, by name: screens, keys, themes", act_palette },
	{ { 'l' }, "l", "", 0, "the next loop", act_next_loop },
	{ { 'w' }, "w", "w record", 9, "record to a new file; again: stop", act_record },
	{ { CTRL('s') }, "^S", "^S snapshot", 10, "save this screen as text in a new file", act_snapshot },
	{ { 'r' }, "r", "r mark", 8, "count figures since now; again: since the beginning", act_mark_now },
	{ { 'M' }, "M", "", 0, "mute the finding (on Diagnosis the selected one), or hear it again; it is kept", act_mute },
	{ { '+', '=' }, "+", "", 0, "draw more often", act_faster },
	{ { '-' }, "-", "", 0, "draw less often", act_slower },
	{ { CTRL('l') }, "^L", "", 0, "draw everything anew", act_redraw },
	{ { 'i' }, "i", "i columns", 12, "what the columns mean", act_show_glossary },
	{ { '?', KEY_F(1), 'h' }, "? F1 h", "? help", 0, "this help", act_show_help },
	{ { 'q', KEY_F(10) }, "q F10", "q quit", 0, "close the help; quit", act_quit },
	{ { 0 }, NULL },
};

/* ---- dispatch ---- */

static int is_code(const struct key *row, int key)
{
	if (row->codes[2] == KEY_RANGE)
		return key >= row->codes[0] && key <= row->codes[1];
	for (int i = 0; i < KEY_CODES; i++)
		if (row->codes[i] && row->codes[i] == key)
			return 1;
	return 0;
}

static int press_host(const struct tui_status *status, int key, int first)
{
	for (const struct tui_host_key *host = status->keys; host && host->key; host++) {
		if (host->key != key || host->first != first)
			continue;
		host->press(status->arg);
		return 1;
	}
	return 0;
}

int tui_key(struct tui *tui, const struct model *model, const struct tui_status *status, int key)
{
	struct view view;
	struct press press = { tui, model, status, &view, key };

	tui->message[0] = '\0';
	if (key == CTRL('c'))
		return 1;
	if (tui->typing) {
		typing_key(tui, model, status, key);
		return tui->quit;
	}
	if (press_host(status, key, 1))
		return 0;
	tui_view(tui, model, status, NULL, &view);
	for (const struct key *row = keys; row->name; row++) {
		if (!is_code(row, key))
			continue;
		row->press(&press);
		return tui->quit;
	}
	press_host(status, key, 0);
	return 0;
}

/* ---- printing ---- */

void keys_print(int code, char out[16])
{
	static const struct { int code; const char *name; } named[] = {
		{ ' ', "Space" }, { '\n', "Enter" }, { '\t', "Tab" }, { KEY_ESCAPE, "Esc" },
		{ KEY_LEFT, "Left" }, { KEY_RIGHT, "Right" }, { KEY_UP, "Up" }, { KEY_DOWN, "Down" },
		{ KEY_HOME, "Home" }, { KEY_END, "End" }, { KEY_PPAGE, "PgUp" }, { KEY_NPAGE, "PgDn" },
		{ KEY_IC, "Ins" }, { KEY_DC, "Del" }, { KEY_BACKSPACE, "Backspace" },
	};

	for (size_t i = 0; i < sizeof(named) / sizeof(*named); i++) {
		if (named[i].code == code) {
			snprintf(out, 16, "%s", named[i].name);
			return;
		}
	}
	if (code < ' ')
		snprintf(out, 16, "^%c", code + '@');
	else if (code < 127)
		snprintf(out, 16, "%c", code);
	else if (code >= KEY_F(1) && code <= KEY_F(63))
		snprintf(out, 16, "F%d", code - KEY_F0);
	else
		snprintf(out, 16, "key %d", code);
}

static void print_roff_word(FILE *out, const char *text)
{
	for (; *text; text++)
		fprintf(out, *text == '\\' ? "\\e" : *text == '-' ? "\\-" : "%c", *text);
}

int tui_print_keys(FILE *out, int roff)
{
	for (const struct key *row = keys; row->name; row++) {
		if (!roff) {
			fprintf(out, "  %-14s %s\n", row->name, row->note);
			continue;
		}
		fputs(".It Ic \"\\&", out); /* quoted: a key may be punctuation, which mdoc would move */
		print_roff_word(out, row->name);
		fputs("\"\n", out);
		print_roff_word(out, row->note);
		fputs("\n", out);
	}
	return ferror(out) ? -EIO : 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keys: one table at the end makes dispatch, help, key line and documentation.
 * A key acts on the tui's state only; the model is never touched, collection
 * goes on whatever is pressed.
 */
#define NCURSES_NOMACROS
#include <curses.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "keys.h"
#include "rune.h"

static struct sheet_state *state_of(struct press *press)
{
	return &press->tui->sheets[press->tui->screen];
}

static const struct screen *screen_of(struct press *press)
{
	return screens[press->tui->screen];
}

/* ---- screens ---- */

static void toggle_overlay(struct press *press, enum overlay overlay)
{
	struct tui *tui = press->tui;
	tui->overlay = tui->overlay == overlay ? OVERLAY_NONE : overlay;
	tui->scroll = 0;
}

static void show_help(struct press *press)
{
	toggle_overlay(press, OVERLAY_HELP);
}

static void show_glossary(struct press *press)
{
	toggle_overlay(press, OVERLAY_GLOSSARY);
}

static void quit(struct press *press)
{
	struct tui *tui = press->tui;
	if (tui->overlay != OVERLAY_NONE)
		tui->overlay = OVERLAY_NONE;
	else
		tui->quit = 1;
}

static void go_back(struct press *press)
{
	struct tui *tui = press->tui;
	struct sheet_state *state = state_of(press);

	if (tui->overlay != OVERLAY_NONE)
		tui->overlay = OVERLAY_NONE;
	else if (*state->filter.text && !tui->evidence)
		filter_set(&state->filter, screen_of(press)->sheet->columns, "");
	else if (!tui_back(tui))
		tui_say(tui, "q quits");
}

static void go_digit(struct press *press)
{
	int screen = tui_find_screen(press->key - '0');
	if (screen < 0)
		tui_say(press->tui, "no screen %c here", press->key);
	else
		tui_go(press->tui, screen);
}

static void step_screen(struct press *press, int step)
{
	int count = 0;
	while (screens[count])
		count++;
	tui_go(press->tui, (press->tui->screen + step + count) % count);
}

static void go_next(struct press *press)
{
	step_screen(press, 1);
}

static void go_previous(struct press *press)
{
	step_screen(press, -1);
}

static void drill(struct press *press)
{
	struct tui *tui = press->tui;
	const struct screen *screen = screen_of(press);
	const void *row = screen->sheet ? sheet_selected(state_of(press)) : NULL;

	if (tui->overlay != OVERLAY_NONE)
		return;
	if (!screen->enter || !row || !screen->enter(press->view, tui, row))
		tui_say(tui, "nothing to open here");
}

/* ---- moving ---- */

static void move_by(struct press *press, long rows)
{
	struct tui *tui = press->tui;

	if (tui->overlay == OVERLAY_NONE && !tui->evidence) {
		if (screen_of(press)->sheet)
			sheet_move(state_of(press), rows);
		return;
	}
	/* the drawing clips the far end, it knows the length */
	if (rows == LONG_MIN)
		tui->scroll = 0;
	else if (rows == LONG_MAX)
		tui->scroll = INT_MAX / 2;
	else
		tui->scroll += (int)rows;
	if (tui->scroll < 0)
		tui->scroll = 0;
}

static long page_of(struct press *press)
{
	struct tui *tui = press->tui;
	long page = tui->overlay != OVERLAY_NONE || tui->evidence ? tui->scroll_page : (long)state_of(press)->page;
	return page > 1 ? page - 1 : 1;
}

static void move_down(struct press *press)
{
	move_by(press, 1);
}

static void move_up(struct press *press)
{
	move_by(press, -1);
}

static void page_down(struct press *press)
{
	move_by(press, page_of(press));
}

static void page_up(struct press *press)
{
	move_by(press, -page_of(press));
}

static void go_top(struct press *press)
{
	move_by(press, LONG_MIN);
}

static void go_bottom(struct press *press)
{
	move_by(press, LONG_MAX);
}

/* ---- stalls by time ---- */

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

	if (screen_of(press)->sheet != &stalls_sheet)
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

static void stall_later(struct press *press)
{
	step_stall(press, 1);
}

static void stall_earlier(struct press *press)
{
	step_stall(press, -1);
}

/* ---- tables ---- */

static void start_filter(struct press *press)
{
	struct tui *tui = press->tui;

	if (!screen_of(press)->sheet) {
		tui_say(tui, "nothing to filter on this screen");
		return;
	}
	snprintf(tui->before_typing, sizeof(tui->before_typing), "%s", state_of(press)->filter.text);
	filter_set(&state_of(press)->filter, screen_of(press)->sheet->columns, "");
	tui->overlay = OVERLAY_NONE;
	tui->typing = 1;
}

static void sort_by(struct press *press, int step)
{
	if (screen_of(press)->sheet)
		sheet_sort(press->view, screen_of(press)->sheet, state_of(press), step);
}

static void sort_left(struct press *press)
{
	sort_by(press, -1);
}

static void sort_right(struct press *press)
{
	sort_by(press, 1);
}

static void sort_reverse(struct press *press)
{
	state_of(press)->ascending = !state_of(press)->ascending;
}

/* ---- the picture ---- */

static void next_loop(struct press *press)
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

static void pause_picture(struct press *press)
{
	struct tui *tui = press->tui;

	if (tui->frozen) {
		model_close(tui->frozen);
		tui->frozen = NULL;
	} else if (model_clone(&tui->frozen, press->model)) {
		tui->frozen = NULL;
		tui_say(tui, "cannot pause: out of memory");
	}
}

static void mark_now(struct press *press)
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

static void snapshot(struct press *press)
{
	char name[96];
	int err = snapshot_save(press->tui, press->model, press->status, name, sizeof(name));
	if (err)
		tui_say(press->tui, "cannot save %s: %s", name, strerror(-err));
	else
		tui_say(press->tui, "saved to %s", name);
}

static void redraw(struct press *press)
{
	terminal_redraw();
}

/* ---- the table ---- */

const struct key keys[] = {
	{ { ' ', 'p' }, "Space p", "Space pause", 2, "pause the picture (collection goes on) and go on", pause_picture },
	{ { '/' }, "/", "/ filter", 3, "filter the table as you type: word, !word, column:word, column:>:50ms", start_filter },
	{ { '<' }, "<", "< > sort", 4, "sort by the column to the left", sort_left },
	{ { '>' }, ">", "", 0, "sort by the column to the right", sort_right },
	{ { 'R' }, "R", "R reverse", 6, "reverse the order", sort_reverse },
	{ { '\n', KEY_ENTER, '\r' }, "Enter", "Enter drill", 1, "open what is selected: the evidence of a stall", drill },
	{ { KEY_ESCAPE, KEY_BACKSPACE, 127, 8 }, "Esc Backspace", "", 0, "back; drops the filter; never quits", go_back },
	{ { 'n' }, "n", "n N stall", 5, "the next stall, later in time", stall_later },
	{ { 'N' }, "N", "", 0, "the previous stall, earlier in time", stall_earlier },
	{ { KEY_DOWN, 'j' }, "Down j", "", 0, "one row down", move_down },
	{ { KEY_UP, 'k' }, "Up k", "", 0, "one row up", move_up },
	{ { KEY_NPAGE }, "PgDn", "", 0, "one page down", page_down },
	{ { KEY_PPAGE }, "PgUp", "", 0, "one page up", page_up },
	{ { KEY_HOME, 'g' }, "Home g", "", 0, "to the first row, and follow it", go_top },
	{ { KEY_END, 'G' }, "End G", "", 0, "to the last row", go_bottom },
	{ { '1', '9', KEY_RANGE }, "1-9", "", 0, "the screen of that number", go_digit },
	{ { '\t' }, "Tab", "", 0, "the next screen", go_next },
	{ { KEY_BTAB }, "Shift-Tab", "", 0, "the previous screen", go_previous },
	{ { 'l' }, "l", "", 0, "the next loop", next_loop },
	{ { 'r' }, "r", "r mark", 7, "count figures since now; again: since the beginning", mark_now },
	{ { CTRL('s') }, "^S", "^S snapshot", 8, "save this screen as text in a new file", snapshot },
	{ { CTRL('l') }, "^L", "", 0, "draw everything anew", redraw },
	{ { 'i' }, "i", "i columns", 9, "what the columns mean", show_glossary },
	{ { '?', KEY_F(1), 'h' }, "? F1 h", "? help", 0, "this help", show_help },
	{ { 'q', KEY_F(10) }, "q F10", "q quit", 0, "close the help; quit", quit },
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

static void type_rune(char *text, uint32_t rune)
{
	char bytes[RUNE_BYTES + 1];
	int count = rune_encode(bytes, rune);

	bytes[count] = '\0';
	if (strlen(text) + (size_t)count < FILTER_TEXT)
		strcat(text, bytes);
}

static void erase_rune(char *text)
{
	size_t end = strlen(text);
	while (end > 0 && ((unsigned char)text[--end] & 0xc0) == 0x80)
		;
	text[end] = '\0';
}

/* a key while the filter is typed */
static void type_key(struct tui *tui, int key)
{
	const struct column *columns = screens[tui->screen]->sheet->columns;
	struct filter *filter = &tui->sheets[tui->screen].filter;
	char text[FILTER_TEXT];

	snprintf(text, sizeof(text), "%s", filter->text);
	if (key == '\n' || key == '\r' || key == KEY_ENTER) {
		tui->typing = 0;
		return;
	} else if (key == KEY_ESCAPE) {
		tui->typing = 0;
		snprintf(text, sizeof(text), "%s", tui->before_typing);
	} else if (key == KEY_BACKSPACE || key == 127 || key == 8) {
		erase_rune(text);
	} else if (key == CTRL('u')) {
		text[0] = '\0';
	} else if (key & TUI_RUNE) {
		type_rune(text, (uint32_t)(key & ~TUI_RUNE));
	} else if (key >= ' ' && key < 256 && !(key >= 127 && key < 160)) {
		type_rune(text, (uint32_t)key);
	}
	filter_set(filter, columns, text);
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
		type_key(tui, key);
		return 0;
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

/* SPDX-License-Identifier: BSD-2-Clause */
/* The last line as a line to type in: a filter, a time, a command of the palette. */
#define NCURSES_NOMACROS
#include <curses.h>
#include <stdio.h>
#include <string.h>

#include "act.h"
#include "rune.h"

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

void typing_begin(struct tui *tui, enum typing typing)
{
	tui->typing = typing;
	tui->typed[0] = '\0';
}

static int is_enter(int key)
{
	return key == '\n' || key == '\r' || key == KEY_ENTER;
}

static void edit(char *text, int key)
{
	if (key == KEY_BACKSPACE || key == 127 || key == 8)
		erase_rune(text);
	else if (key == CTRL('u'))
		text[0] = '\0';
	else if (key & TUI_RUNE)
		type_rune(text, (uint32_t)(key & ~TUI_RUNE));
	else if (key >= ' ' && key < 256 && !(key >= 127 && key < 160))
		type_rune(text, (uint32_t)key);
}

static void filter_key(struct tui *tui, int key)
{
	const struct column *columns = tui_sheet(tui)->columns;
	struct filter *filter = &tui_table(tui)->filter;
	char text[FILTER_TEXT];

	snprintf(text, sizeof(text), "%s", filter->text);
	if (is_enter(key)) {
		tui->typing = TYPING_NONE;
		return;
	}
	if (key == KEY_ESCAPE) {
		tui->typing = TYPING_NONE;
		snprintf(text, sizeof(text), "%s", tui->before_typing);
	} else {
		edit(text, key);
	}
	filter_set(filter, columns, text);
}

/* the chosen entry is pressed as if its key were */
static void command_enter(struct tui *tui, const struct model *model, const struct tui_status *status)
{
	struct palette_entry entry;
	int count = palette_find(tui, status, tui->row, &entry);

	tui->typing = TYPING_NONE;
	tui->overlay = OVERLAY_NONE;
	if (!count) {
		tui_say(tui, "nothing is called \"%s\"", tui->typed);
	} else if (entry.screen >= 0) {
		tui_go(tui, entry.screen);
	} else if (entry.key) {
		tui_key(tui, model, status, entry.key);
	} else {
		tui->config.theme = entry.theme;
		tui_remember(tui);
	}
}

static void command_key(struct tui *tui, const struct model *model, const struct tui_status *status, int key)
{
	struct palette_entry entry;
	int last = palette_find(tui, status, 0, &entry) - 1;

	if (is_enter(key)) {
		command_enter(tui, model, status);
	} else if (key == KEY_ESCAPE) {
		tui->typing = TYPING_NONE;
		tui->overlay = OVERLAY_NONE;
	} else if (key == KEY_DOWN || key == '\t') {
		tui->row += tui->row < last;
	} else if (key == KEY_UP || key == KEY_BTAB) {
		tui->row -= tui->row > 0;
	} else {
		edit(tui->typed, key);
		tui->row = 0;
	}
}

static void time_key(struct tui *tui, const struct model *model, const struct tui_status *status, int key)
{
	if (key == KEY_ESCAPE) {
		tui->typing = TYPING_NONE;
	} else if (is_enter(key)) {
		struct view view;
		struct press press = { tui, model, status, &view, key };
		tui->typing = TYPING_NONE;
		tui_view(tui, model, status, NULL, &view);
		act_go_to_text(&press, tui->typed);
	} else {
		edit(tui->typed, key);
	}
}

void typing_key(struct tui *tui, const struct model *model, const struct tui_status *status, int key)
{
	if (key == KEY_RESIZE)
		return;
	if (tui->typing == TYPING_FILTER)
		filter_key(tui, key);
	else if (tui->typing == TYPING_COMMAND)
		command_key(tui, model, status, key);
	else
		time_key(tui, model, status, key);
}

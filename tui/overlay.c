/* SPDX-License-Identifier: BSD-2-Clause */
/* Help and glossary: lists made from the key table, the screens and their columns; they scroll. */
#include <stdio.h>

#include "keys.h"
#include "list.h"

static void add_line(struct list *list, enum grid_style style, const char *name, const char *note)
{
	int y = list_next(list);
	if (y < 0)
		return;
	int used = area_put(list->view, list->area, 2, y, style, name);
	area_print(list->view, list->area, used < 16 ? 18 : used + 4, y, STYLE_NORMAL, "%s", note);
}

static void add_head(struct list *list, const char *title)
{
	if (list->lines)
		add_line(list, STYLE_NORMAL, "", "");
	add_line(list, STYLE_HEAD, title, "");
}

static void list_help(struct list *list)
{
	const struct tui_host_key *host = list->view->status->keys;

	add_head(list, "KEYS");
	for (const struct key *row = keys; row->name; row++)
		add_line(list, STYLE_KEY, row->name, row->note);
	if (host && host->key)
		add_head(list, "KEYS OF THIS COMMAND");
	for (; host && host->key; host++) {
		char name[48], key[16];
		keys_print(host->key, key);
		snprintf(name, sizeof(name), "%s %s", key, host->name);
		add_line(list, STYLE_KEY, name, host->note ? host->note : "");
	}
	add_head(list, "SCREENS");
	for (int i = 0; screens[i]; i++) {
		char name[48];
		snprintf(name, sizeof(name), "%d %s", screens[i]->digit, screens[i]->name);
		add_line(list, STYLE_KEY, name, screens[i]->note);
	}
	add_head(list, "CELLS");
	add_line(list, STYLE_KEY, "~", "estimated from samples, or a bound after loss");
	add_line(list, STYLE_KEY, "n/a", "not measured; the trust line or screen 9 says why");
	add_line(list, STYLE_KEY, "-", "does not apply here");
}

static void list_glossary(struct list *list, const struct screen *screen, const struct sheet *sheet)
{
	add_head(list, screen->name);
	add_line(list, STYLE_NORMAL, "", screen->note);
	if (!sheet)
		return;
	add_head(list, "COLUMNS (names for filters)");
	for (const struct column *column = sheet->columns; column->name; column++)
		add_line(list, STYLE_KEY, column->name, column->note);
}

/* the columns of the table from left to right: what is shown, in which order */
static void list_columns(struct list *list, struct tui *tui)
{
	const struct sheet *sheet = tui_sheet(tui);
	const struct sheet_state *state = tui_table(tui);

	for (int k = 0; sheet && k < state->count; k++) {
		const struct column *column = &sheet->columns[state->order[k]];
		int y = list_next(list), hidden = state->hidden >> state->order[k] & 1;
		if (y < 0)
			continue;
		area_print(list->view, list->area, 1, y, k == tui->row ? STYLE_SELECTED : hidden ? STYLE_DIM : STYLE_NORMAL,
			   "%s [%s] %-12s %s", k == tui->row ? ">" : " ", hidden ? " " : "x", column->name, column->note);
	}
}

static void list_palette(struct list *list, const struct tui *tui)
{
	struct palette_entry entry;
	int count = palette_find(tui, list->view->status, 0, &entry);

	for (int at = 0; at < count; at++) {
		int y = list_next(list);
		if (y < 0)
			continue;
		palette_find(tui, list->view->status, at, &entry);
		area_print(list->view, list->area, 1, y, at == tui->row ? STYLE_SELECTED : STYLE_NORMAL, "%s %-20s %s",
			   at == tui->row ? ">" : " ", entry.name, entry.note);
	}
	if (!count)
		list_line(list, STYLE_DIM, "nothing is called \"%s\"", tui->typed);
}

static int list_all(const struct view *view, struct tui *tui, struct area area)
{
	struct list list = { view, area, tui->scroll, 0 };
	if (tui->overlay == OVERLAY_HELP)
		list_help(&list);
	else if (tui->overlay == OVERLAY_COLUMNS)
		list_columns(&list, tui);
	else if (tui->overlay == OVERLAY_PALETTE)
		list_palette(&list, tui);
	else
		list_glossary(&list, screens[tui->screen], tui_sheet(tui));
	return list.lines;
}

void overlay_draw(const struct view *view, struct tui *tui, struct area area)
{
	static const struct { const char *title, *note; } heads[] = {
		[OVERLAY_HELP] = { "HELP", "arrows scroll, q or Esc closes" },
		[OVERLAY_GLOSSARY] = { "GLOSSARY", "arrows scroll, q or Esc closes" },
		[OVERLAY_PALETTE] = { "ALL", "type a part of what you look for" },
		[OVERLAY_COLUMNS] = { "COLUMNS", "Space shows or hides, < > move, Esc closes; it is kept" },
	};
	struct area list = area_head(view, area, heads[tui->overlay].title, heads[tui->overlay].note);
	struct area nowhere = { 0, 0, 0, 0 };
	int lines = list_all(view, tui, nowhere);

	tui->scroll_page = list.rows;
	if (tui->overlay == OVERLAY_PALETTE || tui->overlay == OVERLAY_COLUMNS)
		tui->scroll = tui->row - list.rows / 2;
	list_clip(&tui->scroll, lines, list.rows);
	list_all(view, tui, list);
}

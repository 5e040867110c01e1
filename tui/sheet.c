/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The widget of all sheets. sheet_collect() makes the sorted list of rows, everything
 * else reads it; rows point into the model and are good for one draw or key.
 * Invariant after sheet_collect(): place < shown, or both are 0.
 */
#include "sheet.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

#define COLUMNS_MAX SHEET_COLUMNS

struct layout {
	int gap;
	int width[COLUMNS_MAX];  /* 0 = dropped */
};

/* ---- rows ---- */

/* the first 8 bytes of a cell as a number: enough to sort texts by */
static uint64_t text_key(const struct view *view, const struct column *column, const void *row)
{
	char text[CELL_TEXT] = "";
	uint64_t key = 0;
	column->print(view, row, text, sizeof(text));
	for (size_t i = 0, end = 0; i < sizeof(key); i++) {
		end |= !text[i];
		key = key << 8 | (end ? 0 : (uint64_t)tolower((unsigned char)text[i]));
	}
	return key;
}

static int compare_rows(const void *a, const void *b, void *arg)
{
	const struct sheet_row *x = a, *y = b;
	const struct sheet_state *state = arg;

	if (x->key != y->key) {
		if (x->key == PS_UNKNOWN || y->key == PS_UNKNOWN)
			return x->key == PS_UNKNOWN ? 1 : -1;
		int less = x->key < y->key ? -1 : 1;
		return state->ascending ? less : -less;
	}
	return x->identity < y->identity ? 1 : x->identity > y->identity ? -1 : 0;
}

static int reserve_rows(struct sheet_state *state, size_t count)
{
	if (count <= state->room)
		return 0;
	struct sheet_row *rows = reallocarray(state->rows, count + count / 2, sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	state->rows = rows;
	state->room = count + count / 2;
	return 0;
}

static void find_selection(struct sheet_state *state)
{
	if (!state->shown) {
		state->place = 0;
		return;
	}
	if (!state->selected) {
		state->place = 0;
		return;
	}
	if (state->stays) {
		if (state->place >= state->shown)
			state->place = state->shown - 1;
		state->selected = state->rows[state->place].identity;
		return;
	}
	for (size_t i = 0; i < state->shown; i++) {
		if (state->rows[i].identity == state->selected) {
			state->place = i;
			return;
		}
	}
	if (state->place >= state->shown)
		state->place = state->shown - 1;
	state->selected = state->rows[state->place].identity;
}

void sheet_begin(const struct sheet *sheet, struct sheet_state *state)
{
	if (state->begun)
		return;
	const struct column *column = &sheet->columns[sheet->sort];
	state->begun = 1;
	state->sort = sheet->sort;
	state->ascending = column->ascending || !column->key;
	for (state->count = 0; sheet->columns[state->count].name && state->count < COLUMNS_MAX; state->count++)
		state->order[state->count] = state->count;
}

static int is_known(const struct sheet_state *state)
{
	for (size_t i = 0; i < state->shown; i++)
		if (state->rows[i].key != PS_UNKNOWN)
			return 1;
	return 0;
}

int sheet_collect(const struct view *view, const struct sheet *sheet, struct sheet_state *state)
{
	sheet_begin(sheet, state);
	state->shown = 0;
	state->total = sheet->rows(view, NULL, 0);
	const void **rows = malloc((state->total + 1) * sizeof(*rows));
	int err = rows ? reserve_rows(state, state->total) : -ENOMEM;
	if (err) {
		free(rows);
		state->total = state->place = 0;
		return err;
	}
	state->total = sheet->rows(view, rows, state->total);
	const struct column *sort = &sheet->columns[state->sort];
	for (size_t i = 0; i < state->total; i++) {
		if (!filter_shows(&state->filter, view, sheet->columns, rows[i]))
			continue;
		uint64_t key = sort->key ? sort->key(view, rows[i]) : text_key(view, sort, rows[i]);
		state->rows[state->shown++] = (struct sheet_row){ rows[i], key, sheet->identity(view, rows[i]) };
	}
	free(rows);
	state->sorted = state->sort;
	if (sheet->sort_else && state->shown && state->sort == sheet->sort && !is_known(state)) {
		state->sorted = sheet->sort_else;
		for (size_t i = 0; i < state->shown; i++)
			state->rows[i].key = sheet->columns[sheet->sort_else].key(view, state->rows[i].row);
	}
	if (state->shown)
		qsort_r(state->rows, state->shown, sizeof(*state->rows), compare_rows, state);
	find_selection(state);
	return 0;
}

/* ---- drawing ---- */

static int is_shown(const struct view *view, const struct column *column)
{
	return !column->shown || column->shown(view);
}

/* columns that the table needs; of a flexible one the least */
static int needed(const struct sheet *sheet, const struct layout *layout)
{
	int sum = 0;
	for (int i = 0; sheet->columns[i].name; i++)
		if (layout->width[i])
			sum += layout->width[i] + layout->gap;
	return 1 + sum - (sum ? layout->gap : 0);
}

static int least_wanted(const struct sheet *sheet, const struct layout *layout)
{
	int worst = -1;
	for (int i = 0; sheet->columns[i].name; i++)
		if (layout->width[i] && (worst < 0 || sheet->columns[i].priority >= sheet->columns[worst].priority))
			worst = i;
	return worst >= 0 && sheet->columns[worst].priority ? worst : -1;
}

static void lay_out(const struct view *view, const struct sheet *sheet, const struct sheet_state *state, int columns,
		    struct layout *layout)
{
	int flexible = -1;

	memset(layout, 0, sizeof(*layout));
	layout->gap = 2;
	for (int i = 0; i < COLUMNS_MAX && sheet->columns[i].name; i++) {
		if (!is_shown(view, &sheet->columns[i]) || state->hidden >> i & 1)
			continue;
		layout->width[i] = sheet->columns[i].width ? sheet->columns[i].width : sheet->columns[i].least;
		if (!sheet->columns[i].width)
			flexible = i;
	}
	if (needed(sheet, layout) > columns)
		layout->gap = 1;
	for (int drop; needed(sheet, layout) > columns && (drop = least_wanted(sheet, layout)) >= 0;)
		layout->width[drop] = 0;
	if (flexible >= 0 && layout->width[flexible])
		layout->width[flexible] += columns - needed(sheet, layout);
	if (flexible >= 0 && layout->width[flexible] < 0)
		layout->width[flexible] = 0;
}

/* one cell, aligned; what is too long ends in an ellipsis */
static void put_cell(const struct view *view, struct area area, int x, int y, int width, int right,
		     enum grid_style style, const char *text)
{
	int used = text_width(text);
	if (right && used < width)
		x += width - used;
	area_fit(view, area, x, y, right && used < width ? used : width, style, text);
}

static void draw_header(const struct view *view, struct area area, const struct sheet *sheet,
			const struct sheet_state *state, const struct layout *layout)
{
	int x = 1;
	for (int k = 0; k < state->count; k++) {
		int i = state->order[k];
		const struct column *column = &sheet->columns[i];
		if (!layout->width[i])
			continue;
		char title[32];
		const char *mark = state->ascending ? view->glyphs->up : view->glyphs->down;
		snprintf(title, sizeof(title), "%s%s", column->title, i == state->sorted ? mark : "");
		put_cell(view, area, x, 0, layout->width[i], column->right, STYLE_HEAD, title);
		x += layout->width[i] + layout->gap;
	}
}

static void draw_row(const struct view *view, struct area area, int y, const struct sheet *sheet,
		     const struct sheet_state *state, const struct layout *layout, const struct sheet_row *row, int selected)
{
	enum grid_style style = sheet->style ? sheet->style(view, row->row) : STYLE_NORMAL;
	int x = 1;

	if (selected) {
		style = STYLE_SELECTED;
		grid_fill(view->grid, area.x, area.y + y, area.columns, ' ', style);
		area_put(view, area, 0, y, style, view->glyphs->selected);
	}
	for (int k = 0; k < state->count; k++) {
		int i = state->order[k];
		char text[CELL_TEXT] = "";
		if (!layout->width[i])
			continue;
		sheet->columns[i].print(view, row->row, text, sizeof(text));
		put_cell(view, area, x, y, layout->width[i], sheet->columns[i].right, style, text);
		x += layout->width[i] + layout->gap;
	}
}

static void scroll_to_selection(struct sheet_state *state)
{
	if (state->place < state->first)
		state->first = state->place;
	if (state->page && state->place >= state->first + state->page)
		state->first = state->place - state->page + 1;
	if (state->first + state->page > state->shown)
		state->first = state->shown > state->page ? state->shown - state->page : 0;
}

static void draw_empty(const struct view *view, struct area area, const struct sheet *sheet,
		       const struct sheet_state *state)
{
	char text[CELL_TEXT];

	if (state->total)
		snprintf(text, sizeof(text), "none of %zu matches the filter \"%s\"", state->total, state->filter.text);
	else
		sheet->empty(view, text, sizeof(text));
	area_fit(view, area, 2, 1, area.columns - 2, STYLE_DIM, text);
}

static void draw_sheet(const struct view *view, struct area area, const struct sheet *sheet, struct sheet_state *state,
		       int selection)
{
	struct layout layout;

	if (area.rows < 1 || area.columns < 1)
		return;
	lay_out(view, sheet, state, area.columns - 1, &layout);
	draw_header(view, area, sheet, state, &layout);
	state->page = (size_t)(area.rows - 1);
	scroll_to_selection(state);
	if (!state->shown)
		draw_empty(view, area, sheet, state);
	for (size_t i = 0; i < state->page && state->first + i < state->shown; i++)
		draw_row(view, area, (int)i + 1, sheet, state, &layout, &state->rows[state->first + i],
			 selection && state->first + i == state->place);
}

void sheet_draw(const struct view *view, struct area area, const struct sheet *sheet, struct sheet_state *state)
{
	draw_sheet(view, area, sheet, state, 1);
}

void sheet_draw_plain(const struct view *view, struct area area, const struct sheet *sheet, struct sheet_state *state)
{
	draw_sheet(view, area, sheet, state, 0);
}

/* ---- verbs ---- */

const void *sheet_selected(const struct sheet_state *state)
{
	return state->place < state->shown ? state->rows[state->place].row : NULL;
}

void sheet_move(struct sheet_state *state, long rows)
{
	size_t last = state->shown ? state->shown - 1 : 0;

	if (!state->shown)
		return;
	if (rows < 0)
		state->place = rows == LONG_MIN || (size_t)-rows > state->place ? 0 : state->place - (size_t)-rows;
	else
		state->place = (size_t)rows > last - state->place ? last : state->place + (size_t)rows;
	/* at the top by request: follow whatever is first from now on */
	state->selected = rows == LONG_MIN ? 0 : state->rows[state->place].identity;
}

void sheet_select(struct sheet_state *state, uint64_t identity)
{
	state->selected = identity;
	find_selection(state);
}

void sheet_sort(const struct view *view, const struct sheet *sheet, struct sheet_state *state, int step)
{
	int place = 0;

	sheet_begin(sheet, state);
	while (place < state->count - 1 && state->order[place] != state->sort)
		place++;
	for (int tries = 0; tries < state->count; tries++) {
		place = (place + step + state->count) % state->count;
		state->sort = state->order[place];
		if (is_shown(view, &sheet->columns[state->sort]) && !(state->hidden >> state->sort & 1))
			break;
	}
	const struct column *column = &sheet->columns[state->sort];
	state->ascending = column->ascending || !column->key;
}

void sheet_toggle_column(const struct sheet *sheet, struct sheet_state *state, int at)
{
	sheet_begin(sheet, state);
	uint32_t all = (1u << state->count) - 1, hidden = state->hidden ^ 1u << state->order[at];
	if (hidden != all) /* one must remain */
		state->hidden = hidden;
}

int sheet_move_column(const struct sheet *sheet, struct sheet_state *state, int at, int step)
{
	sheet_begin(sheet, state);
	int to = at + step;
	if (to < 0 || to >= state->count)
		return at;
	int moved = state->order[at];
	state->order[at] = state->order[to];
	state->order[to] = moved;
	return to;
}

void sheet_close(struct sheet_state *state)
{
	free(state->rows);
	filter_close(&state->filter);
	memset(state, 0, sizeof(*state));
}

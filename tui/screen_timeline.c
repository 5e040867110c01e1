/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Timeline: a row per loop and worker, a column per slice of time. The cursor
 * is a moment; below stands what the selected row did there.
 */
#include <stdio.h>
#include <string.h>

#include "list.h"
#include "schema.h"
#include "state.h"
#include "text.h"

#define LABEL 24
#define DETAIL_ROWS 9

/* ---- rows: loops first, then the threads that work for them ---- */

static int is_loop(const struct view *view, const void *row)
{
	for (size_t i = 0; i < view->model->loop_count; i++)
		if (view->model->loops[i] == row)
			return 1;
	return 0;
}

static struct timeline_row row_of(const struct view *view, const void *row)
{
	struct timeline_row out = { NULL, NULL };
	if (is_loop(view, row))
		out.loop = row;
	else
		out.thread = row;
	return out;
}

static uint32_t tid_of(const struct timeline_row *row)
{
	return row->loop ? row->loop->tid : row->thread ? row->thread->tid : 0;
}

static size_t list_rows(const struct view *view, const void **rows, size_t room)
{
	const struct model *model = view->model;
	size_t count = 0;
	for (size_t i = 0; i < model->loop_count; i++, count++)
		if (count < room)
			rows[count] = model->loops[i];
	for (size_t i = 0; i < model->thread_count; i++) {
		const struct thread *thread = model->threads[i];
		if (thread->exited || (thread->role != PS_ROLE_WORKER && thread->role != PS_ROLE_CONNECTION))
			continue;
		if (count < room)
			rows[count] = thread;
		count++;
	}
	return count;
}

static uint64_t identify(const struct view *view, const void *row)
{
	struct timeline_row own = row_of(view, row);
	if (own.loop)
		return ((uint64_t)own.loop->tid << 20 | ((uint32_t)own.loop->poller_fd & 0xfffff)) + 1;
	return ((uint64_t)1 << 60) + tid_of(&own);
}

static void say_none(const struct view *view, char *out, size_t room)
{
	snprintf(out, room, "no loop seen yet");
}

/* ---- cells ---- */

static uint64_t key_order(const struct view *view, const void *row)
{
	struct timeline_row own = row_of(view, row);
	if (own.loop)
		return own.loop == view->loop ? 0 : own.loop->tid;
	return ((uint64_t)1 << 33) + tid_of(&own);
}

static void print_name(const struct view *view, const void *row, char *out, size_t room)
{
	struct timeline_row own = row_of(view, row);
	uint32_t tid = tid_of(&own);
	const struct thread *thread = own.loop ? model_thread(view->model, tid) : own.thread;
	const char *name = thread && *thread->name	   ? thread->name
			   : own.loop && own.loop->process ? own.loop->process->comm
							   : "";
	snprintf(out, room, "%.30s[%u]", name, tid);
}

static void print_role(const struct view *view, const void *row, char *out, size_t room)
{
	struct timeline_row own = row_of(view, row);
	snprintf(out, room, "%s", own.loop ? "loop" : own.thread && own.thread->role == PS_ROLE_WORKER ? "worker" : "conn");
}

static uint64_t key_busy(const struct view *view, const void *row)
{
	struct timeline_row own = row_of(view, row);
	struct timeline_cell cell;
	uint64_t now = view->model->now_ns, from = now > 10000000000ull ? now - 10000000000ull : 0;
	timeline_fill(view, &own, from / 1000000000 * 1000000000, now, &cell);
	uint64_t all = cell.busy_ns + cell.wait_ns;
	return cell.known && all ? cell.busy_ns * 1000000 / all : PS_UNKNOWN;
}

static void print_busy(const struct view *view, const void *row, char *out, size_t room)
{
	uint64_t share = key_busy(view, row);
	char text[24];
	snprintf(out, room, "%s", cell_percent(text, share == PS_UNKNOWN ? -1 : (double)share / 1e4, ""));
}

static const struct column columns[] = {
	{ .name = "order",
	  .title = "ROW",
	  .width = 4,
	  .ascending = 1,
	  .note = "the loop of the dashboard first, then loops, then threads",
	  .key = key_order,
	  .print = print_role },
	{ .name = "name",
	  .title = "THREAD",
	  .least = 12,
	  .note = "name and number of the thread",
	  .print = print_name },
	{ .name = "role",
	  .title = "ROLE",
	  .width = 6,
	  .note = "loop, worker of the pool, or thread of one connection",
	  .print = print_role },
	{ .name = "busy",
	  .title = "BUSY",
	  .width = 5,
	  .right = 1,
	  .unit = PERCENT,
	  .note = "busy share of the last ten seconds",
	  .key = key_busy,
	  .print = print_busy },
	{ .name = NULL },
};

static const struct sheet sheet = {
	.name = "timeline",
	.columns = columns,
	.rows = list_rows,
	.identity = identify,
	.empty = say_none,
};

/* ---- the picture ---- */

/* the span that is drawn: whole cells, the last one holds now or the cursor */
struct span {
	uint64_t cell_ns, first;
	int cells;
};

static struct span span_of(const struct view *view, const struct tui *tui, int cells)
{
	struct span span = { timeline_cell_ns(tui->zoom), 0, cells > 0 ? cells : 0 };
	uint64_t last = view->model->now_ns / span.cell_ns,
		 at = (view->cursor_ns ? view->cursor_ns : view->model->now_ns) / span.cell_ns;
	if (last - at >= (uint64_t)span.cells)
		last = at + (uint64_t)span.cells / 2;
	span.first = last + 1 > (uint64_t)span.cells ? last + 1 - (uint64_t)span.cells : 0;
	return span;
}

static int cursor_cell(const struct view *view, const struct span *span)
{
	uint64_t at = (view->cursor_ns ? view->cursor_ns : view->model->now_ns) / span->cell_ns;
	return at >= span->first && at < span->first + (uint64_t)span->cells ? (int)(at - span->first) : -1;
}

static void draw_row(const struct view *view, struct area area, int y, const struct span *span, const void *data,
		     int selected)
{
	struct timeline_row row = row_of(view, data);
	char name[CELL_TEXT], role[16];
	print_name(view, data, name, sizeof(name));
	print_role(view, data, role, sizeof(role));
	area_put(view, area, 0, y, selected ? STYLE_SELECTED : STYLE_NORMAL, selected ? view->glyphs->selected : " ");
	area_fit(view, area, 1, y, 6, selected ? STYLE_SELECTED : STYLE_DIM, role);
	area_fit(view, area, 8, y, LABEL - 9, selected ? STYLE_SELECTED : STYLE_NORMAL, name);
	int cursor = cursor_cell(view, span);
	for (int i = 0; i < span->cells; i++) {
		struct timeline_cell cell;
		uint64_t from = (span->first + (uint64_t)i) * span->cell_ns;
		timeline_fill(view, &row, from, from + span->cell_ns, &cell);
		char letter = timeline_letter(&row, &cell);
		enum grid_style style = letter == '!' || letter == '?' ? STYLE_CRIT
					: letter == '.'		       ? STYLE_DIM
								       : STYLE_NORMAL;
		grid_fill(view->grid, area.x + LABEL + i, area.y + y, 1, (uint32_t)letter,
			  i == cursor ? STYLE_SELECTED : style);
	}
}

static void draw_axis(const struct view *view, struct area area, const struct span *span)
{
	char cell[16], begin[16], end[16];
	uint64_t from = span->first * span->cell_ns, to = (span->first + (uint64_t)span->cells) * span->cell_ns;
	int cursor = cursor_cell(view, span);
	text_duration(cell, span->cell_ns);
	area_print(view, area, 1, 0, STYLE_HEAD, "a cell is %s", cell);
	view_clock(view->model, from, begin);
	view_clock(view->model, to, end);
	if (span->cells >= 20)
		area_put(view, area, LABEL, 0, STYLE_HEAD, begin);
	area_put(view, area, LABEL + span->cells - 8, 0, STYLE_HEAD, end);
	if (cursor >= 0)
		area_put(view, area, LABEL + cursor, 0, STYLE_BOLD, view->glyphs->down);
}

/* ---- what happened at the cursor ---- */

static void tell_sums(struct list *list, const struct timeline_row *row, const struct timeline_cell *cell)
{
	double all = (double)(cell->busy_ns + cell->wait_ns);
	char busy[24], text[CELL_TEXT] = "";
	if (!cell->known || all <= 0) {
		list_line(list, STYLE_DIM, "nothing is kept of it");
		return;
	}
	const uint64_t *parts = row->thread ? cell->kind_ns : cell->phase_ns;
	for (unsigned i = 0; i < (row->thread ? PS_WORK_KIND_COUNT : PS_PHASE_COUNT); i++) {
		char part[24];
		size_t used = strlen(text);
		if (parts[i])
			snprintf(text + used, sizeof(text) - used, "  %s %s",
				 row->thread ? work_kind_name(i) : phase_name(i), cell_duration(part, parts[i], ""));
	}
	list_line(list, STYLE_NORMAL, "busy %s (%.0f%%)%s%s", cell_duration(busy, cell->busy_ns, ""),
		  (double)cell->busy_ns * 100 / all, *text ? ":" : "", text);
	if (cell->lost)
		list_line(list, STYLE_CRIT, "%llu events were lost in that second", (unsigned long long)cell->lost);
}

static void tell_stalls(struct list *list, const struct loop *loop, uint64_t from, uint64_t to)
{
	const struct model *model = list->view->model;
	for (size_t i = 0; i < model->stall_count; i++) {
		const struct stall *stall = model->stalls[i];
		char duration[24];
		if (stall->loop == loop && stall->start_ns < to && stall->start_ns + stall->duration_ns > from)
			list_line(list, STYLE_CRIT, "! stall %llu, %s, %s: %s", (unsigned long long)stall->id,
				  cell_duration(duration, stall->duration_ns, stall_mark(stall)),
				  stall_cause_name(stall->cause), stall->culprit);
	}
}

static void tell_jobs(struct list *list, const struct thread *thread, uint64_t from, uint64_t to)
{
	char text[24];
	for (uint32_t i = 0; thread->past && i < MODEL_PAST_JOBS && i < thread->past_count; i++) {
		const struct past_job *job = &thread->past[i];
		if (job->from_ns < to && job->to_ns > from)
			list_line(list, STYLE_NORMAL, "%s %s  %s", work_kind_name(job->kind), job->name,
				  cell_duration(text, job->to_ns - job->from_ns, ""));
	}
	if (thread->work && thread->work_since_ns < to)
		list_line(list, STYLE_NORMAL, "%s %s  %s and going on", work_kind_name(thread->work_kind),
			  thread->work_name,
			  cell_duration(text, list->view->model->now_ns - thread->work_since_ns, ""));
	if (thread->blocked_op && thread->blocked_since_ns < to)
		list_line(list, STYLE_NORMAL, "waits in a call on fd %d for %s", thread->blocked_fd,
			  cell_duration(text, list->view->model->now_ns - thread->blocked_since_ns, ""));
}

static void draw_detail(const struct view *view, struct tui *tui, struct area area, const void *data)
{
	struct timeline_row row = row_of(view, data);
	uint64_t cell_ns = timeline_cell_ns(tui->zoom), at = view->cursor_ns ? view->cursor_ns : view->model->now_ns;
	uint64_t from = at / cell_ns * cell_ns;
	struct timeline_cell cell;
	char title[64], clock[16];
	if (!view->cursor_ns && from >= cell_ns)
		from -= cell_ns; /* the running cell has hardly begun */
	view_clock(view->model, from, clock);
	print_name(view, data, title, sizeof(title));
	struct list list = { view, area_head(view, area, title, *clock ? clock : "at the cursor"), 0, 0 };
	timeline_fill(view, &row, from, from + cell_ns, &cell);
	tell_sums(&list, &row, &cell);
	if (row.loop)
		tell_stalls(&list, row.loop, from, from + cell_ns);
	else
		tell_jobs(&list, row.thread, from, from + cell_ns);
}

static void draw(struct view *view, struct tui *tui, struct area area)
{
	struct sheet_state *state = &tui->sheets[tui->screen];
	const void *selected = sheet_selected(state);
	struct span span = span_of(view, tui, area.columns - LABEL - 1);

	draw_axis(view, area_top(&area, 1), &span);
	struct area legend = area;
	if (area.rows >= 6) {
		legend.y += --area.rows;
		legend.rows = 1;
		area_print(view, legend, 1, 0, STYLE_DIM, "%s", timeline_legend);
	}
	int below = area.rows >= 14 && selected ? DETAIL_ROWS : area.rows >= 8 && selected ? 4 : 0;
	struct area rows = area_top(&area, area.rows - below);
	state->page = (size_t)(rows.rows > 0 ? rows.rows : 0);
	state->first = state->place >= state->page ? state->place - state->page + 1 : 0;
	if (!state->shown)
		area_put(view, rows, 2, 0, STYLE_DIM, state->total ? "nothing matches the filter" : "no loop seen yet");
	for (size_t i = 0; i < state->page && state->first + i < state->shown; i++)
		draw_row(view, rows, (int)i, &span, state->rows[state->first + i].row,
			 state->first + i == state->place);
	if (below)
		draw_detail(view, tui, area, selected);
}

/* of a loop: the stall at the cursor, or the loop becomes the dashboard's */
static int enter(const struct view *view, struct tui *tui, const void *data)
{
	struct timeline_row row = row_of(view, data);
	struct timeline_cell cell;
	uint64_t cell_ns = timeline_cell_ns(tui->zoom),
		 at = (view->cursor_ns ? view->cursor_ns : view->model->now_ns) / cell_ns * cell_ns;
	if (!row.loop)
		return 0;
	timeline_fill(view, &row, at, at + cell_ns, &cell);
	if (view->cursor_ns && cell.stall) {
		tui_show_stall(tui, cell.stall->id);
		return 1;
	}
	tui->loop_chosen = 1;
	tui->loop_tid = row.loop->tid;
	tui->loop_fd = row.loop->poller_fd;
	tui_say(tui, "this loop is shown on every screen now");
	return 1;
}

const struct screen screen_timeline = {
	.digit = 7,
	.name = "Timeline",
	.brief = "Time",
	.note = "what each loop and worker did when: arrows and [ ] move in time, z Z zoom, Enter opens the stall at "
		"the cursor",
	.sheet = &sheet,
	.draw = draw,
	.enter = enter,
	.enter_name = "Enter open",
};

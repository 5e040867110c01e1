/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The dashboard: state, the picture it shows, and one draw.
 *
 * A pause clones the model; the clone is what screens draw from until the
 * pause ends, while the host goes on feeding the live one. Time is the model's:
 * nothing here asks a clock, so equal input draws equal grids.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>

#include "findings.h"
#include "state.h"

#define LEAST_COLUMNS 40
#define LEAST_ROWS 8

const struct screen *const screens[] = {
	&screen_overview, &screen_stalls, &screen_phases, &screen_pool, &screen_timers,
	&screen_fds, &screen_timeline, &screen_diagnosis, &screen_probes, &screen_picker, NULL,
};

int tui_open(struct tui **tui, const struct tui_options *options)
{
	struct tui *new = calloc(1, sizeof(*new));
	if (!new)
		return -ENOMEM;
	new->options = *options;
	new->glyphs = glyphs_of(options->ascii);
	new->zoom = TIMELINE_SECOND;
	config_default(&new->config);
	if (options->config)
		config_read(&new->config, options->config);
	tui_configure(new);
	if (*new->config.fault)
		tui_say(new, "%s: the default is used", new->config.fault);
	*tui = new;
	return 0;
}

void tui_close(struct tui *tui)
{
	if (!tui)
		return;
	for (int i = 0; i < SCREENS_MAX; i++)
		sheet_close(&tui->sheets[i]);
	sheet_close(&tui->culprits);
	model_close(tui->frozen);
	model_close(tui->mark);
	rates_close(&tui->rates);
	free(tui);
}

void tui_say(struct tui *tui, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(tui->message, sizeof(tui->message), format, arguments);
	va_end(arguments);
}

int tui_find_screen(int digit)
{
	for (int i = 0; screens[i]; i++)
		if (screens[i]->digit == digit)
			return i;
	return -1;
}

static int groups(const struct tui *tui)
{
	return tui->grouped && !tui->evidence && screens[tui->screen] == &screen_stalls;
}

const struct sheet *tui_sheet(const struct tui *tui)
{
	return groups(tui) ? &culprits_sheet : screens[tui->screen]->sheet;
}

struct sheet_state *tui_table(struct tui *tui)
{
	return groups(tui) ? &tui->culprits : &tui->sheets[tui->screen];
}

int tui_find_name(const char *name)
{
	for (int i = 0; screens[i]; i++)
		if (!strcasecmp(screens[i]->name, name))
			return i;
	return -1;
}

/* remembers where Esc leads; of a long way the last steps */
static void leave_step(struct tui *tui)
{
	if (tui->depth == TRAIL_MAX)
		memmove(tui->trail, tui->trail + 1, sizeof(*tui->trail) * (size_t)--tui->depth);
	tui->trail[tui->depth++] = (struct step){ tui->screen, tui->evidence };
}

void tui_go(struct tui *tui, int screen)
{
	if (screen < 0)
		return;
	if (tui->picking != (screens[screen] == &screen_picker)) {
		tui_say(tui, tui->picking ? "choose a target first: Enter" : "the target was chosen already");
		return;
	}
	tui->overlay = OVERLAY_NONE;
	tui->scroll = 0;
	if (screen != tui->screen || tui->evidence)
		leave_step(tui);
	tui->screen = screen;
	tui->evidence = 0;
}

int tui_back(struct tui *tui)
{
	if (!tui->depth)
		return 0;
	struct step step = tui->trail[--tui->depth];
	tui->screen = step.screen;
	tui->evidence = step.evidence;
	tui->scroll = 0;
	return 1;
}

void tui_show_stall(struct tui *tui, uint64_t id)
{
	leave_step(tui);
	tui->screen = tui_find_screen(2);
	tui->sheets[tui->screen].selected = id;
	tui->evidence = 1;
	tui->scroll = 0;
}

int tui_show_finding(struct tui *tui, const struct view *view, const struct finding *finding)
{
	const struct finding_rule *rule = finding_rule_of(finding->id);
	if (finding->stall_id && model_stall(view->model, finding->stall_id)) {
		tui_show_stall(tui, finding->stall_id);
		return 1;
	}
	int screen = rule && rule->where ? tui_find_name(rule->where) : -1;
	if (screen < 0)
		return 0;
	const struct loop *loop = view->loop;
	for (size_t i = 0; finding->tid && i < view->model->loop_count; i++) {
		if (view->model->loops[i]->tid != finding->tid || view->model->loops[i]->pid != finding->pid)
			continue;
		loop = view->model->loops[i];
		tui->loop_chosen = 1;
		tui->loop_tid = loop->tid;
		tui->loop_fd = loop->poller_fd;
		break;
	}
	tui_go(tui, screen);
	for (uint32_t i = 0; i < finding->evidence_count; i++)
		for (size_t k = 0; loop && !strcmp(finding->evidence[i].name, "fd") && k < loop->fd_count; k++)
			if (!loop->fds[k].closed && (uint64_t)loop->fds[k].fd == finding->evidence[i].value)
				tui->sheets[screen].selected = fd_identity(&loop->fds[k]);
	return 1;
}

/* ---- what is looked at ---- */

static int is_worse(const struct loop *loop, const struct loop *than)
{
	if ((loop->state == LOOP_GONE) != (than->state == LOOP_GONE))
		return than->state == LOOP_GONE;
	if (loop->stall_total_ns != than->stall_total_ns)
		return loop->stall_total_ns > than->stall_total_ns;
	return loop->busy_ns > than->busy_ns;
}

static size_t choose_loop(const struct tui *tui, const struct model *model)
{
	size_t worst = 0;
	for (size_t i = 0; i < model->loop_count; i++) {
		const struct loop *loop = model->loops[i];
		if (tui->loop_chosen && loop->tid == tui->loop_tid && loop->poller_fd == tui->loop_fd)
			return i;
		if (is_worse(loop, model->loops[worst]))
			worst = i;
	}
	return worst;
}

static const struct pool *find_pool(const struct model *model, uint32_t pid)
{
	for (size_t i = 0; i < model->pool_count; i++)
		if (model->pools[i]->pid == pid)
			return model->pools[i];
	return NULL;
}

static void choose(struct tui *tui, struct view *view)
{
	const struct model *model = view->model;

	if (model->loop_count) {
		size_t index = choose_loop(tui, model);
		view->loop = model->loops[index];
		view->loop_number = index + 1;
		view->process = view->loop->process && view->loop->process->pid ? view->loop->process : NULL;
		view->pool = find_pool(model, view->loop->pid);
	} else if (model->process_count) {
		view->process = model->processes[0];
		view->pool = find_pool(model, view->process->pid);
	}
	if (!view->mark)
		return;
	if (view->loop)
		view->loop_mark = model_loop(view->mark, view->loop->tid, view->loop->poller_fd);
	if (view->pool)
		view->pool_mark = find_pool(view->mark, view->pool->pid);
}

static int is_muted(const void *config, const char *id)
{
	return config_is_muted(config, id);
}

static void judge(const struct tui *tui, struct view *view)
{
	const struct muted muted = { is_muted, &tui->config };
	struct finding active[VIEW_FINDINGS];
	size_t count = model_findings(view->model, active, VIEW_FINDINGS);
	for (size_t i = 0; i < count && i < VIEW_FINDINGS; i++)
		if (!config_is_muted(&tui->config, active[i].id))
			view->findings[view->finding_count++] = active[i];
	if (screens[tui->screen] == &screen_diagnosis) {
		view->all_count = findings_since(view->model, 0, view->all, VIEW_FINDINGS);
		view->all_count = view->all_count < VIEW_FINDINGS ? view->all_count : VIEW_FINDINGS;
	}
	view->verdict = findings_verdict(view->model, &muted, view->verdict_text, sizeof(view->verdict_text));
}

/* the view points into the tui; a pause may lie between two pictures of rates */
static void take_rates(struct tui *tui, const struct view *view)
{
	if (!view->loop || view->paused)
		return;
	if (rates_take(&tui->rates, view->model, view->loop, view->pool))
		tui_say(tui, "out of memory for rates");
}

void tui_view(struct tui *tui, const struct model *model, const struct tui_status *status, struct grid *grid,
	      struct view *view)
{
	memset(view, 0, sizeof(*view));
	tui->picking = status->targets != NULL;
	if (tui->picking)
		tui->screen = tui_find_screen(0);
	view->model = tui->frozen ? tui->frozen : model;
	view->paused = tui->frozen != NULL;
	view->paused_ns = model->now_ns > view->model->now_ns ? model->now_ns - view->model->now_ns : 0;
	view->mark = tui->mark;
	view->status = status;
	view->rates = &tui->rates;
	view->glyphs = tui->glyphs;
	view->grid = grid;
	view->stall_ns = view->model->config.stall_ns ? view->model->config.stall_ns : tui->options.stall_ns;
	choose(tui, view);
	view->config = &tui->config;
	view->cursor_ns = tui->cursor_ns;
	view->group = tui->group;
	judge(tui, view);
	if (grid)
		take_rates(tui, view);
	if (tui_sheet(tui) && sheet_collect(view, tui_sheet(tui), tui_table(tui)))
		tui_say(tui, "out of memory for this table");
}

/* ---- drawing ---- */

static void draw_too_small(struct grid *grid)
{
	grid_print(grid, 0, 0, -1, STYLE_NORMAL, "needs %dx%d", LEAST_COLUMNS, LEAST_ROWS);
	grid_print(grid, 0, 1, -1, STYLE_NORMAL, "this is %dx%d", grid->columns, grid->rows);
	grid_put(grid, 0, 2, -1, STYLE_DIM, "collecting goes on");
	grid_put(grid, 0, 3, -1, STYLE_DIM, "q quits");
}

void tui_draw(struct tui *tui, const struct model *model, const struct tui_status *status, struct grid *grid)
{
	struct view view;

	tui->columns = grid->columns;
	tui->rows = grid->rows;
	grid_clear(grid);
	if (grid->columns < LEAST_COLUMNS || grid->rows < LEAST_ROWS) {
		draw_too_small(grid);
		return;
	}
	tui_view(tui, model, status, grid, &view);
	struct area area = frame_draw(&view, tui);
	if (tui->overlay != OVERLAY_NONE)
		overlay_draw(&view, tui, area);
	else
		screens[tui->screen]->draw(&view, tui, area);
	if (tui->options.ascii)
		grid_to_ascii(grid);
}

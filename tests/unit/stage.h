/* SPDX-License-Identifier: BSD-2-Clause */
/* A dashboard on a grid, without a terminal: draw, press keys, look for text. */
#ifndef STAGE_H
#define STAGE_H

#include "fixture.h"
#include "grid.h"
#include "state.h"

struct stage {
	struct model *model;
	struct tui *tui;
	struct grid grid;
	struct tui_status status;
	char *text;
};

static inline void stage_draw(struct stage *stage)
{
	size_t bytes;
	tui_draw(stage->tui, stage->model, &stage->status, &stage->grid);
	free(stage->text);
	FILE *out = open_memstream(&stage->text, &bytes);
	assert_non_null(out);
	assert_int_equal(grid_write(&stage->grid, out), 0);
	fclose(out);
}

static inline struct stage stage_open(struct model *model, int columns, int rows, int ascii)
{
	struct tui_options options = { .ascii = ascii, .stall_ns = 50 * MS };
	struct stage stage = { .model = model, .status = { .mode = "LIVE", .detail = "rec:off" } };
	setenv("TZ", "UTC", 1);
	assert_int_equal(tui_open(&stage.tui, &options), 0);
	assert_int_equal(grid_open(&stage.grid, columns, rows), 0);
	stage_draw(&stage);
	return stage;
}

static inline void stage_close(struct stage *stage)
{
	free(stage->text);
	grid_close(&stage->grid);
	tui_close(stage->tui);
	model_close(stage->model);
}

static inline void stage_resize(struct stage *stage, int columns, int rows)
{
	assert_int_equal(grid_resize(&stage->grid, columns, rows), 0);
	stage_draw(stage);
}

/* returns what tui_key() returned for the last one */
static inline int stage_key(struct stage *stage, int key)
{
	int quit = tui_key(stage->tui, stage->model, &stage->status, key);
	stage_draw(stage);
	return quit;
}

static inline int stage_keys(struct stage *stage, const char *text)
{
	int quit = 0;
	for (; *text; text++)
		quit = stage_key(stage, (unsigned char)*text);
	return quit;
}

static inline void assert_seen(const struct stage *stage, const char *text)
{
	if (!strstr(stage->text, text))
		fail_msg("\"%s\" is not on this screen:\n%s", text, stage->text);
}

static inline void assert_unseen(const struct stage *stage, const char *text)
{
	if (strstr(stage->text, text))
		fail_msg("\"%s\" is on this screen:\n%s", text, stage->text);
}

/* the line of the selected row */
static inline void assert_selected(const struct stage *stage, const char *text)
{
	const char *line = strstr(stage->text, "\n>");
	if (!line)
		fail_msg("no row is selected:\n%s", stage->text);
	char *row = strndup(line + 1, strcspn(line + 1, "\n"));
	if (!strstr(row, text))
		fail_msg("\"%s\" is not in the selected row \"%s\"", text, row);
	free(row);
}

#endif

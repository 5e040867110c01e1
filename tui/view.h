/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a screen draws from: the picture (live or frozen model and what was
 * chosen in it), the grid to draw on, and small helpers that all screens share.
 *
 * A cell is one of: measured; "~" estimated or a bound; "n/a" not measured;
 * "-" not applicable. The helpers keep that rule, so a screen never prints a
 * number that nobody measured.
 */
#ifndef VIEW_H
#define VIEW_H

#include <stddef.h>
#include <stdint.h>

#include "glyph.h"
#include "grid.h"
#include "model.h"
#include "rates.h"
#include "tui.h"

#define VIEW_FINDINGS 32
#define CELL_TEXT 192

struct area { int x, y, columns, rows; };

struct view {
	const struct model *model;
	const struct model *mark;          /* figures count since this picture; NULL = since the beginning */
	const struct loop *loop;           /* the chosen one; NULL = none seen yet */
	const struct loop *loop_mark;
	size_t loop_number;                /* 1.. */
	const struct process *process;     /* of the loop; NULL */
	const struct pool *pool, *pool_mark;
	const struct tui_status *status;
	const struct rates *rates;
	const struct glyphs *glyphs;
	struct grid *grid;
	uint64_t stall_ns;
	uint64_t paused_ns;                /* how far behind a frozen picture is */
	int paused;
	struct finding findings[VIEW_FINDINGS]; /* active and not muted */
	size_t finding_count;
	struct finding all[VIEW_FINDINGS];      /* also past and muted ones */
	size_t all_count;
	const struct config *config;
	uint64_t cursor_ns;                /* 0 = now */
	uint64_t group;                    /* culprit whose stalls are listed; 0 = all */
	int verdict;                       /* as model_verdict() returns it */
	char verdict_text[CELL_TEXT];
};

/* ---- drawing inside an area ---- */
int area_put(const struct view *view, struct area area, int x, int y, enum grid_style style, const char *text);
int area_print(const struct view *view, struct area area, int x, int y, enum grid_style style, const char *format, ...)
	__attribute__((format(printf, 6, 7)));
/* Text that ends in an ellipsis when it does not fit in `room` columns. */
int area_fit(const struct view *view, struct area area, int x, int y, int room, enum grid_style style, const char *text);
/* "- TITLE  note ---------" on the first row; returns what is left below it. */
struct area area_head(const struct view *view, struct area area, const char *title, const char *note);
/* A bar of `columns` cells, `share` 0..1 of them full (at least one when share > 0). */
void area_bar(const struct view *view, struct area area, int x, int y, int columns, double share);
/* Cuts `rows` rows off the top of *area. */
struct area area_top(struct area *area, int rows);

/* ---- cells ---- */
/* Times and counts; PS_UNKNOWN prints "n/a". `mark` is "" or "~". */
char *cell_duration(char out[24], uint64_t ns, const char *mark);
char *cell_count(char out[24], uint64_t count);
char *cell_bytes(char out[24], uint64_t bytes);
char *cell_percent(char out[24], double percent, const char *mark); /* negative = not measured */
/* Text of at most `columns`, for the middle of a line: what is longer ends in an ellipsis. */
char *cell_text(const struct view *view, char out[CELL_TEXT], int columns, const char *text);
/* p-quantile of what came in since the mark (base may be NULL); "n/a" when nothing did. */
char *cell_quantile(char out[24], const struct hist *hist, const struct hist *base, double q);
void hist_since(struct hist *out, const struct hist *now, const struct hist *base);

/* ---- facts out of the model ---- */
/* Sums over the last `seconds` whole seconds that the loop was watched. */
struct recent {
	uint32_t seconds;                  /* really covered; 0 = none yet */
	uint64_t wall_ns, busy_ns, wait_ns, phase_ns[PS_PHASE_COUNT];
	uint64_t polls, iterations, ready, callbacks, timers_fired;
};
void view_recent(const struct view *view, const struct loop *loop, uint32_t seconds, struct recent *recent);
const struct slot *view_slot(const struct loop *loop, uint64_t second);   /* NULL = nothing known of it */
/* Why a probe group gives nothing ("not asked for", its reason), or "" when it works. */
const char *view_missing(const struct model *model, unsigned group);
uint64_t stall_age(const struct model *model, const struct stall *stall); /* since its end; 0 while open */
const char *stall_mark(const struct stall *stall);                        /* "~" or "" */
const char *stall_phase(const struct stall *stall);                       /* "poll", "n/a" */
double stall_percent(const struct stall *stall, uint64_t ns);             /* negative = not measured */
/* "hashPw auth.js:41", "libz.so+0x4a10", "[unresolved]" */
void frame_text(const struct frame *frame, char *out, size_t room);
/* "18:06:31" of a point in time, "" when the wall clock is not known */
void view_clock(const struct model *model, uint64_t ns, char out[16]);
enum grid_style severity_style(int severity);
const char *severity_name(int severity);

#endif

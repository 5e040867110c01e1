/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The dashboard: draws a model on a grid and the grid on a terminal.
 *
 * tui_draw() is a pure function of (tui state, model, host status): tests draw on a
 * grid without a terminal. The host (a command) owns the loop, the clock and
 * the source; it calls tui_key() for input and tui_draw() + tui_show() at its rate.
 */
#ifndef TUI_H
#define TUI_H

#include <stdint.h>
#include <stdio.h>

#include "grid.h"
#include "model.h"

struct tui;

#define TUI_RUNE 0x1000000         /* or-ed to characters above 255, which else look like KEY_* */

/* A key of the host (scenario of the demo, step of a replay): shown in help, handled after the dashboard's own unless `first`. */
struct tui_host_key {
	int key;                   /* character or KEY_* of ncurses */
	const char *name, *note;
	void (*press)(void *arg);
	int first;                 /* 1: taken before the dashboard's own meaning of the key */
};

/* an event loop that may be watched */
struct tui_target { uint32_t pid, tid; int32_t poller_fd; uint32_t fds; const char *comm, *cmdline, *runtime, *backend, *can_see; };

struct tui_bar { uint64_t begin_ns, head_ns, end_ns; const uint64_t *stalls; size_t stall_count; }; /* stalls: rising */

struct tui_status {                /* what the host knows and the model does not */
	const char *mode;          /* "LIVE", "REPLAY", "EXITED", "DEGRADED", "DEMO" */
	char detail[64];           /* "rec:off", "x1 00:12/01:00", "scenario: computation" */
	const struct tui_host_key *keys; /* ends with .key 0; may be NULL */
	void *arg;
	/* what the host can do; NULL = it cannot */
	const struct tui_target *targets; /* not NULL: the user is to choose one, nothing is watched yet */
	size_t target_count;
	void (*pick)(void *arg, uint32_t pid);
	const struct tui_bar *bar; /* a recording, and where in it */
	int (*seek)(void *arg, uint64_t ns);                     /* 0 or -errno */
	void (*record)(void *arg, char *said, size_t room);     /* begins or ends a recording, and says so */
};

enum tui_theme { THEME_DARK, THEME_LIGHT, THEME_MONO, THEME_COLOUR_BLIND, THEME_COUNT };
extern const char *const tui_theme_names[THEME_COUNT];

struct tui_options {
	int ascii;                 /* no UTF-8 drawing */
	int colour;                /* 0 = none */
	const char *config;        /* file of what the user chose; NULL = it is neither read nor written */
	const char *filter;        /* for every table that has its columns; NULL = none */
	uint64_t stall_ns;
};

/* Sets ascii and colour from locale and NO_COLOR; call it first, then let options of the command line win. */
void tui_options_default(struct tui_options *options);

int tui_open(struct tui **tui, const struct tui_options *options);
void tui_close(struct tui *tui);

/* Draws the current screen on the grid (its size is the terminal's). Freezes and thaws the picture by itself on pause. */
void tui_draw(struct tui *tui, const struct model *model, const struct tui_status *status, struct grid *grid);
/* 1: quit asked for, 0: go on. */
int tui_key(struct tui *tui, const struct model *model, const struct tui_status *status, int key);

/* How often the user wants it drawn. */
uint64_t tui_interval_ns(const struct tui *tui);
enum tui_theme tui_theme(const struct tui *tui);
/* What was wrong with the configuration file ("" = nothing): defaults are used for that. */
const char *tui_config_fault(const struct tui *tui);

/* ---- the terminal (tui/terminal.c is the only user of ncurses) ---- */
int terminal_can_draw(void);                           /* TERM is known, and can place the cursor */
int terminal_open(const struct tui_options *options);  /* -ENOTTY, -EINVAL: TERM unknown or dumb */
void terminal_size(int *columns, int *rows);
/*
 * Next key, -1 = none now, -2 = the terminal has hung up; KEY_RESIZE on a resize. Never waits.
 * Ask until -1 whenever stdin is readable and before each drawing (a resize makes nothing readable).
 */
int terminal_key(void);
void terminal_show(const struct grid *grid);
void terminal_theme(enum tui_theme theme);
void terminal_redraw(void);        /* the next show draws every cell */
void terminal_close(void);         /* restores; safe to call twice and from atexit */
/*
 * Restores the terminal on every death, then lets the signal do its work: SIGSEGV and its like always; SIGTERM,
 * SIGHUP, SIGINT, SIGQUIT where nobody has a handler yet (who has one calls terminal_close()). Handles Ctrl-Z and
 * coming back. Call after terminal_open().
 */
void terminal_guard(void);

/* The key table as text for README and help; roff: items of an mdoc list for the man page. */
int tui_print_keys(FILE *out, int roff);

#endif

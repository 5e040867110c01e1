/* SPDX-License-Identifier: BSD-2-Clause */
/* The dashboard's own state: what the user chose. Only tui/ sees inside. */
#ifndef STATE_H
#define STATE_H

#include "config.h"
#include "screen.h"
#include "timeline.h"

#define TRAIL_MAX 8

enum overlay { OVERLAY_NONE, OVERLAY_HELP, OVERLAY_GLOSSARY, OVERLAY_PALETTE, OVERLAY_COLUMNS };

/* where keys go that are typed into the last line */
enum typing { TYPING_NONE, TYPING_FILTER, TYPING_TIME, TYPING_COMMAND };

/* a place of the dashboard */
struct step { int screen, evidence; };

struct tui {
	struct tui_options options;
	const struct glyphs *glyphs;
	int screen;                              /* index in screens[] */
	struct step trail[TRAIL_MAX];            /* where Esc goes back to */
	int depth;
	struct sheet_state sheets[SCREENS_MAX];  /* per screen */
	struct sheet_state culprits;             /* Stalls, when they are grouped */
	enum overlay overlay;
	int scroll, scroll_page;                 /* of the overlay or of the evidence */
	int evidence;                            /* Stalls: the evidence fills the screen */
	enum typing typing;
	char typed[FILTER_TEXT];                 /* TIME, COMMAND */
	char before_typing[FILTER_TEXT];         /* the filter that Esc brings back */
	int row;                                 /* selected in the palette or among the columns */
	int picking;                             /* there is no target yet */
	int grouped;                             /* Stalls: by culprit */
	uint64_t group;                          /* and of which culprit the stalls are shown; 0 = of all */
	uint64_t cursor_ns;                      /* the moment that is looked at; 0 = now */
	int zoom;                                /* of the timeline */
	struct config config;                    /* what the user chose for good */
	int loop_chosen;                         /* 0: the dashboard picks the worst */
	uint32_t loop_tid;
	int32_t loop_fd;
	struct model *frozen;                    /* the paused picture; NULL = live */
	struct model *mark;
	struct rates rates;
	int columns, rows;                       /* of the last draw */
	int quit;
	char message[160];                       /* until the next key */
};

void tui_say(struct tui *tui, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Fills the view from live or frozen model and collects the table of the screen. */
void tui_view(struct tui *tui, const struct model *model, const struct tui_status *status, struct grid *grid,
	      struct view *view);
/* The table that keys act on, and its state; NULL and that of the screen when there is none. */
const struct sheet *tui_sheet(const struct tui *tui);
struct sheet_state *tui_table(struct tui *tui);
void tui_go(struct tui *tui, int screen);
int tui_back(struct tui *tui);                     /* 1, or 0: at the beginning already */
/* The screen with the evidence of a finding, and there the right row. 1, or 0: it has none. */
int tui_show_finding(struct tui *tui, const struct view *view, const struct finding *finding);
int tui_find_name(const char *name);               /* index of the screen of that name, case ignored; or -1 */
/* What was chosen for good: from the configuration to the tables, and back into its file. */
void tui_configure(struct tui *tui);
void tui_remember(struct tui *tui);
void tui_show_stall(struct tui *tui, uint64_t id);  /* on the Stalls screen, evidence open */
int tui_find_screen(int digit);                    /* index, or -1 */
/* Draws the picture on a grid of its own and writes it to a new file. 0 or -errno; name receives the file's. */
int snapshot_save(struct tui *tui, const struct model *model, const struct tui_status *status, char *name, size_t room);

/* ---- frame.c ---- */
struct area frame_draw(const struct view *view, struct tui *tui); /* returns the screen's area */

/* ---- typing.c: the last line as a line to type in ---- */
void typing_begin(struct tui *tui, enum typing typing);
void typing_key(struct tui *tui, const struct model *model, const struct tui_status *status, int key);

/* ---- palette.c: everything there is to do, by name ---- */
struct palette_entry {
	char name[48];
	char note[CELL_TEXT];
	int key;                       /* pressed when it is chosen; 0 = a theme */
	int theme, screen;             /* screen -1 = none */
};
/* The entry at `at` of those that match what was typed. Returns how many match. */
int palette_find(const struct tui *tui, const struct tui_status *status, int at, struct palette_entry *out);

/* ---- overlay.c ---- */
void overlay_draw(const struct view *view, struct tui *tui, struct area area);

#endif

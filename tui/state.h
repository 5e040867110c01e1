/* SPDX-License-Identifier: BSD-2-Clause */
/* The dashboard's own state: what the user chose. Only tui/ sees inside. */
#ifndef STATE_H
#define STATE_H

#include "screen.h"

#define TRAIL_MAX 8

enum overlay { OVERLAY_NONE, OVERLAY_HELP, OVERLAY_GLOSSARY };

/* a place of the dashboard */
struct step { int screen, evidence; };

struct tui {
	struct tui_options options;
	const struct glyphs *glyphs;
	int screen;                              /* index in screens[] */
	struct step trail[TRAIL_MAX];            /* where Esc goes back to */
	int depth;
	struct sheet_state sheets[SCREENS_MAX];  /* per screen */
	enum overlay overlay;
	int scroll, scroll_page;                 /* of the overlay or of the evidence */
	int evidence;                            /* Stalls: the evidence fills the screen */
	int typing;                              /* keys go to the filter */
	char before_typing[FILTER_TEXT];
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
void tui_go(struct tui *tui, int screen);
int tui_back(struct tui *tui);                     /* 1, or 0: at the beginning already */
void tui_show_stall(struct tui *tui, uint64_t id);  /* on the Stalls screen, evidence open */
int tui_find_screen(int digit);                    /* index, or -1 */
/* Draws the picture on a grid of its own and writes it to a new file. 0 or -errno; name receives the file's. */
int snapshot_save(struct tui *tui, const struct model *model, const struct tui_status *status, char *name, size_t room);

/* ---- frame.c ---- */
struct area frame_draw(const struct view *view, const struct tui *tui); /* returns the screen's area */

/* ---- overlay.c ---- */
void overlay_draw(const struct view *view, struct tui *tui, struct area area);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* The key table: dispatch, help and documentation are made from it. */
#ifndef KEYS_H
#define KEYS_H

#include "state.h"

#define KEY_CODES 4
#define CTRL(letter) ((letter) & 0x1f)
#define KEY_ESCAPE 27
#define KEY_RANGE -1              /* as third code: all from the first to the second */

/* what a key acts on */
struct press {
	struct tui *tui;
	const struct model *model;     /* live */
	const struct tui_status *status;
	const struct view *view;       /* the picture, live or frozen */
	int key;
};

struct key {
	int codes[KEY_CODES];          /* 0 = none */
	const char *name;              /* as printed: "? F1 h" */
	const char *brief;             /* for the key line; "" = only in the help */
	int priority;                  /* in the key line: the greatest is left out first */
	const char *note;
	void (*press)(struct press *press);
};

extern const struct key keys[];        /* ends with name NULL */

/* "a", "^S", "F5", "Right": what is printed for a code of the host. */
void keys_print(int code, char out[16]);

#endif

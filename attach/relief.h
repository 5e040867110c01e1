/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keeps the rings of sources that are open from running over while the session
 * is at something that takes long: opening other sources, taking in a new
 * process, handing over what came in all that time. A thread empties them into
 * memory (source.h, relieve) until the session has caught up.
 *
 * All functions may be called with NULL: then nobody relieves.
 */
#ifndef RELIEF_H
#define RELIEF_H

#include "source.h"

struct relief;

struct relief *relief_open(void); /* NULL: no memory */
void relief_close(struct relief *relief);
/* The thread begins, or ends; both may be said again. */
void relief_start(struct relief *relief);
void relief_stop(struct relief *relief);
/* Between these two the source is its thread's own. One without `relieve` is passed over. */
void relief_remove(struct relief *relief, const struct source *source);
void relief_add(struct relief *relief, const struct source *source, void *state);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Time in a recording: a play head that moves forward by applying records and
 * backward by building the model anew from the start.
 */
#ifndef PLAYER_H
#define PLAYER_H

#include <stddef.h>
#include <stdint.h>

#include "recording.h"

struct player {
	struct recording recording;     /* its model is the state at the head */
	const struct ps_record *next;   /* first record after the head; NULL = none */
	uint64_t begin_ns, end_ns, head_ns;
	uint64_t *stalls;               /* when each stall was over, rising */
	size_t stall_count;
	int at_end;
};

/* Reads the file once to learn its length and stalls. 0 or an exit code. */
int player_open(struct player *player, const char *name, uint64_t stall_ns);
void player_close(struct player *player);
/* Moves the head. 0 or -errno of reading. */
int player_seek(struct player *player, uint64_t time_ns);
/* Where the stall after or before the head is over; 0 = there is none. */
uint64_t player_next_stall(const struct player *player);
uint64_t player_previous_stall(const struct player *player);

#endif

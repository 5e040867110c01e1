/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Time in a recording: a play head that moves forward by applying records, and
 * elsewhere by building the model anew: from the start where that is near, from
 * a seek point in a long recording. A scout reads ahead for the stalls, in
 * small steps while nothing else is to be done.
 */
#ifndef PLAYER_H
#define PLAYER_H

#include <stddef.h>
#include <stdint.h>

#include "export.h"
#include "recording.h"

struct player {
	struct recording recording; /* its model is the state at the head */
	const struct ps_record *next; /* first record after the head; NULL = none */
	uint64_t begin_ns, end_ns, head_ns;
	uint64_t base_ns; /* the model's figures count from then; begin_ns = from the start */
	struct psr_outline outline;
	int at_end;
	struct recording scout; /* fd -1: it has seen everything */
	struct stall_cursor told;
	uint64_t scouted_ns; /* all stalls that were over by then are known */
	uint64_t *stalls; /* when each stall was over, rising */
	size_t stall_count;
};

/* Learns the file's length from its index; of a short one all stalls. 0 or an exit code. */
int player_open(struct player *player, const char *name, uint64_t stall_ns);
void player_close(struct player *player);
/* Moves the head. 0 or -errno of reading. */
int player_seek(struct player *player, uint64_t time_ns);
/* Lets the scout read on for about so many records. 1: there is more; 0. */
int player_scout(struct player *player, uint64_t records);
/* Where the stall after or before the head is over; 0 = there is none. The scout goes as far as it must. */
uint64_t player_next_stall(struct player *player);
uint64_t player_previous_stall(struct player *player);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
#include "turn_places.h"

#include <stdlib.h>

struct turn_places {
	size_t count;
	struct {
		pid_t tid;
		int32_t poller_fd;
		struct ps_turn_place place;
	} rows[PS_WATCH_MAX];
};

struct turn_places *turn_places_open(void)
{
	return calloc(1, sizeof(struct turn_places));
}

void turn_places_close(struct turn_places *places)
{
	free(places);
}

/* count: it is not there */
static size_t row_of(const struct turn_places *places, pid_t tid)
{
	size_t i = 0;
	while (i < places->count && places->rows[i].tid != tid)
		i++;
	return i;
}

void turn_places_put(struct turn_places *places, pid_t tid, int32_t poller_fd, const struct ps_turn_place *place)
{
	size_t i = places ? row_of(places, tid) : PS_WATCH_MAX;
	if (i == PS_WATCH_MAX)
		return;
	places->count += i == places->count;
	places->rows[i].tid = tid;
	places->rows[i].poller_fd = poller_fd;
	places->rows[i].place = *place;
}

const struct ps_turn_place *turn_places_find(const struct turn_places *places, pid_t tid, int32_t poller_fd)
{
	size_t i = places ? row_of(places, tid) : 0;
	return places && i < places->count && places->rows[i].poller_fd == poller_fd ? &places->rows[i].place : NULL;
}

void turn_places_drop(struct turn_places *places, pid_t tid)
{
	size_t i = places ? row_of(places, tid) : 0;
	if (places && i < places->count)
		places->rows[i] = places->rows[--places->count];
}

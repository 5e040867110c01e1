/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where loops count their own turns, in the memory of their processes: found by
 * who reads that memory (runtime_libuv.c), used by who sees waits
 * (bpf_source_rest.c). One list for a session.
 */
#ifndef TURN_PLACES_H
#define TURN_PLACES_H

#include <stdint.h>
#include <sys/types.h>

#include "ps_probe.h"

struct turn_places;

struct turn_places *turn_places_open(void); /* NULL: no memory */
void turn_places_close(struct turn_places *places);
/* May be said again; what there is no room for is not kept. `places` may be NULL, here and below. */
void turn_places_put(struct turn_places *places, pid_t tid, int32_t poller_fd, const struct ps_turn_place *place);
/* NULL: not known. */
const struct ps_turn_place *turn_places_find(const struct turn_places *places, pid_t tid, int32_t poller_fd);
/* The loop is gone. */
void turn_places_drop(struct turn_places *places, pid_t tid);

#endif

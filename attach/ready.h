/* SPDX-License-Identifier: BSD-2-Clause */
/* The loader and reader of bpf/ready.bpf.c: turns and counts of descriptors. Part of the poller source. */
#ifndef READY_H
#define READY_H

#include "poller.h"
#include "ps_probe.h"
#include "source.h"

struct ready_probe;

/*
 * `fds`: how many descriptors there are now, for the size of the maps. 0 or -errno; in both cases `reason` (160 bytes) says
 * how or why not, *state what is to be told.
 */
int ready_open(struct ready_probe **ready, uint64_t socket_f_op, size_t fds, enum ps_probe_state *state, char *reason);
void ready_close(struct ready_probe *ready);

/* Puts a poller under watch; once per (pid, tid, epfd). */
int ready_watch(struct ready_probe *ready, pid_t pid, pid_t tid, int epfd, uint64_t poller);
void ready_forget(struct ready_probe *ready, pid_t pid, int epfd);
/* A descriptor that was registered before we came, or while we rested, and was seen at `seen_ns`; what is known already stays. */
void ready_seed(struct ready_probe *ready, const struct poller_watch *watch, const struct ps_poller_item *item, uint64_t seen_ns);

/* What is counted of a descriptor: PS_FD_COUNTED, PS_FD_USE_COUNTED. */
int ready_counts(const struct ready_probe *ready, const struct ps_poller_item *item);

/* What came in; `turn` or `counts` is NULL. */
typedef void ready_fn(void *arg, const struct ps_ready_turn *turn, const struct ps_ready_counts *counts);
/* `flush`: make descriptors tell their counts. */
void ready_drain(struct ready_probe *ready, int flush, ready_fn *take, void *arg);

void ready_relieve(struct ready_probe *ready); /* see source.h */

/*
 * A probe begins following. While it rests, programs that many calls meet are not attached, those of epoll_ctl() among
 * them where it has no function of its own: after a rest it learns what is registered from now on, then from ready_seed()
 * what was, and then it follows.
 */
void ready_rest(struct ready_probe *ready);
int ready_go_on(struct ready_probe *ready); /* -errno: give it up */
void ready_follow(struct ready_probe *ready);

struct ready_figures {
	uint64_t hits, sent, lost;
};
void ready_figures(const struct ready_probe *ready, struct ready_figures *figures);
struct bpf_object;
struct bpf_object *ready_object(const struct ready_probe *ready);

#endif

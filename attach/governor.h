/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The governor of a probe group: what the group costs, and whether it may go on.
 *
 * Cost is measured, not assumed: for a twentieth of a second, each second at first
 * and at most 16 s apart, the kernel counts the run time of the group's programs,
 * wherever they run, and what it counts stands until the next. To it comes, per hit, what the way
 * into the program costs and the kernel does not count (the trap of a uprobe).
 *
 * The owner asks at each drain; when it hears 1 it detaches the group and tells
 * it as DETACHED with `why`. Groups are judged by seconds; one whose every hit
 * stops the target, by the drain (governor_hasten).
 */
#ifndef GOVERNOR_H
#define GOVERNOR_H

#include <bpf/libbpf.h>
#include <stdint.h>

#define GOVERNOR_BUDGET_NS                                                                                             \
	20000000ull /* of CPU time per second: 2 % of a core; where all cores run the programs, of each */
#define GOVERNOR_UPROBE_NS 800u /* the way into a uprobe and back */

struct governor {
	struct bpf_object *object; /* whose programs; NULL = estimated from hits alone */
	uint64_t budget_ns; /* per second; PS_UNKNOWN = only measured */
	uint64_t hit_ns; /* per hit, beside the run time */
	uint64_t cost_ns; /* so far; PS_UNKNOWN = cannot be known */
	uint64_t hits_per_s, cost_per_s; /* of the last window; PS_UNKNOWN = not yet */
	char why[160];
	/* set by an owner that only rests then: one look far above the budget is enough, and it is seldom measured what a hit costs */
	int is_mild;
	/* inside */
	int stats_fd; /* the kernel counts while this is open; -1 */
	uint64_t window_ns; /* is judged as one */
	uint64_t patience_ns; /* it may be above the budget */
	uint64_t burst_ns, burst_run_ns, burst_hits;
	double burst_rate; /* hits a second in it */
	uint64_t pause_ns; /* from one burst to the next */
	uint64_t clock_ns; /* of one reading of the clock */
	uint64_t began_ns, began_hits; /* of the window */
	uint64_t run_per_s; /* of the newest burst */
	uint64_t measured_ns; /* when it ended; 0 = none yet */
	uint64_t run_per_hit; /* the same; 0 = not hastened: what a second costs is known better */
	uint64_t over_ns; /* above the budget without a break */
};

void governor_open(struct governor *governor, struct bpf_object *object, uint64_t budget_ns, uint64_t hit_ns);
void governor_close(struct governor *governor);
/*
 * From now on by the drain, not by the second: a fifth of a second above the budget is enough, half of that far above it.
 * `hits` of the group so far are not judged any more.
 */
void governor_hasten(struct governor *governor, uint64_t now_ns, uint64_t hits);
/* `hits` of the group so far. 1: it costs too much: detach it, `why` says how much. */
int governor_drain(struct governor *governor, uint64_t now_ns, uint64_t hits);
/* Forgets how it was before; what it cost stays counted, and what a hit costs known. */
void governor_restart(struct governor *governor);
/* The same from figures: the part without a kernel, for tests. */
int governor_judge(struct governor *governor, uint64_t now_ns, uint64_t hits, uint64_t run_per_s);

#endif

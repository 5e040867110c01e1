/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Measures in bursts: the kernel's counting itself costs a little at every run
 * of every program, so it is on for one drain, each second at first, ever more
 * seldom while the hits stay as many. The descriptor that keeps it on is ours:
 * it ends with us.
 *
 * To switch the counting the kernel rewrites its own code. QEMU's emulation (not
 * KVM) can go on running the instruction that was there only for that moment,
 * and then the emulated machine stands still: there, nothing is counted, and
 * cost is estimated from hits.
 */
#include "governor.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "ps_event.h"

#define SECOND_NS 1000000000ull
#define BURST_NS 40000000ull
#define SELDOM_NS (16 * SECOND_NS) /* between two bursts, at most */
#define PATIENCE_NS 2000000000ull
#define DRAIN_NS 40000000ull /* shortest window of who is judged by the drain */
#define DRAIN_PATIENCE_NS 180000000ull
#define RUN_NS 500u /* of one run, until one is measured */
#define FAR_OVER 3u /* times the budget: patience is not shorter above, one look is not enough */
#define FAR_OVER_MILD 5u
#define MEASURED_HITS 1000u
#define MEASURED_NS (30 * SECOND_NS) /* so long it is known what a hit costs */

void governor_close(struct governor *governor)
{
	if (governor->stats_fd >= 0)
		close(governor->stats_fd);
	governor->stats_fd = -1;
}

static uint64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

/* What reading the clock costs: the kernel reads it around each run, so each run looks that much longer than it is. */
static uint64_t clock_cost(void)
{
	uint64_t least = UINT64_MAX;

	for (int round = 0; round < 8; round++) {
		uint64_t start = clock_ns(), end = start;

		for (int i = 0; i < 32; i++)
			end = clock_ns();
		if ((end - start) / 32 < least)
			least = (end - start) / 32;
	}
	return least;
}

static int is_emulated(void)
{
#if defined(__x86_64__)
	unsigned eax, name[3];

	__cpuid(0x40000000, eax, name[0], name[1], name[2]);
	return !memcmp(name, "TCGTCGTCGTCG", sizeof(name));
#else
	return 0;
#endif
}

void governor_open(struct governor *governor, struct bpf_object *object, uint64_t budget_ns, uint64_t hit_ns)
{
	*governor = (struct governor){
		.object = is_emulated() ? NULL : object,
		.budget_ns = budget_ns,
		.hit_ns = hit_ns,
		.hits_per_s = PS_UNKNOWN,
		.cost_per_s = PS_UNKNOWN,
		.run_per_s = PS_UNKNOWN,
		.clock_ns = clock_cost(),
		.window_ns = SECOND_NS,
		.pause_ns = SECOND_NS,
		.patience_ns = PATIENCE_NS,
		.stats_fd = -1,
	};
}

void governor_hasten(struct governor *governor, uint64_t now_ns, uint64_t hits)
{
	governor->window_ns = DRAIN_NS;
	governor->patience_ns = DRAIN_PATIENCE_NS;
	if (!governor->run_per_hit)
		governor->run_per_hit = RUN_NS;
	/* what is attached costs at once, not from the first drain on */
	governor->began_ns = now_ns;
	governor->began_hits = hits;
}

static uint64_t run_time(const struct bpf_object *object, uint64_t clock)
{
	struct bpf_program *program;
	uint64_t total = 0;

	bpf_object__for_each_program(program, object)
	{
		struct bpf_prog_info info = { 0 };
		__u32 size = sizeof(info);

		if (bpf_program__fd(program) >= 0 && !bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size))
			total += info.run_time_ns > info.run_cnt * clock ? info.run_time_ns - info.run_cnt * clock : 0;
	}
	return total;
}

/* Hits a second since the last burst began. */
static double rate(const struct governor *governor, uint64_t now_ns, uint64_t hits)
{
	return now_ns > governor->burst_ns ? (double)(hits - governor->burst_hits) * SECOND_NS / (double)(now_ns - governor->burst_ns) : 0;
}

/* Twice as many as when it was measured, for a second at least: that is another state of things. */
static int is_hit_more(struct governor *governor, uint64_t now_ns, uint64_t hits)
{
	if (now_ns - governor->burst_ns < SECOND_NS || hits < governor->burst_hits ||
	    rate(governor, now_ns, hits) < 2 * governor->burst_rate + 1)
		return 0;
	governor->pause_ns = SECOND_NS;
	return 1;
}

/* Begins a burst at the start of a second, ends it at the next drain but not before it is long enough to mean something. */
static void measure(struct governor *governor, uint64_t now_ns, uint64_t hits)
{
	if (!governor->object)
		return;
	if (governor->stats_fd < 0) {
		if (governor->is_mild && governor->measured_ns && now_ns - governor->measured_ns < MEASURED_NS)
			return;
		if (governor->burst_ns && now_ns - governor->burst_ns < governor->pause_ns && !is_hit_more(governor, now_ns, hits))
			return;
		governor->stats_fd = bpf_enable_stats(BPF_STATS_RUN_TIME);
		governor->burst_ns = now_ns;
		governor->burst_hits = hits;
		governor->burst_run_ns = run_time(governor->object, governor->clock_ns);
	} else if (now_ns - governor->burst_ns >= BURST_NS) {
		uint64_t now_run = run_time(governor->object, governor->clock_ns);
		uint64_t run = now_run > governor->burst_run_ns ? now_run - governor->burst_run_ns : 0;

		governor->run_per_s = (uint64_t)((double)run * SECOND_NS / (double)(now_ns - governor->burst_ns));
		if (governor->run_per_hit && hits > governor->burst_hits)
			governor->run_per_hit = run / (hits - governor->burst_hits) + 1;
		if (hits - governor->burst_hits >= MEASURED_HITS)
			governor->measured_ns = now_ns;
		governor->burst_rate = rate(governor, now_ns, hits);
		governor->pause_ns = governor->pause_ns * 2 < SELDOM_NS ? governor->pause_ns * 2 : SELDOM_NS;
		governor_close(governor);
	}
}

static void say_why(struct governor *governor)
{
	snprintf(governor->why, sizeof(governor->why),
		 "gave up: %.1f %% of a core at %llu hits a second, the budget is %.1f %%",
		 (double)governor->cost_per_s / 1e7, (unsigned long long)governor->hits_per_s,
		 (double)governor->budget_ns / 1e7);
}

/* Per second, of a window in which that many hits came. */
static uint64_t cost_of(const struct governor *governor, uint64_t run_per_s)
{
	if (governor->run_per_hit)
		return governor->hits_per_s * (governor->run_per_hit + governor->hit_ns);
	return (run_per_s == PS_UNKNOWN ? 0 : run_per_s) + governor->hits_per_s * governor->hit_ns;
}

int governor_judge(struct governor *governor, uint64_t now_ns, uint64_t hits, uint64_t run_per_s)
{
	uint64_t passed = now_ns - governor->began_ns;

	if (!governor->began_ns || hits < governor->began_hits) {
		governor->began_ns = now_ns;
		governor->began_hits = hits;
		return 0;
	}
	if (passed < governor->window_ns)
		return 0;
	governor->hits_per_s = (uint64_t)((double)(hits - governor->began_hits) * SECOND_NS / (double)passed);
	governor->began_ns = now_ns;
	governor->began_hits = hits;
	if (run_per_s == PS_UNKNOWN && !governor->hit_ns)
		return 0; /* nothing to judge by */
	governor->cost_per_s = cost_of(governor, run_per_s);
	governor->cost_ns += (uint64_t)((double)governor->cost_per_s * (double)passed / SECOND_NS);
	if (governor->budget_ns == PS_UNKNOWN || governor->cost_per_s <= governor->budget_ns) {
		governor->over_ns = 0;
		return 0;
	}
	/* the more it is too much, the sooner it ends */
	double times = (double)governor->cost_per_s / (double)governor->budget_ns;
	double most = governor->is_mild ? FAR_OVER_MILD : FAR_OVER;
	governor->over_ns += (uint64_t)((double)passed * (times < most ? times : most));
	if (governor->over_ns < governor->patience_ns)
		return 0;
	say_why(governor);
	return 1;
}

void governor_restart(struct governor *governor)
{
	governor_close(governor);
	governor->began_ns = governor->burst_ns = 0;
	governor->pause_ns = SECOND_NS;
	if (!governor->run_per_hit)
		governor->run_per_s = PS_UNKNOWN;
	governor->over_ns = 0;
}

int governor_drain(struct governor *governor, uint64_t now_ns, uint64_t hits)
{
	measure(governor, now_ns, hits);
	return governor_judge(governor, now_ns, hits, governor->run_per_s);
}

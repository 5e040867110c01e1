/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How the time of a stall was spent: on the CPU, ready to run, blocked.
 *
 * Best source first: the sums that travelled with POLL_ENTER (exact); off-CPU
 * intervals; the thread's CPU time around the slice; samples. All but the first
 * are marked estimated.
 */
#include "model_own.h"

static void set_shares(struct stall *stall, uint64_t on_cpu, uint64_t runnable, uint64_t blocked, int estimated)
{
	uint64_t ns = stall->duration_ns;
	stall->on_cpu_ns = on_cpu == PS_UNKNOWN ? on_cpu : least(on_cpu, ns);
	stall->runnable_ns = runnable == PS_UNKNOWN ? runnable : least(runnable, ns);
	stall->blocked_ns = blocked == PS_UNKNOWN ? blocked : least(blocked, ns);
	stall->estimated = estimated;
}

/* By the thread's CPU time, scaled to the stall. 0: not known. */
static int share_by_cpu_time(const struct loop_own *loop, const struct stall *stall, uint64_t *on_cpu, uint64_t *runnable)
{
	const struct cpu_time *first = &loop->gather.cpu_first, *last = &loop->gather.cpu_last;
	if (!last->ts)
		return 0;
	uint64_t window = minus(last->ts, first->ts);
	/* too short a look from inside: take the figure from before, when it waited, and the slice from its begin */
	if (window * 2 < stall->duration_ns && loop->cpu_before.ts) {
		first = &loop->cpu_before;
		window = minus(last->ts, loop->slice_ns);
	}
	if (!window || first == last)
		return 0;
	uint64_t ns = stall->duration_ns;
	*on_cpu = scaled(minus(last->on_cpu_ns, first->on_cpu_ns), window, ns);
	*runnable = least(scaled(minus(last->runnable_ns, first->runnable_ns), window, ns), minus(ns, *on_cpu));
	return 1;
}

/* Of CPU time, between two samples of a stall that is so old: more than twice what the probe leaves out (bpf/sample.bpf.c). */
static uint64_t longest_silence(uint64_t age_ns)
{
	return age_ns < 10000000000ull ? 50000000 : 200000000;
}

/*
 * While off-CPU intervals are told, what is not in one was on the CPU. One that lasts still is not told yet: of a stall
 * that goes on the thread's CPU time says how much that is.
 */
static int shares_from_intervals(const struct model_own *model, const struct loop_own *loop, struct stall *stall)
{
	const struct gather *gather = &loop->gather;
	uint32_t sched = model->pub.probes[PS_PROBE_SCHED].state;
	if (!gather->off_intervals && sched != PS_PROBE_STATE_ON)
		return 0;
	uint64_t blocked = 0, runnable = gather->off_ns[PS_OFF_RUNNABLE], on_cpu, waited;
	for (unsigned state = PS_OFF_SLEEPING; state <= PS_OFF_LOCK; state++)
		blocked += gather->off_ns[state];
	uint64_t rest = minus(stall->duration_ns, blocked + runnable);
	int asleep = gather->proc_asleep + gather->proc_stopped > 0 && !gather->cpu_samples && !gather->proc_running;
	if (stall->open && asleep) {
		blocked += rest;
		rest = 0;
	} else if (stall->open && !gather->samples && !gather->off_intervals) {
		return 0; /* nothing seen yet: it may be asleep */
	} else if (stall->open && gather->proc_last_call <= 0) {
		if (!share_by_cpu_time(loop, stall, &on_cpu, &waited))
			on_cpu = rest;
		/* the sampling timer counts CPU time too, and is never silent for longer than this */
		if (model->pub.probes[PS_PROBE_SAMPLING].state == PS_PROBE_STATE_ON)
			on_cpu = least(on_cpu, gather->cpu_sampled_ns + longest_silence(stall->duration_ns));
		runnable += minus(rest, on_cpu);
		rest = least(rest, on_cpu);
	}
	set_shares(stall, rest, runnable, blocked, 1);
	return 1;
}

static int shares_from_cpu_time(const struct loop_own *loop, struct stall *stall)
{
	uint64_t on_cpu, runnable;
	if (!share_by_cpu_time(loop, stall, &on_cpu, &runnable))
		return 0;
	set_shares(stall, on_cpu, runnable, minus(stall->duration_ns, on_cpu + runnable), 1);
	return 1;
}

static int shares_from_samples(const struct loop_own *loop, struct stall *stall)
{
	const struct gather *gather = &loop->gather;
	uint64_t ns = stall->duration_ns;
	uint32_t seen = gather->proc_running + gather->proc_asleep + gather->proc_stopped;
	if (gather->cpu_samples >= 2 && gather->cpu_sampled_ns) {
		uint64_t period = gather->cpu_sampled_ns / gather->cpu_samples;
		uint64_t window = minus(stall->start_ns + ns, gather->cpu_first_ns) + period;
		set_shares(stall, scaled(gather->cpu_sampled_ns, window, ns), PS_UNKNOWN, PS_UNKNOWN, 1);
		return 1;
	}
	if (gather->nested_ns * 2 >= ns) {
		set_shares(stall, minus(ns, gather->nested_ns), PS_UNKNOWN, gather->nested_ns, 1);
		return 1;
	}
	if (!seen)
		return 0;
	uint64_t blocked = scaled(gather->proc_asleep + gather->proc_stopped, seen, ns);
	set_shares(stall, minus(ns, blocked), PS_UNKNOWN, blocked, 1);
	return 1;
}

/* What the three are made of, as far as intervals off the CPU tell: the short ones are not sent. */
static void set_parts(const struct model_own *model, const struct loop_own *loop, struct stall *stall)
{
	const struct gather *gather = &loop->gather;
	int told = gather->off_intervals || model->pub.probes[PS_PROBE_SCHED].state == PS_PROBE_STATE_ON;
	uint64_t blocked = known(stall->blocked_ns);
	stall->lock_ns = told ? least(gather->lock_ns, blocked) : PS_UNKNOWN;
	stall->fault_ns = told ? least(gather->off_ns[PS_OFF_FAULT], blocked) : PS_UNKNOWN;
	stall->stopped_ns = told ? least(gather->off_ns[PS_OFF_STOPPED], blocked) : PS_UNKNOWN;
	stall->throttled_ns = throttled_in_slice(model, loop, stall);
}

void stall_shares(const struct model_own *model, struct loop_own *loop, struct stall *stall, const struct slice_sums *sums)
{
	if (sums->on_cpu_ns != PS_UNKNOWN) {
		set_shares(stall, sums->on_cpu_ns, sums->runnable_ns, sums->blocked_ns, 0);
	} else if (!shares_from_intervals(model, loop, stall) && !shares_from_cpu_time(loop, stall) &&
		   !shares_from_samples(loop, stall)) {
		set_shares(stall, PS_UNKNOWN, PS_UNKNOWN, PS_UNKNOWN, 0);
	}
	set_parts(model, loop, stall);
}

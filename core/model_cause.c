/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Judging a stall: by which cause it came about, and which habit it breaks.
 * Pure: reads the slice's evidence, writes the stall. The largest share of its
 * time is the cause, the CPU only with at least half. The rule comes only from
 * frames sampled during this stall.
 */
#include "model_own.h"

#include <string.h>

#include "schema.h"

#define GC_SAMPLES_LEAST 5 /* fewer tell nothing about shares */

/* ---- names ---- */

const char *stall_cause_name(enum stall_cause cause)
{
	static const char *const names[CAUSE_COUNT] = {
		[CAUSE_UNKNOWN] = "unknown", [CAUSE_CPU] = "cpu", [CAUSE_SYNC_IO] = "sync-io", [CAUSE_LOCK] = "lock",
		[CAUSE_RUN_QUEUE] = "run-queue", [CAUSE_THROTTLED] = "throttled", [CAUSE_GC] = "gc",
		[CAUSE_PAGE_FAULT] = "page-fault", [CAUSE_STOPPED] = "stopped",
	};
	return (unsigned)cause < CAUSE_COUNT ? names[cause] : "unknown";
}

const char *stall_rule_name(enum stall_rule rule)
{
	static const char *const names[RULE_COUNT] = {
		[RULE_UNKNOWN] = "unknown", [RULE_SYNC_CALL] = "sync-call", [RULE_REGEX] = "regex", [RULE_JSON] = "json",
		[RULE_COMPUTATION] = "computation", [RULE_CRYPTO] = "crypto", [RULE_COMPRESSION] = "compression",
		[RULE_MODULE_LOAD] = "module-load", [RULE_GC] = "gc", [RULE_TICK_STARVATION] = "tick-starvation",
		[RULE_HOST] = "host",
	};
	return (unsigned)rule < RULE_COUNT ? names[rule] : "unknown";
}

int syscall_is(int number, const char *names)
{
	const char *name = number < 0 ? NULL : syscall_name(number);
	size_t length = name ? strlen(name) : 0;
	if (!length)
		return 0;
	for (const char *at = names; (at = strstr(at, name)); at += length)
		if ((at == names || at[-1] == ' ') && (at[length] == ' ' || !at[length]))
			return 1;
	return 0;
}

/* ---- cause ---- */

static enum stall_cause blocked_cause(const struct gather *gather)
{
	uint64_t calls = most(gather->call_ns, gather->nested_ns), best = calls;
	enum stall_cause cause = CAUSE_SYNC_IO;
	if (gather->lock_ns > best) {
		best = gather->lock_ns;
		cause = CAUSE_LOCK;
	}
	uint64_t faults = gather->off_ns[PS_OFF_FAULT];
	if (faults > best) {
		best = faults;
		cause = CAUSE_PAGE_FAULT;
	}
	if (gather->off_ns[PS_OFF_STOPPED] > best) {
		best = gather->off_ns[PS_OFF_STOPPED];
		cause = CAUSE_STOPPED;
	}
	if (best)
		return cause;
	if (gather->proc_stopped > gather->proc_asleep)
		return CAUSE_STOPPED;
	/* no times: what was seen to block */
	const struct blocked_call *call = gather_longest_call(gather);
	if (gather->nested && !call)
		return CAUSE_SYNC_IO;
	if (!call)
		return CAUSE_UNKNOWN;
	return syscall_is(call->syscall, "futex") ? CAUSE_LOCK : CAUSE_SYNC_IO;
}

static int mostly_collects(const struct gather *gather)
{
	uint32_t all = 0;
	for (unsigned rule = RULE_UNKNOWN; rule < RULE_COUNT; rule++)
		all += gather->cpu_votes[rule] + gather->off_votes[rule];
	return all && (gather->cpu_votes[RULE_GC] + gather->off_votes[RULE_GC]) * 4 > all * 3;
}

static int ran_own_threads(const struct gather *gather, const struct stall *stall)
{
	return gather->other && *gather->other && !strcmp(gather->other, stall->loop->process->comm);
}

static enum stall_cause decide_cause(const struct gather *gather, const struct stall *stall)
{
	uint64_t on_cpu = known(stall->on_cpu_ns), runnable = known(stall->runnable_ns), blocked = known(stall->blocked_ns);
	uint64_t largest = most(on_cpu, most(runnable, blocked)), half = stall->duration_ns / 2;
	if (known(stall->gc_ns) > half)
		return CAUSE_GC;
	if (gather->proc_stopped > gather->proc_asleep + gather->proc_running + gather->cpu_samples)
		return CAUSE_STOPPED;
	if (!largest)
		return CAUSE_UNKNOWN;
	if (largest == on_cpu)
		return on_cpu >= half ? CAUSE_CPU : CAUSE_UNKNOWN;
	/* a collector's own threads may take the CPU from the thread that waits for them */
	if (largest == runnable && mostly_collects(gather) && ran_own_threads(gather, stall))
		return CAUSE_GC;
	if (largest == runnable)
		return known(stall->throttled_ns) * 2 >= runnable ? CAUSE_THROTTLED : CAUSE_RUN_QUEUE;
	/* or the thread sleeps until they are done */
	enum stall_cause cause = blocked_cause(gather);
	return cause == CAUSE_LOCK && mostly_collects(gather) ? CAUSE_GC : cause;
}

/* ---- rule ---- */

/* The rule that at least half of the samples tell of that show how the time was spent. */
static enum stall_rule rule_of_frames(const struct gather *gather, struct stall *stall)
{
	uint32_t votes[RULE_COUNT], all = 0;
	for (unsigned rule = RULE_UNKNOWN; rule < RULE_COUNT; rule++) {
		votes[rule] = stall->cause == CAUSE_CPU || stall->cause == CAUSE_GC ? gather->cpu_votes[rule] : 0;
		votes[rule] += stall->cause != CAUSE_CPU ? gather->off_votes[rule] : 0;
		all += votes[rule];
	}
	stall->rule_samples = all;
	for (unsigned rule = RULE_UNKNOWN; rule < RULE_COUNT; rule++)
		stall->rule_percent[rule] = all ? (uint8_t)((votes[rule] * 100 + all / 2) / all) : 0;
	for (unsigned rule = RULE_UNKNOWN + 1; rule < RULE_COUNT; rule++)
		if (votes[rule] && votes[rule] * 2 >= all)
			return rule;
	return RULE_UNKNOWN;
}

static int is_cpu_row(const struct stall *stall, const struct stall_stack *row)
{
	return row->kind == PS_SAMPLE_CPU;
}

static int is_handing_over(const struct stack *stack)
{
	for (; stack->count; stack = stack->outer)
		if (((const struct frame_own *)stack->frame)->hands_over)
			return 1;
	return 0;
}

/*
 * Libuv's own lock is held for a moment only, and a thread that was woken leaves the condition at once: who waits there
 * for long waits for a thread that has no CPU. What the loop wanted to have done did not block it.
 */
static int waits_for_pool(const struct stall *stall)
{
	uint64_t all = 0, handing = 0;
	for (uint32_t i = 0; i < stall->stack_count && stall->cause == CAUSE_LOCK; i++) {
		const struct stall_stack *row = &stall->stacks[i];
		uint64_t weight = row->kind == PS_SAMPLE_CPU ? 0 : row->ns ? row->ns : row->count;
		all += weight;
		handing += is_handing_over(row->stack) ? weight : 0;
	}
	return handing && handing * 2 >= all;
}

static enum stall_rule decide_rule(const struct gather *gather, struct stall *stall)
{
	enum stall_rule told = rule_of_frames(gather, stall);
	switch (stall->cause) {
	case CAUSE_GC:
		return RULE_GC;
	case CAUSE_CPU:
		/* without stacks the callback's own name may tell */
		if (told == RULE_UNKNOWN && !stall->stack_count && stall->callback)
			told = ((const struct frame_own *)stall->callback)->rule;
		if (told != RULE_UNKNOWN)
			return told;
		if (gather->tick_ns * 2 >= stall->duration_ns || script_starves(stall, is_cpu_row))
			return RULE_TICK_STARVATION;
		return RULE_COMPUTATION;
	case CAUSE_LOCK:
		return waits_for_pool(stall) ? RULE_HOST : RULE_SYNC_CALL;
	case CAUSE_SYNC_IO:
		return RULE_SYNC_CALL;
	case CAUSE_RUN_QUEUE:
	case CAUSE_THROTTLED:
		return RULE_HOST;
	default:
		if (gather->tick_ns * 2 >= stall->duration_ns && gather->tick_ns)
			return RULE_TICK_STARVATION;
		return told;
	}
}

/* Where nobody tells of the collector, samples do. */
static void sample_gc(const struct gather *gather, struct stall *stall)
{
	uint64_t all = 0;
	for (unsigned rule = RULE_UNKNOWN; rule < RULE_COUNT; rule++)
		all += gather->cpu_votes[rule];
	stall->gc_sampled = stall->gc_ns == PS_UNKNOWN && all >= GC_SAMPLES_LEAST && stall->on_cpu_ns != PS_UNKNOWN;
	if (stall->gc_sampled)
		stall->gc_ns = scaled(gather->cpu_votes[RULE_GC], all, stall->on_cpu_ns);
}

void stall_judge_own(const struct model_own *model, struct loop_own *loop, struct stall *stall)
{
	uint64_t on_cpu = known(stall->on_cpu_ns), blocked = known(stall->blocked_ns);
	*stall->own_culprit = '\0';
	stall->own_rule = RULE_UNKNOWN;
	if ((stall->cause != CAUSE_RUN_QUEUE && stall->cause != CAUSE_THROTTLED) ||
	    on_cpu + blocked < model->pub.config.stall_ns)
		return;
	struct stall own = *stall;
	own.cause = on_cpu >= blocked ? CAUSE_CPU : blocked_cause(&loop->gather);
	own.rule = decide_rule(&loop->gather, &own);
	if (own.rule == RULE_HOST)
		return;
	stall_blame(model, loop, &own);
	stall->own_rule = own.rule;
	memcpy(stall->own_culprit, own.culprit, sizeof(stall->own_culprit));
}

void stall_judge(const struct model_own *model, struct loop_own *loop, struct stall *stall)
{
	stall->cause = decide_cause(&loop->gather, stall);
	stall->rule = decide_rule(&loop->gather, stall);
	if (stall->cause == CAUSE_CPU && stall->rule == RULE_GC)
		stall->cause = CAUSE_GC;
	sample_gc(&loop->gather, stall);
}

/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The scheduler group: what a loop thread did with its busy slice. Exact sums
 * of running, ready and blocked time go out with the next POLL_ENTER; each
 * interval off the CPU that was long is a record of its own, with the syscall
 * that blocked (from the registers saved at its entry) and the stacks.
 *
 * The programs run at every switch and wake-up of the machine, so most of the
 * work is to see at once that a task is no loop thread.
 *
 * A ps_watch is changed by its own thread while that runs, by the switch that
 * takes it off or on, and by the one wake-up between: never by two at a time.
 */
#include "stack_copy.h"

static __always_inline struct ps_watch *find(__u32 tid)
{
	return may_be_loop(tid) ? bpf_map_lookup_elem(&threads, &tid) : NULL;
}

static __always_inline __u16 blocked_state(unsigned int task_state, int syscall)
{
	const unsigned int freezer = STATE_INTERRUPTIBLE | STATE_FREEZABLE;

	if (task_state & (STATE_STOPPED | STATE_TRACED | STATE_FROZEN))
		return PS_OFF_STOPPED;
	/* control groups of version 2 freeze a thread on its way out, in no call of its own */
	if (syscall < 0 && (task_state & freezer) == freezer)
		return PS_OFF_STOPPED;
	/* nothing but a fault blocks a thread that is not in a syscall */
	if (syscall < 0)
		return PS_OFF_FAULT;
	if (syscall == SYS_FUTEX || syscall == SYS_FUTEX_WAITV || syscall == SYS_FUTEX_WAIT)
		return PS_OFF_LOCK;
	return task_state & STATE_UNINTERRUPTIBLE ? PS_OFF_DISK : PS_OFF_SLEEPING;
}

static __always_inline bool may_take_stack(struct ps_watch *watch, __u64 now)
{
	if (watch->burst != now / 100000000) {
		watch->burst = now / 100000000;
		watch->burst_stacks = 0;
	}
	return watch->burst_stacks++ < PS_STACK_BURST;
}

static __always_inline void take_stacks_and_copy(void *ctx, struct ps_watch *watch, struct task_struct *task, __u64 now)
{
	struct ps_raw_stack *copy = find_copy(watch->off.h.tid);
	struct ps_pace *pace = find_pace(PS_PROBE_SCHED, now);

	if (!pace)
		return;
	take_stacks(ctx, &watch->off, watch, true);
	if (copy && needs_copy(&watch->off)) {
		copy_stack(copy, task, PS_STACK_BYTES);
		watch->copied = 1;
	}
	ps_pace_spend(pace, now, bpf_ktime_get_ns());
}

/* The record of the interval that ends; `watch` is of a thread that is not running yet. */
static __always_inline void send_off(struct ps_watch *watch, __u32 tid)
{
	struct ps_raw_stack *copy = watch->copied ? find_copy(tid) : NULL;

	if (copy && !bpf_probe_read_kernel(&copy->raw, sizeof(copy->raw), &watch->off))
		send_with_stack(copy, PS_RAW_OFFCPU);
	else
		send_raw(&watch->off, PS_RAW_OFFCPU);
}

static __always_inline void switch_out(void *ctx, struct ps_watch *watch, struct task_struct *prev,
				       struct task_struct *next, bool is_ready, unsigned int state, __u64 now)
{
	struct ps_raw *off = &watch->off;

	account(watch, now, PS_SCHED_RUNNING);
	watch->sched = is_ready ? PS_SCHED_RUNNABLE : PS_SCHED_BLOCKED;
	off->h.tid = tid_of(prev);
	off->tgid = watch->tgid;
	off->off_ns = now;
	off->wake_ns = is_ready ? now : 0;
	off->cpu = bpf_get_smp_processor_id();
	off->kernel_frames = off->user_frames = off->functions = off->python_frames = off->broken = 0;
	watch->copied = 0;
	take_syscall(off, prev);
	off->state = is_ready ? PS_OFF_RUNNABLE : blocked_state(state, off->syscall);
	__builtin_memset(off->other, 0, sizeof(off->other));
	if (is_ready)
		bpf_probe_read_kernel(off->other, sizeof(off->other), next->comm);
	else if (may_take_stack(watch, now))
		take_stacks_and_copy(ctx, watch, prev, now);
}

static __always_inline void switch_in(struct ps_watch *watch, struct task_struct *next, __u64 now)
{
	const struct ps_probe_settings *set = bpf_map_lookup_elem(&settings, &zero_key);
	struct ps_raw *off = &watch->off;

	account(watch, now, PS_SCHED_RUNNABLE);
	watch->sched = PS_SCHED_RUNNING;
	if (!set || !off->off_ns || now - off->off_ns < set->offcpu_ns)
		return;
	off->h.ts = now;
	off->h.tid = tid_of(next);
	send_off(watch, off->h.tid);
	off->off_ns = 0;
}

/* While the poll group rests: a wait that sleeps begins here, the others are told by the loop's own counts. */
static __always_inline void rest_out(struct ps_watch *watch, struct task_struct *prev, __u32 tid, __u32 rest,
				     bool is_ready, unsigned int state)
{
	bool waits = is_in_wait(watch, prev);
	bool sleeps = waits && !is_ready && blocked_state(state, 0) == PS_OFF_SLEEPING;
	__u64 now = bpf_ktime_get_ns();

	count_turns(watch, tid, rest, waits, sleeps, now);
	if (sleeps)
		begin_wait(watch, tid, -2, now);
}

SEC("tp_btf/sched_switch")
int BPF_PROG(on_switch, bool preempt, struct task_struct *prev, struct task_struct *next, unsigned int prev_state)
{
	__u32 tid = tid_of(prev), rest;
	struct ps_watch *watch = find(tid);
	__u64 now;

	if (watch)
		look_inside(watch, prev, tid);
	rest = watch && watch->busy_since_ns ? current_rest() : 0;
	if (rest) {
		count_hit(PS_PROBE_POLL);
		rest_out(watch, prev, tid, rest, preempt || !prev_state, prev_state);
	}
	if (watch && watch->busy_since_ns) {
		count_hit(PS_PROBE_SCHED);
		switch_out(ctx, watch, prev, next, preempt || !prev_state, prev_state, bpf_ktime_get_ns());
	}
	watch = find(tid_of(next));
	if (!watch)
		return 0;
	if (watch->flags & PS_WATCH_UNSURE)
		look_inside(watch, next, tid_of(next));
	now = bpf_ktime_get_ns();
	watch->ran_ns = now;
	if (watch->busy_since_ns) {
		count_hit(PS_PROBE_SCHED);
		switch_in(watch, next, now);
	} else if (current_rest()) {
		/* what it found is counted when it has been seen to: told with the next one */
		end_wait(watch, tid_of(next), watch->rest ? watch->unread : -1, PS_POLL_RAN, now);
		watch->unread = 0;
	}
	return 0;
}

SEC("tp_btf/sched_wakeup")
int BPF_PROG(on_wakeup, struct task_struct *task)
{
	struct ps_watch *watch = find(tid_of(task));
	__u64 now;

	/* woken before it left the CPU: it never slept */
	if (!watch || !watch->busy_since_ns || (watch->sched != PS_SCHED_BLOCKED && watch->sched != PS_SCHED_UNKNOWN))
		return 0;
	count_hit(PS_PROBE_SCHED);
	now = bpf_ktime_get_ns();
	account(watch, now, PS_SCHED_BLOCKED);
	watch->sched = PS_SCHED_RUNNABLE;
	watch->off.wake_ns = now;
	return 0;
}

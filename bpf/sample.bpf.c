/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The sampling group: where a loop thread is while it is busy. With each tick a
 * CPU looks who runs there; the ticks are the thread's CPU time. A busy slice
 * that is young gives one sample in a hundredth of a second, which makes the
 * profile; one that is older than half of the stall threshold is looked at with
 * every tick; one that goes on and on more and more seldom, for it says the same
 * again and again. What all of it may cost a CPU is bounded (struct ps_pace): a
 * tick that would be above it is left out, and the next sample stands for it too.
 *
 * Two ticks, of which the loader takes one: the scheduler's own, which comes
 * anyhow, seen where the interrupt of the CPU's timer enters the kernel; or a timer of ours on each
 * CPU, which makes every thread there slower, by some hundredths on a virtual machine.
 */
#include "stack_copy.h"

#define PROFILE_BYTES (4u << 10)  /* of the stack, while a slice is not suspect */
#define INTERRUPT_BYTES (8u << 10)  /* at most, of an interrupt's stack down to here */
#define LONG_NS      1000000000ull
#define VERY_LONG_NS 10000000000ull

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ps_raw);
} scratch SEC(".maps");

static __always_inline __u32 ticks_per_sample(const struct ps_probe_settings *set, __u64 busy_ns)
{
	if (busy_ns < set->stall_ns / 2)
		return set->profile_ticks;
	return busy_ns < LONG_NS ? 1 : busy_ns < VERY_LONG_NS ? 4 : 20;
}

static __always_inline void fill(void *ctx, struct ps_raw *raw, struct ps_watch *watch, __u64 id, __u64 now, __u64 period_ns,
				 bool in_kernel)
{
	raw->h.ts = now;
	raw->h.tid = id;
	raw->tgid = id >> 32;
	raw->period_ns = period_ns;
	raw->cpu = bpf_get_smp_processor_id();
	take_syscall(raw, bpf_get_current_task_btf());
	take_stacks(ctx, raw, watch, in_kernel);
}

/* While the poll group rests: what the loop's own counts tell since the last look. */
static __always_inline void look_at_rest(struct ps_watch *watch, __u32 tid, const struct ps_probe_settings *set)
{
	bool waits = is_in_wait(watch, bpf_get_current_task_btf());
	__u64 now = bpf_ktime_get_ns();

	/* it was on its way out of it when the rest began */
	if (!waits && !watch->busy_since_ns)
		end_unseen(watch, tid);
	if (!watch->busy_since_ns)
		return;
	count_turns(watch, tid, set->rest, waits, false, now);
	if (now - watch->busy_since_ns >= set->stall_ns / 2)
		raise_alarm();
}

/*
 * Of the scheduler's tick: unwinding the frames of the interrupt takes longer than all else. Where it came in the thread's
 * own code it runs on the stack that the thread has in the kernel, which is empty then but for the registers at its end;
 * else on one of the CPU's.
 */
static __always_inline bool has_met_user_code(void *ctx)
{
#if defined(__TARGET_ARCH_x86)
	void *regs = (void *)bpf_task_pt_regs(bpf_get_current_task_btf());
	__u64 at = 0, end = 0;

	/* the arguments of the tracepoint lie on that stack; addresses become numbers only by a copy */
	bpf_probe_read_kernel(&at, sizeof(at), &ctx);
	bpf_probe_read_kernel(&end, sizeof(end), &regs);
	return at < end && end - at < INTERRUPT_BYTES;
#else
	return false;
#endif
}

static __always_inline int sample(void *ctx, bool at_tick)
{
	__u64 id = current_ids(), now, busy_ns;
	const struct ps_probe_settings *set;
	struct ps_raw_stack *copy;
	struct ps_watch *watch;
	struct ps_pace *pace;
	struct ps_raw *raw;
	__u32 tid = id;

	if (!may_be_loop(tid))
		return 0;
	watch = bpf_map_lookup_elem(&threads, &tid);
	set = bpf_map_lookup_elem(&settings, &zero_key);
	raw = bpf_map_lookup_elem(&scratch, &zero_key);
	if (!watch || !set || !raw)
		return 0;
	look_inside(watch, bpf_get_current_task_btf(), tid);
	if (set->rest)
		look_at_rest(watch, tid, set);
	if (!watch->busy_since_ns)
		return 0;
	now = bpf_ktime_get_ns();
	busy_ns = now - watch->busy_since_ns;
	if (++watch->ticks < ticks_per_sample(set, busy_ns))
		return 0;
	pace = find_pace(PS_PROBE_SAMPLING, now);
	if (!pace)
		return 0;
	count_hit(PS_PROBE_SAMPLING);
	fill(ctx, raw, watch, id, now, watch->ticks * set->sample_ns, !at_tick || !has_met_user_code(ctx));
	watch->ticks = 0;
	copy = needs_copy(raw) ? find_copy(tid) : NULL;
	if (copy && !bpf_probe_read_kernel(&copy->raw, sizeof(copy->raw), raw)) {
		copy_stack(copy, bpf_get_current_task_btf(), busy_ns < set->stall_ns / 2 ? PROFILE_BYTES : PS_STACK_BYTES);
		send_with_stack(copy, PS_RAW_SAMPLE);
	} else {
		send_raw(raw, PS_RAW_SAMPLE);
	}
	ps_pace_spend(pace, now, bpf_ktime_get_ns());
	return 0;
}

SEC("perf_event")
int on_timer(void *ctx)
{
	return sample(ctx, false);
}

/* Set by the loader: the scheduler's ticks between two of ours. */
const volatile __u32 cfg_jiffies = 1;

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);  /* the jiffy of the last tick */
} ticked SEC(".maps");

/* Whatever else is due interrupts the CPU too: one interrupt of a jiffy is the tick. */
static __always_inline bool is_tick(void)
{
	__u64 *last = bpf_map_lookup_elem(&ticked, &zero_key), now = bpf_jiffies64();

	if (!last || now - *last < cfg_jiffies)
		return false;
	*last = now;
	return true;
}

/* The frames of the interrupt lie on top of its stacks; user space takes them off, for it knows their names. */
SEC("tp_btf/local_timer_entry")
int BPF_PROG(on_tick, int vector)
{
	return is_tick() ? sample(ctx, true) : 0;
}

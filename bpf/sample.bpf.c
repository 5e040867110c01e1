/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The sampling group: where a loop thread is while it does not come back. One
 * timer per loop thread counts its CPU time; the program returns at once unless
 * the thread is busy for more than half of the stall threshold.
 */
#include "watch.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ps_raw);
} scratch SEC(".maps");

SEC("perf_event")
int on_sample(void *ctx)
{
	const struct ps_probe_settings *set = bpf_map_lookup_elem(&settings, &zero_key);
	struct ps_raw *raw = bpf_map_lookup_elem(&scratch, &zero_key);
	__u64 id = bpf_get_current_pid_tgid(), now = bpf_ktime_get_ns();
	__u32 tid = id;
	const struct ps_watch *watch = bpf_map_lookup_elem(&threads, &tid);

	if (!watch || !set || !raw || !watch->busy_since_ns || now - watch->busy_since_ns < set->stall_ns / 2)
		return 0;
	count_hit(PS_PROBE_SAMPLING);
	raw->h.ts = now;
	raw->h.tid = tid;
	raw->tgid = id >> 32;
	raw->cpu = bpf_get_smp_processor_id();
	take_syscall(raw, bpf_get_current_task_btf());
	take_stacks(ctx, raw);
	send_raw(raw, PS_RAW_SAMPLE);
	return 0;
}

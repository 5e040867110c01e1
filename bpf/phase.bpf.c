/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Phases of a libuv loop, at the entries of the functions that run them. They go
 * through the ring of the polls, so what a thread did stays in order. Each hit
 * costs the loop a microsecond, five times an iteration: only when asked for, and
 * as long as the governor lets them.
 */
#include "watch.h"

static __always_inline void count_phase(void)
{
	struct ps_probe_counts *count = bpf_map_lookup_elem(&counts, &zero_key);

	if (count)
		__sync_fetch_and_add(&count->phases, 1);
}

SEC("uprobe")
int on_phase(void *context)
{
	__u32 tid = (__u32)current_ids();
	struct ps_watch *watch = may_be_loop(tid) ? bpf_map_lookup_elem(&threads, &tid) : NULL;
	struct ps_ev_phase phase = {
		.h = { .ts = bpf_ktime_get_ns(), .tid = tid, .event = PS_EV_PHASE, .size = sizeof(phase) },
		.phase = (__u32)bpf_get_attach_cookie(context),
	};

	count_phase();
	/* before its first wait, and while it waits (a loop inside a callback's own loop), nothing is said */
	if (!watch || !watch->busy_since_ns)
		return 0;
	count_record(!bpf_ringbuf_output(&ring, &phase, sizeof(phase), BPF_RB_NO_WAKEUP));
	return 0;
}

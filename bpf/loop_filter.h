/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* One bit per thread id: says at once of nearly every thread of the machine that it is no loop under watch. */
#ifndef LOOP_FILTER_H
#define LOOP_FILTER_H

#include "ids.h"

#include <bpf/bpf_helpers.h>

#include "ps_probe.h"

static const __u32 zero_key = 0;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE); /* bits are set on both sides, at once */
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ps_filter);
} filter SEC(".maps");

static __always_inline bool may_be_loop(__u32 tid)
{
	const struct ps_filter *bits = bpf_map_lookup_elem(&filter, &zero_key);

	return bits && bits->words[tid / 64 % (PS_FILTER_BITS / 64)] >> (tid % 64) & 1;
}

#endif

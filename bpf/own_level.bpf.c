/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* How deep the PID namespace of who runs it is: 0 = the first one. The kernel tells it in no other way. */
#include "kernel.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("raw_tp")
int tell_level(void *ctx)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();

	return BPF_CORE_READ(task, thread_pid, level);
}

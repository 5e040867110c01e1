/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Numbers of processes and threads, as the tool sees them.
 *
 * A tool that runs in a PID namespace (a container) knows the processes of it
 * by other numbers than the kernel's own. Everything that the programs keep and
 * send goes by the tool's; who is not in its namespace has none: 0.
 */
#ifndef IDS_H
#define IDS_H

#include "kernel.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

/* Set by the loader: how deep the tool's PID namespace is, 0 = the first one; and which one it is. */
const volatile __u32 cfg_pid_level = 0;
const volatile __u32 cfg_pid_space = 0;

static __always_inline __u32 number_of(struct task_struct *task)
{
	struct pid *pid = BPF_CORE_READ(task, thread_pid);
	void *at = (void *)pid + bpf_core_field_offset(struct pid, numbers) + cfg_pid_level * bpf_core_type_size(struct upid);
	struct upid *numbers = at;

	if (!pid || BPF_CORE_READ(pid, level) < cfg_pid_level || BPF_CORE_READ(numbers, ns, ns.inum) != cfg_pid_space)
		return 0;
	return BPF_CORE_READ(numbers, nr);
}

/* As bpf_get_current_pid_tgid(): the process in the upper half, the thread in the lower. */
static __always_inline __u64 ids_of(struct task_struct *task)
{
	if (!cfg_pid_level)
		return (__u64)BPF_CORE_READ(task, tgid) << 32 | (__u32)BPF_CORE_READ(task, pid);
	return (__u64)number_of(BPF_CORE_READ(task, group_leader)) << 32 | number_of(task);
}

static __always_inline __u64 current_ids(void)
{
	return cfg_pid_level ? ids_of((struct task_struct *)bpf_get_current_task()) : bpf_get_current_pid_tgid();
}

/* Of a task that a program was handed. */
static __always_inline __u32 tid_of(struct task_struct *task)
{
	return cfg_pid_level ? number_of(task) : (__u32)task->pid;
}

static __always_inline __u32 tgid_of(struct task_struct *task)
{
	return cfg_pid_level ? number_of(BPF_CORE_READ(task, group_leader)) : (__u32)task->tgid;
}

#endif

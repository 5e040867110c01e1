/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * What is read of the kernel: only these structs and fields. Offsets are
 * relocated when a program is loaded (CO-RE), so building needs no BTF and one
 * object fits all kernels.
 */
#ifndef KERNEL_H
#define KERNEL_H

#include <linux/bpf.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stdint.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct files_struct;

struct thread_struct {
	unsigned long fsbase;  /* x86: the thread pointer */
};

struct ns_common {
	unsigned int inum;
};

struct pid_namespace {
	struct ns_common ns;
};

struct upid {
	int nr;
	struct pid_namespace *ns;
};

/* a task's numbers, one for each namespace that it is seen in, outermost first */
struct pid {
	unsigned int level;
	struct upid numbers[1];
};

struct task_struct {
	int pid;   /* what user space calls tid */
	int tgid;
	struct pid *thread_pid;
	struct task_struct *group_leader;
	char comm[16];
	struct thread_struct thread;
	struct files_struct *files;
};

#if defined(__TARGET_ARCH_x86)
struct pt_regs {
	unsigned long di, si, dx, r10, r8, orig_ax;
	unsigned long ip, sp, bp, r9, r12;
	unsigned long ax, bx, cx, r11, r13, r14, r15;
};
#elif defined(__TARGET_ARCH_arm64)
struct pt_regs {
	unsigned long regs[31];
	unsigned long sp, pc;
	unsigned long orig_x0;
	int syscallno;
};
#endif

#pragma clang attribute pop

/* contexts of classic syscall tracepoints: an ABI, not relocated */
struct syscall_enter {
	__u64 entry;
	__s32 number;
	__u32 hole;
	__u64 args[6];
};

struct syscall_exit {
	__u64 entry;
	__s32 number;
	__u32 hole;
	__s64 result;
};

struct timespec_copy {
	__s64 seconds;
	__s64 fraction;  /* ns, or us in a timeval */
};

/* States of a task that has left the CPU (include/linux/sched.h; stable since 4.14). */
#define STATE_INTERRUPTIBLE   0x0001
#define STATE_UNINTERRUPTIBLE 0x0002
#define STATE_STOPPED         0x0004
#define STATE_TRACED          0x0008
#define STATE_FREEZABLE       0x2000 /* this and the next since 6.1 */
#define STATE_FROZEN          0x8000

#if defined(__TARGET_ARCH_x86)
#define SYS_POLL 7
#define SYS_SELECT 23
#define SYS_FUTEX 202
#define SYS_EPOLL_WAIT 232
#define SYS_PSELECT6 270
#define SYS_PPOLL 271
#define SYS_EPOLL_PWAIT 281
#elif defined(__TARGET_ARCH_arm64)
#define SYS_POLL -2    /* not there */
#define SYS_SELECT -2
#define SYS_EPOLL_WAIT -2
#define SYS_EPOLL_PWAIT 22
#define SYS_PSELECT6 72
#define SYS_PPOLL 73
#define SYS_FUTEX 98
#endif
#define SYS_IO_URING_ENTER 426
#define SYS_EPOLL_PWAIT2 441
#define SYS_FUTEX_WAITV 449
#define SYS_FUTEX_WAIT 455

#define IO_URING_GETEVENTS 1
#define ERROR_TIME 62
#define ERROR_NO_CALL (-38)

/* Number of the syscall that the task is in; -1 when it came into the kernel otherwise. */
static inline int regs_syscall(const struct pt_regs *regs)
{
#if defined(__TARGET_ARCH_x86)
	return (int)(long)regs->orig_ax;
#elif defined(__TARGET_ARCH_arm64)
	return regs->syscallno;
#endif
}

/* Arguments as they were at entry, also at exit. */
static inline void regs_args(const struct pt_regs *regs, uint64_t args[3])
{
#if defined(__TARGET_ARCH_x86)
	args[0] = regs->di;
	args[1] = regs->si;
	args[2] = regs->dx;
#elif defined(__TARGET_ARCH_arm64)
	args[0] = regs->orig_x0;
	args[1] = regs->regs[1];
	args[2] = regs->regs[2];
#endif
}

/* Of a task that came in by a system call: it is still in it, and not on its way out, where it may be kept from running. */
static inline bool regs_in_call(const struct pt_regs *regs)
{
#if defined(__TARGET_ARCH_x86)
	return (long)regs->ax == ERROR_NO_CALL; /* until there is a result */
#elif defined(__TARGET_ARCH_arm64)
	return regs->regs[0] == regs->orig_x0;
#endif
}

static inline __u64 regs_fourth(const struct pt_regs *regs)
{
#if defined(__TARGET_ARCH_x86)
	return regs->r10;
#elif defined(__TARGET_ARCH_arm64)
	return regs->regs[3];
#endif
}

static inline __u64 regs_fifth(const struct pt_regs *regs)
{
#if defined(__TARGET_ARCH_x86)
	return regs->r8;
#elif defined(__TARGET_ARCH_arm64)
	return regs->regs[4];
#endif
}

#endif

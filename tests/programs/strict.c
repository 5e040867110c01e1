/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An epoll loop under a strict seccomp filter: whatever but waiting, reading its
 * timer and writing one byte per tick kills it. Prints a dot per tick.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define ALLOW(call) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##call, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

static int lock_in(void)
{
	static struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		ALLOW(epoll_pwait),
		ALLOW(read),
		ALLOW(write),
		ALLOW(rt_sigreturn),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};
	const struct sock_fprog program = { sizeof(filter) / sizeof(*filter), filter };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -1;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
}

int main(void)
{
	struct itimerspec every = { { 0, 10000000 }, { 0, 10000000 } };
	struct epoll_event interest = { .events = EPOLLIN }, ready;
	int poller = epoll_create1(0), timer = timerfd_create(CLOCK_MONOTONIC, 0);
	uint64_t ticks;

	if (timerfd_settime(timer, 0, &every, NULL) || epoll_ctl(poller, EPOLL_CTL_ADD, timer, &interest) || lock_in())
		return 1;
	for (;;) {
		syscall(SYS_epoll_pwait, poller, &ready, 1, -1, NULL, 8);
		if (read(timer, &ticks, sizeof(ticks)) != sizeof(ticks) || write(1, ".", 1) != 1)
			return 1;
	}
}

/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The poll group: a thread begins to wait in its poller, and comes back.
 *
 * State is kept per thread (struct ps_watch). The first poller that a thread of
 * a watched process waits on is its loop; a wait on another one while it is
 * busy belongs to a private loop inside a call (execSync has one) and does not
 * end the slice. poll(), select() and rings are loops only where user space has found
 * one, since any library calls them.
 *
 * Three ways in, of which the loader takes one for the waits on epoll: at the
 * begin and the end of the kernel's own functions, which costs nobody else
 * anything; classic tracepoints, which run only for the syscalls they name, but
 * make the kernel take a longer way through every syscall of the machine; or the
 * BTF-typed sys_enter and sys_exit, which need less privilege and run for all.
 *
 * At the end of a function the kernel runs nothing for a call that was in it
 * while a program came to it or left it: ours when we attached, anybody's later.
 * That such a wait is over is seen by what the thread does next (PS_WATCH_INSIDE).
 */
#include "watch.h"

/* Set by the loader when some loop waits in poll() or select(). */
const volatile bool cfg_poll_select = false;

/* Set by the loader: waits on epoll are seen at the functions of the calls. */
const volatile bool cfg_by_function = false;

/* Set by the loader: who we are. */
const volatile __u32 cfg_own = 0;

/*
 * Processes that may be watched, by the lowest bits of their number: a wait of
 * anybody else, whose time is not ours to take, ends here. Bits are set before
 * the map is told, and never taken back.
 */
__u64 process_bits[PS_PROCESS_BITS / 64];

static __always_inline bool may_be_watched(__u32 tgid)
{
	return process_bits[tgid / 64 % (PS_PROCESS_BITS / 64)] >> (tgid % 64) & 1;
}

static __always_inline struct ps_watch *add_thread(__u64 id, __u32 flags, __s32 fd)
{
	/* too big for the stack: a map's own zeroes are copied */
	static const struct ps_watch fresh = { .off = { .syscall = -1 } };
	struct ps_filter *bits = bpf_map_lookup_elem(&filter, &zero_key);
	struct ps_watch *watch;
	__u32 tid = id;

	/* who looked for loops at attach may have been faster by this much */
	if (bpf_map_update_elem(&threads, &tid, &fresh, BPF_NOEXIST))
		return bpf_map_lookup_elem(&threads, &tid);
	watch = bpf_map_lookup_elem(&threads, &tid);
	if (!watch || !bits)
		return NULL;
	watch->tgid = id >> 32;
	watch->poller_fd = fd;
	watch->backend = PS_BACKEND_EPOLL;
	watch->flags = flags;
	watch->mark_ns = bpf_ktime_get_ns();
	__sync_fetch_and_or(&bits->words[tid / 64 % (PS_FILTER_BITS / 64)], 1ull << (tid % 64));
	return watch;
}

/*
 * The state of the current thread if its process is watched and `fd` is the
 * poller of its loop; the first one it waits on becomes that.
 */
static __always_inline struct ps_watch *find_loop(__s32 fd, __u32 backend)
{
	__u64 id = current_ids();
	__u32 tgid = id >> 32, tid = id;
	const __u32 *flags = may_be_watched(tgid) ? bpf_map_lookup_elem(&processes, &tgid) : NULL;
	struct ps_watch *watch;

	if (!flags)
		return NULL;
	watch = bpf_map_lookup_elem(&threads, &tid);
	if (!watch && backend == PS_BACKEND_EPOLL && fd >= 0) {
		watch = add_thread(id, *flags, fd);
		if (!watch)
			count_record(false);
	}
	/* one that was met before its recorder was found */
	if (watch && *flags & ~watch->flags)
		watch->flags |= *flags;
	if (watch && watch->flags & PS_WATCH_GUESS && watch->backend == backend) {
		watch->poller_fd = fd;
		watch->flags &= ~PS_WATCH_GUESS;
	}
	return watch && watch->poller_fd == fd && watch->backend == backend ? watch : NULL;
}

static __always_inline int enter(__s32 fd, __u32 backend, __s64 timeout_ns)
{
	struct ps_watch *watch = find_loop(fd, backend);

	if (!watch)
		return 0;
	count_hit(PS_PROBE_POLL);
	watch->flags &= ~PS_WATCH_UNSURE;
	if (watch->flags & PS_WATCH_INSIDE)
		end_unseen(watch, current_ids());
	/* the first wait after a rest, which the loop has counted already: what came before it */
	if (watch->rest && watch->busy_since_ns)
		count_turns(watch, current_ids(), watch->rest, true, true, bpf_ktime_get_ns());
	watch->rest = 0;
	begin_wait(watch, current_ids(), timeout_ns, bpf_ktime_get_ns());
	if (cfg_by_function && backend == PS_BACKEND_EPOLL)
		watch->flags |= PS_WATCH_INSIDE;
	return 0;
}

static __always_inline int leave(__s32 fd, __u32 backend, __s64 result)
{
	struct ps_watch *watch = find_loop(fd, backend);

	if (!watch)
		return 0;
	if (watch->flags & PS_WATCH_UNSURE) {
		watch->flags &= ~PS_WATCH_UNSURE;
		begin_unseen(watch, current_ids());
	}
	/* where the group changes over or rests, its end has been told already; else one that nobody saw begin */
	if (watch->busy_since_ns && watch->entered_ns)
		return 0;
	count_hit(PS_PROBE_POLL);
	end_wait(watch, current_ids(), result, 0, bpf_ktime_get_ns());
	return 0;
}

static __always_inline __s64 from_ms(__u64 timeout)
{
	return (__s32)timeout < 0 ? -1 : (__s64)(__s32)timeout * 1000000;
}

/* From a timespec (scale 1) or timeval (scale 1000) of the target; none = forever. */
static __always_inline __s64 from_user(__u64 address, __s64 scale)
{
	struct timespec_copy time;

	if (!address || bpf_probe_read_user(&time, sizeof(time), (const void *)address))
		return -1;
	return time.seconds < 0 ? -1 : time.seconds * 1000000000 + time.fraction * scale;
}

/* ---- the functions of the calls; the loader names them, they differ by machine ---- */

#define WAIT_FUNCTION(name, timeout)                                                                                   \
	SEC("fentry")                                                                                                  \
	int BPF_PROG(on_##name##_begin, const struct pt_regs *regs)                                                    \
	{                                                                                                              \
		uint64_t args[3];                                                                                      \
		regs_args(regs, args);                                                                                 \
		return enter(args[0], PS_BACKEND_EPOLL, timeout);                                                      \
	}                                                                                                              \
	SEC("fexit")                                                                                                   \
	int BPF_PROG(on_##name##_end, const struct pt_regs *regs, long result)                                         \
	{                                                                                                              \
		uint64_t args[3];                                                                                      \
		regs_args(regs, args);                                                                                 \
		return leave(args[0], PS_BACKEND_EPOLL, result);                                                       \
	}

WAIT_FUNCTION(epoll_wait, from_ms(regs_fourth(regs)))
WAIT_FUNCTION(epoll_pwait, from_ms(regs_fourth(regs)))
WAIT_FUNCTION(epoll_pwait2, from_user(regs_fourth(regs), 1))

/* ---- classic tracepoints ---- */

#define WAIT(name, fd, backend, timeout)                                      \
	SEC("tp/syscalls/sys_enter_" #name)                                   \
	int on_##name##_enter(struct syscall_enter *ctx)                      \
	{                                                                     \
		return enter(fd, backend, timeout);                           \
	}                                                                     \
	SEC("tp/syscalls/sys_exit_" #name)                                    \
	int on_##name##_exit(struct syscall_exit *ctx)                        \
	{                                                                     \
		return leave_current(backend, ctx->result);                   \
	}

static __always_inline int leave_current(__u32 backend, __s64 result)
{
	uint64_t args[3];

	if (!may_be_watched(current_ids() >> 32))
		return 0;
	if (backend != PS_BACKEND_EPOLL)
		return leave(-1, backend, result);
	regs_args((const struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf()), args);
	return leave(args[0], backend, result);
}

WAIT(epoll_wait, ctx->args[0], PS_BACKEND_EPOLL, from_ms(ctx->args[3]))
WAIT(epoll_pwait, ctx->args[0], PS_BACKEND_EPOLL, from_ms(ctx->args[3]))
WAIT(epoll_pwait2, ctx->args[0], PS_BACKEND_EPOLL, from_user(ctx->args[3], 1))
WAIT(poll, -1, PS_BACKEND_POLL, from_ms(ctx->args[2]))
WAIT(ppoll, -1, PS_BACKEND_POLL, from_user(ctx->args[2], 1))
WAIT(select, -1, PS_BACKEND_SELECT, from_user(ctx->args[4], 1000))
WAIT(pselect6, -1, PS_BACKEND_SELECT, from_user(ctx->args[4], 1))

/* io_uring_enter() waits only if it is asked to; how many completions there are it does not tell, but at least these. */
static __always_inline __s64 ring_ready(__u32 least, __s64 result)
{
	return result >= 0 ? (__s64)least : result == -ERROR_TIME ? 0 : result;
}

static __always_inline bool ring_waits(__u32 least, __u32 flags)
{
	return least && flags & IO_URING_GETEVENTS;
}

SEC("tp/syscalls/sys_enter_io_uring_enter")
int on_io_uring_enter_enter(struct syscall_enter *ctx)
{
	return ring_waits(ctx->args[2], ctx->args[3]) ? enter(ctx->args[0], PS_BACKEND_IO_URING, -1) : 0;
}

SEC("tp/syscalls/sys_exit_io_uring_enter")
int on_io_uring_enter_exit(struct syscall_exit *ctx)
{
	const struct pt_regs *regs = (const struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());
	uint64_t args[3];

	regs_args(regs, args);
	if (!ring_waits(args[2], regs_fourth(regs)))
		return 0;
	return leave(args[0], PS_BACKEND_IO_URING, ring_ready(args[2], ctx->result));
}

/* ---- BTF-typed raw tracepoints ---- */

static __always_inline __u32 backend_of(long number)
{
	if (number == SYS_EPOLL_WAIT || number == SYS_EPOLL_PWAIT || number == SYS_EPOLL_PWAIT2)
		return PS_BACKEND_EPOLL;
	if (!cfg_poll_select)
		return PS_BACKEND_UNKNOWN;
	if (number == SYS_POLL || number == SYS_PPOLL)
		return PS_BACKEND_POLL;
	if (number == SYS_SELECT || number == SYS_PSELECT6)
		return PS_BACKEND_SELECT;
	if (number == SYS_IO_URING_ENTER)
		return PS_BACKEND_IO_URING;
	return PS_BACKEND_UNKNOWN;
}

static __always_inline __s64 timeout_of(long number, const struct pt_regs *regs, const uint64_t args[3])
{
	__u64 fourth = regs_fourth(regs), fifth = regs_fifth(regs);

	if (number == SYS_EPOLL_WAIT || number == SYS_EPOLL_PWAIT)
		return from_ms(fourth);
	if (number == SYS_EPOLL_PWAIT2)
		return from_user(fourth, 1);
	if (number == SYS_POLL)
		return from_ms(args[2]);
	if (number == SYS_PPOLL)
		return from_user(args[2], 1);
	return from_user(fifth, number == SYS_SELECT ? 1000 : 1);
}

SEC("tp_btf/sys_enter")
int BPF_PROG(on_any_enter, struct pt_regs *regs, long number)
{
	__u32 backend = backend_of(number);
	uint64_t args[3];

	if (!backend)
		return 0;
	regs_args(regs, args);
	if (backend == PS_BACKEND_IO_URING)
		return ring_waits(args[2], regs_fourth(regs)) ? enter(args[0], backend, -1) : 0;
	return enter(backend == PS_BACKEND_EPOLL ? (__s32)args[0] : -1, backend, timeout_of(number, regs, args));
}

SEC("tp_btf/sys_exit")
int BPF_PROG(on_any_exit, struct pt_regs *regs, long result)
{
	__u32 backend = backend_of(regs_syscall(regs));
	struct ps_probe_counts *count = bpf_map_lookup_elem(&counts, &zero_key);
	uint64_t args[3];

	/* what an interrupt in between adds is missed: few; ours are many when we begin, and soon over */
	if (count && current_ids() >> 32 != cfg_own)
		count->calls++;
	if (!backend)
		return 0;
	regs_args(regs, args);
	if (backend == PS_BACKEND_IO_URING)
		return ring_waits(args[2], regs_fourth(regs)) ? leave(args[0], backend, ring_ready(args[2], result)) : 0;
	return leave(backend == PS_BACKEND_EPOLL ? (__s32)args[0] : -1, backend, result);
}

/* ---- threads that come ---- */

/* It may be a loop: its waits would be missed in a rest. */
SEC("raw_tp/sched_process_fork")
int on_fork(void *ctx)
{
	__u32 tgid = current_ids() >> 32;

	if (may_be_watched(tgid) && bpf_map_lookup_elem(&processes, &tgid))
		raise_alarm();
	return 0;
}

/* ---- ends of loops that no call tells of ---- */

static __always_inline void send_end(__u32 tid)
{
	struct ps_record *record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);

	if (record) {
		*record = (struct ps_record){ bpf_ktime_get_ns(), tid, PS_RAW_END, sizeof(*record) };
		bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
	}
	count_record(record);
}

/* A wait from which a signal threw the thread out to its end has returned, and looked like a callback without end. */
SEC("raw_tp/sched_process_exit")
int on_exit(void *ctx)
{
	__u32 tid = current_ids();

	if (bpf_map_lookup_elem(&threads, &tid))
		send_end(tid);
	return 0;
}

/*
 * Another program in the same process: its other threads have ended, and the loop of the one that is left is that of
 * the old program. Nobody knows yet whether the new one keeps a flight recorder.
 */
SEC("raw_tp/sched_process_exec")
int on_exec(void *ctx)
{
	const __u32 no_flags = 0;
	__u32 tgid = current_ids() >> 32;

	if (!bpf_map_lookup_elem(&processes, &tgid))
		return 0;
	bpf_map_update_elem(&processes, &tgid, &no_flags, BPF_EXIST);
	bpf_map_delete_elem(&v8, &tgid);
	bpf_map_delete_elem(&python, &tgid);
	if (!bpf_map_delete_elem(&threads, &tgid))
		send_end(tgid);
	return 0;
}

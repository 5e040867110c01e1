/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * What the probe groups share: the maps (one set; the loader gives each group
 * the same ones), counting and sending.
 *
 * Each record is counted once: in `sent` when it went into the ring, in `lost`
 * when there was no room. Counters are per CPU and changed atomically, since an
 * interrupt may run a program in the middle of another.
 */
#ifndef WATCH_H
#define WATCH_H

#include "kernel.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "loop_filter.h"
#include "ps_probe.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, PS_PROBE_RING_BYTES);
} ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PS_PROCESSES_MAX);
	__type(key, __u32);    /* tgid */
	__type(value, __u32);
} processes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PS_WATCH_MAX);
	__type(key, __u32);    /* tid */
	__type(value, struct ps_watch);
} threads SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ps_probe_settings);
} settings SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ps_probe_counts);
} counts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PS_V8_PROCESSES);
	__type(key, __u32);    /* tgid */
	__type(value, struct ps_v8_walk);
} v8 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PS_PYTHON_PROCESSES);
	__type(key, __u32);    /* tgid */
	__type(value, struct ps_python_walk);
} python SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, PS_STACKS_MAX);
	__type(key, __u32);    /* tid */
	__type(value, struct ps_raw_stack);
} stacks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PS_WATCH_MAX);
	__type(key, __u32);    /* tid */
	__type(value, struct ps_turn_place);
} places SEC(".maps");

static __always_inline void count_hit(enum ps_probe_group group)
{
	struct ps_probe_counts *count = bpf_map_lookup_elem(&counts, &zero_key);

	if (count)
		__sync_fetch_and_add(&count->hits[group], 1);
}

static __always_inline void count_record(bool sent)
{
	struct ps_probe_counts *count = bpf_map_lookup_elem(&counts, &zero_key);

	if (count)
		__sync_fetch_and_add(sent ? &count->sent : &count->lost, 1);
}

static __always_inline void count_copy(void)
{
	struct ps_probe_counts *count = bpf_map_lookup_elem(&counts, &zero_key);

	if (count)
		__sync_fetch_and_add(&count->copies, 1);
}

static __always_inline void raise_alarm(void)
{
	struct ps_probe_counts *count = bpf_map_lookup_elem(&counts, &zero_key);

	if (count)
		__sync_fetch_and_add(&count->alarms, 1);
}

static __always_inline __u32 current_rest(void)
{
	const struct ps_probe_settings *set = bpf_map_lookup_elem(&settings, &zero_key);

	return set ? set->rest : 0;
}

/* NULL: no stack now, this CPU has spent enough on them. Who takes one tells what it spent by ps_pace_spend(). */
static __always_inline struct ps_pace *find_pace(enum ps_probe_group group, __u64 now)
{
	struct ps_probe_counts *count = bpf_map_lookup_elem(&counts, &zero_key);

	if (!count)
		return NULL;
	if (ps_pace_allows(&count->pace, now))
		return &count->pace;
	__sync_fetch_and_add(&count->pace.spared[group], 1);
	return NULL;
}

/* Ends what the thread did until now; `was` is what it did if that was not known. */
static __always_inline void account(struct ps_watch *watch, __u64 now, __u32 was)
{
	__u32 sched = watch->sched ? watch->sched : was;

	if (sched < PS_SCHED_COUNT && now > watch->mark_ns)
		watch->sum_ns[sched] += now - watch->mark_ns;
	watch->mark_ns = now;
}

/* ---- waits of a thread, which need not be the current one ---- */

static __always_inline void send_enter(struct ps_watch *watch, __u32 tid, __s64 timeout_ns, __u64 now)
{
	const struct ps_probe_settings *set = bpf_map_lookup_elem(&settings, &zero_key);
	struct ps_ev_poll_enter *event = bpf_ringbuf_reserve(&ring, sizeof(*event), 0);
	bool measured = set && set->with_sched && watch->busy_since_ns;

	if (!event) {
		count_record(false);
		return;
	}
	event->h = (struct ps_record){ now, tid, PS_EV_POLL_ENTER, sizeof(*event) };
	event->poller_fd = watch->poller_fd;
	event->backend = watch->backend;
	event->timeout_ns = timeout_ns;
	event->busy_since_ns = watch->busy_since_ns;
	event->on_cpu_ns = measured ? watch->sum_ns[PS_SCHED_RUNNING] : PS_UNKNOWN;
	event->runnable_ns = measured ? watch->sum_ns[PS_SCHED_RUNNABLE] : PS_UNKNOWN;
	event->blocked_ns = measured ? watch->sum_ns[PS_SCHED_BLOCKED] : PS_UNKNOWN;
	bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);
	count_record(true);
}

static __always_inline void send_return(struct ps_watch *watch, __u32 tid, __s64 result, __u32 flags, __u64 now)
{
	struct ps_ev_poll_return *event = bpf_ringbuf_reserve(&ring, sizeof(*event), 0);

	if (!event) {
		count_record(false);
		return;
	}
	event->h = (struct ps_record){ now, tid, PS_EV_POLL_RETURN, sizeof(*event) };
	event->poller_fd = watch->poller_fd;
	event->ready = result;
	event->entered_ns = watch->entered_ns;
	event->backend = watch->backend;
	event->flags = flags;
	bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);
	count_record(true);
}

/* The wait on the thread's own poller; `task` may be any. */
static __always_inline bool is_in_wait(const struct ps_watch *watch, struct task_struct *task)
{
	const struct pt_regs *regs = (const struct pt_regs *)bpf_task_pt_regs(task);
	long number = regs_syscall(regs);
	uint64_t args[3];

	if (number != SYS_EPOLL_WAIT && number != SYS_EPOLL_PWAIT && number != SYS_EPOLL_PWAIT2)
		return false;
	regs_args(regs, args);
	return (__s32)args[0] == watch->poller_fd && regs_in_call(regs);
}

static __always_inline void begin_wait(struct ps_watch *watch, __u32 tid, __s64 timeout_ns, __u64 now)
{
	account(watch, now, PS_SCHED_RUNNING);
	watch->sched = PS_SCHED_RUNNING;
	if (!(watch->flags & PS_WATCH_QUIET))
		send_enter(watch, tid, timeout_ns, now);
	watch->flags &= ~PS_WATCH_INSIDE;
	watch->busy_since_ns = 0;
	watch->entered_ns = now;
}

static __always_inline void end_wait(struct ps_watch *watch, __u32 tid, __s64 result, __u32 flags, __u64 now)
{
	if (!(watch->flags & PS_WATCH_QUIET))
		send_return(watch, tid, result, flags, now);
	watch->flags &= ~PS_WATCH_INSIDE;
	watch->busy_since_ns = watch->mark_ns = now;
	watch->sched = PS_SCHED_RUNNING;
	for (int i = 0; i < PS_SCHED_COUNT; i++)
		watch->sum_ns[i] = 0;
}

/* The end was not seen: the thread came back when it last began to run. */
static __always_inline void end_unseen(struct ps_watch *watch, __u32 tid)
{
	end_wait(watch, tid, -1, PS_POLL_RAN, watch->ran_ns > watch->entered_ns ? watch->ran_ns : watch->entered_ns);
}

/* It has been in its wait since it was found: on its way into it, or out of it and not yet on a CPU. */
static __always_inline void begin_unseen(struct ps_watch *watch, __u32 tid)
{
	begin_wait(watch, tid, -1, watch->busy_since_ns);
	watch->flags |= PS_WATCH_INSIDE;
}

/* Is it somewhere else than the wait that it was not seen to leave, or in one that it was not seen to begin? */
static __always_inline void look_inside(struct ps_watch *watch, struct task_struct *task, __u32 tid)
{
	if (watch->flags & PS_WATCH_UNSURE) {
		watch->flags &= ~PS_WATCH_UNSURE;
		if (watch->busy_since_ns && is_in_wait(watch, task))
			begin_unseen(watch, tid);
	}
	if (watch->flags & PS_WATCH_INSIDE && !is_in_wait(watch, task))
		end_unseen(watch, tid);
}

/* ---- turns of a loop that no probe saw ---- */

/* Since when the loop is in its present turn, as it tells itself: not before what is known, and not later than now. */
static __always_inline __u64 turned_at(const struct ps_watch *watch, const struct ps_turn_place *place, __u64 now)
{
	__u64 from = watch->turns_ns > watch->busy_since_ns ? watch->turns_ns : watch->busy_since_ns, at = 0;

	/* nor before it last began to run: by its whole milliseconds it might be */
	if (from <= watch->ran_ns)
		from = watch->ran_ns + 1;
	if (bpf_probe_read_user(&at, sizeof(at), (const void *)place->time))
		return now;
	at *= 1000000;
	return at > now ? now : at < from ? from : at;
}

/* Tells of turns that ended before the one that began at `began`. */
static __always_inline void tell_turns(struct ps_watch *watch, __u32 tid, __u64 turns, __u64 began, __u64 now)
{
	__u64 since;

	account(watch, now, PS_SCHED_RUNNING);
	since = now - began;
	if (since > watch->sum_ns[PS_SCHED_RUNNING])
		since = watch->sum_ns[PS_SCHED_RUNNING];
	watch->sum_ns[PS_SCHED_RUNNING] -= since;
	send_enter(watch, tid, -1 - (__s64)turns, began);
	watch->entered_ns = began;
	send_return(watch, tid, watch->unread, PS_POLL_RAN, began);
	watch->unread = 0;
	watch->busy_since_ns = began;
	for (int i = 0; i < PS_SCHED_COUNT; i++)
		watch->sum_ns[i] = 0;
	watch->sum_ns[PS_SCHED_RUNNING] = since;
}

/*
 * Of the current thread, which is busy: the loop's own counts, against those of the last look in this rest. The loop
 * counts a turn before it waits, so one that is in its wait is not over; one that is to sleep there is told by who asks.
 */
static __always_inline void count_turns(struct ps_watch *watch, __u32 tid, __u32 rest, bool waits, bool sleeps, __u64 now)
{
	const struct ps_turn_place *place = bpf_map_lookup_elem(&places, &tid);
	__u64 counts[2], turns, events;
	bool is_first = watch->rest != rest;

	if (!place || bpf_probe_read_user(counts, sizeof(counts), (const void *)place->counts))
		return;
	turns = counts[0] - watch->turns - (waits ? 1 : 0);
	events = counts[1] - watch->events;
	if (!is_first && turns && turns < PS_TURNS_MOST && events < PS_TURNS_MOST) {
		watch->unread += events;
		tell_turns(watch, tid, turns, turned_at(watch, place, now), now);
	} else if (!is_first && events < PS_TURNS_MOST) {
		watch->unread += events;
	} else {
		watch->unread = 0;
	}
	watch->rest = rest;
	watch->turns = counts[0] - (waits && !sleeps ? 1 : 0);
	watch->events = counts[1];
	watch->turns_ns = now;
}

#endif

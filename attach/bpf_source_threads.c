/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The loop threads under watch: those found at attach, and those that the poll
 * probe meets later.
 *
 * The BPF side keeps the state of a thread, this side whether it was announced
 * and the room for copies of its stack. A thread is put under watch only after the probes are
 * attached and only if they have not met it first (BPF_NOEXIST), so what is read
 * from /proc never overwrites what was measured.
 */
#include "bpf_source.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "proc.h"
#include "proc_stopped.h"

#define KEVENT_LOOKS 60

static size_t slot_of(uint32_t tid)
{
	return tid * 0x9e3779b1u >> 20 & (BPF_THREADS - 1);
}

struct bpf_thread *bpf_thread_find(struct bpf_source *source, uint32_t tid)
{
	for (size_t i = slot_of(tid); source->threads[i].tid; i = (i + 1) & (BPF_THREADS - 1))
		if (source->threads[i].tid == tid)
			return &source->threads[i];
	return NULL;
}

struct bpf_thread *bpf_thread_add(struct bpf_source *source, uint32_t tid)
{
	size_t i = slot_of(tid);

	if (source->thread_count >= BPF_THREADS / 2)
		return NULL;
	while (source->threads[i].tid)
		i = (i + 1) & (BPF_THREADS - 1);
	source->threads[i] = (struct bpf_thread){ .tid = tid };
	source->thread_count++;
	return &source->threads[i];
}

/* Closes the gap, so that what hashed past it is still found. */
void bpf_thread_remove(struct bpf_source *source, struct bpf_thread *thread)
{
	size_t hole = thread - source->threads, i;

	bpf_map_delete_elem(source->maps.stacks, &thread->tid);
	bpf_rest_forget(source, thread);
	source->thread_count--;
	source->threads[hole] = (struct bpf_thread){ 0 };
	for (i = (hole + 1) & (BPF_THREADS - 1); source->threads[i].tid; i = (i + 1) & (BPF_THREADS - 1)) {
		size_t home = slot_of(source->threads[i].tid);

		if (((i - home) & (BPF_THREADS - 1)) < ((i - hole) & (BPF_THREADS - 1)))
			continue;
		source->threads[hole] = source->threads[i];
		source->threads[i] = (struct bpf_thread){ 0 };
		hole = i;
	}
}

static void put_loop(struct bpf_source *source, const struct bpf_thread *thread, uint64_t ts, uint32_t flags)
{
	struct ps_ev_loop loop = {
		.h = { ts, thread->tid, PS_EV_LOOP, sizeof(loop) },
		.pid = thread->pid,
		.poller_fd = thread->poller_fd,
		.backend = thread->backend,
		.flags = flags,
	};

	source->put_failed += !!stream_put(source->context.stream, &loop.h);
}

/* Lets the filter of the scheduler probe pass this thread. */
static void open_filter(const struct bpf_source *source, uint32_t tid)
{
	uint64_t *word = &source->filter->words[tid / 64 % (PS_FILTER_BITS / 64)];

	__atomic_fetch_or(word, 1ull << (tid % 64), __ATOMIC_RELEASE);
}

static uint16_t off_state(pid_t pid, pid_t tid, int syscall)
{
	struct proc_stat stat;

	if (proc_is_stopped(pid, tid))
		return PS_OFF_STOPPED;
	if (proc_read_stat(pid, tid, &stat))
		return PS_OFF_SLEEPING;
	if (syscall < 0)
		return PS_OFF_FAULT;
	return stat.state == 'D' ? PS_OFF_DISK : PS_OFF_SLEEPING;
}

/* What the thread does now, as far as /proc tells; returns 0 when it does not. */
static int look_at(struct ps_watch *watch, const struct loop_found *found, int by_function)
{
	struct proc_syscall call;
	int poller_fd = -1;
	uint32_t fds, backend;

	watch->mark_ns = stream_now();
	if (proc_read_syscall(found->pid, found->tid, &call))
		return 0;
	backend = call.number >= 0 ? proc_poller(&call, &poller_fd, &fds) : 0;
	if (found->is_guess && backend == PS_BACKEND_EPOLL && backend == watch->backend)
		watch->poller_fd = poller_fd; /* now it is seen to wait */
	/* one that is stopped has left its wait, whatever /proc says */
	if (backend && backend == watch->backend && poller_fd == watch->poller_fd && !proc_is_stopped(found->pid, found->tid)) {
		watch->entered_ns = watch->mark_ns;
		watch->flags |= by_function && backend == PS_BACKEND_EPOLL ? PS_WATCH_INSIDE : 0;
		return 1;
	}
	watch->flags |= found->is_guess ? PS_WATCH_GUESS : 0;
	watch->busy_since_ns = watch->mark_ns;
	if (call.number == PROC_SYSCALL_RUNNING) {
		watch->flags |= PS_WATCH_UNSURE;
		return 1;
	}
	/* blocked: what it waits for is known, though nobody saw it begin */
	watch->off.off_ns = watch->mark_ns;
	watch->off.syscall = call.number >= 0 ? call.number : -1;
	memcpy(watch->off.args, call.args, sizeof(watch->off.args));
	watch->off.state = off_state(found->pid, found->tid, watch->off.syscall);
	return 1;
}

/* Tells the state in which the thread was found. */
static void put_seed(struct bpf_source *source, const struct bpf_thread *thread, const struct ps_watch *watch)
{
	struct ps_ev_poll_enter waits = {
		.h = { watch->mark_ns, thread->tid, PS_EV_POLL_ENTER, sizeof(waits) },
		.poller_fd = thread->poller_fd,
		.backend = thread->backend,
		.timeout_ns = -1,
		.on_cpu_ns = PS_UNKNOWN,
		.runnable_ns = PS_UNKNOWN,
		.blocked_ns = PS_UNKNOWN,
	};
	struct ps_ev_poll_return busy = {
		.h = { watch->mark_ns, thread->tid, PS_EV_POLL_RETURN, sizeof(busy) },
		.poller_fd = thread->poller_fd,
		.backend = thread->backend,
		.flags = PS_POLL_UNDERWAY,
	};

	if (watch->flags & PS_WATCH_QUIET)
		return;
	source->put_failed += !!stream_put(source->context.stream, watch->busy_since_ns ? &busy.h : &waits.h);
}

uint32_t bpf_thread_flags(const struct bpf_source *source, pid_t pid)
{
	if (source->context.options->without >> PS_PROBE_RING & 1)
		return 0;
	for (size_t i = 0; i < source->context.loop_count; i++)
		if (source->context.loops[i].pid == pid && source->context.loops[i].has_ring)
			return PS_WATCH_QUIET;
	return 0;
}

static void seed(struct bpf_source *source, const struct loop_found *found)
{
	struct ps_watch watch = {
		.poller_fd = found->poller_fd,
		.backend = found->waits_in,
		.tgid = found->pid,
		.flags = bpf_thread_flags(source, found->pid),
		.off = { .syscall = -1 },
	};
	uint32_t tid = found->tid;
	struct bpf_thread *thread = bpf_thread_find(source, tid);

	/* a thread has one loop: the first that was found */
	if (thread || !(thread = bpf_thread_add(source, tid)))
		return;
	thread->pid = found->pid;
	thread->poller_fd = found->poller_fd;
	thread->backend = found->backend;
	thread->looks = found->is_guess ? KEVENT_LOOKS : 0;
	thread->told = 1;
	thread->is_quiet = !!(watch.flags & PS_WATCH_QUIET);
	bpf_copy_room(source, tid);
	int seen = look_at(&watch, found, source->by_function);
	watch.off.tgid = found->pid;
	watch.off.h.tid = tid;
	open_filter(source, tid);
	if (bpf_map_update_elem(source->maps.threads, &tid, &watch, BPF_NOEXIST) || !seen)
		return;
	if (watch.poller_fd != thread->poller_fd) {
		thread->poller_fd = watch.poller_fd;
		put_loop(source, thread, watch.mark_ns, PS_LOOP_INSTEAD);
	}
	put_seed(source, thread, &watch);
}

void bpf_threads_seed(struct bpf_source *source, size_t from)
{
	for (size_t i = from; i < source->context.loop_count; i++) {
		const struct loop_found *found = &source->context.loops[i];

		source->put_failed += !!stream_loop(source->context.stream, source->context.options, found);
		if (found->tid && found->backend)
			seed(source, found);
	}
}

int bpf_threads_met(const struct bpf_source *source, pid_t pid)
{
	struct ps_watch watch;
	uint32_t key, next;

	for (uint32_t *at = NULL; !bpf_map_get_next_key(source->maps.threads, at, &next); at = &key) {
		key = next;
		if (!bpf_map_lookup_elem(source->maps.threads, &key, &watch) && watch.tgid == (uint32_t)pid)
			return 1;
	}
	return 0;
}

/* A loop that was met while it ran: when it is seen to wait, its stack tells whether kevent() waits for it. */
static void look_for_kevent(struct bpf_source *source, struct bpf_thread *thread, uint64_t ts)
{
	struct proc_syscall call;
	int poller_fd;
	uint32_t fds;

	thread->looks--;
	if (proc_read_syscall((pid_t)thread->pid, (pid_t)thread->tid, &call) || call.number < 0 ||
	    !proc_poller(&call, &poller_fd, &fds))
		return;
	thread->looks = 0;
	if (!proc_waits_in_kevent((pid_t)thread->pid, (pid_t)thread->tid))
		return;
	thread->backend = PS_BACKEND_KEVENT;
	put_loop(source, thread, ts, 0);
}

void bpf_thread_tell(struct bpf_source *source, uint32_t tid, int32_t poller_fd, uint64_t ts)
{
	struct bpf_thread *thread = bpf_thread_find(source, tid);
	struct ps_watch watch;
	uint32_t flags = 0;

	if (thread && thread->told && thread->poller_fd == poller_fd) {
		if (thread->looks)
			look_for_kevent(source, thread, ts);
		return;
	}
	if (bpf_map_lookup_elem(source->maps.threads, &tid, &watch))
		return;
	if (thread) {
		flags = PS_LOOP_INSTEAD;
	} else if (!(thread = bpf_thread_add(source, tid))) {
		return;
	} else {
		proc_put_thread(source->context.stream, watch.tgid, tid, PS_ROLE_LOOP, 0);
	}
	thread->pid = watch.tgid;
	thread->poller_fd = poller_fd;
	thread->backend = watch.backend;
	thread->looks = KEVENT_LOOKS;
	thread->told = 1;
	thread->has_place = 0;
	put_loop(source, thread, ts, flags);
	bpf_copy_room(source, tid);
}

void bpf_thread_end(struct bpf_source *source, uint32_t tid, uint64_t ts)
{
	struct bpf_thread *thread = bpf_thread_find(source, tid);

	/* one that was launched and has ended already is still to be met */
	if (!thread || source_process(&source->context, (pid_t)thread->pid) == source->context.process_count)
		return;
	bpf_map_delete_elem(source->maps.threads, &tid);
	put_loop(source, thread, ts, PS_LOOP_GONE);
	bpf_thread_remove(source, thread);
}

static int is_gone(const struct bpf_thread *thread)
{
	char path[64], link[32];

	snprintf(path, sizeof(path), "/proc/%u/task/%u", thread->pid, thread->tid);
	if (access(path, F_OK))
		return 1;
	if (thread->backend != PS_BACKEND_EPOLL)
		return 0;
	snprintf(path, sizeof(path), "/proc/%u/fd/%d", thread->pid, thread->poller_fd);
	ssize_t bytes = readlink(path, link, sizeof(link));
	if (bytes < 0)
		return errno == ENOENT;
	return bytes != 22 || memcmp(link, "anon_inode:[eventpoll]", 22);
}

/* A number is given to another process one day: whoever has it then is not watched. */
static void forget_processes(struct bpf_source *source)
{
	for (size_t i = 0; i < source->context.process_count; i++) {
		const struct proc_id *id = &source->context.processes[i];
		uint32_t pid = (uint32_t)id->pid;

		if (proc_same(id))
			continue;
		bpf_map_delete_elem(source->maps.processes, &pid);
		for (size_t k = 0; k < BPF_THREADS; k++)
			source->threads[k].is_gone |= source->threads[k].tid && source->threads[k].pid == pid;
	}
}

void bpf_threads_sweep(struct bpf_source *source)
{
	uint64_t now = stream_now();

	forget_processes(source);
	bpf_timers_open(source);
	for (size_t i = 0; i < BPF_THREADS; i++) {
		struct bpf_thread *thread = &source->threads[i];

		if (!thread->tid || (!thread->is_gone && !is_gone(thread)))
			continue;
		bpf_map_delete_elem(source->maps.threads, &thread->tid);
		put_loop(source, thread, now, PS_LOOP_GONE);
		bpf_thread_remove(source, thread);
		i--;
	}
}

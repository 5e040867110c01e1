/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The seam between the loop and who watches it: every point that is told is one
 * function here, and nothing else in loop/ knows of records or of USDT.
 *
 * Each point writes one record to the thread's ring and is a USDT probe of
 * provider "pollscope" (where sys/sdt.h exists). PS_NO_PROBES makes them all
 * empty. One clock read per point at most: points that follow another at once
 * take its time. A phase in which nothing is due is not told.
 */
#ifndef PROBE_H
#define PROBE_H

#include "loop.h"

#if !defined(PS_NO_PROBES) && __has_include(<sys/sdt.h>)
#define SDT_USE_VARIADIC
#include <sys/sdt.h>
#define USDT(...) STAP_PROBEV(pollscope, __VA_ARGS__)
#else
#define USDT(...) ((void)0)
#endif

extern const char *const probe_phase_names[PS_PHASE_COUNT];

/* EPOLL* bits of PS_READABLE …: the same order, one bit further up from the second on; EPOLLET */
static inline uint32_t probe_events(uint32_t events)
{
	return (events & 1) | (events & 14) << 1 | (events & PS_EDGE) << 27;
}

static inline void probe_iteration(struct ps_loop *loop, uint64_t ts)
{
	USDT(iteration, loop, loop->iterations);
	RECORD(loop->recorder, ITERATION, ps_ev_iteration, ts, .number = loop->iterations);
}

/* In a register: tracers do not follow an operand that is relative to the instruction pointer. */
static inline const char *probe_phase_name(enum ps_phase phase)
{
	const char *name = probe_phase_names[phase];
	__asm__("" : "+r"(name));
	return name;
}

static inline void probe_phase(struct ps_loop *loop, enum ps_phase phase, uint64_t ts)
{
	loop->phase = (uint8_t)phase;
	USDT(phase_begin, loop, probe_phase_name(phase));
	RECORD(loop->recorder, PHASE, ps_ev_phase, ts, .phase = phase);
}

static inline void probe_phase_now(struct ps_loop *loop, enum ps_phase phase)
{
	loop->phase = (uint8_t)phase;
	USDT(phase_begin, loop, probe_phase_name(phase));
	RECORD(loop->recorder, PHASE, ps_ev_phase, clock_now(&loop->clock), .phase = phase);
}

static inline void probe_poll_enter(struct ps_loop *loop, uint64_t ts, int64_t timeout_ns)
{
	USDT(poll_enter, loop, timeout_ns);
	RECORD(loop->recorder, POLL_ENTER, ps_ev_poll_enter, ts, .poller_fd = loop->recorder_options.poller_fd,
	       .backend = loop->backend->kind, .timeout_ns = timeout_ns, .busy_since_ns = loop->busy_since_ns,
	       .on_cpu_ns = PS_UNKNOWN, .runnable_ns = PS_UNKNOWN, .blocked_ns = PS_UNKNOWN);
}

static inline void probe_poll_return(struct ps_loop *loop, uint64_t ts, int ready, uint64_t entered_ns)
{
	USDT(poll_return, loop, ready);
	RECORD(loop->recorder, POLL_RETURN, ps_ev_poll_return, ts, .poller_fd = loop->recorder_options.poller_fd,
	       .ready = ready, .entered_ns = entered_ns, .backend = loop->backend->kind);
}

static inline void probe_callback(struct ps_loop *loop, void *fn, const struct handle *handle, int fd,
				  uint32_t generation, uint64_t ts)
{
	USDT(callback_begin, loop, fn, handle->kind, fd);
	RECORD(loop->recorder, CALLBACK_BEGIN, ps_ev_callback_begin, ts,
	       .fn = (uint64_t)(uintptr_t)fn, .handle = handle->number, .fd = fd, .kind = handle->kind,
	       .generation = generation);
}

static inline void probe_callback_now(struct ps_loop *loop, void *fn, const struct handle *handle, int fd,
				      uint32_t generation)
{
	USDT(callback_begin, loop, fn, handle->kind, fd);
	RECORD(loop->recorder, CALLBACK_BEGIN, ps_ev_callback_begin, clock_now(&loop->clock),
	       .fn = (uint64_t)(uintptr_t)fn, .handle = handle->number, .fd = fd, .kind = handle->kind,
	       .generation = generation);
}

/* of a callback that has no handle */
static inline void probe_task(struct ps_loop *loop, ps_fn *fn, enum ps_kind kind, uint64_t ts)
{
	USDT(callback_begin, loop, fn, kind, -1);
	RECORD(loop->recorder, CALLBACK_BEGIN, ps_ev_callback_begin, ts, .fn = (uint64_t)(uintptr_t)fn, .fd = -1,
	       .kind = kind);
}

static inline void probe_fd_ready(struct ps_loop *loop, int fd, uint32_t events, uint32_t generation)
{
	USDT(fd_ready, loop, fd, events);
	RECORD(loop->recorder, FD_READY, ps_ev_fd_ready, loop->now_ns, .poller_fd = loop->recorder_options.poller_fd,
	       .fd = fd, .events = probe_events(events), .generation = generation);
}

static inline void probe_fd_interest(struct ps_loop *loop, int fd, uint32_t events, uint32_t generation,
				     enum ps_interest_op op, enum ps_kind kind)
{
	USDT(fd_interest, loop, fd, events);
	RECORD(loop->recorder, FD_INTEREST, ps_ev_fd_interest, loop->clock.last_ns,
	       .poller_fd = loop->recorder_options.poller_fd, .fd = fd, .events = probe_events(events),
	       .generation = generation, .op = (uint16_t)op, .kind = (uint16_t)kind);
}

static inline void probe_fd_life(struct ps_loop *loop, int fd, uint32_t generation, enum ps_life op,
				 const struct handle *handle)
{
	USDT(fd_life, loop, fd, op);
	RECORD(loop->recorder, FD_LIFE, ps_ev_fd_life, loop->clock.last_ns, .fd = fd, .generation = generation,
	       .op = (uint16_t)op, .kind = handle->kind, .handle = handle->number);
}

static inline void probe_fd_io(struct ps_loop *loop, int fd, uint32_t generation, size_t read_bytes,
			       size_t written_bytes)
{
	USDT(fd_io, loop, fd, read_bytes, written_bytes);
	RECORD(loop->recorder, FD_IO, ps_ev_fd_io, loop->clock.last_ns, .fd = fd, .generation = generation,
	       .read_bytes = (uint32_t)read_bytes, .written_bytes = (uint32_t)written_bytes);
}

static inline void probe_backpressure(struct ps_loop *loop, int fd, int on, uint64_t buffered, uint64_t high_water)
{
	USDT(backpressure, loop, fd, on, buffered);
	RECORD(loop->recorder, BACKPRESSURE, ps_ev_backpressure, clock_now(&loop->clock), .fd = fd,
	       .on = (uint32_t)on, .buffered_bytes = buffered, .high_water_bytes = high_water);
}

static inline void probe_shed(struct ps_loop *loop, int fd, int error)
{
	USDT(shed, loop, fd, error);
	RECORD(loop->recorder, SHED, ps_ev_shed, clock_now(&loop->clock), .total = loop->shed, .fd = fd,
	       .error = (uint32_t)error);
}

#define PROBE_TIMER_POINT(point, EVENT, now)                                                              \
	static inline void probe_timer_##point(struct ps_loop *loop, const struct handle *handle, void *fn, \
					       uint64_t due_ns, uint64_t repeat_ns)                       \
	{                                                                                                 \
		USDT(timer_##point, loop, fn, due_ns, repeat_ns);                                         \
		RECORD(loop->recorder, EVENT, ps_ev_timer, now, .due_ns = due_ns, .repeat_ns = repeat_ns, \
		       .fn = (uint64_t)(uintptr_t)fn, .handle = handle->number);                          \
	}
PROBE_TIMER_POINT(set, TIMER_SET, loop->clock.last_ns)
PROBE_TIMER_POINT(stopped, TIMER_STOPPED, loop->clock.last_ns)
PROBE_TIMER_POINT(fired, TIMER_FIRED, clock_now(&loop->clock))
#undef PROBE_TIMER_POINT

static inline void probe_ticks(struct ps_loop *loop, uint64_t since_ns, uint32_t count)
{
	USDT(ticks, loop, count);
	RECORD(loop->recorder, TICKS, ps_ev_drain, clock_now(&loop->clock), .since_ns = since_ns, .count = count,
	       .left = tasks_count(&loop->ticks));
}

static inline void probe_immediates(struct ps_loop *loop, uint64_t since_ns, uint32_t count)
{
	USDT(immediates, loop, count);
	RECORD(loop->recorder, IMMEDIATES, ps_ev_drain, clock_now(&loop->clock), .since_ns = since_ns, .count = count,
	       .left = tasks_count(&loop->immediates));
}

/* ---- from the ring of a thread that serves one connection ---- */

static inline void probe_blocked(struct recorder *recorder, uint64_t ts, int fd, enum ps_blocked_op op)
{
	USDT(blocked, fd, op);
	RECORD(recorder, BLOCKED, ps_ev_blocked, ts, .fd = fd, .op = op);
}

static inline void probe_unblocked(struct recorder *recorder, uint64_t ts, uint64_t since_ns, int fd,
				   enum ps_blocked_op op, int64_t result)
{
	USDT(unblocked, fd, op, result);
	RECORD(recorder, UNBLOCKED, ps_ev_unblocked, ts, .since_ns = since_ns, .result = result, .fd = fd, .op = op);
}

static inline void probe_connection(struct recorder *recorder, uint64_t ts, int fd, uint32_t number, enum ps_life op)
{
	USDT(connection, fd, op);
	RECORD(recorder, FD_LIFE, ps_ev_fd_life, ts, .fd = fd, .generation = number, .op = (uint16_t)op,
	       .kind = PS_KIND_TCP, .handle = number);
}

static inline void probe_handler_begin(struct recorder *recorder, uint64_t ts, void *fn, uint32_t number, int fd)
{
	USDT(handler_begin, fn, fd);
	RECORD(recorder, CALLBACK_BEGIN, ps_ev_callback_begin, ts, .fn = (uint64_t)(uintptr_t)fn, .handle = number,
	       .fd = fd, .kind = PS_KIND_TCP, .generation = number);
}

static inline void probe_handler_end(struct recorder *recorder, uint64_t ts, uint32_t number)
{
	USDT(handler_end, number);
	RECORD(recorder, CALLBACK_END, ps_ev_callback_end, ts, .handle = number);
}

/* What a job of the pool is, told from the loop's and from the workers' rings alike. */
struct probe_work {
	uint64_t number;
	uint64_t fn;
	uint32_t pid;
	uint16_t kind;
	uint16_t op;
};

#define PROBE_WORK_POINT(point, EVENT)                                                                     \
	static inline void probe_work_##point(struct recorder *recorder, const struct probe_work *work,      \
					      uint64_t ts, uint64_t since_ns)                              \
	{                                                                                                  \
		USDT(work_##point, work->number, work->kind, work->fn);                                    \
		RECORD(recorder, EVENT, ps_ev_work, ts, .work = work->number, .since_ns = since_ns,        \
		       .fn = work->fn, .pid = work->pid, .kind = work->kind, .op = work->op);              \
	}
PROBE_WORK_POINT(submitted, WORK_SUBMITTED)
PROBE_WORK_POINT(started, WORK_STARTED)
PROBE_WORK_POINT(finished, WORK_FINISHED)
PROBE_WORK_POINT(delivered, WORK_DELIVERED)
PROBE_WORK_POINT(cancelled, WORK_CANCELLED)
#undef PROBE_WORK_POINT

#endif

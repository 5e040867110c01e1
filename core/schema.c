/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The field table: one row per field of every payload, one line per event.
 *
 * Rows stand in the order of the struct and, with the 16-byte header, tile it:
 * no gap, no overlap (tests/unit/test_schema.c). Everything that must know the
 * inside of a record (recording, exports, checker) reads these rows, so adding
 * an event or a field means adding a row here and nothing elsewhere.
 */
#include "schema.h"

/* T: a time that usually repeats that of another event, N: a length of time that is guessed; see struct field. */
#define ROW(type, member, unit_, link_)                                                                                \
	{ #member, offsetof(struct ps_ev_##type, member), sizeof(((struct ps_ev_##type *)0)->member),                  \
	  (__typeof__(((struct ps_ev_##type *)0)->member))-1 < 1, UNIT_##unit_, link_ }
#define F(type, member, unit) ROW(type, member, unit, 0)
#define T(type, member, link) ROW(type, member, TIME, PS_EV_##link)
#define N(type, member, guess) ROW(type, member, NS, GUESS_##guess)

#define PAYLOAD(type, bytes, ...)                                                                                      \
	_Static_assert(sizeof(struct ps_ev_##type) == (bytes), "size of ps_ev_" #type);                                \
	_Static_assert((bytes) % 8 == 0, "a record is a multiple of 8 bytes");                                         \
	static const struct field ps_ev_##type##_fields[] = { __VA_ARGS__ }

_Static_assert(sizeof(struct ps_record) == 16, "size of the record header");
_Static_assert(PS_WORK_KIND_COUNT == 5, "POOL_GAUGES has a row per kind");

PAYLOAD(string, 24, F(string, id, ID_STRING), F(string, len, BYTES));
PAYLOAD(frame, 48, F(frame, id, ID_FRAME), F(frame, name, ID_STRING), F(frame, file, ID_STRING),
	F(frame, module, ID_STRING), F(frame, line, NUMBER), F(frame, column, NUMBER), F(frame, kind, ENUM),
	F(frame, offset, NUMBER));
PAYLOAD(stack, 24, F(stack, id, ID_STACK), F(stack, count, NUMBER));
PAYLOAD(symbol, 32, F(symbol, pid, PID), F(symbol, frame, ID_FRAME), F(symbol, address, ADDRESS));

PAYLOAD(clock, 32, F(clock, realtime_ns, NS), F(clock, boottime_ns, NS));
PAYLOAD(lost, 32, F(lost, count, NUMBER), F(lost, source, ENUM), F(lost, zero, PADDING));
PAYLOAD(probe, 48, F(probe, group, ENUM), F(probe, state, ENUM), F(probe, reason, ID_STRING), F(probe, hits, NUMBER),
	F(probe, cost_ns, NS), F(probe, budget_ns, NS));
PAYLOAD(own_cost, 32, F(own_cost, cpu_ns, NS), F(own_cost, rss_bytes, BYTES));

PAYLOAD(process, 64, F(process, pid, PID), F(process, ppid, PID), F(process, start_ns, NS), F(process, comm, ID_STRING),
	F(process, cmdline, ID_STRING), F(process, exe, ID_STRING), F(process, runtime, ID_STRING),
	F(process, version, ID_STRING), F(process, flags, FLAGS), F(process, build_id, ID_STRING), F(process, zero, PADDING));
PAYLOAD(process_exit, 24, F(process_exit, pid, PID), F(process_exit, status, NUMBER));
PAYLOAD(process_left, 24, F(process_left, pid, PID), F(process_left, zero, PADDING));
PAYLOAD(thread, 32, F(thread, pid, PID), F(thread, name, ID_STRING), F(thread, role, ENUM),
	F(thread, generation, NUMBER), F(thread, zero, PADDING));
PAYLOAD(thread_exit, 24, F(thread_exit, pid, PID), F(thread_exit, zero, PADDING));
PAYLOAD(loop, 32, F(loop, pid, PID), F(loop, poller_fd, FD), F(loop, backend, ENUM), F(loop, generation, NUMBER),
	F(loop, flags, FLAGS));

PAYLOAD(poll_enter, 64, F(poll_enter, poller_fd, FD), F(poll_enter, backend, ENUM), N(poll_enter, timeout_ns, MILLIS),
	T(poll_enter, busy_since_ns, POLL_RETURN), N(poll_enter, on_cpu_ns, REST), N(poll_enter, runnable_ns, REST),
	N(poll_enter, blocked_ns, REST));
PAYLOAD(poll_return, 40, F(poll_return, poller_fd, FD), F(poll_return, ready, NUMBER),
	T(poll_return, entered_ns, POLL_ENTER), F(poll_return, backend, ENUM), F(poll_return, flags, FLAGS));
PAYLOAD(iteration, 24, F(iteration, number, NUMBER));
PAYLOAD(phase, 24, F(phase, phase, ENUM), F(phase, zero, PADDING));
PAYLOAD(callback_begin, 40, F(callback_begin, fn, ADDRESS), F(callback_begin, handle, NUMBER),
	F(callback_begin, fd, FD), F(callback_begin, kind, ENUM), F(callback_begin, generation, NUMBER));
PAYLOAD(callback_end, 24, F(callback_end, handle, NUMBER), F(callback_end, zero, PADDING));
PAYLOAD(fd_ready, 40, F(fd_ready, poller_fd, FD), F(fd_ready, fd, FD), F(fd_ready, events, FLAGS),
	F(fd_ready, generation, NUMBER), F(fd_ready, ready_ns, TIME));
PAYLOAD(fd_interest, 40, F(fd_interest, poller_fd, FD), F(fd_interest, fd, FD), F(fd_interest, events, FLAGS),
	F(fd_interest, generation, NUMBER), F(fd_interest, op, ENUM), F(fd_interest, kind, ENUM),
	F(fd_interest, name, ID_STRING));
PAYLOAD(fd_life, 40, F(fd_life, fd, FD), F(fd_life, generation, NUMBER), F(fd_life, op, ENUM), F(fd_life, kind, ENUM),
	F(fd_life, name, ID_STRING), F(fd_life, handle, NUMBER), F(fd_life, zero, PADDING));
PAYLOAD(fd_io, 32, F(fd_io, fd, FD), F(fd_io, generation, NUMBER), F(fd_io, read_bytes, BYTES),
	F(fd_io, written_bytes, BYTES));
PAYLOAD(backpressure, 40, F(backpressure, fd, FD), F(backpressure, on, FLAGS), F(backpressure, buffered_bytes, BYTES),
	F(backpressure, high_water_bytes, BYTES));
PAYLOAD(timer, 48, F(timer, due_ns, TIME), N(timer, repeat_ns, MILLIS), F(timer, fn, ADDRESS), F(timer, handle, NUMBER),
	F(timer, zero, PADDING));
PAYLOAD(drain, 32, F(drain, since_ns, TIME), F(drain, count, NUMBER), F(drain, left, NUMBER));
PAYLOAD(loop_gauges, 56, F(loop_gauges, next_due_ns, TIME), F(loop_gauges, buffered_bytes, BYTES),
	F(loop_gauges, timers, NUMBER), F(loop_gauges, handles, NUMBER), F(loop_gauges, ticks, NUMBER),
	F(loop_gauges, immediates, NUMBER), F(loop_gauges, fds, NUMBER), F(loop_gauges, overdue, NUMBER));

PAYLOAD(poller, 80, F(poller, poller_fd, FD), F(poller, pid, PID), F(poller, items, NUMBER), F(poller, depth, NUMBER),
	F(poller, ready, NUMBER), F(poller, waiters, NUMBER), F(poller, unread_bytes, BYTES), F(poller, cost_ns, NS),
	F(poller, flags, FLAGS), F(poller, zero, PADDING));
PAYLOAD(fd_state, 64, F(fd_state, poller_fd, FD), F(fd_state, fd, FD), F(fd_state, generation, NUMBER),
	F(fd_state, events, FLAGS), F(fd_state, kind, ENUM), F(fd_state, flags, FLAGS), F(fd_state, name, ID_STRING),
	F(fd_state, unread_bytes, BYTES), F(fd_state, backlog, NUMBER), F(fd_state, backlog_max, NUMBER));
PAYLOAD(fd_turn, 48, F(fd_turn, poller_fd, FD), F(fd_turn, fd, FD), F(fd_turn, generation, NUMBER),
	F(fd_turn, events, FLAGS), F(fd_turn, ready_ns, STAMP), F(fd_turn, returned_ns, STAMP));
PAYLOAD(fd_counts, 64, F(fd_counts, poller_fd, FD), F(fd_counts, fd, FD), F(fd_counts, generation, NUMBER),
	F(fd_counts, ready, NUMBER), F(fd_counts, dispatched, NUMBER), F(fd_counts, empty_wakeups, NUMBER),
	F(fd_counts, eagain, NUMBER), F(fd_counts, flags, FLAGS), F(fd_counts, read_bytes, BYTES),
	F(fd_counts, written_bytes, BYTES));

PAYLOAD(work, 56, F(work, work, NUMBER), T(work, since_ns, WORK_STARTED), F(work, fn, ADDRESS), F(work, pid, PID),
	F(work, name, ID_STRING), F(work, kind, ENUM), F(work, op, ENUM), F(work, zero, PADDING));
PAYLOAD(pool_gauges, 80, F(pool_gauges, oldest_ns, TIME), F(pool_gauges, pid, PID),
	F(pool_gauges, threads, NUMBER), F(pool_gauges, busy, NUMBER), F(pool_gauges, queued, NUMBER),
	F(pool_gauges, queued_by_kind[0], NUMBER), F(pool_gauges, queued_by_kind[1], NUMBER),
	F(pool_gauges, queued_by_kind[2], NUMBER), F(pool_gauges, queued_by_kind[3], NUMBER),
	F(pool_gauges, queued_by_kind[4], NUMBER), F(pool_gauges, busy_by_kind[0], NUMBER),
	F(pool_gauges, busy_by_kind[1], NUMBER), F(pool_gauges, busy_by_kind[2], NUMBER),
	F(pool_gauges, busy_by_kind[3], NUMBER), F(pool_gauges, busy_by_kind[4], NUMBER));

PAYLOAD(loop_snapshot, 112, F(loop_snapshot, pid, PID), F(loop_snapshot, poller_fd, FD),
	F(loop_snapshot, address, ADDRESS), F(loop_snapshot, time_ns, TIME), F(loop_snapshot, next_due_ns, TIME),
	F(loop_snapshot, iterations, NUMBER), F(loop_snapshot, took_ns, NS), F(loop_snapshot, active_handles, NUMBER),
	F(loop_snapshot, active_reqs, NUMBER), F(loop_snapshot, timers, NUMBER), F(loop_snapshot, timer_depth, NUMBER),
	F(loop_snapshot, timer_rows, NUMBER), F(loop_snapshot, handles, NUMBER), F(loop_snapshot, pending, NUMBER),
	F(loop_snapshot, closing, NUMBER), F(loop_snapshot, watchers, NUMBER), F(loop_snapshot, overdue, NUMBER),
	F(loop_snapshot, arity, NUMBER), F(loop_snapshot, note, ID_STRING));
PAYLOAD(timer_node, 48, F(timer_node, due_ns, TIME), N(timer_node, repeat_ns, MILLIS), F(timer_node, fn, ADDRESS),
	F(timer_node, index, NUMBER), F(timer_node, poller_fd, FD));
PAYLOAD(timer_group, 40, F(timer_group, fn, ADDRESS), N(timer_group, repeat_ns, MILLIS), F(timer_group, armed, NUMBER),
	F(timer_group, poller_fd, FD));
PAYLOAD(handle_kind, 40, F(handle_kind, poller_fd, FD), F(handle_kind, kind, ENUM), F(handle_kind, count, NUMBER),
	F(handle_kind, active, NUMBER), F(handle_kind, ref, NUMBER), F(handle_kind, closing, NUMBER));
PAYLOAD(pool_limits, 40, F(pool_limits, pid, PID), F(pool_limits, slow_cap, NUMBER), F(pool_limits, slow_busy, NUMBER),
	F(pool_limits, slow_queued, NUMBER), F(pool_limits, cpus, NUMBER), F(pool_limits, flags, FLAGS));
PAYLOAD(work_cost, 72, F(work_cost, work, NUMBER), F(work_cost, submitted_ns, TIME), F(work_cost, started_ns, TIME),
	F(work_cost, cpu_ns, NS), F(work_cost, runnable_ns, NS), F(work_cost, pid, PID), F(work_cost, class_name, ID_STRING),
	F(work_cost, kind, ENUM), F(work_cost, flags, FLAGS), F(work_cost, zero, PADDING));

PAYLOAD(offcpu, 80, F(offcpu, off_ns, TIME), F(offcpu, wake_ns, TIME), F(offcpu, args[0], NUMBER),
	F(offcpu, args[1], NUMBER), F(offcpu, args[2], NUMBER), F(offcpu, syscall, NUMBER), F(offcpu, state, ENUM),
	F(offcpu, cpu, NUMBER), F(offcpu, stack, ID_STACK), F(offcpu, path, ID_STRING), F(offcpu, other, ID_STRING),
	F(offcpu, zero, PADDING));
PAYLOAD(sample, 64, F(sample, period_ns, NS), F(sample, args[0], NUMBER), F(sample, args[1], NUMBER),
	F(sample, args[2], NUMBER), F(sample, syscall, NUMBER), F(sample, stack, ID_STACK), F(sample, path, ID_STRING),
	F(sample, kind, ENUM), F(sample, state, ENUM));
PAYLOAD(cpu_time, 40, F(cpu_time, on_cpu_ns, NS), F(cpu_time, runnable_ns, NS), F(cpu_time, slices, NUMBER));
PAYLOAD(gc, 32, F(gc, since_ns, TIME), F(gc, kind, ENUM), F(gc, zero, PADDING));
PAYLOAD(blocked, 24, F(blocked, fd, FD), F(blocked, op, ENUM));
PAYLOAD(unblocked, 40, T(unblocked, since_ns, BLOCKED), F(unblocked, result, NUMBER), F(unblocked, fd, FD),
	F(unblocked, op, ENUM));
PAYLOAD(throttled, 48, F(throttled, throttled_ns, NS), F(throttled, periods, NUMBER),
	F(throttled, throttled_periods, NUMBER), F(throttled, pid, PID), F(throttled, zero, PADDING));
PAYLOAD(timers_due, 160, F(timers_due, poller_fd, FD), F(timers_due, index, NUMBER), F(timers_due, count, NUMBER),
	F(timers_due, total, NUMBER),
	F(timers_due, due_ns[0], TIME), F(timers_due, due_ns[1], TIME), F(timers_due, due_ns[2], TIME),
	F(timers_due, due_ns[3], TIME), F(timers_due, due_ns[4], TIME), F(timers_due, due_ns[5], TIME),
	F(timers_due, due_ns[6], TIME), F(timers_due, due_ns[7], TIME), F(timers_due, due_ns[8], TIME),
	F(timers_due, due_ns[9], TIME), F(timers_due, due_ns[10], TIME), F(timers_due, due_ns[11], TIME),
	F(timers_due, due_ns[12], TIME), F(timers_due, due_ns[13], TIME), F(timers_due, due_ns[14], TIME),
	F(timers_due, due_ns[15], TIME));
PAYLOAD(shed, 32, F(shed, total, NUMBER), F(shed, fd, FD), F(shed, error, NUMBER));

/* where the tail's length stands: the second u32 of STRING and STACK */
#define TAIL_OF(event) ((event) == PS_EV_STRING ? 1 : (event) == PS_EV_STACK ? 4 : 0)

static const struct event_schema events[PS_EVENT_MAX] = {
#define PS_X(value, NAME, type, text)                                                                                  \
	[value] = { text, sizeof(struct type), TAIL_OF(value), type##_fields,                                          \
		    sizeof(type##_fields) / sizeof(type##_fields[0]) },
	PS_EVENTS(PS_X)
#undef PS_X
};

const struct event_schema *schema_event(unsigned event)
{
	return event < PS_EVENT_MAX && events[event].name ? &events[event] : NULL;
}

uint64_t schema_tail_bytes(const struct ps_record *record)
{
	switch (record->event) {
	case PS_EV_STRING:
		return ((const struct ps_ev_string *)record)->len;
	case PS_EV_STACK:
		return 4ull * ((const struct ps_ev_stack *)record)->count;
	}
	return 0;
}

int schema_check(const struct ps_record *record, size_t bytes)
{
	if (bytes < sizeof(*record) || record->size > bytes || record->size % 8)
		return 0;
	const struct event_schema *schema = schema_event(record->event);
	if (!schema || record->size < schema->size)
		return 0;
	return !schema->tail || schema_tail_bytes(record) <= (uint64_t)(record->size - schema->size);
}

uint64_t schema_value(const struct ps_record *record, const struct field *field)
{
	const char *at = (const char *)record + field->offset;
	uint64_t value = 0;
	__builtin_memcpy(&value, at, field->size < 8 ? field->size : 8);
	if (!field->is_signed || field->size >= 8)
		return value;
	unsigned shift = 64 - 8 * field->size;
	return (uint64_t)((int64_t)(value << shift) >> shift);
}

/* A vocabulary: values are dense, so its text is an array; a foreign value is "?". */
#define NAMES(function, list)                                                                                          \
	const char *function(unsigned value)                                                                           \
	{                                                                                                              \
		static const char *const names[] = { list(PS_X) };                                                     \
		return value < sizeof(names) / sizeof(names[0]) && names[value] ? names[value] : "?";                  \
	}
#define PS_X(value, NAME, text) [value] = text,
NAMES(phase_name, PS_PHASES)
NAMES(backend_name, PS_BACKENDS)
NAMES(work_kind_name, PS_WORK_KINDS)
NAMES(kind_name, PS_KINDS)
NAMES(frame_kind_name, PS_FRAME_KINDS)
NAMES(lost_source_name, PS_LOST_SOURCES)
NAMES(probe_group_name, PS_PROBE_GROUPS)
NAMES(probe_state_name, PS_PROBE_STATES)
#undef PS_X

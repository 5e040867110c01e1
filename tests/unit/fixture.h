/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Scenes for the dashboard's tests: models made from events, the same every
 * time. A scene ends at 61 s after its loop appeared, at 18:06:31 UTC.
 */
#ifndef FIXTURE_H
#define FIXTURE_H

#include <string.h>
#include <time.h>

#include "events.h"
#include "tui.h"

#define SCENE_BEGIN 1000.0
#define SCENE_END 62000.0
#define SCENE_WALL 1764007591ull  /* 2025-11-24 18:06:31 UTC at SCENE_END */
#define FN_HASH 0x1000u
#define FN_POLL 0x2000u
#define FN_IDLE 0x3000u

enum { S_NODE = 1, S_CMDLINE, S_VERSION, S_LOG, S_FFMPEG, S_DB, S_LISTEN, S_PEER, S_MAIN, S_JOB };
enum { F_PBKDF2 = 1, F_HASH, F_HANDLER, F_PARSE, F_SYNC, F_FSYNC, F_UNRESOLVED, F_POLLJS, F_IDLE };
enum { K_HASH = 1, K_PARSE, K_FSYNC, K_UNRESOLVED };

static inline void scene_names(struct model *model)
{
	string(model, S_NODE, "node");
	string(model, S_CMDLINE, "node server.js");
	string(model, S_VERSION, "20.9.0");
	string(model, S_LOG, "/var/log/app.log");
	string(model, S_FFMPEG, "ffmpeg");
	string(model, S_DB, "10.0.1.5:5432");
	string(model, S_LISTEN, "*:8080");
	string(model, S_PEER, "10.0.3.9:55012");
	string(model, S_MAIN, "main");
	string(model, S_JOB, "db.internal");
	frame_at(model, F_PBKDF2, "PBKDF2", "/usr/bin/node", "", 0, PS_FRAME_NATIVE);
	frame_at(model, F_HASH, "hashPw", "", "/srv/app/auth.js", 41, PS_FRAME_JS);
	frame_at(model, F_HANDLER, "onRequest", "", "/srv/app/server.js", 12, PS_FRAME_JS);
	frame_at(model, F_PARSE, "JSON.parse", "", "", 0, PS_FRAME_BUILTIN);
	frame_at(model, F_SYNC, "sync", "", "/srv/app/jobs.js", 118, PS_FRAME_JS);
	frame_at(model, F_FSYNC, "fsync", "/lib/x86_64-linux-gnu/libc.so.6", "", 0, PS_FRAME_NATIVE);
	frame_at(model, F_UNRESOLVED, "", "/lib/x86_64-linux-gnu/libz.so", "", 0, PS_FRAME_NATIVE);
	frame_at(model, F_POLLJS, "poll", "", "/srv/app/poll.js", 12, PS_FRAME_JS);
	frame_at(model, F_IDLE, "socketIdle", "", "/srv/app/net.js", 7, PS_FRAME_JS);
	stack(model, K_HASH, F_PBKDF2, F_HASH, F_HANDLER);
	stack(model, K_PARSE, F_PARSE, F_SYNC);
	stack(model, K_FSYNC, F_FSYNC, F_SYNC);
	stack(model, K_UNRESOLVED, F_UNRESOLVED);
	APPLY(model, SYMBOL, ps_ev_symbol, 0, 0, .pid = PID, .frame = F_HASH, .address = FN_HASH);
	APPLY(model, SYMBOL, ps_ev_symbol, 0, 0, .pid = PID, .frame = F_POLLJS, .address = FN_POLL);
	APPLY(model, SYMBOL, ps_ev_symbol, 0, 0, .pid = PID, .frame = F_IDLE, .address = FN_IDLE);
}

static inline void scene_clock(struct model *model, double ms)
{
	int64_t since = (int64_t)((ms - SCENE_END) * 1e6);
	APPLY(model, CLOCK, ps_ev_clock, ms, 0, .realtime_ns = SCENE_WALL * 1000000000ull + (uint64_t)since);
}

static inline void scene_process(struct model *model)
{
	APPLY(model, PROCESS, ps_ev_process, SCENE_BEGIN, 0, .pid = PID, .start_ns = 1, .comm = S_NODE,
	      .cmdline = S_CMDLINE, .runtime = S_NODE, .version = S_VERSION);
	APPLY(model, THREAD, ps_ev_thread, SCENE_BEGIN, TID, .pid = PID, .role = PS_ROLE_LOOP, .name = S_MAIN);
}

static inline void phase_is(struct model *model, double ms, enum ps_phase phase)
{
	APPLY(model, PHASE, ps_ev_phase, ms, TID, .phase = phase);
}

/* what the busy slice from `from` to `to` does besides: the evidence of a stall */
typedef void slice_fn(struct model *model, double from, double to);

static inline void cpu_hash(struct model *model, double from, double to)
{
	APPLY(model, CALLBACK_BEGIN, ps_ev_callback_begin, from + 1, TID, .fn = FN_HASH, .handle = 3, .fd = 31,
	      .kind = PS_KIND_TCP, .generation = 1);
	for (double at = from + 25; at < to; at += 5)
		cpu_sample(model, (uint64_t)at, TID, K_HASH);
}

static inline void cpu_parse(struct model *model, double from, double to)
{
	for (double at = from + 25; at < to; at += 5)
		cpu_sample(model, (uint64_t)at, TID, (uint64_t)at % 10 ? K_PARSE : K_UNRESOLVED);
}

static inline void blocked_fsync(struct model *model, double from, double to)
{
	APPLY(model, OFFCPU, ps_ev_offcpu, to - 1, TID, .off_ns = (uint64_t)((from + 2) * 1e6),
	      .wake_ns = (uint64_t)((to - 1.1) * 1e6), .args = { 41 }, .syscall = 74, .state = PS_OFF_DISK, .cpu = 2,
	      .stack = K_FSYNC, .path = S_LOG);
}

static inline void not_running(struct model *model, double from, double to)
{
	APPLY(model, OFFCPU, ps_ev_offcpu, to - 1, TID, .off_ns = (uint64_t)((from + 2) * 1e6),
	      .wake_ns = (uint64_t)((from + 2) * 1e6), .syscall = -1, .state = PS_OFF_RUNNABLE, .cpu = 2, .other = S_FFMPEG);
}

static inline void nothing(struct model *model, double from, double to)
{
}

struct scene_stall { double at, ms; enum ps_phase phase; slice_fn *evidence; double on_cpu, runnable; };

static const struct scene_stall scene_stalls[] = {
	{ 10000, 51, PS_PHASE_CHECK, nothing, 0.95, 0.05 },
	{ 15000, 88, PS_PHASE_POLL, not_running, 0.03, 0.97 },
	{ 31000, 96, PS_PHASE_POLL, blocked_fsync, 0.03, 0.01 },
	{ 43000, 131, PS_PHASE_TIMERS, cpu_parse, 0.97, 0.01 },
	{ 58000, 412, PS_PHASE_POLL, cpu_hash, 0.99, 0.01 },
};

/* One turn of the loop that begins busy at `ms`; returns when it waits again. */
static inline double scene_turn(struct model *model, double ms, const struct scene_stall *stall, int phases, int sums)
{
	double work = stall ? stall->ms : 2 + (int)(ms / 100) % 5;
	double end = ms + work;

	returns(model, ms, TID, FD, ms - 5, 3);
	if (phases)
		phase_is(model, ms, stall ? stall->phase : PS_PHASE_POLL);
	if (stall)
		stall->evidence(model, ms, end);
	if (phases) {
		phase_is(model, end - 0.6, PS_PHASE_CHECK);
		phase_is(model, end - 0.4, PS_PHASE_CLOSING);
		APPLY(model, ITERATION, ps_ev_iteration, end - 0.4, TID, .number = (uint64_t)ms);
		phase_is(model, end - 0.3, PS_PHASE_TIMERS);
		phase_is(model, end - 0.1, PS_PHASE_POLL);
	}
	double cpu = stall ? stall->on_cpu : 0.9, runnable = stall ? stall->runnable : 0.1;
	APPLY(model, POLL_ENTER, ps_ev_poll_enter, end, TID, .poller_fd = FD, .backend = PS_BACKEND_EPOLL, .timeout_ns = -1,
	      .busy_since_ns = (uint64_t)(ms * 1e6), .on_cpu_ns = sums ? (uint64_t)(cpu * work * 1e6) : PS_UNKNOWN,
	      .runnable_ns = sums ? (uint64_t)(runnable * work * 1e6) : PS_UNKNOWN,
	      .blocked_ns = sums ? (uint64_t)((1 - cpu - runnable) * work * 1e6) : PS_UNKNOWN);
	return end;
}

static inline void scene_fds(struct model *model)
{
	static const struct { int fd; enum ps_kind kind; uint32_t name; } fds[] = {
		{ 19, PS_KIND_LISTEN, S_LISTEN }, { 23, PS_KIND_TCP, S_DB }, { 31, PS_KIND_TCP, S_PEER },
		{ 14, PS_KIND_WAKE, 0 },
	};
	for (size_t i = 0; i < sizeof(fds) / sizeof(*fds); i++)
		APPLY(model, FD_INTEREST, ps_ev_fd_interest, SCENE_BEGIN, TID, .poller_fd = FD, .fd = fds[i].fd, .events = 1,
		      .generation = 1, .op = PS_INTEREST_ADD, .kind = fds[i].kind, .name = fds[i].name);
}

static inline void scene_fd_event(struct model *model, double ms, int fd, double waited, double took)
{
	APPLY(model, FD_READY, ps_ev_fd_ready, ms, TID, .poller_fd = FD, .fd = fd, .events = 1, .generation = 1,
	      .ready_ns = (uint64_t)((ms - waited) * 1e6));
	APPLY(model, CALLBACK_BEGIN, ps_ev_callback_begin, ms + 0.01, TID, .fn = FN_POLL, .handle = (uint32_t)fd, .fd = fd,
	      .kind = PS_KIND_TCP, .generation = 1);
	APPLY(model, FD_IO, ps_ev_fd_io, ms + 0.02, TID, .fd = fd, .generation = 1, .read_bytes = 5000,
	      .written_bytes = 400);
	APPLY(model, CALLBACK_END, ps_ev_callback_end, ms + 0.01 + took, TID, .handle = (uint32_t)fd);
}

static inline void scene_pool(struct model *model, double ms)
{
	for (uint32_t worker = 0; worker < 4; worker++) {
		double from = ms - (worker < 2 ? 4000 : 150);
		APPLY(model, THREAD, ps_ev_thread, SCENE_BEGIN, 201 + worker, .pid = PID, .role = PS_ROLE_WORKER);
		APPLY(model, WORK_SUBMITTED, ps_ev_work, from - 210, TID, .work = 1 + worker, .pid = PID,
		      .kind = worker < 2 ? PS_WORK_DNS : PS_WORK_FS, .name = worker < 2 ? S_JOB : S_LOG);
		APPLY(model, WORK_STARTED, ps_ev_work, from, 201 + worker, .work = 1 + worker, .pid = PID,
		      .since_ns = (uint64_t)((from - 210) * 1e6), .kind = worker < 2 ? PS_WORK_DNS : PS_WORK_FS,
		      .name = worker < 2 ? S_JOB : S_LOG);
	}
	APPLY(model, POOL_GAUGES, ps_ev_pool_gauges, ms, 0, .oldest_ns = (uint64_t)((ms - 1900) * 1e6), .pid = PID,
	      .threads = 4, .busy = 4, .queued = 37, .queued_by_kind = { 30, 7 }, .busy_by_kind = { 2, 2 });
}

static inline void scene_timers(struct model *model)
{
	for (uint32_t i = 0; i < 21; i++)
		APPLY(model, TIMER_SET, ps_ev_timer, SCENE_END - 300, TID, .due_ns = (uint64_t)((SCENE_END + 3.1 + i) * 1e6),
		      .repeat_ns = i < 18 ? 5000000 : 0, .fn = i < 18 ? FN_POLL : FN_IDLE, .handle = 100 + i);
	for (uint32_t i = 0; i < 6; i++)
		APPLY(model, TIMER_FIRED, ps_ev_timer, SCENE_END - 200 + i, TID, .due_ns = (uint64_t)((SCENE_END - 201) * 1e6),
		      .repeat_ns = 5000000, .fn = FN_POLL, .handle = 100 + i);
	APPLY(model, LOOP_GAUGES, ps_ev_loop_gauges, SCENE_END - 1, TID, .next_due_ns = (uint64_t)((SCENE_END + 3.1) * 1e6),
	      .timers = 1318, .handles = 431, .fds = 4, .overdue = 4);
}

/* the loop turns every 100 ms from SCENE_BEGIN on, with the stalls of the table in their place */
static inline void scene_turns(struct model *model, double until, int ring, int sums)
{
	size_t next = 0, count = sizeof(scene_stalls) / sizeof(*scene_stalls);
	enter(model, SCENE_BEGIN, TID, FD, 0, -1);
	for (double ms = SCENE_BEGIN + 100; ms < until;) {
		const struct scene_stall *stall = next < count && ms >= scene_stalls[next].at ? &scene_stalls[next++] : NULL;
		double end = scene_turn(model, ms, stall, ring, sums);
		if (ring)
			scene_fd_event(model, ms + 0.3, 23, stall ? 88 : 0.4, 0.9);
		if (ring && (int)(ms / 100) % 3 == 0)
			scene_fd_event(model, ms + 1.3, 19, 1, 0.3);
		scene_clock(model, end);
		ms = end > ms + 95 ? end + 50 : ms + 100;
	}
}

/* everything is measured */
static inline struct model *scene_full(void)
{
	struct model *model = a_model();
	scene_names(model);
	scene_process(model);
	loop_is(model, SCENE_BEGIN, TID, FD, PS_LOOP_PHASES | PS_LOOP_CALLBACKS | PS_LOOP_RING);
	for (unsigned group = 0; group < PS_PROBE_GROUP_COUNT; group++)
		probe_is(model, group, PS_PROBE_STATE_ON, "");
	scene_fds(model);
	APPLY(model, OWN_COST, ps_ev_own_cost, SCENE_BEGIN, 0, .cpu_ns = 0, .rss_bytes = 12 << 20);
	scene_turns(model, SCENE_END - 400, 1, 1);
	scene_pool(model, SCENE_END - 100);
	scene_timers(model);
	scene_clock(model, SCENE_END);
	return model;
}

/* a second later: what rates are made from */
static inline void scene_later(struct model *model)
{
	for (int i = 0; i < 8; i++) {
		double ms = SCENE_END + 50 + i * 100;
		returns(model, ms, TID, FD, ms - 5, 2);
		scene_fd_event(model, ms + 0.3, 23, 0.4, 2);
		enter(model, ms + 4, TID, FD, ms, -1);
	}
	APPLY(model, WORK_SUBMITTED, ps_ev_work, SCENE_END + 900, TID, .work = 70, .pid = PID, .kind = PS_WORK_CRYPTO);
	APPLY(model, OWN_COST, ps_ev_own_cost, SCENE_END + 990, 0, .cpu_ns = 6000000, .rss_bytes = 12 << 20);
	scene_clock(model, SCENE_END + 1000);
}

/* only polls are seen: no scheduler, no phases, no samples; events were lost */
static inline struct model *scene_bare(void)
{
	struct model *model = a_model();
	scene_names(model);
	scene_process(model);
	loop_is(model, SCENE_BEGIN, TID, FD, 0);
	probe_is(model, PS_PROBE_POLL, PS_PROBE_STATE_ON, "");
	probe_is(model, PS_PROBE_SCHED, PS_PROBE_STATE_MISSING, "no CAP_PERFMON: run as root");
	probe_is(model, PS_PROBE_SAMPLING, PS_PROBE_STATE_MISSING, "perf_event_paranoid is 4");
	probe_is(model, PS_PROBE_RUNTIME, PS_PROBE_STATE_MISSING, "uv__run_timers: no such symbol");
	probe_is(model, PS_PROBE_READY, PS_PROBE_STATE_OFF, "");
	scene_turns(model, SCENE_END - 400, 0, 0);
	APPLY(model, LOST, ps_ev_lost, SCENE_END - 300, 0, .count = 1204, .source = PS_LOST_BPF);
	scene_clock(model, SCENE_END);
	return model;
}

/* a process was named, nothing else came yet */
static inline struct model *scene_new(void)
{
	struct model *model = a_model();
	scene_names(model);
	scene_process(model);
	scene_clock(model, SCENE_BEGIN + 200);
	return model;
}

/* all names are what a hostile target would choose */
static inline struct model *scene_hostile(void)
{
	static const char evil[] = "\x1b]0;own\x07\x1b[2J\xe2\x80\xae" "evil\xff\xc0\x80 \xe4\xb8\xad\xe6\x96\x87 \xcc\x81\xcc\x81%s%n";
	struct model *model = scene_full();
	for (uint32_t id = S_NODE; id <= S_JOB; id++)
		string_bytes(model, 500 + id, evil, sizeof(evil) - 1);
	APPLY(model, PROCESS, ps_ev_process, SCENE_END, 0, .pid = PID, .start_ns = 2, .comm = 501, .cmdline = 502,
	      .runtime = 503, .version = 504);
	frame_at(model, 90, evil, evil, evil, 4294967295u, PS_FRAME_JS);
	stack(model, 90, 90, 90, 90);
	APPLY(model, SYMBOL, ps_ev_symbol, SCENE_END, 0, .pid = PID, .frame = 90, .address = 0x9000);
	returns(model, SCENE_END, TID, FD, SCENE_END - 5, 1);
	APPLY(model, FD_INTEREST, ps_ev_fd_interest, SCENE_END, TID, .poller_fd = FD, .fd = 77, .events = 1, .generation = 1,
	      .op = PS_INTEREST_ADD, .kind = 999, .name = 505);
	APPLY(model, CALLBACK_BEGIN, ps_ev_callback_begin, SCENE_END + 1, TID, .fn = 0x9000, .handle = 3, .fd = 77,
	      .kind = 4000000000u, .generation = 1);
	for (int i = 1; i < 60; i++)
		cpu_sample(model, (uint64_t)SCENE_END + 5u * (unsigned)i, TID, 90);
	APPLY(model, WORK_STARTED, ps_ev_work, SCENE_END, 201, .work = 99, .pid = PID, .kind = 77, .name = 506);
	scene_clock(model, SCENE_END + 300);
	return model;
}

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Event streams by hand. APPLY() gives a model one record; the functions below
 * say the common ones in a word. Times are milliseconds here, ns in records.
 */
#ifndef EVENTS_H
#define EVENTS_H

#include <string.h>

#include "model.h"
#include "test.h"

#define MS 1000000ull
#define PID 100u
#define TID 101u
#define FD 5

#define APPLY(model_, event_, type_, ms_, tid_, ...)                                                  \
	do {                                                                                          \
		struct type_ e_ = { .h = { (uint64_t)((ms_) * MS), (tid_), PS_EV_##event_, sizeof(struct type_) }, \
				    __VA_ARGS__ };                                                    \
		assert_int_equal(model_apply((model_), &e_.h, sizeof(e_)), 0);                        \
	} while (0)

static inline struct model *a_model(void)
{
	struct model *model;
	assert_int_equal(model_open(&model, NULL), 0);
	return model;
}

static inline void string_bytes(struct model *model, uint32_t id, const char *text, size_t bytes)
{
	_Alignas(8) char buffer[4096 + 64] = { 0 };
	struct ps_ev_string *string = (void *)buffer;
	size_t size = (sizeof(*string) + bytes + 7) & ~(size_t)7;
	*string = (struct ps_ev_string){ .h = { 0, 0, PS_EV_STRING, (uint16_t)size }, .id = id, .len = (uint32_t)bytes };
	memcpy(buffer + sizeof(*string), text, bytes);
	assert_int_equal(model_apply(model, &string->h, size), 0);
}

static inline void string(struct model *model, uint32_t id, const char *text)
{
	string_bytes(model, id, text, strlen(text));
}

/* the frame's strings get ids 10000 + 3 * id … */
static inline void frame_at(struct model *model, uint32_t id, const char *name, const char *module, const char *file, uint32_t line,
			    enum ps_frame_kind kind)
{
	uint32_t base = 10000 + 3 * id;
	string(model, base, name);
	string(model, base + 1, module);
	string(model, base + 2, file);
	APPLY(model, FRAME, ps_ev_frame, 0, 0, .id = id, .name = base, .module = base + 1, .file = base + 2, .line = line,
	      .kind = kind, .offset = 0x4a10);
}

static inline void frame(struct model *model, uint32_t id, const char *name)
{
	frame_at(model, id, name, "/usr/bin/app", "", 0, PS_FRAME_NATIVE);
}

static inline void stack_of(struct model *model, uint32_t id, const uint32_t *frames, uint32_t count)
{
	_Alignas(8) char buffer[4096] = { 0 };
	struct ps_ev_stack *stack = (void *)buffer;
	size_t size = (sizeof(*stack) + count * 4 + 7) & ~(size_t)7;
	*stack = (struct ps_ev_stack){ .h = { 0, 0, PS_EV_STACK, (uint16_t)size }, .id = id, .count = count };
	memcpy(buffer + sizeof(*stack), frames, count * 4);
	assert_int_equal(model_apply(model, &stack->h, size), 0);
}

/* stack(model, id, leaf, …, root) */
#define stack(model_, id_, ...)                                                                    \
	stack_of((model_), (id_), (const uint32_t[]){ __VA_ARGS__ }, sizeof((const uint32_t[]){ __VA_ARGS__ }) / 4)

static inline void process(struct model *model, uint64_t ms)
{
	string(model, 9001, "node");
	string(model, 9002, "node server.js");
	APPLY(model, PROCESS, ps_ev_process, ms, 0, .pid = PID, .start_ns = 1, .comm = 9001, .cmdline = 9002, .runtime = 9001);
}

static inline void loop_is(struct model *model, uint64_t ms, uint32_t tid, int fd, uint32_t flags)
{
	APPLY(model, LOOP, ps_ev_loop, ms, tid, .pid = PID, .poller_fd = fd, .backend = PS_BACKEND_EPOLL, .flags = flags);
}

/* the wait begins; since: when the one before returned, 0 = not told */
static inline void enter(struct model *model, double ms, uint32_t tid, int fd, double since, int64_t timeout_ns)
{
	APPLY(model, POLL_ENTER, ps_ev_poll_enter, ms, tid, .poller_fd = fd, .backend = PS_BACKEND_EPOLL,
	      .timeout_ns = timeout_ns, .busy_since_ns = (uint64_t)(since * MS), .on_cpu_ns = PS_UNKNOWN,
	      .runnable_ns = PS_UNKNOWN, .blocked_ns = PS_UNKNOWN);
}

static inline void enter_sums(struct model *model, uint64_t ms, uint64_t on_cpu, uint64_t runnable, uint64_t blocked)
{
	APPLY(model, POLL_ENTER, ps_ev_poll_enter, ms, TID, .poller_fd = FD, .backend = PS_BACKEND_EPOLL, .timeout_ns = -1,
	      .on_cpu_ns = on_cpu * MS, .runnable_ns = runnable * MS, .blocked_ns = blocked * MS);
}

static inline void returns(struct model *model, double ms, uint32_t tid, int fd, double entered, int ready)
{
	APPLY(model, POLL_RETURN, ps_ev_poll_return, ms, tid, .poller_fd = fd, .ready = ready, .backend = PS_BACKEND_EPOLL,
	      .entered_ns = (uint64_t)(entered * MS));
}

static inline void now(struct model *model, double ms)
{
	APPLY(model, CLOCK, ps_ev_clock, ms, 0, .realtime_ns = 0);
}

static inline void cpu_sample(struct model *model, uint64_t ms, uint32_t tid, uint32_t stack_id)
{
	APPLY(model, SAMPLE, ps_ev_sample, ms, tid, .period_ns = 5 * MS, .syscall = -1, .stack = stack_id, .kind = PS_SAMPLE_CPU);
}

static inline void probe_is(struct model *model, enum ps_probe_group group, enum ps_probe_state state, const char *reason)
{
	string(model, 9100 + group, reason);
	APPLY(model, PROBE, ps_ev_probe, 1, 0, .group = group, .state = state, .reason = 9100 + group, .hits = PS_UNKNOWN,
	      .cost_ns = PS_UNKNOWN);
}

/* one process with one declared loop that has just begun to wait at 1000 ms */
static inline const struct loop *a_loop(struct model *model, uint32_t flags)
{
	process(model, 1000);
	APPLY(model, THREAD, ps_ev_thread, 1000, TID, .pid = PID, .role = PS_ROLE_LOOP);
	loop_is(model, 1000, TID, FD, flags);
	enter(model, 1000, TID, FD, 0, -1);
	return model_loop(model, TID, FD);
}

static inline const struct stall *last_stall(const struct model *model)
{
	assert_true(model->stall_count > 0);
	return model->stalls[model->stall_count - 1];
}

#endif

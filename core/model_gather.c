/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Evidence: everything told about a loop's thread while a busy slice goes on is
 * kept from the slice's begin, because nobody knows yet whether it becomes a
 * stall. Most slices end with nothing gathered, so beginning one is cheap.
 *
 * What is older than the slice, or comes while the loop waits, is not its
 * evidence and is dropped.
 */
#include "model_own.h"

#include <string.h>

#include "schema.h"

void gather_begin(struct loop_own *loop)
{
	if (loop->gather.dirty)
		memset(&loop->gather, 0, sizeof(loop->gather));
	loop->cpu_before = loop->thread ? loop->thread->cpu : (struct cpu_time){ 0 };
	if (loop->pub.process != &process_unknown)
		loop->throttled_before = ((const struct process_own *)loop->pub.process)->throttled;
}

/* The loop of this thread whose busy slice holds the time `ts`; NULL = none. */
static struct loop_own *slice_at(struct model_own *model, uint32_t tid, uint64_t ts)
{
	struct thread_own *thread = thread_find(model, tid);
	struct loop_own *loop = thread ? thread->current : NULL;
	if (loop && loop->pub.state != LOOP_BUSY)
		for (loop = thread->loops; loop && loop->pub.state != LOOP_BUSY;)
			loop = loop->next_of_thread;
	if (!loop || ts < loop->slice_ns)
		return NULL;
	loop->gather.dirty = 1;
	return loop;
}

/* Index of the row of this call, made when there is room; -1 = no call or no room. */
static int call_row(struct gather *gather, int32_t syscall, const char *path)
{
	if (syscall < 0)
		return -1;
	for (uint32_t i = 0; i < gather->call_count; i++)
		if (gather->calls[i].syscall == syscall && !strcmp(gather->calls[i].path, path))
			return (int)i;
	if (gather->call_count >= MAX_CALLS)
		return -1;
	gather->calls[gather->call_count] = (struct blocked_call){ .syscall = syscall, .path = path };
	return (int)gather->call_count++;
}

static uint64_t shape(const struct stack *stack)
{
	return ((const struct stack_own *)stack)->shape;
}

/* Of the user's function only the line where it begins is known: the row is better told by another stack. */
static int is_vague(const struct stack *stack)
{
	const struct stack *user = stack_user(stack);
	return user->count && !user->frame->column;
}

static void add_stack(struct gather *gather, const struct stack *stack, unsigned kind, uint64_t ns)
{
	if (!stack)
		return;
	uint32_t *votes = kind == PS_SAMPLE_CPU ? gather->cpu_votes : gather->off_votes;
	votes[stack_rule(stack)]++;
	for (uint32_t i = 0; i < gather->stack_count; i++) {
		struct stall_stack *row = &gather->stacks[i];
		if (row->kind == kind && shape(row->stack) == shape(stack)) {
			row->count++;
			row->ns += ns;
			if (is_vague(row->stack) && !is_vague(stack))
				row->stack = stack;
			return;
		}
	}
	if (gather->stack_count < MODEL_STALL_STACKS) {
		gather->stacks[gather->stack_count++] = (struct stall_stack){ 1, (uint16_t)kind, stack, ns };
		return;
	}
	/* full: a stack seen once makes room, so that what is frequent stays and what becomes frequent gets in */
	for (uint32_t i = 0; i < MODEL_STALL_STACKS; i++)
		if (gather->stacks[i].count == 1) {
			gather->stacks[i] = (struct stall_stack){ 1, (uint16_t)kind, stack, ns };
			return;
		}
}

const struct blocked_call *gather_longest_call(const struct gather *gather)
{
	const struct blocked_call *longest = NULL;
	for (uint32_t i = 0; i < gather->call_count; i++) {
		const struct blocked_call *call = &gather->calls[i];
		uint64_t ns = most(call->ns, call->proc_ns), best = longest ? most(longest->ns, longest->proc_ns) : 0;
		if (!longest || ns > best || (ns == best && call->seen > longest->seen))
			longest = call;
	}
	return longest;
}

/* ---- off the CPU ---- */

/* Its own wait is over when a slice goes on: who sleeps "in" it is held back on the way out, by a stop or a freezer. */
static int is_own_wait(const struct loop_own *loop, int32_t number, const uint64_t *args)
{
	return loop->pub.backend == PS_BACKEND_EPOLL && syscall_is(number, "epoll_wait epoll_pwait epoll_pwait2") &&
	       args[0] == (uint64_t)(uint32_t)loop->pub.poller_fd;
}

void on_offcpu(struct model_own *model, const void *record)
{
	const struct ps_ev_offcpu *told = record;
	struct loop_own *loop = slice_at(model, told->h.tid, told->h.ts);
	if (!loop)
		return;
	struct gather *gather = &loop->gather;
	unsigned state = told->state <= PS_OFF_LOCK ? told->state : PS_OFF_SLEEPING;
	if (state != PS_OFF_RUNNABLE && state != PS_OFF_FAULT && is_own_wait(loop, told->syscall, told->args))
		state = PS_OFF_STOPPED;
	uint64_t off = most(told->off_ns, loop->slice_ns), on = told->h.ts;
	/* runnable from the wake on; one preempted was never asleep */
	uint64_t wake = state == PS_OFF_RUNNABLE ? off : told->wake_ns ? least(most(told->wake_ns, off), on) : on;
	uint64_t blocked = minus(wake, off), ready = minus(on, wake);
	const char *path = names_string(model->names, told->path);
	gather->off_intervals++;
	gather->off_ns[PS_OFF_RUNNABLE] += ready;
	if (state != PS_OFF_RUNNABLE)
		gather->off_ns[state] += blocked;
	if (ready > gather->other_ns) {
		gather->other_ns = ready;
		gather->other = names_string(model->names, told->other);
		gather->other_cpu = told->cpu;
	}
	if (state == PS_OFF_RUNNABLE || state == PS_OFF_STOPPED || state == PS_OFF_FAULT) {
		add_stack(gather, names_stack(model->names, told->stack), PS_SAMPLE_OFF, minus(on, off));
		return;
	}
	int row = call_row(gather, told->syscall, path);
	if (state == PS_OFF_LOCK || syscall_is(told->syscall, "futex"))
		gather->lock_ns += blocked;
	else if (told->syscall >= 0)
		gather->call_ns += blocked;
	if (row >= 0) {
		struct blocked_call *call = &gather->calls[row];
		call->seen++;
		call->ns += blocked;
		if (blocked >= call->longest_ns) {
			call->longest_ns = blocked;
			memcpy(call->args, told->args, sizeof(call->args));
		}
	}
	add_stack(gather, names_stack(model->names, told->stack), PS_SAMPLE_OFF, minus(on, off));
}

/* ---- samples ---- */

/* A sighting in /proc; returns 0 when it shows the loop in its own wait, which is no evidence. */
static int proc_sample(struct model_own *model, struct loop_own *loop, const struct ps_ev_sample *told)
{
	struct gather *gather = &loop->gather;
	int is_stopped = told->state == 'T' || told->state == 't';
	if (!is_stopped && is_own_wait(loop, told->syscall, told->args))
		return 0;
	int row = -1;
	if (is_stopped) {
		gather->proc_stopped++;
	} else if (told->state == 'S' || told->state == 'D') {
		gather->proc_asleep++;
		row = call_row(gather, told->syscall, names_string(model->names, told->path));
	} else {
		gather->proc_running++;
	}
	if (row >= 0) {
		struct blocked_call *call = &gather->calls[row];
		call->seen++;
		if (row + 1 == gather->proc_last_call)
			call->proc_ns += minus(told->h.ts, gather->proc_last_ns);
		if (!call->ns)
			memcpy(call->args, told->args, sizeof(call->args));
	}
	gather->proc_last_call = row + 1;
	gather->proc_last_ns = told->h.ts;
	return 1;
}

void on_sample(struct model_own *model, const void *record)
{
	const struct ps_ev_sample *told = record;
	struct loop_own *loop = slice_at(model, told->h.tid, told->h.ts);
	if (!loop)
		return;
	struct gather *gather = &loop->gather;
	unsigned kind = told->kind <= PS_SAMPLE_PROC ? told->kind : PS_SAMPLE_CPU;
	if (kind == PS_SAMPLE_PROC && !proc_sample(model, loop, told))
		return;
	gather->samples++;
	if (kind == PS_SAMPLE_CPU) {
		gather->cpu_first_ns = gather->cpu_samples ? gather->cpu_first_ns : told->h.ts;
		gather->cpu_last_ns = told->h.ts;
		gather->cpu_samples++;
		gather->cpu_sampled_ns += told->period_ns;
	}
	if (kind == PS_SAMPLE_OFF || kind == PS_SAMPLE_NESTED) {
		gather->off_samples++;
		int row = call_row(gather, told->syscall, names_string(model->names, told->path));
		if (row >= 0 && !gather->calls[row].seen++)
			memcpy(gather->calls[row].args, told->args, sizeof(told->args));
	}
	gather->nested += kind == PS_SAMPLE_NESTED;
	if (kind == PS_SAMPLE_CPU)
		profile_add(model, loop, names_stack(model->names, told->stack), told->period_ns);
	add_stack(gather, names_stack(model->names, told->stack), kind, 0);
	stall_watch(model, loop, told->h.ts);
}

/* ---- waits on another poller ---- */

void gather_nested_enter(struct loop_own *loop, uint64_t ts)
{
	loop->gather.dirty = 1;
	loop->gather.nested++;
	loop->gather.nested_since_ns = ts;
}

void gather_nested_return(struct loop_own *loop, uint64_t entered_ns, uint64_t ts)
{
	struct gather *gather = &loop->gather;
	uint64_t since = entered_ns && entered_ns <= ts ? entered_ns : gather->nested_since_ns;
	gather->dirty = 1;
	gather->nested += !gather->nested;
	if (since)
		gather->nested_ns += minus(ts, most(since, loop->slice_ns));
	gather->nested_since_ns = 0;
}

/* ---- the rest ---- */

void on_cpu_time(struct model_own *model, const void *record)
{
	const struct ps_ev_cpu_time *told = record;
	struct thread_own *thread = thread_add(model, told->h.tid, 0);
	if (!thread)
		return;
	thread->cpu = (struct cpu_time){ told->h.ts, told->on_cpu_ns, told->runnable_ns };
	struct loop_own *loop = slice_at(model, told->h.tid, told->h.ts);
	if (!loop)
		return;
	if (!loop->gather.cpu_first.ts)
		loop->gather.cpu_first = thread->cpu;
	loop->gather.cpu_last = thread->cpu;
}

void on_gc(struct model_own *model, const void *record)
{
	const struct ps_ev_gc *told = record;
	struct loop_own *loop = loop_of(model, &told->h);
	if (!loop)
		return;
	loop->pub.gc_count++;
	loop->pub.gc_ns += minus(told->h.ts, told->since_ns);
	loop = slice_at(model, told->h.tid, told->h.ts);
	if (!loop)
		return;
	loop->gather.gc_ns += minus(told->h.ts, most(told->since_ns, loop->slice_ns));
	loop->gather.gc_kind = told->kind;
}

/* ---- the CPU quota ---- */

/* How much of the slice's runnable time a quota explains; PS_UNKNOWN when nobody read it. */
uint64_t throttled_in_slice(const struct model_own *model, const struct loop_own *loop, const struct stall *stall)
{
	const struct process_own *process = table_pointer(&model->processes, loop->pub.pid);
	if (!process || !process->throttled.ts || stall->runnable_ns == PS_UNKNOWN)
		return PS_UNKNOWN;
	const struct throttled *before = loop->throttled_before.ts ? &loop->throttled_before : &process->throttled;
	return least(minus(process->throttled.ns, before->ns), stall->runnable_ns);
}

/* A figure that comes after the stall has ended tells of it too. */
static void throttle_stall(struct model_own *model, struct loop_own *loop, const struct throttled *before, uint64_t ns)
{
	struct stall *stall = loop->last_stall_id && !loop->stall ? stall_find(model, loop->last_stall_id) : NULL;
	if (!stall || stall->runnable_ns == PS_UNKNOWN || loop->last_stall_end_ns < before->ts)
		return;
	uint64_t told = stall->throttled_ns == PS_UNKNOWN ? 0 : stall->throttled_ns;
	stall->throttled_ns = least(told + ns, stall->runnable_ns);
	if (stall->cause != CAUSE_RUN_QUEUE || stall->throttled_ns * 2 < stall->runnable_ns)
		return;
	stall->cause = CAUSE_THROTTLED;
	stall_blame(model, loop, stall);
}

void on_throttled(struct model_own *model, const void *record)
{
	const struct ps_ev_throttled *told = record;
	struct process_own *process = process_add(model, told->pid);
	if (!process)
		return;
	struct throttled before = process->throttled;
	process->throttled = (struct throttled){ told->h.ts, told->throttled_ns };
	for (size_t i = 0; i < model->pub.loop_count && before.ts && told->throttled_ns > before.ns; i++)
		if (model->pub.loops[i]->pid == told->pid)
			throttle_stall(model, loop_own(model->pub.loops[i]), &before, told->throttled_ns - before.ns);
}

/* ---- who waited ---- */

void on_timers_due(struct model_own *model, const void *record)
{
	const struct ps_ev_timers_due *told = record;
	struct loop_own *loop = loop_find(model, told->h.tid, told->poller_fd);
	if (!loop || loop->pub.state != LOOP_BUSY || told->h.ts < loop->slice_ns)
		return;
	if (!told->index)
		loop->due_count = 0;
	loop->due_read_ns = told->h.ts;
	for (uint32_t i = 0; i < told->count && i < PS_TIMERS_DUE && loop->due_count < MAX_DUE; i++)
		if (!array_room(model, &loop->due_ns, &loop->due_room, loop->due_count, sizeof(*loop->due_ns)))
			loop->due_ns[loop->due_count++] = told->due_ns[i];
}

/* The row of a callback; of more than there is room for, those that took least make room. NULL = it took less itself. */
static struct callback_sum *callback_sum(struct gather *gather, const struct callback_now *callback, uint64_t ns)
{
	struct callback_sum *least_row = gather->callbacks;
	for (uint32_t i = 0; i < gather->callback_count; i++) {
		struct callback_sum *row = &gather->callbacks[i];
		if (row->fn == callback->fn && row->kind == callback->kind)
			return row;
		least_row = row->ns < least_row->ns ? row : least_row;
	}
	if (gather->callback_count < MAX_BUSY_CALLBACKS)
		least_row = &gather->callbacks[gather->callback_count++];
	else if (least_row->ns >= ns)
		return NULL;
	*least_row = (struct callback_sum){ .fn = callback->fn, .kind = callback->kind, .fd = -1 };
	return least_row;
}

static void callback_add(struct callback_sum *row, const struct callback_now *callback, uint64_t ns)
{
	row->calls++;
	row->ns += ns;
	if (ns < row->longest_ns)
		return;
	row->longest_ns = ns;
	row->fd = callback->fd;
}

void gather_callback(struct loop_own *loop, const struct callback_now *callback, uint64_t ns)
{
	if (loop->pub.state != LOOP_BUSY || !ns)
		return;
	loop->gather.dirty = 1;
	struct callback_sum *row = callback_sum(&loop->gather, callback, ns);
	if (row)
		callback_add(row, callback, ns);
}

struct callback_sum gather_longest_callback(const struct loop_own *loop, uint64_t now_ns)
{
	const struct gather *gather = &loop->gather;
	const struct callback_now *now = &loop->now;
	struct callback_sum longest = { 0 }, running = { .fn = now->fn, .kind = now->kind, .fd = -1 };
	for (uint32_t i = 0; i < gather->callback_count; i++) {
		const struct callback_sum *row = &gather->callbacks[i];
		if (now->running && row->fn == now->fn && row->kind == now->kind)
			running = *row;
		else if (row->ns > longest.ns)
			longest = *row;
	}
	if (now->running)
		callback_add(&running, now, minus(now_ns, most(now->begin_ns, loop->slice_ns)));
	longest = running.ns > longest.ns ? running : longest;
	/* calls for many descriptors, none of which took most of it */
	if (longest.longest_ns * 2 < longest.ns)
		longest.fd = -1;
	return longest;
}

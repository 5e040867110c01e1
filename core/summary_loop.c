/* SPDX-License-Identifier: BSD-2-Clause */
/* The part of the summary about one loop: its time, phases, stalls, descriptors, timers, drains. */
#include "summary_parts.h"

#include <stdlib.h>

#include "schema.h"

/* ---- stalls ---- */

static json_t *frames(const struct stack *stack)
{
	json_t *list = json_array();
	for (; stack->count; stack = stack->outer) {
		const struct frame *frame = stack->frame;
		json_array_append_new(
			list, json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:I}", "kind", frame_kind_name(frame->kind), "name",
					summary_text(frame->name), "file", summary_text(frame->file), "line",
					summary_number(frame->line ? frame->line : PS_UNKNOWN), "column",
					summary_number(frame->column ? frame->column : PS_UNKNOWN), "module",
					summary_text(frame->module), "offset", (json_int_t)frame->offset));
	}
	return list;
}

static json_t *stacks(const struct stall *stall)
{
	static const char *const kinds[] = { "cpu", "off-cpu", "nested", "proc" };
	json_t *list = json_array();
	for (uint32_t i = 0; i < stall->stack_count; i++)
		json_array_append_new(list, json_pack("{s:I, s:s, s:o}", "count", (json_int_t)stall->stacks[i].count, "kind",
						      kinds[stall->stacks[i].kind & 3], "frames",
						      frames(stall->stacks[i].stack)));
	return list;
}

static json_t *syscall_of(const struct stall *stall)
{
	if (stall->syscall < 0)
		return json_null();
	const char *name = syscall_name(stall->syscall);
	json_t *args = json_array();
	for (unsigned i = 0; i < 3; i++)
		json_array_append_new(args, json_integer((json_int_t)stall->syscall_args[i]));
	return json_pack("{s:o, s:I, s:o, s:o, s:o}", "name", name ? json_string(name) : json_null(), "number", (json_int_t)stall->syscall,
			 "args", args, "path", summary_text(stall->syscall_path), "ns", summary_number(stall->syscall_ns));
}

static json_t *callback_of(const struct stall *stall)
{
	if (!stall->callback_ns)
		return json_null();
	const struct frame *frame = stall->callback;
	return json_pack("{s:o, s:s, s:o, s:o, s:o}", "name", frame ? summary_text(frame->name) : json_null(), "kind",
			 kind_name(stall->callback_kind), "fd",
			 stall->callback_fd >= 0 ? json_integer(stall->callback_fd) : json_null(), "ns",
			 summary_number(stall->callback_ns), "calls", summary_number(stall->callback_calls));
}

/* How many of the samples tell of which rule. */
static json_t *rule_evidence(const struct stall *stall)
{
	json_t *list = json_array();
	for (unsigned rule = 0; rule < RULE_COUNT; rule++)
		if (stall->rule_percent[rule])
			json_array_append_new(list, json_pack("{s:s, s:I}", "rule", stall_rule_name(rule), "percent",
							      (json_int_t)stall->rule_percent[rule]));
	return list;
}

static json_t *blamed(const struct frame *frame)
{
	if (!frame)
		return json_null();
	return json_pack("{s:s, s:o, s:o, s:o, s:o}", "kind", frame_kind_name(frame->kind), "name", summary_text(frame->name),
			 "file", summary_text(frame->file), "line", summary_number(frame->line ? frame->line : PS_UNKNOWN),
			 "module", summary_text(frame->module));
}

static json_t *stall_of(struct summary_run *run, const struct stall *stall, const char *path)
{
	json_t *object = json_object();
	summary_put(object, "start_ns", summary_number(stall->start_ns));
	summary_put(object, "duration_ns", summary_number(stall->duration_ns));
	summary_put(object, "open", json_boolean(stall->open));
	summary_put(object, "at_attach", json_boolean(stall->at_attach));
	summary_put(object, "lossy", json_boolean(stall->lossy));
	summary_told(run, object, path, "phase", stall->phase < 0 ? NULL : json_string(phase_name((unsigned)stall->phase)),
		     PS_PROBE_RUNTIME);
	summary_put(object, "cause", json_string(stall_cause_name(stall->cause)));
	summary_put(object, "rule", json_string(stall_rule_name(stall->rule)));
	summary_put(object, "culprit", json_string(stall->culprit));
	summary_put(object, "own", *stall->own_culprit ? json_pack("{s:s, s:s, s:I}", "rule", stall_rule_name(stall->own_rule), "culprit",
								   stall->own_culprit, "ns", (json_int_t)stall_own_part(stall)) :
							 json_null());
	summary_told(run, object, path, "on_cpu_ns", summary_number(stall->on_cpu_ns), PS_PROBE_SCHED);
	summary_told(run, object, path, "runnable_ns", summary_number(stall->runnable_ns), PS_PROBE_SCHED);
	summary_told(run, object, path, "blocked_ns", summary_number(stall->blocked_ns), PS_PROBE_SCHED);
	summary_told(run, object, path, "gc_ns", summary_number(stall->gc_ns), PS_PROBE_RUNTIME);
	summary_put(object, "estimated", json_boolean(stall->estimated));
	summary_put(object, "gc_sampled", json_boolean(stall->gc_sampled));
	summary_told(run, object, path, "throttled_ns", summary_number(stall->throttled_ns), PS_PROBE_PROC);
	summary_told(run, object, path, "lock_ns", summary_number(stall->lock_ns), PS_PROBE_SCHED);
	summary_told(run, object, path, "page_fault_ns", summary_number(stall->fault_ns), PS_PROBE_SCHED);
	summary_told(run, object, path, "stopped_ns", summary_number(stall->stopped_ns), PS_PROBE_SCHED);
	summary_put(object, "evidence", rule_evidence(stall));
	summary_put(object, "blamed", blamed(stall->blamed));
	summary_put(object, "regexp", summary_text(stall->regexp));
	summary_put(object, "syscall", syscall_of(stall));
	summary_put(object, "ran_instead", summary_text(stall->other_task));
	summary_put(object, "callback", callback_of(stall));
	summary_put(object, "samples", json_integer(stall->samples));
	summary_put(object, "stacks", stacks(stall));
	json_t *held = json_object();
	char held_path[128];
	snprintf(held_path, sizeof(held_path), "%sheld_up.", path);
	summary_told(run, held, held_path, "fds", summary_number(stall->held_fds), PS_PROBE_POLL);
	summary_told(run, held, held_path, "timers", summary_number(stall->held_timers), PS_PROBE_RUNTIME);
	summary_told(run, held, held_path, "longest_ns", summary_number(stall->held_longest_ns), PS_PROBE_READY);
	summary_put(object, "held_up", held);
	return object;
}

static json_t *stalls(struct summary_run *run, const struct loop *loop, const char *path)
{
	json_t *list = json_array();
	const struct model *model = run->model;
	size_t mine = 0, skipped = 0;
	for (size_t i = 0; i < model->stall_count; i++)
		mine += model->stalls[i]->loop == loop;
	for (size_t i = 0; i < model->stall_count; i++) {
		if (model->stalls[i]->loop != loop || skipped++ + SUMMARY_STALLS < mine)
			continue;
		/* one reason for all stalls: a path per stall would repeat it a thousand times */
		char stall_path[96];
		snprintf(stall_path, sizeof(stall_path), "%sstalls.*.", path);
		json_array_append_new(list, stall_of(run, model->stalls[i], stall_path));
	}
	return list;
}

/* ---- phases ---- */

/* One reason for all of them. */
static void summary_sampled(struct summary_run *run, const char *path)
{
	static const char *const keys[] = { "phases.*.count", "phases.*.p99_ns", "phases.*.max_ns" };
	for (size_t i = 0; i < 3; i++) {
		char full[96];
		snprintf(full, sizeof(full), "%s%s", path, keys[i]);
		json_object_set_new(run->not_measured, full, json_string("phases are told by sampling"));
	}
}

static json_t *phases(struct summary_run *run, const struct loop *loop, const char *path)
{
	json_t *list = json_array();
	for (unsigned i = 0; i < PS_PHASE_COUNT; i++) {
		const struct phase_stat *stat = &loop->phases[i];
		/* its first time goes on: so long, so far */
		int goes_on = !stat->count && stat->total_ns;
		if (stat->count && loop->phases_sampled)
			json_array_append_new(list, json_pack("{s:s, s:n, s:o, s:n, s:n, s:b, s:o}", "name", phase_name(i),
							      "count", "total_ns", summary_number(stat->total_ns), "p99_ns",
							      "max_ns", "sampled", 1, "samples",
							      summary_number(stat->count)));
		else if (stat->count || goes_on)
			json_array_append_new(
				list, json_pack("{s:s, s:o, s:o, s:o, s:o}", "name", phase_name(i), "count",
						summary_number(goes_on ? 1 : stat->count), "total_ns", summary_number(stat->total_ns),
						"p99_ns", summary_number(goes_on ? stat->total_ns : hist_quantile(&stat->hist, 0.99)),
						"max_ns", summary_number(goes_on ? stat->total_ns : stat->hist.max)));
	}
	if (!json_array_size(list))
		summary_missing(run, path, "phases", PS_PROBE_RUNTIME);
	else if (loop->phases_sampled)
		summary_sampled(run, path);
	return list;
}

/* ---- descriptors, timers, drains ---- */

static int by_number(const void *a, const void *b)
{
	const struct fd_stat *x = *(const struct fd_stat *const *)a, *y = *(const struct fd_stat *const *)b;
	if (x->fd != y->fd)
		return x->fd < y->fd ? -1 : 1;
	return x->generation < y->generation ? -1 : x->generation > y->generation;
}

static json_t *fd_of(const struct fd_stat *fd)
{
	json_t *row = json_pack("{s:I, s:I, s:s, s:o, s:I, s:b, s:o, s:o, s:o, s:o, s:o, s:o}", "fd", (json_int_t)fd->fd, "generation",
			 (json_int_t)fd->generation, "kind", kind_name(fd->kind), "name", summary_text(fd->name), "interest",
			 (json_int_t)fd->interest, "closed", fd->closed, "ready", summary_number(fd->ready), "dispatched",
			 summary_number(fd->dispatched), "lag_ns", fd->lag ? summary_hist(fd->lag) : json_null(), "callback_ns",
			 summary_number(fd->callback_ns), "read_bytes", summary_number(fd->read_bytes), "written_bytes",
			 summary_number(fd->written_bytes));
	summary_put(row, "lag_kernel_ns", fd->lag_kernel ? summary_hist(fd->lag_kernel) : NULL);
	summary_put(row, "lag_turn_ns", fd->lag_turn ? summary_hist(fd->lag_turn) : NULL);
	summary_put(row, "empty_wakeups", summary_number(fd->empty_wakeups));
	summary_put(row, "eagain", summary_number(fd->eagain));
	summary_put(row, "unread_bytes", summary_number(fd->unread_bytes));
	summary_put(row, "backlog", summary_number(fd->backlog));
	summary_put(row, "backlog_max", summary_number(fd->backlog_max));
	summary_put(row, "on_ready_list", fd->is_ready < 0 ? NULL : json_boolean(fd->is_ready));
	return row;
}

/* One reason for all rows that lack the same. */
static void fd_missing(struct summary_run *run, const struct fd_stat *fd, const char *path)
{
	const struct {
		const char *key;
		int is_missing;
		enum ps_probe_group group;
	} parts[] = {
		{ "fds.*.lag_ns", !fd->lag, PS_PROBE_READY },
		{ "fds.*.lag_kernel_ns", !fd->lag_kernel, PS_PROBE_READY },
		{ "fds.*.lag_turn_ns", !fd->lag_turn, PS_PROBE_READY },
		{ "fds.*.ready", fd->ready == PS_UNKNOWN, PS_PROBE_READY },
		{ "fds.*.dispatched", fd->dispatched == PS_UNKNOWN, PS_PROBE_READY },
		{ "fds.*.read_bytes", fd->read_bytes == PS_UNKNOWN, PS_PROBE_READY },
		{ "fds.*.written_bytes", fd->written_bytes == PS_UNKNOWN, PS_PROBE_READY },
		{ "fds.*.empty_wakeups", fd->empty_wakeups == PS_UNKNOWN, PS_PROBE_READY },
		{ "fds.*.eagain", fd->eagain == PS_UNKNOWN, PS_PROBE_READY },
		{ "fds.*.callback_ns", fd->callback_ns == PS_UNKNOWN, PS_PROBE_RUNTIME },
		{ "fds.*.on_ready_list", fd->is_ready < 0, PS_PROBE_POLLER },
	};
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
		if (parts[i].is_missing)
			summary_missing(run, path, parts[i].key, parts[i].group);
}

static json_t *poller(struct summary_run *run, const struct loop *loop, const char *path)
{
	const struct poller_card *card = &loop->poller;
	if (!card->ns) {
		summary_missing(run, path, "poller", PS_PROBE_POLLER);
		return NULL;
	}
	char own[64];
	snprintf(own, sizeof(own), "%spoller.", path);
	json_t *object = json_object();
	summary_put(object, "read_ns", summary_number(card->ns));
	summary_put(object, "items", summary_number(card->items));
	summary_told(run, object, own, "depth", summary_number(card->depth), PS_PROBE_POLLER);
	summary_told(run, object, own, "ready", summary_number(card->ready), PS_PROBE_POLLER);
	summary_told(run, object, own, "waiters", summary_number(card->waiters), PS_PROBE_POLLER);
	summary_told(run, object, own, "unread_bytes", summary_number(card->unread_bytes), PS_PROBE_POLLER);
	summary_put(object, "complete", json_boolean(!(card->flags & PS_POLLER_CUT)));
	return object;
}

static json_t *fds(struct summary_run *run, const struct loop *loop, const char *path)
{
	json_t *list = json_array();
	const struct fd_stat **sorted = loop->fd_count ? malloc(loop->fd_count * sizeof(*sorted)) : NULL;
	if (!sorted)
		return list;
	for (size_t i = 0; i < loop->fd_count; i++) {
		sorted[i] = &loop->fds[i];
		fd_missing(run, sorted[i], path);
	}
	qsort(sorted, loop->fd_count, sizeof(*sorted), by_number);
	for (size_t i = 0; i < loop->fd_count && i < SUMMARY_ROWS; i++)
		json_array_append_new(list, fd_of(sorted[i]));
	free(sorted);
	return list;
}

/* Watched or known, and not closed yet. */
static uint64_t fds_open(const struct loop *loop)
{
	uint64_t count = 0;
	for (size_t i = 0; i < loop->fd_count; i++)
		count += !loop->fds[i].closed;
	return count;
}

static int by_fired(const void *a, const void *b)
{
	const struct timer_stat *x = *(const struct timer_stat *const *)a, *y = *(const struct timer_stat *const *)b;
	if (x->fired != y->fired)
		return x->fired > y->fired ? -1 : 1;
	if (x->armed != y->armed)
		return x->armed > y->armed ? -1 : 1;
	return x->fn < y->fn ? -1 : x->fn > y->fn;
}

static json_t *top_timers(const struct loop *loop)
{
	json_t *list = json_array();
	const struct timer_stat **sorted = loop->timer_count ? malloc(loop->timer_count * sizeof(*sorted)) : NULL;
	if (!sorted)
		return list;
	for (size_t i = 0; i < loop->timer_count; i++)
		sorted[i] = &loop->timers[i];
	qsort(sorted, loop->timer_count, sizeof(*sorted), by_fired);
	for (size_t i = 0; i < loop->timer_count && i < 20; i++)
		json_array_append_new(
			list, json_pack("{s:o, s:o, s:o, s:o, s:o}", "name",
					sorted[i]->frame ? summary_text(sorted[i]->frame->name) : json_null(), "repeat_ns",
					summary_number(sorted[i]->repeat_ns), "armed", summary_number(sorted[i]->armed), "fired",
					summary_number(loop_tells_fired(loop) ? sorted[i]->fired : PS_UNKNOWN), "late_max_ns",
					summary_number(sorted[i]->fired ? sorted[i]->late_max_ns : PS_UNKNOWN)));
	free(sorted);
	return list;
}

/* What is read from memory shows timers that are armed, not that one fired. */
static void put_fired(struct summary_run *run, json_t *object, const char *path, const struct loop *loop)
{
	static const char *const keys[] = { "fired", "late_ns", "top.*.fired", "top.*.late_max_ns" };
	char full[128];
	summary_put(object, "fired", summary_number(loop_tells_fired(loop) ? loop->timers_fired : PS_UNKNOWN));
	summary_put(object, "late_ns", summary_hist(&loop->timer_late));
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys) && !loop_tells_fired(loop); i++) {
		snprintf(full, sizeof(full), "%s%s", path, keys[i]);
		if (loop->timers_armed == PS_UNKNOWN)
			summary_missing(run, path, keys[i], PS_PROBE_RUNTIME);
		else
			json_object_set_new(run->not_measured, full, json_string("of timers that are read from memory it is not seen when one fires"));
	}
	if (loop_tells_fired(loop) && !loop->timer_late.count)
		summary_missing(run, path, "late_ns", PS_PROBE_RUNTIME);
}

static json_t *timers(struct summary_run *run, const struct loop *loop, const char *path)
{
	char own[64];
	snprintf(own, sizeof(own), "%stimers.", path);
	json_t *object = json_object();
	uint64_t now = run->model->now_ns, due = loop->next_due_ns;
	summary_told(run, object, own, "armed", summary_number(loop->timers_armed), PS_PROBE_RUNTIME);
	summary_told(run, object, own, "depth", summary_number(loop->heap_depth), PS_PROBE_SNAPSHOT);
	summary_told(run, object, own, "next_due_ns", summary_number(due == PS_UNKNOWN ? due : due > now ? due - now : 0),
		     PS_PROBE_RUNTIME);
	summary_told(run, object, own, "overdue", summary_number(loop->timers_overdue), PS_PROBE_RUNTIME);
	put_fired(run, object, own, loop);
	summary_put(object, "top", top_timers(loop));
	summary_put(object, "note", summary_text(loop->timers_note));
	return object;
}

static json_t *drain(const struct drain_stat *stat, uint64_t backlog)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "drains", summary_number(stat->drains), "callbacks",
			 summary_number(stat->callbacks), "total_ns", summary_number(stat->total_ns), "max_ns",
			 summary_number(stat->max_ns), "max_count", summary_number(stat->max_count), "backlog",
			 summary_number(backlog));
}

static void put_drain(struct summary_run *run, json_t *object, const char *path, const char *key, const struct loop *loop,
		      const struct drain_stat *stat, uint64_t backlog)
{
	int told = loop->flags & PS_LOOP_RING || stat->drains;
	summary_told(run, object, path, key, told ? drain(stat, backlog) : NULL, PS_PROBE_RUNTIME);
}

/* ---- the loop ---- */

static uint64_t callbacks(const struct loop *loop)
{
	uint64_t count = 0;
	for (size_t i = 0; i < loop->callback_count; i++)
		count += loop->callbacks[i].count;
	return loop->flags & PS_LOOP_CALLBACKS || count ? count : PS_UNKNOWN;
}

static json_t *utilization(const struct loop *loop)
{
	uint64_t whole = loop->busy_ns + loop->wait_ns;
	return whole ? json_real((double)loop->busy_ns / (double)whole) : json_null();
}

static void put_identity(struct summary_run *run, json_t *object, const struct loop *loop)
{
	const struct thread *thread = model_thread(run->model, loop->tid);
	const char *name = thread && *thread->name ? thread->name : loop->process->comm;

	summary_put(object, "pid", json_integer(loop->pid));
	summary_put(object, "tid", json_integer(loop->tid));
	summary_put(object, "comm", summary_text(name));
	summary_put(object, "poller_fd", loop->poller_fd < 0 ? json_null() : json_integer(loop->poller_fd));
	summary_put(object, "backend", json_string(backend_name(loop->backend)));
	summary_put(object, "poller_threads", json_integer(loop->poller_threads ? loop->poller_threads : 1));
	summary_put(object, "gone", json_boolean(loop->state == LOOP_GONE));
	summary_put(object, "window", json_pack("{s:o, s:o}", "first_ns", summary_number(loop->first_ns), "last_ns",
						summary_number(loop->last_ns)));
}

/* A count of what happened to the loop: null, and not 0, where nobody would have seen it. */
static void put_seen(struct summary_run *run, json_t *object, const char *path, const struct loop *loop, const char *key, uint64_t value)
{
	summary_told(run, object, path, key, summary_number(loop_was_seen(loop) ? value : PS_UNKNOWN), PS_PROBE_POLL);
}

static void put_iterations(struct summary_run *run, json_t *object, const char *path, const struct loop *loop)
{
	put_seen(run, object, path, loop, "iterations", loop->iterations);
	summary_put(object, "iterations_exact", json_boolean(loop->iterations_exact));
	put_seen(run, object, path, loop, "polls", loop->polls);
	put_seen(run, object, path, loop, "empty_polls", loop->empty_polls);
	put_seen(run, object, path, loop, "ready", loop->ready);
	put_seen(run, object, path, loop, "busy_ns", loop->busy_ns);
	put_seen(run, object, path, loop, "wait_ns", loop->wait_ns);
}

/* A figure of the time between two waits of one thread, which is not the loop's where threads take turns. */
static void put_own_time(struct summary_run *run, json_t *object, const char *path, const struct loop *loop, const char *key,
			 json_t *value, enum ps_probe_group group)
{
	char full[160];
	if (!loop_in_turns(loop)) {
		summary_told(run, object, path, key, value, group);
		return;
	}
	json_decref(value);
	summary_put(object, key, json_null());
	snprintf(full, sizeof(full), "%s%s", path, key);
	json_object_set_new(run->not_measured, full, json_string("threads take turns on this poller: what one does between its waits is not the loop's"));
}

static void put_times(struct summary_run *run, json_t *object, const char *path, const struct loop *loop)
{
	put_own_time(run, object, path, loop, "utilization", utilization(loop), PS_PROBE_POLL);
	summary_told(run, object, path, "on_cpu_ns", summary_number(loop->on_cpu_ns), PS_PROBE_SCHED);
	summary_told(run, object, path, "runnable_ns", summary_number(loop->runnable_ns), PS_PROBE_SCHED);
	summary_told(run, object, path, "blocked_ns", summary_number(loop->blocked_ns), PS_PROBE_SCHED);
	put_own_time(run, object, path, loop, "iteration_ns", summary_hist(&loop->iteration), PS_PROBE_POLL);
	put_own_time(run, object, path, loop, "iteration_cpu_ns", summary_hist(&loop->iteration_cpu), PS_PROBE_SCHED);
	summary_told(run, object, path, "poll_wait_ns", summary_hist(&loop->poll_wait), PS_PROBE_POLL);
	summary_told(run, object, path, "lag_ns", summary_hist(&loop->lag), PS_PROBE_READY);
	summary_told(run, object, path, "lag_kernel_ns", summary_hist(&loop->lag_kernel), PS_PROBE_READY);
	summary_told(run, object, path, "lag_turn_ns", summary_hist(&loop->lag_turn), PS_PROBE_READY);
	summary_told(run, object, path, "lag_own_ns", summary_hist(&loop->lag_own), PS_PROBE_READY);
	summary_put(object, "lag_from", !loop->lag.count ? json_null() :
					 json_string(loop->lag_from_return ? "return" : "ready"));
}

static void put_stalls(struct summary_run *run, json_t *object, const char *path, const struct loop *loop)
{
	uint64_t open_ns = loop->open_stall ? loop->open_stall->duration_ns : 0;

	put_seen(run, object, path, loop, "stall_count", loop->stalls);
	put_seen(run, object, path, loop, "stall_total_ns", loop->stall_total_ns + open_ns);
	put_seen(run, object, path, loop, "stall_max_ns", loop->stall_max_ns > open_ns ? loop->stall_max_ns : open_ns);
	summary_put(object, "stalls", stalls(run, loop, path));
}

static void put_fds(struct summary_run *run, json_t *object, const char *path, const struct loop *loop)
{
	summary_put(object, "fds", fds(run, loop, path));
	if (!loop->fd_count)
		summary_missing(run, path, "fds", PS_PROBE_POLLER);
	summary_told(run, object, path, "fds_open", summary_number(loop->fd_count ? fds_open(loop) : PS_UNKNOWN), PS_PROBE_POLLER);
	summary_put(object, "poller", poller(run, loop, path));
}

json_t *summary_loop(struct summary_run *run, const struct loop *loop, size_t index)
{
	char path[48];
	json_t *object = json_object();

	snprintf(path, sizeof(path), "loops.%zu.", index);
	put_identity(run, object, loop);
	put_iterations(run, object, path, loop);
	put_times(run, object, path, loop);
	summary_told(run, object, path, "callbacks", summary_number(callbacks(loop)), PS_PROBE_RUNTIME);
	summary_put(object, "phases", phases(run, loop, path));
	summary_put(object, "profile", summary_profile(run, loop, path));
	put_stalls(run, object, path, loop);
	put_fds(run, object, path, loop);
	summary_put(object, "timers", timers(run, loop, path));
	put_drain(run, object, path, "ticks", loop, &loop->ticks, loop->tick_backlog);
	put_drain(run, object, path, "immediates", loop, &loop->immediates, loop->immediate_backlog);
	summary_told(run, object, path, "snapshot", summary_snapshot(loop), PS_PROBE_SNAPSHOT);
	return object;
}

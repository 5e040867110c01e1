/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who exists: processes, threads and loops. Objects are made when first told
 * of or first needed, keep their place while the model lives (views hold
 * pointers), and are marked when they go. A thread that left gives its place
 * to the next one only when all places are taken.
 */
#include "model_own.h"

#include <stdlib.h>
#include <string.h>

const struct process process_unknown = {
	.comm = "", .cmdline = "", .exe = "", .runtime = "", .version = "", .build_id = "",
};

/* Appends a zeroed object to an array of pointers; NULL when a bound or the system refuses. */
static void *add_object(struct model_own *model, void *array, size_t *room, size_t *count, size_t bound, size_t size)
{
	if (*count >= bound) {
		model->pub.dropped++;
		return NULL;
	}
	if (array_room(model, array, room, *count, sizeof(void *)))
		return NULL;
	void *object = calloc(1, size);
	if (!object) {
		model->out_of_memory = 1;
		return NULL;
	}
	char *objects;
	memcpy(&objects, array, sizeof(objects));
	memcpy(objects + (*count)++ * sizeof(object), &object, sizeof(object));
	return object;
}

static void know(struct model_own *model, struct table *table, uint64_t key, const void *object)
{
	if (table_put(table, key, (uintptr_t)object))
		model->out_of_memory = 1;
}

/* ---- processes ---- */

struct process_own *process_add(struct model_own *model, uint32_t pid)
{
	struct process_own *process = table_pointer(&model->processes, pid);
	if (process || !pid)
		return process;
	process = add_object(model, &model->pub.processes, &model->process_room, &model->pub.process_count, MAX_PROCESSES,
			     sizeof(*process));
	if (!process)
		return NULL;
	process->pub = process_unknown;
	process->pub.pid = pid;
	know(model, &model->processes, pid, process);
	return process;
}

void on_process(struct model_own *model, const void *record)
{
	const struct ps_ev_process *told = record;
	struct process_own *process = process_add(model, told->pid);
	if (!process)
		return;
	process->pub = (struct process){
		.pid = told->pid,
		.ppid = told->ppid,
		.start_ns = told->start_ns,
		.comm = names_string(model->names, told->comm),
		.cmdline = names_string(model->names, told->cmdline),
		.exe = names_string(model->names, told->exe),
		.runtime = names_string(model->names, told->runtime),
		.version = names_string(model->names, told->version),
		.build_id = names_string(model->names, told->build_id),
		.exit_status = -1,
		.flags = told->flags,
	};
	for (size_t i = 0; i < model->pub.loop_count; i++)
		if (model->pub.loops[i]->pid == told->pid)
			model->pub.loops[i]->process = &process->pub;
}

static void unblock(struct thread_own *thread)
{
	thread->pub.blocked_op = 0;
	thread->pub.blocked_since_ns = 0;
}

static void leave_thread(struct model_own *model, struct thread_own *thread, uint64_t ts)
{
	thread->pub.exited = 1;
	thread->pub.work = 0;
	unblock(thread);
	for (struct loop_own *loop = thread->loops; loop; loop = loop->next_of_thread)
		loop_gone(model, loop, ts);
}

void on_process_exit(struct model_own *model, const void *record)
{
	const struct ps_ev_process_exit *told = record;
	struct process_own *process = process_add(model, told->pid);
	if (!process)
		return;
	process->pub.exited = 1;
	process->pub.exit_status = told->status;
	process->pub.exited_ns = told->h.ts;
	for (size_t i = 0; i < model->pub.thread_count; i++)
		if (model->pub.threads[i]->pid == told->pid)
			leave_thread(model, (struct thread_own *)model->pub.threads[i], told->h.ts);
}

/* What it does from here on is not known; what it did until now stays. */
void on_process_left(struct model_own *model, const void *record)
{
	const struct ps_ev_process_left *told = record;
	struct process_own *process = table_pointer(&model->processes, told->pid);
	for (size_t i = 0; i < model->pub.loop_count; i++)
		if (model->pub.loops[i]->pid == told->pid)
			loop_left(model, loop_own(model->pub.loops[i]), told->h.ts);
	for (size_t i = 0; i < model->pub.thread_count; i++)
		if (model->pub.threads[i]->pid == told->pid)
			unblock((struct thread_own *)model->pub.threads[i]);
	if (process && process->pool)
		pool_left(model, process->pool, told->h.ts);
}

/* ---- threads ---- */

struct thread_own *thread_find(struct model_own *model, uint32_t tid)
{
	if (!model->last_thread || model->last_thread->pub.tid != tid) {
		struct thread_own *thread = table_pointer(&model->threads, tid);
		if (!thread)
			return NULL;
		model->last_thread = thread;
	}
	return model->last_thread;
}

/* The place of a thread that left and never ran a loop. */
static struct thread_own *reuse_thread(struct model_own *model)
{
	for (size_t i = 0; i < model->pub.thread_count; i++) {
		struct thread_own *thread = (struct thread_own *)model->pub.threads[i];
		if (!thread->pub.exited || thread->loops)
			continue;
		table_remove(&model->threads, thread->pub.tid);
		if (model->last_thread == thread)
			model->last_thread = NULL;
		*thread = (struct thread_own){ 0 };
		return thread;
	}
	return NULL;
}

struct thread_own *thread_add(struct model_own *model, uint32_t tid, uint32_t pid)
{
	struct thread_own *thread = thread_find(model, tid);
	if (!thread && tid) {
		if (model->pub.thread_count >= MAX_THREADS)
			thread = reuse_thread(model);
		if (!thread)
			thread = add_object(model, &model->pub.threads, &model->thread_room, &model->pub.thread_count,
					    MAX_THREADS, sizeof(*thread));
		if (!thread)
			return NULL;
		thread->pub.tid = tid;
		thread->pub.name = thread->pub.work_name = "";
		thread->pub.blocked_fd = -1;
		know(model, &model->threads, tid, thread);
	}
	if (thread && pid)
		thread->pub.pid = pid;
	return thread;
}

void on_thread(struct model_own *model, const void *record)
{
	const struct ps_ev_thread *told = record;
	struct thread_own *thread = thread_add(model, told->h.tid, told->pid);
	if (!thread)
		return;
	thread->pub.exited = 0;
	/* /proc knows that a thread is there, not what it does: that never takes a role away */
	if (told->role != PS_ROLE_OTHER && told->role < PS_ROLE_COUNT)
		thread->pub.role = told->role;
	thread->pub.name = names_string(model->names, told->name);
}

void on_thread_exit(struct model_own *model, const void *record)
{
	const struct ps_ev_thread_exit *told = record;
	struct thread_own *thread = thread_find(model, told->h.tid);
	if (thread)
		leave_thread(model, thread, told->h.ts);
}

/* ---- loops ---- */

static uint64_t loop_key(uint32_t tid, int32_t poller_fd)
{
	return (uint64_t)tid << 32 | (uint32_t)poller_fd;
}

struct loop_own *loop_find(struct model_own *model, uint32_t tid, int32_t poller_fd)
{
	return table_pointer(&model->loops, loop_key(tid, poller_fd));
}

static void set_pid(struct model_own *model, struct loop_own *loop, uint32_t pid)
{
	struct process_own *process = pid ? table_pointer(&model->processes, pid) : NULL;
	if (loop->pub.pid != pid)
		turns_leave(model, loop);
	loop->pub.pid = pid;
	loop->pub.process = process ? &process->pub : &process_unknown;
}

struct loop_own *loop_add(struct model_own *model, struct thread_own *thread, int32_t poller_fd)
{
	struct loop_own *loop = add_object(model, &model->pub.loops, &model->loop_room, &model->pub.loop_count, MAX_LOOPS,
					   sizeof(*loop));
	if (!loop)
		return NULL;
	struct loop *pub = &loop->pub;
	pub->tid = thread->pub.tid;
	pub->poller_fd = poller_fd;
	pub->phase = -1;
	pub->on_cpu_ns = pub->runnable_ns = pub->blocked_ns = PS_UNKNOWN;
	pub->timers_armed = pub->timers_overdue = pub->next_due_ns = pub->heap_depth = PS_UNKNOWN;
	pub->timers_note = "";
	pub->snapshot = snapshot_unknown;
	pub->handles = pub->tick_backlog = pub->immediate_backlog = pub->buffered_bytes = PS_UNKNOWN;
	set_pid(model, loop, thread->pub.pid);
	loop->timeout_ns = -2;
	gather_begin(loop);
	loop->thread = thread;
	loop->next_of_thread = thread->loops;
	thread->loops = loop;
	thread->loop_count++;
	if (!thread->current)
		thread->current = loop;
	know(model, &model->loops, loop_key(pub->tid, poller_fd), loop);
	return loop;
}

struct loop_own *loop_of(struct model_own *model, const struct ps_record *record)
{
	struct thread_own *thread = thread_find(model, record->tid);
	return thread ? thread->current : NULL;
}

/* The loop of a guessed poller goes by its real one from now on; NULL when there is none that nobody has seen wait. */
static struct loop_own *loop_instead(struct model_own *model, struct thread_own *thread, int32_t poller_fd, uint64_t ts)
{
	struct loop_own *loop = thread->current;
	if (!loop || loop->pub.state == LOOP_GONE || loop->pub.polls)
		return NULL;
	table_remove(&model->loops, loop_key(loop->pub.tid, loop->pub.poller_fd));
	turns_leave(model, loop);
	loop->pub.poller_fd = poller_fd;
	know(model, &model->loops, loop_key(loop->pub.tid, poller_fd), loop);
	loop->pub.snapshot = snapshot_unknown;
	fds_close(loop, ts);
	return loop;
}

void on_loop(struct model_own *model, const void *record)
{
	const struct ps_ev_loop *told = record;
	struct thread_own *thread = thread_add(model, told->h.tid, told->pid);
	struct loop_own *loop = thread ? loop_find(model, told->h.tid, told->poller_fd) : NULL;
	int goes = (told->flags & PS_LOOP_GONE) != 0;
	if (!thread || (!loop && goes))
		return;
	if (!loop && told->flags & PS_LOOP_INSTEAD)
		loop = loop_instead(model, thread, told->poller_fd, told->h.ts);
	/* the number of a loop that went names a new one */
	if (!loop || (loop->pub.state == LOOP_GONE && !goes))
		loop = loop_add(model, thread, told->poller_fd);
	if (!loop)
		return;
	if (goes) {
		loop_gone(model, loop, told->h.ts);
		return;
	}
	thread->pub.exited = 0;
	thread->pub.role = PS_ROLE_LOOP;
	if (!thread->current || thread->current->pub.state == LOOP_GONE || !thread->current->declared)
		thread->current = loop;
	set_pid(model, loop, told->pid ? told->pid : thread->pub.pid);
	loop->declared = 1;
	loop->pub.backend = told->backend < PS_BACKEND_COUNT ? told->backend : PS_BACKEND_UNKNOWN;
	loop->pub.generation = told->generation;
	loop->pub.flags = told->flags & ~(uint32_t)PS_LOOP_INSTEAD;
	if (told->flags & PS_LOOP_PHASES)
		loop->pub.iterations_exact = 1;
	if (!loop->pub.first_ns)
		loop->pub.first_ns = loop->pub.last_ns = loop->accounted_ns = told->h.ts;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The deep copy of a model, for a frozen picture. Every object is copied in its
 * place of the arrays, then pointers between objects are turned to the copies:
 * objects find their twins by key (pid, tid, position, stall id). Names are
 * shared, for they never change.
 */
#include "model_own.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void *copy_bytes(const void *from, size_t bytes, int *err)
{
	void *to = from && bytes ? malloc(bytes) : NULL;
	if (to)
		memcpy(to, from, bytes);
	else if (from && bytes)
		*err = -ENOMEM;
	return to;
}

/* One of an array of pointers of any type. */
static void *element(const void *array, size_t at)
{
	void *object;
	memcpy(&object, (const char *)array + at * sizeof(object), sizeof(object));
	return object;
}

/* An array of pointers to objects of `size` bytes. On failure what was copied is counted in *count, so it can be freed. */
static void *copy_objects(const void *array, size_t *count, size_t size, int *err)
{
	size_t wanted = *count;
	*count = 0;
	char *to = wanted ? calloc(wanted, sizeof(void *)) : NULL;
	if (wanted && !to) {
		*err = -ENOMEM;
		return NULL;
	}
	for (; *count < wanted; ++*count) {
		void *object = copy_bytes(element(array, *count), size, err);
		if (!object)
			break;
		memcpy(to + *count * sizeof(object), &object, sizeof(object));
	}
	return to;
}

static void copy_table(struct table *table, int *err)
{
	struct table from = *table;
	if (table_copy(table, &from))
		*err = -ENOMEM;
}

/* Owned memory of a loop that was copied byte by byte; whatever fails is left empty. */
static void own_loop(struct loop_own *loop, int *err)
{
	struct loop *pub = &loop->pub;
	pub->callbacks = copy_bytes(pub->callbacks, loop->callback_room * sizeof(*pub->callbacks), err);
	pub->timers = copy_bytes(pub->timers, loop->timer_room * sizeof(*pub->timers), err);
	pub->fds = copy_bytes(pub->fds, loop->fd_room * sizeof(*pub->fds), err);
	loop->fd_waits = copy_bytes(loop->fd_waits, loop->fd_room * sizeof(*loop->fd_waits), err);
	loop->armed = copy_bytes(loop->armed, loop->armed_room * sizeof(*loop->armed), err);
	pub->heap = copy_bytes(pub->heap, loop->heap_room * sizeof(*pub->heap), err);
	if (!pub->heap)
		pub->heap_count = 0;
	if (!pub->fds)
		pub->fd_count = 0;
	for (size_t i = 0; i < pub->fd_count; i++) {
		struct fd_stat *row = &pub->fds[i];
		row->lag = copy_bytes(row->lag, sizeof(*row->lag), err);
		row->lag_kernel = copy_bytes(row->lag_kernel, sizeof(*row->lag_kernel), err);
		row->lag_turn = copy_bytes(row->lag_turn, sizeof(*row->lag_turn), err);
	}
	pub->profile = copy_bytes(pub->profile, loop->profile_room * sizeof(*pub->profile), err);
	copy_table(&loop->profile_index, err);
	loop->due_ns = copy_bytes(loop->due_ns, loop->due_room * sizeof(*loop->due_ns), err);
	copy_table(&loop->callback_index, err);
	copy_table(&loop->fd_index, err);
	copy_table(&loop->timer_index, err);
	copy_table(&loop->armed_index, err);
}

static void own_culprits(struct model_own *copy, int *err)
{
	struct model *pub = &copy->pub;
	pub->culprits = copy_bytes(pub->culprits, copy->culprit_room * sizeof(*pub->culprits), err);
	if (!pub->culprits)
		pub->culprit_count = 0;
	for (size_t i = 0; i < pub->culprit_count; i++)
		pub->culprits[i].hist = copy_bytes(pub->culprits[i].hist, sizeof(*pub->culprits[i].hist), err);
	copy_table(&copy->culprits, err);
}

static void own_pool(struct pool_own *pool, int *err)
{
	const struct pool_class *classes = pool->pub.classes, *holder = pool->pub.holder_class;
	pool->pub.classes = copy_bytes(classes, MAX_CLASSES * sizeof(*classes), err);
	pool->pub.holder_class = holder && pool->pub.classes ? pool->pub.classes + (holder - classes) : NULL;
	if (!pool->pub.classes)
		pool->pub.class_count = 0;
	pool->jobs = copy_bytes(pool->jobs, MAX_JOBS * sizeof(*pool->jobs), err);
}

/* Points every value of a table of objects to the copy at the same place. */
static void retarget(struct table *table, const void *old_array, const void *new_array, size_t count, int *err)
{
	struct table places = { 0 };
	for (size_t i = 0; i < count && !*err; i++)
		*err = table_put(&places, (uintptr_t)element(old_array, i), (uintptr_t)element(new_array, i));
	for (size_t i = 0; i < table->room && !*err; i++)
		if (table->entries[i].value)
			table->entries[i].value = table_get(&places, table->entries[i].value);
	table_free(&places);
}

static void link_loops(struct model_own *copy, const struct model_own *model)
{
	for (size_t i = 0; i < copy->pub.loop_count; i++) {
		struct loop_own *loop = loop_own(copy->pub.loops[i]);
		const struct process *process = model_process(&copy->pub, loop->pub.pid);
		loop->pub.process = process ? process : &process_unknown;
		loop->thread = (struct thread_own *)(uintptr_t)model_thread(&copy->pub, loop->pub.tid);
		loop->stall = loop->stall ? stall_find(copy, loop->stall->id) : NULL;
		loop->pub.open_stall = loop->stall;
	}
}

/* In a list of threads, loops and stalls the twin of a loop is the one at its place. */
static void link_threads(struct model_own *copy, const struct table *places)
{
	for (size_t i = 0; i < copy->pub.thread_count; i++) {
		struct thread_own *thread = (struct thread_own *)copy->pub.threads[i];
		thread->loops = table_pointer(places, (uintptr_t)thread->loops);
		thread->current = table_pointer(places, (uintptr_t)thread->current);
	}
	for (size_t i = 0; i < copy->pub.loop_count; i++) {
		struct loop_own *loop = loop_own(copy->pub.loops[i]);
		loop->next_of_thread = table_pointer(places, (uintptr_t)loop->next_of_thread);
	}
	for (size_t i = 0; i < copy->pub.stall_count; i++)
		copy->pub.stalls[i]->loop = table_pointer(places, (uintptr_t)copy->pub.stalls[i]->loop);
}

static void link_pools(struct model_own *copy)
{
	for (size_t i = 0; i < copy->pub.process_count; i++)
		((struct process_own *)copy->pub.processes[i])->pool = NULL;
	for (size_t i = 0; i < copy->pub.pool_count; i++) {
		struct process_own *process = table_pointer(&copy->processes, copy->pub.pools[i]->pid);
		if (process)
			process->pool = (struct pool_own *)copy->pub.pools[i];
	}
}

static int link_all(struct model_own *copy, const struct model_own *model)
{
	int err = 0;
	struct table places = { 0 };
	retarget(&copy->processes, model->pub.processes, copy->pub.processes, copy->pub.process_count, &err);
	retarget(&copy->threads, model->pub.threads, copy->pub.threads, copy->pub.thread_count, &err);
	retarget(&copy->loops, model->pub.loops, copy->pub.loops, copy->pub.loop_count, &err);
	for (size_t i = 0; i < copy->pub.loop_count && !err; i++)
		err = table_put(&places, (uintptr_t)model->pub.loops[i], (uintptr_t)copy->pub.loops[i]);
	if (!err) {
		link_loops(copy, model);
		link_threads(copy, &places);
		link_pools(copy);
	}
	table_free(&places);
	return err;
}

int model_clone(struct model **out, const struct model *pub)
{
	const struct model_own *model = (const struct model_own *)pub;
	*out = NULL;
	struct model_own *copy = malloc(sizeof(*copy));
	if (!copy)
		return -ENOMEM;
	int err = 0;
	*copy = *model;
	copy->names->sharers++;
	copy->last_thread = NULL;
	copy->pub.processes = copy_objects(pub->processes, &copy->pub.process_count, sizeof(struct process_own), &err);
	copy->pub.threads = copy_objects(pub->threads, &copy->pub.thread_count, sizeof(struct thread_own), &err);
	copy->pub.loops = copy_objects(pub->loops, &copy->pub.loop_count, sizeof(struct loop_own), &err);
	copy->pub.pools = copy_objects(pub->pools, &copy->pub.pool_count, sizeof(struct pool_own), &err);
	copy->pub.stalls = copy_objects(pub->stalls, &copy->pub.stall_count, sizeof(struct stall), &err);
	copy->stall_base = copy->pub.stalls;
	copy->process_room = copy->pub.process_count;
	copy->thread_room = copy->pub.thread_count;
	copy->loop_room = copy->pub.loop_count;
	copy->pool_room = copy->pub.pool_count;
	copy->stall_room = copy->pub.stall_count;
	for (size_t i = 0; i < copy->pub.thread_count; i++) {
		struct thread *thread = copy->pub.threads[i];
		thread->past = copy_bytes(thread->past, MODEL_PAST_JOBS * sizeof(*thread->past), &err);
		thread->worked = copy_bytes(thread->worked, MODEL_SLOTS * sizeof(*thread->worked), &err);
	}
	copy->turns = copy_bytes(model->turns, model->turns_room * sizeof(*model->turns), &err);
	copy_table(&copy->processes, &err);
	copy_table(&copy->threads, &err);
	copy_table(&copy->loops, &err);
	own_culprits(copy, &err);
	for (size_t i = 0; i < copy->pub.process_count; i++)
		copy_table(&((struct process_own *)copy->pub.processes[i])->symbols, &err);
	for (size_t i = 0; i < copy->pub.loop_count; i++)
		own_loop(loop_own(copy->pub.loops[i]), &err);
	for (size_t i = 0; i < copy->pub.pool_count; i++)
		own_pool((struct pool_own *)copy->pub.pools[i], &err);
	if (!err)
		err = link_all(copy, model);
	if (err) {
		model_close(&copy->pub);
		return err;
	}
	*out = &copy->pub;
	return 0;
}

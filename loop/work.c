/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Jobs as the loop sees them: opened, submitted, cancelled, delivered.
 *
 * A job is an open handle of its loop from submit to delivery, so a forked child
 * knows which ones it has lost.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "pool.h"

#define NUMBERS 4096 /* that a loop takes at once: one counter for all loops is a contended one */

static atomic_ullong next_numbers = 1;

static int64_t run_user(struct ps_work *work)
{
	return work->fn(work->handle.arg);
}

static uint64_t new_number(struct ps_loop *loop)
{
	if (!loop->work_numbers_left) {
		loop->work_number = atomic_fetch_add(&next_numbers, NUMBERS);
		loop->work_numbers_left = NUMBERS;
	}
	loop->work_numbers_left--;
	return loop->work_number++;
}

struct ps_work *work_open(struct ps_loop *loop, enum ps_work_kind kind, uint16_t op,
			  int64_t (*run)(struct ps_work *work), ps_done_fn *done, void *arg)
{
	struct ps_work *work = handle_open(loop, run == run_user ? SLAB_WORK : SLAB_OPERATION, kind == PS_WORK_DNS ? PS_KIND_DNS : PS_KIND_WORK, arg);

	if (!work)
		return NULL;
	work->run = run;
	work->done = done;
	work->parcel.kind = PARCEL_WORK;
	work->probe = (struct probe_work){ .number = new_number(loop), .fn = (uint64_t)(uintptr_t)run,
					   .pid = loop->pid, .kind = (uint16_t)kind, .op = op };
	return work;
}

static void forget(struct ps_work *work)
{
	if (work->handle.slab == SLAB_OPERATION)
		free(work->params.text);
	handle_free(&work->handle);
}

int work_submit(struct ps_work *work)
{
	struct ps_loop *loop = work->handle.loop;

	uint64_t now = clock_now(&loop->clock);
	work->since_ns = now;
	probe_work_submitted(loop->recorder, &work->probe, now, 0);
	handle_activate(&work->handle);
	int err = pool_put(work);
	if (err) {
		probe_work_cancelled(loop->recorder, &work->probe, now, now);
		forget(work);
	}
	return err;
}

void work_deliver(struct parcel *parcel)
{
	struct ps_work *work = container_of(parcel, struct ps_work, parcel);
	struct ps_loop *loop = work->handle.loop;
	uint64_t now = clock_now(&loop->clock);

	if (work->state == WORK_CANCELLED)
		probe_work_cancelled(loop->recorder, &work->probe, now, work->since_ns);
	else
		probe_work_delivered(loop->recorder, &work->probe, now, work->since_ns);
	work->handle.state = HANDLE_CLOSING;
	probe_callback(loop, (void *)work->done, &work->handle, -1, 0, now);
	work->done(work, work->result, work->handle.arg);
	callback_end(loop);
	forget(work);
}

/* It goes through the inbox like a finished one, so done() never runs inside the caller. */
static void deliver_cancelled(struct ps_work *work)
{
	work->state = WORK_CANCELLED;
	work->result = -ECANCELED;
	inbox_put(work->handle.loop, &work->parcel);
}

int ps_work_cancel(struct ps_work *work)
{
	if (!work || !handle_is_open(&work->handle))
		return -EINVAL;
	int err = pool_cancel(work);
	if (!err)
		deliver_cancelled(work);
	return err;
}

static void cancel_lost(struct handle *handle)
{
	struct ps_work *work = container_of(handle, struct ps_work, handle);

	if (!work->arrived)
		deliver_cancelled(work);
}

void works_cancel_lost(struct ps_loop *loop)
{
	/* what the parent's workers had finished is in the inbox; everything else died with them */
	for (struct parcel *parcel = atomic_load(&loop->inbox); parcel; parcel = parcel->next)
		if (parcel->kind == PARCEL_WORK)
			container_of(parcel, struct ps_work, parcel)->arrived = 1;
	handles_each(loop, SLAB_WORK, cancel_lost);
	handles_each(loop, SLAB_OPERATION, cancel_lost);
}

int ps_work_submit(struct ps_loop *loop, struct ps_work **out, int64_t (*fn)(void *arg), ps_done_fn *done, void *arg)
{
	if (!loop || !fn || !done)
		return -EINVAL;
	struct ps_work *work = work_open(loop, PS_WORK_USER, 0, run_user, done, arg);
	if (!work)
		return -ENOMEM;
	work->fn = fn;
	work->probe.fn = (uint64_t)(uintptr_t)fn;
	int err = work_submit(work);
	if (!err && out)
		*out = work;
	return err;
}

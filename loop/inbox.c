/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The inbox: the one way into a loop from other threads and signal handlers.
 *
 * A lock-free stack of parcels (wake-ups, finished jobs) that the loop takes as
 * a whole and turns round, so parcels arrive in the order they were sent.
 * `asleep` is 1 from just before the loop looks into the inbox for the last
 * time until its wait has returned, and while it does not run at all; who sends
 * and finds 1 takes it to 0 and ends the wait: one wake per sleep, and none
 * while the loop is busy.
 */
#include <errno.h>

#include "handles.h"
#include "probe.h"

void inbox_rouse(struct ps_loop *loop)
{
	if (atomic_load(&loop->asleep) && atomic_exchange(&loop->asleep, 0))
		loop->backend->wake(loop->poller);
}

/* Who finds something there leaves the waking to whoever put the first. */
static int put_behind(struct ps_loop *loop, struct parcel *parcel)
{
	struct parcel *first = atomic_load_explicit(&loop->inbox, memory_order_relaxed);

	while (first) {
		parcel->next = first;
		if (atomic_compare_exchange_weak(&loop->inbox, &first, parcel))
			return 1;
	}
	return 0;
}

void inbox_put(struct ps_loop *loop, struct parcel *parcel)
{
	struct parcel *first = NULL;

	if (put_behind(loop, parcel))
		return;
	/* once the parcel is in, the loop may take it and be closed: close waits for us */
	atomic_fetch_add(&loop->senders, 1);
	do
		parcel->next = first;
	while (!atomic_compare_exchange_weak(&loop->inbox, &first, parcel));
	inbox_rouse(loop);
	atomic_fetch_sub(&loop->senders, 1);
}

int inbox_before_wait(struct ps_loop *loop)
{
	atomic_store(&loop->asleep, 1);
	return atomic_load(&loop->inbox) != NULL || atomic_load(&loop->signals) || atomic_load(&loop->stop);
}

static struct parcel *take_all(struct ps_loop *loop)
{
	struct parcel *parcel = NULL, *first;

	if (!atomic_load_explicit(&loop->inbox, memory_order_relaxed))
		return NULL;
	for (first = atomic_exchange(&loop->inbox, NULL); first;) {
		struct parcel *next = first->next;
		first->next = parcel;
		parcel = first;
		first = next;
	}
	return parcel;
}

void inbox_deliver(struct ps_loop *loop)
{
	static void (*const deliver[])(struct parcel *) = {
		[PARCEL_WAKE] = wake_deliver,
		[PARCEL_WORK] = work_deliver,
	};

	for (struct parcel *parcel = take_all(loop), *next; parcel; parcel = next) {
		next = parcel->next;
		deliver[parcel->kind](parcel);
	}
	if (atomic_load_explicit(&loop->signals, memory_order_relaxed))
		signals_deliver(loop);
}

/* ---- wake-ups ---- */

int ps_wake_open(struct ps_loop *loop, struct ps_wake **out, ps_fn *fn, void *arg)
{
	if (!loop || !out || !fn)
		return -EINVAL;
	struct ps_wake *wake = handle_open(loop, SLAB_WAKE, PS_KIND_WAKE, arg);
	if (!wake)
		return -ENOMEM;
	wake->fn = fn;
	wake->parcel.kind = PARCEL_WAKE;
	handle_activate(&wake->handle);
	*out = wake;
	return 0;
}

int ps_wake_send(struct ps_wake *wake)
{
	if (!wake || !handle_is_open(&wake->handle))
		return -EINVAL;
	if (!atomic_load(&wake->sent) && !atomic_exchange(&wake->sent, 1))
		inbox_put(wake->handle.loop, &wake->parcel);
	return 0;
}

void wake_deliver(struct parcel *parcel)
{
	struct ps_wake *wake = container_of(parcel, struct ps_wake, parcel);
	struct ps_loop *loop = wake->handle.loop;

	/* sent is cleared first: what is sent from here on brings another call */
	atomic_store(&wake->sent, 0);
	if (wake->handle.state != HANDLE_OPEN)
		return;
	probe_callback_now(loop, wake->fn, &wake->handle, -1, 0);
	wake->fn(wake->handle.arg);
	callback_end(loop);
}

/* A wake that is closed while its parcel is under way must not be freed before the parcel has arrived. */
static void take_parcel_first(struct handle *handle)
{
	struct ps_wake *wake = container_of(handle, struct ps_wake, handle);

	while (atomic_load(&wake->sent))
		inbox_deliver(handle->loop);
}

int ps_wake_unref(struct ps_wake *wake)
{
	if (!wake || !handle_is_open(&wake->handle))
		return -EINVAL;
	handle_unref(&wake->handle);
	return 0;
}

int ps_wake_close(struct ps_wake *wake)
{
	if (!wake)
		return -EINVAL;
	wake->handle.finish = take_parcel_first;
	return handle_close(&wake->handle);
}

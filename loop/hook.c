/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Idle, prepare and check hooks: functions that run in each iteration.
 *
 * A closed hook stays on its list until the closing phase, so closing any hook
 * from any hook is safe; one that is opened while its phase runs waits for the
 * next iteration.
 */
#include <errno.h>

#include "handles.h"
#include "probe.h"

static const struct {
	enum ps_kind kind;
	enum ps_phase phase;
} hook_kinds[HOOK_COUNT] = {
	[HOOK_IDLE] = { PS_KIND_IDLE, PS_PHASE_IDLE },
	[HOOK_PREPARE] = { PS_KIND_PREPARE, PS_PHASE_PREPARE },
	[HOOK_CHECK] = { PS_KIND_CHECK, PS_PHASE_CHECK },
};

static void unlink_hook(struct handle *handle)
{
	struct ps_check *hook = container_of(handle, struct ps_check, handle);
	struct hooks *hooks = &handle->loop->hooks[hook->phase];

	*(hook->before ? &hook->before->next : &hooks->first) = hook->next;
	*(hook->next ? &hook->next->before : &hooks->last) = hook->before;
}

static int open_hook(struct ps_loop *loop, struct ps_check **out, ps_fn *fn, void *arg, enum hook_phase phase)
{
	if (!loop || !out || !fn)
		return -EINVAL;
	struct ps_check *hook = handle_open(loop, SLAB_HOOK, hook_kinds[phase].kind, arg);
	if (!hook)
		return -ENOMEM;
	struct hooks *hooks = &loop->hooks[phase];
	hook->fn = fn;
	hook->phase = (uint8_t)phase;
	hook->handle.finish = unlink_hook;
	hook->before = hooks->last;
	*(hooks->last ? &hooks->last->next : &hooks->first) = hook;
	hooks->last = hook;
	hooks->count++;
	handle_activate(&hook->handle);
	*out = hook;
	return 0;
}

int ps_idle_open(struct ps_loop *loop, struct ps_check **hook, ps_fn *fn, void *arg)
{
	return open_hook(loop, hook, fn, arg, HOOK_IDLE);
}

int ps_prepare_open(struct ps_loop *loop, struct ps_check **hook, ps_fn *fn, void *arg)
{
	return open_hook(loop, hook, fn, arg, HOOK_PREPARE);
}

int ps_check_open(struct ps_loop *loop, struct ps_check **hook, ps_fn *fn, void *arg)
{
	return open_hook(loop, hook, fn, arg, HOOK_CHECK);
}

int ps_check_unref(struct ps_check *hook)
{
	if (!hook || !handle_is_open(&hook->handle))
		return -EINVAL;
	handle_unref(&hook->handle);
	return 0;
}

int ps_check_close(struct ps_check *hook)
{
	int err = hook ? handle_close(&hook->handle) : -EINVAL;

	if (!err)
		hook->handle.loop->hooks[hook->phase].count--;
	return err;
}

void hooks_run(struct ps_loop *loop, enum hook_phase phase)
{
	struct hooks *hooks = &loop->hooks[phase];
	struct ps_check *last = hooks->last;

	if (!hooks->count)
		return;
	if (loop->phase != hook_kinds[phase].phase)
		probe_phase_now(loop, hook_kinds[phase].phase);
	for (struct ps_check *hook = hooks->first; hook; hook = hook->next) {
		if (hook->handle.state == HANDLE_OPEN) {
			probe_callback_now(loop, hook->fn, &hook->handle, -1, 0);
			hook->fn(hook->handle.arg);
			callback_end(loop);
		}
		if (hook == last)
			break;
	}
}

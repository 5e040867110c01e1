/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Stalls: busy slices at least config.stall_ns long. One is open from the
 * moment a record shows that the slice has passed the threshold, and is judged
 * again at every CLOCK, so a view can show it while it lasts. The model owns
 * stalls in order of id; the oldest closed one makes room.
 */
#include "model_own.h"

#include <stdlib.h>
#include <string.h>

#define HELD_LEAST_NS 1000000ull  /* a timer is due within the millisecond that it names */

const struct slice_sums sums_unknown = { PS_UNKNOWN, PS_UNKNOWN, PS_UNKNOWN };

struct stall *stall_find(const struct model_own *model, uint64_t id)
{
	size_t low = 0, high = model->pub.stall_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (model->pub.stalls[middle]->id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low < model->pub.stall_count && model->pub.stalls[low]->id == id ? model->pub.stalls[low] : NULL;
}

static void take_out(struct model_own *model, size_t at)
{
	free(model->pub.stalls[at]);
	if (at == 0)
		model->pub.stalls++;
	else
		memmove(&model->pub.stalls[at], &model->pub.stalls[at + 1],
			(model->pub.stall_count - at - 1) * sizeof(*model->pub.stalls));
	model->pub.stall_count--;
}

/* Room for one more at the end of the list. 0, or -1: all that are kept are open, or no memory. */
static int make_room(struct model_own *model)
{
	if (model->pub.stall_count >= model->pub.config.max_stalls) {
		size_t at = 0;
		while (at < model->pub.stall_count && model->pub.stalls[at]->open)
			at++;
		if (at == model->pub.stall_count)
			return -1;
		take_out(model, at);
	}
	size_t taken = model->stall_base ? (size_t)(model->pub.stalls - model->stall_base) : 0;
	if (taken && taken + model->pub.stall_count >= model->stall_room) {
		memmove(model->stall_base, model->pub.stalls, model->pub.stall_count * sizeof(*model->pub.stalls));
		taken = 0;
	}
	if (array_room(model, &model->stall_base, &model->stall_room, taken + model->pub.stall_count,
		       sizeof(*model->stall_base)))
		return -1;
	model->pub.stalls = model->stall_base + taken;
	return 0;
}

static struct stall *stall_open(struct model_own *model, struct loop_own *loop)
{
	struct stall *stall = make_room(model) ? NULL : calloc(1, sizeof(*stall));
	if (!stall) {
		model->pub.dropped++;
		return NULL;
	}
	stall->id = ++model->next_stall;
	stall->loop = &loop->pub;
	stall->start_ns = loop->slice_ns;
	stall->open = 1;
	stall->at_attach = loop->slice_at_attach;
	stall->phase = -1;
	stall->syscall = -1;
	stall->callback_fd = -1;
	stall->syscall_path = stall->other_task = "";
	stall->throttled_ns = stall->lock_ns = stall->fault_ns = stall->stopped_ns = PS_UNKNOWN;
	stall->held_fds = stall->held_timers = stall->held_longest_ns = PS_UNKNOWN;
	model->pub.stalls[model->pub.stall_count++] = stall;
	loop->stall = stall;
	loop->pub.open_stall = stall;
	loop->pub.stalls++;
	struct slot *slot = loop_slot(loop, model->pub.now_ns);
	if (slot)
		slot->stalls++;
	return stall;
}

static int by_count(const void *a, const void *b)
{
	const struct stall_stack *x = a, *y = b;
	const struct stack_own *s = (const struct stack_own *)x->stack, *t = (const struct stack_own *)y->stack;
	if (x->count != y->count)
		return x->count < y->count ? 1 : -1;
	if (s->pub.count != t->pub.count) /* a longer chain tells more */
		return s->pub.count < t->pub.count ? 1 : -1;
	return s->shape < t->shape ? -1 : s->shape > t->shape;
}

static int longest_phase(const struct loop_own *loop, uint64_t now_ns)
{
	const struct gather *gather = &loop->gather;
	int longest = -1;
	uint64_t best = 0;
	uint32_t votes = 0;
	for (int i = 0; i < PS_PHASE_COUNT; i++) {
		uint64_t ns = loop->gather.phase_ns[i];
		if (i == loop->pub.phase && loop->pub.state == LOOP_BUSY)
			ns += minus(now_ns, most(loop->phase_since_ns, loop->slice_ns));
		if (ns > best) {
			best = ns;
			longest = i;
		}
	}
	for (int i = 0; i < PS_PHASE_COUNT && !best; i++)
		if (gather->phase_votes[i] > votes) {
			votes = gather->phase_votes[i];
			longest = i;
		}
	return longest;
}

static void take_evidence(const struct model_own *model, struct loop_own *loop, struct stall *stall, uint64_t now_ns)
{
	const struct gather *gather = &loop->gather;
	stall->lossy = loop->slice_lossy;
	stall->phase = longest_phase(loop, now_ns);
	stall->gc_ns = loop->pub.gc_count ? gather->gc_ns : PS_UNKNOWN;
	stall->samples = gather->samples;
	stall->stack_count = gather->stack_count;
	memcpy(stall->stacks, gather->stacks, sizeof(stall->stacks));
	qsort(stall->stacks, stall->stack_count, sizeof(*stall->stacks), by_count);
	const struct blocked_call *call = gather_longest_call(gather);
	if (call) {
		stall->syscall = call->syscall;
		stall->syscall_ns = call->ns ? call->ns : call->proc_ns;
		stall->syscall_path = call->path;
		memcpy(stall->syscall_args, call->args, sizeof(call->args));
	}
	stall->other_task = gather->other ? gather->other : "";
	const struct callback_sum callback = gather_longest_callback(loop, now_ns);
	if (callback.ns) {
		stall->callback_fn = callback.fn;
		stall->callback_ns = callback.ns;
		stall->callback_calls = callback.calls;
		stall->callback_kind = callback.kind;
		stall->callback_fd = callback.fd;
		stall->callback = callback.fn ? model_symbol(&model->pub, loop->pub.pid, callback.fn) : NULL;
	}
}

static void judge(struct model_own *model, struct loop_own *loop, struct stall *stall, uint64_t end_ns,
		  const struct slice_sums *sums)
{
	stall->duration_ns = minus(end_ns, stall->start_ns);
	take_evidence(model, loop, stall, end_ns);
	stall_shares(model, loop, stall, sums);
	stall_judge(model, loop, stall);
	stall_blame(model, loop, stall);
	stall_judge_own(model, loop, stall);
}

void stall_watch(struct model_own *model, struct loop_own *loop, uint64_t now_ns)
{
	if (loop->stall || loop->pub.state != LOOP_BUSY || minus(now_ns, loop->slice_ns) < model->pub.config.stall_ns ||
	    turns_served(model, loop))
		return;
	struct stall *stall = stall_open(model, loop);
	if (stall)
		judge(model, loop, stall, now_ns, &sums_unknown);
}

/* The timers that were due before now, of those that were read while the slice lasted. */
static void timers_held_up(const struct loop_own *loop, struct stall *stall, uint64_t now_ns)
{
	uint64_t count = 0;
	if (loop->pub.flags & PS_LOOP_RING || !loop->due_read_ns || loop->due_read_ns < stall->start_ns)
		return;
	for (size_t i = 0; i < loop->due_count; i++) {
		uint64_t waited = minus(now_ns, most(loop->due_ns[i], stall->start_ns));
		if (waited < HELD_LEAST_NS)
			continue;
		count++;
		if (stall->held_longest_ns == PS_UNKNOWN || waited > stall->held_longest_ns)
			stall->held_longest_ns = waited;
	}
	stall->held_timers = count;
}

void stall_refresh(struct model_own *model, struct loop_own *loop, uint64_t now_ns)
{
	if (!loop->stall)
		return;
	judge(model, loop, loop->stall, now_ns, &sums_unknown);
	timers_held_up(loop, loop->stall, now_ns);
}

void stall_close(struct model_own *model, struct loop_own *loop, uint64_t end_ns, const struct slice_sums *sums)
{
	uint64_t ns = minus(end_ns, loop->slice_ns);
	if (ns < model->pub.config.stall_ns || turns_served(model, loop)) {
		stall_drop(model, loop); /* if there is one: a CLOCK had run ahead of the loop's own records */
		return;
	}
	loop->pub.stall_total_ns += ns;
	loop->pub.stall_max_ns = most(loop->pub.stall_max_ns, ns);
	hist_add(&loop->pub.stall, ns);
	struct stall *stall = loop->stall ? loop->stall : stall_open(model, loop);
	if (!stall) {
		loop->pub.stalls++;
		return;
	}
	judge(model, loop, stall, end_ns, sums);
	stall->open = 0;
	loop->stall = NULL;
	loop->pub.open_stall = NULL;
	loop->last_stall_id = stall->id;
	loop->last_stall_end_ns = end_ns;
	loop->last_stall_polls = 0;
	stall->held_fds = loop->gather.held_fds; /* what was ready meanwhile is seen when the loop comes back */
	if (loop->pub.flags & PS_LOOP_RING)
		stall->held_timers = loop->gather.held_timers;
	if (loop->gather.held_ns)
		stall->held_longest_ns = loop->gather.held_ns;
	timers_held_up(loop, stall, end_ns);
	culprit_count(model, stall);
}

void stall_drop(struct model_own *model, struct loop_own *loop)
{
	if (!loop->stall)
		return;
	for (size_t i = model->pub.stall_count; i-- > 0;) {
		if (model->pub.stalls[i] != loop->stall)
			continue;
		take_out(model, i);
		break;
	}
	loop->stall = NULL;
	loop->pub.open_stall = NULL;
	loop->pub.stalls--;
}

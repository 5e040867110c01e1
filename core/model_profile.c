/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the busy time went, by sampling: each sample of a busy loop counts for
 * one function and one phase.
 *
 * The function is the user's own innermost one where the stack has scripts,
 * else the innermost that can be blamed. The phase is told by the function of
 * libuv that stands on the stack; loops that tell their phases themselves are
 * not guessed at.
 */
#include "model_own.h"

#include <string.h>

/* Functions that run one phase of a loop each. */
static const struct {
	const char *name;
	int phase;
} phase_functions[] = {
	{ "uv__run_timers", PS_PHASE_TIMERS },     { "uv__run_pending", PS_PHASE_PENDING },
	{ "uv__run_idle", PS_PHASE_IDLE },         { "uv__run_prepare", PS_PHASE_PREPARE },
	{ "uv__io_poll", PS_PHASE_POLL },          { "uv__run_check", PS_PHASE_CHECK },
	{ "uv__run_closing_handles", PS_PHASE_CLOSING },
	{ "processTimeEvents", PS_PHASE_TIMERS },  { "ngx_event_expire_timers", PS_PHASE_TIMERS },
	{ "event_process_active", PS_PHASE_POLL },
};

int frame_phase(const char *name)
{
	for (size_t i = 0; i < sizeof(phase_functions) / sizeof(phase_functions[0]); i++)
		if (!strcmp(name, phase_functions[i].name))
			return phase_functions[i].phase;
	return -1;
}

/* The outermost one: a callback may run a loop of its own. */
static int phase_of(const struct stack *stack)
{
	int outermost = -1;
	for (; stack->count; stack = stack->outer) {
		int phase = (int)((const struct frame_own *)stack->frame)->phase;
		outermost = phase >= 0 ? phase : outermost;
	}
	return outermost;
}

static const struct frame *function_of(const struct stack *stack)
{
	const struct stack *user = stack_user(stack);
	return user->count ? user->frame : stack_blamed(stack);
}

static uint64_t mix(uint64_t hash, const char *text)
{
	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * 0x100000001b3ull; /* FNV-1a */
	return (hash ^ 0xff) * 0x100000001b3ull;
}

static struct profile_row *find_row(struct model_own *model, struct loop_own *loop, const struct frame *frame, int phase)
{
	uint64_t hash = 0xcbf29ce484222325ull + (uint64_t)(phase + 1);
	hash = frame ? mix(mix(mix(hash, frame->name), frame->file), *frame->name ? "" : frame->module) : hash;
	uint64_t at = table_get(&loop->profile_index, hash);
	if (at)
		return &loop->pub.profile[at - 1];
	if (loop->pub.profile_count >= MAX_PROFILE || model->stats >= MAX_STATS) {
		model->pub.dropped++;
		return NULL;
	}
	if (array_room(model, &loop->pub.profile, &loop->profile_room, loop->pub.profile_count, sizeof(*loop->pub.profile)))
		return NULL;
	if (table_put(&loop->profile_index, hash, loop->pub.profile_count + 1)) {
		model->out_of_memory = 1;
		return NULL;
	}
	model->stats++;
	struct profile_row *row = &loop->pub.profile[loop->pub.profile_count++];
	*row = (struct profile_row){ .frame = frame, .phase = phase };
	return row;
}

void profile_add(struct model_own *model, struct loop_own *loop, const struct stack *stack, uint64_t ns)
{
	int tells = (loop->pub.flags & PS_LOOP_PHASES) != 0;
	int phase = tells ? loop->pub.phase : stack ? phase_of(stack) : -1;
	loop->pub.profile_samples++;
	loop->pub.profile_ns += ns;
	if (!tells && phase >= 0) {
		loop->pub.phases_sampled = 1;
		loop->gather.phase_votes[phase]++;
		loop->pub.phases[phase].count++;
		loop->pub.phases[phase].total_ns += ns;
	}
	struct profile_row *row = find_row(model, loop, stack ? function_of(stack) : NULL, phase);
	if (!row)
		return;
	row->samples++;
	row->ns += ns;
}

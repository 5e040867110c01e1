/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rests of the poll group, where its programs are at system call tracepoints:
 * as long as any of them is attached, every system call of the machine takes a
 * longer way, which costs a saturated server and its clients some hundredths.
 *
 * A loop that counts its own turns (libuv since 1.45) can be followed without:
 * waits that sleep are seen at the scheduler's switches, how often it turned
 * between two looks is read at the tick. So when every loop under watch does,
 * and the machine makes many system calls, the group rests. The rest ends when
 * a slice may become a stall, when a thread comes that may be a loop, and now
 * and then, to see whether there are still as many.
 *
 * Classic tracepoints, with which it begins, take the kernel tens of
 * milliseconds each to leave; the typed ones of all calls come and go at once,
 * but cost those who call much more, so only a group that may rest has them.
 */
#include "bpf_source.h"

#include <errno.h>
#include <string.h>

#include "late_close.h"
#include "poll.skel.h"
#include "turn_places.h"

#define REST_NS 4000000000ull
#define CALLS_MANY 20000u /* a second, of the machine: half a hundredth of a CPU */
#define LOOK_LEAST_NS 30000000ull /* so long they are counted before it is judged */
#define AWAKE_NS 1000000000ull /* at least, after a rest that was broken off */
#define TICKS_PER_STALL 5 /* a threshold below so many ticks needs every wait */

static void put_rest(struct bpf_source *source, uint32_t rest)
{
	const uint32_t zero = 0;

	source->settings.rest = rest;
	bpf_map_update_elem(source->maps.settings, &zero, &source->settings, BPF_ANY);
}

static void end_typed(struct bpf_source *source)
{
	for (int i = 0; i < 2; i++) {
		bpf_link__destroy(source->rest.typed[i]);
		source->rest.typed[i] = NULL;
	}
}

static int begin_typed(struct bpf_source *source)
{
	const struct poll *skeleton = source->groups[PS_PROBE_POLL].skeleton;

	source->rest.typed[0] = bpf_program__attach(skeleton->progs.on_any_exit);
	if (source->rest.typed[0])
		source->rest.typed[1] = bpf_program__attach(skeleton->progs.on_any_enter);
	return source->rest.typed[1] ? 0 : -errno;
}

/* Tells the programs where a loop counts; 1: they know. */
static int place(struct bpf_source *source, struct bpf_thread *thread)
{
	const struct ps_turn_place *found;

	if (thread->has_place || thread->is_quiet || thread->backend != PS_BACKEND_EPOLL)
		return thread->has_place;
	found = turn_places_find(source->context.places, (pid_t)thread->tid, thread->poller_fd);
	thread->has_place = found && !bpf_map_update_elem(source->maps.places, &thread->tid, found, BPF_ANY);
	return thread->has_place;
}

/* 1: all loops can be followed without the group. */
static int may_rest(struct bpf_source *source)
{
	uint32_t placed = 0;

	if (!source->thread_count || source->rest.failed)
		return 0;
	for (size_t i = 0; i < BPF_THREADS && placed < source->thread_count; i++)
		if (source->threads[i].tid && !place(source, &source->threads[i]))
			return 0;
		else
			placed += source->threads[i].tid != 0;
	return 1;
}

/* From classic tracepoints to typed ones: for a moment both tell of each wait, and the second is not heard. */
static void change_over(struct bpf_source *source)
{
	struct bpf_group *group = &source->groups[PS_PROBE_POLL];
	int waits = source->rest.classic;

	source->rest.failed = begin_typed(source);
	if (source->rest.failed) {
		end_typed(source);
		return;
	}
	source->rest.late = late_close_begin(group->links, waits);
	group->link_count -= waits;
	memmove(group->links, group->links + waits, (size_t)group->link_count * sizeof(*group->links));
	source->rest.classic = 0;
	bpf_group_state(group, PS_PROBE_STATE_ON,
			"typed sys_enter and sys_exit; above %u calls/s by the scheduler and the loops' own counts", CALLS_MANY);
}

static void rest(struct bpf_source *source, uint64_t now)
{
	source->rest.number++;
	put_rest(source, source->rest.number);
	end_typed(source);
	source->rest.until_ns = now + REST_NS;
}

static void go_on(struct bpf_source *source, const struct ps_probe_counts *counts, uint64_t now)
{
	source->rest.failed = begin_typed(source);
	if (source->rest.failed) {
		end_typed(source);
		bpf_group_state(&source->groups[PS_PROBE_POLL], PS_PROBE_STATE_FALLBACK,
				"waits by the scheduler and the loops' own counts; after a rest it could not be attached again: %s",
				strerror(-source->rest.failed));
		return;
	}
	put_rest(source, 0);
	source->rest.until_ns = 0;
	source->rest.calls = counts->calls;
	source->rest.counted_ns = now;
}

/* 1: so many calls that the group should rest. */
static int is_much(struct bpf_source *source, const struct ps_probe_counts *counts, uint64_t now)
{
	uint64_t ns = now - source->rest.counted_ns, calls = counts->calls - source->rest.calls;

	if (ns < LOOK_LEAST_NS)
		return 0;
	source->rest.calls = counts->calls;
	source->rest.counted_ns = now;
	return calls * 1000 / (ns / 1000000) > CALLS_MANY;
}

void bpf_rest_drain(struct bpf_source *source, const struct ps_probe_counts *counts, uint64_t now)
{
	int alarmed = counts->alarms != source->rest.alarms;

	if (!source->rest.may)
		return;
	source->rest.alarms = counts->alarms;
	if (source->rest.classic && may_rest(source))
		change_over(source);
	if (source->rest.classic || source->rest.failed)
		return;
	if (alarmed)
		source->rest.awake_ns = now + AWAKE_NS;
	if (source->rest.until_ns && (alarmed || now >= source->rest.until_ns || !may_rest(source)))
		go_on(source, counts, now);
	else if (!source->rest.until_ns && is_much(source, counts, now) && now >= source->rest.awake_ns && may_rest(source))
		rest(source, now);
}

void bpf_rest_forget(struct bpf_source *source, struct bpf_thread *thread)
{
	if (thread->has_place)
		bpf_map_delete_elem(source->maps.places, &thread->tid);
	turn_places_drop(source->context.places, (pid_t)thread->tid);
}

/* Of a program that we launched counts are compared with those of other runs, to the last: every wait is seen. */
void bpf_rest_choose(struct bpf_source *source)
{
	source->rest.may = source->rest.classic && !source->context.options->expect && source->groups[PS_PROBE_SCHED].state == PS_PROBE_STATE_ON &&
			   source->groups[PS_PROBE_SAMPLING].state == PS_PROBE_STATE_ON &&
			   source->settings.sample_ns * TICKS_PER_STALL <= source->settings.stall_ns;
}

void bpf_rest_close(struct bpf_source *source)
{
	end_typed(source);
	late_close_end(source->rest.late);
	source->rest.late = NULL;
}

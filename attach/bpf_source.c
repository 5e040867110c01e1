/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The BPF source: polls, scheduling and samples of loop threads, from any
 * program that waits in epoll, poll or select.
 *
 * Owns the loaded groups, the ring's reader and the table of threads. Nothing
 * wakes us: the ring is emptied at each drain. What did not fit into the ring
 * was counted by the programs and is told as LOST at the next drain, so that
 * received + lost = emitted.
 */
#include "bpf_source.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SWEEP_NS  1000000000ull
#define PROFILE_NS 10000000ull    /* one sample of the profile */
#define SAMPLE_NS_MIN 500000ull
#define LAST_WAIT_NS 200000000ull
#define DRAIN_MAX 400000u  /* records of one drain: memory stays bounded when the target outruns us */

int bpf_counts(const struct bpf_source *source, struct ps_probe_counts *total)
{
	struct ps_probe_counts counts[source->cpus];
	const uint32_t zero = 0;

	memset(total, 0, sizeof(*total));
	int err = bpf_map_lookup_elem(source->maps.counts, &zero, counts);
	for (int i = 0; i < source->cpus && !err; i++) {
		total->sent += counts[i].sent;
		total->lost += counts[i].lost;
		total->copies += counts[i].copies;
		total->calls += counts[i].calls;
		total->phases += counts[i].phases;
		total->alarms += counts[i].alarms;
		for (int group = 0; group < BPF_GROUPS; group++) {
			total->hits[group] += counts[i].hits[group];
			total->pace.spared[group] += counts[i].pace.spared[group];
		}
	}
	return err;
}

static void tell_lost(struct bpf_source *source, const struct ps_probe_counts *counts)
{
	uint64_t lost = counts->lost - source->lost_told;

	if (lost && !stream_lost(source->context.stream, PS_LOST_BPF, lost))
		source->lost_told = counts->lost;
	if (source->put_failed && !stream_lost(source->context.stream, PS_LOST_TOOL, source->put_failed))
		source->put_failed = 0;
}

static void tell_unwind(const struct bpf_source *source, const struct ps_probe_counts *counts)
{
	int works = source->unwind_state == PS_PROBE_STATE_ON;

	stream_probe(source->context.stream, PS_PROBE_UNWIND, source->unwind_state, source->unwind_reason,
		     works ? counts->copies : PS_UNKNOWN, PS_UNKNOWN);
}

/* A group that could not afford all the stacks it wanted works, but not as it should. */
static void tell_group(struct bpf_source *source, enum ps_probe_group which, const struct ps_probe_counts *counts)
{
	const struct bpf_group *group = &source->groups[which];
	int works = group->state == PS_PROBE_STATE_ON || group->state == PS_PROBE_STATE_FALLBACK;
	uint64_t spared = works ? counts->pace.spared[which] : 0;
	char reason[BPF_REASON + 96 + sizeof(source->phases_reason)];
	int length = snprintf(reason, sizeof(reason), "%s", group->reason);

	if (works && which == PS_PROBE_POLL && *source->phases_reason)
		length += snprintf(reason + length, sizeof(reason) - (size_t)length, "; %s", source->phases_reason);
	if (works && which == PS_PROBE_SAMPLING && *source->python_reason)
		length += snprintf(reason + length, sizeof(reason) - (size_t)length, "; %s", source->python_reason);
	if (spared)
		snprintf(reason + length, sizeof(reason) - (size_t)length,
			 "; %llu stacks left out, which would have taken more than a tenth of a CPU", (unsigned long long)spared);
	stream_probe(source->context.stream, which, spared ? PS_PROBE_STATE_FALLBACK : group->state, reason,
		     works ? counts->hits[which] : PS_UNKNOWN, works ? bpf_group_cost(group) : PS_UNKNOWN);
}

static void tell_groups(struct bpf_source *source, const struct ps_probe_counts *counts)
{
	for (int i = 0; i < BPF_GROUPS; i++)
		tell_group(source, i, counts);
	tell_unwind(source, counts);
}

static int is_raw(const struct ps_record *record, size_t bytes)
{
	return (record->event == PS_RAW_OFFCPU || record->event == PS_RAW_SAMPLE) &&
	       bytes >= offsetof(struct ps_raw, user);
}

static int is_raw_with_stack(const struct ps_record *record, size_t bytes)
{
	return (record->event == (PS_RAW_OFFCPU | PS_RAW_WITH_STACK) || record->event == (PS_RAW_SAMPLE | PS_RAW_WITH_STACK)) &&
	       bytes >= offsetof(struct ps_raw_stack, stack);
}

static int take_raw_with_stack(struct bpf_source *source, const void *data, size_t bytes)
{
	static struct ps_raw_stack copy;

	memcpy(&copy, data, bytes < sizeof(copy) ? bytes : sizeof(copy));
	copy.raw.h.event &= (uint16_t)~PS_RAW_WITH_STACK;
	if (copy.bytes > sizeof(copy.stack) || offsetof(struct ps_raw_stack, stack) + copy.bytes > bytes)
		return -EINVAL;
	return bpf_raw_put(source, &copy.raw, &copy);
}

static int is_quiet(struct bpf_source *source, uint32_t tid)
{
	const struct bpf_thread *thread = bpf_thread_find(source, tid);

	return thread && thread->is_quiet;
}

static int take_record(void *arg, void *data, size_t bytes)
{
	struct bpf_source *source = arg;
	const struct ps_record *record = data;
	int err = -EINVAL;

	source->received++;
	if (bytes < sizeof(*record) || record->size > bytes) {
		source->put_failed++;
		return 0;
	}
	if (is_raw(record, bytes)) {
		struct ps_raw raw = { 0 };

		memcpy(&raw, data, record->size < sizeof(raw) ? record->size : sizeof(raw));
		err = bpf_raw_put(source, &raw, NULL);
	} else if (is_raw_with_stack(record, bytes)) {
		err = take_raw_with_stack(source, data, record->size);
	} else if (record->event == PS_EV_POLL_ENTER || record->event == PS_EV_POLL_RETURN) {
		/* both begin with the poller */
		const struct ps_ev_poll_return *poll = data;

		bpf_thread_tell(source, record->tid, poll->poller_fd, record->ts);
		err = is_quiet(source, record->tid) ? 0 : stream_put(source->context.stream, record);
	} else if (record->event == PS_RAW_END) {
		bpf_thread_end(source, record->tid, record->ts);
		err = 0;
	} else if (record->event == PS_EV_PHASE) {
		err = source->phases_taken ? 0 : stream_put(source->context.stream, record);
	}
	source->put_failed += !!err;
	return ++source->drained < DRAIN_MAX ? 0 : -EAGAIN;
}

static int watch_process(const struct bpf_source *source, uint32_t pid, uint32_t flags)
{
	bpf_poll_admit(source, pid);
	return bpf_map_update_elem(source->maps.processes, &pid, &flags, BPF_ANY);
}

static int watch_processes(const struct bpf_source *source, size_t from)
{
	int err = 0;

	for (size_t i = from; i < source->context.process_count && !err; i++) {
		uint32_t pid = source->context.processes[i].pid;

		err = watch_process(source, pid, bpf_thread_flags(source, pid));
	}
	return err;
}

/* Who is launched is watched before it runs, so that its first wait is seen however short it lives. */
static int watch_expected(const struct bpf_source *source)
{
	const struct attach_options *options = source->context.options;
	int err = 0;

	for (size_t i = 0; options->expect && i < options->pid_count && !err; i++)
		err = watch_process(source, options->pids[i], 0);
	return err;
}

static void choose_settings(struct bpf_source *source)
{
	const struct attach_options *options = source->context.options;

	source->settings = (struct ps_probe_settings){
		.stall_ns = options->stall_ns ? options->stall_ns : 50000000,
		.offcpu_ns = 1000000,
		.sample_ns = 1000000000ull / (options->sample_hz ? options->sample_hz : 199),
	};
	/* five in the second half of the shortest stall */
	if (source->settings.sample_ns > source->settings.stall_ns / 10)
		source->settings.sample_ns = source->settings.stall_ns / 10;
	if (source->settings.sample_ns < SAMPLE_NS_MIN)
		source->settings.sample_ns = SAMPLE_NS_MIN;
}

static int put_settings(struct bpf_source *source)
{
	const uint32_t zero = 0;

	source->settings.profile_ticks = (PROFILE_NS + source->settings.sample_ns / 2) / source->settings.sample_ns;
	source->settings.with_sched = source->groups[PS_PROBE_SCHED].state == PS_PROBE_STATE_ON;
	return bpf_map_update_elem(source->maps.settings, &zero, &source->settings, BPF_ANY);
}

static int begin(struct bpf_source *source)
{
	int err = put_settings(source);

	if (err)
		return err;
	err = tap_open(&source->tap, source->maps.ring, take_record, source);
	if (err)
		return err;
	bpf_runtimes_walk(source, 0);
	err = watch_expected(source);
	if (!err)
		err = watch_processes(source, 0);
	if (!err)
		bpf_threads_seed(source, 0);
	if (!err)
		bpf_phases_open(source, 0);
	return err;
}

/*
 * Ends all measuring at one moment: detaching takes a good part of a second,
 * and what half of the probes would tell meanwhile would be wrong.
 */
static void silence(struct bpf_source *source)
{
	for (size_t i = 0; i < source->context.process_count; i++) {
		uint32_t pid = source->context.processes[i].pid;

		bpf_map_delete_elem(source->maps.processes, &pid);
	}
	for (size_t i = 0; i < BPF_THREADS; i++)
		if (source->threads[i].tid)
			bpf_map_delete_elem(source->maps.threads, &source->threads[i].tid);
}

/* All that was sent has come when the two counts agree. */
static void take_the_rest(struct bpf_source *source, struct ps_probe_counts *counts)
{
	uint64_t end = stream_now() + LAST_WAIT_NS;

	do {
		source->drained = 0;
		if (tap_consume(&source->tap) < 0 && source->drained < DRAIN_MAX)
			break;
		if (bpf_counts(source, counts))
			break;
	} while (source->received < counts->sent && stream_now() < end);
}

static void bpf_close(void *state)
{
	struct bpf_source *source = state;
	struct ps_probe_counts counts = { 0 };

	if (source->tap.ring) {
		silence(source);
		take_the_rest(source, &counts);
		tell_lost(source, &counts);
		tell_groups(source, &counts);
	}
	tap_close(&source->tap);
	bpf_phases_close(source);
	bpf_rest_close(source);
	bpf_groups_unload(source);
	bpf_runtimes_close(source);
	free(source->timers);
	free(source);
}

static int bpf_open(void **state, const struct source_context *context)
{
	struct bpf_source *source = calloc(1, sizeof(*source));
	struct ps_probe_counts none = { 0 };
	int err;

	if (!source)
		return -ENOMEM;
	source->context = *context;
	source->cpus = libbpf_num_possible_cpus();
	source->timers = calloc(source->cpus > 0 ? (size_t)source->cpus : 1, sizeof(*source->timers));
	choose_settings(source);
	err = source->timers ? bpf_runtimes_open(source) : -ENOMEM;
	if (err) {
		bpf_runtimes_close(source);
		free(source->timers);
		free(source);
		return err;
	}
	bpf_groups_load(source);
	err = source->groups[PS_PROBE_POLL].state == PS_PROBE_STATE_ON ? 0 : -ENOSYS;
	if (!err)
		err = begin(source);
	if (!err)
		bpf_rest_choose(source);
	source->swept_ns = stream_now();
	tell_groups(source, &none);
	if (err) {
		tap_close(&source->tap);
		bpf_close(source);
		return err;
	}
	*state = source;
	return 0;
}

/* The programs were loaded without V8's stacks where no process ran it, and none was expected to come. */
static int load_v8(struct bpf_source *source)
{
	const struct attach_options *options = source->context.options;

	if (source->with_v8 || options->expect || options->follow)
		return 0;
	bpf_groups_with_v8(source);
	return put_settings(source);
}

static int bpf_adopt(void *state, const struct source_context *context)
{
	struct bpf_source *source = state;
	size_t processes = source->context.process_count, loops = source->context.loop_count, replaced = source->replaced;
	int err = bpf_runtimes_grow(source, context->process_count);

	if (err)
		return err;
	source->context = *context;
	if (bpf_runtimes_adopt(source, processes))
		err = load_v8(source);
	bpf_runtimes_walk(source, processes);
	if (!err)
		err = watch_processes(source, processes);
	source->replaced = source_replaced(context);
	/* probes stay with a process that becomes another program */
	if (source->replaced != replaced)
		bpf_phases_close(source);
	bpf_phases_open(source, source->replaced != replaced ? 0 : processes);
	if (!err)
		bpf_threads_seed(source, loops);
	return err;
}

static int bpf_has_met(void *state, pid_t pid)
{
	const struct bpf_source *source = state;

	return bpf_threads_met(source, pid);
}

static int bpf_drain(void *state)
{
	struct bpf_source *source = state;
	struct ps_probe_counts counts;
	uint64_t now = stream_now();

	source->drained = 0;
	tap_consume(&source->tap);
	if (bpf_counts(source, &counts))
		return -EIO;
	tell_lost(source, &counts);
	bpf_phases_drain(source, &counts, now);
	bpf_rest_drain(source, &counts, now);
	if (now - source->swept_ns < SWEEP_NS)
		return 0;
	source->swept_ns = now;
	bpf_threads_sweep(source);
	tell_groups(source, &counts);
	return 0;
}

static void bpf_relieve(void *state)
{
	struct bpf_source *source = state;

	tap_relieve(&source->tap);
}

const struct source source_bpf = {
	.name = "bpf",
	.groups = 1u << PS_PROBE_POLL | 1u << PS_PROBE_SCHED | 1u << PS_PROBE_SAMPLING | 1u << PS_PROBE_UNWIND,
	.open = bpf_open,
	.adopt = bpf_adopt,
	.has_met = bpf_has_met,
	.drain = bpf_drain,
	.relieve = bpf_relieve,
	.close = bpf_close,
};

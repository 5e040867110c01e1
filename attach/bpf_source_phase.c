/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Exact phases of libuv loops (--exact-phases): probes at the entries of the
 * functions that run the phases. What is inlined there (pending callbacks, the
 * closing phase) counts to the phase before it. Without these probes phases are
 * estimated from samples.
 *
 * Each hit stops the loop for a microsecond, so a governor watches them. When they
 * are taken back, what follows is of phase "other": it is not known.
 */
#include "bpf_source.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "governor.h"
#include "late_close.h"
#include "libuv.h"
#include "phase.skel.h"
#include "pid_space.h"

static const struct {
	enum libuv_symbol function;
	enum ps_phase phase;
} places[] = {
	{ LIBUV_uv__run_timers, PS_PHASE_TIMERS },   { LIBUV_uv__run_idle, PS_PHASE_IDLE },
	{ LIBUV_uv__run_prepare, PS_PHASE_PREPARE }, { LIBUV_uv__io_poll, PS_PHASE_POLL },
	{ LIBUV_uv__run_check, PS_PHASE_CHECK },
};
#define PLACES (sizeof(places) / sizeof(*places))

struct bpf_phases {
	struct phase *skeleton;
	struct bpf_link *links[BPF_PHASE_LINKS];
	size_t link_count;
	struct governor governor;
	struct late_close *late;
};

static int load(struct bpf_source *source)
{
	struct bpf_phases *phases = calloc(1, sizeof(*phases));
	struct ps_probe_counts counts;
	int err = phases ? 0 : -ENOMEM;

	source->phases = phases;
	if (!err)
		phases->governor.stats_fd = -1;
	if (!err)
		phases->skeleton = phase__open();
	if (!err && !phases->skeleton)
		err = -errno;
	if (err)
		return err;
	PID_SPACE_SET(phases->skeleton);
	err = bpf_share_maps(source, phases->skeleton->obj);
	if (!err)
		err = phase__load(phases->skeleton);
	if (err)
		return err;
	governor_open(&phases->governor, phases->skeleton->obj, GOVERNOR_BUDGET_NS, GOVERNOR_UPROBE_NS);
	/* others may have run before, and their hits are in the same counts */
	bpf_counts(source, &counts);
	governor_hasten(&phases->governor, stream_now(), counts.phases);
	return 0;
}

/* How many functions of this process got a probe. */
static size_t attach_process(struct bpf_phases *phases, pid_t pid)
{
	struct libuv_image image;
	size_t count = 0;

	if (libuv_image_find(&image, pid))
		return 0;
	for (size_t i = 0; i < PLACES && phases->link_count < BPF_PHASE_LINKS; i++) {
		LIBBPF_OPTS(bpf_uprobe_opts, options, .bpf_cookie = places[i].phase);
		uint64_t offset = image.offset[places[i].function];
		struct bpf_link *link = !offset ? NULL
						: bpf_program__attach_uprobe_opts(phases->skeleton->progs.on_phase, pid,
										  image.path, offset, &options);

		if (!link)
			continue;
		phases->links[phases->link_count++] = link;
		count++;
	}
	return count;
}

__attribute__((format(printf, 2, 3))) static void say(struct bpf_source *source, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(source->phases_reason, sizeof(source->phases_reason), format, arguments);
	va_end(arguments);
}

void bpf_phases_open(struct bpf_source *source, size_t first)
{
	size_t count = 0;

	if (!source->context.options->exact_phases || source->groups[PS_PROBE_POLL].state != PS_PROBE_STATE_ON ||
	    source->phases_taken)
		return;
	int err = source->phases ? 0 : load(source);
	for (size_t i = first; i < source->context.process_count && !err; i++)
		if (!source->context.processes[i].is_replaced)
			count += attach_process(source->phases, source->context.processes[i].pid);
	if (*source->phases_reason)
		return;
	if (err)
		say(source, "no exact phases: %s", strerror(-err));
	else if (count)
		say(source, "exact phases at %zu functions of libuv", count);
	else if (source->context.process_count)
		say(source, "no exact phases: the functions of libuv's phases have no names in it");
}

void bpf_phases_close(struct bpf_source *source)
{
	struct bpf_phases *phases = source->phases;

	if (!phases)
		return;
	for (size_t i = 0; i < phases->link_count; i++)
		bpf_link__destroy(phases->links[i]);
	late_close_end(phases->late);
	governor_close(&phases->governor);
	phase__destroy(phases->skeleton);
	free(phases);
	source->phases = NULL;
}

int bpf_phases_tell(const struct bpf_source *source)
{
	return source->phases && source->phases->link_count && !source->phases_taken;
}

/* Of phases as they have been: later ones are not told. */
static void put_other(struct bpf_source *source, uint64_t now)
{
	for (size_t i = 0; i < BPF_THREADS; i++) {
		const struct ps_ev_phase other = {
			.h = { now, source->threads[i].tid, PS_EV_PHASE, sizeof(other) },
			.phase = PS_PHASE_OTHER,
		};

		if (other.h.tid && !source->threads[i].is_quiet)
			source->put_failed += !!stream_put(source->context.stream, &other.h);
	}
}

void bpf_phases_drain(struct bpf_source *source, const struct ps_probe_counts *counts, uint64_t now)
{
	struct bpf_phases *phases = source->phases;

	if (!bpf_phases_tell(source) || !governor_drain(&phases->governor, now, counts->phases))
		return;
	source->phases_taken = 1;
	governor_close(&phases->governor);
	phases->late = late_close_begin(phases->links, (int)phases->link_count);
	phases->link_count = 0;
	put_other(source, stream_now()); /* behind all that came in this drain */
	say(source, "exact phases taken back: %s", phases->governor.why);
}

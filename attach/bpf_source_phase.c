/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Exact phases of libuv loops (--exact-phases): probes at the entries of the
 * functions that run the phases. What is inlined there (pending callbacks, the
 * closing phase) counts to the phase before it. Without these probes phases are
 * estimated from samples.
 */
#include "bpf_source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
};

static int load(struct bpf_source *source)
{
	struct bpf_phases *phases = calloc(1, sizeof(*phases));
	int err = phases ? 0 : -ENOMEM;

	source->phases = phases;
	if (!err)
		phases->skeleton = phase__open();
	if (!err && !phases->skeleton)
		err = -errno;
	if (err)
		return err;
	PID_SPACE_SET(phases->skeleton);
	err = bpf_share_maps(source, phases->skeleton->obj);
	return err ? err : phase__load(phases->skeleton);
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

void bpf_phases_open(struct bpf_source *source, size_t first)
{
	struct bpf_group *group = &source->groups[PS_PROBE_POLL];
	size_t count = 0, length = strlen(group->reason);

	if (!source->context.options->exact_phases || group->state != PS_PROBE_STATE_ON)
		return;
	int err = source->phases ? 0 : load(source);
	for (size_t i = first; i < source->context.process_count && !err; i++)
		if (!source->context.processes[i].is_replaced)
			count += attach_process(source->phases, source->context.processes[i].pid);
	if (strstr(group->reason, "phases"))
		return;
	if (err)
		snprintf(group->reason + length, sizeof(group->reason) - length, "; no exact phases: %s",
			 strerror(-err));
	else if (count)
		snprintf(group->reason + length, sizeof(group->reason) - length,
			 "; exact phases at %zu functions of libuv", count);
	else if (source->context.process_count)
		snprintf(group->reason + length, sizeof(group->reason) - length,
			 "; no exact phases: the functions of libuv's phases have no names in it");
}

void bpf_phases_close(struct bpf_source *source)
{
	struct bpf_phases *phases = source->phases;

	if (!phases)
		return;
	for (size_t i = 0; i < phases->link_count; i++)
		bpf_link__destroy(phases->links[i]);
	phase__destroy(phases->skeleton);
	free(phases);
	source->phases = NULL;
}

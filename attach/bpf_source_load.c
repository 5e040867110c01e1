/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Loading the BPF programs, one object per probe group, so that what a kernel
 * refuses costs one group and not the tool.
 *
 * The poll group makes the maps, the others are given the same ones. Links and
 * timers are descriptors of this process and nothing is pinned: the kernel
 * takes everything back when we end, however we end.
 */
#include "bpf_source.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "pid_space.h"
#include "sample.skel.h"
#include "sched.skel.h"
#include "tick.h"

static int perf_event_open(struct perf_event_attr *attr, pid_t pid, int cpu)
{
	int fd = syscall(SYS_perf_event_open, attr, pid, cpu, -1, PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int bpf_group_keep(struct bpf_group *group, struct bpf_link *link)
{
	if (!link)
		return -errno;
	group->links[group->link_count++] = link;
	return 0;
}

static void destroy_sched(void *skeleton)
{
	sched__destroy(skeleton);
}

static void destroy_sample(void *skeleton)
{
	sample__destroy(skeleton);
}

void bpf_group_unload(struct bpf_group *group)
{
	for (int i = 0; i < group->link_count; i++)
		bpf_link__destroy(group->links[i]);
	group->link_count = 0;
	if (group->skeleton)
		group->destroy(group->skeleton);
	group->skeleton = NULL;
	group->object = NULL;
}

int bpf_share_maps(const struct bpf_source *source, struct bpf_object *object)
{
	const struct {
		const char *name;
		int fd;
	} shared[] = {
		{ "ring", source->maps.ring },	     { "processes", source->maps.processes },
		{ "threads", source->maps.threads }, { "filter", source->maps.filter },
		{ "settings", source->maps.settings }, { "counts", source->maps.counts },
		{ "v8", source->maps.v8 },	     { "python", source->maps.python },
		{ "stacks", source->maps.stacks },
		{ "places", source->maps.places },
	};

	for (size_t i = 0; i < sizeof(shared) / sizeof(*shared); i++) {
		struct bpf_map *map = bpf_object__find_map_by_name(object, shared[i].name);
		int err = map ? bpf_map__reuse_fd(map, shared[i].fd) : 0;

		if (err)
			return err;
	}
	return 0;
}

static void set_path_arguments(uint8_t arguments[PS_SYSCALLS])
{
	for (uint32_t number = 0; number < PS_SYSCALLS; number++)
		arguments[number] = proc_syscall_path_argument(number) + 1;
}

static int load_sched(struct bpf_source *source)
{
	struct bpf_group *group = &source->groups[PS_PROBE_SCHED];
	struct sched *skeleton = sched__open();

	if (!skeleton)
		return -errno;
	PID_SPACE_SET(skeleton);
	skeleton->rodata->cfg_v8 = source->with_v8;
	skeleton->rodata->cfg_python = source->with_python;
	skeleton->rodata->cfg_unwind = source->with_unwind;
	set_path_arguments((uint8_t *)skeleton->rodata->cfg_path_argument);
	group->destroy = destroy_sched;
	group->skeleton = skeleton;
	group->object = skeleton->obj;
	int err = bpf_share_maps(source, skeleton->obj);
	if (!err)
		err = sched__load(skeleton);
	return err;
}

static int attach_sched(struct bpf_source *source)
{
	struct bpf_group *group = &source->groups[PS_PROBE_SCHED];
	struct sched *skeleton = group->skeleton;
	int err = bpf_group_keep(group, bpf_program__attach(skeleton->progs.on_switch));

	return err ? err : bpf_group_keep(group, bpf_program__attach(skeleton->progs.on_wakeup));
}

static int load_sampling(struct bpf_source *source)
{
	struct bpf_group *group = &source->groups[PS_PROBE_SAMPLING];
	struct sample *skeleton = sample__open();

	if (!skeleton)
		return -errno;
	PID_SPACE_SET(skeleton);
	skeleton->rodata->cfg_v8 = source->with_v8;
	skeleton->rodata->cfg_python = source->with_python;
	skeleton->rodata->cfg_unwind = source->with_unwind;
	set_path_arguments((uint8_t *)skeleton->rodata->cfg_path_argument);
	group->destroy = destroy_sample;
	group->skeleton = skeleton;
	group->object = skeleton->obj;
	skeleton->rodata->cfg_jiffies = source->jiffies ? source->jiffies : 1;
	bpf_program__set_autoload(skeleton->progs.on_timer, !source->jiffies);
	bpf_program__set_autoload(skeleton->progs.on_tick, source->jiffies > 0);
	int err = bpf_share_maps(source, skeleton->obj);
	return err ? err : sample__load(skeleton);
}

void bpf_group_state(struct bpf_group *group, enum ps_probe_state state, const char *format, ...)
{
	va_list arguments;

	group->state = state;
	va_start(arguments, format);
	vsnprintf(group->reason, sizeof(group->reason), format, arguments);
	va_end(arguments);
}

void bpf_group_missing(struct bpf_group *group, int err)
{
	bpf_group_unload(group);
	if (err == -EPERM || err == -EACCES)
		bpf_group_state(group, PS_PROBE_STATE_MISSING,
				"not permitted: run as root, or with CAP_BPF and CAP_PERFMON");
	else if (access("/sys/kernel/btf/vmlinux", R_OK))
		bpf_group_state(group, PS_PROBE_STATE_MISSING, "this kernel has no BTF (CONFIG_DEBUG_INFO_BTF)");
	else
		bpf_group_state(group, PS_PROBE_STATE_MISSING, "this kernel refuses the programs: %s", strerror(-err));
}

int bpf_group_wanted(struct bpf_source *source, enum ps_probe_group which)
{
	struct bpf_group *group = &source->groups[which];
	const struct attach_options *options = source->context.options;
	struct pid_space own;

	if (options->no_bpf)
		bpf_group_state(group, PS_PROBE_STATE_OFF, "switched off by --no-bpf");
	else if (options->without >> which & 1)
		bpf_group_state(group, PS_PROBE_STATE_OFF, "switched off by --without");
	else if (which != PS_PROBE_POLL && source->groups[PS_PROBE_POLL].state != PS_PROBE_STATE_ON)
		bpf_group_state(group, PS_PROBE_STATE_MISSING, "needs the poll probe");
	else if (pid_space_find(&own))
		bpf_group_state(group, PS_PROBE_STATE_MISSING,
				"in a PID namespace, and this kernel does not tell which: run on the host");
	else
		return 1;
	return 0;
}

/* Copies of stacks and the walks over V8's and Python's need more of the kernel than the rest: without them names are lost, not the group. */
static int load_with_or_without(struct bpf_source *source, enum ps_probe_group which, int (*load)(struct bpf_source *source))
{
	int err = load(source);

	if (err && source->with_python) {
		bpf_group_unload(&source->groups[which]);
		source->with_python = 0;
		err = load(source);
	}
	if (err && source->with_unwind) {
		bpf_group_unload(&source->groups[which]);
		source->with_unwind = 0;
		source->unwind_state = PS_PROBE_STATE_MISSING;
		source->unwind_reason = "this kernel refuses to copy stacks: callers are found by frame pointers only";
		err = load(source);
	}
	if (err && source->with_v8) {
		bpf_group_unload(&source->groups[which]);
		source->with_v8 = 0;
		err = load(source);
	}
	return err;
}

static void choose_unwind(struct bpf_source *source)
{
	const struct attach_options *options = source->context.options;

	source->unwind_state = PS_PROBE_STATE_OFF;
	source->unwind_reason = "nothing samples";
	if (options->no_bpf || options->without >> PS_PROBE_UNWIND & 1) {
		source->unwind_reason = options->no_bpf ? "switched off by --no-bpf" : "switched off by --without";
		return;
	}
#if defined(__x86_64__)
	source->with_unwind = 1;
#else
	source->unwind_reason = "only on x86-64";
#endif
}

static void try_sched(struct bpf_source *source)
{
	struct bpf_group *group = &source->groups[PS_PROBE_SCHED];

	if (!bpf_group_wanted(source, PS_PROBE_SCHED))
		return;
	int err = load_with_or_without(source, PS_PROBE_SCHED, load_sched);
	if (!err)
		err = attach_sched(source);
	if (err)
		bpf_group_missing(group, err);
	else
		bpf_group_state(group, PS_PROBE_STATE_ON, "sched_switch and sched_wakeup");
}

/*
 * Where the tick cannot be had. One timer per CPU, not per thread: a thread's own is set and taken back at each of its
 * switches, and where it is due before the tick of the scheduler that means to program the clock of the machine. Even so
 * it costs what runs there some hundredths on a virtual machine, whatever the program does.
 */
static int open_timer(const struct bpf_source *source, int cpu)
{
	struct bpf_program *program = ((struct sample *)source->groups[PS_PROBE_SAMPLING].skeleton)->progs.on_timer;
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_period = source->settings.sample_ns,
		.exclude_idle = 1,
	};
	int fd = perf_event_open(&attr, -1, cpu);
	if (fd < 0)
		return fd;
	source->timers[cpu] = bpf_program__attach_perf_event(program, fd);
	if (source->timers[cpu])
		return 0;
	int err = -errno;
	close(fd);
	return err;
}

int bpf_timers_open(struct bpf_source *source)
{
	int count = 0, err = -ENODEV;

	if (!source->groups[PS_PROBE_SAMPLING].object || source->jiffies)
		return 0;
	for (int cpu = 0; cpu < source->cpus; cpu++) {
		int failed = source->timers[cpu] ? 0 : open_timer(source, cpu);

		count += !failed;
		err = failed ? failed : err;
	}
	return count ? 0 : err;
}

static int attach_sampling(struct bpf_source *source)
{
	struct bpf_group *group = &source->groups[PS_PROBE_SAMPLING];
	const struct sample *skeleton = group->skeleton;

	return source->jiffies ? bpf_group_keep(group, bpf_program__attach(skeleton->progs.on_tick)) : bpf_timers_open(source);
}

/* The scheduler's tick, where it is often enough; else timers of our own. */
static void try_sampling(struct bpf_source *source)
{
	struct bpf_group *group = &source->groups[PS_PROBE_SAMPLING];
	uint64_t wanted_ns = source->settings.sample_ns;
	int err = -ENOTSUP;

	if (!bpf_group_wanted(source, PS_PROBE_SAMPLING))
		return;
	for (int by_tick = 1; by_tick >= 0 && err; by_tick--) {
		bpf_group_unload(group);
		source->settings.sample_ns = wanted_ns;
		source->jiffies = by_tick ? tick_find(wanted_ns, &source->settings.sample_ns) : 0;
		if (by_tick && !source->jiffies)
			continue;
		err = by_tick ? load_sampling(source) : load_with_or_without(source, PS_PROBE_SAMPLING, load_sampling);
		if (!err)
			err = attach_sampling(source);
	}
	if (err)
		bpf_group_missing(group, err);
	else
		bpf_group_state(group, PS_PROBE_STATE_ON, "every %.1f ms of CPU time, by %s, once busy for %.0f ms",
				source->settings.sample_ns / 1e6, source->jiffies ? "the scheduler's tick" : "a timer of each CPU",
				source->settings.stall_ns / 2e6);
}

void bpf_groups_load(struct bpf_source *source)
{
	source->maps = (struct bpf_maps){ -1, -1, -1, -1, -1, -1, -1, -1, -1, -1 };
	libbpf_set_print(NULL);
	choose_unwind(source);
	bpf_poll_load(source, !(source->context.options->without >> PS_PROBE_SCHED & 1));
	try_sched(source);
	/* of waits that end without being seen only the scheduler probe tells */
	if (source->by_function && source->groups[PS_PROBE_SCHED].state != PS_PROBE_STATE_ON) {
		bpf_group_unload(&source->groups[PS_PROBE_POLL]);
		bpf_poll_load(source, 0);
	}
	try_sampling(source);
	if (source->with_unwind && (source->groups[PS_PROBE_SCHED].state == PS_PROBE_STATE_ON ||
				    source->groups[PS_PROBE_SAMPLING].state == PS_PROBE_STATE_ON)) {
		source->unwind_state = PS_PROBE_STATE_ON;
		source->unwind_reason = "stacks without frame pointers, copied during stalls and read by .eh_frame";
	}
}

static void unload_timers(struct bpf_source *source)
{
	for (int cpu = 0; cpu < source->cpus; cpu++) {
		bpf_link__destroy(source->timers[cpu]);
		source->timers[cpu] = NULL;
	}
}

void bpf_groups_with_v8(struct bpf_source *source)
{
	unload_timers(source);
	bpf_group_unload(&source->groups[PS_PROBE_SAMPLING]);
	bpf_group_unload(&source->groups[PS_PROBE_SCHED]);
	source->with_v8 = 1;
	try_sched(source);
	try_sampling(source);
}

void bpf_groups_unload(struct bpf_source *source)
{
	unload_timers(source);
	bpf_filter_unmap(source);
	for (int i = BPF_GROUPS - 1; i >= 0; i--)
		bpf_group_unload(&source->groups[i]);
}

uint64_t bpf_group_cost(const struct bpf_group *group)
{
	struct bpf_program *program;
	uint64_t total = 0, runs = 0;

	if (!group->object)
		return PS_UNKNOWN;
	bpf_object__for_each_program(program, group->object) {
		struct bpf_prog_info info = { 0 };
		__u32 size = sizeof(info);

		if (bpf_program__fd(program) < 0 || bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size))
			continue;
		total += info.run_time_ns;
		runs += info.run_cnt;
	}
	return runs ? total : PS_UNKNOWN;
}

void bpf_copy_room(const struct bpf_source *source, uint32_t tid)
{
	static const struct ps_raw_stack empty;

	if (source->with_unwind && source->maps.stacks >= 0)
		bpf_map_update_elem(source->maps.stacks, &tid, &empty, BPF_NOEXIST);
}

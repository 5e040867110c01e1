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
#include "poll.skel.h"
#include "sample.skel.h"
#include "sched.skel.h"
#include "tracefs.h"

/* The waits of a loop, and whether they are tried only when some loop uses them. */
static const struct {
	const char *name;
	int backend;
} waits[] = {
	{ "epoll_wait", PS_BACKEND_EPOLL }, { "epoll_pwait", PS_BACKEND_EPOLL }, { "epoll_pwait2", PS_BACKEND_EPOLL },
	{ "poll", PS_BACKEND_POLL },	    { "ppoll", PS_BACKEND_POLL },	 { "select", PS_BACKEND_SELECT },
	{ "pselect6", PS_BACKEND_SELECT }, { "io_uring_enter", PS_BACKEND_IO_URING },
};
#define WAITS (sizeof(waits) / sizeof(*waits))

static int perf_event_open(struct perf_event_attr *attr, pid_t pid, int cpu)
{
	int fd = syscall(SYS_perf_event_open, attr, pid, cpu, -1, PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static int keep_link(struct bpf_group *group, struct bpf_link *link)
{
	if (!link)
		return -errno;
	group->links[group->link_count++] = link;
	return 0;
}

static int attach_tracepoint(struct bpf_group *group, struct bpf_program *program, int tracefs, const char *name)
{
	int id = tracefs_tracepoint(tracefs, "syscalls", name);

	if (id < 0)
		return id;
	struct perf_event_attr attr = {
		.type = PERF_TYPE_TRACEPOINT, .size = sizeof(attr), .config = id, .sample_period = 1
	};
	int fd = perf_event_open(&attr, -1, 0);
	if (fd < 0)
		return fd;
	int err = keep_link(group, bpf_program__attach_perf_event(program, fd));
	if (err)
		close(fd);
	return err;
}

static int is_used(const struct bpf_source *source, int backend)
{
	/* what comes later may use any of them */
	if (source->context.options->expect || source->context.options->follow)
		return 1;
	for (size_t i = 0; i < source->context.loop_count; i++)
		if (source->context.loops[i].waits_in == (uint32_t)backend)
			return 1;
	return backend == PS_BACKEND_EPOLL;
}

/* The program on_WAIT_enter or on_WAIT_exit. */
static struct bpf_program *wait_program(struct bpf_object *object, const char *wait, const char *side)
{
	char name[48];

	snprintf(name, sizeof(name), "on_%s_%s", wait, side);
	return bpf_object__find_program_by_name(object, name);
}

static void destroy_poll(void *skeleton)
{
	poll__destroy(skeleton);
}

static void destroy_sched(void *skeleton)
{
	sched__destroy(skeleton);
}

static void destroy_sample(void *skeleton)
{
	sample__destroy(skeleton);
}

static void unload(struct bpf_group *group)
{
	for (int i = 0; i < group->link_count; i++)
		bpf_link__destroy(group->links[i]);
	group->link_count = 0;
	if (group->skeleton)
		group->destroy(group->skeleton);
	group->skeleton = NULL;
	group->object = NULL;
}

/* Chooses the programs of one way in, and loads. */
static int load_poll(struct bpf_source *source, int classic)
{
	struct bpf_group *group = &source->groups[PS_PROBE_POLL];
	struct poll *skeleton = poll__open();

	if (!skeleton)
		return -errno;
	group->destroy = destroy_poll;
	group->skeleton = skeleton;
	group->object = skeleton->obj;
	PID_SPACE_SET(skeleton);
	skeleton->rodata->cfg_poll_select = is_used(source, PS_BACKEND_POLL) ||
						is_used(source, PS_BACKEND_SELECT) ||
						is_used(source, PS_BACKEND_IO_URING);
	bpf_program__set_autoload(skeleton->progs.on_any_enter, !classic);
	bpf_program__set_autoload(skeleton->progs.on_any_exit, !classic);
	if (source->context.options->ring_bytes)
		bpf_map__set_max_entries(skeleton->maps.ring, source->context.options->ring_bytes);
	for (size_t i = 0; i < WAITS; i++) {
		int wanted = classic && is_used(source, waits[i].backend);

		bpf_program__set_autoload(wait_program(skeleton->obj, waits[i].name, "enter"), wanted);
		bpf_program__set_autoload(wait_program(skeleton->obj, waits[i].name, "exit"), wanted);
	}
	return poll__load(skeleton);
}

static int attach_wait(struct bpf_group *group, int tracefs, const char *wait)
{
	static const char *const sides[] = { "enter", "exit" };
	int err = 0;

	for (int i = 0; i < 2 && !err; i++) {
		char name[48];

		snprintf(name, sizeof(name), "sys_%s_%s", sides[i], wait);
		err = attach_tracepoint(group, wait_program(group->object, wait, sides[i]), tracefs, name);
	}
	return err;
}

static int attach_classic(struct bpf_source *source)
{
	struct bpf_group *group = &source->groups[PS_PROBE_POLL];
	int tracefs = tracefs_open(), err = 0;

	if (tracefs < 0)
		return tracefs;
	for (size_t i = 0; i < WAITS && !err; i++) {
		if (!is_used(source, waits[i].backend))
			continue;
		err = attach_wait(group, tracefs, waits[i].name);
		/* older kernels and other machines lack some of them */
		if (err == -ENOENT && strcmp(waits[i].name, "epoll_pwait"))
			err = 0;
	}
	close(tracefs);
	return err;
}

static int attach_typed(struct bpf_source *source)
{
	struct bpf_group *group = &source->groups[PS_PROBE_POLL];
	struct poll *skeleton = group->skeleton;
	int err = keep_link(group, bpf_program__attach(skeleton->progs.on_any_exit));

	return err ? err : keep_link(group, bpf_program__attach(skeleton->progs.on_any_enter));
}

static void take_maps(struct bpf_source *source)
{
	const struct poll *skeleton = source->groups[PS_PROBE_POLL].skeleton;

	source->maps = (struct bpf_maps){
		.ring = bpf_map__fd(skeleton->maps.ring),
		.processes = bpf_map__fd(skeleton->maps.processes),
		.threads = bpf_map__fd(skeleton->maps.threads),
		.filter = bpf_map__fd(skeleton->maps.filter),
		.settings = bpf_map__fd(skeleton->maps.settings),
		.counts = bpf_map__fd(skeleton->maps.counts),
		.v8 = bpf_map__fd(skeleton->maps.v8),
		.stacks = bpf_map__fd(skeleton->maps.stacks),
	};
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
		{ "v8", source->maps.v8 },	     { "stacks", source->maps.stacks },
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
	int err = keep_link(group, bpf_program__attach(skeleton->progs.on_switch));

	return err ? err : keep_link(group, bpf_program__attach(skeleton->progs.on_wakeup));
}

static int load_sampling(struct bpf_source *source)
{
	struct bpf_group *group = &source->groups[PS_PROBE_SAMPLING];
	struct sample *skeleton = sample__open();

	if (!skeleton)
		return -errno;
	PID_SPACE_SET(skeleton);
	skeleton->rodata->cfg_v8 = source->with_v8;
	skeleton->rodata->cfg_unwind = source->with_unwind;
	set_path_arguments((uint8_t *)skeleton->rodata->cfg_path_argument);
	group->destroy = destroy_sample;
	group->skeleton = skeleton;
	group->object = skeleton->obj;
	int err = bpf_share_maps(source, skeleton->obj);
	return err ? err : sample__load(skeleton);
}

__attribute__((format(printf, 3, 4)))
static void set_state(struct bpf_group *group, enum ps_probe_state state, const char *format, ...)
{
	va_list arguments;

	group->state = state;
	va_start(arguments, format);
	vsnprintf(group->reason, sizeof(group->reason), format, arguments);
	va_end(arguments);
}

/* What an error means, and what mends it. */
static void set_missing(struct bpf_group *group, int err)
{
	unload(group);
	if (err == -EPERM || err == -EACCES)
		set_state(group, PS_PROBE_STATE_MISSING, "not permitted: run as root, or with CAP_BPF and CAP_PERFMON");
	else if (access("/sys/kernel/btf/vmlinux", R_OK))
		set_state(group, PS_PROBE_STATE_MISSING, "this kernel has no BTF (CONFIG_DEBUG_INFO_BTF)");
	else
		set_state(group, PS_PROBE_STATE_MISSING, "this kernel refuses the programs: %s", strerror(-err));
}

static int is_wanted(struct bpf_source *source, enum ps_probe_group which)
{
	struct bpf_group *group = &source->groups[which];
	const struct attach_options *options = source->context.options;
	struct pid_space own;

	if (options->no_bpf)
		set_state(group, PS_PROBE_STATE_OFF, "switched off by --no-bpf");
	else if (options->without >> which & 1)
		set_state(group, PS_PROBE_STATE_OFF, "switched off by --without");
	else if (which != PS_PROBE_POLL && source->groups[PS_PROBE_POLL].state != PS_PROBE_STATE_ON)
		set_state(group, PS_PROBE_STATE_MISSING, "needs the poll probe");
	else if (pid_space_find(&own))
		set_state(group, PS_PROBE_STATE_MISSING,
			  "in a PID namespace, and this kernel does not tell which: run on the host");
	else
		return 1;
	return 0;
}

static void try_poll(struct bpf_source *source)
{
	struct bpf_group *group = &source->groups[PS_PROBE_POLL];
	int err;

	if (!is_wanted(source, PS_PROBE_POLL))
		return;
	err = load_poll(source, 1);
	if (!err)
		err = attach_classic(source);
	if (!err) {
		set_state(group, PS_PROBE_STATE_ON, "syscall tracepoints");
	} else {
		unload(group);
		err = load_poll(source, 0);
		if (!err)
			err = attach_typed(source);
		if (err) {
			set_missing(group, err);
			return;
		}
		set_state(group, PS_PROBE_STATE_ON, "typed sys_enter and sys_exit: a little more cost per syscall");
	}
	take_maps(source);
}

/* Copies of stacks and the walk over V8's need more of the kernel than the rest: without them names are lost, not the group. */
static int load_with_or_without(struct bpf_source *source, enum ps_probe_group which, int (*load)(struct bpf_source *source))
{
	int err = load(source);

	if (err && source->with_unwind) {
		unload(&source->groups[which]);
		source->with_unwind = 0;
		source->unwind_state = PS_PROBE_STATE_MISSING;
		source->unwind_reason = "this kernel refuses to copy stacks: callers are found by frame pointers only";
		err = load(source);
	}
	if (err && source->with_v8) {
		unload(&source->groups[which]);
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

	if (!is_wanted(source, PS_PROBE_SCHED))
		return;
	int err = load_with_or_without(source, PS_PROBE_SCHED, load_sched);
	if (!err)
		err = attach_sched(source);
	if (err)
		set_missing(group, err);
	else
		set_state(group, PS_PROBE_STATE_ON, "sched_switch and sched_wakeup");
}

/*
 * One timer per CPU, not per thread: a thread's own is set and taken back at each of its switches, and where it is due
 * before the tick of the scheduler that means to program the clock of the machine, microseconds on a virtual one.
 */
static int open_timer(const struct bpf_source *source, int cpu)
{
	struct bpf_program *program = ((struct sample *)source->groups[PS_PROBE_SAMPLING].skeleton)->progs.on_sample;
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

	if (!source->groups[PS_PROBE_SAMPLING].object)
		return 0;
	for (int cpu = 0; cpu < source->cpus; cpu++) {
		int failed = source->timers[cpu] ? 0 : open_timer(source, cpu);

		count += !failed;
		err = failed ? failed : err;
	}
	return count ? 0 : err;
}

static void try_sampling(struct bpf_source *source)
{
	struct bpf_group *group = &source->groups[PS_PROBE_SAMPLING];

	if (!is_wanted(source, PS_PROBE_SAMPLING))
		return;
	int err = load_with_or_without(source, PS_PROBE_SAMPLING, load_sampling);
	if (!err)
		err = bpf_timers_open(source);
	if (err)
		set_missing(group, err);
	else
		set_state(group, PS_PROBE_STATE_ON, "every %.1f ms of CPU time once busy for %.0f ms",
			  source->settings.sample_ns / 1e6, source->settings.stall_ns / 2e6);
}

void bpf_groups_load(struct bpf_source *source)
{
	source->maps = (struct bpf_maps){ -1, -1, -1, -1, -1, -1, -1, -1 };
	libbpf_set_print(NULL);
	choose_unwind(source);
	try_poll(source);
	try_sched(source);
	try_sampling(source);
	if (source->with_unwind && (source->groups[PS_PROBE_SCHED].state == PS_PROBE_STATE_ON ||
				    source->groups[PS_PROBE_SAMPLING].state == PS_PROBE_STATE_ON)) {
		source->unwind_state = PS_PROBE_STATE_ON;
		source->unwind_reason = "stacks without frame pointers, copied during stalls and read by .eh_frame";
	}
}

void bpf_groups_unload(struct bpf_source *source)
{
	for (int cpu = 0; cpu < source->cpus; cpu++)
		bpf_link__destroy(source->timers[cpu]);
	for (int i = BPF_GROUPS - 1; i >= 0; i--)
		unload(&source->groups[i]);
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

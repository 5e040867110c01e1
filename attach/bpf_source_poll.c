/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Loading the poll group in the best way that the kernel has: at the functions
 * of the calls (epoll only; what else a loop waits in is seldom, and goes by
 * classic tracepoints), else by classic tracepoints, else by the typed ones.
 * It makes the maps that all groups share.
 */
#include "bpf_source.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "calls.h"
#include "fentry.h"
#include "pid_space.h"
#include "poll.skel.h"
#include "tracefs.h"

enum way { BY_FUNCTION, BY_TRACEPOINT, BY_TYPED_TRACEPOINT, WAYS };

/* The waits of a loop, and whether they are tried only when some loop uses them. */
static const struct {
	const char *name;
	int backend;
} waits[] = {
	{ "epoll_wait", PS_BACKEND_EPOLL },   { "epoll_pwait", PS_BACKEND_EPOLL },
	{ "epoll_pwait2", PS_BACKEND_EPOLL }, { "poll", PS_BACKEND_POLL },
	{ "ppoll", PS_BACKEND_POLL },	      { "select", PS_BACKEND_SELECT },
	{ "pselect6", PS_BACKEND_SELECT },    { "io_uring_enter", PS_BACKEND_IO_URING },
};
#define WAITS (sizeof(waits) / sizeof(*waits))

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

static struct bpf_program *wait_program(struct bpf_object *object, const char *wait, const char *side)
{
	char name[48];

	snprintf(name, sizeof(name), "on_%s_%s", wait, side);
	return bpf_object__find_program_by_name(object, name);
}

/* The way in which one of the waits is seen; WAYS = it is not. */
static enum way way_of(const struct bpf_source *source, size_t wait, enum way way)
{
	if (way == BY_TYPED_TRACEPOINT || !is_used(source, waits[wait].backend))
		return WAYS;
	return way == BY_FUNCTION && waits[wait].backend == PS_BACKEND_EPOLL ? BY_FUNCTION : BY_TRACEPOINT;
}

static int choose_wait(struct bpf_source *source, struct bpf_object *object, size_t wait, enum way way)
{
	static const char *const sides[] = { "begin", "end" };
	const char *name = waits[wait].name;
	int err = 0;

	bpf_program__set_autoload(wait_program(object, name, "enter"), way_of(source, wait, way) == BY_TRACEPOINT);
	bpf_program__set_autoload(wait_program(object, name, "exit"), way_of(source, wait, way) == BY_TRACEPOINT);
	for (int i = 0; i < 2 && !err && waits[wait].backend == PS_BACKEND_EPOLL; i++) {
		struct bpf_program *program = wait_program(object, name, sides[i]);
		int wanted = way_of(source, wait, way) == BY_FUNCTION;

		bpf_program__set_autoload(program, wanted);
		err = wanted ? call_set_target(program, name) : 0;
	}
	return err;
}

static void destroy_poll(void *skeleton)
{
	poll__destroy(skeleton);
}

static int load(struct bpf_source *source, enum way way)
{
	struct bpf_group *group = &source->groups[PS_PROBE_POLL];
	struct poll *skeleton = poll__open();
	int err = 0;

	if (!skeleton)
		return -errno;
	group->destroy = destroy_poll;
	group->skeleton = skeleton;
	group->object = skeleton->obj;
	PID_SPACE_SET(skeleton);
	skeleton->rodata->cfg_own = (uint32_t)getpid();
	skeleton->rodata->cfg_by_function = way == BY_FUNCTION;
	skeleton->rodata->cfg_poll_select = is_used(source, PS_BACKEND_POLL) || is_used(source, PS_BACKEND_SELECT) ||
					    is_used(source, PS_BACKEND_IO_URING);
	/* classic ones may be changed for them: bpf_source_rest.c */
	bpf_program__set_autoload(skeleton->progs.on_any_enter, way != BY_FUNCTION);
	bpf_program__set_autoload(skeleton->progs.on_any_exit, way != BY_FUNCTION);
	if (source->context.options->ring_bytes)
		bpf_map__set_max_entries(skeleton->maps.ring, source->context.options->ring_bytes);
	for (size_t i = 0; i < WAITS && !err; i++)
		err = choose_wait(source, skeleton->obj, i, way);
	return err ? err : poll__load(skeleton);
}

static int attach_program(struct bpf_group *group, const struct bpf_program *program)
{
	return bpf_group_keep(group, bpf_program__attach(program));
}

static int attach_functions(struct bpf_group *group, const char *wait)
{
	int err = attach_program(group, wait_program(group->object, wait, "end"));

	return err ? err : attach_program(group, wait_program(group->object, wait, "begin"));
}

static int attach_tracepoints(struct bpf_group *group, int tracefs, const char *wait)
{
	static const char *const sides[] = { "enter", "exit" };
	int err = 0;

	for (int i = 0; i < 2 && !err; i++) {
		char name[48];

		snprintf(name, sizeof(name), "sys_%s_%s", sides[i], wait);
		err = bpf_group_keep(
			group, tracefs_attach(tracefs, "syscalls", name, wait_program(group->object, wait, sides[i])));
	}
	/* older kernels and other machines lack some of them */
	return err == -ENOENT && strcmp(wait, "epoll_pwait") ? 0 : err;
}

static int attach_waits(struct bpf_source *source, enum way way)
{
	struct bpf_group *group = &source->groups[PS_PROBE_POLL];
	int tracefs = -1, err = 0;

	for (size_t i = 0; i < WAITS && !err; i++) {
		enum way this = way_of(source, i, way);

		if (this == BY_TRACEPOINT && tracefs < 0)
			tracefs = tracefs_open();
		if (this == BY_FUNCTION)
			err = attach_functions(group, waits[i].name);
		else if (this == BY_TRACEPOINT)
			err = tracefs < 0 ? tracefs : attach_tracepoints(group, tracefs, waits[i].name);
	}
	if (tracefs >= 0)
		close(tracefs);
	return err;
}

static int attach_typed(struct bpf_group *group)
{
	const struct poll *skeleton = group->skeleton;
	int err = attach_program(group, skeleton->progs.on_any_exit);

	return err ? err : attach_program(group, skeleton->progs.on_any_enter);
}

/* Without them the end of a loop, and in a rest a thread that comes, is noticed later. */
static void attach_ends(struct bpf_group *group)
{
	const struct poll *skeleton = group->skeleton;

	attach_program(group, skeleton->progs.on_exec);
	attach_program(group, skeleton->progs.on_exit);
	attach_program(group, skeleton->progs.on_fork);
}

void bpf_filter_unmap(struct bpf_source *source)
{
	if (source->filter)
		munmap(source->filter, sizeof(*source->filter));
	source->filter = NULL;
}

static int map_filter(struct bpf_source *source, int map)
{
	void *at = mmap(NULL, sizeof(*source->filter), PROT_READ | PROT_WRITE, MAP_SHARED, map, 0);

	if (at == MAP_FAILED)
		return -errno;
	source->filter = at;
	return 0;
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
		.python = bpf_map__fd(skeleton->maps.python),
		.stacks = bpf_map__fd(skeleton->maps.stacks),
		.places = bpf_map__fd(skeleton->maps.places),
	};
}

/* Why the best way was not taken is part of the reason. */
static void tell_way(struct bpf_group *group, enum way way, int refused)
{
	static const char *const ways[] = {
		[BY_FUNCTION] = "fentry and fexit of the calls",
		[BY_TRACEPOINT] = "syscall tracepoints",
		[BY_TYPED_TRACEPOINT] = "typed sys_enter and sys_exit",
	};

	if (way == BY_FUNCTION)
		bpf_group_state(group, PS_PROBE_STATE_ON, "%s", ways[way]);
	else
		bpf_group_state(group, PS_PROBE_STATE_ON,
				"%s: some cost per system call of all programs; fentry, which has none: %s", ways[way],
				refused ? strerror(-refused) : "needs the sched probe");
}

void bpf_poll_load(struct bpf_source *source, int may_by_function)
{
	struct bpf_group *group = &source->groups[PS_PROBE_POLL];
	int err = -ENOTSUP, refused;

	source->by_function = source->rest.classic = 0;
	bpf_filter_unmap(source);
	if (!bpf_group_wanted(source, PS_PROBE_POLL))
		return;
	refused = may_by_function ? fentry_refused() : 0;
	for (enum way way = may_by_function && !refused ? BY_FUNCTION : BY_TRACEPOINT; err && way < WAYS; way++) {
		bpf_group_unload(group);
		err = load(source, way);
		if (!err)
			err = way == BY_TYPED_TRACEPOINT ? attach_typed(group) : attach_waits(source, way);
		if (!err)
			err = map_filter(source, bpf_map__fd(((const struct poll *)group->skeleton)->maps.filter));
		if (err && way == BY_FUNCTION)
			refused = err;
		if (!err)
			tell_way(group, way, refused);
		source->by_function = !err && way == BY_FUNCTION;
	}
	if (err) {
		bpf_group_missing(group, err);
		return;
	}
	take_maps(source);
	source->rest.classic = source->by_function ? 0 : group->link_count;
	attach_ends(group);
}

void bpf_poll_admit(const struct bpf_source *source, uint32_t pid)
{
	const struct poll *skeleton = source->groups[PS_PROBE_POLL].skeleton;
	__u64 *word = &skeleton->bss->process_bits[pid / 64 % (PS_PROCESS_BITS / 64)];

	__atomic_fetch_or(word, 1ull << (pid % 64), __ATOMIC_RELEASE);
}

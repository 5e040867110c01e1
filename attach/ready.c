/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Loads the programs that follow descriptors from ready to dispatched, in the
 * best way that the kernel has: stamps at ep_poll_callback (all kinds), else at
 * sk_data_ready (sockets), else none, which leaves the time since the return of
 * the poll.
 */
#include "ready.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "calls.h"
#include "fentry.h"
#include "pid_space.h"
#include "ready.skel.h"
#include "tap.h"

#define FDS_LEAST 16384u
#define REASON_ROOM 160

#define HOOKS_MAX 10
#define TURNS_MANY 200u /* at one drain, of which there are twenty a second */
#define TURNS_FEW 50u
#define TURNS_MASK_MAX 255u

/* What is attached. Programs at functions stay: to end one the kernel waits for tens of milliseconds; the rest come and go at once. */
struct hook {
	struct bpf_program *program; /* taken away while we rest; NULL = it stays: it is seldom hit, or keeps up our list */
	struct bpf_link *link; /* NULL: we rest */
};

struct ready_probe {
	struct ready *skeleton;
	struct hook hooks[HOOKS_MAX];
	int hook_count;
	int rests;
	struct tap tap;
	int by_item; /* stamps are those of ep_poll_callback */
	int by_socket; /* use is seen in socket I/O only */
	int cpus;
	unsigned turns; /* of this drain */
	ready_fn *take;
	void *arg;
};

/* What a way needs of the kernel beside what all need. One that turned out to be missing is not tried again: a try takes long. */
enum need {
	CALLBACK = 1, /* fentry of ep_poll_callback: any kind is stamped; else at sk_data_ready, sockets only */
	SOCKETS = 2, /* the tracepoints of socket I/O; else the typed one of all calls */
	FUNCTIONS = 4, /* fexit of the calls that are seen beside socket I/O; else the typed one of all calls for these */
};

/* Where readiness is stamped and where use is seen, best first. */
static const struct way {
	unsigned needs;
	int stamps; /* 0: nothing tells readiness */
	enum ps_probe_state state;
	const char *reason;
} ways[] = {
	{ CALLBACK | SOCKETS | FUNCTIONS, 1, PS_PROBE_STATE_ON, "ep_poll_callback and socket I/O" },
	{ CALLBACK | SOCKETS, 1, PS_PROBE_STATE_ON, "ep_poll_callback and socket I/O, waits by typed sys_exit" },
	{ SOCKETS | FUNCTIONS, 1, PS_PROBE_STATE_ON,
	  "sk_data_ready and socket I/O: sockets; of others only how often they were returned" },
	{ SOCKETS, 1, PS_PROBE_STATE_ON,
	  "sk_data_ready and socket I/O, waits by typed sys_exit: sockets; of others only how often they were returned" },
	{ CALLBACK, 1, PS_PROBE_STATE_ON,
	  "ep_poll_callback and typed sys_exit: some cost per system call of all programs" },
	{ 0, 1, PS_PROBE_STATE_ON, "sk_data_ready and typed sys_exit: some cost per system call of all programs" },
	{ 0, 0, PS_PROBE_STATE_FALLBACK, "this kernel tells no readiness: only the wait after the return of the poll" },
};
#define WAYS (sizeof(ways) / sizeof(*ways))

/* The calls whose ends are watched beside socket I/O and waits, which have one function in common. */
static const char *const ended[] = { "accept", "accept4", "epoll_ctl" };
#define ENDED (sizeof(ended) / sizeof(*ended))

static int take_record(void *arg, void *data, size_t bytes)
{
	struct ready_probe *ready = arg;
	const struct ps_record *record = data;

	if (bytes >= sizeof(struct ps_ready_turn) && record->event == PS_READY_TURN) {
		ready->turns++;
		ready->take(ready->arg, data, NULL);
	} else if (bytes >= sizeof(struct ps_ready_counts) && record->event == PS_READY_COUNTS) {
		ready->take(ready->arg, NULL, data);
	}
	return 0;
}

static void unhook(struct hook *hook)
{
	bpf_link__destroy(hook->link);
	hook->link = NULL;
}

static void unload(struct ready_probe *ready)
{
	for (int i = 0; i < ready->hook_count; i++)
		unhook(&ready->hooks[i]);
	ready->hook_count = 0;
	ready__destroy(ready->skeleton);
	ready->skeleton = NULL;
}

static int keep(struct ready_probe *ready, struct bpf_program *program, struct bpf_link *link)
{
	if (!link)
		return -errno;
	ready->hooks[ready->hook_count++] = (struct hook){ program, link };
	return 0;
}

static int attach(struct ready_probe *ready, struct bpf_program *program)
{
	return keep(ready, program, bpf_program__attach(program));
}

static struct bpf_program *end_program(const struct ready_probe *ready, const char *call)
{
	char name[48];

	snprintf(name, sizeof(name), "on_%s_end", call);
	return bpf_object__find_program_by_name(ready->skeleton->obj, name);
}

static int choose_ends(struct ready_probe *ready, int by_function)
{
	int err = 0;

	bpf_program__set_autoload(ready->skeleton->progs.on_wait_end, by_function);
	for (size_t i = 0; i < ENDED && !err; i++) {
		struct bpf_program *program = end_program(ready, ended[i]);

		bpf_program__set_autoload(program, by_function);
		err = by_function ? call_set_target(program, ended[i]) : 0;
	}
	return err;
}

static int attach_ends(struct ready_probe *ready)
{
	int err = keep(ready, NULL, bpf_program__attach(ready->skeleton->progs.on_wait_end));

	for (size_t i = 0; i < ENDED && !err; i++)
		err = keep(ready, NULL, bpf_program__attach(end_program(ready, ended[i])));
	return err;
}

static int attach_socket_io(struct ready_probe *ready)
{
	int err = attach(ready, ready->skeleton->progs.on_receive);

	return err ? err : attach(ready, ready->skeleton->progs.on_send);
}

/* First what comes and goes at once. */
static int attach_way(struct ready_probe *ready, const struct way *way, unsigned *missing)
{
	const struct ready *skeleton = ready->skeleton;
	int err = 0;

	if (way->needs & SOCKETS)
		err = attach_socket_io(ready);
	if (err) {
		*missing |= SOCKETS;
		return err;
	}
	if (way->stamps)
		err = attach(ready, ready->by_item ? skeleton->progs.on_poll_callback : skeleton->progs.on_data_ready);
	if (err) {
		*missing |= way->needs & CALLBACK;
		return err;
	}
	/* it stays: it sees what is closed and registered, too */
	if (!(way->needs & SOCKETS))
		return keep(ready, NULL, bpf_program__attach(skeleton->progs.on_exit));
	err = way->needs & FUNCTIONS ? attach_ends(ready) : attach(ready, skeleton->progs.on_seldom_exit);
	if (err)
		*missing |= way->needs & FUNCTIONS;
	return err;
}

static uint32_t room_for(size_t fds)
{
	uint32_t room = FDS_LEAST;

	while (room < 2 * fds && room < PS_READY_FDS)
		room *= 2;
	return room;
}

/* What turns out to be missing is added to *missing, as far as it can be told. */
static int load(struct ready_probe *ready, const struct way *way, uint64_t socket_f_op, size_t fds, unsigned *missing)
{
	struct ready *skeleton = ready__open();
	int err = 0;

	ready->skeleton = skeleton;
	if (!skeleton)
		return -errno;
	ready->by_item = !!(way->needs & CALLBACK);
	ready->by_socket = !!(way->needs & SOCKETS);
	PID_SPACE_SET(skeleton);
	skeleton->rodata->cfg_socket_f_op = socket_f_op;
	skeleton->rodata->cfg_by_item = ready->by_item;
	skeleton->rodata->cfg_by_socket = ready->by_socket;
	bpf_map__set_max_entries(skeleton->maps.fds, room_for(fds));
	bpf_map__set_max_entries(skeleton->maps.stamps, room_for(fds));
	bpf_map__set_max_entries(skeleton->maps.by_data, room_for(fds));
	bpf_program__set_autoload(skeleton->progs.on_poll_callback, ready->by_item);
	bpf_program__set_autoload(skeleton->progs.on_data_ready, way->stamps && !ready->by_item);
	bpf_program__set_autoload(skeleton->progs.on_exit, !ready->by_socket);
	bpf_program__set_autoload(skeleton->progs.on_receive, ready->by_socket);
	bpf_program__set_autoload(skeleton->progs.on_send, ready->by_socket);
	bpf_program__set_autoload(skeleton->progs.on_seldom_exit, ready->by_socket && !(way->needs & FUNCTIONS));
	err = choose_ends(ready, !!(way->needs & FUNCTIONS));
	if (err) {
		*missing |= FUNCTIONS;
		return err;
	}
	err = ready__load(skeleton);
	return err ? err : attach_way(ready, way, missing);
}

static void say_why_not(char *reason, int err)
{
	if (err == -EPERM || err == -EACCES)
		snprintf(reason, REASON_ROOM, "not permitted: run as root, or with CAP_BPF and CAP_PERFMON");
	else if (access("/sys/kernel/btf/vmlinux", R_OK))
		snprintf(reason, REASON_ROOM, "this kernel has no BTF (CONFIG_DEBUG_INFO_BTF)");
	else
		snprintf(reason, REASON_ROOM, "this kernel refuses the programs: %s", strerror(-err));
}

int ready_open(struct ready_probe **out, uint64_t socket_f_op, size_t fds, enum ps_probe_state *state, char *reason)
{
	struct ready_probe *ready = calloc(1, sizeof(*ready));
	unsigned missing = fentry_refused() ? CALLBACK | FUNCTIONS : 0;
	int err = -ENOMEM;

	*out = ready;
	*state = PS_PROBE_STATE_MISSING;
	libbpf_set_print(NULL);
	for (size_t i = 0; ready && err && i < WAYS; i++) {
		if (ways[i].needs & missing)
			continue;
		err = load(ready, &ways[i], socket_f_op, fds, &missing);
		if (err) {
			unload(ready);
			continue;
		}
		*state = ways[i].state;
		snprintf(reason, REASON_ROOM, "%s", ways[i].reason);
	}
	if (!err) {
		ready->cpus = libbpf_num_possible_cpus();
		err = tap_open(&ready->tap, bpf_map__fd(ready->skeleton->maps.turns), take_record, ready);
		ready->skeleton->bss->active_since_ns = stream_now();
	}
	if (!err)
		return 0;
	say_why_not(reason, err);
	*state = PS_PROBE_STATE_MISSING;
	ready_close(ready);
	*out = NULL;
	return err;
}

void ready_close(struct ready_probe *ready)
{
	if (!ready)
		return;
	tap_close(&ready->tap);
	unload(ready);
	free(ready);
}

struct bpf_object *ready_object(const struct ready_probe *ready)
{
	return ready->skeleton->obj;
}

/* ---- what is watched ---- */

int ready_watch(struct ready_probe *ready, pid_t pid, pid_t tid, int epfd, uint64_t poller)
{
	const struct ps_ready_key key = { (uint32_t)pid, epfd };
	const uint32_t zero = 0;
	struct ps_filter filter;
	int map = bpf_map__fd(ready->skeleton->maps.filter);
	int err = bpf_map_lookup_elem(map, &zero, &filter);

	if (!err)
		err = bpf_map_update_elem(bpf_map__fd(ready->skeleton->maps.pollers), &key, &poller, BPF_ANY);
	if (err)
		return err;
	filter.words[(uint32_t)tid / 64 % (PS_FILTER_BITS / 64)] |= 1ull << ((uint32_t)tid % 64);
	return bpf_map_update_elem(map, &zero, &filter, BPF_ANY);
}

void ready_forget(struct ready_probe *ready, pid_t pid, int epfd)
{
	const struct ps_ready_key key = { (uint32_t)pid, epfd };

	bpf_map_delete_elem(bpf_map__fd(ready->skeleton->maps.pollers), &key);
}

/* What was under its number. */
static void take_out(struct ready_probe *ready, const struct ps_ready_key *key, const struct ps_ready_fd *fd)
{
	const struct ps_ready_data data = { fd->data, key->tgid, fd->poller_fd };
	const struct ps_ready_origin sock = { fd->sock, 0 };

	bpf_map_delete_elem(bpf_map__fd(ready->skeleton->maps.by_data), &data);
	bpf_map_delete_elem(bpf_map__fd(ready->skeleton->maps.stamps), &fd->origin);
	bpf_map_delete_elem(bpf_map__fd(ready->skeleton->maps.stamps), &sock);
	bpf_map_delete_elem(bpf_map__fd(ready->skeleton->maps.fds), key);
}

/* 1: the programs know it, or something newer than the picture; else its place is free. */
static int has_met(struct ready_probe *ready, const struct ps_ready_key *key, const struct ps_ready_fd *fd, uint64_t seen_ns)
{
	struct ps_ready_fd met;

	if (bpf_map_lookup_elem(bpf_map__fd(ready->skeleton->maps.fds), key, &met))
		return 0;
	if (met.enrolled_ns >= seen_ns ||
	    (met.identity == fd->identity && met.data == fd->data && met.poller_fd == fd->poller_fd))
		return 1;
	take_out(ready, key, &met);
	return 0;
}

void ready_seed(struct ready_probe *ready, const struct poller_watch *watch, const struct ps_poller_item *item, uint64_t seen_ns)
{
	const struct ps_ready_key key = { (uint32_t)watch->pid, item->fd };
	const struct ps_ready_data data = { item->data, (uint32_t)watch->pid, watch->epfd };
	struct ps_ready_fd fd = {
		.identity = ps_file_identity(item->file, item->inode),
		.sock = item->object,
		.data = item->data,
		.poller_fd = watch->epfd,
		.tid = (uint32_t)watch->tid,
	};
	const struct ps_ready_stamp never = { 0, (uint32_t)watch->pid, item->fd };
	const struct ps_ready_origin sock = { item->object, 0 };

	if (ready->by_item)
		fd.origin = (struct ps_ready_origin){ watch->poller, (uint64_t)(uint32_t)item->fd + 1 };
	else
		fd.origin = sock;
	if (has_met(ready, &key, &fd, seen_ns) ||
	    bpf_map_update_elem(bpf_map__fd(ready->skeleton->maps.fds), &key, &fd, BPF_NOEXIST))
		return;
	if (item->object) {
		uint32_t bit = ps_sock_bit(item->object);

		__atomic_fetch_or(&ready->skeleton->bss->sock_bits[bit / 64], 1ull << (bit % 64), __ATOMIC_RELAXED);
	}
	if (fd.origin.object)
		bpf_map_update_elem(bpf_map__fd(ready->skeleton->maps.stamps), &fd.origin, &never, BPF_NOEXIST);
	if (ready->by_item && item->object)
		bpf_map_update_elem(bpf_map__fd(ready->skeleton->maps.stamps), &sock, &never, BPF_NOEXIST);
	if ((int32_t)item->data != item->fd)
		bpf_map_update_elem(bpf_map__fd(ready->skeleton->maps.by_data), &data, &item->fd, BPF_ANY);
}

int ready_counts(const struct ready_probe *ready, const struct ps_poller_item *item)
{
	return PS_FD_COUNTED | (!ready->by_socket || item->object ? PS_FD_USE_COUNTED : 0);
}

/* ---- what came ---- */

void ready_drain(struct ready_probe *ready, int flush, ready_fn *take, void *arg)
{
	LIBBPF_OPTS(bpf_test_run_opts, none);

	if (flush)
		bpf_prog_test_run_opts(bpf_program__fd(ready->skeleton->progs.on_flush), &none);
	ready->take = take;
	ready->arg = arg;
	ready->turns = 0;
	tap_consume(&ready->tap);
	/* thousands of turns a second tell no more than hundreds */
	if (ready->rests)
		return;
	if (ready->turns > TURNS_MANY && ready->skeleton->bss->turn_mask < TURNS_MASK_MAX)
		ready->skeleton->bss->turn_mask = ready->skeleton->bss->turn_mask * 2 + 1;
	else if (ready->turns < TURNS_FEW)
		ready->skeleton->bss->turn_mask /= 2;
}

void ready_relieve(struct ready_probe *ready)
{
	tap_relieve(&ready->tap);
}

void ready_rest(struct ready_probe *ready)
{
	ready->rests = 1;
	ready->skeleton->bss->active_since_ns = 0;
	for (int i = ready->hook_count - 1; i >= 0; i--)
		if (ready->hooks[i].program)
			unhook(&ready->hooks[i]);
}

int ready_go_on(struct ready_probe *ready)
{
	for (int i = 0; i < ready->hook_count; i++) {
		struct hook *hook = &ready->hooks[i];

		if (!hook->link)
			hook->link = bpf_program__attach(hook->program);
		if (!hook->link)
			return -errno;
	}
	return 0;
}

void ready_follow(struct ready_probe *ready)
{
	ready->rests = 0;
	ready->skeleton->bss->active_since_ns = stream_now();
}

void ready_figures(const struct ready_probe *ready, struct ready_figures *figures)
{
	struct ps_ready_stats stats[ready->cpus];
	const uint32_t zero = 0;
	int err = bpf_map_lookup_elem(bpf_map__fd(ready->skeleton->maps.stats), &zero, stats);

	*figures = (struct ready_figures){ 0 };
	for (int i = 0; i < ready->cpus && !err; i++) {
		figures->hits += stats[i].hits;
		figures->sent += stats[i].sent;
		figures->lost += stats[i].lost;
	}
}

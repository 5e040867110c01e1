/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libuv: node, uvloop, and programs in C, linked in or as libuv.so.1. Loops are
 * read from memory; jobs show at entries of the pool's functions.
 *
 * Where the file has no symbol table only what is exported has a name: submits
 * of uv_queue_work are then all that is counted of the pool.
 */
#include "runtime.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "turn_places.h"

#define LOOPS_MAX 64u
#define TIMERS_OFTEN 2048u /* read at each snapshot: next due, overdue */
#define TIMERS_WHOLE 16384u
#define HANDLES_WHOLE 4096u
#define READ_NS 20000000ull
#define SEARCH_GAP_NS 1000000000ull

/* Where a loop was found, or when it was last looked for. */
struct known_loop {
	pid_t tid;
	int32_t poller_fd;
	uint64_t address, sought_ns;
	const char *why;
};

struct libuv_state {
	pid_t pid;
	int is_node;
	struct libuv_image image;
	struct libuv_memory memory;
	struct known_loop loops[LOOPS_MAX];
	size_t loop_count;
	char why[160];
};

/* Bun has libuv's functions for the addons of others; its own loop is none of libuv's. */
static int detect(const struct runtime_facts *facts)
{
	return facts->libuv && strcmp(facts->guess.name, "bun") != 0;
}

static int open_libuv(void **out, const struct runtime_facts *facts)
{
	struct libuv_state *state = calloc(1, sizeof(*state));
	if (!state)
		return -ENOMEM;
	state->pid = facts->pid;
	state->is_node = !strcmp(facts->guess.name, "node");
	state->image = *facts->libuv;
	libuv_memory_of(&state->memory, &state->pid);
	*out = state;
	return 0;
}

static void close_libuv(void *state)
{
	free(state);
}

/* ---- which loop ---- */

static struct known_loop *loop_row(struct libuv_state *state, const struct runtime_ask *ask)
{
	for (size_t i = 0; i < state->loop_count; i++)
		if (state->loops[i].tid == ask->tid && state->loops[i].poller_fd == ask->poller_fd)
			return &state->loops[i];
	if (state->loop_count == LOOPS_MAX)
		return NULL;
	state->loops[state->loop_count] =
		(struct known_loop){ .tid = ask->tid, .poller_fd = ask->poller_fd, .why = "" };
	return &state->loops[state->loop_count++];
}

/* The loop's address, checked; 0 = not known now. */
static uint64_t find_loop(struct libuv_state *state, const struct runtime_ask *ask, const char **why)
{
	struct known_loop *row = loop_row(state, ask);
	*why = "more loops than are looked at";
	if (!row)
		return 0;
	if (row->address && libuv_is_loop(&state->memory, row->address, ask->poller_fd))
		return row->address;
	row->address = 0;
	if (!row->sought_ns || ask->now_ns - row->sought_ns >= SEARCH_GAP_NS) {
		row->sought_ns = ask->now_ns;
		row->address =
			libuv_loop_find(&state->memory, &state->image, ask->pid, ask->tid, ask->poller_fd, &row->why);
	}
	*why = row->why;
	return row->address;
}

/* ---- snapshots ---- */

/* One uv_timer_t of Node is behind every setTimeout and setInterval of its thread. */
static int is_node_timer(const struct runtime_ask *ask, uint64_t fn)
{
	char name[256];
	return fn && symbols_place(ask->symbols, fn, name, sizeof(name)) == SYMBOLS_FILE &&
	       strstr(name, "Environment") && strstr(name, "RunTimers");
}

static uint32_t note_of(const struct libuv_state *state, const struct runtime_ask *ask, const struct libuv_loop *loop)
{
	char note[512] = "";
	size_t length = 0;
	int has_timer = 0;
	for (size_t i = 0; state->is_node && i < loop->timer_count && i < RUNTIME_NODES && !has_timer; i++)
		has_timer = is_node_timer(ask, loop->timers[i].fn);
	if (has_timer)
		length = (size_t)snprintf(note, sizeof(note),
					  "Node keeps all JavaScript timers of a thread behind one libuv timer "
					  "(RunTimers): it is due when the first of them is");
	if (*loop->note)
		length +=
			(size_t)snprintf(note + length, sizeof(note) - length, "%s%s", length ? "; " : "", loop->note);
	return stream_string(ask->stream, note, length < sizeof(note) ? length : sizeof(note) - 1);
}

static void put_place(const struct runtime_ask *ask, const struct libuv_loop *loop)
{
	const struct ps_turn_place place = { loop->counts, loop->address + libuv_layout.loop_time };
	if (loop->counts)
		turn_places_put(ask->places, ask->tid, ask->poller_fd, &place);
}

static int snapshot(void *arg, const struct runtime_ask *ask, const char **why)
{
	static const struct libuv_limits often = { TIMERS_OFTEN, 0, 0 }, whole = { TIMERS_WHOLE, HANDLES_WHOLE, 0 };
	struct libuv_state *state = arg;
	struct libuv_loop loop;
	uint64_t begin = stream_now();
	state->memory.deadline = (struct deadline){ .ns = credit_clock() + READ_NS };
	uint64_t address = find_loop(state, ask, why);
	int err =
		address ? libuv_read(&loop, &state->memory, address, state->image.version, ask->whole ? &whole : &often)
			: -EAGAIN;
	if (!err) {
		*why = "";
		put_place(ask, &loop);
		runtime_put_loop(ask, &loop, stream_now() - begin, 2, note_of(state, ask, &loop));
		libuv_free(&loop);
	} else if (address) {
		*why = "the loop changed while it was read";
	}
	return err;
}

/* ---- the pool ---- */

static int read_pool(void *arg, struct libuv_pool *pool, const char **why)
{
	struct libuv_state *state = arg;
	state->memory.deadline = (struct deadline){ .ns = credit_clock() + READ_NS };
	int err = libuv_pool_read(pool, &state->memory, &state->image);
	snprintf(state->why, sizeof(state->why), "%s", pool->note);
	*why = state->why;
	return err;
}

static const struct {
	enum libuv_symbol symbol;
	enum ps_pool_what what;
	enum ps_pool_job job;
} places[] = {
	{ LIBUV_uv_queue_work, PS_POOL_SUBMIT, PS_POOL_USER },
	{ LIBUV_uv__work_submit, PS_POOL_SUBMIT, PS_POOL_ANY },
	{ LIBUV_uv__fs_work, PS_POOL_START, PS_POOL_FS },
	{ LIBUV_uv__getaddrinfo_work, PS_POOL_START, PS_POOL_ADDRINFO },
	{ LIBUV_uv__getnameinfo_work, PS_POOL_START, PS_POOL_NAMEINFO },
	{ LIBUV_uv__random_work, PS_POOL_START, PS_POOL_RANDOM },
	{ LIBUV_uv__queue_work, PS_POOL_START, PS_POOL_USER },
	{ LIBUV_uv_async_send, PS_POOL_FINISH, PS_POOL_ANY },
	{ LIBUV_uv__fs_done, PS_POOL_DELIVER, PS_POOL_FS },
	{ LIBUV_uv__getaddrinfo_done, PS_POOL_DELIVER, PS_POOL_ADDRINFO },
	{ LIBUV_uv__getnameinfo_done, PS_POOL_DELIVER, PS_POOL_NAMEINFO },
	{ LIBUV_uv__random_done, PS_POOL_DELIVER, PS_POOL_RANDOM },
	{ LIBUV_uv__queue_done, PS_POOL_DELIVER, PS_POOL_USER },
};

static size_t probes(void *arg, struct runtime_probe out[RUNTIME_PROBES], const char **path, const char **why)
{
	struct libuv_state *state = arg;
	size_t count = 0;
	for (size_t i = 0; i < sizeof(places) / sizeof(*places) && count < RUNTIME_PROBES; i++)
		if (state->image.offset[places[i].symbol])
			out[count++] = (struct runtime_probe){
				places[i].what, places[i].job, libuv_symbol_name(places[i].symbol),
				libuv_probe_offset(state->image.path, state->image.offset[places[i].symbol])
			};
	*path = state->image.path;
	snprintf(state->why, sizeof(state->why), "%.60s exports none of libuv's functions", state->image.module);
	*why = count ? "" : state->why;
	return count;
}

static const char *const phases[PS_PHASE_COUNT] = {
	[PS_PHASE_TIMERS] = "uv__run_timers",	[PS_PHASE_IDLE] = "uv__run_idle",
	[PS_PHASE_PREPARE] = "uv__run_prepare", [PS_PHASE_POLL] = "uv__io_poll",
	[PS_PHASE_CHECK] = "uv__run_check",
};

const struct runtime runtime_libuv = {
	.name = "libuv",
	.note = "handles, the timer heap and queues by memory; the pool's jobs at the entries of its functions",
	.detect = detect,
	.open = open_libuv,
	.close = close_libuv,
	.snapshot = snapshot,
	.pool = read_pool,
	.probes = probes,
	.phases = phases,
};

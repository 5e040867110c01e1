/* SPDX-License-Identifier: BSD-2-Clause */
/* What the plug-ins of servers have in common whose loop is read by the variables that they export (server_loop.h). */
#include "runtime_server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ps_event.h"

#define READ_NS 20000000ull

struct server_state {
	pid_t pid;
	const struct server_kind *kind;
	struct server_image image;
	struct libuv_memory memory;
	char why[160];
};

int runtime_server_open(void **out, const struct runtime_facts *facts, const struct server_kind *kind)
{
	struct server_state *state = calloc(1, sizeof(*state));
	if (!state)
		return -ENOMEM;
	state->pid = facts->pid;
	state->kind = kind;
	int err = server_image_find(&state->image, kind, facts->pid);
	if (err) {
		free(state);
		return err;
	}
	libuv_memory_of(&state->memory, &state->pid);
	*out = state;
	return 0;
}

void runtime_server_close(void *state)
{
	free(state);
}

static uint32_t note_of(const struct server_state *state, const struct runtime_ask *ask, const struct libuv_loop *loop)
{
	char note[512];
	snprintf(note, sizeof(note), "%s%s%s", state->kind->note, *state->kind->note && *loop->note ? "; " : "",
		 loop->note);
	return stream_string(ask->stream, note, strlen(note));
}

int runtime_server_snapshot(void *arg, const struct runtime_ask *ask, const char **why)
{
	static const struct libuv_limits limits = { 16384, 0, 0 };
	struct server_state *state = arg;
	struct libuv_loop loop;
	uint64_t begin = stream_now();
	state->memory.deadline = (struct deadline){ .ns = credit_clock() + READ_NS };
	state->image.poller_fd = ask->poller_fd;
	state->image.now_ms = ask->now_ns / 1000000;
	int err = server_read(&loop, state->kind, &state->memory, &state->image, &limits);
	if (err) {
		snprintf(state->why, sizeof(state->why), "%s", loop.note);
		*why = state->why;
	} else {
		*why = "";
		runtime_put_loop(ask, &loop, stream_now() - begin, 0, note_of(state, ask, &loop));
	}
	libuv_free(&loop);
	return err;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A chat: each line that somebody says is emitted, and every connection
 * listens. Ends when the last one has left.   chat [PORT]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ps_loop.h>

struct member {
	struct ps_stream *stream;
	char line[512];
	size_t bytes;
};

static struct ps_emitter *room;
static struct ps_listener *door;
static int members;

static void hear(const char *name, void *data, void *arg)
{
	struct member *member = arg;

	ps_stream_write(member->stream, data, strlen(data));
}

static void on_read(struct ps_stream *stream, const void *data, ssize_t bytes, void *arg)
{
	struct member *member = arg;

	if (bytes <= 0) {
		ps_stream_close(stream);
		return;
	}
	for (ssize_t i = 0; i < bytes; i++) {
		char c = ((const char *)data)[i];
		member->line[member->bytes++] = c;
		if (c != '\n' && member->bytes < sizeof(member->line) - 1)
			continue;
		member->line[member->bytes] = 0;
		member->bytes = 0;
		ps_emitter_emit(room, "said", member->line);
	}
}

static void on_closed(struct ps_stream *stream, void *arg)
{
	ps_emitter_off(room, "said", hear, arg);
	free(arg);
	if (--members == 0)
		ps_listener_close(door);
}

static void on_accept(struct ps_listener *listener, struct ps_stream *stream, void *arg)
{
	static const struct ps_stream_events events = { .read = on_read, .closed = on_closed };
	struct member *member = calloc(1, sizeof(*member));

	if (!member || ps_emitter_on(room, "said", hear, member)) {
		free(member);
		ps_stream_close(stream);
		return;
	}
	member->stream = stream;
	members++;
	ps_stream_set(stream, &events, member);
	ps_stream_start(stream);
	ps_stream_write(stream, "welcome\n", 8);
}

int main(int argc, char **argv)
{
	struct ps_loop *loop;

	if (ps_loop_open(&loop, NULL) || ps_emitter_open(&room) ||
	    ps_tcp_listen(loop, &door, "127.0.0.1", argc > 1 ? (uint16_t)atoi(argv[1]) : 0, 0, on_accept, NULL))
		return 1;
	printf("%d\n", ps_listener_port(door));
	fflush(stdout);
	ps_loop_run(loop, PS_RUN_DEFAULT);
	ps_emitter_close(room);
	return ps_loop_close(loop) ? 1 : 0;
}

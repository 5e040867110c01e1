/* SPDX-License-Identifier: BSD-2-Clause */
/* What the memory of nginx or redis says of each loop, for one look. */
#include "inspect.h"

#include <stdio.h>
#include <string.h>

#include "proc.h"
#include "ps_event.h"
#include "server_loop.h"

#define READ_NS 1000000000ull

static const struct libuv_limits limits = { 200000, 0, 20000 };

static void look_at_loop(struct inspect_run *run, size_t at, const struct server_kind *kind,
			 struct libuv_memory *memory, struct server_image *image)
{
	json_t *row = json_array_get(run->loop_rows, at);
	struct libuv_loop loop;
	char path[64], address[32];
	snprintf(path, sizeof(path), "loops.%zu.%s", at, kind->name);
	memory->deadline = (struct deadline){ .ns = credit_clock() + READ_NS };
	image->poller_fd = run->loops[at].poller_fd;
	image->now_ms = run->now_ns / 1000000;
	if (server_read(&loop, kind, memory, image, &limits)) {
		json_object_set_new(row, kind->name, json_null());
		inspect_missing(run, path, loop.note);
		libuv_free(&loop);
		return;
	}
	snprintf(address, sizeof(address), "0x%llx", (unsigned long long)loop.address);
	json_t *object = json_pack("{s:s, s:o, s:o, s:o, s:o}", "address", address, "connections",
				   inspect_u32(loop.handle_total), "put_off", inspect_u32(loop.pending), "watched_fds",
				   inspect_u32(loop.nfds), "note", inspect_text(loop.note));
	json_object_set_new(object, "timers", inspect_timers(run, &loop, kind->structure, 0, kind->note));
	json_object_set_new(object, "watchers", inspect_watchers(run, &loop));
	json_object_set_new(row, kind->name, object);
	libuv_free(&loop);
}

int inspect_server(struct inspect_run *run)
{
	json_t *target = json_object_get(run->document, "target");
	const char *runtime = json_string_value(json_object_get(target, "runtime"));
	const struct server_kind *kind = runtime ? server_kind_of(runtime) : NULL;
	struct server_image image;
	struct libuv_memory memory;
	if (!kind)
		return 0;
	if (server_image_find(&image, kind, run->pid)) {
		inspect_missing(run, kind->name, "it exports none of its variables");
		return 0;
	}
	libuv_memory_of(&memory, &run->pid);
	for (size_t i = 0; i < run->loop_count; i++)
		look_at_loop(run, i, kind, &memory, &image);
	return 0;
}

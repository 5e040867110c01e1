/* SPDX-License-Identifier: BSD-2-Clause */
/* What the memory of libuv says, for one look: every timer, every handle, what waits for the pool. */
#include "inspect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ps_event.h"
#include "runtime.h"
#include "schema.h"

#define READ_NS 1000000000ull
#define ROWS_MAX 20000u /* timers and handles that are listed */
#define MS_MOST (INT64_MAX / 1000000 - 1)

static const struct libuv_limits limits = { 200000, 200000, 20000 };

/* ns from now, negative: past due */
static json_int_t due_in(uint64_t due_ms, uint64_t now_ns)
{
	return due_ms < (uint64_t)MS_MOST ? (json_int_t)(due_ms * 1000000) - (json_int_t)now_ns : INT64_MAX;
}

/* ---- timers ---- */

static json_t *timer_nodes(struct inspect_run *run, const struct libuv_loop *loop, uint64_t now_ns)
{
	json_t *rows = json_array();
	for (size_t i = 0; i < loop->timer_count && i < ROWS_MAX; i++) {
		const struct libuv_timer *timer = &loop->timers[i];
		json_array_append_new(rows,
				      json_pack("{s:I, s:I, s:o, s:o}", "index", (json_int_t)i, "due_ns",
						due_in(timer->due_ms, now_ns), "repeat_ns",
						timer->repeat_ms == PS_UNKNOWN
							? json_null()
							: json_integer((json_int_t)(timer->repeat_ms < MS_MOST
											    ? timer->repeat_ms * 1000000
											    : 0)),
						"callback", inspect_function(run, timer->fn)));
	}
	return rows;
}

static json_t *timers_by_callback(struct inspect_run *run, const struct libuv_loop *loop)
{
	json_t *by = json_object();
	for (size_t i = 0; i < loop->timer_count; i++) {
		json_t *name = inspect_function(run, loop->timers[i].fn);
		const char *key = json_string_value(name) ? json_string_value(name) : "none";
		json_int_t before = json_integer_value(json_object_get(by, key));
		json_object_set_new(by, key, json_integer(before + 1));
		json_decref(name);
	}
	return by;
}

json_t *inspect_timers(struct inspect_run *run, const struct libuv_loop *loop, const char *structure, int arity,
		       const char *note)
{
	size_t overdue = 0;
	uint64_t now_ns = run->now_ns;
	json_t *by = timers_by_callback(run, loop);
	for (size_t i = 0; i < loop->timer_count; i++)
		overdue += due_in(loop->timers[i].due_ms, now_ns) < -1000000;
	if (json_object_get(by, "node::Environment::RunTimers"))
		note = "Node keeps all JavaScript timers of a thread behind one libuv timer (RunTimers): it is due "
		       "when the first of them is";
	json_t *object =
		json_pack("{s:o, s:o, s:o, s:I, s:s, s:i}", "count", inspect_u32(loop->timer_total), "depth",
			  inspect_u32(loop->timer_depth), "next_due_ns",
			  loop->timer_count ? json_integer(due_in(loop->timers[0].due_ms, now_ns)) : json_null(),
			  "overdue", (json_int_t)overdue, "structure", structure, "arity", arity);
	json_object_set_new(object, "note", inspect_text(note));
	json_object_set_new(object, "by_callback", by);
	json_object_set_new(object, "nodes", timer_nodes(run, loop, now_ns));
	return object;
}

/* ---- handles ---- */

static json_t *handle_rows(struct inspect_run *run, const struct libuv_loop *loop)
{
	json_t *rows = json_array();
	for (size_t i = 0; i < loop->handle_count && i < ROWS_MAX; i++) {
		const struct libuv_handle *handle = &loop->handles[i];
		char name[256] = "";
		if (handle->fd >= 0 && i < 2000)
			proc_fd_name(run->pid, handle->fd, name, sizeof(name));
		json_array_append_new(rows, json_pack("{s:s, s:o, s:o, s:o, s:b, s:b, s:b, s:b}", "type",
						      libuv_type_name(handle->type), "fd",
						      handle->fd >= 0 ? json_integer(handle->fd) : json_null(), "name",
						      inspect_text(name), "callback", inspect_function(run, handle->fn),
						      "active", (handle->flags & LIBUV_ACTIVE) != 0, "ref",
						      (handle->flags & LIBUV_REF) != 0, "closing",
						      (handle->flags & LIBUV_CLOSING) != 0, "internal",
						      (handle->flags & LIBUV_INTERNAL) != 0));
	}
	return rows;
}

static json_t *handles_by_type(const struct libuv_loop *loop)
{
	json_t *rows = json_array();
	for (uint32_t type = 0; type < LIBUV_TYPES; type++) {
		json_int_t count = 0, active = 0, ref = 0, closing = 0;
		for (size_t i = 0; i < loop->handle_count; i++) {
			if (loop->handles[i].type != type)
				continue;
			count++;
			active += (loop->handles[i].flags & LIBUV_ACTIVE) != 0;
			ref += (loop->handles[i].flags & LIBUV_REF) != 0;
			closing += (loop->handles[i].flags & LIBUV_CLOSING) != 0;
		}
		if (count)
			json_array_append_new(rows,
					      json_pack("{s:s, s:s, s:I, s:I, s:I, s:I}", "type", libuv_type_name(type),
							"kind", kind_name(libuv_type_kind(type)), "count", count,
							"active", active, "ref", ref, "closing", closing));
	}
	return rows;
}

json_t *inspect_watchers(struct inspect_run *run, const struct libuv_loop *loop)
{
	json_t *rows = json_array();
	for (size_t i = 0; i < loop->watcher_count; i++)
		json_array_append_new(rows, json_pack("{s:i, s:I, s:o}", "fd", loop->watchers[i].fd, "events",
						      (json_int_t)loop->watchers[i].events, "callback",
						      inspect_function(run, loop->watchers[i].fn)));
	return rows;
}

/* ---- the loop ---- */

static json_t *loop_of(struct inspect_run *run, const struct libuv_image *image, const struct libuv_loop *loop,
		       uint64_t now_ns)
{
	char address[32];
	int is_default = image && image->address[LIBUV_default_loop_struct] == loop->address;
	snprintf(address, sizeof(address), "0x%llx", (unsigned long long)loop->address);
	json_t *object = json_pack(
		"{s:s, s:s, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "address", address, "found_by",
		is_default ? "default_loop_struct" : "the stack of its thread", "time_behind_ns",
		(json_int_t)now_ns - (json_int_t)(loop->time_ms < (uint64_t)MS_MOST ? loop->time_ms * 1000000 : 0),
		"iterations", inspect_u64(loop->iterations), "active_handles", inspect_u32(loop->active_handles),
		"active_requests", inspect_u32(loop->active_reqs), "pending", inspect_u32(loop->pending), "closing",
		inspect_u32(loop->closing), "finished_jobs", inspect_u32(loop->done_jobs), "watched_fds",
		inspect_u32(loop->nfds));
	json_object_set_new(object, "note", inspect_text(loop->note));
	json_object_set_new(object, "timers", inspect_timers(run, loop, "heap", 2, ""));
	json_object_set_new(object, "handle_count", inspect_u32(loop->handle_total));
	json_object_set_new(object, "handles_by_type", handles_by_type(loop));
	json_object_set_new(object, "handles", handle_rows(run, loop));
	json_object_set_new(object, "watchers", inspect_watchers(run, loop));
	return object;
}

static void look_at_loop(struct inspect_run *run, size_t at, struct libuv_memory *memory,
			 const struct libuv_image *image)
{
	const struct loop_found *found = &run->loops[at];
	json_t *row = json_array_get(run->loop_rows, at);
	struct libuv_loop loop;
	const char *why = "";
	char path[64];
	snprintf(path, sizeof(path), "loops.%zu.libuv", at);
	memory->deadline = (struct deadline){ .ns = credit_clock() + READ_NS };
	uint64_t address =
		found->poller_fd < 0 ? 0 : libuv_loop_find(memory, image, run->pid, found->tid, found->poller_fd, &why);
	int err = address ? libuv_read(&loop, memory, address, image ? image->version : 0, &limits) : -1;
	if (err) {
		json_object_set_new(row, "libuv", json_null());
		inspect_missing(run, path,
				address ? "the loop changed while it was read"
				: *why	? why
					: "it waits in no epoll");
		return;
	}
	json_object_set_new(row, "libuv", loop_of(run, image, &loop, run->now_ns));
	if (image && image->version && image->version < (1u << 16 | 45u << 8)) {
		strncat(path, ".iterations", sizeof(path) - strlen(path) - 1);
		inspect_missing(run, path, "libuv counts its iterations since version 1.45");
	}
	libuv_free(&loop);
}

/* ---- the pool ---- */

static void look_at_pool(struct inspect_run *run, struct libuv_memory *memory, const struct libuv_image *image)
{
	struct libuv_pool pool;
	memory->deadline = (struct deadline){ .ns = credit_clock() + READ_NS };
	if (libuv_pool_read(&pool, memory, image)) {
		json_object_set_new(run->document, "pool", json_null());
		inspect_missing(run, "pool", pool.note);
		return;
	}
	json_t *waiting = json_object();
	for (unsigned kind = 0; kind < PS_WORK_KIND_COUNT; kind++)
		if (pool.queued_by_kind[kind])
			json_object_set_new(waiting, work_kind_name(kind), json_integer(pool.queued_by_kind[kind]));
	uint32_t busy =
		pool.idle != PS_UNKNOWN32 && pool.idle <= pool.threads ? pool.threads - pool.idle : PS_UNKNOWN32;
	json_t *object = json_pack(
		"{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "threads", inspect_u32(pool.threads), "busy",
		inspect_u32(busy), "queued", inspect_u32(pool.queued), "queued_by_kind", waiting, "slow_queued",
		inspect_u32(pool.slow_queued), "slow_busy", inspect_u32(pool.slow_running), "slow_cap",
		pool.threads == PS_UNKNOWN32 ? json_null() : json_integer((pool.threads + 1) / 2), "note",
		inspect_text(!pool.threads ? "no job was ever submitted: it has no threads yet" : pool.note));
	json_object_set_new(run->document, "pool", object);
}

int inspect_libuv(struct inspect_run *run)
{
	struct libuv_image image;
	struct libuv_memory memory;
	char version[16];
	int has_ring = 0;
	for (size_t i = 0; i < run->loop_count; i++)
		has_ring |= run->loops[i].has_ring;
	int found = !libuv_image_find(&image, run->pid);
	libuv_memory_of(&memory, &run->pid);
	json_object_set_new(run->document, "libuv", json_null());
	if (!found) {
		json_object_set_new(run->document, "pool", json_null());
		const char *why =
			has_ring ? "an instrumented loop: 'pollscope stat' and 'top' show what its recorder tells"
				 : "no libuv that has names was found in it";
		inspect_missing(run, "libuv", why);
		inspect_missing(run, "pool", why);
		/* a libuv without any name may still be there */
		for (size_t i = 0; i < run->loop_count && !has_ring; i++)
			look_at_loop(run, i, &memory, NULL);
		return 0;
	}
	libuv_version_text(image.version, version);
	json_object_set_new(run->document, "libuv",
			    json_pack("{s:o, s:o, s:s}", "version", inspect_text(version), "module",
				      inspect_text(image.module), "symbols", image.stripped ? "exported only" : "all"));
	for (size_t i = 0; i < run->loop_count; i++)
		look_at_loop(run, i, &memory, &image);
	look_at_pool(run, &memory, &image);
	return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pollscope inspect: one look at a process. The text is made from the document,
 * so it says nothing that the JSON does not: who it is, its threads, each loop
 * with its timers drawn as the tree that they are, its handles and what the
 * kernel's poller holds, and the pool.
 */
#include <errno.h>
#include <jansson.h>
#include <langinfo.h>
#include <stdlib.h>
#include <string.h>

#include "attach.h"
#include "command.h"
#include "fault.h"
#include "inspect.h"
#include "target.h"
#include "text.h"

#define COLUMNS 100
#define TREE_NODES 31 /* five levels of a heap are drawn */
#define ROWS 24 /* of handles, descriptors and threads */

static int ascii;

/* ---- words ---- */

/* Cut at 100 columns. */
__attribute__((format(printf, 1, 2))) static void put(const char *format, ...)
{
	char text[2048], cut[2048];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	size_t room = sizeof(cut);
	do
		text_clean(cut, room--, text, strlen(text));
	while (room > 4 && text_width(cut) > COLUMNS);
	size_t length = strlen(cut);
	while (length && cut[length - 1] == ' ')
		cut[--length] = '\0';
	puts(cut);
}

static const char *text_of(const json_t *object, const char *key, const char *otherwise)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text ? text : otherwise;
}

static const char *number(char out[24], const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);
	if (!json_is_integer(value))
		return "n/a";
	snprintf(out, 24, "%lld", (long long)json_integer_value(value));
	return out;
}

static json_int_t integer(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

/* "in 1.2s", "3ms ago" */
static const char *from_now(char out[32], const json_t *object, const char *key)
{
	char text[16];
	const json_t *value = json_object_get(object, key);
	json_int_t ns = json_integer_value(value);
	if (!json_is_integer(value))
		return "n/a";
	if (ns < 0)
		snprintf(out, 32, "%s ago", text_duration(text, (uint64_t)-ns));
	else
		snprintf(out, 32, "in %s", text_duration(text, (uint64_t)ns));
	return out;
}

/* ---- the heap ---- */

static void put_node(const json_t *nodes, size_t at, const char *lead, const char *branch)
{
	const json_t *node = json_array_get(nodes, at);
	char due[32], repeat[16], every[32] = "once";
	json_int_t ns = integer(node, "repeat_ns");
	if (json_is_null(json_object_get(node, "repeat_ns")))
		snprintf(every, sizeof(every), "repeat n/a");
	else if (ns > 0)
		snprintf(every, sizeof(every), "every %s", text_duration(repeat, (uint64_t)ns));
	put("    %s%s%-9s %-11s %s", lead, branch, from_now(due, node, "due_ns"), every,
	    text_of(node, "callback", "[no callback]"));
}

static void put_children(const json_t *nodes, size_t at, const char *lead)
{
	static const char *const drawn[2][4] = { { "├─ ", "└─ ", "│  ", "   " }, { "|- ", "`- ", "|  ", "   " } };
	size_t count = json_array_size(nodes);
	for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < count && child < TREE_NODES; child++) {
		int last = child == 2 * at + 2 || child + 1 >= count || child + 1 >= TREE_NODES;
		char deeper[128];
		put_node(nodes, child, lead, drawn[ascii][last ? 1 : 0]);
		snprintf(deeper, sizeof(deeper), "%s%s", lead, drawn[ascii][last ? 3 : 2]);
		put_children(nodes, child, deeper);
	}
}

static void put_timers(const json_t *timers)
{
	const json_t *nodes = json_object_get(timers, "nodes"), *count;
	const char *callback;
	char total[24], depth[24], overdue[24], due[32];
	size_t drawn = json_array_size(nodes) < TREE_NODES ? json_array_size(nodes) : TREE_NODES;
	int is_heap = integer(timers, "arity") == 2;
	put("  timers   %s in a %s of %s levels   next due %s   overdue %s", number(total, timers, "count"),
	    text_of(timers, "structure", "?"), number(depth, timers, "depth"), from_now(due, timers, "next_due_ns"),
	    number(overdue, timers, "overdue"));
	if (*text_of(timers, "note", ""))
		put("    note: %s", text_of(timers, "note", ""));
	for (size_t i = 0; i < drawn && !is_heap; i++)
		put_node(nodes, i, "", "");
	if (drawn && is_heap) {
		put_node(nodes, 0, "", "");
		put_children(nodes, 0, "");
	}
	if (json_is_integer(json_object_get(timers, "count")) && integer(timers, "count") > (json_int_t)drawn) {
		put("    … %lld more below; by callback:", (long long)(integer(timers, "count") - (json_int_t)drawn));
		json_object_foreach((json_t *)(uintptr_t)json_object_get(timers, "by_callback"), callback, count)
			put("      %7lld  %s", (long long)json_integer_value(count), callback);
	}
}

/* ---- handles and descriptors ---- */

static void put_handles(const json_t *libuv)
{
	const json_t *types = json_object_get(libuv, "handles_by_type"), *handles = json_object_get(libuv, "handles"),
		     *row;
	size_t i, shown = 0;
	char total[24];
	put("  handles  %s", number(total, libuv, "handle_count"));
	put("    %-12s %7s %7s %7s %7s", "TYPE", "COUNT", "ACTIVE", "REF", "CLOSING");
	json_array_foreach(types, i, row)
	{
		char count[24], active[24], ref[24], closing[24];
		put("    %-12s %7s %7s %7s %7s", text_of(row, "type", "?"), number(count, row, "count"),
		    number(active, row, "active"), number(ref, row, "ref"), number(closing, row, "closing"));
	}
	put("    %-12s %5s %-8s %-30s %s", "HANDLE", "FD", "STATE", "NAME", "CALLBACK");
	json_array_foreach(handles, i, row)
	{
		char fd[24], state[32];
		if (!strcmp(text_of(row, "type", ""), "timer"))
			continue; /* drawn above */
		if (shown++ == ROWS) {
			put("    … more of them in --json");
			break;
		}
		snprintf(state, sizeof(state), "%s%s%s",
			 json_is_true(json_object_get(row, "active")) ? "active" : "idle",
			 json_is_true(json_object_get(row, "ref")) ? "" : " -ref",
			 json_is_true(json_object_get(row, "closing")) ? " closing" : "");
		put("    %-12s %5s %-11s %-27.27s %s", text_of(row, "type", "?"),
		    json_is_integer(json_object_get(row, "fd")) ? number(fd, row, "fd") : "-", state,
		    text_of(row, "name", "-"), text_of(row, "callback", "-"));
	}
}

/* EPOLL bits as letters people know. */
static const char *events_text(json_int_t events, char out[48])
{
	static const struct {
		json_int_t bit;
		const char *name;
	} bits[] = {
		{ 1, "in" },
		{ 4, "out" },
		{ 2, "pri" },
		{ 0x2000, "rdhup" },
		{ 1ll << 31, "et" },
		{ 1ll << 30, "oneshot" },
		{ 1ll << 28, "exclusive" },
	};
	*out = '\0';
	for (size_t i = 0; i < sizeof(bits) / sizeof(*bits); i++)
		if (events & bits[i].bit)
			snprintf(out + strlen(out), 48 - strlen(out), "%s%s", *out ? "," : "", bits[i].name);
	return *out ? out : "none";
}

static void put_poller(const json_t *poller)
{
	const json_t *items = json_object_get(poller, "items"), *row;
	size_t i;
	char count[24], depth[24], ready[24], waiters[24];
	put("  poller   %s descriptor%s, red-black tree of depth %s   ready %s   waiting threads %s   by %s",
	    number(count, poller, "count"), integer(poller, "count") == 1 ? "" : "s", number(depth, poller, "depth"), number(ready, poller, "ready"),
	    number(waiters, poller, "waiters"), text_of(poller, "read_by", "?"));
	if (json_array_size(items))
		put("    %5s %-10s %-14s %-5s %8s %8s  %s", "FD", "KIND", "EVENTS", "READY", "UNREAD", "BACKLOG",
		    "NAME");
	json_array_foreach(items, i, row)
	{
		char fd[24], events[48], unread[24], backlog[24];
		const json_t *is_ready = json_object_get(row, "ready");
		if (i == ROWS) {
			put("    … %zu more, in --json", json_array_size(items) - ROWS);
			break;
		}
		put("    %5s %-10s %-14s %-5s %8s %8s  %s", number(fd, row, "fd"), text_of(row, "kind", "?"),
		    events_text(integer(row, "events"), events),
		    json_is_null(is_ready)   ? "n/a"
		    : json_is_true(is_ready) ? "yes"
					     : "-",
		    json_is_null(json_object_get(row, "unread")) ? "-" : number(unread, row, "unread"),
		    json_is_null(json_object_get(row, "backlog")) ? "-" : number(backlog, row, "backlog"),
		    text_of(row, "name", "-"));
	}
}

/* ---- the rest ---- */

/* nginx, redis: timers, counts, and whom they watch */
static void put_server(const char *name, const json_t *server)
{
	const json_t *watchers = json_object_get(server, "watchers"), *row;
	char connections[24], put_off[24], watched[24];
	size_t i;
	put("  %-8s %s   connections %s   events put off %s   watched descriptors %s", name,
	    text_of(server, "address", "?"), number(connections, server, "connections"),
	    number(put_off, server, "put_off"), number(watched, server, "watched_fds"));
	if (*text_of(server, "note", ""))
		put("           %s", text_of(server, "note", ""));
	put_timers(json_object_get(server, "timers"));
	json_array_foreach(watchers, i, row)
	{
		char fd[24], events[48];
		if (i == ROWS) {
			put("    … %zu more, in --json", json_array_size(watchers) - ROWS);
			break;
		}
		put("    fd %5s %-8s %s", number(fd, row, "fd"), events_text(integer(row, "events"), events),
		    text_of(row, "callback", "-"));
	}
}

static void put_loop(const json_t *loop)
{
	static const char *const servers[] = { "nginx", "redis" };
	const json_t *libuv = json_object_get(loop, "libuv"), *poller = json_object_get(loop, "poller");
	char fd[24];
	int has_fd = json_is_integer(json_object_get(loop, "poller_fd"));
	putchar('\n');
	put("loop of thread %lld   %s%s%s%s", (long long)integer(loop, "tid"), text_of(loop, "backend", "?"),
	    has_fd ? " fd " : "", has_fd ? number(fd, loop, "poller_fd") : "",
	    json_is_true(json_object_get(loop, "guess")) ? " (guessed: it was busy)" : "");
	if (json_is_object(libuv)) {
		char iterations[24], handles[24], requests[24], pending[24], closing[24], jobs[24];
		put("  libuv    loop %s, by %s", text_of(libuv, "address", "?"), text_of(libuv, "found_by", "?"));
		put("           active handles %s, requests %s   pending %s   closing %s   finished jobs %s   "
		    "iterations %s",
		    number(handles, libuv, "active_handles"), number(requests, libuv, "active_requests"),
		    number(pending, libuv, "pending"), number(closing, libuv, "closing"),
		    number(jobs, libuv, "finished_jobs"), number(iterations, libuv, "iterations"));
		if (*text_of(libuv, "note", ""))
			put("           incomplete: %s", text_of(libuv, "note", ""));
		put_timers(json_object_get(libuv, "timers"));
		put_handles(libuv);
	}
	for (size_t i = 0; i < sizeof(servers) / sizeof(*servers); i++)
		if (json_is_object(json_object_get(loop, servers[i])))
			put_server(servers[i], json_object_get(loop, servers[i]));
	if (json_is_object(poller))
		put_poller(poller);
}

static void put_pool(const json_t *pool)
{
	char threads[24], busy[24], queued[24], slow[24], cap[24], waiting[24];
	const char *kind;
	json_t *count;
	putchar('\n');
	put("pool   threads %s   busy %s   queued %s   slow I/O: %s of %s running, %s waiting",
	    number(threads, pool, "threads"), number(busy, pool, "busy"), number(queued, pool, "queued"),
	    number(slow, pool, "slow_busy"), number(cap, pool, "slow_cap"), number(waiting, pool, "slow_queued"));
	json_object_foreach(json_object_get(pool, "queued_by_kind"), kind, count)
		put("  queued %-8s %lld", kind, (long long)json_integer_value(count));
	if (*text_of(pool, "note", ""))
		put("  note: %s", text_of(pool, "note", ""));
}

static void put_threads(const json_t *threads)
{
	const json_t *row;
	size_t i;
	put("threads  %zu", json_array_size(threads));
	put("  %8s %-16s %-5s %-6s %s", "TID", "NAME", "STATE", "LOOP", "IN");
	json_array_foreach(threads, i, row)
	{
		if (i == ROWS) {
			put("  … %zu more, in --json", json_array_size(threads) - ROWS);
			break;
		}
		put("  %8lld %-16s %-5s %-6s %s", (long long)integer(row, "tid"), text_of(row, "name", "?"),
		    text_of(row, "state", "?"), json_is_true(json_object_get(row, "loop")) ? "loop" : "-",
		    text_of(row, "syscall", "-"));
	}
}

/* Of a program that has no libuv it is said once, not of each of its loops. */
static void put_missing(json_t *missing, int has_libuv)
{
	const char *path;
	const json_t *reason;
	if (json_object_size(missing))
		puts("\nnot seen");
	json_object_foreach(missing, path, reason)
	{
		const char *part = strrchr(path, '.');
		if (!has_libuv && part && !strcmp(part, ".libuv"))
			continue;
		put("  %s: %s", path, json_string_value(reason) ? json_string_value(reason) : "");
	}
}

static void put_document(json_t *document)
{
	const json_t *target = json_object_get(document, "target"), *libuv = json_object_get(document, "libuv"), *loop;
	size_t i;
	put("%s[%lld]   %s %s   %s", text_of(target, "comm", "?"), (long long)integer(target, "pid"),
	    text_of(target, "runtime", ""), text_of(target, "runtime_version", ""), text_of(target, "cmdline", ""));
	if (json_is_object(libuv))
		put("libuv %s in %s, symbols: %s", text_of(libuv, "version", "?"), text_of(libuv, "module", "?"),
		    text_of(libuv, "symbols", "?"));
	putchar('\n');
	put_threads(json_object_get(document, "threads"));
	json_array_foreach(json_object_get(document, "loops"), i, loop)
	{
		if (i == ROWS) {
			putchar('\n');
			put("… %zu more loops, in --json", json_array_size(json_object_get(document, "loops")) - ROWS);
			break;
		}
		put_loop(loop);
	}
	if (json_is_object(json_object_get(document, "pool")))
		put_pool(json_object_get(document, "pool"));
	put_missing(json_object_get(document, "not_measured"), json_is_object(libuv));
}

static int run(const struct options *options)
{
	const struct attach_options wanted = { .no_bpf = options->no_bpf, .without = options->without };
	struct target target = { .count = 0 };
	char message[256] = "";
	json_t *document = NULL;
	int code = target_find(&target, options);
	if (code)
		return code;
	if (target.count > 1)
		return fault(CLI_USAGE,
			     "%zu processes are called that: inspect looks at one, give its PID (pollscope ls)",
			     target.count);
	int err = attach_inspect(&document, target.pids[0], &wanted, message, sizeof(message));
	if (err)
		return fault(fault_code(SIDE_TARGET, err), "%s", message);
	ascii = options->ascii || strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
	if (options->json)
		json_dumpf(document, stdout, JSON_INDENT(2)), putchar('\n');
	else
		put_document(document);
	json_decref(document);
	return CLI_OK;
}

const struct command cmd_inspect = {
	.name = "inspect",
	.usage = "TARGET",
	.note = "one look: timer heap, pool, handles, epoll set, threads",
	.more = "Reads the state of the loops of one process once, and attaches nothing. Of libuv (node, uvloop, "
		"programs in C): timers "
		"drawn as the heap that they are kept in, handles, requests and the pool, from memory. Of epoll: the "
		"registered "
		"descriptors, the depth of their tree, who is ready and what lies unread.\n"
		"The process runs on while it is read: parts may be a few callbacks apart. What cannot be seen is "
		"named with the reason.",
	.options = OPT(JSON) | OPT(NO_BPF) | OPT(ASCII),
	.fewest = 1,
	.most = 1,
	.run = run,
};

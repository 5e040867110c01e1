/* SPDX-License-Identifier: BSD-2-Clause */
/* The providers of a look, and the document that they fill. */
#include "inspect.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proc.h"
#include "ps_event.h"
#include "runtime.h"
#include "schema.h"
#include "text.h"

#define THREADS_MAX 4096

static inspect_fn *const providers[] = { inspect_target, inspect_threads, inspect_libuv, inspect_server,
					 inspect_poller };

void inspect_missing(struct inspect_run *run, const char *path, const char *reason)
{
	json_object_set_new(run->not_measured, path, inspect_text(reason));
}

json_t *inspect_text(const char *text)
{
	char clean[1024];
	if (!*text)
		return json_null();
	text_clean(clean, sizeof(clean), text, strlen(text));
	return json_string(clean);
}

json_t *inspect_u32(uint32_t value)
{
	return value == PS_UNKNOWN32 ? json_null() : json_integer(value);
}

json_t *inspect_u64(uint64_t value)
{
	return value == PS_UNKNOWN ? json_null() : json_integer((json_int_t)value);
}

json_t *inspect_function(struct inspect_run *run, uint64_t address)
{
	char name[1024];
	if (!address)
		return json_null();
	runtime_function_name(run->symbols, address, name, sizeof(name));
	char *arguments = strchr(name, '(');
	/* "(anonymous namespace)::" is no list of arguments */
	if (arguments && arguments != name && strncmp(arguments, "(anonymous", 10))
		*arguments = '\0';
	if (!*name)
		snprintf(name, sizeof(name), "0x%llx", (unsigned long long)address);
	return inspect_text(name);
}

/* ---- who it is ---- */

int inspect_target(struct inspect_run *run)
{
	struct proc_runtime runtime;
	struct proc_stat stat;
	char exe[4096], cmdline[1024];
	if (proc_read_stat(run->pid, 0, &stat))
		memset(&stat, 0, sizeof(stat));
	if (proc_link(run->pid, "exe", exe, sizeof(exe)) < 0)
		*exe = '\0';
	proc_runtime(run->pid, stat.comm, exe, &runtime);
	proc_cmdline(run->pid, cmdline, sizeof(cmdline));
	json_t *target =
		json_pack("{s:i, s:o, s:o, s:o, s:o, s:o}", "pid", (int)run->pid, "comm", inspect_text(stat.comm),
			  "cmdline", inspect_text(cmdline), "runtime", inspect_text(runtime.name), "runtime_version",
			  inspect_text(runtime.version), "exe", inspect_text(exe));
	return json_object_set_new(run->document, "target", target) ? -ENOMEM : 0;
}

/* ---- its threads ---- */

static json_t *thread_row(struct inspect_run *run, pid_t tid)
{
	struct proc_stat stat;
	struct proc_syscall call;
	char state[2] = "";
	int is_loop = 0;
	if (proc_read_stat(run->pid, tid, &stat))
		return NULL;
	state[0] = stat.state;
	for (size_t i = 0; i < run->loop_count; i++)
		is_loop |= run->loops[i].tid == tid;
	json_t *where = json_null();
	if (!proc_read_syscall(run->pid, tid, &call) && call.number >= 0) {
		const char *name = syscall_name(call.number);
		where = name ? json_string(name) : json_integer(call.number);
	}
	return json_pack("{s:i, s:o, s:s, s:o, s:b}", "tid", (int)tid, "name", inspect_text(stat.comm), "state", state,
			 "syscall", where, "loop", is_loop);
}

static int by_number(const void *a, const void *b)
{
	pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;
	return x < y ? -1 : x > y;
}

int inspect_threads(struct inspect_run *run)
{
	pid_t *tids = malloc(THREADS_MAX * sizeof(*tids));
	json_t *rows = json_array();
	int count = tids ? proc_tasks(run->pid, tids, THREADS_MAX) : -ENOMEM;
	if (count > 0)
		qsort(tids, (size_t)count, sizeof(*tids), by_number);
	for (int i = 0; i < count; i++) {
		json_t *row = thread_row(run, tids[i]);
		if (row)
			json_array_append_new(rows, row);
	}
	free(tids);
	return json_object_set_new(run->document, "threads", rows) || count == -ENOMEM ? -ENOMEM : 0;
}

/* ---- the document ---- */

static json_t *loop_rows(const struct loop_found *loops, size_t count)
{
	json_t *rows = json_array();
	for (size_t i = 0; i < count; i++)
		json_array_append_new(
			rows, json_pack("{s:i, s:i, s:s, s:o, s:i, s:b}", "pid", (int)loops[i].pid, "tid",
					(int)loops[i].tid, "backend", backend_name(loops[i].backend), "poller_fd",
					loops[i].poller_fd < 0 ? json_null() : json_integer(loops[i].poller_fd), "fds",
					(int)loops[i].fds, "guess", loops[i].is_guess));
	return rows;
}

static int fill(struct inspect_run *run)
{
	run->not_measured = json_object();
	run->loop_rows = loop_rows(run->loops, run->loop_count);
	run->document = json_pack("{s:i, s:s, s:I}", "schema_version", 1, "tool", "pollscope " POLLSCOPE_VERSION, "ns",
				  (json_int_t)run->now_ns);
	int err =
		run->document && run->not_measured && run->loop_rows ? symbols_open(&run->symbols, run->pid) : -ENOMEM;
	for (size_t i = 0; i < sizeof(providers) / sizeof(*providers) && !err; i++)
		err = providers[i](run);
	symbols_close(run->symbols);
	if (err) {
		json_decref(run->document);
		json_decref(run->loop_rows);
		json_decref(run->not_measured);
		return err;
	}
	json_object_set_new(run->document, "loops", run->loop_rows);
	json_object_set_new(run->document, "not_measured", run->not_measured);
	return 0;
}

static void explain(int err, pid_t pid, char *message, size_t room)
{
	if (err == -ESRCH)
		snprintf(message, room, "no process %d: see the running loops with 'pollscope ls'", (int)pid);
	else if (err == -EPERM)
		snprintf(message, room, "process %d may not be looked into: run as root", (int)pid);
	else if (err == -ENOTSUP)
		snprintf(message, room, "%d is a kernel thread, which runs no event loop: give the PID of a program",
			 (int)pid);
	else if (err == -ENOENT)
		snprintf(message, room, "process %d runs no event loop now: see 'pollscope ls'", (int)pid);
	else
		snprintf(message, room, "cannot look into process %d: %s", (int)pid, strerror(-err));
}

int attach_inspect(json_t **document, pid_t pid, const struct attach_options *options, char *message, size_t room)
{
	struct loop_found *loops = NULL;
	int count = attach_find_loops(&loops, pid);
	int err = count < 0 ? count : count ? 0 : -ENOENT;
	struct inspect_run run = { .pid = pid,
				   .now_ns = stream_now(),
				   .options = options,
				   .loops = loops,
				   .loop_count = count > 0 ? (size_t)count : 0 };
	*document = NULL;
	if (!err)
		err = fill(&run);
	free(loops);
	if (err)
		explain(err, pid, message, room);
	else
		*document = run.document;
	return err;
}

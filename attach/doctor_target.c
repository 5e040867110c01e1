/* SPDX-License-Identifier: BSD-2-Clause */
/* The doctor on one process: whether it can be watched, and how far. */
#include "doctor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "libuv.h"
#include "server_loop.h"
#include "ring_find.h"

static const char as_its_owner[] = "sudo pollscope …, or run it as the owner of the process";

static int is_ours(const struct doctor_notes *notes)
{
	return notes->target.uid[1] == geteuid() && notes->target.uid[0] == geteuid();
}

static void try_owner(struct doctor_notes *notes)
{
	struct stat stat;
	char path[64];
	if (is_ours(notes))
		doctor_note(notes, "target: owner", DOCTOR_YES, NULL, "it is yours");
	else if (doctor_can(notes, DOCTOR_CAP_PTRACE))
		doctor_note(notes, "target: owner", DOCTOR_YES, NULL, "user %u: no matter with your rights", notes->target.uid[1]);
	else
		doctor_note(notes, "target: owner", DOCTOR_NO, as_its_owner, "it belongs to user %u", notes->target.uid[1]);
	snprintf(path, sizeof(path), "/proc/%d/stat", notes->pid);
	/* what is not dumpable belongs to root in /proc, whoever runs it */
	if (!notes->target.uid[1] || lstat(path, &stat))
		return;
	int is_dumpable = stat.st_uid == notes->target.uid[1];
	if (is_dumpable)
		doctor_note(notes, "target: dumpable", DOCTOR_YES, NULL, "its owner may look at it");
	else
		doctor_note(notes, "target: dumpable", doctor_can(notes, DOCTOR_CAP_PTRACE) ? DOCTOR_YES : DOCTOR_NO,
			    "sudo pollscope …", "it is not (it changed user or carries capabilities): only root may look");
}

static void try_program(struct doctor_notes *notes)
{
	struct proc_stat stat;
	struct proc_runtime runtime;
	char exe[4096];
	if (proc_read_stat(notes->pid, 0, &stat))
		return;
	ssize_t length = proc_link(notes->pid, "exe", exe, sizeof(exe));
	if (length < 0)
		*exe = 0;
	proc_runtime(notes->pid, stat.comm, exe, &runtime);
	static const char deleted[] = " (deleted)";
	if (length > (ssize_t)sizeof(deleted) && !strcmp(exe + length - (sizeof(deleted) - 1), deleted))
		doctor_note(notes, "target: program", DOCTOR_PARTLY, "restart the process",
			    "its file was replaced on disk while it runs; symbols come from the running copy");
	if (runtime.stripped < 0)
		doctor_note(notes, "target: symbols", DOCTOR_NO, as_its_owner, "its program file may not be read");
	else if (runtime.stripped)
		doctor_note(notes, "target: symbols", DOCTOR_PARTLY, "install its debug symbols (package NAME-dbgsym)",
			    "%s, stripped: only exported functions have names", runtime.name);
	else
		doctor_note(notes, "target: symbols", DOCTOR_YES, NULL, "%s%s%s, with its symbol table", runtime.name,
			    *runtime.version ? " " : "", runtime.version);
#if defined(__x86_64__)
	doctor_note(notes, "target: native stacks", DOCTOR_YES, NULL,
		    "with frame pointers or without: callers are found by .eh_frame, which nearly all programs have");
#else
	doctor_note(notes, "target: native stacks", DOCTOR_PARTLY, "build the program with -fno-omit-frame-pointer",
		    "by frame pointers on this machine: without them stacks are short");
#endif
}

/* 1: it is a server whose state is read by its variables. */
static int try_server(struct doctor_notes *notes)
{
	struct proc_runtime runtime;
	struct proc_stat stat;
	struct server_image image;
	char exe[4096];
	if (proc_read_stat(notes->pid, 0, &stat))
		return 0;
	if (proc_link(notes->pid, "exe", exe, sizeof(exe)) < 0)
		*exe = 0;
	proc_runtime(notes->pid, stat.comm, exe, &runtime);
	const struct server_kind *kind = server_kind_of(runtime.name);
	if (!kind)
		return 0;
	if (server_image_find(&image, kind, notes->pid))
		doctor_note(notes, "target: runtime state", DOCTOR_NO, NULL,
			    "this %s exports none of its variables: polls, stalls and descriptors are seen", kind->name);
	else
		doctor_note(notes, "target: runtime state", DOCTOR_YES, NULL, "%s: its timers (%s) and counts by memory", kind->name,
			    kind->structure);
	return 1;
}

/* The runtime's own state: timers, handles, the pool. */
static void try_library(struct doctor_notes *notes)
{
	struct libuv_image image;
	struct libuv_memory memory;
	struct libuv_pool pool;
	char version[16];
	if (libuv_image_find(&image, notes->pid)) {
		if (try_server(notes))
			return;
		doctor_note(notes, "target: runtime state", DOCTOR_NO, NULL,
			    "no libuv that has names in it: timers, handles and jobs are not seen; polls, stalls and descriptors are");
		return;
	}
	libuv_version_text(image.version, version);
	libuv_memory_of(&memory, &notes->pid);
	int by_code = image.stripped && image.address[LIBUV_uv__fs_work];
	doctor_note(notes, "target: runtime state", DOCTOR_YES, NULL, "libuv %s in %.40s: timers and handles by memory", version,
		    image.module);
	if (!image.address[LIBUV_uv__fs_work])
		doctor_note(notes, "target: pool jobs", DOCTOR_PARTLY, "install its debug symbols, or run a build with symbols",
			    "%.40s is stripped: submits of uv_queue_work are counted, waits and run times are hidden", image.module);
	else
		doctor_note(notes, "target: pool jobs", DOCTOR_YES, NULL, "jobs of fs, dns, crypto and the user from submit to end%s",
			    by_code ? "; its functions were found by its code" : "");
	int err = libuv_pool_read(&pool, &memory, &image);
	if (err)
		doctor_note(notes, "target: pool state", DOCTOR_NO, NULL, "%s", pool.note);
	else
		doctor_note(notes, "target: pool state", DOCTOR_YES, NULL, "%s", pool.threads ? "threads, busy ones and queue by memory" :
											     "no job was submitted yet: it has no threads");
}

static void try_loops(struct doctor_notes *notes)
{
	struct loop_found *loops = NULL;
	int count = attach_find_loops(&loops, notes->pid);
	if (count == -EPERM)
		doctor_note(notes, "target: event loops", DOCTOR_NO, as_its_owner, "its descriptors may not be read");
	else if (count < 0)
		doctor_note(notes, "target: event loops", DOCTOR_NO, NULL, "cannot look: %s", strerror(-count));
	else if (!count)
		doctor_note(notes, "target: event loops", DOCTOR_NO, NULL,
			    "no thread waits in epoll, poll, select or io_uring now, and it has no epoll descriptor");
	else
		doctor_note(notes, "target: event loops", DOCTOR_YES, NULL, "%d; the first: thread %d, poller fd %d, %u descriptors",
			    count, loops[0].tid, loops[0].poller_fd, loops[0].fds);
	free(loops);
}

static int count_ring(const struct ring *ring, void *arg)
{
	struct ring taken = *ring;
	ring_close(&taken);
	++*(int *)arg;
	return 0;
}

static void try_target_rings(struct doctor_notes *notes)
{
	static const char what[] = "target: flight recorders";
	struct ring_find *find = calloc(1, sizeof(*find));
	int count = 0;
	if (!find)
		return;
	find->pid = notes->pid;
	int err = ring_find(find, 0, count_ring, &count);
	if (err)
		doctor_note(notes, what, DOCTOR_NO, as_its_owner, "its descriptors may not be read");
	else if (count)
		doctor_note(notes, what, DOCTOR_YES, NULL, "%d: phases, callbacks, timers and pool are told exactly", count);
	else if (find->refused)
		doctor_note(notes, what, DOCTOR_NO, NULL, "refused: %s", find->why);
	else
		doctor_note(notes, what, DOCTOR_PARTLY, NULL, "none: it does not run on the instrumented loop");
	free(find);
}

static void try_threads(struct doctor_notes *notes)
{
	struct proc_syscall call;
	int err = proc_read_syscall(notes->pid, notes->pid, &call);
	if (!err)
		doctor_note(notes, "target: blocking calls", DOCTOR_YES, NULL, "tried: /proc/%d/syscall may be read", notes->pid);
	else
		doctor_note(notes, "target: blocking calls", DOCTOR_NO,
			    is_ours(notes) ? "sudo sysctl kernel.yama.ptrace_scope=0" : as_its_owner,
			    "cannot read /proc/%d/syscall: %s", notes->pid, strerror(-err));
}

/* Where its first mapping that may be read begins; 0 = none in the text. */
static uintptr_t readable_address(const char *maps)
{
	unsigned long long start, end;
	char may_read;

	for (const char *line = maps; line && *line; line = strchr(line, '\n'), line += !!line)
		if (sscanf(line, "%llx-%llx %c", &start, &end, &may_read) == 3 && may_read == 'r')
			return start;
	return 0;
}

static void try_memory(struct doctor_notes *notes)
{
	char maps[4096];
	uint64_t word;
	ssize_t length = proc_read(notes->pid, 0, "maps", maps, sizeof(maps));
	struct iovec local = { &word, sizeof(word) };
	struct iovec remote = { (void *)(length > 0 ? readable_address(maps) : 0), sizeof(word) };
	if (length > 0 && process_vm_readv(notes->pid, &local, 1, &remote, 1, 0) == sizeof(word))
		doctor_note(notes, "target: memory", DOCTOR_YES, NULL, "tried: paths of calls and libuv's state may be read");
	else
		doctor_note(notes, "target: memory", DOCTOR_NO,
			    is_ours(notes) ? "sudo sysctl kernel.yama.ptrace_scope=0" : as_its_owner,
			    "cannot be read: %s", strerror(length < 0 ? (int)-length : errno));
}

static void note_surroundings(struct doctor_notes *notes)
{
	if (notes->target.ns_pid && notes->target.ns_pid != notes->pid)
		doctor_note(notes, "target: container", DOCTOR_YES, NULL, "it calls itself %d: its numbers are translated",
			    notes->target.ns_pid);
	if (notes->target.seccomp)
		doctor_note(notes, "target: seccomp", DOCTOR_YES, NULL,
			    "it is filtered: no matter, nothing runs in it and no return probes are set");
}

void doctor_target(struct doctor_notes *notes)
{
	struct proc_stat stat;
	int err = proc_read_stat(notes->pid, 0, &stat);
	if (!err)
		err = proc_read_status(notes->pid, 0, &notes->target);
	if (err) {
		doctor_note(notes, "target", DOCTOR_NO, "pollscope ls", "no process has the number %d", notes->pid);
		return;
	}
	if (proc_is_kernel_thread(&stat)) {
		doctor_note(notes, "target", DOCTOR_NO, "pollscope ls", "%d is a kernel thread: it runs no event loop", notes->pid);
		return;
	}
	try_owner(notes);
	try_loops(notes);
	try_library(notes);
	try_target_rings(notes);
	try_threads(notes);
	try_memory(notes);
	try_program(notes);
	note_surroundings(notes);
}

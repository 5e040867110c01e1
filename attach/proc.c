/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Processes and threads as /proc tells them: identity, description, times.
 *
 * A number is not a process: numbers are reused. struct proc_id pairs it with
 * the start time and a pidfd, and whatever was read about a process counts
 * only if proc_same() still holds afterwards. Every text has a bound; a
 * process that goes while it is read gives -ESRCH and nothing else.
 */
#include "proc.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "schema.h"

#define CMDLINE_BYTES 4096
#define REGISTERED_BYTES (64u << 20) /* of fdinfo text: 800,000 descriptors */

static void path_of(char *out, size_t room, pid_t pid, pid_t tid, const char *name)
{
	if (tid)
		snprintf(out, room, "/proc/%d/task/%d/%s", pid, tid, name);
	else
		snprintf(out, room, "/proc/%d/%s", pid, name);
}

/* A process that goes answers ENOENT or ESRCH, depending on when. */
static int gone_or(int error)
{
	if (error == ENOENT || error == ESRCH)
		return -ESRCH;
	return error > 0 ? -error : -EIO;
}

static ssize_t read_all(int fd, char *out, size_t room)
{
	size_t length = 0;
	while (length < room) {
		ssize_t got = read(fd, out + length, room - length);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (!got)
			break;
		length += (size_t)got;
	}
	return (ssize_t)length;
}

ssize_t proc_read_file(const char *path, char *out, size_t room)
{
	*out = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ssize_t length = read_all(fd, out, room - 1);
	close(fd);
	out[length > 0 ? length : 0] = 0;
	return length;
}

ssize_t proc_read(pid_t pid, pid_t tid, const char *name, char *out, size_t room)
{
	char path[128];
	path_of(path, sizeof(path), pid, tid, name);
	ssize_t length = proc_read_file(path, out, room);
	return length < 0 ? gone_or((int)-length) : length;
}

ssize_t proc_link(pid_t pid, const char *name, char *out, size_t room)
{
	char path[128];
	path_of(path, sizeof(path), pid, 0, name);
	ssize_t length = readlink(path, out, room - 1);
	if (length < 0)
		return gone_or(errno);
	out[length] = 0;
	return length;
}

int proc_read_stat(pid_t pid, pid_t tid, struct proc_stat *stat)
{
	char text[1024];
	ssize_t length = proc_read(pid, tid, "stat", text, sizeof(text));
	return length < 0 ? (int)length : proc_parse_stat(stat, text, (size_t)length);
}

int proc_read_syscall(pid_t pid, pid_t tid, struct proc_syscall *call)
{
	char text[256];
	ssize_t length = proc_read(pid, tid, "syscall", text, sizeof(text));
	return length < 0 ? (int)length : proc_parse_syscall(call, text, (size_t)length);
}

int proc_read_schedstat(pid_t pid, pid_t tid, struct proc_sched *sched)
{
	char text[128];
	ssize_t length = proc_read(pid, tid, "schedstat", text, sizeof(text));
	return length < 0 ? (int)length : proc_parse_schedstat(sched, text, (size_t)length);
}

int proc_read_status(pid_t pid, pid_t tid, struct proc_status *status)
{
	char text[8192];
	ssize_t length = proc_read(pid, tid, "status", text, sizeof(text));
	return length < 0 ? (int)length : proc_parse_status(status, text, (size_t)length);
}

int proc_numbers(const char *path, pid_t *out, size_t room)
{
	DIR *dir = opendir(path);
	if (!dir)
		return gone_or(errno);
	size_t count = 0;
	const struct dirent *entry;
	while (count < room && (entry = readdir(dir))) {
		if (!isdigit((unsigned char)*entry->d_name))
			continue;
		long number = strtol(entry->d_name, NULL, 10);
		if (number >= 0 && number <= INT32_MAX)
			out[count++] = (pid_t)number;
	}
	closedir(dir);
	return (int)count;
}

int proc_tasks(pid_t pid, pid_t *tids, size_t room)
{
	char path[64];
	path_of(path, sizeof(path), pid, 0, "task");
	return proc_numbers(path, tids, room);
}

size_t proc_cmdline(pid_t pid, char *out, size_t room)
{
	ssize_t length = proc_read(pid, 0, "cmdline", out, room);
	if (length <= 0) {
		*out = 0;
		return 0;
	}
	while (length && !out[length - 1])
		length--;
	for (ssize_t i = 0; i < length; i++)
		if (!out[i])
			out[i] = ' ';
	return (size_t)length;
}

int64_t proc_registered(pid_t pid, int epfd)
{
	char path[64], text[16384];
	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", pid, epfd);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return gone_or(errno);
	uint64_t count = 0, bytes = 0;
	unsigned state = 0;
	ssize_t got;
	while (bytes < REGISTERED_BYTES && (got = read(fd, text, sizeof(text))) > 0) {
		count += proc_count_registered(text, (size_t)got, &state);
		bytes += (uint64_t)got;
	}
	close(fd);
	return (int64_t)count;
}

/* ---- identity ---- */

static int check_start(const struct proc_id *id)
{
	struct proc_stat stat;
	int err = proc_read_stat(id->pid, 0, &stat);
	if (err)
		return err;
	if (stat.start_ticks != id->start_ticks)
		return -ESRCH;
	/* a leader that ended before its threads is a zombie too, but its pidfd is not readable yet */
	if (id->pidfd < 0 && (stat.state == 'Z' || stat.state == 'X'))
		return -ESRCH;
	return 0;
}

/* The file that it runs and where its stack begins, which no two programs are likely to share. */
static uint64_t program_of(pid_t pid)
{
	char path[64];
	struct proc_stat told;
	struct stat exe;
	path_of(path, sizeof(path), pid, 0, "exe");
	if (stat(path, &exe) || proc_read_stat(pid, 0, &told) || !told.start_stack)
		return 0;
	return told.start_stack ^ (uint64_t)exe.st_ino * 0x9e3779b97f4a7c15u ^ (uint64_t)exe.st_dev << 32;
}

static int has_ended(int pidfd)
{
	struct pollfd ended = { pidfd, POLLIN, 0 };
	return poll(&ended, 1, 0) > 0 && ended.revents & (POLLIN | POLLERR | POLLNVAL);
}

static int open_id(struct proc_id *id, pid_t pid)
{
	struct proc_stat stat;
	struct proc_status status;
	*id = (struct proc_id){ .pid = pid, .pidfd = -1 };
	if (pid <= 0)
		return -ESRCH;
	int err = proc_read_stat(pid, 0, &stat);
	if (err == -ESRCH && (!kill(pid, 0) || errno == EPERM))
		return -EPERM; /* it lives, but /proc hides it */
	if (!err)
		err = proc_read_status(pid, 0, &status);
	if (err)
		return err;
	if (status.tgid && status.tgid != pid)
		return -ESRCH; /* the number of a thread */
	id->start_ticks = stat.start_ticks;
	id->program = program_of(pid);
	id->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	return id->pidfd < 0 && errno == ESRCH ? -ESRCH : 0;
}

int proc_open(struct proc_id *id, pid_t pid)
{
	int err = open_id(id, pid);
	if (!err && !proc_same(id)) {
		proc_close(id);
		err = -ESRCH;
	}
	return err;
}

int proc_open_child(struct proc_id *id, pid_t pid)
{
	int err = open_id(id, pid);
	id->is_launched = 1;
	return err;
}

int proc_same(const struct proc_id *id)
{
	if (id->pidfd >= 0 && has_ended(id->pidfd))
		return 0;
	return !check_start(id);
}

int proc_same_program(const struct proc_id *id)
{
	uint64_t now = id->program ? program_of(id->pid) : 0;
	/* the number may be another's by now */
	return !now || now == id->program || !proc_same(id);
}

void proc_close(struct proc_id *id)
{
	if (id->pidfd >= 0)
		close(id->pidfd);
	id->pidfd = -1;
}

size_t source_process(const struct source_context *context, pid_t pid)
{
	size_t i = 0;
	while (i < context->process_count && (context->processes[i].pid != pid || context->processes[i].is_replaced))
		i++;
	return i;
}

size_t source_replaced(const struct source_context *context)
{
	size_t count = 0;
	for (size_t i = 0; i < context->process_count; i++)
		count += context->processes[i].is_replaced;
	return count;
}

/* ---- what is put on the stream ---- */

/* libuv names its pool since 1.50; older pools look like any other thread. */
static int is_worker_name(const char *name)
{
	return !strcmp(name, "libuv-worker");
}

int proc_put_thread(struct stream *stream, pid_t pid, pid_t tid, uint32_t role, uint16_t generation)
{
	char name[64] = "";
	ssize_t length = proc_read(pid, tid, "comm", name, sizeof(name));
	if (length < 0)
		return (int)length;
	if (length && name[length - 1] == '\n')
		name[--length] = 0;
	if (role == PS_ROLE_OTHER && is_worker_name(name))
		role = PS_ROLE_WORKER;
	struct ps_ev_thread thread = {
		.h = { stream_now(), (uint32_t)tid, PS_EV_THREAD, sizeof(thread) },
		.pid = (uint32_t)pid,
		.name = stream_string(stream, name, (size_t)length),
		.role = (uint16_t)role,
		.generation = generation,
	};
	return stream_put(stream, &thread.h);
}

int proc_put_cpu_time(struct stream *stream, pid_t pid, pid_t tid)
{
	struct proc_sched sched;
	int err = proc_read_schedstat(pid, tid, &sched);
	if (err)
		return err;
	const struct ps_ev_cpu_time time = {
		.h = { stream_now(), (uint32_t)tid, PS_EV_CPU_TIME, sizeof(time) },
		.on_cpu_ns = sched.on_cpu_ns,
		.runnable_ns = sched.runnable_ns,
		.slices = sched.slices,
	};
	return stream_put(stream, &time.h);
}

int proc_put_sample(struct stream *stream, pid_t pid, pid_t tid, const struct proc_syscall *call, int is_stopped)
{
	struct proc_stat stat;
	int err = proc_read_stat(pid, tid, &stat);
	if (err)
		return err;
	struct ps_ev_sample sample = {
		.h = { stream_now(), (uint32_t)tid, PS_EV_SAMPLE, sizeof(sample) },
		.syscall = call->number >= 0 ? call->number : -1,
		.kind = PS_SAMPLE_PROC,
		.state = is_stopped ? 'T' : (uint8_t)stat.state,
	};
	if (call->number >= 0) {
		memcpy(sample.args, call->args, sizeof(sample.args));
		sample.path = proc_syscall_path(pid, call->number, sample.args, stream);
	}
	return stream_put(stream, &sample.h);
}

static uint32_t intern(struct stream *stream, const char *text)
{
	return stream_string(stream, text, strlen(text));
}

static uint64_t ticks_to_ns(uint64_t ticks)
{
	uint64_t hz = (uint64_t)sysconf(_SC_CLK_TCK);
	return ticks / hz * 1000000000u + ticks % hz * (1000000000u / hz);
}

int proc_note(const struct proc_id *id, struct stream *stream, struct ps_ev_process *out)
{
	struct proc_stat stat;
	struct proc_runtime runtime;
	char exe[4096] = "", cmdline[CMDLINE_BYTES] = "", build_id[PROC_BUILD_ID] = "";
	int err = proc_read_stat(id->pid, 0, &stat);
	if (err)
		return err;
	if (proc_link(id->pid, "exe", exe, sizeof(exe)) < 0)
		*exe = 0;
	proc_cmdline(id->pid, cmdline, sizeof(cmdline));
	proc_runtime(id->pid, stat.comm, exe, &runtime);
	proc_build_id(id->pid, build_id, sizeof(build_id));
	if (!id->is_launched && !proc_same(id))
		return -ESRCH;
	*out = (struct ps_ev_process){
		.h = { stream_now(), 0, PS_EV_PROCESS, sizeof(*out) },
		.pid = (uint32_t)id->pid,
		.ppid = (uint32_t)stat.ppid,
		.start_ns = ticks_to_ns(stat.start_ticks),
		.comm = intern(stream, stat.comm),
		.cmdline = intern(stream, cmdline),
		.exe = intern(stream, exe),
		.runtime = intern(stream, runtime.name),
		.version = intern(stream, runtime.version),
		.flags = (runtime.stripped > 0 ? PS_PROCESS_STRIPPED : 0) | (id->is_launched ? PS_PROCESS_LAUNCHED : 0),
		.build_id = intern(stream, build_id),
	};
	return 0;
}

int proc_describe(const struct proc_id *id, struct stream *stream)
{
	struct ps_ev_process process;
	int err = proc_note(id, stream, &process);
	if (!err)
		err = stream_put(stream, &process.h);
	if (err)
		return err;
	pid_t *tids = calloc(PROC_TASKS_MAX, sizeof(*tids));
	if (!tids)
		return -ENOMEM;
	int count = proc_tasks(id->pid, tids, PROC_TASKS_MAX);
	for (int i = 0; i < count && !err; i++) {
		err = proc_put_thread(stream, id->pid, tids[i], PS_ROLE_OTHER, 0);
		if (err == -ESRCH)
			err = 0; /* the thread has ended meanwhile */
	}
	free(tids);
	return count < 0 ? count : err;
}

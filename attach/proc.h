/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * /proc as text, and what is read from it. The parsers are pure functions on
 * buffers that need not be terminated and may hold anything; the readers are
 * bounded and answer -ESRCH when the process has gone.
 *
 * source.h has the part that the other files of attach/ use.
 */
#ifndef PROC_H
#define PROC_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "source.h"

#define PROC_TASKS_MAX 8192     /* threads of one process that are looked at */

/* ---- parsers (proc_parse.c); 0 or -EINVAL ---- */

struct proc_stat {
	pid_t pid, ppid;
	char comm[64];          /* as it is: may hold anything but NUL */
	char state;
	uint64_t flags;         /* PF_* */
	uint64_t threads;
	uint64_t start_ticks;
	uint64_t start_stack;   /* differs with each program that a process becomes; 0 = may not be read */
};
int proc_parse_stat(struct proc_stat *stat, const char *text, size_t bytes);
int proc_is_kernel_thread(const struct proc_stat *stat);

#define PROC_SYSCALL_NONE (-1)    /* blocked, but not in a system call */
#define PROC_SYSCALL_RUNNING (-2) /* on a CPU, or ready for one */
struct proc_syscall {
	int number;
	uint64_t args[6];
};
int proc_parse_syscall(struct proc_syscall *call, const char *text, size_t bytes);

struct proc_sched {
	uint64_t on_cpu_ns, runnable_ns, slices;
};
int proc_parse_schedstat(struct proc_sched *sched, const char *text, size_t bytes);

struct proc_status {
	pid_t tgid;             /* 0 = not told */
	pid_t ns_pid;           /* its number in its innermost pid namespace; 0 = not told */
	uid_t uid[4];           /* real, effective, saved, file system */
	uint64_t caps;          /* effective */
	uint64_t no_new_privs, seccomp;
};
int proc_parse_status(struct proc_status *status, const char *text, size_t bytes);

enum proc_net { PROC_NET_TCP, PROC_NET_TCP6, PROC_NET_UDP, PROC_NET_UDP6, PROC_NET_UNIX, PROC_NET_COUNT };
struct proc_socket {
	uint64_t inode;
	uint8_t table;          /* enum proc_net */
	uint8_t listening;
	uint16_t local_port, peer_port;
	uint8_t local[16], peer[16]; /* network order; IPv4 in the first four */
	char path[108];         /* unix; "" = none */
};
int proc_parse_socket(struct proc_socket *socket, enum proc_net table, const char *line, size_t bytes);
/* "10.0.1.5:5432", "[::1]:80", "/run/x.sock", "unix:[7]"; returns enum ps_kind. */
int proc_socket_name(const struct proc_socket *socket, char *out, size_t room);

/* What the text of a /proc/PID/fd link stands for; *inode is set for sockets. Returns enum ps_kind. */
int proc_link_kind(const char *link, uint64_t *inode);

/* Counts "tfd:" lines in a stream of blocks; *state begins as 0. */
uint64_t proc_count_registered(const char *text, size_t bytes, unsigned *state);

/* ---- readers (proc.c) ---- */

/* "/proc/PID/name" or, with tid, "/proc/PID/task/TID/name"; at most room - 1 bytes, terminated. Length or -errno. */
ssize_t proc_read(pid_t pid, pid_t tid, const char *name, char *out, size_t room);
/* The beginning of any small file, the same way: `out` is a string whatever is returned. */
ssize_t proc_read_file(const char *path, char *out, size_t room);
ssize_t proc_link(pid_t pid, const char *name, char *out, size_t room);
int proc_read_stat(pid_t pid, pid_t tid, struct proc_stat *stat);
int proc_read_syscall(pid_t pid, pid_t tid, struct proc_syscall *call);
int proc_read_schedstat(pid_t pid, pid_t tid, struct proc_sched *sched);
int proc_read_status(pid_t pid, pid_t tid, struct proc_status *status);
/* Numeric names of a folder of /proc, at most room, in no order. How many or -errno. */
int proc_numbers(const char *path, pid_t *out, size_t room);
int proc_tasks(pid_t pid, pid_t *tids, size_t room);
/* Arguments joined by spaces, cut at room. Length; 0 = none. */
size_t proc_cmdline(pid_t pid, char *out, size_t room);
/* How many descriptors are registered with the epoll descriptor; -errno. */
int64_t proc_registered(pid_t pid, int epfd);

int proc_put_thread(struct stream *stream, pid_t pid, pid_t tid, uint32_t role, uint16_t generation);
int proc_put_cpu_time(struct stream *stream, pid_t pid, pid_t tid);
/* Puts what the thread does now as a SAMPLE of kind PROC; is_stopped: it is known to be. -errno when it may not be seen. */
int proc_put_sample(struct stream *stream, pid_t pid, pid_t tid, const struct proc_syscall *call, int is_stopped);

/* ---- what waits in a poller (proc_syscall.c) ---- */

/* enum ps_backend, 0 when the call is no poller's; *poller_fd is -1 where the poller has no descriptor. */
uint32_t proc_poller(const struct proc_syscall *call, int *poller_fd, uint32_t *fds);

/* 1: the call that the thread waits in was made inside kevent() of some library (proc_kevent.c). */
int proc_waits_in_kevent(pid_t pid, pid_t tid);

/* ---- what runs in it (proc_runtime.c) ---- */

/* A regular file of the target's root, for reading: no link is followed. -errno. */
int proc_open_inside(pid_t pid, const char *name);

struct proc_runtime {
	char name[24];
	char version[24];       /* "" = not known */
	int stripped;           /* 1, 0, -1 = not known */
};
void proc_runtime(pid_t pid, const char *comm, const char *exe, struct proc_runtime *runtime);
/* The first of the names (NULL behind the last) that the program in this file exports; -1 = none (proc_exports.c). */
int proc_exports(int fd, const char *const *names);
#define PROC_BUILD_ID 80
/* The GNU build-id of its executable in hex; "" = it has none. */
void proc_build_id(pid_t pid, char *out, size_t room);
/* What a running Node says (proc_node.c); `out` stays as it is when it cannot be read. */
void proc_node_version(pid_t pid, char *out, size_t room);
/* By the name of the executable or command alone; NULL = none known. */
const char *proc_runtime_named(const char *name);

/* ---- trying what the kernel lets this process do (bpf_try.c) ---- */

int proc_may_bpf(void);        /* 1: a BPF program of a tracing kind loads */

#endif

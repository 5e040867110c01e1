/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The inside of epoll instances: a reader that takes pictures, the names of
 * what is in them, and what the source keeps between two pictures.
 */
#ifndef POLLER_H
#define POLLER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "attach.h"
#include "ps_probe.h"
#include "source.h"
#include "table.h"

/* ---- reading (poller_read.c by BPF, poller_fdinfo.c from /proc) ---- */

/* A picture: what the poller holds. The reader owns it; it is good until the next reading. */
struct poller_raw {
	uint64_t ns, cost_ns;
	uint64_t poller; /* its address in the kernel; 0 = not seen */
	uint64_t items, depth, ready, waiters, unread_bytes; /* PS_UNKNOWN = not seen */
	uint32_t flags; /* enum ps_poller_flags */
	struct ps_poller_item *item; /* by descriptor; may hold one twice: two files were registered under a number */
	size_t count;
};

struct poller_reader;

/* Loads what the kernel lets us have. `no_bpf`: /proc only. -ENOMEM; what does not load is told by poller_reader_reason(). */
int poller_reader_open(struct poller_reader **reader, int no_bpf);
void poller_reader_close(struct poller_reader *reader);
int poller_reader_by_bpf(const struct poller_reader *reader); /* 1: by BPF, 0: from /proc */
const char *poller_reader_reason(const struct poller_reader *reader); /* how, or why not by BPF */
/* -ESRCH: the process or the descriptor has gone, or is no poller; -EPERM, -ENOMEM. */
int poller_read(struct poller_reader *reader, pid_t pid, int epfd, struct poller_raw *raw);
/* enum ps_kind by the file's operations; 0 = not learnt. */
uint32_t poller_kind(const struct poller_reader *reader, uint64_t f_op);
uint64_t poller_socket_f_op(const struct poller_reader *reader);

/* From /proc/PID/fdinfo: descriptors and events. `room` items are at *item, which may move. Returns how many, -errno. */
ssize_t poller_fdinfo(pid_t pid, int epfd, struct ps_poller_item **item, size_t *room);
/* One "tfd:" line of it. 0 or -EINVAL. */
int poller_parse_item(struct ps_poller_item *item, const char *line, size_t bytes);

/* ---- names (poller_name.c) ---- */

/* What the item stands for: enum ps_kind and its name, as proc_fd_name() says it. */
uint32_t poller_name(const struct poller_reader *reader, pid_t pid, const struct ps_poller_item *item, char *out,
		     size_t room);

/* ---- what changed between two pictures (poller_watch.c) ---- */

/* One item as it was told last. */
struct poller_known {
	uint64_t identity; /* ps_file_identity() */
	int32_t fd;
	uint32_t generation;
	uint32_t events, unread, backlog;
	uint16_t flags;
	uint16_t is_named;
};

/* A poller under watch, by (pid, tid, epfd). */
struct poller_watch {
	pid_t pid, tid;
	int epfd;
	int tells; /* its own recorder tells of its descriptors: only the picture as a whole is ours to tell */
	int is_guess; /* nobody was seen to wait on it */
	int is_followed; /* from ready to dispatched too */
	int is_gone;
	uint64_t next_ns; /* when to look again */
	uint64_t poller; /* address of the instance at the last look; 0 = none yet */
	uint32_t generations;
	struct poller_known *known; /* by descriptor */
	size_t count;
	struct table
		young; /* descriptors that were spoken of before a picture had them: identity and number -> generation */
};

struct ready_probe;

/* Takes a picture and puts what changed. 0; -EAGAIN: there is more to tell, look again soon; -ESRCH: the poller has gone. */
/* `ready`, if not NULL, is told of descriptors that are new in the picture; with `seeds` of all. */
int poller_watch_look(struct poller_watch *watch, struct poller_reader *reader, struct ready_probe *ready, int seeds,
		      struct stream *stream, struct poller_raw *raw);
/* The generation of a descriptor of this poller; one that no picture had yet gets one. */
uint32_t poller_watch_generation(struct poller_watch *watch, int fd, uint64_t identity);
void poller_watch_free(struct poller_watch *watch);

#endif

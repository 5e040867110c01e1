/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pictures of epoll instances by a BPF iterator over the files of a process.
 *
 * The iterator hands over a few thousand items at a time and is run until there
 * are no more, so neither the kernel nor the ring is held for long. What kind of
 * file an item is, the kernel tells by the address of its operations: they are
 * learnt once from files of each kind that we open ourselves.
 *
 * Where BPF is not to be had, fdinfo tells descriptors and events, and what only
 * the kernel knows stays unknown.
 */
#include "poller.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "bpf_ring.h"
#include "pid_space.h"
#include "poller.skel.h"
#include "proc.h"

#define ITEMS_MAX (1u << 20) /* of one poller */
#define TRIES 3 /* when the tree changes under the walk */

struct poller_reader {
	struct poller *skeleton; /* NULL: /proc only */
	struct bpf_ring *ring;
	char reason[160];
	uint64_t f_op[PS_LEARN_FDS]; /* by index in teachers */
	struct ps_poller_item *item;
	size_t count, room;
	int out_of_memory;
};

/* ---- files of our own, one of each kind ---- */

static int open_epoll(void)
{
	return epoll_create1(EPOLL_CLOEXEC);
}

static int open_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static int open_eventfd(void)
{
	return eventfd(0, EFD_CLOEXEC);
}

static int open_timerfd(void)
{
	return timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
}

static int open_signalfd(void)
{
	sigset_t none;

	sigemptyset(&none);
	return signalfd(-1, &none, SFD_CLOEXEC);
}

static int open_pipe(void)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC))
		return -1;
	close(ends[1]);
	return ends[0];
}

static int open_inotify(void)
{
	return inotify_init1(IN_CLOEXEC);
}

static int open_process(void)
{
	return (int)syscall(SYS_pidfd_open, getpid(), 0);
}

static const struct teacher {
	uint32_t kind;
	int (*open)(void);
} teachers[PS_LEARN_FDS] = {
	{ PS_KIND_EPOLL, open_epoll },	   { PS_KIND_SOCKET, open_socket },	{ PS_KIND_EVENTFD, open_eventfd },
	{ PS_KIND_TIMERFD, open_timerfd }, { PS_KIND_SIGNALFD, open_signalfd }, { PS_KIND_PIPE, open_pipe },
	{ PS_KIND_INOTIFY, open_inotify }, { PS_KIND_PROCESS, open_process },
};

/* ---- the iterator ---- */

/* Runs it over the files of a process; it stops early when it has found what was asked for. */
static int run_iterator(const struct poller_reader *reader, pid_t pid)
{
	union bpf_iter_link_info info = { .task = { .pid = (__u32)pid } };
	LIBBPF_OPTS(bpf_iter_attach_opts, options, .link_info = &info, .link_info_len = sizeof(info));
	struct bpf_link *link = bpf_program__attach_iter(reader->skeleton->progs.on_file, &options);
	char stop[8];
	ssize_t got;

	if (!link)
		return -errno;
	int fd = bpf_iter_create(bpf_link__fd(link));
	int err = fd < 0 ? -errno : 0;
	if (!err) {
		got = read(fd, stop, sizeof(stop));
		err = got < 0 ? -errno : 0;
		close(fd);
	}
	bpf_link__destroy(link);
	return err;
}

static int learn(struct poller_reader *reader)
{
	struct ps_poller_request *request = &reader->skeleton->bss->request;

	*request = (struct ps_poller_request){ .tgid = (uint32_t)getpid(), .learns = 1 };
	for (unsigned i = 0; i < PS_LEARN_FDS; i++)
		request->learn_fd[i] = teachers[i].open();
	int err = run_iterator(reader, getpid());
	for (unsigned i = 0; i < PS_LEARN_FDS; i++) {
		if (request->learn_fd[i] >= 0)
			close(request->learn_fd[i]);
		reader->f_op[i] = reader->skeleton->bss->answer.learnt_f_op[i];
	}
	if (!err && (!reader->f_op[0] || !reader->f_op[1]))
		err = -ENOSYS;
	return err;
}

static int take_item(void *arg, void *data, size_t bytes)
{
	struct poller_reader *reader = arg;

	if (bytes < sizeof(*reader->item))
		return 0;
	if (reader->count == reader->room) {
		size_t room = reader->room ? reader->room * 2 : 256;
		struct ps_poller_item *item = realloc(reader->item, room * sizeof(*item));

		if (!item) {
			reader->out_of_memory = 1;
			return -ENOMEM;
		}
		reader->item = item;
		reader->room = room;
	}
	memcpy(&reader->item[reader->count++], data, sizeof(*reader->item));
	return 0;
}

static int load(struct poller_reader *reader)
{
	struct pid_space own;

	libbpf_set_print(NULL);
	if (pid_space_find(&own))
		return -EXDEV;
	reader->skeleton = poller__open();
	if (!reader->skeleton)
		return -errno;
	PID_SPACE_SET(reader->skeleton);
	int err = poller__load(reader->skeleton);
	if (!err)
		err = learn(reader);
	if (err)
		return err;
	return bpf_ring_open(&reader->ring, bpf_map__fd(reader->skeleton->maps.items), take_item, reader);
}

static void unload(struct poller_reader *reader)
{
	bpf_ring_close(reader->ring);
	poller__destroy(reader->skeleton);
	reader->ring = NULL;
	reader->skeleton = NULL;
}

static void say_why(struct poller_reader *reader, int err)
{
	static const char what[] = "descriptors and events from /proc only";

	if (err == -EPERM || err == -EACCES)
		snprintf(reader->reason, sizeof(reader->reason), "%s: run as root for the rest", what);
	else if (err == -EXDEV)
		snprintf(reader->reason, sizeof(reader->reason), "%s: in a PID namespace", what);
	else
		snprintf(reader->reason, sizeof(reader->reason), "%s: the kernel refuses the iterator (%s)", what,
			 strerror(-err));
}

int poller_reader_open(struct poller_reader **out, int no_bpf)
{
	struct poller_reader *reader = calloc(1, sizeof(*reader));

	*out = reader;
	if (!reader)
		return -ENOMEM;
	if (no_bpf) {
		snprintf(reader->reason, sizeof(reader->reason), "descriptors and events from /proc only: --no-bpf");
		return 0;
	}
	int err = load(reader);
	if (err) {
		unload(reader);
		say_why(reader, err);
	} else {
		snprintf(reader->reason, sizeof(reader->reason), "iterator over open files");
	}
	return 0;
}

void poller_reader_close(struct poller_reader *reader)
{
	if (!reader)
		return;
	unload(reader);
	free(reader->item);
	free(reader);
}

int poller_reader_by_bpf(const struct poller_reader *reader)
{
	return reader->skeleton != NULL;
}

const char *poller_reader_reason(const struct poller_reader *reader)
{
	return reader->reason;
}

uint32_t poller_kind(const struct poller_reader *reader, uint64_t f_op)
{
	for (unsigned i = 0; i < PS_LEARN_FDS; i++)
		if (f_op && reader->f_op[i] == f_op)
			return teachers[i].kind;
	return PS_KIND_UNKNOWN;
}

uint64_t poller_socket_f_op(const struct poller_reader *reader)
{
	return reader->f_op[1];
}

/* ---- a picture ---- */

/* One call of the iterator; the cursor moves on. 1: there is more. */
static int read_part(struct poller_reader *reader, struct poller_raw *raw)
{
	struct ps_poller_request *request = &reader->skeleton->bss->request;
	struct ps_poller_answer *answer = &reader->skeleton->bss->answer;

	*answer = (struct ps_poller_answer){ 0 };
	int err = run_iterator(reader, (pid_t)request->tgid);
	bpf_ring_consume(reader->ring);
	if (err)
		return err;
	if (reader->out_of_memory)
		return -ENOMEM;
	if (answer->found != 1)
		return -ESRCH;
	if (answer->torn)
		return -EAGAIN;
	raw->poller = answer->poller;
	raw->waiters = answer->waiters;
	raw->depth = answer->depth > raw->depth ? answer->depth : raw->depth;
	/* the cursor did not move: there will never be more */
	int moved = request->after_file != answer->last_file || request->after_fd != answer->last_fd;
	request->after_file = answer->last_file;
	request->after_fd = answer->last_fd;
	return answer->more && moved;
}

static int read_by_bpf(struct poller_reader *reader, pid_t pid, int epfd, struct poller_raw *raw)
{
	struct ps_poller_request *request = &reader->skeleton->bss->request;
	int more = 1;

	*request = (struct ps_poller_request){
		.tgid = (uint32_t)pid,
		.poller_fd = epfd,
		.limit = PS_POLLER_LIMIT,
		.poller_f_op = reader->f_op[0],
		.socket_f_op = reader->f_op[1],
	};
	raw->depth = 0;
	while (more > 0 && reader->count < ITEMS_MAX)
		more = read_part(reader, raw);
	if (more > 0)
		raw->flags |= PS_POLLER_CUT;
	return more < 0 ? more : 0;
}

static int by_fd(const void *a, const void *b)
{
	const struct ps_poller_item *x = a, *y = b;

	if (x->fd != y->fd)
		return x->fd < y->fd ? -1 : 1;
	return (x->file > y->file) - (x->file < y->file);
}

static void sum_up(struct poller_raw *raw)
{
	raw->items = raw->count;
	if (raw->flags & PS_POLLER_FDINFO)
		return;
	raw->ready = raw->unread_bytes = 0;
	for (size_t i = 0; i < raw->count; i++) {
		raw->ready += !!(raw->item[i].flags & PS_ITEM_READY);
		raw->unread_bytes += raw->item[i].flags & PS_ITEM_UNREAD ? raw->item[i].unread : 0;
	}
}

/* A tree that changes under each walk gives what the last one saw. */
static int read_untorn(struct poller_reader *reader, pid_t pid, int epfd, struct poller_raw *raw)
{
	int err = -EAGAIN;

	for (int i = 0; i < TRIES && err == -EAGAIN; i++) {
		reader->count = 0;
		err = read_by_bpf(reader, pid, epfd, raw);
	}
	if (err != -EAGAIN)
		return err;
	raw->flags |= PS_POLLER_CUT;
	return 0;
}

int poller_read(struct poller_reader *reader, pid_t pid, int epfd, struct poller_raw *raw)
{
	uint64_t start = stream_now();
	int err = 0;

	*raw = (struct poller_raw){
		.depth = PS_UNKNOWN, .ready = PS_UNKNOWN, .waiters = PS_UNKNOWN, .unread_bytes = PS_UNKNOWN
	};
	reader->count = 0;
	if (reader->skeleton) {
		err = read_untorn(reader, pid, epfd, raw);
	} else {
		ssize_t count = poller_fdinfo(pid, epfd, &reader->item, &reader->room);

		raw->flags |= PS_POLLER_FDINFO;
		reader->count = count < 0 ? 0 : (size_t)count;
		err = count < 0 ? (int)count : 0;
	}
	if (err)
		return err;
	raw->item = reader->item;
	raw->count = reader->count;
	if (raw->count)
		qsort(raw->item, raw->count, sizeof(*raw->item), by_fd);
	sum_up(raw);
	raw->ns = stream_now();
	raw->cost_ns = raw->ns - start;
	return 0;
}

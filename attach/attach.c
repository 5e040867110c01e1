/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A session: the processes under watch, their symbols, the sources that speak
 * of them, and the one stream that all of it goes through.
 *
 * attach_open() opens in the order in which things are needed: processes, then
 * the loops in them, then the sources, each of which may fail alone. It fails
 * as a whole only when there is nothing to watch or nothing that can watch.
 */
#include "attach.h"

#include <errno.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "family.h"
#include "proc.h"
#include "relief.h"
#include "session.h"
#include "turn_places.h"

#define REST_GAP_NS 1000000000ull
#define LARGE_BYTES (256 << 10)
#define BEHIND_NS    50000000 /* a drain that took longer than this left rings to run over */
#define PREPARED_PROCESSES 4   /* of many, those that stall pay for their names */
#define LOOKS       10
#define LOOK_GAP_NS 37000000  /* no divisor of usual timer periods */

const struct source *const session_sources[SOURCES] = { &source_bpf,	 &source_poller, &source_ring,
							&source_runtime, &source_due,	 &source_proc };

__attribute__((format(printf, 3, 4)))
static void say(char *message, size_t room, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(message, room, format, arguments);
	va_end(arguments);
}

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

static int is_kernel_thread(pid_t pid)
{
	struct proc_stat stat;

	return !proc_read_stat(pid, 0, &stat) && proc_is_kernel_thread(&stat);
}

int session_open_process(struct attach *attach, pid_t pid, char *message, size_t room)
{
	struct proc_id *id = &attach->processes[attach->process_count];
	int is_launched = attach->options.expect && attach->root_count && pid == attach->roots[0];
	int err = is_launched ? proc_open_child(id, pid) : proc_open(id, pid);

	if (err == -ESRCH)
		say(message, room, "no process %d: see the running loops with 'pollscope ls'", (int)pid);
	else if (err)
		say(message, room, "process %d may not be looked at (%s): run as root", (int)pid, strerror(-err));
	if (err)
		return err;
	if (is_kernel_thread(pid)) {
		proc_close(id);
		say(message, room, "%d is a kernel thread, which runs no event loop: give the PID of a program", (int)pid);
		return -ENOTSUP;
	}
	err = symbols_open(&attach->symbols[attach->process_count], pid);
	if (err) {
		proc_close(id);
		say(message, room, "out of memory");
		return err;
	}
	attach->process_count++;
	return proc_describe(id, attach->stream);
}

/* Opens what is there of many; a single target must be there. */
static int open_each(struct attach *attach, const pid_t *pids, size_t count, char *message, size_t room)
{
	int err = -EINVAL;

	say(message, room, "no process was named");
	for (size_t i = 0; i < count; i++) {
		err = session_open_process(attach, pids[i], message, room);
		if (err == -ENOMEM)
			return err;
	}
	return attach->process_count ? 0 : err;
}

/* The lists never move: sources keep pointers into them. */
static int make_room(struct attach *attach, const struct attach_options *options, size_t count)
{
	size_t room = count + SOURCE_LATER;

	attach->processes = calloc(room, sizeof(*attach->processes));
	attach->symbols = calloc(room, sizeof(*attach->symbols));
	attach->roots = calloc(options->pid_count + 1, sizeof(*attach->roots));
	if (!attach->processes || !attach->symbols || !attach->roots)
		return -ENOMEM;
	if (options->pid_count)
		memcpy(attach->roots, options->pids, options->pid_count * sizeof(*attach->roots));
	attach->root_count = options->pid_count;
	attach->process_room = room;
	return 0;
}

static int open_processes(struct attach *attach, const struct attach_options *options, char *message, size_t room)
{
	pid_t *family;

	if (options->expect)
		return make_room(attach, options, 0);
	if (!options->follow)
		return make_room(attach, options, options->pid_count) ?:
		       open_each(attach, options->pids, options->pid_count, message, room);
	int count = family_find(&family, options->pids, options->pid_count);
	if (count < 0)
		return count;
	int err = make_room(attach, options, count);
	if (!err)
		err = open_each(attach, family, count, message, room);
	free(family);
	return err;
}

int session_add_loops(struct attach *attach, pid_t pid)
{
	struct loop_found *found = NULL, *all;
	int count = attach_find_loops(&found, pid);

	if (count <= 0) {
		free(found);
		return count;
	}
	all = realloc(attach->loops, (attach->loop_count + count) * sizeof(*all));
	if (!all) {
		free(found);
		return -ENOMEM;
	}
	attach->loops = all;
	memcpy(all + attach->loop_count, found, count * sizeof(*found));
	attach->loop_count += count;
	free(found);
	return count;
}

/* One look at each process; 1: one of them may not be looked into. */
static int look_for_loops(struct attach *attach)
{
	int denied = 0;

	for (size_t i = 0; i < attach->process_count; i++) {
		int count = session_add_loops(attach, attach->processes[i].pid);

		if (count == -ENOMEM)
			return count;
		denied |= count == -EPERM || count == -EACCES;
	}
	return denied;
}

static int find_loops(struct attach *attach, char *message, size_t room)
{
	const struct timespec gap = { 0, LOOK_GAP_NS };
	int denied = look_for_loops(attach);

	/* a loop on poll() or select() shows only while it waits */
	for (int look = 1; look < LOOKS && !denied && !attach->loop_count; look++) {
		nanosleep(&gap, NULL);
		denied = look_for_loops(attach);
	}
	if (denied < 0)
		return denied;
	if (attach->loop_count)
		return 0;
	pid_t pid = attach->processes[0].pid;
	if (denied) {
		say(message, room, "process %d belongs to another user: run as root", (int)pid);
		return -EPERM;
	}
	if (!proc_same(&attach->processes[0])) {
		say(message, room, "process %d has gone", (int)pid);
		return -ESRCH;
	}
	say(message, room, "process %d runs no event loop now: no thread of it waits in epoll, poll or select, and it has "
	    "no epoll descriptor; see 'pollscope ls'", (int)pid);
	return -ENOENT;
}

static struct source_context context_of(const struct attach *attach)
{
	return (struct source_context){
		.options = &attach->options,
		.stream = attach->stream,
		.processes = attach->processes,
		.symbols = attach->symbols,
		.process_count = attach->process_count,
		.loops = attach->loops,
		.loop_count = attach->loop_count,
		.places = attach->places,
	};
}

/* The first source declares loops itself: their time begins when its probes are ready. */
static void declare_loops(struct attach *attach, size_t from)
{
	for (size_t i = from; i < attach->loop_count && !attach->states[0]; i++)
		stream_loop(attach->stream, &attach->options, &attach->loops[i]);
}

static int open_source(struct attach *attach, size_t i, const struct source_context *context)
{
	const struct timespec pause = { attach->options.pause_ns / 1000000000, attach->options.pause_ns % 1000000000 };
	int err = session_sources[i]->open(&attach->states[i], context);

	relief_add(attach->relief, session_sources[i], attach->states[i]);
	if (attach->options.pause_ns)
		nanosleep(&pause, NULL);
	return err;
}

static int open_sources(struct attach *attach, char *message, size_t room)
{
	const struct source_context context = context_of(attach);
	int opened = 0;

	relief_start(attach->relief);
	for (size_t i = 0; i < SOURCES; i++)
		if (context.process_count || session_sources[i]->adopt)
			opened += !open_source(attach, i, &context);
	declare_loops(attach, 0);
	if (!context.process_count) /* who is launched may take its time */
		relief_stop(attach->relief);
	if (opened)
		return 0;
	say(message, room, "nothing can be seen of process %d here: run as root, and see 'pollscope doctor'",
	    (int)attach->roots[0]);
	return geteuid() ? -EPERM : -ENOSYS;
}

void session_tell(struct attach *attach, size_t first_loop)
{
	const struct source_context context = context_of(attach);

	relief_start(attach->relief);
	for (size_t i = 0; i < SOURCES; i++) {
		relief_remove(attach->relief, session_sources[i]);
		if (attach->states[i] && session_sources[i]->adopt) {
			session_sources[i]->adopt(attach->states[i], &context);
			relief_add(attach->relief, session_sources[i], attach->states[i]);
			continue;
		}
		if (attach->states[i])
			session_sources[i]->close(attach->states[i]);
		attach->states[i] = NULL;
		open_source(attach, i, &context);
	}
	declare_loops(attach, first_loop);
}

int attach_open(struct attach **out, const struct attach_options *options, char *message, size_t room)
{
	struct attach *attach = calloc(1, sizeof(*attach));
	int err = attach ? stream_open(&attach->stream) : -ENOMEM;

	*out = NULL;
	if (!err) {
		attach->relief = relief_open();
		attach->places = turn_places_open();
	}
	/* symbol tables of big files come and go: each a mapping of its own, however big it is, none a hole in the heap */
	mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
	if (err)
		say(message, room, "out of memory");
	else
		attach->options = *options;
	if (!err)
		err = open_processes(attach, options, message, room);
	if (!err && !options->expect)
		err = find_loops(attach, message, room);
	if (!err)
		err = open_sources(attach, message, room);
	if (err) {
		attach_close(attach, NULL, NULL);
		return err;
	}
	if (room)
		*message = '\0';
	/* the caller's list is not ours to keep */
	attach->options.pids = NULL;
	attach->options.pid_count = 0;
	*out = attach;
	return 0;
}

static void put_clock(struct stream *stream)
{
	struct ps_ev_clock record = {
		.h = { stream_now(), 0, PS_EV_CLOCK, sizeof(record) },
		.realtime_ns = clock_ns(CLOCK_REALTIME),
		.boottime_ns = clock_ns(CLOCK_BOOTTIME),
	};

	stream_put(stream, &record.h);
}

/* ---- loops that show up later: the source that meets them says so, and others hear of it ---- */

struct listener {
	struct attach *attach;
	attach_sink_fn *sink;
	void *arg;
};

static void introduce(struct attach *attach, const struct ps_ev_loop *loop)
{
	const struct loop_found found = {
		.pid = (pid_t)loop->pid,
		.tid = (pid_t)loop->h.tid,
		.poller_fd = loop->poller_fd,
		.backend = loop->backend,
		.waits_in = loop->backend == PS_BACKEND_KEVENT ? PS_BACKEND_EPOLL : loop->backend,
		.has_ring = !!(loop->flags & PS_LOOP_RING),
	};

	for (size_t i = 0; i < SOURCES && !(loop->flags & PS_LOOP_GONE); i++) {
		if (!attach->states[i] || !session_sources[i]->meet)
			continue;
		relief_remove(attach->relief, session_sources[i]);
		session_sources[i]->meet(attach->states[i], &found);
		relief_add(attach->relief, session_sources[i], attach->states[i]);
	}
}

static int listen_in(const struct ps_record *record, void *arg)
{
	const struct listener *listener = arg;

	if (record->event == PS_EV_LOOP)
		introduce(listener->attach, (const struct ps_ev_loop *)record);
	return listener->sink(record, listener->arg);
}

/* Memory that only naming needed goes back to the system. */
static void rest(struct attach *attach)
{
	uint64_t now = stream_now();
	int gave = 0;

	if (now - attach->rested_ns < REST_GAP_NS)
		return;
	for (size_t i = 0; i < attach->process_count; i++)
		gave |= symbols_rest(attach->symbols[i], now);
	if (gave || !attach->rested_ns)
		malloc_trim(0);
	attach->rested_ns = now;
}

/* A drain is slow when there is much to take, as after attaching: what comes meanwhile must not be lost. */
static void keep_up(struct attach *attach, uint64_t begun_ns)
{
	if (stream_now() - begun_ns > BEHIND_NS)
		relief_start(attach->relief);
	else
		relief_stop(attach->relief);
}

/*
 * Whose stacks will be sampled, and what names them: read while nothing hurries, a piece between two drains, so that
 * the first stall need not wait for it.
 */
static void prepare(struct attach *attach)
{
	if (!attach->states[0] || attach->drains++ < 1 || attach->prepared == attach->process_count ||
	    attach->prepared == PREPARED_PROCESSES)
		return;
	if (!symbols_kernel_prepare() && !symbols_prepare(attach->symbols[attach->prepared]))
		attach->prepared++;
}

int attach_drain(struct attach *attach, attach_sink_fn *sink, void *arg)
{
	struct listener listener = { attach, sink, arg };
	uint64_t begun_ns = stream_now();

	session_follow(attach);
	for (size_t i = 0; i < SOURCES; i++) {
		if (!attach->states[i])
			continue;
		relief_remove(attach->relief, session_sources[i]);
		session_sources[i]->drain(attach->states[i]);
		relief_add(attach->relief, session_sources[i], attach->states[i]);
	}
	rest(attach);
	put_clock(attach->stream);
	int got = stream_flush(attach->stream, listen_in, &listener);
	prepare(attach);
	keep_up(attach, begun_ns);
	return got;
}

int attach_forget(struct attach *attach)
{
	int err = stream_forget(attach->stream);

	for (size_t i = 0; i < SOURCES && !err; i++) {
		if (!attach->states[i] || !session_sources[i]->tell_again)
			continue;
		relief_remove(attach->relief, session_sources[i]);
		session_sources[i]->tell_again(attach->states[i]);
		relief_add(attach->relief, session_sources[i], attach->states[i]);
	}
	if (!err)
		session_tell_again(attach);
	stream_forgotten(attach->stream);
	return err;
}

size_t attach_look(struct attach *attach)
{
	session_follow(attach);
	return attach->process_count;
}

int attach_alive(const struct attach *attach)
{
	for (size_t i = 0; i < attach->process_count; i++)
		if (proc_same(&attach->processes[i]))
			return 1;
	return 0;
}

static int drop(const struct ps_record *record, void *arg)
{
	return 0;
}

void attach_close(struct attach *attach, attach_sink_fn *sink, void *arg)
{
	if (!attach)
		return;
	relief_close(attach->relief);
	/* the window ends here, before the probes are taken down, which is slow: that source is closed last */
	if (attach->stream)
		put_clock(attach->stream);
	for (size_t i = SOURCES; i-- > 0;)
		if (attach->states[i])
			session_sources[i]->close(attach->states[i]);
	if (attach->stream)
		stream_flush(attach->stream, sink ? sink : drop, arg);
	for (size_t i = 0; i < attach->process_count; i++) {
		symbols_close(attach->symbols[i]);
		proc_close(&attach->processes[i]);
	}
	free(attach->processes);
	free(attach->symbols);
	free(attach->loops);
	turn_places_close(attach->places);
	free(attach->roots);
	stream_close(attach->stream);
	free(attach);
}

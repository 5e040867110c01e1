/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * When the timers of a loop are due that does not come back: read from memory
 * once in each stall, while it lasts. How many of them it held up is known when
 * it ends (the model counts).
 *
 * A loop of libuv notes the time when it turns. When that is old and the thread
 * is not in its poller, it is in a callback. Loops with a recorder tell all this
 * themselves.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "libuv.h"
#include "node_timers.h"
#include "proc.h"
#include "source.h"

#define LOOPS_MAX 256
#define TIMERS_MAX 16384u
#define SEEK_GAP_NS 1000000000ull
#define SEEKS_EARLY 20
#define WARM_NS 300000000ull /* after attach, when more urgent things are done */

struct due_process {
	pid_t pid;
	struct libuv_image image;
	int has_libuv;
	struct libuv_memory memory;
	struct node_timers *node; /* NULL = not tried, or it is not node */
	int node_tried;
};

struct due_loop {
	size_t process;
	pid_t tid;
	int32_t poller_fd;
	uint64_t address; /* 0 = not found yet */
	uint64_t sought_ns;
	uint32_t seeks;
	int warm; /* all that is found once only was looked for */
	uint64_t read_ms; /* the loop's time when its timers were read last */
};

struct due_source {
	struct source_context context;
	struct due_process *processes;
	size_t process_count;
	struct due_loop loops[LOOPS_MAX];
	size_t loop_count, loops_seen;
	uint64_t stall_ns, opened_ns;
	uint64_t due_ns[TIMERS_MAX];
};

static void open_process(struct due_process *process, pid_t pid)
{
	*process = (struct due_process){ .pid = pid };
	libuv_memory_of(&process->memory, &process->pid);
	process->has_libuv = !libuv_image_find(&process->image, pid);
}

/* What came since the last time. */
static int learn(struct due_source *source)
{
	const struct source_context *context = &source->context;
	struct due_process *processes = realloc(source->processes, (context->process_count + 1) * sizeof(*processes));

	if (!processes)
		return -ENOMEM;
	source->processes = processes;
	for (size_t i = 0; i < context->process_count; i++) {
		if (i >= source->process_count)
			open_process(&processes[i], context->processes[i].pid);
		/* it may have moved */
		libuv_memory_of(&processes[i].memory, &processes[i].pid);
	}
	source->process_count = context->process_count;
	for (; source->loops_seen < context->loop_count; source->loops_seen++) {
		const struct loop_found *found = &context->loops[source->loops_seen];
		size_t process = source_process(context, found->pid);

		if (process == source->process_count || !processes[process].has_libuv || found->has_ring ||
		    found->backend != PS_BACKEND_EPOLL || source->loop_count == LOOPS_MAX)
			continue;
		source->loops[source->loop_count++] =
			(struct due_loop){ .process = process, .tid = found->tid, .poller_fd = found->poller_fd };
	}
	return 0;
}

/* ---- one loop ---- */

static int find_loop(struct due_process *process, struct due_loop *loop, uint64_t now)
{
	const char *why;

	if (loop->address && libuv_is_loop(&process->memory, loop->address, loop->poller_fd))
		return 1;
	loop->address = 0;
	if (loop->sought_ns && now - loop->sought_ns < (loop->seeks < SEEKS_EARLY ? SEEK_GAP_NS / 10 : SEEK_GAP_NS))
		return 0;
	loop->sought_ns = now;
	loop->seeks++;
	loop->address =
		libuv_loop_find(&process->memory, &process->image, process->pid, loop->tid, loop->poller_fd, &why);
	return loop->address != 0;
}

static int is_waiting(const struct due_process *process, const struct due_loop *loop)
{
	struct proc_syscall call;
	int poller_fd;
	uint32_t fds;

	if (proc_read_syscall(process->pid, loop->tid, &call))
		return 1;
	return call.number >= 0 && proc_poller(&call, &poller_fd, &fds) && poller_fd == loop->poller_fd;
}

static void put_due(struct due_source *source, const struct due_loop *loop, uint64_t now, size_t count)
{
	size_t at = 0;

	do {
		struct ps_ev_timers_due told = {
			.h = { now, loop->tid, PS_EV_TIMERS_DUE, sizeof(told) },
			.poller_fd = loop->poller_fd,
			.index = at,
			.total = count,
		};
		for (; told.count < PS_TIMERS_DUE && at < count; at++)
			told.due_ns[told.count++] = source->due_ns[at];
		stream_put(source->context.stream, &told.h);
	} while (at < count);
}

/* In node one timer of libuv stands for all of JavaScript; it is replaced by those. Returns how many there are. */
static size_t replace_by_javascript(struct due_source *source, struct due_process *process,
				    const struct libuv_loop *state)
{
	size_t filled = 0;

	if (!process->node_tried && node_timers_open(&process->node, process->pid))
		process->node = NULL;
	process->node_tried = 1;
	for (size_t i = 0; i < state->timer_count; i++) {
		const struct libuv_timer *timer = &state->timers[i];
		long count = process->node && filled < TIMERS_MAX
				     ? node_timers_read(process->node, timer->address, timer->due_ms,
							source->due_ns + filled, TIMERS_MAX - filled)
				     : -ENOENT;

		if (count >= 0)
			filled += (size_t)count < TIMERS_MAX - filled ? (size_t)count : TIMERS_MAX - filled;
		else if (filled < TIMERS_MAX)
			source->due_ns[filled++] = timer->due_ms * 1000000;
	}
	return filled;
}

static int read_timers(struct due_source *source, struct due_process *process, const struct due_loop *loop,
		       size_t *count)
{
	struct libuv_limits limits = { .timers = TIMERS_MAX };
	struct libuv_loop state = { 0 };
	int err = libuv_read(&state, &process->memory, loop->address, process->image.version, &limits);

	if (!err)
		*count = replace_by_javascript(source, process, &state);
	libuv_free(&state);
	return err;
}

static void look_at(struct due_source *source, struct due_loop *loop)
{
	struct due_process *process = &source->processes[loop->process];
	uint64_t now = stream_now(), time_ms;
	size_t count;

	if (now - source->opened_ns < WARM_NS && !loop->warm)
		return;
	if (!find_loop(process, loop, now) ||
	    libuv_get(&process->memory, loop->address + libuv_layout.loop_time, &time_ms, sizeof(time_ms)))
		return;
	if (!loop->warm) {
		/* a search in the middle of the first stall would come too late for it */
		loop->warm = 1;
		read_timers(source, process, loop, &count);
		return;
	}
	if (time_ms == loop->read_ms || time_ms * 1000000 + source->stall_ns > now || is_waiting(process, loop))
		return;
	loop->read_ms = time_ms;
	if (!read_timers(source, process, loop, &count))
		put_due(source, loop, now, count);
}

/* ---- the source ---- */

static void close_due(void *state)
{
	struct due_source *source = state;

	for (size_t i = 0; i < source->process_count; i++)
		node_timers_close(source->processes[i].node);
	free(source->processes);
	free(source);
}

static int open_due(void **state, const struct source_context *context)
{
	struct due_source *source = calloc(1, sizeof(*source));

	if (!source)
		return -ENOMEM;
	source->context = *context;
	source->opened_ns = stream_now();
	source->stall_ns = context->options->stall_ns ? context->options->stall_ns : 50000000;
	int err = context->options->without >> PS_PROBE_SNAPSHOT & 1 ? -ENOSYS : learn(source);
	if (!err && !source->loop_count && !context->process_count)
		err = -ENOENT;
	if (err) {
		close_due(source);
		return err;
	}
	*state = source;
	return 0;
}

static int adopt_due(void *state, const struct source_context *context)
{
	struct due_source *source = state;

	source->context = *context;
	return learn(source);
}

static int drain_due(void *state)
{
	struct due_source *source = state;

	for (size_t i = 0; i < source->loop_count; i++)
		look_at(source, &source->loops[i]);
	return 0;
}

const struct source source_due = {
	.name = "due",
	.open = open_due,
	.adopt = adopt_due,
	.drain = drain_due,
	.close = close_due,
};

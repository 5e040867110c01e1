/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The loop: opens, runs its phases in order, closes.
 *
 * iterate() is the order of everything. A loop is run by one thread at a time;
 * the recorder's ring belongs to the thread that opened the loop, and a loop
 * that moves to another thread gets a new one when it next runs.
 */
#include "loop.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "handles.h"
#include "http.h"
#include "pool.h"
#include "probe.h"
#include "signals.h"
#include "stream.h"

const char *const probe_phase_names[PS_PHASE_COUNT] = {
#define PS_X(value, NAME, text) [PS_PHASE_##NAME] = text,
	PS_PHASES(PS_X)
#undef PS_X
};

const uint32_t handle_sizes[SLAB_COUNT] = {
	[SLAB_TIMER] = sizeof(struct ps_timer),
	[SLAB_HOOK] = sizeof(struct ps_check),
	[SLAB_IO] = sizeof(struct ps_io),
	[SLAB_WAKE] = sizeof(struct ps_wake),
	[SLAB_SIGNAL] = sizeof(struct ps_signal),
	[SLAB_STREAM] = sizeof(struct ps_stream),
	[SLAB_LISTENER] = sizeof(struct ps_listener),
	[SLAB_WORK] = offsetof(struct ps_work, params),
	[SLAB_OPERATION] = sizeof(struct ps_work),
	[SLAB_REQUEST] = sizeof(struct ps_http_request),
};

/* ---- one iteration ---- */

static int has_work(const struct ps_loop *loop)
{
	return loop->holds > 0 || loop->closing_first || tasks_count(&loop->ticks) || tasks_count(&loop->immediates);
}

static int64_t poll_timeout(const struct ps_loop *loop, uint64_t now_ns)
{
	if (!has_work(loop) || loop->closing_first || loop->failed_fds || loop->hooks[HOOK_IDLE].count ||
	    tasks_count(&loop->immediates) || tasks_count(&loop->ticks))
		return 0;
	uint64_t due = timers_next_due(loop);
	if (due == PS_UNKNOWN)
		return -1;
	if (due <= now_ns)
		return 0;
	return due - now_ns > INT64_MAX ? INT64_MAX : (int64_t)(due - now_ns);
}

static void publish_gauges(struct ps_loop *loop, uint64_t now_ns)
{
	struct ps_ring_gauges gauges = {
		.now_ns = now_ns,
		.iterations = loop->iterations,
		.next_due_ns = timers_next_due(loop),
		.buffered_bytes = loop->buffered_bytes,
		.timers = loop->heap.count,
		.timers_overdue = timers_overdue(loop),
		.handles = loop->handles,
		.fds = loop->fds,
		.ticks = tasks_count(&loop->ticks),
		.immediates = tasks_count(&loop->immediates),
	};

	if (!PROBES || !loop->recorder->slots)
		return;
	pool_gauges(&gauges);
	recorder_gauges(loop->recorder, &gauges);
}

static void poll(struct ps_loop *loop, int may_wait)
{
	io_flush(loop);
	uint64_t entered = clock_now(&loop->clock);
	int64_t timeout = may_wait ? poll_timeout(loop, entered) : 0;

	if (timeout && inbox_before_wait(loop))
		timeout = 0;
	loop->busy_ns += entered - loop->busy_since_ns;
	probe_phase(loop, PS_PHASE_POLL, entered);
	publish_gauges(loop, entered);
	probe_poll_enter(loop, entered, timeout);
	int n = loop->backend->wait(loop->poller, loop->ready, READY_BATCH, timeout);
	atomic_store_explicit(&loop->asleep, 0, memory_order_seq_cst);
	loop->now_ns = loop->busy_since_ns = clock_now(&loop->clock);
	probe_poll_return(loop, loop->now_ns, n, entered);
	recorder_busy_since(loop->recorder, loop->now_ns);
	loop->wait_ns += loop->now_ns - entered;
	loop->polls++;
	loop->empty_polls += n <= 0;
	loop->ready_total += n > 0 ? (uint64_t)n : 0;
	loop->batch++;
	if (n > 0)
		io_dispatch(loop, loop->ready, n);
	else
		loop->error = n;
	inbox_deliver(loop);
	if (loop->rebuild)
		io_reset(loop);
}

static void check(struct ps_loop *loop)
{
	if (!loop->hooks[HOOK_CHECK].count && !tasks_count(&loop->immediates))
		return;
	probe_phase_now(loop, PS_PHASE_CHECK);
	hooks_run(loop, HOOK_CHECK);
	immediates_run(loop);
}

static void begin_iteration(struct ps_loop *loop)
{
	loop->now_ns = clock_now(&loop->clock);
	loop->iterations++;
	probe_iteration(loop, loop->now_ns);
	callback_end(loop); /* ticks queued outside of any callback */
}

static void iterate(struct ps_loop *loop, enum ps_run_mode mode)
{
	begin_iteration(loop);
	int ran = timers_run(loop);
	ran |= io_pending(loop);
	hooks_run(loop, HOOK_IDLE);
	hooks_run(loop, HOOK_PREPARE);
	poll(loop, mode == PS_RUN_DEFAULT || (mode == PS_RUN_ONCE && !ran));
	check(loop);
	handles_finish(loop);
}

/* ---- running ---- */

/* The ring has one writer: when another thread runs the loop, or a child does, it needs another ring. */
static void own_recorder(struct ps_loop *loop)
{
	uint32_t tid = (uint32_t)syscall(SYS_gettid);

	if (!loop->recorder->slots || loop->recorder->tid == tid)
		return;
	recorder_close(&loop->memory);
	recorder_open(&loop->memory, &loop->recorder_options);
	loop->recorder = loop->memory.recorder;
}

int ps_loop_run(struct ps_loop *loop, enum ps_run_mode mode)
{
	if (!loop || (unsigned)mode > PS_RUN_NOWAIT)
		return -EINVAL;
	if (loop->running)
		return -EBUSY;
	own_recorder(loop);
	loop->running = 1;
	atomic_store(&loop->asleep, 0);
	loop->busy_since_ns = clock_now(&loop->clock);
	while (has_work(loop) && !atomic_load_explicit(&loop->stop, memory_order_relaxed)) {
		iterate(loop, mode);
		if (mode != PS_RUN_DEFAULT || loop->error)
			break;
	}
	if (mode == PS_RUN_ONCE) { /* a wait that ended for a timer has made progress only if the timer runs */
		loop->now_ns = clock_now(&loop->clock);
		timers_run(loop);
	}
	atomic_store(&loop->stop, 0);
	/* from here on who sends must reach whoever polls our descriptor */
	if (inbox_before_wait(loop))
		inbox_rouse(loop);
	loop->running = 0;
	return loop->error ? loop->error : has_work(loop);
}

int ps_loop_once(struct ps_loop *loop)
{
	return ps_loop_run(loop, PS_RUN_ONCE);
}

int ps_loop_stop(struct ps_loop *loop)
{
	if (!loop)
		return -EINVAL;
	atomic_store(&loop->stop, 1);
	inbox_rouse(loop);
	return 0;
}

int ps_loop_alive(const struct ps_loop *loop)
{
	return loop && has_work(loop);
}

int ps_loop_fd(const struct ps_loop *loop)
{
	return loop ? loop->backend->fd(loop->poller) : -EINVAL;
}

int64_t ps_loop_timeout(const struct ps_loop *loop)
{
	return loop ? poll_timeout(loop, loop->now_ns) : -EINVAL;
}

uint64_t ps_loop_now(const struct ps_loop *loop)
{
	return loop ? loop->now_ns : 0;
}

void ps_loop_update_time(struct ps_loop *loop)
{
	if (loop)
		loop->now_ns = clock_now(&loop->clock);
}

/* ---- opening, closing ---- */

static const struct backend *find_backend(const char *name)
{
	if (!name || !strcmp(name, backend_native->name))
		return backend_native;
	return strcmp(name, backend_fake.name) ? NULL : &backend_fake;
}

static void open_recorder(struct ps_loop *loop, const struct ps_loop_options *options)
{
	loop->recorder_options = (struct recorder_options){
		.name = loop->name,
		.slots = options->ring_slots ? options->ring_slots : LOOP_RING_SLOTS,
		.role = PS_ROLE_LOOP,
		.backend = loop->backend->kind,
		.poller_fd = loop->backend->fd(loop->poller),
	};
	loop->memory = (struct recorder_memory){ .recorder = &recorder_none, .fd = -1 };
	if (PROBES && !options->no_recorder)
		recorder_open(&loop->memory, &loop->recorder_options); /* a loop runs without, too */
	loop->recorder = loop->memory.recorder;
}

static int read_options(struct ps_loop_options *to, const struct ps_loop_options *from)
{
	*to = (struct ps_loop_options){ .size = sizeof(*to) };
	if (!from)
		return 0;
	if (from->size < offsetof(struct ps_loop_options, no_recorder) + sizeof(int))
		return -EINVAL;
	memcpy(to, from, from->size < sizeof(*to) ? from->size : sizeof(*to));
	uint32_t slots = to->ring_slots;
	return slots & (slots - 1) || slots > PS_RING_MAX_SLOTS ? -EINVAL : 0;
}

int ps_loop_open(struct ps_loop **out, const struct ps_loop_options *given)
{
	struct ps_loop_options options;
	struct ps_loop *loop;
	int err = out ? read_options(&options, given) : -EINVAL;

	if (err)
		return err;
	const struct backend *backend = find_backend(options.backend);
	if (!backend)
		return -ENOTSUP;
	if (posix_memalign((void **)&loop, 64, sizeof(*loop)))
		return -ENOMEM;
	memset(loop, 0, sizeof(*loop));
	err = backend->open(&loop->poller);
	if (err) {
		free(loop);
		return err;
	}
	loop->backend = backend;
	loop->closing_last = &loop->closing_first;
	loop->batch = 1;
	loop->pid = (uint32_t)getpid();
	loop->spare_fd = -1;
	loop->asleep = 1;
	slabs_init(loop);
	if (options.name)
		strncpy(loop->name, options.name, sizeof(loop->name) - 1);
	if (backend->now)
		clock_set_source(&loop->clock, backend->now, loop->poller);
	clock_now(&loop->clock);
	open_recorder(loop, &options);
	loop->now_ns = loop->busy_since_ns = clock_now(&loop->clock);
	*out = loop;
	return 0;
}

int ps_loop_close(struct ps_loop *loop)
{
	if (!loop)
		return 0;
	if (loop->running || loop->handles)
		return -EBUSY;
	while (atomic_load(&loop->senders))
		sched_yield();
	recorder_close(&loop->memory);
	loop->backend->close(loop->poller);
	io_close_table(loop);
	slabs_close(loop);
	free(loop->heap.nodes);
	free(loop->ticks.ring);
	free(loop->immediates.ring);
	free(loop->scratch);
	if (loop->spare_fd >= 0)
		close(loop->spare_fd);
	free(loop);
	return 0;
}

int ps_loop_fork(struct ps_loop *loop)
{
	if (!loop || loop->running)
		return loop ? -EBUSY : -EINVAL;
	int recorded = loop->memory.map != NULL, err = io_reset(loop);
	if (err)
		return err;
	recorder_close(&loop->memory);
	loop->recorder_options.generation++;
	if (recorded)
		recorder_open(&loop->memory, &loop->recorder_options);
	loop->recorder = loop->memory.recorder;
	atomic_store(&loop->senders, 0);
	loop->error = 0;
	loop->pid = (uint32_t)getpid();
	works_cancel_lost(loop);
	return 0;
}

int ps_loop_info(const struct ps_loop *loop, struct ps_loop_info *info)
{
	struct ps_ring_gauges pool = { 0 };

	if (!loop || !info || info->size < sizeof(*info))
		return -EINVAL;
	pool_gauges(&pool);
	*info = (struct ps_loop_info){
		.size = info->size,
		.iterations = loop->iterations,
		.polls = loop->polls,
		.empty_polls = loop->empty_polls,
		.ready = loop->ready_total,
		.busy_ns = loop->busy_ns,
		.wait_ns = loop->wait_ns,
		.records = loop->recorder->head,
		.next_due_ns = timers_next_due(loop),
		.buffered_bytes = loop->buffered_bytes,
		.timers = loop->heap.count,
		.handles = loop->handles,
		.fds = loop->fds,
		.ticks = tasks_count(&loop->ticks),
		.immediates = tasks_count(&loop->immediates),
		.pool_threads = pool.pool_threads,
		.pool_busy = pool.pool_busy,
		.pool_queued = pool.pool_queued,
	};
	return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The worker threads and their queues.
 *
 * One queue per kind; a free worker takes the oldest job of the kinds that are
 * not at their cap. Name lookups are slow and may hold at most half of the
 * threads. Threads start when there are more jobs than idle threads and stay;
 * each owns a small flight recorder. A finished job goes to its loop's inbox.
 *
 * In a forked child the pool is empty and starts anew.
 */
#include "pool.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_THREADS 4
#define CONGESTED_NS 20000000ull

struct queue {
	struct ps_work *first, *last;
};

struct worker {
	struct clock clock;
	struct recorder_memory memory;
};

static struct {
	pthread_mutex_t lock;           /* held for tens of ns: adaptive, it spins before it sleeps */
	pthread_cond_t more;
	struct queue queues[PS_WORK_KIND_COUNT];
	unsigned target, threads, idle;
	unsigned waking;                /* woken by us and not yet there */
	unsigned most;                  /* the pool may grow up to here; 0 = it does not */
	unsigned started;               /* ever: numbers the workers */
	/* written under the lock, read without it by the gauges */
	atomic_uint queued, queued_by_kind[PS_WORK_KIND_COUNT], busy_by_kind[PS_WORK_KIND_COUNT], shown_threads;
	atomic_ullong oldest_ns;
} pool = { .lock = PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP, .more = PTHREAD_COND_INITIALIZER };

static pthread_once_t pool_once = PTHREAD_ONCE_INIT;

#define GET(counter) atomic_load_explicit(&(counter), memory_order_relaxed)
#define ADD(counter, n) atomic_store_explicit(&(counter), GET(counter) + (n), memory_order_relaxed) /* lock held */

static unsigned default_threads(void)
{
	const char *text = getenv("PS_THREADPOOL_SIZE");
	char *end;

	if (!text || *text < '0' || *text > '9')
		return DEFAULT_THREADS;
	unsigned long n = strtoul(text, &end, 10);
	if (*end)
		return DEFAULT_THREADS;
	return n < 1 ? 1 : n > PS_POOL_MAX ? PS_POOL_MAX : (unsigned)n;
}

static void before_fork(void)
{
	pthread_mutex_lock(&pool.lock);
}

static void after_fork_in_parent(void)
{
	pthread_mutex_unlock(&pool.lock);
}

static void after_fork_in_child(void)
{
	unsigned target = pool.target;

	memset(&pool, 0, sizeof(pool));
	pthread_mutex_init(&pool.lock, NULL);
	pthread_cond_init(&pool.more, NULL);
	pool.target = target;
}

static void pool_init(void)
{
	pool.target = default_threads();
	pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

/* ---- queues; the lock is held ---- */

static void append(struct ps_work *work)
{
	struct queue *queue = &pool.queues[work->probe.kind];

	work->next = NULL;
	work->before = queue->last;
	*(queue->last ? &queue->last->next : &queue->first) = work;
	queue->last = work;
	work->state = WORK_QUEUED;
	ADD(pool.queued, 1);
	ADD(pool.queued_by_kind[work->probe.kind], 1);
}

static void show_oldest(void)
{
	const struct ps_work *oldest = NULL;

	for (int kind = 0; kind < PS_WORK_KIND_COUNT; kind++) {
		const struct ps_work *work = pool.queues[kind].first;
		if (work && (!oldest || work->probe.number < oldest->probe.number))
			oldest = work;
	}
	atomic_store_explicit(&pool.oldest_ns, oldest ? oldest->submitted_ns : 0, memory_order_relaxed);
}

static void detach(struct ps_work *work)
{
	struct queue *queue = &pool.queues[work->probe.kind];

	*(work->before ? &work->before->next : &queue->first) = work->next;
	*(work->next ? &work->next->before : &queue->last) = work->before;
	ADD(pool.queued, -1u);
	ADD(pool.queued_by_kind[work->probe.kind], -1u);
	show_oldest();
}

static int is_capped(int kind)
{
	unsigned cap = pool.target / 2 ? pool.target / 2 : 1;

	return kind == PS_WORK_DNS && GET(pool.busy_by_kind[kind]) >= cap;
}

/* The oldest job that may run now. */
static struct ps_work *next_job(void)
{
	struct ps_work *best = NULL;

	for (int kind = 0; kind < PS_WORK_KIND_COUNT; kind++) {
		struct ps_work *work = pool.queues[kind].first;
		if (work && !is_capped(kind) && (!best || work->probe.number < best->probe.number))
			best = work;
	}
	return best;
}

/* 1: the caller must signal, once it has let the lock go. One thread is woken at a time, and wakes the next. */
static int must_wake(void)
{
	if (pool.waking || !pool.idle || !next_job())
		return 0;
	pool.waking = 1;
	return 1;
}

static struct ps_work *take(void)
{
	struct ps_work *best = next_job();

	if (best) {
		detach(best);
		best->state = WORK_RUNNING;
		ADD(pool.busy_by_kind[best->probe.kind], 1);
	}
	return best;
}

/* ---- a worker ---- */

static void run_job(struct worker *worker, struct ps_work *work)
{
	work->started_ns = clock_now(&worker->clock);
	probe_work_started(worker->memory.recorder, &work->probe, work->started_ns, work->submitted_ns);
	work->result = work->run(work);
	work->finished_ns = clock_now(&worker->clock);
	probe_work_finished(worker->memory.recorder, &work->probe, work->finished_ns, work->started_ns);
}

static void open_worker(struct worker *worker, unsigned number)
{
	char name[16];

	*worker = (struct worker){ .memory = { .recorder = &recorder_none, .fd = -1 } };
	snprintf(name, sizeof(name), "ps-worker-%u", number % 10000);
	pthread_setname_np(pthread_self(), name);
	if (PROBES)
		recorder_open(&worker->memory, &(struct recorder_options){
			.name = name, .slots = WORKER_RING_SLOTS, .role = PS_ROLE_WORKER, .poller_fd = -1 });
}

static void *worker_main(void *arg)
{
	struct worker worker;
	struct ps_work *work;

	open_worker(&worker, (unsigned)(uintptr_t)arg);
	pthread_mutex_lock(&pool.lock);
	while (pool.threads <= pool.target) {
		work = take();
		if (!work) {
			pool.idle++;
			pthread_cond_wait(&pool.more, &pool.lock);
			pool.idle--;
			pool.waking = 0;
			continue;
		}
		int kind = work->probe.kind, wake = must_wake();
		pthread_mutex_unlock(&pool.lock);
		if (wake)
			pthread_cond_signal(&pool.more);
		run_job(&worker, work);
		inbox_put(work->handle.loop, &work->parcel); /* the job is the loop's from here on */
		pthread_mutex_lock(&pool.lock);
		ADD(pool.busy_by_kind[kind], -1u);
	}
	pool.threads--;
	atomic_store(&pool.shown_threads, pool.threads);
	pthread_mutex_unlock(&pool.lock);
	recorder_close(&worker.memory);
	return NULL;
}

/* The lock is held. Workers take no signals: those are for the program's own threads. */
static int start_worker(void)
{
	pthread_t thread;
	pthread_attr_t attributes;
	sigset_t all, before;

	int err = pthread_attr_init(&attributes);
	if (err)
		return -err;
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&thread, &attributes, worker_main, (void *)(uintptr_t)++pool.started);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	if (!err)
		atomic_store(&pool.shown_threads, ++pool.threads);
	return -err;
}

/* The lock is held. When the oldest job has waited too long, one more thread is allowed. */
static void grow_if_congested(uint64_t now_ns)
{
	uint64_t oldest = GET(pool.oldest_ns);

	if (pool.target < pool.most && oldest && now_ns > oldest + CONGESTED_NS)
		pool.target++;
}

/* ---- for the loop ---- */

int pool_put(struct ps_work *work)
{
	int err = 0, wake = 0;

	pthread_once(&pool_once, pool_init);
	pthread_mutex_lock(&pool.lock);
	grow_if_congested(work->submitted_ns);
	if (pool.threads < pool.target && pool.idle <= GET(pool.queued))
		err = start_worker();
	if (!err || pool.threads) {
		err = 0;
		append(work);
		if (GET(pool.queued) == 1)
			show_oldest();
		wake = must_wake();
	}
	pthread_mutex_unlock(&pool.lock);
	if (wake)
		pthread_cond_signal(&pool.more);
	return err;
}

int pool_cancel(struct ps_work *work)
{
	int err = -EBUSY;

	pthread_mutex_lock(&pool.lock);
	if (work->state == WORK_QUEUED) {
		detach(work);
		work->state = WORK_CANCELLED;
		err = 0;
	}
	pthread_mutex_unlock(&pool.lock);
	return err;
}

int ps_pool_resize(unsigned threads)
{
	if (threads < 1 || threads > PS_POOL_MAX)
		return -EINVAL;
	pthread_once(&pool_once, pool_init);
	pthread_mutex_lock(&pool.lock);
	pool.target = threads;
	int err = 0;
	for (unsigned queued = GET(pool.queued); !err && pool.threads < pool.target && queued; queued--)
		err = start_worker();
	pthread_cond_broadcast(&pool.more);
	pthread_mutex_unlock(&pool.lock);
	return err;
}

int ps_pool_grow(unsigned most)
{
	if (most > PS_POOL_MAX)
		return -EINVAL;
	pthread_once(&pool_once, pool_init);
	pthread_mutex_lock(&pool.lock);
	pool.most = most;
	pthread_mutex_unlock(&pool.lock);
	return 0;
}

unsigned ps_pool_threads(void)
{
	pthread_once(&pool_once, pool_init);
	pthread_mutex_lock(&pool.lock);
	unsigned target = pool.target;
	pthread_mutex_unlock(&pool.lock);
	return target;
}

void pool_gauges(struct ps_ring_gauges *gauges)
{
	gauges->pool_threads = GET(pool.shown_threads);
	gauges->pool_queued = GET(pool.queued);
	gauges->pool_oldest_ns = GET(pool.oldest_ns);
	for (int kind = 0; kind < PS_WORK_KIND_COUNT; kind++) {
		gauges->pool_queued_by_kind[kind] = GET(pool.queued_by_kind[kind]);
		gauges->pool_busy_by_kind[kind] = GET(pool.busy_by_kind[kind]);
		gauges->pool_busy += gauges->pool_busy_by_kind[kind];
	}
}

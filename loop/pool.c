/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The worker threads and their queues.
 *
 * Who submits pushes the job on a lock-free stack, `incoming`, and takes no
 * lock; whoever holds the lock next moves the stack to the queues, one per kind.
 * A free worker takes the oldest job of the kinds that are not at their cap.
 * Name lookups are slow and may hold at most half of the threads. Threads start
 * when there are more jobs than idle threads and stay; each owns a small flight
 * recorder. A finished job goes to its loop's inbox.
 *
 * Before it sleeps, a worker looks at the stack for a while, one worker at a
 * time: sleeping and waking cost more than most short jobs. So a job is never
 * forgotten because of this order: who submits pushes and then looks whether
 * somebody is about to look (`spinning`, `waking`) or nobody sleeps (`idle`);
 * who stops looking or goes to sleep says so and then looks at the stack again.
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

#define SPIN_NS 20000
#define SPIN_PAUSES 40 /* between two looks: who submits is not to lose the stack's cache line each time */

struct queue {
	struct ps_work *first, *last;
};

struct worker {
	struct clock clock;
	struct recorder_memory memory;
};

static struct {
	/* what submitting touches; counts are of jobs ever submitted */
	_Alignas(64) _Atomic(struct ps_work *) incoming;
	atomic_uint submitted[PS_WORK_KIND_COUNT];
	atomic_ullong oldest_ns;
	/* what it looks at */
	_Alignas(64) atomic_uint idle; /* asleep */
	atomic_int waking; /* one is woken and not yet there */
	atomic_int spinning; /* one looks at the stack */
	atomic_uint threads, target;
	atomic_uint most; /* the pool may grow up to here; 0 = it does not */
	/* the lock's: held for tens of ns, so it spins before it sleeps */
	_Alignas(64) pthread_mutex_t lock;
	pthread_cond_t more;
	struct queue queues[PS_WORK_KIND_COUNT];
	unsigned started; /* ever: numbers the workers */
	/* written under the lock, read without it by the gauges; `taken` of jobs ever submitted: also cancelled ones */
	atomic_uint taken[PS_WORK_KIND_COUNT], busy[PS_WORK_KIND_COUNT];
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
	unsigned target = GET(pool.target);

	memset(&pool, 0, sizeof(pool));
	pthread_mutex_init(&pool.lock, NULL);
	pthread_cond_init(&pool.more, NULL);
	pool.target = target;
}

static int may_spin;

static void pool_init(void)
{
	pool.target = default_threads();
	may_spin = sysconf(_SC_NPROCESSORS_ONLN) > 1;
	pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

static unsigned queued_of(int kind)
{
	unsigned taken = GET(pool.taken[kind]), submitted = GET(pool.submitted[kind]);

	return (int)(submitted - taken) > 0 ? submitted - taken : 0; /* the two are not read at one moment */
}

static unsigned queued_now(void)
{
	unsigned queued = 0;

	for (int kind = 0; kind < PS_WORK_KIND_COUNT; kind++)
		queued += queued_of(kind);
	return queued;
}

/* ---- queues; the lock is held ---- */

static void append(struct ps_work *work)
{
	struct queue *queue = &pool.queues[work->probe.kind];

	work->next = NULL;
	work->before = queue->last;
	*(queue->last ? &queue->last->next : &queue->first) = work;
	queue->last = work;
}

static void show_oldest(void)
{
	const struct ps_work *oldest = NULL;

	for (int kind = 0; kind < PS_WORK_KIND_COUNT; kind++) {
		const struct ps_work *work = pool.queues[kind].first;
		if (work && (!oldest || work->since_ns < oldest->since_ns))
			oldest = work;
	}
	atomic_store_explicit(&pool.oldest_ns, oldest ? oldest->since_ns : 0, memory_order_relaxed);
}

/* What was submitted since, in the order it was. */
static void take_incoming(void)
{
	struct ps_work *work = NULL, *first;

	if (!atomic_load(&pool.incoming))
		return;
	for (first = atomic_exchange(&pool.incoming, NULL); first;) {
		struct ps_work *next = first->next;
		first->next = work;
		work = first;
		first = next;
	}
	for (struct ps_work *next; work; work = next) {
		next = work->next;
		append(work);
	}
}

static void detach(struct ps_work *work)
{
	struct queue *queue = &pool.queues[work->probe.kind];

	*(work->before ? &work->before->next : &queue->first) = work->next;
	*(work->next ? &work->next->before : &queue->last) = work->before;
	ADD(pool.taken[work->probe.kind], 1);
	show_oldest();
}

static int is_capped(int kind)
{
	unsigned target = GET(pool.target), cap = target / 2 ? target / 2 : 1;

	return kind == PS_WORK_DNS && GET(pool.busy[kind]) >= cap;
}

/* The oldest job that may run now. */
static struct ps_work *next_job(void)
{
	struct ps_work *best = NULL;

	take_incoming();
	for (int kind = 0; kind < PS_WORK_KIND_COUNT; kind++) {
		struct ps_work *work = pool.queues[kind].first;
		if (work && !is_capped(kind) && (!best || work->since_ns < best->since_ns))
			best = work;
	}
	return best;
}

/* 1: the caller must signal, once it has let the lock go. One thread is woken at a time, and wakes the next. */
static int must_wake(void)
{
	if (GET(pool.waking) || !GET(pool.idle) || !next_job())
		return 0;
	atomic_store(&pool.waking, 1);
	return 1;
}

static struct ps_work *take(void)
{
	struct ps_work *best = next_job();

	if (best) {
		detach(best);
		best->state = WORK_RUNNING;
		ADD(pool.busy[best->probe.kind], 1);
	}
	return best;
}

/* ---- a worker ---- */

static void run_job(struct worker *worker, struct ps_work *work)
{
	uint64_t started = clock_now(&worker->clock);

	probe_work_started(worker->memory.recorder, &work->probe, started, work->since_ns);
	work->result = work->run(work);
	work->since_ns = clock_now(&worker->clock);
	probe_work_finished(worker->memory.recorder, &work->probe, work->since_ns, started);
}

static inline void pause_cpu(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

/* Looks for a while whether a job comes, if nobody else does. 1: one came. */
static int spin(struct clock *clock)
{
	int found = 0;

	if (!may_spin || atomic_exchange(&pool.spinning, 1))
		return 0;
	for (uint64_t end = clock_now(clock) + SPIN_NS; !found && clock_now(clock) < end;) {
		for (int i = 0; i < SPIN_PAUSES; i++)
			pause_cpu();
		found = GET(pool.incoming) != NULL;
	}
	atomic_store(&pool.spinning, 0);
	return found;
}

/* The lock is held. */
static void sleep_for_job(void)
{
	atomic_fetch_add(&pool.idle, 1);
	if (!atomic_load(&pool.incoming)) {
		pthread_cond_wait(&pool.more, &pool.lock);
		atomic_store(&pool.waking, 0);
	}
	atomic_fetch_sub(&pool.idle, 1);
}

static void open_worker(struct worker *worker, unsigned number)
{
	char name[16];

	*worker = (struct worker){ .memory = { .recorder = &recorder_none, .fd = -1 } };
	snprintf(name, sizeof(name), "ps-worker-%u", number % 10000);
	pthread_setname_np(pthread_self(), name);
	if (PROBES)
		recorder_open(&worker->memory, &(struct recorder_options){ .name = name,
									   .slots = WORKER_RING_SLOTS,
									   .role = PS_ROLE_WORKER,
									   .poller_fd = -1 });
}

static void *worker_main(void *arg)
{
	struct worker worker;
	struct ps_work *work;
	int has_spun = 0;

	open_worker(&worker, (unsigned)(uintptr_t)arg);
	pthread_mutex_lock(&pool.lock);
	while (GET(pool.threads) <= GET(pool.target)) {
		work = take();
		if (!work && !has_spun) {
			pthread_mutex_unlock(&pool.lock);
			has_spun = !spin(&worker.clock);
			pthread_mutex_lock(&pool.lock);
			continue;
		}
		has_spun = 0;
		if (!work) {
			sleep_for_job();
			continue;
		}
		int kind = work->probe.kind, wake = must_wake();
		pthread_mutex_unlock(&pool.lock);
		if (wake)
			pthread_cond_signal(&pool.more);
		run_job(&worker, work);
		inbox_put(work->handle.loop, &work->parcel); /* the job is the loop's from here on */
		pthread_mutex_lock(&pool.lock);
		ADD(pool.busy[kind], -1u);
	}
	ADD(pool.threads, -1u);
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
		ADD(pool.threads, 1);
	return -err;
}

/* The lock is held. When the oldest job has waited too long, one more thread is allowed. */
static void grow_if_congested(uint64_t now_ns)
{
	take_incoming();
	show_oldest();
	uint64_t oldest = GET(pool.oldest_ns);
	if (GET(pool.target) < GET(pool.most) && oldest && now_ns > oldest + CONGESTED_NS)
		ADD(pool.target, 1);
}

/* Before a job is pushed. -EAGAIN, -ENOMEM: there is no thread and none can be started. */
static int start_if_needed(uint64_t now_ns)
{
	int err = 0;

	if (GET(pool.threads) >= GET(pool.target) && GET(pool.most) <= GET(pool.target))
		return 0;
	pthread_mutex_lock(&pool.lock);
	grow_if_congested(now_ns);
	if (GET(pool.threads) < GET(pool.target) && GET(pool.idle) <= queued_now())
		err = start_worker();
	if (GET(pool.threads))
		err = 0;
	pthread_mutex_unlock(&pool.lock);
	return err;
}

/* Somebody sleeps and nobody looks. */
static void wake_one(void)
{
	pthread_mutex_lock(&pool.lock);
	int wake = must_wake();
	pthread_mutex_unlock(&pool.lock);
	if (wake)
		pthread_cond_signal(&pool.more);
}

/* ---- for the loop ---- */

int pool_put(struct ps_work *work)
{
	pthread_once(&pool_once, pool_init);
	int err = start_if_needed(work->since_ns);
	if (err)
		return err;
	struct ps_work *first = GET(pool.incoming);
	work->state = WORK_QUEUED;
	if (!GET(pool.oldest_ns))
		atomic_store_explicit(&pool.oldest_ns, work->since_ns, memory_order_relaxed);
	atomic_fetch_add_explicit(&pool.submitted[work->probe.kind], 1, memory_order_relaxed);
	do
		work->next = first;
	while (!atomic_compare_exchange_weak(&pool.incoming, &first, work));
	/* from here on the job is the pool's: it may be finished and, by another thread's loop, gone */
	if (atomic_load(&pool.idle) && !atomic_load(&pool.spinning) && !atomic_load(&pool.waking))
		wake_one();
	return 0;
}

int pool_cancel(struct ps_work *work)
{
	int err = -EBUSY;

	pthread_mutex_lock(&pool.lock);
	take_incoming();
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
	for (unsigned queued = queued_now(); !err && GET(pool.threads) < threads && queued; queued--)
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
	return GET(pool.target);
}

void pool_gauges(struct ps_ring_gauges *gauges)
{
	gauges->pool_threads = GET(pool.threads);
	for (int kind = 0; kind < PS_WORK_KIND_COUNT; kind++) {
		gauges->pool_queued_by_kind[kind] = queued_of(kind);
		gauges->pool_busy_by_kind[kind] = GET(pool.busy[kind]);
		gauges->pool_queued += gauges->pool_queued_by_kind[kind];
		gauges->pool_busy += gauges->pool_busy_by_kind[kind];
	}
	gauges->pool_oldest_ns = gauges->pool_queued ? GET(pool.oldest_ns) : 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Signals: one handler of the process marks the signal in every loop that
 * watches it; each loop calls its watchers in its own thread.
 *
 * The list of watchers is guarded by a spin lock that is only held with all
 * signals blocked, so the handler can take it, too. The disposition that was
 * there before the first watcher of a signal comes back after the last.
 */
#include "loop.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include "probe.h"
#include "signals.h"

#define SIGNALS 64

static atomic_flag lock = ATOMIC_FLAG_INIT;
static struct ps_signal *watchers[SIGNALS + 1];
static struct sigaction before[SIGNALS + 1];

static void acquire(sigset_t *mask)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, mask);
	while (atomic_flag_test_and_set_explicit(&lock, memory_order_acquire))
		sched_yield();
}

static void release(const sigset_t *mask)
{
	atomic_flag_clear_explicit(&lock, memory_order_release);
	pthread_sigmask(SIG_SETMASK, mask, NULL);
}

/* A child of a fork finds the lock as it was: who held it may not be there. So nobody holds it while the process forks. */
static sigset_t fork_mask;

static void before_fork(void)
{
	sigset_t mask;

	acquire(&mask);
	fork_mask = mask;
}

static void after_fork(void)
{
	sigset_t mask = fork_mask;

	release(&mask);
}

static void prepare_forks(void)
{
	pthread_atfork(before_fork, after_fork, after_fork);
}

static void on_signal(int number)
{
	int saved = errno;
	sigset_t mask;

	acquire(&mask);
	for (struct ps_signal *signal = watchers[number]; signal; signal = signal->next) {
		atomic_fetch_or(&signal->handle.loop->signals, 1ull << (number - 1));
		/* in a child that has not called ps_loop_fork() yet, the descriptor that wakes is still the parent's */
		if (signal->handle.loop->pid == (uint32_t)getpid())
			inbox_rouse(signal->handle.loop);
	}
	release(&mask);
	errno = saved;
}

static int add(struct ps_signal *signal)
{
	int number = signal->number;
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

	sigfillset(&action.sa_mask);
	if (!watchers[number] && sigaction(number, &action, &before[number]) < 0)
		return -errno;
	signal->next = watchers[number];
	watchers[number] = signal;
	return 0;
}

int ps_signal_open(struct ps_loop *loop, struct ps_signal **out, int number, ps_signal_fn *fn, void *arg)
{
	sigset_t mask;

	if (!loop || !out || !fn || number < 1 || number > SIGNALS)
		return -EINVAL;
	struct ps_signal *signal = handle_open(loop, SLAB_SIGNAL, PS_KIND_SIGNAL, arg);
	if (!signal)
		return -ENOMEM;
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, prepare_forks);
	signal->fn = fn;
	signal->number = number;
	acquire(&mask);
	int err = add(signal);
	release(&mask);
	if (err) {
		handle_free(&signal->handle);
		return err;
	}
	signal->next_here = loop->signal_watchers;
	loop->signal_watchers = signal;
	handle_activate(&signal->handle);
	*out = signal;
	return 0;
}

static void unlink_here(struct handle *handle)
{
	struct ps_signal *signal = container_of(handle, struct ps_signal, handle), **at = &handle->loop->signal_watchers;

	while (*at != signal)
		at = &(*at)->next_here;
	*at = signal->next_here;
}

int ps_signal_unref(struct ps_signal *signal)
{
	if (!signal || !handle_is_open(&signal->handle))
		return -EINVAL;
	handle_unref(&signal->handle);
	return 0;
}

int ps_signal_close(struct ps_signal *signal)
{
	sigset_t mask;

	if (!signal || !handle_is_open(&signal->handle))
		return -EINVAL;
	int number = signal->number;
	acquire(&mask);
	struct ps_signal **at = &watchers[number];
	while (*at != signal)
		at = &(*at)->next;
	*at = signal->next;
	if (!watchers[number])
		sigaction(number, &before[number], NULL);
	release(&mask);
	signal->handle.finish = unlink_here;
	return handle_close(&signal->handle);
}

void signals_deliver(struct ps_loop *loop)
{
	unsigned long long arrived = atomic_exchange(&loop->signals, 0);

	for (struct ps_signal *signal = loop->signal_watchers; signal; signal = signal->next_here) {
		if (signal->handle.state != HANDLE_OPEN || !(arrived >> (signal->number - 1) & 1))
			continue;
		probe_callback_now(loop, (void *)signal->fn, &signal->handle, -1, 0);
		signal->fn(signal, signal->number, signal->handle.arg);
		callback_end(loop);
	}
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Signals. */
#include <signal.h>

#include "loops.h"

static atomic_int seen[2];

static void on_signal(struct ps_signal *signal, int number, void *arg)
{
	assert_int_equal(number, SIGUSR1);
	atomic_fetch_add(&seen[(intptr_t)arg], 1);
	ok(ps_signal_close(signal));
}

static atomic_int watching;

static void *watch_signal(void *arg)
{
	struct ps_loop *loop = loop_new(NULL);
	struct ps_signal *signal;

	ok(ps_signal_open(loop, &signal, SIGUSR1, on_signal, arg));
	atomic_fetch_add(&watching, 1);
	loop_end(loop);
	return NULL;
}

TEST(each_loop_that_watches_a_signal_gets_it)
{
	pthread_t threads[2];

	for (intptr_t i = 0; i < 2; i++)
		ok(pthread_create(&threads[i], NULL, watch_signal, (void *)i));
	while (atomic_load(&watching) < 2)
		usleep(100);
	ok(kill(getpid(), SIGUSR1));
	for (int i = 0; i < 2; i++)
		ok(pthread_join(threads[i], NULL));
	assert_int_equal(atomic_load(&seen[0]), 1);
	assert_int_equal(atomic_load(&seen[1]), 1);
}

TEST(a_signal_pending_at_close_is_harmless)
{
	struct ps_loop *loop = loop_new(NULL);
	struct ps_signal *first, *second;

	ok(ps_signal_open(loop, &first, SIGUSR1, on_signal, (void *)0));
	ok(ps_signal_open(loop, &second, SIGUSR1, on_signal, (void *)1));
	ok(raise(SIGUSR1));
	ok(ps_signal_close(first));
	assert_int_equal(ps_signal_close(first), -EINVAL);
	loop_end(loop);
	assert_int_equal(atomic_load(&seen[0]), 0);
	assert_int_equal(atomic_load(&seen[1]), 1);
}

static void old_handler(int number)
{
}

TEST(the_old_handler_comes_back_after_the_last_watcher)
{
	struct sigaction action = { .sa_handler = old_handler }, now;
	struct ps_loop *loop = loop_new(NULL);
	struct ps_signal *a, *b;

	ok(sigaction(SIGUSR2, &action, NULL));
	ok(ps_signal_open(loop, &a, SIGUSR2, on_signal, NULL));
	ok(ps_signal_open(loop, &b, SIGUSR2, on_signal, NULL));
	ok(ps_signal_close(a));
	ok(sigaction(SIGUSR2, NULL, &now));
	assert_true(now.sa_handler != old_handler);
	ok(ps_signal_close(b));
	ok(sigaction(SIGUSR2, NULL, &now));
	assert_true(now.sa_handler == old_handler);
	assert_int_equal(ps_signal_open(loop, &a, SIGKILL, on_signal, NULL), -EINVAL);
	assert_int_equal(ps_signal_open(loop, &a, 0, on_signal, NULL), -EINVAL);
	loop_end(loop);
}

static struct ps_wake *wake;

static void send_from_handler(int number)
{
	ps_wake_send(wake);
}

TEST(a_wake_up_may_be_sent_from_a_signal_handler)
{
	struct ps_loop *loop = loop_new(NULL);
	int woken = 0;

	ok(ps_wake_open(loop, &wake, count, &woken));
	signal(SIGALRM, send_from_handler);
	ualarm(2000, 0);
	ps_loop_run(loop, PS_RUN_ONCE);
	assert_int_equal(woken, 1);
	ok(ps_wake_close(wake));
	loop_end(loop);
}

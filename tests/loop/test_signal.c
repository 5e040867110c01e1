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

static atomic_int is_over;

static void *open_and_close(void *arg)
{
	struct ps_loop *loop = loop_new(NULL);

	while (!atomic_load(&is_over)) {
		struct ps_signal *signal;
		ok(ps_signal_open(loop, &signal, SIGUSR2, on_signal, NULL));
		ok(ps_signal_close(signal));
		ps_loop_run(loop, PS_RUN_NOWAIT);
	}
	ok(ps_loop_close(loop));
	return NULL;
}

TEST(a_fork_while_another_thread_opens_watchers_leaves_a_child_that_can)
{
	pthread_t thread;

#ifdef __SANITIZE_THREAD__
	SKIP("ThreadSanitizer allows little in a forked child of threads");
#elif defined(__SANITIZE_ADDRESS__)
	SKIP("the sanitizer's allocator may be locked by the other thread at the fork, and stays so in the child");
#endif
	ok(pthread_create(&thread, NULL, open_and_close, NULL));
	for (int i = 0; i < 200; i++) {
		int status;
		pid_t child = fork();
		if (!child) {
			struct ps_signal *signal;
			struct ps_loop_options options = { .size = sizeof(options), .no_recorder = 1 };
			struct ps_loop *loop;
			alarm(2);
			_exit(ps_loop_open(&loop, &options) || ps_signal_open(loop, &signal, SIGUSR1, on_signal, NULL));
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(status, 0);
	}
	atomic_store(&is_over, 1);
	ok(pthread_join(thread, NULL));
}

/* The child's loop is a copy; only ps_loop_fork() makes it its own. */
TEST(a_signal_of_a_child_does_not_wake_the_parents_loop)
{
	struct ps_loop_info before = { .size = sizeof(before) }, after = before;
	struct ps_loop *loop = loop_new(NULL);
	struct ps_signal *signal;
	struct ps_timer *timer;
	int fired = 0, status;

	ok(ps_signal_open(loop, &signal, SIGUSR1, on_signal, NULL));
	ok(ps_timer_open(loop, &timer, count, &fired));
	ps_loop_run(loop, PS_RUN_NOWAIT);
	pid_t child = fork();
	if (!child)
		_exit(raise(SIGUSR1));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	ps_loop_update_time(loop);
	ok(ps_timer_start(timer, 10 * MS, 0));
	ok(ps_loop_info(loop, &before));
	while (!fired)
		ps_loop_run(loop, PS_RUN_ONCE);
	ok(ps_loop_info(loop, &after));
	assert_int_equal(after.empty_polls - before.empty_polls, 1); /* the timer's */
	assert_int_equal(atomic_load(&seen[0]), 0);
	ok(ps_signal_close(signal));
	ok(ps_timer_close(timer));
	loop_end(loop);
}

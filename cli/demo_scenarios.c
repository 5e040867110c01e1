/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The sins of the demo, one row each at the end; the longer ones have files of
 * their own. The function that a timer or
 * a job calls has the scenario's name, because that is what the dashboard shows
 * as the culprit. State is static: one server process plays one scenario.
 */
#include "demo.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MS 1000000ull

uint64_t demo_now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 * MS + (uint64_t)now.tv_nsec;
}

void demo_sleep_ns(uint64_t ns)
{
	struct timespec time = { (time_t)(ns / (1000 * MS)), (long)(ns % (1000 * MS)) };
	while (nanosleep(&time, &time) && errno == EINTR)
		;
}

/* one repeating timer is all that most scenarios need */
static struct ps_timer *ticker;

int demo_ticker_start(struct ps_loop *loop, ps_fn *fn, uint64_t after_ns, uint64_t repeat_ns)
{
	int err = ps_timer_open(loop, &ticker, fn, loop);
	return err ? err : ps_timer_start(ticker, after_ns, repeat_ns);
}

void demo_ticker_stop(void)
{
	ps_timer_close(ticker);
	ticker = NULL;
}

/* ---- computation: the loop itself computes ---- */

static volatile unsigned primes; /* read by nobody; keeps the work alive */

static __attribute__((noinline)) void count_primes(uint64_t for_ns)
{
	uint64_t end = demo_now_ns() + for_ns;
	for (unsigned number = 3; demo_now_ns() < end; number += 2) {
		unsigned divisor = 3;
		while (divisor * divisor <= number && number % divisor)
			divisor += 2;
		primes += divisor * divisor > number;
	}
}

static void scenario_computation(void *loop)
{
	count_primes(200 * MS);
}

static int start_computation(struct ps_loop *loop)
{
	return demo_ticker_start(loop, scenario_computation, 50 * MS, 800 * MS);
}

/* ---- sync-io: the loop waits for a slow backend instead of watching its descriptor ---- */

static int backend[2] = { -1, -1 }; /* the loop's end, the backend's end */

static void *run_backend(void *arg)
{
	char query;
	while (read(backend[1], &query, 1) == 1) {
		demo_sleep_ns(150 * MS);
		if (write(backend[1], &query, 1) != 1)
			break;
	}
	return NULL;
}

static void scenario_sync_io(void *loop)
{
	char answer = 'q';
	if (write(backend[0], &answer, 1) != 1 || read(backend[0], &answer, 1) != 1)
		demo_ticker_stop();
}

static int start_sync_io(struct ps_loop *loop)
{
	pthread_t thread;
	if (backend[0] < 0) { /* the backend stays for the next time */
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, backend))
			return -errno;
		int err = pthread_create(&thread, NULL, run_backend, NULL);
		if (err)
			return -err;
		pthread_setname_np(thread, "demo-backend");
		pthread_detach(thread);
	}
	return demo_ticker_start(loop, scenario_sync_io, 50 * MS, 800 * MS);
}

/* ---- pool-congestion: more work than the pool can do ---- */

#define MOST_JOBS 64
static unsigned jobs; /* submitted, not delivered */
static int congestion_file = -1;
static char read_buffer[4096];

static int64_t scenario_pool_congestion(void *arg)
{
	demo_sleep_ns(100 * MS); /* a library that blocks, given to the pool */
	return 0;
}

static void on_job_done(struct ps_work *work, int64_t result, void *arg)
{
	jobs--;
}

static void count_job(int err)
{
	jobs += !err;
}

static void submit_jobs(void *arg)
{
	static unsigned char key[32];
	static unsigned ticks;
	struct ps_loop *loop = arg;
	if (jobs > MOST_JOBS)
		return;
	for (int i = 0; i < 2; i++)
		count_job(ps_work_submit(loop, NULL, scenario_pool_congestion, on_job_done, NULL));
	count_job(ps_fs_read(loop, congestion_file, read_buffer, sizeof(read_buffer), 0, on_job_done, NULL));
	if (ticks++ % 4 == 0)
		count_job(ps_pbkdf2(loop, "secret", 6, "salt", 4, 60000, key, sizeof(key), on_job_done, NULL));
}

static int start_pool_congestion(struct ps_loop *loop)
{
	if (congestion_file < 0)
		congestion_file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	return demo_ticker_start(loop, submit_jobs, 10 * MS, 40 * MS);
}

/* ---- timer-storm: thousands of timers due at the same instant ---- */

#define STORM_TIMERS 2000
static struct ps_timer *storm[STORM_TIMERS];

static void scenario_timer_storm(void *loop)
{
	count_primes(MS * 70 / 1000);
}

static int start_timer_storm(struct ps_loop *loop)
{
	int err = 0;
	for (int i = 0; i < STORM_TIMERS && !err; i++) {
		err = ps_timer_open(loop, &storm[i], scenario_timer_storm, loop);
		if (!err)
			err = ps_timer_start(storm[i], 100 * MS, 900 * MS);
	}
	return err;
}

static void stop_timer_storm(void)
{
	for (int i = 0; i < STORM_TIMERS; i++)
		ps_timer_close(storm[i]);
}

/* ---- the table ---- */

const struct demo_scenario demo_scenarios[] = {
	{ "healthy", 'H', "only the load", NULL, NULL },
	{ "computation", 'C', "200 ms of computation in a callback", start_computation, demo_ticker_stop },
	{ "sync-io", 'S', "a callback waits for a slow backend", start_sync_io, demo_ticker_stop },
	{ "regex", 'X', "a pattern that backtracks for ever on a hostile text", demo_regex_start, demo_ticker_stop },
	{ "json", 'J', "a huge JSON document is parsed at once", demo_json_start, demo_json_stop },
	{ "tick-starvation", 'K', "next ticks that queue next ticks", demo_ticks_start, demo_ticker_stop },
	{ "pool-congestion", 'P', "more work than the pool can do", start_pool_congestion, demo_ticker_stop },
	{ "dns-hog", 'D', "slow name lookups hold the pool", demo_dns_start, demo_ticker_stop },
	{ "slow-consumer", 'B', "more is written than the other end reads", demo_slow_start, demo_slow_stop },
	{ "timer-storm", 'O', "2000 timers due at one instant", start_timer_storm, stop_timer_storm },
	{ "thread-per-connection", 'V', "the same handler, a blocked thread for each connection", demo_threads_start,
	  demo_threads_stop },
	{ NULL, 0, NULL, NULL, NULL },
};

int demo_scenario_find(const char *name)
{
	for (int i = 0; demo_scenarios[i].name; i++)
		if (!strcmp(demo_scenarios[i].name, name))
			return i;
	return -1;
}

void demo_scenario_names(FILE *out)
{
	for (int i = 0; demo_scenarios[i].name; i++)
		fprintf(out, "%s\n", demo_scenarios[i].name);
}

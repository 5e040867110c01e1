/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Attaching that takes longer than the rings are long, while events flow: each
 * of them is there. The pauses between the sources, and the sleep in the first
 * hand-over, are several times what a ring holds.
 */
#include "test.h"

#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include "attach.h"
#include "backlog.h"
#include "child.h"
#include "ps_loop.h"
#include "source.h"

#define MS 1000000ull
#define PAUSE_NS (400 * MS)
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) /* everything of ours is slower */
#define POLLS_PER_S 4000
#define TIMERS 100
#else
#define POLLS_PER_S 50000
#define TIMERS 500 /* each 100 times a second: the recorder's 65,536 slots are some 0.3 s */
#endif
#define BPF_RING (4u << 20) /* some 0.6 s of that */

static struct seen {
	uint64_t first_ns, last_ns, polls, events, lost;
	int has_slept;
} seen;

static void doze(uint64_t ns)
{
	const struct timespec time = { ns / 1000000000, ns % 1000000000 };
	nanosleep(&time, NULL);
}

static int count(const struct ps_record *record, void *arg)
{
	if (record->event == PS_EV_LOST)
		seen.lost += ((const struct ps_ev_lost *)record)->count;
	if (!seen.has_slept++)
		doze(3 * PAUSE_NS);
	seen.polls += record->event == PS_EV_POLL_RETURN;
	if (record->event != PS_EV_POLL_RETURN && record->event != PS_EV_CALLBACK_BEGIN)
		return 0;
	seen.events++;
	seen.first_ns = seen.first_ns ? seen.first_ns : record->ts;
	seen.last_ns = record->ts;
	return 0;
}

/* ---- targets; `told` is how many polls or callbacks they have done ---- */

static void poll_steadily(volatile uint64_t *told)
{
	int poller = epoll_create1(0), fd = eventfd(1, 0);
	struct epoll_event event = { .events = EPOLLIN };
	epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
	for (uint64_t due = stream_now();;) {
		uint64_t now = stream_now();
		/* one that had no CPU does not make up for it by a burst */
		if (now > due + 50 * MS)
			due = now;
		if (now < due) {
			doze(MS);
		} else if (epoll_wait(poller, &event, 1, -1) == 1) {
			++*told;
			due += 1000000000 / POLLS_PER_S;
		}
	}
}

static void count_fire(void *arg)
{
	++*(volatile uint64_t *)arg;
}

static void run_timers(volatile uint64_t *told)
{
	struct ps_loop *loop;
	if (ps_loop_open(&loop, NULL))
		return;
	for (unsigned i = 0; i < TIMERS; i++) {
		struct ps_timer *timer;
		ps_timer_open(loop, &timer, count_fire, (void *)told);
		ps_timer_start(timer, 10 * MS + i * 10 * MS / TIMERS, 10 * MS);
	}
	ps_loop_run(loop, PS_RUN_DEFAULT);
}

static volatile uint64_t *told;

static pid_t start_target(void (*run)(volatile uint64_t *told))
{
	told = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		run(told);
		_exit(1);
	}
	for (uint64_t end = stream_now() + 10000 * MS; !*told && stream_now() < end;)
		doze(MS);
	assert_true(*told);
	return pid;
}

/* Attaches slowly, hands over slowly, and says how much the target did between the two. */
static uint64_t watch_slowly(pid_t pid, struct attach_options options)
{
	char message[256] = "";
	struct attach *attach;
	options.pids = &pid;
	options.pid_count = 1;
	options.no_history = 1;
	options.pause_ns = PAUSE_NS;
	int err = attach_open(&attach, &options, message, sizeof(message));
	if (err)
		print_error("attach_open: %d %s\n", err, message);
	assert_int_equal(err, 0);
	uint64_t before = *told;
	for (int i = 0; i < 4; i++)
		assert_true(attach_drain(attach, count, NULL) >= 0);
	uint64_t done = *told - before;
	attach_close(attach, NULL, NULL);
	child_stop(pid, SIGKILL);
	return done;
}

TEST(no_poll_is_lost_while_other_sources_attach_slowly)
{
	if (geteuid())
		SKIP("needs root to load BPF programs");
	pid_t pid = start_target(poll_steadily);
	uint64_t done = watch_slowly(pid, (struct attach_options){ .ring_bytes = BPF_RING });
	assert_int_equal(seen.lost, 0);
	/* those of the pauses too, which are longer than the hand-over */
	assert_true(seen.last_ns - seen.first_ns > 6 * PAUSE_NS);
	assert_true(seen.polls > done);
}

TEST(no_callback_is_lost_while_other_sources_attach_slowly)
{
	pid_t pid = start_target(run_timers);
	uint64_t done = watch_slowly(pid, (struct attach_options){ .no_bpf = 1 });
	assert_int_equal(seen.lost, 0);
	assert_true(seen.last_ns - seen.first_ns > 5 * PAUSE_NS);
	assert_true(seen.events > done);
}

/* ---- the backlog alone ---- */

static uint64_t sum, calls;

static int add(void *arg, void *data, size_t bytes)
{
	uint64_t value;
	assert_int_equal((uintptr_t)data % 8, 0);
	assert_true(bytes >= sizeof(value));
	memcpy(&value, data, sizeof(value));
	assert_int_equal(value, calls++);
	sum += bytes;
	return -1; /* is not looked at */
}

TEST(a_backlog_hands_on_everything_in_order_and_is_bounded)
{
	static char record[60000];
	struct backlog backlog = { 0 };
	uint64_t puts = 0, bytes = 0;
	for (; backlog_has_room(&backlog); puts++) {
		size_t size = sizeof(puts) + puts * 7919 % (sizeof(record) - sizeof(puts));
		memcpy(record, &puts, sizeof(puts));
		backlog_put(&backlog, record, size);
		bytes += size;
	}
	assert_true(bytes > 32u << 20 && bytes < 128u << 20);
	backlog_take(&backlog, add, NULL);
	assert_int_equal(calls, puts);
	assert_int_equal(sum, bytes);
	backlog_take(&backlog, add, NULL);
	assert_int_equal(calls, puts);
	assert_true(backlog_has_room(&backlog));
	backlog_free(&backlog);
}

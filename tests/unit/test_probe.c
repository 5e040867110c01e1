/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The BPF probes, really loaded, on a child whose every wait, sleep and spin is
 * known: it runs an epoll loop, does what it is told, and answers with what it
 * measured itself.
 */
#include "test.h"

#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "attach.h"
#include "child.h"
#include "source.h"

#define MS 1000000ull

/* How long what is under way at the attach goes on, ms: with a sanitizer the attach takes longer. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define UNDERWAY_MS 3000
#else
#define UNDERWAY_MS 1500
#endif

/* ---- the child ---- */

enum order { SPIN, SLEEP, POLLS, LOCK, NESTED, PWAIT2, THREAD, STOP, LEAVE };
struct command {
	uint64_t order, amount;
};

void spin_on_purpose(uint64_t ns); /* not static: its name is looked for */
__attribute__((noinline)) void spin_on_purpose(uint64_t ns)
{
	volatile uint64_t sum = 0;

	for (uint64_t end = stream_now() + ns; stream_now() < end;)
		for (int i = 0; i < 1000; i++)
			sum += i;
}

static void wait_nested(int ms)
{
	struct epoll_event event;
	int other = epoll_create1(0);

	epoll_wait(other, &event, 1, ms);
	close(other);
}

static void *second_loop(void *arg)
{
	struct epoll_event event;
	int poller = epoll_create1(0);

	for (uint64_t i = 0; i < *(uint64_t *)arg; i++)
		epoll_wait(poller, &event, 1, 1);
	close(poller);
	return NULL;
}

__attribute__((noinline)) static void obey(int poller, const struct command *command)
{
	struct timespec time = { command->amount / 1000, command->amount % 1000 * MS };
	struct epoll_event event;
	pthread_t thread;
	uint32_t word = 0;

	switch (command->order) {
	case SPIN:
		spin_on_purpose(command->amount * MS);
		break;
	case SLEEP:
		nanosleep(&time, NULL);
		break;
	case POLLS:
		for (uint64_t i = 0; i < command->amount; i++)
			epoll_wait(poller, &event, 1, 0);
		break;
	case LOCK:
		syscall(SYS_futex, &word, FUTEX_WAIT, 0, &time, NULL, 0);
		break;
	case NESTED:
		wait_nested(command->amount);
		break;
	case PWAIT2:
		epoll_pwait2(poller, &event, 1, &time, NULL);
		break;
	case THREAD:
		pthread_create(&thread, NULL, second_loop, (void *)&command->amount);
		pthread_join(thread, NULL);
		break;
	case STOP:
		kill(getpid(), SIGSTOP);
		break;
	case LEAVE:
		_exit(0);
	}
}

__attribute__((noinline)) static void run_child(int control)
{
	int poller = epoll_create1(0);
	struct epoll_event event = { .events = EPOLLIN };
	struct command command;

	epoll_ctl(poller, EPOLL_CTL_ADD, control, &event);
	for (;;) {
		if (epoll_wait(poller, &event, 1, -1) != 1)
			continue;
		if (recv(control, &command, sizeof(command), 0) != sizeof(command))
			_exit(0);
		uint64_t begin = stream_now();
		obey(poller, &command);
		uint64_t took = stream_now() - begin;
		if (send(control, &took, sizeof(took), MSG_NOSIGNAL) != sizeof(took))
			_exit(0);
	}
}

struct child {
	pid_t pid;
	int control;
};

static struct child start_child(void)
{
	struct child child;
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	child.pid = fork();
	assert_true(child.pid >= 0);
	if (!child.pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(ends[0]);
		run_child(ends[1]);
	}
	close(ends[1]);
	child.control = ends[0];
	return child;
}

static void tell(struct child *child, enum order order, uint64_t amount)
{
	struct command command = { order, amount };

	assert_int_equal(send(child->control, &command, sizeof(command), 0), sizeof(command));
}

/* What the child measured, ns. */
static uint64_t answer(struct child *child)
{
	uint64_t took;

	assert_int_equal(recv(child->control, &took, sizeof(took), 0), sizeof(took));
	return took;
}

static uint64_t ask(struct child *child, enum order order, uint64_t amount)
{
	tell(child, order, amount);
	return answer(child);
}

static int is_waiting(void *arg)
{
	char path[64], text[64] = "";

	snprintf(path, sizeof(path), "/proc/%d/syscall", *(pid_t *)arg);
	FILE *file = fopen(path, "r");
	if (!file)
		return 0;
	int call = fgets(text, sizeof(text), file) ? atoi(text) : -1;
	fclose(file);
	return call == SYS_epoll_wait || call == SYS_epoll_pwait;
}

static void await_waiting(struct child *child)
{
	assert_true(child_await(is_waiting, &child->pid));
}

static void end_child(struct child *child)
{
	close(child->control);
	child_stop(child->pid, SIGKILL);
}

/* ---- what the session told ---- */

#define SEEN_MAX 65536
#define IDS_MAX  4096

static struct seen {
	struct ps_ev_poll_enter enters[SEEN_MAX];
	struct ps_ev_poll_return returns[SEEN_MAX];
	struct ps_ev_offcpu offs[8192]; /* many on a crowded machine */
	struct ps_ev_sample samples[1024];
	struct ps_ev_loop loops[64];
	uint32_t enter_count, return_count, off_count, sample_count, loop_count;
	uint64_t lost, records;
	char texts[IDS_MAX][64];
	uint32_t names[IDS_MAX];         /* of frames */
	struct { uint32_t count, frames[256]; } stacks[IDS_MAX];
	struct ps_ev_probe probes[PS_PROBE_GROUP_COUNT];
} seen;

static void remember_definition(const struct ps_record *record)
{
	const struct ps_ev_string *string = (const void *)record;
	const struct ps_ev_frame *frame = (const void *)record;
	const struct ps_ev_stack *stack = (const void *)record;

	assert_true(string->id < IDS_MAX);
	if (record->event == PS_EV_STRING)
		snprintf(seen.texts[string->id], 64, "%.*s", (int)string->len, (const char *)(string + 1));
	else if (record->event == PS_EV_FRAME)
		seen.names[frame->id] = frame->name;
	else if (record->event == PS_EV_STACK)
		memcpy(seen.stacks[stack->id].frames, stack + 1, 4 * (seen.stacks[stack->id].count = stack->count));
}

static int remember(const struct ps_record *record, void *arg)
{
	switch (record->event) {
	case PS_EV_STRING:
	case PS_EV_FRAME:
	case PS_EV_STACK:
		remember_definition(record);
		return 0;
	case PS_EV_POLL_ENTER:
		assert_true(seen.enter_count < SEEN_MAX);
		seen.enters[seen.enter_count++] = *(const struct ps_ev_poll_enter *)record;
		break;
	case PS_EV_POLL_RETURN:
		assert_true(seen.return_count < SEEN_MAX);
		seen.returns[seen.return_count++] = *(const struct ps_ev_poll_return *)record;
		break;
	case PS_EV_OFFCPU:
		assert_true(seen.off_count < sizeof(seen.offs) / sizeof(seen.offs[0]));
		seen.offs[seen.off_count++] = *(const struct ps_ev_offcpu *)record;
		break;
	case PS_EV_SAMPLE:
		assert_true(seen.sample_count < 1024);
		seen.samples[seen.sample_count] = *(const struct ps_ev_sample *)record;
		seen.sample_count += seen.samples[seen.sample_count].kind == PS_SAMPLE_CPU;
		break;
	case PS_EV_LOOP:
		assert_true(seen.loop_count < 64);
		seen.loops[seen.loop_count++] = *(const struct ps_ev_loop *)record;
		break;
	case PS_EV_LOST:
		seen.lost += ((const struct ps_ev_lost *)record)->count;
		break;
	case PS_EV_PROBE:
		seen.probes[((const struct ps_ev_probe *)record)->group] = *(const struct ps_ev_probe *)record;
		break;
	}
	return 0;
}

static int stack_has(uint32_t stack, const char *name)
{
	for (uint32_t i = 0; i < seen.stacks[stack].count; i++)
		if (!strcmp(seen.texts[seen.names[seen.stacks[stack].frames[i]]], name))
			return 1;
	return 0;
}

static struct attach *opened(const struct child *child, const struct attach_options *with)
{
	struct attach_options options = with ? *with : (struct attach_options){ 0 };
	char message[256] = "";
	struct attach *attach;

	if (geteuid())
		SKIP("needs root to load BPF programs");
	options.pids = &child->pid;
	options.pid_count = 1;
	int err = attach_open(&attach, &options, message, sizeof(message));
	if (err)
		print_error("attach_open: %d %s\n", err, message);
	assert_int_equal(err, 0);
	return attach;
}

static void closed(struct attach *attach)
{
	attach_close(attach, remember, NULL);
}

/* The longest busy slice. */
static const struct ps_ev_poll_enter *longest(void)
{
	const struct ps_ev_poll_enter *best = NULL;
	uint64_t most = 0;

	for (uint32_t i = 0; i < seen.enter_count; i++) {
		const struct ps_ev_poll_enter *enter = &seen.enters[i];
		uint64_t busy = enter->busy_since_ns ? enter->h.ts - enter->busy_since_ns : 0;

		if (busy > most) {
			most = busy;
			best = enter;
		}
	}
	assert_non_null(best);
	return best;
}

static uint64_t busy_of(const struct ps_ev_poll_enter *enter)
{
	return enter->h.ts - enter->busy_since_ns;
}

static const struct ps_ev_offcpu *longest_off(void)
{
	const struct ps_ev_offcpu *best = &seen.offs[0];

	assert_true(seen.off_count > 0);
	for (uint32_t i = 1; i < seen.off_count; i++)
		if (seen.offs[i].h.ts - seen.offs[i].off_ns > best->h.ts - best->off_ns)
			best = &seen.offs[i];
	return best;
}

static void assert_near(uint64_t value, uint64_t expected, uint64_t distance)
{
	if (value + distance < expected || value > expected + distance)
		print_error("%llu is not within %llu of %llu\n", (unsigned long long)value,
			    (unsigned long long)distance, (unsigned long long)expected);
	assert_true(value + distance >= expected && value <= expected + distance);
}

/* ---- tests ---- */

TEST(every_wait_is_told_once_as_the_program_counts_them)
{
	struct child child = start_child();

	await_waiting(&child);
	struct attach *attach = opened(&child, NULL);
	for (int i = 0; i < 20; i++) {
		ask(&child, POLLS, 500);
		attach_drain(attach, remember, NULL);
	}
	await_waiting(&child);
	closed(attach);
	/* per order: 500 waits that return at once, and the one that the next order ends */
	assert_int_equal(seen.return_count, 20 * 501);
	/* the same, and the one that was under way at attach */
	assert_int_equal(seen.enter_count, 20 * 501 + 1);
	assert_int_equal(seen.enters[0].busy_since_ns, 0);
	assert_int_equal(seen.returns[0].ready, 1);
	assert_true(seen.returns[0].entered_ns >= seen.enters[0].h.ts);
	assert_int_equal(seen.returns[1].ready, 0);
	assert_int_equal(seen.enters[1].timeout_ns, 0);
	assert_int_equal(seen.enters[501].timeout_ns, -1);
	assert_int_equal(seen.lost, 0);
	assert_int_equal(seen.probes[PS_PROBE_POLL].hits, 2 * 20 * 501);
	assert_int_equal(seen.loop_count, 1);
	end_child(&child);
}

TEST(a_slice_on_the_cpu_lasts_as_long_as_the_program_measured)
{
	struct child child = start_child();

	await_waiting(&child);
	struct attach *attach = opened(&child, NULL);
	uint64_t took = ask(&child, SPIN, 150);
	await_waiting(&child);
	closed(attach);
	const struct ps_ev_poll_enter *slice = longest();
	/* it may have waited for a CPU between its own clock and its poller */
	assert_near(busy_of(slice), took, 5 * MS + slice->runnable_ns);
	assert_int_equal(slice->on_cpu_ns + slice->runnable_ns + slice->blocked_ns, busy_of(slice));
	assert_true(slice->on_cpu_ns > slice->blocked_ns);
	/* one every 5 ms of CPU time at least, from 25 ms on; before, up to three for the profile, which stand for more */
	int named = 0;
	uint64_t sampled_ns = 0;
	for (uint32_t i = 0; i < seen.sample_count; i++)
		sampled_ns += seen.samples[i].period_ns;
	assert_near(sampled_ns, slice->on_cpu_ns, slice->runnable_ns + 20 * MS);
	for (uint32_t i = 0; i < seen.sample_count; i++)
		named += stack_has(seen.samples[i].stack, "spin_on_purpose") && stack_has(seen.samples[i].stack, "run_child");
	assert_true(named * 10 >= (int)seen.sample_count * 7);
	end_child(&child);
}

TEST(a_sleep_outside_the_poller_is_blocked_time_in_that_call)
{
	struct child child = start_child();

	await_waiting(&child);
	struct attach *attach = opened(&child, NULL);
	uint64_t took = ask(&child, SLEEP, 120);
	await_waiting(&child);
	closed(attach);
	const struct ps_ev_poll_enter *slice = longest();
	const struct ps_ev_offcpu *off = longest_off();
	assert_near(busy_of(slice), took, 5 * MS);
	/* a busy machine wakes it later, never sooner */
	assert_true(slice->blocked_ns >= 119 * MS && slice->blocked_ns <= busy_of(slice));
	assert_int_equal(slice->on_cpu_ns + slice->runnable_ns + slice->blocked_ns, busy_of(slice));
	assert_true(off->syscall == SYS_nanosleep || off->syscall == SYS_clock_nanosleep);
	assert_int_equal(off->state, PS_OFF_SLEEPING);
	assert_true(off->h.ts - off->off_ns >= 119 * MS && off->h.ts - off->off_ns <= busy_of(slice));
	assert_true(off->wake_ns > off->off_ns && off->wake_ns <= off->h.ts);
	assert_int_equal(seen.sample_count, 0);
	assert_false(stack_has(off->stack, "on_switch"));
	end_child(&child);
}

TEST(a_wait_for_a_lock_is_told_as_one)
{
	struct child child = start_child();

	await_waiting(&child);
	struct attach *attach = opened(&child, NULL);
	ask(&child, LOCK, 60);
	await_waiting(&child);
	closed(attach);
	assert_int_equal(longest_off()->state, PS_OFF_LOCK);
	assert_int_equal(longest_off()->syscall, SYS_futex);
	end_child(&child);
}

TEST(a_wait_on_a_private_poller_inside_a_call_does_not_end_the_slice)
{
	struct child child = start_child();

	await_waiting(&child);
	struct attach *attach = opened(&child, NULL);
	uint64_t took = ask(&child, NESTED, 60);
	await_waiting(&child);
	closed(attach);
	assert_near(busy_of(longest()), took, 5 * MS);
	assert_int_equal(seen.loop_count, 1);
	assert_true(longest_off()->syscall == SYS_epoll_wait || longest_off()->syscall == SYS_epoll_pwait);
	end_child(&child);
}

TEST(epoll_pwait2_is_a_wait_with_its_timeout)
{
	struct child child = start_child();

	await_waiting(&child);
	struct attach *attach = opened(&child, NULL);
	ask(&child, PWAIT2, 30);
	await_waiting(&child);
	closed(attach);
	int found = 0;
	for (uint32_t i = 0; i < seen.enter_count; i++)
		found += seen.enters[i].timeout_ns == (int64_t)(30 * MS);
	assert_int_equal(found, 1);
	end_child(&child);
}

static void pin(pid_t pid, int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	assert_int_equal(sched_setaffinity(pid, sizeof(set), &set), 0);
}

/* How often the loop was ready while `name` ran. */
static int times_named(const char *name)
{
	int named = 0;

	for (uint32_t i = 0; i < seen.off_count; i++) {
		const struct ps_ev_offcpu *off = &seen.offs[i];

		if (off->state != PS_OFF_RUNNABLE)
			continue;
		assert_int_equal(off->wake_ns, off->off_ns);
		named += !strcmp(seen.texts[off->other], name);
	}
	return named;
}

TEST(time_ready_but_not_running_names_who_ran_instead)
{
	struct child child = start_child();
	pid_t hog = fork();

	if (!hog) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NAME, "the-hog");
		for (;;)
			spin_on_purpose(1000 * MS);
	}
	await_waiting(&child);
	struct attach *attach = opened(&child, NULL);
	pin(child.pid, 0);
	pin(hog, 0);
	/* of others that are busy, too, the hog is not always the next */
	for (int i = 0; i < 8 && !times_named("the-hog"); i++) {
		ask(&child, SPIN, 200);
		await_waiting(&child);
		attach_drain(attach, remember, NULL);
	}
	closed(attach);
	child_stop(hog, SIGKILL);
	const struct ps_ev_poll_enter *slice = longest();
	assert_int_equal(slice->on_cpu_ns + slice->runnable_ns + slice->blocked_ns, busy_of(slice));
	assert_true(slice->runnable_ns > 30 * MS);
	assert_true(times_named("the-hog") > 0);
	end_child(&child);
}

TEST(a_stopped_target_is_told_as_stopped)
{
	struct child child = start_child();

	await_waiting(&child);
	struct attach *attach = opened(&child, NULL);
	tell(&child, STOP, 0);
	int status;
	assert_int_equal(waitpid(child.pid, &status, WUNTRACED), child.pid);
	assert_true(WIFSTOPPED(status));
	struct timespec pause = { 0, 50 * MS };
	nanosleep(&pause, NULL);
	kill(child.pid, SIGCONT);
	answer(&child);
	await_waiting(&child);
	closed(attach);
	assert_int_equal(longest_off()->state, PS_OFF_STOPPED);
	assert_true(busy_of(longest()) > 45 * MS);
	end_child(&child);
}

TEST(a_spin_under_way_at_attach_is_told_from_the_attach_on)
{
	struct child child = start_child();

	ask(&child, POLLS, 1);
	tell(&child, SPIN, UNDERWAY_MS);
	struct timespec pause = { 0, 20 * MS };
	nanosleep(&pause, NULL);
	uint64_t before = stream_now();
	struct attach *attach = opened(&child, NULL);
	attach_drain(attach, remember, NULL);
	assert_int_equal(seen.return_count, 1);
	assert_int_equal(seen.returns[0].flags, PS_POLL_UNDERWAY);
	assert_true(seen.returns[0].h.ts >= before);
	answer(&child);
	await_waiting(&child);
	closed(attach);
	assert_true(seen.sample_count > 10);
	assert_true(busy_of(longest()) > 100 * MS);
	assert_int_equal(longest()->busy_since_ns, seen.returns[0].h.ts);
	assert_int_equal(longest()->poller_fd, seen.returns[0].poller_fd);
	end_child(&child);
}

TEST(a_sleep_under_way_at_attach_is_told_with_its_call)
{
	struct child child = start_child();

	ask(&child, POLLS, 1);
	tell(&child, SLEEP, UNDERWAY_MS);
	struct timespec pause = { 0, 20 * MS };
	nanosleep(&pause, NULL);
	struct attach *attach = opened(&child, NULL);
	answer(&child);
	await_waiting(&child);
	closed(attach);
	assert_int_equal(seen.returns[0].flags, PS_POLL_UNDERWAY);
	const struct ps_ev_offcpu *off = longest_off();
	assert_true(off->syscall == SYS_nanosleep || off->syscall == SYS_clock_nanosleep);
	assert_int_equal(off->off_ns, seen.returns[0].h.ts);
	assert_true(longest()->blocked_ns > 100 * MS);
	end_child(&child);
}

TEST(what_does_not_fit_into_the_ring_is_counted_exactly)
{
	struct child child = start_child();
	const struct attach_options options = { .ring_bytes = 65536, .without = 1u << PS_PROBE_SCHED };

	await_waiting(&child);
	struct attach *attach = opened(&child, &options);
	/* until a drain was quick: before, the ring is emptied all the time */
	for (int i = 0; i < 5; i++)
		attach_drain(attach, remember, NULL);
	uint32_t seeded = seen.enter_count;
	ask(&child, POLLS, 5000);
	attach_drain(attach, remember, NULL);
	assert_true(seen.lost > 5000);
	ask(&child, POLLS, 100);
	await_waiting(&child);
	closed(attach);
	assert_int_equal(seen.return_count + (seen.enter_count - seeded) + seen.lost, 2 * (5000 + 100 + 2));
	/* without the scheduler probe nothing is known of the slices */
	assert_true(seen.enters[1].on_cpu_ns == PS_UNKNOWN && seen.enters[1].blocked_ns == PS_UNKNOWN);
	end_child(&child);
}

TEST(a_loop_that_begins_later_in_another_thread_is_declared_first_and_gone_when_that_ends)
{
	struct child child = start_child();

	await_waiting(&child);
	struct attach *attach = opened(&child, NULL);
	ask(&child, THREAD, 30);
	attach_drain(attach, remember, NULL);
	for (int i = 0; i < 5000 && seen.loop_count < 3; i++) {
		usleep(1000);
		attach_drain(attach, remember, NULL);
	}
	assert_int_equal(seen.loop_count, 3);
	const struct ps_ev_loop *late = &seen.loops[1], *gone = &seen.loops[2];
	assert_int_not_equal(late->h.tid, child.pid);
	assert_int_equal(late->pid, child.pid);
	int enters = 0;
	for (uint32_t i = 0; i < seen.enter_count; i++) {
		if (seen.enters[i].h.tid != late->h.tid)
			continue;
		enters++;
		assert_true(seen.enters[i].h.ts >= late->h.ts);
		assert_int_equal(seen.enters[i].timeout_ns, MS);
	}
	assert_int_equal(enters, 30);
	assert_true(gone->flags & PS_LOOP_GONE && gone->h.tid == late->h.tid);
	/* not when it was noticed: nothing lies between its last turn and its end */
	assert_in_range(gone->h.ts - seen.returns[seen.return_count - 1].h.ts, 0, 50 * MS);
	closed(attach);
	end_child(&child);
}

static int has_ended(void *arg)
{
	attach_drain(arg, remember, NULL);
	return !attach_alive(arg);
}

TEST(a_target_that_ends_while_watched_ends_the_session_quietly)
{
	struct child child = start_child();

	await_waiting(&child);
	struct attach *attach = opened(&child, NULL);
	ask(&child, POLLS, 10);
	assert_true(attach_alive(attach));
	tell(&child, LEAVE, 0);
	waitpid(child.pid, NULL, 0);
	assert_true(child_await(has_ended, attach));
	closed(attach);
	assert_int_equal(seen.return_count, 12);
	assert_int_equal(seen.lost, 0);
	close(child.control);
}

TEST(a_process_that_is_not_there_or_runs_no_loop_is_refused_with_a_sentence)
{
	struct attach *attach;
	char message[256];
	pid_t pid = fork();

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	struct attach_options options = { .pids = &pid, .pid_count = 1 };
	assert_int_equal(attach_open(&attach, &options, message, sizeof(message)), -ENOENT);
	assert_non_null(strstr(message, "no event loop"));
	assert_null(attach);
	child_stop(pid, SIGKILL);
	assert_int_equal(attach_open(&attach, &options, message, sizeof(message)), -ESRCH);
	assert_non_null(strstr(message, "no process"));
	pid = 2;
	assert_int_equal(attach_open(&attach, &options, message, sizeof(message)), -ENOTSUP);
	assert_non_null(strstr(message, "kernel thread"));
}

TEST(switched_off_groups_say_so)
{
	struct child child = start_child();
	const struct attach_options options = { .no_bpf = 1 };
	char message[256];
	struct attach *attach;
	struct attach_options with = options;

	await_waiting(&child);
	with.pids = &child.pid;
	with.pid_count = 1;
	if (!attach_open(&attach, &with, message, sizeof(message))) {
		attach_drain(attach, remember, NULL);
		closed(attach);
		assert_int_equal(seen.probes[PS_PROBE_POLL].state, PS_PROBE_STATE_OFF);
		assert_non_null(strstr(seen.texts[seen.probes[PS_PROBE_POLL].reason], "--no-bpf"));
		assert_true(seen.probes[PS_PROBE_POLL].hits == PS_UNKNOWN);
	}
	assert_int_equal(seen.enter_count, 0);
	end_child(&child);
}

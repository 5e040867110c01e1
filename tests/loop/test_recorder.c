/* SPDX-License-Identifier: BSD-2-Clause */
/* The flight recorder: conservation, seals, gauges, forks, the clock. */
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <time.h>

#include "loops.h"
#include "probe.h"

#define WRITERS 4
#define WRITTEN 1000000u

struct writer {
	pthread_t thread;
	struct recorder_memory memory;
	atomic_int ready, finished;
	int done_reading;
};

static struct writer writers[WRITERS];

static void *write_records(void *arg)
{
	struct writer *writer = arg;
	struct clock clock = { 0 };
	struct recorder_options options = { .name = "writer", .slots = 4096, .role = PS_ROLE_LOOP, .poller_fd = -1 };

	ok(recorder_open(&writer->memory, &options));
	atomic_store(&writer->ready, 1);
	for (uint64_t i = 0; i < WRITTEN; i++)
		RECORD(writer->memory.recorder, ITERATION, ps_ev_iteration, clock_now(&clock), .number = i);
	atomic_store(&writer->finished, 1);
	return NULL;
}

/* As ps_ring.h says a reader must: copy, look at head again, keep what cannot have been overwritten. */
static uint64_t read_once(int fd, uint64_t next, uint64_t *good, uint64_t *last_ts)
{
	struct ps_ring_header before, after;
	static uint8_t slots[4096 * PS_RING_SLOT];

	ok(pread(fd, &before, sizeof(before), 0) != sizeof(before));
	ok(pread(fd, slots, sizeof(slots), before.slots_offset) != sizeof(slots));
	ok(pread(fd, &after, sizeof(after), 0) != sizeof(after));
	uint64_t first = after.head >= before.slot_count ? after.head - before.slot_count + 1 : 0;
	if (first < next)
		first = next;
	for (uint64_t i = first; i < before.head; i++) {
		struct ps_ev_iteration *record = (void *)&slots[(i % before.slot_count) * PS_RING_SLOT];
		assert_int_equal(record->h.event, PS_EV_ITERATION);
		assert_int_equal(record->number, i);
		assert_true(record->h.ts >= *last_ts);
		*last_ts = record->h.ts;
		++*good;
	}
	return first < before.head ? before.head : next;
}

TEST(what_is_read_and_what_is_lost_is_what_four_writers_wrote)
{
	uint64_t next[WRITERS] = { 0 }, good[WRITERS] = { 0 }, last_ts[WRITERS] = { 0 }, lost[WRITERS] = { 0 };
	int left = WRITERS;

	for (int i = 0; i < WRITERS; i++)
		ok(pthread_create(&writers[i].thread, NULL, write_records, &writers[i]));
	while (left) {
		left = WRITERS;
		for (int i = 0; i < WRITERS; i++) {
			if (!atomic_load(&writers[i].ready))
				continue;
			int finished = atomic_load(&writers[i].finished);
			uint64_t had = good[i], from = next[i];
			next[i] = read_once(writers[i].memory.fd, next[i], &good[i], &last_ts[i]);
			lost[i] += next[i] - from - (good[i] - had);
			left -= finished && next[i] == WRITTEN;
		}
	}
	for (int i = 0; i < WRITERS; i++) {
		ok(pthread_join(writers[i].thread, NULL));
		assert_true(good[i] >= 4095);
		assert_int_equal(good[i] + lost[i], WRITTEN);
		recorder_close(&writers[i].memory);
	}
}

static void write_for_ever(int ready)
{
	struct recorder_memory memory;
	struct recorder_options options = { .name = "writer", .slots = 4096, .role = PS_ROLE_LOOP, .poller_fd = -1 };
	struct clock clock = { 0 };

	if (recorder_open(&memory, &options) || write(ready, &memory.fd, sizeof(memory.fd)) != sizeof(memory.fd))
		_exit(1);
	for (uint64_t i = 0;; i++)
		RECORD(memory.recorder, ITERATION, ps_ev_iteration, clock_now(&clock), .number = i);
}

/* The writer is killed wherever it happens to be: what was published is whole. */
TEST(a_ring_whose_writer_was_killed_is_readable_to_the_last_published_record)
{
	for (int i = 0; i < 30; i++) {
		uint64_t good = 0, last_ts = 0;
		int pair[2], number, status;
		char path[64];
		ok(pipe(pair));
		pid_t child = fork();
		if (!child)
			write_for_ever(pair[1]);
		assert_int_equal(read(pair[0], &number, sizeof(number)), sizeof(number));
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", child, number);
		int fd = open(path, O_RDONLY);
		assert_true(fd >= 0);
		/* on a busy machine the first record may come later than any sleep */
		struct ps_ring_header header = { 0 };
		while (!header.head)
			ok(pread(fd, &header, sizeof(header), 0) != sizeof(header));
		usleep((useconds_t)(500 + i * 37));
		ok(kill(child, SIGKILL));
		assert_int_equal(waitpid(child, &status, 0), child);
		uint64_t head = read_once(fd, 0, &good, &last_ts);
		assert_true(head > 0 && good >= (head < 4095 ? head : 4095));
		close(fd);
		close(pair[0]);
		close(pair[1]);
	}
}

/* ---- killed at every point of a record and of the gauges: what a killed writer leaves is what a stopped one shows ---- */

#define STEPPED 6 /* records, and as many times the gauges */

static struct ps_ring_gauges gauges_of(uint64_t value)
{
	return (struct ps_ring_gauges){ .now_ns = value, .iterations = value, .busy_since_ns = value, .next_due_ns = value,
					.buffered_bytes = value, .timers = (uint32_t)value, .handles = (uint32_t)value,
					.pool_oldest_ns = value };
}

static void write_some(int ready)
{
	struct recorder_memory memory;
	struct recorder_options options = { .name = "writer", .slots = 4, .role = PS_ROLE_LOOP, .poller_fd = -1 };

	if (recorder_open(&memory, &options) || ptrace(PTRACE_TRACEME, 0, 0, 0) < 0 ||
	    write(ready, &memory.fd, sizeof(memory.fd)) != sizeof(memory.fd))
		_exit(1);
	raise(SIGSTOP);
	for (uint64_t i = 0; i < STEPPED; i++) {
		const struct ps_ring_gauges gauges = gauges_of(i + 1);
		RECORD(memory.recorder, ITERATION, ps_ev_iteration, i + 1, .number = i);
		recorder_gauges(memory.recorder, &gauges);
	}
	_exit(42);
}

/* Everything that a reader may believe must be whole; returns the head. */
static uint64_t check_ring(int fd, unsigned *odd)
{
	struct ps_ring_header header;
	struct ps_ring_gauges gauges;
	_Alignas(8) uint8_t slots[4 * PS_RING_SLOT];

	assert_int_equal(pread(fd, &header, sizeof(header), 0), sizeof(header));
	assert_true(header.magic == PS_RING_MAGIC && header.head <= STEPPED);
	assert_int_equal(pread(fd, slots, sizeof(slots), header.slots_offset), sizeof(slots));
	for (uint64_t i = header.head >= 4 ? header.head - 3 : 0; i < header.head; i++) {
		const struct ps_ev_iteration *record = (void *)(slots + (i % 4) * PS_RING_SLOT);
		assert_int_equal(record->h.event, PS_EV_ITERATION);
		assert_int_equal(record->number, i);
		assert_int_equal(record->h.ts, i + 1);
	}
	assert_int_equal(pread(fd, &gauges, sizeof(gauges), header.gauges_offset), sizeof(gauges));
	if (gauges.sequence % 2) {
		++*odd; /* a reader gives up after some tries and has none */
		return header.head;
	}
	struct ps_ring_gauges whole = gauges_of(gauges.now_ns);
	whole.sequence = gauges.sequence;
	assert_memory_equal(&gauges, &whole, sizeof(gauges));
	return header.head;
}

TEST(a_writer_killed_at_any_instruction_leaves_a_ring_of_whole_records_and_gauges)
{
	int pair[2], number, status;
	unsigned odd = 0, steps = 0;
	uint64_t head = 0;
	char path[64];

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
	SKIP("the sanitizer's own instructions are too many to step through");
#endif
	ok(pipe(pair));
	pid_t child = fork();
	if (!child)
		write_some(pair[1]);
	if (read(pair[0], &number, sizeof(number)) != sizeof(number) || waitpid(child, &status, 0) != child ||
	    !WIFSTOPPED(status))
		SKIP("this system does not allow to trace a child");
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", child, number);
	int fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	while (head < STEPPED) {
		ok(ptrace(PTRACE_SINGLESTEP, child, 0, 0));
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFSTOPPED(status));
		uint64_t now = check_ring(fd, &odd);
		assert_true(now == head || now == head + 1);
		head = now;
		steps++;
	}
	ok(kill(child, SIGKILL));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(check_ring(fd, &odd), STEPPED);
	assert_true(odd > 0 && steps > 20 * STEPPED);
	close(fd);
	close(pair[0]);
	close(pair[1]);
}

TEST(the_ring_is_sealed_named_and_complete_before_it_can_be_found)
{
	struct ps_loop *loop = loop_new(NULL);
	struct ps_ring_header header;
	char link[64], name[64] = "";

	int seals = fcntl(loop->memory.fd, F_GET_SEALS);
	assert_int_equal(seals & (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL), F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	assert_int_equal(ftruncate(loop->memory.fd, 0), -1);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", loop->memory.fd);
	assert_true(readlink(link, name, sizeof(name) - 1) > 0);
	assert_string_equal(name, "/memfd:pollscope-ring (deleted)");
	assert_int_equal(pread(loop->memory.fd, &header, sizeof(header), 0), sizeof(header));
	assert_true(header.magic == PS_RING_MAGIC);
	assert_int_equal(header.version, PS_RING_VERSION);
	assert_int_equal(header.slot_size, PS_RING_SLOT);
	assert_int_equal(header.slot_count, 65536);
	assert_int_equal(header.pid, getpid());
	assert_int_equal(header.tid, gettid());
	assert_int_equal(header.role, PS_ROLE_LOOP);
	assert_int_equal(header.poller_fd, ps_loop_fd(loop));
	assert_string_equal(header.name, "test");
	loop_end(loop);
}

TEST(a_loop_without_recorder_has_no_ring_and_works)
{
	struct ps_loop_options options = { .size = sizeof(options), .no_recorder = 1 };
	struct ps_loop_info info = { .size = sizeof(info) };
	struct ps_loop *loop;
	int ran = 0;

	ok(ps_loop_open(&loop, &options));
	assert_int_equal(loop->memory.fd, -1);
	ok(ps_immediate(loop, count, &ran));
	ok(ps_loop_run(loop, PS_RUN_DEFAULT));
	ok(ps_loop_info(loop, &info));
	assert_int_equal(info.records, 0);
	assert_int_equal(ran, 1);
	loop_end(loop);
}

static struct ps_ring_gauges read_gauges(const struct ps_loop *loop)
{
	struct ps_ring_gauges gauges;

	assert_int_equal(pread(loop->memory.fd, &gauges, sizeof(gauges), 4096), sizeof(gauges));
	assert_int_equal(gauges.sequence % 2, 0);
	return gauges;
}

static void check_busy(void *arg)
{
	struct ps_ring_gauges gauges = read_gauges(arg);

	assert_true(gauges.busy_since_ns > 0 && gauges.busy_since_ns <= clock_monotonic());
}

TEST(the_gauges_page_tells_the_state_of_the_loop)
{
	struct ps_loop *loop = loop_new(NULL);
	struct ps_check *check;
	struct ps_timer *timer;
	int fired = 0;

	ok(ps_timer_open(loop, &timer, count, &fired));
	ok(ps_timer_start(timer, 1000000 * MS, 0));
	ok(ps_check_open(loop, &check, check_busy, loop));
	assert_int_equal(ps_loop_run(loop, PS_RUN_NOWAIT), 1);
	struct ps_ring_gauges gauges = read_gauges(loop);
	assert_int_equal(gauges.timers, 1);
	assert_int_equal(gauges.handles, 2);
	assert_int_equal(gauges.iterations, 1);
	assert_int_equal(gauges.next_due_ns, ps_timer_due(timer));
	assert_int_equal(gauges.timers_overdue, 0);
	ok(ps_timer_close(timer));
	ok(ps_check_close(check));
	loop_end(loop);
}

static uint64_t ring_head(int fd)
{
	struct ps_ring_header header;

	assert_int_equal(pread(fd, &header, sizeof(header), 0), sizeof(header));
	return header.head;
}

/* In the child: the old ring must stay as it is, the loop must work, a new ring must have the next generation. */
static int use_loop_in_child(struct ps_loop *loop)
{
	struct ps_loop_info info = { .size = sizeof(info) };
	struct ps_timer *timer;
	int ran = 0, old = dup(loop->memory.fd);
	uint64_t head = ring_head(old);

	if (ps_immediate(loop, count, &ran))
		return 1;
	ps_loop_run(loop, PS_RUN_NOWAIT); /* too early: a kqueue is gone, an epoll is the parent's */
	if (ran != 1)
		return 1;
	if (ring_head(old) != head)
		return 2;
	if (ps_loop_fork(loop))
		return 3;
	if (ps_timer_open(loop, &timer, count, &ran) || ps_timer_start(timer, 1, 0) ||
	    ps_loop_run(loop, PS_RUN_ONCE) < 0 || ran != 2)
		return 4;
	struct ps_ring_header header;
	if (pread(loop->memory.fd, &header, sizeof(header), 0) != sizeof(header) || header.generation != 1 ||
	    header.pid != (uint32_t)getpid() || !header.head || ring_head(old) != head)
		return 5;
	return 0;
}

static void on_io(struct ps_io *io, uint32_t events, void *arg)
{
	char byte;

	++*(int *)arg;
	(void)!read(ps_io_fd(io), &byte, 1);
}

TEST(a_child_gets_a_generation_of_its_own_and_leaves_the_parents_ring_and_poller_alone)
{
	struct ps_loop *loop = loop_new(NULL);
	struct ps_io *io;
	int pair[2], calls = 0, status;

	ok(pipe(pair));
	ok(ps_io_open(loop, &io, pair[0], on_io, &calls));
	ok(ps_io_start(io, PS_READABLE));
	assert_int_equal(ps_loop_run(loop, PS_RUN_NOWAIT), 1);
	uint64_t head = ring_head(loop->memory.fd);
	pid_t child = fork();
	if (!child)
		_exit(use_loop_in_child(loop));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(ring_head(loop->memory.fd), head);
	assert_int_equal(write(pair[1], "x", 1), 1);
	assert_int_equal(ps_loop_run(loop, PS_RUN_NOWAIT), 1);
	assert_int_equal(calls, 1);
	assert_true(ring_head(loop->memory.fd) > head);
	ok(ps_io_close(io));
	loop_end(loop);
	close(pair[0]);
	close(pair[1]);
}

static int64_t wait_long(void *arg)
{
	sleep(60);
	return 0;
}

static int64_t quick(void *arg)
{
	return 5;
}

static void keep_result(struct ps_work *work, int64_t result, void *arg)
{
	*(int64_t *)arg = result;
}

TEST(work_that_was_in_flight_at_a_fork_is_cancelled_in_the_child_and_its_pool_starts_anew)
{
	struct ps_loop *loop;
	int64_t lost = 1, fresh = 0;
	int status;

#ifdef __SANITIZE_THREAD__
	SKIP("ThreadSanitizer starts no threads in a forked child");
#elif defined(__SANITIZE_ADDRESS__)
	SKIP("the sanitizer's allocator may be locked by a worker at the fork, and stays so in the child");
#endif
	loop = loop_new(NULL);

	ok(ps_work_submit(loop, NULL, wait_long, keep_result, &lost));
	assert_int_equal(ps_loop_run(loop, PS_RUN_NOWAIT), 1);
	pid_t child = fork();
	if (!child) {
		if (ps_loop_fork(loop) || ps_work_submit(loop, NULL, quick, keep_result, &fresh) ||
		    ps_loop_run(loop, PS_RUN_DEFAULT))
			_exit(1);
		_exit(lost == -ECANCELED && fresh == 5 && !ps_loop_close(loop) ? 0 : 2);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void *run_elsewhere(void *arg)
{
	struct ps_loop *loop = arg;

	ok(ps_loop_run(loop, PS_RUN_DEFAULT));
	struct ps_ring_header header;
	assert_int_equal(pread(loop->memory.fd, &header, sizeof(header), 0), sizeof(header));
	assert_int_equal(header.tid, gettid());
	return NULL;
}

TEST(a_loop_that_runs_in_another_thread_gets_a_ring_of_that_thread)
{
	struct ps_loop *loop = loop_new(NULL);
	pthread_t thread;
	int ran = 0;

	ok(ps_immediate(loop, count, &ran));
	ok(pthread_create(&thread, NULL, run_elsewhere, loop));
	ok(pthread_join(thread, NULL));
	assert_int_equal(ran, 1);
	loop_end(loop);
}

TEST(the_fast_clock_stays_within_fifty_microseconds_of_the_kernels_and_never_goes_back)
{
	struct clock clock = { 0 };
	uint64_t last = 0, end = clock_monotonic() + 300 * MS, worst = 0;

	while (clock_monotonic() < end) {
		uint64_t before = clock_monotonic(), now = clock_now(&clock), after = clock_monotonic();
		assert_true(now >= last);
		last = now;
		uint64_t off = now < before ? before - now : now > after ? now - after : 0;
		worst = off > worst ? off : worst;
	}
	assert_true(worst < 50000);
}

/* The loop's records of one thread must be in time order, whatever mix of readings made them. */
TEST(the_records_of_a_thread_are_in_time_order)
{
	struct ps_loop *loop = loop_new(NULL);
	struct ps_timer *timer;
	uint64_t last = 0;
	int fired = 0;

	ok(ps_timer_open(loop, &timer, count, &fired));
	ps_loop_update_time(loop);
	ok(ps_timer_start(timer, MS / 4, MS / 4));
	while (fired < 200) {
		ok(ps_next_tick(loop, count, &(int){ 0 }));
		ok(ps_immediate(loop, count, &(int){ 0 }));
		assert_int_equal(ps_loop_run(loop, PS_RUN_ONCE), 1);
	}
	struct records records = records_read(loop, 0);
	for (size_t i = 0; i < records.count; i++) {
		assert_true(records.at[i].h.ts >= last);
		last = records.at[i].h.ts;
	}
	free(records.at);
	ok(ps_timer_close(timer));
	loop_end(loop);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Merging: one order of time, numbers that do not collide, clocks of other machines set beside the first's. */
#include "psr_make.h"

#include "psr_merge.h"

#define SECOND 1000000000ull

static uint64_t room[8192];

struct made {
	int fd;
	struct psr_reader *reader;
};

/* A stream that names its thread `name` by string 1 through frame 1 and stack 1, and samples it each second. */
static struct made make(const char *name, const char *boot, uint64_t monotonic, uint64_t realtime, uint64_t first, unsigned samples)
{
	struct made made = { .fd = memfd_create("psr", MFD_CLOEXEC) };
	struct psr_info info = make_info;
	struct psr_writer *writer;
	snprintf(info.boot_id, sizeof(info.boot_id), "%s", boot);
	info.monotonic_ns = monotonic;
	info.realtime_ns = realtime;
	assert_int_equal(psr_writer_open(&writer, made.fd, &info), 0);
	struct ps_ev_string *string = (struct ps_ev_string *)room;
	memset(room, 0, 64);
	*string = (struct ps_ev_string){ { first, 0, PS_EV_STRING, sizeof(*string) + 8 }, 1, (uint32_t)strlen(name) };
	memcpy(string + 1, name, strlen(name));
	assert_int_equal(psr_writer_add(writer, &string->h), 0);
	struct ps_ev_frame frame = { { first, 0, PS_EV_FRAME, sizeof(frame) }, .id = 1, .name = 1 };
	assert_int_equal(psr_writer_add(writer, &frame.h), 0);
	struct ps_ev_stack *stack = (struct ps_ev_stack *)room;
	*stack = (struct ps_ev_stack){ { first, 0, PS_EV_STACK, sizeof(*stack) + 8 }, 1, 1 };
	((uint32_t *)(stack + 1))[0] = 1;
	((uint32_t *)(stack + 1))[1] = 0;
	assert_int_equal(psr_writer_add(writer, &stack->h), 0);
	struct ps_ev_thread thread = { { first, 77, PS_EV_THREAD, sizeof(thread) }, .pid = 77, .name = 1 };
	assert_int_equal(psr_writer_add(writer, &thread.h), 0);
	for (unsigned i = 0; i < samples; i++) {
		struct ps_ev_sample sample = { { first + i * SECOND, 77, PS_EV_SAMPLE, sizeof(sample) }, .stack = 1, .syscall = -1 };
		assert_int_equal(psr_writer_add(writer, &sample.h), 0);
	}
	assert_int_equal(psr_writer_close(writer), 0);
	lseek(made.fd, 0, SEEK_SET);
	assert_int_equal(psr_reader_open(&made.reader, made.fd), 0);
	return made;
}

static void unmake(struct made *made)
{
	psr_reader_close(made->reader);
	close(made->fd);
}

struct seen {
	char strings[8][16];  /* by id */
	uint32_t names[8], frames[8];
	char threads[2][16];  /* by machine */
	unsigned samples, order_broken;
	uint64_t first[2], last;
};

static const char *thread_of(const struct seen *seen, uint32_t stack)
{
	return seen->strings[seen->names[seen->frames[stack]]];
}

static struct made merged(struct psr_reader **readers, size_t count)
{
	struct made made = { .fd = memfd_create("psr", MFD_CLOEXEC) };
	struct psr_writer *writer;
	struct psr_info info;
	size_t bad;
	psr_merge_info(&info, readers, count);
	assert_int_equal(psr_writer_open(&writer, made.fd, &info), 0);
	assert_int_equal(psr_merge(readers, count, writer, &bad), 0);
	assert_int_equal(psr_writer_close(writer), 0);
	lseek(made.fd, 0, SEEK_SET);
	assert_int_equal(psr_reader_open(&made.reader, made.fd), 0);
	return made;
}

static struct seen merge(struct psr_reader **readers, size_t count)
{
	static struct seen seen;
	struct made made = merged(readers, count);
	const struct ps_record *record;
	memset(&seen, 0, sizeof(seen));
	while (psr_reader_next(made.reader, &record) > 0) {
		unsigned machine = record->tid >= MERGE_PIDS;
		seen.order_broken += record->ts < seen.last;
		seen.last = record->ts;
		if (record->event == PS_EV_STRING)
			memcpy(seen.strings[((const struct ps_ev_string *)record)->id], (const struct ps_ev_string *)record + 1, 5);
		if (record->event == PS_EV_FRAME)
			seen.names[((const struct ps_ev_frame *)record)->id] = ((const struct ps_ev_frame *)record)->name;
		if (record->event == PS_EV_STACK)
			seen.frames[((const struct ps_ev_stack *)record)->id] = *(const uint32_t *)((const struct ps_ev_stack *)record + 1);
		if (record->event == PS_EV_THREAD)
			assert_int_equal(((const struct ps_ev_thread *)record)->pid, record->tid);
		if (record->event != PS_EV_SAMPLE)
			continue;
		const struct ps_ev_sample *sample = (const struct ps_ev_sample *)record;
		if (!seen.samples++ || !seen.first[machine])
			seen.first[machine] = record->ts;
		strcpy(seen.threads[machine], thread_of(&seen, sample->stack));
	}
	assert_int_equal(psr_reader_state(made.reader), PSR_WHOLE);
	unmake(&made);
	return seen;
}

TEST(machines_are_set_beside_each_other_by_the_wall_clock)
{
	/* B booted 900 s later by the same wall clock, and begins 2.5 s after A */
	struct made a = make("alpha", "boot-a", 1000 * SECOND, 5000 * SECOND, 1000 * SECOND, 10);
	struct made b = make("bravo", "boot-b", 100 * SECOND, 5000 * SECOND, 102 * SECOND + SECOND / 2, 10);
	struct seen seen = merge((struct psr_reader *[]){ a.reader, b.reader }, 2);
	assert_int_equal(seen.samples, 20);
	assert_int_equal(seen.order_broken, 0);
	assert_int_equal(seen.first[0], 1000 * SECOND);
	assert_int_equal(seen.first[1], 1002 * SECOND + SECOND / 2);
	assert_string_equal(seen.threads[0], "alpha");
	assert_string_equal(seen.threads[1], "bravo");
	unmake(&a);
	unmake(&b);
}

TEST(recordings_of_one_boot_share_its_clock_whatever_the_wall_clock_did)
{
	struct made a = make("alpha", "boot", 1000 * SECOND, 5000 * SECOND, 1000 * SECOND, 10);
	struct made b = make("bravo", "boot", 1001 * SECOND, 9000 * SECOND, 1003 * SECOND, 10); /* it was stepped */
	struct seen seen = merge((struct psr_reader *[]){ b.reader, a.reader }, 2);
	assert_int_equal(seen.samples, 20);
	assert_int_equal(seen.order_broken, 0);
	assert_int_equal(seen.first[0], 1000 * SECOND); /* no number was moved: 77 is the same thread */
	assert_int_equal(seen.first[1], 0);
	unmake(&a);
	unmake(&b);
}

/* A recording of process `pid` from `first` on, a second between the records. */
static struct made of_process(uint32_t pid, uint64_t first, unsigned records, int exits)
{
	struct made made = { .fd = memfd_create("psr", MFD_CLOEXEC) };
	struct psr_writer *writer;
	assert_int_equal(psr_writer_open(&writer, made.fd, &make_info), 0);
	struct ps_ev_process process = { { first, 0, PS_EV_PROCESS, sizeof(process) }, .pid = pid };
	assert_int_equal(psr_writer_add(writer, &process.h), 0);
	for (unsigned i = 0; i < records; i++) {
		struct ps_ev_clock clock = { { first + i * SECOND, 0, PS_EV_CLOCK, sizeof(clock) }, .boottime_ns = first };
		assert_int_equal(psr_writer_add(writer, &clock.h), 0);
	}
	struct ps_ev_process_exit end = { { first + records * SECOND, 0, PS_EV_PROCESS_EXIT, sizeof(end) }, .pid = pid };
	if (exits)
		assert_int_equal(psr_writer_add(writer, &end.h), 0);
	assert_int_equal(psr_writer_close(writer), 0);
	lseek(made.fd, 0, SEEK_SET);
	assert_int_equal(psr_reader_open(&made.reader, made.fd), 0);
	return made;
}

struct lefts {
	unsigned count;
	uint64_t at[4];
	uint32_t pid[4];
};

static struct lefts lefts_of(struct made *made, size_t count)
{
	struct lefts lefts = { 0 };
	struct psr_reader *readers[4];
	const struct ps_record *record;
	uint64_t last = 0;
	for (size_t i = 0; i < count; i++)
		readers[i] = made[i].reader;
	struct made all = merged(readers, count);
	while (psr_reader_next(all.reader, &record) > 0) {
		assert_true(record->ts >= last);
		last = record->ts;
		if (record->event != PS_EV_PROCESS_LEFT)
			continue;
		assert_true(lefts.count < 4);
		lefts.at[lefts.count] = record->ts;
		lefts.pid[lefts.count++] = ((const struct ps_ev_process_left *)record)->pid;
	}
	unmake(&all);
	for (size_t i = 0; i < count; i++)
		unmake(&made[i]);
	return lefts;
}

TEST(where_a_recording_ends_before_the_others_nothing_is_known_of_its_processes_any_more)
{
	struct made apart[] = { of_process(7, 100 * SECOND, 3, 0), of_process(8, 101 * SECOND, 9, 0) };
	struct lefts lefts = lefts_of(apart, 2);
	assert_int_equal(lefts.count, 1);
	assert_int_equal(lefts.pid[0], 7);
	assert_int_equal(lefts.at[0], 102 * SECOND);

	struct made gap[] = { of_process(7, 200 * SECOND, 3, 0), of_process(7, 100 * SECOND, 3, 0) };
	lefts = lefts_of(gap, 2);
	assert_int_equal(lefts.count, 1);
	assert_int_equal(lefts.at[0], 102 * SECOND);

	struct made ended[] = { of_process(7, 100 * SECOND, 3, 1), of_process(8, 101 * SECOND, 9, 0) };
	assert_int_equal(lefts_of(ended, 2).count, 0);
}

TEST(a_recording_that_goes_on_where_another_ended_goes_on_with_its_processes)
{
	struct made parts[] = { of_process(7, 102 * SECOND, 3, 0), of_process(7, 100 * SECOND, 3, 0) };
	assert_int_equal(lefts_of(parts, 2).count, 0);
	struct made same_time[] = { of_process(7, 100 * SECOND, 3, 0), of_process(7, 101 * SECOND, 9, 0) };
	assert_int_equal(lefts_of(same_time, 2).count, 0);
}

TEST(clocks_that_cannot_be_compared_are_refused)
{
	struct made a = make("alpha", "boot-a", 1000 * SECOND, 5000 * SECOND, 1000 * SECOND, 1);
	struct made b = make("bravo", "", 100 * SECOND, 0, 100 * SECOND, 1);
	struct psr_writer *writer;
	size_t bad = 9;
	assert_int_equal(psr_writer_open(&writer, memfd_create("psr", MFD_CLOEXEC), &make_info), 0);
	assert_int_equal(psr_merge((struct psr_reader *[]){ a.reader, b.reader }, 2, writer, &bad), -ENXIO);
	assert_int_equal(bad, 1);
	psr_writer_close(writer);
	unmake(&a);
	unmake(&b);
}

TEST(random_recordings_merge_without_harm)
{
	srand(11);
	for (unsigned round = 0; round < 20; round++) {
		struct psr_reader *readers[3];
		struct psr_writer *writer;
		size_t bad;
		for (unsigned i = 0; i < 3; i++) {
			struct psr_info info = make_info;
			int fd = memfd_create("psr", MFD_CLOEXEC);
			info.boot_id[0] = (char)('a' + i);
			info.realtime_ns = make_random() | 1;
			info.monotonic_ns = make_random();
			assert_int_equal(psr_writer_open(&writer, fd, &info), 0);
			for (unsigned at = 0; at < 300; at++)
				assert_int_equal(psr_writer_add(writer, make_record(room, make_event(), make_random(), (uint32_t)rand())), 0);
			assert_int_equal(psr_writer_close(writer), 0);
			lseek(fd, 0, SEEK_SET);
			assert_int_equal(psr_reader_open(&readers[i], fd), 0);
		}
		assert_int_equal(psr_writer_open(&writer, memfd_create("psr", MFD_CLOEXEC), &make_info), 0);
		assert_int_equal(psr_merge(readers, 3, writer, &bad), 0);
		assert_true(psr_writer_events(writer) >= 900); /* and what of them nobody looks at any more */
		assert_int_equal(psr_writer_close(writer), 0);
		for (unsigned i = 0; i < 3; i++)
			psr_reader_close(readers[i]);
	}
}

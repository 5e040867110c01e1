/* SPDX-License-Identifier: BSD-2-Clause */
/* Flight mode and rotation: each file is whole in itself, and no event is in two of them. */
#include "psr_make.h"

#include <fcntl.h>

#define SECOND 1000000000ull

static uint64_t room[8192];

static void add(struct psr_writer *writer, const void *record)
{
	assert_int_equal(psr_writer_add(writer, record), 0);
}

static void add_string(struct psr_writer *writer, uint64_t ts, uint32_t id, const char *text)
{
	struct ps_ev_string *string = (struct ps_ev_string *)room;
	size_t bytes = strlen(text);
	memset(room, 0, sizeof(*string) + bytes + 8);
	*string = (struct ps_ev_string){ { ts, 0, PS_EV_STRING, (uint16_t)(sizeof(*string) + bytes + (-bytes & 7)) },
					 id,
					 (uint32_t)bytes };
	memcpy(string + 1, text, bytes);
	add(writer, string);
}

static void add_loop(struct psr_writer *writer, uint64_t ts, uint32_t flags)
{
	struct ps_ev_loop loop = { { ts, 7, PS_EV_LOOP, sizeof(loop) }, .pid = 7, .poller_fd = 3, .flags = flags };
	add(writer, &loop);
}

static void add_iteration(struct psr_writer *writer, uint64_t ts, uint64_t number)
{
	struct ps_ev_iteration iteration = { { ts, 7, PS_EV_ITERATION, sizeof(iteration) }, number };
	add(writer, &iteration);
}

struct found {
	uint64_t strings, loops, exits, iterations, first, last, least_ts;
	uint32_t loop_flags;
	enum psr_state state;
};

static struct found read_file(int fd)
{
	struct found found = { .least_ts = UINT64_MAX };
	struct psr_reader *reader;
	const struct ps_record *record;
	int got;
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_int_equal(psr_reader_open(&reader, fd), 0);
	while ((got = psr_reader_next(reader, &record)) > 0) {
		found.strings += record->event == PS_EV_STRING;
		found.exits += record->event == PS_EV_PROCESS_EXIT;
		if (record->event == PS_EV_LOOP && !found.loops++)
			found.loop_flags = ((const struct ps_ev_loop *)record)->flags;
		if (record->event == PS_EV_ITERATION) {
			uint64_t number = ((const struct ps_ev_iteration *)record)->number;
			if (found.iterations++)
				assert_int_equal(number, found.last + 1);
			else
				found.first = number;
			found.last = number;
		}
		found.least_ts = record->ts < found.least_ts ? record->ts : found.least_ts;
		assert_true(record->event != PS_EV_LOST);
	}
	assert_int_equal(got, 0);
	found.state = psr_reader_state(reader);
	psr_reader_close(reader);
	return found;
}

static int new_file(void)
{
	int fd = memfd_create("psr", MFD_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

TEST(a_ring_keeps_the_newest_seconds_and_all_that_is_defined)
{
	struct psr_writer *writer;
	assert_int_equal(psr_writer_open_ring(&writer, 5 * SECOND, 1u << 20), 0);
	add_string(writer, SECOND, 1, "node");
	add_loop(writer, SECOND, 0);
	for (uint64_t i = 0; i < 1000; i++)
		add_iteration(writer, SECOND + i * SECOND / 10, i);
	struct ps_ev_process_exit gone = { { 100 * SECOND, 7, PS_EV_PROCESS_EXIT, sizeof(gone) }, .pid = 7 };
	add(writer, &gone);
	add_loop(writer, 101 * SECOND, PS_LOOP_GONE);
	int fd = new_file();
	assert_int_equal(psr_writer_dump(writer, fd, &make_info), 1);
	struct found found = read_file(fd);
	assert_int_equal(found.state, PSR_WHOLE);
	assert_true(found.strings == 1 && found.loops == 2);
	assert_int_equal(found.loop_flags, 0); /* its end is told as the event that it is, not before */
	assert_int_equal(found.exits, 1);
	assert_int_equal(found.last, 999);
	assert_in_range(found.iterations, 50, 71); /* a chunk holds up to a second */
	assert_in_range(found.least_ts, 94 * SECOND, 97 * SECOND);

	/* what was written is not written again; what comes then is, with the same definitions */
	assert_int_equal(psr_writer_dump(writer, new_file(), &make_info), 0);
	add_iteration(writer, 102 * SECOND, 1000);
	fd = new_file();
	assert_int_equal(psr_writer_dump(writer, fd, &make_info), 1);
	found = read_file(fd);
	assert_true(found.strings == 1 && found.loops == 1 && found.iterations == 1 && found.exits == 1);
	assert_int_equal(found.first, 1000);
	assert_int_equal(psr_writer_close(writer), 0);
}

TEST(a_ring_is_bounded_by_bytes_and_tells_it)
{
	struct psr_writer *writer;
	assert_int_equal(psr_writer_open_ring(&writer, 3600 * SECOND, 64 << 10), 0);
	srand(3);
	for (unsigned i = 0; i < 60000; i++)
		add(writer, make_record(room, PS_EV_OFFCPU, SECOND + i * 1000000ull, 7));
	assert_true(psr_writer_overflows(writer) > 0);
	assert_in_range(psr_writer_held(writer), 1, (64 << 10) + (1 << 20));
	assert_int_equal(psr_writer_close(writer), 0);
}

TEST(a_dump_that_fails_loses_nothing)
{
	struct psr_writer *writer;
	assert_int_equal(psr_writer_open_ring(&writer, 60 * SECOND, 1u << 20), 0);
	for (uint64_t i = 0; i < 100; i++)
		add_iteration(writer, SECOND + i * SECOND / 10, i);
	int full = open("/dev/full", O_WRONLY);
	assert_int_equal(psr_writer_dump(writer, full, &make_info), -ENOSPC);
	int fd = new_file();
	assert_int_equal(psr_writer_dump(writer, fd, &make_info), 1);
	struct found found = read_file(fd);
	assert_true(found.iterations == 100 && !found.first && found.state == PSR_WHOLE);
	assert_int_equal(psr_writer_close(writer), 0);
}

TEST(rotation_puts_every_event_in_one_file_and_the_definitions_in_all)
{
	enum { FILES = 5, EACH = 3000 };
	struct psr_writer *writer;
	int fds[FILES];
	uint64_t number = 0;
	fds[0] = new_file();
	assert_int_equal(psr_writer_open(&writer, fds[0], &make_info), 0);
	add_string(writer, SECOND, 1, "node");
	for (unsigned file = 0; file < FILES; file++) {
		if (file) {
			fds[file] = new_file();
			assert_int_equal(psr_writer_next(writer, fds[file], &make_info), 0);
		}
		for (unsigned i = 0; i < EACH; i++, number++)
			add_iteration(writer, SECOND + number * 20000000, number);
	}
	assert_int_equal(psr_writer_events(writer), FILES * EACH + 1);
	assert_int_equal(psr_writer_close(writer), 0);
	for (unsigned file = 0; file < FILES; file++) {
		struct found found = read_file(fds[file]);
		assert_int_equal(found.state, PSR_WHOLE);
		assert_int_equal(found.iterations, EACH);
		assert_int_equal(found.first, file * EACH);
		assert_int_equal(found.strings, 1);
	}
}

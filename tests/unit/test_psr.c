/* SPDX-License-Identifier: BSD-2-Clause */
/* The recording: what goes in comes out, and what is broken is told. */
#include "psr_make.h"

#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

#include "psr_block.h"

static uint64_t room[8192], sum_room[8192];

struct seen {
	uint64_t events, lost, lost_records;
	uint64_t sum;  /* over all records except LOST of source FILE, order matters */
};

static void mix(struct seen *seen, const struct ps_record *record)
{
	memcpy(sum_room, record, record->size);
	for (size_t i = 0; i < record->size / 8u; i++) {
		seen->sum = (seen->sum ^ sum_room[i]) * 0x9E3779B97F4A7C15ull;
		seen->sum ^= seen->sum >> 29;
	}
	seen->events++;
}

/* Reads all; checks every record. Returns psr_reader_open's or psr_reader_next's error. */
static int read_all(int fd, struct seen *seen, enum psr_state *state, char described[160])
{
	struct psr_reader *reader = NULL;
	const struct ps_record *record;
	memset(seen, 0, sizeof(*seen));
	int err = psr_reader_open(&reader, fd);
	if (err)
		return err;
	while ((err = psr_reader_next(reader, &record)) > 0) {
		assert_true(schema_check(record, record->size));
		const struct ps_ev_lost *lost = (const struct ps_ev_lost *)record;
		if (record->event == PS_EV_LOST && lost->source == PS_LOST_FILE) {
			seen->lost += lost->count;
			seen->lost_records++;
		} else {
			mix(seen, record);
		}
	}
	if (state)
		*state = psr_reader_state(reader);
	if (described)
		assert_true(psr_reader_describe(reader, described, 160) > 0);
	psr_reader_close(reader);
	return err;
}

static struct psr_writer *open_memory(int *fd)
{
	struct psr_writer *writer = NULL;
	*fd = memfd_create("psr", MFD_CLOEXEC);
	assert_true(*fd >= 0);
	assert_int_equal(psr_writer_open(&writer, *fd, &make_info), 0);
	return writer;
}

TEST(all_events_with_random_values_come_back_equal)
{
	srand(1);
	static uint64_t copy[8192];
	int fd;
	struct psr_writer *writer = open_memory(&fd);
	uint64_t ts = 1000000000;
	enum { COUNT = 30000 };
	for (unsigned i = 0; i < COUNT; i++) {
		ts += (uint64_t)rand() % 50000 - (rand() % 10 == 0 ? 20000 : 0);
		assert_int_equal(psr_writer_add(writer, make_record(room, make_event(), ts, (uint32_t)rand() % 200)), 0);
	}
	assert_int_equal(psr_writer_events(writer), COUNT);
	assert_int_equal(psr_writer_flush(writer), 0);
	assert_int_equal((off_t)psr_writer_bytes(writer), lseek(fd, 0, SEEK_END));
	assert_int_equal(psr_writer_close(writer), 0);

	srand(1);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	struct psr_reader *reader;
	const struct ps_record *record;
	assert_int_equal(psr_reader_open(&reader, fd), 0);
	ts = 1000000000;
	for (unsigned i = 0; i < COUNT; i++) {
		ts += (uint64_t)rand() % 50000 - (rand() % 10 == 0 ? 20000 : 0);
		const struct ps_record *expected = make_record(copy, make_event(), ts, (uint32_t)rand() % 200);
		assert_int_equal(psr_reader_next(reader, &record), 1);
		assert_int_equal(record->size, expected->size);
		assert_memory_equal(record, expected, expected->size);
	}
	assert_int_equal(psr_reader_next(reader, &record), 0);
	assert_int_equal(psr_reader_next(reader, &record), 0);
	assert_int_equal(psr_reader_state(reader), PSR_WHOLE);
	assert_int_equal((off_t)psr_reader_position(reader), lseek(fd, 0, SEEK_END));
	psr_reader_close(reader);
}

TEST(extreme_times_come_back_equal)
{
	static const uint64_t times[] = { 0, 1, UINT64_MAX, 1ull << 63, (1ull << 62) - 1, 1ull << 62, 12345 };
	int fd;
	struct psr_writer *writer = open_memory(&fd);
	for (unsigned i = 0; i < 7; i++)
		for (unsigned j = 0; j < 7; j++) {
			struct ps_ev_poll_return event = { .h = { times[i], 1, PS_EV_POLL_RETURN, sizeof(event) }, .entered_ns = times[j] };
			assert_int_equal(psr_writer_add(writer, &event.h), 0);
			struct ps_ev_gc gc = { .h = { times[j], 2, PS_EV_GC, sizeof(gc) }, .since_ns = times[i] };
			assert_int_equal(psr_writer_add(writer, &gc.h), 0);
		}
	assert_int_equal(psr_writer_close(writer), 0);
	lseek(fd, 0, SEEK_SET);
	struct psr_reader *reader;
	const struct ps_record *record;
	assert_int_equal(psr_reader_open(&reader, fd), 0);
	for (unsigned i = 0; i < 7; i++)
		for (unsigned j = 0; j < 7; j++) {
			assert_int_equal(psr_reader_next(reader, &record), 1);
			assert_true(record->ts == times[i] && ((const struct ps_ev_poll_return *)record)->entered_ns == times[j]);
			assert_int_equal(psr_reader_next(reader, &record), 1);
			assert_true(record->ts == times[j] && ((const struct ps_ev_gc *)record)->since_ns == times[i]);
		}
	assert_int_equal(psr_reader_next(reader, &record), 0);
	psr_reader_close(reader);
}

TEST(the_head_tells_who_wrote_it_and_foreign_text_in_it_is_cleaned)
{
	struct psr_info info = make_info;
	strcpy(info.command, "evil \x1b[31m");
	memset(info.machine, 'm', sizeof(info.machine)); /* not terminated */
	int fd = memfd_create("psr", MFD_CLOEXEC);
	struct psr_writer *writer;
	assert_int_equal(psr_writer_open(&writer, fd, &info), 0);
	assert_int_equal(psr_writer_close(writer), 0);
	lseek(fd, 0, SEEK_SET);
	struct psr_reader *reader;
	const struct ps_record *record;
	assert_int_equal(psr_reader_open(&reader, fd), 0);
	const struct psr_info *got = psr_reader_info(reader);
	assert_int_equal(got->version, PS_EVENT_VERSION);
	assert_true(got->monotonic_ns == 5 && got->realtime_ns == 6 && got->boottime_ns == 7 && got->stall_ns == 50000000);
	assert_string_equal(got->tool, "pollscope 0.1");
	assert_string_equal(got->command, "evil \xEF\xBF\xBD[31m");
	assert_true(strlen(got->machine) < sizeof(got->machine));
	assert_int_equal(psr_reader_next(reader, &record), 0); /* no event at all */
	assert_int_equal(psr_reader_state(reader), PSR_WHOLE);
	psr_reader_close(reader);
}

static int open_bytes(const void *bytes, size_t size)
{
	struct psr_reader *reader = NULL;
	int fd = make_fd(bytes, size);
	int err = psr_reader_open(&reader, fd);
	psr_reader_close(reader);
	close(fd);
	return err;
}

TEST(foreign_empty_newer_and_damaged_heads_are_refused_each_by_its_name)
{
	int fd;
	assert_int_equal(psr_writer_close(open_memory(&fd)), 0);
	struct file file = make_slurp(fd);
	assert_int_equal(open_bytes("", 0), -EBADMSG);
	assert_int_equal(open_bytes("\x89PSR", 4), -EBADMSG);
	assert_int_equal(open_bytes("#!/bin/sh\necho this is no recording\n", 35), -EBADMSG);
	assert_int_equal(open_bytes(file.bytes, 8), -EILSEQ);
	assert_int_equal(open_bytes(file.bytes, 23), -EILSEQ);
	assert_int_equal(open_bytes(file.bytes, 400), -EILSEQ);
	file.bytes[60] ^= 1;
	assert_int_equal(open_bytes(file.bytes, file.size), -EILSEQ);
	file.bytes[60] ^= 1;
	file.bytes[8]++; /* major */
	assert_int_equal(open_bytes(file.bytes, file.size), -EPROTONOSUPPORT);
	free(file.bytes);
}

/* Node-like chunks, small enough to cut at every byte. */
static struct file small_file(size_t *starts, unsigned chunks, struct seen *prefix)
{
	int fd;
	struct psr_writer *writer = open_memory(&fd);
	struct seen seen = { 0 };
	srand(7);
	for (unsigned chunk = 0; chunk < chunks; chunk++) {
		starts[chunk] = (size_t)psr_writer_bytes(writer);
		prefix[chunk] = seen;
		for (unsigned i = 0; i < 12 + chunk; i++) {
			const struct ps_record *record = make_record(room, PS_EV_POLL_ENTER + (unsigned)rand() % 8,
								     1000 * (chunk * 100 + i), 1);
			mix(&seen, record);
			assert_int_equal(psr_writer_add(writer, record), 0);
		}
		assert_int_equal(psr_writer_flush(writer), 0);
	}
	starts[chunks] = (size_t)psr_writer_bytes(writer);
	prefix[chunks] = seen;
	assert_int_equal(psr_writer_close(writer), 0);
	return make_slurp(fd);
}

TEST(a_file_cut_at_every_byte_of_its_last_three_chunks_gives_the_chunks_before)
{
	enum { CHUNKS = 5 };
	size_t starts[CHUNKS + 1];
	struct seen prefix[CHUNKS + 1], seen;
	struct file file = small_file(starts, CHUNKS, prefix);
	for (size_t cut = starts[2]; cut <= file.size; cut++) {
		unsigned whole = 2;
		while (whole < CHUNKS && starts[whole + 1] <= cut)
			whole++;
		enum psr_state got;
		char described[160];
		int fd = make_fd(file.bytes, cut);
		assert_int_equal(read_all(fd, &seen, &got, described), 0);
		close(fd);
		assert_true(seen.events == prefix[whole].events && seen.sum == prefix[whole].sum);
		size_t into = cut - starts[whole];
		enum psr_state expected = cut == file.size ? PSR_WHOLE : into == 0 ? PSR_OPEN_END : PSR_TORN;
		if (whole == CHUNKS && file.size - cut <= 16 && cut != file.size)
			expected = PSR_OPEN_END; /* only the trailer is cut */
		assert_int_equal(got, expected);
		uint64_t lost = got != PSR_TORN ? 0 : into < 72 ? 1 :
				whole == CHUNKS ? 0 : prefix[whole + 1].events - prefix[whole].events;
		assert_int_equal(seen.lost, lost);
		assert_int_equal(seen.lost_records, lost > 0);
		if (got == PSR_TORN)
			assert_non_null(strstr(described, "torn in chunk"));
	}
	free(file.bytes);
}

/* What the first n events of a recording add up to, for every n. */
static uint64_t *prefix_sums(int fd, size_t *events)
{
	struct psr_reader *reader;
	const struct ps_record *record;
	struct seen seen = { 0 };
	size_t room_for = 1 << 16;
	uint64_t *sums = calloc(room_for, sizeof(*sums));
	lseek(fd, 0, SEEK_SET);
	assert_int_equal(psr_reader_open(&reader, fd), 0);
	while (psr_reader_next(reader, &record) > 0) {
		mix(&seen, record);
		assert_true(seen.events < room_for);
		sums[seen.events] = seen.sum;
	}
	psr_reader_close(reader);
	*events = seen.events;
	return sums;
}

TEST(a_recording_of_node_cut_at_every_byte_of_its_last_three_chunks_gives_whole_chunks)
{
	int given = open("tests/data/recordings/node.psr", O_RDONLY | O_CLOEXEC);
	assert_true(given >= 0);
	struct file file = make_slurp(given);
	int fd = make_fd(file.bytes, file.size);
	size_t events, ends[4] = { 0 }, found = 0;
	uint64_t *sums = prefix_sums(fd, &events);
	/* from the end on, until the end of the chunk before the last three */
	for (size_t cut = file.size - 1; found < 4 && cut; cut--) {
		struct seen seen;
		enum psr_state got;
		char described[160];
		assert_int_equal(ftruncate(fd, (off_t)cut), 0);
		lseek(fd, 0, SEEK_SET);
		assert_int_equal(read_all(fd, &seen, &got, described), 0);
		assert_true(seen.events <= events && seen.sum == sums[seen.events]);
		assert_true(got == PSR_OPEN_END || got == PSR_TORN);
		assert_int_equal(seen.lost_records, got == PSR_TORN && seen.lost > 0);
		assert_true(got != PSR_TORN || seen.events == events || seen.lost > 0);
		if (got == PSR_OPEN_END && (!found || seen.events != ends[found - 1]))
			ends[found++] = seen.events;
		/* a cut chunk gives what the whole ones before it do: never less than the next end will tell */
		assert_true(!found || seen.events <= ends[found - 1]);
	}
	assert_int_equal(found, 4);
	assert_true(ends[0] == events && ends[0] > ends[1] && ends[1] > ends[2] && ends[2] > ends[3]);
	free(sums);
	free(file.bytes);
	close(fd);
}

TEST(a_flipped_byte_anywhere_never_gives_wrong_data_and_every_event_is_accounted_for)
{
	enum { CHUNKS = 4 };
	size_t starts[CHUNKS + 1];
	struct seen prefix[CHUNKS + 1], seen;
	struct file file = small_file(starts, CHUNKS, prefix);
	for (size_t at = 0; at < file.size; at++) {
		enum psr_state got;
		char described[160];
		unsigned char bit = (unsigned char)(1 << rand() % 8);
		file.bytes[at] ^= bit;
		int fd = make_fd(file.bytes, file.size);
		int err = read_all(fd, &seen, &got, described);
		close(fd);
		file.bytes[at] ^= bit;
		if (at < starts[0]) {
			assert_true(err == -EBADMSG || err == -EILSEQ || err == -EPROTONOSUPPORT);
		} else {
			assert_int_equal(err, 0);
			if (at < starts[CHUNKS]) {
				assert_int_equal(got, PSR_DAMAGED);
				assert_int_equal(seen.events + seen.lost, prefix[CHUNKS].events);
				assert_int_equal(seen.lost_records, 1);
			} else {
				assert_true(got != PSR_WHOLE);
				assert_true(seen.events == prefix[CHUNKS].events && seen.sum == prefix[CHUNKS].sum);
			}
		}
	}
	free(file.bytes);
}

TEST(bytes_cut_out_of_the_middle_cost_only_the_chunks_they_touch)
{
	enum { CHUNKS = 6 };
	size_t starts[CHUNKS + 1];
	struct seen prefix[CHUNKS + 1], seen;
	struct file file = small_file(starts, CHUNKS, prefix);
	static const struct { int from, from_off, to, to_off, first, last; } cuts[] = {
		{ 2, 30, 2, 40, 2, 2 },   /* in a head */
		{ 2, 80, 2, 90, 2, 2 },   /* in a body */
		{ 1, 75, 3, 100, 1, 3 },  /* over chunks */
		{ 1, 0, 3, 0, 1, 2 },     /* whole chunks */
		{ 0, 0, 1, 0, 0, 0 },     /* the first */
	};
	for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
		size_t from = starts[cuts[i].from] + (size_t)cuts[i].from_off, to = starts[cuts[i].to] + (size_t)cuts[i].to_off;
		unsigned char *bytes = malloc(file.size);
		memcpy(bytes, file.bytes, from);
		memcpy(bytes + from, file.bytes + to, file.size - to);
		enum psr_state got;
		int fd = make_fd(bytes, file.size - (to - from));
		assert_int_equal(read_all(fd, &seen, &got, NULL), 0);
		assert_int_equal(got, PSR_DAMAGED);
		assert_int_equal(seen.lost, prefix[cuts[i].last + 1].events - prefix[cuts[i].first].events);
		assert_int_equal(seen.events + seen.lost, prefix[CHUNKS].events);
		close(fd);
		free(bytes);
	}
	free(file.bytes);
}

struct feed { int fd; struct file file; };

static void *feed_pipe(void *arg)
{
	struct feed *feed = arg;
	for (size_t at = 0; at < feed->file.size;) {
		size_t bytes = 1 + (size_t)rand() % 999;
		if (bytes > feed->file.size - at)
			bytes = feed->file.size - at;
		ssize_t wrote = write(feed->fd, feed->file.bytes + at, bytes);
		if (wrote < 0)
			break;
		at += (size_t)wrote;
	}
	close(feed->fd);
	return NULL;
}

TEST(a_pipe_that_gives_a_few_bytes_at_a_time_reads_like_a_file)
{
	size_t starts[6];
	struct seen prefix[6], seen;
	int ends[2];
	assert_int_equal(pipe(ends), 0);
	struct feed feed = { ends[1], small_file(starts, 5, prefix) };
	pthread_t thread;
	assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(pthread_create(&thread, NULL, feed_pipe, &feed), 0);
	enum psr_state got;
	assert_int_equal(read_all(ends[0], &seen, &got, NULL), 0);
	assert_int_equal(got, PSR_WHOLE);
	assert_true(seen.sum == prefix[5].sum);
	pthread_join(thread, NULL);
	free(feed.file.bytes);
}

/* Fills a writer until it fails. Returns how many errors were told. */
static unsigned write_until_full(struct psr_writer *writer, int expected)
{
	unsigned errors = 0;
	srand(9);
	for (unsigned i = 0; i < 20000; i++) {
		int err = psr_writer_add(writer, make_record(room, make_event(), 1000000ull * i, 1));
		assert_true(!err || err == expected);
		errors += err != 0;
	}
	return errors;
}

TEST(a_full_disk_is_told_once_and_the_file_stays_readable)
{
	int full = open("/dev/full", O_WRONLY);
	struct psr_writer *writer = NULL;
	assert_true(full >= 0);
	assert_int_equal(psr_writer_open(&writer, full, &make_info), -ENOSPC);

	char path[] = "/tmp/psr-limit-XXXXXX";
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	unlink(path);
	/* a limit on the file's size fails in the middle of a block, like a full disk */
	signal(SIGXFSZ, SIG_IGN);
	struct rlimit limit = { 200000, 200000 };
	assert_int_equal(psr_writer_open(&writer, fd, &make_info), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(write_until_full(writer, -EFBIG), 1);
	assert_int_equal(psr_writer_close(writer), -EFBIG);
	lseek(fd, 0, SEEK_SET);
	struct seen seen;
	enum psr_state got;
	assert_int_equal(read_all(fd, &seen, &got, NULL), 0);
	assert_int_equal(got, PSR_OPEN_END); /* the piece of a chunk was taken back */
	assert_true(seen.events > 100 && !seen.lost);
}

TEST(a_closed_pipe_is_told_once)
{
	int ends[2];
	struct psr_writer *writer;
	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(psr_writer_open(&writer, ends[1], &make_info), 0);
	close(ends[0]);
	assert_int_equal(write_until_full(writer, -EPIPE), 1);
	assert_int_equal(psr_writer_close(writer), -EPIPE);
}

TEST(a_malformed_record_is_refused_and_harms_nothing)
{
	int fd;
	struct psr_writer *writer = open_memory(&fd);
	struct ps_record bad = { 1, 1, 5, 16 };
	assert_int_equal(psr_writer_add(writer, &bad), -EINVAL);
	bad.event = PS_EV_PHASE;
	assert_int_equal(psr_writer_add(writer, &bad), -EINVAL);
	assert_int_equal(psr_writer_add(writer, make_record(room, PS_EV_PHASE, 1, 1)), 0);
	assert_int_equal(psr_writer_close(writer), 0);
	lseek(fd, 0, SEEK_SET);
	struct seen seen;
	enum psr_state got;
	assert_int_equal(read_all(fd, &seen, &got, NULL), 0);
	assert_int_equal(seen.events, 1);
	assert_int_equal(got, PSR_WHOLE);
}

TEST(after_a_lost_chunk_the_definitions_come_again)
{
	int fd;
	struct psr_writer *writer = open_memory(&fd);
	size_t first = (size_t)psr_writer_bytes(writer);
	struct { struct ps_ev_string h; char text[8]; } name = { { { 10, 0, PS_EV_STRING, sizeof(name) }, 7, 4 }, "node" };
	struct ps_ev_process process = { .h = { 11, 0, PS_EV_PROCESS, sizeof(process) }, .pid = 42, .comm = 7 };
	assert_int_equal(psr_writer_add(writer, &name.h.h), 0);
	assert_int_equal(psr_writer_add(writer, &process.h), 0);
	for (unsigned i = 0; i < 40; i++) {
		assert_int_equal(psr_writer_add(writer, make_record(room, PS_EV_ITERATION, 1000 + i, 42)), 0);
		assert_int_equal(psr_writer_flush(writer), 0);
	}
	assert_int_equal(psr_writer_close(writer), 0);
	struct seen whole, damaged;
	lseek(fd, 0, SEEK_SET);
	assert_int_equal(read_all(fd, &whole, NULL, NULL), 0);
	assert_int_equal(whole.events, 42); /* the repetitions are not shown to who needs none */
	struct file file = make_slurp(fd);
	file.bytes[first + 75] ^= 1;
	fd = make_fd(file.bytes, file.size);
	assert_int_equal(read_all(fd, &damaged, NULL, NULL), 0);
	assert_int_equal(damaged.lost, 3);
	assert_int_equal(damaged.events, 42 - 3 + 2); /* string and process again, once */
	free(file.bytes);
}

TEST(the_newest_definition_of_a_key_is_the_one_repeated)
{
	int fd;
	struct psr_writer *writer = open_memory(&fd);
	size_t first = (size_t)psr_writer_bytes(writer);
	for (unsigned i = 0; i < 1000; i++) {
		struct { struct ps_ev_string h; char text[8]; } name = { { { i, 0, PS_EV_STRING, sizeof(name) }, 1 + i % 500, 1 }, { (char)('a' + i / 500) } };
		assert_int_equal(psr_writer_add(writer, &name.h.h), 0);
	}
	struct ps_ev_process_exit gone = { .h = { 1, 9, PS_EV_PROCESS_EXIT, sizeof(gone) }, .pid = 9 };
	struct ps_ev_process here = { .h = { 2, 9, PS_EV_PROCESS, sizeof(here) }, .pid = 9 };
	assert_int_equal(psr_writer_add(writer, &gone.h), 0);
	assert_int_equal(psr_writer_add(writer, &here.h), 0);
	for (unsigned i = 0; i < 400; i++) {
		assert_int_equal(psr_writer_add(writer, make_record(room, PS_EV_SAMPLE, 1000 + i, 42)), 0);
		assert_int_equal(psr_writer_flush(writer), 0);
	}
	assert_int_equal(psr_writer_close(writer), 0);
	struct file file = make_slurp(fd);
	file.bytes[first + 75] ^= 1;
	fd = make_fd(file.bytes, file.size);
	struct psr_reader *reader;
	const struct ps_record *record;
	unsigned strings = 0, processes = 0, exits = 0;
	assert_int_equal(psr_reader_open(&reader, fd), 0);
	while (psr_reader_next(reader, &record) > 0) {
		if (record->event == PS_EV_STRING) {
			assert_int_equal(((const char *)record)[sizeof(struct ps_ev_string)], 'b');
			strings++;
		}
		processes += record->event == PS_EV_PROCESS;
		exits += record->event == PS_EV_PROCESS_EXIT;
	}
	assert_int_equal(strings, 500);
	assert_int_equal(processes, 1);
	assert_int_equal(exits, 0);
	psr_reader_close(reader);
	free(file.bytes);
}

TEST(a_chunk_ends_after_a_second_and_at_a_mebibyte)
{
	int fd;
	struct psr_writer *writer = open_memory(&fd);
	uint64_t before = psr_writer_bytes(writer);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(psr_writer_add(writer, make_record(room, PS_EV_PHASE, 1000 + 300000000ull * i, 1)), 0);
	assert_true(psr_writer_bytes(writer) == before);
	assert_int_equal(psr_writer_add(writer, make_record(room, PS_EV_PHASE, 1000000000ull + 1000, 1)), 0);
	assert_true(psr_writer_bytes(writer) > before);
	before = psr_writer_bytes(writer);
	struct ps_ev_string *string = (struct ps_ev_string *)room;
	for (unsigned i = 0; i < 17; i++) {
		*string = (struct ps_ev_string){ { 1000000000ull + 2000, 1, PS_EV_STRING, 65528 }, i, 65504 };
		assert_int_equal(psr_writer_add(writer, &string->h), 0);
	}
	assert_true(psr_writer_bytes(writer) > before);
	assert_int_equal(psr_writer_close(writer), 0);
	struct seen seen;
	lseek(fd, 0, SEEK_SET);
	assert_int_equal(read_all(fd, &seen, NULL, NULL), 0);
	assert_int_equal(seen.events, 22);
}

TEST(random_garbage_behind_a_good_head_is_survived)
{
	int fd;
	struct psr_writer *writer = open_memory(&fd);
	size_t head = (size_t)psr_writer_bytes(writer);
	assert_int_equal(psr_writer_close(writer), 0);
	struct file file = make_slurp(fd);
	close(fd);
	srand(11);
	for (unsigned round = 0; round < 300; round++) {
		size_t size = head + (size_t)rand() % 5000;
		unsigned char *bytes = malloc(size + 1);
		memcpy(bytes, file.bytes, head);
		for (size_t i = head; i < size; i++)
			bytes[i] = (unsigned char)rand();
		for (size_t i = head; i + 8 < size; i += 1 + (size_t)rand() % 500)
			memcpy(bytes + i, "\xf1PSRblk\n", 8);
		struct seen seen;
		enum psr_state got;
		fd = make_fd(bytes, size);
		assert_int_equal(read_all(fd, &seen, &got, NULL), 0);
		assert_int_equal(seen.events, 0);
		assert_true(size == head ? got == PSR_OPEN_END : got == PSR_TORN && seen.lost == 1);
		close(fd);
		free(bytes);
	}
	free(file.bytes);
}

TEST(a_forged_length_costs_no_more_memory_than_bytes_that_arrive)
{
	int fd;
	struct psr_writer *forged = open_memory(&fd);
	size_t head = (size_t)psr_writer_bytes(forged);
	assert_int_equal(psr_writer_close(forged), 0);
	struct file file = make_slurp(fd);
	close(fd);
	struct psr_block block = { .kind = PSR_EVENTS_BLOCK, .packed_bytes = 0, .raw_bytes = PSR_RAW_MAX, .events = 1000 };
	psr_block_seal(&block, (const unsigned char *)"");
	block.packed_bytes = PSR_CHUNK;
	unsigned char *bytes = malloc(head + 2 * sizeof(block));
	memcpy(bytes, file.bytes, head);
	memcpy(bytes + head, &block, sizeof(block)); /* its CRC is wrong: searched past */
	unsigned char *body = calloc(1, PSR_CHUNK);
	psr_block_seal(&block, body); /* right, but the body is not there */
	free(body);
	memcpy(bytes + head + sizeof(block), &block, sizeof(block));
	fd = make_fd(bytes, head + 2 * sizeof(block));

	struct psr_reader *reader;
	const struct ps_record *record;
	uint64_t lost = 0;
	size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
	assert_int_equal(psr_reader_open(&reader, fd), 0);
	while (psr_reader_next(reader, &record) > 0)
		lost += ((const struct ps_ev_lost *)record)->count;
	assert_true(mallinfo2().uordblks + mallinfo2().hblkhd - before < 2u << 20);
	assert_int_equal(psr_reader_state(reader), PSR_TORN);
	assert_int_equal(lost, 1);
	psr_reader_close(reader);
	close(fd);
	free(bytes);
	free(file.bytes);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Seek points: by the index or by hopping from head to head, and what one reads from there on. */
#include "psr_make.h"

#include "psr_block.h"

#define SECOND 1000000000ull
#define CHUNKS 300

static uint64_t room[8192];

static void add_string(struct psr_writer *writer, uint64_t ts, uint32_t id)
{
	struct ps_ev_string *string = (struct ps_ev_string *)room;
	memset(room, 0, sizeof(*string) + 8);
	*string = (struct ps_ev_string){ { ts, 0, PS_EV_STRING, sizeof(*string) + 8 }, id, 5 };
	memcpy(string + 1, "hello", 5);
	assert_int_equal(psr_writer_add(writer, &string->h), 0);
}

/* A string is defined every other second; iterations count through. */
static int make_file(void)
{
	struct psr_writer *writer;
	int fd = memfd_create("psr", MFD_CLOEXEC);
	uint64_t number = 0;
	assert_int_equal(psr_writer_open(&writer, fd, &make_info), 0);
	for (uint64_t second = 1; second <= CHUNKS; second++) {
		if (second % 2)
			add_string(writer, second * SECOND, (uint32_t)second);
		for (unsigned i = 0; i < 200; i++, number++) {
			struct ps_ev_iteration event = {
				{ second * SECOND + i * 4000000, 7, PS_EV_ITERATION, sizeof(event) }, number
			};
			assert_int_equal(psr_writer_add(writer, &event.h), 0);
		}
	}
	assert_int_equal(psr_writer_close(writer), 0);
	return fd;
}

static void read_from(int fd, const struct psr_point *point)
{
	struct psr_reader *reader;
	const struct ps_record *record;
	uint64_t iterations = 0, last = 0, strings = 0;
	int got;
	lseek(fd, 0, SEEK_SET);
	assert_int_equal(psr_reader_open(&reader, fd), 0);
	for (unsigned i = 0; i < 5000; i++) /* from anywhere */
		assert_int_equal(psr_reader_next(reader, &record), 1);
	assert_int_equal(psr_reader_seek(reader, point), 0);
	while ((got = psr_reader_next(reader, &record)) > 0) {
		assert_true(record->event != PS_EV_LOST);
		assert_true(record->ts >= point->ts);
		if (record->event == PS_EV_ITERATION) {
			uint64_t number = ((const struct ps_ev_iteration *)record)->number;
			if (iterations++)
				assert_int_equal(number, last + 1);
			else
				assert_int_equal(number * SECOND / 200 / SECOND, (point->ts - SECOND) / SECOND + 1);
			last = number;
		}
		strings += record->event == PS_EV_STRING;
	}
	assert_int_equal(got, 0);
	assert_int_equal(last, CHUNKS * 200 - 1);
	assert_int_equal(strings, CHUNKS / 2); /* those before as definitions, the others as they came */
	assert_int_equal(psr_reader_state(reader), PSR_WHOLE);
	psr_reader_close(reader);
}

TEST(one_reads_from_every_seek_point_what_follows_and_all_that_is_defined)
{
	struct psr_outline outline;
	int fd = make_file();
	assert_int_equal(psr_outline_read(&outline, fd), 0);
	assert_true(outline.whole && outline.is_sound && outline.point_count >= 5);
	assert_int_equal(outline.events, CHUNKS * 200 + CHUNKS / 2);
	assert_int_equal(outline.first_ts, SECOND);
	assert_int_equal(outline.last_ts, CHUNKS * SECOND + 199 * 4000000ull);
	for (size_t i = 0; i < outline.point_count; i++)
		read_from(fd, &outline.points[i]);
	psr_outline_free(&outline);
	close(fd);
}

TEST(without_an_index_the_heads_tell_the_same)
{
	struct psr_outline whole, open, torn;
	int fd = make_file();
	assert_int_equal(psr_outline_read(&whole, fd), 0);
	struct psr_trailer trailer;
	assert_int_equal(pread(fd, &trailer, sizeof(trailer), (off_t)(whole.bytes - sizeof(trailer))),
			 (ssize_t)sizeof(trailer));
	assert_int_equal(ftruncate(fd, (off_t)trailer.index_offset), 0);
	assert_int_equal(psr_outline_read(&open, fd), 0);
	assert_true(!open.whole && open.is_sound);
	assert_true(open.events == whole.events && open.first_ts == whole.first_ts && open.last_ts == whole.last_ts);
	assert_int_equal(open.point_count, whole.point_count);
	assert_memory_equal(open.points, whole.points, whole.point_count * sizeof(*whole.points));
	assert_int_equal(ftruncate(fd, (off_t)trailer.index_offset - 20), 0);
	assert_int_equal(psr_outline_read(&torn, fd), 0);
	assert_true(torn.is_sound && torn.events < whole.events && torn.events > whole.events - 1000);
	psr_outline_free(&whole);
	psr_outline_free(&open);
	psr_outline_free(&torn);
	close(fd);
}

TEST(a_forged_index_is_not_believed)
{
	int fd = make_file();
	struct psr_outline outline;
	assert_int_equal(psr_outline_read(&outline, fd), 0);
	size_t points = outline.point_count;
	psr_outline_free(&outline);
	struct file file = make_slurp(fd);
	srand(5);
	for (unsigned i = 0; i < 2000; i++) {
		size_t at = file.size - 1 - (size_t)rand() % 400;
		unsigned char bit = (unsigned char)(1 << rand() % 8);
		file.bytes[at] ^= bit;
		int flipped = make_fd(file.bytes, file.size);
		if (!psr_outline_read(&outline, flipped)) {
			assert_true(outline.point_count <= points && outline.events <= CHUNKS * 200 + CHUNKS / 2);
			psr_outline_free(&outline);
		}
		close(flipped);
		file.bytes[at] ^= bit;
	}
	int empty = make_fd("", 0), foreign = make_fd("hello, this is not a recording at all", 37), ends[2];
	assert_int_equal(psr_outline_read(&outline, empty), -EBADMSG);
	assert_int_equal(psr_outline_read(&outline, foreign), -EBADMSG);
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(psr_outline_read(&outline, ends[0]), -ESPIPE);
	free(file.bytes);
	close(fd);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading flight recorders: sound ones, overrun ones, and ones made by an enemy. */
#include "test.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "fake_ring.h"
#include "ps_loop.h"
#include "ring_find.h"
#include "ring_reader.h"
#include "sink.h"
#include "source.h"

#define SLOTS 64u

/* ---- what was read ---- */

static uint64_t got_slots[8192][PS_RING_SLOT / 8];
static struct ps_record *got[8192];
static size_t got_count;
static uint8_t batch[RING_BATCH * PS_RING_SLOT];

static int keep(struct ps_record *record, void *arg)
{
	if (got_count == sizeof(got) / sizeof(*got))
		return 0;
	got[got_count] = (struct ps_record *)got_slots[got_count];
	memcpy(got[got_count++], record, PS_RING_SLOT);
	return 0;
}

static uint64_t number_of(size_t i)
{
	return ((struct ps_ev_iteration *)got[i])->number;
}

static const uid_t *our_uids(void)
{
	static uid_t uids[4];
	for (int i = 0; i < 4; i++)
		uids[i] = geteuid();
	return uids;
}

static int open_ring(struct ring *ring, const struct fake_ring *fake, int is_new, const char **why)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fake->fd);
	return ring_open(ring, open(path, O_RDONLY | O_CLOEXEC), our_uids(), is_new, why);
}

static struct ring opened(const struct fake_ring *fake, int is_new)
{
	struct ring ring;
	const char *why = NULL;
	int err = open_ring(&ring, fake, is_new, &why);
	if (err)
		print_error("%s\n", why ? why : "?");
	assert_int_equal(err, 0);
	return ring;
}

static void read_all(struct ring *ring)
{
	assert_int_equal(ring_read(ring, batch, fake_now(), keep, NULL), 0);
}

/* ---- headers ---- */

TEST(a_sound_ring_opens)
{
	struct fake_ring fake = fake_ring_make(SLOTS);
	struct ring ring = opened(&fake, 1);
	assert_int_equal(ring.tid, fake.header->tid);
	read_all(&ring);
	assert_int_equal(got_count, 0);
	ring_close(&ring);
	fake_ring_end(&fake);
}

#define WRONG(field, value)                                                                       \
	do {                                                                                      \
		struct ps_ring_header wrong = *fake.header;                                       \
		wrong.field = (value);                                                            \
		if (!ring_header_check(&wrong, fake.bytes))                                       \
			fail_msg("a header with %s = %s was taken", #field, #value);              \
	} while (0)

TEST(a_header_with_any_wrong_field_is_refused)
{
	struct fake_ring fake = fake_ring_make(SLOTS);
	assert_null(ring_header_check(fake.header, fake.bytes));
	WRONG(magic, 0);
	WRONG(magic, PS_RING_MAGIC + 1);
	WRONG(version, 0);
	WRONG(version, PS_RING_VERSION + 1);
	WRONG(slot_size, 0);
	WRONG(slot_size, 128);
	WRONG(slot_count, 0);
	WRONG(slot_count, 63);
	WRONG(slot_count, 128);
	WRONG(slot_count, 1u << 31);
	WRONG(slot_count, PS_RING_MAX_SLOTS * 2);
	WRONG(slots_offset, 0);
	WRONG(slots_offset, FAKE_PAGE);
	WRONG(slots_offset, 2 * FAKE_PAGE + 8);
	WRONG(slots_offset, 0xfffff000u);
	WRONG(slots_offset, 3 * FAKE_PAGE);
	WRONG(gauges_offset, 0);
	WRONG(gauges_offset, 64);
	WRONG(gauges_offset, 0xfffff000u);
	WRONG(gauges_offset, 2 * FAKE_PAGE);
	WRONG(clock, 2);
	WRONG(clock, PS_RING_CLOCK_TSC); /* mult is 0 */
	WRONG(role, PS_ROLE_COUNT);
	WRONG(backend, PS_BACKEND_COUNT);
	WRONG(poller_fd, -2);
	struct ps_ring_header shifted = *fake.header;
	shifted.clock = PS_RING_CLOCK_TSC;
	shifted.mult = 1;
	shifted.shift = 64;
	assert_non_null(ring_header_check(&shifted, fake.bytes));
	for (uint64_t bytes = 0; bytes < fake.bytes; bytes += 64)
		assert_non_null(ring_header_check(fake.header, bytes));
	fake_ring_end(&fake);
}

TEST(random_headers_never_pass_with_slots_outside_the_file)
{
	struct ps_ring_header header;
	uint64_t random = 88172645463325252ull, passed = 0;
	for (int round = 0; round < 200000; round++) {
		for (size_t i = 0; i < sizeof(header) / 8; i++) {
			random ^= random << 13, random ^= random >> 7, random ^= random << 17;
			memcpy((char *)&header + i * 8, &random, 8);
		}
		header.magic = PS_RING_MAGIC;
		header.version = PS_RING_VERSION;
		header.slot_size = PS_RING_SLOT;
		header.slot_count = 1u << (header.slot_count % 22);
		header.slots_offset = header.slots_offset % 0x4000 * FAKE_PAGE;
		header.gauges_offset = header.gauges_offset % 0x4000 * FAKE_PAGE;
		header.clock = header.role = header.backend = 0;
		header.poller_fd = -1;
		uint64_t bytes = random >> 38;
		if (ring_header_check(&header, bytes))
			continue;
		passed++;
		assert_true(header.slots_offset + (uint64_t)header.slot_count * PS_RING_SLOT <= bytes);
		assert_true(header.gauges_offset + sizeof(struct ps_ring_gauges) <= bytes);
	}
	assert_true(passed > 100); /* or nothing was tried */
}

TEST(memory_that_can_still_change_its_size_is_refused)
{
	struct fake_ring fake = fake_ring_unsealed(SLOTS);
	struct ring ring;
	const char *why;
	static const int some[] = { 0, F_SEAL_SHRINK, F_SEAL_GROW }; /* they add up */
	for (int i = 0; i < 3; i++) {
		fcntl(fake.fd, F_ADD_SEALS, some[i]);
		assert_int_equal(open_ring(&ring, &fake, 1, &why), -EPROTO);
		assert_string_equal(why, "it is not sealed");
	}
	fcntl(fake.fd, F_ADD_SEALS, F_SEAL_SEAL);
	assert_int_equal(open_ring(&ring, &fake, 1, &why), 0);
	ring_close(&ring);
	fake_ring_end(&fake);
}

TEST(memory_of_another_user_is_refused)
{
	if (geteuid())
		SKIP("needs root to give a file away");
	struct fake_ring fake = fake_ring_make(SLOTS);
	struct ring ring;
	const char *why;
	assert_int_equal(fchown(fake.fd, 12345, 12345), 0);
	assert_int_equal(open_ring(&ring, &fake, 1, &why), -EPROTO);
	assert_string_equal(why, "it belongs to another user");
	fake_ring_end(&fake);
}

TEST(a_ring_that_is_not_finished_is_tried_again_later)
{
	struct fake_ring fake = fake_ring_make(SLOTS);
	struct ring ring;
	const char *why;
	fake.header->magic = 0;
	assert_int_equal(open_ring(&ring, &fake, 1, &why), -EAGAIN);
	fake_ring_end(&fake);
}

TEST(what_is_no_memory_at_all_is_refused)
{
	struct ring ring;
	const char *why;
	assert_int_equal(ring_open(&ring, open("/dev/zero", O_RDONLY), our_uids(), 1, &why), -EPROTO);
	assert_int_equal(ring_open(&ring, -1, our_uids(), 1, &why), -EPROTO);
	int empty = memfd_create(PS_RING_NAME, MFD_ALLOW_SEALING);
	fcntl(empty, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	assert_int_equal(ring_open(&ring, empty, our_uids(), 1, &why), -EPROTO);
	assert_string_equal(why, "it is too short");
}

/* ---- records and loss ---- */

TEST(records_come_in_order_and_once)
{
	struct fake_ring fake = fake_ring_make(SLOTS);
	struct ring ring = opened(&fake, 1);
	for (uint64_t i = 0; i < 500; i++) {
		fake_iteration(&fake, fake_now(), i);
		if (i % 50 == 0)
			read_all(&ring);
	}
	read_all(&ring);
	assert_int_equal(got_count, 500);
	for (uint64_t i = 0; i < 500; i++)
		assert_int_equal(number_of(i), i);
	assert_int_equal(ring.lost, 0);
	ring_close(&ring);
	fake_ring_end(&fake);
}

TEST(a_full_ring_gives_all_but_the_slot_that_may_be_under_the_pen)
{
	struct fake_ring fake = fake_ring_make(SLOTS);
	struct ring ring = opened(&fake, 1);
	for (uint64_t i = 0; i < SLOTS; i++)
		fake_iteration(&fake, fake_now(), i);
	read_all(&ring);
	assert_int_equal(got_count, SLOTS - 1);
	assert_int_equal(number_of(0), 1);
	assert_int_equal(ring.lost, 1);
	ring_close(&ring);
	fake_ring_end(&fake);
}

TEST(what_was_overwritten_is_counted_exactly)
{
	struct fake_ring fake = fake_ring_make(SLOTS);
	struct ring ring = opened(&fake, 1);
	for (uint64_t i = 0; i < 1000; i++)
		fake_iteration(&fake, fake_now(), i);
	read_all(&ring);
	assert_int_equal(ring.lost, 1000 - (SLOTS - 1));
	assert_int_equal(ring.records, SLOTS - 1);
	assert_int_equal(number_of(got_count - 1), 999);
	read_all(&ring);
	assert_int_equal(ring.records + ring.lost, 1000);
	ring_close(&ring);
	fake_ring_end(&fake);
}

TEST(history_is_delivered_and_what_was_gone_before_we_came_is_no_loss)
{
	struct fake_ring fake = fake_ring_make(SLOTS);
	for (uint64_t i = 0; i < 1000; i++)
		fake_iteration(&fake, fake_now(), i);
	struct ring ring = opened(&fake, 0);
	for (uint64_t i = 1000; i < 1010; i++) /* overwrites ten more of the old ones */
		fake_iteration(&fake, fake_now(), i);
	read_all(&ring);
	assert_int_equal(got_count, SLOTS - 1);
	assert_int_equal(number_of(0), 1010 - (SLOTS - 1));
	assert_int_equal(ring.lost, 0);
	assert_int_equal(ring.records, 10);
	assert_int_equal(ring.history, SLOTS - 1 - 10);
	ring_close(&ring);
	fake_ring_end(&fake);
}

struct writer {
	struct fake_ring *fake;
	uint64_t count;
	int done;
};

static void *write_records(void *arg)
{
	struct writer *writer = arg;
	for (uint64_t i = 0; i < writer->count; i++)
		fake_iteration(writer->fake, i, i);
	__atomic_store_n(&writer->done, 1, __ATOMIC_RELEASE);
	return NULL;
}

static uint64_t wanted_next;
static uint64_t skipped;

static int check_number(struct ps_record *record, void *arg)
{
	uint64_t number = ((struct ps_ev_iteration *)record)->number;
	/* a torn slot would give a number out of order */
	assert_true(number >= wanted_next);
	skipped += number - wanted_next;
	wanted_next = number + 1;
	return 0;
}

static void race(uint32_t slots, uint64_t count)
{
	struct fake_ring fake = fake_ring_make(slots);
	struct ring ring = opened(&fake, 1);
	struct writer writer = { &fake, count, 0 };
	pthread_t thread;
	pthread_create(&thread, NULL, write_records, &writer);
	while (!__atomic_load_n(&writer.done, __ATOMIC_ACQUIRE))
		assert_int_equal(ring_read(&ring, batch, UINT64_MAX, check_number, NULL), 0);
	pthread_join(thread, NULL);
	assert_int_equal(ring_read(&ring, batch, UINT64_MAX, check_number, NULL), 0);
	assert_int_equal(wanted_next, count);
	assert_int_equal(ring.records + ring.lost, count);
	assert_int_equal(ring.lost, skipped);
	assert_int_equal(ring.malformed, 0);
	printf("%llu read, %llu lost\n", (unsigned long long)ring.records, (unsigned long long)ring.lost);
	ring_close(&ring);
	fake_ring_end(&fake);
}

TEST(a_writer_that_laps_the_reader_loses_nothing_uncounted)
{
	race(256, 3000000);
}

TEST(a_large_ring_under_a_fast_writer_is_read_whole_or_counted)
{
	race(65536, 3000000);
}

/* ---- an enemy's ring ---- */

TEST(a_head_that_jumps_back_is_no_loss_and_reading_goes_on)
{
	struct fake_ring fake = fake_ring_make(SLOTS);
	struct ring ring = opened(&fake, 1);
	for (uint64_t i = 0; i < 40; i++)
		fake_iteration(&fake, fake_now(), i);
	read_all(&ring);
	fake.header->head = 7;
	read_all(&ring);
	assert_int_equal(ring.jumps, 1);
	assert_int_equal(ring.lost, 0);
	fake_iteration(&fake, fake_now(), 100);
	got_count = 0;
	read_all(&ring);
	assert_int_equal(got_count, 1);
	assert_int_equal(number_of(0), 100);
	ring_close(&ring);
	fake_ring_end(&fake);
}

TEST(a_head_beyond_all_reason_is_no_loss)
{
	struct fake_ring fake = fake_ring_make(SLOTS);
	struct ring ring = opened(&fake, 1);
	static const uint64_t heads[] = { 1ull << 60, UINT64_MAX, 0, UINT64_MAX - 1, 1 };
	for (size_t i = 0; i < sizeof(heads) / sizeof(*heads); i++) {
		fake.header->head = heads[i];
		read_all(&ring);
		assert_true(ring.lost < 1ull << 48);
	}
	assert_true(ring.jumps >= 4);
	ring_close(&ring);
	fake_ring_end(&fake);
}

static void *swing_head(void *arg)
{
	struct writer *writer = arg;
	for (uint64_t i = 0; !__atomic_load_n(&writer->done, __ATOMIC_ACQUIRE); i++)
		__atomic_store_n(&writer->fake->header->head, i & 1 ? 1u << 20 : 0, __ATOMIC_RELEASE);
	return NULL;
}

TEST(a_head_that_swings_cannot_keep_us)
{
	struct fake_ring fake = fake_ring_make(PS_RING_MAX_SLOTS);
	struct ring ring = opened(&fake, 1);
	struct writer writer = { &fake, 0, 0 };
	pthread_t thread;
	pthread_create(&thread, NULL, swing_head, &writer);
	for (int i = 0; i < 200; i++)
		read_all(&ring);
	__atomic_store_n(&writer.done, 1, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	assert_int_equal(got_count, 0); /* all slots are empty */
	ring_close(&ring);
	fake_ring_end(&fake);
}

static void put_head(struct fake_ring *fake, uint16_t event, uint16_t size, uint32_t tid)
{
	uint8_t slot[PS_RING_SLOT];
	memset(slot, 0x41, sizeof(slot));
	const struct ps_record head = { fake_now(), tid, event, size };
	memcpy(slot, &head, sizeof(head));
	fake_put(fake, slot, sizeof(slot));
}

TEST(slots_that_are_no_record_of_this_thread_are_dropped_and_counted)
{
	struct fake_ring fake = fake_ring_make(SLOTS);
	struct ring ring = opened(&fake, 1);
	uint32_t tid = fake.header->tid;
	unsigned bad = 0;
	static const uint16_t foreign[] = { PS_EV_STRING, PS_EV_FRAME, PS_EV_STACK, PS_EV_SYMBOL, PS_EV_CLOCK, PS_EV_LOST,
					    PS_EV_PROBE, PS_EV_OWN_COST, PS_EV_PROCESS, PS_EV_PROCESS_EXIT, PS_EV_THREAD,
					    PS_EV_LOOP, PS_EV_OFFCPU, PS_EV_SAMPLE, PS_EV_CPU_TIME, PS_EV_LOOP_GAUGES,
					    PS_EV_POOL_GAUGES, 0, 1000, 50 };
	for (size_t i = 0; i < sizeof(foreign) / sizeof(*foreign); i++, bad++)
		put_head(&fake, foreign[i], 64, tid);
	static const uint16_t sizes[] = { 0, 8, 16, 23, 25, 72, 65528 };
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++, bad++)
		put_head(&fake, PS_EV_ITERATION, sizes[i], tid);
	put_head(&fake, PS_EV_ITERATION, 24, tid + 1);
	bad++;
	put_head(&fake, PS_EV_ITERATION, 24, tid);
	read_all(&ring);
	assert_int_equal(got_count, 1);
	assert_int_equal(ring.malformed, bad);
	assert_int_equal(ring.records + ring.lost, bad + 1);
	ring_close(&ring);
	fake_ring_end(&fake);
}

TEST(every_slot_of_noise_is_read_without_harm)
{
	struct fake_ring fake = fake_ring_make(4096);
	struct ring ring = opened(&fake, 1);
	uint64_t random = 1;
	for (size_t i = 0; i < 4096 * PS_RING_SLOT / 8; i++) {
		random ^= random << 13, random ^= random >> 7, random ^= random << 17;
		memcpy(fake.slots + i * 8, &random, 8);
	}
	fake.header->head = 4000;
	read_all(&ring);
	assert_int_equal(ring.records + ring.lost, 4000);
	ring_close(&ring);
	fake_ring_end(&fake);
}

TEST(a_targets_ids_and_process_numbers_are_not_believed)
{
	struct fake_ring fake = fake_ring_make(SLOTS);
	struct ring ring = opened(&fake, 1);
	ring.pid = 4711;
	ring.tid = 4712;
	const struct ps_ev_work work = {
		.h = { fake_now(), fake.header->tid, PS_EV_WORK_SUBMITTED, sizeof(work) }, .pid = 1, .name = 77, .work = 5,
	};
	const struct ps_ev_fd_life life = {
		.h = { fake_now(), fake.header->tid, PS_EV_FD_LIFE, sizeof(life) }, .fd = 3, .name = 78, .handle = 6,
	};
	fake_put(&fake, &work, sizeof(work));
	fake_put(&fake, &life, sizeof(life));
	read_all(&ring);
	assert_int_equal(got_count, 2);
	assert_int_equal(got[0]->tid, 4712);
	assert_int_equal(((struct ps_ev_work *)got[0])->pid, 4711);
	assert_int_equal(((struct ps_ev_work *)got[0])->name, 0);
	assert_int_equal(((struct ps_ev_work *)got[0])->work, 5);
	assert_int_equal(((struct ps_ev_fd_life *)got[1])->name, 0);
	assert_int_equal(((struct ps_ev_fd_life *)got[1])->handle, 6);
	ring_close(&ring);
	fake_ring_end(&fake);
}

TEST(times_neither_run_backwards_nor_lie_in_the_future)
{
	struct fake_ring fake = fake_ring_make(SLOTS);
	struct ring ring = opened(&fake, 1);
	ring.floor_ns = 1000;
	static const uint64_t told[] = { 0, 2000, 1500, UINT64_MAX, 3000 };
	static const uint64_t believed[] = { 1000, 2000, 2000, 9000, 9000 };
	for (size_t i = 0; i < 5; i++)
		fake_iteration(&fake, told[i], i);
	assert_int_equal(ring_read(&ring, batch, 9000, keep, NULL), 0);
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(got[i]->ts, believed[i]);
	ring_close(&ring);
	fake_ring_end(&fake);
}

TEST(a_tsc_ring_tells_nanoseconds)
{
	struct fake_ring fake = fake_ring_make(SLOTS);
	fake.header->clock = PS_RING_CLOCK_TSC;
	fake.header->anchor_tsc = 1000000;
	fake.header->anchor_ns = 5000000;
	fake.header->mult = 1u << 31; /* half a nanosecond a tick */
	fake.header->shift = 32;
	struct ring ring = opened(&fake, 1);
	static const uint64_t ticks[] = { 0, 999000, 1000000, 1002000, UINT64_MAX };
	static const uint64_t ns[] = { 4500000, 4999500, 5000000, 5001000, UINT64_MAX / 2 };
	for (size_t i = 0; i < 5; i++)
		fake_iteration(&fake, ticks[i], i);
	assert_int_equal(ring_read(&ring, batch, UINT64_MAX / 2, keep, NULL), 0);
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(got[i]->ts, ns[i]);
	ring_close(&ring);
	fake_ring_end(&fake);
}

TEST(gauges_under_the_pen_are_not_told)
{
	struct fake_ring fake = fake_ring_make(SLOTS);
	struct ring ring = opened(&fake, 1);
	struct ps_ring_gauges gauges;
	fake.gauges->timers = 17;
	fake.gauges->sequence = 3;
	assert_int_equal(ring_gauges(&ring, &gauges), -EAGAIN);
	fake.gauges->sequence = 4;
	assert_int_equal(ring_gauges(&ring, &gauges), 0);
	assert_int_equal(gauges.timers, 17);
	ring_close(&ring);
	fake_ring_end(&fake);
}

/* ---- finding them ---- */

static struct ring found[16];
static size_t found_count;

static int keep_ring(const struct ring *ring, void *arg)
{
	found[found_count++] = *ring;
	return 0;
}

static struct ring_find find;

static void look(pid_t pid)
{
	find.pid = pid;
	assert_int_equal(ring_find(&find, 0, keep_ring, NULL), 0);
}

TEST(a_process_finds_its_own_ring_once_and_loses_it_when_it_is_closed)
{
	struct fake_ring fake = fake_ring_make(SLOTS);
	look(getpid());
	look(getpid());
	assert_int_equal(found_count, 1);
	assert_int_equal(found[0].tid, fake.header->tid);
	assert_int_equal(found[0].pid, getpid());
	assert_int_equal(ring_find_has(&find, &found[0]), 1);
	fake_ring_end(&fake);
	/* our own descriptor keeps it in /proc/self/fd here; in a target there is none */
	ring_close(&found[0]);
	look(getpid());
	assert_int_equal(ring_find_has(&find, &found[0]), 0);
}

TEST(a_parents_ring_is_not_its_childs)
{
	struct fake_ring fake = fake_ring_make(SLOTS);
	int ready[2];
	assert_int_equal(pipe(ready), 0);
	pid_t pid = fork();
	if (!pid) {
		char byte;
		close(ready[1]);
		_exit(read(ready[0], &byte, 1) < 0);
	}
	look(pid);
	assert_int_equal(found_count, 0);
	close(ready[1]);
	waitpid(pid, NULL, 0);
	assert_int_equal(ring_find(&find, 0, keep_ring, NULL), -ESRCH);
	fake_ring_end(&fake);
}

TEST(a_ring_of_a_thread_that_is_not_there_is_passed_over)
{
	struct fake_ring fake = fake_ring_make(SLOTS);
	fake.header->tid = 1;
	look(getpid());
	assert_int_equal(found_count, 0);
	fake_ring_end(&fake);
}

TEST(a_ring_in_a_container_is_told_by_our_numbers)
{
	int outer[2], ready[2];
	pid_t pid = 0;
	if (geteuid())
		SKIP("needs root to make a pid namespace");
	assert_int_equal(pipe(outer), 0);
	assert_int_equal(pipe(ready), 0);
	pid_t helper = fork();
	if (!helper) {
		if (unshare(CLONE_NEWPID))
			_exit(1);
		pid = fork();
		if (!pid) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			fake_ring_make(SLOTS);
			_exit(write(ready[1], "", 1) != 1 || pause());
		}
		_exit(write(outer[1], &pid, sizeof(pid)) != sizeof(pid) || pause());
	}
	char byte;
	assert_int_equal(read(outer[0], &pid, sizeof(pid)), sizeof(pid));
	assert_int_equal(read(ready[0], &byte, 1), 1);
	look(pid);
	kill(helper, SIGKILL);
	waitpid(helper, NULL, 0);
	assert_int_equal(found_count, 1);
	assert_int_equal(found[0].header.pid, 1);
	assert_int_equal(found[0].header.tid, 1);
	assert_int_equal(found[0].pid, pid);
	assert_int_equal(found[0].tid, pid);
	ring_close(&found[0]);
}

TEST(a_refused_ring_is_told_with_its_reason_and_not_tried_again)
{
	struct fake_ring fake = fake_ring_unsealed(SLOTS);
	look(getpid());
	look(getpid());
	assert_int_equal(found_count, 0);
	assert_int_equal(find.refused, 1);
	assert_string_equal(find.why, "it is not sealed");
	fake_ring_end(&fake);
}

TEST(a_file_that_is_only_called_like_a_ring_is_not_opened)
{
	if (geteuid())
		SKIP("needs root to make such a file");
	static const char path[] = "/memfd:" PS_RING_NAME " (deleted)";
	if (mkfifo(path, 0600))
		SKIP("the root folder is not writable here");
	int fd = open(path, O_RDWR);
	look(getpid());
	unlink(path);
	close(fd);
	assert_int_equal(found_count, 0);
	assert_int_equal(find.refused, 0);
}

/* ---- the source ---- */

struct run {
	struct attach_options options;
	struct proc_id id;
	struct symbols *symbols;
	struct source_context context;
	void *state;
};

static void run_open(struct run *run, pid_t pid)
{
	struct stream *stream;
	assert_int_equal(stream_open(&stream), 0);
	assert_int_equal(proc_open(&run->id, pid), 0);
	assert_int_equal(symbols_open(&run->symbols, pid), 0);
	run->context = (struct source_context){
		.options = &run->options, .stream = stream, .processes = &run->id, .symbols = &run->symbols, .process_count = 1,
	};
	assert_int_equal(source_ring.open(&run->state, &run->context), 0);
}

static void run_drain(struct run *run)
{
	assert_true(source_ring.drain(run->state) >= 0);
	assert_true(stream_flush(run->context.stream, sink, NULL) >= 0);
}

static void run_close(struct run *run)
{
	source_ring.close(run->state);
	stream_flush(run->context.stream, sink, NULL);
	symbols_close(run->symbols);
	proc_close(&run->id);
	stream_close(run->context.stream);
}

TEST(the_source_tells_the_loop_before_its_first_record_and_names_functions_and_descriptors)
{
	struct fake_ring fake = fake_ring_make(SLOTS);
	snprintf(fake.header->name, sizeof(fake.header->name), "main loop");
	fake.gauges->now_ns = fake_now();
	fake.gauges->timers = 3;
	fake.gauges->pool_threads = 4;
	const struct ps_ev_callback_begin begin = {
		.h = { fake_now(), fake.header->tid, PS_EV_CALLBACK_BEGIN, sizeof(begin) },
		.fn = (uint64_t)(uintptr_t)fake_seal, .fd = fake.fd, .kind = PS_KIND_TCP,
	};
	fake_put(&fake, &begin, sizeof(begin));
	struct run run = { 0 };
	run_open(&run, getpid());
	run_drain(&run);
	const struct ps_ev_loop *loop = next_sunk(NULL, PS_EV_LOOP);
	const struct ps_ev_thread *thread = next_sunk(NULL, PS_EV_THREAD);
	const struct ps_record *told = next_sunk(NULL, PS_EV_CALLBACK_BEGIN);
	assert_non_null(loop);
	assert_non_null(thread);
	assert_non_null(told);
	assert_true((const void *)loop < (const void *)told && loop->h.ts == told->ts);
	assert_int_equal(loop->poller_fd, 9);
	assert_int_equal(loop->flags, PS_LOOP_PHASES | PS_LOOP_CALLBACKS | PS_LOOP_RING);
	assert_int_equal(thread->role, PS_ROLE_LOOP);
	assert_non_null(next_sunk(NULL, PS_EV_SYMBOL));
	assert_null(next_sunk(NULL, PS_EV_LOST));
	const struct ps_ev_fd_life *life = next_sunk(NULL, PS_EV_FD_LIFE);
	assert_non_null(life);
	assert_int_equal(life->op, PS_LIFE_NAMED);
	assert_int_equal(life->fd, fake.fd);
	const struct ps_ev_loop_gauges *gauges = next_sunk(NULL, PS_EV_LOOP_GAUGES);
	assert_int_equal(gauges->timers, 3);
	const struct ps_ev_pool_gauges *pool = next_sunk(NULL, PS_EV_POOL_GAUGES);
	assert_int_equal(pool->threads, 4);
	run_close(&run);
	fake_ring_end(&fake);
}

TEST(the_source_tells_loss_as_lost_records)
{
	struct fake_ring fake = fake_ring_make(SLOTS);
	struct run run = { 0 };
	run_open(&run, getpid());
	run_drain(&run);
	for (uint64_t i = 0; i < 1000; i++)
		fake_iteration(&fake, fake_now(), i);
	run_drain(&run);
	const struct ps_ev_lost *lost = next_sunk(NULL, PS_EV_LOST);
	assert_non_null(lost);
	assert_int_equal(lost->source, PS_LOST_RING);
	assert_int_equal(lost->count, 1000 - (SLOTS - 1));
	sunk_bytes = 0;
	run_drain(&run);
	assert_null(next_sunk(NULL, PS_EV_LOST));
	run_close(&run);
	fake_ring_end(&fake);
}

TEST(a_loop_that_stays_busy_is_sampled_by_its_system_call)
{
	struct fake_ring fake = fake_ring_make(SLOTS);
	struct run run = { .options.stall_ns = 1000000 };
	const struct ps_ev_poll_return back = {
		.h = { fake_now() - 10000000, fake.header->tid, PS_EV_POLL_RETURN, sizeof(back) }, .poller_fd = 9,
	};
	fake.header->created_ns = 0;
	fake_put(&fake, &back, sizeof(back));
	run_open(&run, getpid());
	run_drain(&run);
	assert_non_null(next_sunk(NULL, PS_EV_SAMPLE));
	const struct ps_ev_sample *sample = next_sunk(NULL, PS_EV_SAMPLE);
	assert_int_equal(sample->kind, PS_SAMPLE_PROC);
	assert_int_equal(sample->state, 'R');
	assert_int_equal(sample->h.tid, fake.header->tid);
	const struct ps_ev_poll_enter enter = {
		.h = { fake_now(), fake.header->tid, PS_EV_POLL_ENTER, sizeof(enter) }, .poller_fd = 9,
	};
	fake_put(&fake, &enter, sizeof(enter));
	sunk_bytes = 0;
	run_drain(&run);
	assert_null(next_sunk(NULL, PS_EV_SAMPLE));
	run_close(&run);
	fake_ring_end(&fake);
}

TEST(a_process_without_a_ring_says_so)
{
	struct run run = { 0 };
	run_open(&run, getpid());
	run_drain(&run);
	const struct ps_ev_probe *probe = next_sunk(NULL, PS_EV_PROBE);
	assert_non_null(probe);
	assert_int_equal(probe->group, PS_PROBE_RING);
	assert_int_equal(probe->state, PS_PROBE_STATE_OFF);
	assert_int_not_equal(probe->reason, 0);
	run_close(&run);
}

/* ---- the writer that there really is ---- */

#define FIRINGS 50

static unsigned fired;

static void count_firing(void *arg)
{
	struct ps_timer **timer = arg;
	if (++fired == FIRINGS)
		ps_timer_stop(*timer);
}

static void say(int fd)
{
	assert_int_equal(write(fd, "", 1), 1);
}

static void hear(int fd)
{
	char byte;
	assert_int_equal(read(fd, &byte, 1), 1);
}

/* Opens a loop, fires a timer FIRINGS times, closes the loop: each step when it is told to. */
static void live(int told, int tell)
{
	struct ps_loop *loop;
	struct ps_timer *timer;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (ps_loop_open(&loop, NULL) || ps_timer_open(loop, &timer, count_firing, &timer))
		_exit(1);
	say(tell);
	hear(told);
	ps_timer_start(timer, 1000000, 1000000);
	ps_loop_run(loop, PS_RUN_DEFAULT);
	say(tell);
	hear(told);
	ps_timer_close(timer);
	ps_loop_run(loop, PS_RUN_DEFAULT);
	if (ps_loop_close(loop))
		_exit(2);
	for (;;)
		pause();
}

static size_t count_sunk(uint16_t event)
{
	size_t count = 0;
	for (const void *at = NULL; (at = next_sunk(at, event));)
		count++;
	return count;
}

TEST(a_real_loop_is_read_whole_from_its_opening_to_its_end)
{
	int down[2], up[2];
	struct run run = { 0 };
	assert_int_equal(pipe(down), 0);
	assert_int_equal(pipe(up), 0);
	pid_t pid = fork();
	if (!pid)
		live(down[0], up[1]);
	hear(up[0]);
	run_open(&run, pid);
	run_drain(&run);
	assert_int_equal(count_sunk(PS_EV_LOOP), 1);
	say(down[1]);
	hear(up[0]);
	run_drain(&run);
	assert_int_equal(count_sunk(PS_EV_TIMER_FIRED), FIRINGS);
	assert_int_equal(count_sunk(PS_EV_LOST), 0);
	assert_true(count_sunk(PS_EV_ITERATION) >= FIRINGS);
	assert_true(count_sunk(PS_EV_SYMBOL) >= 1);
	int is_named = 0;
	for (const struct ps_ev_frame *frame = NULL; (frame = next_sunk(frame, PS_EV_FRAME));)
		is_named |= !strcmp(sunk_string(frame->name), "count_firing");
	assert_true(is_named);
	say(down[1]);
	const struct timespec gap = { 0, 20000000 };
	for (int i = 0; i < 500 && count_sunk(PS_EV_LOOP) < 2; i++) {
		nanosleep(&gap, NULL);
		run_drain(&run);
	}
	const struct ps_ev_loop *first = next_sunk(NULL, PS_EV_LOOP), *last = next_sunk(first, PS_EV_LOOP);
	assert_non_null(last);
	assert_true(last->flags & PS_LOOP_GONE);
	assert_int_equal(last->h.tid, pid);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	run_close(&run);
}

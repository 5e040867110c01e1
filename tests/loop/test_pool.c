/* SPDX-License-Identifier: BSD-2-Clause */
/* The pool: kinds, caps, cancelling, sizes, wake-ups, and what it records. */
#include <netdb.h>
#include <semaphore.h>
#include <sys/stat.h>

#include "kernel_wait.h"
#include "loops.h"
#include "pool.h"

static struct ps_loop *loop;
static int done_count;
static int64_t last_result;
static sem_t gate;
static atomic_int inside, most_inside;

static int64_t wait_at_gate(void *arg)
{
	int now = atomic_fetch_add(&inside, 1) + 1;

	for (int most = atomic_load(&most_inside); now > most;)
		if (atomic_compare_exchange_weak(&most_inside, &most, now))
			break;
	sem_wait(&gate);
	atomic_fetch_sub(&inside, 1);
	return 7;
}

static void on_done(struct ps_work *work, int64_t result, void *arg)
{
	done_count++;
	last_result = result;
}

static void open_gate(int n)
{
	while (n--)
		sem_post(&gate);
}

static void wait_inside(int n)
{
	while (atomic_load(&inside) < n)
		usleep(100);
}

TEST(wake_ups_coalesce_and_at_least_one_arrives)
{
	struct ps_wake *wake;
	int woken = 0;

	loop = loop_new(NULL);
	ok(ps_wake_open(loop, &wake, count, &woken));
	for (int i = 0; i < 1000; i++)
		ok(ps_wake_send(wake));
	ps_loop_run(loop, PS_RUN_ONCE);
	assert_int_equal(woken, 1);
	ok(ps_wake_send(wake));
	ps_loop_run(loop, PS_RUN_ONCE);
	assert_int_equal(woken, 2);
	ok(ps_wake_send(wake));
	ok(ps_wake_close(wake)); /* under way while it closes: silent, and nothing breaks */
	loop_end(loop);
	assert_int_equal(woken, 2);
}

#define SENDS 20000

static atomic_int sent;

static void *sender(void *arg)
{
	for (int i = 0; i < SENDS; i++) {
		atomic_fetch_add(&sent, 1);
		ps_wake_send(arg);
	}
	return NULL;
}

static int seen_sent;

static void look(void *arg)
{
	seen_sent = atomic_load(&sent);
}

TEST(no_wake_up_is_lost_among_four_sending_threads)
{
	struct ps_wake *wake;
	pthread_t threads[4];

	loop = loop_new(NULL);
	ok(ps_wake_open(loop, &wake, look, NULL));
	for (int i = 0; i < 4; i++)
		ok(pthread_create(&threads[i], NULL, sender, wake));
	while (seen_sent < 4 * SENDS) /* a lost last send would wait for ever */
		ps_loop_run(loop, PS_RUN_ONCE);
	for (int i = 0; i < 4; i++)
		ok(pthread_join(threads[i], NULL));
	ok(ps_wake_close(wake));
	loop_end(loop);
}

TEST(queued_work_is_cancelled_once_and_running_work_is_busy)
{
	struct ps_work *running, *queued;

	sem_init(&gate, 0, 0);
	ok(ps_pool_resize(1));
	loop = loop_new(NULL);
	ok(ps_work_submit(loop, &running, wait_at_gate, on_done, NULL));
	wait_inside(1);
	ok(ps_work_submit(loop, &queued, wait_at_gate, on_done, NULL));
	assert_int_equal(ps_work_cancel(running), -EBUSY);
	ok(ps_work_cancel(queued));
	assert_int_equal(ps_work_cancel(queued), -EBUSY);
	assert_int_equal(done_count, 0);
	ps_loop_run(loop, PS_RUN_ONCE);
	assert_int_equal(done_count, 1);
	assert_int_equal(last_result, -ECANCELED);
	open_gate(1);
	ok(ps_loop_run(loop, PS_RUN_DEFAULT));
	assert_int_equal(done_count, 2);
	assert_int_equal(last_result, 7);
	struct records records = records_read(loop, 0);
	assert_int_equal(records_count(&records, PS_EV_WORK_SUBMITTED), 2);
	assert_int_equal(records_count(&records, PS_EV_WORK_DELIVERED), 1);
	assert_int_equal(records_count(&records, PS_EV_WORK_CANCELLED), 1);
	const struct ps_ev_work *submitted = records_find(&records, PS_EV_WORK_SUBMITTED, 0);
	const struct ps_ev_work *delivered = records_find(&records, PS_EV_WORK_DELIVERED, 0);
	assert_int_equal(delivered->work, submitted->work);
	assert_int_equal(submitted->kind, PS_WORK_USER);
	assert_true(submitted->fn == (uint64_t)(uintptr_t)wait_at_gate);
	assert_true(delivered->since_ns > submitted->h.ts && delivered->since_ns <= delivered->h.ts);
	free(records.at);
	loop_end(loop);
}

TEST(one_thread_runs_jobs_one_after_the_other)
{
	sem_init(&gate, 0, 20);
	ok(ps_pool_resize(1));
	loop = loop_new(NULL);
	for (int i = 0; i < 20; i++)
		ok(ps_work_submit(loop, NULL, wait_at_gate, on_done, NULL));
	loop_end(loop);
	assert_int_equal(done_count, 20);
	assert_int_equal(atomic_load(&most_inside), 1);
}

TEST(a_thousand_and_twenty_four_threads_run_that_many_jobs_at_once)
{
	struct ps_loop_info info = { .size = sizeof(info) };

	sem_init(&gate, 0, 0);
	ok(ps_pool_resize(1024));
	loop = loop_new(NULL);
	for (int i = 0; i < 1024; i++)
		ok(ps_work_submit(loop, NULL, wait_at_gate, on_done, NULL));
	wait_inside(1024);
	ok(ps_loop_info(loop, &info));
	assert_int_equal(info.pool_threads, 1024);
	assert_int_equal(info.pool_busy, 1024);
	assert_int_equal(info.pool_queued, 0);
	open_gate(1024);
	loop_end(loop);
	assert_int_equal(done_count, 1024);
}

TEST(a_smaller_pool_lets_threads_go_and_loses_no_job)
{
	struct ps_loop_info info = { .size = sizeof(info) };

	sem_init(&gate, 0, 1000);
	ok(ps_pool_resize(16));
	loop = loop_new(NULL);
	for (int i = 0; i < 200; i++)
		ok(ps_work_submit(loop, NULL, wait_at_gate, on_done, NULL));
	ok(ps_pool_resize(2));
	ok(ps_loop_run(loop, PS_RUN_DEFAULT));
	assert_int_equal(done_count, 200);
	do
		ok(ps_loop_info(loop, &info));
	while (info.pool_threads > 2);
	loop_end(loop);
}

/* Holds the thread that "resolves" at the gate instead of asking the network. */
static int64_t slow_lookup(struct ps_work *work)
{
	return wait_at_gate(NULL);
}

/* The longest wait of each kind and how many were started, from the rings of all workers. */
static void read_waits(uint64_t waits[PS_WORK_KIND_COUNT], uint32_t started[PS_WORK_KIND_COUNT])
{
	struct ps_ring_header header;

	for (int fd = 3; fd < 64; fd++) {
		char link[32], name[64] = "";
		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		if (readlink(link, name, sizeof(name) - 1) <= 0 || !strstr(name, PS_RING_NAME) ||
		    pread(fd, &header, sizeof(header), 0) != sizeof(header) || header.role != PS_ROLE_WORKER)
			continue;
		for (uint64_t i = 0; i < header.head; i++) {
			struct ps_ev_work work;
			off_t at = header.slots_offset + (off_t)i * PS_RING_SLOT;
			assert_int_equal(pread(fd, &work, sizeof(work), at), sizeof(work));
			if (work.h.event != PS_EV_WORK_STARTED)
				continue;
			uint64_t wait = work.h.ts - work.since_ns;
			started[work.kind]++;
			waits[work.kind] = wait > waits[work.kind] ? wait : waits[work.kind];
		}
	}
}

TEST(name_lookups_cannot_occupy_all_threads)
{
	struct ps_ring_gauges gauges = { 0 };

	sem_init(&gate, 0, 0);
	loop = loop_new(NULL);
	for (int i = 0; i < 10; i++)
		ok(work_submit(work_open(loop, PS_WORK_DNS, 0, slow_lookup, on_done, NULL)));
	uint64_t submitted_ns = clock_monotonic();
	wait_inside(2);
	/* the other half of the four is free for files */
	static char buffer[16];
	int fd = open("/proc/self/exe", O_RDONLY);
	ok(ps_fs_read(loop, fd, buffer, sizeof(buffer), 0, on_done, NULL));
	while (!done_count)
		ps_loop_run(loop, PS_RUN_ONCE);
	assert_int_equal(last_result, 16);
	assert_int_equal(atomic_load(&most_inside), 2);
	pool_gauges(&gauges);
	assert_int_equal(gauges.pool_busy_by_kind[PS_WORK_DNS], 2);
	assert_int_equal(gauges.pool_queued_by_kind[PS_WORK_DNS], 8);
	assert_true(gauges.pool_oldest_ns > 0);
	uint64_t opened_ns = clock_monotonic();
	open_gate(10);
	ok(ps_loop_run(loop, PS_RUN_DEFAULT));
	/* the workers' records tell how long each kind waited: lookups for the gate, the file for nothing */
	uint64_t waits[PS_WORK_KIND_COUNT] = { 0 };
	uint32_t started[PS_WORK_KIND_COUNT] = { 0 };
	read_waits(waits, started);
	assert_int_equal(started[PS_WORK_DNS], 10);
	assert_int_equal(started[PS_WORK_FS], 1);
	assert_true(waits[PS_WORK_DNS] >= opened_ns - submitted_ns);
	assert_true(waits[PS_WORK_FS] < waits[PS_WORK_DNS]);
	struct records records = records_read(loop, 0);
	const struct ps_ev_work *first = records_find(&records, PS_EV_WORK_DELIVERED, 0);
	assert_int_equal(first->kind, PS_WORK_FS);
	free(records.at);
	close(fd);
	loop_end(loop);
	assert_int_equal(atomic_load(&most_inside), 2);
}

static struct ps_loop *inner_loop;

static int64_t work_with_own_loop(void *arg)
{
	inner_loop = loop_new(NULL);
	ok(ps_work_submit(inner_loop, NULL, wait_at_gate, on_done, NULL));
	loop_end(inner_loop);
	return 3;
}

TEST(work_may_be_submitted_from_a_worker_with_a_loop_of_its_own)
{
	sem_init(&gate, 0, 1);
	loop = loop_new(NULL);
	ok(ps_work_submit(loop, NULL, work_with_own_loop, on_done, NULL));
	loop_end(loop);
	assert_int_equal(done_count, 2);
	assert_int_equal(last_result, 3);
}

static unsigned threads_for(const char *value)
{
	int status;
	pid_t child = fork();

	if (!child) {
		setenv("PS_THREADPOOL_SIZE", value, 1);
		_exit(ps_pool_threads() == 1024 ? 200 : (int)ps_pool_threads());
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return (unsigned)WEXITSTATUS(status);
}

TEST(nonsense_in_ps_threadpool_size_means_the_default)
{
	assert_int_equal(threads_for("7"), 7);
	assert_int_equal(threads_for(""), 4);
	assert_int_equal(threads_for("-3"), 4);
	assert_int_equal(threads_for("many"), 4);
	assert_int_equal(threads_for("8x"), 4);
	assert_int_equal(threads_for("0"), 1);
	assert_int_equal(threads_for("99999999999999999999999"), 200);
}

static char path[] = "/tmp/ps-pool-XXXXXX";
static int64_t file;

static int64_t step(void)
{
	int before = done_count;

	while (done_count == before)
		assert_true(ps_loop_run(loop, PS_RUN_ONCE) >= 0);
	return last_result;
}

TEST(files_are_opened_written_read_and_closed_by_the_pool)
{
	char buffer[16] = "";
	struct stat st;

	close(mkstemp(path));
	loop = loop_new(NULL);
	ok(ps_fs_open(loop, path, O_RDWR, 0, on_done, NULL));
	file = step();
	assert_true(file >= 0);
	ok(ps_fs_write(loop, (int)file, "hello", 5, 0, on_done, NULL));
	assert_int_equal(step(), 5);
	ok(ps_fs_read(loop, (int)file, buffer, sizeof(buffer), 1, on_done, NULL));
	assert_int_equal(step(), 4);
	assert_string_equal(buffer, "ello");
	ok(ps_fs_stat(loop, path, &st, on_done, NULL));
	assert_int_equal(step(), 0);
	assert_int_equal(st.st_size, 5);
	ok(ps_fs_close(loop, (int)file, on_done, NULL));
	assert_int_equal(step(), 0);
	ok(ps_fs_open(loop, "/nonexistent/file", O_RDONLY, 0, on_done, NULL));
	assert_int_equal(step(), -ENOENT);
	assert_int_equal(ps_fs_read(loop, -1, buffer, 1, 0, on_done, NULL), -EBADF);
	assert_int_equal(ps_fs_open(loop, NULL, O_RDONLY, 0, on_done, NULL), -EINVAL);
	unlink(path);
	loop_end(loop);
}

TEST(names_are_looked_up_by_the_pool)
{
	struct addrinfo *found = NULL;

	loop = loop_new(NULL);
	ok(ps_dns_lookup(loop, "127.0.0.1", "80", &found, on_done, NULL));
	assert_int_equal(step(), 0);
	assert_non_null(found);
	assert_int_equal(found->ai_family, AF_INET);
	freeaddrinfo(found);
	assert_int_equal(ps_dns_lookup(loop, NULL, NULL, &found, on_done, NULL), -EINVAL);
	loop_end(loop);
}

TEST(pbkdf2_gives_the_published_vector)
{
	/* PBKDF2-HMAC-SHA512, "password", "salt", 1 round */
	static const uint8_t expected[8] = { 0x86, 0x7f, 0x70, 0xcf, 0x1a, 0xde, 0x02, 0xcf };
	uint8_t out[64];

	loop = loop_new(NULL);
	ok(ps_pbkdf2(loop, "password", 8, "salt", 4, 1, out, sizeof(out), on_done, NULL));
	assert_int_equal(step(), 0);
	assert_memory_equal(out, expected, sizeof(expected));
	assert_int_equal(ps_pbkdf2(loop, "p", 1, "s", 1, 0, out, sizeof(out), on_done, NULL), -EINVAL);
	loop_end(loop);
}

TEST(idle_time_is_the_time_spent_in_the_poller)
{
	struct ps_loop_info info = { .size = sizeof(info) };
	struct ps_timer *timer;
	uint64_t waited = 0;
	int fired = 0;

	loop = loop_new(NULL);
	ok(ps_timer_open(loop, &timer, count, &fired));
	ps_loop_update_time(loop);
	ok(ps_timer_start(timer, 10 * MS, 10 * MS));
	while (fired < 10)
		ps_loop_run(loop, PS_RUN_ONCE);
	ok(ps_loop_info(loop, &info));
	struct records records = records_read(loop, 0);
	for (size_t i = 0; i < records_count(&records, PS_EV_POLL_RETURN); i++) {
		const struct ps_ev_poll_return *back = records_find(&records, PS_EV_POLL_RETURN, i);
		waited += back->h.ts - back->entered_ns;
	}
	free(records.at);
	assert_int_equal(waited, info.wait_ns);
	/* and what the kernel's side saw, within 1 %: ours has the way there and back in it */
	assert_true(info.wait_ns >= kernel_wait.ns - 10 * kernel_wait.calls);
	assert_true(info.wait_ns - kernel_wait.ns < kernel_wait.ns / 100 + 5000 * kernel_wait.calls);
	assert_true(kernel_wait.ns > 80 * MS);
	ok(ps_timer_close(timer));
	loop_end(loop);
}

TEST(names_of_files_are_read_changed_and_taken_away_by_the_pool)
{
	char directory[] = "/tmp/ps-names-XXXXXX", from[64], to[64], *names = NULL;

	assert_non_null(mkdtemp(directory));
	snprintf(from, sizeof(from), "%s/a", directory);
	snprintf(to, sizeof(to), "%s/b", directory);
	loop = loop_new(NULL);
	ok(ps_fs_open(loop, from, O_CREAT | O_WRONLY, 0600, on_done, NULL));
	int fd = (int)step();
	ok(ps_fs_sync(loop, fd, on_done, NULL));
	assert_int_equal(step(), 0);
	close(fd);
	ok(ps_fs_rename(loop, from, to, on_done, NULL));
	assert_int_equal(step(), 0);
	ok(ps_fs_readdir(loop, directory, &names, on_done, NULL));
	assert_int_equal(step(), 1);
	assert_string_equal(names, "b");
	free(names);
	ok(ps_fs_unlink(loop, to, on_done, NULL));
	assert_int_equal(step(), 0);
	ok(ps_fs_readdir(loop, directory, &names, on_done, NULL));
	assert_int_equal(step(), 0);
	assert_null(names);
	ok(ps_fs_unlink(loop, to, on_done, NULL));
	assert_int_equal(step(), -ENOENT);
	rmdir(directory);
	loop_end(loop);
}

TEST(scrypt_sha256_and_random_bytes_come_from_the_pool)
{
	/* RFC 7914, section 12, first vector */
	static const uint8_t scrypted[8] = { 0x77, 0xd6, 0x57, 0x62, 0x38, 0x65, 0x7b, 0x20 };
	static const uint8_t hashed[4] = { 0xba, 0x78, 0x16, 0xbf }; /* of "abc" */
	uint8_t out[64], a[32] = { 0 }, b[32] = { 0 };

	loop = loop_new(NULL);
	ok(ps_scrypt(loop, NULL, 0, NULL, 0, 16, 1, 1, out, sizeof(out), on_done, NULL));
	assert_int_equal(step(), 0);
	assert_memory_equal(out, scrypted, sizeof(scrypted));
	assert_int_equal(ps_scrypt(loop, "p", 1, "s", 1, 1u << 30, 8, 1, out, 64, on_done, NULL), -EINVAL);
	ok(ps_sha256(loop, "abc", 3, a, on_done, NULL));
	assert_int_equal(step(), 0);
	assert_memory_equal(a, hashed, sizeof(hashed));
	ok(ps_random(loop, a, sizeof(a), on_done, NULL));
	assert_int_equal(step(), 0);
	ok(ps_random(loop, b, sizeof(b), on_done, NULL));
	assert_int_equal(step(), 0);
	assert_memory_not_equal(a, b, sizeof(a));
	loop_end(loop);
}

TEST(a_congested_pool_grows_only_if_asked_to_and_no_further_than_allowed)
{
	sem_init(&gate, 0, 0);
	ok(ps_pool_resize(1));
	loop = loop_new(NULL);
	for (int i = 0; i < 4; i++)
		ok(ps_work_submit(loop, NULL, wait_at_gate, on_done, NULL));
	wait_inside(1);
	usleep(25000);
	ok(ps_work_submit(loop, NULL, wait_at_gate, on_done, NULL));
	assert_int_equal(ps_pool_threads(), 1);
	assert_int_equal(ps_pool_grow(1025), -EINVAL);
	ok(ps_pool_grow(3));
	for (int i = 0; i < 5; i++)
		ok(ps_work_submit(loop, NULL, wait_at_gate, on_done, NULL));
	assert_int_equal(ps_pool_threads(), 3);
	wait_inside(3);
	open_gate(10);
	loop_end(loop);
	assert_int_equal(done_count, 10);
	assert_int_equal(atomic_load(&most_inside), 3);
}

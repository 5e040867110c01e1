/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every allocation fails once: each scenario is run with its first allocation
 * failing, then its second, and so on until none is left to fail. Each call
 * may answer 0 or -ENOMEM and nothing may be left behind.
 */
#include <netdb.h>
#include <signal.h>

#include "loops.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SWEEP(scenario) ((void)(scenario), SKIP("the sanitizer owns malloc"))
#else
#define SWEEP(scenario) sweep(scenario)

void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *at, size_t bytes);
void *__libc_memalign(size_t alignment, size_t bytes);
void __libc_free(void *at);

static _Thread_local int is_armed;
static _Thread_local long until_failure, live;
static _Thread_local int has_failed;

static int may_allocate(void)
{
	if (!is_armed)
		return 1;
	if (--until_failure != 0)
		return 1;
	has_failed = 1;
	errno = ENOMEM;
	return 0;
}

static void *counted(void *at)
{
	live += at != NULL;
	return at;
}

void *malloc(size_t bytes)
{
	return may_allocate() ? counted(__libc_malloc(bytes)) : NULL;
}

void *calloc(size_t count, size_t bytes)
{
	return may_allocate() ? counted(__libc_calloc(count, bytes)) : NULL;
}

void *realloc(void *at, size_t bytes)
{
	if (!may_allocate())
		return NULL;
	void *to = __libc_realloc(at, bytes);
	live += !at && to;
	return to;
}

int posix_memalign(void **out, size_t alignment, size_t bytes)
{
	void *at = may_allocate() ? counted(__libc_memalign(alignment, bytes)) : NULL;

	if (at)
		*out = at;
	return at ? 0 : ENOMEM;
}

void free(void *at)
{
	live -= at != NULL;
	__libc_free(at);
}

static void sweep(void (*scenario)(void))
{
	long at = 1;

	scenario(); /* what is allocated once per process is there now */
	do {
		long before = live;
		until_failure = at;
		has_failed = 0;
		is_armed = 1;
		scenario();
		is_armed = 0;
		if (live != before)
			fprintf(stderr, "allocation %ld failing leaves %ld behind\n", at, live - before);
		assert_int_equal(live, before);
		at++;
	} while (has_failed && at < 1000);
	assert_in_range(at, 3, 999); /* something did fail */
}
#endif

static struct ps_loop *loop;

/* 1: the call worked */
static int may_fail(int status)
{
	if (status != -ENOMEM)
		assert_true(status >= 0);
	return status >= 0;
}

static int open_loop(void)
{
	struct ps_loop_options options = { .size = sizeof(options), .ring_slots = 64 };

	return may_fail(ps_loop_open(&loop, &options));
}

static void timers_and_tasks(void)
{
	struct ps_timer *timer[40];
	int calls = 0, n = 0;

	if (!open_loop())
		return;
	for (n = 0; n < 40; n++) {
		if (!may_fail(ps_timer_open(loop, &timer[n], count, &calls)))
			break;
		may_fail(ps_timer_start(timer[n], 1, 0));
		may_fail(ps_next_tick(loop, count, &calls));
		may_fail(ps_immediate(loop, count, &calls));
	}
	ok(ps_loop_run(loop, PS_RUN_DEFAULT));
	while (n--)
		ok(ps_timer_close(timer[n]));
	loop_end(loop);
}

TEST(timers_ticks_and_immediates_survive_every_failing_allocation)
{
	SWEEP(timers_and_tasks);
}

static void on_io(struct ps_io *io, uint32_t events, void *arg)
{
	ok(ps_io_close(io));
}

static void on_signal(struct ps_signal *signal, int number, void *arg)
{
}

static void watchers(void)
{
	struct ps_check *idle;
	struct ps_wake *wake;
	struct ps_signal *usr1;
	struct ps_io *io;
	int calls = 0, fds[2];

	ok(pipe(fds));
	if (open_loop()) {
		if (may_fail(ps_idle_open(loop, &idle, count, &calls)))
			ok(ps_check_close(idle));
		if (may_fail(ps_wake_open(loop, &wake, count, &calls)))
			ok(ps_wake_close(wake));
		if (may_fail(ps_signal_open(loop, &usr1, SIGUSR1, on_signal, NULL)))
			ok(ps_signal_close(usr1));
		if (may_fail(ps_io_open(loop, &io, fds[1], on_io, NULL)))
			ok(ps_io_start(io, PS_WRITABLE));
		loop_end(loop);
	}
	close(fds[0]);
	close(fds[1]);
}

TEST(watchers_survive_every_failing_allocation)
{
	SWEEP(watchers);
}

static void on_read(struct ps_stream *stream, const void *data, ssize_t bytes, void *arg)
{
	if (bytes <= 0) {
		assert_true(bytes == 0 || bytes == -ENOMEM || bytes == -ECONNRESET || bytes == -EPIPE);
		ok(ps_stream_close(stream));
	} else if (arg) {
		int status = ps_stream_write(stream, data, (size_t)bytes);
		assert_true(status >= 0 || status == -ENOMEM || status == -EPIPE || status == -ECONNRESET);
		ok(ps_stream_close(stream));
	}
}

static const struct ps_stream_events events = { .read = on_read };
static int accepted;

static void on_accept(struct ps_listener *listener, struct ps_stream *stream, void *arg)
{
	accepted = 1;
	ok(ps_stream_set(stream, &events, "echo"));
	ok(ps_stream_start(stream));
}

static void echo(void)
{
	static uint8_t data[500000];
	struct ps_listener *listener = NULL;
	struct ps_stream *client;

	accepted = 0;
	if (!open_loop())
		return;
	if (may_fail(ps_tcp_listen(loop, &listener, "127.0.0.1", 0, 0, on_accept, NULL)) &&
	    may_fail(ps_tcp_connect(loop, &client, "127.0.0.1", ps_listener_port(listener), &events, NULL))) {
		may_fail(ps_stream_write(client, data, sizeof(data)));
		ok(ps_stream_start(client));
		for (int i = 0; i < 50; i++)
			ps_loop_run(loop, PS_RUN_NOWAIT);
		ps_stream_close(client);
	}
	if (listener)
		ok(ps_listener_close(listener));
	loop_end(loop);
}

TEST(streams_survive_every_failing_allocation)
{
	SWEEP(echo);
}

static void on_piped(struct ps_stream *from, struct ps_stream *to, int status, void *arg)
{
}

static void piping(void)
{
	struct ps_stream *reader[2], *writer[2];

	if (!open_loop())
		return;
	int first = may_fail(ps_pipe_open(loop, &reader[0], &writer[0], &events, NULL));
	int second = may_fail(ps_pipe_open(loop, &reader[1], &writer[1], &events, NULL));
	if (first && second)
		may_fail(ps_stream_pipe(reader[0], writer[1], on_piped, NULL));
	for (int i = 0; i < 2; i++) {
		if (i ? second : first) {
			ok(ps_stream_close(reader[i]));
			ok(ps_stream_close(writer[i]));
		}
	}
	loop_end(loop);
}

TEST(pipes_survive_every_failing_allocation)
{
	SWEEP(piping);
}

static int64_t no_work(void *arg)
{
	return 0;
}

static void on_done(struct ps_work *work, int64_t result, void *arg)
{
}

static void jobs(void)
{
	static uint8_t out[64];
	static struct stat st;
	struct ps_work *work;

	if (!open_loop())
		return;
	if (may_fail(ps_work_submit(loop, &work, no_work, on_done, NULL)))
		ps_work_cancel(work);
	may_fail(ps_fs_stat(loop, "/", &st, on_done, NULL));
	may_fail(ps_fs_rename(loop, "/nonexistent/a", "/nonexistent/b", on_done, NULL));
	may_fail(ps_pbkdf2(loop, "a", 1, "b", 1, 1, out, sizeof(out), on_done, NULL));
	loop_end(loop);
}

TEST(jobs_survive_every_failing_allocation)
{
	ok(ps_pool_resize(1)); /* a thread that starts during the sweep would allocate for itself, and keep it */
	SWEEP(jobs);
}

static void on_emit(const char *name, void *data, void *arg)
{
}

static void emitting(void)
{
	struct ps_emitter *emitter;

	if (!may_fail(ps_emitter_open(&emitter)))
		return;
	may_fail(ps_emitter_on(emitter, "x", on_emit, NULL));
	may_fail(ps_emitter_once(emitter, "x", on_emit, NULL));
	assert_true(ps_emitter_emit(emitter, "x", NULL) <= 2);
	ps_emitter_close(emitter);
}

TEST(the_emitter_survives_every_failing_allocation)
{
	SWEEP(emitting);
}

static void on_request(struct ps_http_request *request, void *arg)
{
	size_t bytes;
	const void *body = ps_http_body(request, &bytes);
	int status = ps_http_reply(request, 200, "text/plain", body, bytes);

	if (status == -ENOMEM) /* it may be tried again, with less */
		status = ps_http_reply(request, 503, NULL, NULL, 0);
	assert_true(status == 0);
}

static void serving(void)
{
	static const char text[] = "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhelloGET / HTTP/1.1\r\n\r\nGET";
	struct ps_http_server *server;
	struct ps_stream *client;

	if (!open_loop())
		return;
	if (may_fail(ps_http_listen(loop, &server, "127.0.0.1", 0, NULL, on_request, NULL))) {
		if (may_fail(ps_tcp_connect(loop, &client, "127.0.0.1", ps_http_port(server), &events, NULL))) {
			may_fail(ps_stream_write(client, text, sizeof(text) - 1));
			ok(ps_stream_start(client));
			for (int i = 0; i < 30; i++)
				ps_loop_run(loop, PS_RUN_NOWAIT);
			ps_stream_close(client);
		}
		ok(ps_http_close(server));
	}
	loop_end(loop);
}

TEST(the_http_server_survives_every_failing_allocation)
{
	SWEEP(serving);
}

static void on_opened(struct ps_work *work, int64_t result, void *arg)
{
	if (result >= 0)
		close((int)result);
}

static void opening(void)
{
	if (open_loop())
		loop_end(loop);
}

TEST(opening_a_loop_survives_every_failing_allocation)
{
	SWEEP(opening);
}

static void operations(void)
{
	static char *names;
	static struct addrinfo *found;
	static uint8_t out[64];
	static char byte;

	names = NULL;
	found = NULL;
	if (!open_loop())
		return;
	may_fail(ps_fs_open(loop, "/dev/null", O_RDONLY, 0, on_opened, NULL));
	may_fail(ps_fs_read(loop, 0, &byte, 0, 0, on_done, NULL));
	may_fail(ps_fs_unlink(loop, "/nonexistent/a", on_done, NULL));
	may_fail(ps_fs_readdir(loop, "/nonexistent", &names, on_done, NULL));
	may_fail(ps_sha256(loop, "abc", 3, out, on_done, NULL));
	may_fail(ps_random(loop, out, sizeof(out), on_done, NULL));
	may_fail(ps_scrypt(loop, "a", 1, "b", 1, 16, 1, 1, out, sizeof(out), on_done, NULL));
	may_fail(ps_dns_lookup(loop, "127.0.0.1", "no such service", &found, on_done, NULL)); /* nothing is found, so nothing is ours to free */
	loop_end(loop);
}

TEST(files_names_and_crypto_survive_every_failing_allocation)
{
	ok(ps_pool_resize(1));
	SWEEP(operations);
}

static void local_sockets(void)
{
	static const char path[] = "/tmp/ps-memory-socket";
	struct ps_listener *listener;
	struct ps_stream *client;

	if (!open_loop())
		return;
	unlink(path);
	if (may_fail(ps_unix_listen(loop, &listener, path, 0, on_accept, NULL))) {
		if (may_fail(ps_unix_connect(loop, &client, path, &events, NULL))) {
			may_fail(ps_stream_write(client, "x", 1));
			may_fail(ps_stream_shutdown(client));
			ok(ps_stream_start(client));
			for (int i = 0; i < 20; i++)
				ps_loop_run(loop, PS_RUN_NOWAIT);
			ps_stream_close(client);
		}
		ok(ps_listener_close(listener));
	}
	loop_end(loop);
}

TEST(local_sockets_survive_every_failing_allocation)
{
	SWEEP(local_sockets);
}

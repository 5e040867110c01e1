/* SPDX-License-Identifier: BSD-2-Clause */
/* The server with a blocking thread per connection: the same answers as the loop's, the same limits, and what it tells. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

#include "loops.h"

static struct ps_http_threads *server;
static struct ps_http_request *kept;
static atomic_int inside;
static char reply[1 << 20];
static size_t replied;

static void answer(struct ps_http_request *request, void *arg)
{
	const char *path = ps_http_path(request);
	char text[32];
	size_t bytes;
	const void *body = ps_http_body(request, &bytes);

	if (!strcmp(path, "/thread")) {
		int n = snprintf(text, sizeof(text), "thread %d.\n", gettid());
		ok(ps_http_reply(request, 200, "text/plain", text, (size_t)n));
	} else if (!strcmp(path, "/big")) {
		static char big[300000];
		ok(ps_http_reply(request, 200, "text/plain", big, sizeof(big)));
	} else if (!strcmp(path, "/forget")) {
		kept = request;
	} else if (!strcmp(path, "/close")) {
		assert_int_equal(ps_http_threads_close(server), -EDEADLK);
		ok(ps_http_reply(request, 200, "text/plain", "no", 2));
	} else if (!strcmp(path, "/slow")) {
		kept = request;
		atomic_store(&inside, 1);
		while (atomic_load(&inside) == 1)
			usleep(100);
		ok(ps_http_reply(request, 200, "text/plain", "slow", 4));
	} else if (!strcmp(path, "/line")) {
		assert_int_equal(ps_http_reply(request, 200, "a\r\nX: y", NULL, 0), -EINVAL);
		ok(ps_http_reply(request, 204, NULL, NULL, 0));
		assert_int_equal(ps_http_reply(request, 204, NULL, NULL, 0), -EINVAL);
	} else if (bytes) {
		ok(ps_http_reply(request, 200, "text/plain", body, bytes));
	} else {
		ok(ps_http_reply(request, 200, "text/plain", path, strlen(path)));
	}
}

static void serve(const struct ps_http_limits *limits)
{
	ok(ps_http_threads_listen(&server, "127.0.0.1", 0, limits, answer, NULL));
	assert_true(ps_http_threads_port(server) > 0);
}

static int client_open(uint16_t port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons(port),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	ok(connect(fd, (struct sockaddr *)&address, sizeof(address)));
	return fd;
}

static int client(void)
{
	return client_open(ps_http_threads_port(server));
}

static void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Reads until `text` has come, or the end. 1: it came. */
static int hear(int fd, const char *text)
{
	replied = 0;
	for (;;) {
		reply[replied] = 0;
		if (strstr(reply, text))
			return 1;
		ssize_t n = recv(fd, reply + replied, sizeof(reply) - replied - 1, 0);
		if (n <= 0)
			return 0;
		replied += (size_t)n;
	}
}

static struct ps_http_threads_info info(void)
{
	struct ps_http_threads_info now = { .size = sizeof(now) };

	ok(ps_http_threads_info(server, &now));
	return now;
}

static void wait_connections(uint32_t n)
{
	while (info().connections != n)
		usleep(100);
}

static int ask_thread(int fd)
{
	say(fd, "GET /thread HTTP/1.1\r\n\r\n");
	assert_true(hear(fd, ".\n")); /* the end of the body */
	return atoi(strstr(reply, "thread ") + 7);
}

TEST(every_connection_has_a_thread_of_its_own_and_keeps_it)
{
	enum { N = 16 };
	int fds[N], tids[N];

	serve(NULL);
	for (int i = 0; i < N; i++)
		fds[i] = client();
	for (int i = 0; i < N; i++)
		tids[i] = ask_thread(fds[i]);
	for (int i = 0; i < N; i++) {
		assert_int_equal(ask_thread(fds[i]), tids[i]);
		for (int j = 0; j < i; j++)
			assert_int_not_equal(tids[i], tids[j]);
	}
	assert_int_equal(info().connections, N);
	assert_int_equal(info().requests, 2 * N);
	for (int i = 0; i < N; i++)
		close(fds[i]);
	wait_connections(0);
	assert_int_equal(info().most, N);
	ok(ps_http_threads_close(server));
}

/* ---- the two servers say the same ---- */

static struct ps_loop *loop;

static void *run_loop(void *arg)
{
	ps_loop_run(loop, PS_RUN_DEFAULT);
	return NULL;
}

static struct ps_wake *stop_wake;

static void stop_serving(void *arg)
{
	ok(ps_http_close(arg));
	ok(ps_wake_close(stop_wake));
}

/* Everything a server says to `text`, without the date. */
static char *conversation(uint16_t port, const char *text)
{
	int fd = client_open(port);

	say(fd, text);
	shutdown(fd, SHUT_WR);
	assert_false(hear(fd, "nothing of the kind"));
	close(fd);
	for (char *date = reply; (date = strstr(date, "Date: "));)
		memmove(date, strstr(date, "\r\n") + 2, strlen(strstr(date, "\r\n") + 2) + 1);
	return strdup(reply);
}

TEST(both_servers_give_the_same_answers_to_the_same_bytes)
{
	static char long_header[40000] = "GET / HTTP/1.1\r\nX: ",
		    large[5000] = "POST / HTTP/1.1\r\nContent-Length: 4000\r\n\r\n";
	memset(long_header + strlen(long_header), 'a', sizeof(long_header) - 30);
	memset(large + strlen(large), 'b', 4000);
	const char *const texts[] = {
		"GET /one HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\nGET /c HTTP/1.1\r\n\r\n",
		"GET /a HTTP/1.1\r\nConnection: close\r\n\r\nGET /never HTTP/1.1\r\n\r\n",
		"GET /b HTTP/1.0\r\n\r\n",
		"HEAD /abcde HTTP/1.1\r\n\r\n",
		"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n,\r\n6\r\n world\r\n0\r\n\r\n",
		"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\nbody",
		"GET /line HTTP/1.1\r\n\r\n",
		"\x16\x03\x01 this is TLS\r\n\r\n",
		"GET / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
		"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
		"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nabc",
		"POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n",
		"CONNECT a:1 HTTP/1.1\r\n\r\n",
		"GET /half",
		"",
		long_header,
		large,
	};
	struct ps_http_server *other;
	pthread_t thread;

	serve(NULL);
	loop = loop_new(NULL);
	ok(ps_http_listen(loop, &other, "127.0.0.1", 0, NULL, answer, NULL));
	ok(ps_wake_open(loop, &stop_wake, stop_serving, other));
	uint16_t port = ps_http_port(other);
	ok(pthread_create(&thread, NULL, run_loop, NULL));
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		char *a = conversation(port, texts[i]), *b = conversation(ps_http_threads_port(server), texts[i]);
		assert_string_equal(a, b);
		free(a);
		free(b);
	}
	ok(ps_wake_send(stop_wake));
	ok(pthread_join(thread, NULL));
	ok(ps_loop_close(loop));
	ok(ps_http_threads_close(server));
}

/* ---- clients that mean harm ---- */

TEST(slow_headers_end_with_408_and_an_idle_connections_thread_ends)
{
	const struct ps_http_limits limits = { .header_ns = 40 * MS, .idle_ns = 60 * MS };

	serve(&limits);
	int fd = client(), idle = client();
	say(fd, "GET / HTTP/1.1\r\n");
	usleep(25000); /* dripping does not help: the limit is for all of the headers */
	say(fd, "X: ");
	assert_true(hear(fd, "HTTP/1.1 408 "));
	close(fd);
	assert_false(hear(idle, "anything"));
	assert_int_equal(replied, 0);
	close(idle);
	wait_connections(0);
	ok(ps_http_threads_close(server));
}

TEST(connections_past_the_limit_are_closed_at_once_and_counted)
{
	const struct ps_http_limits limits = { .connections = 2 };

	serve(&limits);
	int a = client(), b = client();
	wait_connections(2);
	int c = client();
	assert_false(hear(c, "anything"));
	assert_int_equal(info().shed, 1);
	say(b, "GET /b HTTP/1.1\r\n\r\n");
	assert_true(hear(b, "/b"));
	close(a);
	close(b);
	close(c);
	ok(ps_http_threads_close(server));
}

TEST(a_client_that_asks_and_never_reads_is_dropped_after_the_idle_time)
{
	const struct ps_http_limits limits = { .idle_ns = 100 * MS };
	char flood[64 * 24 + 1] = "";

	for (int i = 0; i < 64; i++)
		strcat(flood, "GET /big HTTP/1.1\r\n\r\n");
	serve(&limits);
	int fd = client();
	say(fd, flood);
	wait_connections(1);
	wait_connections(0);
	assert_in_range(info().requests, 1, 63);
	close(fd);
	ok(ps_http_threads_close(server));
}

TEST(a_reset_connections_thread_ends)
{
	struct linger linger = { 1, 0 };

	serve(NULL);
	int fd = client();
	say(fd, "GET /a HTTP/1.1\r\n");
	wait_connections(1);
	ok(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
	close(fd);
	wait_connections(0);
	ok(ps_http_threads_close(server));
}

TEST(running_out_of_descriptors_sheds_connections_of_the_blocking_server_too)
{
	struct rlimit limit, low;
	int fds[3], served = 0;

	serve(NULL);
	ok(getrlimit(RLIMIT_NOFILE, &limit));
	low = limit;
	for (int i = 0; i < 3; i++)
		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int top = dup(0);
	close(top);
	low.rlim_cur = (rlim_t)top;
	ok(setrlimit(RLIMIT_NOFILE, &low));
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons(ps_http_threads_port(server)),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	for (int i = 0; i < 3; i++) {
		ok(connect(fds[i], (struct sockaddr *)&address, sizeof(address)));
		served += hear(fds[i], "anything"); /* closed, not silent */
	}
	ok(setrlimit(RLIMIT_NOFILE, &limit));
	assert_int_equal(served, 0);
	for (int i = 0; i < 3; i++)
		close(fds[i]);
	int fd = client();
	say(fd, "GET /again HTTP/1.1\r\n\r\n");
	assert_true(hear(fd, "/again"));
	assert_int_equal(info().shed, 3);
	close(fd);
	ok(ps_http_threads_close(server));
}

/* ---- the handler and the server's end ---- */

TEST(a_handler_that_does_not_answer_is_answered_for_and_its_request_is_over)
{
	serve(NULL);
	int fd = client();
	say(fd, "GET /forget HTTP/1.1\r\n\r\n");
	assert_true(hear(fd, "HTTP/1.1 500 "));
	assert_int_equal(ps_http_reply(kept, 200, NULL, NULL, 0), -EINVAL);
	assert_null(ps_http_path(kept));
	say(fd, "GET /next HTTP/1.1\r\n\r\n");
	assert_true(hear(fd, "/next"));
	close(fd);
	ok(ps_http_threads_close(server));
}

TEST(only_the_handlers_thread_may_answer_and_no_handler_may_close_its_server)
{
	serve(NULL);
	int fd = client(), slow = client();
	say(fd, "GET /close HTTP/1.1\r\n\r\n");
	assert_true(hear(fd, "\r\n\r\nno"));
	say(slow, "GET /slow HTTP/1.1\r\n\r\n");
	while (!atomic_load(&inside))
		usleep(100);
	assert_int_equal(ps_http_reply(kept, 200, NULL, NULL, 0), -EINVAL);
	atomic_store(&inside, 2);
	assert_true(hear(slow, "\r\n\r\nslow"));
	close(fd);
	close(slow);
	ok(ps_http_threads_close(server));
}

TEST(closing_the_server_ends_idle_and_half_read_connections_at_once)
{
	enum { N = 50 };
	int fds[N];

	serve(NULL);
	for (int i = 0; i < N; i++) {
		fds[i] = client();
		if (i % 2)
			say(fds[i], "GET / HT");
	}
	wait_connections(N);
	ok(ps_http_threads_close(server));
	for (int i = 0; i < N; i++) {
		assert_false(hear(fds[i], "anything"));
		close(fds[i]);
	}
}

TEST(wrong_arguments_of_the_blocking_server_are_refused)
{
	struct ps_http_threads_info small = { .size = 1 };

	assert_int_equal(ps_http_threads_listen(NULL, "127.0.0.1", 0, NULL, answer, NULL), -EINVAL);
	assert_int_equal(ps_http_threads_listen(&server, "127.0.0.1", 0, NULL, NULL, NULL), -EINVAL);
	assert_int_equal(ps_http_threads_listen(&server, "no address", 0, NULL, answer, NULL), -EINVAL);
	assert_int_equal(ps_http_threads_info(NULL, &small), -EINVAL);
	assert_int_equal(ps_http_threads_port(NULL), 0);
	assert_int_equal(ps_http_threads_close(NULL), -EINVAL);
	serve(NULL);
	assert_int_equal(ps_http_threads_info(server, &small), -EINVAL);
	struct ps_http_threads *second;
	assert_int_equal(ps_http_threads_listen(&second, "127.0.0.1", ps_http_threads_port(server), NULL, answer, NULL),
			 -EADDRINUSE);
	ok(ps_http_threads_close(server));
}

/* ---- what it tells ---- */

/* The ring of a connection's thread, found and opened as an observer would. */
static int open_ring(struct ps_ring_header *header)
{
	for (int number = 3; number < 64; number++) {
		char link[32], name[64] = "";
		snprintf(link, sizeof(link), "/proc/self/fd/%d", number);
		if (readlink(link, name, sizeof(name) - 1) <= 0 || !strstr(name, PS_RING_NAME))
			continue;
		int fd = open(link, O_RDONLY | O_CLOEXEC);
		if (fd >= 0 && pread(fd, header, sizeof(*header), 0) == sizeof(*header) &&
		    header->role == PS_ROLE_CONNECTION)
			return fd;
		close(fd);
	}
	return -1;
}

TEST(a_connections_thread_records_where_it_blocks_and_what_it_calls)
{
	static const char text[] = "GET /one HTTP/1.1\r\n\r\n";
	static const uint16_t order[] = { PS_EV_FD_LIFE,      PS_EV_BLOCKED, PS_EV_UNBLOCKED, PS_EV_CALLBACK_BEGIN,
					  PS_EV_CALLBACK_END, PS_EV_BLOCKED, PS_EV_UNBLOCKED, PS_EV_BLOCKED };
	enum { RECORDS = sizeof(order) / sizeof(order[0]) };
	union {
		struct ps_record h;
		struct ps_ev_fd_life life;
		struct ps_ev_blocked blocked;
		struct ps_ev_unblocked unblocked;
		struct ps_ev_callback_begin begin;
		uint8_t bytes[PS_RING_SLOT];
	} at[RECORDS];
	struct ps_ring_header header;
	int ring;

	serve(NULL);
	int fd = client();
	say(fd, text);
	assert_true(hear(fd, "/one"));
	while ((ring = open_ring(&header)) < 0)
		usleep(100);
	while (header.head < RECORDS)
		assert_int_equal(pread(ring, &header, sizeof(header), 0), sizeof(header));
	assert_int_equal(pread(ring, at, sizeof(at), header.slots_offset), sizeof(at));
	for (int i = 0; i < RECORDS; i++) {
		assert_int_equal(at[i].h.event, order[i]);
		assert_int_equal(at[i].h.tid, header.tid);
		assert_true(!i || at[i].h.ts >= at[i - 1].h.ts);
	}
	assert_int_equal(at[2].unblocked.result, sizeof(text) - 1);
	assert_int_equal(at[2].unblocked.op, PS_BLOCKED_READ);
	assert_true(at[2].unblocked.since_ns == at[1].h.ts);
	assert_true(at[3].begin.fn == (uint64_t)(uintptr_t)answer);
	assert_int_equal(at[3].begin.fd, at[0].life.fd);
	assert_int_equal(at[5].blocked.op, PS_BLOCKED_WRITE);
	assert_int_equal(at[6].unblocked.result, replied);
	assert_int_equal(at[7].blocked.op, PS_BLOCKED_READ); /* and there it is now */
	close(ring);
	close(fd);
	wait_connections(0);
	assert_int_equal(open_ring(&header), -1);
	ok(ps_http_threads_close(server));
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The HTTP server: answers, keep-alive, pipelining, chunks, and clients that mean harm. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>

#include "loops.h"

static struct ps_loop *loop;
static struct ps_http_server *server;
static struct ps_http_request *held[64];
static int requests, held_count;
static char reply[1 << 20];
static size_t replied;

static void answer(struct ps_http_request *request, void *arg)
{
	const char *path = ps_http_path(request), *name = ps_http_header(request, "x-name");
	size_t bytes;
	const void *body = ps_http_body(request, &bytes);

	requests++;
	if (!strcmp(path, "/hold")) {
		held[held_count++] = request;
	} else if (!strcmp(path, "/big")) {
		static char big[300000];
		ok(ps_http_reply(request, 200, "text/plain", big, sizeof(big)));
	} else if (!strcmp(path, "/name")) {
		ok(ps_http_reply(request, 200, "text/plain", name, name ? strlen(name) : 0));
	} else if (bytes) {
		ok(ps_http_reply(request, 200, "text/plain", body, bytes));
	} else {
		ok(ps_http_reply(request, 200, "text/plain", path, strlen(path)));
		assert_int_equal(ps_http_reply(request, 200, NULL, NULL, 0), -EINVAL);
	}
}

static void serve(const struct ps_http_limits *limits)
{
	loop = loop_new(NULL);
	ok(ps_http_listen(loop, &server, "127.0.0.1", 0, limits, answer, NULL));
}

static void finish(void)
{
	ok(ps_http_close(server));
	loop_end(loop);
}

static int client_open(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(ps_http_port(server)),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ok(connect(fd, (struct sockaddr *)&address, sizeof(address)));
	return fd;
}

static void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Runs the loop and reads until `text` has come `times`, or the end. 1: it came. */
static int hear(int fd, const char *text, int times)
{
	replied = 0;
	reply[0] = 0;
	for (;;) {
		int found = 0;
		for (const char *at = reply; (at = strstr(at, text)); at++)
			found++;
		if (found >= times)
			return 1;
		ps_loop_run(loop, PS_RUN_NOWAIT);
		ssize_t n = recv(fd, reply + replied, sizeof(reply) - replied - 1, MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno != EAGAIN))
			return 0;
		replied += n > 0 ? (size_t)n : 0;
		reply[replied] = 0;
		if (n > 0) /* a body of zeros would hide what follows */
			for (size_t i = 0; i < replied; i++)
				reply[i] = reply[i] ? reply[i] : '.';
	}
}

TEST(a_request_is_answered_and_the_connection_kept)
{
	serve(NULL);
	int fd = client_open();
	say(fd, "GET /one HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_true(hear(fd, "/one", 1));
	assert_true(strstr(reply, "HTTP/1.1 200 OK\r\n") == reply);
	assert_non_null(strstr(reply, "Content-Length: 4\r\n"));
	assert_non_null(strstr(reply, "Connection: keep-alive\r\n"));
	assert_non_null(strstr(reply, "Date: "));
	say(fd, "GET /name HTTP/1.1\r\nX-Name: gre");
	ps_loop_run(loop, PS_RUN_NOWAIT);
	say(fd, "ta\r\n\r\n"); /* a header may come in pieces */
	assert_true(hear(fd, "greta", 1));
	close(fd);
	finish();
	assert_int_equal(requests, 2);
}

TEST(pipelined_requests_are_answered_in_order)
{
	serve(NULL);
	int fd = client_open();
	say(fd, "GET /a HTTP/1.1\r\n\r\nGET /hold HTTP/1.1\r\n\r\nGET /c HTTP/1.1\r\n\r\n");
	while (!held_count)
		ps_loop_run(loop, PS_RUN_ONCE);
	assert_int_equal(requests, 2); /* the third waits for the second's answer */
	ok(ps_http_reply(held[0], 200, "text/plain", "/b", 2));
	assert_true(hear(fd, "/c", 1));
	const char *a = strstr(reply, "/a"), *b = strstr(reply, "/b"), *c = strstr(reply, "/c");
	assert_true(a && b && c && a < b && b < c);
	close(fd);
	finish();
}

TEST(a_chunked_body_arrives_whole)
{
	serve(NULL);
	int fd = client_open();
	say(fd, "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n,\r\n6\r\n world\r\n0\r\n\r\n");
	assert_true(hear(fd, "hello, world", 1));
	close(fd);
	finish();
}

TEST(connection_close_and_http_1_0_end_the_connection_after_the_answer)
{
	serve(NULL);
	int fd = client_open();
	say(fd, "GET /a HTTP/1.1\r\nConnection: close\r\n\r\nGET /never HTTP/1.1\r\n\r\n");
	assert_false(hear(fd, "nothing of the kind", 1));
	assert_non_null(strstr(reply, "Connection: close"));
	assert_non_null(strstr(reply, "/a"));
	assert_int_equal(requests, 1);
	close(fd);
	fd = client_open();
	say(fd, "GET /b HTTP/1.0\r\n\r\n");
	assert_false(hear(fd, "nothing of the kind", 1));
	assert_non_null(strstr(reply, "/b"));
	close(fd);
	finish();
}

TEST(head_has_no_body_but_its_length)
{
	serve(NULL);
	int fd = client_open();
	say(fd, "HEAD /abcde HTTP/1.1\r\nConnection: close\r\n\r\n");
	assert_false(hear(fd, "nothing of the kind", 1));
	assert_non_null(strstr(reply, "Content-Length: 6\r\n"));
	assert_string_equal(strstr(reply, "\r\n\r\n"), "\r\n\r\n");
	close(fd);
	finish();
}

TEST(expect_100_continue_is_answered_before_the_body)
{
	serve(NULL);
	int fd = client_open();
	say(fd, "POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
	assert_true(hear(fd, "100 Continue\r\n\r\n", 1));
	say(fd, "body");
	assert_true(hear(fd, "\r\n\r\nbody", 1));
	close(fd);
	finish();
}

static void expect_refusal(const char *text, const char *status)
{
	int fd = client_open();

	say(fd, text);
	assert_false(hear(fd, "nothing of the kind", 1));
	assert_true(strstr(reply, status) == reply + strlen("HTTP/1.1 "));
	close(fd);
}

TEST(nonsense_is_refused_and_the_server_goes_on)
{
	static char long_header[40000];

	serve(NULL);
	expect_refusal("\x16\x03\x01 this is TLS\r\n\r\n", "400 ");
	expect_refusal("GET / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", "400 ");
	expect_refusal("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "400 ");
	expect_refusal("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nabc", "400 ");
	expect_refusal("POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", "413 ");
	expect_refusal("CONNECT a:1 HTTP/1.1\r\n\r\n", "501 ");
	memset(long_header, 'a', sizeof(long_header) - 1);
	memcpy(long_header, "GET / HTTP/1.1\r\nX: ", 19);
	expect_refusal(long_header, "431 ");
	assert_int_equal(requests, 0);
	int fd = client_open();
	say(fd, "GET /fine HTTP/1.1\r\n\r\n");
	assert_true(hear(fd, "/fine", 1));
	close(fd);
	finish();
}

TEST(a_body_that_grows_chunk_by_chunk_is_stopped_at_the_limit)
{
	const struct ps_http_limits limits = { .body_bytes = 1000 };
	char chunk[128] = "64\r\n";

	memset(chunk + 4, 'x', 100);
	strcpy(chunk + 104, "\r\n");
	serve(&limits);
	int fd = client_open();
	say(fd, "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n");
	for (int i = 0; i < 11; i++)
		say(fd, chunk);
	assert_false(hear(fd, "nothing of the kind", 1));
	assert_true(strstr(reply, "413 ") == reply + 9);
	close(fd);
	finish();
}

TEST(slow_headers_end_with_408_and_an_idle_connection_is_closed)
{
	const struct ps_http_limits limits = { .header_ns = 40 * MS, .idle_ns = 40 * MS };

	serve(&limits);
	expect_refusal("GET / HTTP/1.1\r\nX: ", "408 ");
	int fd = client_open();
	assert_false(hear(fd, "anything", 1));
	assert_int_equal(replied, 0);
	close(fd);
	finish();
}

TEST(connections_past_the_limit_are_closed_at_once)
{
	const struct ps_http_limits limits = { .connections = 2 };

	serve(&limits);
	int a = client_open(), b = client_open(), c = client_open();
	assert_false(hear(c, "anything", 1));
	say(a, "GET /a HTTP/1.1\r\n\r\n");
	assert_true(hear(a, "/a", 1));
	close(a);
	close(b);
	close(c);
	finish();
}

TEST(a_pipelined_flood_without_reading_stays_bounded)
{
	struct ps_loop_info info = { .size = sizeof(info) };
	char flood[64 * 24 + 1] = "";

	for (int i = 0; i < 64; i++)
		strcat(flood, "GET /big HTTP/1.1\r\n\r\n");
	serve(NULL);
	int fd = client_open();
	size_t sent = 0;
	for (int i = 0; i < 300; i++) {
		ssize_t n = send(fd, flood, strlen(flood), MSG_NOSIGNAL | MSG_DONTWAIT);
		sent += n > 0 ? (size_t)n : 0;
		ps_loop_run(loop, PS_RUN_NOWAIT);
		ok(ps_loop_info(loop, &info));
		assert_true(info.buffered_bytes < 1 << 20);
	}
	assert_true(sent > 10 * sizeof(flood));
	assert_true(requests < 40); /* as many as the socket buffers take */
	/* reading lets it go on, in order and whole */
	int before = requests;
	static char sink[1 << 20];
	while (requests < before + 64) {
		(void)!recv(fd, sink, sizeof(sink), MSG_DONTWAIT);
		ps_loop_run(loop, PS_RUN_NOWAIT);
	}
	close(fd);
	finish();
}

TEST(a_reset_connection_is_forgotten_and_its_held_request_answers_epipe)
{
	struct ps_loop_info info = { .size = sizeof(info) };

	serve(NULL);
	int fd = client_open();
	say(fd, "GET /hold HTTP/1.1\r\n\r\n");
	while (!held_count)
		ps_loop_run(loop, PS_RUN_ONCE);
	struct linger linger = { 1, 0 };
	ok(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
	close(fd);
	ok(ps_http_close(server));
	while (ps_loop_run(loop, PS_RUN_NOWAIT))
		;
	assert_int_equal(ps_http_reply(held[0], 200, "text/plain", "x", 1), -EPIPE);
	ok(ps_loop_info(loop, &info));
	assert_int_equal(info.handles, 0);
	ok(ps_loop_close(loop));
}

TEST(a_client_that_half_closes_gets_its_answer)
{
	serve(NULL);
	int fd = client_open();
	say(fd, "GET /hold HTTP/1.1\r\n\r\n");
	shutdown(fd, SHUT_WR);
	while (!held_count)
		ps_loop_run(loop, PS_RUN_ONCE);
	ok(ps_http_reply(held[0], 200, "text/plain", "late", 4));
	assert_true(hear(fd, "late", 1));
	assert_false(hear(fd, "more", 1));
	close(fd);
	finish();
}

static struct ps_http_request *other;

static void answer_other(struct ps_http_request *request, void *arg)
{
	if (!other) {
		other = request;
		return;
	}
	ok(ps_http_reply(request, 200, "text/plain", "second", 6));
	ok(ps_http_reply(other, 200, "text/plain", "first", 5));
}

TEST(a_handler_may_answer_the_request_of_another_connection)
{
	loop = loop_new(NULL);
	ok(ps_http_listen(loop, &server, "127.0.0.1", 0, NULL, answer_other, NULL));
	int a = client_open(), b = client_open();
	say(a, "GET / HTTP/1.1\r\n\r\n");
	while (!other)
		ps_loop_run(loop, PS_RUN_ONCE);
	say(b, "GET / HTTP/1.1\r\n\r\n");
	assert_true(hear(b, "second", 1));
	assert_null(strstr(reply, "first"));
	assert_true(hear(a, "first", 1));
	assert_null(strstr(reply, "second"));
	close(a);
	close(b);
	finish();
}

static void close_server(struct ps_http_request *request, void *arg)
{
	ok(ps_http_reply(request, 200, "text/plain", "bye", 3));
	ok(ps_http_close(server));
}

TEST(a_handler_may_close_its_server)
{
	loop = loop_new(NULL);
	ok(ps_http_listen(loop, &server, "127.0.0.1", 0, NULL, close_server, NULL));
	int a = client_open(), b = client_open();
	say(a, "GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n");
	loop_end(loop);
	close(a);
	close(b);
}

TEST(answers_with_line_breaks_in_the_type_or_impossible_values_are_refused)
{
	serve(NULL);
	int fd = client_open();
	say(fd, "GET /hold HTTP/1.1\r\n\r\n");
	while (!held_count)
		ps_loop_run(loop, PS_RUN_ONCE);
	assert_int_equal(ps_http_reply(held[0], 200, "a\r\nX: y", NULL, 0), -EINVAL);
	assert_int_equal(ps_http_reply(held[0], 99, NULL, NULL, 0), -EINVAL);
	assert_int_equal(ps_http_reply(held[0], 200, NULL, NULL, 5), -EINVAL);
	ok(ps_http_reply(held[0], 204, NULL, NULL, 0));
	assert_true(hear(fd, "204 No Content", 1));
	close(fd);
	finish();
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libFuzzer target: any bytes as what a scraper sends to serve, over a real
 * connection to a real server. Whatever comes, the answer is HTTP or nothing,
 * and the next scraper is served. The first byte says in how many parts it is
 * sent.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "scrape.c" /* the responder; the commands around it are not needed */

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static struct ps_loop *loop;
static struct scrape scrape;

static void start(void)
{
	struct model *model;
	const struct ps_loop_options options = { .size = sizeof(options), .name = "fuzz", .no_recorder = 1 };
	if (model_open(&model, NULL) || ps_loop_open(&loop, &options))
		abort();
	scrape.model = model;
	if (scrape_open(&scrape, loop, "127.0.0.1", 0))
		abort();
}

static int connect_to(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(ps_http_port(scrape.server)),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const struct linger reset = { 1, 0 }; /* no connection is left in TIME_WAIT: there will be very many */
	/* and where the server closes first, one address would not have ports enough */
	static uint32_t turns;
	const struct sockaddr_in from = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK + turns++ % 4096) };
	sigset_t alarm, before; /* the fuzzer's clock, which would throw us out of a connect that has to wait */
	sigemptyset(&alarm);
	sigaddset(&alarm, SIGALRM);
	sigprocmask(SIG_BLOCK, &alarm, &before);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (const struct sockaddr *)&from, sizeof(from)) || connect(fd, (struct sockaddr *)&to, sizeof(to)) || fcntl(fd, F_SETFL, O_NONBLOCK)) {
		perror("fuzz_http: a connection");
		abort();
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	return fd;
}

static void turn(unsigned times)
{
	while (times--)
		ps_loop_run(loop, PS_RUN_NOWAIT);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	char answer[65536];
	if (!loop)
		start();
	if (!size)
		return 0;
	unsigned parts = bytes[0] % 4 + 1;
	int fd = connect_to();
	turn(2);
	for (unsigned i = 0; i < parts; i++) {
		size_t from = 1 + (size - 1) * i / parts, to = 1 + (size - 1) * (i + 1) / parts;
		if (to > from && send(fd, bytes + from, to - from, MSG_NOSIGNAL) < 0)
			break;
		turn(2);
	}
	ssize_t got = recv(fd, answer, sizeof(answer), 0);
	if (got > 0 && (got < 9 || memcmp(answer, "HTTP/1.", 7)))
		abort();
	char text[512];
	size_t room = size - 1 < sizeof(text) - 1 ? size - 1 : sizeof(text) - 1, length = 0;
	for (size_t i = 0; i < room; i++) /* and what a header could hold of it */
		text[length++] = bytes[1 + i] ? (char)bytes[1 + i] : ' ';
	text[length] = 0;
	scrape_wants_openmetrics(text);
	char host[64];
	uint16_t port;
	scrape_address(text, host, &port);
	close(fd);
	turn(3);
	return 0;
}

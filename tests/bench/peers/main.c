/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * B5-B8: the loop against libuv, libev and libevent. The contenders take turns
 * in each round; medians with min and max, and the ratio of medians to ours.
 * JSON on stdout.
 *   loops [ROUNDS [BENCH]]
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "contender.h"

#define MAX_ROUNDS 51

static const struct contender *const contenders[] = {
	&contender_ps, &contender_ps_quiet, &contender_uv, &contender_ev, &contender_event };
#define CONTENDERS ((int)(sizeof(contenders) / sizeof(contenders[0])))

/* ---- the client of the echo: the same for everybody, one blocking thread ---- */

struct client {
	struct sockaddr_in address;
	int connections, rounds;
	double per_second;
};

static void *run_client(void *arg)
{
	struct client *client = arg;
	int *fds = malloc((size_t)client->connections * sizeof(*fds)), one = 1;
	char message[64] = "", back[64];

	for (int i = 0; i < client->connections; i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM, 0);
		setsockopt(fds[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		if (connect(fds[i], (struct sockaddr *)&client->address, sizeof(client->address)))
			abort();
	}
	wait_ms(20);
	double begin = seconds_now();
	for (int round = 0; round < client->rounds; round++) {
		for (int i = 0; i < client->connections; i++)
			if (send(fds[i], message, sizeof(message), 0) != sizeof(message))
				abort();
		for (int i = 0; i < client->connections; i++)
			if (recv(fds[i], back, sizeof(back), MSG_WAITALL) != sizeof(back))
				abort();
	}
	client->per_second = (double)client->rounds * client->connections / (seconds_now() - begin);
	for (int i = 0; i < client->connections; i++)
		close(fds[i]);
	free(fds);
	return NULL;
}

static double echo(const struct contender *contender, int connections, int rounds)
{
	struct client client = { .connections = connections, .rounds = rounds,
				 .address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) } };
	socklen_t bytes = sizeof(client.address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	pthread_t thread;

	if (bind(fd, (struct sockaddr *)&client.address, bytes) || listen(fd, 4096) ||
	    getsockname(fd, (struct sockaddr *)&client.address, &bytes))
		abort();
	pthread_create(&thread, NULL, run_client, &client);
	contender->serve(fd, connections);
	pthread_join(thread, NULL);
	close(fd);
	return client.per_second;
}

/* ---- the benchmarks ---- */

static double run_timers(const struct contender *c) { return c->timers ? c->timers(200000) : 0; }
static double run_pool(const struct contender *c) { return c->pool ? c->pool(50000) : 0; }
static double run_wakes(const struct contender *c) { return c->wakes ? c->wakes(1000000) : 0; }
static double run_bounces(const struct contender *c) { return c->bounces ? c->bounces(10000) : 0; }
static double run_echo_1(const struct contender *c) { return echo(c, 1, 10000); }
static double run_echo_100(const struct contender *c) { return echo(c, 100, 200); }
static double run_echo_1000(const struct contender *c) { return echo(c, 1000, 20); }

static const struct {
	const char *name;
	const char *unit;
	double (*run)(const struct contender *contender);
} benches[] = {
	{ "timers", "starts, stops and fires/s", run_timers },
	{ "pool", "jobs/s", run_pool },
	{ "wakes", "sends/s", run_wakes },
	{ "bounces", "round trips/s between two threads", run_bounces },
	{ "echo_1", "messages/s", run_echo_1 },
	{ "echo_100", "messages/s", run_echo_100 },
	{ "echo_1000", "messages/s", run_echo_1000 },
};
#define BENCHES ((int)(sizeof(benches) / sizeof(benches[0])))

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void print_bench(int bench, double values[CONTENDERS][MAX_ROUNDS], int rounds, int is_first)
{
	double ours = 0;

	printf("%s  {\"bench\": \"%s\", \"unit\": \"%s\", \"results\": [\n", is_first ? "" : ",\n", benches[bench].name, benches[bench].unit);
	for (int c = 0; c < CONTENDERS; c++) {
		qsort(values[c], (size_t)rounds, sizeof(double), by_value);
		double median = values[c][rounds / 2];
		ours = c ? ours : median;
		if (median > 0)
			printf("%s    {\"name\": \"%s\", \"min\": %.0f, \"median\": %.0f, \"max\": %.0f, \"ours_to_it\": %.2f}",
			       c ? ",\n" : "", contenders[c]->name, values[c][0], median, values[c][rounds - 1],
			       ours / median);
	}
	printf("\n  ]}");
	fflush(stdout);
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 8;
	const char *only = argc > 2 ? argv[2] : NULL;
	double values[CONTENDERS][MAX_ROUNDS];
	struct rlimit limit;

	if (rounds < 1 || rounds > MAX_ROUNDS)
		return 2;
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	printf("{ \"bench\": \"loops\", \"rounds\": %d, \"benches\": [\n", rounds);
	for (int bench = 0; bench < BENCHES; bench++) {
		if (only && strcmp(only, benches[bench].name) != 0)
			continue;
		for (int round = 0; round < rounds; round++)
			for (int c = 0; c < CONTENDERS; c++)
				values[c][round] = benches[bench].run(contenders[c]);
		print_bench(bench, values, rounds, only || !bench);
	}
	puts("\n] }");
	return 0;
}

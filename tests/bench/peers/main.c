/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * B5-B8: the loop against libuv, libev and libevent, and against the same HTTP
 * handler with a thread per connection. The contenders take turns in each
 * round, every other round the other way about, each in a process of its own;
 * a ratio is ours to theirs of the same round. Medians with the least and the
 * most.
 *   loops [--json] [--rounds N] [BENCH…]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "client.h"
#include "contender.h"
#include "ps_loop.h"
#include "versions.h"

#define MAX_ROUNDS 51
#define REPEATS 7

static const struct contender *const contenders[] = { &contender_ps,	&contender_uv,	    &contender_ev,
						      &contender_event, &contender_threads, &contender_ps_quiet };
#define CONTENDERS ((int)(sizeof(contenders) / sizeof(contenders[0])))

enum what { TIMERS, POOL, WAKES, BOUNCES, ECHO, UNIX_ECHO, HTTP, ACCEPTS };

static const struct bench {
	const char *name, *unit;
	enum what what;
	int n; /* operations, threads of the pool, or connections */
	int messages; /* of each connection */
} benches[] = {
	{ "timers", "starts, stops and fires/s", TIMERS, 200000, 0 },
	{ "pool_1", "jobs/s, 1 thread", POOL, 1, 0 },
	{ "pool_4", "jobs/s, 4 threads", POOL, 4, 0 },
	{ "pool_16", "jobs/s, 16 threads", POOL, 16, 0 },
	{ "pool_64", "jobs/s, 64 threads", POOL, 64, 0 },
	{ "wakes", "sends/s to another thread", WAKES, 1000000, 0 },
	{ "bounces", "round trips/s between two threads", BOUNCES, 10000, 0 },
	{ "echo_1", "TCP messages/s, 1 connection", ECHO, 1, 10000 },
	{ "echo_100", "TCP messages/s, 100 connections", ECHO, 100, 200 },
	{ "echo_10k", "TCP messages/s, 10,000 connections", ECHO, 10000, 3 },
	{ "unix_1", "Unix socket messages/s, 1 connection", UNIX_ECHO, 1, 10000 },
	{ "http_1", "requests/s, 1 connection", HTTP, 1, 10000 },
	{ "http_10", "requests/s, 10 connections", HTTP, 10, 1500 },
	{ "http_100", "requests/s, 100 connections", HTTP, 100, 200 },
	{ "http_1k", "requests/s, 1,000 connections", HTTP, 1000, 20 },
	{ "http_10k", "requests/s, 10,000 connections", HTTP, 10000, 3 },
	{ "accepts", "TCP connections opened and closed/s", ACCEPTS, 4000, 0 },
};
#define BENCHES ((int)(sizeof(benches) / sizeof(benches[0])))

static int has(const struct contender *c, const struct bench *bench)
{
	switch (bench->what) {
	case TIMERS:
		return c->timers != NULL;
	case POOL:
		return c->pool != NULL;
	case WAKES:
		return c->wakes != NULL;
	case BOUNCES:
		return c->bounces != NULL;
	case HTTP:
		return c->http != NULL;
	default:
		return c->echo != NULL;
	}
}

static int is_connected(const struct bench *bench)
{
	return bench->what == ECHO || bench->what == UNIX_ECHO || bench->what == HTTP;
}

/* ---- figures ---- */

struct figures {
	double least, median, most;
};

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static struct figures figures_of(const double *values, int count)
{
	double sorted[MAX_ROUNDS];

	memcpy(sorted, values, (size_t)count * sizeof(*values));
	qsort(sorted, (size_t)count, sizeof(double), by_value);
	return (struct figures){ sorted[0], (sorted[(count - 1) / 2] + sorted[count / 2]) / 2, sorted[count - 1] };
}

/* ---- what needs no client: a child does it and says how fast ---- */

static double run_once(const struct contender *c, const struct bench *bench)
{
	switch (bench->what) {
	case TIMERS:
		return c->timers(bench->n);
	case POOL:
		return c->pool(50000);
	case WAKES:
		return c->wakes(bench->n);
	default:
		return c->bounces(bench->n);
	}
}

/* The median of REPEATS, after one that starts threads and warms the memory: each takes some milliseconds. */
static double run_alone(const struct contender *c, const struct bench *bench)
{
	double values[REPEATS];
	char threads[16];

	snprintf(threads, sizeof(threads), "%d", bench->n);
	setenv("PS_THREADPOOL_SIZE", threads, 1);
	setenv("UV_THREADPOOL_SIZE", threads, 1);
	run_once(c, bench);
	for (int i = 0; i < REPEATS; i++)
		values[i] = run_once(c, bench);
	return figures_of(values, REPEATS).median;
}

static struct result measure_alone(const struct contender *c, const struct bench *bench)
{
	struct result result = { 0 };
	int pair[2];

	if (pipe(pair))
		abort();
	pid_t child = fork();
	if (!child) {
		double value = run_alone(c, bench);
		_exit(write(pair[1], &value, sizeof(value)) != sizeof(value));
	}
	close(pair[1]);
	if (read(pair[0], &result.per_second, sizeof(double)) != sizeof(double))
		abort();
	close(pair[0]);
	server_reap(child);
	return result;
}

static struct result measure(const struct contender *c, const struct bench *bench)
{
	switch (bench->what) {
	case ECHO:
		return client_talk(c, NULL, 0, bench->n, bench->messages);
	case UNIX_ECHO:
		return client_talk(c, "/tmp/pollscope-bench", 0, bench->n, bench->messages);
	case HTTP:
		return client_talk(c, NULL, 1, bench->n, bench->messages);
	case ACCEPTS:
		return client_accepts(c, bench->n);
	default:
		return measure_alone(c, bench);
	}
}

struct row {
	struct figures speed, ratio; /* ratio: ours to it */
	struct figures cpu; /* of the server, ns for each message; 0 = not measured */
	double bytes; /* per idle connection; 0 = not measured */
	int threads;
};

static void run_bench(const struct bench *bench, int rounds, struct row rows[])
{
	static struct result results[CONTENDERS][MAX_ROUNDS];
	double values[MAX_ROUNDS], bytes[MAX_ROUNDS];

	for (int round = 0; round < rounds; round++) {
		for (int i = 0; i < CONTENDERS; i++) {
			int c = round % 2 ? CONTENDERS - 1 - i : i;
			if (has(contenders[c], bench))
				results[c][round] = measure(contenders[c], bench);
		}
	}
	for (int c = 0; c < CONTENDERS; c++) {
		rows[c] = (struct row){ 0 };
		if (!has(contenders[c], bench))
			continue;
		for (int round = 0; round < rounds; round++)
			values[round] = results[c][round].per_second;
		rows[c].speed = figures_of(values, rounds);
		for (int round = 0; round < rounds; round++) {
			values[round] = results[0][round].per_second / results[c][round].per_second;
			bytes[round] = results[c][round].connection_bytes;
			if (results[c][round].threads > rows[c].threads)
				rows[c].threads = results[c][round].threads;
		}
		rows[c].ratio = figures_of(values, rounds);
		for (int round = 0; round < rounds; round++)
			values[round] = results[c][round].cpu_ns;
		rows[c].cpu = figures_of(values, rounds);
		rows[c].bytes = figures_of(bytes, rounds).median;
	}
}

/* ---- output ---- */

static void machine(char *out, size_t room)
{
	char line[256], model[128] = "unknown processor";
	struct utsname name;
	FILE *file = fopen("/proc/cpuinfo", "r");

	uname(&name);
	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, "model name", 10) && sscanf(line, "%*[^:]: %127[^\n]", model) == 1)
			break;
	if (file)
		fclose(file);
	snprintf(out, room, "%ld x %s, %s %s; libuv %s, libev %s, libevent %s", sysconf(_SC_NPROCESSORS_ONLN), model,
		 name.sysname, name.release, version_uv(), version_ev(), version_event());
}

static const char *scaled(double value)
{
	static char text[4][16];
	static int at;
	char *out = text[at++ & 3];

	if (value >= 1e6)
		snprintf(out, 16, "%.*fM", value < 1e7 ? 2 : value < 1e8 ? 1 : 0, value / 1e6);
	else
		snprintf(out, 16, value < 1e4 ? "%.0f" : "%.1fk", value < 1e4 ? value : value / 1e3);
	return out;
}

static void print_text(const struct bench *bench, const struct row rows[])
{
	printf("%-38s", bench->unit);
	for (int c = 0; c < CONTENDERS; c++) {
		const struct row *row = &rows[c];
		if (!row->speed.median)
			continue;
		if (c)
			printf("\n  ours to %-28s", contenders[c]->name);
		if (c)
			printf("%6.2f  %6.2f  %6.2f   it %8s", row->ratio.least, row->ratio.median, row->ratio.most,
			       scaled(row->speed.median));
		else
			printf("%6s  %6s  %6s", scaled(row->speed.least), scaled(row->speed.median),
			       scaled(row->speed.most));
		if (row->threads)
			printf("  %5.1f us of CPU each, %5.0f bytes/connection, %d threads", row->cpu.median / 1e3,
			       row->bytes, row->threads);
	}
	puts("");
	fflush(stdout);
}

static void print_json(const struct bench *bench, const struct row rows[], int is_first)
{
	printf("%s  {\"bench\": \"%s\", \"unit\": \"%s\", \"results\": [", is_first ? "" : ",\n", bench->name,
	       bench->unit);
	for (int c = 0; c < CONTENDERS; c++) {
		const struct row *row = &rows[c];
		if (!row->speed.median)
			continue;
		printf("%s\n    {\"name\": \"%s\", \"min\": %.0f, \"median\": %.0f, \"max\": %.0f, "
		       "\"ours_to_it\": {\"min\": %.3f, \"median\": %.3f, \"max\": %.3f}",
		       c ? "," : "", contenders[c]->name, row->speed.least, row->speed.median, row->speed.most,
		       row->ratio.least, row->ratio.median, row->ratio.most);
		if (row->threads)
			printf(", \"cpu_ns\": {\"min\": %.0f, \"median\": %.0f, \"max\": %.0f}, "
			       "\"bytes_per_connection\": %.0f, "
			       "\"threads\": %d",
			       row->cpu.least, row->cpu.median, row->cpu.most, row->bytes, row->threads);
		putchar('}');
	}
	printf("\n  ]}");
	fflush(stdout);
}

static int is_wanted(const struct bench *bench, char **names, int count)
{
	for (int i = 0; i < count; i++)
		if (!strncmp(bench->name, names[i], strlen(names[i])))
			return 1;
	return !count;
}

static int raise_limit(void)
{
	struct rlimit limit = { 40000, 40000 };

	if (setrlimit(RLIMIT_NOFILE, &limit)) {
		getrlimit(RLIMIT_NOFILE, &limit);
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	return (int)limit.rlim_cur;
}

int main(int argc, char **argv)
{
	int rounds = 8, json = 0, at = 1, is_first = 1, files = raise_limit();
	struct row rows[CONTENDERS];
	char where[512];

	for (; at < argc && argv[at][0] == '-'; at++) {
		if (!strcmp(argv[at], "--json"))
			json = 1;
		else if (!strcmp(argv[at], "--rounds") && at + 1 < argc)
			rounds = atoi(argv[++at]);
	}
	if (rounds < 1 || rounds > MAX_ROUNDS)
		return 2;
	machine(where, sizeof(where));
	if (json)
		printf("{ \"bench\": \"loops\", \"machine\": \"%s\", \"rounds\": %d, \"benches\": [\n", where, rounds);
	else
		printf("%s\n%d rounds in turns%38s   min  median     max\n", where, rounds, "");
	for (int i = 0; i < BENCHES; i++) {
		if (!is_wanted(&benches[i], argv + at, argc - at) ||
		    (is_connected(&benches[i]) && benches[i].n + 100 > files))
			continue;
		run_bench(&benches[i], rounds, rows);
		if (json)
			print_json(&benches[i], rows, is_first);
		else
			print_text(&benches[i], rows);
		is_first = 0;
	}
	if (json)
		puts("\n] }");
	return 0;
}

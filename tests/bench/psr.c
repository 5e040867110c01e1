/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The recording's speed and size: events/s written and read, bytes per event.
 * Synthetic traffic like that of saturated servers: a few loops that poll,
 * return and work a while, with the scheduler's sums; and, as a second case,
 * an instrumented loop's full stream. JSON on stdout; needs no privileges.
 *
 *   build/tests/bench/psr [EVENTS [ROUNDS]]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "psr.h"

#define LOOPS 4

struct feed {
	uint64_t ts, seed;
	uint64_t entered[LOOPS], returned[LOOPS];
	uint32_t work;
	int full;
};

static uint64_t draw(struct feed *feed, uint64_t below)
{
	feed->seed ^= feed->seed << 13;
	feed->seed ^= feed->seed >> 7;
	feed->seed ^= feed->seed << 17;
	return feed->seed % below;
}

static uint64_t pass(struct feed *feed, uint64_t ns)
{
	return feed->ts += ns / 2 + draw(feed, ns);
}

static void emit(struct psr_writer *writer, void *event, struct feed *feed, unsigned loop, unsigned type, size_t size)
{
	struct ps_record *record = event;
	*record = (struct ps_record){ feed->ts, 4000 + loop, (uint16_t)type, (uint16_t)size };
	if (psr_writer_add(writer, record))
		abort();
}
#define EMIT(event, type) emit(writer, &(event), feed, loop, type, sizeof(event))

/* One iteration of one loop. */
static void iterate(struct psr_writer *writer, struct feed *feed)
{
	unsigned loop = (unsigned)draw(feed, LOOPS);
	uint32_t ready = 1 + (uint32_t)draw(feed, 3);
	pass(feed, 8000);
	struct ps_ev_poll_return back = { .poller_fd = 13, .ready = (int)ready, .entered_ns = feed->entered[loop], .backend = PS_BACKEND_EPOLL };
	EMIT(back, PS_EV_POLL_RETURN);
	feed->returned[loop] = feed->ts;
	for (uint32_t i = 0; feed->full && i < ready; i++) {
		struct ps_ev_callback_begin begin = { .fn = 0x55550000 + 64 * draw(feed, 6), .handle = 3 + (uint32_t)draw(feed, 40),
			.fd = 20 + (int)draw(feed, 40), .kind = PS_KIND_TCP, .generation = 1 };
		struct ps_ev_callback_end end = { .handle = begin.handle };
		pass(feed, 300);
		EMIT(begin, PS_EV_CALLBACK_BEGIN);
		pass(feed, 6000);
		EMIT(end, PS_EV_CALLBACK_END);
	}
	pass(feed, 20000);
	uint64_t busy = feed->ts - feed->returned[loop], runnable = draw(feed, 4) ? 0 : draw(feed, 3000);
	struct ps_ev_poll_enter wait = { .poller_fd = 13, .backend = PS_BACKEND_EPOLL,
		.timeout_ns = 1000000 * (int64_t)(1 + draw(feed, 30)),
		.busy_since_ns = feed->returned[loop], .on_cpu_ns = busy - runnable, .runnable_ns = runnable, .blocked_ns = 0 };
	EMIT(wait, PS_EV_POLL_ENTER);
	feed->entered[loop] = feed->ts;
}

static double seconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static uint64_t write_file(int fd, uint64_t events, int full, double *took)
{
	struct feed feed = { .ts = 1000000000000, .seed = 88172645463325252ull, .full = full };
	struct psr_info info = { .version = PS_EVENT_VERSION, .tool = "bench" };
	struct psr_writer *writer;
	double start = seconds();
	if (ftruncate(fd, 0) || lseek(fd, 0, SEEK_SET) || psr_writer_open(&writer, fd, &info))
		abort();
	while (psr_writer_events(writer) < events)
		iterate(writer, &feed);
	uint64_t wrote = psr_writer_events(writer);
	if (psr_writer_close(writer))
		abort();
	*took = seconds() - start;
	return wrote;
}

static uint64_t read_file(int fd, double *took)
{
	struct psr_reader *reader;
	const struct ps_record *record;
	uint64_t events = 0;
	double start = seconds();
	if (lseek(fd, 0, SEEK_SET) || psr_reader_open(&reader, fd))
		abort();
	while (psr_reader_next(reader, &record) > 0)
		events++;
	psr_reader_close(reader);
	*took = seconds() - start;
	return events;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return x < y ? -1 : x > y;
}

static void measure(const char *name, uint64_t events, unsigned rounds, int full)
{
	double writes[64], reads[64];
	uint64_t wrote = 0;
	int fd = memfd_create("psr", MFD_CLOEXEC);
	for (unsigned i = 0; i < rounds; i++) {
		double took = 0;
		wrote = write_file(fd, events, full, &took);
		writes[i] = (double)wrote / took;
		if (read_file(fd, &took) != wrote)
			abort();
		reads[i] = (double)wrote / took;
	}
	qsort(writes, rounds, sizeof(writes[0]), by_size);
	qsort(reads, rounds, sizeof(reads[0]), by_size);
	printf("  \"%s\": {\"events\": %llu, \"rounds\": %u, \"bytes_per_event\": %.2f,\n", name, (unsigned long long)wrote,
	       rounds, (double)lseek(fd, 0, SEEK_END) / (double)wrote);
	printf("    \"write_events_per_s\": {\"median\": %.0f, \"min\": %.0f, \"max\": %.0f},\n", writes[rounds / 2], writes[0],
	       writes[rounds - 1]);
	printf("    \"read_events_per_s\": {\"median\": %.0f, \"min\": %.0f, \"max\": %.0f}}%s\n", reads[rounds / 2], reads[0],
	       reads[rounds - 1], full ? "" : ",");
	close(fd);
}

int main(int argc, char **argv)
{
	uint64_t events = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000;
	unsigned rounds = argc > 2 ? (unsigned)atoi(argv[2]) : 8;
	rounds = rounds < 1 ? 1 : rounds > 64 ? 64 : rounds;
	printf("{\n");
	measure("polls", events, rounds, 0);
	measure("instrumented", events, rounds, 1);
	printf("}\n");
	return 0;
}

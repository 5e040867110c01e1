/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Makes a recording of any length for the benchmarks: an instrumented server
 * whose loop turns at a steady rate, with a stall of 120 ms each minute and a
 * pool that works. Four events a turn; nothing is random, so the same arguments
 * give the same events.
 *
 *   build/tests/bench/make_recording FILE.psr SECONDS EVENTS_PER_SECOND [FILE2.psr]
 *
 * With FILE2 the second half goes there, as by rotation. The golden files of
 * tests/data/psr are made so (20 seconds, 100 events a second); each stays when
 * the format moves on, and another joins it.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "psr.h"

#define SECOND 1000000000ull
#define PID 4000u
#define FD 13

static struct psr_writer *writer;
static uint64_t ts = 1000 * SECOND;

static void put(void *event, unsigned number, size_t size, uint32_t tid)
{
	struct ps_record *record = event;
	*record = (struct ps_record){ ts, tid, (uint16_t)number, (uint16_t)size };
	if (psr_writer_add(writer, record))
		abort();
}
#define PUT(number, tid, type, ...)                                                                                    \
	do {                                                                                                           \
		struct type event = { __VA_ARGS__ };                                                                   \
		put(&event, PS_EV_##number, sizeof(event), tid);                                                       \
	} while (0)

static void put_string(uint32_t id, const char *text)
{
	uint64_t room[16] = { 0 };
	size_t bytes = strlen(text);
	((struct ps_ev_string *)room)->id = id;
	((struct ps_ev_string *)room)->len = (uint32_t)bytes;
	memcpy((struct ps_ev_string *)room + 1, text, bytes);
	put(room, PS_EV_STRING, sizeof(struct ps_ev_string) + ((bytes + 7) & ~(size_t)7), 0);
}

static void define(void)
{
	static const char *const names[] = { "api",	"node api.js", "/usr/bin/node", "node",
					     "20.20.2", "handle",      "worker" };
	for (uint32_t i = 0; i < 7; i++)
		put_string(i + 1, names[i]);
	PUT(FRAME, 0, ps_ev_frame, .id = 1, .name = 6, .kind = PS_FRAME_NATIVE);
	PUT(PROCESS, 0, ps_ev_process, .pid = PID, .comm = 1, .cmdline = 2, .exe = 3, .runtime = 4, .version = 5);
	PUT(SYMBOL, 0, ps_ev_symbol, .pid = PID, .frame = 1, .address = 0x5555);
	PUT(THREAD, PID, ps_ev_thread, .pid = PID, .name = 1, .role = PS_ROLE_LOOP);
	for (uint32_t i = 1; i <= 4; i++)
		PUT(THREAD, PID + i, ps_ev_thread, .pid = PID, .name = 7, .role = PS_ROLE_WORKER);
	PUT(PROBE, 0, ps_ev_probe, .group = PS_PROBE_RING, .state = PS_PROBE_STATE_ON, .hits = PS_UNKNOWN,
	    .cost_ns = PS_UNKNOWN);
	PUT(LOOP, PID, ps_ev_loop, .pid = PID, .poller_fd = FD, .backend = PS_BACKEND_EPOLL,
	    .flags = PS_LOOP_RING | PS_LOOP_CALLBACKS);
}

/* A turn of the loop takes `period`; half of it is waited, unless it stalls. */
static void turn(uint64_t number, uint64_t period, int stalls)
{
	static uint64_t entered, job;
	uint64_t begin = ts, busy = stalls ? 120000000 : period / 2;
	PUT(POLL_RETURN, PID, ps_ev_poll_return, .poller_fd = FD, .ready = 1, .entered_ns = entered,
	    .backend = PS_BACKEND_EPOLL);
	ts += 300;
	PUT(CALLBACK_BEGIN, PID, ps_ev_callback_begin, .fn = 0x5555, .handle = (uint32_t)(3 + number % 40),
	    .fd = (int)(20 + number % 40), .kind = PS_KIND_TCP, .generation = 1);
	ts = begin + busy - 300;
	PUT(CALLBACK_END, PID, ps_ev_callback_end, .handle = (uint32_t)(3 + number % 40));
	if (number % 16 == 0) { /* a job of the pool, queued and run in the meantime */
		uint64_t submitted = ts;
		uint32_t worker = PID + 1 + (uint32_t)(job++ % 4);
		PUT(WORK_SUBMITTED, PID, ps_ev_work, .work = job, .pid = PID, .kind = PS_WORK_FS);
		ts += 50;
		PUT(WORK_STARTED, worker, ps_ev_work, .work = job, .since_ns = submitted, .pid = PID,
		    .kind = PS_WORK_FS);
		ts += 50;
		PUT(WORK_FINISHED, worker, ps_ev_work, .work = job, .since_ns = ts - 50, .pid = PID,
		    .kind = PS_WORK_FS);
	}
	ts = begin + busy;
	PUT(POLL_ENTER, PID, ps_ev_poll_enter, .poller_fd = FD, .backend = PS_BACKEND_EPOLL, .timeout_ns = 1000000,
	    .busy_since_ns = begin, .on_cpu_ns = busy, .runnable_ns = 0, .blocked_ns = 0);
	entered = ts;
	ts += period - period / 2;
}

/* Formats before 1.1 know no second file: -DNO_ROTATION makes their golden files with their own sources. */
static int go_on(int fd, const struct psr_info *info)
{
#ifdef NO_ROTATION
	return -1;
#else
	return psr_writer_next(writer, fd, info);
#endif
}

int main(int argc, char **argv)
{
	struct psr_info info = { .version = PS_EVENT_VERSION,
				 .monotonic_ns = ts,
				 .realtime_ns = 1700000000 * SECOND,
				 .boottime_ns = ts,
				 .tool = "make_recording",
				 .stall_ns = 50000000 };
	if (argc != 4 && argc != 5)
		return fprintf(stderr, "usage: make_recording FILE.psr SECONDS EVENTS_PER_SECOND [FILE2.psr]\n"), 2;
	uint64_t seconds = strtoull(argv[2], NULL, 10), rate = strtoull(argv[3], NULL, 10), end = ts + seconds * SECOND;
	int fd = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || !rate || psr_writer_open(&writer, fd, &info))
		return perror(argv[1]), 1;
	define();
	uint64_t clock = 0, minute = ts / (60 * SECOND);
	for (uint64_t number = 0; ts < end; number++) {
		if (argc == 5 && ts >= end - seconds * SECOND / 2) {
			argc = 4;
			fd = open(argv[4], O_WRONLY | O_CREAT | O_TRUNC, 0600);
			if (fd < 0 || go_on(fd, &info))
				return perror(argv[4]), 1;
		}
		int stalls = ts / (60 * SECOND) != minute;
		minute = ts / (60 * SECOND);
		turn(number, 4 * SECOND / rate, stalls);
		if (ts - clock >= SECOND / 20)
			PUT(CLOCK, 0, ps_ev_clock, .realtime_ns = info.realtime_ns - info.monotonic_ns + ts,
			    .boottime_ns = clock = ts);
	}
	uint64_t events = psr_writer_events(writer);
	if (psr_writer_close(writer))
		return perror(argv[1]), 1;
	printf("%llu\n", (unsigned long long)events);
	return 0;
}

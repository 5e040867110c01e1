/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How fast the model takes events: a stream as an instrumented server sends it
 * (waits, ready descriptors, callbacks, timers, jobs), applied again and again
 * with times moved on. Prints JSON; the aim is 5M events/s on one core.
 *   model [millions of events]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "model.h"

#define FDS   1000
#define LOOPS 4

static _Alignas(8) char stream[1 << 20];
static size_t used;

static void put(void *record)
{
	const struct ps_record *head = record;
	memcpy(stream + used, record, head->size);
	used += head->size;
}

#define PUT(event_, type_, ts_, tid_, ...)                                                                   \
	do {                                                                                                  \
		struct type_ e_ = { .h = { (ts_), (tid_), PS_EV_##event_, sizeof(struct type_) }, __VA_ARGS__ }; \
		put(&e_);                                                                                     \
	} while (0)

/* one millisecond of a loop: wait, 8 callbacks on descriptors, a timer, a job */
static void turn(uint32_t tid, uint64_t ts, unsigned round)
{
	PUT(POLL_RETURN, ps_ev_poll_return, ts, tid, .poller_fd = 5, .ready = 8, .entered_ns = ts - 500000);
	PUT(PHASE, ps_ev_phase, ts, tid, .phase = PS_PHASE_POLL);
	for (unsigned i = 0; i < 8; i++) {
		int fd = (int)(10 + (round * 8 + i) % FDS);
		PUT(FD_READY, ps_ev_fd_ready, ts, tid, .poller_fd = 5, .fd = fd, .events = 1);
		PUT(CALLBACK_BEGIN, ps_ev_callback_begin, ts + i * 1000, tid, .fn = 0x4000 + i, .fd = fd, .kind = PS_KIND_TCP);
		PUT(FD_IO, ps_ev_fd_io, ts + i * 1000 + 300, tid, .fd = fd, .read_bytes = 100, .written_bytes = 200);
		PUT(CALLBACK_END, ps_ev_callback_end, ts + i * 1000 + 700, tid, .handle = 1);
	}
	PUT(WORK_SUBMITTED, ps_ev_work, ts + 9000, tid, .work = round, .pid = 1, .kind = PS_WORK_FS);
	PUT(WORK_STARTED, ps_ev_work, ts + 9500, tid + 100, .work = round, .pid = 1, .kind = PS_WORK_FS, .since_ns = ts + 9000);
	PUT(WORK_FINISHED, ps_ev_work, ts + 9900, tid + 100, .work = round, .pid = 1, .kind = PS_WORK_FS, .since_ns = ts + 9500);
	PUT(ITERATION, ps_ev_iteration, ts + 10000, tid, .number = round);
	PUT(PHASE, ps_ev_phase, ts + 10000, tid, .phase = PS_PHASE_TIMERS);
	PUT(TIMER_FIRED, ps_ev_timer, ts + 10100, tid, .due_ns = ts + 10000, .fn = 0x5000, .handle = 7, .repeat_ns = 1000000);
	PUT(POLL_ENTER, ps_ev_poll_enter, ts + 11000, tid, .poller_fd = 5, .timeout_ns = -1, .busy_since_ns = ts,
	    .on_cpu_ns = 11000, .runnable_ns = 0, .blocked_ns = 0);
}

static double seconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	double wanted = (argc > 1 ? atof(argv[1]) : 10) * 1e6;
	struct model *model;
	if (model_open(&model, NULL))
		return 7;
	unsigned rounds = 0;
	uint64_t span = 0, first = 1000000000;
	for (; used < sizeof(stream) - 16384; rounds++)
		for (uint32_t loop = 0; loop < LOOPS; loop++)
			turn(10 + loop, first + rounds * 1000000ull + loop * 1000, rounds);
	span = rounds * 1000000ull;
	double start = seconds();
	while ((double)model->events < wanted) {
		for (size_t at = 0; at < used;) {
			struct ps_record *record = (struct ps_record *)(stream + at);
			size_t size = record->size;
			if (model_apply(model, record, size))
				return 7;
			record->ts += span;
			at += size;
		}
		/* the times that are carried move on too slowly to matter: they are clamped as any foreign value */
	}
	double took = seconds() - start;
	printf("{\"bench\": \"model\", \"events\": %llu, \"seconds\": %.3f, \"events_per_s\": %.0f, \"fds\": %zu, \"malformed\": %llu}\n",
	       (unsigned long long)model->events, took, (double)model->events / took, model->loops[0]->fd_count,
	       (unsigned long long)model->malformed);
	model_close(model);
	return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What drawing costs: 64 loops with 10,000 descriptors and 1,024 threads, every
 * screen at 120x36, figures changing between the pictures. Told is the share of
 * a core at four pictures a second, and the longest picture.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "model.h"
#include "screen.h"
#include "tui.h"

#define LOOPS 64
#define THREADS 1024
#define PICTURES 20
#define MS 1000000ull

static uint64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 * MS + (uint64_t)now.tv_nsec;
}

#define APPLY(EVENT, type, at, thread, ...)                                                          \
	do {                                                                                         \
		struct type record = { .h = { at, thread, PS_EV_##EVENT, sizeof(record) }, __VA_ARGS__ }; \
		if (model_apply(model, &record.h, sizeof(record)))                                   \
			exit(1);                                                                     \
	} while (0)

/* most of them in one loop: the one that is looked at */
static int32_t fds_of(uint32_t loop)
{
	return loop ? 16 : 9000;
}

static void second(struct model *model, uint64_t at)
{
	for (uint32_t loop = 0; loop < LOOPS; loop++) {
		uint32_t tid = 1000 + loop;
		APPLY(POLL_RETURN, ps_ev_poll_return, at, tid, .poller_fd = 5, .ready = fds_of(loop), .entered_ns = at - 50 * MS);
		for (int32_t fd = 10; fd < 10 + fds_of(loop); fd++) {
			APPLY(FD_READY, ps_ev_fd_ready, at, tid, .poller_fd = 5, .fd = fd, .ready_ns = at - (uint64_t)fd * 1000);
			APPLY(CALLBACK_BEGIN, ps_ev_callback_begin, at + 1000, tid, .fd = fd, .fn = 0x1000 + (uint64_t)fd % 9, .kind = PS_KIND_TCP);
			APPLY(FD_IO, ps_ev_fd_io, at + 2000, tid, .fd = fd, .read_bytes = 100, .written_bytes = 20);
		}
		APPLY(POLL_ENTER, ps_ev_poll_enter, at + (loop ? 4 : 80) * MS, tid, .poller_fd = 5, .timeout_ns = -1, .busy_since_ns = at,
		      .on_cpu_ns = MS, .runnable_ns = 0, .blocked_ns = 0);
	}
	APPLY(CLOCK, ps_ev_clock, at + 200 * MS, 0, .realtime_ns = at + 1700000000ull * 1000 * MS);
}

static struct model *make_model(uint64_t at)
{
	struct model *model;
	if (model_open(&model, NULL))
		exit(1);
	APPLY(PROCESS, ps_ev_process, at, 0, .pid = 100, .start_ns = 1);
	for (uint32_t loop = 0; loop < LOOPS; loop++) {
		APPLY(LOOP, ps_ev_loop, at, 1000 + loop, .pid = 100, .poller_fd = 5, .backend = PS_BACKEND_EPOLL,
		      .flags = PS_LOOP_CALLBACKS | PS_LOOP_RING);
		for (int32_t fd = 10; fd < 10 + fds_of(loop); fd++)
			APPLY(FD_INTEREST, ps_ev_fd_interest, at, 1000 + loop, .poller_fd = 5, .fd = fd, .events = 1,
			      .op = PS_INTEREST_ADD, .kind = PS_KIND_TCP);
	}
	for (uint32_t thread = 0; thread < THREADS; thread++) {
		APPLY(THREAD, ps_ev_thread, at, 5000 + thread, .pid = 100, .role = PS_ROLE_WORKER);
		APPLY(WORK_STARTED, ps_ev_work, at, 5000 + thread, .work = thread, .pid = 100, .kind = PS_WORK_FS, .since_ns = at);
		if (thread % 2)
			APPLY(WORK_FINISHED, ps_ev_work, at + MS, 5000 + thread, .work = thread, .pid = 100, .kind = PS_WORK_FS, .since_ns = at);
	}
	return model;
}

int main(void)
{
	struct tui_options options = { .stall_ns = 50 * MS };
	struct tui_status status = { .mode = "LIVE" };
	struct grid grid;
	struct tui *tui;
	uint64_t at = 100000 * MS, worst = 0, sum = 0;
	unsigned count = 0, fds = 0;
	struct model *model = make_model(at);
	if (tui_open(&tui, &options) || grid_open(&grid, 120, 36))
		return 1;
	for (size_t i = 0; i < model->loop_count; i++)
		fds += (unsigned)model->loops[i]->fd_count;
	printf("dashboard: %zu loops, %u descriptors, %zu threads\n", model->loop_count, fds, model->thread_count);
	for (char digit = '1'; digit <= '9'; digit++) {
		uint64_t screen_worst = 0, screen_sum = 0;
		tui_key(tui, model, &status, digit);
		for (int i = 0; i < PICTURES; i++) {
			second(model, at += 1000 * MS);
			uint64_t begin = now_ns();
			tui_draw(tui, model, &status, &grid);
			uint64_t took = now_ns() - begin;
			screen_sum += took;
			screen_worst = took > screen_worst ? took : screen_worst;
		}
		printf("  screen %c: %6.2f ms a picture, worst %6.2f ms, %5.2f %% of a core at 4 Hz\n", digit,
		       (double)screen_sum / PICTURES / MS, (double)screen_worst / MS, (double)screen_sum / PICTURES / MS * 4 / 10);
		sum += screen_sum;
		count += PICTURES;
		worst = screen_worst > worst ? screen_worst : worst;
	}
	double share = (double)sum / count / MS * 4 / 10;
	printf("  all: %.2f %% of a core at 4 Hz (wanted: 5 %%), worst picture %.2f ms\n", share, (double)worst / MS);
	grid_close(&grid);
	tui_close(tui);
	model_close(model);
	return share > 5;
}

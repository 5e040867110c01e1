/* SPDX-License-Identifier: BSD-2-Clause */
/* The dashboard without a target: its list is looked up anew every two seconds. */
#include "picker.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attach.h"
#include "dashboard.h"
#include "fault.h"
#include "schema.h"

#define LOOK_NS 2000000000ull

struct picker {
	struct ps_loop *loop;
	struct ps_timer *timer;
	struct ps_signal *signals[3];
	struct dashboard dashboard;
	struct model *empty;
	const struct model *model;
	struct loop_found *found;
	struct tui_target *targets;
	pid_t chosen;
};

static void stop(void *arg)
{
	struct picker *picker = arg;
	ps_loop_stop(picker->loop);
}

static void on_signal(struct ps_signal *handle, int number, void *arg)
{
	stop(arg);
}

static void pick(void *arg, uint32_t pid)
{
	struct picker *picker = arg;
	picker->chosen = (pid_t)pid;
	stop(arg);
}

/* the rows point into `found`, so both change together */
static void look(void *arg)
{
	struct picker *picker = arg;
	struct loop_found *found = NULL;
	int count = attach_find_loops(&found, 0);
	size_t shown = 0;
	struct tui_target *targets = count >= 0 ? calloc((size_t)count + 1, sizeof(*targets)) : NULL;
	if (!targets) {
		free(found);
		return;
	}
	for (int i = 0; i < count; i++) {
		const struct loop_found *row = &found[i];
		if (row->pid == getpid())
			continue;
		targets[shown++] = (struct tui_target){ (uint32_t)row->pid, (uint32_t)row->tid,
							row->poller_fd,	    row->fds,
							row->comm,	    row->cmdline,
							row->runtime,	    backend_name(row->backend),
							row->can_see };
	}
	free(picker->targets);
	free(picker->found);
	picker->found = found;
	picker->targets = targets;
	picker->dashboard.status.targets = targets;
	picker->dashboard.status.target_count = shown;
}

static int open_all(struct picker *picker, const struct options *options)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
	const struct ps_loop_options wanted = { .size = sizeof(wanted), .name = "pollscope" };
	struct dashboard *dashboard = &picker->dashboard;
	int err = ps_loop_open(&picker->loop, &wanted);
	if (!err)
		err = model_open(&picker->empty, NULL);
	if (!err)
		err = ps_timer_open(picker->loop, &picker->timer, look, picker);
	for (int i = 0; !err && i < 3; i++)
		err = ps_signal_open(picker->loop, &picker->signals[i], numbers[i], on_signal, picker);
	if (!err)
		err = ps_timer_start(picker->timer, LOOK_NS, LOOK_NS);
	if (err)
		return fault(CLI_KERNEL, "cannot start: %s", strerror(-err));
	look(picker);
	picker->model = picker->empty;
	dashboard->model = &picker->model;
	dashboard->status.mode = "CHOOSE";
	dashboard->status.arg = picker;
	dashboard->status.pick = pick;
	dashboard->quit = stop;
	dashboard->arg = picker;
	return dashboard_open(dashboard, picker->loop, options);
}

static void close_all(struct picker *picker)
{
	dashboard_close(&picker->dashboard);
	if (picker->timer)
		ps_timer_close(picker->timer);
	for (int i = 0; i < 3; i++)
		if (picker->signals[i])
			ps_signal_close(picker->signals[i]);
	if (picker->loop) {
		ps_loop_run(picker->loop, PS_RUN_NOWAIT); /* the closing phase gives the handles back */
		ps_loop_close(picker->loop);
	}
	model_close(picker->empty);
	free(picker->targets);
	free(picker->found);
}

int picker_run(const struct options *options, pid_t *pid)
{
	struct picker picker = { 0 };
	int code = open_all(&picker, options);
	if (!code)
		ps_loop_run(picker.loop, PS_RUN_DEFAULT);
	*pid = picker.chosen;
	close_all(&picker);
	return code;
}

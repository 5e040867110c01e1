/* SPDX-License-Identifier: BSD-2-Clause */
/* top and demo: the same view of a watch. */
#include "live.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "collect.h"
#include "fault.h"
#include "plain.h"

static int put_block(struct live *live, const struct options *options)
{
	if (options->jsonl)
		return tell_line(live->watch.model);
	if (options->json)
		return 0;
	if (live->before_block)
		live->before_block(live);
	errno = 0;
	int err = plain_print(live->watch.model, options->filter, &live->last_stall, stdout);
	if (!err && fflush(stdout))
		err = -errno;
	if (!err)
		return 0;
	int code = fault_code(SIDE_OUTPUT, errno ? errno : err);
	return fault(code, "cannot write to standard output: %s", strerror(errno ? errno : -err)) ?: -EPIPE;
}

static void each_second(struct watch *watch, void *arg)
{
	struct live *live = arg;
	int code = put_block(live, watch->options);
	if (code) {
		watch->code = code < 0 ? CLI_OK : code;
		watch_stop(watch, code < 0 ? WATCH_USER_QUIT : WATCH_FAILED);
	}
	live->blocks++;
	if (watch->options->count && live->blocks >= watch->options->count)
		watch_stop(watch, WATCH_COUNT_REACHED);
}

static void before_draw(void *arg)
{
	struct live *live = arg;
	live->model = live->watch.model;
	live->dashboard.status.mode = watch_mode(&live->watch);
	if (live->mode && !strcmp(live->dashboard.status.mode, "LIVE"))
		live->dashboard.status.mode = live->mode;
	side_record_status(&live->record, live->dashboard.status.detail, sizeof(live->dashboard.status.detail));
	if (live->before_draw)
		live->before_draw(live);
}

static void toggle_record(void *arg, char *said, size_t room)
{
	struct live *live = arg;
	const struct watch *watch = &live->watch;
	side_record_toggle(&live->record, watch->options, watch->target.pids, watch->target.count, said, room);
}

/* Which stall is the newest, and who is blamed for it: changes when there is something to show at once. */
static uint64_t newest(const struct model *model)
{
	const struct stall *stall = model->stall_count ? model->stalls[model->stall_count - 1] : NULL;
	return stall ? stall->id * 31 + culprit_hash(stall->culprit) : 0;
}

static void show_news(struct watch *watch, void *arg)
{
	struct live *live = arg;
	uint64_t news = newest(watch->model);
	if (news != live->news && dashboard_hurry(&live->dashboard))
		live->news = news;
}

static void quit(void *arg)
{
	struct live *live = arg;
	watch_stop(&live->watch, WATCH_USER_QUIT);
}

static int run_dashboard(struct live *live, const struct options *options)
{
	struct dashboard *dashboard = &live->dashboard;
	live->model = live->watch.model;
	dashboard->model = &live->model;
	dashboard->before_draw = before_draw;
	dashboard->quit = quit;
	dashboard->status.record = toggle_record;
	if (!dashboard->status.arg)
		dashboard->status.arg = live;
	dashboard->arg = live;
	live->watch.after_drain = show_news;
	live->watch.arg = live;
	int code = dashboard_open(dashboard, live->watch.loop, options);
	if (!code)
		code = watch_run(&live->watch);
	side_record_stop(&live->record);
	dashboard_close(dashboard);
	return code;
}

int live_run(struct live *live, const struct options *options)
{
	struct watch *watch = &live->watch;
	if (watch->drawing)
		return run_dashboard(live, options);
	watch->each_second = each_second;
	watch->arg = live;
	int code = watch_run(watch);
	int finished = watch_finish(watch);
	if (!code && options->json)
		code = tell_summary(watch->model, options);
	else if (!code && !live->blocks) /* over before the first second was */
		code = put_block(live, options) > 0 ? CLI_OUTPUT : 0;
	return code ? code : finished;
}

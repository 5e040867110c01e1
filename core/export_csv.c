/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One line per busy slice, for spreadsheets and statistics programs. Times are
 * ns of CLOCK_MONOTONIC; what was not measured is an empty cell.
 */
#include "export.h"

static void put_number(FILE *out, uint64_t value)
{
	putc(',', out);
	if (value != PS_UNKNOWN)
		fprintf(out, "%llu", (unsigned long long)value);
}

static int begin(struct export_run *run)
{
	fputs("pid,tid,poller_fd,start_ns,busy_ns,on_cpu_ns,runnable_ns,blocked_ns,next_timeout_ns,turns\n", run->out);
	return 0;
}

static int record(struct export_run *run, const struct ps_record *record)
{
	const struct ps_ev_poll_enter *event = (const struct ps_ev_poll_enter *)record;
	if (record->event != PS_EV_POLL_ENTER || !event->busy_since_ns || event->busy_since_ns > record->ts)
		return 0;
	const struct loop *loop = model_loop(run->model, record->tid, event->poller_fd);
	if (!loop)
		return 0;
	fprintf(run->out, "%u,%u,%d", loop->pid, loop->tid, loop->poller_fd);
	put_number(run->out, event->busy_since_ns);
	put_number(run->out, record->ts - event->busy_since_ns);
	put_number(run->out, event->on_cpu_ns);
	put_number(run->out, event->runnable_ns);
	put_number(run->out, event->blocked_ns);
	if (event->timeout_ns < -1)
		putc(',', run->out); /* not known */
	else
		fprintf(run->out, ",%lld", (long long)event->timeout_ns); /* -1: for ever */
	fprintf(run->out, ",%llu\n", (unsigned long long)ps_poll_turns(event->timeout_ns));
	return 0;
}

static int end(struct export_run *run)
{
	return 0;
}

const struct exporter export_csv = {
	.name = "csv",
	.suffix = ".csv",
	.note = "a line per busy slice, for spreadsheets",
	.begin = begin,
	.record = record,
	.end = end,
};

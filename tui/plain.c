/* SPDX-License-Identifier: BSD-2-Clause */
/* Plain text for pipes and logs: no cursor, no colour, a block per interval, each stall told once. */
#include "plain.h"

#include <errno.h>

#include "screen.h"
#include "text.h"
#include "view.h"

#define RECENT_SECONDS 1
#define PATIENCE_NS 5000000000ull

static void print_loop(const struct view *view, const struct loop *loop, FILE *out)
{
	struct recent recent;
	char p50[24], p99[24], max[24], turns[24];
	double known;
	int seen = loop_was_seen(loop);

	view_recent(view, loop, RECENT_SECONDS, &recent);
	known = (double)(recent.busy_ns + recent.wait_ns);
	fprintf(out, "loop %s[%u]", loop->process ? loop->process->comm : "", loop->tid);
	if (recent.seconds)
		fprintf(out, "  %s %s/s",
			cell_count(turns, !seen ? PS_UNKNOWN : loop->iterations_exact ? recent.iterations : recent.polls),
			loop->iterations_exact ? "iter" : "polls");
	if (known > 0 && !loop_in_turns(loop))
		fprintf(out, "  busy %.1f%%", (double)recent.busy_ns * 100 / known);
	else
		fprintf(out, "  busy n/a");
	const struct hist *hist = loop->lag.count ? &loop->lag : &loop->iteration;
	fprintf(out, "  %s p50 %s p99 %s max %s", loop->lag.count ? "lag" : "iteration", cell_quantile(p50, hist, NULL, 0.5),
		cell_quantile(p99, hist, NULL, 0.99), cell_quantile(max, hist, NULL, 1));
	fprintf(out, "  stalls %s%s\n", cell_count(turns, seen ? loop->stalls : PS_UNKNOWN), loop->state == LOOP_GONE ? "  GONE" : "");
}

static void print_stall(const struct model *model, const struct stall *stall, FILE *out)
{
	char clock[16], duration[24], cpu[24];

	view_clock(model, stall->start_ns, clock);
	fprintf(out, "stall  %s%s%s%s  phase %s  cpu %s  cause %s  %s\n", clock, *clock ? "  " : "",
		cell_duration(duration, stall->duration_ns, stall_mark(stall)), stall->open ? " and going on" : "",
		stall_phase(stall),
		cell_percent(cpu, stall_percent(stall, stall->on_cpu_ns), stall->estimated || stall->lossy ? "~" : ""),
		stall_cause_name(stall->cause), *stall->culprit ? stall->culprit : "n/a");
	if (*stall->own_culprit) {
		char own[256];
		stall_own_text(stall, own, sizeof(own));
		fprintf(out, "       %s\n", own);
	}
}

/* Each stall is told once, in order and whole; one that goes on is waited for, but not for ever. */
static void print_stalls(const struct model *model, const struct filter *filter, uint64_t *last_stall, FILE *out)
{
	const struct view view = { .model = model };
	for (size_t i = 0; i < model->stall_count; i++) {
		const struct stall *stall = model->stalls[i];
		if (stall->id <= *last_stall)
			continue;
		if (stall->open && stall->duration_ns < PATIENCE_NS)
			return;
		if (filter_shows(filter, &view, stalls_sheet.columns, stall))
			print_stall(model, stall, out);
		*last_stall = stall->id;
	}
}

int plain_print(const struct model *model, const char *text, uint64_t *last_stall, FILE *out)
{
	struct filter filter = { 0 };
	struct view view = { .model = model };
	char verdict[CELL_TEXT], clock[16], lost[24];

	model_verdict(model, verdict, sizeof(verdict));
	view_clock(model, model->now_ns, clock);
	for (size_t i = 0; i < model->loop_count; i++)
		print_loop(&view, model->loops[i], out);
	if (text && filter_fits(stalls_sheet.columns, text))
		filter_set(&filter, stalls_sheet.columns, text);
	print_stalls(model, &filter, last_stall, out);
	filter_close(&filter);
	fprintf(out, "%s%s%s  lost %s\n", clock, *clock ? "  " : "", verdict, cell_count(lost, model->lost_total));
	return fflush(out) || ferror(out) ? -EIO : 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Folded stacks of what blocked the loops: "comm;root;…;leaf SAMPLES" a line,
 * for flamegraph.pl, speedscope and others. A stack comes once per stall;
 * readers of the format add equal ones up, so nothing is kept in memory.
 */
#include <errno.h>
#include <stdlib.h>

#include "export.h"

static void put_frame(FILE *out, const struct frame *frame)
{
	const char *text = frame->name[0] ? frame->name : frame->module[0] ? frame->module : "[unresolved]";
	putc(';', out);
	for (; *text; text++) /* ';' parts frames */
		putc(*text == ';' ? ':' : *text, out);
	if (!frame->name[0])
		fprintf(out, "+0x%x", frame->offset);
	else if (frame->file[0] && frame->line)
		fprintf(out, " %s:%u", frame->file, frame->line);
}

/* outermost first */
static void put_frames(FILE *out, const struct stack *stack)
{
	const struct frame *frames[MODEL_STACK_FRAMES];
	uint32_t count = 0;
	for (; stack->count && count < MODEL_STACK_FRAMES; stack = stack->outer)
		frames[count++] = stack->frame;
	while (count--)
		put_frame(out, frames[count]);
}

static int put_stall(void *arg, const struct stall *stall)
{
	struct export_run *run = arg;
	const struct process *process = stall->loop->process;
	for (uint32_t i = 0; i < stall->stack_count; i++) {
		const struct stall_stack *sampled = &stall->stacks[i];
		if (!sampled->stack || !sampled->stack->count)
			continue;
		fputs(process && process->comm[0] ? process->comm : "process", run->out);
		put_frames(run->out, sampled->stack);
		fprintf(run->out, " %u\n", sampled->count);
	}
	return 0;
}

static int begin(struct export_run *run)
{
	run->state = calloc(1, sizeof(struct stall_cursor));
	return run->state ? 0 : -ENOMEM;
}

static int record(struct export_run *run, const struct ps_record *record)
{
	return record->event == PS_EV_POLL_ENTER ? stalls_each_closed(run->state, run->model, put_stall, run) : 0;
}

static int end(struct export_run *run)
{
	if (!run->state)
		return 0;
	int err = stalls_each_closed(run->state, run->model, put_stall, run);
	for (size_t i = 0; i < run->model->loop_count && !err; i++)
		if (run->model->loops[i]->open_stall)
			err = put_stall(run, run->model->loops[i]->open_stall);
	free(run->state);
	run->state = NULL;
	return err;
}

const struct exporter export_folded = {
	.name = "folded",
	.suffix = ".folded",
	.note = "folded stacks of the stalls, for flame graphs",
	.begin = begin,
	.record = record,
	.end = end,
};

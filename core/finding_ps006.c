/* SPDX-License-Identifier: BSD-2-Clause */
/* PS006: one callback takes most of the loop's busy time, and the others wait for it. */
#include "findings.h"

#include <stdio.h>

#include "schema.h"
#include "text.h"

#define SPAN_SECONDS 10
#define SPAN_NS 10000000000ull
#define LEAST_BUSY_NS 5000000000ull
#define LEAST_PERCENT 50

/* what the loop was busy in the whole seconds of span `span`; 0 = not watched throughout */
static uint64_t busy_of(const struct loop *loop, uint64_t span)
{
	uint64_t busy_ns = 0;
	for (uint64_t second = span * SPAN_SECONDS; second < (span + 1) * SPAN_SECONDS; second++) {
		const struct slot *slot = &loop->slots[second % MODEL_SLOTS];
		if (slot->second != second)
			return 0;
		busy_ns += slot->busy_ns;
	}
	return busy_ns;
}

static uint64_t taken(const struct share *share, uint64_t span)
{
	return share->span == span ? share->now_ns : share->span == span + 1 ? share->before_ns : 0;
}

static void describe(const struct callback_stat *row, char *out, size_t room)
{
	if (row->frame && *row->frame->name)
		snprintf(out, room, "%.100s (%s callback)", row->frame->name, kind_name(row->kind));
	else
		snprintf(out, room, "a %s callback at 0x%llx", kind_name(row->kind), (unsigned long long)row->fn);
}

static void add(const struct finding_rule *rule, const struct loop *loop, const struct callback_stat *worst,
		uint64_t span, uint64_t busy_ns, struct findings_list *list)
{
	struct finding finding = finding_of(rule, SEVERITY_WARN, loop);
	char name[160], took[16];
	uint64_t ns = taken(&worst->share, span);
	describe(worst, name, sizeof(name));
	finding_title(&finding, "%s takes %llu%% of the busy time (%s of 10s): the others wait for it", name,
		      (unsigned long long)(ns * 100 / busy_ns), text_duration(took, ns));
	finding.last_ns = (span + 1) * SPAN_NS;
	finding_percent(&finding, "of_busy", ns * 100 / busy_ns);
	finding_ns(&finding, "taken_ns", ns);
	finding_ns(&finding, "busy_ns", busy_ns);
	finding_text(&finding, "callback", name);
	findings_add(list, &finding);
}

static void judge_loop(const struct finding_rule *rule, const struct model *model, const struct loop *loop,
		       uint64_t since_ns, struct findings_list *list)
{
	uint64_t span = model->now_ns / SPAN_NS;
	const struct callback_stat *worst = NULL;
	unsigned served = 0;
	if (span-- == 0 || (span + 1) * SPAN_NS < since_ns)
		return;
	uint64_t busy_ns = busy_of(loop, span);
	for (size_t i = 0; i < loop->callback_count; i++) {
		uint64_t ns = taken(&loop->callbacks[i].share, span);
		served += ns > 0;
		if (ns && (!worst || ns > taken(&worst->share, span)))
			worst = &loop->callbacks[i];
	}
	if (busy_ns >= LEAST_BUSY_NS && served > 1 && taken(&worst->share, span) * 100 > busy_ns * LEAST_PERCENT)
		add(rule, loop, worst, span, busy_ns, list);
}

static void judge(const struct finding_rule *rule, const struct model *model, uint64_t since_ns,
		  struct findings_list *list)
{
	for (size_t i = 0; i < model->loop_count; i++)
		judge_loop(rule, model, model->loops[i], since_ns, list);
}

const struct finding_rule finding_ps006 = {
	.id = "PS006",
	.name = "one callback starves the others",
	.defaults = "> 50 % of the busy time in a span of 10 s in which the loop was busy for half of it warn",
	.advice = "cut its work into parts, or move it to a worker thread",
	.confirm = "the descriptors and callbacks sorted by callback time show the same one",
	.where = "fds",
	.judge = judge,
};

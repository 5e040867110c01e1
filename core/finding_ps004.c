/* SPDX-License-Identifier: BSD-2-Clause */
/* PS004: a callback that has not returned yet; judged on the clock, not on an event. */
#include "findings.h"

#include "text.h"

#define LEAST_NS 1000000000ull

static void judge(const struct finding_rule *rule, const struct model *model, uint64_t since_ns, struct findings_list *list)
{
	for (size_t i = 0; i < model->loop_count; i++) {
		const struct stall *stall = model->loops[i]->open_stall;
		char who[64], age[16];
		if (!stall || stall->duration_ns < LEAST_NS)
			continue;
		struct finding finding = finding_of(rule, SEVERITY_CRIT, model->loops[i]);
		finding_title(&finding, "%s has not come back for %s: %s", finding_who(model, model->loops[i], who),
			      text_duration(age, stall->duration_ns), stall->culprit);
		if (stall->cause == CAUSE_STOPPED)
			finding.advice = finding_advice_stopped;
		finding.stall_id = stall->id;
		finding.last_ns = model->now_ns;
		finding_ns(&finding, "age_ns", stall->duration_ns);
		finding_text(&finding, "cause", stall_cause_name(stall->cause));
		finding_text(&finding, "culprit", stall->culprit);
		findings_add(list, &finding);
	}
}

const struct finding_rule finding_ps004 = {
	.id = "PS004",
	.name = "callback has not returned",
	.defaults = ">= 1 s crit",
	.advice = "look at the stack: an endless loop, a lock, or a call that waits for another process",
	.confirm = "the live stack stays the same; gdb or py-spy dump shows the same function",
	.where = "stalls",
	.judge = judge,
};

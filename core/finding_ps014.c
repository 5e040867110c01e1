/* SPDX-License-Identifier: BSD-2-Clause */
/* PS014: next ticks that set further ticks: each is short, but the loop does not turn before all have run. */
#include "findings.h"

static void judge(const struct finding_rule *rule, const struct model *model, uint64_t since_ns, struct findings_list *list)
{
	finding_of_stalls(rule, model, since_ns, FINDING_TICKS, 50000000, 100000000, "starved by next ticks", list);
}

const struct finding_rule finding_ps014 = {
	.id = "PS014",
	.name = "loop starved by next ticks",
	.defaults = ">= 50 ms in one drain warn, >= 100 ms crit",
	.advice = "use setImmediate instead of process.nextTick for work that goes on: the loop turns between immediates",
	.confirm = "processTicksAndRejections is in nearly all of its stacks, and its own queue in many of them",
	.where = "stalls",
	.judge = judge,
};

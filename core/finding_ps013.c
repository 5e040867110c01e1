/* SPDX-License-Identifier: BSD-2-Clause */
/* PS013: the collector stops the loop. */
#include "findings.h"

static void judge(const struct finding_rule *rule, const struct model *model, uint64_t since_ns, struct findings_list *list)
{
	finding_of_stalls(rule, model, since_ns, 1u << CAUSE_GC, 20000000, 100000000, "stopped by garbage collection", list);
}

const struct finding_rule finding_ps013 = {
	.id = "PS013",
	.name = "loop stopped by garbage collection",
	.defaults = ">= 20 ms in one slice warn, >= 100 ms crit",
	.advice = "allocate less in hot callbacks, keep fewer objects alive, or give the young generation more room",
	.confirm = "run node with --trace-gc: its pauses are at the same times",
	.where = "stalls",
	.judge = judge,
};

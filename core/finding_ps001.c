/* SPDX-License-Identifier: BSD-2-Clause */
/* PS001: the loop's thread worked on a CPU for too long without coming back to its poller. */
#include "findings.h"

static void judge(const struct finding_rule *rule, const struct model *model, uint64_t since_ns, struct findings_list *list)
{
	finding_of_stalls(rule, model, since_ns, 1u << CAUSE_CPU, 50000000, 100000000, "blocked", list);
}

const struct finding_rule finding_ps001 = {
	.id = "PS001",
	.name = "loop blocked by CPU work",
	.defaults = ">= 50 ms warn, >= 100 ms crit",
	.advice = "use the asynchronous form of the call, cut the work into parts, or move it to a worker thread",
	.confirm = "its stacks name the function that ran; sample the same function with perf or a profiler",
	.where = "stalls",
	.judge = judge,
};

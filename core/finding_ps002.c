/* SPDX-License-Identifier: BSD-2-Clause */
/* PS002: the loop's thread slept inside a callback: in a call, a lock or a page fault, not in its poller. */
#include "findings.h"

static void judge(const struct finding_rule *rule, const struct model *model, uint64_t since_ns, struct findings_list *list)
{
	uint32_t causes = 1u << CAUSE_SYNC_IO | 1u << CAUSE_LOCK | 1u << CAUSE_PAGE_FAULT;
	finding_of_stalls(rule, model, since_ns, causes, 20000000, 100000000, "asleep in a call", list);
}

const struct finding_rule finding_ps002 = {
	.id = "PS002",
	.name = "loop blocked in a call outside the poller",
	.defaults = ">= 20 ms warn, >= 100 ms crit",
	.advice = "use the asynchronous form of the call, or submit it to the thread pool",
	.confirm = "the evidence names the call and its path; strace -T of the thread shows the same call",
	.where = "stalls",
	.judge = judge,
};

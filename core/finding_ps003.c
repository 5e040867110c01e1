/* SPDX-License-Identifier: BSD-2-Clause */
/* PS003: the loop's thread was ready to run and got no CPU, or waited for a thread of its pool that got none; or somebody stopped it. */
#include "findings.h"

static void judge(const struct finding_rule *rule, const struct model *model, uint64_t since_ns, struct findings_list *list)
{
	uint32_t causes = 1u << CAUSE_RUN_QUEUE | 1u << CAUSE_THROTTLED;
	finding_of_stalls(rule, model, since_ns, causes, 20000000, UINT64_MAX, "ready but not running", list);
	finding_of_stalls(rule, model, since_ns, 1u << CAUSE_STOPPED, 20000000, UINT64_MAX, "kept from running", list);
}

const struct finding_rule finding_ps003 = {
	.id = "PS003",
	.name = "loop ready but not running",
	.defaults = ">= 20 ms warn",
	.advice = "the machine is short of CPU: look at what ran instead, raise the CPU limit, or move the load away",
	.confirm = "the evidence names what ran instead; /proc/pressure/cpu and cpu.stat of its cgroup show the shortage; a stopped one has the state T",
	.where = "stalls",
	.judge = judge,
};

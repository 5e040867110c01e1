/* SPDX-License-Identifier: BSD-2-Clause */
/* PS009: the loop spins: most waits return at once with nothing. */
#include "findings.h"

#define LEAST_RATE    1000u
#define LEAST_PERCENT 50u

static void judge(const struct finding_rule *rule, const struct model *model, uint64_t since_ns, struct findings_list *list)
{
	for (size_t i = 0; i < model->loop_count; i++) {
		const struct loop *loop = model->loops[i];
		struct slot recent;
		unsigned seconds = finding_recent(model, loop, &recent);
		if (!seconds || recent.empty < LEAST_RATE * seconds || recent.empty * 100ull < recent.polls * LEAST_PERCENT ||
		    loop->last_ns < since_ns)
			continue;
		struct finding finding = finding_of(rule, SEVERITY_WARN, loop);
		unsigned percent = (unsigned)(recent.empty * 100ull / recent.polls);
		finding_title(&finding, "the loop spins: %u empty wake-ups/s (%u%% of all)", recent.empty / seconds, percent);
		finding.last_ns = loop->last_ns;
		finding_count(&finding, "empty_per_s", recent.empty / seconds);
		finding_percent(&finding, "of_wakeups", percent);
		findings_add(list, &finding);
	}
}

const struct finding_rule finding_ps009 = {
	.id = "PS009",
	.name = "empty wake-ups",
	.defaults = ">= 1,000 empty/s and >= 50 % of wake-ups over 10 s warn",
	.advice = "look for a zero timeout, an idle handle, or a descriptor that is ready and never read",
	.confirm = "sort by empty wake-ups; strace of the thread shows polls that return 0",
	.where = "fds",
	.judge = judge,
};

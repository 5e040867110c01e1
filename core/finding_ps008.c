/* SPDX-License-Identifier: BSD-2-Clause */
/* PS008: timers fire long after they were due. */
#include "findings.h"

#include "text.h"

#define LEAST_NS    50000000ull
#define LEAST_COUNT 20

static void judge(const struct finding_rule *rule, const struct model *model, uint64_t since_ns, struct findings_list *list)
{
	for (size_t i = 0; i < model->loop_count; i++) {
		const struct loop *loop = model->loops[i];
		struct slot recent;
		uint64_t tail = hist_quantile(&loop->timer_late, 0.99);
		char p50[16], p99[16];
		if (loop->timer_late.count < LEAST_COUNT || tail < LEAST_NS || loop->last_ns < since_ns ||
		    (since_ns && finding_recent(model, loop, &recent) && !recent.timers_fired))
			continue;
		struct finding finding = finding_of(rule, SEVERITY_WARN, loop);
		finding_title(&finding, "timers fire late: p99 %s, p50 %s", text_duration(p99, tail),
			      text_duration(p50, hist_quantile(&loop->timer_late, 0.5)));
		finding.last_ns = loop->last_ns;
		finding_ns(&finding, "late_p99_ns", tail);
		finding_ns(&finding, "late_max_ns", loop->timer_late.max);
		finding_count(&finding, "fired", loop->timer_late.count);
		findings_add(list, &finding);
	}
}

const struct finding_rule finding_ps008 = {
	.id = "PS008",
	.name = "timers fire late",
	.defaults = "lateness p99 >= 50 ms of at least 20 warn",
	.advice = "the loop is busy when they are due: see its stalls",
	.confirm = "the lateness falls as soon as the stalls are gone",
	.where = "timers",
	.judge = judge,
};

/* SPDX-License-Identifier: BSD-2-Clause */
/* PS005: what is ready waits too long for its callback, although no single slice is to blame. */
#include "findings.h"

#include "text.h"

#define LEAST_NS    10000000ull
#define LEAST_COUNT 20

static void judge(const struct finding_rule *rule, const struct model *model, uint64_t since_ns, struct findings_list *list)
{
	for (size_t i = 0; i < model->loop_count; i++) {
		const struct loop *loop = model->loops[i];
		uint64_t median = hist_quantile(&loop->lag, 0.5);
		char p50[16], p99[16];
		if (loop->lag.count < LEAST_COUNT || median < LEAST_NS || loop->last_ns < since_ns)
			continue;
		struct finding finding = finding_of(rule, SEVERITY_WARN, loop);
		uint64_t tail = hist_quantile(&loop->lag, 0.99);
		finding_title(&finding, "ready descriptors wait %s for their callback (p99 %s)", text_duration(p50, median),
			      text_duration(p99, tail));
		finding.last_ns = loop->last_ns;
		finding_ns(&finding, "lag_p50_ns", median);
		finding_ns(&finding, "lag_p99_ns", tail);
		finding_count(&finding, "callbacks", loop->lag.count);
		findings_add(list, &finding);
	}
}

const struct finding_rule finding_ps005 = {
	.id = "PS005",
	.name = "ready descriptors wait",
	.defaults = "median lag >= 10 ms of at least 20 warn",
	.advice = "shorten the callbacks, serve fewer descriptors per loop, or add a loop",
	.confirm = "sort the descriptors by LAG99; with more clients it grows",
	.where = "fds",
	.judge = judge,
};

/* SPDX-License-Identifier: BSD-2-Clause */
/* PS015: name lookups hold the threads that other jobs wait for. */
#include "findings.h"

static void judge(const struct finding_rule *rule, const struct model *model, uint64_t since_ns, struct findings_list *list)
{
	for (size_t i = 0; i < model->pool_count; i++) {
		const struct pool *pool = model->pools[i];
		const struct pool_kind *dns = &pool->kinds[PS_WORK_DNS];
		if (pool->threads == PS_UNKNOWN || !pool->threads || dns->busy * 2 < pool->threads || !dns->busy ||
		    !pool->queued || pool->queued == PS_UNKNOWN || model->now_ns < since_ns)
			continue;
		struct finding finding = finding_of(rule, SEVERITY_WARN, NULL);
		finding_title(&finding, "%llu of %llu pool threads are held by name lookups, %llu jobs wait",
			      (unsigned long long)dns->busy, (unsigned long long)pool->threads,
			      (unsigned long long)pool->queued);
		finding.pid = pool->pid;
		finding.last_ns = model->now_ns;
		finding_count(&finding, "dns_threads", dns->busy);
		finding_count(&finding, "threads", pool->threads);
		finding_count(&finding, "queued", pool->queued);
		finding_ns(&finding, "dns_run_p50_ns", hist_quantile(&dns->run, 0.5));
		findings_add(list, &finding);
	}
}

const struct finding_rule finding_ps015 = {
	.id = "PS015",
	.name = "name lookups hold the pool",
	.defaults = "half of the threads in dns while jobs wait warn",
	.advice = "use a resolver that does not need the pool (dns.resolve), cache answers, or add threads",
	.confirm = "the threads hold dns jobs; resolve the same name with dig and see how long it takes",
	.where = "pool",
	.judge = judge,
};

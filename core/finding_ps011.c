/* SPDX-License-Identifier: BSD-2-Clause */
/* PS011: jobs wait longer for a thread of the pool than they run. */
#include "findings.h"

#include "schema.h"
#include "text.h"

#define LEAST_NS 1000000ull

/* The kind that has kept the threads busy longest. */
static unsigned holder(const struct pool *pool)
{
	unsigned best = 0;
	for (unsigned kind = 0; kind < PS_WORK_KIND_COUNT; kind++)
		if (pool->kinds[kind].run.sum > pool->kinds[best].run.sum ||
		    (!pool->kinds[best].run.sum && pool->kinds[kind].busy > pool->kinds[best].busy))
			best = kind;
	return best;
}

static void judge(const struct finding_rule *rule, const struct model *model, uint64_t since_ns, struct findings_list *list)
{
	for (size_t i = 0; i < model->pool_count; i++) {
		const struct pool *pool = model->pools[i];
		uint64_t wait = hist_quantile(&pool->wait, 0.99), run = hist_quantile(&pool->run, 0.5);
		if (!pool->saturated_last_ns || pool->saturated_last_ns < since_ns || wait < LEAST_NS || wait < 2 * run)
			continue;
		struct finding finding = finding_of(rule, SEVERITY_WARN, NULL);
		unsigned kind = holder(pool);
		char p99[16], p50[16];
		finding_title(&finding, "thread pool starved: jobs wait p99 %s, run p50 %s; %s holds most of %llu threads",
			      text_duration(p99, wait), pool->run.count ? text_duration(p50, run) : "n/a", work_kind_name(kind),
			      (unsigned long long)pool->threads);
		finding.pid = pool->pid;
		finding.last_ns = pool->saturated_last_ns;
		finding_ns(&finding, "wait_p99_ns", wait);
		finding_ns(&finding, "run_p50_ns", run);
		finding_ns(&finding, "saturated_ns", pool->saturated_ns);
		finding_count(&finding, "threads", pool->threads);
		finding_count(&finding, "max_queued", pool->max_queued);
		finding_text(&finding, "held_by", work_kind_name(kind));
		findings_add(list, &finding);
	}
}

const struct finding_rule finding_ps011 = {
	.id = "PS011",
	.name = "thread pool starved",
	.defaults = "wait p99 >= 2 x run p50 and >= 1 ms while all threads are busy warn",
	.advice = "give the pool more threads (UV_THREADPOOL_SIZE, PS_THREADPOOL_SIZE) or submit less at once",
	.confirm = "the wait histogram lies right of the run histogram; the estimate tells what more threads would bring",
	.where = "pool",
	.judge = judge,
};

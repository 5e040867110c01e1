/* SPDX-License-Identifier: BSD-2-Clause */
/* PS019: a descriptor was closed, but a copy of it keeps the poller reporting it. */
#include "findings.h"

static void judge(const struct finding_rule *rule, const struct model *model, uint64_t since_ns,
		  struct findings_list *list)
{
	for (size_t i = 0; i < model->loop_count; i++) {
		const struct loop *loop = model->loops[i];
		const struct fd_stat *worst = NULL;
		for (size_t k = 0; k < loop->fd_count; k++)
			if (loop->fds[k].stale && (!worst || loop->fds[k].stale > worst->stale))
				worst = &loop->fds[k];
		if (!worst || worst->last_ns < since_ns)
			continue;
		struct finding finding = finding_of(rule, SEVERITY_WARN, loop);
		finding_title(&finding, "fd %d %s is closed but still registered: ready %llu times since", worst->fd,
			      worst->name, (unsigned long long)worst->stale);
		finding.last_ns = worst->last_ns;
		finding_count(&finding, "fd", (uint64_t)worst->fd);
		finding_count(&finding, "ready_after_close", worst->stale);
		findings_add(list, &finding);
	}
}

const struct finding_rule finding_ps019 = {
	.id = "PS019",
	.name = "closed but still registered",
	.defaults = "any event after the close warn",
	.advice = "remove a descriptor from the poller before it is closed, or do not leave copies (dup, fork) open",
	.confirm = "pollscope inspect lists the entries of the poller; the same file is open under another number or "
		   "in a child",
	.where = "fds",
	.judge = judge,
};

/* SPDX-License-Identifier: BSD-2-Clause */
/* PS012: connections wait at a listener, and there is hardly room for more of them. */
#include "findings.h"

#define LEAST_PERCENT 80

static void judge_fd(const struct finding_rule *rule, const struct loop *loop, const struct fd_stat *fd,
		     struct findings_list *list)
{
	if (fd->closed || fd->backlog == PS_UNKNOWN || fd->backlog_max == PS_UNKNOWN || !fd->backlog_max ||
	    fd->backlog * 100 < fd->backlog_max * LEAST_PERCENT)
		return;
	struct finding finding = finding_of(rule, fd->backlog >= fd->backlog_max ? SEVERITY_CRIT : SEVERITY_WARN, loop);
	finding_title(&finding, "%llu of at most %llu connections wait at listener %d %s%s", (unsigned long long)fd->backlog,
		      (unsigned long long)fd->backlog_max, fd->fd, fd->name,
		      fd->backlog >= fd->backlog_max ? ": more are refused or dropped" : "");
	finding.last_ns = loop->last_ns;
	finding_count(&finding, "fd", (uint64_t)fd->fd);
	finding_count(&finding, "backlog", fd->backlog);
	finding_count(&finding, "backlog_max", fd->backlog_max);
	findings_add(list, &finding);
}

static void judge(const struct finding_rule *rule, const struct model *model, uint64_t since_ns, struct findings_list *list)
{
	for (size_t i = 0; i < model->loop_count; i++) {
		const struct loop *loop = model->loops[i];
		if (loop->state == LOOP_GONE || loop->last_ns < since_ns)
			continue;
		for (size_t k = 0; k < loop->fd_count; k++)
			judge_fd(rule, loop, &loop->fds[k], list);
	}
}

const struct finding_rule finding_ps012 = {
	.id = "PS012",
	.name = "accept backlog near its limit",
	.defaults = ">= 80 % of the listener's backlog warn, full crit",
	.advice = "accept more per turn, shorten what blocks the loop, or raise the backlog (listen, net.core.somaxconn)",
	.confirm = "ss -ltn shows the same in Recv-Q and Send-Q",
	.where = "fds",
	.judge = judge,
};

/* SPDX-License-Identifier: BSD-2-Clause */
/* PS018: a listener is ready again and again and no connection comes of it, or very many do. */
#include <errno.h>

#include "findings.h"

#define LEAST_RATE 200u
#define STORM_RATE 2000u
#define FEW_PERCENT 10u

static unsigned new_fds_of(const struct model *model, uint32_t pid)
{
	unsigned sum = 0;
	for (size_t i = 0; i < model->loop_count; i++) {
		struct slot recent;
		if (model->loops[i]->pid == pid && finding_recent(model, model->loops[i], &recent))
			sum += recent.new_fds;
	}
	return sum;
}

static const struct fd_stat *busiest_listener(const struct loop *loop)
{
	const struct fd_stat *best = NULL;
	for (size_t i = 0; i < loop->fd_count; i++)
		if (loop->fds[i].kind == PS_KIND_LISTEN && loop->fds[i].ready != PS_UNKNOWN &&
		    (!best || loop->fds[i].ready > best->ready))
			best = &loop->fds[i];
	return best;
}

/* The loop tells it itself: there is nothing to guess. */
static int judge_shed(const struct finding_rule *rule, const struct model *model, const struct loop *loop,
		      uint64_t since_ns, struct findings_list *list)
{
	if (!loop->shed || loop->shed_ns < since_ns)
		return 0;
	struct finding finding = finding_of(rule, SEVERITY_WARN, loop);
	finding_title(&finding, "%llu connections of listener %d closed unserved: %s", (unsigned long long)loop->shed,
		      loop->shed_fd, loop->shed_error == EMFILE ? "out of descriptors (EMFILE)" : "the system is out of descriptors (ENFILE)");
	finding.last_ns = loop->shed_ns;
	finding_count(&finding, "fd", (uint64_t)loop->shed_fd);
	finding_count(&finding, "shed", loop->shed);
	finding_count(&finding, "errno", loop->shed_error);
	findings_add(list, &finding);
	return 1;
}

static void judge(const struct finding_rule *rule, const struct model *model, uint64_t since_ns,
		  struct findings_list *list)
{
	for (size_t i = 0; i < model->loop_count; i++) {
		const struct loop *loop = model->loops[i];
		struct slot recent;
		unsigned seconds = finding_recent(model, loop, &recent);
		const struct fd_stat *fd = busiest_listener(loop);
		if (judge_shed(rule, model, loop, since_ns, list))
			continue;
		if (!seconds || !fd || recent.listen_ready < LEAST_RATE * seconds || loop->last_ns < since_ns)
			continue;
		unsigned accepted = new_fds_of(model, loop->pid);
		int none = accepted * 100ull < recent.listen_ready * FEW_PERCENT;
		if (!none && accepted < STORM_RATE * seconds)
			continue;
		struct finding finding = finding_of(rule, SEVERITY_WARN, loop);
		finding_title(
			&finding,
			none ? "listener %d %s is ready %u/s but only %u connections/s come in: out of descriptors?"
			     : "accept storm on listener %d %s: ready %u/s, %u new connections/s",
			fd->fd, fd->name, recent.listen_ready / seconds, accepted / seconds);
		finding.last_ns = loop->last_ns;
		finding_count(&finding, "fd", (uint64_t)fd->fd);
		finding_count(&finding, "ready_per_s", recent.listen_ready / seconds);
		finding_count(&finding, "new_per_s", accepted / seconds);
		findings_add(list, &finding);
	}
}

const struct finding_rule finding_ps018 = {
	.id = "PS018",
	.name = "accept without connections, or a storm of them",
	.defaults = "listener ready >= 200/s over 10 s with < 10 % as many new descriptors, or >= 2,000 new/s, or any "
		    "connection that the loop says it closed unserved, warn",
	.advice = "raise the limit of open files (EMFILE), let one process accept (EPOLLEXCLUSIVE), or keep "
		  "connections alive",
	.confirm = "strace -e accept4 shows EMFILE or EAGAIN; /proc/PID/limits tells the limit",
	.where = "fds",
	.judge = judge,
};

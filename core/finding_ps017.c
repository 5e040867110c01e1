/* SPDX-License-Identifier: BSD-2-Clause */
/* PS017: a thread per connection, most of which only wait. */
#include "findings.h"

#define LEAST_THREADS 8
#define LEAST_PERCENT 50

static void judge_process(const struct finding_rule *rule, const struct model *model, const struct process *process,
			  struct findings_list *list)
{
	uint64_t threads = 0, waiting = 0, last_ns = 0;
	for (size_t i = 0; i < model->thread_count; i++) {
		const struct thread *thread = model->threads[i];
		if (thread->pid != process->pid || thread->role != PS_ROLE_CONNECTION || thread->exited)
			continue;
		threads++;
		waiting += thread->blocked_op != 0;
		last_ns = thread->blocked_since_ns > last_ns ? thread->blocked_since_ns : last_ns;
	}
	if (threads < LEAST_THREADS || waiting * 100 < threads * LEAST_PERCENT)
		return;
	struct finding finding = finding_of(rule, SEVERITY_WARN, NULL);
	finding_title(&finding, "a thread per connection: %llu of %llu threads only wait in a read or a write",
		      (unsigned long long)waiting, (unsigned long long)threads);
	finding.pid = process->pid;
	finding.last_ns = last_ns;
	finding_count(&finding, "threads", threads);
	finding_count(&finding, "waiting", waiting);
	findings_add(list, &finding);
}

static void judge(const struct finding_rule *rule, const struct model *model, uint64_t since_ns,
		  struct findings_list *list)
{
	for (size_t i = 0; i < model->process_count; i++)
		if (!model->processes[i]->exited)
			judge_process(rule, model, model->processes[i], list);
}

const struct finding_rule finding_ps017 = {
	.id = "PS017",
	.name = "a thread per connection",
	.defaults = ">= 8 threads that serve one connection each, half of them waiting in a call warn",
	.advice = "let one loop watch all connections: a thread costs its stack and a switch for each message",
	.confirm = "the threads of the timeline stand in read or write; ps -L shows as many threads as connections",
	.where = "timeline",
	.judge = judge,
};

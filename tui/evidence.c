/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is known about one stall: where its time went, the call that blocked,
 * the callback that ran, who waited, and the stacks seen while it lasted.
 * What was not measured says so, with the reason of the probe that is missing.
 */
#include "evidence.h"

#include <stdio.h>
#include <string.h>

#include "schema.h"
#include "text.h"

#define BAR_COLUMNS 20

/* " (reason)" of a probe group that gives nothing, or what its silence means */
static const char *because(const struct view *view, unsigned group, char *out, size_t room)
{
	const char *why = view_missing(view->model, group);
	if (!*why)
		why = "nothing was told about it";
	snprintf(out, room, *why ? " (%s)" : "%s", why);
	return out;
}

static void add_time(struct list *list, const struct stall *stall)
{
	const struct view *view = list->view;
	char duration[24], age[24], clock[16];

	view_clock(view->model, stall->start_ns, clock);
	cell_duration(duration, stall->duration_ns, stall_mark(stall));
	if (stall->open)
		list_line(list, STYLE_CRIT, "%s and going on  %s", duration, clock);
	else
		list_line(list, STYLE_BOLD, "%s  ended %s ago  %s%s", duration,
			  cell_duration(age, stall_age(view->model, stall), ""), *clock ? "began " : "", clock);
	if (stall->at_attach)
		list_line(list, STYLE_WARN, "~ it began before the attach: at least this long");
	if (stall->lossy)
		list_line(list, STYLE_WARN, "~ events were lost during it: figures are lower bounds");
}

static void add_loop(struct list *list, const struct stall *stall)
{
	const struct loop *loop = stall->loop;
	if (!loop)
		return;
	const struct thread *thread = model_thread(list->view->model, loop->tid);
	list_pair(list, "thread", "%u %s", loop->tid,
		  thread && *thread->name ? thread->name : loop->process ? loop->process->comm : "");
}

static void add_share(struct list *list, const struct stall *stall, const char *name, uint64_t ns, unsigned group)
{
	const char *mark = stall->estimated || stall->lossy ? "~" : "";
	double percent = stall_percent(stall, ns);
	char share[24], time[24], why[128];
	int y = list_next(list);

	if (y < 0)
		return;
	area_put(list->view, list->area, 1, y, STYLE_DIM, name);
	if (percent < 0) {
		area_print(list->view, list->area, 11, y, STYLE_DIM, "n/a%s", because(list->view, group, why, sizeof(why)));
		return;
	}
	area_print(list->view, list->area, 11, y, STYLE_NORMAL, "%5s", cell_percent(share, percent, mark));
	area_bar(list->view, list->area, 17, y, BAR_COLUMNS, percent / 100);
	area_print(list->view, list->area, 18 + BAR_COLUMNS, y, STYLE_NORMAL, "%s", cell_duration(time, ns, mark));
}

static void add_split(struct list *list, const struct stall *stall)
{
	add_share(list, stall, "on CPU", stall->on_cpu_ns, PS_PROBE_SCHED);
	add_share(list, stall, "runnable", stall->runnable_ns, PS_PROBE_SCHED);
	add_share(list, stall, "blocked", stall->blocked_ns, PS_PROBE_SCHED);
	add_share(list, stall, "gc", stall->gc_ns, PS_PROBE_RUNTIME);
	if (*stall->other_task)
		list_pair(list, "", "ran instead: %s", stall->other_task);
}

static void add_argument(char *out, size_t room, uint64_t value)
{
	size_t used = strlen(out);
	if (value < 1u << 20)
		snprintf(out + used, room - used, "%llu", (unsigned long long)value);
	else
		snprintf(out + used, room - used, "0x%llx", (unsigned long long)value);
}

static void add_syscall(struct list *list, const struct stall *stall)
{
	char arguments[80] = "", time[24];
	const char *name = stall->syscall < 0 ? NULL : syscall_name(stall->syscall);

	if (stall->syscall < 0) {
		char why[128];
		because(list->view, PS_PROBE_SCHED, why, sizeof(why));
		list_pair(list, "syscall", "%s%s", stall->blocked_ns == PS_UNKNOWN ? "n/a" : "-",
			  stall->blocked_ns == PS_UNKNOWN ? why : "");
		return;
	}
	for (int i = 0; i < 3; i++) {
		if (i)
			strcat(arguments, ", ");
		add_argument(arguments, sizeof(arguments), stall->syscall_args[i]);
	}
	cell_duration(time, stall->syscall_ns, stall->lossy ? "~" : "");
	if (name)
		list_pair(list, "syscall", "%s(%s)  %s", name, arguments, time);
	else
		list_pair(list, "syscall", "number %d(%s)  %s", stall->syscall, arguments, time);
	list_pair(list, "path", "%s", *stall->syscall_path ? stall->syscall_path : "n/a");
}

static void add_callback(struct list *list, const struct stall *stall)
{
	char name[CELL_TEXT], time[24], fd[24] = "", calls[32] = "", why[128];

	if (!stall->callback_fn) {
		list_pair(list, "callback", "n/a%s", because(list->view, PS_PROBE_RUNTIME, why, sizeof(why)));
		return;
	}
	if (stall->callback)
		frame_text(stall->callback, name, sizeof(name));
	else
		snprintf(name, sizeof(name), "[unresolved] 0x%llx", (unsigned long long)stall->callback_fn);
	if (stall->callback_fd >= 0)
		snprintf(fd, sizeof(fd), " fd %d", stall->callback_fd);
	if (stall->callback_calls > 1)
		snprintf(calls, sizeof(calls), " in %u calls", stall->callback_calls);
	list_pair(list, "callback", "%s  %s%s  %s%s", name, kind_name(stall->callback_kind), fd,
		  cell_duration(time, stall->callback_ns, ""), calls);
}

static void add_victims(struct list *list, const struct stall *stall)
{
	char fds[24], timers[24], longest[24], why[128];

	if (stall->held_fds == PS_UNKNOWN && stall->held_timers == PS_UNKNOWN) {
		list_pair(list, "held up", "n/a%s", stall->open ? " (known when it ends)" :
			  because(list->view, PS_PROBE_READY, why, sizeof(why)));
		return;
	}
	cell_duration(longest, stall->held_longest_ns, "");
	list_pair(list, "held up", "%s fds, %s timers%s%s", cell_count(fds, stall->held_fds),
		  cell_count(timers, stall->held_timers), stall->held_longest_ns == PS_UNKNOWN ? "" : ", longest ",
		  stall->held_longest_ns == PS_UNKNOWN ? "" : longest);
}

void evidence_facts(struct list *list, const struct stall *stall)
{
	add_time(list, stall);
	add_loop(list, stall);
	list_pair(list, "culprit", "%s", *stall->culprit ? stall->culprit : "n/a");
	if (*stall->own_culprit) {
		char own[256];
		stall_own_text(stall, own, sizeof(own));
		list_pair(list, "", "%s", own);
	}
	list_pair(list, "cause", "%s, rule %s, phase %s", stall_cause_name(stall->cause), stall_rule_name(stall->rule),
		  stall_phase(stall));
	add_split(list, stall);
	add_syscall(list, stall);
	add_callback(list, stall);
	add_victims(list, stall);
}

static const char *sample_name(unsigned kind)
{
	static const char *const names[] = { "on CPU", "as it went off CPU", "entering another wait", "seen in /proc" };
	return kind < sizeof(names) / sizeof(*names) ? names[kind] : "";
}

static void add_stack(struct list *list, const struct stall *stall, uint32_t number)
{
	const struct stall_stack *stack = &stall->stacks[number];
	unsigned share = stall->samples ? (unsigned)((uint64_t)stack->count * 100 / stall->samples) : 0;

	if (share)
		list_line(list, STYLE_BOLD, "#%u  %u%%  %u of %u samples  %s", number + 1, share, stack->count,
			  stall->samples, sample_name(stack->kind));
	else
		list_line(list, STYLE_BOLD, "#%u  %ux  %s", number + 1, stack->count, sample_name(stack->kind));
	if (!stack->stack || !stack->stack->count)
		list_line(list, STYLE_DIM, "    no frames");
	for (const struct stack *at = stack->stack; at && at->count; at = at->outer) {
		const struct frame *frame = at->frame;
		char text[CELL_TEXT * 2];
		frame_text(frame, text, sizeof(text));
		list_line(list, STYLE_NORMAL, "    %-7s %s", frame ? frame_kind_name(frame->kind) : "", text);
	}
}

void evidence_stacks(struct list *list, const struct stall *stall)
{
	char why[128];

	if (!stall->stack_count) {
		list_line(list, STYLE_DIM, "n/a  no stack was sampled%s",
			  because(list->view, PS_PROBE_SAMPLING, why, sizeof(why)));
		return;
	}
	for (uint32_t i = 0; i < stall->stack_count && i < MODEL_STALL_STACKS; i++)
		add_stack(list, stall, i);
}

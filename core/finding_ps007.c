/* SPDX-License-Identifier: BSD-2-Clause */
/* PS007: timers wake the loop more than what it serves does. */
#include "findings.h"

#include <stdio.h>

#include "text.h"

#define LEAST_RATE    100u
#define LEAST_PERCENT 10u

static const struct timer_stat *busiest(const struct loop *loop)
{
	const struct timer_stat *best = NULL;
	for (size_t i = 0; i < loop->timer_count; i++)
		if (!best || loop->timers[i].fired > best->fired)
			best = &loop->timers[i];
	return best;
}

static void judge(const struct finding_rule *rule, const struct model *model, uint64_t since_ns, struct findings_list *list)
{
	for (size_t i = 0; i < model->loop_count; i++) {
		const struct loop *loop = model->loops[i];
		struct slot recent;
		unsigned seconds = finding_recent(model, loop, &recent);
		if (!seconds || recent.timers_fired < LEAST_RATE * seconds || loop->last_ns < since_ns ||
		    recent.timers_fired * 100ull < recent.polls * LEAST_PERCENT)
			continue;
		struct finding finding = finding_of(rule, SEVERITY_WARN, loop);
		const struct timer_stat *timer = busiest(loop);
		const char *name = timer && timer->frame ? timer->frame->name : "";
		char repeat[16], every[32] = "";
		if (timer && timer->repeat_ns && timer->repeat_ns != PS_UNKNOWN)
			snprintf(every, sizeof(every), ", repeat %s", text_duration(repeat, timer->repeat_ns));
		finding_title(&finding, "timers fire %u/s for %u wake-ups/s: %s%s", recent.timers_fired / seconds,
			      recent.polls / seconds, *name ? name : "function not known", every);
		finding.last_ns = loop->last_ns;
		finding_count(&finding, "fired_per_s", recent.timers_fired / seconds);
		finding_count(&finding, "wakeups_per_s", recent.polls / seconds);
		if (timer) {
			finding_count(&finding, "armed", timer->armed);
			finding_ns(&finding, "repeat_ns", timer->repeat_ns);
		}
		findings_add(list, &finding);
	}
}

const struct finding_rule finding_ps007 = {
	.id = "PS007",
	.name = "timers cause the wake-ups",
	.defaults = ">= 100 fired/s and >= 10 % of wake-ups over 10 s warn",
	.advice = "let timers share one tick, or wait longer: many short timers cost a wake-up each",
	.confirm = "the heap shows the callback and its repeat; stop it and the wake-ups fall",
	.where = "timers",
	.judge = judge,
};

/* SPDX-License-Identifier: BSD-2-Clause */
/* PS010: descriptors or timers become more and more: a leak, if nothing ever takes them back. */
#include "findings.h"

#include <stddef.h>

#include "text.h"

#define LEAST_SAMPLES 60 /* 5 minutes */
#define LEAST_GROWTH 20
#define LEAST_PERCENT 10
#define LEAST_TREND 90 /* percent of all pairs of samples that must rise */

static uint64_t value_at(const struct loop *loop, uint32_t index, size_t member)
{
	const struct trend *sample = &loop->trend[index % MODEL_TREND];
	return *(const uint64_t *)(const void *)((const char *)sample + member);
}

/* Mann and Kendall's test: of all pairs of samples, how many rise and do not fall, in percent */
static int rising(const struct loop *loop, uint32_t first, uint32_t end, size_t member)
{
	long sum = 0, pairs = 0;
	for (uint32_t i = first; i < end; i++)
		for (uint32_t k = i + 1; k < end; k++, pairs++) {
			uint64_t before = value_at(loop, i, member), after = value_at(loop, k, member);
			sum += (after > before) - (after < before);
		}
	return pairs ? (int)(sum * 100 / pairs) : 0;
}

static void judge_one(const struct finding_rule *rule, const struct loop *loop, size_t member, const char *name,
		      struct findings_list *list)
{
	uint32_t end = loop->trend_count, first = end > MODEL_TREND ? end - MODEL_TREND : 0;
	while (first < end && value_at(loop, first, member) == PS_UNKNOWN)
		first++;
	if (end - first < LEAST_SAMPLES)
		return;
	uint64_t before = value_at(loop, first, member), now = value_at(loop, end - 1, member);
	if (now == PS_UNKNOWN || now < before + LEAST_GROWTH || now - before < before * LEAST_PERCENT / 100)
		return;
	int trend = rising(loop, first, end, member);
	if (trend < LEAST_TREND)
		return;
	uint64_t ns = loop->trend[(end - 1) % MODEL_TREND].ns - loop->trend[first % MODEL_TREND].ns;
	struct finding finding = finding_of(rule, SEVERITY_WARN, loop);
	char span[16];
	finding_title(&finding, "%s only become more: %llu to %llu in %s (%.1f/min)", name, (unsigned long long)before,
		      (unsigned long long)now, text_duration(span, ns), (double)(now - before) * 60e9 / (double)ns);
	finding.last_ns = loop->trend[(end - 1) % MODEL_TREND].ns;
	finding_text(&finding, "what", name);
	finding_count(&finding, "before", before);
	finding_count(&finding, "now", now);
	finding_ns(&finding, "span_ns", ns);
	finding_percent(&finding, "rising_pairs", (uint64_t)trend);
	findings_add(list, &finding);
}

static void judge(const struct finding_rule *rule, const struct model *model, uint64_t since_ns,
		  struct findings_list *list)
{
	for (size_t i = 0; i < model->loop_count; i++) {
		const struct loop *loop = model->loops[i];
		if (loop->state == LOOP_GONE || loop->last_ns < since_ns)
			continue;
		judge_one(rule, loop, offsetof(struct trend, fds), "descriptors", list);
		judge_one(rule, loop, offsetof(struct trend, timers), "timers", list);
	}
}

const struct finding_rule finding_ps010 = {
	.id = "PS010",
	.name = "descriptors or timers leak",
	.defaults = "over 5 min >= 20 more and >= 10 % more, and 90 % of all pairs of samples rise, warn",
	.advice = "close what is opened also when a request fails; clear the timers of connections that ended",
	.confirm = "the list of descriptors, sorted by age, has many of one kind that do nothing",
	.where = "fds",
	.judge = judge,
};

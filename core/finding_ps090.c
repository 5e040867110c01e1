/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PS090: something was lost or could not be watched, so silence proves nothing.
 * A probe that was not asked for, or works by a weaker way, is no finding; the
 * poll probe is not missed while every loop tells its polls itself.
 */
#include "findings.h"

#include <stdio.h>
#include <string.h>

#include "schema.h"
#include "text.h"

static void judge_loss(const struct finding_rule *rule, const struct model *model, struct findings_list *list)
{
	struct finding finding = finding_of(rule, SEVERITY_WARN, NULL);
	char count[16];
	unsigned source = 0;
	for (unsigned i = 0; i < PS_LOST_SOURCE_COUNT; i++)
		source = model->lost[i] > model->lost[source] ? i : source;
	finding_title(&finding, "%s events lost, most in the %s: figures are lower bounds", text_count(count, model->lost_total),
		      lost_source_name(source));
	finding.last_ns = model->lost_last_ns;
	finding_count(&finding, "lost", model->lost_total);
	finding_text(&finding, "source", lost_source_name(source));
	findings_add(list, &finding);
}

/* After days of many distinct stalls. */
static void judge_names(const struct finding_rule *rule, const struct model *model, struct findings_list *list)
{
	struct finding finding = finding_of(rule, SEVERITY_WARN, NULL);
	char count[16];
	finding_title(&finding, "no room for more names: %s names and stacks that came later are not kept", text_count(count, model->unnamed));
	finding.advice = "start the tool anew: it keeps 64 MiB of names, frames and stacks";
	finding.last_ns = model->now_ns;
	finding_count(&finding, "unnamed", model->unnamed);
	findings_add(list, &finding);
}

static int all_loops_tell(const struct model *model)
{
	for (size_t i = 0; i < model->loop_count; i++)
		if (!(model->loops[i]->flags & PS_LOOP_RING))
			return 0;
	return model->loop_count > 0;
}

static int all_gone(const struct model *model)
{
	for (size_t i = 0; i < model->process_count; i++)
		if (!model->processes[i]->exited)
			return 0;
	return model->process_count > 0;
}

static int is_missed(const struct model *model, unsigned group)
{
	unsigned state = model->probes[group].state;
	if (group == PS_PROBE_POLL && all_loops_tell(model))
		return 0;
	return state == PS_PROBE_STATE_MISSING || (state == PS_PROBE_STATE_DETACHED && !all_gone(model));
}

static void judge(const struct finding_rule *rule, const struct model *model, uint64_t since_ns, struct findings_list *list)
{
	if (model->lost_total && model->lost_last_ns >= since_ns)
		judge_loss(rule, model, list);
	if (model->unnamed)
		judge_names(rule, model, list);
	char missing[160] = "";
	unsigned count = 0;
	const char *reason = "";
	for (unsigned group = 0; group < PS_PROBE_GROUP_COUNT; group++) {
		if (!is_missed(model, group))
			continue;
		size_t length = strlen(missing);
		snprintf(missing + length, sizeof(missing) - length, "%s%s", count ? ", " : "", probe_group_name(group));
		reason = count++ ? reason : model->probes[group].reason;
	}
	if (!count)
		return;
	struct finding finding = finding_of(rule, SEVERITY_WARN, NULL);
	finding_title(&finding, "%s missing: %s%s%s%s", count > 1 ? "probes" : "probe", missing, *reason ? " (" : "", reason,
		      *reason ? ")" : "");
	finding.last_ns = model->start_ns;
	finding_count(&finding, "missing", count);
	finding_text(&finding, "probes", missing);
	finding_text(&finding, "reason", reason);
	findings_add(list, &finding);
}

const struct finding_rule finding_ps090 = {
	.id = "PS090",
	.name = "data lost or a probe missing",
	.defaults = "any, warn; no OK and no pass while it is so",
	.advice = "see `pollscope doctor`: it names the command that mends a probe; for loss, watch fewer probes or loops",
	.confirm = "the table of probes says which one and why",
	.where = "probes",
	.judge = judge,
};

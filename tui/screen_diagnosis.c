/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Diagnosis: what is wrong now, what was, and what somebody does not want to
 * hear of: each with its evidence and threshold, how to confirm it, what to try.
 */
#include <stdio.h>
#include <string.h>

#include "findings.h"
#include "list.h"
#include "state.h"
#include "text.h"

static size_t list_findings(const struct view *view, const void **rows, size_t room)
{
	for (size_t i = 0; i < view->all_count && i < room; i++)
		rows[i] = &view->all[i];
	return view->all_count;
}

enum age { AGE_PAST, AGE_MUTED, AGE_ACTIVE };

static enum age age_of(const struct view *view, const struct finding *finding)
{
	if (config_is_muted(view->config, finding->id))
		return AGE_MUTED;
	for (size_t i = 0; i < view->finding_count; i++)
		if (!strcmp(view->findings[i].id, finding->id) && view->findings[i].tid == finding->tid &&
		    view->findings[i].pid == finding->pid)
			return AGE_ACTIVE;
	return AGE_PAST;
}

/* a finding is known by its rule and loop: FNV-1a over the id, then the thread */
static uint64_t identify(const struct view *view, const void *row)
{
	const struct finding *finding = row;
	uint64_t key = 14695981039346656037ull;
	for (const char *at = finding->id; *at; at++)
		key = (key ^ (unsigned char)*at) * 1099511628211ull;
	key = (key ^ finding->tid) * 1099511628211ull;
	return key ? key : 1;
}

static enum grid_style style_finding(const struct view *view, const void *row)
{
	const struct finding *finding = row;
	return age_of(view, finding) == AGE_ACTIVE ? severity_style(finding->severity) : STYLE_DIM;
}

static void say_none(const struct view *view, char *out, size_t room)
{
	snprintf(out, room, "%s", view->verdict == -1 ? "nothing found" : "nothing found yet");
}

static uint64_t key_severity(const struct view *view, const void *row)
{
	const struct finding *finding = row;
	return (uint64_t)age_of(view, finding) * 4 + (uint64_t)finding->severity;
}

static void print_state(const struct view *view, const void *row, char *out, size_t room)
{
	static const char *const names[] = { [AGE_PAST] = "past", [AGE_MUTED] = "muted", [AGE_ACTIVE] = "active" };
	snprintf(out, room, "%s", names[age_of(view, row)]);
}

static void print_severity(const struct view *view, const void *row, char *out, size_t room)
{
	const struct finding *finding = row;
	snprintf(out, room, "%s", severity_name(finding->severity));
}

static void print_id(const struct view *view, const void *row, char *out, size_t room)
{
	const struct finding *finding = row;
	snprintf(out, room, "%s", finding->id);
}

static void print_title(const struct view *view, const void *row, char *out, size_t room)
{
	const struct finding *finding = row;
	snprintf(out, room, "%s", finding->title);
}

static const struct column columns[] = {
	{ .name = "severity", .title = "SEV", .width = 5, .note = "CRIT, WARN or note; active ones come first", .key = key_severity,
	  .print = print_severity },
	{ .name = "state", .title = "STATE", .width = 6, .note = "active: evidence of the last minute; past: older; muted: by M",
	  .print = print_state },
	{ .name = "id", .title = "ID", .width = 6, .note = "the rule, as in docs/findings.md", .print = print_id },
	{ .name = "finding", .title = "FINDING", .least = 20, .note = "what was found", .print = print_title },
	{ .name = NULL },
};

static const struct sheet sheet = {
	.name = "diagnosis",
	.columns = columns,
	.rows = list_findings,
	.identity = identify,
	.style = style_finding,
	.empty = say_none,
};

static void print_evidence(const struct evidence *evidence, char *out, size_t room)
{
	char text[24];
	switch (evidence->unit) {
	case EVIDENCE_NS: snprintf(out, room, "%s", cell_duration(text, evidence->value, "")); break;
	case EVIDENCE_COUNT: snprintf(out, room, "%s", cell_count(text, evidence->value)); break;
	case EVIDENCE_PERCENT:
		snprintf(out, room, "%s", evidence->value == PS_UNKNOWN ? "n/a" : cell_percent(text, (double)evidence->value, ""));
		break;
	case EVIDENCE_TEXT: snprintf(out, room, "%s", evidence->text); break;
	}
}

static void tell(struct list *list, const char *name, const char *text)
{
	if (text && *text)
		list_wrap(list, STYLE_NORMAL, name, text);
}

static void draw_finding(const struct view *view, struct area area, const struct finding *finding)
{
	const struct finding_rule *rule = finding_rule_of(finding->id);
	struct list list = { view, area_head(view, area, finding->id, rule ? rule->name : ""), 0, 0 };

	list_wrap(&list, severity_style(finding->severity), "", finding->title);
	char line[CELL_TEXT * 2] = "";
	for (uint32_t i = 0; i < finding->evidence_count && i < 6; i++) {
		char value[128];
		size_t used = strlen(line);
		print_evidence(&finding->evidence[i], value, sizeof(value));
		snprintf(line + used, sizeof(line) - used, "%s%.24s %s", i ? "   " : "", finding->evidence[i].name, value);
	}
	tell(&list, "evidence", line);
	tell(&list, "threshold", rule ? rule->defaults : "");
	tell(&list, "to confirm", rule ? rule->confirm : "");
	if (finding->advice && *finding->advice)
		list_wrap(&list, STYLE_BOLD, "try", finding->advice);
}

static void draw(struct view *view, struct tui *tui, struct area area)
{
	struct sheet_state *state = &tui->sheets[tui->screen];
	const struct finding *finding = sheet_selected(state);
	int below = area.rows >= 16 && finding ? area.columns >= 110 ? 12 : area.rows * 2 / 3 + 1 : 0;

	sheet_draw(view, area_top(&area, area.rows - below), &sheet, state);
	if (below)
		draw_finding(view, area, finding);
}

static void badge(const struct view *view, char *out, size_t room)
{
	unsigned worse = 0;
	for (size_t i = 0; i < view->finding_count; i++)
		worse += view->findings[i].severity > SEVERITY_NOTE;
	if (view->finding_count)
		snprintf(out, room, "%zu%s", view->finding_count, worse ? "!" : "");
}

static int enter(const struct view *view, struct tui *tui, const void *row)
{
	return tui_show_finding(tui, view, row);
}

const struct screen screen_diagnosis = {
	.digit = 8,
	.name = "Diagnosis",
	.brief = "Diag",
	.note = "what is wrong now or was, the evidence, how to confirm it and what to try; M mutes",
	.sheet = &sheet,
	.draw = draw,
	.badge = badge,
	.enter = enter,
	.enter_name = "Enter evidence",
};

/* SPDX-License-Identifier: BSD-2-Clause */
/* The active findings, worst first: what, the evidence, what to try. */
#include <stdio.h>
#include <string.h>

#include "panel.h"
#include "text.h"

/* "2 warnings, 1 note" */
static void count_findings(const struct view *view, char *out, size_t room)
{
	unsigned worse = 0, notes = 0;
	for (size_t i = 0; i < view->finding_count; i++) {
		if (view->findings[i].severity == SEVERITY_NOTE)
			notes++;
		else
			worse++;
	}
	*out = '\0';
	if (worse)
		snprintf(out, room, "%u warning%s", worse, worse == 1 ? "" : "s");
	if (notes)
		snprintf(out + strlen(out), room - strlen(out), "%s%u note%s", worse ? ", " : "", notes,
			 notes == 1 ? "" : "s");
}

void panel_diagnosis(const struct view *view, struct area area)
{
	char title[64];
	int advice = area.columns * 2 / 3;

	count_findings(view, title, sizeof(title));
	area = area_head(view, area, "DIAGNOSIS", title);
	if (!view->finding_count)
		area_print(view, area, 1, 0, view->verdict == -1 ? STYLE_GOOD : STYLE_DIM, "%s",
			   view->verdict == -1 ? "nothing found" : "nothing found yet");
	for (size_t i = 0; i < view->finding_count && (int)i < area.rows; i++) {
		const struct finding *finding = &view->findings[i];
		char text[CELL_TEXT];
		snprintf(text, sizeof(text), "%s %s %s", severity_name(finding->severity), finding->id, finding->title);
		area_fit(view, area, 1, (int)i, advice - 3, severity_style(finding->severity), text);
		if (finding->advice && *finding->advice)
			area_print(view, area, advice, (int)i, STYLE_NORMAL, "try: %s", finding->advice);
	}
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Facts that screens take out of the model, and cells that never invent a number. */
#include "view.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "schema.h"
#include "text.h"

#define SECOND_NS 1000000000ull

/* ---- cells ---- */

static char *cell_word(char out[24], const char *word)
{
	snprintf(out, 24, "%s", word);
	return out;
}

char *cell_duration(char out[24], uint64_t ns, const char *mark)
{
	char text[16];
	if (ns == PS_UNKNOWN)
		return cell_word(out, "n/a");
	snprintf(out, 24, "%s%s", mark, text_duration(text, ns));
	return out;
}

char *cell_count(char out[24], uint64_t count)
{
	char text[16];
	return cell_word(out, count == PS_UNKNOWN ? "n/a" : text_count(text, count));
}

char *cell_bytes(char out[24], uint64_t bytes)
{
	char text[16];
	return cell_word(out, bytes == PS_UNKNOWN ? "n/a" : text_bytes(text, bytes));
}

char *cell_percent(char out[24], double percent, const char *mark)
{
	if (percent < 0)
		return cell_word(out, "n/a");
	snprintf(out, 24, "%s%.0f%%", mark, percent > 999 ? 999 : percent);
	return out;
}

char *cell_text(const struct view *view, char out[CELL_TEXT], int columns, const char *text)
{
	size_t length = strlen(text);
	if (text_width(text) <= columns && length < CELL_TEXT) {
		memcpy(out, text, length + 1);
		return out;
	}
	*out = 0;
	for (size_t end = 1, kept = 0; end <= length && end + 4 < CELL_TEXT; end++) {
		if (((unsigned char)text[end] & 0xC0) == 0x80) /* within a character */
			continue;
		memcpy(out + kept, text + kept, end - kept);
		out[end] = 0;
		if (text_width(out) >= columns) {
			out[kept] = 0;
			break;
		}
		kept = end;
	}
	strcat(out, view->glyphs->ellipsis);
	return out;
}

void hist_since(struct hist *out, const struct hist *now, const struct hist *base)
{
	*out = *now;
	if (!base || base->count > now->count)
		return;
	unsigned top = HIST_BUCKETS;
	out->count = 0;
	for (unsigned i = 0; i < HIST_BUCKETS; i++) {
		uint32_t before = base->buckets[i] < now->buckets[i] ? base->buckets[i] : now->buckets[i];
		out->buckets[i] -= before;
		out->count += out->buckets[i];
		if (out->buckets[i])
			top = i;
	}
	out->sum = now->sum - (base->sum < now->sum ? base->sum : now->sum);
	/* the exact maximum of the difference is gone; its bucket's upper end is a bound */
	if (top + 1 < HIST_BUCKETS && hist_bucket_low(top + 1) - 1 < out->max)
		out->max = hist_bucket_low(top + 1) - 1;
}

char *cell_quantile(char out[24], const struct hist *hist, const struct hist *base, double q)
{
	struct hist since;
	hist_since(&since, hist, base);
	if (!since.count)
		return cell_word(out, "n/a");
	return cell_duration(out, q >= 1 ? since.max : hist_quantile(&since, q), base && q >= 1 ? "~" : "");
}

/* ---- facts ---- */

const struct slot *view_slot(const struct loop *loop, uint64_t second)
{
	const struct slot *slot = &loop->slots[second % MODEL_SLOTS];
	return slot->second == second ? slot : NULL;
}

static void add_slot(struct recent *recent, const struct slot *slot)
{
	recent->busy_ns += slot->busy_ns;
	recent->wait_ns += slot->wait_ns;
	recent->polls += slot->polls;
	recent->iterations += slot->iterations;
	recent->ready += slot->ready;
	recent->callbacks += slot->callbacks;
	recent->timers_fired += slot->timers_fired;
	for (unsigned phase = 0; phase < PS_PHASE_COUNT; phase++)
		recent->phase_ns[phase] += slot->phase_ns[phase];
}

void view_recent(const struct view *view, const struct loop *loop, uint32_t seconds, struct recent *recent)
{
	memset(recent, 0, sizeof(*recent));
	if (!loop)
		return;
	uint64_t end = (loop->state == LOOP_GONE ? loop->last_ns : view->model->now_ns) / SECOND_NS;
	uint64_t first = (loop->first_ns + SECOND_NS - 1) / SECOND_NS;
	for (uint64_t second = end > seconds ? end - seconds : 0; second < end; second++) {
		const struct slot *slot = view_slot(loop, second);
		if (second < first)
			continue;
		recent->seconds++;
		if (slot)
			add_slot(recent, slot);
	}
	recent->wall_ns = recent->seconds * SECOND_NS;
}

const char *view_missing(const struct model *model, unsigned group)
{
	const struct probe *probe = &model->probes[group];
	if (probe->state == PS_PROBE_STATE_ON || probe->state == PS_PROBE_STATE_FALLBACK)
		return "";
	if (probe->reason && *probe->reason)
		return probe->reason;
	return probe->state == PS_PROBE_STATE_OFF ? "no such probe here" : probe_state_name(probe->state);
}

uint64_t stall_age(const struct model *model, const struct stall *stall)
{
	uint64_t end = stall->start_ns + stall->duration_ns;
	if (stall->open || end > model->now_ns)
		return 0;
	return model->now_ns - end;
}

const char *stall_mark(const struct stall *stall)
{
	return stall->lossy || stall->at_attach ? "~" : "";
}

const char *stall_phase(const struct stall *stall)
{
	if (stall->phase < 0 || stall->phase >= PS_PHASE_COUNT)
		return "n/a";
	return phase_name((unsigned)stall->phase);
}

double stall_percent(const struct stall *stall, uint64_t ns)
{
	if (ns == PS_UNKNOWN || !stall->duration_ns)
		return -1;
	double percent = (double)ns * 100 / (double)stall->duration_ns;
	return percent > 100 ? 100 : percent;
}

void frame_text(const struct frame *frame, char *out, size_t room)
{
	if (!frame) {
		snprintf(out, room, "[unresolved]");
		return;
	}
	char place[CELL_TEXT] = "";
	if (*frame->file && frame->line)
		snprintf(place, sizeof(place), " %s:%u", text_last_part(frame->file), frame->line);
	else if (*frame->file)
		snprintf(place, sizeof(place), " %s", text_last_part(frame->file));
	else if (*frame->name && *frame->module)
		snprintf(place, sizeof(place), " (%s)", text_last_part(frame->module));
	if (*frame->name)
		snprintf(out, room, "%s%s", frame->name, place);
	else if (*frame->module)
		snprintf(out, room, "[unresolved] %s+0x%x", text_last_part(frame->module), frame->offset);
	else
		snprintf(out, room, "[unresolved]%s", place);
}

void view_clock(const struct model *model, uint64_t ns, char out[16])
{
	out[0] = '\0';
	if (!model->realtime_offset_ns)
		return;
	time_t seconds = (time_t)((ns + model->realtime_offset_ns) / SECOND_NS);
	struct tm local;
	if (localtime_r(&seconds, &local))
		snprintf(out, 16, "%02d:%02d:%02d", local.tm_hour % 24, local.tm_min % 60, local.tm_sec % 61);
}

enum grid_style severity_style(int severity)
{
	static const enum grid_style styles[] = { STYLE_NORMAL, STYLE_WARN, STYLE_CRIT };
	if (severity == -1)
		return STYLE_GOOD;
	return severity >= 0 && severity <= SEVERITY_CRIT ? styles[severity] : STYLE_DIM;
}

const char *severity_name(int severity)
{
	static const char *const names[] = { "note", "WARN", "CRIT" };
	return severity >= 0 && severity <= SEVERITY_CRIT ? names[severity] : "";
}

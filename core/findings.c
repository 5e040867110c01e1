/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of findings, their order, and the verdict.
 *
 * A list keeps the worst `room` findings sorted while rules add to it, so
 * nothing is allocated. Worse is: higher severity, then newer evidence. The
 * verdict never says OK while a stall, loss or a missing probe is recent.
 */
#include "findings.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "text.h"

struct findings_list {
	struct finding *out;
	size_t room, count;
};

const struct finding_rule *const finding_rules[] = {
	&finding_ps001, &finding_ps002, &finding_ps003, &finding_ps004, &finding_ps005, &finding_ps006, &finding_ps007,
	&finding_ps008, &finding_ps009, &finding_ps010, &finding_ps011, &finding_ps012, &finding_ps013, &finding_ps014, &finding_ps015, &finding_ps016,
	&finding_ps017, &finding_ps018, &finding_ps019, &finding_ps090, NULL,
};

const struct finding_rule *finding_rule_of(const char *id)
{
	for (const struct finding_rule *const *rule = finding_rules; *rule; rule++)
		if (!strcmp((*rule)->id, id))
			return *rule;
	return NULL;
}

/* ---- the list ---- */

static int is_worse(const struct finding *a, const struct finding *b)
{
	return a->severity != b->severity ? a->severity > b->severity : a->last_ns > b->last_ns;
}

void findings_add(struct findings_list *list, const struct finding *finding)
{
	size_t kept = list->count < list->room ? list->count : list->room, at = kept;
	list->count++;
	while (at > 0 && is_worse(finding, &list->out[at - 1]))
		at--;
	if (at >= list->room)
		return;
	size_t after = (kept < list->room ? kept : list->room - 1) - at;
	memmove(&list->out[at + 1], &list->out[at], after * sizeof(*list->out));
	list->out[at] = *finding;
}

size_t findings_since(const struct model *model, uint64_t since_ns, struct finding *out, size_t room)
{
	struct findings_list list = { out, room, 0 };
	for (const struct finding_rule *const *rule = finding_rules; *rule; rule++)
		(*rule)->judge(*rule, model, since_ns, &list);
	return list.count;
}

static uint64_t active_since(const struct model *model)
{
	return model->now_ns > FINDINGS_ACTIVE_NS ? model->now_ns - FINDINGS_ACTIVE_NS : 0;
}

size_t model_findings(const struct model *model, struct finding *out, size_t room)
{
	return findings_since(model, active_since(model), out, room);
}

/* ---- making one ---- */

struct finding finding_of(const struct finding_rule *rule, enum severity severity, const struct loop *loop)
{
	return (struct finding){
		.id = rule->id,
		.severity = severity,
		.advice = rule->advice,
		.pid = loop ? loop->pid : 0,
		.tid = loop ? loop->tid : 0,
	};
}

void finding_title(struct finding *finding, const char *format, ...)
{
	char text[512];
	va_list args;
	va_start(args, format);
	int length = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (length < 0)
		return;
	size_t bytes = (size_t)length < sizeof(text) ? (size_t)length : sizeof(text) - 1;
	text_clean(finding->title, sizeof(finding->title), text, bytes); /* parts are clean: cuts at a character */
}

static struct evidence *add_evidence(struct finding *finding, const char *name, uint64_t value)
{
	static struct evidence nowhere;
	size_t room = sizeof(finding->evidence) / sizeof(finding->evidence[0]);
	struct evidence *evidence = finding->evidence_count < room ? &finding->evidence[finding->evidence_count++] : &nowhere;
	*evidence = (struct evidence){ .name = name, .value = value };
	return evidence;
}

void finding_ns(struct finding *finding, const char *name, uint64_t ns)
{
	add_evidence(finding, name, ns)->unit = EVIDENCE_NS;
}

void finding_count(struct finding *finding, const char *name, uint64_t count)
{
	add_evidence(finding, name, count)->unit = EVIDENCE_COUNT;
}

void finding_percent(struct finding *finding, const char *name, uint64_t percent)
{
	add_evidence(finding, name, percent)->unit = EVIDENCE_PERCENT;
}

void finding_text(struct finding *finding, const char *name, const char *text)
{
	struct evidence *evidence = add_evidence(finding, name, 0);
	evidence->unit = EVIDENCE_TEXT;
	text_clean(evidence->text, sizeof(evidence->text), text, strlen(text));
}

/* ---- what rules ask ---- */

/* Loops of several processes: which main thread is it? */
static int has_others(const struct model *model, const struct loop *loop)
{
	for (size_t i = 0; i < model->loop_count; i++)
		if (model->loops[i]->pid != loop->pid)
			return 1;
	return 0;
}

const char *finding_who(const struct model *model, const struct loop *loop, char out[64])
{
	const struct thread *thread = model_thread(model, loop->tid);
	if (loop->tid == loop->pid && !has_others(model, loop))
		return "main thread";
	if (loop->tid == loop->pid && *loop->process->comm)
		snprintf(out, 64, "%.32s[%u]", loop->process->comm, loop->pid);
	else if (thread && *thread->name)
		snprintf(out, 64, "thread %u (%.32s)", loop->tid, thread->name);
	else
		snprintf(out, 64, "thread %u", loop->tid);
	return out;
}

const char *finding_often(const struct model *model, uint64_t since_ns, uint64_t count, char out[48])
{
	char span[16];
	uint64_t from = since_ns > model->start_ns ? since_ns : model->start_ns;
	text_duration(span, model->now_ns > from ? model->now_ns - from : 0);
	snprintf(out, 48, "%llux in %s", (unsigned long long)count, span);
	return out;
}

static int is_one_of(const struct stall *stall, uint32_t causes)
{
	int by_ticks = stall->rule == RULE_TICK_STARVATION;
	/* it waited for a thread that waited for a CPU */
	enum stall_cause cause = stall->rule == RULE_HOST && stall->cause == CAUSE_LOCK ? CAUSE_RUN_QUEUE : stall->cause;
	return causes == FINDING_TICKS ? by_ticks : !by_ticks && causes >> cause & 1;
}

enum speech { SPEECH_ANY, SPEECH_NODE, SPEECH_PYTHON, SPEECH_COUNT };

static enum speech speech_of(const struct process *process)
{
	static const struct {
		const char *runtime;
		enum speech speech;
	} rows[] = { { "node", SPEECH_NODE }, { "bun", SPEECH_NODE }, { "deno", SPEECH_NODE }, { "python", SPEECH_PYTHON } };
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (!strcmp(process->runtime, rows[i].runtime))
			return rows[i].speech;
	return SPEECH_ANY;
}

const char finding_advice_stopped[] =
	"find who holds it: kill -CONT, docker unpause or cgroup.freeze of its group, or a debugger (TracerPid in its status)";

/* What helps against the habit that was broken, in the words of the runtime; NULL = what the finding says of itself. */
static const char *advice_of(const struct process *process, enum stall_cause cause, enum stall_rule rule)
{
	static const char *const advice[RULE_COUNT][SPEECH_COUNT] = {
		[RULE_SYNC_CALL] = { NULL,
			"use the asynchronous form of the call (fs.promises, child_process.execFile), or the thread pool",
			"await the asynchronous form of the call (asyncio.sleep, an asynchronous client), or give it to a thread "
			"(asyncio.to_thread)" },
		[RULE_REGEX] = {
			"the pattern backtracks: write it without nested repetition, limit the input, or use a linear-time engine" },
		[RULE_JSON] = { "stream the document, send less of it at once, or parse it in another thread",
			"stream the document, send less of it at once, or parse it in a worker thread",
			"send less of the document at once, or parse it in another process" },
		[RULE_COMPUTATION] = { NULL, NULL,
			"cut the work into parts and await between them, or give it to another process (ProcessPoolExecutor): a "
			"thread shares the interpreter with the loop" },
		[RULE_CRYPTO] = { "give it to a thread, or choose a cheaper cost",
			"use the asynchronous form (crypto.pbkdf2, crypto.scrypt): it works on the thread pool",
			"give it to a thread (asyncio.to_thread): hashlib lets the loop run meanwhile" },
		[RULE_COMPRESSION] = { "use the streaming form, a lower level, or another thread",
			"use the asynchronous or the streaming form (zlib.gzip, zlib.createGzip)",
			"give it to a thread (asyncio.to_thread): zlib lets the loop run meanwhile" },
		[RULE_MODULE_LOAD] = { "load modules when the program starts, before the loop serves anybody" },
	};
	if (cause == CAUSE_STOPPED)
		return finding_advice_stopped;
	if ((unsigned)rule >= RULE_COUNT)
		return NULL;
	const char *own = advice[rule][speech_of(process)];
	return own ? own : advice[rule][SPEECH_ANY];
}

int finding_stalls(const struct model *model, const struct loop *loop, uint64_t since_ns, uint32_t causes, uint64_t least_ns,
		   struct stall_sum *sum)
{
	*sum = (struct stall_sum){ 0 };
	for (size_t i = loop->stalls ? model->stall_count : 0; i-- > 0;) {
		const struct stall *stall = model->stalls[i];
		uint64_t end = stall->start_ns + stall->duration_ns;
		if (stall->loop != loop || end < since_ns || stall->duration_ns < least_ns || !is_one_of(stall, causes))
			continue;
		sum->count++;
		sum->total_ns += stall->duration_ns;
		sum->last_ns = end > sum->last_ns ? end : sum->last_ns;
		if (!sum->worst || stall->duration_ns > sum->worst->duration_ns)
			sum->worst = stall;
	}
	return sum->count > 0;
}

void finding_of_stalls(const struct finding_rule *rule, const struct model *model, uint64_t since_ns, uint32_t causes,
		       uint64_t warn_ns, uint64_t crit_ns, const char *verb, struct findings_list *list)
{
	for (size_t i = 0; i < model->loop_count; i++) {
		const struct loop *loop = model->loops[i];
		struct stall_sum sum;
		if (!finding_stalls(model, loop, since_ns, causes, warn_ns, &sum))
			continue;
		const struct stall *worst = sum.worst;
		struct finding finding = finding_of(rule, worst->duration_ns >= crit_ns ? SEVERITY_CRIT : SEVERITY_WARN, loop);
		char who[64], often[48], longest[16], own[200] = "";
		if (*worst->own_culprit)
			stall_own_text(worst, own, sizeof(own));
		finding_title(&finding, "%s %s %s, worst %s%s%s%s: %s", finding_who(model, loop, who), verb,
			      finding_often(model, since_ns, sum.count, often), text_duration(longest, worst->duration_ns),
			      *own ? " (" : "", own, *own ? ")" : "", worst->culprit);
		finding.stall_id = worst->id;
		finding.last_ns = sum.last_ns;
		finding_count(&finding, "stalls", sum.count);
		finding_ns(&finding, "worst_ns", worst->duration_ns);
		finding_ns(&finding, "total_ns", sum.total_ns);
		if (worst->on_cpu_ns != PS_UNKNOWN && worst->duration_ns)
			finding_percent(&finding, "on_cpu", worst->on_cpu_ns * 100 / worst->duration_ns);
		finding_text(&finding, "culprit", worst->culprit);
		if (*worst->own_culprit)
			finding_text(&finding, "own_culprit", worst->own_culprit);
		finding_text(&finding, "rule", stall_rule_name(worst->rule));
		if (*worst->regexp)
			finding_text(&finding, "pattern", worst->regexp);
		const char *advice = advice_of(loop->process, worst->cause, worst->rule);
		finding.advice = advice ? advice : finding.advice;
		findings_add(list, &finding);
	}
}

unsigned finding_recent(const struct model *model, const struct loop *loop, struct slot *sum)
{
	uint64_t second = model->now_ns / 1000000000;
	unsigned seconds = 0;
	*sum = (struct slot){ 0 };
	for (uint64_t back = 1; back <= FINDINGS_RATE_SECONDS && back < second; back++) {
		const struct slot *slot = &loop->slots[(second - back) % MODEL_SLOTS];
		if (slot->second != second - back)
			continue;
		seconds++;
		sum->busy_ns += slot->busy_ns;
		sum->wait_ns += slot->wait_ns;
		sum->polls += slot->polls;
		sum->empty += slot->empty;
		sum->callbacks += slot->callbacks;
		sum->timers_fired += slot->timers_fired;
		sum->listen_ready += slot->listen_ready;
		sum->new_fds += slot->new_fds;
	}
	return seconds;
}

/* ---- the verdict ---- */

static uint64_t newest_stall(const struct model *model, uint64_t since_ns, const struct stall **worst)
{
	uint64_t newest = 0;
	*worst = NULL;
	for (size_t i = model->stall_count; i-- > 0;) {
		const struct stall *stall = model->stalls[i];
		uint64_t end = stall->start_ns + stall->duration_ns;
		newest = end > newest ? end : newest;
		if (end >= since_ns && (!*worst || stall->duration_ns > (*worst)->duration_ns))
			*worst = stall;
	}
	return newest;
}

static int has_data(const struct model *model)
{
	for (size_t i = 0; i < model->loop_count; i++)
		if (model->loops[i]->polls || model->loops[i]->busy_ns + model->loops[i]->wait_ns >= 1000000000)
			return 1;
	return 0;
}

#define VERDICT_FINDINGS 64

/* The worst finding that is heard; 0 = there is none. *hushed: a muted one speaks of stalls. */
static int worst_heard(const struct model *model, const struct muted *muted, struct finding *worst, int *hushed)
{
	static const struct muted nobody = { 0 };
	struct finding found[VERDICT_FINDINGS];
	size_t count = model_findings(model, found, VERDICT_FINDINGS);
	muted = muted ? muted : &nobody;
	int heard = 0;
	*hushed = 0;
	for (size_t i = 0; i < count && i < VERDICT_FINDINGS; i++) {
		if (muted->is && muted->is(muted->arg, found[i].id)) {
			*hushed |= found[i].stall_id != 0;
		} else if (!heard) {
			*worst = found[i];
			heard = 1;
		}
	}
	return heard;
}

int model_verdict(const struct model *model, char *out, size_t room)
{
	return findings_verdict(model, NULL, out, room);
}

int findings_verdict(const struct model *model, const struct muted *muted, char *out, size_t room)
{
	static const char *const words[] = { [SEVERITY_NOTE] = "note", [SEVERITY_WARN] = "WARN", [SEVERITY_CRIT] = "CRIT" };
	struct finding worst;
	const struct stall *stall;
	char least[16], span[16];
	int hushed, count = worst_heard(model, muted, &worst, &hushed);
	if (count && worst.severity > SEVERITY_NOTE) {
		snprintf(out, room, "%s  %s", words[worst.severity], worst.title);
		return (int)worst.severity;
	}
	uint64_t newest = newest_stall(model, active_since(model), &stall);
	if (stall && !hushed) {
		snprintf(out, room, "WARN  loop blocked for %s: %s", text_duration(span, stall->duration_ns), stall->culprit);
		return SEVERITY_WARN;
	}
	if (!has_data(model)) {
		snprintf(out, room, "not enough data yet");
		return -2;
	}
	if (count) {
		snprintf(out, room, "%s  %s", words[worst.severity], worst.title);
		return (int)worst.severity;
	}
	uint64_t from = newest > model->start_ns ? newest : model->start_ns;
	snprintf(out, room, "OK  no stall >= %s in %s", text_duration(least, model->config.stall_ns),
		 text_duration(span, model->now_ns > from ? model->now_ns - from : 0));
	return -1;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pollscope info: what a recording is and whether it is complete. All of it is
 * read, so every check sum was looked at. The text is printed from the JSON
 * document.
 */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "command.h"
#include "fault.h"
#include "json.h"
#include "recording.h"
#include "schema.h"
#include "text.h"

#define JITTER_NS 100000 /* of clocks that are read one after the other */
#define STEP_NS 50000000 /* a greater jump of CLOCK_REALTIME against CLOCK_MONOTONIC is a step, not a drift */

struct facts {
	uint64_t events[PS_EVENT_MAX];
	uint64_t records;
	uint64_t first_ns, last_ns; /* of events; 0 = none */
	/* clocks, by CLOCK records */
	uint64_t clocks, steps;
	int64_t realtime_offset, sleep_ns, first_realtime_offset, first_sleep_ns;
};

static void see_clock(struct facts *facts, const struct ps_ev_clock *clock)
{
	int64_t offset = (int64_t)(clock->realtime_ns - clock->h.ts),
		sleep = (int64_t)(clock->boottime_ns - clock->h.ts);
	if (!clock->realtime_ns)
		return;
	int64_t jump = offset - facts->realtime_offset - (sleep - facts->sleep_ns); /* a suspend is no step */
	if (!facts->clocks++) {
		facts->first_realtime_offset = offset;
		facts->first_sleep_ns = sleep;
	} else if (jump > STEP_NS || jump < -STEP_NS) {
		facts->steps++;
	}
	facts->realtime_offset = offset;
	facts->sleep_ns = sleep;
}

static void see(struct facts *facts, const struct ps_record *record)
{
	facts->records++;
	facts->events[record->event]++;
	if (record->event == PS_EV_CLOCK)
		see_clock(facts, (const struct ps_ev_clock *)record);
	if (!record->ts)
		return;
	if (!facts->first_ns || record->ts < facts->first_ns)
		facts->first_ns = record->ts;
	if (record->ts > facts->last_ns)
		facts->last_ns = record->ts;
}

static int read_all(struct recording *recording, struct facts *facts)
{
	const struct ps_record *record;
	int got;
	while ((got = psr_reader_next(recording->reader, &record)) > 0) {
		see(facts, record);
		if (model_apply(recording->model, record, record->size))
			return -ENOMEM;
	}
	return got;
}

/* ---- the document ---- */

static json_t *number(uint64_t value)
{
	return json_integer((json_int_t)(value < INT64_MAX ? value : INT64_MAX));
}

static const char *state_name(enum psr_state state)
{
	static const char *const names[] = {
		[PSR_WHOLE] = "whole", [PSR_OPEN_END] = "open", [PSR_TORN] = "torn", [PSR_DAMAGED] = "damaged"
	};
	return names[state];
}

static json_t *make_file(const struct recording *recording, const struct facts *facts)
{
	const struct psr_reader *reader = recording->reader;
	const struct psr_info *info = psr_reader_info(reader);
	struct psr_outline outline;
	char words[256], version[32];
	int seekable = !psr_outline_read(&outline, recording->fd);
	json_t *file = json_object();
	psr_reader_describe(reader, words, sizeof(words));
	json_put_text(file, "name", recording->name, strlen(recording->name));
	snprintf(version, sizeof(version), "%u.%u", info->major, info->minor);
	json_object_set_new(file, "format", json_string(version));
	json_object_set_new(file, "event_version", number(info->version));
	json_object_set_new(file, "state", json_string(state_name(psr_reader_state(reader))));
	json_object_set_new(file, "state_text", json_string(words));
	json_object_set_new(file, "bytes", number(psr_reader_position(reader)));
	json_object_set_new(file, "chunks", number(psr_reader_chunks(reader)));
	json_object_set_new(file, "events", number(psr_reader_events(reader)));
	json_object_set_new(file, "bytes_per_event",
			    psr_reader_events(reader)
				    ? json_real((double)psr_reader_position(reader) / (double)psr_reader_events(reader))
				    : json_null());
	json_object_set_new(file, "dropped", number(psr_reader_dropped(reader)));
	json_object_set_new(file, "seek_points", seekable ? number(outline.point_count) : json_null());
	if (seekable)
		psr_outline_free(&outline);
	return file;
}

static json_t *make_origin(const struct psr_info *info)
{
	json_t *origin = json_object();
	json_put_text(origin, "tool", info->tool, sizeof(info->tool));
	json_put_text(origin, "machine", info->machine, sizeof(info->machine));
	json_put_text(origin, "boot_id", info->boot_id, sizeof(info->boot_id));
	json_put_text(origin, "command", info->command, sizeof(info->command));
	json_object_set_new(origin, "stall_ns", number(info->stall_ns));
	return origin;
}

static json_t *make_time(uint64_t realtime_ns)
{
	char text[64];
	struct tm date;
	time_t seconds = (time_t)(realtime_ns / 1000000000);
	if (!realtime_ns || !gmtime_r(&seconds, &date) || !strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &date))
		return json_null();
	size_t end = strlen(text);
	snprintf(text + end, sizeof(text) - end, ".%03uZ", (unsigned)(realtime_ns / 1000000 % 1000));
	return json_string(text);
}

static json_t *make_clocks(const struct psr_info *info, const struct facts *facts)
{
	json_t *clocks = json_object();
	uint64_t begin =
		info->realtime_ns && facts->first_ns ? info->realtime_ns - info->monotonic_ns + facts->first_ns : 0;
	json_object_set_new(clocks, "monotonic_ns", number(info->monotonic_ns));
	json_object_set_new(clocks, "realtime_ns", number(info->realtime_ns));
	json_object_set_new(clocks, "boottime_ns", number(info->boottime_ns));
	json_object_set_new(clocks, "begin", make_time(begin));
	json_object_set_new(clocks, "first_ns", facts->first_ns ? number(facts->first_ns) : json_null());
	json_object_set_new(clocks, "last_ns", facts->first_ns ? number(facts->last_ns) : json_null());
	json_object_set_new(clocks, "length_ns",
			    facts->first_ns ? number(facts->last_ns - facts->first_ns) : json_null());
	json_object_set_new(clocks, "realtime_steps", facts->clocks ? number(facts->steps) : json_null());
	json_object_set_new(clocks, "realtime_moved_ns",
			    facts->clocks ? json_integer(facts->realtime_offset - facts->first_realtime_offset)
					  : json_null());
	json_object_set_new(clocks, "suspended_ns",
			    facts->clocks ? number(facts->sleep_ns - facts->first_sleep_ns > JITTER_NS
							   ? (uint64_t)(facts->sleep_ns - facts->first_sleep_ns)
							   : 0)
					  : json_null());
	return clocks;
}

static json_t *make_lost(const struct model *model)
{
	json_t *lost = json_object(), *sources = json_object();
	for (unsigned source = 0; source < PS_LOST_SOURCE_COUNT; source++)
		if (model->lost[source])
			json_object_set_new(sources, lost_source_name(source), number(model->lost[source]));
	json_object_set_new(lost, "total", number(model->lost_total));
	json_object_set_new(lost, "by_source", sources);
	return lost;
}

static json_t *make_probes(const struct model *model)
{
	json_t *probes = json_object();
	for (unsigned group = 0; group < PS_PROBE_GROUP_COUNT; group++) {
		const struct probe *probe = &model->probes[group];
		if (!probe->state && !*probe->reason)
			continue; /* never spoken of */
		json_t *row = json_pack("{s:s}", "state", probe_state_name(probe->state));
		json_object_set_new(row, "reason", *probe->reason ? json_string(probe->reason) : json_null());
		json_object_set_new(probes, probe_group_name(group), row);
	}
	return probes;
}

static json_t *make_processes(const struct model *model)
{
	json_t *processes = json_array();
	for (size_t i = 0; i < model->process_count; i++) {
		const struct process *process = model->processes[i];
		json_t *row = json_pack("{s:I, s:s, s:s, s:s, s:s, s:b}", "pid", (json_int_t)process->pid, "comm",
					process->comm, "cmdline", process->cmdline, "runtime", process->runtime,
					"runtime_version", process->version, "exited", process->exited);
		size_t loops = 0;
		for (size_t at = 0; at < model->loop_count; at++)
			loops += model->loops[at]->pid == process->pid;
		json_object_set_new(row, "loops", number(loops));
		json_array_append_new(processes, row);
	}
	return processes;
}

static json_t *make_events(const struct facts *facts)
{
	json_t *events = json_object();
	for (unsigned event = 0; event < PS_EVENT_MAX; event++)
		if (facts->events[event])
			json_object_set_new(events, schema_event(event)->name, number(facts->events[event]));
	return events;
}

static json_t *make_document(const struct recording *recording, const struct facts *facts)
{
	const struct psr_info *info = psr_reader_info(recording->reader);
	json_t *document = make_file(recording, facts);
	json_object_set_new(document, "origin", make_origin(info));
	json_object_set_new(document, "clocks", make_clocks(info, facts));
	json_object_set_new(document, "lost", make_lost(recording->model));
	json_object_set_new(document, "probes", make_probes(recording->model));
	json_object_set_new(document, "processes", make_processes(recording->model));
	json_object_set_new(document, "by_event", make_events(facts));
	return document;
}

/* ---- as text ---- */

static const char *text_at(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text ? text : "not known";
}

static uint64_t number_at(const json_t *object, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(object, key));
}

static void print_clocks(const json_t *clocks)
{
	char length[16], moved[16];
	printf("begin      %s\n", text_at(clocks, "begin"));
	if (json_is_null(json_object_get(clocks, "length_ns")))
		printf("length     n/a: no event\n");
	else
		printf("length     %s\n", text_duration(length, number_at(clocks, "length_ns")));
	if (json_is_null(json_object_get(clocks, "realtime_steps"))) {
		printf("clocks     n/a: no clock was recorded\n");
		return;
	}
	int64_t by = json_integer_value(json_object_get(clocks, "realtime_moved_ns"));
	printf("clocks     %llu steps of the wall clock, moved by %s%s in all",
	       (unsigned long long)number_at(clocks, "realtime_steps"), by < 0 ? "-" : "",
	       text_duration(moved, (uint64_t)(by < 0 ? -by : by)));
	printf(", suspended for %s\n", text_duration(moved, number_at(clocks, "suspended_ns")));
}

static void print_probes(json_t *probes)
{
	const char *name, *title = "probes";
	json_t *row;
	json_object_foreach(probes, name, row)
	{
		const char *reason = json_string_value(json_object_get(row, "reason"));
		printf("%-10s %s %s%s%s\n", title, name, text_at(row, "state"), reason ? ": " : "",
		       reason ? reason : "");
		title = "";
	}
}

static void print_processes(json_t *processes)
{
	const char *title = "processes";
	json_t *row;
	size_t i;
	json_array_foreach(processes, i, row)
	{
		printf("%-10s %s[%llu]  %s %s  %llu loops%s\n", title, text_at(row, "comm"),
		       (unsigned long long)number_at(row, "pid"), text_at(row, "runtime"),
		       text_at(row, "runtime_version"), (unsigned long long)number_at(row, "loops"),
		       json_is_true(json_object_get(row, "exited")) ? "  exited" : "");
		title = "";
	}
}

static void print_document(const json_t *document)
{
	const json_t *origin = json_object_get(document, "origin");
	const json_t *points = json_object_get(document, "seek_points");
	const char *name, *title = "by event";
	json_t *count;
	printf("%s: %s\n", text_at(document, "name"), text_at(document, "state_text"));
	printf("format     %s, events of version %llu\n", text_at(document, "format"),
	       (unsigned long long)number_at(document, "event_version"));
	printf("size       %llu bytes", (unsigned long long)number_at(document, "bytes"));
	if (json_is_real(json_object_get(document, "bytes_per_event")))
		printf(", %.1f per event", json_real_value(json_object_get(document, "bytes_per_event")));
	printf("; %llu chunks", (unsigned long long)number_at(document, "chunks"));
	if (json_is_integer(points))
		printf(", %llu seek points", (unsigned long long)json_integer_value(points));
	printf("\nlost       %llu\n", (unsigned long long)number_at(json_object_get(document, "lost"), "total"));
	print_clocks(json_object_get(document, "clocks"));
	printf("tool       %s\nmachine    %s\nboot       %s\ncommand    %s\n", text_at(origin, "tool"),
	       text_at(origin, "machine"), text_at(origin, "boot_id"), text_at(origin, "command"));
	print_probes(json_object_get(document, "probes"));
	print_processes(json_object_get(document, "processes"));
	json_object_foreach(json_object_get(document, "by_event"), name, count)
	{
		printf("%-10s %-16s %lld\n", title, name, (long long)json_integer_value(count));
		title = "";
	}
}

static int run(const struct options *options)
{
	struct recording recording;
	struct facts facts = { 0 };
	int code = recording_open(&recording, options->operands[0], 0);
	if (code)
		return code;
	int err = read_all(&recording, &facts);
	json_t *document = make_document(&recording, &facts);
	if (options->json)
		json_tell("recording", document);
	else
		print_document(document);
	if (!options->json)
		json_decref(document);
	if (err)
		code = fault(CLI_USAGE, "cannot read all of %s: %s", recording.name, strerror(-err));
	recording_close(&recording);
	return code;
}

const struct command cmd_info = {
	.name = "info",
	.usage = "FILE.psr",
	.note = "what a recording is, and whether it is complete",
	.more = "Reads all of the recording and prints its state (whole; open: its writer did not finish; torn at its "
		"end; "
		"damaged in the middle), how much is lost, which machine, clocks and probes it comes from, and how "
		"many "
		"events of each kind it holds.",
	.options = OPT(JSON),
	.fewest = 1,
	.most = 1,
	.run = run,
};

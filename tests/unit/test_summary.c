/* SPDX-License-Identifier: BSD-2-Clause */
/* The summary document: its fields, its nulls with reasons, its text. */
#include <locale.h>

#include "events.h"
#include "summary.h"
#include "summary_line.h"
#include "text.h"

static struct model *busy_model(void)
{
	struct model *model = a_model();
	a_loop(model, PS_LOOP_RING | PS_LOOP_PHASES | PS_LOOP_CALLBACKS);
	frame_at(model, 1, "fsync", "/lib/libc.so.6", "", 0, PS_FRAME_NATIVE);
	frame_at(model, 2, "rotate", "/usr/bin/app", "/src/log.c", 12, PS_FRAME_NATIVE);
	stack(model, 1, 1, 2);
	string(model, 1, "/var/log/app.log");
	returns(model, 1100, TID, FD, 1000, 2);
	APPLY(model, PHASE, ps_ev_phase, 1100, TID, .phase = PS_PHASE_POLL);
	APPLY(model, FD_READY, ps_ev_fd_ready, 1100, TID, .poller_fd = FD, .fd = 9, .ready_ns = 1098 * MS);
	APPLY(model, FD_READY, ps_ev_fd_ready, 1100, TID, .poller_fd = FD, .fd = 10);
	APPLY(model, CALLBACK_BEGIN, ps_ev_callback_begin, 1101, TID, .fd = 9, .kind = PS_KIND_TCP, .fn = 1);
	APPLY(model, OFFCPU, ps_ev_offcpu, 1290, TID, .off_ns = 1110 * MS, .wake_ns = 1290 * MS, .state = PS_OFF_DISK, .syscall = 74,
	      .args = { 41 }, .path = 1, .stack = 1);
	enter_sums(model, 1300, 15, 0, 185);
	APPLY(model, WORK_STARTED, ps_ev_work, 1310, 201, .work = 1, .since_ns = 1301 * MS, .pid = PID, .kind = PS_WORK_FS, .name = 1);
	APPLY(model, TIMER_FIRED, ps_ev_timer, 1311, TID, .due_ns = 1310 * MS, .fn = 1, .handle = 1);
	APPLY(model, OWN_COST, ps_ev_own_cost, 1312, 0, .cpu_ns = 3 * MS, .rss_bytes = 1 << 20);
	now(model, 2000);
	return model;
}

static json_t *at(json_t *value, const char *path)
{
	char part[32];
	while (*path) {
		size_t length = strcspn(path, ".");
		snprintf(part, sizeof(part), "%.*s", (int)length, path);
		value = json_is_array(value) ? json_array_get(value, strtoul(part, NULL, 10)) : json_object_get(value, part);
		path += length + (path[length] == '.');
	}
	if (!value)
		fail_msg("no %s", path);
	return value;
}

static json_int_t n(json_t *value, const char *path)
{
	assert_true(json_is_integer(at(value, path)));
	return json_integer_value(at(value, path));
}

static const char *s(json_t *value, const char *path)
{
	assert_true(json_is_string(at(value, path)));
	return json_string_value(at(value, path));
}

TEST(the_document_has_the_fields_of_the_contract)
{
	struct model *model = busy_model();
	json_t *document = summary_document(model, "pollscope 1", 0);
	assert_int_equal(n(document, "schema_version"), 1);
	assert_string_equal(s(document, "target.comm"), "node");
	assert_int_equal(n(document, "window_ns"), 1000 * MS);
	assert_int_equal(n(document, "lost.total"), 0);
	assert_int_equal(n(document, "own_cost.cpu_ns"), 3 * MS);
	json_t *loop = at(document, "loops.0");
	assert_int_equal(n(loop, "pid"), PID);
	assert_int_equal(n(loop, "poller_fd"), FD);
	assert_string_equal(s(loop, "backend"), "epoll");
	assert_int_equal(n(loop, "polls"), 1);
	assert_int_equal(n(loop, "window.first_ns"), 1000 * MS);
	assert_int_equal(n(loop, "window.last_ns"), 2000 * MS);
	assert_true(json_real_value(at(loop, "utilization")) > 0.199 && json_real_value(at(loop, "utilization")) < 0.201);
	assert_int_equal(n(loop, "poll_wait_ns.count"), 1);
	assert_int_equal(n(loop, "poll_wait_ns.max"), 100 * MS);
	assert_int_equal(n(loop, "lag_ns.max"), 3 * MS);
	assert_int_equal(n(loop, "stall_count"), 1);
	json_t *stall = at(loop, "stalls.0");
	assert_int_equal(n(stall, "duration_ns"), 200 * MS);
	assert_string_equal(s(stall, "phase"), "poll");
	assert_string_equal(s(stall, "cause"), "sync-io");
	assert_string_equal(s(stall, "rule"), "sync-call");
	assert_string_equal(s(stall, "culprit"), "fsync(41) /var/log/app.log <- rotate log.c:12");
	assert_int_equal(n(stall, "on_cpu_ns"), 15 * MS);
	assert_int_equal(n(stall, "blocked_ns"), 185 * MS);
	assert_string_equal(s(stall, "syscall.name"), "fsync");
	assert_int_equal(n(stall, "syscall.args.0"), 41);
	assert_string_equal(s(stall, "syscall.path"), "/var/log/app.log");
	assert_string_equal(s(stall, "stacks.0.frames.1.file"), "/src/log.c");
	assert_int_equal(n(stall, "stacks.0.frames.1.line"), 12);
	assert_string_equal(s(stall, "stacks.0.frames.0.kind"), "native");
	assert_int_equal(n(loop, "fds.0.fd"), 9);
	assert_int_equal(n(loop, "fds.0.lag_ns.max"), 3 * MS);
	assert_int_equal(n(loop, "timers.late_ns.max"), 1 * MS);
	assert_int_equal(n(document, "pools.0.by_kind.fs.wait_ns.max"), 9 * MS);
	assert_string_equal(s(document, "pools.0.workers.0.item"), "/var/log/app.log");
	assert_string_equal(s(document, "pools.0.workers.0.state"), "busy");
	assert_string_equal(s(document, "findings.0.id"), "PS002");
	assert_string_equal(s(document, "findings.0.severity"), "crit");
	assert_int_equal(n(document, "findings.0.evidence.worst_ns"), 200 * MS);
	json_decref(document);
	model_close(model);
}

TEST(the_same_events_make_the_same_bytes)
{
	char *text[2];
	for (int i = 0; i < 2; i++) {
		struct model *model = busy_model();
		json_t *document = summary_document(model, "pollscope 1", 0);
		text[i] = json_dumps(document, 0);
		json_decref(document);
		model_close(model);
	}
	assert_string_equal(text[0], text[1]);
	free(text[0]);
	free(text[1]);
}

/* every null that is a measure, at any depth, is explained by its path or by the path of what holds it */
static void explain(json_t *value, json_t *reasons, const char *path)
{
	const char *key;
	json_t *item;
	size_t i;
	char full[256];
	json_object_foreach(value, key, item) {
		snprintf(full, sizeof(full), "%s%s%s", path, *path ? "." : "", key);
		size_t length = strlen(key);
		int is_measure = length > 3 && !strcmp(key + length - 3, "_ns");
		if (json_is_null(item) && is_measure && !json_object_get(reasons, full))
			fail_msg("%s is null without a reason", full);
		explain(item, reasons, full);
	}
	const char *last = strrchr(path, '.') ? strrchr(path, '.') + 1 : path;
	int shared = !strcmp(last, "stalls") || !strcmp(last, "fds") || !strcmp(last, "probes");
	json_array_foreach(value, i, item) {
		if (shared)
			snprintf(full, sizeof(full), "%s.*", path);
		else
			snprintf(full, sizeof(full), "%s.%zu", path, i);
		explain(item, reasons, full);
	}
}

TEST(unknown_is_null_with_the_reason_of_the_probe)
{
	struct model *model = a_model();
	a_loop(model, 0);
	probe_is(model, PS_PROBE_SCHED, PS_PROBE_STATE_MISSING, "needs CAP_PERFMON: try sudo");
	returns(model, 1100, TID, FD, 1000, 2);
	enter(model, 1200, TID, FD, 1100, -1);
	now(model, 2000);
	json_t *document = summary_document(model, "pollscope 1", 0), *reasons = at(document, "not_measured");
	assert_true(json_is_null(at(document, "loops.0.lag_ns")));
	assert_true(json_is_null(at(document, "loops.0.on_cpu_ns")));
	assert_true(json_is_null(at(document, "loops.0.stalls.0.on_cpu_ns")));
	assert_true(json_is_null(at(document, "loops.0.stalls.0.phase")));
	assert_int_equal(json_array_size(at(document, "loops.0.phases")), 0);
	assert_string_equal(json_string_value(json_object_get(reasons, "loops.0.on_cpu_ns")), "needs CAP_PERFMON: try sudo");
	assert_string_equal(json_string_value(json_object_get(reasons, "loops.0.stalls.*.on_cpu_ns")), "needs CAP_PERFMON: try sudo");
	assert_non_null(json_object_get(reasons, "loops.0.phases"));
	assert_non_null(json_object_get(reasons, "own_cost.cpu_ns"));
	assert_true(json_is_null(at(document, "loops.0.timers.fired"))); /* nobody tells when one fires */
	assert_non_null(json_object_get(reasons, "loops.0.timers.fired"));
	explain(document, reasons, "");
	json_decref(document);
	model_close(model);
	model = busy_model();
	document = summary_document(model, "pollscope 1", 0);
	explain(document, at(document, "not_measured"), "");
	json_decref(document);
	model_close(model);
}

TEST(a_loop_whose_waits_nobody_saw_has_no_zeros)
{
	static const char *const keys[] = { "polls", "iterations", "ready", "busy_ns", "wait_ns", "stall_count", "stall_total_ns", "stall_max_ns" };
	struct model *model = a_model();
	char path[64], *text;
	size_t bytes;
	process(model, 1000);
	loop_is(model, 1000, TID, FD, 0);
	probe_is(model, PS_PROBE_POLL, PS_PROBE_STATE_MISSING, "not permitted");
	now(model, 5000);
	json_t *document = summary_document(model, "pollscope 1", 0);
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		snprintf(path, sizeof(path), "loops.0.%s", keys[i]);
		assert_true(json_is_null(at(document, path)));
		assert_string_equal(json_string_value(json_object_get(at(document, "not_measured"), path)), "not permitted");
	}
	FILE *out = open_memstream(&text, &bytes);
	assert_int_equal(summary_print(document, out), 0);
	fclose(out);
	assert_non_null(strstr(text, "stalls >= 50ms: n/a"));
	free(text);
	json_decref(document);
	model_close(model);
}

TEST(an_open_stall_is_in_the_totals)
{
	struct model *model = a_model();
	a_loop(model, 0);
	returns(model, 1100, TID, FD, 1000, 2);
	now(model, 1400);
	json_t *document = summary_document(model, "pollscope 1", 0);
	assert_int_equal(n(document, "loops.0.stall_count"), 1);
	assert_int_equal(n(document, "loops.0.stall_total_ns"), 300 * MS);
	assert_true(json_is_true(at(document, "loops.0.stalls.0.open")));
	json_decref(document);
	model_close(model);
}

TEST(loops_that_moved_come_first_and_the_main_thread_before_others)
{
	struct model *model = a_model();
	process(model, 1000);
	loop_is(model, 1000, 150, 7, 0); /* never moves */
	loop_is(model, 1000, 120, 7, 0);
	loop_is(model, 1000, PID, 7, 0);
	returns(model, 1100, 120, 7, 1000, 1);
	returns(model, 1100, PID, 7, 1000, 1);
	json_t *document = summary_document(model, "pollscope 1", 0);
	assert_int_equal(n(document, "loops.0.tid"), PID);
	assert_int_equal(n(document, "loops.1.tid"), 120);
	assert_int_equal(n(document, "loops.2.tid"), 150);
	json_decref(document);
	model_close(model);
}

TEST(the_text_keeps_to_100_columns_and_says_what_is_not_known)
{
	struct model *model = busy_model();
	char long_name[400], *text;
	size_t bytes;
	memset(long_name, 'x', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	frame(model, 5, long_name);
	stack(model, 5, 5);
	returns(model, 2100, TID, FD, 2050, 1);
	cpu_sample(model, 2150, TID, 5);
	enter(model, 2300, TID, FD, 2100, -1);
	json_t *document = summary_document(model, "pollscope 1", 0);
	FILE *out = open_memstream(&text, &bytes);
	assert_int_equal(summary_print(document, out), 0);
	fclose(out);
	assert_non_null(strstr(text, "node[100]"));
	assert_non_null(strstr(text, "fsync(41) /var/log/app.log <- rotate"));
	assert_non_null(strstr(text, "CRIT PS002"));
	assert_non_null(strstr(text, "not measured"));
	setlocale(LC_ALL, "C.UTF-8");
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		if (text_width(line) > 100)
			fail_msg("%d columns: %s", text_width(line), line);
	free(text);
	json_decref(document);
	model_close(model);
}

TEST(an_empty_model_has_a_document_and_a_text)
{
	struct model *model = a_model();
	char *text;
	size_t bytes;
	json_t *document = summary_document(model, "pollscope 1", 0);
	assert_true(json_is_null(at(document, "target")));
	FILE *out = open_memstream(&text, &bytes);
	assert_int_equal(summary_print(document, out), 0);
	fclose(out);
	assert_non_null(strstr(text, "no event loop was seen"));
	free(text);
	json_decref(document);
	model_close(model);
}

TEST(a_word_that_ends_in_the_last_column_is_not_cut)
{
	struct line line = { 0 };
	char *text, word[96];
	size_t bytes;
	line.out = open_memstream(&text, &bytes);
	memset(word, 'x', 90);
	snprintf(word + 90, sizeof(word) - 90, "%s", " yy");
	for (int lead = 5; lead < 11; lead++) {
		line_say(&line, "%*s", lead, "");
		line_wrap(&line, word, 0);
	}
	fclose(line.out);
	assert_null(strstr(text, "\xe2\x80\xa6"));
	assert_null(strstr(text, " \n"));
	free(text);
}

/* five loops of one process: two moved, three waited from the beginning to the end */
TEST(what_many_loops_lack_is_said_once_and_a_loop_that_slept_in_a_line)
{
	struct model *model = a_model();
	char *text;
	size_t bytes;
	a_loop(model, 0);
	probe_is(model, PS_PROBE_RUNTIME, PS_PROBE_STATE_OFF, "no runtime that can be read was found in it, and this sentence is longer than a line of the summary has room");
	probe_is(model, PS_PROBE_POLL, PS_PROBE_STATE_ON, "");
	for (uint32_t i = 1; i < 5; i++) {
		APPLY(model, THREAD, ps_ev_thread, 1000, TID + i, .pid = PID, .role = PS_ROLE_LOOP);
		loop_is(model, 1000, TID + i, FD + (int)i, 0);
		enter(model, 1000, TID + i, FD + (int)i, 0, -1);
	}
	returns(model, 1010, TID, FD, 1000, 1);
	enter(model, 1020, TID, FD, 1010, -1);
	returns(model, 1012, TID + 3, FD + 3, 1000, 1);
	enter(model, 1013, TID + 3, FD + 3, 1012, -1);
	now(model, 2000);
	json_t *document = summary_document(model, "pollscope 1", 0);
	FILE *out = open_memstream(&text, &bytes);
	assert_int_equal(summary_print(document, out), 0);
	fclose(out);
	assert_non_null(strstr(text, "    loops.*: callbacks phases "));
	assert_non_null(strstr(text, "    loops.1-2,4: "));
	assert_null(strstr(text, "loops.0.callbacks"));
	assert_non_null(strstr(text, "has room\n")); /* the reason is broken, not cut */
	int slept = 0;
	for (const char *at = text; (at = strstr(at, "it waited all the time")); at++)
		slept++;
	assert_int_equal(slept, 3);
	free(text);
	json_decref(document);
	model_close(model);
}

TEST(cpu_time_of_an_iteration_is_summed_over_its_slices_and_unknown_when_one_is)
{
	struct model *model = a_model();
	a_loop(model, 0);
	returns(model, 1010, TID, FD, 1000, 1);
	enter_sums(model, 1020, 4, 6, 0);
	returns(model, 1030, TID, FD, 1020, 1);
	enter_sums(model, 1050, 16, 4, 0);
	returns(model, 1060, TID, FD, 1050, 1);
	enter(model, 1070, TID, FD, 1060, -1); /* the scheduler was not asked */
	returns(model, 1080, TID, FD, 1070, 1);
	json_t *document = summary_document(model, "test", 0);
	assert_int_equal(n(document, "loops.0.iteration_cpu_ns.count"), 2);
	assert_int_equal(n(document, "loops.0.iteration_cpu_ns.mean"), 10 * MS);
	assert_int_equal(n(document, "loops.0.iteration_cpu_ns.max"), 16 * MS);
	json_decref(document);
	model_close(model);
}

TEST(lag_of_its_own_leaves_out_the_wait_for_a_cpu)
{
	struct model *model = a_model();
	a_loop(model, PS_LOOP_CALLBACKS);
	returns(model, 1010, TID, FD, 1000, 1);
	enter_sums(model, 1050, 10, 30, 0);
	/* ready at 1020 in a slice that waited 30 ms for a CPU, back from the poll at 1051 and served at 1052: 32 ms, 1 of them its own */
	returns(model, 1051, TID, FD, 1050, 1);
	APPLY(model, FD_READY, ps_ev_fd_ready, 1051, TID, .poller_fd = FD, .fd = 9, .ready_ns = 1020 * MS);
	APPLY(model, CALLBACK_BEGIN, ps_ev_callback_begin, 1052, TID, .fd = 9, .kind = PS_KIND_TCP, .fn = 1);
	enter_sums(model, 1053, 2, 0, 0);
	/* ready at 1100 while it slept, woken by the scheduler at 1140, served at 1141: 41 ms, 1 of them its own */
	returns(model, 1140, TID, FD, 1053, 1);
	APPLY(model, FD_READY, ps_ev_fd_ready, 1140, TID, .poller_fd = FD, .fd = 9, .ready_ns = 1100 * MS);
	APPLY(model, CALLBACK_BEGIN, ps_ev_callback_begin, 1141, TID, .fd = 9, .kind = PS_KIND_TCP, .fn = 1);
	enter_sums(model, 1142, 1, 0, 0);
	json_t *document = summary_document(model, "test", 0);
	assert_int_equal(n(document, "loops.0.lag_ns.max"), 41 * MS);
	assert_int_equal(n(document, "loops.0.lag_own_ns.count"), 2);
	assert_int_equal(n(document, "loops.0.lag_own_ns.max"), MS);
	assert_int_equal(n(document, "loops.0.callbacks"), 2);
	assert_int_equal(n(document, "loops.0.fds_open"), 1);
	json_decref(document);
	model_close(model);
}

TEST(where_it_was_watched_is_told_and_cleaned)
{
	struct model *model = busy_model();
	json_t *document = summary_document(model, "test", 0);
	assert_true(json_is_null(at(document, "identity")));
	struct psr_info info = { .tool = "pollscope 9", .machine = "6.1.0-x x86_64 AMD EPYC 7B13\x1b[2J", .boot_id = "abc" };
	summary_identify(document, &info);
	assert_string_equal(s(document, "identity.kernel"), "6.1.0-x");
	assert_string_equal(s(document, "identity.arch"), "x86_64");
	assert_string_equal(s(document, "identity.cpu"), "AMD EPYC 7B13\xef\xbf\xbd[2J");
	assert_string_equal(s(document, "identity.recorder"), "pollscope 9");
	memset(&info, 'x', sizeof(info)); /* not terminated, as a hostile file could have it */
	summary_identify(document, &info);
	assert_true(json_is_null(at(document, "identity.cpu")));
	json_decref(document);
	model_close(model);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs against a baseline: what is new, what is slower, and what cannot be compared. */
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "check_parts.h"
#include "test.h"

#define MS 1e6

/* ---- documents by hand ---- */

static json_t *stall(const char *culprit, const char *rule, const char *cause, double ms, double waited_ms, const char *file, int line)
{
	return json_pack("{s:f, s:f, s:b, s:s, s:s, s:s, s:f, s:[{s:[{s:s, s:i}]}]}", "start_ns", 1e9, "duration_ns", ms * MS, "open", 0,
			 "culprit", culprit, "rule", rule, "cause", cause, "runnable_ns", waited_ms * MS, "stacks", "frames", "file", file,
			 "line", line);
}

static json_t *run_of(double cpu_ms, json_t *stalls)
{
	return json_pack("{s:i, s:i, s:f, s:i, s:{s:i}, s:{s:s, s:s, s:s, s:s}, s:{s:s, s:s, s:s, s:s, s:b, s:n}, s:[{s:s, s:s}, {s:s, s:s}],"
			 " s:[{s:i, s:i, s:i, s:f, s:f, s:{s:i}, s:{s:i, s:f}, s:i, s:o, s:i}]}",
			 "schema_version", 1, "stall_threshold_ns", 50000000, "window_ns", 10e9, "events", 5000, "lost", "total", 0, "identity",
			 "kernel", "6.1.0", "arch", "x86_64", "cpu", "EPYC", "recorder", "pollscope 0.1.0", "target", "comm", "node", "runtime",
			 "node", "runtime_version", "20.1", "build_id", "abcdef", "exited", 1, "exit_status", "probes", "group", "poll", "state",
			 "on", "group", "sched", "state", "on", "loops", "iterations", 1000, "polls", 1000, "ready", 2000, "busy_ns", 1e9,
			 "on_cpu_ns", cpu_ms * MS, "iteration_ns", "count", 1000, "window", "first_ns", 1, "last_ns", 11e9, "stall_count",
			 (int)json_array_size(stalls), "stalls", stalls, "callbacks", 3000);
}

static json_t *plain(double cpu_ms)
{
	return run_of(cpu_ms, json_array());
}

static struct budget_file *budgets_of(const char *text)
{
	char path[] = "/tmp/pollscope-test-XXXXXX", message[512];
	int fd = mkstemp(path);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	struct budget_file *budgets;
	if (budget_open(&budgets, path, message, sizeof(message)))
		fail_msg("%s", message);
	unlink(path);
	return budgets;
}

static double dice(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (double)(*seed >> 40) / (double)(1 << 24) - 0.5;
}

struct side { json_t *documents[40]; size_t count; };

/* `count` runs around `cpu_ms`, spread evenly over ± `noise` of it */
static void fill(struct side *side, size_t count, double cpu_ms, double noise, uint64_t seed)
{
	for (side->count = 0; side->count < count; side->count++)
		side->documents[side->count] = plain(cpu_ms * (1 + 2 * noise * dice(&seed)));
}

static void empty(struct side *side)
{
	while (side->count)
		json_decref(side->documents[--side->count]);
}

static struct check_report judge_units(const char *regressions, struct side *now, struct side *before, double units)
{
	char text[1024];
	snprintf(text, sizeof(text), "schema: 1\nregressions:\n%s", regressions);
	struct budget_file *budgets = budgets_of(text);
	const struct check_runs runs = { now->documents, NULL, now->count }, baseline = { before->documents, NULL, before->count };
	struct check_report report;
	assert_int_equal(check_run(&report, budgets, &runs, &baseline, &(struct check_options){ .units = units }), 0);
	budget_close(budgets);
	return report;
}

static struct check_report judge(const char *regressions, struct side *now, struct side *before)
{
	return judge_units(regressions, now, before, 0);
}

static void expect(struct check_report report, enum verdict verdict, const char *words)
{
	if (report.verdict != verdict || !strstr(report.results[0].reason, words))
		fail_msg("%d \"%s\" should be %d and say \"%s\"", report.verdict, report.results[0].reason, verdict, words);
	check_report_free(&report);
}

static const char cpu[] = "  - metric: cpu.per_iteration\n    margin: 3%\n";
static const char news[] = "  - metric: new.sync_calls\n  - metric: new.stalls\n  - metric: new.rules\n";

/* ---- CPU time ---- */

TEST(ten_percent_more_cpu_time_fails_and_the_same_passes)
{
	struct side now, before;
	fill(&before, 10, 100, 0.02, 1);
	fill(&now, 10, 110, 0.02, 2);
	struct check_report report = judge(cpu, &now, &before);
	struct check_result *result = &report.results[0];
	assert_int_equal(report.verdict, VERDICT_FAIL);
	assert_true(result->change > 0.08 && result->change < 0.12);
	assert_true(result->low > 0.03 && result->high < 0.15 && result->p < 0.001);
	check_report_free(&report);
	empty(&now);
	fill(&now, 10, 100, 0.02, 3);
	expect(judge(cpu, &now, &before), VERDICT_PASS, "");
	empty(&now);
	fill(&now, 10, 80, 0.02, 4); /* faster is no regression */
	expect(judge(cpu, &now, &before), VERDICT_PASS, "");
	empty(&now);
	empty(&before);
}

TEST(a_change_within_its_uncertainty_is_left_open)
{
	struct side now, before;
	fill(&before, 10, 100, 0.25, 11);
	fill(&now, 10, 108, 0.25, 15);
	expect(judge(cpu, &now, &before), VERDICT_INCONCLUSIVE, "more runs would tell");
	empty(&now);
	empty(&before);
}

TEST(nine_runs_are_too_few_unless_the_file_says_so)
{
	struct side now, before;
	fill(&before, 9, 100, 0.01, 1);
	fill(&now, 9, 150, 0.01, 2);
	expect(judge(cpu, &now, &before), VERDICT_INCONCLUSIVE, "too few runs: 9, and 9 in the baseline; 10 of each");
	struct budget_file *budgets = budgets_of("schema: 1\nruns: 9\nregressions:\n  - metric: cpu.per_iteration\n");
	const struct check_runs runs = { now.documents, NULL, 9 }, baseline = { before.documents, NULL, 9 };
	struct check_report report;
	assert_int_equal(check_run(&report, budgets, &runs, &baseline, &(struct check_options){ 0 }), 0);
	expect(report, VERDICT_FAIL, "+50");
	budget_close(budgets);
	empty(&now);
	empty(&before);
}

TEST(noise_alone_fails_in_less_than_two_of_a_hundred_cases)
{
	unsigned failed = 0, open = 0;
	for (uint64_t i = 0; i < 300; i++) {
		struct side now, before;
		fill(&before, 10, 100, 0.06, 1000 + i);
		fill(&now, 10, 100, 0.06, 9000 + i);
		struct check_report report = judge(cpu, &now, &before);
		failed += report.verdict == VERDICT_FAIL;
		open += report.verdict == VERDICT_INCONCLUSIVE;
		check_report_free(&report);
		empty(&now);
		empty(&before);
	}
	assert_true(failed <= 3);
	assert_true(open <= 60);
}

TEST(many_questions_are_harder_to_fail_than_one)
{
	struct check_result results[20];
	memset(results, 0, sizeof(results));
	for (int i = 0; i < 20; i++)
		results[i] = (struct check_result){ .is_compared = 1, .change = 0.2, .low = 0.1, .high = 0.3, .margin = 0.03, .p = 0.004 };
	struct check_report report = { .results = results, .count = 1 };
	assert_int_equal(regression_decide(&report), 0);
	assert_int_equal(results[0].verdict, VERDICT_FAIL);
	results[0].p = 0.004;
	report.count = 20;
	report.verdict = VERDICT_PASS;
	assert_int_equal(regression_decide(&report), 0);
	assert_int_equal(report.verdict, VERDICT_INCONCLUSIVE);
	assert_true(fabs(results[0].p - 0.08) < 1e-9);
}

TEST(work_per_unit_needs_to_know_the_units)
{
	struct side now, before;
	fill(&before, 10, 100, 0.01, 1);
	fill(&now, 10, 120, 0.01, 2);
	expect(judge("  - metric: cpu.per_unit\n", &now, &before), VERDICT_INCONCLUSIVE, "--units");
	expect(judge_units("  - metric: cpu.per_unit\n", &now, &before, 500), VERDICT_FAIL, "+2");
	empty(&now);
	empty(&before);
}

TEST(the_function_that_grew_is_named)
{
	struct side now, before;
	fill(&before, 10, 100, 0.01, 1);
	fill(&now, 10, 120, 0.01, 2);
	for (size_t i = 0; i < 20; i++) {
		json_t *rows = json_pack("[{s:s, s:s, s:f}, {s:s, s:s, s:f}]", "name", "render", "file", "/app/page.js", "ns", i < 10 ? 4e6 : 24e6,
					 "name", "parse", "file", "/app/in.js", "ns", 50e6);
		json_t *document = i < 10 ? before.documents[i] : now.documents[i - 10];
		json_object_set_new(json_array_get(json_object_get(document, "loops"), 0), "profile", json_pack("{s:o}", "rows", rows));
	}
	struct check_report report = judge(cpu, &now, &before);
	assert_string_equal(report.results[0].file, "/app/page.js");
	expect(report, VERDICT_FAIL, "most of it in render");
	empty(&now);
	empty(&before);
}

/* ---- exact figures ---- */

TEST(an_exact_figure_needs_one_run)
{
	struct side now = { { plain(100) }, 1 }, before = { { plain(100) }, 1 };
	static const char callbacks[] = "  - metric: callbacks.per_ready\n";
	expect(judge(callbacks, &now, &before), VERDICT_PASS, "");
	json_object_set_new(json_array_get(json_object_get(now.documents[0], "loops"), 0), "callbacks", json_integer(3002));
	expect(judge(callbacks, &now, &before), VERDICT_FAIL, "1.501, in the baseline 1.5");
	expect(judge("  - metric: callbacks.per_ready\n    margin: 1%\n", &now, &before), VERDICT_PASS, "");
	empty(&now);
	empty(&before);
}

/* ---- what is new ---- */

static json_t *with(json_t *first, json_t *second)
{
	json_t *stalls = json_array();
	json_array_append_new(stalls, first);
	if (second)
		json_array_append_new(stalls, second);
	return run_of(100, stalls);
}

static json_t *hash(void)
{
	return stall("pbkdf2Sync <- hashPw auth.js:41", "crypto", "cpu", 80, 1, "/app/auth.js", 41);
}

static json_t *reading(const char *culprit, int line)
{
	return stall(culprit, "sync-call", "cpu", 70, 1, "/app/load.js", line);
}

TEST(a_new_synchronous_call_is_named_by_file_and_line_after_one_run)
{
	struct side before = { { with(hash(), NULL) }, 1 }, now = { { with(hash(), reading("readFileSync <- load load.js:7", 7)) }, 1 };
	struct check_report report = judge(news, &now, &before);
	assert_int_equal(report.count, 3);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(report.results[i].verdict, VERDICT_FAIL);
		assert_string_equal(report.results[i].file, "/app/load.js");
		assert_int_equal(report.results[i].line, 7);
	}
	assert_non_null(strstr(report.results[2].reason, "rule sync-call"));
	expect(report, VERDICT_FAIL, "1 new: 70ms readFileSync <- load load.js:7");
	expect(judge(news, &before, &now), VERDICT_PASS, ""); /* and one that is gone is none */
	expect(judge("  - metric: new.sync_calls\n    max: 1\n", &now, &before), VERDICT_PASS, "");
	empty(&now);
	empty(&before);
}

TEST(the_same_call_in_another_line_on_another_file_of_its_kind_is_not_new)
{
	static const char *const same[] = {
		"readFileSync /tmp/a8X2/cache/17.json <- load load.js:7", "readFileSync /tmp/Zq19/cache/233.json <- load load.js:9" };
	struct side before = { { with(reading(same[0], 7), NULL) }, 1 }, now = { { with(reading(same[1], 9), NULL) }, 1 };
	expect(judge(news, &now, &before), VERDICT_PASS, "");
	empty(&now);
	now = (struct side){ { with(reading("read(31) /var/log/app/1f00aa7c93.log <- load load.js:7", 7), NULL) }, 1 };
	empty(&before);
	before = (struct side){ { with(reading("read(7) /var/log/app/99aa7c931f.log <- load load.js:7", 7), NULL) }, 1 };
	expect(judge(news, &now, &before), VERDICT_PASS, "");
	empty(&now);
	now = (struct side){ { with(reading("read(7) /etc/app/settings.conf <- load load.js:7", 7), NULL) }, 1 };
	expect(judge(news, &now, &before), VERDICT_FAIL, "/etc/app/settings.conf");
	empty(&now);
	empty(&before);
}

TEST(what_the_machine_did_is_not_new)
{
	struct side before = { { plain(100) }, 1 };
	struct side now = { { with(stall("waiting for a CPU: cpu1 ran cc1", "host", "run-queue", 90, 80, "", 0),
				   /* 70 ms, of which it waited 30 for a CPU: 40 ms are below the threshold */
				   stall("readFileSync <- load load.js:7", "sync-call", "cpu", 70, 30, "/app/load.js", 7)) }, 1 };
	expect(judge(news, &now, &before), VERDICT_PASS, "");
	empty(&now);
	now = (struct side){ { with(stall("garbage collection (major)", "gc", "gc", 90, 0, "", 0), NULL) }, 1 };
	expect(judge(news, &now, &before), VERDICT_PASS, "");
	empty(&now);
	/* the time it takes to end: the slice ends with the loop */
	json_t *last = stall("OPENSSL_LH_free <- err_cleanup", "computation", "cpu", 90, 0, "", 0);
	json_object_set_new(last, "start_ns", json_real(11e9 - 90 * MS));
	now = (struct side){ { with(last, NULL) }, 1 };
	expect(judge(news, &now, &before), VERDICT_PASS, "");
	empty(&now);
	empty(&before);
}

TEST(a_stall_without_a_name_is_left_open_unless_the_baseline_has_one)
{
	struct side before = { { plain(100) }, 1 };
	struct side now = { { with(stall("not known (no samples)", "unknown", "unknown", 90, 0, "", 0), NULL) }, 1 };
	struct check_report report = judge("  - metric: new.stalls\n", &now, &before);
	expect(report, VERDICT_INCONCLUSIVE, "not known");
	empty(&before);
	before = (struct side){ { with(stall("not known (3 samples without a stack)", "computation", "cpu", 60, 0, "", 0), NULL) }, 1 };
	expect(judge("  - metric: new.stalls\n", &now, &before), VERDICT_PASS, "");
	empty(&now);
	empty(&before);
}

TEST(one_more_stall_in_a_noisy_run_is_named)
{
	struct side before = { .count = 0 }, now = { .count = 0 };
	for (int i = 0; i < 10; i++) {
		before.documents[before.count++] = with(hash(), stall("waiting for a CPU", "host", "run-queue", 60 + i, 60, "", 0));
		now.documents[now.count++] = with(hash(), i == 6 ? reading("execSync <- version app.js:12", 12) : NULL);
	}
	struct check_report report = judge("  - metric: new.stalls\n", &now, &before);
	assert_int_equal(report.results[0].line, 12);
	expect(report, VERDICT_FAIL, "execSync <- version app.js:12");
	empty(&now);
	empty(&before);
}

TEST(what_few_of_many_runs_took_long_for_is_left_open_and_what_most_did_fails)
{
	for (int have = 1; have <= 10; have++) {
		struct side before = { .count = 0 }, now = { .count = 0 };
		for (int i = 0; i < 10; i++) {
			before.documents[before.count++] = plain(100);
			now.documents[now.count++] = i < have ? with(hash(), hash()) : plain(100);
		}
		struct check_report report = judge("  - metric: new.rules\n  - metric: new.stalls\n", &now, &before);
		for (int i = 0; i < 2; i++) {
			char words[40];
			snprintf(words, sizeof(words), have > 5 ? "1 new: " : "new in %d of 10 runs: ", have);
			assert_int_equal(report.results[i].verdict, have > 5 ? VERDICT_FAIL : VERDICT_INCONCLUSIVE);
			assert_non_null(strstr(report.results[i].reason, words));
			assert_non_null(strstr(report.results[i].reason, "pbkdf2"));
		}
		check_report_free(&report);
		expect(judge("  - metric: new.rules\n    max: 1\n", &now, &before), VERDICT_PASS, "");
		empty(&now);
		empty(&before);
	}
}

/* ---- what cannot be compared ---- */

static void differs(const char *object, const char *key, const char *value, const char *regression, const char *words)
{
	struct side now, before;
	fill(&before, 10, 100, 0.01, 1);
	fill(&now, 10, 150, 0.01, 2);
	json_object_set_new(json_object_get(now.documents[3], object), key, json_string(value));
	expect(judge(regression, &now, &before), VERDICT_INCONCLUSIVE, words);
	empty(&now);
	empty(&before);
}

TEST(runs_of_another_machine_tool_or_runtime_are_not_compared)
{
	differs("identity", "kernel", "6.18.0", cpu, "another kernel: 6.18.0, the baseline 6.1.0");
	differs("identity", "cpu", "Xeon", cpu, "another processor: Xeon");
	differs("identity", "recorder", "pollscope 0.2.0", cpu, "another version of pollscope");
	differs("target", "build_id", "123456", cpu, "another runtime");
	differs("target", "runtime_version", "22.3", cpu, "another runtime");
	differs("identity", "kernel", "", cpu, "the kernel of a run is not told");
}

TEST(what_is_exact_does_not_depend_on_the_machine_but_on_the_probes)
{
	struct side before = { { plain(100) }, 1 }, now = { { with(reading("readFileSync <- load load.js:7", 7), NULL) }, 1 };
	json_object_set_new(json_object_get(now.documents[0], "identity"), "kernel", json_string("6.18.0"));
	json_object_set_new(json_object_get(now.documents[0], "identity"), "cpu", json_string("Xeon"));
	expect(judge(news, &now, &before), VERDICT_FAIL, "readFileSync");
	json_object_set_new(json_array_get(json_object_get(before.documents[0], "probes"), 1), "state", json_string("missing"));
	expect(judge(news, &now, &before), VERDICT_INCONCLUSIVE, "another set of probes: poll sched, the baseline poll");
	json_object_set_new(json_array_get(json_object_get(before.documents[0], "probes"), 1), "state", json_string("on"));
	json_object_set_new(before.documents[0], "stall_threshold_ns", json_integer(100000000));
	expect(judge(news, &now, &before), VERDICT_INCONCLUSIVE, "stall threshold: 50ms, the baseline 100ms");
	empty(&now);
	empty(&before);
}

TEST(a_native_program_is_another_build_each_time)
{
	struct side now, before;
	fill(&before, 10, 100, 0.01, 1);
	fill(&now, 10, 150, 0.01, 2);
	for (size_t i = 0; i < 10; i++) {
		json_object_set_new(json_object_get(before.documents[i], "target"), "runtime", json_string("generic"));
		json_object_set_new(json_object_get(now.documents[i], "target"), "runtime", json_string("generic"));
		json_object_set_new(json_object_get(now.documents[i], "target"), "build_id", json_string("999"));
	}
	expect(judge(cpu, &now, &before), VERDICT_FAIL, "+50");
	empty(&now);
	empty(&before);
}

TEST(loss_and_a_target_that_left_early_are_no_pass)
{
	struct side now, before;
	fill(&before, 10, 100, 0.01, 1);
	fill(&now, 10, 100, 0.01, 2);
	json_object_set_new(json_object_get(now.documents[0], "lost"), "total", json_integer(5));
	expect(judge(cpu, &now, &before), VERDICT_INCONCLUSIVE, "5 events were lost");
	struct budget_file *budgets = budgets_of("schema: 1\nloss: 0.2%\nregressions:\n  - metric: cpu.per_iteration\n");
	const struct check_runs runs = { now.documents, NULL, 10 }, baseline = { before.documents, NULL, 10 };
	struct check_report report;
	assert_int_equal(check_run(&report, budgets, &runs, &baseline, &(struct check_options){ 0 }), 0);
	expect(report, VERDICT_PASS, "");
	budget_close(budgets);
	json_object_set_new(json_object_get(now.documents[0], "lost"), "total", json_integer(0));
	json_object_set_new(json_object_get(now.documents[2], "target"), "exit_status", json_integer(3 << 8));
	expect(judge(cpu, &now, &before), VERDICT_INCONCLUSIVE, "exit code 3");
	json_object_set_new(json_object_get(now.documents[2], "target"), "exit_status", json_integer(9));
	expect(judge(cpu, &now, &before), VERDICT_INCONCLUSIVE, "killed by signal 9");
	json_object_set_new(json_object_get(now.documents[2], "target"), "exit_status", json_null());
	json_object_set_new(now.documents[2], "window_ns", json_real(4e9));
	expect(judge(cpu, &now, &before), VERDICT_INCONCLUSIVE, "left early: watched for 4.0s, in the baseline for 10s");
	json_object_set_new(json_object_get(now.documents[2], "target"), "exit_status", json_integer(0)); /* it was only quick */
	expect(judge(cpu, &now, &before), VERDICT_PASS, "");
	empty(&now);
	empty(&before);
}

TEST(a_run_that_did_not_measure_it_leaves_it_open)
{
	struct side now, before;
	fill(&before, 10, 100, 0.01, 1);
	fill(&now, 10, 100, 0.01, 2);
	json_object_set_new(json_array_get(json_object_get(before.documents[4], "loops"), 0), "on_cpu_ns", json_null());
	expect(judge(cpu, &now, &before), VERDICT_INCONCLUSIVE, "in the baseline not measured");
	empty(&now);
	empty(&before);
}

/* ---- for others ---- */

static char *printed(int (*print)(const struct check_report *, FILE *), const struct check_report *report)
{
	char *text;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);
	assert_int_equal(print(report, out), 0);
	fclose(out);
	return text;
}

static int print_github(const struct check_report *report, FILE *out)
{
	return check_print_github(report, "/home/me/app/", out);
}

TEST(annotations_are_the_ten_worst_first_and_escaped)
{
	struct check_result results[25];
	memset(results, 0, sizeof(results));
	for (int i = 0; i < 25; i++) {
		results[i] = (struct check_result){ .verdict = i % 2 ? VERDICT_FAIL : VERDICT_INCONCLUSIVE, .measured = i, .limit = 1 };
		snprintf(results[i].metric, sizeof(results[i].metric), "m%d", i);
	}
	struct check_result *worst = &results[23];
	snprintf(worst->reason, sizeof(worst->reason), "100%% bad\n::error::injected");
	snprintf(worst->where, sizeof(worst->where), "culprit: a,b");
	snprintf(worst->file, sizeof(worst->file), "/home/me/app/src/x:1,y.js");
	worst->line = 7;
	struct check_report report = { VERDICT_FAIL, results, 25 };
	char *text = printed(print_github, &report);
	const char *first = "::error file=src/x%3A1%2Cy.js,line=7,title=pollscope m23 {culprit%3A a%2Cb}::100%25 bad%0A::error::injected\n";
	assert_memory_equal(text, first, strlen(first));
	int errors = 0, warnings = 0;
	for (char *at = text; (at = strstr(at, "::")) != NULL; at++) {
		int is_line = at == text || at[-1] == '\n';
		errors += is_line && !strncmp(at, "::error ", 8);
		warnings += is_line && !strncmp(at, "::warning ", 10);
	}
	assert_int_equal(errors, 10);
	assert_int_equal(warnings, 10);
	assert_non_null(strstr(text, "12 failed and 13 inconclusive"));
	free(text);
}

TEST(markdown_of_any_name_stays_one_row)
{
	struct check_result results[2] = {
		{ .metric = "stall.count", .where = "culprit: a|b`<c>", .verdict = VERDICT_FAIL, .reason = "x\n| y |", .measured = 3, .limit = 1 },
		{ .metric = "lag.p99", .verdict = VERDICT_PASS, .measured = 3e6, .limit = 5e6, .is_duration = 1 } };
	struct check_report report = { VERDICT_FAIL, results, 2 };
	char *text = printed(check_print_markdown, &report);
	assert_non_null(strstr(text, "### pollscope check: fail"));
	assert_non_null(strstr(text, "a\\|b\\`\\<c\\>"));
	int rows = 0;
	for (char *at = text; (at = strstr(at, "\n| ")) != NULL; at++)
		rows++;
	assert_int_equal(rows, 3); /* the head and two */
	free(text);
}

TEST(benchmark_action_gets_name_unit_and_value)
{
	struct check_result results[2] = {
		{ .metric = "cpu.per_iteration", .measured = 3e6, .is_duration = 1, .is_compared = 1, .low = 0.01, .high = 0.05 },
		{ .metric = "lag.p99", .measured = -1 } };
	struct check_report report = { VERDICT_PASS, results, 2 };
	json_t *list = check_benchmark(&report);
	assert_int_equal(json_array_size(list), 1);
	const json_t *row = json_array_get(list, 0);
	assert_string_equal(json_string_value(json_object_get(row, "name")), "cpu.per_iteration");
	assert_string_equal(json_string_value(json_object_get(row, "unit")), "ns");
	assert_true(json_real_value(json_object_get(row, "value")) == 3e6);
	assert_string_equal(json_string_value(json_object_get(row, "range")), "+1.0% to +5.0%");
	json_decref(list);
}

TEST(the_first_budget_is_accepted_and_kept_by_the_run_that_it_was_made_from)
{
	json_t *document = with(hash(), reading("readFileSync\nmetric: x <- load load.js:7", 7));
	char *text;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);
	json_object_set_new(json_object_get(document, "target"), "cmdline", json_string("node\n- a: b"));
	assert_int_equal(check_init(document, "a\n.psr", out), 0);
	fclose(out);
	struct budget_file *budgets = budgets_of(text);
	const struct check_runs runs = { &document, NULL, 1 };
	struct check_report report;
	assert_int_equal(check_run(&report, budgets, &runs, &runs, &(struct check_options){ 0 }), 0);
	for (size_t i = 0; i < report.count; i++)
		assert_int_not_equal(report.results[i].verdict, VERDICT_FAIL);
	assert_int_equal(report.results[0].verdict, VERDICT_PASS);
	assert_non_null(strstr(text, "# Synchronous calls blocked the loop 1 times"));
	check_report_free(&report);
	budget_close(budgets);
	free(text);
	json_decref(document);
}

TEST(what_only_launches_the_program_does_not_count)
{
	json_t *document = with(reading("readFileSync <- require cli.js:7", 7), NULL);
	json_t *loops = json_object_get(document, "loops"), *mine = json_deep_copy(json_array_get(loops, 0));
	json_object_set_new(json_array_get(loops, 0), "pid", json_integer(7));
	json_object_set_new(json_array_get(loops, 0), "comm", json_string("npm test"));
	struct side before = { { plain(100) }, 1 }, now = { { document }, 1 };
	expect(judge("  - metric: new.sync_calls\n", &now, &before), VERDICT_FAIL, "cli.js"); /* alone it is what was asked for */
	json_object_set_new(mine, "pid", json_integer(8));
	json_object_set_new(mine, "comm", json_string("node"));
	json_object_set_new(mine, "stalls", json_array());
	json_array_append_new(loops, mine);
	expect(judge("  - metric: new.sync_calls\n", &now, &before), VERDICT_PASS, "");
	/* the title comes late: the command line tells too */
	json_object_set_new(json_array_get(loops, 0), "comm", json_string("node"));
	expect(judge("  - metric: new.sync_calls\n", &now, &before), VERDICT_FAIL, "cli.js");
	json_object_set_new(json_object_get(document, "target"), "pid", json_integer(7));
	json_object_set_new(json_object_get(document, "target"), "cmdline", json_string("node /usr/bin/npm test"));
	expect(judge("  - metric: new.sync_calls\n", &now, &before), VERDICT_PASS, "");
	expect(judge("  - metric: new.sync_calls\n    where: { comm: redis }\n", &now, &before), VERDICT_PASS, "");
	empty(&now);
	empty(&before);
}

TEST(the_programs_part_of_a_stall_on_a_busy_machine_is_judged)
{
	json_t *slow = stall("waiting for a CPU: cpu1 ran cc1", "host", "run-queue", 150, 90, "/app/load.js", 7);
	json_object_set_new(slow, "own", json_pack("{s:s, s:s}", "rule", "sync-call", "culprit", "readFileSync <- load load.js:7"));
	struct side before = { { plain(100) }, 1 }, now = { { with(slow, NULL) }, 1 };
	struct check_report report = judge("  - metric: new.sync_calls\n", &now, &before);
	assert_string_equal(report.results[0].file, "/app/load.js");
	expect(report, VERDICT_FAIL, "readFileSync <- load load.js:7");
	empty(&now);
	empty(&before);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The gate: what a budget file may say, and what is passed, failed or left open. */
#include <unistd.h>
#include <sys/wait.h>

#include "check.h"
#include "events.h"
#include "summary.h"

static struct budget_file *read_budget(const char *text, char message[512])
{
	char path[] = "/tmp/pollscope-test-XXXXXX";
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	struct budget_file *budgets;
	int err = budget_open(&budgets, path, message, 512);
	unlink(path);
	assert_int_equal(err != 0, budgets == NULL);
	return budgets;
}

static void refused(const char *text, const char *place, const char *word)
{
	char message[512];
	assert_null(read_budget(text, message));
	if (!strstr(message, place) || !strstr(message, word))
		fail_msg("\"%s\" should name %s and %s", message, place, word);
}

/* two stalls of 200 ms by crypto on the CPU, one of 60 ms asleep in a call; 4 short turns */
static json_t *document(uint64_t lost)
{
	struct model *model = a_model();
	a_loop(model, 0);
	frame_at(model, 1, "PBKDF2", "", "", 0, PS_FRAME_NATIVE);
	frame_at(model, 2, "hashPw", "", "/srv/auth.js", 41, PS_FRAME_JS);
	stack(model, 1, 1, 2);
	for (int i = 0; i < 2; i++) {
		double at = 1100 + i * 1000;
		returns(model, at, TID, FD, at - 50, 1);
		cpu_sample(model, (uint64_t)at + 100, TID, 1);
		APPLY(model, POLL_ENTER, ps_ev_poll_enter, at + 200, TID, .poller_fd = FD, .timeout_ns = -1, .on_cpu_ns = 200 * MS);
	}
	returns(model, 3000, TID, FD, 2950, 1);
	APPLY(model, OFFCPU, ps_ev_offcpu, 3058, TID, .off_ns = 3001 * MS, .wake_ns = 3058 * MS, .state = PS_OFF_SLEEPING, .syscall = 0);
	enter(model, 3060, TID, FD, 3000, -1);
	for (int i = 0; i < 4; i++) {
		returns(model, 3100 + i * 10, TID, FD, 0, 1);
		enter(model, 3101 + i * 10, TID, FD, 0, -1);
	}
	if (lost)
		APPLY(model, LOST, ps_ev_lost, 3200, 0, .count = lost);
	now(model, 4000);
	json_t *made = summary_document(model, "pollscope test", 0);
	assert_non_null(made);
	model_close(model);
	return made;
}

static json_t *no_loops(void)
{
	struct model *model = a_model();
	process(model, 1000);
	now(model, 2000);
	json_t *made = summary_document(model, "pollscope test", 0);
	model_close(model);
	return made;
}

static struct check_report judged(const char *budget, json_t *made, int lossy_ok)
{
	char message[512], whole[1024];
	snprintf(whole, sizeof(whole), "schema: 1\nbudgets:\n%s", budget);
	struct budget_file *budgets = read_budget(whole, message);
	if (!budgets)
		fail_msg("%s", message);
	struct check_report report;
	const char *name = "a.psr";
	const struct check_runs runs = { &made, &name, 1 };
	const struct check_options options = { .lossy_ok = lossy_ok };
	assert_int_equal(check_run(&report, budgets, &runs, NULL, &options), 0);
	budget_close(budgets);
	return report;
}

static void expect(const char *budget, enum verdict verdict, const char *reason)
{
	json_t *made = document(0);
	struct check_report report = judged(budget, made, 0);
	if (report.verdict != verdict || !strstr(report.results[0].reason, reason))
		fail_msg("%s gives %d \"%s\"", budget, report.verdict, report.results[0].reason);
	check_report_free(&report);
	json_decref(made);
}

/* ---- the file ---- */

TEST(a_wrong_key_metric_or_value_is_refused_with_its_place_and_the_nearest_name)
{
	refused("schema: 1\nbudgets:\n  - metrik: stall.count\n    max: 0\n", ":3:5:", "\"metric\"");
	refused("schema: 1\nbudgets:\n  - metric: stall.cuont\n    max: 0\n", ":3:13:", "\"stall.count\"");
	refused("schema: 1\nbudgets:\n  - metric: stall.count\n    where: { rule: sync-cal }\n    max: 0\n", ":4:20:", "\"sync-call\"");
	refused("schema: 1\nbudgets:\n  - metric: stall.count\n    where: { cause: cpus }\n    max: 0\n", ":4:21:", "\"cpu\"");
	refused("schema: 1\nbudgets:\n  - metric: lag.p99\n    max: 20\n", ":4:10:", "20ms");
	refused("schema: 1\nbudgets:\n  - metric: stall.count\n    max: few\n", ":4:10:", "no number");
	refused("schema: 1\nbudgets:\n  - metric: stall.count\n", ":3:5:", "max or a min");
	refused("schema: 1\nbudgets:\n  - max: 1\n", ":3:5:", "needs a metric");
	refused("schema: 1\nbudgets:\n  - metric: lag.p99\n    where: { rule: json }\n    max: 1ms\n", ":4:12:", "stall");
	refused("schema: 1\nbudgets:\n  - metric: stall.count\n    max: 1\n    max: 2\n", ":5:5:", "twice");
	refused("schema: 2\nbudgets: []\n", ":1:9:", "schema 1");
	refused("budgets:\n  - metric: stall.count\n    max: 1\n", ":1:1:", "schema");
	refused("schema: 1\nbudgets: []\n", ":1:1:", "no budget");
	refused("schema: 1\nbudgets: {}\n", ":2:10:", "list");
	refused("", "", "empty");
	refused("- 1\n", ":1:1:", "mapping");
	refused("schema: 1\nbudgets:\n  - [}\n", ":3:", "not YAML");
	refused("schema: 1\nbudgets:\n  - metric: stall.count\n    max: 1\n---\nmore: 1\n", "", "follows");
	refused("schema: 1\nbudgets:\n  - metric: stall.count\n    max: nan\n", ":4:10:", "no number");
	refused("schema: 1\nbudgets:\n  - metric: new.stalls\n    max: 0\n", ":3:13:", "under regressions");
	refused("schema: 1\nregressions:\n  - metric: new.stalls\n    margin: 5%\n", ":4:13:", "give a max");
	refused("schema: 1\nregressions:\n  - metric: new.stals\n", ":3:13:", "\"new.stalls\"");
	refused("schema: 1\nregressions:\n  - metric: lag.p99\n    max: 5ms\n", ":4:10:", "belongs under budgets");
	refused("schema: 1\nregressions:\n  - metric: lag.p99\n    margin: 5\n", ":4:13:", "percentage");
	refused("schema: 1\nregressions:\n  - metric: lag.p99\n    where: { rule: json }\n", ":4:12:", "stall");
	refused("schema: 1\nruns: 3\nbudgets:\n  - metric: lag.p99\n    max: 5ms\n", ":2:7:", "from 4");
	refused("schema: 1\nloss: few\nbudgets:\n  - metric: lag.p99\n    max: 5ms\n", ":2:7:", "percentage");
	refused("schema: 1\nbudgets:\n  - metric: loops.x.polls\n    max: 1\n", ":3:13:", "unknown metric");
}

TEST(a_file_that_is_not_there_is_said)
{
	char message[512];
	struct budget_file *budgets;
	assert_int_equal(budget_open(&budgets, "/nowhere/b.yml", message, sizeof(message)), -2);
	assert_non_null(strstr(message, "/nowhere/b.yml"));
}

/* ---- verdicts ---- */

TEST(a_count_above_its_max_fails_and_names_the_culprit)
{
	expect("  - metric: stall.count\n    max: 2\n", VERDICT_FAIL, "3 > 2: 200ms PBKDF2 <- hashPw auth.js:41");
	expect("  - metric: stall.count\n    max: 3\n", VERDICT_PASS, "");
	expect("  - metric: stall.max\n    max: 100ms\n", VERDICT_FAIL, "200ms > 100ms: 200ms PBKDF2");
	expect("  - metric: stall.total\n    max: 460ms\n", VERDICT_PASS, "");
	expect("  - metric: stall.total\n    max: 459ms\n", VERDICT_FAIL, "460ms > 459ms");
}

TEST(the_place_of_the_culprit_is_in_the_result)
{
	json_t *made = document(0);
	struct check_report report = judged("  - metric: stall.count\n    max: 0\n", made, 0);
	assert_string_equal(report.results[0].file, "/srv/auth.js");
	assert_int_equal(report.results[0].line, 41);
	check_report_free(&report);
	json_decref(made);
}

TEST(where_narrows_the_stalls)
{
	expect("  - metric: stall.count\n    where: { rule: crypto }\n    max: 1\n", VERDICT_FAIL, "2 > 1");
	expect("  - metric: stall.count\n    where: { cause: sync-io }\n    max: 1\n", VERDICT_PASS, "");
	expect("  - metric: stall.max\n    where: { cause: sync-io }\n    max: 50ms\n", VERDICT_FAIL, "60ms > 50ms: 60ms read");
	expect("  - metric: stall.count\n    where: { culprit: hashPw, rule: crypto }\n    max: 0\n", VERDICT_FAIL, "2 > 0");
	expect("  - metric: stall.count\n    where: { comm: node }\n    max: 0\n", VERDICT_FAIL, "3 > 0");
	expect("  - metric: stall.count\n    where: { comm: redis }\n    max: 0\n", VERDICT_PASS, "");
	expect("  - metric: stall.count\n    where: { rule: json }\n    max: 0\n", VERDICT_PASS, "");
}

TEST(a_filter_on_what_was_not_measured_is_no_pass)
{
	expect("  - metric: stall.count\n    where: { phase: poll }\n    max: 0\n", VERDICT_INCONCLUSIVE, "3 stalls are not known");
}

TEST(a_number_of_the_document_is_judged_by_path_and_by_short_name)
{
	expect("  - metric: poll_wait.max\n    max: 1h\n", VERDICT_PASS, "");
	expect("  - metric: loops.0.polls\n    max: 1\n", VERDICT_FAIL, "7 > 1");
	expect("  - metric: loops.*.iteration_ns.max\n    max: 1ms\n", VERDICT_FAIL, "> 1.0ms");
	expect("  - metric: utilization\n    max: 1%\n", VERDICT_FAIL, "> 0.01");
	expect("  - metric: iterations\n    min: 1\n", VERDICT_PASS, "");
	expect("  - metric: iterations\n    min: 100\n", VERDICT_FAIL, "7 < 100");
	expect("  - metric: loops.7.polls\n    max: 1\n", VERDICT_INCONCLUSIVE, "not measured");
}

TEST(what_was_not_measured_is_inconclusive_with_the_reason)
{
	expect("  - metric: lag.p99\n    max: 1h\n", VERDICT_INCONCLUSIVE, "not measured: no probe");
	expect("  - metric: pool.wait.p99\n    max: 1h\n", VERDICT_INCONCLUSIVE, "not measured");
}

TEST(lossy_data_never_passes_unless_asked_and_may_fail)
{
	json_t *made = document(5);
	struct check_report report = judged("  - metric: stall.count\n    max: 10\n", made, 0);
	assert_int_equal(report.verdict, VERDICT_INCONCLUSIVE);
	assert_non_null(strstr(report.results[0].reason, "5 events were lost"));
	check_report_free(&report);
	report = judged("  - metric: stall.count\n    max: 10\n", made, 1);
	assert_int_equal(report.verdict, VERDICT_PASS);
	check_report_free(&report);
	report = judged("  - metric: stall.count\n    max: 0\n  - metric: lost.total\n    max: 0\n", made, 0);
	assert_int_equal(report.results[0].verdict, VERDICT_FAIL);
	assert_int_equal(report.results[1].verdict, VERDICT_FAIL);
	check_report_free(&report);
	json_decref(made);
}

TEST(no_loop_or_no_document_is_inconclusive)
{
	json_t *made = no_loops();
	struct check_report report = judged("  - metric: stall.count\n    max: 10\n", made, 1);
	assert_int_equal(report.verdict, VERDICT_INCONCLUSIVE);
	assert_non_null(strstr(report.results[0].reason, "no event loop"));
	check_report_free(&report);
	json_decref(made);
	char message[512];
	struct budget_file *budgets = read_budget("schema: 1\nbudgets:\n  - metric: stall.count\n    max: 1\n", message);
	assert_int_equal(check_run(&report, budgets, &(struct check_runs){ 0 }, NULL, &(struct check_options){ 0 }), 0);
	assert_int_equal(report.verdict, VERDICT_INCONCLUSIVE);
	check_report_free(&report);
	budget_close(budgets);
}

TEST(of_several_recordings_the_worst_decides_and_is_named)
{
	json_t *made[] = { no_loops(), document(0), document(0) };
	const char *names[] = { "empty.psr", "bad.psr", "other.psr" };
	char message[512];
	struct budget_file *budgets = read_budget("schema: 1\nbudgets:\n  - metric: stall.count\n    max: 1\n", message);
	struct check_report report;
	assert_int_equal(check_run(&report, budgets, &(struct check_runs){ made, names, 3 }, NULL, &(struct check_options){ 0 }), 0);
	assert_int_equal(report.count, 1);
	assert_int_equal(report.verdict, VERDICT_FAIL);
	assert_non_null(strstr(report.results[0].reason, "(bad.psr)"));
	check_report_free(&report);
	budget_close(budgets);
	for (int i = 0; i < 3; i++)
		json_decref(made[i]);
}

TEST(a_regression_without_a_baseline_is_inconclusive)
{
	char message[512];
	struct budget_file *budgets = read_budget("schema: 1\nregressions:\n  - metric: iteration.p50\n    margin: 5%\n", message);
	assert_non_null(budgets);
	json_t *made = document(0);
	struct check_report report;
	assert_int_equal(check_run(&report, budgets, &(struct check_runs){ &made, NULL, 1 }, NULL, &(struct check_options){ 0 }), 0);
	assert_int_equal(report.verdict, VERDICT_INCONCLUSIVE);
	assert_non_null(strstr(report.results[0].reason, "baseline"));
	check_report_free(&report);
	budget_close(budgets);
	json_decref(made);
}

/* ---- output ---- */

static char *printed(int (*print)(const struct check_report *, FILE *), const struct check_report *report)
{
	char *text;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);
	assert_int_equal(print(report, out), 0);
	fclose(out);
	return text;
}

TEST(text_and_json_name_what_failed)
{
	json_t *made = document(0);
	struct check_report report = judged("  - metric: stall.count\n    where: { rule: crypto }\n    max: 0\n"
					    "  - metric: polls\n    max: 100\n", made, 0);
	char *text = printed(check_print_text, &report);
	assert_non_null(strstr(text, "FAIL          stall.count {rule: crypto}"));
	assert_non_null(strstr(text, "at /srv/auth.js:41"));
	assert_non_null(strstr(text, "FAIL: 1 failed, 0 inconclusive, 1 passed"));
	free(text);
	json_t *json = check_json(&report);
	assert_string_equal(json_string_value(json_object_get(json, "verdict")), "fail");
	assert_int_equal(json_array_size(json_object_get(json, "results")), 2);
	json_decref(json);
	check_report_free(&report);
	json_decref(made);
}

TEST(junit_is_well_formed_whatever_the_names_hold)
{
	struct check_result results[3] = {
		{ .metric = "stall.count", .where = "culprit: <a&\"b'>\x01", .verdict = VERDICT_FAIL, .reason = "\xef\xbf\xbf ]]> <x>", .file = "a&b.js", .line = 3 },
		{ .metric = "lag.p99", .verdict = VERDICT_INCONCLUSIVE, .reason = "not measured" },
		{ .metric = "polls", .verdict = VERDICT_PASS },
	};
	struct check_report report = { VERDICT_FAIL, results, 3 };
	char *text = printed(check_print_junit, &report);
	assert_non_null(strstr(text, "tests=\"3\" failures=\"1\" errors=\"1\""));
	if (access("/usr/bin/xmllint", X_OK) == 0) {
		FILE *lint = popen("/usr/bin/xmllint --noout -", "w");
		fputs(text, lint);
		assert_int_equal(WEXITSTATUS(pclose(lint)), 0);
	}
	free(text);
}

TEST(a_stall_that_mostly_waited_for_a_cpu_has_a_culprit_of_its_own)
{
	struct model *model = a_model();
	a_loop(model, 0);
	frame_at(model, 1, "PBKDF2", "", "", 0, PS_FRAME_NATIVE);
	frame_at(model, 2, "hashPw", "", "/srv/auth.js", 41, PS_FRAME_JS);
	stack(model, 1, 1, 2);
	for (int i = 0; i < 2; i++) { /* 60 ms of its own after 140 in the queue; 20 ms of its own after 180 */
		double at = 1100 + i * 1000;
		returns(model, at, TID, FD, at - 50, 1);
		cpu_sample(model, (uint64_t)at + 100, TID, 1);
		enter_sums(model, (uint64_t)at + 200, i ? 20 : 60, i ? 180 : 140, 0);
	}
	json_t *made = summary_document(model, "test", 0);
	const json_t *stalls = json_object_get(json_array_get(json_object_get(made, "loops"), 0), "stalls");
	const json_t *own = json_object_get(json_array_get(stalls, 0), "own");
	assert_string_equal(json_string_value(json_object_get(json_array_get(stalls, 0), "cause")), "run-queue");
	assert_string_equal(json_string_value(json_object_get(own, "culprit")), "PBKDF2 <- hashPw auth.js:41");
	assert_string_equal(json_string_value(json_object_get(own, "rule")), "crypto");
	assert_true(json_is_null(json_object_get(json_array_get(stalls, 1), "own")));
	json_decref(made);
	model_close(model);
}

/* the same turns, with the wall clock set back by an hour in between when `stepped` */
static json_t *with_clock(int stepped)
{
	struct model *model = a_model();
	a_loop(model, 0);
	for (int i = 0; i < 20; i++) {
		int64_t wall = 1700000000ll * 1000000000 + i * 100000000ll - (stepped && i > 10 ? 3600000000000ll : 0);
		returns(model, 1100 + i * 100, TID, FD, 0, 1);
		enter(model, 1101 + i * 100, TID, FD, 0, -1);
		APPLY(model, CLOCK, ps_ev_clock, 1101 + i * 100, 0, .realtime_ns = (uint64_t)wall);
	}
	json_t *made = summary_document(model, "test", 0);
	model_close(model);
	return made;
}

TEST(a_wall_clock_that_steps_changes_no_figure)
{
	json_t *steady = with_clock(0), *stepped = with_clock(1);
	assert_true(json_equal(steady, stepped));
	struct check_report report = judged("  - metric: window\n    max: 3s\n  - metric: stall.count\n    max: 0\n", stepped, 0);
	assert_int_equal(report.verdict, VERDICT_PASS);
	check_report_free(&report);
	json_decref(steady);
	json_decref(stepped);
}

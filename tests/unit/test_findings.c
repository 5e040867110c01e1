/* SPDX-License-Identifier: BSD-2-Clause */
/* Each finding on a stream that shows it and on one that does not; the verdict; the documentation. */
#include "events.h"
#include "findings.h"

static const struct finding *find(const struct model *model, const char *id)
{
	static struct finding found[32];
	size_t count = model_findings(model, found, 32);
	for (size_t i = 0; i < count && i < 32; i++)
		if (!strcmp(found[i].id, id))
			return &found[i];
	return NULL;
}

/* a loop whose last slice took `ms` with the given sums */
static struct model *stalled(uint64_t ms, uint64_t on_cpu, uint64_t runnable, uint64_t blocked)
{
	struct model *model = a_model();
	a_loop(model, 0);
	returns(model, 1010, TID, FD, 1000, 1);
	if (blocked)
		APPLY(model, OFFCPU, ps_ev_offcpu, 1010 + blocked, TID, .off_ns = 1010 * MS, .wake_ns = (1010 + blocked) * MS,
		      .state = PS_OFF_SLEEPING, .syscall = 0);
	enter_sums(model, 1010 + ms, on_cpu, runnable, blocked);
	return model;
}

TEST(ps001_cpu_work_warns_and_a_long_one_is_critical)
{
	struct model *model = stalled(60, 60, 0, 0);
	assert_int_equal(find(model, "PS001")->severity, SEVERITY_WARN);
	assert_null(find(model, "PS002"));
	assert_null(find(model, "PS003"));
	model_close(model);
	model = stalled(200, 199, 0, 1);
	const struct finding *finding = find(model, "PS001");
	assert_int_equal(finding->severity, SEVERITY_CRIT);
	assert_int_equal(finding->stall_id, 1);
	assert_int_equal(finding->tid, TID);
	assert_non_null(strstr(finding->title, "blocked 1x in"));
	assert_non_null(strstr(finding->title, "worst 200ms"));
	assert_string_equal(finding->evidence[3].name, "on_cpu");
	assert_int_equal(finding->evidence[3].value, 99);
	model_close(model);
}

TEST(ps002_a_sleep_outside_the_poller)
{
	struct model *model = stalled(80, 1, 0, 79);
	assert_int_equal(find(model, "PS002")->severity, SEVERITY_WARN);
	assert_non_null(strstr(find(model, "PS002")->title, "read"));
	assert_null(find(model, "PS001"));
	model_close(model);
}

TEST(ps003_ready_but_not_running)
{
	struct model *model = stalled(80, 5, 75, 0);
	assert_non_null(find(model, "PS003"));
	assert_null(find(model, "PS001"));
	model_close(model);
}

TEST(ps004_a_callback_that_does_not_return_is_told_while_it_runs)
{
	struct model *model = a_model();
	a_loop(model, 0);
	returns(model, 1010, TID, FD, 1000, 1);
	now(model, 1900);
	assert_null(find(model, "PS004"));
	now(model, 2100);
	assert_int_equal(find(model, "PS004")->severity, SEVERITY_CRIT);
	enter(model, 2200, TID, FD, 1010, -1);
	assert_null(find(model, "PS004"));
	model_close(model);
}

static struct model *lagging(uint64_t lag_ms)
{
	struct model *model = a_model();
	a_loop(model, PS_LOOP_RING);
	for (uint64_t i = 0; i < 40; i++) {
		uint64_t at = 1100 + i * 100;
		returns(model, at, TID, FD, at - 50, 1);
		APPLY(model, FD_READY, ps_ev_fd_ready, at, TID, .poller_fd = FD, .fd = 9, .ready_ns = (at - lag_ms) * MS);
		APPLY(model, CALLBACK_BEGIN, ps_ev_callback_begin, at, TID, .fd = 9, .kind = PS_KIND_TCP);
		enter(model, at + 1, TID, FD, at, -1);
	}
	return model;
}

TEST(ps005_ready_descriptors_that_wait)
{
	struct model *model = lagging(30);
	assert_non_null(find(model, "PS005"));
	model_close(model);
	model = lagging(2);
	assert_null(find(model, "PS005"));
	model_close(model);
}

static struct model *ticking(unsigned per_second, uint64_t late_ms)
{
	struct model *model = a_model();
	a_loop(model, PS_LOOP_RING);
	frame(model, 1, "poll_backend");
	APPLY(model, SYMBOL, ps_ev_symbol, 0, 0, .pid = PID, .frame = 1, .address = 0x77);
	for (unsigned i = 0; i < per_second * 5; i++) {
		double at = 1000 + i * 1000.0 / per_second;
		returns(model, at + 0.3, TID, FD, at, 0);
		APPLY(model, TIMER_FIRED, ps_ev_timer, at + 0.3, TID, .due_ns = (uint64_t)(at * MS) - late_ms * MS, .fn = 0x77,
		      .handle = 1, .repeat_ns = 5 * MS);
		enter(model, at + 0.5, TID, FD, at + 0.3, 5 * MS);
	}
	now(model, 6000);
	return model;
}

TEST(ps007_timers_that_cause_the_wake_ups_are_named)
{
	struct model *model = ticking(200, 0);
	const struct finding *finding = find(model, "PS007");
	assert_non_null(finding);
	assert_non_null(strstr(finding->title, "200/s"));
	assert_non_null(strstr(finding->title, "poll_backend"));
	assert_null(find(model, "PS008"));
	model_close(model);
	model = ticking(20, 0);
	assert_null(find(model, "PS007"));
	model_close(model);
}

TEST(ps008_timers_that_fire_late)
{
	struct model *model = ticking(20, 70);
	assert_non_null(find(model, "PS008"));
	model_close(model);
}

TEST(ps009_a_loop_that_spins)
{
	struct model *model = a_model();
	a_loop(model, 0);
	for (unsigned i = 0; i < 12000; i++) {
		double at = 1000 + i * 0.25;
		returns(model, at + 0.1, TID, FD, at, 0);
		enter(model, at + 0.25, TID, FD, at + 0.1, 0);
	}
	assert_non_null(find(model, "PS009"));
	model_close(model);
}

static struct model *pool(uint64_t wait_ms, uint64_t run_ms, uint32_t queued, uint32_t dns)
{
	struct model *model = a_model();
	a_loop(model, PS_LOOP_RING);
	APPLY(model, POOL_GAUGES, ps_ev_pool_gauges, 1000, TID, .pid = PID, .threads = 4, .busy = 4, .queued = queued,
	      .busy_by_kind = { [PS_WORK_DNS] = dns });
	for (uint64_t i = 0; i < 20; i++) {
		uint64_t at = 2000 + i * 10;
		APPLY(model, WORK_STARTED, ps_ev_work, at, 201, .work = i, .since_ns = (at - wait_ms) * MS, .pid = PID, .kind = PS_WORK_CRYPTO);
		APPLY(model, WORK_FINISHED, ps_ev_work, at + run_ms, 201, .work = i, .since_ns = at * MS, .pid = PID, .kind = PS_WORK_CRYPTO);
	}
	now(model, 3000);
	return model;
}

TEST(ps011_a_starved_pool_names_what_holds_it)
{
	struct model *model = pool(500, 50, 9, 0);
	const struct finding *finding = find(model, "PS011");
	assert_non_null(finding);
	assert_non_null(strstr(finding->title, "crypto"));
	assert_int_equal(finding->pid, PID);
	model_close(model);
	model = pool(500, 50, 0, 0); /* nobody queued: never saturated */
	assert_null(find(model, "PS011"));
	model_close(model);
	model = pool(60, 50, 9, 0); /* waits no longer than it runs, twice */
	assert_null(find(model, "PS011"));
	model_close(model);
}

TEST(ps013_the_collector)
{
	struct model *model = a_model();
	a_loop(model, 0);
	returns(model, 1010, TID, FD, 1000, 1);
	APPLY(model, GC, ps_ev_gc, 1130, TID, .since_ns = 1011 * MS, .kind = 2);
	enter_sums(model, 1140, 130, 0, 0);
	assert_int_equal(find(model, "PS013")->severity, SEVERITY_CRIT);
	assert_null(find(model, "PS001"));
	model_close(model);
}

TEST(ps015_name_lookups_that_hold_the_pool)
{
	struct model *model = pool(1, 1, 3, 2);
	assert_non_null(find(model, "PS015"));
	model_close(model);
	model = pool(1, 1, 3, 1);
	assert_null(find(model, "PS015"));
	model_close(model);
}

TEST(ps090_loss_and_missing_probes_but_not_those_that_are_off)
{
	struct model *model = a_model();
	a_loop(model, 0);
	probe_is(model, PS_PROBE_POLL, PS_PROBE_STATE_ON, "");
	probe_is(model, PS_PROBE_READY, PS_PROBE_STATE_OFF, "not asked for");
	probe_is(model, PS_PROBE_SAMPLING, PS_PROBE_STATE_FALLBACK, "from /proc");
	assert_null(find(model, "PS090"));
	probe_is(model, PS_PROBE_SCHED, PS_PROBE_STATE_MISSING, "needs root: try sudo");
	const struct finding *finding = find(model, "PS090");
	assert_string_equal(finding->title, "probe missing: sched (needs root: try sudo)");
	probe_is(model, PS_PROBE_SCHED, PS_PROBE_STATE_ON, "");
	APPLY(model, LOST, ps_ev_lost, 1100, 0, .count = 1204, .source = PS_LOST_RING);
	finding = find(model, "PS090");
	assert_non_null(strstr(finding->title, "1204 events lost, most in the ring"));
	model_close(model);
}

TEST(ps090_does_not_miss_the_poll_probe_when_the_loops_tell_their_polls)
{
	struct model *model = a_model();
	a_loop(model, PS_LOOP_RING);
	probe_is(model, PS_PROBE_POLL, PS_PROBE_STATE_MISSING, "needs root");
	assert_null(find(model, "PS090"));
	loop_is(model, 1000, 555, 3, 0);
	assert_non_null(find(model, "PS090"));
	model_close(model);
}

/* ---- order and verdict ---- */

TEST(the_worst_comes_first_and_room_is_respected)
{
	struct model *model = stalled(200, 199, 0, 1);
	probe_is(model, PS_PROBE_SCHED, PS_PROBE_STATE_MISSING, "needs root");
	struct finding found[2];
	memset(found, 0xee, sizeof(found));
	assert_int_equal(model_findings(model, found, 1), 2);
	assert_string_equal(found[0].id, "PS001");
	assert_int_equal(((unsigned char *)&found[1])[0], 0xee);
	assert_int_equal(model_findings(model, NULL, 0), 2);
	model_close(model);
}

TEST(a_finding_is_over_after_a_minute_but_stays_in_the_whole_record)
{
	struct model *model = stalled(200, 200, 0, 0);
	struct finding found[4];
	now(model, 50000);
	assert_int_equal(model_findings(model, found, 4), 1);
	now(model, 70000);
	assert_int_equal(model_findings(model, found, 4), 0);
	assert_int_equal(findings_since(model, 0, found, 4), 1);
	model_close(model);
}

TEST(the_verdict_says_ok_for_how_long_or_what_is_worst)
{
	char text[256];
	struct model *model = a_model();
	assert_int_equal(model_verdict(model, text, sizeof(text)), -2);
	assert_string_equal(text, "not enough data yet");
	a_loop(model, 0);
	returns(model, 1500, TID, FD, 1000, 1);
	enter(model, 1501, TID, FD, 1500, -1);
	now(model, 43000);
	assert_int_equal(model_verdict(model, text, sizeof(text)), -1);
	assert_string_equal(text, "OK  no stall >= 50ms in 42s");
	returns(model, 43100, TID, FD, 43000, 1);
	enter(model, 43200, TID, FD, 43100, -1); /* a stall that nobody can explain is not OK */
	assert_int_equal(model_verdict(model, text, sizeof(text)), SEVERITY_WARN);
	assert_non_null(strstr(text, "loop blocked for 100ms: not known"));
	returns(model, 43300, TID, FD, 43200, 1);
	APPLY(model, POLL_ENTER, ps_ev_poll_enter, 43500, TID, .poller_fd = FD, .timeout_ns = -1, .on_cpu_ns = 200 * MS);
	assert_int_equal(model_verdict(model, text, sizeof(text)), SEVERITY_CRIT);
	assert_memory_equal(text, "CRIT  ", 6);
	model_close(model);
}

TEST(a_missing_probe_blocks_ok)
{
	char text[256];
	struct model *model = a_model();
	a_loop(model, 0);
	returns(model, 1500, TID, FD, 1000, 1);
	enter(model, 1501, TID, FD, 1500, -1);
	probe_is(model, PS_PROBE_SAMPLING, PS_PROBE_STATE_MISSING, "needs root");
	now(model, 5000);
	assert_int_equal(model_verdict(model, text, sizeof(text)), SEVERITY_WARN);
	assert_string_equal(text, "WARN  probe missing: sampling (needs root)");
	model_close(model);
}

/* ---- documentation ---- */

TEST(the_documentation_lists_every_finding_as_it_is)
{
	static char text[65536];
	FILE *file = fopen("docs/findings.md", "r");
	assert_non_null(file);
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	size_t rows = 0, documented = 0;
	for (const struct finding_rule *const *rule = finding_rules; *rule; rule++, rows++) {
		char row[512];
		snprintf(row, sizeof(row), "| %s | %s | %s | %s |", (*rule)->id, (*rule)->name, (*rule)->defaults, (*rule)->advice);
		if (!strstr(text, row))
			fail_msg("docs/findings.md lacks the row\n%s", row);
		if (rule != finding_rules)
			assert_true(strcmp(rule[-1]->id, (*rule)->id) < 0);
	}
	for (const char *at = text; (at = strstr(at, "\n| PS")); at++)
		documented++;
	assert_int_equal(documented, rows);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Each finding on a stream that shows it and on one that does not; the verdict; the documentation. */
#include <errno.h>
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

TEST(advice_is_in_the_words_of_the_runtime)
{
	static const struct {
		const char *runtime, *says;
	} rows[] = { { "node", "fs.promises" }, { "python", "asyncio.to_thread" }, { "generic", "submit it to the thread pool" } };
	for (size_t i = 0; i < 3; i++) {
		struct model *model = stalled(80, 1, 0, 79);
		string(model, 9050, rows[i].runtime);
		APPLY(model, PROCESS, ps_ev_process, 1091, 0, .pid = PID, .start_ns = 1, .comm = 9001, .cmdline = 9002, .runtime = 9050);
		assert_non_null(strstr(find(model, "PS002")->advice, rows[i].says));
		model_close(model);
	}
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

TEST(ps003_tells_the_programs_own_part_where_that_alone_would_have_been_a_stall)
{
	struct model *model = a_model();
	a_loop(model, 0);
	frame(model, 1, "render_page");
	stack(model, 1, 1);
	returns(model, 1010, TID, FD, 1000, 1);
	for (uint64_t at = 1020; at < 1090; at += 5)
		cpu_sample(model, at, TID, 1);
	APPLY(model, POLL_ENTER, ps_ev_poll_enter, 1410, TID, .poller_fd = FD, .backend = PS_BACKEND_EPOLL, .timeout_ns = -1,
	      .busy_since_ns = 1010 * MS, .on_cpu_ns = 80 * MS, .runnable_ns = 320 * MS, .blocked_ns = 0);
	const struct stall *stall = last_stall(model);
	assert_int_equal(stall->cause, CAUSE_RUN_QUEUE);
	assert_string_equal(stall->own_culprit, "render_page");
	const struct finding *finding = find(model, "PS003");
	assert_non_null(finding);
	assert_non_null(strstr(finding->title, "worst 400ms (own part 80ms: render_page): waiting for a CPU"));
	model_close(model);
	model = stalled(400, 30, 370, 0);
	assert_string_equal(last_stall(model)->own_culprit, "");
	assert_null(strstr(find(model, "PS003")->title, "own part"));
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

TEST(ps012_a_backlog_that_is_nearly_full)
{
	static const struct { uint64_t backlog; int found, severity; } rows[] = {
		{ 100, 0, 0 }, { 409, 1, SEVERITY_WARN }, { 512, 1, SEVERITY_CRIT }, { PS_UNKNOWN, 0, 0 },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct model *model = a_model();
		a_loop(model, 0);
		APPLY(model, FD_STATE, ps_ev_fd_state, 1000, TID, .poller_fd = FD, .fd = 9, .backlog = rows[i].backlog,
		      .backlog_max = 511);
		now(model, 1100);
		const struct finding *finding = find(model, "PS012");
		assert_int_equal(finding != NULL, rows[i].found);
		assert_true(!finding || (int)finding->severity == rows[i].severity);
		model_close(model);
	}
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

TEST(ps006_one_callback_that_starves_the_others)
{
	struct model *model = a_model();
	a_loop(model, 0);
	frame(model, 1, "greedy");
	APPLY(model, SYMBOL, ps_ev_symbol, 0, 0, .pid = PID, .frame = 1, .address = 0x77);
	for (uint64_t at = 1000; at < 25000; at += 20) {
		returns(model, at, TID, FD, at - 2, 2);
		APPLY(model, CALLBACK_BEGIN, ps_ev_callback_begin, at, TID, .fn = 0x77, .fd = 9, .kind = PS_KIND_TCP);
		APPLY(model, CALLBACK_BEGIN, ps_ev_callback_begin, at + 15, TID, .fn = 0x78, .fd = 10, .kind = PS_KIND_TCP);
		enter(model, at + 18, TID, FD, at, -1);
	}
	now(model, 25000);
	const struct finding *finding = find(model, "PS006");
	assert_non_null(finding);
	assert_non_null(strstr(finding->title, "greedy (tcp callback) takes 83% of the busy time"));
	model_close(model);
}

TEST(ps006_not_while_the_loop_has_time_nor_alone)
{
	for (int alone = 0; alone < 2; alone++) {
		struct model *model = a_model();
		a_loop(model, 0);
		for (uint64_t at = 1000; at < 25000; at += 20) {
			returns(model, at, TID, FD, at - 2, 2);
			APPLY(model, CALLBACK_BEGIN, ps_ev_callback_begin, at, TID, .fn = 0x77, .fd = 9, .kind = PS_KIND_TCP);
			if (!alone)
				APPLY(model, CALLBACK_BEGIN, ps_ev_callback_begin, at + 5, TID, .fn = 0x78, .fd = 10, .kind = PS_KIND_TCP);
			enter(model, at + (alone ? 18 : 7), TID, FD, at, -1);
		}
		now(model, 25000);
		assert_null(find(model, "PS006"));
		model_close(model);
	}
}

static struct model *growing(uint32_t first, int step_each_minute)
{
	struct model *model = a_model();
	a_loop(model, PS_LOOP_RING);
	for (uint64_t at = 2000; at < 2000 + 330000; at += 1000) {
		returns(model, at, TID, FD, at - 500, 0);
		APPLY(model, LOOP_GAUGES, ps_ev_loop_gauges, at, TID, .next_due_ns = PS_UNKNOWN,
		      .timers = first + (uint32_t)((int64_t)(at / 5000) * step_each_minute / 12));
		enter(model, at + 1, TID, FD, at, -1);
		now(model, at + 2);
	}
	return model;
}

TEST(ps010_timers_that_only_become_more)
{
	struct model *model = growing(100, 24);
	const struct finding *finding = find(model, "PS010");
	assert_non_null(finding);
	assert_non_null(strstr(finding->title, "timers only become more"));
	model_close(model);
	model = growing(100, 1); /* five more in five minutes: nothing */
	assert_null(find(model, "PS010"));
	model_close(model);
}

TEST(ps016_a_buffer_that_grows_above_its_mark)
{
	for (int grows = 0; grows < 2; grows++) {
		struct model *model = a_model();
		a_loop(model, PS_LOOP_RING);
		APPLY(model, FD_INTEREST, ps_ev_fd_interest, 1000, TID, .poller_fd = FD, .fd = 9, .events = 1, .op = PS_INTEREST_ADD,
		      .kind = PS_KIND_TCP);
		returns(model, 1500, TID, FD, 1000, 1);
		APPLY(model, BACKPRESSURE, ps_ev_backpressure, 1500, TID, .fd = 9, .on = 1, .buffered_bytes = 70000,
		      .high_water_bytes = 65536);
		enter(model, 1501, TID, FD, 1500, -1);
		for (uint64_t at = 1600; at < 6000; at += 200) {
			APPLY(model, LOOP_GAUGES, ps_ev_loop_gauges, at, TID, .next_due_ns = PS_UNKNOWN,
			      .buffered_bytes = grows ? at * 1000 : 9000000 - at * 1000);
			now(model, at + 1);
		}
		if (grows)
			assert_non_null(strstr(find(model, "PS016")->title, "fd 9"));
		else
			assert_null(find(model, "PS016"));
		model_close(model);
	}
}

TEST(ps017_threads_that_wait_for_one_connection_each)
{
	struct model *model = a_model();
	APPLY(model, PROCESS, ps_ev_process, 1000, 0, .pid = PID, .start_ns = 1);
	for (uint32_t i = 0; i < 10; i++)
		APPLY(model, THREAD, ps_ev_thread, 1000, 300 + i, .pid = PID, .role = PS_ROLE_CONNECTION);
	now(model, 1200);
	assert_null(find(model, "PS017"));
	for (uint32_t i = 0; i < 10; i++)
		APPLY(model, BLOCKED, ps_ev_blocked, 1300, 300 + i, .fd = (int32_t)(20 + i), .op = 1);
	now(model, 1400);
	assert_string_equal(find(model, "PS017")->title,
			    "a thread per connection: 10 of 10 threads only wait in a read or a write");
	model_close(model);
}

static struct model *accepting(unsigned per_second, int opens)
{
	struct model *model = a_model();
	a_loop(model, PS_LOOP_RING);
	APPLY(model, FD_INTEREST, ps_ev_fd_interest, 1000, TID, .poller_fd = FD, .fd = 9, .events = 1, .op = PS_INTEREST_ADD,
	      .kind = PS_KIND_LISTEN);
	for (unsigned i = 0; i < per_second * 7; i++) {
		double at = 1000 + i * 1000.0 / per_second;
		returns(model, at + 0.1, TID, FD, at, 1);
		APPLY(model, FD_READY, ps_ev_fd_ready, at + 0.1, TID, .poller_fd = FD, .fd = 9);
		if (opens)
			APPLY(model, FD_LIFE, ps_ev_fd_life, at + 0.1, TID, .fd = 100 + (int32_t)i, .op = PS_LIFE_OPENED, .kind = PS_KIND_TCP);
		enter(model, at + 0.2, TID, FD, at + 0.1, -1);
	}
	now(model, 8001);
	return model;
}

TEST(ps018_a_listener_that_is_ready_for_nothing)
{
	struct model *model = accepting(500, 0);
	assert_non_null(strstr(find(model, "PS018")->title, "out of descriptors?"));
	model_close(model);
	model = accepting(500, 1);
	assert_null(find(model, "PS018"));
	model_close(model);
	model = accepting(3000, 1);
	assert_non_null(strstr(find(model, "PS018")->title, "accept storm"));
	model_close(model);
}

TEST(ps018_connections_that_the_loop_says_it_could_not_serve)
{
	struct model *model = accepting(1, 1);
	APPLY(model, SHED, ps_ev_shed, 5000, TID, .total = 3, .fd = 9, .error = EMFILE);
	const struct finding *finding = find(model, "PS018");
	assert_non_null(finding);
	assert_non_null(strstr(finding->title, "1 connections of listener 9 closed unserved: out of descriptors (EMFILE)"));
	model_close(model);
}

TEST(ps019_events_after_the_close)
{
	struct model *model = a_model();
	a_loop(model, PS_LOOP_RING);
	APPLY(model, FD_LIFE, ps_ev_fd_life, 1000, TID, .fd = 9, .generation = 2, .op = PS_LIFE_OPENED, .kind = PS_KIND_TCP);
	returns(model, 1100, TID, FD, 1050, 1);
	APPLY(model, FD_READY, ps_ev_fd_ready, 1100, TID, .poller_fd = FD, .fd = 9, .generation = 2);
	APPLY(model, FD_LIFE, ps_ev_fd_life, 1101, TID, .fd = 9, .generation = 2, .op = PS_LIFE_CLOSED);
	enter(model, 1102, TID, FD, 1100, -1);
	assert_null(find(model, "PS019"));
	returns(model, 1200, TID, FD, 1102, 1);
	APPLY(model, FD_READY, ps_ev_fd_ready, 1200, TID, .poller_fd = FD, .fd = 9, .generation = 2);
	assert_non_null(strstr(find(model, "PS019")->title, "closed but still registered: ready 1 times"));
	APPLY(model, FD_LIFE, ps_ev_fd_life, 1300, TID, .fd = 9, .generation = 3, .op = PS_LIFE_OPENED, .kind = PS_KIND_TCP);
	APPLY(model, FD_READY, ps_ev_fd_ready, 1301, TID, .poller_fd = FD, .fd = 9, .generation = 3);
	assert_non_null(strstr(find(model, "PS019")->title, "ready 1 times"));
	model_close(model);
}

TEST(every_finding_says_how_to_confirm_it_and_where_to_look)
{
	static const char *const screens[] = { "overview", "stalls", "phases", "pool", "timers", "fds", "timeline", "probes" };
	for (const struct finding_rule *const *rule = finding_rules; *rule; rule++) {
		size_t known = 0;
		if (!(*rule)->confirm || !(*rule)->where)
			fail_msg("%s says not how to confirm it, or where to look", (*rule)->id);
		while (known < 8 && strcmp(screens[known], (*rule)->where))
			known++;
		assert_true(known < 8);
		assert_ptr_equal(finding_rule_of((*rule)->id), *rule);
	}
	assert_null(finding_rule_of("PS999"));
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

TEST(ps090_says_when_there_is_no_room_for_more_names)
{
	struct model *model = a_model();
	static char text[4001];
	a_loop(model, 0);
	memset(text, 'x', sizeof(text) - 1);
	for (uint32_t id = 1; id <= 17000; id++) {
		snprintf(text, 12, "%010u", id);
		text[10] = 'x';
		string(model, id, text);
		if (id == 16000)
			assert_null(find(model, "PS090"));
	}
	const struct finding *finding = find(model, "PS090");
	assert_non_null(finding);
	assert_non_null(strstr(finding->title, "no room for more names"));
	assert_in_range(model->unnamed, 1, 1000);
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

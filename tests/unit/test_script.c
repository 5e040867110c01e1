/* SPDX-License-Identifier: BSD-2-Clause */
/* Stalls of scripts: the user's own function is blamed, and the rule is that of what it called. */
#include <sys/syscall.h>

#include "events.h"

enum { LEAF = 1, INNER, API, OUTER_API, USER, CALLER, TIMERS, TICKS };

static struct model *busy_model(void)
{
	struct model *model = a_model();
	a_loop(model, 0);
	returns(model, 1010, TID, FD, 1000, 1);
	frame_at(model, USER, "hashPw", "", "/srv/auth.js", 41, PS_FRAME_JS);
	frame_at(model, CALLER, "login", "", "/srv/app.js", 7, PS_FRAME_JS);
	frame_at(model, TIMERS, "listOnTimeout", "", "node:internal/timers", 581, PS_FRAME_JS);
	frame_at(model, TICKS, "processTicksAndRejections", "", "node:internal/process/task_queues", 77, PS_FRAME_JS);
	return model;
}

static void js(struct model *model, uint32_t id, const char *name, const char *file)
{
	frame_at(model, id, name, "", file, 9, PS_FRAME_JS);
}

static void builtin(struct model *model, uint32_t id, const char *name)
{
	frame_at(model, id, name, "/usr/bin/node", "", 0, PS_FRAME_BUILTIN);
}

/* 20 samples of stack 1, in turn with others up to stack `stacks`, on the CPU. */
static void judge(struct model *model, uint32_t stacks, enum stall_rule rule, const char *culprit)
{
	for (uint32_t i = 0; i < 20; i++)
		cpu_sample(model, 1020 + 4 * i, TID, 1 + i % stacks);
	enter_sums(model, 1110, 99, 1, 0);
	assert_string_equal(stall_rule_name(last_stall(model)->rule), stall_rule_name(rule));
	assert_string_equal(last_stall(model)->culprit, culprit);
	model_close(model);
}

TEST(a_function_of_the_runtime_is_named_with_the_users_function_that_called_it)
{
	struct model *model = busy_model();
	frame(model, LEAF, "sha512_block_data_order_avx2");
	js(model, API, "pbkdf2Sync", "node:internal/crypto/pbkdf2");
	stack(model, 1, LEAF, API, USER, CALLER, TIMERS);
	judge(model, 1, RULE_CRYPTO, "pbkdf2Sync <- hashPw auth.js:41");
}

TEST(of_functions_of_the_runtime_the_one_that_was_called_is_named_unless_it_only_wraps)
{
	struct model *model = busy_model();
	frame(model, LEAF, "deflate_slow");
	js(model, INNER, "zlibBufferSync", "node:zlib");
	js(model, API, "syncBufferWrapper", "node:zlib");
	stack(model, 1, LEAF, INNER, API, USER, CALLER);
	judge(model, 1, RULE_COMPRESSION, "zlibBufferSync <- hashPw auth.js:41");
}

TEST(the_place_is_the_one_that_most_samples_show_though_their_stacks_differ)
{
	struct model *model = busy_model();
	frame_at(model, CALLER, "hashPw", "", "/srv/auth.js", 43, PS_FRAME_JS);
	frame(model, LEAF, "first_leaf");
	frame(model, INNER, "second_leaf");
	frame(model, OUTER_API, "third_leaf");
	stack(model, 1, LEAF, USER);
	stack(model, 2, INNER, CALLER);
	stack(model, 3, OUTER_API, CALLER);
	judge(model, 3, RULE_COMPUTATION, "hashPw auth.js:43");
}

TEST(builtins_have_the_names_of_the_language)
{
	static const struct {
		const char *symbol, *name;
		enum stall_rule rule;
	} rows[] = {
		{ "v8::internal::Builtin_JsonParse", "JSON.parse <- ", RULE_JSON },
		{ "v8::internal::Builtin_JsonStringify", "JSON.stringify <- ", RULE_JSON },
		{ "Builtins_RegExpPrototypeTestFast", "RegExp.test <- ", RULE_REGEX },
		{ "Builtins_ArrayPrototypeSort", "Array.sort <- ", RULE_COMPUTATION },
		{ "Builtins_Prototype", "", RULE_COMPUTATION },
		{ "Builtins_ArrayPrototype", "", RULE_COMPUTATION },
		{ "Builtins_JsonX", "JSON.x <- ", RULE_COMPUTATION },
		{ "Builtins_", "", RULE_COMPUTATION },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct model *model = busy_model();
		char culprit[96];
		builtin(model, API, rows[i].symbol);
		stack(model, 1, API, USER, CALLER);
		snprintf(culprit, sizeof(culprit), "%shashPw auth.js:41", rows[i].name);
		judge(model, 1, rows[i].rule, culprit);
	}
}

TEST(the_names_of_the_user_and_of_who_called_him_tell_of_no_rule)
{
	struct model *model = busy_model();
	js(model, LEAF, "inflate", "/srv/balloon.js");
	js(model, API, "Module._compile", "node:internal/modules/cjs/loader");
	stack(model, 1, LEAF, API, TIMERS);
	judge(model, 1, RULE_COMPUTATION, "inflate balloon.js:9");
}

/* LEAF reads, API and OUTER_API are the loader, INNER is the body of what it loads. */
static struct model *loading_model(void)
{
	struct model *model = busy_model();
	js(model, LEAF, "readFileSync", "node:fs");
	js(model, API, "Module._compile", "node:internal/modules/cjs/loader");
	js(model, OUTER_API, "require", "node:internal/modules/helpers");
	js(model, INNER, "(anonymous)", "/srv/big.js");
	return model;
}

TEST(a_file_that_is_read_to_load_a_module_is_module_loading)
{
	struct model *model = loading_model();
	stack(model, 1, LEAF, API, OUTER_API, USER, CALLER);
	judge(model, 1, RULE_MODULE_LOAD, "require <- hashPw auth.js:41");
}

TEST(the_body_of_a_module_is_told_by_who_had_it_loaded)
{
	struct model *model = loading_model();
	stack(model, 1, INNER, API, OUTER_API, USER, CALLER);
	stack(model, 2, LEAF, API, OUTER_API, USER, CALLER);
	judge(model, 2, RULE_MODULE_LOAD, "require <- hashPw auth.js:41");
}

TEST(a_file_that_the_body_of_a_module_reads_is_its_own)
{
	struct model *model = loading_model();
	stack(model, 1, LEAF, INNER, API, OUTER_API, USER);
	judge(model, 1, RULE_SYNC_CALL, "readFileSync <- (anonymous) big.js:9");
}

TEST(the_body_of_the_main_module_that_computes_is_a_computation)
{
	struct model *model = loading_model();
	stack(model, 1, INNER, API, OUTER_API, TIMERS);
	judge(model, 1, RULE_COMPUTATION, "(anonymous) big.js:9");
}

TEST(a_call_seen_in_few_samples_is_not_what_the_function_did)
{
	struct model *model = busy_model();
	builtin(model, LEAF, "Builtins_ArrayPrototypePush");
	stack(model, 1, USER, CALLER);
	stack(model, 2, USER, CALLER, TIMERS);
	stack(model, 3, LEAF, USER, CALLER);
	judge(model, 3, RULE_COMPUTATION, "hashPw auth.js:41");
}

TEST(time_off_the_cpu_weighs_more_than_how_often_it_was_seen)
{
	struct model *model = busy_model();
	frame(model, LEAF, "__read");
	js(model, API, "readSync", "node:fs");
	js(model, INNER, "spawn", "/srv/start.js");
	stack(model, 1, LEAF, INNER, TIMERS);
	stack(model, 2, LEAF, API, USER, TIMERS);
	for (uint64_t at = 1011; at < 1020; at += 3)
		APPLY(model, OFFCPU, ps_ev_offcpu, at + 1, TID, .off_ns = at * MS, .wake_ns = (at + 1) * MS,
		      .state = PS_OFF_SLEEPING, .syscall = SYS_read, .stack = 1);
	APPLY(model, OFFCPU, ps_ev_offcpu, 1108, TID, .off_ns = 1025 * MS, .wake_ns = 1108 * MS, .state = PS_OFF_SLEEPING,
	      .syscall = SYS_read, .args = { 18 }, .stack = 2);
	enter_sums(model, 1110, 10, 0, 90);
	assert_string_equal(last_stall(model)->culprit, "read(18) <- hashPw auth.js:41");
	model_close(model);
}

TEST(a_wait_for_the_threads_of_a_collector_is_collection)
{
	struct model *model = busy_model();
	frame(model, LEAF, "futex_wait");
	frame(model, INNER, "v8::platform::DefaultJobState::Join()");
	frame(model, API, "v8::internal::ScavengerCollector::CollectGarbage()");
	stack(model, 1, LEAF, INNER, API, USER, TIMERS);
	APPLY(model, OFFCPU, ps_ev_offcpu, 1105, TID, .off_ns = 1015 * MS, .wake_ns = 1104 * MS, .state = PS_OFF_SLEEPING,
	      .syscall = SYS_futex, .stack = 1);
	enter_sums(model, 1110, 10, 0, 90);
	assert_int_equal(last_stall(model)->cause, CAUSE_GC);
	assert_int_equal(last_stall(model)->rule, RULE_GC);
	assert_string_equal(last_stall(model)->culprit, "garbage collection <- hashPw auth.js:41");
	model_close(model);
}

TEST(a_wait_on_another_poller_is_told_by_the_call_that_hides_it)
{
	struct model *model = busy_model();
	frame(model, LEAF, "epoll_pwait");
	js(model, API, "execSync", "node:child_process");
	stack(model, 1, LEAF, API, USER, TIMERS);
	APPLY(model, OFFCPU, ps_ev_offcpu, 1108, TID, .off_ns = 1015 * MS, .wake_ns = 1108 * MS, .state = PS_OFF_SLEEPING,
	      .syscall = SYS_epoll_pwait, .args = { 21 }, .stack = 1);
	enter_sums(model, 1110, 5, 0, 95);
	assert_string_equal(stall_rule_name(last_stall(model)->rule), "sync-call");
	assert_string_equal(last_stall(model)->culprit, "execSync <- hashPw auth.js:41");
	model_close(model);
}

TEST(collected_garbage_is_the_users_that_was_running)
{
	struct model *model = busy_model();
	frame(model, LEAF, "v8::internal::Heap::CollectGarbage");
	js(model, API, "from", "node:buffer");
	stack(model, 1, LEAF, API, USER, TIMERS);
	judge(model, 1, RULE_GC, "garbage collection <- hashPw auth.js:41");
}

TEST(ticks_that_set_ticks_starve_the_loop_and_one_long_tick_does_not)
{
	struct model *model = busy_model();
	js(model, API, "nextTick", "node:internal/process/task_queues");
	js(model, LEAF, "helper", "/srv/tool.js");
	stack(model, 1, API, USER, TICKS);
	stack(model, 2, LEAF, USER, TICKS);
	stack(model, 3, TICKS);
	judge(model, 3, RULE_TICK_STARVATION, "next ticks <- hashPw auth.js:41");
	model = busy_model();
	stack(model, 1, USER, TICKS);
	judge(model, 1, RULE_COMPUTATION, "hashPw auth.js:41");
}

/* ---- Python ---- */

static void python(struct model *model, uint32_t id, const char *name, const char *file)
{
	frame_at(model, id, name, "", file, 9, PS_FRAME_PYTHON);
}

TEST(of_pythons_library_what_the_users_function_called_is_named_with_its_module)
{
	static const struct {
		const char *name, *file, *called;
		enum stall_rule rule;
	} rows[] = {
		{ "dumps", "/usr/lib/python3.11/json/__init__.py", "json.dumps <- ", RULE_JSON },
		{ "match", "/opt/conda/lib/python3.10/re.py", "re.match <- ", RULE_REGEX },
		{ "run", "/usr/lib/python3.13t/subprocess.py", "subprocess.run <- ", RULE_SYNC_CALL },
		{ "FileHandler.emit", "/usr/lib/python3.12/logging/handlers.py",
		  "logging.handlers.FileHandler.emit <- ", RULE_COMPUTATION },
		{ "<listcomp>", "/usr/lib/python3.9/heapq.py", "", RULE_COMPUTATION },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char culprit[128];
		struct model *model = busy_model();

		frame(model, LEAF, "_PyObject_MakeTpCall");
		python(model, API, rows[i].name, rows[i].file);
		python(model, USER, "Shop.checkout.<locals>.main", "/srv/shop.py");
		python(model, CALLER, "Handle._run", "/usr/lib/python3.11/asyncio/events.py");
		stack(model, 1, LEAF, API, USER, CALLER);
		snprintf(culprit, sizeof(culprit), "%sShop.checkout.<locals>.main shop.py:9", rows[i].called);
		judge(model, 1, rows[i].rule, culprit);
	}
}

TEST(packages_of_python_that_were_installed_are_not_its_library)
{
	static const char *const files[] = { "/srv/.venv/lib/python3.11/site-packages/re/json.py",
					     "/usr/lib/python3/dist-packages/re/json.py" };

	for (size_t i = 0; i < 2; i++) {
		struct model *model = busy_model();

		frame(model, LEAF, "PyNumber_Add");
		python(model, API, "main", files[i]);
		python(model, USER, "handle", "/srv/shop.py");
		stack(model, 1, LEAF, API, USER);
		judge(model, 1, RULE_COMPUTATION, "main json.py:9");
	}
}

TEST(a_module_of_python_that_is_loaded_is_its_importers_doing)
{
	struct model *model = busy_model();

	frame(model, LEAF, "_PyPegen_run_parser");
	python(model, INNER, "<module>", "/srv/tables.py");
	python(model, API, "_call_with_frames_removed", "<frozen importlib._bootstrap>");
	python(model, USER, "handle", "/srv/shop.py");
	stack(model, 1, LEAF, INNER, API, USER);
	judge(model, 1, RULE_MODULE_LOAD, "import <- handle shop.py:9");
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Judging a stall: how its time was spent, by which cause, and which habit it
 * breaks. Pure: reads the slice's evidence, writes the stall.
 *
 * Shares, best source first: the sums that travelled with POLL_ENTER (exact);
 * off-CPU intervals; the thread's CPU time around the slice; samples. All but
 * the first are marked estimated. The largest share is the cause, the CPU only
 * with at least half. The rule comes only from frames sampled during this stall.
 */
#include "model_own.h"

#include <string.h>

#include "schema.h"

#define GC_SAMPLES_LEAST 5 /* fewer tell nothing about shares */

/* ---- names ---- */

const char *stall_cause_name(enum stall_cause cause)
{
	static const char *const names[CAUSE_COUNT] = {
		[CAUSE_UNKNOWN] = "unknown", [CAUSE_CPU] = "cpu", [CAUSE_SYNC_IO] = "sync-io", [CAUSE_LOCK] = "lock",
		[CAUSE_RUN_QUEUE] = "run-queue", [CAUSE_THROTTLED] = "throttled", [CAUSE_GC] = "gc",
		[CAUSE_PAGE_FAULT] = "page-fault", [CAUSE_STOPPED] = "stopped",
	};
	return (unsigned)cause < CAUSE_COUNT ? names[cause] : "unknown";
}

const char *stall_rule_name(enum stall_rule rule)
{
	static const char *const names[RULE_COUNT] = {
		[RULE_UNKNOWN] = "unknown", [RULE_SYNC_CALL] = "sync-call", [RULE_REGEX] = "regex", [RULE_JSON] = "json",
		[RULE_COMPUTATION] = "computation", [RULE_CRYPTO] = "crypto", [RULE_COMPRESSION] = "compression",
		[RULE_MODULE_LOAD] = "module-load", [RULE_GC] = "gc", [RULE_TICK_STARVATION] = "tick-starvation",
		[RULE_HOST] = "host",
	};
	return (unsigned)rule < RULE_COUNT ? names[rule] : "unknown";
}

int syscall_is(int number, const char *names)
{
	const char *name = number < 0 ? NULL : syscall_name(number);
	size_t length = name ? strlen(name) : 0;
	if (!length)
		return 0;
	for (const char *at = names; (at = strstr(at, name)); at += length)
		if ((at == names || at[-1] == ' ') && (at[length] == ' ' || !at[length]))
			return 1;
	return 0;
}

/* ---- what a frame's name tells ---- */

/* One row per rule: parts of function names, the most telling first. */
static const struct {
	uint8_t rule;
	const char *parts[24];
} rules[] = {
	{ RULE_JSON, { "JsonParser", "JsonStringifier", "JsonParse", "JsonStringify", "JSON.parse", "JSON.stringify", "json_load" } },
	{ RULE_REGEX,
	  { "IrregexpExec", "IrregexpInterpreter", "RegExp", "regexec", "pcre2_match", "pcre_exec", "SRE_Pattern", "sre_ucs" } },
	{ RULE_CRYPTO,
	  { "PBKDF2", "pbkdf2", "scrypt", "SCRYPT", "Hash::HashUpdate", "HashUpdate", "RandomBytes", "EVP_", "HMAC_", "SHA512_",
	    "SHA256_", "SHA1_", "MD5_", "node::crypto::", "ossl_", "hmac_", "sha512_block", "sha256_block", "sha1_block",
	    "sha256_", "sha512_", "aesni_", "bn_mul" } },
	{ RULE_COMPRESSION,
	  { "ZlibContext", "BrotliEncoder", "BrotliDecoder", "processChunkSync", "ZSTD_", "deflate", "inflate", "Zlib",
	    "longest_match", "compress_block", "crc32" } },
	{ RULE_SYNC_CALL, { "SyncProcessRunner", "spawnSync", "execSync", "readFileSync", "writeFileSync", "uv_fs_" } },
	{ RULE_GC,
	  { "CollectGarbage", "PerformGarbageCollection", "MarkCompactCollector", "Scavenge", "MinorGC",
	    "ConcurrentMarking", "IncrementalMarking" } },
	{ RULE_MODULE_LOAD,
	  { "Module._compile", "Module._load", "ContextifyScript", "CompileFunctionForCJSLoader",
	    "internal::Compiler::", "internal::parsing::", "internal::interpreter::BytecodeGenerator" } },
};

static int begins(const char *name, const char *const *prefixes)
{
	for (; *prefixes; prefixes++)
		if (!strncmp(name, *prefixes, strlen(*prefixes)))
			return 1;
	return 0;
}

static int contains(const char *name, const char *const *parts)
{
	for (; *parts; parts++)
		if (strstr(name, *parts))
			return 1;
	return 0;
}

static int equals(const char *name, const char *const *names)
{
	for (; *names; names++)
		if (!strcmp(name, *names))
			return 1;
	return 0;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

/* Nobody can be blamed for these: the caller is. */
static int is_noise(const struct frame *frame)
{
	static const char *const prefixes[] = {
		"__", "_int_", "operator new", "operator delete", "Builtins_Interpreter", "Builtins_JSEntry",
		"Builtins_CEntry", "Builtins_Call", "je_", "tc_", "_dl_", "_Unwind", "std::", NULL };
	static const char *const parts[] = { "_avx", "_ssse3", "_sse2", "_shaext", "_block_data_order", NULL };
	static const char *const names[] = {
		"malloc", "free", "calloc", "realloc", "_start", "clone", "clone3", "start_thread", "syscall", "sysmalloc",
		"memcpy", "memmove", "memset", "memcmp", "memchr", "strlen", "strcmp", "strncmp", "strchr", "strstr",
		"strcpy", "usleep", "sleep", "nanosleep", "clock_nanosleep", "uv_run", "uv__io_poll", "main", "aeMain",
		"aeProcessEvents", "event_base_loop", "event_base_dispatch", "ps_loop_run", "ps_loop_once",
		"ngx_process_events_and_timers", "ngx_epoll_process_events", "ngx_worker_process_cycle",
		"ngx_spawn_process", "ngx_master_process_cycle", "connSocketEventHandler", "callHandler",
		"readQueryFromClient", "processInputBuffer", "processCommandAndResetClient", "processCommand", "call",
		NULL };
	static const char *const modules[] = { "libc.so", "libc-", "ld-linux", "libpthread", "[vdso]", NULL };
	return frame->kind == PS_FRAME_KERNEL || begins(frame->name, prefixes) || contains(frame->name, parts) ||
	       equals(frame->name, names) || begins(base_name(frame->module), modules);
}

/* redis names the functions that run its commands so: keysCommand, evalShaCommand */
static int is_command(const struct frame *frame)
{
	static const char ending[] = "Command";
	size_t length = strlen(frame->name), end = sizeof(ending) - 1;
	return frame->kind == PS_FRAME_NATIVE && length > end && !strcmp(frame->name + length - end, ending) &&
	       strcmp(frame->name, "processCommand") && strstr(frame->module, "redis");
}

void frame_classify(struct frame_own *frame)
{
	static const char *const plumbing[] = {
		"v8::", "node::", "Builtins_", "uv_", "uv__", "non-virtual thunk", "cfunction_", "method_vectorcall", "_PyEval_",
		"PyEval_", "PyObject_", "_PyObject_", "PyGen_", "gen_send", "task_step", "context_run", "run_mod", "_PyRun_",
		"Py_RunMain", "Py_BytesMain", "_PyFunction_", NULL };
	static const char *const hands_over[] = { "uv__work_submit", "uv_queue_work", "uv_cancel", "uv_async_send",
						   "uv_cond_signal", "uv_cond_broadcast", "pthread_cond_signal",
						   "pthread_cond_broadcast", NULL };
	const char *name = frame->pub.name;
	frame->hands_over = (uint8_t)(frame->pub.kind == PS_FRAME_NATIVE && equals(name, hands_over));
	frame->noise = (uint8_t)is_noise(&frame->pub);
	frame->plumbing = (uint8_t)begins(name, plumbing);
	frame->command = (uint8_t)is_command(&frame->pub);
	frame->phase = (int8_t)(frame->pub.kind == PS_FRAME_NATIVE ? frame_phase(name) : -1);
	if (frame->pub.kind == PS_FRAME_KERNEL)
		return;
	for (size_t row = 0; row < sizeof(rules) / sizeof(rules[0]) && !frame->rule; row++)
		for (uint8_t i = 0; i < 24 && rules[row].parts[i] && !frame->rule; i++)
			if (strstr(name, rules[row].parts[i])) {
				frame->rule = rules[row].rule;
				frame->telling = (uint8_t)(i + 1);
			}
	frame_classify_script(frame);
}

unsigned stack_rule(const struct stack *stack)
{
	/* what called the user's function did not make it slow */
	uint32_t end = stack_user(stack);
	unsigned found = RULE_UNKNOWN;
	for (uint32_t i = 0; i < end; i++) {
		unsigned rule = ((const struct frame_own *)stack->frames[i])->rule;
		if (!found || (rule == RULE_MODULE_LOAD && found == RULE_SYNC_CALL))
			found = rule; /* what loads modules reads files */
	}
	return !found && stack_is_body(stack) ? RULE_MODULE_LOAD : found;
}

/* ---- how the time was spent ---- */

static uint64_t known(uint64_t value)
{
	return value == PS_UNKNOWN ? 0 : value;
}

static void set_shares(struct stall *stall, uint64_t on_cpu, uint64_t runnable, uint64_t blocked, int estimated)
{
	uint64_t ns = stall->duration_ns;
	stall->on_cpu_ns = on_cpu == PS_UNKNOWN ? on_cpu : least(on_cpu, ns);
	stall->runnable_ns = runnable == PS_UNKNOWN ? runnable : least(runnable, ns);
	stall->blocked_ns = blocked == PS_UNKNOWN ? blocked : least(blocked, ns);
	stall->estimated = estimated;
}

static uint64_t scaled(uint64_t part, uint64_t whole, uint64_t to)
{
	return whole ? (uint64_t)((double)least(part, whole) / (double)whole * (double)to) : 0;
}

/* By the thread's CPU time, scaled to the stall. 0: not known. */
static int share_by_cpu_time(const struct loop_own *loop, const struct stall *stall, uint64_t *on_cpu, uint64_t *runnable)
{
	const struct cpu_time *first = &loop->gather.cpu_first, *last = &loop->gather.cpu_last;
	if (!last->ts)
		return 0;
	uint64_t window = minus(last->ts, first->ts);
	/* too short a look from inside: take the figure from before, when it waited, and the slice from its begin */
	if (window * 2 < stall->duration_ns && loop->cpu_before.ts) {
		first = &loop->cpu_before;
		window = minus(last->ts, loop->slice_ns);
	}
	if (!window || first == last)
		return 0;
	uint64_t ns = stall->duration_ns;
	*on_cpu = scaled(minus(last->on_cpu_ns, first->on_cpu_ns), window, ns);
	*runnable = least(scaled(minus(last->runnable_ns, first->runnable_ns), window, ns), minus(ns, *on_cpu));
	return 1;
}

/* Of CPU time, between two samples of a stall that is so old: more than twice what the probe leaves out (bpf/sample.bpf.c). */
static uint64_t longest_silence(uint64_t age_ns)
{
	return age_ns < 10000000000ull ? 50000000 : 200000000;
}

/*
 * While off-CPU intervals are told, what is not in one was on the CPU. One that lasts still is not told yet: of a stall
 * that goes on the thread's CPU time says how much that is.
 */
static int shares_from_intervals(const struct model_own *model, const struct loop_own *loop, struct stall *stall)
{
	const struct gather *gather = &loop->gather;
	uint32_t sched = model->pub.probes[PS_PROBE_SCHED].state;
	if (!gather->off_intervals && sched != PS_PROBE_STATE_ON)
		return 0;
	uint64_t blocked = 0, runnable = gather->off_ns[PS_OFF_RUNNABLE], on_cpu, waited;
	for (unsigned state = PS_OFF_SLEEPING; state <= PS_OFF_LOCK; state++)
		blocked += gather->off_ns[state];
	uint64_t rest = minus(stall->duration_ns, blocked + runnable);
	int asleep = gather->proc_asleep + gather->proc_stopped > 0 && !gather->cpu_samples && !gather->proc_running;
	if (stall->open && asleep) {
		blocked += rest;
		rest = 0;
	} else if (stall->open && !gather->samples && !gather->off_intervals) {
		return 0; /* nothing seen yet: it may be asleep */
	} else if (stall->open && gather->proc_last_call <= 0) {
		/* the sampling timer counts CPU time too, and is never silent for longer than this */
		if (model->pub.probes[PS_PROBE_SAMPLING].state == PS_PROBE_STATE_ON)
			on_cpu = gather->cpu_sampled_ns + longest_silence(stall->duration_ns);
		else if (!share_by_cpu_time(loop, stall, &on_cpu, &waited))
			on_cpu = rest;
		runnable += minus(rest, on_cpu);
		rest = least(rest, on_cpu);
	}
	set_shares(stall, rest, runnable, blocked, 1);
	return 1;
}

static int shares_from_cpu_time(const struct loop_own *loop, struct stall *stall)
{
	uint64_t on_cpu, runnable;
	if (!share_by_cpu_time(loop, stall, &on_cpu, &runnable))
		return 0;
	set_shares(stall, on_cpu, runnable, minus(stall->duration_ns, on_cpu + runnable), 1);
	return 1;
}

static int shares_from_samples(const struct loop_own *loop, struct stall *stall)
{
	const struct gather *gather = &loop->gather;
	uint64_t ns = stall->duration_ns;
	uint32_t seen = gather->proc_running + gather->proc_asleep + gather->proc_stopped;
	if (gather->cpu_samples >= 2 && gather->cpu_sampled_ns) {
		uint64_t period = gather->cpu_sampled_ns / gather->cpu_samples;
		uint64_t window = minus(stall->start_ns + ns, gather->cpu_first_ns) + period;
		set_shares(stall, scaled(gather->cpu_sampled_ns, window, ns), PS_UNKNOWN, PS_UNKNOWN, 1);
		return 1;
	}
	if (gather->nested_ns * 2 >= ns) {
		set_shares(stall, minus(ns, gather->nested_ns), PS_UNKNOWN, gather->nested_ns, 1);
		return 1;
	}
	if (!seen)
		return 0;
	uint64_t blocked = scaled(gather->proc_asleep + gather->proc_stopped, seen, ns);
	set_shares(stall, minus(ns, blocked), PS_UNKNOWN, blocked, 1);
	return 1;
}

/* What the three are made of, as far as intervals off the CPU tell: the short ones are not sent. */
static void set_parts(const struct model_own *model, const struct loop_own *loop, struct stall *stall)
{
	const struct gather *gather = &loop->gather;
	int told = gather->off_intervals || model->pub.probes[PS_PROBE_SCHED].state == PS_PROBE_STATE_ON;
	uint64_t blocked = known(stall->blocked_ns);
	stall->lock_ns = told ? least(gather->lock_ns, blocked) : PS_UNKNOWN;
	stall->fault_ns = told ? least(gather->off_ns[PS_OFF_FAULT], blocked) : PS_UNKNOWN;
	stall->stopped_ns = told ? least(gather->off_ns[PS_OFF_STOPPED], blocked) : PS_UNKNOWN;
	stall->throttled_ns = throttled_in_slice(model, loop, stall);
}

void stall_shares(const struct model_own *model, struct loop_own *loop, struct stall *stall, const struct slice_sums *sums)
{
	if (sums->on_cpu_ns != PS_UNKNOWN) {
		set_shares(stall, sums->on_cpu_ns, sums->runnable_ns, sums->blocked_ns, 0);
	} else if (!shares_from_intervals(model, loop, stall) && !shares_from_cpu_time(loop, stall) &&
		   !shares_from_samples(loop, stall)) {
		set_shares(stall, PS_UNKNOWN, PS_UNKNOWN, PS_UNKNOWN, 0);
	}
	set_parts(model, loop, stall);
}

/* ---- cause ---- */

static enum stall_cause blocked_cause(const struct gather *gather)
{
	uint64_t calls = most(gather->call_ns, gather->nested_ns), best = calls;
	enum stall_cause cause = CAUSE_SYNC_IO;
	if (gather->lock_ns > best) {
		best = gather->lock_ns;
		cause = CAUSE_LOCK;
	}
	uint64_t faults = gather->off_ns[PS_OFF_FAULT];
	if (faults > best) {
		best = faults;
		cause = CAUSE_PAGE_FAULT;
	}
	if (gather->off_ns[PS_OFF_STOPPED] > best) {
		best = gather->off_ns[PS_OFF_STOPPED];
		cause = CAUSE_STOPPED;
	}
	if (best)
		return cause;
	if (gather->proc_stopped > gather->proc_asleep)
		return CAUSE_STOPPED;
	/* no times: what was seen to block */
	const struct blocked_call *call = gather_longest_call(gather);
	if (gather->nested && !call)
		return CAUSE_SYNC_IO;
	if (!call)
		return CAUSE_UNKNOWN;
	return syscall_is(call->syscall, "futex") ? CAUSE_LOCK : CAUSE_SYNC_IO;
}

static int mostly_collects(const struct gather *gather)
{
	uint32_t all = 0;
	for (unsigned rule = RULE_UNKNOWN; rule < RULE_COUNT; rule++)
		all += gather->cpu_votes[rule] + gather->off_votes[rule];
	return all && (gather->cpu_votes[RULE_GC] + gather->off_votes[RULE_GC]) * 4 > all * 3;
}

static int ran_own_threads(const struct gather *gather, const struct stall *stall)
{
	return gather->other && *gather->other && !strcmp(gather->other, stall->loop->process->comm);
}

static enum stall_cause decide_cause(const struct gather *gather, const struct stall *stall)
{
	uint64_t on_cpu = known(stall->on_cpu_ns), runnable = known(stall->runnable_ns), blocked = known(stall->blocked_ns);
	uint64_t largest = most(on_cpu, most(runnable, blocked)), half = stall->duration_ns / 2;
	if (known(stall->gc_ns) > half)
		return CAUSE_GC;
	if (gather->proc_stopped > gather->proc_asleep + gather->proc_running + gather->cpu_samples)
		return CAUSE_STOPPED;
	if (!largest)
		return CAUSE_UNKNOWN;
	if (largest == on_cpu)
		return on_cpu >= half ? CAUSE_CPU : CAUSE_UNKNOWN;
	/* a collector's own threads may take the CPU from the thread that waits for them */
	if (largest == runnable && mostly_collects(gather) && ran_own_threads(gather, stall))
		return CAUSE_GC;
	if (largest == runnable)
		return known(stall->throttled_ns) * 2 >= runnable ? CAUSE_THROTTLED : CAUSE_RUN_QUEUE;
	/* or the thread sleeps until they are done */
	enum stall_cause cause = blocked_cause(gather);
	return cause == CAUSE_LOCK && mostly_collects(gather) ? CAUSE_GC : cause;
}

/* ---- rule ---- */

/* The rule that at least half of the samples tell of that show how the time was spent. */
static enum stall_rule rule_of_frames(const struct gather *gather, struct stall *stall)
{
	uint32_t votes[RULE_COUNT], all = 0;
	for (unsigned rule = RULE_UNKNOWN; rule < RULE_COUNT; rule++) {
		votes[rule] = stall->cause == CAUSE_CPU || stall->cause == CAUSE_GC ? gather->cpu_votes[rule] : 0;
		votes[rule] += stall->cause != CAUSE_CPU ? gather->off_votes[rule] : 0;
		all += votes[rule];
	}
	stall->rule_samples = all;
	for (unsigned rule = RULE_UNKNOWN; rule < RULE_COUNT; rule++)
		stall->rule_percent[rule] = all ? (uint8_t)((votes[rule] * 100 + all / 2) / all) : 0;
	for (unsigned rule = RULE_UNKNOWN + 1; rule < RULE_COUNT; rule++)
		if (votes[rule] && votes[rule] * 2 >= all)
			return rule;
	return RULE_UNKNOWN;
}

static int is_cpu_row(const struct stall *stall, const struct stall_stack *row)
{
	return row->kind == PS_SAMPLE_CPU;
}

static int is_handing_over(const struct stack *stack)
{
	for (uint32_t i = 0; i < stack->count; i++)
		if (((const struct frame_own *)stack->frames[i])->hands_over)
			return 1;
	return 0;
}

/*
 * Libuv's own lock is held for a moment only, and a thread that was woken leaves the condition at once: who waits there
 * for long waits for a thread that has no CPU. What the loop wanted to have done did not block it.
 */
static int waits_for_pool(const struct stall *stall)
{
	uint64_t all = 0, handing = 0;
	for (uint32_t i = 0; i < stall->stack_count && stall->cause == CAUSE_LOCK; i++) {
		const struct stall_stack *row = &stall->stacks[i];
		uint64_t weight = row->kind == PS_SAMPLE_CPU ? 0 : row->ns ? row->ns : row->count;
		all += weight;
		handing += is_handing_over(row->stack) ? weight : 0;
	}
	return handing && handing * 2 >= all;
}

static enum stall_rule decide_rule(const struct gather *gather, struct stall *stall)
{
	enum stall_rule told = rule_of_frames(gather, stall);
	switch (stall->cause) {
	case CAUSE_GC:
		return RULE_GC;
	case CAUSE_CPU:
		/* without stacks the callback's own name may tell */
		if (told == RULE_UNKNOWN && !stall->stack_count && stall->callback)
			told = ((const struct frame_own *)stall->callback)->rule;
		if (told != RULE_UNKNOWN)
			return told;
		if (gather->tick_ns * 2 >= stall->duration_ns || script_starves(stall, is_cpu_row))
			return RULE_TICK_STARVATION;
		return RULE_COMPUTATION;
	case CAUSE_LOCK:
		return waits_for_pool(stall) ? RULE_HOST : RULE_SYNC_CALL;
	case CAUSE_SYNC_IO:
		return RULE_SYNC_CALL;
	case CAUSE_RUN_QUEUE:
	case CAUSE_THROTTLED:
		return RULE_HOST;
	default:
		if (gather->tick_ns * 2 >= stall->duration_ns && gather->tick_ns)
			return RULE_TICK_STARVATION;
		return told;
	}
}

/* Where nobody tells of the collector, samples do. */
static void sample_gc(const struct gather *gather, struct stall *stall)
{
	uint64_t all = 0;
	for (unsigned rule = RULE_UNKNOWN; rule < RULE_COUNT; rule++)
		all += gather->cpu_votes[rule];
	stall->gc_sampled = stall->gc_ns == PS_UNKNOWN && all >= GC_SAMPLES_LEAST && stall->on_cpu_ns != PS_UNKNOWN;
	if (stall->gc_sampled)
		stall->gc_ns = scaled(gather->cpu_votes[RULE_GC], all, stall->on_cpu_ns);
}

void stall_judge_own(const struct model_own *model, struct loop_own *loop, struct stall *stall)
{
	uint64_t on_cpu = known(stall->on_cpu_ns), blocked = known(stall->blocked_ns);
	*stall->own_culprit = '\0';
	stall->own_rule = RULE_UNKNOWN;
	if ((stall->cause != CAUSE_RUN_QUEUE && stall->cause != CAUSE_THROTTLED) ||
	    on_cpu + blocked < model->pub.config.stall_ns)
		return;
	struct stall own = *stall;
	own.cause = on_cpu >= blocked ? CAUSE_CPU : blocked_cause(&loop->gather);
	own.rule = decide_rule(&loop->gather, &own);
	if (own.rule == RULE_HOST)
		return;
	stall_blame(model, loop, &own);
	stall->own_rule = own.rule;
	memcpy(stall->own_culprit, own.culprit, sizeof(stall->own_culprit));
}

void stall_judge(const struct model_own *model, struct loop_own *loop, struct stall *stall)
{
	stall->cause = decide_cause(&loop->gather, stall);
	stall->rule = decide_rule(&loop->gather, stall);
	if (stall->cause == CAUSE_CPU && stall->rule == RULE_GC)
		stall->cause = CAUSE_GC;
	sample_gc(&loop->gather, stall);
}

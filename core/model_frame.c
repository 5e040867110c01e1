/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the name of a frame tells: which habit it is known for, whether somebody
 * can be blamed for it, whether it is a runtime's own machinery. Read once for
 * each frame, when it is told. What its file tells stands in model_script.c.
 */
#include "model_own.h"

#include <string.h>

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
	/* what C functions are called tells nothing of those of Python: main, call, sleep */
	if (frame->kind == PS_FRAME_PYTHON)
		return 0;
	return frame->kind == PS_FRAME_KERNEL || begins(frame->name, prefixes) || contains(frame->name, parts) ||
	       equals(frame->name, names) ||
	       (frame->kind != PS_FRAME_JS && begins(base_name(frame->module), modules));
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
	const struct stack *user = stack_user(stack);
	unsigned found = RULE_UNKNOWN;
	for (const struct stack *at = stack; at != user; at = at->outer) {
		unsigned rule = ((const struct frame_own *)at->frame)->rule;
		if (!found || (rule == RULE_MODULE_LOAD && found == RULE_SYNC_CALL))
			found = rule; /* what loads modules reads files */
	}
	return !found && stack_is_body(stack) ? RULE_MODULE_LOAD : found;
}

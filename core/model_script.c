/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whose script a frame is of, and what of a stack a programmer would recognise.
 *
 * In a stack of a program in JavaScript or Python the innermost frame of the user's own code
 * is the one that can be changed: it is the culprit. What it called, a function
 * of the runtime's own scripts ("pbkdf2Sync") or a builtin ("JSON.parse"), says
 * what it did; everything further in is how the runtime does it.
 */
#include "model_own.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/*
 * Scripts of the runtime whose functions break a rule, whatever native code they reach. Those of Python's library by their
 * place in it.
 */
static const struct {
	const char *file;    /* begins with */
	const char *name;    /* ends with */
	uint8_t rule;
} scripts[] = {
	{ "node:internal/crypto/", "", RULE_CRYPTO },
	{ "node:zlib", "Sync", RULE_COMPRESSION },
	{ "node:fs", "Sync", RULE_SYNC_CALL },
	{ "node:internal/fs/", "Sync", RULE_SYNC_CALL },
	{ "node:child_process", "Sync", RULE_SYNC_CALL },
	{ "node:internal/child_process", "Sync", RULE_SYNC_CALL },
	{ "node:internal/modules/", "", RULE_MODULE_LOAD },
	{ "<frozen importlib.", "", RULE_MODULE_LOAD },
	{ "importlib/", "", RULE_MODULE_LOAD },
	{ "json/", "", RULE_JSON },
	{ "re/", "", RULE_REGEX },
	{ "re.py", "", RULE_REGEX },
	{ "sre_", "", RULE_REGEX },
	{ "hashlib.py", "", RULE_CRYPTO },
	{ "hmac.py", "", RULE_CRYPTO },
	{ "gzip.py", "", RULE_COMPRESSION },
	{ "bz2.py", "", RULE_COMPRESSION },
	{ "lzma.py", "", RULE_COMPRESSION },
	{ "zipfile", "", RULE_COMPRESSION },
	{ "subprocess.py", "", RULE_SYNC_CALL },
};

static int begins_with(const char *text, const char *prefix)
{
	return !strncmp(text, prefix, strlen(prefix));
}

static int ends_with(const char *text, const char *end)
{
	size_t length = strlen(text), part = strlen(end);
	return length >= part && !strcmp(text + length - part, end);
}

/*
 * Of a file of Python's own library its place in that: "json/encoder.py" of /usr/lib/python3.11/json/encoder.py. NULL: it
 * is none; packages that were installed are none, wherever they lie.
 */
static const char *in_library(const char *file)
{
	static const char head[] = "/lib/python3.";
	const char *at = strstr(file, head);
	if (!at || strstr(at, "/site-packages/") || strstr(at, "/dist-packages/"))
		return NULL;
	at += sizeof(head) - 1;
	at += strspn(at, "0123456789t"); /* "3.13t": without the global lock */
	return *at == '/' ? at + 1 : NULL;
}

/* of node; of Deno; of Python: what is compiled into it, its library */
static int is_of_runtime(const char *file)
{
	return begins_with(file, "node:") || begins_with(file, "ext:") || begins_with(file, "<frozen ") || in_library(file);
}

void frame_classify_script(struct frame_own *frame)
{
	const struct frame *pub = &frame->pub;
	const char *file = pub->file;
	if ((pub->kind != PS_FRAME_JS && pub->kind != PS_FRAME_PYTHON) || !*file)
		return;
	if (pub->kind == PS_FRAME_PYTHON && in_library(file))
		file = in_library(file);
	frame->script = is_of_runtime(pub->file) ? SCRIPT_RUNTIME : SCRIPT_USER;
	/* the user's names are the user's: a function called "inflate" tells nothing */
	if (frame->script == SCRIPT_USER)
		frame->rule = frame->telling = 0;
	for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]) && frame->script == SCRIPT_RUNTIME && !frame->rule; i++)
		if (begins_with(file, scripts[i].file) && ends_with(pub->name, scripts[i].name)) {
			frame->rule = scripts[i].rule;
			frame->telling = UINT8_MAX;
		}
}

static const struct frame_own *own(const struct frame *frame)
{
	return (const struct frame_own *)frame;
}

const struct stack *stack_user(const struct stack *stack)
{
	while (stack->count && own(stack->frame)->script != SCRIPT_USER)
		stack = stack->outer;
	return stack;
}

/* From the next frame of a script further out than that at `at`; the end = there is none. */
static const struct stack *outer_script(const struct stack *at)
{
	do
		at = at->outer;
	while (at->count && !own(at->frame)->script);
	return at;
}

/* The user's frame further out that had the module loaded whose body the frame at `at` is; the end = it is no such body. */
static const struct stack *importer(const struct stack *at)
{
	const struct stack *outer = outer_script(at);
	int loads = outer->count && own(outer->frame)->rule == RULE_MODULE_LOAD;
	while (outer->count && (!loads || own(outer->frame)->script != SCRIPT_USER))
		outer = outer_script(outer);
	return outer;
}

int stack_is_body(const struct stack *stack)
{
	const struct stack *user = stack_user(stack);
	return user->count && importer(user)->count;
}

/* "JSON.parse" of v8::internal::Builtin_JsonParse, "RegExp.test" of Builtins_RegExpPrototypeTest; 0 = no name of the language. */
static int language_name(const char *symbol, char *out, size_t room)
{
	static const char *const prefixes[] = { "Builtins_", "v8::internal::Builtin_" };
	static const char middle[] = "Prototype", json[] = "Json";
	const char *name = NULL;
	for (size_t i = 0; i < 2; i++)
		if (begins_with(symbol, prefixes[i]))
			name = symbol + strlen(prefixes[i]);
	if (!name)
		return 0;
	const char *method = strstr(name, middle), *class = name;
	size_t length = method ? (size_t)(method - name) : 0;
	if (method)
		method += sizeof(middle) - 1;
	if (begins_with(name, json)) {
		class = "JSON";
		length = 4;
		method = name + sizeof(json) - 1;
	}
	if (!length || !method || !isupper((unsigned char)*method) || length + strlen(method) + 2 > room)
		return 0;
	/* V8 has two of some: one for the usual case */
	size_t rest = strlen(method + 1);
	rest -= ends_with(method, "Fast") ? 4 : 0;
	snprintf(out, room, "%.*s.%c%.*s", (int)length, class, tolower((unsigned char)*method), (int)rest, method + 1);
	return 1;
}

/* Names of the runtime that say less than what they wrap. */
static int is_wrapper(const char *name)
{
	return !*name || *name == '(' || ends_with(name, "Wrapper");
}

/* "json.dumps" of a function in json/__init__.py; "hashlib.new" of one in hashlib.py; "import" of what does that. */
static int library_name(const struct frame *frame, char *out, size_t room)
{
	const char *place = in_library(frame->file);
	if (begins_with(frame->file, "<frozen importlib."))
		return snprintf(out, room, "import") > 0;
	if (!place || *frame->name == '<')
		return 0;
	size_t length = strlen(place);
	length -= ends_with(place, "/__init__.py") ? 12 : ends_with(place, ".py") ? 3 : 0;
	int wrote = snprintf(out, room, "%.*s.%s", (int)length, place, frame->name);
	for (size_t i = 0; i < length && out[i]; i++)
		out[i] = out[i] == '/' ? '.' : out[i];
	return wrote > 0;
}

/* What a frame is called in the language; 0 = nothing that has such a name. */
static int call_name(const struct frame *frame, char *out, size_t room)
{
	if (frame->kind == PS_FRAME_PYTHON)
		return own(frame)->script == SCRIPT_RUNTIME && library_name(frame, out, room);
	if (own(frame)->script == SCRIPT_RUNTIME && !is_wrapper(frame->name))
		return snprintf(out, room, "%s", frame->name) > 0;
	return (frame->kind == PS_FRAME_BUILTIN || frame->kind == PS_FRAME_NATIVE) && language_name(frame->name, out, room);
}

/* What the user's frame at `user` called, as its author knows it: the outermost such name further in; 0 = there is none. */
static int called_by(const struct stack *stack, const struct stack *user, char *out, size_t room)
{
	char name[128];
	int found = 0;
	for (; stack != user; stack = stack->outer)
		if (call_name(stack->frame, name, sizeof(name)))
			found = snprintf(out, room, "%s", name) > 0;
	return found;
}

/* ---- over all samples of a stall ---- */

static int same_function(const struct frame *a, const struct frame *b)
{
	return !strcmp(a->name, b->name) && !strcmp(a->file, b->file);
}

/*
 * From which frame of a row that counts it is the user's; the end = there is none. Of a
 * next tick it is the tick itself, not what it calls; where modules are loaded
 * it is who wants them, not their bodies.
 */
static const struct stack *user_at(const struct stall *stall, const struct stall_stack *row, script_row_fn *counts)
{
	const struct stack *user = stack_user(row->stack), *outer = user;
	while (!counts(stall, row) && user->count)
		user = outer = user->outer;
	if (stall->rule == RULE_TICK_STARVATION)
		for (const struct stack *at = user; at->count; at = at->outer)
			user = own(at->frame)->script == SCRIPT_USER ? at : user;
	while (stall->rule == RULE_MODULE_LOAD && outer->count) {
		user = outer;
		outer = importer(outer);
	}
	return user;
}

static const struct frame *user_of(const struct stall *stall, const struct stall_stack *row, script_row_fn *counts)
{
	return user_at(stall, row, counts)->frame;
}

/* What a row stands for: time where it was measured, else how often it was seen. */
static uint64_t weight(const struct stall_stack *row)
{
	return row->ns ? row->ns : row->count;
}

static uint64_t weight_of(const struct stall *stall, const struct frame *user, script_row_fn *counts)
{
	uint64_t sum = 0;
	for (uint32_t i = 0; i < stall->stack_count; i++) {
		const struct frame *other = user_of(stall, &stall->stacks[i], counts);
		sum += other && same_function(user, other) ? weight(&stall->stacks[i]) : 0;
	}
	return sum;
}

/* What the blamed function called in this row. */
static int row_called(const struct stall *stall, const struct stall_stack *row, const struct frame *blamed, script_row_fn *counts,
		      char *out, size_t room)
{
	const struct frame *user = user_of(stall, row, counts);
	return user && same_function(user, blamed) && called_by(row->stack, user_at(stall, row, counts), out, room);
}

/* What the function called in more than half of its samples. */
static void find_called(const struct stall *stall, struct script_blame *blame, script_row_fn *counts)
{
	char called[sizeof(blame->called)], other[sizeof(blame->called)];
	for (uint32_t i = 0; i < stall->stack_count; i++) {
		uint64_t sum = 0;
		if (!row_called(stall, &stall->stacks[i], blame->user, counts, called, sizeof(called)))
			continue;
		for (uint32_t k = i; k < stall->stack_count; k++) {
			const struct stall_stack *row = &stall->stacks[k];
			if (row_called(stall, row, blame->user, counts, other, sizeof(other)) && !strcmp(called, other))
				sum += weight(row);
		}
		if (sum * 2 > blame->weight) {
			memcpy(blame->called, called, sizeof(called));
			return;
		}
	}
}

/* Of the places inside the function that were seen, the one where most of the time went: stacks of many shapes are one each. */
static const struct frame *usual_place(const struct stall *stall, const struct frame *user, script_row_fn *counts)
{
	const struct frame *best = user;
	uint64_t most_weight = 0;
	for (uint32_t i = 0; i < stall->stack_count; i++) {
		const struct frame *place = user_of(stall, &stall->stacks[i], counts);
		uint64_t sum = 0;
		if (!place || !same_function(place, user))
			continue;
		for (uint32_t k = i; k < stall->stack_count; k++) {
			const struct frame *other = user_of(stall, &stall->stacks[k], counts);
			if (other && same_function(other, user) && other->line == place->line)
				sum += weight(&stall->stacks[k]);
		}
		if (sum <= most_weight)
			continue;
		best = place;
		most_weight = sum;
	}
	return best;
}

static int has_script(const struct stack *stack)
{
	for (; stack->count; stack = stack->outer)
		if (stack->frame->kind == PS_FRAME_JS || stack->frame->kind == PS_FRAME_PYTHON)
			return 1;
	return 0;
}

int script_blame(const struct stall *stall, script_row_fn *counts, struct script_blame *blame)
{
	uint64_t all = 0;
	*blame = (struct script_blame){ .user = NULL };
	for (uint32_t i = 0; i < stall->stack_count; i++) {
		const struct stall_stack *row = &stall->stacks[i];
		const struct frame *user = user_of(stall, row, counts);
		uint64_t sum = user ? weight_of(stall, user, counts) : 0;
		all += counts(stall, row) && has_script(row->stack) ? weight(row) : 0;
		if (sum <= blame->weight)
			continue;
		blame->user = user;
		blame->weight = sum;
	}
	/* a function seen now and then did not do it */
	if (!blame->user || blame->weight * 4 < all)
		return 0;
	blame->user = usual_place(stall, blame->user, counts);
	if (stall->rule == RULE_TICK_STARVATION)
		snprintf(blame->called, sizeof(blame->called), "next ticks");
	else
		find_called(stall, blame, counts);
	return 1;
}

/*
 * Next ticks that set further ticks keep the loop from turning, though each is
 * short: nearly all samples are within the drain, and enough of them in the
 * queue's own scripts. One long tick is only a computation.
 */
int script_starves(const struct stall *stall, script_row_fn *counts)
{
	uint32_t all = 0, draining = 0, queueing = 0;
	for (uint32_t i = 0; i < stall->stack_count; i++) {
		const struct stall_stack *row = &stall->stacks[i];
		const struct frame *inner = NULL;
		int drains = 0;
		if (!counts(stall, row))
			continue;
		for (const struct stack *stack = row->stack; stack->count; stack = stack->outer) {
			const struct frame *frame = stack->frame;
			inner = inner || !own(frame)->script ? inner : frame;
			drains |= own(frame)->script == SCRIPT_RUNTIME && !strcmp(frame->name, "processTicksAndRejections");
		}
		all += row->count;
		draining += drains ? row->count : 0;
		queueing += drains && (begins_with(inner->file, "node:internal/process/task_queues") ||
				       begins_with(inner->file, "node:internal/fixed_queue") ||
				       begins_with(inner->file, "node:internal/async_hooks")) ? row->count : 0;
	}
	return draining && draining * 5 >= all * 4 && queueing * 10 >= all;
}

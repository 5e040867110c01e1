/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who is to blame for a stall, in one line for people:
 *
 *   PBKDF2 <- hashPw auth.js:41              on the CPU
 *   fsync(41) /var/log/app.log <- rotate     blocked in a call
 *   scenario_computation (timer callback)    no stacks, but the loop told
 *   waiting for a CPU: cpu2 ran ffmpeg       ready, not running
 *   [unresolved] libz.so+0x4a10              stacks without names
 *
 * Never empty: what is not known is said.
 */
#include "model_own.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "schema.h"
#include "text.h"

struct line {
	char text[512];
	size_t length;
};

__attribute__((format(printf, 2, 3))) static void say(struct line *line, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	int wrote = vsnprintf(line->text + line->length, sizeof(line->text) - line->length, format, args);
	va_end(args);
	if (wrote > 0)
		line->length = least(line->length + (size_t)wrote, sizeof(line->text) - 1);
}

/* ---- names of frames ---- */

/* Where the parameters of a demangled name begin, or its end. "(anonymous namespace)" and "operator()" are no parameters. */
static size_t without_parameters(const char *name)
{
	int depth = 0;
	for (size_t i = 0; name[i]; i++) {
		depth += name[i] == '<';
		depth -= name[i] == '>' && depth > 0;
		if (name[i] != '(' || depth || !i)
			continue;
		if (!strncmp(name + i, "(anonymous namespace)", 21)) {
			i += 20;
			continue;
		}
		if (i >= 8 && !strncmp(name + i - 8, "operator", 8))
			continue;
		return i;
	}
	return strlen(name);
}

/* "a::Job<a::Traits>::Run(a::Env*)" is "a::Job<>::Run" when it would be too long with its arguments. */
static void say_name(struct line *line, const char *name)
{
	size_t length = without_parameters(name);
	int depth = 0, brief = length > 56;
	for (size_t i = 0; i < length; i++) {
		depth -= name[i] == '>' && depth > 0;
		if (!depth || !brief)
			say(line, "%c", name[i]);
		depth += name[i] == '<';
	}
}

static void say_frame(struct line *line, const struct frame *frame)
{
	if (*frame->name && (frame->kind == PS_FRAME_JS || frame->kind == PS_FRAME_PYTHON || frame->kind == PS_FRAME_JIT))
		say(line, "%s", frame->name);
	else if (*frame->name)
		say_name(line, frame->name);
	else if (frame->kind == PS_FRAME_JIT || frame->kind == PS_FRAME_JS)
		say(line, "[jit]");
	else if (*frame->module)
		say(line, "[unresolved] %s+0x%x", text_last_part(frame->module), frame->offset);
	else
		say(line, "[unresolved]");
}

static void say_place(struct line *line, const struct frame *frame)
{
	if (!frame || !*frame->file)
		return;
	say(line, " %s", text_last_part(frame->file));
	if (frame->line)
		say(line, ":%u", frame->line);
}

static int is_noise(const struct frame *frame)
{
	return ((const struct frame_own *)frame)->noise;
}

static int is_plumbing(const struct frame *frame)
{
	return ((const struct frame_own *)frame)->plumbing;
}

static int is_named(const struct frame *frame)
{
	return *frame->name && *frame->name != '[' && frame->kind != PS_FRAME_KERNEL;
}

/* A function that somebody wrote for this program, not one of a library's. */
static int is_users(const struct frame *frame)
{
	return frame->kind == PS_FRAME_JS || frame->kind == PS_FRAME_PYTHON || ((const struct frame_own *)frame)->command;
}

/* Two frames that a reader would call the same. */
static int same_place(const struct frame *a, const struct frame *b)
{
	if (*a->name || *b->name)
		return a->name == b->name || !strcmp(a->name, b->name);
	return a->kind == b->kind && !strcmp(a->module, b->module);
}

/* ---- the inner half ---- */

/* Innermost frame of a stack that may be blamed; NULL when there is none. */
const struct frame *stack_blamed(const struct stack *stack)
{
	const struct frame *named = NULL, *unnamed = NULL, *any = NULL;
	for (; stack->count; stack = stack->outer) {
		const struct frame *frame = stack->frame;
		if (frame->kind == PS_FRAME_KERNEL)
			continue;
		if (!is_noise(frame) && (*frame->name || frame->kind == PS_FRAME_JIT))
			return frame;
		if (!is_noise(frame) && *frame->module && !unnamed)
			unnamed = frame;
		any = any ? any : frame;
		named = named || !is_named(frame) ? named : frame;
	}
	/* a function without a name is better told by the nearest caller that has one */
	return unnamed ? unnamed : named ? named : any;
}

/* The best name that this stack has for the rule: smallest row of the rule table, innermost of equals. */
static const struct frame *telling(const struct stack *stack, unsigned rule)
{
	const struct frame_own *best = NULL;
	for (; stack->count; stack = stack->outer) {
		const struct frame_own *frame = (const struct frame_own *)stack->frame;
		if (frame->rule == rule && (!best || frame->telling < best->telling))
			best = frame;
	}
	return best ? &best->pub : NULL;
}

struct blame {
	const struct frame *inner;
	const struct stack *stack;
};

static int kind_counts(const struct stall *stall, unsigned kind)
{
	/* who collects may work or wait for those that help him */
	return stall->cause == CAUSE_UNKNOWN || stall->cause == CAUSE_GC || (stall->cause == CAUSE_CPU) == (kind == PS_SAMPLE_CPU);
}

static int row_counts(const struct stall *stall, const struct stall_stack *row)
{
	return kind_counts(stall, row->kind);
}

/* proposes a frame of a stack, or NULL */
typedef const struct frame *pick_fn(const struct stack *stack, unsigned rule);

static const struct frame *pick_blamed(const struct stack *stack, unsigned rule)
{
	return stack_blamed(stack);
}

static const struct frame *pick(const struct stall *stall, uint32_t at, pick_fn *choose)
{
	const struct stall_stack *row = &stall->stacks[at];
	return kind_counts(stall, row->kind) ? choose(row->stack, stall->rule) : NULL;
}

/*
 * Every stack proposes a frame; the one that most samples propose is to blame.
 * By rule, a more telling name wins over a more frequent one.
 */
static struct blame elect(const struct stall *stall, pick_fn *choose, int by_rule)
{
	struct blame best = { NULL, NULL };
	uint32_t best_count = 0;
	unsigned best_telling = 0;
	for (uint32_t i = 0; i < stall->stack_count; i++) {
		const struct frame *frame = pick(stall, i, choose);
		if (!frame)
			continue;
		unsigned told = by_rule ? ((const struct frame_own *)frame)->telling : 0;
		uint32_t count = 0;
		for (uint32_t k = 0; k < stall->stack_count; k++) {
			const struct frame *other = pick(stall, k, choose);
			count += other && same_place(frame, other) ? stall->stacks[k].count : 0;
		}
		if (!best.inner || told < best_telling || (told == best_telling && count > best_count)) {
			best = (struct blame){ frame, stall->stacks[i].stack };
			best_count = count;
			best_telling = told;
		}
	}
	return best;
}

static struct blame blame_by_rule(const struct stall *stall)
{
	return elect(stall, telling, 1);
}

static struct blame blame_by_count(const struct stall *stall)
{
	return elect(stall, pick_blamed, 0);
}

/* ---- the outer half ---- */

static const struct frame *outer_of(const struct stack *stack, const struct frame *inner)
{
	const struct frame *native = NULL;
	int beyond = 0;
	for (; stack->count; stack = stack->outer) {
		const struct frame *frame = stack->frame;
		if (frame == inner) {
			beyond = 1;
			continue;
		}
		if (!beyond || !is_named(frame) || is_noise(frame) || same_place(frame, inner))
			continue;
		if (frame->kind == PS_FRAME_JS || frame->kind == PS_FRAME_PYTHON ||
		    ((const struct frame_own *)frame)->command)
			return frame;
		unsigned rule = ((const struct frame_own *)inner)->rule;
		if (!native && !is_plumbing(frame) && (!rule || ((const struct frame_own *)frame)->rule != rule))
			native = frame;
	}
	return native;
}

/* ---- sentences ---- */

static void say_callback(struct line *line, struct stall *stall, int bare)
{
	if (stall->callback)
		say_frame(line, stall->callback);
	else if (stall->callback_fn)
		say(line, "[unresolved] 0x%llx", (unsigned long long)stall->callback_fn);
	if (!bare)
		say(line, "%s(%s callback", stall->callback_fn ? " " : "", kind_name(stall->callback_kind));
	if (!bare && stall->callback_fd >= 0)
		say(line, ", fd %d", stall->callback_fd);
	if (!bare)
		say(line, ")");
	say_place(line, stall->callback);
	if (!stall->blamed)
		stall->blamed = stall->callback;
}

static void say_blame(struct line *line, struct stall *stall, const struct blame *blame)
{
	const struct frame *outer = outer_of(blame->stack, blame->inner);
	stall->blamed = outer && is_users(outer) ? outer : blame->inner;
	say_frame(line, blame->inner);
	if (outer) {
		say(line, " <- ");
		say_frame(line, outer);
	}
	say_place(line, outer && *outer->file ? outer : blame->inner);
}

/* "pbkdf2Sync <- hashPw auth.js:41", "PKCS5_PBKDF2_HMAC <- hashPw auth.js:41", "addUp sums.js:7" */
static void say_script(struct line *line, struct stall *stall, const struct script_blame *script,
		       const struct frame *telling_frame)
{
	stall->blamed = script->user;
	if (*script->called)
		say(line, "%s <- ", script->called);
	else if (telling_frame) {
		say_frame(line, telling_frame);
		say(line, " <- ");
	}
	say_frame(line, script->user);
	say_place(line, script->user);
}

static void say_work(struct line *line, struct stall *stall)
{
	struct script_blame script;
	struct blame blame = stall->rule != RULE_COMPUTATION && stall->rule != RULE_UNKNOWN ? blame_by_rule(stall) :
											      (struct blame){ NULL, NULL };
	if (script_blame(stall, row_counts, &script)) {
		say_script(line, stall, &script, blame.inner);
		return;
	}
	if (!blame.inner)
		blame = blame_by_count(stall);
	if (blame.inner && (*blame.inner->name || !stall->callback_ns))
		say_blame(line, stall, &blame);
	else if (stall->callback_ns)
		say_callback(line, stall, 0);
	else if (stall->samples)
		say(line, "not known (%u samples without a stack)", stall->samples);
	else
		say(line, "not known (no samples)");
}

static void say_call(struct line *line, const struct stall *stall)
{
	const char *name = syscall_name(stall->syscall);
	if (name)
		say(line, "%s", name);
	else
		say(line, "syscall %d", stall->syscall);
	if (syscall_is(stall->syscall,
		       "read write pread64 pwrite64 readv writev preadv pwritev fsync fdatasync flock ftruncate fallocate "
		       "sendfile recvfrom recvmsg sendto sendmsg connect accept accept4 getdents64 ioctl epoll_wait "
		       "epoll_pwait epoll_pwait2 syncfs lseek fcntl"))
		say(line, "(%d)", (int)stall->syscall_args[0]);
	if (*stall->syscall_path)
		say(line, " %s", stall->syscall_path);
}

static void say_blocked(struct line *line, const struct loop_own *loop, struct stall *stall)
{
	struct script_blame script;
	int has_script = script_blame(stall, row_counts, &script);
	/* a wait on another poller is how a call is made to look synchronous */
	if (has_script && *script.called && syscall_is(stall->syscall, "epoll_wait epoll_pwait epoll_pwait2 poll ppoll"))
		say(line, "%s", script.called);
	else if (stall->syscall >= 0)
		say_call(line, stall);
	else if (stall->cause == CAUSE_LOCK)
		say(line, "waits for a lock");
	else if (stall->cause == CAUSE_PAGE_FAULT)
		say(line, "page fault");
	else if (loop->gather.nested)
		say(line, "waits on another poller");
	else
		say(line, "blocked");
	if (has_script) {
		stall->blamed = script.user;
		say(line, " <- ");
		say_frame(line, script.user);
		say_place(line, script.user);
		return;
	}
	struct blame blame = blame_by_count(stall);
	if (blame.inner && is_named(blame.inner) && !is_noise(blame.inner)) {
		say(line, " <- ");
		say_blame(line, stall, &blame);
	} else if (stall->callback_ns) {
		say(line, stall->callback_fn ? " <- " : " ");
		say_callback(line, stall, 0);
	}
}

static void say_gc(struct line *line, const struct loop_own *loop, struct stall *stall)
{
	static const char *const kinds[] = { "", " (minor)", " (major)" };
	say(line, "garbage collection%s", loop->gather.gc_kind < 3 ? kinds[loop->gather.gc_kind] : "");
	struct blame blame = blame_by_rule(stall);
	struct script_blame script;
	const struct frame *outer = blame.inner ? outer_of(blame.stack, blame.inner) : NULL;
	if (script_blame(stall, row_counts, &script))
		outer = script.user;
	if (!outer)
		return;
	stall->blamed = outer;
	say(line, " <- ");
	say_frame(line, outer);
	say_place(line, outer);
}

static void say_throttled(struct line *line, const struct stall *stall)
{
	say(line, "throttled: the CPU quota of its control group was used up");
	if (stall->throttled_ns != PS_UNKNOWN && stall->duration_ns)
		say(line, " (%u%% of the time)", (unsigned)(stall->throttled_ns * 100 / stall->duration_ns));
}

static void say_run_queue(struct line *line, const struct loop_own *loop, struct stall *stall)
{
	say(line, "waiting for a CPU");
	if (*stall->other_task)
		say(line, ": cpu%u ran %s", loop->gather.other_cpu, stall->other_task);
	if (stall->callback_fn) {
		say(line, " <- ");
		say_callback(line, stall, 0);
	}
}

/* The expression that most samples ran, from the name that its frame was given: "[RegExp /^(a+)+$/]". */
static void take_regexp(struct stall *stall)
{
	static const char head[] = "[RegExp /";
	stall->regexp[0] = '\0';
	for (uint32_t i = 0; i < stall->stack_count && stall->rule == RULE_REGEX; i++) {
		for (const struct stack *stack = stall->stacks[i].stack; stack->count; stack = stack->outer) {
			const char *name = stack->frame->name;
			size_t length = strlen(name);
			if (strncmp(name, head, sizeof(head) - 1) || length < sizeof(head) + 1)
				continue;
			text_clean(stall->regexp, sizeof(stall->regexp), name + sizeof(head) - 2, length - sizeof(head) + 1);
			return;
		}
	}
}

void stall_blame(const struct model_own *model, struct loop_own *loop, struct stall *stall)
{
	struct line line = { .length = 0 };
	stall->blamed = NULL;
	switch (stall->cause) {
	case CAUSE_SYNC_IO:
	case CAUSE_LOCK:
	case CAUSE_PAGE_FAULT:
		if (stall->rule == RULE_HOST)
			say(&line, "waiting for another of its threads to get a CPU");
		else
			say_blocked(&line, loop, stall);
		break;
	case CAUSE_THROTTLED:
		say_throttled(&line, stall);
		break;
	case CAUSE_RUN_QUEUE:
		say_run_queue(&line, loop, stall);
		break;
	case CAUSE_GC:
		say_gc(&line, loop, stall);
		break;
	case CAUSE_STOPPED:
		say(&line, "stopped: signal, debugger or freezer");
		break;
	default:
		say_work(&line, stall);
	}
	take_regexp(stall);
	/* all parts are clean; this cuts at a character */
	text_clean(stall->culprit, sizeof(stall->culprit), line.text, line.length);
}

uint64_t stall_own_part(const struct stall *stall)
{
	return known(stall->on_cpu_ns) + known(stall->blocked_ns);
}

void stall_own_text(const struct stall *stall, char *out, size_t room)
{
	char time[16];
	snprintf(out, room, "own part %s: %s", text_duration(time, stall_own_part(stall)), stall->own_culprit);
}

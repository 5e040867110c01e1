/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One frame of a stack of V8. What its program counter lies in decides how it
 * is read: the interpreter, a builtin, code made at run time, or native code,
 * which symbols.c names. A frame met before costs a lookup and two small reads
 * that show it is still the same function.
 */
#include "v8_own.h"

#include <stdio.h>
#include <string.h>

#include "source_map.h"

static void put(struct v8_out *out, uint32_t id)
{
	if (id && out->count < out->room)
		out->ids[out->count++] = id;
	else if (id)
		out->missed++;
}

/* Told as a power of two: stacks that differ in nothing else are one for long. */
void v8_put_cut(struct v8_out *out, uint32_t more)
{
	struct ps_ev_frame frame = { .kind = PS_FRAME_UNKNOWN };
	char name[32];
	uint32_t least = 1;

	more += out->missed;
	if (!more)
		return;
	while (least <= more / 2)
		least *= 2;
	snprintf(name, sizeof(name), "[%u+ more frames]", least);
	frame.name = stream_string(out->stream, name, strlen(name));
	out->ids[out->count++] = stream_frame(out->stream, &frame);
}

/* ---- what a program counter lies in ---- */

static enum v8_pc class_of_name(const char *name)
{
	size_t length = strlen(name);

	if (!*name)
		return PC_UNNAMED;
	if (strncmp(name, "Builtins_", 9))
		return strstr(name, "IrregexpInterpreter") || strstr(name, "IrregexpExec") ? PC_REGEXP : PC_NATIVE;
	if (!strncmp(name, "Builtins_Interpreter", 20))
		return PC_INTERPRETER;
	if (strstr(name, "JSToWasm"))
		return PC_WASM_ENTRY;
	/* one builtin per bytecode, and per bytecode with wide operands */
	return length > 7 && !strcmp(name + length - 7, "Handler") ? PC_INTERPRETER : PC_BUILTIN;
}

enum v8_pc v8_classify(struct v8 *v8, uint64_t pc)
{
	struct v8_known_pc *known = &v8->pcs[(pc * 0x9e3779b97f4a7c15ull) >> 52];
	char name[256];

	if (known->pc == pc && known->class)
		return known->class;
	enum symbols_place place = symbols_place(v8->symbols, pc, name, sizeof(name));
	if (place == SYMBOLS_GENERATED)
		return PC_GENERATED;
	if (place == SYMBOLS_NOWHERE)
		return PC_NOWHERE;
	*known = (struct v8_known_pc){ pc, class_of_name(name) };
	return known->class;
}

/* ---- frames of functions ---- */

static uint32_t put_text(struct stream *stream, const char *text)
{
	return stream_string(stream, text, strlen(text));
}

/*
 * Where the script was made of another file, that is told, and the place in the script stands for the module. What a
 * minified function was called is told where the map has a name at the very place where its name is.
 */
static void tell_source(struct v8 *v8, struct stream *stream, const struct v8_function *function, const char *file,
			uint32_t line, uint32_t column, struct ps_ev_frame *frame)
{
	struct source_place place;
	char path[1024], ran[1100];
	uint32_t start_line, start_column;

	if (!line || !column || v8_maps_find(v8->maps, &v8->reader, function->script, file, line, column, &place, path, sizeof(path)))
		return;
	snprintf(ran, sizeof(ran), "%s:%u:%u", file, line, column);
	frame->module = put_text(stream, ran);
	frame->file = put_text(stream, path);
	frame->line = place.line;
	frame->column = frame->column ? place.column : 0;
	/* it begins with its parameters: "a(", or "a=(" of one that is kept in a variable */
	if (!function->name[0] || v8_line(v8->scripts, &v8->reader, function->script, function->start, &start_line, &start_column) ||
	    v8_maps_find(v8->maps, &v8->reader, function->script, file, start_line, start_column - 1, &place, path, sizeof(path)))
		return;
	size_t end = place.at + strlen(function->name);
	if (*place.name && (end == start_column || end + 1 == start_column))
		frame->name = put_text(stream, place.name);
}

static uint32_t frame_at(struct v8 *v8, struct stream *stream, const struct v8_place *place)
{
	struct ps_ev_frame frame = { .kind = PS_FRAME_JS };
	struct v8_function function;
	char file[1024];

	if (v8_function_read(&v8->reader, place->shared, &function))
		return 0;
	if (place->name)
		v8_string(&v8->reader, place->name, function.name, sizeof(function.name));
	const char *nameless =
		function.script && v8_script_is_evaluated(&v8->reader, function.script) ? "eval" : "(anonymous)";
	frame.name = put_text(stream, function.name[0] ? function.name : nameless);
	if (!function.script) {
		/* unless there was no time to look for it */
		if (!v8->reader.deadline.passed)
			frame.kind = PS_FRAME_BUILTIN;
		return stream_frame(stream, &frame);
	}
	if (v8_script_name(v8->scripts, &v8->reader, function.script, file, sizeof(file)))
		frame.file = put_text(stream, file);
	int is_start = v8_line(v8->scripts, &v8->reader, function.script, place->position, &frame.line, &frame.column);
	if (is_start)
		v8_line(v8->scripts, &v8->reader, function.script, function.start, &frame.line, &frame.column);
	uint32_t line = frame.line, column = frame.column;
	/* where it begins is not where it is, nor is what is near: no column says so */
	frame.column = is_start || place->is_near ? 0 : column;
	tell_source(v8, stream, &function, file, line, column, &frame);
	return stream_frame(stream, &frame);
}

static struct v8_known_frame *find_known(struct v8 *v8, const uint64_t key[3], uint64_t witness)
{
	uint64_t hash = (key[0] * 31 + key[1]) * 31 + key[2];
	struct v8_known_frame *known = &v8->frames[(hash * 0x9e3779b97f4a7c15ull) >> 52];

	if (known->witness != witness || memcmp(known->key, key, sizeof(known->key)))
		*known = (struct v8_known_frame){ { key[0], key[1], key[2] }, witness };
	return known;
}

static void put_places(struct v8 *v8, struct v8_out *out, struct v8_known_frame *known, const struct v8_place *places,
		       size_t count)
{
	uint32_t ids[V8_INLINED_MAX] = { 0 };
	int was_late = v8->reader.deadline.passed;
	size_t filled = 0;

	for (size_t i = 0; i < count; i++) {
		uint32_t id = frame_at(v8, out->stream, &places[i]);

		if (id)
			ids[filled++] = id;
		put(out, id);
	}
	/* what could not be read wholly may be readable next time */
	if (filled != count || filled > V8_CACHE_FRAMES)
		return;
	/* so may what there was no time for, but not where it takes all the time of a stack again and again */
	if (was_late || (v8->reader.deadline.passed && ++known->tries < V8_TRIES))
		return;
	known->count = filled;
	memcpy(known->ids, ids, filled * sizeof(*ids));
}

static int put_known(struct v8_out *out, const struct v8_known_frame *known)
{
	for (uint32_t i = 0; i < known->count; i++)
		put(out, known->ids[i]);
	return known->count > 0;
}

/* Two words of a function that stay while it lives. */
static uint64_t function_witness(struct v8 *v8, uint64_t shared)
{
	const struct v8_layout *at = &v8->reader.layout;

	return v8_field(&v8->reader, shared, at->shared_name) * 31 + v8_field(&v8->reader, shared, at->shared_script);
}

/* The function of a frame of the interpreter, or one of which only the frame is known. */
static void put_interpreted(struct v8 *v8, struct v8_out *out, const struct v8_frame *frame, int32_t offset)
{
	const uint64_t key[3] = { frame->shared, frame->bytecode_array, (uint64_t)(int64_t)offset };
	uint64_t name = v8_own_name(&v8->reader, frame->function, frame->shared);
	struct v8_known_frame *known = find_known(v8, key, function_witness(v8, frame->shared) * 31 + name);
	struct v8_place place = { frame->shared, -1, 0, name };

	if (put_known(out, known))
		return;
	if (v8_function_bytecode(&v8->reader, frame->shared) == frame->bytecode_array)
		place.position = v8_interpreted_position(&v8->reader, frame->bytecode_array, offset);
	put_places(v8, out, known, &place, 1);
}

/* The search for it goes through much memory. */
static int find_code(struct v8 *v8, uint64_t pc, struct v8_code *code)
{
	struct v8_known_code *known = &v8->codes[(pc * 0x9e3779b97f4a7c15ull) >> 52];

	*code = known->code;
	if (known->pc == pc && !v8_code_again(&v8->reader, pc, code))
		return 0;
	*code = (struct v8_code){ .kind = 0 };
	int err = v8_code_find(&v8->reader, pc, code);
	*known = (struct v8_known_code){ 0 };
	if (!err)
		*known = (struct v8_known_code){ pc, *code };
	return err;
}

static void put_code(struct v8 *v8, struct v8_out *out, const struct v8_code *code, const struct v8_frame *frame)
{
	const struct v8_layout *at = &v8->reader.layout;
	uint64_t data = v8_field(&v8->reader, code->object, at->code_deoptimization);
	const uint64_t key[3] = { code->object, (frame->pc - code->start) * 2 + !!frame->is_return, frame->shared };
	uint64_t name = v8_own_name(&v8->reader, frame->function, frame->shared);
	struct v8_known_frame *known = find_known(v8, key, (data * 31 + code->start) * 31 + name);
	struct v8_place places[V8_INLINED_MAX] = { { frame->shared, -1, 0, 0 } };
	size_t count = 1;

	if (put_known(out, known))
		return;
	if (code->kind > at->kind_baseline)
		count = v8_optimized_places(&v8->reader, code, frame->pc, frame->is_return, places);
	else
		places[0].position = v8_baseline_position(&v8->reader, code, frame->pc);
	if (count && places[count - 1].shared == frame->shared)
		places[count - 1].name = name;
	put_places(v8, out, known, places, count);
}

/* ---- one frame ---- */

static int is_function(struct v8 *v8, const struct v8_frame *frame)
{
	return frame->shared && v8_type(&v8->reader, frame->shared) == v8->reader.layout.shared;
}

/* "[RegExp /^(a+)+$/]"; the innermost of a stack is the one that runs. */
static uint32_t regexp_frame(struct v8 *v8, struct v8_out *out)
{
	struct ps_ev_frame frame = { .kind = PS_FRAME_JIT };
	char source[128], name[160] = "[RegExp]";

	if (!out->has_regexp && !v8_regexp_on_stack(&v8->reader, out->sp, source, sizeof(source)))
		snprintf(name, sizeof(name), "[RegExp /%s/]", source);
	out->has_regexp = 1;
	frame.name = put_text(out->stream, name);
	return stream_frame(out->stream, &frame);
}

/* Is the code at pc that of the function whose frame it is? Not at the very start of a function: it has no frame yet. */
static int owns_frame(struct v8 *v8, const struct v8_code *code, const struct v8_frame *frame)
{
	const struct v8_layout *at = &v8->reader.layout;
	uint64_t array = v8_field(&v8->reader, code->object, at->code_bytecode);

	if (v8_type(&v8->reader, array) == at->interpreter_data)
		array = v8_field(&v8->reader, array, at->tagged_bytes);
	return array && v8_function_bytecode(&v8->reader, frame->shared) == array;
}

/* Code that only the engine for WebAssembly knows is called from JavaScript in certain ways alone. */
static void name_wasm(struct v8_out *out)
{
	struct ps_ev_frame frame = { .kind = PS_FRAME_JIT, .name = put_text(out->stream, "[wasm]") };
	uint32_t id = stream_frame(out->stream, &frame);

	for (size_t i = out->count - out->unnamed; i < out->count && id; i++)
		out->ids[i] = id;
	out->unnamed = 0;
}

static void put_unnamed(struct v8 *v8, struct v8_out *out, const struct v8_frame *frame, const struct v8_code *code)
{
	size_t before = out->count;

	put(out, symbols_frame(v8->symbols, out->stream, frame->pc, frame->is_return));
	out->unnamed += out->count - before;
	if (v8_code_is_wasm(&v8->reader, code))
		name_wasm(out);
}

static void put_generated(struct v8 *v8, struct v8_out *out, const struct v8_frame *frame)
{
	size_t before = out->count;
	int has_function = is_function(v8, frame);
	struct v8_code code = { .kind = 0 };

	if (find_code(v8, frame->pc, &code)) {
		if (has_function)
			put_places(v8, out, &(struct v8_known_frame){ 0 }, &(struct v8_place){ frame->shared, -1, 0, 0 }, 1);
	} else if (code.kind == v8_kind_regexp(&v8->reader.layout)) {
		put(out, regexp_frame(v8, out));
	} else if (code.kind == v8_kind_regexp(&v8->reader.layout) - 1 && has_function) {
		/* each function may have a copy of the interpreter's entry, for the sake of profilers */
		put_interpreted(v8, out, frame, frame->bytecode_offset);
	} else if (code.kind > v8->reader.layout.kind_baseline || (has_function && owns_frame(v8, &code, frame))) {
		put_code(v8, out, &code, frame);
		/* V8 10 tells of optimized code only which function it is of */
		if (out->count == before && has_function && v8->reader.layout.code_inline != V8_NONE)
			put_places(v8, out, &(struct v8_known_frame){ 0 }, &(struct v8_place){ frame->shared, -1, 0, 0 }, 1);
	}
	if (out->count == before)
		put_unnamed(v8, out, frame, &code);
	else
		out->unnamed = 0;
}

/*
 * A leaf may be in a builtin or a native function that has no frame of its own
 * yet, or never has: the frame is that of the function that called it. What is
 * in the frame of a native function that native code called is no function: V8
 * itself looks at stacks, and holds functions in its variables.
 */
static void put_caller(struct v8 *v8, struct v8_out *out, const struct v8_frame *frame, enum v8_pc class)
{
	struct v8_function function;

	if (class == PC_NATIVE && frame->caller_pc && v8_classify(v8, frame->caller_pc - 1) == PC_NATIVE)
		return;
	if (is_function(v8, frame) && !v8_function_read(&v8->reader, frame->shared, &function) && function.script)
		put_interpreted(v8, out, frame, frame->bytecode_offset);
}

/* Is this the frame of the interpreter? It alone keeps the function's own bytecode there outside of generated code. */
static int runs_bytecode(struct v8 *v8, const struct v8_frame *frame)
{
	return is_function(v8, frame) && frame->bytecode_array && frame->bytecode_offset >= 0 &&
	       v8_function_bytecode(&v8->reader, frame->shared) == frame->bytecode_array;
}

void v8_put_frame(struct v8 *v8, struct v8_out *out, const struct v8_frame *frame)
{
	enum v8_pc class = v8_classify(v8, frame->pc - !!frame->is_return);

	/* to go on in the interpreter, V8 puts the first address of a builtin where that behind a call was */
	if (frame->is_return && class != PC_GENERATED && v8_classify(v8, frame->pc) == PC_INTERPRETER)
		class = PC_INTERPRETER;
	if (class == PC_WASM_ENTRY)
		name_wasm(out);
	if (class != PC_GENERATED)
		out->unnamed = 0;
	switch (class) {
	case PC_GENERATED:
		put_generated(v8, out, frame);
		break;
	case PC_REGEXP:
		put(out, symbols_frame(v8->symbols, out->stream, frame->pc, frame->is_return));
		if (!out->has_regexp)
			put(out, regexp_frame(v8, out));
		break;
	case PC_INTERPRETER:
		if (is_function(v8, frame)) {
			put_interpreted(v8, out, frame,
					frame->live_offset >= 0 ? frame->live_offset : frame->bytecode_offset);
			break;
		}
		/* fall through */
	case PC_UNNAMED:
		if (runs_bytecode(v8, frame)) {
			put_interpreted(v8, out, frame, frame->bytecode_offset);
			break;
		}
		/* fall through */
	default:
		/* where a chain of frame pointers is broken, what follows is chance */
		if (class != PC_NOWHERE || !frame->is_return)
			put(out, symbols_frame(v8->symbols, out->stream, frame->pc, frame->is_return));
		if (!frame->is_return)
			put_caller(v8, out, frame, class);
	}
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The parts that v8.c is made of; nobody else but their tests includes this.
 *
 * Everything that is read belongs to a process that runs on, and may lie: an
 * address is a number until a read of it succeeds, an object is what the type
 * in its map says, and lengths are capped before they are used.
 */
#ifndef V8_PARTS_H
#define V8_PARTS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "credit.h"

/* ---- layout (v8_constants.c): offsets, types and tags of this build of V8 ---- */

#define V8_NONE     (-1)  /* a field that this build does not have */
#define V8_SCALES   3     /* operands of one, two and four bytes */
#define V8_BYTECODES 256
#define V8_OPERATIONS 128

struct v8_layout {
	/* byte offsets in objects */
	int32_t map_type, function_shared, function_context, object_elements, number_value, regexp_source;
	int32_t map_descriptors, map_words, map_first_property, descriptors_header, object_properties;
	int32_t shared_data, shared_lazy_data, shared_name, shared_script;
	int32_t uncompiled_start, uncompiled_name;
	int32_t script_source, script_name, script_line_ends, script_source_url, script_eval_from, script_eval_position;
	int32_t string_length, one_byte_chars, two_byte_chars, external_data;
	int32_t cons_first, cons_second, sliced_parent, sliced_offset, thin_actual;
	int32_t array_length, array_data, bytecode_data;
	int32_t code_deoptimization, code_bytecode, code_positions, code_offset_table;
	/* instance types */
	int32_t map_of_maps, bytecode_array, byte_array, trusted_byte_array, fixed_array, scope_info, script, shared, code;
	int32_t instruction_stream, interpreter_data, js_array, js_object, js_function, js_regexp, heap_number, debug_info, shared_wrapper, context_cell, first_non_string, first_uncompiled, last_uncompiled;
	/* strings, tags and kinds */
	int32_t representation_mask, encoding_mask, one_byte, cons, external, sliced, thin;
	int32_t property_kind_mask, property_location_mask, property_index_shift;
	int32_t kind_mask, kind_baseline, tagged_bytes, smi_shift_bits;
	/* indices */
	int32_t dictionary_prefix, dictionary_prefix_words, dictionary_entry_words;
	int32_t deoptimization_literals, deoptimization_shared, deoptimization_positions;
	int32_t scope_locals, scope_first;
	/* not in v8dbg_ before V8 12: found when first met (v8_code.c) */
	int32_t code_entry, code_flags, code_bytes;
	int32_t code_inline;    /* before V8 11: the instructions are within the Code itself, from here on */
	int32_t stream_header;  /* bytes before the instructions of an InstructionStream */
	/* length of each bytecode by scale of its operands, itself included; 0 = there is none */
	uint8_t bytecode_bytes[V8_SCALES][V8_BYTECODES];
	/* of a translation: how many kinds of operations there are and how many operands each has; the first that is a frame */
	int32_t operations, operation_frame;
	uint8_t operands[V8_OPERATIONS];
	/* for the walk; 0 = not known */
	int64_t isolate_offset;
	int32_t c_entry_fp;
};

/* From the ELF file at fd, which stays the caller's. -ENOENT: no V8, -ENOTSUP: what is indispensable is missing. */
int v8_layout_read(struct v8_layout *layout, int fd);
/* Of a process (v8.c). -ENOENT, -ENOTSUP as above. */
int v8_layout_find(struct v8_layout *layout, pid_t pid);
/* The offset of c_entry_fp, from the instructions of a CEntry builtin; 0 = not found. */
int32_t v8_find_c_entry_fp(const uint8_t *code, size_t bytes);

/* ---- memory (v8_memory.c) ---- */

#define V8_PAGE_BYTES 4096
#define V8_NAMED      64   /* power of two */

typedef int v8_read_fn(void *arg, uint64_t address, void *out, size_t bytes);

/* Where objects with this map keep a property "name" (v8_own_name.c). */
struct v8_named {
	uint64_t map, descriptors;  /* 0 = empty */
	enum { NAMED_NOT, NAMED_WITHIN, NAMED_FURTHER, NAMED_IN_DICTIONARY } where;
	int32_t offset;             /* in the object, or in the array of its further properties */
};

struct v8_reader {
	v8_read_fn *read;
	void *arg;
	uint64_t turn;         /* no two readers ever have the same; 0 = none yet */
	struct deadline deadline; /* reads fail behind it */
	struct v8_layout layout;
	uint64_t stream_map;   /* the map of InstructionStreams; 0 = not met yet */
	struct v8_named named[V8_NAMED];
};

/* Forgets what was read; reads fail behind the deadline, by credit_clock(), 0 = none. */
void v8_turn(struct v8_reader *reader, uint64_t deadline_ns);
int v8_read(struct v8_reader *reader, uint64_t address, void *out, size_t bytes);
/* A field of an object; 0 when it cannot be read (which is no object). */
uint64_t v8_field(struct v8_reader *reader, uint64_t object, int32_t offset);
int v8_int(struct v8_reader *reader, uint64_t object, int32_t offset, int32_t *value);
/* A small integer in a field; -EINVAL when there is something else. */
int v8_smi(struct v8_reader *reader, uint64_t object, int32_t offset, int32_t *value);
int v8_is_smi(uint64_t word);
int32_t v8_smi_value(const struct v8_reader *reader, uint64_t word);
/* Where an object is now that may have moved since its address was taken, as long as that can be told. */
uint64_t v8_moved(struct v8_reader *reader, uint64_t object);
/* The instance type of an object; -1 when it is none. */
int v8_type(struct v8_reader *reader, uint64_t object);
/* Length of an array of bytes, of either kind. -EINVAL when it is none. */
int v8_bytes_length(struct v8_reader *reader, uint64_t array, int32_t *length);
/* `length` bytes from `data` on in an object, or a whole array of bytes; malloc'ed. NULL when there are none. */
uint8_t *v8_copy(struct v8_reader *reader, uint64_t object, int32_t data, int32_t length, size_t *bytes);
uint8_t *v8_copy_table(struct v8_reader *reader, uint64_t array, size_t *bytes);
/* Element of a FixedArray, or 0. */
uint64_t v8_element(struct v8_reader *reader, uint64_t array, int32_t index);
/* A SharedFunctionInfo may be referred to weakly, or through a wrapper. */
uint64_t v8_shared_of(struct v8_reader *reader, uint64_t object);

/* ---- strings and functions (v8_names.c) ---- */

/* Gets runs of characters; non-zero ends the visit and is returned. */
typedef int v8_chars_fn(void *arg, const void *chars, size_t count, int two_byte);

int v8_string_visit(struct v8_reader *reader, uint64_t string, uint32_t most, v8_chars_fn *visit, void *arg);
/* UTF-8, terminated; a name that is too long ends in "…". Returns bytes, or -EINVAL when it is no string. */
int v8_string(struct v8_reader *reader, uint64_t string, char *out, size_t room);

struct v8_function {
	char name[256];    /* "" = none */
	uint64_t script;   /* 0 = none (a builtin, an API function) */
	int32_t start;     /* where it begins in the script; -1 = not known */
};

/* -EINVAL when `shared` is no SharedFunctionInfo. */
int v8_function_read(struct v8_reader *reader, uint64_t shared, struct v8_function *function);
/* The slot of a variable in the contexts of a scope; -1 = it has none of that name. */
int32_t v8_scope_local(struct v8_reader *reader, uint64_t scope, const char *name);
/* Source of the regular expression that a thread with this stack pointer matches (v8_regexp.c). 0 or -errno. */
int v8_regexp_on_stack(struct v8_reader *reader, uint64_t sp, char *out, size_t room);
/* The BytecodeArray of a function; 0 = not compiled, or no JavaScript. */
uint64_t v8_function_bytecode(struct v8_reader *reader, uint64_t shared);

/* ---- names of their own (v8_own_name.c) ---- */

/*
 * The string in the property "name" that a function was given at run time, because its name is computed or somebody
 * defined it. 0 = it has none, or the function is not there any more: it moves, other than what all of its kind share.
 */
uint64_t v8_own_name(struct v8_reader *reader, uint64_t function, uint64_t shared);

/* ---- scripts (v8_script.c): file and line ---- */

struct v8_scripts;

int v8_scripts_open(struct v8_scripts **scripts);
void v8_scripts_close(struct v8_scripts *scripts);
/*
 * Name of the script: a path, a URL, "node:fs"; of what was evaluated what it calls itself (sourceURL), or where that was
 * done, as errors of JavaScript tell it: "eval at run (/srv/app.js:3:10)". Returns bytes, 0 = it has none.
 */
int v8_script_name(struct v8_scripts *scripts, struct v8_reader *reader, uint64_t script, char *out, size_t room);
int v8_script_is_evaluated(struct v8_reader *reader, uint64_t script);
/* Line and column, both from 1. -ENOENT when they cannot be told. */
int v8_line(struct v8_scripts *scripts, struct v8_reader *reader, uint64_t script, int32_t position, uint32_t *line,
	    uint32_t *column);

/* ---- source maps (v8_source_map.c): from a place in a script to that in the file it was made of ---- */

struct v8_maps;
struct source_place;

int v8_maps_open(struct v8_maps **maps, pid_t pid);
void v8_maps_close(struct v8_maps *maps);
/* `file` is the name of the script; line and column from 1. Puts the place, and the path of its file. -ENOENT. */
int v8_maps_find(struct v8_maps *maps, struct v8_reader *reader, uint64_t script, const char *file, uint32_t line,
		 uint32_t column, struct source_place *place, char *path, size_t room);

/* ---- generated code (v8_code.c) ---- */

struct v8_code {
	uint64_t object;   /* the Code */
	uint64_t start;    /* of its instructions */
	uint32_t bytes;
	int kind;
};

/* The kind of a regular expression's code, which is behind that of builtins. */
int v8_kind_regexp(const struct v8_layout *layout);

/* The code that covers an address. -ENOENT. */
int v8_code_find(struct v8_reader *reader, uint64_t pc, struct v8_code *code);

/* What was found at `pc` before; searches nothing. -ENOENT: something else may be there. */
int v8_code_again(struct v8_reader *reader, uint64_t pc, struct v8_code *code);

/* 1: what was found (v8_code_find() refuses it) leads into WebAssembly, or out of it. */
int v8_code_is_wasm(const struct v8_reader *reader, const struct v8_code *code);

/* ---- positions (v8_position.c) ---- */

#define V8_INLINED_MAX 64

/* A function and where in its script it is; position -1 = not known. */
struct v8_place {
	uint64_t shared;
	int32_t position;
	int is_near;    /* it is there or a little further: only the line tells something */
	uint64_t name;  /* its own (v8_own_name.c); 0 = none */
};

/* The last entry of a source position table that is not behind `offset`; is_flagged: as since V8 14. -ENOENT. */
int v8_position_lookup(const uint8_t *table, size_t bytes, int is_flagged, int32_t offset, uint64_t *position);
/* 1 when the bytes can be the position table of bytecodes: it rises, ends where it ends, and inlines nothing. */
int v8_position_table(const uint8_t *table, size_t bytes, int is_flagged);
/* The bytecode that the machine code at `pc_offset` was made of. -ENOENT. */
int v8_baseline_lookup(const struct v8_layout *layout, const uint8_t *table, size_t table_bytes,
		       const uint8_t *bytecodes, size_t bytecode_bytes, uint32_t pc_offset, int32_t *offset);
/* `offset` counts from the tagged start of the array. Position of an interpreted function; -1 when there is none. */
int32_t v8_interpreted_position(struct v8_reader *reader, uint64_t bytecode_array, int32_t offset);
int32_t v8_baseline_position(struct v8_reader *reader, const struct v8_code *code, uint64_t pc);
/* The functions that optimised code is in, innermost first; at least one unless it returns 0. */
size_t v8_optimized_places(struct v8_reader *reader, const struct v8_code *code, uint64_t pc, int is_return,
			   struct v8_place places[V8_INLINED_MAX]);

/* ---- translations (v8_translation.c): frames of the interpreter that optimised code stands for ---- */

struct v8_interpreted {
	int32_t bytecode, shared, function;  /* offset; which literals, -1 = none */
};

/* The one that begins at `from` in the table: frames of functions, outermost first. Returns how many; 0 = it makes no sense. */
size_t v8_translation_read(const struct v8_layout *layout, const uint8_t *table, size_t bytes, int32_t from,
			   struct v8_interpreted frames[V8_INLINED_MAX]);

/* ---- calls of optimised code (v8_calls.c) ---- */

/*
 * As v8_optimized_places(), from what V8 keeps to go on in the interpreter: of a return address, or of any in code of the
 * middle compiler. 0 = it cannot be told.
 */
size_t v8_translated_places(struct v8_reader *reader, const struct v8_code *code, uint64_t pc, int is_return,
			    struct v8_place places[V8_INLINED_MAX]);

#endif

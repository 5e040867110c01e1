/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What stands behind a struct v8. Only v8.c (its life, whole stacks) and
 * v8_frame.c (one frame of a stack) include this, and their test.
 */
#ifndef V8_OWN_H
#define V8_OWN_H

#include "symbols_parts.h"
#include "v8.h"
#include "v8_parts.h"

#define V8_CACHE        4096     /* power of two */
#define V8_CACHE_FRAMES 40       /* deeper inlining is not kept */
#define V8_TRIES        8        /* at a frame that cannot be read whole in the time that a stack has */

/* PC_REGEXP: native code that matches an expression. PC_UNNAMED: native code or a builtin, in a file whose symbols do not tell */
enum v8_pc {
	PC_UNSEEN,
	PC_NOWHERE,
	PC_NATIVE,
	PC_UNNAMED,
	PC_REGEXP,
	PC_BUILTIN,
	PC_WASM_ENTRY, /* a builtin by which JavaScript calls WebAssembly */
	PC_INTERPRETER,
	PC_GENERATED
};

struct v8_known_pc {
	uint64_t pc;
	enum v8_pc class;
};

struct v8_known_code {
	uint64_t pc;
	struct v8_code code;
};

struct v8_known_frame {
	uint64_t key[3];
	uint64_t witness;    /* changes when other objects have taken the places of the old ones */
	uint32_t count;      /* 0 = free */
	uint32_t tries;
	uint32_t ids[V8_CACHE_FRAMES];
};

struct v8 {
	struct symbols *symbols;
	struct v8_scripts *scripts;
	struct v8_maps *maps;
	struct ps_v8_walk walk;
	pid_t pid;
	struct credit credit;
	uint64_t moment_ns;      /* when the reader's turn began */
	struct v8_reader reader;
	struct v8_known_pc pcs[V8_CACHE];
	struct v8_known_code codes[V8_CACHE];
	struct v8_known_frame frames[V8_CACHE];
	uint32_t epoch;          /* of the stream that the ids in them belong to */
};

/* The frames that are being collected for one stack. */
struct v8_out {
	struct stream *stream;
	uint32_t *ids;
	size_t count, room;
	uint64_t sp;             /* of the whole stack */
	int has_regexp;          /* the expression was told */
	size_t missed;           /* frames for which there was no room */
	size_t unnamed;          /* the last so many frames are of code that V8's heap does not tell of */
};

/* One frame of a raw stack. */
struct v8_frame {
	uint64_t pc;
	int is_return;
	uint64_t caller_pc;       /* of the next frame; 0 = there is none */
	uint64_t shared;          /* 0 = no function's */
	uint64_t function;
	uint64_t bytecode_array;
	int32_t bytecode_offset;  /* from the tagged start of the array; -1 = not known */
	int32_t live_offset;      /* the same, as the interpreter has it in a register */
};

/* What code the program counter lies in; files are read when they are met for the first time. */
enum v8_pc v8_classify(struct v8 *v8, uint64_t pc);
/* Adds one frame of a raw stack to the stack that is told: several where functions were inlined, none where V8 hides it. */
void v8_put_frame(struct v8 *v8, struct v8_out *out, const struct v8_frame *frame);
/* The last one, where `more` were not taken or found no room. */
void v8_put_cut(struct v8_out *out, uint32_t more);

#endif

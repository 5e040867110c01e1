/* SPDX-License-Identifier: BSD-2-Clause */
/* The parts that symbols.c is made of. Besides it those that look at mappings: v8.c, libuv_find.c, proc_node.c, find.c. */
#ifndef SYMBOLS_PARTS_H
#define SYMBOLS_PARTS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "symbols_elf.h"

/* ---- maps (symbols_maps.c): what lies where in a process ---- */

enum region_kind { REGION_FILE, REGION_GENERATED, REGION_VDSO, REGION_OTHER };

struct map {
	uint64_t start, end, offset;
	uint64_t inode;
	enum region_kind kind;
	char *path;        /* owned; NULL unless REGION_FILE */
};

struct maps {
	struct map *maps;  /* executable ones, by address */
	size_t count;
};

int maps_read(struct maps *maps, pid_t pid);   /* replaces what was there; -errno: nothing changed */
void maps_clear(struct maps *maps);
const struct map *maps_find(const struct maps *maps, uint64_t address);
int maps_has(pid_t pid, const char *part); /* 1: some executable mapping is of a file whose path has this part */
/* A descriptor of the very file that is mapped, wherever it is now. -errno. */
int maps_open_file(const struct map *map, pid_t pid);

/* ---- names of generated code (symbols_jit.c): /tmp/perf-PID.map ---- */

struct jit_names;

/* -ENOENT when the process writes none, or it is not its own. */
int jit_names_open(struct jit_names **names, pid_t pid);
void jit_names_close(struct jit_names *names);
/* Reads again when the file has grown; NULL = not named. Good until the next call. */
const char *jit_names_find(struct jit_names *names, uint64_t address, uint64_t *start);
/* What such a name says of a function of JavaScript, as V8 writes it: "JS:*name file:line:column". */
struct jit_place {
	const char *name, *file; /* within the name; "" = it has none */
	int name_bytes, file_bytes;
	uint32_t line, column;
};
int jit_place_read(struct jit_place *place, const char *name); /* 0; -EINVAL: it is another name */

/* 1 and text when `mangled` is a C++ or Rust name; at most room - 1 bytes, cut without a sign. */
int symbols_demangle(const char *mangled, char *out, size_t room);

#endif

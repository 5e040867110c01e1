/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The parts that python.c is made of; nobody else but their tests includes this.
 *
 * Everything that is read belongs to a process that runs on, and may lie: an
 * address is a number until a read of it succeeds, an object is what its type
 * says, and lengths are capped before they are used.
 */
#ifndef PYTHON_PARTS_H
#define PYTHON_PARTS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "credit.h"
#include "ps_probe.h"

/* ---- layout (python_layout.c): offsets by version ---- */

enum python_lines { PYTHON_LNOTAB, PYTHON_LINETABLE, PYTHON_LOCATIONS };

struct python_layout {
	struct ps_python_walk walk; /* `interpreter`: offset in _PyRuntime */
	int32_t object_type;
	int32_t code_bytes, code_filename, code_name, code_first_line, code_lines;
	int32_t bytes_size, bytes_data;
	int32_t string_length, string_state, string_ascii, string_wide;
	enum python_lines lines; /* what code_lines refers to */
};

/* Of Python 3.`minor`; NULL: not known, or it tells itself (python_layout_told). */
const struct python_layout *python_layout_find(unsigned minor);

#define PYTHON_TOLD_BYTES 584
/* What Python 3.13 tells at the beginning of _PyRuntime. -ENOTSUP. */
int python_layout_told(struct python_layout *layout, const uint8_t told[PYTHON_TOLD_BYTES]);

/* ---- where it is (python_find.c) ---- */

struct python_place {
	uint64_t runtime; /* address of _PyRuntime */
	uint64_t code_type; /* of PyCode_Type */
	uint64_t version; /* of Py_Version; 0 = before 3.11 */
	uint64_t eval[4], eval_end[4]; /* of the functions that run bytecode */
	size_t evals;
	unsigned minor; /* by the names of its files; 0 = they do not tell */
};

int python_find(struct python_place *place, pid_t pid); /* -ENOENT */

/* ---- memory and objects (python_code.c) ---- */

typedef int python_read_fn(void *arg, uint64_t address, void *out, size_t bytes);

struct python_reader {
	python_read_fn *read;
	void *arg;
	struct deadline deadline; /* reads fail behind it */
	uint64_t code_type;
	struct python_layout layout;
};

struct python_code {
	uint64_t name, filename, lines; /* objects */
	int32_t first_line;
};

/* -EINVAL: it is no code object (any more). */
int python_code_read(struct python_reader *reader, uint64_t address, struct python_code *code);
/* UTF-8, terminated; what is too long ends in "…". Returns bytes, or -EINVAL when it is no string. */
int python_string(struct python_reader *reader, uint64_t string, char *out, size_t room);
/* Where an instruction is; the line is that of the function, without a column, where the table does not tell. */
void python_place_of(struct python_reader *reader, const struct python_code *code, int32_t instruction, uint32_t *line,
		     uint32_t *column);

/* ---- tables of lines (python_lines.c) ---- */

/*
 * The line of an instruction (bytes from the first one), and its column from 1 (0 = it is not told). -ENOENT: it has none.
 */
int python_line(enum python_lines kind, const uint8_t *bytes, size_t size, int32_t first_line, int32_t at,
		uint32_t *line, uint32_t *column);

#endif

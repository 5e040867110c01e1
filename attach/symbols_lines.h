/* SPDX-License-Identifier: BSD-2-Clause */
/* Source lines of one ELF file, where it, or the file that debuggers look for beside it, has debug information. */
#ifndef SYMBOLS_LINES_H
#define SYMBOLS_LINES_H

#include <stddef.h>
#include <stdint.h>

struct lines;

int lines_open(struct lines **lines,
	       int fd); /* fd stays the caller's, and open as long as this; -ENOENT: there is none */
void lines_close(struct lines *lines);
/* File and line of an address, as symbols have it. The file's name is good as long as this. -ENOENT. */
int lines_find(struct lines *lines, uint64_t address, const char **file, uint32_t *line);

#endif

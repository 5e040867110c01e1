/* SPDX-License-Identifier: BSD-2-Clause */
/* The symbols of one table of an ELF file, one after the other. */
#ifndef SYMBOLS_TABLE_H
#define SYMBOLS_TABLE_H

#include <gelf.h>

/* 0: go on. The name is good during the call. */
typedef int symbol_take_fn(void *arg, const char *name, const GElf_Sym *symbol);

/*
 * Gives `take` the symbols that have a name, of the section of this header (SHT_SYMTAB or SHT_DYNSYM) of `elf`, which was
 * opened from fd: at most SYMBOL_TABLE_MOST, in their order. -errno: nothing was taken.
 */
#define SYMBOL_TABLE_MOST (4u << 20)
int symbol_table_read(Elf *elf, int fd, const GElf_Shdr *header, symbol_take_fn *take, void *arg);

#endif

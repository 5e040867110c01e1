/* SPDX-License-Identifier: BSD-2-Clause */
/* The functions of one ELF file: what lies at an offset of it, and where a name is. */
#ifndef SYMBOLS_ELF_H
#define SYMBOLS_ELF_H

#include <stddef.h>
#include <stdint.h>

struct elf_file;

int elf_file_open(struct elf_file **file, int fd);  /* takes fd over, also when it fails */
void elf_file_close(struct elf_file *file);
/* Virtual address (as symbols have it) of a byte of the file, and back; UINT64_MAX = not loaded. */
uint64_t elf_file_to_address(const struct elf_file *file, uint64_t offset);
uint64_t elf_file_to_offset(const struct elf_file *file, uint64_t address);
/* Name (as in the file, not demangled) and start of the function that covers an address. -ENOENT. */
int elf_file_function(const struct elf_file *file, uint64_t address, char *name, size_t room, uint64_t *start);
int elf_file_rest(struct elf_file *file,
		  uint64_t now_ns); /* closes unwind rules that were long not asked for: 1 if it did */
struct lines *elf_file_lines(struct elf_file *file); /* the same for its source lines */
struct cfi *elf_file_cfi(struct elf_file *file);   /* its unwind rules, opened when first asked for; NULL = it has none */
uint64_t elf_file_symbol(const struct elf_file *file, const char *name);  /* address; 0 = not there */
/* The same with its size, which is 0 where the file does not tell it. */
uint64_t elf_file_extent(const struct elf_file *file, const char *name, uint32_t *bytes);

#endif

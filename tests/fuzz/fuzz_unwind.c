/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The unwinder over stacks and rules of any content, and .eh_frame of any
 * content: the input is taken as registers, rules and stack, and as an ELF file.
 * Source lines are not tried: they are read of trusted files only (symbols_lines.c).
 */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "symbols_cfi.h"
#include "unwind.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
const char *__lsan_default_suppressions(void);

/* libelf forgets some memory of files that are broken in the middle */
const char *__lsan_default_suppressions(void)
{
	return "leak:libelf.so\nleak:libdw.so\n";
}

static struct unwind_rule rules[4];

static enum unwind_place place(void *arg, uint64_t address, const struct unwind_rule **rule)
{
	*rule = &rules[address % 4];
	return (enum unwind_place)(address / 4 % 3);
}

static void walk(const uint8_t *data, size_t bytes)
{
	struct unwind unwind = { .rule = place };
	uint64_t pcs[127], fps[127];
	int complete;

	if (bytes < sizeof(rules) + sizeof(unwind.registers))
		return;
	memcpy(rules, data, sizeof(rules));
	memcpy(unwind.registers, data + sizeof(rules), sizeof(unwind.registers));
	unwind.stack = (struct unwind_stack){ data, bytes, unwind.registers[7] - 128 };
	unwind_walk(&unwind, pcs, fps, 127, &complete);
}

static void read_file(const uint8_t *data, size_t bytes)
{
	struct unwind_rule rule;
	struct cfi *cfi;
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, data, bytes) == (ssize_t)bytes && !cfi_open(&cfi, fd)) {
		for (uint64_t address = 0; address < 0x4000; address += 0x77)
			cfi_rule(cfi, address, &rule);
		cfi_close(cfi);
	}
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	walk(data, bytes);
	if (bytes > 64 && !memcmp(data, "\177ELF", 4))
		read_file(data, bytes);
	return 0;
}

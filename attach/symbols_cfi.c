/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The unwind rules of one ELF file, by libdw: from .eh_frame, which programs
 * carry for exceptions also when they are stripped. A rule is translated to the
 * few operations that unwind.c knows; a function whose rule needs others has
 * none.
 *
 * The file stays open as long as this, and is read, not mapped: one that is cut
 * short gives errors, not signals.
 */
#include "symbols_cfi.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <errno.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define REG_SP 7
#define REG_PC 16
#define FRAMES_BYTES_MAX (64ull << 20) /* of .eh_frame */

struct cfi {
	Elf *elf;
	Dwarf_CFI *frames;
};

/* libdw reads all of the section at once */
static int is_reasonable(Elf *elf, uint64_t file_bytes)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;
	GElf_Ehdr ehdr;

	if (!gelf_getehdr(elf, &ehdr) || ehdr.e_machine != EM_X86_64)
		return 0;
	while ((section = elf_nextscn(elf, section)))
		if (gelf_getshdr(section, &header) && header.sh_type != SHT_NOBITS &&
		    header.sh_size > FRAMES_BYTES_MAX && header.sh_flags & SHF_ALLOC &&
		    !(header.sh_flags & (SHF_EXECINSTR | SHF_WRITE)) && header.sh_size > file_bytes)
			return 0;
	return 1;
}

int cfi_open(struct cfi **out, int fd)
{
	struct cfi *cfi = calloc(1, sizeof(*cfi));
	struct stat status;

	*out = NULL;
	if (!cfi)
		return -ENOMEM;
	if (elf_version(EV_CURRENT) != EV_NONE && !fstat(fd, &status))
		cfi->elf = elf_begin(fd, ELF_C_READ, NULL);
	if (cfi->elf && elf_kind(cfi->elf) == ELF_K_ELF && is_reasonable(cfi->elf, status.st_size))
		cfi->frames = dwarf_getcfi_elf(cfi->elf);
	if (!cfi->frames) {
		cfi_close(cfi);
		return -ENOEXEC;
	}
	*out = cfi;
	return 0;
}

void cfi_close(struct cfi *cfi)
{
	if (!cfi)
		return;
	dwarf_cfi_end(cfi->frames);
	elf_end(cfi->elf);
	free(cfi);
}

/* ---- expressions ---- */

/* One operation; 0 when we have no such. */
static int translate(const Dwarf_Op *from, struct unwind_op *to)
{
	static const struct {
		uint8_t from, to;
	} plain[] = {
		{ DW_OP_call_frame_cfa, UNWIND_CFA },
		{ DW_OP_deref, UNWIND_DEREF },
		{ DW_OP_plus, UNWIND_ADD },
		{ DW_OP_minus, UNWIND_SUBTRACT },
		{ DW_OP_mul, UNWIND_MULTIPLY },
		{ DW_OP_and, UNWIND_AND },
		{ DW_OP_or, UNWIND_OR },
		{ DW_OP_shl, UNWIND_SHIFT_LEFT },
		{ DW_OP_shr, UNWIND_SHIFT_RIGHT },
		{ DW_OP_ge, UNWIND_AT_LEAST },
		{ DW_OP_eq, UNWIND_EQUAL },
		{ DW_OP_dup, UNWIND_DUPLICATE },
		{ DW_OP_drop, UNWIND_DROP },
		{ DW_OP_swap, UNWIND_SWAP },
	};

	*to = (struct unwind_op){ .code = UNWIND_LITERAL, .value = (int64_t)from->number };
	if (from->atom >= DW_OP_lit0 && from->atom <= DW_OP_lit31) {
		to->value = from->atom - DW_OP_lit0;
		return 1;
	}
	if (from->atom >= DW_OP_const1u && from->atom <= DW_OP_consts)
		return 1;
	to->code = UNWIND_REGISTER;
	if (from->atom >= DW_OP_breg0 && from->atom <= DW_OP_breg31) {
		to->number = from->atom - DW_OP_breg0;
		return 1;
	}
	if (from->atom == DW_OP_bregx && from->number < UNWIND_REGISTERS) {
		to->number = from->number;
		to->value = (int64_t)from->number2;
		return 1;
	}
	for (size_t i = 0; i < sizeof(plain) / sizeof(*plain); i++)
		if (from->atom == plain[i].from) {
			to->code = plain[i].to;
			return 1;
		}
	return 0;
}

/* How many operations; 0 when the expression is too long or has others. */
static uint8_t translate_all(const Dwarf_Op *from, size_t count, struct unwind_op to[UNWIND_OPS])
{
	size_t filled = 0;

	for (size_t i = 0; i < count; i++) {
		if (from[i].atom == DW_OP_nop)
			continue;
		if (from[i].atom == DW_OP_plus_uconst) {
			if (filled + 2 > UNWIND_OPS)
				return 0;
			to[filled++] = (struct unwind_op){ .code = UNWIND_LITERAL, .value = (int64_t)from[i].number };
			to[filled++] = (struct unwind_op){ .code = UNWIND_ADD };
			continue;
		}
		if (filled == UNWIND_OPS || !translate(&from[i], &to[filled++]))
			return 0;
	}
	return filled;
}

/* ---- rules ---- */

static int translate_cfa(Dwarf_Frame *frame, struct unwind_rule *rule)
{
	Dwarf_Op *ops;
	size_t count;

	if (dwarf_frame_cfa(frame, &ops, &count) || !count)
		return 0;
	rule->cfa_ops = translate_all(ops, count, rule->cfa);
	rule->cfa_register = UINT8_MAX;
	if (rule->cfa_ops == 1 && rule->cfa[0].code == UNWIND_REGISTER &&
	    rule->cfa[0].value == (int32_t)rule->cfa[0].value) {
		rule->cfa_register = rule->cfa[0].number;
		rule->cfa_offset = (int32_t)rule->cfa[0].value;
	}
	return rule->cfa_ops > 0;
}

/* [SP + n]: all registers of what a signal interrupted are kept so */
static int translate_saved(const Dwarf_Op *ops, size_t count, struct unwind_rule *rule, int number)
{
	struct unwind_op op;

	if (count != 2 || ops[0].atom != DW_OP_call_frame_cfa || !translate(&ops[1], &op) ||
	    op.code != UNWIND_REGISTER || op.number != REG_SP || op.value != (int32_t)op.value)
		return 0;
	rule->kinds[number] = UNWIND_AT_SP;
	rule->offsets[number] = (int32_t)op.value;
	return 1;
}

/* [CFA + n], the usual, or CFA + n */
static int translate_offset(const Dwarf_Op *ops, size_t count, struct unwind_rule *rule, int number)
{
	int is_value = count && ops[count - 1].atom == DW_OP_stack_value;
	size_t parts = count - (size_t)is_value;
	int64_t offset = 0;

	if (!parts || ops[0].atom != DW_OP_call_frame_cfa || parts > 2)
		return 0;
	if (parts == 2 && ops[1].atom != DW_OP_plus_uconst)
		return 0;
	if (parts == 2)
		offset = (int64_t)ops[1].number;
	if (offset != (int32_t)offset)
		return 0;
	rule->kinds[number] = is_value ? UNWIND_IS_CFA : UNWIND_AT_CFA;
	rule->offsets[number] = (int32_t)offset;
	return 1;
}

static void translate_expression(const Dwarf_Op *ops, size_t count, struct unwind_rule *rule, int number)
{
	int is_value = ops[count - 1].atom == DW_OP_stack_value;

	rule->kinds[number] = UNWIND_UNDEFINED;
	if (rule->value_ops)
		return;
	rule->value_ops = translate_all(ops, count - (size_t)is_value, rule->value);
	rule->value_of = number;
	rule->value_is_address = !is_value;
	if (rule->value_ops)
		rule->kinds[number] = UNWIND_EXPRESSION;
}

static void translate_register(Dwarf_Frame *frame, struct unwind_rule *rule, int number)
{
	Dwarf_Op room[3], *ops;
	size_t count;

	rule->kinds[number] = UNWIND_UNDEFINED;
	if (dwarf_frame_register(frame, number, room, &ops, &count))
		return;
	if (!count)
		rule->kinds[number] = ops == room ? UNWIND_UNDEFINED : UNWIND_SAME;
	else if (!translate_offset(ops, count, rule, number) && !translate_saved(ops, count, rule, number))
		translate_expression(ops, count, rule, number);
}

int cfi_rule(struct cfi *cfi, uint64_t address, struct unwind_rule *rule)
{
	Dwarf_Addr start, end;
	Dwarf_Frame *frame;
	bool is_signal = false;

	memset(rule, 0, sizeof(*rule));
	if (dwarf_cfi_addrframe(cfi->frames, address, &frame))
		return -ENOENT;
	int pc = dwarf_frame_info(frame, &start, &end, &is_signal);
	int ok = pc == REG_PC && translate_cfa(frame, rule);
	for (int i = 0; i < UNWIND_REGISTERS && ok; i++)
		translate_register(frame, rule, i);
	/* the caller's stack pointer is the CFA, unless told otherwise */
	if (rule->kinds[REG_SP] == UNWIND_UNDEFINED || rule->kinds[REG_SP] == UNWIND_SAME) {
		rule->kinds[REG_SP] = UNWIND_IS_CFA;
		rule->offsets[REG_SP] = 0;
	}
	rule->is_signal = is_signal;
	free(frame);
	return ok ? 0 : -ENOENT;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What this build of V8 looks like in memory.
 *
 * V8 leaves integers for debuggers in its binary: symbols named v8dbg_…, each
 * the offset of a field, an instance type or a tag. They are read from the file
 * (.dynsym or .symtab), never from the process. A value of 0 was put in .bss by
 * the compiler, which has no bytes in the file.
 *
 * The table says where each integer goes. Several rows may fill one field: the
 * names differ between versions, and the first that is there wins.
 */
#include "v8_parts.h"

#include <errno.h>
#include <gelf.h>
#include <libelf.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "symbols_table.h"

#define PREFIX       "v8dbg_"
#define SIZES_NAME   "_ZN2v88internal11interpreter9Bytecodes14kBytecodeSizesE"
#define OPERANDS_NAME "_ZZN2v88internal29TranslationOpcodeOperandCountENS0_17TranslationOpcodeEE6counts"
#define ISOLATE_NAME "_ZN2v88internal18g_current_isolate_E"
#define C_ENTRY_NAME "Builtins_CEntry_"

#define OPERANDS_MAX 8
#define FRAME_KINDS  4  /* of functions of scripts, in a row */

enum need { MAY, MUST };

struct constant {
	const char *name;  /* behind the prefix; NULL: the value is `more`, if no row before gave one */
	size_t field;      /* in struct v8_layout */
	enum need need;
	int32_t more;      /* added to the value */
};

#define ROW(name, field, ...) { name, offsetof(struct v8_layout, field), __VA_ARGS__ }

static const struct constant constants[] = {
	ROW("TaggedSize", tagged_bytes, MUST),
	ROW("SmiShiftSize", smi_shift_bits, MUST, 1),
	ROW("class_Map__instance_type__uint16_t", map_type, MUST),
	ROW("class_JSFunction__shared__SharedFunctionInfo", function_shared, MUST),
	ROW("class_SharedFunctionInfo__function_data__Object", shared_data, MUST),
	/* since V8 12 these two lie in a space that has no names for debuggers; before 13 they are one */
	ROW(NULL, shared_data, MUST, 8),
	ROW(NULL, shared_lazy_data, MUST, 16),
	ROW("class_SharedFunctionInfo__name_or_scope_info__Object", shared_name, MUST),
	ROW("class_SharedFunctionInfo__name_or_scope_info__Tagged_Object_", shared_name, MUST),
	ROW("class_SharedFunctionInfo__name_or_scope_info__Tagged_NameOrScopeInfoT_", shared_name, MUST),
	ROW("class_SharedFunctionInfo__script_or_debug_info__HeapObject", shared_script, MUST),
	ROW("class_SharedFunctionInfo__script__Tagged_HeapObject_", shared_script, MUST),
	ROW("class_UncompiledData__start_position__int32_t", uncompiled_start, MAY),
	ROW("class_UncompiledData__inferred_name__String", uncompiled_name, MAY),
	ROW("class_Script__source__Object", script_source, MAY),
	ROW("class_Script__name__Object", script_name, MUST),
	ROW("class_Script__line_ends__Object", script_line_ends, MAY),
	ROW("class_Script__eval_from_shared_or_wrapped_arguments__Object", script_eval_from, MAY),
	ROW("class_Script__eval_from_shared_or_wrapped_arguments__Tagged_Object_", script_eval_from, MAY),
	ROW("class_Script__eval_from_shared_or_wrapped_arguments_or_sfi_table__Object", script_eval_from, MAY),
	ROW("class_Script__eval_from_position__SMI", script_eval_position, MAY),
	/* behind it and the flags */
	ROW("class_Script__compiled_lazy_function_positions__Object", script_source_url, MAY, 16),
	ROW("class_Script__compiled_lazy_function_positions__Tagged_Object_", script_source_url, MAY, 16),
	ROW("class_String__length__int32_t", string_length, MUST),
	ROW("class_Map__instance_descriptors_offset", map_descriptors, MAY),
	ROW("class_Map__instance_size_in_words__char", map_words, MAY),
	ROW("class_Map__inobject_properties_start_or_constructor_function_index__char", map_first_property, MAY),
	ROW("class_DescriptorArray__header_size__uintptr_t", descriptors_header, MAY),
	ROW("class_JSReceiver__raw_properties_or_hash__Object", object_properties, MAY),
	ROW("class_JSReceiver__raw_properties_or_hash__Tagged_Object_", object_properties, MAY),
	ROW("namedictionary_prefix_start_index", dictionary_prefix, MAY),
	ROW("namedictionaryshape_prefix_size", dictionary_prefix_words, MAY),
	ROW("namedictionaryshape_entry_size", dictionary_entry_words, MAY),
	ROW("prop_kind_mask", property_kind_mask, MAY),
	ROW("prop_location_mask", property_location_mask, MAY),
	ROW("prop_index_shift", property_index_shift, MAY),
	ROW("class_JSFunction__context__Context", function_context, MAY),
	ROW("class_JSObject__elements__Object", object_elements, MAY),
	ROW("class_HeapNumber__value__double", number_value, MAY),
	ROW("class_JSRegExp__source__Object", regexp_source, MAY),
	ROW("type_JSArray__JS_ARRAY_TYPE", js_array, MAY),
	ROW("type_JSObject__JS_OBJECT_TYPE", js_object, MAY),
	ROW("type_JSFunction__JS_FUNCTION_TYPE", js_function, MAY),
	ROW("type_JSRegExp__JS_REG_EXP_TYPE", js_regexp, MAY),
	ROW("type_HeapNumber__HEAP_NUMBER_TYPE", heap_number, MAY),
	ROW("class_SeqOneByteString__chars__char", one_byte_chars, MUST),
	ROW("class_SeqTwoByteString__chars__char", two_byte_chars, MUST),
	/* the pointer to the characters is behind that to the resource */
	ROW("class_ExternalString__resource__Object", external_data, MAY, 8),
	ROW("class_ConsString__first__String", cons_first, MUST),
	ROW("class_ConsString__second__String", cons_second, MUST),
	ROW("class_SlicedString__parent__String", sliced_parent, MUST),
	ROW("class_SlicedString__offset__SMI", sliced_offset, MUST),
	ROW("class_ThinString__actual__String", thin_actual, MUST),
	ROW("class_FixedArrayBase__length__SMI", array_length, MUST),
	ROW("class_FixedArray__data__uintptr_t", array_data, MUST),
	ROW("class_BytecodeArray__data__uintptr_t", bytecode_data, MAY),
	ROW("class_Code__deoptimization_data__FixedArray", code_deoptimization, MAY),
	ROW("class_Code__bytecode_or_interpreter_data__HeapObject", code_bytecode, MAY),
	ROW("class_Code__source_position_table__ByteArray", code_positions, MAY),
	ROW("class_Code__bytecode_offset_table__ByteArray", code_offset_table, MAY),
	/* since V8 12: the same two fields, moved up, for all kinds of code */
	ROW(NULL, code_deoptimization, MAY, 8),
	ROW(NULL, code_bytecode, MAY, 8),
	ROW(NULL, code_positions, MAY, 16),
	ROW(NULL, code_offset_table, MAY, 16),
	ROW("class_Code__instruction_start__Address", code_entry, MAY),
	ROW("class_Code__flags__uint32_t", code_flags, MAY),
	ROW("class_Code__instruction_size__int", code_bytes, MAY),
	ROW("class_InstructionStream__instruction_start__uintptr_t", stream_header, MAY),
	ROW("class_Code__instruction_start__uintptr_t", code_inline, MAY),
	ROW("type_Map__MAP_TYPE", map_of_maps, MUST),
	ROW("type_BytecodeArray__BYTECODE_ARRAY_TYPE", bytecode_array, MUST),
	ROW("type_ByteArray__BYTE_ARRAY_TYPE", byte_array, MUST),
	ROW("type_TrustedByteArray__TRUSTED_BYTE_ARRAY_TYPE", trusted_byte_array, MAY),
	ROW("type_FixedArray__FIXED_ARRAY_TYPE", fixed_array, MUST),
	ROW("type_ScopeInfo__SCOPE_INFO_TYPE", scope_info, MUST),
	ROW("type_Script__SCRIPT_TYPE", script, MUST),
	ROW("type_SharedFunctionInfo__SHARED_FUNCTION_INFO_TYPE", shared, MUST),
	ROW("type_Code__CODE_TYPE", code, MAY),
	ROW("type_InstructionStream__INSTRUCTION_STREAM_TYPE", instruction_stream, MAY),
	ROW("type_InterpreterData__INTERPRETER_DATA_TYPE", interpreter_data, MAY),
	ROW("type_DebugInfo__DEBUG_INFO_TYPE", debug_info, MAY),
	ROW("type_SharedFunctionInfoWrapper__SHARED_FUNCTION_INFO_WRAPPER_TYPE", shared_wrapper, MAY),
	/* only to know V8 14, which writes position tables in another way (v8_position.c) */
	ROW("type_ContextCell__CONTEXT_CELL_TYPE", context_cell, MAY),
	ROW("FirstNonstringType", first_non_string, MUST),
	ROW("type_UncompiledDataWithPreparseData__UNCOMPILED_DATA_WITH_PREPARSE_DATA_TYPE", first_uncompiled, MAY),
	ROW("type_UncompiledDataWithoutPreparseDataWithJob__UNCOMPILED_DATA_WITHOUT_PREPARSE_DATA_WITH_JOB_TYPE",
	    last_uncompiled, MAY),
	ROW("type_UncompiledDataWithoutPreparseData__UNCOMPILED_DATA_WITHOUT_PREPARSE_DATA_TYPE", last_uncompiled, MAY),
	ROW("StringRepresentationMask", representation_mask, MUST),
	ROW("StringEncodingMask", encoding_mask, MUST),
	ROW("OneByteStringTag", one_byte, MUST),
	ROW("ConsStringTag", cons, MUST),
	ROW("ExternalStringTag", external, MUST),
	ROW("SlicedStringTag", sliced, MUST),
	ROW("ThinStringTag", thin, MUST),
	ROW("CodeKindFieldMask", kind_mask, MAY),
	ROW("CodeKindBaseline", kind_baseline, MAY),
	ROW("DeoptimizationDataLiteralArrayIndex", deoptimization_literals, MAY),
	ROW("DeoptimizationDataSharedFunctionInfoIndex", deoptimization_shared, MAY),
	ROW("DeoptimizationDataWrappedSharedFunctionInfoIndex", deoptimization_shared, MAY),
	ROW("DeoptimizationDataInliningPositionsIndex", deoptimization_positions, MAY),
	ROW("scopeinfo_idx_ncontextlocals", scope_locals, MUST),
	ROW("scopeinfo_idx_first_vars", scope_first, MUST),
};
enum { CONSTANTS = sizeof(constants) / sizeof(*constants) };

struct elf {
	int fd;
	Elf *elf;
	struct v8_layout *layout;
	int seen;           /* symbols with the prefix */
	uint64_t tls_bytes; /* of the executable's thread-local block, aligned */
};

/* Bytes of a symbol as the file has them; what lies in .bss is 0. Returns how many, at most `room`. */
static size_t read_symbol(const struct elf *elf, const GElf_Sym *symbol, void *out, size_t room)
{
	GElf_Shdr section;
	size_t bytes = symbol->st_size && symbol->st_size < room ? symbol->st_size : room;

	if (!gelf_getshdr(elf_getscn(elf->elf, symbol->st_shndx), &section) || symbol->st_value < section.sh_addr)
		return 0;
	uint64_t into = symbol->st_value - section.sh_addr;
	if (into > section.sh_size || section.sh_size - into < bytes)
		return 0;
	if (section.sh_type == SHT_NOBITS) {
		memset(out, 0, bytes);
		return bytes;
	}
	ssize_t got = pread(elf->fd, out, bytes, section.sh_offset + into);
	return got > 0 ? got : 0;
}

static int32_t *field_of(struct v8_layout *layout, size_t row)
{
	return (int32_t *)((char *)layout + constants[row].field);
}

static void take_constant(struct elf *elf, const char *name, const GElf_Sym *symbol)
{
	int32_t value;

	elf->seen++;
	for (size_t i = 0; i < CONSTANTS; i++) {
		int32_t *field = field_of(elf->layout, i);

		if (*field != V8_NONE || !constants[i].name || strcmp(constants[i].name, name))
			continue;
		if (read_symbol(elf, symbol, &value, sizeof(value)) == sizeof(value) && value >= 0 && value < 1 << 14)
			*field = value + constants[i].more;
	}
}

static void take_bytecodes(struct elf *elf, const GElf_Sym *symbol)
{
	uint8_t table[V8_SCALES * V8_BYTECODES];
	size_t bytes = read_symbol(elf, symbol, table, sizeof(table)), count = bytes / V8_SCALES;

	for (size_t i = 0; i < count * V8_SCALES; i++)
		elf->layout->bytecode_bytes[i / count][i % count] = table[i];
}

/*
 * The operands of the operations of a translation. The one with the most is the frame of an interpreted function that
 * gets a value back; the next is the same without the two words about that value.
 */
static void take_operations(struct elf *elf, const GElf_Sym *symbol)
{
	int32_t counts[V8_OPERATIONS], most = 0;
	size_t count = read_symbol(elf, symbol, counts, sizeof(counts)) / sizeof(*counts);

	for (size_t i = 0; i < count; i++) {
		if (counts[i] < 0 || counts[i] > OPERANDS_MAX)
			return;
		most = counts[i] > counts[most] ? (int32_t)i : most;
	}
	if (count < FRAME_KINDS || (size_t)most > count - FRAME_KINDS || counts[most + 1] != counts[most] - 2)
		return;
	for (size_t i = 0; i < count; i++)
		elf->layout->operands[i] = counts[i];
	elf->layout->operations = count;
	elf->layout->operation_frame = most;
}

int32_t v8_find_c_entry_fp(const uint8_t *code, size_t bytes)
{
	static const uint8_t store_fp[] = { 0x49, 0x89, 0xad };           /* mov %rbp, offset(%r13) */
	static const uint8_t load_isolate[] = { 0x49, 0x8d, 0x55 };       /* lea offset(%r13), %rdx: the Isolate */
	int32_t stored = 0, bias = 0;

	for (size_t i = 0; i + 7 <= bytes; i++) {
		if (!stored && !memcmp(code + i, store_fp, sizeof(store_fp)))
			memcpy(&stored, code + i + 3, sizeof(stored));
		if (!bias && !memcmp(code + i, load_isolate, sizeof(load_isolate)))
			bias = (int32_t)(int8_t)code[i + 3];
	}
	if (!bias || stored <= 0 || stored > 1 << 16 || stored - bias <= 0 || (stored - bias) % 8)
		return 0;
	return stored - bias;
}

static void take_symbol(struct elf *elf, const char *name, const GElf_Sym *symbol)
{
	uint8_t code[256];

	if (!strncmp(name, PREFIX, sizeof(PREFIX) - 1)) {
		take_constant(elf, name + sizeof(PREFIX) - 1, symbol);
	} else if (!strcmp(name, SIZES_NAME)) {
		take_bytecodes(elf, symbol);
	} else if (!strcmp(name, OPERANDS_NAME)) {
		take_operations(elf, symbol);
	} else if (!strcmp(name, ISOLATE_NAME)) {
		/* the executable's own block ends at the thread pointer */
		if (GELF_ST_TYPE(symbol->st_info) == STT_TLS && symbol->st_value < elf->tls_bytes)
			elf->layout->isolate_offset = (int64_t)symbol->st_value - (int64_t)elf->tls_bytes;
	} else if (!elf->layout->c_entry_fp && !strncmp(name, C_ENTRY_NAME, sizeof(C_ENTRY_NAME) - 1)) {
		elf->layout->c_entry_fp = v8_find_c_entry_fp(code, read_symbol(elf, symbol, code, sizeof(code)));
	}
}

static void read_thread_block(struct elf *elf)
{
	GElf_Ehdr header;
	size_t count;
	int is_program = 0;
	GElf_Phdr segment, block = { 0 };

	if (!gelf_getehdr(elf->elf, &header) || header.e_machine != EM_X86_64 || elf_getphdrnum(elf->elf, &count))
		return;
	for (size_t i = 0; i < count && gelf_getphdr(elf->elf, i, &segment); i++) {
		is_program |= segment.p_type == PT_INTERP;
		if (segment.p_type == PT_TLS)
			block = segment;
	}
	if (header.e_type != ET_EXEC && !is_program)
		return;
	uint64_t align = block.p_align ? block.p_align : 1;
	if (block.p_memsz && block.p_memsz < 1 << 20 && align <= 4096)
		elf->tls_bytes = (block.p_memsz + align - 1) / align * align;
}

static int take_defined(void *arg, const char *name, const GElf_Sym *symbol)
{
	if (symbol->st_shndx != SHN_UNDEF && symbol->st_shndx < SHN_LORESERVE)
		take_symbol(arg, name, symbol);
	return 0;
}

/* V8 10: one field for what optimized and what baseline code needs, behind the relocations; scripts are shorter. */
static void place_inline_fields(struct v8_layout *layout)
{
	if (layout->code_inline == V8_NONE || layout->instruction_stream != V8_NONE || layout->code_positions != V8_NONE)
		return;
	layout->code_deoptimization = layout->code_bytecode = 16;
	layout->code_positions = layout->code_offset_table = 24;
	if (layout->script_source_url == V8_NONE && layout->script_eval_position != V8_NONE)
		layout->script_source_url = layout->script_eval_position + 24;
}

static int check(struct v8_layout *layout)
{
	place_inline_fields(layout);
	for (size_t i = 0; i < CONSTANTS; i++)
		if (!constants[i].name && *field_of(layout, i) == V8_NONE)
			*field_of(layout, i) = constants[i].more;
	for (size_t i = 0; i < CONSTANTS; i++)
		if (constants[i].need == MUST && *field_of(layout, i) == V8_NONE)
			return -ENOTSUP;
	/* compressed pointers are another heap altogether */
	return layout->tagged_bytes == 8 && layout->smi_shift_bits == 32 ? 0 : -ENOTSUP;
}

int v8_layout_read(struct v8_layout *layout, int fd)
{
	struct elf elf = { .fd = fd, .layout = layout };
	Elf_Scn *section = NULL;
	GElf_Shdr header;
	struct stat status;

	memset(layout, 0, sizeof(*layout));
	for (size_t i = 0; i < CONSTANTS; i++)
		*field_of(layout, i) = V8_NONE;
	if (elf_version(EV_CURRENT) == EV_NONE || fstat(fd, &status) || !S_ISREG(status.st_mode))
		return -ENOENT;
	elf.elf = elf_begin(fd, ELF_C_READ, NULL);
	if (!elf.elf)
		return -ENOENT;
	read_thread_block(&elf);
	while ((section = elf_nextscn(elf.elf, section))) {
		if (!gelf_getshdr(section, &header) || header.sh_size > (uint64_t)status.st_size)
			continue;
		if (header.sh_type == SHT_SYMTAB || header.sh_type == SHT_DYNSYM)
			symbol_table_read(elf.elf, fd, &header, take_defined, &elf);
	}
	elf_end(elf.elf);
	return elf.seen ? check(layout) : -ENOENT;
}

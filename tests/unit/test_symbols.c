/* SPDX-License-Identifier: BSD-2-Clause */
/* Symbols, tried on this very process, on libc and on generated code. */
#include "test.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <libelf.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "source.h"
#include "symbols_parts.h"
#include "symbols_table.h"

/* What the sink saw, by id. */
static struct ps_ev_frame frames[1024];
static char texts[1024][4200];

static int remember(const struct ps_record *record, void *arg)
{
	if (record->event == PS_EV_FRAME) {
		const struct ps_ev_frame *frame = (const void *)record;
		assert_true(frame->id < 1024);
		frames[frame->id] = *frame;
	}
	if (record->event == PS_EV_STRING) {
		const struct ps_ev_string *string = (const void *)record;
		assert_true(string->id < 1024);
		memcpy(texts[string->id], string + 1, string->len);
	}
	return 0;
}

static const struct ps_ev_frame *frame_of(uint64_t address, int is_return)
{
	struct stream *stream;
	struct symbols *symbols;

	memset(frames, 0, sizeof(frames));
	memset(texts, 0, sizeof(texts));
	assert_int_equal(stream_open(&stream), 0);
	assert_int_equal(symbols_open(&symbols, getpid()), 0);
	uint32_t id = symbols_frame(symbols, stream, address, is_return);
	assert_true(id > 0);
	assert_int_equal(symbols_frame(symbols, stream, address, is_return), id);
	stream_flush(stream, remember, NULL);
	symbols_close(symbols);
	stream_close(stream);
	return &frames[id];
}

void a_function_of_this_program(void); /* not static: its name is looked for */
__attribute__((noinline)) void a_function_of_this_program(void)
{
	__asm__ volatile("nop; nop; nop; nop" ::: "memory");
}

TEST(an_address_in_a_function_of_the_executable_has_its_name_and_offset)
{
	const struct ps_ev_frame *frame = frame_of((uint64_t)a_function_of_this_program + 3, 0);

	assert_string_equal(texts[frame->name], "a_function_of_this_program");
	assert_int_equal(frame->offset, 3);
	assert_int_equal(frame->kind, PS_FRAME_NATIVE);
	assert_non_null(strstr(texts[frame->module], "test_symbols"));
}

TEST(a_return_address_behind_the_last_instruction_belongs_to_the_caller)
{
	uint64_t start = (uint64_t)a_function_of_this_program;
	const struct ps_ev_frame *frame = frame_of(start, 1);

	assert_string_not_equal(texts[frame->name], "a_function_of_this_program");
	frame = frame_of(start + 1, 1);
	assert_string_equal(texts[frame->name], "a_function_of_this_program");
	assert_int_equal(frame->offset, 1);
}

TEST(a_library_without_symtab_is_named_by_its_dynamic_symbols)
{
	const struct ps_ev_frame *frame =
		frame_of((uint64_t)dlsym(dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD), "nanosleep") + 1, 0);

	assert_non_null(strstr(texts[frame->name], "nanosleep"));
	assert_non_null(strstr(texts[frame->module], "libc"));
}

TEST(the_vdso_has_names)
{
	char *vdso = (char *)getauxval(AT_SYSINFO_EHDR);
	int found = 0;

	if (!vdso)
		SKIP("this kernel maps no vdso");
	for (int at = 0; at < 8192 && !found; at += 16) {
		const struct ps_ev_frame *frame = frame_of((uint64_t)vdso + at, 0);
		found = !strncmp(texts[frame->name], "__vdso_", 7) || !strncmp(texts[frame->name], "clock_", 6);
		assert_string_equal(texts[frame->module], "[vdso]");
	}
	assert_true(found);
}

TEST(generated_code_is_jit_and_an_unmapped_address_is_unknown)
{
	char *code = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(code != MAP_FAILED);
	const struct ps_ev_frame *frame = frame_of((uint64_t)code + 16, 0);
	assert_int_equal(frame->kind, PS_FRAME_JIT);
	assert_string_equal(texts[frame->name], "[jit]");
	munmap(code, 4096);
	frame = frame_of(0xdead0000, 0);
	assert_int_equal(frame->kind, PS_FRAME_UNKNOWN);
	assert_int_equal(frame->name, 0);
	frame = frame_of(UINT64_MAX, 1);
	assert_int_equal(frame->kind, PS_FRAME_UNKNOWN);
	frame = frame_of(0, 1);
	assert_int_equal(frame->kind, PS_FRAME_UNKNOWN);
}

TEST(a_perf_map_names_generated_code_and_the_later_line_wins)
{
	char path[64];
	char *code = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	snprintf(path, sizeof(path), "/tmp/perf-%d.map", getpid());
	unlink(path);
	FILE *file = fopen(path, "wx");
	assert_non_null(file);
	fprintf(file, "%lx 100 Lold;::run\nnot a line\n%lx 80 Lnew;::run\n%lx\n", (unsigned long)code,
		(unsigned long)code, (unsigned long)code);
	fclose(file);
	const struct ps_ev_frame *frame = frame_of((uint64_t)code + 0x20, 0);
	assert_int_equal(frame->kind, PS_FRAME_JIT);
	assert_string_equal(texts[frame->name], "Lnew;::run");
	assert_int_equal(frame->offset, 0x20);
	frame = frame_of((uint64_t)code + 0x90, 0);
	assert_string_equal(texts[frame->name], "Lold;::run");
	/* a link in the shared directory is nobody's map */
	char target[80];
	snprintf(target, sizeof(target), "%s.real", path);
	assert_int_equal(rename(path, target), 0);
	assert_int_equal(symlink(target, path), 0);
	frame = frame_of((uint64_t)code + 0x20, 0);
	unlink(path);
	unlink(target);
	assert_string_equal(texts[frame->name], "[jit]");
}

TEST(names_that_v8_writes_into_a_perf_map_tell_function_file_and_line)
{
	static const struct {
		const char *told, *name, *file;
		uint32_t line, column;
	} cases[] = {
		{ "JS:*spin file:///srv/app.js:14:7", "spin", "file:///srv/app.js", 14, 7 },
		{ "JS:~ file:///srv/app.js:1:1", "", "file:///srv/app.js", 1, 1 },
		{ "JS:o*once /srv/my app.js:3:9", "once", "/srv/my app.js", 3, 9 },
		{ "JS:^order node:internal/util:40:12", "order", "node:internal/util", 40, 12 },
		{ "JS:+get size ext:core/01_core.js:8:3", "get size", "ext:core/01_core.js", 8, 3 },
		{ "LazyCompile:*hashPw app.js:41", "hashPw", "app.js", 41, 0 },
		{ "LazyCompile:~two words app.js:41:2", "two words", "app.js", 41, 2 },
		{ "Function:o", "o", "", 0, 0 },
		{ "JS:*", "", "", 0, 0 },
		{ "JS::1", "", "", 1, 0 },
		{ "JS:*a b:99999999999:1", "a", "b:99999999999", 1, 0 },
	};
	struct jit_place place;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_int_equal(jit_place_read(&place, cases[i].told), 0);
		assert_int_equal(place.name_bytes, strlen(cases[i].name));
		assert_memory_equal(place.name, cases[i].name, strlen(cases[i].name));
		assert_int_equal(place.file_bytes, strlen(cases[i].file));
		assert_memory_equal(place.file, cases[i].file, strlen(cases[i].file));
		assert_int_equal(place.line, cases[i].line);
		assert_int_equal(place.column, cases[i].column);
	}
	assert_int_equal(jit_place_read(&place, "Builtin:ArrayMap"), -EINVAL);
	assert_int_equal(jit_place_read(&place, "RegExp.< src: 'JS:' flags: ''"), -EINVAL);
	assert_int_equal(jit_place_read(&place, ""), -EINVAL);
}

TEST(the_address_of_a_function_is_found_by_name)
{
	struct symbols *symbols;

	assert_int_equal(symbols_open(&symbols, getpid()), 0);
	assert_int_equal(symbols_address(symbols, "a_function_of_this_program"), (uint64_t)a_function_of_this_program);
	assert_int_equal(symbols_address(symbols, "no_such_function_anywhere"), 0);
	symbols_close(symbols);
}

TEST(mangled_names_are_shown_without_parameters_and_hostile_ones_are_cut)
{
	char out[64];

	assert_true(symbols_demangle("_ZN4node6crypto9DeriveKeyEiPKc", out, sizeof(out)));
	assert_string_equal(out, "node::crypto::DeriveKey");
	assert_false(symbols_demangle("main", out, sizeof(out)));
	/* each level holds the one before twice: the whole would be 2^30 characters */
	char bomb[1024];
	size_t at = sprintf(bomb, "_Z1fI1aIiiE");
	for (int i = 1; i <= 30; i++) {
		char before[8];
		snprintf(before, sizeof(before), "S%c_", i < 10 ? '0' + i : 'A' + i - 10);
		at += sprintf(bomb + at, "S0_I%s%sE", before, before);
	}
	strcpy(bomb + at, "Evv");
	assert_true(symbols_demangle(bomb, out, sizeof(out)));
	assert_int_equal(strlen(out), sizeof(out) - 1);
}

TEST(a_file_that_is_no_elf_or_is_cut_anywhere_never_harms)
{
	char path[] = "/tmp/pollscope-elf-XXXXXX";
	static char bytes[1 << 16];
	int self = open("/proc/self/exe", O_RDONLY), fd = mkstemp(path);
	struct elf_file *elf;
	ssize_t got = read(self, bytes, sizeof(bytes));

	assert_true(got > 4096 && fd >= 0);
	unlink(path);
	assert_int_equal(elf_file_open(&elf, dup(fd)), -ENOEXEC);
	for (ssize_t size = 1; size < got; size += 997) {
		char name[64];
		uint64_t start;

		assert_int_equal(pwrite(fd, bytes, size, 0), size);
		assert_int_equal(ftruncate(fd, size), 0);
		if (elf_file_open(&elf, dup(fd)))
			continue;
		elf_file_function(elf, 0x2000, name, sizeof(name), &start);
		elf_file_to_address(elf, 0x2000);
		elf_file_close(elf);
	}
	for (uint32_t i = 0, random = 7; i < 400; i++) {
		random = random * 1664525 + 1013904223;
		memcpy(bytes + (random >> 8) % 512, &random, sizeof(random));
		assert_int_equal(pwrite(fd, bytes, got, 0), got);
		if (elf_file_open(&elf, dup(fd)))
			continue;
		elf_file_symbol(elf, "main");
		elf_file_close(elf);
	}
	close(self);
	close(fd);
}

struct compared {
	Elf *elf;
	GElf_Shdr header;
	Elf_Data *data;
	int next, stop_at;
};

static int compare_symbol(void *arg, const char *name, const GElf_Sym *symbol)
{
	struct compared *compared = arg;
	GElf_Sym expected;

	assert_non_null(gelf_getsym(compared->data, compared->next++, &expected));
	assert_memory_equal(symbol, &expected, sizeof(expected));
	assert_string_equal(name, elf_strptr(compared->elf, compared->header.sh_link, expected.st_name));
	return compared->next == compared->stop_at;
}

TEST(all_symbols_of_a_table_are_read_in_its_order_and_with_their_names)
{
	int fd = open("/proc/self/exe", O_RDONLY);
	Elf_Scn *section = NULL;
	struct compared all = { .elf = (elf_version(EV_CURRENT), elf_begin(fd, ELF_C_READ, NULL)) };
	int tables = 0;

	assert_non_null(all.elf);
	while ((section = elf_nextscn(all.elf, section))) {
		assert_non_null(gelf_getshdr(section, &all.header));
		if (all.header.sh_type != SHT_SYMTAB && all.header.sh_type != SHT_DYNSYM)
			continue;
		tables++;
		all.data = elf_getdata(section, NULL);
		all.next = all.stop_at = 0;
		assert_int_equal(symbol_table_read(all.elf, fd, &all.header, compare_symbol, &all), 0);
		assert_int_equal(all.next, all.header.sh_size / all.header.sh_entsize);
		all.next = 0;
		all.stop_at = 3;
		assert_int_equal(symbol_table_read(all.elf, fd, &all.header, compare_symbol, &all), 0);
		assert_int_equal(all.next, 3);
	}
	assert_int_equal(tables, 2);
	elf_end(all.elf);
	close(fd);
}

static int count_symbol(void *arg, const char *name, const GElf_Sym *symbol)
{
	assert_true(strlen(name) < 1u << 30);
	assert_non_null(symbol);
	++*(size_t *)arg;
	return 0;
}

TEST(a_symbol_table_that_lies_about_itself_is_read_as_far_as_the_file_goes)
{
	int fd = open("/proc/self/exe", O_RDONLY);
	Elf *elf = (elf_version(EV_CURRENT), elf_begin(fd, ELF_C_READ, NULL));
	Elf_Scn *section = NULL;
	GElf_Shdr header = { 0 };
	size_t count = 0;

	while (header.sh_type != SHT_SYMTAB && (section = elf_nextscn(elf, section)))
		assert_non_null(gelf_getshdr(section, &header));
	assert_int_equal(header.sh_type, SHT_SYMTAB);
	GElf_Shdr lie = header;
	lie.sh_link = 60000;
	assert_int_equal(symbol_table_read(elf, fd, &lie, count_symbol, &count), -ENOEXEC);
	lie.sh_link = (Elf64_Word)elf_ndxscn(section); /* symbols are no names */
	assert_int_equal(symbol_table_read(elf, fd, &lie, count_symbol, &count), -ENOEXEC);
	lie = header;
	lie.sh_entsize = 7;
	assert_int_equal(symbol_table_read(elf, fd, &lie, count_symbol, &count), -ENOEXEC);
	assert_int_equal(count, 0);
	lie = header;
	lie.sh_size = UINT64_MAX;
	assert_int_equal(symbol_table_read(elf, fd, &lie, count_symbol, &count), 0);
	assert_true(count >= header.sh_size / header.sh_entsize);
	count = 0;
	lie.sh_offset = UINT64_MAX / 2;
	assert_int_equal(symbol_table_read(elf, fd, &lie, count_symbol, &count), 0);
	assert_int_equal(count, 0);
	elf_end(elf);
	close(fd);
}

TEST(kernel_frames_have_a_name_or_say_that_names_are_hidden)
{
	struct stream *stream;

	memset(frames, 0, sizeof(frames));
	memset(texts, 0, sizeof(texts));
	assert_int_equal(stream_open(&stream), 0);
	uint32_t id = symbols_kernel_frame(stream, 0xffffffff81000010ull);
	assert_true(id > 0);
	stream_flush(stream, remember, NULL);
	assert_int_equal(frames[id].kind, PS_FRAME_KERNEL);
	assert_true(texts[frames[id].name][0] != '\0');
	stream_close(stream);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Foreign text: whatever goes in, what comes out is valid, harmless and bounded. */
#include "test.h"

#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <wchar.h>

#include "text.h"

#define FFFD "\xEF\xBF\xBD"

/* The last `bytes` bytes before a page that may not be touched. */
static char *guarded(size_t bytes)
{
	static char *pages;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	if (!pages) {
		pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		assert_true(pages != MAP_FAILED);
		assert_int_equal(mprotect(pages + page, page, PROT_NONE), 0);
	}
	return pages + page - bytes;
}

static void assert_clean(const char *in, size_t bytes, const char *expected)
{
	char out[256];
	size_t length = text_clean(out, sizeof(out), in, bytes);
	assert_string_equal(out, expected);
	assert_int_equal(length, strlen(expected));
}

TEST(ordinary_text_passes_unchanged)
{
	assert_clean("node", 4, "node");
	assert_clean("", 0, "");
	assert_clean("gr\xC3\xBC\xC3\x9F \xE4\xB8\xAD \xF0\x9F\x98\x80", 15, "gr\xC3\xBC\xC3\x9F \xE4\xB8\xAD \xF0\x9F\x98\x80");
}

TEST(controls_and_direction_marks_become_replacement_characters)
{
	assert_clean("a\x1b[2Jb", 6, "a" FFFD "[2Jb");
	assert_clean("a\0b\nc\td\x7f", 8, "a" FFFD "b" FFFD "c" FFFD "d" FFFD);
	assert_clean("\xC2\x9B" "31m", 5, FFFD "31m");                       /* C1 CSI */
	assert_clean("x\xE2\x80\xAEy\xE2\x81\xA6z", 9, "x" FFFD "y" FFFD "z"); /* override, isolate */
	assert_clean("\xE2\x80\xA8\xE2\x80\xA9\xE2\x80\x8F\xD8\x9C", 11, FFFD FFFD FFFD FFFD);
}

TEST(invalid_utf8_becomes_one_replacement_per_byte)
{
	assert_clean("\xFF\xFE", 2, FFFD FFFD);
	assert_clean("a\xC3", 2, "a" FFFD);                   /* cut */
	assert_clean("\xE4\xB8", 2, FFFD FFFD);               /* cut */
	assert_clean("\xC0\xAF", 2, FFFD FFFD);               /* overlong */
	assert_clean("\xE0\x80\xAF", 3, FFFD FFFD FFFD);      /* overlong */
	assert_clean("\xED\xA0\x80", 3, FFFD FFFD FFFD);      /* surrogate */
	assert_clean("\xF4\x90\x80\x80", 4, FFFD FFFD FFFD FFFD); /* past U+10FFFF */
	assert_clean("\x9B", 1, FFFD);                        /* a bare C1 byte */
}

TEST(long_text_is_cut_at_a_character_and_ends_in_an_ellipsis)
{
	char out[16];
	assert_int_equal(text_clean(out, 8, "abcdefgh", 8), 7);
	assert_string_equal(out, "abcd\xE2\x80\xA6");
	assert_int_equal(text_clean(out, 9, "abcdefgh", 8), 8);
	assert_string_equal(out, "abcdefgh");
	text_clean(out, 8, "abc\xE4\xB8\xAD" "defg", 10);
	assert_string_equal(out, "abc\xE2\x80\xA6");
	text_clean(out, 3, "abcdef", 6);
	assert_string_equal(out, "ab");
	text_clean(out, 1, "abcdef", 6);
	assert_string_equal(out, "");
	out[0] = 'x';
	assert_int_equal(text_clean(out, 0, "abc", 3), 0);
	assert_int_equal(out[0], 'x');
}

/* Bytes that make trouble more often than chance does. */
static void fill_random(char *at, size_t bytes)
{
	static const char *const pieces[] = { "\xE2\x80\xAE", "\xC2\x9B", "\xF0\x9F\x98\x80", "\xE4\xB8\xAD", "\x1b", "\xED\xA0\x80", "e\xCC\x81" };
	for (size_t i = 0; i < bytes;) {
		const char *piece = pieces[rand() % 7];
		size_t length = strlen(piece);
		if (rand() % 2 && length <= bytes - i) {
			memcpy(at + i, piece, length);
			i += length;
		} else {
			at[i++] = (char)(rand() % 3 ? rand() : 'a' + rand() % 26);
		}
	}
}

TEST(any_bytes_come_out_valid_harmless_terminated_and_within_their_room)
{
	assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
	srand(4);
	for (unsigned round = 0; round < 100000; round++) {
		static char in[64], again[256];
		size_t bytes = (size_t)rand() % sizeof(in), room = 1 + (size_t)rand() % 200;
		fill_random(in, bytes);
		char *out = guarded(room);
		size_t length = text_clean(out, room, in, bytes);
		assert_true(length < room && out[length] == 0 && strlen(out) == length);
		mbstate_t shift = { 0 };
		const char *at = out;
		for (wchar_t wide; at < out + length;) {
			size_t taken = mbrtowc(&wide, at, (size_t)(out + length - at), &shift);
			assert_true(taken > 0 && taken < 5);
			assert_true(wide >= 0x20 && !(wide >= 0x7F && wide < 0xA0));
			assert_true(!(wide >= 0x2028 && wide <= 0x202E) && !(wide >= 0x2066 && wide <= 0x2069));
			at += taken;
		}
		assert_int_equal(text_clean(again, sizeof(again), out, length), length); /* cleaning twice changes nothing */
		assert_string_equal(again, out);
	}
}

TEST(cleaning_reads_no_byte_past_its_input)
{
	srand(5);
	for (unsigned round = 0; round < 20000; round++) {
		char out[64];
		size_t bytes = (size_t)rand() % 12;
		char *in = guarded(bytes);
		fill_random(in, bytes);
		text_clean(out, sizeof(out), in, bytes);
	}
}

TEST(widths_are_those_of_a_terminal)
{
	assert_int_equal(text_width(""), 0);
	assert_int_equal(text_width("abc"), 3);
	assert_int_equal(text_width("a\xE4\xB8\xAD" "b"), 4);
	assert_int_equal(text_width("e\xCC\x81"), 1);
	assert_int_equal(text_width("\xF0\x9F\x98\x80"), 2);
	assert_int_equal(text_width(FFFD), 1);
	assert_int_equal(text_width("\xFF\xC3"), 2);
	setlocale(LC_ALL, "C"); /* the program's locale does not matter */
	assert_int_equal(text_width("a\xE4\xB8\xAD" "b"), 4);
}

#define DURATION(ns, expected) assert_string_equal(text_duration(out, ns), expected)

TEST(durations_have_three_digits_and_six_columns_at_most)
{
	char out[16];
	DURATION(0, "0ns");
	DURATION(999, "999ns");
	DURATION(1900, "1.9us");
	DURATION(88000, "88us");
	DURATION(99499, "99us");
	DURATION(99500, "0.1ms");
	DURATION(400000, "0.4ms");
	DURATION(8200000, "8.2ms");
	DURATION(9960000, "10ms");
	DURATION(412000000, "412ms");
	DURATION(999499999, "999ms");
	DURATION(999500000, "1.0s");
	DURATION(1900000000, "1.9s");
	DURATION(42000000000, "42s");
	DURATION(99500000000, "1m40s");
	DURATION(300000000000, "5m00s");
	DURATION(3600000000000, "1h00m");
	DURATION(90000000000000, "1d01h");
	DURATION(UINT64_MAX, "n/a");
	for (uint64_t ns = 1; ns < UINT64_MAX / 3; ns += ns / 7 + 1)
		assert_true(strlen(text_duration(out, ns)) <= 6);
	assert_true(strlen(text_duration(out, UINT64_MAX - 1)) <= 6);
}

TEST(counts_and_sizes_are_short)
{
	char out[16];
	assert_string_equal(text_count(out, 0), "0");
	assert_string_equal(text_count(out, 1204), "1204");
	assert_string_equal(text_count(out, 48100), "48.1k");
	assert_string_equal(text_count(out, 2500000), "2.5M");
	assert_string_equal(text_count(out, 999949), "999.9k");
	assert_string_equal(text_count(out, 999950), "1.0M");
	assert_string_equal(text_bytes(out, 512), "512");
	assert_string_equal(text_bytes(out, 88 * 1024), "88K");
	assert_string_equal(text_bytes(out, 1153434), "1.1M");
	assert_string_equal(text_bytes(out, 8ull << 30), "8.0G");
	for (uint64_t n = 1; n < UINT64_MAX / 3; n += n / 7 + 1) {
		assert_true(strlen(text_count(out, n)) <= 6);
		assert_true(strlen(text_bytes(out, n)) <= 5);
	}
}

TEST(durations_are_parsed_and_bare_numbers_refused)
{
	static const struct { const char *text; uint64_t ns; } good[] = {
		{ "50ms", 50000000 }, { "2s", 2000000000 }, { "1.5s", 1500000000 }, { "10us", 10000 }, { "100ns", 100 },
		{ "2m", 120000000000 }, { "1h", 3600000000000 }, { "0s", 0 }, { "0.000000001s", 1 }, { "1.0000000009s", 1000000000 },
	};
	static const char *const bad[] = { "", "50", "ms", "-1s", "1.s", ".5s", "1 s", "1sx", "1e3s", "99999999999999999999s", "6000000h", " 1s", "1.5" };
	uint64_t ns = 0;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(text_parse_duration(good[i].text, &ns), 0);
		assert_true(ns == good[i].ns);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(text_parse_duration(bad[i], &ns), -EINVAL);
}

TEST(sizes_are_parsed)
{
	uint64_t bytes = 0;
	assert_int_equal(text_parse_size("8MiB", &bytes), 0);
	assert_true(bytes == 8u << 20);
	assert_int_equal(text_parse_size("64K", &bytes), 0);
	assert_true(bytes == 64u << 10);
	assert_int_equal(text_parse_size("1000", &bytes), 0);
	assert_true(bytes == 1000);
	assert_int_equal(text_parse_size("1.5G", &bytes), 0);
	assert_true(bytes == 3ull << 29);
	assert_int_equal(text_parse_size("8Mb", &bytes), -EINVAL);
	assert_int_equal(text_parse_size("", &bytes), -EINVAL);
	assert_int_equal(text_parse_size("99999999999T", &bytes), -EINVAL);
}

TEST(the_nearest_name_is_found_and_a_far_one_is_not)
{
	static const char *const names[] = { "record", "report", "replay", "stat", "doctor", NULL };
	assert_string_equal(text_nearest("recrod", names), "record");
	assert_string_equal(text_nearest("reprot", names), "report");
	assert_string_equal(text_nearest("stats", names), "stat");
	assert_string_equal(text_nearest("docter", names), "doctor");
	assert_null(text_nearest("banana", names));
	assert_null(text_nearest("x", names));
	assert_null(text_nearest("", names));
	char big[300];
	memset(big, 'r', sizeof(big) - 1);
	big[sizeof(big) - 1] = 0;
	assert_null(text_nearest(big, names));
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Foreign text made safe, and numbers made readable.
 *
 * UTF-8 is decoded by own code, so cleaning does not depend on a locale; only
 * text_width() asks the C library, under a UTF-8 locale of its own.
 */
#include "text.h"

#include <errno.h>
#include <locale.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

#define REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD */
#define ELLIPSIS    "\xE2\x80\xA6"

/* Decodes one character of at most `bytes` (> 0) bytes. Returns its length, or 0 when it is not valid UTF-8. */
static unsigned decode(const unsigned char *in, size_t bytes, uint32_t *code)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned length = in[0] < 0x80 ? 1 : in[0] >= 0xC2 && in[0] < 0xE0 ? 2 :
			  in[0] >= 0xE0 && in[0] < 0xF0 ? 3 : in[0] >= 0xF0 && in[0] < 0xF5 ? 4 : 0;
	if (!length || length > bytes)
		return 0;
	*code = length == 1 ? in[0] : in[0] & (0x7Fu >> length);
	for (unsigned i = 1; i < length; i++) {
		if ((in[i] & 0xC0) != 0x80)
			return 0;
		*code = *code << 6 | (in[i] & 0x3F);
	}
	if (*code < least[length] || *code > 0x10FFFF || (*code >= 0xD800 && *code < 0xE000))
		return 0;
	return length;
}

/* Characters that act on a terminal, a line or the direction of reading instead of being seen. */
static int harmful(uint32_t code)
{
	static const struct { uint32_t first, last; } ranges[] = {
		{ 0x00, 0x1F }, { 0x7F, 0x9F },         /* C0, DEL, C1 */
		{ 0x061C, 0x061C }, { 0x200E, 0x200F }, /* directional marks */
		{ 0x2028, 0x202E },                     /* line and paragraph separators, embeddings, overrides */
		{ 0x2066, 0x2069 },                     /* isolates */
	};
	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		if (code >= ranges[i].first && code <= ranges[i].last)
			return 1;
	return 0;
}

size_t text_clean(char *out, size_t room, const char *in, size_t bytes)
{
	if (!room)
		return 0;
	const unsigned char *at = (const unsigned char *)in, *end = at + bytes;
	size_t length = 0, cut = 0; /* cut: where "…" still fits */
	while (at < end) {
		uint32_t code = 0;
		unsigned taken = decode(at, (size_t)(end - at), &code);
		const char *piece = (const char *)at;
		size_t piece_bytes = taken;
		if (!taken || harmful(code)) {
			piece = REPLACEMENT;
			piece_bytes = 3;
		}
		if (length + piece_bytes >= room)
			break;
		memcpy(out + length, piece, piece_bytes);
		length += piece_bytes;
		if (length + 3 < room)
			cut = length;
		at += taken ? taken : 1;
	}
	if (at < end && room > 3) {
		memcpy(out + cut, ELLIPSIS, 3);
		length = cut + 3;
	}
	out[length] = 0;
	return length;
}

static locale_t utf8;
static void utf8_open(void)
{
	utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
}

const char *text_last_part(const char *path)
{
	const char *slash = strncmp(path, "eval at ", 8) ? strrchr(path, '/') : NULL;
	return slash && slash[1] ? slash + 1 : path;
}

int text_width(const char *text)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	const unsigned char *at = (const unsigned char *)text;
	int width = 0;
	for (; *at >= 0x20 && *at < 0x7F; at++)
		width++;
	if (!*at)
		return width;
	pthread_once(&once, utf8_open);
	locale_t before = utf8 ? uselocale(utf8) : (locale_t)0;
	for (size_t left = strlen((const char *)at); left;) {
		uint32_t code = 0;
		unsigned taken = decode(at, left, &code);
		int columns = taken && utf8 ? wcwidth((wchar_t)code) : 1;
		width += columns < 0 ? 1 : columns;
		at += taken ? taken : 1;
		left -= taken ? taken : 1;
	}
	if (before)
		uselocale(before);
	return width;
}

/* ---- numbers for people ---- */

struct unit {
	const char *name;
	uint64_t size;
	uint64_t from; /* least value shown in this unit */
};

/* value in units with three digits at most: one decimal below ten, none above. */
static char *print_units(char out[16], uint64_t value, const struct unit *units)
{
	while (units->size > 1 && value < units->from)
		units++;
	uint64_t half = units->size / 2, rest = value % units->size;
	uint64_t tenths = value / units->size * 10 + (rest * 10 + half) / units->size;
	unsigned whole = (unsigned)(value / units->size + (units->size > 1 && rest >= units->size - half));
	if (units->size > 1 && tenths < 100)
		snprintf(out, 16, "%u.%u%s", (unsigned)(tenths / 10), (unsigned)(tenths % 10), units->name);
	else
		snprintf(out, 16, "%u%s", whole, units->name);
	return out;
}

#define SECOND 1000000000ull

/* from 100 s on: two units, the smaller one with two digits */
static char *print_long(char out[16], uint64_t ns)
{
	static const struct { uint64_t seconds, below; const char *big, *small; } rows[] = {
		{ 60, 3600, "m", "s" }, { 3600, 86400, "h", "m" }, { 86400, 8640000, "d", "h" },
	};
	uint64_t seconds = ns / SECOND + (ns % SECOND >= SECOND / 2);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (seconds >= rows[i].below)
			continue;
		uint64_t part = i ? rows[i - 1].seconds : 1;
		snprintf(out, 16, "%u%s%02u%s", (unsigned char)(seconds / rows[i].seconds), rows[i].big,
			 (unsigned char)(seconds % rows[i].seconds / part), rows[i].small);
		return out;
	}
	snprintf(out, 16, "%uy", (unsigned)(seconds / 31557600));
	return out;
}

char *text_duration(char out[16], uint64_t ns)
{
	/* tenths of a millisecond from 0.1 ms on: latencies are compared in ms */
	static const struct unit units[] = {
		{ "s", SECOND, 999500000 }, { "ms", 1000000, 99500 }, { "us", 1000, 1000 }, { "ns", 1, 0 },
	};
	if (ns == UINT64_MAX)
		return strcpy(out, "n/a");
	return ns >= 99500 * (SECOND / 1000) ? print_long(out, ns) : print_units(out, ns, units);
}

char *text_count(char out[16], uint64_t count)
{
	static const struct unit units[] = {
		{ "E", 1000000000000000000, 999950000000000000 }, { "P", 1000000000000000, 999950000000000 },
		{ "T", 1000000000000, 999950000000 }, { "G", 1000000000, 999950000 },
		{ "M", 1000000, 999950 }, { "k", 1000, 10000 }, { "", 1, 0 },
	};
	if (count == UINT64_MAX)
		return strcpy(out, "n/a");
	const struct unit *unit = units;
	while (unit->size > 1 && count < unit->from)
		unit++;
	uint64_t tenths = count / unit->size * 10 + (count % unit->size * 10 + unit->size / 2) / unit->size;
	if (unit->size == 1)
		snprintf(out, 16, "%u", (unsigned)count);
	else
		snprintf(out, 16, "%u.%u%s", (unsigned)(tenths / 10), (unsigned)(tenths % 10), unit->name);
	return out;
}

char *text_bytes(char out[16], uint64_t bytes)
{
	static const struct unit units[] = {
		{ "E", 1ull << 60, 1023ull << 50 }, { "P", 1ull << 50, 1023ull << 40 }, { "T", 1ull << 40, 1023ull << 30 },
		{ "G", 1ull << 30, 1023ull << 20 }, { "M", 1ull << 20, 1023ull << 10 }, { "K", 1ull << 10, 1ull << 10 },
		{ "", 1, 0 },
	};
	if (bytes == UINT64_MAX)
		return strcpy(out, "n/a");
	return print_units(out, bytes, units);
}

/* ---- numbers from people ---- */

struct suffix {
	const char *name;
	uint64_t size;
};

/* "1.5" and a suffix of the table; the table's last row has a NULL name. */
static int parse_units(const char *text, const struct suffix *suffixes, uint64_t *value)
{
	uint64_t whole = 0, fraction = 0, scale = 1;
	const char *at = text;
	for (; *at >= '0' && *at <= '9'; at++)
		if (__builtin_mul_overflow(whole, 10u, &whole) || __builtin_add_overflow(whole, (unsigned)(*at - '0'), &whole))
			return -EINVAL;
	if (at == text)
		return -EINVAL;
	if (*at == '.') {
		const char *first = ++at;
		for (; *at >= '0' && *at <= '9'; at++) {
			if (scale == SECOND)
				continue; /* below any unit's resolution */
			fraction = fraction * 10 + (unsigned)(*at - '0');
			scale *= 10;
		}
		if (at == first)
			return -EINVAL;
	}
	for (; suffixes->name; suffixes++) {
		if (strcmp(at, suffixes->name))
			continue;
		uint64_t rest = (uint64_t)((unsigned __int128)suffixes->size * fraction / scale);
		return __builtin_mul_overflow(whole, suffixes->size, &whole) || __builtin_add_overflow(whole, rest, value) ||
		       *value == UINT64_MAX ? -EINVAL : 0;
	}
	return -EINVAL;
}

int text_parse_duration(const char *text, uint64_t *ns)
{
	static const struct suffix suffixes[] = {
		{ "ns", 1 }, { "us", 1000 }, { "\xC2\xB5s", 1000 }, { "ms", 1000000 }, { "s", SECOND },
		{ "m", 60 * SECOND }, { "h", 3600 * SECOND }, { NULL, 0 },
	};
	return parse_units(text, suffixes, ns);
}

int text_parse_size(const char *text, uint64_t *bytes)
{
	static const struct suffix suffixes[] = {
		{ "", 1 }, { "B", 1 }, { "K", 1 << 10 }, { "KiB", 1 << 10 }, { "M", 1 << 20 }, { "MiB", 1 << 20 },
		{ "G", 1 << 30 }, { "GiB", 1 << 30 }, { "T", 1ull << 40 }, { "TiB", 1ull << 40 }, { NULL, 0 },
	};
	return parse_units(text, suffixes, bytes);
}

/* ---- nearest word ---- */

#define WORD_MAX 64

/* Edit distance in which a swap of neighbours is one step. Both words are shorter than WORD_MAX. */
static unsigned distance(const char *a, size_t a_bytes, const char *b, size_t b_bytes)
{
	unsigned char rows[3][WORD_MAX + 1]; /* two rows back, one back, this */
	unsigned char *older = rows[0], *old = rows[1], *now = rows[2];
	for (size_t j = 0; j <= b_bytes; j++)
		old[j] = (unsigned char)j;
	memcpy(older, old, b_bytes + 1);
	for (size_t i = 1; i <= a_bytes; i++) {
		now[0] = (unsigned char)i;
		for (size_t j = 1; j <= b_bytes; j++) {
			unsigned best = old[j - 1] + (a[i - 1] != b[j - 1]);
			best = old[j] + 1u < best ? old[j] + 1u : best;
			best = now[j - 1] + 1u < best ? now[j - 1] + 1u : best;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && older[j - 2] + 1u < best)
				best = older[j - 2] + 1u;
			now[j] = (unsigned char)best;
		}
		unsigned char *spare = older;
		older = old;
		old = now;
		now = spare;
	}
	return old[b_bytes];
}

const char *text_nearest(const char *word, const char *const *names)
{
	size_t bytes = strnlen(word, WORD_MAX);
	unsigned best = 1 + (unsigned)(bytes / 4) + 1; /* one more than is near */
	const char *nearest = NULL;
	if (!bytes || bytes >= WORD_MAX)
		return NULL;
	for (; *names; names++) {
		size_t name_bytes = strnlen(*names, WORD_MAX);
		unsigned steps = name_bytes < WORD_MAX ? distance(word, bytes, *names, name_bytes) : UINT32_MAX;
		if (steps < best && steps < bytes) {
			best = steps;
			nearest = *names;
		}
	}
	return nearest;
}
